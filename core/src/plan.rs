//! What a query is: the one tree every dialect compiles to and the executor runs.
//!
//! A node turns *groups* into groups. A group is a name, some tags and rows in time order: one time column and typed
//! columns beside it. `Scan` makes one group per series; `Group` joins them; everything above works group by group, so
//! an answer leaves as it is made. Quirks of a dialect are parameters of nodes, never names of dialects.
//!
//! [`explain`](mod@explain) prints a plan as stable text.

pub mod explain;
pub mod expr;
pub mod pool;
pub mod walk;

pub use explain::explain;
pub use expr::{BinaryOp, Expr, Mathematics, Scalar};
pub use pool::{
    Along, Band, Each, Expect, Expectation, Follow, Listed, Measure, Merge, Outlying, Pair, PairOp, Pool, Quantile,
    Rank, Reach, ReachMethod, Smoothing, UNTIL,
};
pub use walk::{Analysis, AnalysisMethod, HoltWinters, Reduce, Reducer, Sort, Transform, Transformer, Warmup};

use crate::pattern::Regex;
use crate::time::TimeRange;
use crate::value::FieldType;

/// A step of a query; see the module.
#[derive(Clone, Debug)]
pub enum Node {
    Scan(Box<Scan>),
    /// One group with these columns and no rows: a series that was asked for by name and does not exist.
    Absent(Vec<(String, FieldType)>),
    Group(Box<Group>),
    Filter(Box<Filter>),
    Map(Box<Map>),
    Aggregate(Box<Aggregate>),
    Reduce(Box<Reduce>),
    Transform(Box<Transform>),
    /// Groups of equal names and tags side by side, a row a time: the columns of the first input, then those of the
    /// second, and so on. Where an input has no row at a time, its columns are absent; rows of one time that an input
    /// has several of are paired in their order.
    Join(Vec<Self>),
    Fill(Box<Fill>),
    Across(Box<Across>),
    DropGaps(Box<Self>),
    Sample(Box<Sample>),
    Order(Box<Order>),
    Sort(Box<Sort>),
    Limit(Box<Limit>),
    Merge(Box<Merge>),
    Pool(Box<Pool>),
    Quantile(Box<Quantile>),
    Follow(Box<Follow>),
    Pair(Box<Pair>),
    Rank(Box<Rank>),
    Expect(Box<Expect>),
    /// The groups of every input, in the order of the inputs, which a frame's [`input`](crate::model::Frame::input)
    /// tells apart.
    Union(Vec<Self>),
}

/// Points of series, one group a series, in the order of series keys. Output columns: `fields`, then `tags`.
#[derive(Clone, Debug)]
pub struct Scan {
    pub database: String,
    /// `None`: the database's default policy.
    pub policy: Option<String>,
    pub measurements: Measurements,
    pub fields: Vec<ScanField>,
    /// Tags wanted as string columns. A tag a series lacks is absent in every row.
    pub tags: Vec<String>,
    /// Over the scan's own columns. Evaluated once per series as far as it speaks of tags only, then by row.
    pub predicate: Option<Expr>,
    pub range: TimeRange,
    /// Rows leave latest first.
    pub descending: bool,
}

/// Which measurements a scan reads, each as its own groups.
#[derive(Clone, Debug)]
pub enum Measurements {
    /// In the order of names; one named twice is read twice.
    Named(Vec<String>),
    Matching(Regex),
    /// Exactly these series of one measurement (canonical keys), in this order. One that does not exist is a group
    /// without rows.
    Series {
        measurement: String,
        keys: Vec<Vec<u8>>,
    },
}

/// A field to read. A series without it has an absent column; a row with none of the scan's fields does not exist.
#[derive(Clone, Debug)]
pub struct ScanField {
    pub name: String,
    /// The type its column has in the answer. Numbers of another numeric type are converted (toward zero); values of
    /// any other type are absent.
    pub field_type: FieldType,
    /// Whether this column decides that a row exists. Columns read only for a predicate do not.
    pub drives: bool,
}

/// Joins groups with equal values of `by` into one, rows merged by time; `ties` orders those of one time. A tag a group
/// lacks counts as empty text.
#[derive(Clone, Debug)]
pub struct Group {
    pub input: Node,
    pub by: GroupBy,
    pub ties: Ties,
}

/// How rows of one time from several groups follow each other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Ties {
    /// In the order of the groups they come from, reversed when descending.
    #[default]
    InOrder,
    /// By these columns, one after the other, as long as both rows have a text there; descending, greater texts first.
    /// Then as a binary heap of the groups gives them, one row in for each row out (`exec/heap.rs` has its moves).
    Heap { texts: Vec<usize> },
    /// All rows of one group, then all of the next, whatever their times.
    Apart,
}

#[derive(Clone, Debug)]
pub enum GroupBy {
    /// Groups of one name are one.
    Nothing,
    /// By these tags, in key order.
    Tags(Vec<String>),
    /// By every tag that any series of the scan has.
    AllTags,
    /// Every group stays by itself, in the order of the input.
    Each,
    /// By what the translator knows of the input's groups.
    Listed(Vec<Listed>),
}

/// Keeps the rows for which the predicate is true.
#[derive(Clone, Debug)]
pub struct Filter {
    pub input: Node,
    pub predicate: Expr,
}

/// New columns from old ones, row by row. A row all of whose new columns come out absent is dropped when `drop_empty`.
#[derive(Clone, Debug)]
pub struct Map {
    pub input: Node,
    pub columns: Vec<(String, Expr)>,
    pub drop_empty: bool,
}

