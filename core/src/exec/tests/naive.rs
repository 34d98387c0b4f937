//! Plans run the plain way, row by row: what the executor is compared with.

mod pool;
mod walk;

use super::world::{Group, Write};
use crate::exec::exact_sum::ExactSum;
use crate::model::SeriesKey;
use crate::plan::{Across, Aggregate, BinaryOp, Bucket, Call, Expr, Fill, FillWith, Function, GroupBy, Limit};
use crate::plan::{Measurements, Node, ReportedTime, Scalar, Scan};
use crate::value::{FieldType, Value};
use std::cmp::Ordering;
use std::collections::BTreeMap;

type Row = (i64, Vec<Option<Scalar>>);

/// The series of a database, and every write to it in order.
pub(super) struct Naive<'a> {
    pub(super) series: &'a [SeriesKey],
    pub(super) writes: &'a [Write],
}

impl Naive<'_> {
    pub(super) fn run(&self, plan: &Node) -> Vec<Group> {
        self.node(plan).into_iter().filter(|group| !group.rows.is_empty()).collect()
    }

    fn node(&self, node: &Node) -> Vec<Group> {
        match node {
            Node::Scan(scan) => self.scan(scan),
            Node::Group(group) => {
                let descending = descending(&group.input);
                join(self.node(&group.input), &group.by, &self.all_tags(), descending)
            }
            Node::Filter(filter) => {
                let mut groups = self.node(&filter.input);
                for group in &mut groups {
                    group.rows.retain(|row| eval(&filter.predicate, &row.1) == Some(Scalar::Boolean(true)));
                }
                groups
            }
            Node::Map(map) => {
                let mut groups = self.node(&map.input);
                for group in &mut groups {
                    group.columns = map.columns.iter().map(|(name, _)| name.clone()).collect();
                    for row in &mut group.rows {
                        row.1 = map.columns.iter().map(|(_, expr)| eval(expr, &row.1)).collect();
                    }
                    group.rows.retain(|row| !map.drop_empty || row.1.iter().any(Option::is_some));
                }
                groups
            }
            Node::Aggregate(aggregate) => {
                let joined = join(self.node(&aggregate.input), &aggregate.by, &self.all_tags(), false);
                joined.into_iter().map(|group| self.aggregate(aggregate, group)).collect()
            }
            Node::Fill(fill) => self.node(&fill.input).into_iter().map(|group| filled(fill, group)).collect(),
            Node::Across(across) => vec![self.across(across)],
            Node::Order(order) => {
                let mut groups = self.node(&order.input);
                if order.descending {
                    groups.reverse();
                }
                groups
            }
            Node::Limit(limit) => page(limit, self.node(&limit.input)),
            Node::Union(inputs) => {
                let all = inputs
                    .iter()
                    .enumerate()
                    .flat_map(|(input, node)| self.node(node).into_iter().map(move |group| Group { input, ..group }));
                all.collect()
            }
            Node::Reduce(reduce) => {
                let descending = descending(&reduce.input);
                self.node(&reduce.input).into_iter().map(|group| walk::reduce(reduce, group, descending)).collect()
            }
            Node::Transform(transform) => {
                self.node(&transform.input).into_iter().map(|group| walk::transform(transform, group)).collect()
            }
            Node::Sort(sort) => {
                let mut groups = self.node(&sort.input);
                for group in &mut groups {
                    group.rows.sort_by(|a, b| match (&a.1[sort.column], &b.1[sort.column]) {
                        (Some(a), Some(b)) if sort.descending => order(b, a),
                        (Some(a), Some(b)) => order(a, b),
                        (a, b) => b.is_some().cmp(&a.is_some()),
                    });
                }
                groups
            }
            Node::Join(inputs) => {
                let sides = inputs.iter().map(|input| (self.node(input), descending(input))).collect();
                walk::joined(sides)
            }
            Node::Absent(_) | Node::DropGaps(_) | Node::Sample(_) | Node::Expect(_) => unreachable!("compared by hand"),
            Node::Merge(merge) => pool::merge(merge, &self.node(&merge.input)),
            Node::Pool(pool) => pool::pool(pool, &self.node(&pool.input)),
            Node::Quantile(quantile) => {
                let groups = self.node(&quantile.input);
                let members = match &quantile.by {
                    GroupBy::Listed(list) => pool::listed(&groups, list),
                    _ => groups.into_iter().map(|group| (group.clone(), vec![group])).collect(),
                };
                pool::quantile(quantile, members)
            }
            Node::Follow(follow) => {
                self.node(&follow.input).into_iter().map(|group| pool::follow(&follow.along, group)).collect()
            }
            Node::Pair(pair) => pool::pair(pair, &self.node(&pair.left), &self.node(&pair.right)),
            Node::Rank(rank) => pool::rank(rank, self.node(&rank.input)),
        }
    }

    fn all_tags(&self) -> Vec<String> {
        let mut keys: Vec<_> = self.series.iter().flat_map(|key| key.tags().map(|(key, _)| key.into_owned())).collect();
        keys.sort();
        keys.dedup();
        keys
    }

    fn scan(&self, scan: &Scan) -> Vec<Group> {
        let mut wanted: Vec<&SeriesKey> = self.series.iter().collect();
        wanted.sort();
        wanted.retain(|key| match &scan.measurements {
            Measurements::Named(names) => names.contains(&key.measurement().into_owned()),
            Measurements::Matching(regex) => regex.is_match(&key.measurement()),
            Measurements::Series { keys, .. } => keys.iter().any(|wanted| wanted == key.as_bytes()),
        });
        let mut groups = Vec::new();
        for key in wanted {
            let at = self.series.iter().position(|other| other == key).unwrap();
            let mut points: BTreeMap<i64, BTreeMap<&str, &Scalar>> = BTreeMap::new();
            for write in self.writes.iter().filter(|write| write.series == at && scan.range.contains(write.time)) {
                let point = points.entry(write.time).or_default();
                point.extend(write.fields.iter().map(|(name, value)| (*name, value)));
            }
            let tag = |tag: &String| key.tag(tag).map(|value| Scalar::String(value.into_owned()));
            let mut rows: Vec<Row> = Vec::new();
            for (time, point) in points {
                let field = |field: &crate::plan::ScanField| cast(point.get(&*field.name)?, field.field_type);
                let values: Vec<_> = scan.fields.iter().map(field).chain(scan.tags.iter().map(tag)).collect();
                let exists = scan.fields.iter().zip(&values).any(|(field, value)| field.drives && value.is_some());
                let passes = |expr| eval(expr, &values) == Some(Scalar::Boolean(true));
                if exists && scan.predicate.as_ref().is_none_or(passes) {
                    rows.push((time, values));
                }
            }
            if scan.descending {
                rows.reverse();
            }
            groups.push(Group {
                name: key.measurement().into_owned(),
                tags: key.tags().map(|(key, value)| (key.into_owned(), value.into_owned())).collect(),
                input: 0,
                columns: scan.fields.iter().map(|field| field.name.clone()).chain(scan.tags.iter().cloned()).collect(),
                rows,
            });
        }
        groups
    }

    fn aggregate(&self, node: &Aggregate, group: Group) -> Group {
        let mut buckets: BTreeMap<i64, Vec<Row>> = BTreeMap::new();
        for row in group.rows {
            if let Some(bucket) = bucket_of(&node.bucket, row.0) {
                buckets.entry(bucket).or_default().push(row);
            }
        }
        let mut rows: Vec<Row> = Vec::new();
        for (bucket, inside) in buckets {
            let chosen: Vec<_> = node.calls.iter().map(|call| aggregate(call, &inside)).collect();
            let values = node.calls.iter().zip(&chosen).flat_map(|(call, chosen)| {
                let carried = call.carried.iter().map(|(at, _)| chosen.as_ref()?.0.as_ref()?.1[*at].clone());
                std::iter::once(chosen.as_ref().map(|(_, value)| value.clone())).chain(carried).collect::<Vec<_>>()
            });
            if chosen.iter().all(Option::is_none) {
                continue;
            }
            let time = match node.time {
                ReportedTime::BucketStart => start_of(&node.bucket, bucket),
                ReportedTime::Fixed(time) => time,
                ReportedTime::Selected => chosen[0].as_ref().unwrap().0.as_ref().unwrap().0,
            };
            rows.push((time, values.collect()));
        }
        if node.descending {
            rows.reverse();
        }
        let columns = node.calls.iter().flat_map(|call| {
            std::iter::once(call.output.clone()).chain(call.carried.iter().map(|(_, name)| name.clone()))
        });
        Group { columns: columns.collect(), rows, ..group }
    }

    fn across(&self, node: &Across) -> Group {
        let groups = self.node(&node.input);
        let columns = groups[0].columns.clone();
        let mut times: BTreeMap<i64, Vec<Row>> = BTreeMap::new();
        for row in groups.into_iter().flat_map(|group| group.rows) {
            times.entry(row.0).or_default().push(row);
        }
        let call =
            |argument: usize| Call { function: node.function, argument, output: String::new(), carried: Vec::new() };
        let value = |rows: &[Row], at| aggregate(&call(at), rows).map(|(_, value)| value);
        let rows = times
            .into_iter()
            .map(|(time, rows)| (time, (0..columns.len()).map(|at| value(&rows, at)).collect()))
            .collect();
        Group { name: node.name.clone(), tags: Vec::new(), input: 0, columns, rows }
    }
}

