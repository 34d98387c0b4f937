//! What operators are to each other: sources of groups, cursors over a group's rows, and what all of them share.

use super::bucket::Buckets;
use super::lanes::Pool;
use super::load::Summary;
use super::task::{QueryError, QueryStats};
use crate::hash::Map;
use crate::limits::{Exceeded, Limits};
use crate::model::{Column, SeriesKey};
use crate::order::sort_by;
use crate::store::ByteRange;
use crate::time::TimeRange;
use crate::value::{FieldType, Value};
use bytes::Bytes;
use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A step of a plan with every group it will give, in order.
pub(super) trait Source: Send + Sync {
    fn groups(&self) -> &[Header];

    /// Every tag its groups may have, sorted.
    fn tag_keys(&self) -> Vec<String>;

    /// The rows of a group.
    fn open(&self, group: usize, ask: &Ask) -> Box<dyn Cursor>;

    /// Where the rows of a group lie, at the most; `None` if that is not known, or if [`Ask::range`] is not heeded.
    fn extent(&self, _group: usize) -> Option<TimeRange> {
        None
    }
}

/// What the reader of a group wants of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Ask {
    /// Who passes a wish takes [`Poll::Summary`] too, and rows without any value.
    pub(super) wish: Option<Arc<Wish>>,
    /// Only rows within, of a source that knows its [`extent`](Source::extent).
    pub(super) range: Option<TimeRange>,
    pub(super) pace: Pace,
}

impl Ask {
    /// For the input of what works row by row.
    pub(super) fn without_wish(&self) -> Self {
        Self { wish: None, ..self.clone() }
    }
}

/// How much of a block is decoded at a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Pace {
    /// A little first, since the reader may have enough of it, then more and more.
    #[default]
    Growing,
    /// A vector: many series are read at the same time.
    Narrow,
    /// All of it.
    Whole,
}

/// When a block's header may stand for the block.
#[derive(Clone, Debug)]
pub(super) struct Wish {
    /// The block lies within one of these.
    pub(super) buckets: Buckets,
    /// Columns of which more than the count of values must be known.
    pub(super) values_of: Vec<usize>,
}

/// Rows of one group.
pub(super) trait Cursor: Send {
    /// Asks for the first bytes it will need, if there is room for more.
    fn prefetch(&mut self, _cx: &mut Context) -> Result<(), QueryError> {
        Ok(())
    }

    fn next(&mut self, cx: &mut Context) -> Result<Poll, QueryError>;

    /// The rows after [`Poll::Rows`], never none; valid until the next pull.
    fn rows(&self) -> Rows<'_>;

    /// The block after [`Poll::Summary`].
    fn summary(&self) -> Option<&Summary> {
        None
    }
}

/// What a pull came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Poll {
    Rows,
    Summary,
    End,
    /// Bytes are asked for.
    Need,
    /// The budget is spent.
    Yield,
}

/// A group before its rows.
#[derive(Clone, Debug)]
pub(super) struct Header {
    pub(super) name: Arc<str>,
    pub(super) tags: Tags,
    pub(super) input: usize,
    pub(super) columns: Arc<[ColumnDef]>,
}

/// Tags of a group; those of a series stay in its key.
#[derive(Clone, Debug)]
pub(super) enum Tags {
    Series(SeriesKey),
    Named(Vec<(String, String)>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ColumnDef {
    pub(super) name: String,
    pub(super) field_type: FieldType,
}

impl Tags {
    pub(super) fn get(&self, key: &str) -> Option<Cow<'_, str>> {
        match self {
            Self::Series(series) => series.tag(key),
            Self::Named(tags) => tags.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str().into()),
        }
    }

    pub(super) fn to_vec(&self) -> Vec<(String, String)> {
        match self {
            Self::Series(series) => series.tags().map(|(key, value)| (key.into_owned(), value.into_owned())).collect(),
            Self::Named(tags) => tags.clone(),
        }
    }
}

