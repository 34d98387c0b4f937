//! Nodes over the values of many groups at once, group by group and time by time.

use super::{Row, bucket_of, start_of};
use crate::exec::exact_sum::ExactSum;
use crate::exec::tests::world::Group;
use crate::plan::{
    Along, Bucket, Each, Function, Listed, Measure, Merge, Pair, Pool, Quantile, Rank, Reach, ReachMethod, Scalar,
    Smoothing, UNTIL,
};
use std::collections::{BTreeMap, BTreeSet};

type Numbers = BTreeMap<i64, Option<f64>>;

fn number(row: &Row) -> Option<f64> {
    let value = match row.1.first()?.as_ref()? {
        Scalar::Float(value) => *value,
        Scalar::Integer(value) => *value as f64,
        Scalar::Unsigned(value) => *value as f64,
        Scalar::Boolean(value) => f64::from(u8::from(*value)),
        Scalar::String(_) => return None,
    };
    value.is_finite().then_some(value)
}

fn float(value: Option<f64>) -> Option<Scalar> {
    value.filter(|value| value.is_finite()).map(Scalar::Float)
}

fn numbers(group: &Group) -> Numbers {
    group.rows.iter().map(|row| (row.0, number(row))).collect()
}

fn there(numbers: &Numbers) -> Vec<(i64, f64)> {
    numbers.iter().filter_map(|(time, value)| Some((*time, (*value)?))).collect()
}

fn sum(values: impl Iterator<Item = f64>) -> f64 {
    values.collect::<ExactSum>().round()
}

/// The groups that a list makes of others: a name and tags, and the members.
pub(super) fn listed(groups: &[Group], list: &[Listed]) -> Vec<(Group, Vec<Group>)> {
    let of = |listed: &Listed| {
        let members: Vec<Group> = listed.members.iter().filter_map(|at| groups.get(*at as usize)).cloned().collect();
        let like = members.first().or_else(|| groups.first())?.clone();
        Some((Group { tags: listed.tags.clone(), rows: Vec::new(), ..like }, members))
    };
    list.iter().filter_map(of).collect()
}

/// Rows of one float column beside those that were there.
fn replaced(group: Group, value: impl Fn(i64) -> Option<f64>) -> Group {
    let replace = |(time, mut values): Row| {
        values[0] = float(value(time));
        (time, values)
    };
    Group { rows: group.rows.into_iter().map(replace).collect(), ..group }
}

pub(super) fn merge(node: &Merge, groups: &[Group]) -> Vec<Group> {
    let merged = |(like, members): (Group, Vec<Group>)| {
        let rows: BTreeMap<i64, Row> =
            members.into_iter().flat_map(|member| member.rows).map(|row| (row.0, row)).collect();
        Group { rows: rows.into_values().collect(), ..like }
    };
    listed(groups, &node.groups).into_iter().map(merged).collect()
}

fn reached(own: &[(i64, f64)], time: i64, reach: Reach) -> Option<f64> {
    let (start, from) = *own.iter().rfind(|(own, _)| *own < time)?;
    let after = own.iter().find(|(own, _)| *own > time);
    let held = time - start <= reach.limit;
    match (reach.method, after) {
        (ReachMethod::Linear, Some((end, to))) => {
            let share = (time - start) as f64 / (end - start) as f64;
            (end - start <= reach.limit).then(|| from + (to - from) * share)
        }
        (ReachMethod::Linear, None) | (ReachMethod::Last, _) => held.then_some(from),
        (ReachMethod::Zero, _) => held.then_some(0.0),
        (ReachMethod::None, _) => None,
    }
}

