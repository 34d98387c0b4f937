//! What a plan reads at most: so that a host can have it all at hand before it is asked for.

use super::scan::ScanSource;
use super::task::QueryError;
use crate::extent::FULL;
use crate::limits::Limits;
use crate::order::sort_dedup;
use crate::plan::Node;
use crate::store::{ByteRange, Snapshot};

/// The bytes of every block that the plan's scans cover, by file and offset: what answering would read if no header
/// could say it. Narrower and finer queries over the same fields read no others.
pub fn needs(plan: &Node, snapshot: &Snapshot, limits: &Limits) -> Result<Vec<ByteRange>, QueryError> {
    let mut needed = Vec::new();
    collect(plan, snapshot, limits, &mut needed)?;
    sort_dedup(&mut needed);
    Ok(needed)
}

fn collect(node: &Node, snapshot: &Snapshot, limits: &Limits, needed: &mut Vec<ByteRange>) -> Result<(), QueryError> {
    let input = match node {
        Node::Scan(scan) => {
            needed.extend(ScanSource::new(Clone::clone(&**scan), false, snapshot, limits)?.needs()?);
            return Ok(());
        }
        Node::Group(node) => &node.input,
        Node::Map(node) => &node.input,
        Node::Aggregate(node) => &node.input,
        Node::Fill(node) => &node.input,
        Node::Order(node) => &node.input,
        Node::Limit(node) => &node.input,
        _ if !FULL => return Err(QueryError::Beyond),
        Node::Absent(_) => return Ok(()),
        Node::Union(inputs) | Node::Join(inputs) => {
            return inputs.iter().try_for_each(|input| collect(input, snapshot, limits, needed));
        }
        Node::Filter(node) => &node.input,
        Node::Reduce(node) => &node.input,
        Node::Transform(node) => &node.input,
        Node::Sort(node) => &node.input,
        Node::Across(node) => &node.input,
        Node::DropGaps(input) => input,
        Node::Sample(node) => &node.input,
        Node::Merge(node) => &node.input,
        Node::Pool(node) => &node.input,
        Node::Quantile(node) => &node.input,
        Node::Follow(node) => &node.input,
        Node::Pair(node) => {
            collect(&node.left, snapshot, limits, needed)?;
            &node.right
        }
        Node::Rank(node) => &node.input,
        Node::Expect(node) => &node.input,
    };
    collect(input, snapshot, limits, needed)
}
