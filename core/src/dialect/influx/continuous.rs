//! Continuous queries: kept as documents, due by the clock of whoever asks.
//!
//! Key of a document: `<id of the database>/<name>`, so that a query goes with its database. Body:
//!
//! ```text
//! byte 1 (layout)   varint revision of the space that the query came with
//! text the statement that made it, normalised
//! byte has run (0, 1), zigzag varint the last run in nanoseconds
//! ```
//!
//! A query runs at multiples of EVERY (default: its GROUP BY interval). A host calls [`due`] from time to time, runs
//! what it gets as one request each, and then keeps that it ran.

use super::answer::Chunks;
use super::ast::{BinaryOp, Chain, ContinuousQuery, Expr, Select, Statement};
use super::compile::{Bounds, interval, split};
use super::error::StatementError;
use super::params::Params;
use super::parse::parse_query;
use super::query::{Context, Work, silent};
use super::show::texts;
use crate::catalog::{Command, DocumentChanges, Space};
use crate::codec::DecodeError;
use crate::codec::varint::{self, Reader};
use crate::dialect::exchange::{ApiConfig, ApiRequest, Exchange};
use crate::limits::Limits;
use crate::order::sort_by;
use crate::store::Snapshot;
use crate::time::Timestamp;
use bytes::Bytes;
use std::sync::Arc;

const SPACE: &str = "continuous_queries";
const LAYOUT: u8 = 1;

/// A kept query.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Kept {
    key: String,
    made: u64,
    text: String,
    last_run: Option<i64>,
}

impl Kept {
    fn name(&self) -> &str {
        self.key.split_once('/').map_or("", |(_, name)| name)
    }

    fn encode(&self) -> Bytes {
        let mut out = vec![LAYOUT];
        varint::write(self.made, &mut out);
        varint::write_bytes(self.text.as_bytes(), &mut out);
        out.push(u8::from(self.last_run.is_some()));
        varint::write_signed(self.last_run.unwrap_or_default(), &mut out);
        out.into()
    }

    fn decode(key: &str, body: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(body);
        if reader.byte("layout of a continuous query")? != LAYOUT {
            return Err(reader.error("layout of a continuous query"));
        }
        let made = reader.varint("revision")?;
        let text = reader.text("continuous query")?.to_owned();
        let has_run = reader.byte("has run")? == 1;
        let last_run = varint::unzigzag(reader.varint("last run")?);
        Ok(Self { key: key.to_owned(), made, text, last_run: has_run.then_some(last_run) })
    }

    fn statement(&self) -> Option<ContinuousQuery> {
        let limits = Limits::default();
        match parse_query(&self.text, &Params::default(), &limits).ok()?.pop()? {
            Statement::CreateContinuousQuery(query) => Some(*query),
            _ => None,
        }
    }
}

/// The queries of a database, in order of creation.
fn of_database(space: &Space, id: u32) -> Vec<Kept> {
    let prefix = format!("{id}/");
    let own = space.documents.iter().filter(|(key, _)| key.starts_with(&prefix));
    let mut kept: Vec<Kept> = own.filter_map(|(key, body)| Kept::decode(key, body).ok()).collect();
    sort_by(&mut kept, |a, b| (a.made, &a.key).cmp(&(b.made, &b.key)));
    kept
}

/// The work of a statement about continuous queries, `None` when it is about something else.
pub(super) fn compile(statement: &Statement, context: &Context<'_>) -> Result<Option<Work>, StatementError> {
    Ok(Some(match statement {
        Statement::CreateContinuousQuery(query) => create(query, context)?,
        Statement::DropContinuousQuery { name, database } => {
            let space = context.snapshot.documents.space(SPACE);
            match context.snapshot.database(database).map(|database| format!("{}/{name}", database.id)) {
                Some(key) if space.documents.contains_key(key.as_str()) => {
                    Work::Command(change(&space, vec![(key, None)]))
                }
                _ => Work::nothing(),
            }
        }
        Statement::ShowContinuousQueries => {
            let space = context.snapshot.documents.space(SPACE);
            let part = |database: &Arc<crate::store::snapshot::Database>| {
                let kept = of_database(&space, database.id);
                texts(&database.name, ["name", "query"], kept.iter().map(|query| [query.name(), &query.text]))
            };
            let seen = context
                .snapshot
                .databases
                .iter()
                .filter(|database| context.principal.may(crate::auth::Rights::READ, database.id));
            Work::Parts { parts: seen.map(part).collect(), chunks: Chunks::Whole }
        }
        _ => return Ok(None),
    }))
}

