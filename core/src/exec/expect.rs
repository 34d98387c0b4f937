//! What is to be expected of groups: bands around values, outliers among groups, values to come.
//!
//! | method | how |
//! |---|---|
//! | rolling band | quartiles of the values of the window before; `width` half-ranges (Q3 − Q1, at least 1e-9 of the level) around their middle |
//! | agile band | the value one season ago, and the median of what the quarter of a season before was above its own season ago; the band is `width` median deviations of such misses |
//! | robust band | rolling median over a season (the level) plus the median of what remains at the same place of all seasons; band as above |
//! | deviation | values farther than `tolerance` median distances from the median of all groups at that time; a group with more than `share` of such is out |
//! | density | clusters of groups: neighbours are closer than `tolerance` times the usual distance (root mean squares over common times; the median of every group's median), a cluster needs half of all; who is in none is out |
//! | forecast | the line of least squares; with a season the median season on a line that rises as values do from season to season; band: `width` standard deviations of the misses |

use super::cursor::{ColumnDef, Header, Source};
use super::follow::fit::{self, Line};
use super::table::Table;
use super::tables::{self, TablesSource, float_column, float_header};
use crate::model::Column;
use crate::model::column::Values;
use crate::plan::{Band, Expectation, Outlying};
use crate::sorted::SortedMap;
use crate::time::NANOS_PER_SEC;
use crate::value::FieldType;
use std::sync::Arc;

pub(super) fn source(input: Arc<dyn Source>, method: Expectation, from: i64) -> Arc<dyn Source> {
    let own: Vec<ColumnDef> = match method {
        Expectation::Outliers { .. } => {
            vec![ColumnDef { name: "outlier".to_owned(), field_type: FieldType::Boolean }]
        }
        _ => vec![float_column("lower"), float_column("upper")],
    };
    let header = |header: &Header| {
        let header = float_header(header);
        let first = header.columns.first().cloned().unwrap_or_else(|| float_column("value"));
        Header { columns: std::iter::once(first).chain(own.iter().cloned()).collect(), ..header }
    };
    let groups = input.groups().iter().map(header).collect();
    Arc::new(TablesSource::new(vec![input], groups, Box::new(Expected { method, from })))
}

struct Expected {
    method: Expectation,
    from: i64,
}

/// Rows of a group whose values are there.
struct Points {
    times: Vec<i64>,
    values: Vec<f64>,
}

impl Points {
    fn of(table: &Table) -> Self {
        let there = table.times.iter().copied().zip(tables::first(table)).filter(|(_, value)| !value.is_nan());
        let (times, values) = there.unzip();
        Self { times, values }
    }
}

impl tables::Work for Expected {
    fn run(&self, inputs: Vec<Vec<Table>>) -> Vec<Table> {
        let tables = inputs.into_iter().next().unwrap_or_default();
        match self.method {
            Expectation::Band { method, width } => {
                tables.iter().map(|table| self.banded(table, |points| band(points, method, width))).collect()
            }
            Expectation::Forecast { season, width, step, until } => {
                tables.iter().map(|table| self.cut(forecast(table, season, width, step, until))).collect()
            }
            Expectation::Outliers { method, tolerance, share } => {
                let tables: Vec<Table> = tables.into_iter().map(|table| self.cut(table)).collect();
                let out = outliers(&tables, method, tolerance, share);
                let marked = |(table, out): (Table, bool)| {
                    let flags = Column { values: Values::Boolean(vec![out; table.len()]), present: None };
                    let values = tables::column(tables::first(&table));
                    Table { times: table.times, columns: vec![values, flags] }
                };
                tables.into_iter().zip(out).map(marked).collect()
            }
        }
    }
}

impl Expected {
    /// Without history.
    fn cut(&self, table: Table) -> Table {
        let first = table.times.partition_point(|time| *time < self.from);
        let rows: Vec<u32> = (first as u32..table.len() as u32).collect();
        let mut out = table.emptied();
        out.gather(&table.rows(), &rows);
        out
    }

    /// The table with a band around its values, which `find` gives at the values that are there.
    fn banded(&self, table: &Table, find: impl Fn(&Points) -> Vec<(f64, f64)>) -> Table {
        let bands = find(&Points::of(table));
        let values = tables::first(table);
        let (mut lower, mut upper, mut at) = (Vec::new(), Vec::new(), 0);
        for value in &values {
            let (low, high) = match bands.get(at) {
                Some(band) if !value.is_nan() => *band,
                _ => (f64::NAN, f64::NAN),
            };
            at += usize::from(!value.is_nan());
            lower.push(low);
            upper.push(high);
        }
        let columns = [values, lower, upper].map(tables::column).into();
        self.cut(Table { times: table.times.clone(), columns })
    }
}