pub(super) fn pool(node: &Pool, groups: &[Group]) -> Vec<Group> {
    let inside = |time: i64| time >= node.first && time <= node.last;
    let rows = groups.iter().flat_map(|group| &group.rows);
    let times: BTreeSet<i64> =
        rows.filter(|row| inside(row.0) && (node.every_row || number(row).is_some())).map(|row| row.0).collect();
    let joined = |(like, members): (Group, Vec<Group>)| {
        let own = |group: &Group| group.rows.iter().any(|row| times.contains(&row.0) && number(row).is_some());
        let lives = members.iter().any(|member| own(member) || node.every_row && !member.rows.is_empty());
        let aligned: Vec<Numbers> = members
            .iter()
            .map(|member| {
                let there = there(&numbers(member));
                let own = |time: i64| there.iter().find(|(own, _)| *own == time).map(|(_, value)| *value);
                let aligned = |time: &i64| (*time, own(*time).or_else(|| reached(&there, *time, node.reach)));
                let aligned: Numbers = times.iter().map(aligned).collect();
                match &node.change {
                    Some(along) => followed(along, &aligned),
                    None => aligned,
                }
            })
            .collect();
        let value = |time: i64| {
            let values: Vec<f64> = aligned.iter().filter_map(|member| member[&time]).collect();
            match node.function {
                Function::Count => Some(values.len() as f64).filter(|count| *count > 0.0 || node.every_row),
                Function::Min => values.into_iter().reduce(|a, b| if b < a { b } else { a }),
                Function::Max => values.into_iter().reduce(|a, b| if b > a { b } else { a }),
                _ if values.is_empty() => None,
                Function::Sum => Some(sum(values.into_iter())),
                _ => Some(sum(values.iter().copied()) / values.len() as f64),
            }
        };
        let rows = times.iter().filter(|_| lives).map(|time| (*time, vec![float(value(*time))])).collect();
        Group { columns: like.columns[..1].to_vec(), rows, ..like }
    };
    listed(groups, &node.groups).into_iter().map(joined).collect()
}

pub(super) fn quantile(node: &Quantile, members: Vec<(Group, Vec<Group>)>) -> Vec<Group> {
    let of_group = |(like, members): (Group, Vec<Group>)| {
        let mut buckets: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
        for row in members.iter().flat_map(|member| &member.rows) {
            if let (Some(bucket), Some(value)) = (bucket_of(&node.bucket, row.0), number(row)) {
                buckets.entry(bucket).or_default().push(value);
            }
        }
        let row = |(bucket, mut values): (i64, Vec<f64>)| {
            values.sort_by(f64::total_cmp);
            let at = (values.len() - 1) * node.parts as usize / 10_000;
            (start_of(&node.bucket, bucket), vec![float(Some(values[at]))])
        };
        Group { columns: like.columns[..1].to_vec(), rows: buckets.into_iter().map(row).collect(), ..like }
    };
    members.into_iter().map(of_group).collect()
}

pub(super) fn follow(along: &Along, group: Group) -> Group {
    match along {
        Along::Shift(by) => {
            let until = group.columns.iter().position(|column| column == UNTIL);
            let mut group = replaced(group.clone(), |time| numbers(&group)[&time]);
            for (time, values) in &mut group.rows {
                *time += by;
                if let Some(Some(Scalar::Integer(until))) = until.map(|at| &mut values[at]) {
                    *until += by;
                }
            }
            group
        }
        Along::Spread { bucket, first, last, reach, otherwise } => {
            if group.rows.is_empty() {
                return group;
            }
            let own = there(&numbers(&group));
            let (from, to) = (bucket_of(bucket, *first), bucket_of(bucket, *last));
            let (Some(from), Some(to)) = (from, to) else { return group };
            let labels = (from..=to).map(|number| start_of(bucket, number)).filter(|at| at >= first && at <= last);
            let value = |at: i64| {
                let there = own.iter().find(|(own, _)| *own == at).map(|(_, value)| *value);
                there.or_else(|| reached(&own, at, *reach)).unwrap_or(*otherwise)
            };
            let rows = labels.map(|at| (at, vec![float(Some(value(at)))])).collect();
            Group { rows, ..group }
        }
        Along::Measured { measure, width_secs, at } => {
            let value = measured(*measure, *width_secs, &group);
            let rows = value.into_iter().map(|value| (*at, vec![float(Some(value))])).collect();
            Group { rows, ..group }
        }
        along => {
            let changed = followed(along, &numbers(&group));
            replaced(group, |time| changed[&time])
        }
    }
}

