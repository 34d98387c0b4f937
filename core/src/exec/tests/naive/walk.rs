//! Steps that walk rows, over whole groups at once.

use super::{Row, bucket_of, cast, order, start_of};
use crate::exec::tests::world::Group;
use crate::plan::{Reduce, Reducer, ReportedTime, Scalar, Transform, Transformer};
use crate::value::FieldType;
use std::collections::BTreeMap;

pub(super) fn reduce(node: &Reduce, group: Group, descending: bool) -> Group {
    let mut buckets: BTreeMap<i64, Vec<Row>> = BTreeMap::new();
    for row in group.rows {
        if let Some(bucket) = bucket_of(&node.bucket, row.0)
            && row.1[node.argument].is_some()
        {
            buckets.entry(bucket).or_default().push(row);
        }
    }
    let mut out: Vec<Vec<Row>> = Vec::new();
    for (bucket, mut inside) in buckets {
        if descending {
            inside.reverse();
        }
        let label = match node.time {
            ReportedTime::Fixed(time) => time,
            _ => start_of(&node.bucket, bucket),
        };
        out.push(reduced(node, &inside, label, descending));
    }
    if descending {
        out.reverse();
    }
    let mut columns = vec![node.output.clone()];
    columns.extend(node.carried.iter().map(|(_, name)| name.clone()));
    Group { columns, rows: out.into_iter().flatten().collect(), ..group }
}

fn reduced(node: &Reduce, rows: &[Row], label: i64, descending: bool) -> Vec<Row> {
    let value = |row: &Row| row.1[node.argument].clone().unwrap();
    let number = |row: &Row| match cast(&value(row), FieldType::Float) {
        Some(Scalar::Float(value)) => value,
        _ => panic!("a number"),
    };
    let mut sorted: Vec<Row> = rows.to_vec();
    sorted.sort_by(|a, b| order(&value(a), &value(b)));
    let one = |value: Option<Scalar>| {
        let mut values = vec![value];
        values.resize(1 + node.carried.len(), None);
        vec![(label, values)]
    };
    let distinct = || {
        let mut first: Vec<Row> = Vec::new();
        for row in rows {
            if !first.iter().any(|seen| order(&value(seen), &value(row)).is_eq()) {
                first.push(row.clone());
            }
        }
        first.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| order(&value(a), &value(b))));
        first
    };
    let mut chosen: Vec<Row> = match &node.reducer {
        Reducer::Median => {
            let half = sorted.len() / 2;
            let middle = if sorted.len() % 2 == 1 {
                number(&sorted[half])
            } else {
                let apart = match (value(&sorted[half - 1]), value(&sorted[half])) {
                    (Scalar::Integer(low), Scalar::Integer(high)) => high.wrapping_sub(low) as f64,
                    (Scalar::Unsigned(low), Scalar::Unsigned(high)) => (high - low) as f64,
                    _ => number(&sorted[half]) - number(&sorted[half - 1]),
                };
                number(&sorted[half - 1]) + apart / 2.0
            };
            return one(Some(Scalar::Float(middle)));
        }
        Reducer::Stddev => {
            if rows.len() < 2 {
                return one(Some(Scalar::Float(f64::NAN)));
            }
            let (mut mean, mut variance) = (0.0, 0.0);
            for (at, row) in rows.iter().enumerate() {
                mean += (number(row) - mean) / (at as f64 + 1.0);
            }
            for row in rows {
                variance += (number(row) - mean) * (number(row) - mean);
            }
            return one(Some(Scalar::Float((variance / (rows.len() as f64 - 1.0)).sqrt())));
        }
        Reducer::CountDistinct => return one(Some(Scalar::Integer(distinct().len() as i64))),
        Reducer::Distinct => distinct(),
        Reducer::Percentile(percent) => {
            let at = (sorted.len() as f64 * percent / 100.0 + 0.5).floor() - 1.0;
            let found = if at < 0.0 { None } else { sorted.get(at as usize) };
            found.into_iter().cloned().collect()
        }
        Reducer::Extreme { greatest, count, per } => {
            let mut best: Vec<(usize, Row)> = rows.iter().cloned().enumerate().collect();
            best.sort_by(|(a_at, a), (b_at, b)| {
                let values = order(&value(a), &value(b));
                (if *greatest { values.reverse() } else { values }).then(a_at.cmp(b_at))
            });
            if !per.is_empty() {
                let mut seen = Vec::new();
                best.retain(|(_, row)| {
                    let key: Vec<_> = per.iter().map(|at| row.1[*at].clone()).collect();
                    let new = !seen.contains(&key);
                    seen.push(key);
                    new
                });
            }
            best.truncate(*count as usize);
            best.sort_by_key(|(_, row)| if descending { -row.0 } else { row.0 });
            return best.into_iter().map(|(_, row)| selected(node, row, label)).collect();
        }
        Reducer::Mode | Reducer::Sample(_) => unreachable!("compared by hand"),
    };
    if descending {
        chosen.reverse();
    }
    chosen.into_iter().map(|row| selected(node, row, label)).collect()
}

