//! The functions of the language: what each makes of its arguments.

use super::{Answer, Evaluator, Points, Series, Term, along, day_of_month, interpolated, joined, of, sum};
use crate::language::{Arg, Expr, number};
use std::collections::{BTreeMap, BTreeSet};

impl Evaluator<'_> {
    pub(super) fn call(&self, name: &str, arguments: &[Arg], shift: i64) -> Answer {
        let Some(Arg::Expr(first)) = arguments.first() else { panic!("{name}") };
        let second = match arguments.get(1) {
            Some(Arg::Expr(Expr::Number(number))) => *number,
            _ => f64::NAN,
        };
        let text = |at: usize| match arguments.get(at) {
            Some(Arg::Text(text)) => text.as_str(),
            _ => "",
        };
        let named = |label: &str| format!("{name}({label})");
        let (stem, parameter) = name.rsplit_once('_').unwrap_or((name, ""));
        let parameter: usize = parameter.parse().unwrap_or(0);
        // Of each source, before they are joined, where the argument is a query.
        let change: Option<Box<dyn Fn(&Points, i64) -> Points>> = match name {
            "diff" | "monotonic_diff" | "derivative" | "per_second" | "per_minute" | "per_hour" => {
                let name = name.to_owned();
                Some(Box::new(move |points, _| along(points, |there| changes(&name, there))))
            }
            "throughput" => Some(Box::new(|points, width| {
                points.iter().map(|(at, value)| (*at, value.map(|value| value / width as f64))).collect()
            })),
            _ => None,
        };
        if let Some(change) = change {
            let mut answer = match first {
                Expr::Query(query) => self.query(query, shift, Some(&*change)),
                other => {
                    let mut answer = self.answer(other, shift);
                    let width = answer.grid.interval;
                    answer.series.iter_mut().for_each(|series| series.points = change(&series.points, width));
                    answer
                }
            };
            answer.amounts = false;
            return answer.named(named);
        }
        if let Some(by) = shifted(name, second, text(1), self.from) {
            return self.answer(first, shift + by).named(named);
        }
        if matches!(name, "min" | "max" | "minimum" | "maximum") {
            let Some(Arg::Expr(other)) = arguments.get(1) else { panic!("{name}") };
            let least = name.starts_with("min");
            let apply = |a: f64, b: f64| if least { a.min(b) } else { a.max(b) };
            let label = |a: &str, b: &str| format!("{name}({a}, {b})");
            return match joined(self.term(first, shift), self.term(other, shift), &apply, &label) {
                Term::Answer(answer) => answer,
                Term::Number(_) => panic!("{name} of numbers"),
            };
        }
        let answer = self.answer(first, shift);
        let bounded = |label: &str| format!("{name}({label}, {})", number(second));
        match (name, stem) {
            ("abs", _) => answer.each(|value| value.map(f64::abs)).named(named),
            ("log2", _) => answer.each(|value| value.filter(|value| *value > 0.0).map(f64::log2)).named(named),
            ("log10", _) => answer.each(|value| value.filter(|value| *value > 0.0).map(f64::log10)).named(named),
            ("ceil", _) => answer.each(|value| value.map(f64::ceil)).named(named),
            ("floor", _) => answer.each(|value| value.map(f64::floor)).named(named),
            ("round", _) => answer.each(|value| value.map(f64::round)).named(named),
            ("clamp_min", _) => answer.each(|value| Some(value.unwrap_or(second).max(second))).named(bounded),
            ("clamp_max", _) => answer.each(|value| Some(value.unwrap_or(second).min(second))).named(bounded),
            ("cutoff_min", _) => answer.each(|value| value.filter(|value| *value >= second)).named(bounded),
            ("cutoff_max", _) => answer.each(|value| value.filter(|value| *value <= second)).named(bounded),
            ("cumsum", _) => answer
                .along(|there| (0..there.len()).map(|at| Some(sum(there[..=at].iter().map(|(_, v)| *v)))).collect())
                .named(named),
            ("integral", _) => {
                let area = |there: &[(i64, f64)], at: usize| {
                    sum(there[..=at].windows(2).map(|pair| (pair[1].0 - pair[0].0) as f64 * pair[1].1))
                };
                answer.along(|there| (0..there.len()).map(|at| Some(area(there, at))).collect()).named(named)
            }
            ("trend_line", _) => answer.along(line).named(named),
            ("moving_rollup", _) => {
                let window = |there: &[(i64, f64)], at: i64| -> Vec<f64> {
                    let after = at - second as i64;
                    there.iter().filter(|(own, _)| *own > after && *own <= at).map(|(_, value)| *value).collect()
                };
                answer
                    .along(|there| there.iter().map(|(at, _)| of(text(2), &window(there, *at))).collect())
                    .named(named)
            }
            (_, "ewma") => answer.along(|there| weighted_mean(there, parameter)).named(named),
            (_, "median") => answer.along(|there| last_ones(there, parameter, &median)).named(named),
            (_, "rollingavg") => {
                answer.along(|there| last_ones(there, parameter, &|v| of("avg", v).unwrap())).named(named)
            }
            ("count_nonzero" | "count_nonzero_finite" | "count_not_null", _) => {
                let zeros = name == "count_not_null";
                let counts = |values: &[Option<f64>]| {
                    Some(values.iter().flatten().filter(|value| zeros || **value != 0.0).count() as f64)
                };
                one_of_all(answer, true, counts).named(named)
            }
            ("dt", _) => {
                let there = one_of_all(answer, false, |_| Some(1.0));
                let gaps = |there: &[(i64, f64)]| {
                    let gap = |at: usize| (at > 0).then(|| (there[at].0 - there[at - 1].0) as f64);
                    (0..there.len()).map(gap).collect()
                };
                there.along(gaps).named(named)
            }
            ("exclude_null", _) => {
                let mut answer = answer;
                answer.series.retain(|series| series.tags.iter().all(|(_, value)| value != "N/A"));
                answer.named(named)
            }
            ("default_zero", _) => {
                let mut answer = answer;
                let begins = answer.grid.between(self.from, self.to);
                for series in &mut answer.series {
                    let own: BTreeMap<i64, f64> =
                        series.points.iter().filter_map(|(at, v)| Some((*at, (*v)?))).collect();
                    let fill = answer.fill;
                    let value =
                        |at: &i64| own.get(at).copied().or_else(|| interpolated(&own, *at, fill)).unwrap_or(0.0);
                    series.points = begins.iter().map(|at| (*at, Some(value(at)))).collect();
                    series.end = begins.last().map_or(series.end, |last| answer.grid.end(*last));
                }
                answer.amounts = false;
                answer.named(named)
            }
            ("top", _) => ranked(answer, second as usize, text(2), text(3) == "desc").named(named),
            (_, measure) if name.starts_with("top") || name.starts_with("bottom") => {
                let digits: String = measure.chars().filter(char::is_ascii_digit).collect();
                let by = name.rsplit_once('_').expect("a measure").1;
                ranked(answer, digits.parse().expect("a number"), by, name.starts_with("top")).named(named)
            }
            _ => panic!("{name} is not here"),
        }
    }
}

