//! SELECT to a plan.
//!
//! ```text
//!  raw:    input ─► Group ────────────────────────────────────────► Map ─► Limit ─► Order
//!  calls:  input ─► Aggregate ───────────► [Fill] ─┐
//!          input ─► Group ─► Reduce ─────► [Fill] ─┼► [Join ─► Fill] ─► Map ─► Limit ─► Order
//!          input ─► Group ─► Transform ────────────┘
//!  input:  Scan, or the plan of a subquery ─► Map ─► Filter; several in a Union
//! ```
//!
//! A transformation of a call stands on that call's own plan. Everything InfluxDB refuses is refused here, in its order:
//! databases, times, dimensions, the list, then what depends on the data.

mod buckets;
mod calls;
mod check;
mod expr;
mod fields;
mod input;
mod schema;
mod time;

use super::ast::{Cast, Expr, Field, Fill, Select, Source};
use super::error::StatementError;
use super::into::Into;
use super::query::Context;
use crate::exec::QueryError;
use crate::extent::FULL;
use crate::order::{sort_by, sort_dedup};
use crate::plan::{self, GroupBy, Node, Scalar, Ties};
use crate::time::Zone;
use crate::value::FieldType;
use expr::Columns;
use fields::Type;
use input::Input;
use schema::{Kind, Schema};
use std::sync::Arc;
use time::{Clock, Interval, split_by};

pub(super) use expr::regex as pattern;
pub(super) use time::{Bounds, interval, split};

/// A plan, the names of the columns of its frames, that of the time first, and what becomes of the rows.
#[derive(Debug)]
pub(super) struct Compiled {
    pub(super) plan: Node,
    pub(super) columns: Arc<[String]>,
    /// Of the times in the answer.
    pub(super) zone: Option<Arc<Zone>>,
    pub(super) into: Option<Box<Into>>,
    /// The rows are not wanted, only what it took to make them.
    pub(super) analyze: bool,
    /// Of each column but the time what the answer shows where it has no value, if anything.
    pub(super) stand_ins: Arc<[Option<Scalar>]>,
}

/// The plan of a SELECT; `None` when it cannot have rows: nothing it names exists.
pub(super) fn select(select: &Select, context: &Context<'_>) -> Result<Option<Compiled>, StatementError> {
    precheck(select, context, None)?;
    let Some(made) = prepare(select, context, None)? else { return Ok(None) };
    let into = match &select.target {
        Some(target) if FULL => {
            let into = Into::new(target, made.tag_columns, context).ok_or(StatementError::DatabaseRequired)?;
            Some(Box::new(into))
        }
        _ => None,
    };
    let (zone, stand_ins) = (zone(select).map(Arc::new), made.stand_ins.into());
    Ok(Some(Compiled { plan: made.plan, columns: made.names, zone, into, analyze: false, stand_ins }))
}

/// That of `tz('…')`, unless it is UTC. The parser refused those that do not exist.
fn zone(select: &Select) -> Option<Zone> {
    if !FULL {
        return None;
    }
    select.zone.as_deref().filter(|name| !matches!(*name, "" | "UTC")).and_then(Zone::named)
}

/// An expression in a message. An engine that is not [`FULL`] has no messages.
fn shown(expr: &Expr) -> String {
    if FULL { expr.to_string() } else { String::new() }
}

/// What a query takes over from the one around it.
#[derive(Clone, Copy)]
struct Outer<'a> {
    bounds: Bounds,
    interval: Option<Interval>,
    /// Tags that it groups by.
    tags: &'a [String],
    descending: bool,
}

/// A plan and what its rows have.
struct Prepared {
    plan: Node,
    /// That of the time first.
    names: Arc<[String]>,
    /// Of each column but the time, where anything is known of it.
    types: Vec<Option<Type>>,
    /// The tags of its groups.
    tags: Vec<String>,
    /// Columns of `top` and `bottom` that become tags where rows are written.
    tag_columns: Vec<usize>,
    /// How rows of one time follow each other where its groups are joined.
    ties: Ties,
    stand_ins: Vec<Option<Scalar>>,
}

