//! SELECT to a plan.
//!
//! ```text
//!  raw:         Scan ─► Group ──────────────────► Map ─► Limit ─► Order
//!  aggregates:  Scan ─► Aggregate ─► [Fill] ────► Map ─► Limit ─► Order
//! ```
//!
//! Everything InfluxDB refuses is refused here, in its order: databases, times, dimensions, the list, then what depends
//! on the data. What is not built yet is refused by name: subqueries and INTO and tz() in [`select`], functions in
//! [`fields`].

mod expr;
mod fields;
mod schema;
mod time;

use super::ast::{Expr, Field, Fill, Select};
use super::error::StatementError;
use super::query::Context;
use crate::order::sort_dedup;
use crate::plan::{self, Bucket, FillWith, Function, GroupBy, Measurements, Node, ReportedTime, Scalar};
use crate::time::TimeRange;
use crate::value::FieldType;
use expr::Columns;
use schema::{Kind, Schema};
use std::sync::Arc;
use time::Interval;

pub(super) use expr::regex as pattern;
pub(super) use time::{Bounds, interval, split};

/// A plan and the names of the columns of its frames, that of the time first.
#[derive(Debug)]
pub(super) struct Compiled {
    pub(super) plan: Node,
    pub(super) columns: Arc<[String]>,
}

/// The plan of a SELECT; `None` when it cannot have rows: nothing it names exists.
pub(super) fn select(select: &Select, context: &Context<'_>) -> Result<Option<Compiled>, StatementError> {
    let zone = select.zone.as_deref().is_some_and(|zone| !matches!(zone, "" | "UTC"));
    for (unsupported, what) in [(select.target.is_some(), "SELECT INTO"), (zone, "tz()")] {
        if unsupported {
            return Err(StatementError::Unsupported(what.to_owned()));
        }
    }
    let sources = schema::resolve(&select.sources, context)?;
    let mut bounds = Bounds::default();
    let condition = match &select.condition {
        Some(condition) => split(condition, context.now, &mut bounds)?,
        None => None,
    };
    let interval = interval(&select.dimensions, context.now)?;
    let shape = fields::check(select, interval.is_some())?;
    if interval.is_some() && bounds.max.is_none() {
        bounds.max = Some(context.now.nanos());
    }
    check_buckets(bounds, interval, context.limits.max_select_buckets)?;

    let range = bounds.range();
    let schema = Schema::of(sources, range)?;
    let (by, group_tags) = group_by(&select.dimensions, &schema)?;
    let fields = fields::expand(select, &schema, group_tags.as_deref())?;
    fields::check_types(&fields, &schema)?;
    let names: Arc<[String]> = fields::names(shape.time_alias.as_deref(), &fields).into();

    let mut columns = Columns::default();
    fields.iter().for_each(|field| columns.read(&field.expr, &schema, false));
    if !columns.fields.iter().any(|field| field.drives) {
        return Ok(None);
    }
    if let Some(condition) = &condition {
        columns.read(condition, &schema, true);
    }
    let predicate = condition.map(|condition| expr::predicate(&condition, &schema, &columns)).transpose()?;
    let descending = select.order.is_some_and(|order| order.descending);
    let query = Compiler { select, schema: &schema, columns, fields, names, by, bounds, interval, descending };
    let scans = query.scans(predicate, range);
    let raw = shape.calls == 0;
    let rows = if raw { Some(query.raw(scans)) } else { query.aggregated(scans)? };
    Ok(rows.map(|rows| Compiled { plan: query.paged(rows, raw), columns: query.names }))
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

/// The tags to group by, and those of them that `*` leaves out: `None` when it leaves out all tags.
fn group_by(dimensions: &[Expr], schema: &Schema<'_>) -> Result<(GroupBy, Option<Vec<String>>), StatementError> {
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
    let by = if tags.is_empty() { GroupBy::Nothing } else { GroupBy::Tags(tags.clone()) };
    Ok((by, (!open).then_some(tags)))
}

/// A SELECT whose names are all settled.
struct Compiler<'a> {
    select: &'a Select,
    schema: &'a Schema<'a>,
    columns: Columns,
    fields: Vec<Field>,
    names: Arc<[String]>,
    by: GroupBy,
    bounds: Bounds,
    interval: Option<Interval>,
    descending: bool,
}

