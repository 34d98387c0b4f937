//! The functions: their names, their arguments, the nodes they are.

use super::query::Change;
use super::{Compiler, NO_REACH, Operand, Term, combined, lacks_a_key, operand_argument};
use crate::dialect::datadog::ast::{Argument, Expr, Kind};
use crate::dialect::datadog::error::Error;
use crate::dialect::datadog::grid::{Shift, Zone, nanos};
use crate::dialect::datadog::names;
use crate::plan::{
    Along, Band, Each, Expect, Expectation, Function, Listed, Measure, Node, Outlying, PairOp, Pool, Rank, Reach,
    Smoothing,
};
use crate::time::{NANOS_PER_DAY, NANOS_PER_HOUR, NANOS_PER_MINUTE, NANOS_PER_SEC, NANOS_PER_WEEK};

/// Every name, for suggestions. Those with a number in them stand with one that is common.
const NAMES: &[&str] = &[
    "abs",
    "log2",
    "log10",
    "cumsum",
    "integral",
    "ceil",
    "floor",
    "round",
    "count_nonzero",
    "count_nonzero_finite",
    "count_not_null",
    "clamp_min",
    "clamp_max",
    "cutoff_min",
    "cutoff_max",
    "exclude_null",
    "default_zero",
    "top",
    "top5_max",
    "top10_mean",
    "bottom5_min",
    "bottom10_mean",
    "diff",
    "monotonic_diff",
    "derivative",
    "per_second",
    "per_minute",
    "per_hour",
    "dt",
    "throughput",
    "trend_line",
    "robust_trend",
    "piecewise_constant",
    "moving_rollup",
    "ewma_5",
    "ewma_10",
    "median_3",
    "median_5",
    "autosmooth",
    "rollingavg_5",
    "timeshift",
    "hour_before",
    "day_before",
    "week_before",
    "month_before",
    "calendar_shift",
    "anomalies",
    "outliers",
    "forecast",
    "min",
    "max",
    "minimum",
    "maximum",
];
/// Buckets of history at most, for those that look back.
const MOST_HISTORY: i64 = 10_000;

