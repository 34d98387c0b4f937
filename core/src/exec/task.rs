//! A query being answered: pulled step by step, so that a page stays responsive and a host reads what is needed, when
//! it is needed.

use super::bucket::Buckets;
use super::build::build;
use super::cursor::{Ask, Context, Cursor, Header, Io, Memory, Pace, Poll, Rows, Source, View, Wish};
use super::fold::count_present;
use super::lanes::{self, Lanes, Pool, Work};
use super::scan::ScanSource;
use super::table;
use crate::extent::FULL;
use crate::limits::{Exceeded, Limits};
use crate::model::frame::FrameColumn;
use crate::model::{Column, Frame};
use crate::plan::Node;
use crate::store::{ByteRange, Snapshot};
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::Arc;
use thiserror::Error;

/// What answering took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueryStats {
    pub series: u64,
    /// Blocks whose header answered, blocks decoded, blocks left out by their time.
    pub blocks_from_header: u64,
    pub blocks_decoded: u64,
    pub blocks_pruned: u64,
    /// Rows looked at.
    pub points: u64,
    /// Bytes of block files asked for.
    pub bytes: u64,
    pub rows_out: u64,
}

impl QueryStats {
    pub fn add(&mut self, other: &Self) {
        self.series += other.series;
        self.blocks_from_header += other.blocks_from_header;
        self.blocks_decoded += other.blocks_decoded;
        self.blocks_pruned += other.blocks_pruned;
        self.points += other.points;
        self.bytes += other.bytes;
        self.rows_out += other.rows_out;
    }
}

/// How much one turn may do before it yields.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// Rows to look at, about; by each thread, where there are several.
    pub rows: u64,
    /// Threads that the host lends to the query. A page has none, and no code for them.
    pub pool: Option<&'static dyn Pool>,
}

impl Budget {
    /// About 4 ms of a page.
    pub const SLICE: Self = Self::rows(500_000);
    pub const UNBOUNDED: Self = Self::rows(u64::MAX);

    pub const fn rows(rows: u64) -> Self {
        Self { rows, pool: None }
    }

    const fn pool(self) -> Option<&'static dyn Pool> {
        if cfg!(target_family = "wasm") { None } else { self.pool }
    }
}

