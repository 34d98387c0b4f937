//! SHOW: answers from the catalog and the index, without reading a point.

mod shards;
pub(super) mod tags;
mod within;

use super::answer::{Chunks, Part};
use super::ast::{
    Cardinality, KeyFilter, Measurement, MeasurementFilter, NameMatch, Schema, ShowSchema, Source, Statement,
};
use super::compile::{Bounds, pattern, split};
use super::error::StatementError;
use super::line_protocol::key_text;
use super::query::{Context, Work};
use crate::auth::Rights;
use crate::index::MeasurementIndex;
use crate::model::{Column, SeriesKey};
use crate::order::sort_dedup;
use crate::sorted::SortedSet;
use crate::store::snapshot::{Database, Policy};
use crate::time::{NANOS_PER_HOUR, NANOS_PER_MINUTE, NANOS_PER_SEC, TimeRange};
use crate::value::{FieldType, Value};
use std::sync::Arc;
use tags::TagCondition;

/// The answer to a statement that is neither a SELECT nor a command. What is not built yet is refused here, by name.
pub(super) fn show(statement: &Statement, context: &Context<'_>) -> Result<Work, StatementError> {
    let parts = match statement {
        Statement::ShowDatabases => {
            let databases = context.snapshot.databases.iter().filter(|database| {
                let may = |rights| context.principal.may(rights, database.id);
                may(Rights::READ) || may(Rights::WRITE)
            });
            vec![texts("databases", ["name"], databases.map(|database| [database.name.as_str()]))]
        }
        Statement::ShowRetentionPolicies { database } => vec![policies(database.as_deref(), context)?],
        Statement::ShowSchema(show) => return schema(show, context),
        Statement::ShowShards => shards::shards(context),
        Statement::ShowShardGroups => vec![shards::groups(context)],
        other => return Err(StatementError::Unsupported(kind(other).to_owned())),
    };
    Ok(Work::Parts { parts, chunks: Chunks::Whole })
}

/// The first words of a statement that is not built yet.
const fn kind(statement: &Statement) -> &'static str {
    match statement {
        Statement::Explain { .. } => "EXPLAIN",
        _ => "this statement",
    }
}

fn policies(database: Option<&str>, context: &Context<'_>) -> Result<Part, StatementError> {
    let database = find(database, context)?;
    let mut values = [FieldType::String, FieldType::String, FieldType::String, FieldType::Integer, FieldType::Boolean]
        .map(Column::new);
    for policy in &database.policies {
        let [name, duration, shard, replication, default] = &mut values;
        name.push(Some(Value::String(&policy.name)));
        duration.push(Some(Value::String(&go_duration(policy.duration))));
        shard.push(Some(Value::String(&go_duration(policy.shard_duration))));
        replication.push(Some(Value::Integer(policy.replication.into())));
        default.push(Some(Value::Boolean(policy.name == database.default_policy)));
    }
    let columns = named(["name", "duration", "shardGroupDuration", "replicaN", "default"]);
    Ok(Part { columns, values: values.into(), ..Part::default() })
}

/// A database by name, else the request's.
pub(super) fn find<'a>(name: Option<&str>, context: &Context<'a>) -> Result<&'a Arc<Database>, StatementError> {
    let name = name.or(context.database).ok_or(StatementError::DatabaseRequired)?;
    context.snapshot.database(name).ok_or_else(|| StatementError::DatabaseNotFound(name.to_owned()))
}

fn schema(show: &ShowSchema, context: &Context<'_>) -> Result<Work, StatementError> {
    let name = show.database.as_deref().or(context.database).ok_or(StatementError::DatabaseRequired)?;
    let database = context.snapshot.database(name);
    let simple = show.sources.is_empty() && show.condition.is_none() && show.dimensions.is_empty();
    let estimate = show.cardinality == Some(Cardinality::Estimated)
        && simple
        && matches!(show.what, Schema::Series | Schema::Measurements);
    if estimate {
        let count = database.map_or(0, |database| match show.what {
            Schema::Series => database.index.series_count(),
            _ => database.index.measurements().count(),
        });
        return Ok(one_count("cardinality estimation", count));
    }
    let Some(database) = database else {
        return match (show.what, show.cardinality) {
            (Schema::Measurements, None) => Ok(Work::Parts { parts: Vec::new(), chunks: Chunks::Whole }),
            _ => Err(StatementError::DatabaseNotFound(name.to_owned())),
        };
    };
    let mut bounds = Bounds::default();
    let condition = match &show.condition {
        Some(condition) => split(condition, context.now, &mut bounds)?,
        None => None,
    };
    if show.what == Schema::Measurements && bounds != Bounds::default() {
        return Err(StatementError::Fixed("SHOW MEASUREMENTS doesn't support time in WHERE clause"));
    }
    let condition = match (condition, show.cardinality.is_some()) {
        (None, _) => None,
        (Some(condition), false) => Some(TagCondition::new(&condition)?),
        (Some(condition), true) if show.what == Schema::TagValues => {
            Some(TagCondition::lenient(&condition).of_present_tags())
        }
        (Some(condition), true) => Some(TagCondition::lenient(&condition)),
    };
    let range = (bounds != Bounds::default()).then(|| bounds.range());
    let request = Request { show, database, context, condition, range };
    let listed = matches!(show.what, Schema::TagKeys | Schema::TagValues) && show.cardinality.is_none();
    let parts = match show.what {
        Schema::Measurements => return request.measurements(),
        Schema::FieldKeys => request.fields()?,
        Schema::Series if show.cardinality.is_none() => request.series()?,
        Schema::Series => request.series_counts()?,
        Schema::TagKeys | Schema::TagValues => request.tags()?,
    };
    Ok(Work::Parts { parts, chunks: if listed { Chunks::Series } else { Chunks::Rows } })
}