fn band(points: &Points, method: Band, width: f64) -> Vec<(f64, f64)> {
    match method {
        Band::Rolling { rows } => rolling(&points.values, rows.max(4), width),
        Band::Agile { season } => agile(points, season, width),
        Band::Robust { season } => {
            let model = Seasonal::fitted(points, season);
            let misses: Vec<f64> =
                points.times.iter().zip(&points.values).map(|(time, value)| value - model.at(*time)).collect();
            let spread = width * spread(&misses, &points.values);
            points.times.iter().map(|time| (model.at(*time) - spread, model.at(*time) + spread)).collect()
        }
    }
}

/// What is usual of misses, never nothing at all.
fn spread(misses: &[f64], values: &[f64]) -> f64 {
    let level = fit::median(&mut values.iter().map(|value| value.abs()).collect::<Vec<_>>());
    let least = 1e-9 * (1.0 + if level.is_nan() { 0.0 } else { level });
    let found = fit::deviation(misses) / 0.6745;
    if found > least { found } else { least }
}

fn rolling(values: &[f64], rows: usize, width: f64) -> Vec<(f64, f64)> {
    let of = |at: usize| {
        // The value itself is seen only where nothing came before.
        let before = &values[at.saturating_sub(rows)..at.max(1)];
        let mut sorted = before.to_vec();
        let (low, middle, high) =
            (fit::quantile(&mut sorted, 0.25), fit::quantile(&mut sorted, 0.5), fit::quantile(&mut sorted, 0.75));
        let reach = width * (high - low).max(1e-9 * (1.0 + middle.abs()));
        (middle - reach, middle + reach)
    };
    (0..values.len()).map(of).collect()
}

fn agile(points: &Points, season: i64, width: f64) -> Vec<(f64, f64)> {
    let Points { times, values } = points;
    let at_or_before = |time: i64| times.partition_point(|own| *own <= time).checked_sub(1);
    let agos: Vec<Option<usize>> = times.iter().map(|time| at_or_before(time.saturating_sub(season))).collect();
    // The value itself says nothing of what is expected of it.
    let moved_before = |at: usize| {
        let first = times.partition_point(|time| *time <= times[at].saturating_sub(season / 4));
        let mut moved: Vec<f64> =
            (first..at).filter_map(|before| Some(values[before] - values[agos[before]?])).collect();
        fit::median(&mut moved)
    };
    let expected_at = |at: usize| match agos[at] {
        Some(ago) => {
            let moved = moved_before(at);
            values[ago] + if moved.is_nan() { 0.0 } else { moved }
        }
        // In the first season: what came just before.
        None => values[at.saturating_sub(1)],
    };
    let expected: Vec<f64> = (0..values.len()).map(expected_at).collect();
    let misses: Vec<f64> = values.iter().zip(&expected).map(|(value, expected)| value - expected).collect();
    let reach = width * spread(&misses, values);
    expected.iter().map(|expected| (expected - reach, expected + reach)).collect()
}

/// A line and what is added to it at each place of a season.
struct Seasonal {
    line: Line,
    season: i64,
    places: SortedMap<i64, f64>,
}

impl Seasonal {
    fn fitted(points: &Points, season: i64) -> Self {
        let Points { times, values } = points;
        let start = times.first().copied().unwrap_or(0);
        // A line through all of it would take a part of the season for a slope.
        let rise = |(time, value): (&i64, &f64)| {
            let ago = times.binary_search(&time.saturating_sub(season)).ok()?;
            Some(value - values[ago])
        };
        let mut rises: Vec<f64> = times.iter().zip(values).filter_map(rise).collect();
        let rise = fit::median(&mut rises);
        let slope = if rise.is_nan() { 0.0 } else { rise * NANOS_PER_SEC as f64 / season.max(1) as f64 };
        let mut line = Line { start, level: 0.0, slope };
        let mut levels: Vec<f64> = times.iter().zip(values).map(|(time, value)| value - line.at(*time)).collect();
        line.level = fit::median(&mut levels);
        let mut found: SortedMap<i64, Vec<f64>> = SortedMap::new();
        for (time, value) in times.iter().zip(values) {
            found.or_default(time.rem_euclid(season.max(1))).push(value - line.at(*time));
        }
        let places = found.into_iter().map(|(place, mut rest)| (place, fit::median(&mut rest))).collect();
        Self { line, season: season.max(1), places }
    }

    fn at(&self, time: i64) -> f64 {
        self.line.at(time) + self.places.get(&time.rem_euclid(self.season)).copied().unwrap_or(0.0)
    }
}