/// Seconds that a function moves its argument by.
fn shifted(name: &str, secs: f64, shift: &str, from: i64) -> Option<i64> {
    const DAY: i64 = 86_400;
    Some(match name {
        "timeshift" => secs as i64,
        "hour_before" => -3600,
        "day_before" => -DAY,
        "week_before" => -7 * DAY,
        "month_before" => -28 * DAY,
        // In UTC; a month back from a day that the month before has too.
        "calendar_shift" => match shift {
            "-1mo" => {
                let (day, _) = day_of_month(from.div_euclid(DAY));
                let (_, length) = day_of_month(from.div_euclid(DAY) - day);
                -(length + (day - length).max(0)) * DAY
            }
            days => days.strip_suffix('d').and_then(|days| days.parse::<i64>().ok()).expect("days") * DAY,
        },
        _ => return None,
    })
}

fn changes(name: &str, there: &[(i64, f64)]) -> Vec<Option<f64>> {
    let change = |at: usize| {
        let ((before, from), (now, to)) = (there.get(at.checked_sub(1)?)?, there[at]);
        let (rise, secs) = (to - from, (now - before) as f64);
        Some(match name {
            "diff" => rise,
            "monotonic_diff" => (rise >= 0.0).then_some(rise)?,
            "per_minute" => rise / (secs / 60.0),
            "per_hour" => rise / (secs / 3600.0),
            _ => rise / secs,
        })
    };
    (0..there.len()).map(change).collect()
}