fn followed(along: &Along, values: &Numbers) -> Numbers {
    if let Along::Each(each) = along {
        return values.iter().map(|(time, value)| (*time, each_of(*each, *value).filter(|v| v.is_finite()))).collect();
    }
    let there = there(values);
    let secs = |from: i64, to: i64| (to - from) as f64 / 1e9;
    let at = |at: usize| -> Option<f64> {
        let (time, value) = there[at];
        let before = at.checked_sub(1).map(|before| there[before]);
        let so_far = there[..=at].iter();
        Some(match along {
            Along::Change { per, rising } => {
                let (then, from) = before?;
                let rise = value - from;
                if *rising && rise < 0.0 {
                    return None;
                }
                per.map_or(rise, |per| rise / (secs(then, time) / secs(0, per)))
            }
            Along::Total => sum(so_far.map(|(_, value)| *value)),
            Along::Area => sum(there[..=at].windows(2).map(|pair| secs(pair[0].0, pair[1].0) * pair[1].1)),
            Along::Elapsed => secs(before?.0, time),
            Along::Moving { width, function } => {
                let window: Vec<f64> = so_far.filter(|(own, _)| own + width > time).map(|(_, value)| *value).collect();
                match function {
                    Function::Count => window.len() as f64,
                    Function::Min => window.into_iter().fold(f64::INFINITY, f64::min),
                    Function::Max => window.into_iter().fold(f64::NEG_INFINITY, f64::max),
                    Function::Sum => sum(window.into_iter()),
                    _ => sum(window.iter().copied()) / window.len() as f64,
                }
            }
            Along::MovingCount { count, function: Smoothing::Mean } => {
                let window = &there[(at + 1).saturating_sub(*count)..=at];
                sum(window.iter().map(|(_, value)| *value)) / window.len() as f64
            }
            Along::Exponential { span } => {
                let alpha = 2.0 / (f64::from(*span) + 1.0);
                let mean = |mean: f64, value: f64| alpha * value + (1.0 - alpha) * mean;
                so_far.map(|(_, value)| *value).reduce(mean)?
            }
            _ => unreachable!("compared by hand"),
        })
    };
    let mut changed = values.clone();
    for (place, (time, _)) in there.iter().enumerate() {
        changed.insert(*time, at(place).filter(|value| value.is_finite()));
    }
    changed
}

fn each_of(each: Each, value: Option<f64>) -> Option<f64> {
    match each {
        Each::AtLeast(bound) => return Some(value.unwrap_or(bound).max(bound)),
        Each::AtMost(bound) => return Some(value.unwrap_or(bound).min(bound)),
        _ => {}
    }
    let value = value?;
    Some(match each {
        Each::Abs => value.abs(),
        Each::Ceil => value.ceil(),
        Each::Floor => value.floor(),
        Each::Round => value.round(),
        Each::DropBelow(bound) => Some(value).filter(|value| *value >= bound)?,
        Each::DropAbove(bound) => Some(value).filter(|value| *value <= bound)?,
        Each::DropZero => Some(value).filter(|value| *value != 0.0)?,
        Each::With { op, number, first: true } => op.apply(number, value),
        Each::With { op, number, first: false } => op.apply(value, number),
        _ => unreachable!("compared by hand"),
    })
}

