//! Every limit of the engine, and the one way to say that one was exceeded. Checked before the work, never after.

use thiserror::Error;

/// Bounds on what one request may cost. Zero means "no limit" for those that InfluxDB names (`max_select_*`,
/// `max_concurrent_queries`, `max_row_limit`); the others always hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes a query may hold at once: groups × buckets × functions, decoded columns, kept points.
    pub query_memory: u64,
    /// Depth of a nested expression or subquery.
    pub parser_depth: u32,
    /// Bytes of a request's text (InfluxQL, a graph).
    pub query_text: usize,
    pub max_select_series: u64,
    pub max_select_buckets: u64,
    pub max_select_points: u64,
    /// Requests for data answered at once, 0 for as many as come.
    pub max_concurrent_queries: u64,
    /// Rows of an unchunked InfluxQL answer.
    pub max_row_limit: u64,
    /// `sample` of a Facette request, and the points of one raw series.
    pub max_sample: u64,
    /// Points of all series of one Facette answer together.
    pub max_total_samples: u64,
    /// Series a graph may expand to.
    pub max_graph_series: u64,
    /// Series in one database.
    pub max_series: u64,
    /// Distinct fields of one measurement in one shard.
    pub max_fields: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            query_memory: 256 << 20,
            parser_depth: 100,
            query_text: 4 << 20,
            max_select_series: 0,
            max_select_buckets: 0,
            max_select_points: 0,
            max_concurrent_queries: 0,
            max_row_limit: 0,
            max_sample: 100_000,
            max_total_samples: 10_000_000,
            max_graph_series: 100_000,
            max_series: 20_000_000,
            max_fields: 65_535,
        }
    }
}

/// A limit that a request would exceed: which one, what it asked for, what is allowed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{limit} limit exceeded: ({asked}/{allowed})")]
pub struct Exceeded {
    pub limit: &'static str,
    pub asked: u64,
    pub allowed: u64,
}
