//! A change on its way to the log: writes and commands checked against the state and against each other.

use super::error::{Refusal, Written};
use super::state::State;
use crate::catalog::{Catalog, CatalogError, Command, ShardEntry};
use crate::hash::Set;
use crate::limits::{Exceeded, Limits};
use crate::model::{SeriesKey, WriteBatch, batch::Row};
use crate::sorted::SortedMap;
use crate::time::{TimeRange, Timestamp};
use crate::value::FieldType;
use std::ops::Range;
use std::sync::Arc;

/// What a group of writes and commands will change besides points. Dropped, it leaves no trace.
#[derive(Debug)]
pub(super) struct Staged {
    pub(super) catalog: Arc<Catalog>,
    /// Fields that are new to a shard: shard and measurement, field.
    pub(super) fields: SortedMap<(u64, String), SortedMap<String, FieldType>>,
    /// Series that are new, by database.
    series: SortedMap<u32, Set<Box<[u8]>>>,
}

/// Points that passed: a batch whose rows are all to be stored.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) database: u32,
    pub(super) policy: u32,
    pub(super) batch: WriteBatch,
    /// Shards of the rows, in their order.
    pub(super) runs: Vec<(u64, Range<usize>)>,
    pub(super) written: Written,
}

/// Which rules hold for a batch.
#[derive(Clone, Copy, Debug)]
pub(super) enum Rules<'a> {
    /// It is new.
    Write { now: Timestamp, limits: &'a Limits },
    /// It comes from the log, where only what passed is.
    Replay,
}

impl Staged {
    pub(super) fn new(state: &State) -> Self {
        Self { catalog: Arc::clone(&state.catalog), fields: SortedMap::new(), series: SortedMap::new() }
    }

    /// `false` when the command has nothing to do and needs no log.
    pub(super) fn command(&mut self, command: &Command) -> Result<bool, CatalogError> {
        let mut catalog = Catalog::clone(&self.catalog);
        let changed = catalog.apply(command)?;
        if changed {
            self.catalog = Arc::new(catalog);
        }
        Ok(changed)
    }

    pub(super) fn drop_shards(&mut self, ids: &[u64]) {
        Arc::make_mut(&mut self.catalog).drop_shards(ids);
    }

    /// Keeps the points of a batch that may be stored and finds their shards. The database and policy are there.
    pub(super) fn write(
        &mut self,
        state: &State,
        rules: Rules<'_>,
        database: u32,
        policy: u32,
        mut batch: WriteBatch,
    ) -> Prepared {
        batch.rows.retain(|row| row.cells > 0);
        strip_time(&mut batch);
        let duration = self.catalog.policy_by_id(database, policy).map_or(0, |policy| policy.duration);
        let cutoff = match rules {
            Rules::Write { now, .. } if duration > 0 => now.nanos().saturating_sub(duration),
            _ => i64::MIN,
        };
        let mut written = Written::default();
        let mut runs: Vec<(u64, Range<usize>)> = Vec::new();
        let series = vec![Series::Unseen; batch.series_count()];
        let (mut check, mut kept) = (
            Check {
                staged: self,
                state,
                rules,
                database,
                policy,
                cutoff,
                series,
                shards: Vec::new(),
                last: 0,
                fresh: Vec::new(),
            },
            0,
        );
        let mut rows = std::mem::take(&mut batch.rows);
        rows.retain(|row| match check.row(&batch, row) {
            Ok(shard) => {
                written.points += 1;
                written.values += u64::from(row.cells);
                match runs.last_mut() {
                    Some((last, run)) if *last == shard => run.end += 1,
                    _ => runs.push((shard, kept..kept + 1)),
                }
                kept += 1;
                true
            }
            Err(refusal) => {
                written.dropped += 1;
                written.refusal.get_or_insert(refusal);
                false
            }
        });
        batch.rows = rows;
        Prepared { database, policy, batch, runs, written }
    }
}

