//! DogStatsD: lines of datagrams, gathered over an interval and then stored.
//!
//! ```text
//! name:value[:value…]|type[|@rate][|#tag,tag…][|T<seconds>][|c:container][|e:…]
//! ```
//!
//! | type | after the interval |
//! |---|---|
//! | `c` counter | rate `name`: the sum, each value over its rate, a second |
//! | `g` gauge | gauge `name`: the last value |
//! | `s` set | gauge `name`: how many different values |
//! | `h`, `ms` histogram, timing | gauges `name.avg`, `.median`, `.95percentile`, `.max`; rate `name.count` |
//! | `d` distribution | distribution `name`: every value, as often as its rate says |
//!
//! A counter or gauge with a time (`T`) is stored at that time at once. Containers are passed over, events (`_e{`) and
//! checks (`_sc|`) are counted and not kept. What is no line is counted and changes nothing.

use super::metadata::Type;
use super::points::{Points, Submitted};
use crate::catalog::DocumentChanges;
use crate::model::WriteBatch;
use crate::number::parse_f64;
use crate::order;
use crate::sorted::{SortedMap, SortedSet};
use crate::store::Snapshot;
use crate::time::{NANOS_PER_SEC, Timestamp};

/// Metrics with tags that are kept between flushes at most.
const MOST_CONTEXTS: usize = 1 << 20;
/// Values of histograms, distributions and sets that are kept at most, all together.
const MOST_VALUES: usize = 1 << 22;
/// Copies of a sampled value of a distribution at most.
const MOST_COPIES: f64 = 100.0;

/// What has come since the last flush.
#[derive(Debug, Default)]
pub struct Gathered {
    contexts: SortedMap<Context, State>,
    /// Points with times of their own.
    timed: Vec<Submitted>,
    values: usize,
    pub stats: Stats,
}

/// Lines since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    pub taken: u64,
    /// Events and checks.
    pub passed_over: u64,
    /// No lines, or too many at once.
    pub refused: u64,
}

/// What a flush stores.
#[derive(Debug)]
pub struct Flush {
    points: Points,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Context {
    name: String,
    /// Sorted.
    tags: Vec<String>,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Counter,
    Gauge,
    Set,
    Histogram,
    Distribution,
}

#[derive(Debug)]
enum State {
    Sum(f64),
    Last(f64),
    Different(SortedSet<String>),
    /// Values, and how many each stands for.
    Values(Vec<(f64, f64)>),
}

/// A line, taken apart.
struct Line<'a> {
    name: &'a str,
    values: &'a str,
    kind: Kind,
    rate: f64,
    tags: Vec<String>,
    time: Option<i64>,
}

impl Gathered {
    /// Takes in a datagram: lines, ended by line feeds or by its end.
    pub fn take(&mut self, datagram: &[u8]) {
        for line in datagram.split(|byte| *byte == b'\n') {
            let Ok(line) = std::str::from_utf8(line.trim_ascii()) else {
                self.stats.refused += 1;
                continue;
            };
            if line.is_empty() {
                continue;
            }
            if line.starts_with("_e{") || line.starts_with("_sc|") {
                self.stats.passed_over += 1;
                continue;
            }
            match read(line).and_then(|line| self.add(line)) {
                Some(()) => self.stats.taken += 1,
                None => self.stats.refused += 1,
            }
        }
    }

    /// `None` when a value is none; values before it count.
    fn add(&mut self, line: Line<'_>) -> Option<()> {
        let Line { name, values, kind, rate, mut tags, time } = line;
        order::sort_dedup(&mut tags);
        if let Some(secs) = time.filter(|_| matches!(kind, Kind::Counter | Kind::Gauge)) {
            for value in values.split(':') {
                let value = finite(value)? / if kind == Kind::Counter { rate } else { 1.0 };
                let kind = Some(if kind == Kind::Counter { Type::Count } else { Type::Gauge });
                let (metric, tags) = (name.to_owned(), tags.clone());
                self.timed.push(Submitted { metric, tags, kind, points: vec![(secs, value)], ..Submitted::default() });
            }
            return (self.timed.len() <= MOST_VALUES).then_some(());
        }
        let context = Context { name: name.to_owned(), tags, kind };
        if self.values >= MOST_VALUES || self.contexts.len() >= MOST_CONTEXTS && !self.contexts.contains_key(&context) {
            return None;
        }
        for value in values.split(':') {
            let number = if kind == Kind::Set { 0.0 } else { finite(value)? };
            let state = self.contexts.or_insert_with(context.clone(), || match kind {
                Kind::Counter => State::Sum(0.0),
                Kind::Gauge => State::Last(0.0),
                Kind::Set => State::Different(SortedSet::new()),
                Kind::Histogram | Kind::Distribution => State::Values(Vec::new()),
            });
            match state {
                State::Sum(sum) => *sum += number / rate,
                State::Last(last) => *last = number,
                State::Different(different) => {
                    self.values += usize::from(different.insert(value.to_owned(), ()).is_none());
                }
                State::Values(values) => {
                    values.push((number, 1.0 / rate));
                    self.values += 1;
                }
            }
        }
        Some(())
    }

