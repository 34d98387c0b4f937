//! Nodes over the values of many groups at once: brought onto common times, joined, ranked, followed along time.
//!
//! All of them read the first column of their input as a number, absent where it is no finite one, and give a float
//! column. `Follow`, `Pair`, `Rank` and `Expect` take further columns along as they are (`Pair`: the left side's); `Pool` drops
//! them. A column [`UNTIL`] holds instants, which a shift moves too.

use super::{Bucket, Function, GroupBy, Node};

/// The name of the column of [`Pair::ends`].
pub const UNTIL: &str = "until";

/// A group made of groups of the input, by their numbers there. A member may be in several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// In key order.
    pub tags: Vec<(String, String)>,
    pub members: Vec<u32>,
}

/// Groups whose rows are merged by time; of rows of one time the last member's stays.
#[derive(Clone, Debug)]
pub struct Merge {
    pub input: Node,
    pub groups: Vec<Listed>,
}

/// Joins groups after bringing all of them onto common times.
///
/// The common times are those in `[first, last]` at which any group of the input has a value. A group that lacks one of
/// them gets it by `reach` from its own values, also from those outside. Then `change`, if any, is taken along each
/// group, and `function` joins the members of each listed group time by time; where none has a value the row is absent
/// (`Count` of every row: 0). A listed group none of whose members has a value of its own in `[first, last]` has no rows.
#[derive(Clone, Debug)]
pub struct Pool {
    pub input: Node,
    pub groups: Vec<Listed>,
    pub first: i64,
    pub last: i64,
    pub reach: Reach,
    pub change: Option<Along>,
    /// `Mean`, `Sum`, `Min`, `Max` or `Count`.
    pub function: Function,
    /// Rows without a value count as rows that have one.
    pub every_row: bool,
}

/// How a value is found where there is none: from values at most `limit` nanoseconds away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    pub method: ReachMethod,
    pub limit: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReachMethod {
    None,
    /// On the straight line between values at most `limit` apart; the last value is held for `limit`.
    Linear,
    /// The value before, for `limit`.
    Last,
    /// 0, for `limit` after a value.
    Zero,
}

/// Follows each group along time.
#[derive(Clone, Debug)]
pub struct Follow {
    pub input: Node,
    pub along: Along,
}

/// What becomes of a group's values; rows without one stay so unless it says otherwise.
#[derive(Clone, Debug, PartialEq)]
pub enum Along {
    /// Value by value; what is no finite number is absent.
    Each(Each),
    /// The difference to the value before, of which the first has none, over `per` nanoseconds (`None`: as it is).
    /// Below zero it is absent when `rising`.
    Change { per: Option<i64>, rising: bool },
    /// The sum so far.
    Total,
    /// The area so far: seconds to the value before, times the value; 0 at the first.
    Area,
    /// Seconds to the row with a value before.
    Elapsed,
    /// A function over the values of `(time − width, time]`.
    Moving { width: i64, function: Function },
    /// A function over the last `count` values, fewer at the start.
    MovingCount { count: usize, function: Smoothing },
    /// `e = α·v + (1 − α)·e` with α = 2 / (span + 1), from the first value on.
    Exponential { span: u32 },
    /// A moving mean whose length it finds itself: the least rough that keeps the kurtosis.
    Smooth,
    /// The line of least squares, at the times of values.
    Line {
        /// Huber's loss instead.
        robust: bool,
    },
    /// The piecewise constant fit of least squares with a price for each piece.
    Steps,
    /// All times moved by so much.
    Shift(i64),
    /// A row for every bucket that begins in `[first, last]`: its value, or one in reach, or `otherwise`. Groups without
    /// rows stay so.
    Spread { bucket: Bucket, first: i64, last: i64, reach: Reach, otherwise: f64 },
    /// One row at `at`: what a measure makes of all values, none without a value. `width_secs` is as in [`Rank`].
    Measured { measure: Measure, width_secs: f64, at: i64 },
}

/// What a moving window gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Smoothing {
    Mean,
    Median,
}