/// A batch being checked, with what is already known of its series, shards and fields.
struct Check<'a> {
    staged: &'a mut Staged,
    state: &'a State,
    rules: Rules<'a>,
    database: u32,
    policy: u32,
    /// Points before it are beyond retention.
    cutoff: i64,
    series: Vec<Series>,
    shards: Vec<ShardTypes>,
    last: usize,
    /// Fields that the row at hand would be the first to have in its shard.
    fresh: Vec<u32>,
}

#[derive(Clone, Copy, PartialEq)]
enum Series {
    Unseen,
    Known,
    New,
}

struct ShardTypes {
    range: TimeRange,
    id: u64,
    /// By the batch's number of a field: the id of its type, or one of the two below.
    types: Vec<u8>,
}

/// The id of a shard that is not there yet; those that are count from 1.
const NO_SHARD: u64 = 0;

/// Not looked up yet.
const UNSEEN: u8 = 0xff;
/// The shard does not have the field.
const ABSENT: u8 = 0xfe;

impl Check<'_> {
    /// The shard of a row that may be stored.
    fn row(&mut self, batch: &WriteBatch, row: &Row) -> Result<u64, Refusal> {
        if row.cells == 0 {
            let measurement = batch.series_measurement(row.series).to_owned();
            return Err(Refusal::FieldNamedTime { measurement });
        }
        if row.time < self.cutoff {
            return Err(Refusal::BeyondRetention);
        }
        let new = self.series(batch, row.series)?;
        let at = self.shard(batch, row.time);
        if let Err(refusal) = self.fields(batch, row, at) {
            for field in self.fresh.drain(..) {
                self.shards[at].types[field as usize] = ABSENT;
            }
            // A refused point makes no shard: the log has no word of it, and replay is to give the same ids.
            self.shards.pop_if(|shard| shard.id == NO_SHARD);
            return Err(refusal);
        }
        if self.shards[at].id == NO_SHARD {
            let catalog = Arc::make_mut(&mut self.staged.catalog);
            let entry = catalog.make_shard(self.database, self.policy, row.time).expect("the caller found the policy");
            (self.shards[at].id, self.shards[at].range) = (entry.id, entry.range);
        }
        let shard = self.shards[at].id;
        for field in self.fresh.drain(..) {
            let types = &self.shards[at].types;
            let field_type = FieldType::from_id(types[field as usize]).expect("`fields` put a type there");
            let key = (shard, batch.field_measurement(field).to_owned());
            self.staged.fields.or_default(key).insert(batch.field_name(field).to_owned(), field_type);
        }
        if new {
            self.staged.series.or_default(self.database).insert(batch.series_key(row.series).into());
        }
        self.series[row.series as usize] = Series::Known;
        Ok(shard)
    }

    /// Whether the series is new, and may be.
    fn series(&mut self, batch: &WriteBatch, series: u32) -> Result<bool, Refusal> {
        match self.series[series as usize] {
            Series::Known => return Ok(false),
            Series::New => return self.may_add_series(batch, series).map(|()| true),
            Series::Unseen => {}
        }
        let key = batch.series_key(series);
        let known = self.state.databases.get(&self.database).is_some_and(|state| state.index.find(key).is_some())
            || self.staged.series.get(&self.database).is_some_and(|staged| staged.contains(key));
        self.series[series as usize] = if known { Series::Known } else { Series::New };
        if known { Ok(false) } else { self.may_add_series(batch, series).map(|()| true) }
    }

    fn may_add_series(&self, batch: &WriteBatch, series: u32) -> Result<(), Refusal> {
        let key = batch.series_key(series);
        let key = SeriesKey::from_canonical(key).expect("WriteBatch::intern_series is given sorted tags");
        if key.tag("time").is_some() {
            return Err(Refusal::TagNamedTime { measurement: key.measurement().into_owned() });
        }
        let Rules::Write { limits, .. } = self.rules else { return Ok(()) };
        let known = self.state.databases.get(&self.database).map_or(0, |state| state.index.len());
        let staged = self.staged.series.get(&self.database).map_or(0, Set::len);
        let asked = (known + staged) as u64 + 1;
        if asked > limits.max_series {
            let limit = "max-series-per-database";
            return Err(Refusal::Limit(Exceeded { limit, asked, allowed: limits.max_series }));
        }
        Ok(())
    }

    /// The place in `shards` of the shard that holds `time`; it has no id yet when there is none.
    fn shard(&mut self, batch: &WriteBatch, time: i64) -> usize {
        if self.shards.get(self.last).is_some_and(|shard| shard.range.contains(time)) {
            return self.last;
        }
        if let Some(at) = self.shards.iter().position(|shard| shard.range.contains(time)) {
            self.last = at;
            return at;
        }
        let policy = self.staged.catalog.policy_by_id(self.database, self.policy);
        let entry = policy.and_then(|policy| policy.shard_at(time));
        let none = ShardEntry { id: NO_SHARD, range: TimeRange::new(time, time) };
        let ShardEntry { id, range } = entry.unwrap_or(none);
        self.last = self.shards.len();
        self.shards.push(ShardTypes { range, id, types: vec![UNSEEN; batch.field_count()] });
        self.last
    }

    fn fields(&mut self, batch: &WriteBatch, row: &Row, at: usize) -> Result<(), Refusal> {
        for cell in batch.cells_of(row) {
            let given = cell.field_type.id();
            let mut stored = self.shards[at].types[cell.field as usize];
            if stored == given {
                continue;
            }
            if stored == UNSEEN {
                stored = self.stored_type(batch, cell.field, self.shards[at].id);
            }
            if stored == ABSENT {
                self.may_add_field(batch, cell.field, self.shards[at].id)?;
                self.fresh.push(cell.field);
                stored = given;
            }
            self.shards[at].types[cell.field as usize] = stored;
            if stored != given {
                return Err(Refusal::FieldType {
                    measurement: batch.field_measurement(cell.field).to_owned(),
                    field: batch.field_name(cell.field).to_owned(),
                    given: cell.field_type,
                    stored: FieldType::from_id(stored).expect("neither unseen nor absent"),
                });
            }
        }
        Ok(())
    }

    fn stored_type(&self, batch: &WriteBatch, field: u32, shard: u64) -> u8 {
        let (measurement, name) = (batch.field_measurement(field), batch.field_name(field));
        let staged = || self.staged.fields.get(&(shard, measurement.to_owned()))?.get(name);
        let stored =
            || self.state.databases.get(&self.database)?.shards.get(&shard)?.fields.get(measurement)?.get(name);
        stored().or_else(staged).map_or(ABSENT, |field_type| field_type.id())
    }

    fn may_add_field(&self, batch: &WriteBatch, field: u32, shard: u64) -> Result<(), Refusal> {
        let Rules::Write { limits, .. } = self.rules else { return Ok(()) };
        let measurement = batch.field_measurement(field);
        let stored =
            || Some(self.state.databases.get(&self.database)?.shards.get(&shard)?.fields.get(measurement)?.len());
        let staged = self.staged.fields.get(&(shard, measurement.to_owned())).map_or(0, SortedMap::len);
        let asked = (stored().unwrap_or(0) + staged + self.fresh.len()) as u64 + 1;
        let allowed = u64::from(limits.max_fields);
        if asked > allowed {
            return Err(Refusal::Limit(Exceeded { limit: "max-fields-per-measurement", asked, allowed }));
        }
        Ok(())
    }
}

/// A field called `time` is no field: InfluxDB lets it fall when there are others. A row left with none keeps no cell.
fn strip_time(batch: &mut WriteBatch) {
    let named: Vec<bool> = (0..batch.field_count() as u32).map(|field| batch.field_name(field) == "time").collect();
    if !named.contains(&true) {
        return;
    }
    let mut cells = Vec::with_capacity(batch.cells.len());
    for row in &mut batch.rows {
        let range = row.first_cell as usize..(row.first_cell + row.cells) as usize;
        row.first_cell = cells.len() as u32;
        cells.extend(batch.cells[range].iter().filter(|cell| !named[cell.field as usize]));
        row.cells = cells.len() as u32 - row.first_cell;
    }
    batch.cells = cells;
}
