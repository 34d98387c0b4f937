//! What a query's answer is, computed the plain way from the specification: whole series as maps from seconds to values,
//! one step after another, nothing shared with the engine.

mod functions;

use super::language::{Expr, Modifier, Query, Scope, Width, Words, number, tag_text};
use std::collections::{BTreeMap, BTreeSet};

pub(super) type Tags = BTreeSet<(String, Option<String>)>;
type Points = BTreeMap<i64, Option<f64>>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Gauge,
    Count,
    Rate,
    Distribution,
}

#[derive(Debug)]
pub(super) struct Metric {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) interval: Option<i64>,
    pub(super) unit: Option<&'static str>,
    pub(super) sources: Vec<Source>,
}

#[derive(Debug)]
pub(super) struct Source {
    pub(super) tags: Tags,
    /// Seconds and values, ascending; a distribution has several of one second.
    pub(super) points: Vec<(i64, f64)>,
}

#[derive(Debug)]
pub(super) struct World {
    pub(super) metrics: Vec<Metric>,
    /// Of the zone that queries name, seconds: before an instant, the instant, from then on.
    pub(super) zones: Vec<(&'static str, i64, i64, i64)>,
}

#[derive(Clone, Debug)]
pub(super) struct Series {
    /// By key.
    pub(super) tags: Vec<(String, String)>,
    pub(super) scope: String,
    pub(super) expression: String,
    pub(super) points: Points,
    /// When the last bucket ends.
    pub(super) end: i64,
}

/// The buckets of a query.
#[derive(Clone, Debug)]
struct Grid {
    interval: i64,
    /// Where calendar buckets begin.
    begins: Option<Vec<i64>>,
}

impl Grid {
    fn end(&self, begin: i64) -> i64 {
        let after = self.begins.as_ref().map(|begins| begins.iter().copied().find(|at| *at > begin));
        let aligned = begin - begin.rem_euclid(self.interval);
        after.map_or(aligned + self.interval, |after| after.expect("there are more than needed"))
    }

    fn between(&self, from: i64, to: i64) -> Vec<i64> {
        match &self.begins {
            Some(begins) => begins.iter().copied().filter(|at| (from..to).contains(at)).collect(),
            None => {
                let first = from + (-from).rem_euclid(self.interval);
                (first..to).step_by(self.interval as usize).collect()
            }
        }
    }

    fn has(&self, time: i64) -> bool {
        self.begins.as_ref().map_or_else(|| time.rem_euclid(self.interval) == 0, |begins| begins.contains(&time))
    }
}

#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) series: Vec<Series>,
    pub(super) label: String,
    pub(super) aggregator: Option<String>,
    pub(super) unit: Option<&'static str>,
    keys: BTreeSet<String>,
    /// Scope and expression without groups.
    base: (String, String),
    grid: Grid,
    amounts: bool,
    fill: (&'static str, i64),
}

impl Answer {
    pub(super) fn interval(&self) -> i64 {
        self.grid.interval
    }

    fn named(mut self, name: impl Fn(&str) -> String) -> Self {
        self.label = name(&self.label);
        self.base.1 = name(&self.base.1);
        self.series.iter_mut().for_each(|series| series.expression = name(&series.expression));
        self
    }

    /// Each series' values that are there, in order of time, to others.
    fn along(mut self, change: impl Fn(&[(i64, f64)]) -> Vec<Option<f64>>) -> Self {
        for series in &mut self.series {
            series.points = along(&series.points, &change);
        }
        self.amounts = false;
        self
    }

    fn each(mut self, change: impl Fn(Option<f64>) -> Option<f64>) -> Self {
        for series in &mut self.series {
            series.points.values_mut().for_each(|value| *value = change(*value).filter(|value| value.is_finite()));
        }
        self
    }
}

fn along(points: &Points, change: impl Fn(&[(i64, f64)]) -> Vec<Option<f64>>) -> Points {
    let there: Vec<(i64, f64)> = points.iter().filter_map(|(at, value)| Some((*at, (*value)?))).collect();
    let mut changed = points.clone();
    for ((at, _), value) in there.iter().zip(change(&there)) {
        changed.insert(*at, value.filter(|value| value.is_finite()));
    }
    changed
}

/// The correctly rounded sum: partial sums that do not overlap (Shewchuk).
pub(super) fn sum(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut partials: Vec<f64> = Vec::new();
    for mut x in values {
        let mut kept = Vec::new();
        for mut y in partials {
            if x.abs() < y.abs() {
                std::mem::swap(&mut x, &mut y);
            }
            let high = x + y;
            let low = y - (high - x);
            if low != 0.0 {
                kept.push(low);
            }
            x = high;
        }
        kept.push(x);
        partials = kept;
    }
    partials.iter().rev().sum()
}

fn of(method: &str, values: &[f64]) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    Some(match method {
        "avg" => sum(values.iter().copied()) / values.len() as f64,
        "sum" => sum(values.iter().copied()),
        "min" => values.iter().copied().fold(f64::INFINITY, f64::min),
        "max" => values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        "count" => values.len() as f64,
        percentile => {
            let percent: f64 = percentile[1..].parse().expect("p and a number");
            let mut sorted = values.to_vec();
            sorted.sort_by(f64::total_cmp);
            // In hundredths of a percent, which are whole.
            let parts = (percent * 100.0).round() as usize;
            sorted[(sorted.len() - 1) * parts / 10_000]
        }
    })
}

