//! A plan's nodes to sources.

use super::absent::AbsentSource;
use super::aggregate::{self, AggregateSource};
use super::cursor::Source;
use super::expect;
use super::fill::{self, FillSource};
use super::follow;
use super::gaps::GapsSource;
use super::group::{GroupSource, Grouping};
use super::join::JoinSource;
use super::limit::LimitSource;
use super::map::{FilterSource, MapSource};
use super::merged;
use super::pair;
use super::pool;
use super::quantile::QuantileSource;
use super::rank;
use super::sample::SampleSource;
use super::scan::ScanSource;
use super::task::QueryError;
use super::union::UnionSource;
use super::walk::WalkSource;
use crate::extent::FULL;
use crate::limits::Limits;
use crate::plan::{Bucket, FillWith, Node, Pair, Pool, Rank};
use crate::store::Snapshot;
use std::sync::Arc;

pub(super) struct Built {
    pub(super) source: Arc<dyn Source>,
    pub(super) scans: Vec<Arc<ScanSource>>,
    /// Groups do not depend on each other.
    pub(super) separable: bool,
    /// The most parts of any bucket that waits for the most points of any series; 0 if none does.
    pub(super) most_parts: u64,
}

pub(super) fn build(plan: Node, snapshot: &Snapshot, limits: &Limits) -> Result<Built, QueryError> {
    let mut builder = Builder { snapshot, limits, scans: Vec::new(), most_parts: 0, most_rows: None };
    let separable = separable(&plan);
    let source = builder.node(plan, false)?;
    Ok(Built { source, scans: builder.scans, separable, most_parts: builder.most_parts })
}

struct Builder<'a> {
    snapshot: &'a Snapshot,
    limits: &'a Limits,
    scans: Vec<Arc<ScanSource>>,
    most_parts: u64,
    /// Set by a limit for the `Group` or `Aggregate` below it of which no more rows can be needed.
    most_rows: Option<u64>,
}

impl Builder<'_> {
    /// `reversed` asks for groups in reverse, which the first node that makes groups sees to.
    fn node(&mut self, node: Node, reversed: bool) -> Result<Arc<dyn Source>, QueryError> {
        let descending = descending(&node);
        Ok(match node {
            Node::Scan(scan) => {
                let scan = Arc::new(ScanSource::new(*scan, reversed, self.snapshot, self.limits)?);
                self.scans.push(Arc::clone(&scan));
                scan
            }
            Node::Group(group) => {
                let most_rows = self.most_rows.take();
                let source = self.node(group.input, false)?;
                let grouping = Grouping::new(&*source, &group.by, reversed);
                Arc::new(GroupSource { input: source, grouping, descending, ties: group.ties, most_rows })
            }
            Node::Map(map) => Arc::new(MapSource::new(self.node(map.input, reversed)?, map.columns, map.drop_empty)),
            Node::Aggregate(aggregate) => {
                let most_rows = self.most_rows.take();
                let separable = separable(&aggregate.input);
                let source = self.node(aggregate.input, false)?;
                self.most_parts = self.most_parts.max(waiting_parts(&aggregate.bucket));
                let (bucket, calls, time) = (aggregate.bucket, aggregate.calls, aggregate.time);
                let work = aggregate::Work { bucket: Some(bucket), calls, time, descending, separable, most_rows };
                Arc::new(AggregateSource::new(source, &aggregate.by, work, reversed))
            }
            Node::Fill(fill) => {
                self.most_parts = self.most_parts.max(waiting_parts(&fill.bucket));
                let shared = fill::Shared {
                    first: fill.first,
                    last: fill.last,
                    bucket: fill.bucket,
                    columns: fill.columns,
                    make_rows: fill.make_rows,
                    empty_groups: fill.empty_groups,
                    descending,
                };
                Arc::new(FillSource { input: self.node(fill.input, reversed)?, shared: Arc::new(shared) })
            }
            Node::Order(order) => self.node(order.input, reversed != order.descending)?,
            Node::Limit(mut limit) => {
                if self.gives_first_rows(&limit.input) {
                    self.most_rows = limit.rows.map(|rows| rows.saturating_add(limit.skip_rows));
                }
                let input = std::mem::replace(&mut limit.input, Node::Join(Vec::new()));
                Arc::new(LimitSource::new(self.node(input, reversed)?, &limit, reversed))
            }
            // The rest of the nodes is the full engine's.
            _ if !FULL => return Err(QueryError::Beyond),
            node => self.further(node, reversed, descending)?,
        })
    }
}

