//! Steps that walk the rows of a group in time order and keep something between them.

use super::{Bucket, Node, ReportedTime};
use crate::value::FieldType;

/// Rows of a group, bucket by bucket, to what a bucket's points come to: some of them, or a value. Reads one column,
/// whose absent rows are not seen; a bucket without a value makes no row. Holds one bucket at a time, so its input is
/// in time order: a `Group`, or a `Scan` of one series. Columns: the output, then what is carried.
#[derive(Clone, Debug)]
pub struct Reduce {
    pub input: Node,
    pub bucket: Bucket,
    pub reducer: Reducer,
    /// Position of the argument among the input's columns.
    pub argument: usize,
    pub output: String,
    /// Other columns of the chosen points: (input column, output name). Absent beside a value that is computed.
    pub carried: Vec<(usize, String)>,
    pub time: ReportedTime,
}

/// See [`Reduce`]. Ties are settled by time, then by the order of the input's rows.
#[derive(Clone, Debug, PartialEq)]
pub enum Reducer {
    /// Numbers to float: the middle of the sorted values, halfway between the two if their count is even.
    Median,
    /// Any type: the most frequent value; of equally frequent ones the one met first; the least if no value repeats.
    Mode,
    /// Numbers to float: the deviation of a sample (n − 1); absent, but a row, of one value.
    Stddev,
    /// Any type to integer: how many values differ.
    CountDistinct,
    /// Any type: the points that have a value first, in time order, those of one time by value.
    Distinct,
    /// Numbers: the point at floor(n·p/100 + 0.5) of the sorted values, counted from one; none outside of them.
    Percentile(f64),
    /// Numbers: so many points with the greatest (or least) values, in time order. With `per`, columns of texts: of
    /// each combination of those only the best.
    Extreme { greatest: bool, count: u64, per: Vec<usize> },
    /// Any type: so many points, in time order, chosen by a hash of their times and places: the same for the same
    /// points.
    Sample(u64),
}

impl Reducer {
    /// The type of the result over an argument of `argument`; `None` when it is not taken.
    pub const fn result(&self, argument: FieldType) -> Option<FieldType> {
        match self {
            Self::Mode | Self::Distinct | Self::Sample(_) => Some(argument),
            Self::CountDistinct => Some(FieldType::Integer),
            _ if !argument.is_number() => None,
            Self::Median | Self::Stddev => Some(FieldType::Float),
            Self::Percentile(_) | Self::Extreme { .. } => Some(argument),
        }
    }

    pub const fn name(&self) -> &'static str {
        match self {
            Self::Median => "median",
            Self::Mode => "mode",
            Self::Stddev => "stddev",
            Self::CountDistinct => "count_distinct",
            Self::Distinct => "distinct",
            Self::Percentile(_) => "percentile",
            Self::Extreme { greatest: true, .. } => "top",
            Self::Extreme { greatest: false, .. } => "bottom",
            Self::Sample(_) => "sample",
        }
    }
}

/// Rows of a group to rows that depend on those before them, of one column; its absent rows are not seen. The order of
/// the input is the order of the walk: descending, backwards in time. One column comes out.
#[derive(Clone, Debug)]
pub struct Transform {
    pub input: Node,
    pub transformer: Transformer,
    /// Position of the argument among the input's columns.
    pub argument: usize,
    pub output: String,
}

/// See [`Transform`]. Times, units and intervals are nanoseconds, above zero.
#[derive(Clone, Debug, PartialEq)]
pub enum Transformer {
    /// Numbers to float: the change per `unit` since the point before. A point of the same time is skipped.
    Derivative {
        unit: i64,
        non_negative: bool,
    },
    /// Numbers to their type: the change since the point before. A point of the same time is skipped.
    Difference {
        non_negative: bool,
    },
    CumulativeSum,
    /// Numbers to float: the mean of the last so many.
    MovingAverage(u64),
    /// Any type to integer: whole units since the point before.
    Elapsed {
        unit: i64,
    },
    /// Numbers to float: the area under the line through the points, bucket by bucket; `None` is one bucket, at time 0.
    Integral {
        unit: i64,
        bucket: Option<Bucket>,
        /// The time of the row without buckets. A last point right there counts for nothing.
        start: i64,
    },
    /// Numbers to float: the forecast of so many rows after the last, by Holt and Winters.
    HoltWinters(HoltWinters),
    /// Numbers to float.
    Analysis(Analysis),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HoltWinters {
    pub count: u64,
    /// Rows of a season; below two there is none.
    pub season: u64,
    /// The fitted rows come too.
    pub with_fit: bool,
    /// Rows are this far apart.
    pub interval: i64,
}

/// A function of technical analysis. The first `hold` results are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Analysis {
    pub method: AnalysisMethod,
    pub period: u64,
    pub hold: u64,
    pub warmup: Warmup,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnalysisMethod {
    ExponentialMovingAverage,
    DoubleExponentialMovingAverage,
    TripleExponentialMovingAverage,
    TripleExponentialDerivative,
    RelativeStrengthIndex,
    ChandeMomentumOscillator,
    KaufmansEfficiencyRatio,
    KaufmansAdaptiveMovingAverage,
}

/// How an average begins, before it has seen a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Warmup {
    None,
    Exponential,
    Simple,
}

impl Transformer {
    /// The type of the result over an argument of `argument`; `None` when it is not taken.
    pub const fn result(&self, argument: FieldType) -> Option<FieldType> {
        match self {
            Self::Elapsed { .. } => Some(FieldType::Integer),
            _ if !argument.is_number() => None,
            Self::Difference { .. } | Self::CumulativeSum => Some(argument),
            _ => Some(FieldType::Float),
        }
    }

    /// As in messages and in [`explain`](mod@super::explain).
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Derivative { .. } => "derivative",
            Self::Difference { .. } => "difference",
            Self::CumulativeSum => "cumulative sum",
            Self::MovingAverage(_) => "moving average",
            Self::Elapsed { .. } => "elapsed",
            Self::Integral { .. } => "integral",
            Self::HoltWinters(_) => "holt_winters",
            Self::Analysis(analysis) => analysis.method.name(),
        }
    }
}

impl AnalysisMethod {
    pub const fn name(self) -> &'static str {
        match self {
            Self::ExponentialMovingAverage => "exponential_moving_average",
            Self::DoubleExponentialMovingAverage => "double_exponential_moving_average",
            Self::TripleExponentialMovingAverage => "triple_exponential_moving_average",
            Self::TripleExponentialDerivative => "triple_exponential_derivative",
            Self::RelativeStrengthIndex => "relative_strength_index",
            Self::ChandeMomentumOscillator => "chande_momentum_oscillator",
            Self::KaufmansEfficiencyRatio => "kaufmans_efficiency_ratio",
            Self::KaufmansAdaptiveMovingAverage => "kaufmans_adaptive_moving_average",
        }
    }
}

/// Rows of a group in the order of one of its columns: numbers, then texts, then truths; rows without a value last.
/// Rows that are equal in it keep their order.
#[derive(Clone, Debug)]
pub struct Sort {
    pub input: Node,
    pub column: usize,
    pub descending: bool,
}
