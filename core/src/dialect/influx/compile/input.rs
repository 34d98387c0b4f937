//! Where the rows of a query come from: scans, and the plans of subqueries made to look like scans.

use super::super::ast::Expr;
use super::super::error::StatementError;
use super::expr::{Columns, absent, predicate};
use super::fields::Type;
use super::{Bounds, Compiler, Outer, Prepared, prepare};
use crate::extent::FULL;
use crate::plan::{self, Filter, Map, Measurements, Node};
use crate::value::FieldType;

impl Compiler<'_> {
    /// The rows that `reads` and the condition need, within `bounds`, and the columns they have: those of a scan.
    /// `None` when nothing that is read exists.
    pub(super) fn input(&self, reads: &[&Expr], bounds: Bounds) -> Result<Option<(Columns, Node)>, StatementError> {
        let mut columns = Columns::default();
        for expr in reads {
            columns.read(expr, &self.schema, false);
        }
        let (fields, tags) = (columns.fields.iter().any(|field| field.drives), columns.tags.len());
        if let Some(condition) = &self.condition {
            columns.read(condition, &self.schema, true);
        }
        let condition = match &self.condition {
            Some(condition) => Some(predicate(condition, &self.schema, &columns)?),
            None => None,
        };
        let mut inputs = Vec::new();
        for place in self.schema.places.iter().filter(|_| fields) {
            inputs.push(Node::Scan(Box::new(plan::Scan {
                database: place.database.name.clone(),
                policy: Some(place.policy.name.clone()),
                measurements: Measurements::Named(place.measurements.clone()),
                fields: columns.fields.clone(),
                tags: columns.tags.clone(),
                predicate: condition.clone(),
                range: bounds.range(),
                descending: self.descending,
            })));
        }
        let outer = Outer { bounds, interval: self.interval, tags: &self.tags, descending: self.descending };
        for inner in self.schema.subqueries.iter().filter(|_| FULL && (fields || tags > 0)) {
            let Some(made) = prepare(inner, self.context, Some(outer))? else { continue };
            let mut node = adapted(made, &columns);
            if let Some(predicate) = &condition {
                node = Node::Filter(Box::new(Filter { input: node, predicate: predicate.clone() }));
            }
            inputs.push(node);
        }
        let node = match inputs.len() {
            0 => return Ok(None),
            1 => inputs.remove(0),
            _ => Node::Union(inputs),
        };
        Ok(Some((columns, node)))
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