    /// Gives out everything as points of `now`, an interval of so many seconds having passed, and begins anew. `seed` is new
    /// for every flush. `None` if there is nothing.
    pub fn flush(&mut self, now: Timestamp, interval_secs: i64, seed: u64) -> Option<Flush> {
        let secs = now.nanos().div_euclid(NANOS_PER_SEC);
        let mut all = std::mem::take(&mut self.timed);
        let interval = interval_secs.max(1);
        for (context, state) in std::mem::take(&mut self.contexts) {
            flush_one(context, state, secs, interval, &mut all);
        }
        self.values = 0;
        let mut points = Points::default();
        for (at, series) in all.iter().enumerate() {
            // A name without a letter is no metric.
            if points.add(at, series, seed).is_err() {
                self.stats.refused += 1;
            }
        }
        (!points.batch.is_empty()).then_some(Flush { points })
    }
}

impl Flush {
    /// The documents that must change before the points are stored, decided on what is there; `None` if none.
    pub fn documents(&self, snapshot: &Snapshot) -> Option<DocumentChanges> {
        self.points.documents(snapshot)
    }

    pub fn into_batch(self) -> WriteBatch {
        self.points.batch
    }
}

fn flush_one(context: Context, state: State, secs: i64, interval: i64, out: &mut Vec<Submitted>) {
    let Context { name, tags, kind } = context;
    let series = |metric: String, kind: Type, value: f64| Submitted {
        metric,
        tags: tags.clone(),
        kind: Some(kind),
        interval: (kind == Type::Rate).then_some(interval),
        points: vec![(secs, value)],
        ..Submitted::default()
    };
    match state {
        State::Sum(sum) => out.push(series(name, Type::Rate, sum / interval as f64)),
        State::Last(last) => out.push(series(name, Type::Gauge, last)),
        State::Different(different) => out.push(series(name, Type::Gauge, different.len() as f64)),
        State::Values(values) if kind == Kind::Distribution => {
            let mut points = Vec::with_capacity(values.len());
            for (value, weight) in values {
                let copies = weight.clamp(1.0, MOST_COPIES).round() as usize;
                points.extend(std::iter::repeat_n((secs, value), copies));
            }
            out.push(Submitted {
                metric: name,
                tags: tags.clone(),
                points,
                distribution: true,
                ..Submitted::default()
            });
        }
        State::Values(mut values) => {
            order::sort_by(&mut values, |a, b| a.0.total_cmp(&b.0));
            let count: f64 = values.iter().map(|(_, weight)| weight).sum();
            let sum: f64 = values.iter().map(|(value, weight)| value * weight).sum();
            let at = |share: f64| {
                let mut seen = 0.0;
                let reached = |(_, weight): &&(f64, f64)| {
                    seen += weight;
                    seen >= share * count
                };
                values.iter().find(reached).or_else(|| values.last()).map_or(0.0, |(value, _)| *value)
            };
            for (suffix, value) in [
                ("avg", sum / count),
                ("median", at(0.5)),
                ("95percentile", at(0.95)),
                ("max", values.last().map_or(0.0, |(value, _)| *value)),
            ] {
                out.push(series(format!("{name}.{suffix}"), Type::Gauge, value));
            }
            out.push(series(format!("{name}.count"), Type::Rate, count / interval as f64));
        }
    }
}

fn finite(text: &str) -> Option<f64> {
    parse_f64(text.as_bytes()).filter(|value| value.is_finite())
}