/// What a step came to.
#[derive(Debug)]
pub enum Step {
    /// Read these and [`QueryTask::supply`] them, in this order.
    Need(Vec<ByteRange>),
    Frame(Frame),
    Yield,
    Done(QueryStats),
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum QueryError {
    #[error(transparent)]
    Limit(#[from] Exceeded),
    #[error("{file}: {source}")]
    Damaged { file: String, source: crate::codec::DecodeError },
    #[error("database not found: {0}")]
    DatabaseNotFound(String),
    #[error("retention policy not found: {0}")]
    PolicyNotFound(String),
    /// A function met a column whose type it does not take.
    #[error("{function} does not take {field_type} values")]
    Argument { function: &'static str, field_type: crate::value::FieldType },
    /// Only of an engine that is not [`FULL`]: the full one can do it.
    #[error("this takes the full engine")]
    Beyond,
    /// The host's words for a read that failed.
    #[error("{0}")]
    Host(String),
}

/// A plan at work on a snapshot. Dropping it ends it.
///
/// ```text
/// loop { match task.step(budget)? { Need(ranges) => task.supply(read(ranges)), Frame(frame) => …, Yield => …, Done(_) => break } }
/// ```
pub struct QueryTask {
    source: Arc<dyn Source>,
    /// Groups opened, and the cursors of those not done.
    opened: usize,
    cursors: VecDeque<Box<dyn Cursor>>,
    ahead: usize,
    /// Series to count before anything else, and the scans they are of.
    counting: Option<PointCount>,
    /// Made, but whether the group has more is not known yet.
    held: Option<Frame>,
    /// Groups do not depend on each other.
    separable: bool,
    /// Groups read side by side, once that is worth it.
    lanes: Lanes<GroupWork>,
    cx: Context,
}

/// Groups opened ahead.
const AHEAD: usize = 32;

impl QueryTask {
    pub fn new(plan: Node, snapshot: Snapshot, limits: &Limits) -> Result<Self, QueryError> {
        let built = build(plan, &snapshot, limits)?;
        Ok(Self {
            source: built.source,
            opened: 0,
            cursors: VecDeque::new(),
            ahead: 1,
            counting: (FULL && built.most_parts > 0).then(|| PointCount::new(built.scans, built.most_parts)),
            held: None,
            separable: built.separable,
            lanes: Lanes::new(),
            cx: Context {
                limits: limits.clone(),
                stats: QueryStats::default(),
                io: Io::default(),
                memory: Memory::new(limits.query_memory),
                budget: 0,
                pool: None,
                most_points: 0,
            },
        })
    }

    /// Works until it needs bytes, has a frame, has spent the budget, or is done; then says `Done` again and again.
    /// After an error the task is of no use.
    pub fn step(&mut self, budget: Budget) -> Result<Step, QueryError> {
        self.cx.budget = budget.rows.max(1);
        // What these limits say when they are passed depends on what was looked at first.
        let Limits { max_select_points, max_select_buckets, .. } = self.cx.limits;
        self.cx.pool = budget.pool().filter(|_| max_select_points == 0 && max_select_buckets == 0);
        if let Some(counting) = &mut self.counting {
            match counting.next(&mut self.cx)? {
                Some(wait) => return Ok(self.wait(wait)),
                None => self.counting = None,
            }
        }
        loop {
            if self.cursors.is_empty() && self.shares_groups() {
                return self.step_beside();
            }
            self.open_ahead()?;
            let Some(cursor) = self.cursors.front_mut() else {
                let last = self.held.take();
                return Ok(last.map_or(Step::Done(self.cx.stats), Step::Frame));
            };
            match cursor.next(&mut self.cx)? {
                Poll::Rows => {
                    let header = &self.source.groups()[self.opened - self.cursors.len()];
                    let frame = frame(header, &self.cursors[0].rows());
                    self.cx.stats.rows_out += frame.times.len() as u64;
                    if let Some(mut before) = self.held.replace(frame) {
                        before.more = true;
                        return Ok(Step::Frame(before));
                    }
                }
                Poll::End => {
                    self.cursors.pop_front();
                    if let Some(last) = self.held.take() {
                        return Ok(Step::Frame(last));
                    }
                }
                Poll::Need => {
                    // With threads at hand the next groups are theirs.
                    if self.cx.pool.is_none() {
                        self.ahead = (self.ahead * 2).min(AHEAD);
                    }
                    self.open_ahead()?;
                    return Ok(self.wait(Poll::Need));
                }
                Poll::Summary => {}
                Poll::Yield => return Ok(Step::Yield),
            }
        }
    }

    fn shares_groups(&self) -> bool {
        let left = self.source.groups().len() - self.opened;
        self.lanes.len() > 0 || self.separable && left > 1 && self.cx.shares()
    }

    /// As [`step`](Self::step), the groups that are left being read side by side.
    fn step_beside(&mut self) -> Result<Step, QueryError> {
        let mut ran = false;
        loop {
            while self.lanes.len() < lanes::MOST && self.opened < self.source.groups().len() {
                let cursor = self.source.open(self.opened, &Ask::default());
                let work = GroupWork { source: Arc::clone(&self.source), group: self.opened, cursor, frame: None };
                self.lanes.push(work, &self.cx);
                self.opened += 1;
            }
            let Some((front, outcome)) = self.lanes.front() else {
                let last = self.held.take();
                return Ok(last.map_or(Step::Done(self.cx.stats), Step::Frame));
            };
            if let Some(frame) = front.frame.take() {
                self.lanes.front_taken();
                self.cx.stats.rows_out += frame.times.len() as u64;
                if let Some(mut before) = self.held.replace(frame) {
                    before.more = true;
                    return Ok(Step::Frame(before));
                }
                continue;
            }
            match outcome? {
                Poll::End => {
                    self.lanes.pop();
                    if let Some(last) = self.held.take() {
                        return Ok(Step::Frame(last));
                    }
                }
                wait if ran => return Ok(self.wait(wait)),
                _ => {
                    self.lanes.run(&mut self.cx);
                    ran = true;
                }
            }
        }
    }

    /// The bytes that [`Step::Need`] asked for, in its order.
    pub fn supply(&mut self, bytes: Vec<Bytes>) {
        self.cx.io.supply(bytes);
    }

    pub const fn stats(&self) -> QueryStats {
        self.cx.stats
    }

    fn wait(&mut self, wait: Poll) -> Step {
        match wait {
            Poll::Need => Step::Need(self.cx.io.ask(&mut self.cx.stats)),
            _ => Step::Yield,
        }
    }

    fn open_ahead(&mut self) -> Result<(), QueryError> {
        while self.opened < self.source.groups().len() && self.cursors.len() < self.ahead {
            if !self.cursors.is_empty() && !self.cx.io.has_room() {
                break;
            }
            let mut cursor = self.source.open(self.opened, &Ask::default());
            if self.ahead > 1 {
                cursor.prefetch(&mut self.cx)?;
            }
            self.cursors.push_back(cursor);
            self.opened += 1;
        }
        Ok(())
    }
}

/// A group being read beside others, and the rows it has at hand.
struct GroupWork {
    source: Arc<dyn Source>,
    group: usize,
    cursor: Box<dyn Cursor>,
    frame: Option<Frame>,
}

impl Work for GroupWork {
    fn run(&mut self, cx: &mut Context) -> Result<Poll, QueryError> {
        loop {
            match self.cursor.next(cx)? {
                Poll::Rows => {
                    self.frame = Some(frame(&self.source.groups()[self.group], &self.cursor.rows()));
                    return Ok(Poll::Rows);
                }
                Poll::Summary => {}
                outcome => return Ok(outcome),
            }
        }
    }
}

fn frame(header: &Header, rows: &Rows<'_>) -> Frame {
    let mut columns = Vec::with_capacity(header.columns.len());
    for (def, view) in header.columns.iter().zip(&rows.columns) {
        let mut column = Column::new(def.field_type);
        table::extend(&mut column, *view, rows.from, rows.to);
        columns.push(FrameColumn { name: def.name.clone(), column });
    }
    Frame {
        name: (*header.name).to_owned(),
        input: header.input,
        tags: header.tags.to_vec(),
        times: rows.times().to_vec(),
        columns,
        more: false,
        notices: Vec::new(),
    }
}

/// Finds the most points that any one of some scans has, as far as it matters: more than `enough` of them are as good as
/// that many.
struct PointCount {
    enough: u64,
    scans: Vec<Arc<ScanSource>>,
    scan: usize,
    group: usize,
    cursor: Option<Box<dyn Cursor>>,
    points: u64,
    /// Counts are all that is wanted.
    wish: Arc<Wish>,
}

impl PointCount {
    fn new(scans: Vec<Arc<ScanSource>>, enough: u64) -> Self {
        let wish = Arc::new(Wish { buckets: Buckets::Whole, values_of: Vec::new() });
        Self { enough, scans, scan: 0, group: 0, cursor: None, points: 0, wish }
    }

    /// `None` when all are counted; else what to wait for.
    fn next(&mut self, cx: &mut Context) -> Result<Option<Poll>, QueryError> {
        while let Some(scan) = self.scans.get(self.scan) {
            if self.group == scan.groups().len() {
                cx.most_points = cx.most_points.max(self.points);
                (self.scan, self.group, self.points) = (self.scan + 1, 0, 0);
                continue;
            }
            let wish = scan.lone_field().map(|_| Arc::clone(&self.wish));
            let ask = Ask { wish, range: None, pace: Pace::Whole };
            let cursor = self.cursor.get_or_insert_with(|| scan.open(self.group, &ask));
            match cursor.next(cx)? {
                Poll::Rows => {
                    let rows = cursor.rows();
                    self.points += match scan.lone_field().map(|at| rows.columns[at]) {
                        Some(View::Column(column)) => count_present(column.present.as_ref(), rows.from..rows.to) as u64,
                        Some(_) => 0,
                        None => rows.len() as u64,
                    };
                }
                Poll::Summary => {
                    let column = scan.lone_field().zip(cursor.summary()).and_then(|(at, all)| all.columns[at].as_ref());
                    self.points += column.map_or(0, |column| column.count);
                }
                Poll::End => {
                    self.cursor = None;
                    self.group += 1;
                }
                wait => return Ok(Some(wait)),
            }
            if self.points >= self.enough {
                cx.most_points = self.points;
                break;
            }
        }
        Ok(None)
    }
}