/// Keeps the query with every name written out in full. The same again is fine.
fn create(query: &ContinuousQuery, context: &Context<'_>) -> Result<Work, StatementError> {
    let no_database = |name: &str| StatementError::DatabaseNotFound(name.to_owned());
    let mut query = query.clone();
    let own = query.database.clone();
    query.select.qualify(&mut |database, policy| {
        let name = database.get_or_insert_with(|| own.clone());
        let known = context.snapshot.database(name).ok_or_else(|| no_database(name))?;
        let policy = policy.get_or_insert_with(|| known.default_policy.clone());
        match known.policy(Some(policy)) {
            Some(_) => Ok(()),
            None => Err(StatementError::PolicyNotFound(format!("{name}.{policy}"))),
        }
    })?;
    let database = context.snapshot.database(&own).ok_or_else(|| no_database(&own))?;
    let space = context.snapshot.documents.space(SPACE);
    let key = format!("{}/{}", database.id, query.name);
    let text = Statement::CreateContinuousQuery(Box::new(query)).to_string();
    if let Some(known) = space.documents.get(key.as_str()) {
        let same = Kept::decode(&key, known).is_ok_and(|known| known.text.eq_ignore_ascii_case(&text));
        let exists = StatementError::Fixed("continuous query already exists");
        return if same { Ok(Work::nothing()) } else { Err(exists) };
    }
    let kept = Kept { key: key.clone(), made: space.revision + 1, text, last_run: None };
    // Those whose database is gone go now.
    let gone = |key: &str| {
        let id = key.split_once('/').and_then(|(id, _)| id.parse().ok());
        !context.snapshot.databases.iter().any(|database| Some(database.id) == id)
    };
    let mut changes: Vec<_> = space.documents.keys().filter(|key| gone(key)).map(|key| (key.clone(), None)).collect();
    changes.push((key, Some(kept.encode())));
    Ok(Work::Command(change(&space, changes)))
}

fn change(space: &Space, changes: Vec<(String, Option<Bytes>)>) -> Command {
    Command::Documents(DocumentChanges { space: SPACE.to_owned(), revision: space.revision, changes })
}

/// A query whose time has come.
pub struct DueQuery {
    /// `database.name`, for a log.
    pub name: String,
    /// Does the work. What it says is an ordinary answer to a query.
    pub exchange: Box<dyn Exchange>,
}

/// The queries that are due at `request.now`, and the command that keeps that they ran, to be given to the store first:
/// when it is refused, somebody else changed the queries, and none must run before they are asked for again.
///
/// `request` lends its time, its id and its random bytes; the rest of it does not matter.
pub fn due(request: &ApiRequest, snapshot: &Snapshot, config: &Arc<ApiConfig>) -> Option<(Command, Vec<DueQuery>)> {
    let space = snapshot.documents.space(SPACE);
    let (mut changes, mut queries) = (Vec::new(), Vec::new());
    for database in snapshot.databases.iter() {
        for mut kept in of_database(&space, database.id) {
            let Some(query) = kept.statement() else { continue };
            let Some(run) = window(&query, kept.last_run, request.now) else { continue };
            kept.last_run = Some(run.at);
            changes.push((kept.key.clone(), Some(kept.encode())));
            if let Some((from, to)) = run.range
                && let Some(select) = over(query.select, from, to, request.now)
            {
                let name = format!("{}.{}", database.name, kept.name());
                let statement = Statement::Select(Box::new(select));
                let exchange = silent(request.clone(), snapshot.clone(), config, &database.name, statement);
                queries.push(DueQuery { name, exchange });
            }
        }
    }
    (!changes.is_empty()).then(|| (change(&space, changes), queries))
}

/// A run: the instant it counts as, and the range it computes, from and to (exclusive), if that is not empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    at: i64,
    range: Option<(i64, i64)>,
}

/// Whether a query runs at `now`, and over what. `None`: not yet, or never, since it groups by no time.
fn window(query: &ContinuousQuery, last_run: Option<i64>, now: Timestamp) -> Option<Run> {
    let group = interval(&query.select.dimensions, now).ok()??;
    let (width, offset) = (i128::from(group.width), i128::from(group.offset));
    let every = query.every.map_or(width, i128::from);
    if width <= 0 || every <= 0 {
        return None;
    }
    let now = i128::from(now.nanos());
    let next = last_run.map_or(now, |last| i128::from(last) + every);
    if next > now {
        return None;
    }
    // A query that never ran only begins at the next multiple of EVERY: what is before it is nobody's affair.
    let truncate = |time: i128, unit: i128| time.div_euclid(unit) * unit;
    let at = truncate(now - offset, every) + offset;
    let over = query.r#for.map_or_else(|| width.max(every), i128::from);
    let start = truncate(next + width - over - offset - 1, width) + offset;
    let end = truncate(now + width - every.min(width) - offset, width) + offset;
    let nanos = |time: i128| i64::try_from(time).ok();
    Some(Run { at: nanos(at)?, range: (end > start).then_some((nanos(start)?, nanos(end)?)) })
}