/// Of one value another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Each {
    Abs,
    Log2,
    Log10,
    Ceil,
    Floor,
    /// Half away from zero.
    Round,
    /// At least so much; an absent value is it.
    AtLeast(f64),
    AtMost(f64),
    /// Absent below.
    DropBelow(f64),
    /// Absent above.
    DropAbove(f64),
    /// Absent at 0.
    DropZero,
    /// With a number on one side.
    With {
        op: PairOp,
        number: f64,
        /// The number is the left side.
        first: bool,
    },
}

/// Two inputs, group with group, time by time: a row at every time of either. Absent on a side makes absent, and so does
/// a result that is no finite number. A pair of which one side has no rows has none.
#[derive(Clone, Debug)]
pub struct Pair {
    pub left: Node,
    pub right: Node,
    pub op: PairOp,
    /// (left, right), in the order of the answer.
    pub pairs: Vec<(u32, u32)>,
    /// The answer's groups are named as the right side's.
    pub named_by_right: bool,
    /// What is absent on a side is 0 where such a bucket begins.
    pub left_zero: Option<Bucket>,
    pub right_zero: Option<Bucket>,
    /// The buckets of both sides: adds an integer column [`UNTIL`], when the last of all buckets so far ends. A side that
    /// has such a column says it itself.
    pub ends: Option<[Bucket; 2]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PairOp {
    Add,
    Sub,
    Mul,
    Div,
    Min,
    Max,
}

impl PairOp {
    /// NaN where there is no finite answer.
    pub fn apply(self, left: f64, right: f64) -> f64 {
        let value = match self {
            Self::Add => left + right,
            Self::Sub => left - right,
            Self::Mul => left * right,
            Self::Div => left / right,
            // What is absent makes absent, unlike in `f64::min`.
            Self::Min | Self::Max if left.is_nan() || right.is_nan() => f64::NAN,
            Self::Min => left.min(right),
            Self::Max => left.max(right),
        };
        if value.is_finite() { value } else { f64::NAN }
    }
}

/// Keeps the groups with the greatest or least measures; adds a column `rank`, 0 for the first. Of equal ones the
/// earlier group is the first; groups without a value drop out.
#[derive(Clone, Debug)]
pub struct Rank {
    pub input: Node,
    pub measure: Measure,
    pub count: usize,
    pub greatest: bool,
    /// Seconds that a value stands for, for [`Measure::Area`].
    pub width_secs: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    Mean,
    Min,
    Max,
    Sum,
    Last,
    /// √Σv².
    Norm,
    /// Σ v · width.
    Area,
    /// The element number ⌊(n − 1) / 2⌋ of the sorted values.
    Median,
}

/// The element number ⌊q·(n − 1)⌋ of each bucket's sorted values, of all members of a group together: exact up to a
/// number of values kept, beyond it within a hundredth of the value.
#[derive(Clone, Debug)]
pub struct Quantile {
    pub input: Node,
    pub by: GroupBy,
    pub bucket: Bucket,
    /// q in ten-thousandths.
    pub parts: u32,
}

/// What is to be expected of each group. Rows before `from` are history and leave no trace.
#[derive(Clone, Debug)]
pub struct Expect {
    pub input: Node,
    pub method: Expectation,
    pub from: i64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Expectation {
    /// Columns `lower` and `upper`: a band around what the values were.
    Band { method: Band, width: f64 },
    /// A boolean column `outlier`, the same in all rows of a group.
    Outliers { method: Outlying, tolerance: f64, share: f64 },
    /// Rows every `step` after the last up to `until`, and columns `lower` and `upper` in them: the spread of what the
    /// model misses, times `width`.
    Forecast { season: Option<i64>, width: f64, step: i64, until: i64 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Band {
    /// Quartiles of the values before, in a window of so many rows.
    Rolling { rows: usize },
    /// The value one season ago, shifted to the present level.
    Agile { season: i64 },
    /// Median level and median season.
    Robust { season: i64 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outlying {
    /// Too often farther from the median of all groups than `tolerance` median deviations. Scaled: each group is first
    /// brought to the median's level.
    Deviation { scaled: bool },
    /// Not among the densest cluster, neighbours being at most `tolerance` times the usual distance away.
    Density { scaled: bool },
}