fn fits(pattern: &[u8], text: &[u8]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some((b'*', rest)) => (0..=text.len()).any(|from| fits(rest, &text[from..])),
        Some((first, rest)) => text.split_first().is_some_and(|(own, text)| own == first && fits(rest, text)),
    }
}

fn has(tags: &Tags, key: &str, pattern: Option<&str>) -> bool {
    tags.iter().filter(|(own, _)| own == key).any(|(_, value)| match (pattern, value) {
        (Some("*"), _) | (None, None) => true,
        (Some(pattern), Some(value)) => fits(pattern.as_bytes(), value.as_bytes()),
        _ => false,
    })
}

fn holds(words: &Words, tags: &Tags) -> bool {
    match words {
        Words::Tag(key, pattern) => has(tags, key, pattern.as_deref()),
        Words::In { key, negated, patterns } => {
            patterns.iter().any(|pattern| has(tags, key, Some(pattern))) != *negated
        }
        Words::Not(inner) => !holds(inner, tags),
        Words::And(parts) => parts.iter().all(|part| holds(part, tags)),
        Words::Or(parts) => parts.iter().any(|part| holds(part, tags)),
    }
}

fn chosen(scope: &Scope, tags: &Tags) -> bool {
    match scope {
        Scope::All => true,
        Scope::Tags(items) => {
            items.iter().all(|(negated, key, pattern)| has(tags, key, pattern.as_deref()) != *negated)
        }
        Scope::Words(words) => holds(words, tags),
    }
}

/// Every combination of a source's values of the keys.
fn groups(tags: &Tags, by: &[String]) -> Vec<Vec<(String, String)>> {
    let Some((last, before)) = by.split_last() else { return vec![vec![]] };
    let mut values: Vec<String> = Vec::new();
    for (key, value) in tags.iter().filter(|(key, _)| key == last) {
        values.push(value.as_ref().unwrap_or(key).clone());
    }
    if values.is_empty() {
        values.push("N/A".to_owned());
    }
    let mut all = Vec::new();
    for group in groups(tags, before) {
        for value in &values {
            let mut group = group.clone();
            group.push((last.clone(), value.clone()));
            group.sort();
            all.push(group);
        }
    }
    all
}

fn scope_text(scope: &Scope, group: &[(String, String)]) -> String {
    let mut items: BTreeSet<String> = group.iter().map(|(key, value)| format!("{key}:{value}")).collect();
    match scope {
        Scope::All => {}
        Scope::Tags(tags) => {
            for (negated, key, pattern) in tags {
                if !group.iter().any(|(own, _)| own == key) {
                    let bang = if *negated { "!" } else { "" };
                    items.insert(format!("{bang}{}", tag_text(key, pattern.as_deref())));
                }
            }
        }
        Scope::Words(words) => {
            return std::iter::once(words.to_string()).chain(items).collect::<Vec<_>>().join(",");
        }
    }
    if items.is_empty() { "*".to_owned() } else { items.into_iter().collect::<Vec<_>>().join(",") }
}

const LADDER: [i64; 20] = [
    1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14_400, 43_200, 86_400, 172_800, 604_800, 2_592_000,
];

fn smallest(span: i64, least: i64, buckets: i64) -> i64 {
    LADDER.into_iter().find(|step| *step >= least && span <= buckets * step).expect("spans are short enough")
}

fn interval(span: i64, asked: Option<i64>, least: i64) -> i64 {
    let usual = smallest(span, 1, 300);
    match asked {
        None => usual.max(least),
        Some(asked) if asked >= usual || span <= 1500 * asked => asked,
        Some(asked) => smallest(span, asked, 1500),
    }
}

