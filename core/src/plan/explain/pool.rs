//! The nodes of [`crate::plan::pool`] as text.

use super::{Instant, Parts, list};
use crate::plan::{
    Along, Each, Expectation, Function, Listed, Measure, Node, Outlying, PairOp, Reach, ReachMethod, Smoothing,
};
use std::fmt::{self, Write as _};

/// A node of these; nothing of any other.
pub(super) fn write(node: &Node, out: &mut String) -> fmt::Result {
    match node {
        Node::Merge(merge) => write!(out, "merge into {}", listed(&merge.groups)),
        Node::Pool(pool) => {
            write!(out, "pool {} of {}", pool.function.name(), listed(&pool.groups))?;
            if pool.first > i64::MIN || pool.last < i64::MAX {
                write!(out, " between {} and {}", Instant(pool.first), Instant(pool.last))?;
            }
            write!(out, " reach {}", reach(pool.reach))?;
            match &pool.change {
                Some(along) => write!(out, " after {}", along_text(along)),
                None => Ok(()),
            }
        }
        Node::Quantile(quantile) => {
            write!(
                out,
                "quantile {:?} by {} {}",
                f64::from(quantile.parts) / 1e4,
                super::By(&quantile.by),
                Parts(&quantile.bucket)
            )
        }
        Node::Follow(follow) => write!(out, "follow {}", along_text(&follow.along)),
        Node::Pair(pair) => {
            let pairs = pair.pairs.iter().map(|(left, right)| format!("{left} {right}"));
            write!(out, "pair {} {}", op(pair.op), list(pairs))?;
            out.push_str(if pair.ends.is_some() { " until" } else { "" });
            for (side, zero) in [("left", &pair.left_zero), ("right", &pair.right_zero)] {
                if let Some(bucket) = zero {
                    write!(out, " {side} else 0 {}", Parts(bucket))?;
                }
            }
            Ok(())
        }
        Node::Rank(rank) => {
            let which = if rank.greatest { "greatest" } else { "least" };
            write!(out, "rank {} {which} by {}", rank.count, measure(rank.measure))
        }
        Node::Expect(expect) => {
            match expect.method {
                Expectation::Band { method, width } => write!(out, "expect {method:?} within {width:?}")?,
                Expectation::Outliers { method, tolerance, share } => {
                    let (name, scaled) = match method {
                        Outlying::Deviation { scaled } => ("deviation", scaled),
                        Outlying::Density { scaled } => ("density", scaled),
                    };
                    let scaled = if scaled { "scaled " } else { "" };
                    write!(out, "outliers by {scaled}{name} {tolerance:?} share {share:?}")?;
                }
                Expectation::Forecast { season, width, step, until } => {
                    write!(out, "forecast every {step}ns to {} within {width:?}", Instant(until))?;
                    if let Some(season) = season {
                        write!(out, " season {season}ns")?;
                    }
                }
            }
            write!(out, " from {}", Instant(expect.from))
        }
        _ => Ok(()),
    }
}

/// Groups by their tags, and how many groups of the input each has.
pub(super) fn listed(groups: &[Listed]) -> String {
    list(groups.iter().map(|group| {
        let tags = group.tags.iter().map(|(key, value)| format!("{key:?} = {value:?}"));
        format!("{} × {}", list(tags), group.members.len())
    }))
}

fn reach(reach: Reach) -> String {
    let method = match reach.method {
        ReachMethod::None => return "none".to_owned(),
        ReachMethod::Linear => "linear",
        ReachMethod::Last => "last",
        ReachMethod::Zero => "zero",
    };
    format!("{method} {}ns", reach.limit)
}

fn along_text(along: &Along) -> String {
    match along {
        Along::Each(each) => each_text(*each),
        Along::Change { per, rising } => {
            let per = per.map_or_else(String::new, |per| format!(" per {per}ns"));
            format!("change{per}{}", if *rising { " rising" } else { "" })
        }
        Along::Total => "total".to_owned(),
        Along::Area => "area".to_owned(),
        Along::Elapsed => "elapsed".to_owned(),
        Along::Moving { width, function } => format!("moving {} over {width}ns", function.name()),
        Along::MovingCount { count, function } => {
            let name = if *function == Smoothing::Mean { Function::Mean.name() } else { "median" };
            format!("moving {name} over {count}")
        }
        Along::Exponential { span } => format!("exponential {span}"),
        Along::Smooth => "smooth".to_owned(),
        Along::Line { robust } => if *robust { "robust line" } else { "line" }.to_owned(),
        Along::Steps => "steps".to_owned(),
        Along::Shift(by) => format!("shift {by}ns"),
        Along::Spread { bucket, first, last, reach: near, otherwise } => format!(
            "spread {} between {} and {} reach {} else {otherwise:?}",
            Parts(bucket),
            Instant(*first),
            Instant(*last),
            reach(*near)
        ),
        Along::Measured { measure: of, at, .. } => format!("{} at {}", measure(*of), Instant(*at)),
    }
}

fn each_text(each: Each) -> String {
    match each {
        Each::Abs => "abs".to_owned(),
        Each::Log2 => "log2".to_owned(),
        Each::Log10 => "log10".to_owned(),
        Each::Ceil => "ceil".to_owned(),
        Each::Floor => "floor".to_owned(),
        Each::Round => "round".to_owned(),
        Each::AtLeast(bound) => format!("at least {bound:?}"),
        Each::AtMost(bound) => format!("at most {bound:?}"),
        Each::DropBelow(bound) => format!("drop below {bound:?}"),
        Each::DropAbove(bound) => format!("drop above {bound:?}"),
        Each::DropZero => "drop 0".to_owned(),
        Each::With { op: by, number, first: true } => format!("{number:?} {} $0", op(by)),
        Each::With { op: by, number, first: false } => format!("$0 {} {number:?}", op(by)),
    }
}

const fn op(op: PairOp) -> &'static str {
    match op {
        PairOp::Add => "+",
        PairOp::Sub => "-",
        PairOp::Mul => "*",
        PairOp::Div => "/",
        PairOp::Min => "min",
        PairOp::Max => "max",
    }
}

const fn measure(measure: Measure) -> &'static str {
    match measure {
        Measure::Mean => "mean",
        Measure::Min => "min",
        Measure::Max => "max",
        Measure::Sum => "sum",
        Measure::Last => "last",
        Measure::Norm => "norm",
        Measure::Area => "area",
        Measure::Median => "median",
    }
}