/// The rows there are, then those to come, which alone have a band.
fn forecast(table: &Table, season: Option<i64>, width: f64, step: i64, until: i64) -> Table {
    let points = Points::of(table);
    let mut times = table.times.clone();
    let mut values = tables::first(table);
    let (mut lower, mut upper) = (vec![f64::NAN; times.len()], vec![f64::NAN; times.len()]);
    let (Some(last), Some(line)) = (times.last().copied(), Line::fitted(&points.times, &points.values, None)) else {
        return Table { times, columns: [values, lower, upper].map(tables::column).into() };
    };
    let model = season.map(|season| Seasonal::fitted(&points, season));
    let expected = |time: i64| model.as_ref().map_or_else(|| line.at(time), |model| model.at(time));
    let misses = points.times.iter().zip(&points.values).map(|(time, value)| value - expected(*time));
    let squares = fit::sum(misses.map(|miss| miss * miss)) / points.values.len() as f64;
    let reach = width * squares.sqrt();
    let mut time = last;
    while let Some(next) = time.checked_add(step.max(1)).filter(|next| *next <= until) {
        time = next;
        times.push(time);
        values.push(expected(time));
        lower.push(expected(time) - reach);
        upper.push(expected(time) + reach);
    }
    Table { times, columns: [values, lower, upper].map(tables::column).into() }
}

/// Which groups are unlike the rest.
fn outliers(tables: &[Table], method: Outlying, tolerance: f64, share: f64) -> Vec<bool> {
    let scaled = matches!(method, Outlying::Deviation { scaled: true } | Outlying::Density { scaled: true });
    let mut rows: SortedMap<i64, Vec<f64>> = SortedMap::new();
    for (at, table) in tables.iter().enumerate() {
        for (time, value) in table.times.iter().zip(tables::first(table)) {
            rows.or_insert_with(*time, || vec![f64::NAN; tables.len()])[at] = value;
        }
    }
    let mut rows: Vec<Vec<f64>> = rows.into_iter().map(|(_, values)| values).collect();
    if scaled {
        level(&mut rows, tables.len());
    }
    match method {
        Outlying::Deviation { .. } => by_deviation(&rows, tables.len(), tolerance, share),
        Outlying::Density { .. } => by_density(&rows, tables.len(), tolerance),
    }
}

/// Brings each group to the median's level.
fn level(rows: &mut [Vec<f64>], groups: usize) {
    let there = |at: usize| -> Vec<f64> { rows.iter().map(|row| row[at]).filter(|value| !value.is_nan()).collect() };
    let levels: Vec<f64> = (0..groups).map(|at| fit::median(&mut there(at))).collect();
    let mut known: Vec<f64> = levels.iter().copied().filter(|level| !level.is_nan()).collect();
    let middle = fit::median(&mut known);
    for row in rows {
        for (value, level) in row.iter_mut().zip(&levels) {
            if *level != 0.0 {
                *value = *value / level * middle;
            }
        }
    }
}

fn by_deviation(rows: &[Vec<f64>], groups: usize, tolerance: f64, share: f64) -> Vec<bool> {
    let middles: Vec<f64> = rows
        .iter()
        .map(|row| fit::median(&mut row.iter().copied().filter(|value| !value.is_nan()).collect::<Vec<_>>()))
        .collect();
    let mut distances = Vec::new();
    for (row, middle) in rows.iter().zip(&middles) {
        distances.extend(row.iter().filter(|value| !value.is_nan()).map(|value| (value - middle).abs()));
    }
    let bound = tolerance * fit::median(&mut distances);
    (0..groups)
        .map(|at| {
            let (mut far, mut all) = (0_u32, 0_u32);
            for (row, middle) in rows.iter().zip(&middles).filter(|(row, _)| !row[at].is_nan()) {
                all += 1;
                far += u32::from((row[at] - middle).abs() > bound);
            }
            far > 0 && f64::from(far) >= share * f64::from(all)
        })
        .collect()
}

fn by_density(rows: &[Vec<f64>], groups: usize, tolerance: f64) -> Vec<bool> {
    let distance = |a: usize, b: usize| {
        let (mut sum, mut common) = (0.0, 0.0);
        for row in rows.iter().filter(|row| !row[a].is_nan() && !row[b].is_nan()) {
            sum += (row[a] - row[b]) * (row[a] - row[b]);
            common += 1.0;
        }
        if common > 0.0 { f64::sqrt(sum / common) } else { f64::INFINITY }
    };
    let usual = |a: usize| {
        let others = (0..groups).filter(|b| *b != a).map(|b| distance(a, b));
        fit::median(&mut others.filter(|distance| distance.is_finite()).collect::<Vec<_>>())
    };
    let mut all: Vec<f64> = (0..groups).map(usual).filter(|distance| !distance.is_nan()).collect();
    let near = tolerance * fit::median(&mut all);
    let needed = groups / 2 + 1;
    let neighbours = |a: usize| -> Vec<usize> { (0..groups).filter(|b| distance(a, *b) <= near).collect() };
    let mut inside = vec![false; groups];
    for a in 0..groups {
        let around = neighbours(a);
        if around.len() >= needed {
            around.into_iter().for_each(|b| inside[b] = true);
        }
    }
    inside.into_iter().map(|inside| groups > 2 && !inside).collect()
}