/// Where calendar buckets begin: at every hour that local clocks show the start of one.
fn calendar(width: &Width, world: &World, from: i64, to: i64) -> Vec<i64> {
    const DAY: i64 = 86_400;
    let (Width::Daily(_, zone) | Width::Weekly(_, zone) | Width::Monthly(_, zone)) = width else { unreachable!() };
    let zone = zone.map(|zone| world.zones.iter().find(|known| known.0 == zone).expect("known"));
    let local = |at: i64| at + zone.map_or(0, |(_, before, change, after)| if at < *change { *before } else { *after });
    let from = (from - 70 * DAY).div_euclid(3600) * 3600;
    let mut begins: Vec<i64> = Vec::new();
    let mut at = from;
    while at < to + 70 * DAY {
        let (day, clock) = (local(at).div_euclid(DAY), local(at).rem_euclid(DAY));
        let starts = match width {
            Width::Daily(hour, _) => clock == i64::from(hour.unwrap_or(0)) * 3600,
            // 1970-01-01 was a Thursday.
            Width::Weekly(start, _) => clock == 0 && (day + 3).rem_euclid(7) == start.unwrap_or(0) as i64,
            Width::Monthly(start, _) => {
                let (of_month, length) = day_of_month(day);
                clock == 0 && of_month == i64::from(start.unwrap_or(1)).min(length)
            }
            Width::Secs(_) => unreachable!(),
        };
        // An hour that comes twice begins one bucket.
        if starts && begins.last().is_none_or(|last| at - last > 3600) {
            begins.push(at);
        }
        at += 3600;
    }
    begins
}

/// The day of the month, and how many the month has, counted through from 2023-01-01.
fn day_of_month(day: i64) -> (i64, i64) {
    let (mut first, mut year, mut month) = (19_358, 2023, 0);
    loop {
        let february = if year % 4 == 0 { 29 } else { 28 };
        let length = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month];
        if day < first + length {
            return (day - first + 1, length);
        }
        first += length;
        month += 1;
        if month == 12 {
            (year, month) = (year + 1, 0);
        }
    }
}

/// The value at a time without one of its own.
fn interpolated(own: &BTreeMap<i64, f64>, at: i64, (method, limit): (&str, i64)) -> Option<f64> {
    let (start, before) = own.range(..at).next_back()?;
    let after = own.range(at + 1..).next();
    match (method, after) {
        ("linear", Some((end, after))) => {
            let share = (at - start) as f64 / (end - start) as f64;
            (end - start <= limit).then(|| before + (after - before) * share)
        }
        ("linear", None) | ("last", _) => (at - start <= limit).then_some(*before),
        ("zero", _) => (at - start <= limit).then_some(0.0),
        _ => None,
    }
}

type Change<'a> = &'a dyn Fn(&Points, i64) -> Points;

/// One request's evaluation.
pub(super) struct Evaluator<'a> {
    pub(super) world: &'a World,
    pub(super) from: i64,
    pub(super) to: i64,
}

#[allow(clippy::large_enum_variant, reason = "few are made")]
enum Term {
    Number(f64),
    Answer(Answer),
}