/// Rows of a group to one row per bucket. A bucket without any value of any call makes no row: `Fill` adds those.
/// Columns: of each call its output, then what it carries.
#[derive(Clone, Debug)]
pub struct Aggregate {
    pub input: Node,
    /// Series that become one group before bucketing; fused here since it needs no merge by time.
    pub by: GroupBy,
    pub bucket: Bucket,
    pub calls: Vec<Call>,
    pub time: ReportedTime,
    /// Buckets leave latest first.
    pub descending: bool,
}

/// The buckets of an aggregate: intervals `[start, end)` of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bucket {
    /// One bucket over everything.
    Whole,
    /// `[k·width + origin, (k+1)·width + origin)` for whole k.
    Every { width: i64, origin: i64 },
    /// `count` equal parts of `[start, end)`: a point at t is in part floor((t − start) / step), step = (end − start) /
    /// count cut towards zero; what lies past the last part belongs nowhere.
    Count {
        count: u64,
        start: i64,
        end: i64,
        /// First lower `count` to the most points any one scan under the plan's root has in the range, all its series
        /// together, if that is above zero and below `count`.
        lower_to_points: bool,
    },
    /// Bucket i is `[edges[i], edges[i+1])`. Ascending. Calendar units and zones arrive as edges, never as a zone.
    Edges(Vec<i64>),
}

/// The time a bucket's row gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportedTime {
    /// The bucket's start (of `Count`: start + i·(step + 1 ns), which the caller rounds).
    BucketStart,
    /// This very instant (an aggregate without buckets).
    Fixed(i64),
    /// The time of the point that the first call, a selector, chose.
    Selected,
}

/// One aggregate: a function over a column of the input.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    pub function: Function,
    /// Position of the argument among the input's columns.
    pub argument: usize,
    pub output: String,
    /// Other columns of the chosen point, for a lone selector: (input column, output name).
    pub carried: Vec<(usize, String)>,
}

/// The functions. Types: see [`Function::result`]. A value absent in a row is not seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// Any type to integer.
    Count,
    /// Numbers to their own type. Float sums are exact; integer sums wrap around at 64 bits.
    Sum,
    /// Numbers to float: the exact sum over the count.
    Mean,
    /// Selector. Numbers and booleans. The earliest point with the least value.
    Min,
    /// Selector. The earliest point with the greatest value.
    Max,
    /// Selector. Any type. The earliest; among points of one time the greatest value (booleans: false).
    First,
    /// Selector. The latest; among points of one time the greatest value (booleans: true).
    Last,
}

impl Function {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Sum => "sum",
            Self::Mean => "mean",
            Self::Min => "min",
            Self::Max => "max",
            Self::First => "first",
            Self::Last => "last",
        }
    }

    pub const fn is_selector(self) -> bool {
        matches!(self, Self::Min | Self::Max | Self::First | Self::Last)
    }

    /// The type of the result over an argument of `argument`; `None` when the function does not take it.
    pub const fn result(self, argument: FieldType) -> Option<FieldType> {
        match (self, argument) {
            (Self::Count, _) => Some(FieldType::Integer),
            (Self::Sum, kind) if kind.is_number() => Some(kind),
            (Self::Mean, kind) if kind.is_number() => Some(FieldType::Float),
            (Self::Min | Self::Max, FieldType::String) => None,
            (Self::Min | Self::Max | Self::First | Self::Last, kind) => Some(kind),
            (Self::Sum | Self::Mean, _) => None,
        }
    }
}

/// Makes every bucket a row in every group that has any, and gives absent values a value.
#[derive(Clone, Debug)]
pub struct Fill {
    pub input: Node,
    /// The buckets to make: those that meet this range. `None` bounds come from the group's own first and last row.
    pub first: Option<i64>,
    pub last: Option<i64>,
    pub bucket: Bucket,
    /// How each column is filled, in column order.
    pub columns: Vec<FillWith>,
    /// Make missing buckets; without it only absent values in rows that exist are filled (InfluxQL's `fill(none)` has
    /// neither: no `Fill` node).
    pub make_rows: bool,
    /// Make them also in groups that have no row at all (needs `first` and `last`).
    pub empty_groups: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub enum FillWith {
    Null,
    Previous,
    /// Between the values on both sides, by bucket number; integers are cut; texts and booleans stay absent.
    Linear,
    /// The same, where these values are at most so many nanoseconds apart.
    LinearWithin(i64),
    Value(Scalar),
    /// The value, in groups in whose rows the column has one at all; in others it stays absent.
    ValueIfAny(Scalar),
}

/// All groups of the input joined to one, `name`, with one row per time: column by column, the values present at that
/// time go through `function` (Facette's operators). A time at which none is present keeps its row.
#[derive(Clone, Debug)]
pub struct Across {
    pub input: Node,
    pub function: Function,
    pub name: String,
}

/// Fewer points for a graph, column by column (rows chosen by the first column where rows must stay whole).
#[derive(Clone, Debug)]
pub struct Sample {
    pub input: Node,
    pub method: SampleMethod,
    pub points: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SampleMethod {
    Average,
    First,
    Last,
    Min,
    Max,
    Sum,
    MinMax,
    M4,
    Lttb,
}

/// Reverses the order of the groups of everything below (rows are already in the scan's direction).
#[derive(Clone, Debug)]
pub struct Order {
    pub input: Node,
    pub descending: bool,
}

/// Pages of rows within each group, and of groups within each name.
#[derive(Clone, Debug)]
pub struct Limit {
    pub input: Node,
    /// `None`: all.
    pub rows: Option<u64>,
    pub skip_rows: u64,
    /// Groups are counted in their order, wherever an [`Order`] puts them, with those that come out without rows.
    pub groups: Option<u64>,
    pub skip_groups: u64,
}