impl Builder<'_> {
    /// The nodes that no plain SELECT has.
    fn further(&mut self, node: Node, reversed: bool, descending: bool) -> Result<Arc<dyn Source>, QueryError> {
        Ok(match node {
            Node::Absent(columns) => Arc::new(AbsentSource::new(columns)),
            Node::Filter(filter) => {
                Arc::new(FilterSource { input: self.node(filter.input, reversed)?, predicate: filter.predicate })
            }
            Node::Reduce(mut reduce) => {
                let source = self.node(std::mem::replace(&mut reduce.input, Node::Join(Vec::new())), reversed)?;
                Arc::new(WalkSource::reduce(source, *reduce, descending)?)
            }
            Node::Transform(mut transform) => {
                let source = self.node(std::mem::replace(&mut transform.input, Node::Join(Vec::new())), reversed)?;
                Arc::new(WalkSource::transform(source, *transform, descending)?)
            }
            Node::Sort(mut sort) => {
                let source = self.node(std::mem::replace(&mut sort.input, Node::Join(Vec::new())), reversed)?;
                Arc::new(WalkSource::sort(source, &sort))
            }
            Node::Join(inputs) => {
                let mut sources = Vec::with_capacity(inputs.len());
                for node in inputs {
                    sources.push(self.node(node, false)?);
                }
                Arc::new(JoinSource::new(sources, descending, reversed))
            }
            Node::Across(across) => {
                let separable = separable(&across.input);
                let source = self.node(across.input, false)?;
                Arc::new(AggregateSource::across(source, across.function, across.name, descending, separable))
            }
            Node::DropGaps(inner) => Arc::new(GapsSource::new(self.node(*inner, reversed)?)),
            Node::Sample(sample) => {
                let source = self.node(sample.input, reversed)?;
                Arc::new(SampleSource::new(source, sample.method, sample.points, descending))
            }
            Node::Union(inputs) => {
                let mut sources = Vec::with_capacity(inputs.len());
                for node in inputs {
                    sources.push(self.node(node, reversed)?);
                }
                Arc::new(UnionSource::new(sources, reversed))
            }
            Node::Merge(_)
            | Node::Pool(_)
            | Node::Quantile(_)
            | Node::Follow(_)
            | Node::Pair(_)
            | Node::Rank(_)
            | Node::Expect(_) => self.pooled(node)?,
            Node::Scan(_)
            | Node::Group(_)
            | Node::Map(_)
            | Node::Aggregate(_)
            | Node::Fill(_)
            | Node::Order(_)
            | Node::Limit(_) => self.node(node, reversed)?,
        })
    }
}

impl Builder<'_> {
    /// Whether the first rows of a node follow from the first rows of a `Group` or an `Aggregate` below it, and nothing
    /// between them turns one row into several.
    fn gives_first_rows(&self, node: &Node) -> bool {
        match node {
            Node::Group(_) => true,
            // The limit's words depend on how many buckets there are in all.
            Node::Aggregate(aggregate) => {
                matches!(aggregate.bucket, Bucket::Every { .. }) && self.limits.max_select_buckets == 0
            }
            Node::Order(order) => self.gives_first_rows(&order.input),
            Node::Map(map) => !map.drop_empty && self.gives_first_rows(&map.input),
            // Rows it makes stand before rows that are there, so that there are no fewer.
            Node::Fill(fill) => {
                let looks_ahead = |with: &FillWith| {
                    matches!(with, FillWith::Linear | FillWith::LinearWithin(_) | FillWith::ValueIfAny(_))
                };
                matches!(fill.input, Node::Aggregate(_))
                    && !fill.columns.iter().any(looks_ahead)
                    && self.gives_first_rows(&fill.input)
            }
            _ => false,
        }
    }
}