impl Evaluator<'_> {
    /// `shift` is added to a time shown to find the time whose data is shown there.
    pub(super) fn answer(&self, expr: &Expr, shift: i64) -> Answer {
        match self.term(expr, shift) {
            Term::Answer(answer) => answer,
            Term::Number(_) => panic!("{expr} has no metric"),
        }
    }

    fn term(&self, expr: &Expr, shift: i64) -> Term {
        Term::Answer(match expr {
            Expr::Number(number) => return Term::Number(*number),
            Expr::Query(query) => self.query(query, shift, None),
            Expr::Call(name, arguments) => self.call(name, arguments, shift),
            Expr::Binary(op, left, right) => {
                let apply = |a: f64, b: f64| match op {
                    '+' => a + b,
                    '-' => a - b,
                    '*' => a * b,
                    _ => a / b,
                };
                let name = |a: &str, b: &str| format!("({a} {op} {b})");
                match joined(self.term(left, shift), self.term(right, shift), &apply, &name) {
                    Term::Number(number) => return Term::Number(number),
                    Term::Answer(mut answer) => {
                        let scales = matches!((&**left, &**right), (Expr::Number(_), _) | (_, Expr::Number(_)));
                        let keeps = matches!(op, '+' | '-') || *op == '*' && scales;
                        answer.unit = answer.unit.filter(|_| keeps);
                        answer
                    }
                }
            }
        })
    }

    fn query(&self, query: &Query, shift: i64, change: Option<Change<'_>>) -> Answer {
        let metric = self.world.metrics.iter().find(|metric| metric.name == query.metric);
        let kind = metric.map_or(Kind::Gauge, |metric| metric.kind);
        let stands_for = metric.and_then(|metric| metric.interval);
        let (mut amounts, mut weighted, mut fill, mut method, mut width) = (None, false, None, None, None);
        for modifier in &query.modifiers {
            match modifier {
                Modifier::AsCount | Modifier::AsRate => amounts = Some(matches!(modifier, Modifier::AsRate)),
                Modifier::Weighted => weighted = true,
                Modifier::Fill(method, limit) => fill = Some((*method, limit.unwrap_or(300))),
                Modifier::Rollup(new_method, new_width) => (method, width) = (*new_method, new_width.clone()),
            }
        }
        let amounts = amounts.filter(|_| matches!(kind, Kind::Count | Kind::Rate));
        let percentile = query.aggregator.as_ref().is_some_and(|name| name.starts_with('p'));
        let merged = kind == Kind::Distribution || percentile;
        let fill = match fill {
            _ if merged => ("null", 0),
            None if amounts.is_some() => ("null", 0),
            fill => fill.unwrap_or(("linear", 300)),
        };
        let reach = if fill.0 == "null" { 0 } else { fill.1 };
        let grid = match &width {
            Some(Width::Secs(secs)) => Grid { interval: interval(self.to - self.from, Some(*secs), 1), begins: None },
            None => {
                let least = amounts.and(stands_for).unwrap_or(1);
                Grid { interval: interval(self.to - self.from, None, least), begins: None }
            }
            Some(width) => {
                let interval = match width {
                    Width::Daily(..) => 86_400,
                    Width::Weekly(..) => 604_800,
                    _ => 2_592_000,
                };
                Grid { interval, begins: Some(calendar(width, self.world, self.from - reach, self.to + reach)) }
            }
        };
        let sources: Vec<&Source> = metric.map_or_else(Vec::new, |metric| {
            metric.sources.iter().filter(|source| chosen(&query.scope, &source.tags)).collect()
        });
        let within = |source: &Source, begin: i64| -> Vec<f64> {
            let bucket = begin + shift..grid.end(begin) + shift;
            source.points.iter().filter(|(at, _)| bucket.contains(at)).map(|(_, value)| *value).collect()
        };
        let window = grid.between(self.from, self.to);
        let i = grid.interval as f64;
        let rolled = |values: &[f64]| -> Option<f64> {
            let s = stands_for.map(|secs| secs as f64);
            let plain = of(method.unwrap_or("avg"), values);
            let total = of("sum", values);
            if let Some(rate) = amounts {
                if method.is_some_and(|method| method != "sum") {
                    return plain;
                }
                let amount = total.map(|total| if kind == Kind::Rate { total * s.unwrap_or(i) } else { total });
                return amount.map(|amount| if rate { amount / i } else { amount });
            }
            match s {
                Some(s) if weighted && kind == Kind::Gauge && query.aggregator.as_deref() == Some("sum") => {
                    total.map(|total| total * s / i)
                }
                _ => plain,
            }
        };
        let mut members: BTreeMap<Vec<(String, String)>, Vec<usize>> = BTreeMap::new();
        for (at, source) in sources.iter().enumerate() {
            for group in groups(&source.tags, &query.by) {
                let group = members.entry(group).or_default();
                if !group.contains(&at) {
                    group.push(at);
                }
            }
        }
        let space = query.aggregator.as_deref().unwrap_or("avg");
        let mut series = Vec::new();
        let mut push = |group: &[(String, String)], points: Points| {
            let Some(last) = points.keys().next_back() else { return };
            let scope = scope_text(&query.scope, group);
            let (end, expression) = (grid.end(*last), expression_text(query, &scope));
            series.push(Series { tags: group.to_vec(), scope, expression, points, end });
        };
        if merged {
            for (group, members) in &members {
                let mut points = Points::new();
                for begin in &window {
                    let values: Vec<f64> = members.iter().flat_map(|at| within(sources[*at], *begin)).collect();
                    if let Some(value) = of(space, &values) {
                        points.insert(*begin, Some(value));
                    }
                }
                push(group, change.map_or_else(|| points.clone(), |change| change(&points, grid.interval)));
            }
        } else {
            let wide = grid.between(self.from - reach, self.to + reach);
            let rolled: Vec<BTreeMap<i64, f64>> = sources
                .iter()
                .map(|source| wide.iter().filter_map(|at| Some((*at, rolled(&within(source, *at))?))).collect())
                .collect();
            let times: Vec<i64> =
                window.iter().copied().filter(|at| rolled.iter().any(|own| own.contains_key(at))).collect();
            let aligned = |own: &BTreeMap<i64, f64>| -> Points {
                let value = |at: &i64| own.get(at).copied().or_else(|| interpolated(own, *at, fill));
                let points: Points = times.iter().map(|at| (*at, value(at))).collect();
                change.map_or_else(|| points.clone(), |change| change(&points, grid.interval))
            };
            let aligned: Vec<Points> = rolled.iter().map(aligned).collect();
            for (group, members) in &members {
                if !members.iter().any(|at| rolled[*at].keys().any(|begin| window.contains(begin))) {
                    continue;
                }
                let value = |at: &i64| {
                    let values: Vec<f64> = members.iter().filter_map(|member| aligned[*member][at]).collect();
                    of(space, &values)
                };
                push(group, times.iter().map(|at| (*at, value(at))).collect());
            }
        }
        series.sort_by(|a, b| a.scope.cmp(&b.scope));
        let scope = scope_text(&query.scope, &[]);
        Answer {
            series,
            label: query.metric.clone(),
            aggregator: query.aggregator.clone(),
            unit: metric.and_then(|metric| metric.unit),
            keys: query.by.iter().cloned().collect(),
            base: (scope.clone(), expression_text(query, &scope)),
            grid,
            amounts: amounts.is_some(),
            fill,
        }
    }
}