/// A column of some rows: the rows' numbers are those of `Column`.
#[derive(Clone, Copy, Debug)]
pub(super) enum View<'a> {
    Absent,
    Constant(Value<'a>),
    Column(&'a Column),
}

impl<'a> View<'a> {
    pub(super) fn get(self, row: usize) -> Option<Value<'a>> {
        match self {
            Self::Absent => None,
            Self::Constant(value) => Some(value),
            Self::Column(column) => column.get(row),
        }
    }
}

impl View<'_> {
    /// Chosen rows as a column of its own.
    pub(super) fn to_column(self, chosen: &[u32]) -> Column {
        let field_type = match self {
            Self::Absent => FieldType::Float,
            Self::Constant(value) => value.field_type(),
            Self::Column(column) => column.field_type(),
        };
        let mut column = Column::new(field_type);
        super::table::gather(&mut column, self, chosen);
        column
    }
}

/// Rows `from..to` of some columns.
#[derive(Clone, Debug)]
pub(super) struct Rows<'a> {
    pub(super) times: &'a [i64],
    pub(super) columns: Vec<View<'a>>,
    pub(super) from: usize,
    pub(super) to: usize,
}

impl<'a> Rows<'a> {
    pub(super) fn len(&self) -> usize {
        self.to - self.from
    }

    pub(super) fn times(&self) -> &'a [i64] {
        &self.times[self.from..self.to]
    }
}

/// Rows that could be looked at in the time a block's header takes.
const HEADER: u64 = 32;

/// What the cursors of one query share.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) limits: Limits,
    pub(super) stats: QueryStats,
    pub(super) io: Io,
    pub(super) memory: Memory,
    /// Rows left of this step's budget.
    pub(super) budget: u64,
    /// Threads to share work out to; none where that would change what the answer is.
    pub(super) pool: Option<&'static dyn Pool>,
    /// The most points any one series has, once counted; see [`Bucket::Count`](crate::plan::Bucket::Count).
    pub(super) most_points: u64,
}

impl Context {
    /// For work of the same query done beside it.
    pub(super) fn beside(&self) -> Self {
        Self {
            limits: self.limits.clone(),
            stats: QueryStats::default(),
            io: Io::default(),
            memory: self.memory.clone(),
            budget: self.budget,
            pool: None,
            most_points: self.most_points,
        }
    }

    /// Whether the rest of the work is worth sharing out.
    pub(super) fn shares(&self) -> bool {
        let looked_at = self.stats.points + self.stats.blocks_from_header * HEADER;
        self.pool.is_some_and(|pool| looked_at >= pool.worth())
    }

    /// Takes rows off the budget. At zero a cursor yields before it loads more.
    pub(super) fn look_at(&mut self, rows: usize) -> Result<(), QueryError> {
        let rows = rows as u64;
        self.budget = self.budget.saturating_sub(rows);
        self.stats.points += rows;
        let allowed = self.limits.max_select_points;
        if allowed > 0 && self.stats.points > allowed {
            return Err(Exceeded { limit: "max-select-point", asked: self.stats.points, allowed }.into());
        }
        Ok(())
    }
}

/// The memory of a query, counted before it is taken.
#[derive(Clone, Debug)]
pub(super) struct Memory {
    used: Arc<AtomicU64>,
    allowed: u64,
}

/// Some of it, given back when dropped.
#[derive(Debug)]
pub(super) struct Lease {
    memory: Memory,
    bytes: u64,
}

impl Memory {
    pub(super) fn new(allowed: u64) -> Self {
        Self { used: Arc::default(), allowed }
    }

    pub(super) fn lease(&self) -> Lease {
        Lease { memory: self.clone(), bytes: 0 }
    }
}

impl Lease {
    pub(super) fn grow(&mut self, bytes: usize) -> Result<(), QueryError> {
        let bytes = bytes as u64;
        let asked = self.memory.used.fetch_add(bytes, Ordering::Relaxed) + bytes;
        self.bytes += bytes;
        let allowed = self.memory.allowed;
        if asked > allowed {
            return Err(Exceeded { limit: "query-memory", asked, allowed }.into());
        }
        Ok(())
    }