fn line(there: &[(i64, f64)]) -> Vec<Option<f64>> {
    let count = there.len() as f64;
    let mean_x = there.iter().map(|(at, _)| (at - there[0].0) as f64).sum::<f64>() / count;
    let mean_y = there.iter().map(|(_, value)| value).sum::<f64>() / count;
    let (mut above, mut below) = (0.0, 0.0);
    for (at, value) in there {
        let x = (at - there[0].0) as f64 - mean_x;
        above += x * (value - mean_y);
        below += x * x;
    }
    let slope = if below > 0.0 { above / below } else { 0.0 };
    there.iter().map(|(at, _)| Some(mean_y + slope * ((at - there[0].0) as f64 - mean_x))).collect()
}

fn weighted_mean(there: &[(i64, f64)], span: usize) -> Vec<Option<f64>> {
    let alpha = 2.0 / (span as f64 + 1.0);
    let mut mean = there.first().map_or(0.0, |(_, value)| *value);
    let mut means = Vec::new();
    for (at, (_, value)) in there.iter().enumerate() {
        if at > 0 {
            mean = alpha * value + (1.0 - alpha) * mean;
        }
        means.push(Some(mean));
    }
    means
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let half = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[half] } else { (sorted[half - 1] + sorted[half]) / 2.0 }
}

fn last_ones(there: &[(i64, f64)], count: usize, function: &dyn Fn(&[f64]) -> f64) -> Vec<Option<f64>> {
    let window = |at: usize| -> Vec<f64> {
        there[(at + 1).saturating_sub(count)..=at].iter().map(|(_, value)| *value).collect()
    };
    (0..there.len()).map(|at| Some(function(&window(at)))).collect()
}

/// One series over all: what `value` makes of the values at each time of any, or at each with a value.
fn one_of_all(mut answer: Answer, every: bool, value: impl Fn(&[Option<f64>]) -> Option<f64>) -> Answer {
    let times: BTreeSet<i64> = answer.series.iter().flat_map(|series| series.points.keys().copied()).collect();
    let mut points = Points::new();
    for at in times {
        let values: Vec<Option<f64>> =
            answer.series.iter().filter_map(|series| series.points.get(&at).copied()).collect();
        if every || values.iter().any(Option::is_some) {
            points.insert(at, value(&values));
        }
    }
    let (scope, expression) = answer.base.clone();
    let last = points.keys().next_back().copied();
    let one = last.map(|last| Series { tags: vec![], scope, expression, points, end: answer.grid.end(last) });
    answer.series = one.into_iter().collect();
    answer.keys.clear();
    answer.amounts = false;
    answer
}

fn ranked(mut answer: Answer, count: usize, by: &str, greatest: bool) -> Answer {
    let interval = answer.grid.interval as f64;
    let measure = |series: &Series| -> Option<f64> {
        let values: Vec<f64> = series.points.values().flatten().copied().collect();
        let last = *values.last()?;
        Some(match by {
            "mean" => of("avg", &values)?,
            "last" => last,
            "l2norm" => sum(values.iter().map(|value| value * value)).sqrt(),
            "area" => sum(values) * interval,
            plain => of(plain, &values)?,
        })
    };
    let mut measured: Vec<(f64, Series)> =
        answer.series.into_iter().filter_map(|series| Some((measure(&series)?, series))).collect();
    // Stable, and series came by scope.
    measured.sort_by(|(a, _), (b, _)| if greatest { b.total_cmp(a) } else { a.total_cmp(b) });
    answer.series = measured.into_iter().take(count).map(|(_, series)| series).collect();
    answer
}
