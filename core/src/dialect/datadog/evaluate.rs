//! Expressions to series: compiled together, run as one plan, put in the order of the answer.

use super::ast::Expr;
use super::compile::{Compiler, Missing, Operand, Request};
use super::error::Error;
use crate::exec::{Budget, QueryStats, QueryTask, Step};
use crate::limits::Limits;
use crate::model::column::Values;
use crate::model::{Column, Frame};
use crate::plan::{Node, UNTIL};
use crate::sorted::SortedMap;
use crate::store::ByteRange;
use crate::time::NANOS_PER_SEC;
use bytes::Bytes;

/// A series of the answer.
#[derive(Clone, Debug)]
pub(super) struct Series {
    /// Which expression it is of, and which group of it.
    pub(super) query: usize,
    pub(super) group: usize,
    /// Seconds, ascending, and values at them; NaN is no value.
    pub(super) times: Vec<i64>,
    pub(super) values: Vec<f64>,
    /// Bands beside the values.
    pub(super) lower: Option<Vec<f64>>,
    pub(super) upper: Option<Vec<f64>>,
    pub(super) outlier: Option<bool>,
    /// When the last bucket ends, in seconds, where the operand's grid does not say it.
    pub(super) until: Option<i64>,
    rank: i64,
}

/// What is known before a point is read.
#[derive(Debug)]
pub(super) struct Outline {
    pub(super) operands: Vec<Operand>,
    pub(super) missing: Vec<Missing>,
}

/// Expressions being computed.
pub(super) struct Evaluation {
    pub(super) outline: Outline,
    task: QueryTask,
    /// Groups by expression and tags.
    places: SortedMap<(usize, Vec<(String, String)>), usize>,
    found: SortedMap<(usize, usize), Series>,
}

/// What a step came to.
pub(super) enum Progress {
    Need(Vec<ByteRange>),
    Yield,
    Done(QueryStats),
}

/// Expressions to one plan, and what there is to say of its groups.
pub(super) fn compile(expressions: &[Expr], request: Request<'_>) -> Result<(Node, Outline), Error> {
    let mut compiler = Compiler::new(request);
    let mut operands = Vec::with_capacity(expressions.len());
    for expression in expressions {
        operands.push(compiler.expression(expression)?);
    }
    let mut nodes = Vec::with_capacity(operands.len());
    for operand in &mut operands {
        nodes.push(std::mem::replace(&mut operand.node, Node::Union(Vec::new())));
    }
    Ok((Node::Union(nodes), Outline { operands, missing: compiler.missing }))
}

impl Evaluation {
    pub(super) fn new(expressions: &[Expr], request: Request<'_>, limits: &Limits) -> Result<Self, Error> {
        let (plan, outline) = compile(expressions, request)?;
        let task = QueryTask::new(plan, request.snapshot.clone(), limits)?;
        let mut places = SortedMap::new();
        for (query, operand) in outline.operands.iter().enumerate() {
            for (at, group) in operand.groups.iter().enumerate() {
                places.insert((query, group.tags.clone()), at);
            }
        }
        Ok(Self { outline, task, places, found: SortedMap::new() })
    }

    pub(super) fn step(&mut self, budget: Budget) -> Result<Progress, Error> {
        loop {
            match self.task.step(budget)? {
                Step::Need(ranges) => return Ok(Progress::Need(ranges)),
                Step::Yield => return Ok(Progress::Yield),
                Step::Frame(frame) => self.take(frame),
                Step::Done(stats) => return Ok(Progress::Done(stats)),
            }
        }
    }

    pub(super) fn supply(&mut self, bytes: Vec<Bytes>) {
        self.task.supply(bytes);
    }

    fn take(&mut self, frame: Frame) {
        let query = frame.input;
        let Some(group) = self.places.get(&(query, frame.tags.clone())).copied() else { return };
        let series = self.found.or_insert_with((query, group), || Series {
            query,
            group,
            times: Vec::new(),
            values: Vec::new(),
            lower: None,
            upper: None,
            outlier: None,
            until: None,
            rank: 0,
        });
        series.times.extend(frame.times.iter().map(|time| time.div_euclid(NANOS_PER_SEC)));
        if let Some(first) = frame.columns.first() {
            series.values.extend(numbers(&first.column));
        }
        series.values.resize(series.times.len(), f64::NAN);
        if let Some(lower) = frame.column("lower") {
            series.lower.get_or_insert_with(Vec::new).extend(numbers(lower));
        }
        if let Some(upper) = frame.column("upper") {
            series.upper.get_or_insert_with(Vec::new).extend(numbers(upper));
        }
        if let Some(Column { values: Values::Integer(until), .. }) = frame.column(UNTIL) {
            series.until = until.last().map(|until| until.div_euclid(NANOS_PER_SEC));
        }
        if let Some(Column { values: Values::Integer(ranks), .. }) = frame.column("rank") {
            series.rank = ranks.first().copied().unwrap_or(0);
        }
        if let Some(Column { values: Values::Boolean(flags), .. }) = frame.column("outlier") {
            series.outlier = flags.first().copied();
        }
    }

    /// All series, by expression, rank and scope.
    pub(super) fn finish(&mut self) -> Vec<Series> {
        let mut series: Vec<Series> = std::mem::take(&mut self.found).into_iter().map(|(_, series)| series).collect();
        let key = |series: &Series| (series.query, series.rank, series.group);
        crate::order::sort_by(&mut series, |a, b| key(a).cmp(&key(b)));
        series
    }
}

/// The times of all series together, ascending.
pub(super) fn union_of_times(series: &[Series]) -> Vec<i64> {
    let mut times: Vec<i64> = Vec::new();
    for one in series {
        if times != one.times {
            times.extend(&one.times);
            crate::order::sort_dedup(&mut times);
        }
    }
    times
}

/// A column of numbers; NaN for what is absent.
fn numbers(column: &Column) -> Vec<f64> {
    let mut numbers = Vec::with_capacity(column.len());
    for row in 0..column.len() {
        numbers.push(match column.get(row) {
            Some(crate::value::Value::Float(value)) if value.is_finite() => value,
            Some(crate::value::Value::Integer(value)) => value as f64,
            Some(crate::value::Value::Unsigned(value)) => value as f64,
            _ => f64::NAN,
        });
    }
    numbers
}
