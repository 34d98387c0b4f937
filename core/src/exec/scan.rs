//! Series of a scan: which there are, and the rows of each.

use super::cursor::{Ask, ColumnDef, Context, Cursor, Header, Pace, Poll, Rows, Source, Tags, View, Wish};
use super::eval::Code;
use super::load::{Pending, Summary};
use super::merge::Runs;
use super::table::Table;
use super::task::QueryError;
use crate::extent::FULL;
use crate::index::{MeasurementIndex, SeriesId};
use crate::limits::{Exceeded, Limits};
use crate::model::SeriesKey;
use crate::model::column::Bitmap;
use crate::order::sort_by;
use crate::plan::{BinaryOp, Expr, Measurements, Scalar, Scan, ScanField};
use crate::sorted::SortedSet;
use crate::store::snapshot::{Run, Shard};
use crate::store::{ByteRange, Snapshot};
use crate::time::TimeRange;
use crate::value::{FieldType, Value};
use std::borrow::Cow;
use std::sync::Arc;

/// Rows that could be looked at in the time a series takes to open.
const SERIES_COST: u64 = 64;

/// The groups of a `Scan`, one a series.
#[derive(Debug)]
pub(super) struct ScanSource {
    groups: Vec<Header>,
    /// Which series each group is; `None` for one that does not exist.
    series: Vec<Option<SeriesId>>,
    tag_keys: Vec<String>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    shards: Vec<Arc<Shard>>,
    fields: Arc<[ScanField]>,
    tags: Vec<String>,
    predicate: Option<Expr>,
    range: TimeRange,
    descending: bool,
}

impl ScanSource {
    pub(super) fn new(scan: Scan, reversed: bool, snapshot: &Snapshot, limits: &Limits) -> Result<Self, QueryError> {
        let database =
            snapshot.database(&scan.database).ok_or_else(|| QueryError::DatabaseNotFound(scan.database.clone()))?;
        let policy = database.policy(scan.policy.as_deref()).ok_or_else(|| {
            QueryError::PolicyNotFound(scan.policy.clone().unwrap_or_else(|| database.default_policy.clone()))
        })?;
        let text = scan.tags.iter().map(|tag| (tag, FieldType::String));
        let columns = scan.fields.iter().map(|field| (&field.name, field.field_type)).chain(text);
        let columns: Arc<[ColumnDef]> =
            columns.map(|(name, field_type)| ColumnDef { name: name.clone(), field_type }).collect();
        let shared = Shared {
            shards: policy.shards_in(scan.range).cloned().collect(),
            fields: scan.fields.into(),
            tags: scan.tags,
            predicate: scan.predicate,
            range: scan.range,
            descending: scan.descending,
        };
        let mut source =
            Self { groups: Vec::new(), series: Vec::new(), tag_keys: Vec::new(), shared: Arc::new(shared) };
        let mut tag_keys = SortedSet::new();
        let mut add = |name: &Arc<str>, tags: Tags, series: Option<SeriesId>| {
            source.groups.push(Header { name: Arc::clone(name), tags, input: 0, columns: Arc::clone(&columns) });
            source.series.push(series);
            let allowed = limits.max_select_series;
            let asked = source.groups.len() as u64;
            if allowed > 0 && asked > allowed {
                return Err(QueryError::from(Exceeded { limit: "max-select-series", asked, allowed }));
            }
            Ok(())
        };
        let shared = &source.shared;
        let mut add_all = |name: &Arc<str>, index: &MeasurementIndex| {
            tag_keys.extend(index.tag_keys().map(|key| (key.to_owned(), ())));
            for (id, key) in shared.candidates(index) {
                let tags = Tags::Series(key.clone());
                if shared.may_match(&columns, &tags) {
                    add(name, tags, Some(id))?;
                }
            }
            Ok::<_, QueryError>(())
        };
        match scan.measurements {
            Measurements::Named(mut names) => {
                sort_by(&mut names, Ord::cmp);
                for name in names {
                    if let Some(index) = database.index.measurement(&name) {
                        add_all(&name.into(), index)?;
                    }
                }
            }
            _ if !FULL => return Err(QueryError::Beyond),
            Measurements::Matching(regex) => {
                for (name, index) in database.index.measurements().filter(|(name, _)| regex.is_match(name)) {
                    add_all(name, index)?;
                }
            }
            Measurements::Series { measurement, keys } => {
                let index = database.index.measurement(&measurement);
                let name: Arc<str> = measurement.into();
                for key in keys.iter().filter_map(|key| SeriesKey::from_canonical(key)) {
                    tag_keys.extend(key.tags().map(|(key, _)| (key.into_owned(), ())));
                    let series = index.and_then(|index| index.find(key.as_bytes()));
                    add(&name, Tags::Series(key), series)?;
                }
            }
        }
        source.tag_keys = tag_keys.keys().cloned().collect();
        if reversed {
            source.groups.reverse();
            source.series.reverse();
        }
        Ok(source)
    }
}