/// A SHOW of what is in a database.
struct Request<'a> {
    show: &'a ShowSchema,
    database: &'a Arc<Database>,
    context: &'a Context<'a>,
    condition: Option<TagCondition>,
    /// Series without a point in it are not there.
    range: Option<TimeRange>,
}

impl<'a> Request<'a> {
    /// The measurements that FROM names, by name.
    fn selected(&self) -> Result<Vec<(&'a str, &'a Arc<MeasurementIndex>)>, StatementError> {
        let all = || self.database.index.measurements().map(|(name, index)| (&**name, index));
        if self.show.sources.is_empty() {
            return Ok(all().collect());
        }
        let mut names: SortedSet<&str> = SortedSet::new();
        for source in &self.show.sources {
            match name_match(source)? {
                NameMatch::Name(name) => {
                    names.extend(all().map(|(known, _)| (known, ())).filter(|(known, ())| known == name))
                }
                NameMatch::Regex(regex) => {
                    let regex = pattern(regex)?;
                    names.extend(all().map(|(known, _)| (known, ())).filter(|(known, ())| regex.is_match(known)));
                }
            }
        }
        Ok(all().filter(|(name, _)| names.contains_key(name)).collect())
    }

    /// The series of a measurement that WHERE keeps. Fields exclude none, but where series are counted.
    fn kept<'b>(&'b self, name: &str, index: &'b MeasurementIndex) -> Box<dyn Iterator<Item = &'b SeriesKey> + 'b> {
        let within = |series| self.range.is_none_or(|range| within::has_points(self.database, series, range));
        match &self.condition {
            Some(condition) => {
                let is_field = |key: &str| {
                    let shards = self.database.policies.iter().flat_map(|policy| &policy.shards);
                    shards.filter_map(|shard| shard.fields.get(name)).any(|fields| fields.contains_key(key))
                };
                let condition = condition.with_fields(&is_field, self.show.cardinality.is_none());
                let series = condition.series(index).into_iter();
                Box::new(series.filter(move |(id, _)| within(*id)).map(|(_, key)| key))
            }
            None => Box::new(index.series().filter(move |(id, _)| within(*id)).map(|(_, key)| key)),
        }
    }

    fn measurements(&self) -> Result<Work, StatementError> {
        let filter = match &self.show.measurement {
            Some(MeasurementFilter { source, .. }) => Some(name_match(source)?),
            None => None,
        };
        let regex = match filter {
            Some(NameMatch::Regex(regex)) => Some(pattern(regex)?),
            _ => None,
        };
        let mut names = Vec::new();
        for (name, index) in self.selected()? {
            let wanted = match (filter, &regex) {
                (_, Some(regex)) => regex.is_match(name),
                (Some(NameMatch::Name(wanted)), None) => wanted == name,
                _ => true,
            };
            if wanted && self.show.cardinality.is_some() && self.condition.is_some() {
                // Counted as the series are, not as measurements are listed.
                if self.kept(name, index).next().is_some() {
                    names.push(name);
                }
            } else if wanted && self.condition.as_ref().map_or(Ok(true), |condition| condition.holds_in(index))? {
                names.push(name);
            }
        }
        if self.show.cardinality.is_some()
            && names.is_empty()
            && (self.condition.is_some() || !self.show.sources.is_empty())
        {
            return Ok(Work::Parts { parts: Vec::new(), chunks: Chunks::Whole });
        }
        if self.show.cardinality.is_some() {
            return Ok(one_count("count", names.len()));
        }
        let rows = self.page(names.into_iter()).map(|name| [name]);
        Ok(Work::Parts {
            parts: some(texts("measurements", ["name"], rows)).into_iter().collect(),
            chunks: Chunks::Whole,
        })
    }

    fn series(&self) -> Result<Vec<Part>, StatementError> {
        let selected = self.selected()?;
        let keys = selected
            .iter()
            .flat_map(|(name, index)| self.kept(name, index))
            .map(|key| String::from_utf8(key_text(key)).expect("it is made of texts"));
        Ok(some(owned_texts("", ["key"], self.page(keys).map(|key| [key]))).into_iter().collect())
    }

    fn tags(&self) -> Result<Vec<Part>, StatementError> {
        let wanted = KeyTest::new(self.show.key.as_ref())?;
        let mut parts = Vec::new();
        for (name, index) in self.selected()? {
            let mut rows: Vec<(String, String)> = Vec::new();
            let values = self.show.what == Schema::TagValues;
            let mut add = |key: &str, value: &str| {
                if wanted.takes(key) {
                    rows.push((key.to_owned(), if values { value.to_owned() } else { String::new() }));
                }
            };
            match (&self.condition, self.range) {
                (None, None) => {
                    for key in index.tag_keys() {
                        if values {
                            index.tag_values(key).for_each(|value| add(key, value));
                        } else {
                            add(key, "");
                        }
                    }
                }
                _ => self.kept(name, index).for_each(|series| series.tags().for_each(|(key, value)| add(&key, &value))),
            }
            sort_dedup(&mut rows);
            if self.show.cardinality.is_some() {
                parts.extend(count(name, rows.len()));
            } else if values {
                let rows = self.page(rows.into_iter()).map(|(key, value)| [key, value]);
                parts.extend(some(owned_texts(name, ["key", "value"], rows)));
            } else {
                let rows = self.page(rows.into_iter()).map(|(key, _)| [key]);
                parts.extend(some(owned_texts(name, ["tagKey"], rows)));
            }
        }
        Ok(parts)
    }

    fn fields(&self) -> Result<Vec<Part>, StatementError> {
        let mut rows: Vec<(&str, &str, &'static str)> = Vec::new();
        let everything = NameMatch::Name(String::new());
        let sources: Vec<(Option<&str>, &NameMatch)> = match self.show.sources.as_slice() {
            [] => vec![(None, &everything)],
            sources => {
                let names = sources.iter().map(|source| Ok((policy_of(source), name_match(source)?)));
                names.collect::<Result<_, StatementError>>()?
            }
        };
        for (policy, names) in sources {
            let policy = self.policy(policy)?;
            let regex = match names {
                NameMatch::Regex(regex) => Some(pattern(regex)?),
                NameMatch::Name(_) => None,
            };
            for (measurement, fields) in policy.shards.iter().flat_map(|shard| shard.fields.iter()) {
                let wanted = match (names, &regex) {
                    (_, Some(regex)) => regex.is_match(measurement),
                    (NameMatch::Name(name), None) => name.is_empty() || name == measurement,
                    _ => false,
                };
                if wanted {
                    rows.extend(fields.iter().map(|(name, kind)| (measurement.as_str(), name.as_str(), kind.name())));
                }
            }
        }
        sort_dedup(&mut rows);
        let mut parts = Vec::new();
        for fields in rows.chunk_by(|a, b| a.0 == b.0) {
            let measurement = fields[0].0;
            if self.show.cardinality.is_some() {
                parts.extend(count(measurement, fields.chunk_by(|a, b| a.1 == b.1).count()));
            } else {
                let rows = self.page(fields.iter()).map(|(_, name, kind)| [*name, *kind]);
                parts.extend(some(texts(measurement, ["fieldKey", "fieldType"], rows)));
            }
        }
        if self.show.order.is_some_and(|order| order.descending) {
            parts.reverse();
        }
        Ok(parts)
    }

    fn policy(&self, name: Option<&str>) -> Result<&'a Arc<Policy>, StatementError> {
        let name = name.or(self.context.policy);
        self.database
            .policy(name)
            .ok_or_else(|| StatementError::PolicyNotFound(name.unwrap_or(&self.database.default_policy).to_owned()))
    }

    fn series_counts(&self) -> Result<Vec<Part>, StatementError> {
        Ok(self
            .selected()?
            .into_iter()
            .filter_map(|(name, index)| count(name, self.kept(name, index).count()))
            .collect())
    }

    /// LIMIT and OFFSET, which count within each series of the answer.
    fn page<T>(&self, rows: impl Iterator<Item = T>) -> impl Iterator<Item = T> {
        let whole = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        let limit = if self.show.limit == 0 { usize::MAX } else { whole(self.show.limit) };
        rows.skip(whole(self.show.offset)).take(limit)
    }
}

