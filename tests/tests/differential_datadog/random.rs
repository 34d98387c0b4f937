//! Random worlds, and queries that mean something in them.

use super::language::{Arg, Expr, Modifier, Query, Scope, Width, Words};
use super::reference::{Kind, Metric, Source, Tags, World};
use isopoint_tests::simdisk::Random;
use std::collections::BTreeMap;

/// About when the points are: the hours around the end of summer time in New York, 2023-11-05T06:00:00Z.
pub(super) const ABOUT: i64 = 1_699_164_000;
const HOURS: i64 = 3600;
const DAYS: i64 = 86_400;

pub(super) fn one<'a, T: ?Sized>(random: &mut Random, of: &[&'a T]) -> &'a T {
    of[random.below(of.len())]
}

fn number<T: Copy>(random: &mut Random, of: &[T]) -> T {
    of[random.below(of.len())]
}

pub(super) fn world(random: &mut Random) -> World {
    let kinds = [
        ("gauge.one", Kind::Gauge, None, Some("byte")),
        ("gauge.two", Kind::Gauge, Some(15), None),
        ("gauge.sparse", Kind::Gauge, None, Some("second")),
        ("count.one", Kind::Count, Some(10), Some("request")),
        ("count.two", Kind::Count, None, None),
        ("rate.one", Kind::Rate, Some(10), None),
        ("rate.two", Kind::Rate, None, None),
        ("dist.one", Kind::Distribution, None, None),
    ];
    let metric = |(name, kind, interval, unit): (&str, Kind, Option<i64>, Option<&'static str>)| {
        let mut sources: BTreeMap<Tags, Vec<(i64, f64)>> = BTreeMap::new();
        for _ in 0..1 + random.below(6) {
            let sparse = name == "gauge.sparse";
            sources.insert(tags(random), points(kind == Kind::Distribution, sparse, random));
        }
        let sources = sources.into_iter().map(|(tags, points)| Source { tags, points }).collect();
        Metric { name: name.to_owned(), kind, interval, unit, sources }
    };
    World {
        metrics: kinds.map(metric).into(),
        zones: vec![
            ("UTC", 0, i64::MIN, 0),
            ("America/New_York", -4 * HOURS, ABOUT, -5 * HOURS),
            // No change anywhere near.
            ("Asia/Tokyo", 9 * HOURS, i64::MIN, 9 * HOURS),
        ],
    }
}

fn tags(random: &mut Random) -> Tags {
    let mut tags = Tags::new();
    let mut tag = |key: &str, value: Option<&str>| {
        tags.insert((key.to_owned(), value.map(str::to_owned)));
    };
    if random.percent(85) {
        tag("host", Some(one(random, &["web-1", "web-2", "web-10", "db-1"])));
    }
    if random.percent(70) {
        tag("env", Some(one(random, &["prod", "dev", "prod:east"])));
    }
    if random.percent(30) {
        tag("role", Some(one(random, &["a", "b"])));
        tag("role", Some(one(random, &["b", "c"])));
    }
    if random.percent(20) {
        tag("canary", None);
    }
    tags
}

fn points(distribution: bool, sparse: bool, random: &mut Random) -> Vec<(i64, f64)> {
    let step = if sparse {
        number(random, &[1800, 3 * HOURS, 7000])
    } else {
        number(random, &[1, 5, 10, 10, 15, 60, 60, 300])
    };
    let count = if sparse { 20 + random.below(60) } else { 1 + random.below(250) };
    let begin = ABOUT - if sparse { 4 * DAYS } else { 0 } + random.below(1800) as i64 - 600;
    let dropped = number(random, &[0, 10, 50, 90]);
    // Some lie where a shift finds them.
    let begin = begin - number(random, &[0, 0, 0, HOURS, DAYS]);
    let jitter = random.percent(30);
    let mut points = BTreeMap::new();
    for at in 0..count as i64 {
        if at > 0 && random.percent(dropped) {
            continue;
        }
        let jitter = if jitter { random.below(step as usize) as i64 } else { 0 };
        let values = if distribution { 1 + random.below(4) } else { 1 };
        let values: Vec<f64> = (0..values).map(|_| value(random)).collect();
        points.insert(begin + at * step + jitter, values);
    }
    points.into_iter().flat_map(|(at, values)| values.into_iter().map(move |value| (at, value))).collect()
}