impl ScanSource {
    /// The bytes of all blocks that a row of the scan may be in.
    pub(super) fn needs(&self) -> Result<Vec<ByteRange>, QueryError> {
        let Shared { shards, fields, range, .. } = &*self.shared;
        let mut needed = Vec::new();
        for series in self.series.iter().flatten() {
            for shard in shards {
                let damaged = |source| QueryError::Damaged { file: format!("a file of shard {}", shard.id), source };
                let runs = shard.runs(*series).map_err(damaged)?;
                let pending = runs.into_iter().filter_map(|run| Pending::new(run, 0, fields));
                needed.extend(pending.filter(|run| run.extent.overlaps(*range)).flat_map(|run| run.ranges()));
            }
        }
        Ok(needed)
    }

    /// The one field that decides which rows exist, if it is one.
    pub(super) fn lone_field(&self) -> Option<usize> {
        let mut driving = self.shared.fields.iter().enumerate().filter(|(_, field)| field.drives);
        let (at, _) = driving.next()?;
        driving.next().is_none().then_some(at)
    }
}

impl Source for ScanSource {
    fn groups(&self) -> &[Header] {
        &self.groups
    }

    fn tag_keys(&self) -> Vec<String> {
        self.tag_keys.clone()
    }

    fn open(&self, group: usize, ask: &Ask) -> Box<dyn Cursor> {
        let header = &self.groups[group];
        // Else a row may have values that must not be seen.
        let all_drive = self.shared.fields.iter().all(|field| field.drives);
        Box::new(SeriesCursor {
            shared: Arc::clone(&self.shared),
            series: self.series[group],
            tags: self.shared.tags.iter().map(|tag| header.tags.get(tag).map(Cow::into_owned)).collect(),
            filter: self.shared.filter(&header.columns, &header.tags),
            wish: ask.wish.as_ref().filter(|_| all_drive).cloned(),
            range: ask.range.map_or(self.shared.range, |range| self.shared.range.intersect(range)),
            pace: ask.pace,
            runs: None,
            kept: None,
            scratch: Table::new(&header.columns[..self.shared.fields.len()]),
        })
    }

    fn extent(&self, group: usize) -> Option<TimeRange> {
        let mut extent: Option<TimeRange> = None;
        for shard in &self.shared.shards {
            let series = self.series[group]?;
            // A damaged index is found again, and told, when it is read.
            for run in shard.runs(series).ok()? {
                let range = match &run {
                    Run::Chunk(chunk) => chunk.range(),
                    Run::Block { entry, .. } => entry.time_range(),
                };
                let range = range.intersect(self.shared.range);
                if !range.is_empty() {
                    let known = extent.unwrap_or(range);
                    extent = Some(TimeRange::new(known.min.min(range.min), known.max.max(range.max)));
                }
            }
        }
        // None at all is an empty range.
        extent.or(Some(TimeRange::EMPTY))
    }
}

impl Shared {
    /// The series that the predicate's equalities on tags leave, by key.
    fn candidates<'a>(&self, index: &'a MeasurementIndex) -> Vec<(SeriesId, &'a SeriesKey)> {
        let mut equalities = Vec::new();
        if let Some(predicate) = &self.predicate {
            self.tag_equalities(predicate, &mut equalities);
        }
        let postings = equalities.iter().map(|(tag, value)| index.with_tag(tag, value));
        let Some(fewest) = postings.min_by_key(|series| series.len()) else { return index.series().collect() };
        let mut series: Vec<_> = fewest.iter().filter_map(|id| Some((*id, index.key(*id)?))).collect();
        sort_by(&mut series, |a, b| a.1.cmp(b.1));
        series
    }

    /// Conditions `tag = 'text'` that must hold for any row.
    fn tag_equalities<'a>(&'a self, expr: &'a Expr, found: &mut Vec<(&'a str, &'a str)>) {
        let Expr::Binary { op, left, right } = expr else { return };
        match op {
            BinaryOp::And => {
                self.tag_equalities(left, found);
                self.tag_equalities(right, found);
            }
            BinaryOp::Equal => {
                let pair = match (self.tag(left), &**right, self.tag(right), &**left) {
                    (Some(tag), Expr::Literal(Scalar::String(text)), _, _) => (tag, text),
                    (_, _, Some(tag), Expr::Literal(Scalar::String(text))) => (tag, text),
                    _ => return,
                };
                if !pair.1.is_empty() {
                    found.push((pair.0, pair.1));
                }
            }
            _ => {}
        }
    }

    /// The tag an expression is, perhaps with an empty text where it is absent.
    fn tag(&self, expr: &Expr) -> Option<&str> {
        match expr {
            Expr::Column(at) => self.tags.get(at.checked_sub(self.fields.len())?).map(String::as_str),
            Expr::OrElse { value, other: Scalar::String(other) } if other.is_empty() => self.tag(value),
            _ => None,
        }
    }

    fn may_match(&self, columns: &[ColumnDef], tags: &Tags) -> bool {
        self.filter(columns, tags).is_none_or(|code| code.constant() != Some(&Some(Scalar::Boolean(false))))
    }

    /// What remains of the predicate for a series; `None` if every row passes.
    fn filter(&self, columns: &[ColumnDef], tags: &Tags) -> Option<Code> {
        let constant = |at: usize| {
            let tag = self.tags.get(at.checked_sub(self.fields.len())?)?;
            Some(tags.get(tag).map(|value| Scalar::String(value.into_owned())))
        };
        let code = Code::new(self.predicate.as_ref()?, columns, &constant);
        (code.constant() != Some(&Some(Scalar::Boolean(true)))).then_some(code)
    }

    /// Which rows have a driving field; `None` if all have.
    fn driven(&self, rows: &Rows<'_>) -> Option<Bitmap> {
        let mut any = Bitmap::filled(false, rows.times.len());
        for (_, view) in self.fields.iter().zip(&rows.columns).filter(|(field, _)| field.drives) {
            if let View::Column(column) = view {
                let map = column.present.as_ref()?;
                let words = any.words().iter().zip(map.words()).map(|(any, more)| any | more);
                any = Bitmap::from_words(words.collect(), rows.times.len());
            }
        }
        (any.count_ones_in(rows.from, rows.to) < rows.len()).then_some(any)
    }
}