/// `WITH KEY`
enum KeyTest<'a> {
    All,
    Names { names: &'a [String], wanted: bool },
    Pattern { regex: crate::pattern::Regex, wanted: bool },
}

impl<'a> KeyTest<'a> {
    fn new(filter: Option<&'a KeyFilter>) -> Result<Self, StatementError> {
        Ok(match filter {
            None => Self::All,
            Some(KeyFilter::Equal(name)) => Self::Names { names: std::slice::from_ref(name), wanted: true },
            Some(KeyFilter::NotEqual(name)) => Self::Names { names: std::slice::from_ref(name), wanted: false },
            Some(KeyFilter::In(names)) => Self::Names { names, wanted: true },
            Some(KeyFilter::Match(regex)) => Self::Pattern { regex: pattern(regex)?, wanted: true },
            Some(KeyFilter::NotMatch(regex)) => Self::Pattern { regex: pattern(regex)?, wanted: false },
        })
    }

    fn takes(&self, key: &str) -> bool {
        match self {
            Self::All => true,
            Self::Names { names, wanted } => names.iter().any(|name| name == key) == *wanted,
            Self::Pattern { regex, wanted } => regex.is_match(key) == *wanted,
        }
    }
}

pub(super) fn name_match(source: &Source) -> Result<&NameMatch, StatementError> {
    match source {
        Source::Measurement(Measurement { name, .. }) => Ok(name),
        Source::Subquery(_) => Err(StatementError::Unsupported("a subquery".to_owned())),
    }
}