impl Compiler<'_> {
    /// A scan of every place. Most queries read one.
    fn scans(&self, predicate: Option<plan::Expr>, range: TimeRange) -> Node {
        let mut scans: Vec<_> = self
            .schema
            .places
            .iter()
            .map(|place| {
                Node::Scan(Box::new(plan::Scan {
                    database: place.database.name.clone(),
                    policy: Some(place.policy.name.clone()),
                    measurements: Measurements::Named(place.measurements.clone()),
                    fields: self.columns.fields.clone(),
                    tags: self.columns.tags.clone(),
                    predicate: predicate.clone(),
                    range,
                    descending: self.descending,
                }))
            })
            .collect();
        if scans.len() == 1 { scans.remove(0) } else { Node::Union(scans) }
    }

    fn raw(&self, input: Node) -> Node {
        let group = Node::Group(Box::new(plan::Group { input, by: self.by.clone() }));
        self.map(group, &|leaf| match leaf {
            Expr::Variable { name, cast } => self.columns.column(name, *cast, self.schema).map(plan::Expr::Column),
            _ => None,
        })
    }

    /// `None` when none of the calls has an argument that exists.
    fn aggregated(&self, input: Node) -> Result<Option<Node>, StatementError> {
        let mut calls = Calls::default();
        self.fields.iter().try_for_each(|field| calls.find(&field.expr, self))?;
        let (time, lone) = match calls.list.as_slice() {
            _ if self.interval.is_some() => (ReportedTime::BucketStart, calls.written == 1),
            [call] if calls.written == 1 && call.function.is_selector() => (ReportedTime::Selected, true),
            _ => (ReportedTime::Fixed(self.bounds.min.unwrap_or(0)), false),
        };
        let carried = if lone { self.carried() } else { Vec::new() };
        if let [call] = calls.list.as_mut_slice() {
            call.carried = carried.iter().map(|(column, name)| (*column, name.clone())).collect();
        }
        if calls.list.is_empty() {
            return Ok(None);
        }
        let bucket = match self.interval {
            Some(interval) => Bucket::Every { width: interval.width, origin: interval.offset },
            None => Bucket::Whole,
        };
        let types: Vec<_> = calls.list.iter().map(|call| (call.function, self.argument_type(call))).collect();
        let mut node = Node::Aggregate(Box::new(plan::Aggregate {
            input,
            by: self.by.clone(),
            bucket: bucket.clone(),
            calls: calls.list.clone(),
            time,
            descending: self.descending,
        }));
        if let Some(columns) = self.fills(&types, carried.len()) {
            node = Node::Fill(Box::new(plan::Fill {
                input: node,
                first: self.bounds.min,
                last: self.bounds.max,
                bucket,
                columns,
                make_rows: self.interval.is_some(),
                empty_groups: false,
            }));
        }
        Ok(Some(self.map(node, &|leaf| match leaf {
            Expr::Call(call) => match calls.position(call, self) {
                Some(at) => Some(plan::Expr::Column(at)),
                None => self.fill_number(FieldType::Float).map(plan::Expr::Literal),
            },
            Expr::Variable { name, cast } => {
                let column = self.columns.column(name, *cast, self.schema)?;
                let at = carried.iter().position(|(carried, _)| *carried == column)?;
                Some(plan::Expr::Column(1 + at))
            }
            _ => None,
        })))
    }

    /// The columns beside a lone selector: where they are in the scan, and a name.
    fn carried(&self) -> Vec<(usize, String)> {
        let mut names = Columns::default();
        let mut carried = Vec::new();
        for field in &self.fields {
            plain_names(&field.expr, &mut |name, cast| {
                if let Some(column) = self.columns.column(name, cast, self.schema)
                    && !carried.iter().any(|(known, _)| *known == column)
                {
                    names.read_tag(name);
                    carried.push((column, name.to_owned()));
                }
            });
        }
        carried
    }

    fn argument_type(&self, call: &plan::Call) -> FieldType {
        self.columns.fields.get(call.argument).map_or(FieldType::Float, |field| field.field_type)
    }

    /// How the columns of the aggregate are filled; `None` when nothing is.
    fn fills(&self, calls: &[(Function, FieldType)], carried: usize) -> Option<Vec<FillWith>> {
        let fill = self.select.fill;
        match fill {
            Fill::None => return None,
            Fill::Null | Fill::Linear if self.interval.is_none() => return None,
            _ => {}
        }
        let of_call = |(function, argument): &(Function, FieldType)| {
            let result = function.result(*argument).unwrap_or(FieldType::Float);
            match fill {
                Fill::Null if *function == Function::Count => FillWith::ValueIfAny(Scalar::Integer(0)),
                Fill::Null | Fill::None => FillWith::Null,
                Fill::Previous => FillWith::Previous,
                Fill::Linear => FillWith::Linear,
                Fill::Integer(_) | Fill::Float(_) => self.fill_number(result).map_or(FillWith::Null, FillWith::Value),
            }
        };
        let beside = if fill == Fill::Previous { FillWith::Previous } else { FillWith::Null };
        Some(calls.iter().map(of_call).chain(std::iter::repeat_n(beside, carried)).collect())
    }

    /// The number of `fill(number)` in a column of some type: cut for integers, and no more than nothing for the rest.
    fn fill_number(&self, column: FieldType) -> Option<Scalar> {
        let number = match self.select.fill {
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
    /// `LIMIT` one row of points that are not aggregated.
    fn paged(&self, input: Node, raw: bool) -> Node {
        let Select { mut limit, offset, slimit, soffset, .. } = *self.select;
        if raw && limit == 0 && offset > 0 {
            limit = 1;
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
        if self.descending {
            node = Node::Order(Box::new(plan::Order { input: node, descending: true }));
        }
        node
    }
}

/// The distinct calls of a list.
#[derive(Default)]
struct Calls {
    list: Vec<plan::Call>,
    /// How many different calls are written, those over names that do not exist too.
    written: usize,
    seen: Vec<(Function, String)>,
}

impl Calls {
    fn find(&mut self, expr: &Expr, query: &Compiler<'_>) -> Result<(), StatementError> {
        match expr {
            Expr::Paren(inner) => self.find(inner, query),
            Expr::Chain(chain) => {
                self.find(&chain.first, query)?;
                chain.rest.iter().try_for_each(|(_, right)| self.find(right, query))
            }
            Expr::Call(call) => {
                let Some((function, name, cast)) = fields::call_of(call) else { return Ok(()) };
                let text = (function, expr.to_string());
                if !self.seen.contains(&text) {
                    self.seen.push(text);
                    self.written += 1;
                }
                let Kind::Field(field_type) = query.schema.kind(name, cast) else { return Ok(()) };
                if function.result(field_type).is_none() {
                    return Err(StatementError::Argument { function: function.name(), field_type });
                }
                let Some(argument) = query.columns.field(name, field_type) else { return Ok(()) };
                if !self.list.iter().any(|known| known.function == function && known.argument == argument) {
                    let output = format!("{}_{}", function.name(), self.list.len());
                    self.list.push(plan::Call { function, argument, output, carried: Vec::new() });
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn position(&self, call: &super::ast::Call, query: &Compiler<'_>) -> Option<usize> {
        let (function, name, cast) = fields::call_of(call)?;
        let Kind::Field(field_type) = query.schema.kind(name, cast) else { return None };
        let argument = query.columns.field(name, field_type)?;
        self.list.iter().position(|known| known.function == function && known.argument == argument)
    }
}

/// The names outside of calls.
fn plain_names(expr: &Expr, found: &mut dyn FnMut(&str, Option<super::ast::Cast>)) {
    match expr {
        Expr::Variable { name, cast } => found(name, *cast),
        Expr::Paren(inner) => plain_names(inner, found),
        Expr::Chain(chain) => {
            plain_names(&chain.first, found);
            chain.rest.iter().for_each(|(_, right)| plain_names(right, found));
        }
        _ => {}
    }
}