impl Compiler<'_> {
    pub(super) fn call(&mut self, name: &str, arguments: &[Argument]) -> Result<Operand, Error> {
        let named = |label: &str| format!("{name}({label})");
        if let Some(each) = each(name) {
            let operand = self.only_argument(name, arguments)?;
            return Ok(operand.follow(Along::Each(each)).renamed(&named));
        }
        if let Some(along) = along(name)? {
            let operand = self.only_argument(name, arguments)?;
            return Ok(unamounted(operand).follow(along).renamed(&named));
        }
        if let Some(change) = change(name) {
            expect_count(name, arguments, 1)?;
            let operand = match operand_argument(name, arguments)? {
                Expr { kind: Kind::Query(query), .. } => self.query(query, Some(Change::Along(change)))?,
                expr => self.expression(expr)?.follow(change),
            };
            return Ok(unamounted(operand).renamed(&named));
        }
        if let Some((count, measure, greatest)) = ranked(name) {
            let operand = self.only_argument(name, arguments)?;
            return Ok(rank(operand, count, measure, greatest).renamed(&named));
        }
        match name {
            "clamp_min" | "clamp_max" | "cutoff_min" | "cutoff_max" => {
                expect_count(name, arguments, 2)?;
                let bound = number(name, arguments, 1)?;
                let each = match name {
                    "clamp_min" => Each::AtLeast(bound),
                    "clamp_max" => Each::AtMost(bound),
                    "cutoff_min" => Each::DropBelow(bound),
                    _ => Each::DropAbove(bound),
                };
                let operand = self.expression(operand_argument(name, arguments)?)?;
                let text = super::number_text(bound);
                Ok(operand.follow(Along::Each(each)).renamed(&|label| format!("{name}({label}, {text})")))
            }
            "count_nonzero" | "count_nonzero_finite" | "count_not_null" => {
                let mut operand = self.only_argument(name, arguments)?;
                if name != "count_not_null" {
                    operand = operand.follow(Along::Each(Each::DropZero));
                }
                Ok(operand.joined(|input, groups| pool(input, groups, Function::Count, true)).renamed(&named))
            }
            "dt" => {
                let operand = self.only_argument(name, arguments)?;
                let joined = operand.joined(|input, groups| pool(input, groups, Function::Count, false));
                Ok(joined.follow(Along::Elapsed).renamed(&named))
            }
            "throughput" => {
                expect_count(name, arguments, 1)?;
                let operand = match operand_argument(name, arguments)? {
                    Expr { kind: Kind::Query(query), .. } => self.query(query, Some(Change::OverWidth))?,
                    expr => {
                        let operand = self.expression(expr)?;
                        let number = operand.grid.interval as f64;
                        operand.follow(Along::Each(Each::With { op: PairOp::Div, number, first: false }))
                    }
                };
                Ok(unamounted(operand).renamed(&named))
            }
            "exclude_null" => {
                Ok(self.only_argument(name, arguments)?.only(|group| !lacks_a_key(group)).renamed(&named))
            }
            "default_zero" => {
                let operand = unamounted(self.only_argument(name, arguments)?);
                let Some((first, last)) = operand.grid.span(self.from(), self.request.to) else {
                    return Ok(operand.renamed(&named));
                };
                let (bucket, reach) = (operand.grid.bucket(), operand.reach);
                let (first, last) = (nanos(first), nanos(last));
                Ok(operand.follow(Along::Spread { bucket, first, last, reach, otherwise: 0.0 }).renamed(&named))
            }
            "top" => self.top(arguments),
            "moving_rollup" => {
                expect_count(name, arguments, 3)?;
                let secs = number(name, arguments, 1)?;
                if !(1.0..=1e9).contains(&secs) {
                    return Err(wrong(name, "the second argument is seconds"));
                }
                let function = match text(name, arguments, 2)? {
                    "avg" | "mean" => Function::Mean,
                    "sum" => Function::Sum,
                    "min" => Function::Min,
                    "max" => Function::Max,
                    "count" => Function::Count,
                    _ => return Err(wrong(name, "the method is avg, sum, min, max or count")),
                };
                let width = nanos(secs as i64);
                let operand = unamounted(self.expression(operand_argument(name, arguments)?)?);
                Ok(operand.follow(Along::Moving { width, function }).renamed(&named))
            }
            "timeshift" => {
                expect_count(name, arguments, 2)?;
                let secs = number(name, arguments, 1)?;
                if secs.trunc() != secs || secs.abs() > 1e10 {
                    return Err(wrong(name, "the second argument is whole seconds"));
                }
                self.shifted(name, arguments, secs as i64)
            }
            "hour_before" | "day_before" | "week_before" | "month_before" => {
                expect_count(name, arguments, 1)?;
                let secs = match name {
                    "hour_before" => NANOS_PER_HOUR,
                    "day_before" => NANOS_PER_DAY,
                    "week_before" => NANOS_PER_WEEK,
                    _ => 4 * NANOS_PER_WEEK,
                };
                self.shifted(name, arguments, -(secs / NANOS_PER_SEC))
            }
            "calendar_shift" => {
                expect_counts(name, arguments, 2, 3)?;
                let shift = calendar_shift(text(name, arguments, 1)?).ok_or_else(|| {
                    wrong(name, "the shift is a number of days, weeks or months such as '-1d', '-2w', '-1mo'")
                })?;
                let zone = if arguments.len() > 2 { text(name, arguments, 2)? } else { "UTC" };
                let from = self.request.from;
                let then = Zone::named(zone)?.shifted(from, shift);
                let by = then.ok_or_else(|| wrong(name, "the shift is too long"))? - from;
                self.shifted(name, arguments, by)
            }
            "min" | "max" | "minimum" | "maximum" => {
                expect_count(name, arguments, 2)?;
                let op = if name.starts_with("min") { PairOp::Min } else { PairOp::Max };
                let (left, right) = (self.term_argument(name, arguments, 0)?, self.term_argument(name, arguments, 1)?);
                if matches!((&left, &right), (Term::Number(_), Term::Number(_))) {
                    return Err(wrong(name, "one of the arguments is an expression with a metric"));
                }
                Ok(combined(op, left, right, &|left, right| format!("{name}({left}, {right})")))
            }
            "anomalies" => self.anomalies(arguments),
            "outliers" => self.outliers(arguments),
            "forecast" => self.forecast(arguments),
            _ => {
                let near = names::nearest(name, NAMES.iter().copied());
                let near = near.first().map_or_else(String::new, |near| format!("; did you mean {near}?"));
                Err(Error::query(format!("there is no function {name:?}{near}")))
            }
        }
    }

    fn only_argument(&mut self, name: &str, arguments: &[Argument]) -> Result<Operand, Error> {
        expect_count(name, arguments, 1)?;
        self.expression(operand_argument(name, arguments)?)
    }

    fn term_argument(&mut self, name: &str, arguments: &[Argument], at: usize) -> Result<Term, Error> {
        match arguments.get(at) {
            Some(Argument::Expr(expr)) => self.term(expr),
            _ => Err(wrong(name, "takes expressions or numbers")),
        }
    }

    /// The argument as it was `by` seconds away, shown at the present times.
    fn shifted(&mut self, name: &str, arguments: &[Argument], by: i64) -> Result<Operand, Error> {
        self.moved = self.moved.saturating_add(by);
        let operand = self.expression(operand_argument(name, arguments)?);
        self.moved = self.moved.saturating_sub(by);
        let mut operand = operand?;
        operand.grid = operand.grid.shifted(-by);
        Ok(operand.follow(Along::Shift(nanos(-by))).renamed(&|label| format!("{name}({label})")))
    }

    fn top(&mut self, arguments: &[Argument]) -> Result<Operand, Error> {
        const NAME: &str = "top";
        expect_count(NAME, arguments, 4)?;
        let count = number(NAME, arguments, 1)?;
        if count < 1.0 || count.trunc() != count || count > 1e9 {
            return Err(wrong(NAME, "the second argument is how many"));
        }
        let measure = measure(text(NAME, arguments, 2)?)
            .ok_or_else(|| wrong(NAME, "the third argument is max, mean, min, sum, last, l2norm or area"))?;
        let greatest = match text(NAME, arguments, 3)? {
            "desc" => true,
            "asc" => false,
            _ => return Err(wrong(NAME, "the fourth argument is asc or desc")),
        };
        let operand = self.expression(operand_argument(NAME, arguments)?)?;
        Ok(rank(operand, count as usize, measure, greatest).renamed(&|label| format!("{NAME}({label})")))
    }

    /// The argument with `history` seconds before the window, as far as its buckets are few enough.
    fn with_history(&mut self, name: &str, arguments: &[Argument], history: i64) -> Result<Operand, Error> {
        let before = std::mem::replace(&mut self.history, 0);
        let interval = self.expression(operand_argument(name, arguments)?).map(|operand| operand.grid.interval);
        self.history = interval.as_ref().map_or(0, |interval| history.min(interval.saturating_mul(MOST_HISTORY)));
        let kept = self.missing.len();
        let operand = interval.and_then(|_| self.expression(operand_argument(name, arguments)?));
        self.missing.truncate(kept);
        self.history = before;
        operand.map(unamounted)
    }

    fn anomalies(&mut self, arguments: &[Argument]) -> Result<Operand, Error> {
        const NAME: &str = "anomalies";
        if !(2..=12).contains(&arguments.len()) {
            return Err(wrong(NAME, "takes an expression, 'basic', 'agile' or 'robust', and bounds"));
        }
        let algorithm = text(NAME, arguments, 1)?;
        let width = if arguments.len() > 2 { number(NAME, arguments, 2)? } else { 2.0 };
        if width <= 0.0 {
            return Err(wrong(NAME, "bounds are above 0"));
        }
        let season = arguments.iter().skip(3).find_map(|argument| match argument {
            Argument::Text(text) => seasonality(text),
            _ => None,
        });
        let season = season.unwrap_or(NANOS_PER_DAY);
        let span = self.request.to.saturating_sub(self.request.from);
        let (history, band) = match algorithm {
            "basic" => (span, None),
            "agile" => (3 * (season / NANOS_PER_SEC), Some(Band::Agile { season })),
            "robust" => (3 * (season / NANOS_PER_SEC), Some(Band::Robust { season })),
            _ => return Err(wrong(NAME, "the algorithm is 'basic', 'agile' or 'robust'")),
        };
        let operand = self.with_history(NAME, arguments, history)?;
        // A window of the rolling band is as long as what is shown.
        let rows = (span / operand.grid.interval.max(1)).clamp(10, 1_000) as usize;
        let method = Expectation::Band { method: band.unwrap_or(Band::Rolling { rows }), width };
        Ok(self.expecting(operand, method).renamed(&|label| format!("{NAME}({label})")))
    }

    fn outliers(&mut self, arguments: &[Argument]) -> Result<Operand, Error> {
        const NAME: &str = "outliers";
        expect_counts(NAME, arguments, 2, 4)?;
        let tolerance = if arguments.len() > 2 { number(NAME, arguments, 2)? } else { 3.0 };
        let percent = if arguments.len() > 3 { number(NAME, arguments, 3)? } else { 20.0 };
        if tolerance <= 0.0 || !(0.0..=100.0).contains(&percent) {
            return Err(wrong(NAME, "the tolerance is above 0 and the share a percentage"));
        }
        let method = match text(NAME, arguments, 1)? {
            "MAD" => Outlying::Deviation { scaled: false },
            "scaledMAD" => Outlying::Deviation { scaled: true },
            "DBSCAN" => Outlying::Density { scaled: false },
            "scaledDBSCAN" => Outlying::Density { scaled: true },
            _ => return Err(wrong(NAME, "the algorithm is 'DBSCAN', 'scaledDBSCAN', 'MAD' or 'scaledMAD'")),
        };
        let operand = unamounted(self.expression(operand_argument(NAME, arguments)?)?);
        let method = Expectation::Outliers { method, tolerance, share: percent / 100.0 };
        Ok(self.expecting(operand, method).renamed(&|label| format!("{NAME}({label})")))
    }

    fn forecast(&mut self, arguments: &[Argument]) -> Result<Operand, Error> {
        const NAME: &str = "forecast";
        expect_counts(NAME, arguments, 2, 8)?;
        let width = if arguments.len() > 2 { number(NAME, arguments, 2)? } else { 2.0 };
        if width <= 0.0 {
            return Err(wrong(NAME, "deviations are above 0"));
        }
        let named = arguments.iter().skip(3).find_map(|argument| match argument {
            Argument::Text(text) => seasonality(text),
            _ => None,
        });
        let season = match text(NAME, arguments, 1)? {
            "linear" => None,
            "seasonal" => Some(named.unwrap_or(NANOS_PER_DAY)),
            _ => return Err(wrong(NAME, "the algorithm is 'linear' or 'seasonal'")),
        };
        let history = season.map_or(0, |season| 3 * (season / NANOS_PER_SEC));
        let operand = self.with_history(NAME, arguments, history)?;
        let span = self.request.to.saturating_sub(self.request.from);
        let until = nanos(self.request.to.saturating_add(self.moved).saturating_add(span)) - 1;
        let method = Expectation::Forecast { season, width, step: nanos(operand.grid.interval), until };
        Ok(self.expecting(operand, method).renamed(&|label| format!("{NAME}({label})")))
    }

    fn expecting(&self, mut operand: Operand, method: Expectation) -> Operand {
        let from = nanos(self.request.from.saturating_add(self.moved));
        operand.node = Node::Expect(Box::new(Expect { input: operand.node, method, from }));
        operand
    }
}