fn descending(node: &Node) -> bool {
    match node {
        Node::Scan(scan) => scan.descending,
        Node::Map(map) => descending(&map.input),
        Node::Filter(filter) => descending(&filter.input),
        Node::Group(group) => descending(&group.input),
        Node::Reduce(reduce) => descending(&reduce.input),
        Node::Transform(transform) => descending(&transform.input),
        Node::Aggregate(aggregate) => aggregate.descending,
        Node::Fill(fill) => descending(&fill.input),
        _ => false,
    }
}

fn join(groups: Vec<Group>, by: &GroupBy, all: &[String], descending: bool) -> Vec<Group> {
    let mut keys = match by {
        GroupBy::Nothing => Vec::new(),
        GroupBy::Tags(keys) => keys.clone(),
        GroupBy::AllTags => all.to_vec(),
        GroupBy::Each => return groups,
        GroupBy::Listed(list) => {
            let one = |(like, members): (Group, Vec<Group>)| {
                let mut rows: Vec<Row> = members.into_iter().flat_map(|member| member.rows).collect();
                rows.sort_by_key(|row| row.0);
                Group { rows, ..like }
            };
            return pool::listed(&groups, list).into_iter().map(one).collect();
        }
    };
    keys.sort();
    let mut joined: BTreeMap<(String, Vec<(String, String)>), Group> = BTreeMap::new();
    for group in groups {
        let tag = |key: &String| {
            let value = group.tags.iter().find(|(name, _)| name == key).map(|(_, value)| value.clone());
            (key.clone(), value.unwrap_or_default())
        };
        let tags: Vec<_> = keys.iter().map(tag).collect();
        let into = joined.entry((group.name.clone(), tags.clone()));
        let into = into.or_insert_with(|| Group { tags, rows: Vec::new(), input: 0, ..group.clone() });
        // Before the rows of the groups so far: a stable sort keeps that order within a time.
        if descending {
            into.rows.splice(0..0, group.rows);
        } else {
            into.rows.extend(group.rows);
        }
    }
    for group in joined.values_mut() {
        group.rows.sort_by_key(|row| if descending { -row.0 } else { row.0 });
    }
    joined.into_values().collect()
}

