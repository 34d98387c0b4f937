//! A graph to a plan: one input of a union for each series of the answer.
//!
//! ```text
//! series   scan ─► × scale                                                         raw
//!          scan ─► group ─► × scale                                                raw, of several series of the store
//!          scan ─► × scale ─► aggregate by bucket ─► fill                          bucketed
//! output   raw or bucketed ─► × group's scale                                      operator 0
//!          bucketed of all series ─► across (mean or sum) ─► × group's scale       operator 1, 2
//! graph    union of outputs, and without common gaps if all are bucketed
//! ```

use super::error::Error;
use super::graph::{Graph, Group, Object, Series};
use super::mapping;
use super::range;
use super::request::{Request, Window};
use crate::dialect::exchange::ApiConfig;
use crate::limits::{Exceeded, Limits};
use crate::plan::{
    Across, Aggregate, BinaryOp, Bucket, Call, Expr, Fill, FillWith, Function, GroupBy, Map, Measurements, Node,
    ReportedTime, Scalar, Scan, ScanField,
};
use crate::store::Snapshot;
use crate::time::TimeRange;
use crate::value::FieldType;
use serde_json::Value;

/// The one column of every node.
const VALUE: &str = "value";

/// The answer but for what the plan finds.
#[derive(Debug)]
pub(super) struct Outline {
    /// One for each input of the plan's outermost union.
    pub(super) outputs: Vec<Output>,
    pub(super) window: Window,
    pub(super) percentiles: Vec<f64>,
    /// The graph's options, with a title.
    pub(super) options: Object,
    /// Origin, source and metric of every series that the catalog does not know.
    pub(super) unknown: Vec<[String; 3]>,
}

/// A series of the answer, before its points.
#[derive(Clone, Debug)]
pub(super) struct Output {
    pub(super) name: String,
    pub(super) options: Option<Object>,
    pub(super) bucketed: bool,
    /// A group of an unknown operator is computed, since its gaps and points count, but not shown.
    pub(super) shown: bool,
}

/// What to run, and what its answer is made of. The graph's groups of sources and metrics are expanded.
pub(super) fn compile(request: Request, snapshot: &Snapshot, config: &ApiConfig) -> Result<(Node, Outline), Error> {
    let Request { graph, window, sample, normalize } = request;
    let Graph { name, groups, mut options, .. } = graph;
    let percentiles = percentiles(&options);
    check_size(&groups, normalize, sample, percentiles.len(), &config.limits)?;

    let mut compiler = Compiler { snapshot, config, window, sample, normalize, unknown: Vec::new() };
    let (mut nodes, mut outputs) = (Vec::new(), Vec::new());
    for group in groups {
        compiler.group(group, &mut nodes, &mut outputs);
    }
    let mut plan = Node::Union(nodes);
    if outputs.iter().all(|output| output.bucketed) {
        plan = Node::DropGaps(Box::new(plan));
    }
    options.entry("title").or_insert(Value::String(name));
    Ok((plan, Outline { outputs, window, percentiles, options, unknown: compiler.unknown }))
}

/// The numbers among the wanted percentiles, each once.
fn percentiles(options: &Object) -> Vec<f64> {
    let wanted = options.get("percentiles").and_then(Value::as_array);
    let mut numbers: Vec<f64> = wanted.into_iter().flatten().filter_map(Value::as_f64).collect();
    crate::order::sort_by(&mut numbers, f64::total_cmp);
    numbers.dedup();
    numbers
}

/// Refuses a graph whose buckets and percentiles alone are too many. Raw points are counted when they come.
fn check_size(
    groups: &[Group],
    normalize: bool,
    sample: u64,
    percentiles: usize,
    limits: &Limits,
) -> Result<(), Exceeded> {
    let series = groups.iter().map(|group| group.series.len() as u64).sum();
    let bucketed = groups.iter().filter(|group| normalize || group.operator != 0);
    let bucketed: u64 = bucketed.map(|group| group.series.len() as u64).sum();
    let numbers = bucketed.saturating_mul(sample).saturating_add((percentiles as u64).saturating_mul(series));
    for (limit, asked, allowed) in
        [("graph-series", series, limits.max_graph_series), ("graph-points", numbers, limits.max_total_samples)]
    {
        if asked > allowed {
            return Err(Exceeded { limit, asked, allowed });
        }
    }
    Ok(())
}

struct Compiler<'a> {
    snapshot: &'a Snapshot,
    config: &'a ApiConfig,
    window: Window,
    sample: u64,
    normalize: bool,
    unknown: Vec<[String; 3]>,
}