/// What came out is no amount any more.
fn unamounted(mut operand: Operand) -> Operand {
    operand.amounts = false;
    operand
}

fn pool(input: Node, groups: Vec<Listed>, function: Function, every_row: bool) -> Node {
    let (first, last, reach): (i64, i64, Reach) = (i64::MIN, i64::MAX, NO_REACH);
    Node::Pool(Box::new(Pool { input, groups, first, last, reach, change: None, function, every_row }))
}

fn rank(mut operand: Operand, count: usize, measure: Measure, greatest: bool) -> Operand {
    let width_secs = operand.grid.interval as f64;
    operand.node = Node::Rank(Box::new(Rank { input: operand.node, measure, count, greatest, width_secs }));
    operand
}

fn each(name: &str) -> Option<Each> {
    Some(match name {
        "abs" => Each::Abs,
        "log2" => Each::Log2,
        "log10" => Each::Log10,
        "ceil" => Each::Ceil,
        "floor" => Each::Floor,
        "round" => Each::Round,
        _ => return None,
    })
}

/// Functions of what is shown, of one argument.
fn along(name: &str) -> Result<Option<Along>, Error> {
    Ok(Some(match name {
        "cumsum" => Along::Total,
        "integral" => Along::Area,
        "trend_line" => Along::Line { robust: false },
        "robust_trend" => Along::Line { robust: true },
        "piecewise_constant" => Along::Steps,
        "autosmooth" => Along::Smooth,
        _ => {
            let Some((stem, number)) = name.rsplit_once('_') else { return Ok(None) };
            let Ok(number) = number.parse::<u32>() else { return Ok(None) };
            let known: &[u32] = match stem {
                "ewma" => &[1, 3, 5, 7, 10, 20],
                "median" => &[3, 5, 7, 9],
                "rollingavg" => &[5, 13, 21, 29],
                _ => return Ok(None),
            };
            if !known.contains(&number) {
                let known: Vec<String> = known.iter().map(|number| format!("{stem}_{number}")).collect();
                return Err(Error::query(format!("there is no function {name:?}: there are {}", known.join(", "))));
            }
            let count = number as usize;
            match stem {
                "ewma" => Along::Exponential { span: number },
                "median" => Along::MovingCount { count, function: Smoothing::Median },
                _ => Along::MovingCount { count, function: Smoothing::Mean },
            }
        }
    }))
}