struct SeriesCursor {
    shared: Arc<Shared>,
    series: Option<SeriesId>,
    tags: Vec<Option<String>>,
    filter: Option<Code>,
    wish: Option<Arc<Wish>>,
    range: TimeRange,
    pace: Pace,
    runs: Option<Runs>,
    /// The fields of the rows that passed, if not all did.
    kept: Option<Table>,
    scratch: Table,
}

impl SeriesCursor {
    fn runs(&mut self, cx: &mut Context) -> Result<&mut Runs, QueryError> {
        if self.runs.is_none() {
            cx.budget = cx.budget.saturating_sub(SERIES_COST);
            let mut runs = Vec::new();
            if let Some(series) = self.series {
                cx.stats.series += 1;
                for shard in self.shared.shards.iter().filter(|shard| shard.range.overlaps(self.range)) {
                    let found = shard.runs(series);
                    let damaged =
                        |source| QueryError::Damaged { file: format!("a file of shard {}", shard.id), source };
                    runs.extend(found.map_err(damaged)?);
                }
            }
            let wish = self.wish.as_deref().filter(|_| self.filter.is_none());
            let Shared { fields, descending, .. } = &*self.shared;
            self.runs = Some(Runs::new(runs, fields, self.range, *descending, wish, self.pace, cx)?);
        }
        Ok(self.runs.as_mut().expect("set above"))
    }

    /// All rows of the run, with the tags beside them.
    fn all(&self) -> Rows<'_> {
        self.tagged(self.runs.as_ref().expect("pulled before").rows())
    }

    fn tagged<'a>(&'a self, mut fields: Rows<'a>) -> Rows<'a> {
        fields.columns.extend(
            self.tags.iter().map(|tag| tag.as_deref().map_or(View::Absent, |text| View::Constant(Value::String(text)))),
        );
        fields
    }

    /// Drops the rows that do not count. False when none stay.
    fn keep(&mut self) -> bool {
        let rows = self.all();
        let driven = if self.wish.is_some() { None } else { self.shared.driven(&rows) };
        let counts = |row: usize| driven.as_ref().is_none_or(|map| map.get(row));
        let mut chosen: Vec<u32> = Vec::new();
        match (&self.filter, &driven) {
            (None, None) => return true,
            (Some(code), _) => code.each_true(&rows, |row| {
                if counts(row) {
                    chosen.push(row as u32);
                }
            }),
            (None, Some(_)) => chosen.extend((rows.from..rows.to).filter(|row| counts(*row)).map(|row| row as u32)),
        }
        if chosen.len() < rows.len() {
            let mut table = std::mem::take(&mut self.scratch);
            let rows = self.all();
            table.clear();
            table.gather(&rows, &chosen);
            self.kept = Some(table);
        }
        !chosen.is_empty()
    }
}

impl Cursor for SeriesCursor {
    fn prefetch(&mut self, cx: &mut Context) -> Result<(), QueryError> {
        self.runs(cx)?.prefetch(cx);
        Ok(())
    }

    fn next(&mut self, cx: &mut Context) -> Result<Poll, QueryError> {
        loop {
            if let Some(table) = self.kept.take() {
                self.scratch = table;
            }
            if self.runs.is_none() && cx.budget == 0 {
                return Ok(Poll::Yield);
            }
            let poll = self.runs(cx)?.next(cx)?;
            if poll != Poll::Rows || self.keep() {
                return Ok(poll);
            }
        }
    }

    fn rows(&self) -> Rows<'_> {
        self.kept.as_ref().map_or_else(|| self.all(), |kept| self.tagged(kept.rows()))
    }

    fn summary(&self) -> Option<&Summary> {
        self.runs.as_ref()?.summary()
    }
}