fn bucket_of(bucket: &Bucket, time: i64) -> Option<i64> {
    match bucket {
        Bucket::Whole => Some(0),
        Bucket::Every { width, origin } => Some((time - origin).div_euclid(*width)),
        Bucket::Count { count, start, end, .. } => {
            let step = (end - start) / *count as i64;
            let part = (time - start).checked_div_euclid(step)?;
            (0..*count as i64).contains(&part).then_some(part)
        }
        Bucket::Edges(edges) => {
            (0..edges.len() as i64 - 1).find(|at| (edges[*at as usize]..edges[*at as usize + 1]).contains(&time))
        }
    }
}

fn start_of(bucket: &Bucket, number: i64) -> i64 {
    match bucket {
        Bucket::Whole => 0,
        Bucket::Every { width, origin } => number * width + origin,
        Bucket::Count { count, start, end, .. } => start + number * ((end - start) / *count as i64 + 1),
        Bucket::Edges(edges) => edges[number as usize],
    }
}

/// The result, and the row chosen.
fn aggregate(call: &Call, rows: &[Row]) -> Option<(Option<Row>, Scalar)> {
    let there: Vec<(&Row, &Scalar)> =
        rows.iter().filter_map(|row| Some((row, row.1[call.argument].as_ref()?))).collect();
    let whole = |sum: i128, unsigned| {
        if unsigned { Scalar::Unsigned(sum as u64) } else { Scalar::Integer(sum as i64) }
    };
    let count = there.len();
    let first = there.first()?.1;
    let integers = || {
        there.iter().map(|(_, value)| match value {
            Scalar::Integer(value) => i128::from(*value),
            Scalar::Unsigned(value) => i128::from(*value),
            _ => panic!("a number"),
        })
    };
    let floats = || {
        there.iter().map(|(_, value)| match value {
            Scalar::Float(value) => *value,
            _ => panic!("a float"),
        })
    };
    let is_float = first.field_type() == FieldType::Float;
    match call.function {
        Function::Count => return Some((None, Scalar::Integer(count as i64))),
        Function::Sum if is_float => return Some((None, Scalar::Float(floats().collect::<ExactSum>().round()))),
        Function::Sum => {
            return Some((None, whole(integers().sum(), first.field_type() == FieldType::Unsigned)));
        }
        Function::Mean if is_float => {
            return Some((None, Scalar::Float(floats().collect::<ExactSum>().round() / count as f64)));
        }
        Function::Mean => return Some((None, Scalar::Float(integers().sum::<i128>() as f64 / count as f64))),
        _ => {}
    }
    let mut best = there[0];
    for point in &there[1..] {
        let (time, value) = (point.0.0.cmp(&best.0.0), order(point.1, best.1));
        let boolean = first.field_type() == FieldType::Boolean;
        let better = match call.function {
            Function::First => time.then(if boolean { value } else { value.reverse() }).is_lt(),
            Function::Last => time.then(value).is_gt(),
            Function::Min => value.then(time).is_lt(),
            _ => value.reverse().then(time).is_lt(),
        };
        if better {
            best = *point;
        }
    }
    Some((Some(best.0.clone()), best.1.clone()))
}