/// Functions of each source before sources are joined.
fn change(name: &str) -> Option<Along> {
    let per = |nanos: i64| Along::Change { per: Some(nanos), rising: false };
    Some(match name {
        "diff" => Along::Change { per: None, rising: false },
        "monotonic_diff" => Along::Change { per: None, rising: true },
        "derivative" | "per_second" => per(NANOS_PER_SEC),
        "per_minute" => per(NANOS_PER_MINUTE),
        "per_hour" => per(NANOS_PER_HOUR),
        _ => return None,
    })
}

fn measure(name: &str) -> Option<Measure> {
    Some(match name {
        "mean" => Measure::Mean,
        "min" => Measure::Min,
        "max" => Measure::Max,
        "sum" => Measure::Sum,
        "last" => Measure::Last,
        "l2norm" => Measure::Norm,
        "area" => Measure::Area,
        _ => return None,
    })
}

/// `top5_mean`, `bottom20_area`.
fn ranked(name: &str) -> Option<(usize, Measure, bool)> {
    let (rest, greatest) = match (name.strip_prefix("top"), name.strip_prefix("bottom")) {
        (Some(rest), _) => (rest, true),
        (_, Some(rest)) => (rest, false),
        _ => return None,
    };
    let (count, by) = match rest.split_once('_') {
        Some((count, by)) => (count, measure(by).filter(|measure| *measure != Measure::Sum)?),
        None => (rest, Measure::Mean),
    };
    let count = count.parse().ok().filter(|count| [5, 10, 15, 20].contains(count))?;
    Some((count, by, greatest))
}