/// What is settled before the data is looked at.
struct Outline {
    condition: Option<Expr>,
    bounds: Bounds,
    interval: Option<Interval>,
    shape: check::Shape,
    descending: bool,
}

fn outline(select: &Select, context: &Context<'_>, outer: Option<Outer<'_>>) -> Result<Outline, StatementError> {
    let mut bounds = Bounds::default();
    let condition = match &select.condition {
        Some(condition) => {
            let zone = zone(select);
            split_by(condition, Clock { now: context.now, zone: zone.as_ref() }, &mut bounds)?
        }
        None => None,
    };
    let own = interval(&select.dimensions, context.now)?;
    let interval = own.or_else(|| outer.and_then(|outer| outer.interval));
    let shape = check::check(select, interval.is_some(), own.is_none())?;
    if let Some(outer) = outer {
        bounds.narrow(outer.bounds);
        if select.order.is_some_and(|order| order.descending != outer.descending) {
            return Err(StatementError::fixed("subqueries must be ordered in the same direction as the query itself"));
        }
    }
    if interval.is_some() && bounds.max.is_none() {
        bounds.max = Some(context.now.nanos());
    }
    let descending = match outer {
        Some(outer) => outer.descending,
        None => select.order.is_some_and(|order| order.descending),
    };
    Ok(Outline { condition, bounds, interval, shape, descending })
}

/// What can be refused without looking at data: databases of all sources first, then each query from the outside in.
fn precheck(select: &Select, context: &Context<'_>, outer: Option<Outer<'_>>) -> Result<(), StatementError> {
    if outer.is_none() {
        schema::check_databases(select, context)?;
    }
    let outline = outline(select, context, outer)?;
    let within =
        Outer { bounds: outline.bounds, interval: outline.interval, tags: &[], descending: outline.descending };
    for source in &select.sources {
        if let Source::Subquery(inner) = source {
            if !FULL {
                return Err(QueryError::Beyond.into());
            }
            precheck(inner, context, Some(within))?;
        }
    }
    if outer.is_none() {
        check_buckets(outline.bounds, outline.interval, context.limits.max_select_buckets)?;
    }
    Ok(())
}

/// `None` when it cannot have rows.
fn prepare(
    select: &Select,
    context: &Context<'_>,
    outer: Option<Outer<'_>>,
) -> Result<Option<Prepared>, StatementError> {
    let Outline { condition, bounds, interval, shape, descending } = outline(select, context, outer)?;
    let within = Outer { bounds, interval, tags: &[], descending };
    let schema = Schema::of(&select.sources, context, within)?;
    let (mut tags, open) = group_by(&select.dimensions, &schema)?;
    if let Some(outer) = outer {
        tags.extend_from_slice(outer.tags);
        sort_dedup(&mut tags);
    }
    let (fields, tag_columns) = fields::expand(select, &schema, (!open).then_some(tags.as_slice()))?;
    let types = fields::check_types(&fields, &schema)?;
    let names: Arc<[String]> = fields::names(shape.time_alias.as_deref(), &fields).into();
    let mut fill = select.fill;
    if outer.is_some() && fill == Fill::Null {
        fill = Fill::None;
    }
    let zone = zone(select).map(Arc::new);
    let compiler =
        Compiler { select, context, schema, condition, fields, names, tags, bounds, interval, zone, fill, descending };
    let raw = shape.calls == 0;
    let (mut rows, ties, paged) = if raw {
        let (rows, ties) = compiler.raw()?;
        (rows, ties, false)
    } else {
        let (rows, paged) = compiler.aggregated()?;
        (rows, compiler.ties_of_calls(), paged)
    };
    let stand_ins = if raw { Vec::new() } else { compiler.stand_ins(&types) };
    if let Some(sort) = select.sort.as_ref().filter(|_| FULL) {
        let column = compiler.names.iter().skip(1).position(|name| *name == sort.column);
        let column = column.ok_or_else(|| StatementError::Words(format!("no column {} to order by", sort.column)))?;
        let descending = sort.descending;
        rows = rows.map(|input| Node::Sort(Box::new(plan::Sort { input, column, descending })));
    }
    Ok(rows.map(|rows| Prepared {
        plan: compiler.paged(rows, raw, paged, outer.is_some() && ties == Ties::Apart),
        names: compiler.names,
        types,
        tags: compiler.tags,
        tag_columns,
        ties,
        stand_ins,
    }))
}