impl Builder<'_> {
    /// The nodes that need all groups of their input. Their groups keep their order, whoever wants them reversed.
    fn pooled(&mut self, node: Node) -> Result<Arc<dyn Source>, QueryError> {
        Ok(match node {
            Node::Merge(node) => merged::source(self.node(node.input, false)?, node.groups),
            Node::Pool(node) => {
                let Pool { input, groups, first, last, reach, change, function, every_row } = *node;
                pool::source(
                    self.node(input, false)?,
                    groups,
                    pool::Work { first, last, reach, change, function, every_row },
                )
            }
            Node::Quantile(node) => {
                let input = self.node(node.input, false)?;
                Arc::new(QuantileSource::new(input, &node.by, node.bucket, node.parts))
            }
            Node::Follow(node) => follow::source(self.node(node.input, false)?, node.along),
            Node::Pair(node) => {
                let Pair { left, right, op, pairs, named_by_right, left_zero, right_zero, ends } = *node;
                let (left, right) = (self.node(left, false)?, self.node(right, false)?);
                pair::source(left, right, &pairs, named_by_right, op, [left_zero, right_zero], ends)
            }
            Node::Rank(node) => {
                let Rank { input, measure, count, greatest, width_secs } = *node;
                rank::source(self.node(input, false)?, rank::Work { measure, count, greatest, width_secs })
            }
            Node::Expect(node) => expect::source(self.node(node.input, false)?, node.method, node.from),
            node => self.node(node, false)?,
        })
    }
}

/// The parts of a bucket that waits for the most points of any series; 0 if it does not.
const fn waiting_parts(bucket: &Bucket) -> u64 {
    match bucket {
        Bucket::Count { count, lower_to_points: true, .. } if FULL => *count,
        _ => 0,
    }
}

/// Whether rows of a node come latest first.
fn descending(node: &Node) -> bool {
    match node {
        Node::Scan(scan) => scan.descending,
        Node::Absent(_) => false,
        Node::Aggregate(aggregate) => aggregate.descending,
        Node::Group(group) => descending(&group.input),
        Node::Reduce(reduce) => descending(&reduce.input),
        Node::Transform(transform) => descending(&transform.input),
        Node::Sort(sort) => descending(&sort.input),
        Node::Filter(filter) => descending(&filter.input),
        Node::Map(map) => descending(&map.input),
        Node::Fill(fill) => descending(&fill.input),
        Node::Across(across) => descending(&across.input),
        Node::DropGaps(input) => descending(input),
        Node::Sample(sample) => descending(&sample.input),
        Node::Order(order) => descending(&order.input),
        Node::Limit(limit) => descending(&limit.input),
        Node::Union(inputs) | Node::Join(inputs) => inputs.first().is_some_and(descending),
        // Made for ascending rows only.
        Node::Merge(_)
        | Node::Pool(_)
        | Node::Quantile(_)
        | Node::Follow(_)
        | Node::Pair(_)
        | Node::Rank(_)
        | Node::Expect(_) => false,
    }
}

/// Whether each group of a node can be read without the others, and beside them.
fn separable(node: &Node) -> bool {
    match node {
        Node::Scan(_) | Node::Absent(_) => true,
        Node::Group(group) => separable(&group.input),
        Node::Filter(filter) => separable(&filter.input),
        Node::Map(map) => separable(&map.input),
        Node::Aggregate(aggregate) => separable(&aggregate.input),
        Node::Reduce(reduce) => separable(&reduce.input),
        Node::Transform(transform) => separable(&transform.input),
        Node::Sort(sort) => separable(&sort.input),
        Node::Fill(fill) => separable(&fill.input),
        Node::Across(across) => separable(&across.input),
        Node::Sample(sample) => separable(&sample.input),
        Node::Order(order) => separable(&order.input),
        // One that counts groups has to meet them in their order.
        Node::Limit(limit) => limit.groups.is_none() && limit.skip_groups == 0 && separable(&limit.input),
        Node::Union(inputs) | Node::Join(inputs) => inputs.iter().all(separable),
        // They share what they gather.
        Node::DropGaps(_)
        | Node::Merge(_)
        | Node::Pool(_)
        | Node::Quantile(_)
        | Node::Follow(_)
        | Node::Pair(_)
        | Node::Rank(_)
        | Node::Expect(_) => false,
    }
}