fn seasonality(text: &str) -> Option<i64> {
    Some(match text {
        "hourly" => NANOS_PER_HOUR,
        "daily" => NANOS_PER_DAY,
        "weekly" => NANOS_PER_WEEK,
        _ => return None,
    })
}

fn calendar_shift(text: &str) -> Option<Shift> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: i64 = digits.parse().ok().filter(|number: &i64| number.abs() <= 100_000)?;
    Some(match &text[digits.len()..] {
        "d" => Shift::Days(number),
        "w" => Shift::Days(number * 7),
        "mo" => Shift::Months(number),
        "y" => Shift::Months(number * 12),
        _ => return None,
    })
}

fn wrong(name: &str, what: &str) -> Error {
    Error::query(format!("{name}: {what}"))
}

fn expect_count(name: &str, arguments: &[Argument], count: usize) -> Result<(), Error> {
    expect_counts(name, arguments, count, count)
}

fn expect_counts(name: &str, arguments: &[Argument], least: usize, most: usize) -> Result<(), Error> {
    if (least..=most).contains(&arguments.len()) {
        return Ok(());
    }
    let wanted = if least == most { least.to_string() } else { format!("{least} to {most}") };
    Err(wrong(name, &format!("takes {wanted} arguments, not {}", arguments.len())))
}

fn number(name: &str, arguments: &[Argument], at: usize) -> Result<f64, Error> {
    match arguments.get(at) {
        Some(Argument::Expr(Expr { kind: Kind::Number(number), .. })) => Ok(*number),
        _ => Err(wrong(name, &format!("argument {} is a number", at + 1))),
    }
}

fn text<'a>(name: &str, arguments: &'a [Argument], at: usize) -> Result<&'a str, Error> {
    match arguments.get(at) {
        Some(Argument::Text(text)) => Ok(text),
        _ => Err(wrong(name, &format!("argument {} is a word in quotes", at + 1))),
    }
}