/// The limit on buckets, before any is made.
fn check_buckets(bounds: Bounds, interval: Option<Interval>, allowed: u64) -> Result<(), StatementError> {
    let (Some(interval), Some(min), Some(max)) = (interval, bounds.min, bounds.max) else { return Ok(()) };
    let asked = (interval.start_of(max) - interval.start_of(min)) / i128::from(interval.width) + 1;
    let asked = u64::try_from(asked).unwrap_or(0);
    if allowed > 0 && asked > allowed {
        return Err(StatementError::Buckets { asked, allowed });
    }
    Ok(())
}

/// The tags to group by, and whether a wildcard or a regex is among what names them.
fn group_by(dimensions: &[Expr], schema: &Schema<'_>) -> Result<(Vec<String>, bool), StatementError> {
    let mut tags = Vec::new();
    let mut open = false;
    for dimension in dimensions {
        match time::unwrapped(dimension) {
            Expr::Variable { name, .. } => tags.push(name.clone()),
            Expr::Wildcard(_) => {
                open = true;
                tags.extend(schema.tags.keys().cloned());
            }
            Expr::Regex(pattern) => {
                open = true;
                let pattern = expr::regex(pattern)?;
                tags.extend(schema.tags.keys().filter(|tag| pattern.is_match(tag)).cloned());
            }
            _ => {}
        }
    }
    sort_dedup(&mut tags);
    Ok((tags, open))
}

/// A SELECT whose names are all settled.
struct Compiler<'a> {
    select: &'a Select,
    context: &'a Context<'a>,
    schema: Schema<'a>,
    condition: Option<Expr>,
    fields: Vec<Field>,
    names: Arc<[String]>,
    /// That it groups by, sorted.
    tags: Vec<String>,
    bounds: Bounds,
    interval: Option<Interval>,
    zone: Option<Arc<Zone>>,
    fill: Fill,
    descending: bool,
}