fn read(line: &str) -> Option<Line<'_>> {
    let mut parts = line.split('|');
    let (name, values) = parts.next()?.split_once(':')?;
    let kind = match parts.next()? {
        "c" => Kind::Counter,
        "g" => Kind::Gauge,
        "s" => Kind::Set,
        "h" | "ms" => Kind::Histogram,
        "d" => Kind::Distribution,
        _ => return None,
    };
    let mut read = Line { name, values, kind, rate: 1.0, tags: Vec::new(), time: None };
    for part in parts {
        let mut characters = part.chars();
        let first = characters.next();
        let rest = characters.as_str();
        match first {
            Some('@') => read.rate = finite(rest).filter(|rate| *rate > 0.0 && *rate <= 1.0)?,
            Some('#') => read.tags.extend(rest.split(',').filter(|tag| !tag.is_empty()).map(str::to_owned)),
            Some('T') => read.time = Some(rest.parse().ok()?),
            _ => {}
        }
    }
    (!name.is_empty() && !values.is_empty()).then_some(read)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Value;

    fn flushed(gathered: &mut Gathered) -> Vec<(String, f64)> {
        let flush = gathered.flush(Timestamp::from_nanos(100 * NANOS_PER_SEC), 10, 5);
        let Some(flush) = flush else { return Vec::new() };
        let batch = flush.into_batch();
        let mut all: Vec<(String, f64)> = Vec::new();
        for row in &batch.rows {
            let key = crate::model::SeriesKey::from_canonical(batch.series_key(row.series)).unwrap();
            let tags: String = key.tags().map(|(key, value)| format!(",{key}={value}")).collect();
            let Value::Float(value) = batch.value(&batch.cells_of(row)[0]) else { panic!() };
            all.push((format!("{}{tags}@{}", key.measurement(), row.time / NANOS_PER_SEC), value));
        }
        all
    }

    #[track_caller]
    fn check(lines: &str, expected: &[(&str, f64)]) {
        let mut gathered = Gathered::default();
        gathered.take(lines.as_bytes());
        let found = flushed(&mut gathered);
        let found: Vec<(&str, f64)> = found.iter().map(|(name, value)| (&**name, *value)).collect();
        assert_eq!(found, expected, "{lines}");
        assert!(flushed(&mut gathered).is_empty(), "a flush begins anew");
    }

    #[test]
    fn every_type_is_gathered() {
        check("a.b:1|c|#env:prod,x\na.b:2:3|c|@0.5|#x,env:prod\n", &[("a.b,env=prod,x=,@100", 1.1)]);
        check("g:1|g\ng:7|g|c:in-abc", &[("g@100", 7.0)]);
        check("s:a|s\ns:b:a|s", &[("s@100", 2.0)]);
        check(
            "h:4|h\nh:1:2:3|ms",
            &[
                ("h.avg@100", 2.5),
                ("h.median@100", 2.0),
                ("h.95percentile@100", 4.0),
                ("h.max@100", 4.0),
                ("h.count@100", 0.4),
            ],
        );
        check("d:5|d|@0.5\nd:6|d", &[("d@100", 5.0), ("d@100", 5.0), ("d@100", 6.0)]);
        check("t:5|g|T42\nt:6|c|@0.5|T43", &[("t@42", 5.0), ("t@43", 12.0)]);
    }

    #[test]
    fn what_is_no_line_changes_nothing() {
        let mut gathered = Gathered::default();
        gathered.take(b"_e{1,1}:a|b\n_sc|a|0\nnonsense\na:b|c\na:1|q\na:1|c|@2\n:1|c\na:|g\n\xff\xfe\n1:2|g");
        assert_eq!(gathered.stats, Stats { taken: 1, passed_over: 2, refused: 7 });
        assert!(flushed(&mut gathered).is_empty(), "a name needs a letter");
        let pieces = ["a", ":", "1", "|", "c", "g", "ms", "@", "0.5", "#", "x:y", ",", "\n", "T", "e9", "-", "_sc|"];
        let mut state = 11_u64;
        for _ in 0..5_000 {
            let mut text = String::new();
            for _ in 0..10 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(12_345);
                text += pieces[(state >> 33) as usize % pieces.len()];
            }
            gathered.take(text.as_bytes());
        }
        let _ = gathered.flush(Timestamp::from_nanos(0), 10, 1);
    }
}
