//! `avg:metric{scope} by {keys}` to nodes.

use super::{Compiler, Group, Missing, NO_REACH, Operand};
use crate::dialect::datadog::ast::{Aggregator, As, Query, Scope, Tag};
use crate::dialect::datadog::error::Error;
use crate::dialect::datadog::grid::{Grid, nanos};
use crate::dialect::datadog::metadata::{Metadata, Type};
use crate::dialect::datadog::names;
use crate::dialect::datadog::parse::REACH_SECS;
use crate::dialect::datadog::sources::{self, Place, Sources};
use crate::order;
use crate::plan::{
    Aggregate, Along, BinaryOp, Call, Each, Expr, Follow, Function, GroupBy, Listed, Map, Measurements, Merge, Node,
    PairOp, Pool, Quantile, Reach, ReachMethod, ReportedTime, Scalar, Scan, ScanField,
};
use crate::sorted::SortedMap;
use crate::time::TimeRange;
use crate::value::FieldType;

/// The one column of every node.
const VALUE: &str = "value";

/// How points of a source become one per bucket.
struct TimeAggregation {
    function: Function,
    /// What the results are multiplied with, then divided by.
    scale: (f64, f64),
    name: &'static str,
}

/// What may be done along each source.
pub(super) enum Change {
    Along(Along),
    /// Over the seconds of a bucket.
    OverWidth,
}

impl Change {
    fn along(self, interval: i64) -> Along {
        match self {
            Self::Along(along) => along,
            Self::OverWidth => Along::Each(Each::With { op: PairOp::Div, number: interval as f64, first: false }),
        }
    }
}