fn order(a: &Scalar, b: &Scalar) -> Ordering {
    match (a, b) {
        (Scalar::Float(a), Scalar::Float(b)) => a.total_cmp(b),
        (Scalar::Integer(a), Scalar::Integer(b)) => a.cmp(b),
        (Scalar::Unsigned(a), Scalar::Unsigned(b)) => a.cmp(b),
        (Scalar::Boolean(a), Scalar::Boolean(b)) => a.cmp(b),
        (Scalar::String(a), Scalar::String(b)) => a.cmp(b),
        _ => panic!("of one type"),
    }
}

fn filled(fill: &Fill, group: Group) -> Group {
    let mut rows: BTreeMap<i64, Row> = group.rows.iter().map(|row| (row.0, row.clone())).collect();
    let Some(((first, _), (last, _))) = rows.first_key_value().zip(rows.last_key_value()) else { return group };
    let ends = (fill.first.unwrap_or(*first), fill.last.unwrap_or(*last));
    let (from, to) = (bucket_of(&fill.bucket, ends.0).unwrap(), bucket_of(&fill.bucket, ends.1).unwrap());
    if fill.make_rows {
        for bucket in from..=to {
            let time = start_of(&fill.bucket, bucket);
            rows.entry(time).or_insert_with(|| (time, vec![None; group.columns.len()]));
        }
    }
    let mut out: Vec<Row> = rows.into_values().collect();
    for (column, with) in fill.columns.iter().enumerate() {
        let before: Vec<Option<Scalar>> = out.iter().map(|row| row.1[column].clone()).collect();
        for at in 0..out.len() {
            if before[at].is_some() {
                continue;
            }
            let known = |at: &usize| before[*at].is_some();
            let (previous, next) = ((0..at).rev().find(known), (at..out.len()).find(known));
            out[at].1[column] = match with {
                FillWith::Null => None,
                FillWith::Previous => previous.and_then(|previous| before[previous].clone()),
                FillWith::ValueIfAny(_) if before.iter().all(Option::is_none) => None,
                FillWith::Value(value) | FillWith::ValueIfAny(value) => Some(value.clone()),
                FillWith::Linear | FillWith::LinearWithin(_) => previous.zip(next).and_then(|(previous, next)| {
                    if matches!(with, FillWith::LinearWithin(nanos) if out[next].0 - out[previous].0 > *nanos) {
                        return None;
                    }
                    let number = |at: usize| match cast(before[at].as_ref()?, FieldType::Float) {
                        Some(Scalar::Float(value)) => Some(value),
                        _ => None,
                    };
                    let bucket = |at: usize| bucket_of(&fill.bucket, out[at].0).unwrap() as f64;
                    let slope = (number(next)? - number(previous)?) / (bucket(next) - bucket(previous));
                    let value = slope * (bucket(at) - bucket(previous)) + number(previous)?;
                    cast(&Scalar::Float(value), before[next].as_ref()?.field_type())
                }),
            };
        }
    }
    Group { rows: out, ..group }
}