/// Halves, so that most sums are exact.
fn value(random: &mut Random) -> f64 {
    match random.below(10) {
        0 => 0.0,
        1 => -(random.below(40) as f64) / 2.0,
        _ => random.below(200) as f64 / 2.0,
    }
}

/// A window and the expressions asked for it.
pub(super) struct Asked {
    pub(super) from: i64,
    pub(super) to: i64,
    pub(super) expressions: Vec<Expr>,
}

pub(super) fn asked(random: &mut Random) -> Asked {
    let long = random.percent(15);
    let span = if long { DAYS + random.below(8 * DAYS as usize) as i64 } else { 30 + random.below(5400) as i64 };
    let from = if long { ABOUT - span / 2 } else { ABOUT - 600 + random.below(1800) as i64 };
    // Often on a border, as people ask.
    let from = if random.percent(50) { from.div_euclid(60) * 60 } else { from };
    let span = if random.percent(50) { (span.div_euclid(60) * 60).max(60) } else { span };
    let count = if random.percent(20) { 2 } else { 1 };
    let mut maker = Maker { random, long };
    let expressions = (0..count).map(|_| maker.outermost()).collect();
    Asked { from, to: from + span, expressions }
}

struct Maker<'a> {
    random: &'a mut Random,
    /// Days are asked for.
    long: bool,
}

const POINTWISE: &[&str] = &["abs", "log2", "log10", "ceil", "floor", "round"];
const ALONG: &[&str] = &[
    "cumsum",
    "integral",
    "trend_line",
    "ewma_1",
    "ewma_3",
    "ewma_5",
    "ewma_7",
    "ewma_10",
    "ewma_20",
    "median_3",
    "median_5",
    "median_7",
    "median_9",
    "rollingavg_5",
    "rollingavg_13",
];
const CHANGES: &[&str] =
    &["diff", "monotonic_diff", "derivative", "per_second", "per_minute", "per_hour", "throughput"];
const OVER_ALL: &[&str] = &["count_nonzero", "count_nonzero_finite", "count_not_null", "dt"];
const BOUNDS: &[&str] = &["clamp_min", "clamp_max", "cutoff_min", "cutoff_max"];
const BEFORE: &[&str] = &["hour_before", "day_before", "week_before", "month_before"];
const RANKED: &[&str] = &[
    "top5_mean",
    "top10_max",
    "bottom5_min",
    "bottom5_last",
    "top5_area",
    "bottom10_l2norm",
    "bottom15_mean",
    "top20_min",
];

