//! A query being answered: pulled step by step, so that a page stays responsive and a host reads what is needed, when
//! it is needed.

use crate::limits::{Exceeded, Limits};
use crate::model::Frame;
use crate::plan::Node;
use crate::store::{ByteRange, Snapshot};
use bytes::Bytes;
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
    /// Rows to look at, about.
    pub rows: u64,
}

impl Budget {
    /// About 4 ms of a page.
    pub const SLICE: Self = Self { rows: 500_000 };
    pub const UNBOUNDED: Self = Self { rows: u64::MAX };
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
    /// The host's words for a read that failed.
    #[error("{0}")]
    Host(String),
}

/// (being written)
pub struct QueryTask {}

impl QueryTask {
    pub fn new(_plan: Node, _snapshot: Snapshot, _limits: &Limits) -> Result<Self, QueryError> {
        Ok(Self {})
    }

    pub fn step(&mut self, _budget: Budget) -> Result<Step, QueryError> {
        Ok(Step::Done(QueryStats::default()))
    }

    /// The bytes that [`Step::Need`] asked for, in its order.
    pub fn supply(&mut self, _bytes: Vec<Bytes>) {}
}