fn page(limit: &Limit, groups: Vec<Group>) -> Vec<Group> {
    let mut seen: BTreeMap<(usize, String), u64> = BTreeMap::new();
    let mut out = Vec::new();
    for mut group in groups {
        let seen = seen.entry((group.input, group.name.clone())).or_default();
        *seen += 1;
        if *seen <= limit.skip_groups || limit.groups.is_some_and(|groups| *seen > limit.skip_groups + groups) {
            continue;
        }
        let rows = group.rows.into_iter().skip(limit.skip_rows as usize);
        group.rows = rows.take(limit.rows.unwrap_or(u64::MAX) as usize).collect();
        out.push(group);
    }
    out
}

fn cast(value: &Scalar, to: FieldType) -> Option<Scalar> {
    Some(match (value, to) {
        (value, to) if value.field_type() == to => value.clone(),
        (Scalar::Integer(value), FieldType::Float) => Scalar::Float(*value as f64),
        (Scalar::Float(value), FieldType::Integer) => Scalar::Integer(value.trunc() as i64),
        (Scalar::Unsigned(value), FieldType::Float) => Scalar::Float(*value as f64),
        _ => return None,
    })
}

/// Enough of the language for the tests.
pub(super) fn eval(expr: &Expr, row: &[Option<Scalar>]) -> Option<Scalar> {
    match expr {
        Expr::Column(at) => row[*at].clone(),
        Expr::Literal(value) => Some(value.clone()),
        Expr::OrElse { value, other } => Some(eval(value, row).unwrap_or_else(|| other.clone())),
        Expr::Cast { value, to } => cast(&eval(value, row)?, *to),
        Expr::Tag(_) | Expr::Mathematics { .. } => unreachable!("compared by hand"),
        Expr::Matches { text, regex, negated, absent_is_empty } => {
            let text = match eval(text, row) {
                Some(Scalar::String(text)) => Some(text),
                None if *absent_is_empty => Some(String::new()),
                _ => None,
            };
            Some(Scalar::Boolean(text.is_some_and(|text| regex.is_match(&text) != *negated)))
        }
        Expr::Binary { op, left, right } => {
            let (left, right) = (eval(left, row), eval(right, row));
            let truth = |value: &Option<Scalar>| *value == Some(Scalar::Boolean(true));
            match op {
                BinaryOp::And => return Some(Scalar::Boolean(truth(&left) && truth(&right))),
                BinaryOp::Or => return Some(Scalar::Boolean(truth(&left) || truth(&right))),
                _ => {}
            }
            let (a, b) = (left.as_ref().map(Scalar::as_value), right.as_ref().map(Scalar::as_value));
            let number = |value: Option<Value<'_>>| match value? {
                Value::Float(value) => Some(value),
                Value::Integer(value) => Some(value as f64),
                Value::Unsigned(value) => Some(value as f64),
                _ => None,
            };
            let compared = match (a, b) {
                (Some(Value::String(a)), Some(Value::String(b))) => Some(a.cmp(b)),
                (Some(Value::Boolean(a)), Some(Value::Boolean(b))) => Some(a.cmp(&b)),
                (None, Some(Value::Boolean(b))) => Some(false.cmp(&b)),
                (Some(Value::Boolean(a)), None) => Some(a.cmp(&false)),
                _ => number(a).zip(number(b)).and_then(|(a, b)| a.partial_cmp(&b)),
            };
            let is = |test: fn(Ordering) -> bool| Some(Scalar::Boolean(compared.is_some_and(test)));
            match op {
                BinaryOp::Equal => is(Ordering::is_eq),
                BinaryOp::NotEqual => is(Ordering::is_ne),
                BinaryOp::Less => is(Ordering::is_lt),
                BinaryOp::LessOrEqual => is(Ordering::is_le),
                BinaryOp::Greater => is(Ordering::is_gt),
                BinaryOp::GreaterOrEqual => is(Ordering::is_ge),
                BinaryOp::Add => Some(Scalar::Float(number(a)? + number(b)?)),
                BinaryOp::Mul => Some(Scalar::Float(number(a)? * number(b)?)),
                BinaryOp::Div => {
                    let (a, b) = (number(a)?, number(b)?);
                    Some(Scalar::Float(if b == 0.0 { 0.0 } else { a / b }))
                }
                _ => unreachable!("compared by hand"),
            }
        }
    }
}