impl Compiler<'_> {
    /// `change` is taken along each source before the space aggregation; where all values of a group are merged, along
    /// the group after it.
    pub(super) fn query(&mut self, query: &Query, change: Option<Change>) -> Result<Operand, Error> {
        let metadata = Metadata::of(self.request.snapshot, &query.metric);
        let data = sources::data(self.request.snapshot, self.request.database);
        let places = data.map(|(_, policy)| sources::places(policy, &query.metric)).unwrap_or_default();
        let found = data.map(|(database, _)| sources::find(database, &places, &query.scope)).unwrap_or_default();
        if places.is_empty() {
            let known = data.map(|(database, policy)| sources::metrics(database, policy)).unwrap_or_default();
            let near = names::nearest(&query.metric, known.keys().map(String::as_str));
            let near = near.into_iter().map(str::to_owned).collect();
            self.missing.push(Missing::Metric { name: query.metric.clone(), near });
        } else if found.is_empty() {
            self.missing.push(Missing::Source { name: query.metric.clone(), scope: scope_text(query, &[]) });
        }
        let amounts = query.modifiers.kind.filter(|_| matches!(metadata.kind, Type::Count | Type::Rate));
        let merged = metadata.kind == Type::Distribution || matches!(query.aggregator, Some(Aggregator::Percentile(_)));
        let reach = match query.modifiers.fill {
            _ if merged => NO_REACH,
            Some(fill) => Reach { method: fill.method, limit: nanos(fill.limit_secs) },
            None if amounts.is_some() => NO_REACH,
            None => Reach { method: ReachMethod::Linear, limit: nanos(REACH_SECS) },
        };
        let beside = if reach.method == ReachMethod::None { 0 } else { reach.limit / nanos(1) };
        let least = amounts.and(metadata.interval).unwrap_or(1).max(1);
        let rollup = query.modifiers.rollup.as_ref();
        let window = (self.request.from, self.request.to);
        let grid = match self.request.interval {
            Some(secs) if rollup.is_none_or(|rollup| rollup.width.is_none()) => {
                Grid::every(Grid::width(window.1 - window.0, Some(secs), least), self.moved)
            }
            _ => Grid::new(rollup, window, least, beside.saturating_add(self.history), self.moved)?,
        };
        let span = grid.span(self.from(), self.request.to);
        if span.is_none() {
            self.missing.push(Missing::Bucket { interval: grid.interval });
        }
        let time = time_aggregation(query, &metadata, amounts, grid.interval);
        let (groups, listed) = grouped(query, &found, span.is_some());
        let node = match span {
            Some(span) if !groups.is_empty() => {
                let reached = grid.span(self.from().saturating_sub(beside), self.request.to.saturating_add(beside));
                let reached = reached.unwrap_or(span);
                let range = TimeRange::new(nanos(reached.0), nanos(grid.end_of(reached.1)) - 1);
                let change = change.map(|change| change.along(grid.interval));
                let points = self.points(&places, &found, range);
                let bucket = grid.bucket();
                if merged {
                    let by = GroupBy::Listed(listed);
                    let node = match query.aggregator {
                        Some(Aggregator::Percentile(parts)) => {
                            Node::Quantile(Box::new(Quantile { input: points, by, bucket, parts }))
                        }
                        _ => aggregate(points, by, bucket, space(query)),
                    };
                    match change {
                        Some(along) => Node::Follow(Box::new(Follow { input: node, along })),
                        None => node,
                    }
                } else {
                    let rolled = aggregate(points, GroupBy::Each, bucket, time.function);
                    Node::Pool(Box::new(Pool {
                        input: scaled(rolled, time.scale),
                        groups: listed,
                        first: nanos(span.0),
                        last: nanos(span.1),
                        reach,
                        change,
                        function: space(query),
                        every_row: false,
                    }))
                }
            }
            _ => Node::Union(Vec::new()),
        };
        let scope = scope_text(query, &[]);
        Ok(Operand {
            node,
            groups,
            keys: query.by.clone(),
            aggregator: query.aggregator_text.clone(),
            label: query.metric.clone(),
            base: (scope.clone(), expression_text(query, &scope)),
            units: metadata.units(),
            grid,
            amounts: amounts.is_some(),
            mixed: false,
            reach,
            method: if merged { "all values" } else { time.name },
            sources: found.len(),
        })
    }

    /// The points of every source, a group each, in the order of sources.
    fn points(&self, places: &[Place], found: &Sources, range: TimeRange) -> Node {
        let (mut nodes, mut keys) = (Vec::new(), vec![Vec::new(); places.len()]);
        // Series stand place by place, so a source may have to be put together again.
        let mut members = vec![Vec::new(); found.len()];
        for (at, source) in found.iter().enumerate() {
            for (place, key) in &source.series {
                keys[*place].push((at, key));
            }
        }
        let (mut group, mut in_order) = (0_u32, true);
        for (place, keys) in places.iter().zip(keys).filter(|(_, keys)| !keys.is_empty()) {
            for (source, _) in &keys {
                members[*source].push(group);
                in_order &= *source == group as usize;
                group += 1;
            }
            nodes.push(self.scan(place, keys.iter().map(|(_, key)| key.as_bytes().to_vec()).collect(), range));
        }
        let input = if nodes.len() == 1 { nodes.remove(0) } else { Node::Union(nodes) };
        if in_order && group as usize == found.len() {
            return input;
        }
        let groups = members.into_iter().map(|members| Listed { tags: Vec::new(), members }).collect();
        Node::Merge(Box::new(Merge { input, groups }))
    }

    fn scan(&self, place: &Place, keys: Vec<Vec<u8>>, range: TimeRange) -> Node {
        let field_type = if place.boolean { FieldType::Boolean } else { FieldType::Float };
        let scan = Node::Scan(Box::new(Scan {
            database: self.request.database.to_owned(),
            policy: None,
            measurements: Measurements::Series { measurement: place.measurement.clone(), keys },
            fields: vec![ScanField { name: place.field.clone(), field_type, drives: true }],
            tags: Vec::new(),
            predicate: None,
            range,
            descending: false,
        }));
        if place.boolean {
            // Booleans become 1 and 0, which this leaves as they are.
            return Node::Follow(Box::new(Follow { input: scan, along: Along::Each(Each::Abs) }));
        }
        scan
    }
}

fn aggregate(input: Node, by: GroupBy, bucket: crate::plan::Bucket, function: Function) -> Node {
    let call = Call { function, argument: 0, output: VALUE.to_owned(), carried: Vec::new() };
    Node::Aggregate(Box::new(Aggregate {
        input,
        by,
        bucket,
        calls: vec![call],
        time: ReportedTime::BucketStart,
        descending: false,
    }))
}