fn expression_text(query: &Query, scope: &str) -> String {
    let aggregator = query.aggregator.as_ref().map_or_else(String::new, |name| format!("{name}:"));
    let modifiers: String = query.modifiers.iter().map(Modifier::text).collect();
    format!("{aggregator}{}{{{scope}}}{modifiers}", query.metric)
}

fn joined(left: Term, right: Term, apply: &dyn Fn(f64, f64) -> f64, name: &dyn Fn(&str, &str) -> String) -> Term {
    let (left, right) = match (left, right) {
        (Term::Number(a), Term::Number(b)) => return Term::Number(apply(a, b)),
        (Term::Answer(answer), Term::Number(b)) => {
            let answer = answer.each(|value| value.map(|value| apply(value, b)));
            return Term::Answer(answer.named(|label| name(label, &number(b))));
        }
        (Term::Number(a), Term::Answer(answer)) => {
            let answer = answer.each(|value| value.map(|value| apply(a, value)));
            return Term::Answer(answer.named(|label| name(&number(a), label)));
        }
        (Term::Answer(left), Term::Answer(right)) => (left, right),
    };
    let broadcast_left = left.keys.len() < right.keys.len();
    let (many, few) = if broadcast_left { (&right, &left) } else { (&left, &right) };
    let mut series = Vec::new();
    for own in many.series.iter().filter(|_| few.keys.is_subset(&many.keys)) {
        let partner = few.series.iter().find(|other| other.tags.iter().all(|tag| own.tags.contains(tag)));
        let Some(partner) = partner else { continue };
        let (a, b) = if broadcast_left { (partner, own) } else { (own, partner) };
        let value = |answer: &Answer, series: &Series, at: i64| {
            let there = series.points.get(&at).copied().flatten();
            there.or_else(|| (answer.amounts && answer.grid.has(at)).then_some(0.0))
        };
        let times: BTreeSet<i64> = a.points.keys().chain(b.points.keys()).copied().collect();
        let point = |at: i64| {
            let both = value(&left, a, at).zip(value(&right, b, at));
            (at, both.map(|(x, y)| apply(x, y)).filter(|value| value.is_finite()))
        };
        series.push(Series {
            tags: own.tags.clone(),
            scope: own.scope.clone(),
            expression: name(&a.expression, &b.expression),
            points: times.into_iter().map(point).collect(),
            end: a.end.max(b.end),
        });
    }
    let grid = if right.grid.interval > left.grid.interval { right.grid.clone() } else { left.grid.clone() };
    Term::Answer(Answer {
        series,
        label: name(&left.label, &right.label),
        aggregator: left.aggregator.clone(),
        unit: left.unit,
        keys: many.keys.clone(),
        base: (many.base.0.clone(), name(&left.base.1, &right.base.1)),
        grid,
        amounts: left.amounts && right.amounts,
        fill: left.fill,
    })
}