fn selected(node: &Reduce, row: Row, label: i64) -> Row {
    let carried = node.carried.iter().map(|(at, _)| row.1[*at].clone());
    let values = std::iter::once(row.1[node.argument].clone()).chain(carried).collect();
    (if node.time == ReportedTime::Selected { row.0 } else { label }, values)
}

pub(super) fn transform(node: &Transform, group: Group) -> Group {
    let points: Vec<(i64, Scalar)> =
        group.rows.iter().filter_map(|row| Some((row.0, row.1[node.argument].clone()?))).collect();
    let float = |value: &Scalar| match cast(value, FieldType::Float) {
        Some(Scalar::Float(value)) => value,
        _ => 0.0,
    };
    let mut rows: Vec<Row> = Vec::new();
    let mut advancing: Vec<(i64, Scalar)> = Vec::new();
    for point in &points {
        if advancing.last().is_none_or(|last| last.0 != point.0) {
            advancing.push(point.clone());
        }
    }
    match &node.transformer {
        Transformer::Derivative { unit, non_negative } => {
            for pair in advancing.windows(2) {
                let change = match (&pair[0].1, &pair[1].1) {
                    (Scalar::Integer(from), Scalar::Integer(to)) => to.wrapping_sub(*from) as f64,
                    (Scalar::Unsigned(from), Scalar::Unsigned(to)) if from > to => -((from - to) as f64),
                    (Scalar::Unsigned(from), Scalar::Unsigned(to)) => (to - from) as f64,
                    (from, to) => float(to) - float(from),
                };
                if !*non_negative || change >= 0.0 {
                    let units = pair[0].0.abs_diff(pair[1].0) as f64 / *unit as f64;
                    rows.push((pair[1].0, vec![Some(Scalar::Float(change / units))]));
                }
            }
        }
        Transformer::Elapsed { unit } => {
            for pair in points.windows(2) {
                rows.push((pair[1].0, vec![Some(Scalar::Integer((pair[1].0 - pair[0].0) / unit))]));
            }
        }
        Transformer::CumulativeSum => {
            let mut sum: Option<Scalar> = None;
            for (time, value) in &points {
                let next = match (sum.as_ref(), value) {
                    (Some(Scalar::Integer(sum)), Scalar::Integer(value)) => Scalar::Integer(sum.wrapping_add(*value)),
                    (Some(Scalar::Unsigned(sum)), Scalar::Unsigned(value)) => {
                        Scalar::Unsigned(sum.wrapping_add(*value))
                    }
                    (Some(sum), value) => Scalar::Float(float(sum) + float(value)),
                    (None, Scalar::Float(value)) => Scalar::Float(0.0 + value),
                    (None, value) => value.clone(),
                };
                rows.push((*time, vec![Some(next.clone())]));
                sum = Some(next);
            }
        }
        other => unreachable!("{other:?} is compared by hand"),
    }
    Group { columns: vec![node.output.clone()], rows, ..group }
}

/// Groups by name and tags, each with whether its rows descend.
pub(super) fn joined(sides: Vec<(Vec<Group>, bool)>) -> Vec<Group> {
    let widths: Vec<usize> =
        sides.iter().map(|(groups, _)| groups.first().map_or(0, |group| group.columns.len())).collect();
    let columns: Vec<String> =
        sides.iter().filter_map(|(groups, _)| groups.first()).flat_map(|group| group.columns.clone()).collect();
    type Rows = BTreeMap<(i64, usize), Vec<Option<Scalar>>>;
    let mut all: BTreeMap<(String, Vec<(String, String)>), (Group, Rows)> = BTreeMap::new();
    let mut before = 0;
    let descending = sides.iter().any(|(_, descending)| *descending);
    for ((groups, _), width) in sides.into_iter().zip(widths) {
        for group in groups {
            let key = (group.name.clone(), group.tags.clone());
            let empty = Group { columns: columns.clone(), rows: Vec::new(), ..group.clone() };
            let (_, rows) = all.entry(key).or_insert_with(|| (empty, BTreeMap::new()));
            let mut last: Option<(i64, usize)> = None;
            for (time, values) in group.rows {
                let number = last.filter(|(before, _)| *before == time).map_or(0, |(_, number)| number + 1);
                last = Some((time, number));
                let row = rows.entry((if descending { -time } else { time }, number));
                let row = row.or_insert_with(|| vec![None; columns.len()]);
                row[before..before + width].clone_from_slice(&values);
            }
        }
        before += width;
    }
    let made = all.into_values().map(|(group, rows)| {
        let rows = rows.into_iter().map(|((time, _), values)| (if descending { -time } else { time }, values));
        Group { rows: rows.collect(), ..group }
    });
    made.collect()
}