impl Compiler<'_> {
    /// Adds what a group, which has series, puts into the answer.
    fn group(&mut self, group: Group, nodes: &mut Vec<Node>, outputs: &mut Vec<Output>) {
        let scale = number(&group.options, "scale").filter(|scale| *scale != 0.0);
        let bucketed = self.normalize || group.operator != 0;
        let (consolidation, empty) = (consolidation(&group), Empty::of(&group));
        let mut series = Vec::with_capacity(group.series.len());
        for one in &group.series {
            let points = self.points(one, bucketed);
            series.push(if bucketed { self.bucketed(points, consolidation, empty) } else { points });
        }
        if group.operator == 0 {
            nodes.extend(series.into_iter().map(|node| scaled(node, scale)));
            let series = group.series.into_iter();
            outputs.extend(series.map(|Series { name, options, .. }| Output { name, options, bucketed, shown: true }));
            return;
        }
        let function = if group.operator == 1 { Function::Mean } else { Function::Sum };
        let across = Across { input: Node::Union(series), function, name: String::new() };
        nodes.push(scaled(Node::Across(Box::new(across)), scale));
        let options = group.series.into_iter().next().and_then(|first| first.options);
        outputs.push(Output { name: group.name, options, bucketed, shown: matches!(group.operator, 1 | 2) });
    }

    /// The points of a series in the window, times its scale.
    /// Where rows of several series of the store belong to it, these are merged by time unless they are `bucketed`,
    /// which joins them in any order.
    fn points(&mut self, series: &Series, bucketed: bool) -> Node {
        let (start, end) = (self.window.start.nanos, self.window.end.nanos);
        let Series { origin, source, metric, .. } = series;
        let target = mapping::find(self.snapshot, &self.config.facette, origin, source, metric);
        if target.is_none() {
            self.unknown.push([origin, source, metric].map(String::clone));
        }
        let Some(target) = target.filter(|_| start < end) else {
            return Node::Absent(vec![(VALUE.to_owned(), FieldType::Float)]);
        };
        let several = target.keys.len() > 1;
        let scan = Scan {
            database: series.origin.clone(),
            policy: None,
            measurements: Measurements::Series { measurement: target.measurement, keys: target.keys },
            fields: vec![ScanField { name: target.field, field_type: FieldType::Float, drives: true }],
            tags: Vec::new(),
            predicate: None,
            range: TimeRange::new(start, end - 1),
            descending: false,
        };
        let mut node = Node::Scan(Box::new(scan));
        if several && !bucketed {
            node = Node::Group(Box::new(crate::plan::Group {
                input: node,
                by: GroupBy::Nothing,
                ties: crate::plan::Ties::InOrder,
            }));
        }
        scaled(node, series.options.as_ref().and_then(|options| number(options, "scale")))
    }

    /// One row for every bucket of the window.
    fn bucketed(&self, input: Node, consolidation: Function, empty: Empty) -> Node {
        let (start, end) = (self.window.start.nanos, self.window.end.nanos);
        let bucket = Bucket::Count { count: self.sample, start, end, lower_to_points: true };
        let call = Call { function: consolidation, argument: 0, output: VALUE.to_owned(), carried: Vec::new() };
        let aggregate = Aggregate {
            input,
            by: GroupBy::Nothing,
            bucket: bucket.clone(),
            calls: vec![call],
            time: ReportedTime::BucketStart,
            descending: false,
        };
        let filled = Node::Fill(Box::new(Fill {
            input: Node::Aggregate(Box::new(aggregate)),
            first: Some(start),
            last: Some(end.saturating_sub(1)),
            bucket,
            columns: vec![empty.within.map_or(FillWith::Null, FillWith::LinearWithin)],
            make_rows: true,
            empty_groups: true,
        }));
        if !empty.zero {
            return filled;
        }
        let value = Expr::OrElse { value: Box::new(Expr::Column(0)), other: Scalar::Float(0.0) };
        Node::Map(Box::new(Map { input: filled, columns: vec![(VALUE.to_owned(), value)], drop_empty: false }))
    }
}

fn scaled(input: Node, scale: Option<f64>) -> Node {
    let Some(scale) = scale else { return input };
    let product = Expr::Binary {
        op: BinaryOp::Mul,
        left: Box::new(Expr::Column(0)),
        right: Box::new(Expr::Literal(Scalar::Float(scale))),
    };
    Node::Map(Box::new(Map { input, columns: vec![(VALUE.to_owned(), product)], drop_empty: false }))
}

/// How the points of a bucket become one. A whole number among the options goes before the group's own.
fn consolidation(group: &Group) -> Function {
    let option = number(&group.options, "consolidate").filter(|mode| mode.trunc() == *mode);
    match option.map_or(group.consolidate, |mode| mode as i64) {
        2 => Function::First,
        3 => Function::Last,
        4 => Function::Max,
        5 => Function::Min,
        6 => Function::Sum,
        _ => Function::Mean,
    }
}

/// What becomes of the buckets that no point of a series is in.
#[derive(Clone, Copy, Debug)]
struct Empty {
    /// Nanoseconds between two values that are joined by a line: ours, `fill`, in the words of a range.
    within: Option<i64>,
    /// Those that are still empty are 0.
    zero: bool,
}

impl Empty {
    fn of(group: &Group) -> Self {
        let fill = group.options.get("fill").and_then(Value::as_str);
        Self {
            within: fill.and_then(range::width).filter(|nanos| *nanos > 0),
            zero: group.options.get("zero_nulls") == Some(&Value::Bool(true)),
        }
    }
}

/// An option that is a number.
fn number(options: &Object, name: &str) -> Option<f64> {
    options.get(name)?.as_f64()
}