    pub(super) fn release(&mut self) {
        self.memory.used.fetch_sub(self.bytes, Ordering::Relaxed);
        self.bytes = 0;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.release();
    }
}

/// Names a request for bytes until they are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Ticket(u64);

/// Bytes asked for and bytes that came.
#[derive(Debug, Default)]
pub(super) struct Io {
    next: u64,
    /// Not asked of the host yet.
    wanted: Vec<(Ticket, ByteRange)>,
    /// Asked, in the host's order: the range and who gets which part.
    asked: Vec<(ByteRange, Vec<(Ticket, ByteRange)>)>,
    ready: Map<Ticket, Vec<(ByteRange, Bytes)>>,
    /// Bytes wanted, asked or ready.
    outstanding: u64,
}

/// Ranges closer than this are read as one.
const JOIN: u64 = 16 << 10;
/// No read is longer.
const LONGEST: u64 = 8 << 20;
/// With this much outstanding nothing is fetched ahead.
const AHEAD: u64 = 16 << 20;

impl Io {
    pub(super) fn has_room(&self) -> bool {
        self.outstanding < AHEAD
    }

    /// Asks for ranges; they come together.
    pub(super) fn want(&mut self, ranges: impl IntoIterator<Item = ByteRange>) -> Ticket {
        let ticket = Ticket(self.next);
        self.next += 1;
        for range in ranges {
            self.outstanding += u64::from(range.len);
            self.wanted.push((ticket, range));
        }
        ticket
    }

    /// The bytes of a ticket, sorted by range; `None` while they are on their way.
    pub(super) fn take(&mut self, ticket: Ticket) -> Option<Vec<(ByteRange, Bytes)>> {
        if self.wanted.iter().any(|(other, _)| *other == ticket)
            || self.asked.iter().any(|(_, parts)| parts.iter().any(|(other, _)| *other == ticket))
        {
            return None;
        }
        let mut parts = self.ready.remove(&ticket).unwrap_or_default();
        self.outstanding -= parts.iter().map(|(range, _)| u64::from(range.len)).sum::<u64>();
        sort_by(&mut parts, |a, b| a.0.cmp(&b.0));
        Some(parts)
    }

    /// What to ask the host now: few ranges, neighbours joined. Empty when everything wanted was asked.
    pub(super) fn ask(&mut self, stats: &mut QueryStats) -> Vec<ByteRange> {
        let mut wanted = std::mem::take(&mut self.wanted);
        sort_by(&mut wanted, |a, b| a.1.cmp(&b.1));
        let first = self.asked.len();
        for (ticket, range) in wanted {
            let end = range.offset + u64::from(range.len);
            match self.asked.get_mut(first..).and_then(<[_]>::last_mut) {
                Some((joined, parts))
                    if joined.file == range.file
                        && range.offset <= joined.offset + u64::from(joined.len) + JOIN
                        && end - joined.offset <= LONGEST =>
                {
                    joined.len = joined.len.max((end - joined.offset) as u32);
                    parts.push((ticket, range));
                }
                _ => self.asked.push((range.clone(), vec![(ticket, range)])),
            }
        }
        let ranges: Vec<_> = self.asked[first..].iter().map(|(range, _)| range.clone()).collect();
        stats.bytes += ranges.iter().map(|range| u64::from(range.len)).sum::<u64>();
        ranges
    }

    /// Deals out what the host read. A range that came short gives its parts what there is; decoding then says so.
    pub(super) fn supply(&mut self, bytes: Vec<Bytes>) {
        let mut bytes = bytes.into_iter();
        for (joined, parts) in self.asked.drain(..) {
            let whole = bytes.next().unwrap_or_default();
            for (ticket, range) in parts {
                let start = ((range.offset - joined.offset) as usize).min(whole.len());
                let end = (start + range.len as usize).min(whole.len());
                let part = whole.slice(start..end);
                self.ready.entry(ticket).or_default().push((range, part));
            }
        }
    }
}