impl Compiler<'_> {
    fn by(&self) -> GroupBy {
        if self.tags.is_empty() { GroupBy::Nothing } else { GroupBy::Tags(self.tags.clone()) }
    }

    fn grouped(&self, input: Input, beside: &[Expr]) -> Node {
        let ties = self.ties(&input, beside);
        self.grouped_by(input, ties)
    }

    fn grouped_by(&self, input: Input, ties: Ties) -> Node {
        let group = |input: Node, ties: Ties| Node::Group(Box::new(plan::Group { input, by: self.by(), ties }));
        if input.parts.len() == 1 {
            return group(input.node(), ties);
        }
        // Each subquery is put in its own order before they are merged.
        let own = |(node, own): (Node, Option<Ties>)| match own {
            Some(own) => group(node, own),
            None => node,
        };
        group(Node::Union(input.parts.into_iter().map(own).collect()), ties)
    }

    /// `beside`: names that are read, but for the argument of a call. Rows of series of one time go by the texts among
    /// them, up to the first that is none.
    fn ties(&self, input: &Input, beside: &[Expr]) -> Ties {
        if let [(_, Some(ties))] = input.parts.as_slice() {
            return ties.clone();
        }
        let mut names: Vec<(&str, Option<Cast>)> = Vec::new();
        for expr in beside {
            if let Expr::Variable { name, cast } = expr {
                names.push((name, *cast));
            }
        }
        sort_by(&mut names, |a, b| a.0.cmp(b.0));
        let text = |(name, cast): (&str, Option<Cast>)| match self.schema.kind(name, cast) {
            Kind::Tag => input.columns.tag(name),
            Kind::Field(FieldType::String) => input.columns.field(name, FieldType::String),
            Kind::Field(_) | Kind::Unknown => None,
        };
        Ties::Heap { texts: names.into_iter().map_while(text).collect() }
    }

    fn raw(&self) -> Result<(Option<Node>, Ties), StatementError> {
        let reads: Vec<&Expr> = self.fields.iter().map(|field| &field.expr).collect();
        let Some(input) = self.input(&reads, self.bounds)? else { return Ok((None, Ties::InOrder)) };
        let names = self.carried();
        let ties = match self.ties(&input, &names) {
            // The columns may be others where the groups are joined again. Texts are tags, mostly.
            Ties::Heap { texts } if !texts.is_empty() => Ties::InOrder,
            ties => ties,
        };
        let columns = input.columns.clone();
        let rows = self.grouped(input, &names);
        Ok((Some(self.map(rows, &|leaf| self.column_leaf(leaf, &columns))), ties))
    }

    fn column_leaf(&self, leaf: &Expr, columns: &Columns) -> Option<plan::Expr> {
        match leaf {
            Expr::Variable { name, cast } => columns.column(name, *cast, &self.schema).map(plan::Expr::Column),
            _ => None,
        }
    }

    /// The number of `fill(number)` in a column of some type: cut for integers, and no more than nothing for the rest.
    fn fill_number(&self, column: FieldType) -> Option<Scalar> {
        let number = match self.fill {
            Fill::Integer(number) => Scalar::Integer(number),
            Fill::Float(number) => Scalar::Float(number),
            _ => return None,
        };
        Some(match (column, number) {
            (FieldType::Float, Scalar::Integer(number)) => Scalar::Float(number as f64),
            (FieldType::Integer, Scalar::Float(number)) => Scalar::Integer(number as i64),
            (FieldType::Unsigned, Scalar::Integer(number)) => Scalar::Unsigned(number as u64),
            (FieldType::Unsigned, Scalar::Float(number)) => Scalar::Unsigned(number as u64),
            (FieldType::String, _) => Scalar::String(String::new()),
            (FieldType::Boolean, _) => Scalar::Boolean(false),
            (_, number) => number,
        })
    }

    fn map(&self, input: Node, leaf: &dyn Fn(&Expr) -> Option<plan::Expr>) -> Node {
        let names = self.names.iter().skip(1);
        let columns = names.zip(&self.fields).map(|(name, field)| (name.clone(), expr::value(&field.expr, leaf)));
        Node::Map(Box::new(plan::Map { input, columns: columns.collect(), drop_empty: false }))
    }

    /// Pages, and the order of series. `SOFFSET` without `SLIMIT` gives nothing, as in InfluxDB, and `OFFSET` without
    /// `LIMIT` one row of points that are not aggregated. `paged`: pages of rows are cut already.
    /// `kept`: groups keep their order, descending or not.
    fn paged(&self, input: Node, raw: bool, paged: bool, kept: bool) -> Node {
        let Select { mut limit, mut offset, slimit, soffset, .. } = *self.select;
        if raw && limit == 0 && offset > 0 && self.schema.subqueries.is_empty() {
            limit = 1;
        }
        if paged {
            (limit, offset) = (0, 0);
        }
        let mut node = input;
        if [limit, offset, slimit, soffset].iter().any(|number| *number > 0) {
            node = Node::Limit(Box::new(plan::Limit {
                input: node,
                rows: (limit > 0).then_some(limit),
                skip_rows: offset,
                groups: (slimit > 0 || soffset > 0).then_some(slimit),
                skip_groups: soffset,
            }));
        }
        if self.descending && !kept {
            node = Node::Order(Box::new(plan::Order { input: node, descending: true }));
        }
        node
    }

    /// `LIMIT` and `OFFSET` of the rows of one call.
    fn page_of_rows(&self, input: Node) -> Node {
        let Select { limit, offset, .. } = *self.select;
        let (rows, skip_rows) = ((limit > 0).then_some(limit), offset);
        Node::Limit(Box::new(plan::Limit { input, rows, skip_rows, groups: None, skip_groups: 0 }))
    }
}
