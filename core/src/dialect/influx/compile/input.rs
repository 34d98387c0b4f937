//! Where the rows of a query come from: scans, and the plans of subqueries made to look like scans.

use super::super::ast::Expr;
use super::super::error::StatementError;
use super::expr::{Columns, absent, predicate};
use super::fields::Type;
use super::{Bounds, Compiler, Outer, Prepared, prepare};
use crate::extent::FULL;
use crate::plan::{self, Filter, Map, Measurements, Node, Ties};
use crate::value::FieldType;

/// Rows, and the columns they have: those of a scan.
pub(super) struct Input {
    pub(super) columns: Columns,
    /// One for each policy and subquery, and how rows of one time follow each other there if that is settled already.
    pub(super) parts: Vec<(Node, Option<Ties>)>,
}

impl Input {
    /// All of them, for who does not ask for the order of rows.
    pub(super) fn node(self) -> Node {
        let mut nodes: Vec<Node> = self.parts.into_iter().map(|(node, _)| node).collect();
        if nodes.len() == 1 { nodes.remove(0) } else { Node::Union(nodes) }
    }
}

impl Compiler<'_> {
    /// The rows that `reads` and the condition need, within `bounds`. `None` when nothing that is read exists.
    pub(super) fn input(&self, reads: &[&Expr], bounds: Bounds) -> Result<Option<Input>, StatementError> {
        let mut columns = Columns::default();
        for expr in reads {
            columns.read(expr, &self.schema, false);
        }
        let (fields, tags) = (columns.fields.iter().any(|field| field.drives), columns.tags.len());
        if let Some(condition) = &self.condition {
            columns.read(condition, &self.schema, true);
        }
        let predicate = |inner: Option<&dyn Fn(&str) -> bool>| match &self.condition {
            Some(condition) => predicate(condition, &self.schema, &columns, inner).map(Some),
            None => Ok(None),
        };
        let condition = predicate(None)?;
        let mut parts = Vec::new();
        for place in self.schema.places.iter().filter(|_| fields) {
            let scan = Node::Scan(Box::new(plan::Scan {
                database: place.database.name.clone(),
                policy: Some(place.policy.name.clone()),
                measurements: Measurements::Named(place.measurements.clone()),
                fields: columns.fields.clone(),
                tags: columns.tags.clone(),
                predicate: condition.clone(),
                range: bounds.range(),
                descending: self.descending,
            }));
            parts.push((scan, None));
        }
        let outer = Outer { bounds, interval: self.interval, tags: &self.tags, descending: self.descending };
        for inner in self.schema.subqueries.iter().filter(|_| FULL && (fields || tags > 0)) {
            let Some(made) = prepare(inner, self.context, Some(outer))? else { continue };
            let ties = made.ties.clone();
            let has = |name: &str| made.names.iter().skip(1).chain(&made.tags).any(|known| known == name);
            let condition = predicate(Some(&has))?;
            let mut node = adapted(made, &columns);
            if let Some(predicate) = condition {
                node = Node::Filter(Box::new(Filter { input: node, predicate }));
            }
            parts.push((node, Some(ties)));
        }
        Ok((!parts.is_empty()).then_some(Input { columns, parts }))
    }
}

/// The rows of a subquery with the columns that are read.
fn adapted(made: Prepared, columns: &Columns) -> Node {
    let find = |name: &str| made.names.iter().skip(1).position(|known| known == name);
    let mut mapped = Vec::with_capacity(columns.fields.len() + columns.tags.len());
    for field in &columns.fields {
        let at = find(&field.name).filter(|at| matches!(made.types.get(*at), Some(Some(Type::Field(_)))));
        let value = at.map_or_else(absent, plan::Expr::Column);
        mapped.push((field.name.clone(), plan::Expr::Cast { value: Box::new(value), to: field.field_type }));
    }
    for tag in &columns.tags {
        let at = find(tag).filter(|at| matches!(made.types.get(*at), Some(Some(Type::Tag))));
        let value = match at {
            Some(at) => plan::Expr::Cast { value: Box::new(plan::Expr::Column(at)), to: FieldType::String },
            None => plan::Expr::Tag(tag.clone()),
        };
        mapped.push((tag.clone(), value));
    }
    Node::Map(Box::new(Map { input: made.plan, columns: mapped, drop_empty: false }))
}