impl Maker<'_> {
    fn outermost(&mut self) -> Expr {
        if !self.random.percent(12) {
            return self.expression(3);
        }
        let inner = self.expression(1);
        if self.random.percent(50) {
            return self.call(RANKED, inner);
        }
        let count = Expr::Number(1.0 + self.random.below(3) as f64);
        let by = one(self.random, &["max", "mean", "min", "sum", "last", "l2norm", "area"]);
        let order = one(self.random, &["asc", "desc"]);
        let text = |text: &str| Arg::Text(text.to_owned());
        Expr::Call("top".to_owned(), vec![Arg::Expr(inner), Arg::Expr(count), text(by), text(order)])
    }

    fn call(&mut self, names: &[&str], inner: Expr) -> Expr {
        Expr::Call(one(self.random, names).to_owned(), vec![Arg::Expr(inner)])
    }

    fn constant(&mut self) -> Expr {
        Expr::Number(number(self.random, &[0.0, 1.0, 2.0, 0.5, -3.0, 10.0, 100.0, 2.5]))
    }

    fn expression(&mut self, depth: usize) -> Expr {
        if depth == 0 || self.random.percent(35) {
            return Expr::Query(self.query());
        }
        if self.random.percent(40) {
            let op = number(self.random, &['+', '-', '*', '/']);
            let (left, right) = match self.random.below(4) {
                0 => (self.constant(), self.expression(depth - 1)),
                1 => (self.expression(depth - 1), self.constant()),
                _ => (self.expression(depth - 1), self.expression(depth - 1)),
            };
            return Expr::Binary(op, Box::new(left), Box::new(right));
        }
        self.function(depth)
    }

    fn function(&mut self, depth: usize) -> Expr {
        let pair = |name: &str, first: Expr, second: Expr| {
            Expr::Call(name.to_owned(), vec![Arg::Expr(first), Arg::Expr(second)])
        };
        match self.random.below(11) {
            0 => {
                let inner = self.expression(depth - 1);
                self.call(POINTWISE, inner)
            }
            1 => {
                let inner = self.expression(depth - 1);
                self.call(ALONG, inner)
            }
            2 | 3 => {
                let inner = self.expression(depth - 1);
                self.call(CHANGES, inner)
            }
            4 => {
                let inner = self.expression(depth - 1);
                self.call(OVER_ALL, inner)
            }
            5 => {
                let name = one(self.random, BOUNDS);
                let (inner, bound) = (self.expression(depth - 1), self.constant());
                pair(name, inner, bound)
            }
            6 => {
                let inner = self.expression(depth - 1);
                self.call(BEFORE, inner)
            }
            7 => {
                let inner = self.expression(depth - 1);
                if self.random.percent(30) {
                    let shift = one(self.random, &["-1d", "-7d", "-1mo"]);
                    let text = |text: &str| Arg::Text(text.to_owned());
                    return Expr::Call("calendar_shift".to_owned(), vec![Arg::Expr(inner), text(shift), text("UTC")]);
                }
                let secs = number(self.random, &[-60, -90, -3600, -1800, -86_400, 300, -7, -20]);
                pair("timeshift", inner, Expr::Number(f64::from(secs)))
            }
            8 => {
                let name = one(self.random, &["min", "max", "minimum", "maximum"]);
                let other = if self.random.percent(30) { self.constant() } else { self.expression(depth - 1) };
                let inner = self.expression(depth - 1);
                pair(name, inner, other)
            }
            9 => {
                let secs = number(self.random, &[10.0, 60.0, 180.0, 1000.0]);
                let method = one(self.random, &["avg", "sum", "min", "max", "count"]);
                let arguments = vec![
                    Arg::Expr(self.expression(depth - 1)),
                    Arg::Expr(Expr::Number(secs)),
                    Arg::Text(method.to_owned()),
                ];
                Expr::Call("moving_rollup".to_owned(), arguments)
            }
            // Of one grid only: what becomes of rows off it is nobody's rule.
            _ => {
                let query = Expr::Query(self.query());
                let inner = if self.random.percent(50) { query } else { self.call(CHANGES, query) };
                let name = one(self.random, &["default_zero", "exclude_null"]);
                Expr::Call(name.to_owned(), vec![Arg::Expr(inner)])
            }
        }
    }

    fn query(&mut self) -> Query {
        let metrics: &[&str] = if self.long {
            &["gauge.sparse", "gauge.sparse", "count.one", "gauge.two"]
        } else {
            &[
                "gauge.one",
                "gauge.two",
                "count.one",
                "count.two",
                "rate.one",
                "rate.two",
                "dist.one",
                "gauge.one",
                "gauge.none",
            ]
        };
        let metric = one(self.random, metrics);
        let mut aggregators = vec!["avg", "sum", "min", "max", "sum", "avg", "count", ""];
        if metric.starts_with("dist") || self.random.percent(10) {
            aggregators.extend(["p50", "p95", "p99.9", "p75", "p1"]);
        }
        let aggregator = Some(one(self.random, &aggregators)).filter(|name| !name.is_empty());
        let by: &[&str] = match self.random.below(8) {
            0 | 1 => &["host"],
            2 => &["env"],
            3 => &["host", "env"],
            4 => &["role"],
            5 => &["canary", "env"],
            _ => &[],
        };
        Query {
            aggregator: aggregator.map(str::to_owned),
            metric: metric.to_owned(),
            scope: self.scope(),
            by: by.iter().map(|key| (*key).to_owned()).collect(),
            modifiers: self.modifiers(),
        }
    }

    fn modifiers(&mut self) -> Vec<Modifier> {
        let mut modifiers = Vec::new();
        if self.random.percent(40) {
            modifiers.push(if self.random.percent(50) { Modifier::AsCount } else { Modifier::AsRate });
        }
        if self.random.percent(60) {
            let method = one(self.random, &["avg", "sum", "sum", "min", "max", "count"]);
            let zone = number(self.random, &[None, Some("UTC"), Some("America/New_York"), Some("Asia/Tokyo")]);
            let width = match self.random.below(10) {
                0 => None,
                1 if self.long => Some(Width::Daily(number(self.random, &[None, Some(0), Some(6), Some(13)]), zone)),
                2 if self.long => Some(Width::Weekly(number(self.random, &[None, Some(2), Some(6)]), zone)),
                3 if self.long => Some(Width::Monthly(number(self.random, &[None, Some(4), Some(31)]), zone)),
                _ => Some(Width::Secs(number(self.random, &[1, 5, 7, 10, 20, 60, 60, 90, 300, 600, 3600]))),
            };
            let method = match &width {
                Some(Width::Secs(_)) => Some(method).filter(|_| self.random.percent(70)),
                _ => Some(method),
            };
            modifiers.push(Modifier::Rollup(method, width));
        }
        if self.random.percent(40) {
            let method = one(self.random, &["linear", "last", "zero", "null"]);
            let limit = number(self.random, &[None, None, Some(10), Some(60), Some(95), Some(600), Some(20_000)]);
            modifiers.push(Modifier::Fill(method, limit));
        }
        if self.random.percent(10) {
            modifiers.push(Modifier::Weighted);
        }
        if self.random.percent(50) {
            modifiers.reverse();
        }
        modifiers
    }

    fn pattern(&mut self, key: &str) -> Option<String> {
        let patterns: &[&str] = match key {
            "host" => &["web-1", "web-2", "web-*", "*-1", "w*b-1*", "*", "db-1", "nobody"],
            "env" => &["prod", "dev", "prod:east", "prod*", "*e*"],
            "role" => &["a", "b", "c", "*"],
            _ => return None,
        };
        Some(one(self.random, patterns).to_owned())
    }

    fn key(&mut self) -> String {
        one(self.random, &["host", "host", "env", "env", "role", "canary"]).to_owned()
    }

    fn scope(&mut self) -> Scope {
        match self.random.below(10) {
            0..=5 => Scope::All,
            6..=7 => {
                let mut tags = Vec::new();
                for _ in 0..1 + self.random.below(3) {
                    let key = self.key();
                    let pattern = self.pattern(&key);
                    tags.push((self.random.percent(35), key, pattern));
                }
                Scope::Tags(tags)
            }
            _ => match self.words(2) {
                // Alone a tag is of the other form.
                Words::Tag(key, pattern) => Scope::Tags(vec![(false, key, pattern)]),
                words => Scope::Words(words),
            },
        }
    }

    fn words(&mut self, depth: usize) -> Words {
        let choice = if depth == 0 { self.random.below(2) } else { self.random.below(6) };
        match choice {
            0 => {
                let key = self.key();
                let pattern = self.pattern(&key);
                Words::Tag(key, pattern)
            }
            1 => {
                let key = one(self.random, &["host", "env", "role"]).to_owned();
                let patterns = (0..1 + self.random.below(3)).filter_map(|_| self.pattern(&key)).collect();
                Words::In { key, negated: self.random.percent(40), patterns }
            }
            2 => Words::Not(Box::new(self.words(depth - 1))),
            3 | 4 => Words::And((0..2 + self.random.below(2)).map(|_| self.words(depth - 1)).collect()),
            _ => Words::Or((0..2 + self.random.below(2)).map(|_| self.words(depth - 1)).collect()),
        }
    }
}