pub(super) fn pair(node: &Pair, left: &[Group], right: &[Group]) -> Vec<Group> {
    let joined = |(a, b): &(u32, u32)| {
        let (a, b) = (left.get(*a as usize)?, right.get(*b as usize)?);
        let tags = if node.named_by_right { b.tags.clone() } else { a.tags.clone() };
        let kept = |column: &String| node.ends.is_none() || column != UNTIL;
        let kept: Vec<usize> = (0..a.columns.len()).filter(|at| kept(&a.columns[*at])).collect();
        let mut columns: Vec<String> = kept.iter().map(|at| a.columns[*at].clone()).collect();
        if node.ends.is_some() {
            columns.push(UNTIL.to_owned());
        }
        let mut out = Group { tags, columns, rows: Vec::new(), ..a.clone() };
        if a.rows.is_empty() || b.rows.is_empty() {
            return Some(out);
        }
        let row_of = |group: &Group, time: i64| group.rows.iter().find(|row| row.0 == time).cloned();
        let times: BTreeSet<i64> = a.rows.iter().chain(&b.rows).map(|row| row.0).collect();
        let mut latest = i64::MIN;
        for time in times {
            let rows = [row_of(a, time), row_of(b, time)];
            let value = |side: usize, zero: &Option<Bucket>| {
                let begins = |bucket: &Bucket| bucket_of(bucket, time).is_some_and(|n| start_of(bucket, n) == time);
                let own = rows[side].as_ref().and_then(number);
                own.or_else(|| zero.as_ref().is_some_and(begins).then_some(0.0))
            };
            let both = value(0, &node.left_zero).zip(value(1, &node.right_zero));
            let mut values = vec![float(both.map(|(x, y)| node.op.apply(x, y)))];
            values.extend(kept.iter().skip(1).map(|at| rows[0].as_ref().and_then(|row| row.1[*at].clone())));
            if let Some(ends) = &node.ends {
                for (side, group) in [a, b].into_iter().enumerate() {
                    let until = group.columns.iter().position(|column| column == UNTIL);
                    let Some(row) = &rows[side] else { continue };
                    let own = match until.and_then(|at| row.1[at].clone()) {
                        Some(Scalar::Integer(until)) => Some(until),
                        _ => bucket_of(&ends[side], time).map(|number| start_of(&ends[side], number + 1)),
                    };
                    latest = latest.max(own.unwrap_or(i64::MIN));
                }
                values.push(Some(Scalar::Integer(latest)));
            }
            out.rows.push((time, values));
        }
        Some(out)
    };
    node.pairs.iter().filter_map(joined).collect()
}

fn measured(measure: Measure, width_secs: f64, group: &Group) -> Option<f64> {
    let values: Vec<f64> = there(&numbers(group)).into_iter().map(|(_, value)| value).collect();
    let last = *values.last()?;
    Some(match measure {
        Measure::Mean => sum(values.iter().copied()) / values.len() as f64,
        Measure::Sum => sum(values.into_iter()),
        Measure::Min => values.into_iter().fold(f64::INFINITY, f64::min),
        Measure::Max => values.into_iter().fold(f64::NEG_INFINITY, f64::max),
        Measure::Last => last,
        Measure::Norm => sum(values.into_iter().map(|value| value * value)).sqrt(),
        Measure::Area => sum(values.into_iter()) * width_secs,
        // As many are at most it as are at least it, or one fewer.
        Measure::Median => {
            let at_most = |most: f64| values.iter().filter(|value| **value <= most).count();
            let half = values.len().div_ceil(2);
            values.iter().copied().filter(|value| at_most(*value) >= half).fold(f64::INFINITY, f64::min)
        }
    })
}

pub(super) fn rank(node: &Rank, groups: Vec<Group>) -> Vec<Group> {
    let measure = |group: &Group| measured(node.measure, node.width_secs, group);
    let measures: Vec<Option<f64>> = groups.iter().map(measure).collect();
    let better = |a: usize, b: usize| -> bool {
        let (Some(x), Some(y)) = (measures[a], measures[b]) else { return false };
        let order = if node.greatest { y.total_cmp(&x) } else { x.total_cmp(&y) };
        order.is_lt() || order.is_eq() && a < b
    };
    let ranked = |(at, group): (usize, Group)| {
        let rank = (0..measures.len()).filter(|other| better(*other, at)).count();
        let kept = measures[at].is_some() && rank < node.count;
        let mut columns = group.columns.clone();
        columns.push("rank".to_owned());
        let add = |row: &Row| {
            let mut values = row.1.clone();
            values[0] = float(number(row));
            values.push(Some(Scalar::Integer(rank as i64)));
            (row.0, values)
        };
        let rows = group.rows.iter().filter(|_| kept).map(add).collect();
        Group { columns, rows, ..group }
    };
    groups.into_iter().enumerate().map(ranked).collect()
}