/// The query over a range instead of the one in its WHERE. `None` when its WHERE makes no sense.
fn over(mut select: Select, from: i64, to: i64, now: Timestamp) -> Option<Select> {
    let rest = match &select.condition {
        Some(condition) => split(condition, now, &mut Bounds::default()).ok()?,
        None => None,
    };
    let time = |op, nanos: i64| {
        let time = Expr::Variable { name: "time".to_owned(), cast: None };
        Expr::Chain(Box::new(Chain { first: time, rest: vec![(op, Expr::Integer(nanos))] }))
    };
    let mut all = vec![(BinaryOp::And, time(BinaryOp::Less, to))];
    all.extend(rest.map(|rest| (BinaryOp::And, Expr::Paren(Box::new(rest)))));
    let condition = Chain { first: time(BinaryOp::GreaterEqual, from), rest: all };
    select.condition = Some(Expr::Chain(Box::new(condition)));
    Some(select)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{NANOS_PER_MINUTE, NANOS_PER_SEC};

    const MINUTE: i64 = NANOS_PER_MINUTE;

    fn query(text: &str) -> ContinuousQuery {
        let kept = Kept { key: "1/q".into(), made: 1, text: text.into(), last_run: None };
        kept.statement().unwrap()
    }

    #[track_caller]
    fn check(resample: &str, last: Option<i64>, now_secs: i64, expected: Option<(i64, Option<(i64, i64)>)>) {
        let text = format!(
            "CREATE CONTINUOUS QUERY q ON db {resample} BEGIN SELECT mean(v) INTO m2 FROM m GROUP BY time(10m) END"
        );
        let last = last.map(|minutes| minutes * MINUTE);
        let run = window(&query(&text), last, Timestamp::from_nanos(now_secs * NANOS_PER_SEC));
        let minutes = |nanos: i64| nanos / MINUTE;
        let found = run.map(|run| (minutes(run.at), run.range.map(|(from, to)| (minutes(from), minutes(to)))));
        assert_eq!(found, expected, "{resample} {last:?} {now_secs}");
    }

    #[test]
    fn a_query_computes_the_whole_buckets_since_it_last_ran() {
        // Every bucket once, just after its end, and missed ones too.
        check("", Some(100), 109 * 60, None);
        check("", Some(100), 110 * 60, Some((110, Some((100, 110)))));
        check("", Some(100), 110 * 60 + 5, Some((110, Some((100, 110)))));
        check("", Some(100), 135 * 60, Some((130, Some((100, 130)))));
        check("", None, 110 * 60, Some((110, Some((100, 110)))));
        // More often than buckets end: the newest bucket is computed while it fills.
        check("RESAMPLE EVERY 5m", Some(100), 105 * 60, Some((105, Some((100, 110)))));
        // Less often: several buckets at once.
        check("RESAMPLE EVERY 30m", Some(90), 120 * 60, Some((120, Some((90, 120)))));
        // Late points: buckets of the last half hour again.
        check("RESAMPLE FOR 30m", Some(100), 110 * 60, Some((110, Some((80, 110)))));
    }

    #[test]
    fn the_range_replaces_that_of_the_query() {
        let text = "CREATE CONTINUOUS QUERY q ON db BEGIN SELECT mean(v) INTO m2 FROM m WHERE time > 5 AND a = 'b' \
                    GROUP BY time(10m) END";
        let select = over(query(text).select, 7, 9, Timestamp::from_nanos(0)).unwrap();
        let expected = "SELECT mean(v) INTO m2 FROM m WHERE time >= 7 AND time < 9 AND (a = 'b') GROUP BY time(10m)";
        assert_eq!(Statement::Select(Box::new(select)).to_string(), expected);
    }

    #[test]
    fn kept_queries_come_back_and_cut_ones_are_refused() {
        let kept = Kept { key: "3/a/b".into(), made: 7, text: "x".into(), last_run: Some(-4) };
        let body = kept.encode();
        assert_eq!((Kept::decode("3/a/b", &body), kept.name()), (Ok(kept.clone()), "a/b"));
        (0..body.len()).for_each(|len| assert!(Kept::decode("k", &body[..len]).is_err(), "{len}"));
    }
}