fn policy_of(source: &Source) -> Option<&str> {
    match source {
        Source::Measurement(measurement) => measurement.rp.as_deref(),
        Source::Subquery(_) => None,
    }
}

pub(super) fn named<const N: usize>(names: [&str; N]) -> Arc<[String]> {
    names.map(str::to_owned).into()
}

pub(super) fn texts<'a, const N: usize>(
    name: &str,
    columns: [&str; N],
    rows: impl Iterator<Item = [&'a str; N]>,
) -> Part {
    let mut values: [Column; N] = std::array::from_fn(|_| Column::new(FieldType::String));
    for row in rows {
        for (column, text) in values.iter_mut().zip(row) {
            column.push(Some(Value::String(text)));
        }
    }
    Part { name: name.to_owned(), columns: named(columns), values: values.into(), ..Part::default() }
}

fn owned_texts<const N: usize>(name: &str, columns: [&str; N], rows: impl Iterator<Item = [String; N]>) -> Part {
    let mut values: [Column; N] = std::array::from_fn(|_| Column::new(FieldType::String));
    for row in rows {
        for (column, text) in values.iter_mut().zip(&row) {
            column.push(Some(Value::String(text)));
        }
    }
    Part { name: name.to_owned(), columns: named(columns), values: values.into(), ..Part::default() }
}

/// A series that has rows.
fn some(part: Part) -> Option<Part> {
    (part.rows() > 0).then_some(part)
}

fn count(name: &str, count: usize) -> Option<Part> {
    let mut column = Column::new(FieldType::Integer);
    column.push(Some(Value::Integer(i64::try_from(count).unwrap_or(i64::MAX))));
    let part = Part { name: name.to_owned(), columns: named(["count"]), values: vec![column], ..Part::default() };
    (count > 0).then_some(part)
}

fn one_count(column_name: &str, count: usize) -> Work {
    let mut column = Column::new(FieldType::Integer);
    column.push(Some(Value::Integer(i64::try_from(count).unwrap_or(i64::MAX))));
    let part = Part { columns: named([column_name]), values: vec![column], ..Part::default() };
    Work::Parts { parts: vec![part], chunks: Chunks::Rows }
}

/// A duration as Go prints it: `168h0m0s`, `1h30m0s`, `0s`.
fn go_duration(nanos: i64) -> String {
    let (hours, rest) = (nanos / NANOS_PER_HOUR, nanos % NANOS_PER_HOUR);
    let (minutes, rest) = (rest / NANOS_PER_MINUTE, rest % NANOS_PER_MINUTE);
    let seconds = rest / NANOS_PER_SEC;
    match (hours, minutes) {
        (0, 0) => format!("{seconds}s"),
        (0, _) => format!("{minutes}m{seconds}s"),
        _ => format!("{hours}h{minutes}m{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_print_as_go_prints_them() {
        let hours = |hours| go_duration(hours * NANOS_PER_HOUR);
        assert_eq!([hours(0), hours(168), go_duration(90 * NANOS_PER_MINUTE)], ["0s", "168h0m0s", "1h30m0s"]);
    }
}