/// Divided, not multiplied with a reciprocal: 49 in 49 seconds is 1 a second.
fn scaled(input: Node, (factor, divisor): (f64, f64)) -> Node {
    let mut value = Expr::Column(0);
    for (op, number) in [(BinaryOp::Mul, factor), (BinaryOp::Div, divisor)] {
        if number != 1.0 {
            let right = Box::new(Expr::Literal(Scalar::Float(number)));
            value = Expr::Binary { op, left: Box::new(value), right };
        }
    }
    if matches!(value, Expr::Column(_)) {
        return input;
    }
    Node::Map(Box::new(Map { input, columns: vec![(VALUE.to_owned(), value)], drop_empty: false }))
}

fn space(query: &Query) -> Function {
    match query.aggregator {
        Some(Aggregator::Plain(function)) => function,
        _ => Function::Mean,
    }
}

fn time_aggregation(query: &Query, metadata: &Metadata, amounts: Option<As>, interval: i64) -> TimeAggregation {
    let asked = query.modifiers.rollup.as_ref().and_then(|rollup| rollup.method);
    let named = |function: Function, scale: (f64, f64)| TimeAggregation {
        function,
        scale,
        name: if function == Function::Mean { "avg" } else { function.name() },
    };
    let width = interval as f64;
    let stands_for = metadata.interval.map(|secs| secs as f64);
    if let Some(kind) = amounts {
        return match asked {
            Some(function) if function != Function::Sum => named(function, (1.0, 1.0)),
            _ => {
                let amount = if metadata.kind == Type::Rate { stands_for.unwrap_or(width) } else { 1.0 };
                named(Function::Sum, (amount, if kind == As::Rate { width } else { 1.0 }))
            }
        };
    }
    let sums = query.aggregator == Some(Aggregator::Plain(Function::Sum));
    if query.modifiers.weighted
        && sums
        && metadata.kind == Type::Gauge
        && let Some(secs) = stands_for
    {
        return named(Function::Sum, (secs, width));
    }
    named(asked.unwrap_or(Function::Mean), (1.0, 1.0))
}

/// The groups of the answer, by scope, and their sources.
fn grouped(query: &Query, found: &Sources, any_bucket: bool) -> (Vec<Group>, Vec<Listed>) {
    let members = if any_bucket { found.groups(&query.by) } else { SortedMap::new() };
    let mut groups: Vec<(Group, Vec<u32>)> = Vec::with_capacity(members.len());
    for (mut tags, members) in members {
        let scope = scope_text(query, &tags);
        order::sort_few(&mut tags);
        let expression = expression_text(query, &scope);
        groups.push((Group { tags, scope, expression }, members));
    }
    order::sort_by(&mut groups, |(a, _), (b, _)| a.scope.cmp(&b.scope));
    let listed = groups.iter().map(|(group, members)| Listed { tags: group.tags.clone(), members: members.clone() });
    let listed = listed.collect();
    (groups.into_iter().map(|(group, _)| group).collect(), listed)
}

/// The scope of a group: what is filtered by, with the group's own tags in place of those of its keys.
fn scope_text(query: &Query, group: &[(String, String)]) -> String {
    let mut own: Vec<String> = group.iter().map(|(key, value)| format!("{key}:{value}")).collect();
    match &query.scope {
        Scope::All => {}
        Scope::Tags(items) => {
            for (negated, tag) in items.iter().filter(|(_, tag)| !group.iter().any(|(key, _)| *key == tag.key)) {
                let bang = if *negated { "!" } else { "" };
                own.push(format!("{bang}{}", tag_text(tag)));
            }
        }
        Scope::Boolean(_, text) => {
            order::sort_dedup(&mut own);
            own.insert(0, text.clone());
            return own.join(",");
        }
    }
    order::sort_dedup(&mut own);
    if own.is_empty() { "*".to_owned() } else { own.join(",") }
}

fn tag_text(tag: &Tag) -> String {
    match &tag.value {
        Some(value) => format!("{}:{value}", tag.key),
        None => tag.key.clone(),
    }
}

fn expression_text(query: &Query, scope: &str) -> String {
    let aggregator = query.aggregator_text.as_deref().map_or_else(String::new, |name| format!("{name}:"));
    format!("{aggregator}{}{{{scope}}}{}", query.metric, query.modifiers.text)
}
