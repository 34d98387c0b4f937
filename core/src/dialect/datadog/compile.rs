//! A query's tree to a plan.
//!
//! ```text
//! query     scan a place ─► aggregate each source by bucket ─► × scale ─► pool by group      (union, merge where needed)
//!           scan a place ─► aggregate or quantile all sources of a group                      distributions, percentiles
//! function  follow, pool, rank, expect over its argument                                      see `functions`
//! a op b    pair, group with group; with a number: follow
//! request   union of its expressions
//! ```
//!
//! Groups are known before a point is read. What the answer says of each (scope, expression, tags) is kept beside the plan
//! as an [`Operand`], in the order of the plan's groups.

mod functions;
mod query;

use super::ast::{Argument, Expr, Kind, Op};
use super::error::Error;
use super::grid::{Grid, nanos};
use super::sources::NO_VALUE;
use super::units::Unit;
use crate::number::write_json_float;
use crate::plan::{Along, Each, Follow, GroupBy, Listed, Node, Pair, PairOp, Reach, ReachMethod, Ties};
use crate::store::Snapshot;

/// What is asked: a window and where the data is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) database: &'a str,
    /// Seconds, `[from, to)`.
    pub(super) from: i64,
    pub(super) to: i64,
    /// Seconds of a bucket where the query names none.
    pub(super) interval: Option<i64>,
}

/// A part of a plan, and what the answer says of its groups.
#[derive(Clone, Debug)]
pub(super) struct Operand {
    pub(super) node: Node,
    pub(super) groups: Vec<Group>,
    /// Keys that the groups are by.
    pub(super) keys: Vec<String>,
    pub(super) aggregator: Option<String>,
    pub(super) label: String,
    /// Scope and expression without the groups' tags.
    base: (String, String),
    pub(super) units: [Option<Unit>; 2],
    pub(super) grid: Grid,
    /// Amounts: what is missing on its own grid counts as 0 beside another operand.
    amounts: bool,
    /// Rows of buckets of several widths: they say themselves when they end.
    mixed: bool,
    /// How gaps are filled.
    pub(super) reach: Reach,
    /// How it came about: what an answer may tell.
    pub(super) method: &'static str,
    pub(super) sources: usize,
}

/// A group of the answer.
#[derive(Clone, Debug)]
pub(super) struct Group {
    /// In key order.
    pub(super) tags: Vec<(String, String)>,
    pub(super) scope: String,
    pub(super) expression: String,
}

/// Why a query has no group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Missing {
    Metric {
        name: String,
        near: Vec<String>,
    },
    Source {
        name: String,
        scope: String,
    },
    /// No bucket begins in the window.
    Bucket {
        interval: i64,
    },
}

/// An operand or a number.
enum Term {
    Number(f64),
    Operand(Box<Operand>),
}

/// Compiles the expressions of one request.
pub(super) struct Compiler<'a> {
    request: Request<'a>,
    /// Seconds that the data lies away from what is shown.
    moved: i64,
    /// Seconds before the window that are read as well.
    history: i64,
    pub(super) missing: Vec<Missing>,
}

impl<'a> Compiler<'a> {
    pub(super) fn new(request: Request<'a>) -> Self {
        Self { request, moved: 0, history: 0, missing: Vec::new() }
    }

    pub(super) fn expression(&mut self, expr: &Expr) -> Result<Operand, Error> {
        match self.term(expr)? {
            Term::Operand(operand) => Ok(*operand),
            Term::Number(_) => Err(Error::query("an expression needs a metric")),
        }
    }

    /// The begin of the window as it is read.
    fn from(&self) -> i64 {
        self.request.from.saturating_sub(self.history)
    }

    fn term(&mut self, expr: &Expr) -> Result<Term, Error> {
        Ok(match &expr.kind {
            Kind::Number(number) => Term::Number(*number),
            Kind::Query(query) => Term::Operand(Box::new(self.query(query, None)?)),
            Kind::Call { name, arguments } => Term::Operand(Box::new(self.call(name, arguments)?)),
            Kind::Measured { measure, of } => {
                let mut operand = self.expression(of)?;
                operand.amounts = false;
                let at = nanos(self.request.from.saturating_add(self.moved));
                let width_secs = operand.grid.interval as f64;
                Term::Operand(Box::new(operand.follow(Along::Measured { measure: *measure, width_secs, at })))
            }
            Kind::Binary { op, left, right } => {
                let (left, right) = (self.term(left)?, self.term(right)?);
                let pair_op = match op {
                    Op::Add => PairOp::Add,
                    Op::Sub => PairOp::Sub,
                    Op::Mul => PairOp::Mul,
                    Op::Div => PairOp::Div,
                };
                let name = |left: &str, right: &str| format!("({left} {} {right})", op.symbol());
                match (left, right) {
                    (Term::Number(left), Term::Number(right)) => {
                        let number = pair_op.apply(left, right);
                        if number.is_nan() {
                            return Err(Error::query("the constants have no finite result"));
                        }
                        Term::Number(number)
                    }
                    (left, right) => Term::Operand(Box::new(combined(pair_op, left, right, &name))),
                }
            }
        })
    }
}

/// A number as labels show it.
fn number_text(number: f64) -> String {
    let mut text = Vec::new();
    write_json_float(number, &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

impl Operand {
    /// The same groups after something was done along time.
    fn follow(mut self, along: Along) -> Self {
        self.node = Node::Follow(Box::new(Follow { input: self.node, along }));
        self
    }

    /// Labels and expressions as `name` has them.
    fn renamed(mut self, name: &dyn Fn(&str) -> String) -> Self {
        self.label = name(&self.label);
        self.base.1 = name(&self.base.1);
        self.groups.iter_mut().for_each(|group| group.expression = name(&group.expression));
        self
    }

    /// Only the groups that `keep` lets through.
    fn only(mut self, keep: impl Fn(&Group) -> bool) -> Self {
        let kept: Vec<usize> = (0..self.groups.len()).filter(|at| keep(&self.groups[*at])).collect();
        let listed = kept.iter().map(|at| Listed { tags: self.groups[*at].tags.clone(), members: vec![*at as u32] });
        let by = GroupBy::Listed(listed.collect());
        self.node = Node::Group(Box::new(crate::plan::Group { input: self.node, by, ties: Ties::InOrder }));
        self.groups = kept.into_iter().map(|at| self.groups[at].clone()).collect();
        self
    }

    /// Everything as one group without tags, which `into` makes of the node and the members.
    fn joined(mut self, into: impl FnOnce(Node, Vec<Listed>) -> Node) -> Self {
        let members = (0..self.groups.len() as u32).collect();
        self.node = into(self.node, vec![Listed { tags: Vec::new(), members }]);
        let (scope, expression) = self.base.clone();
        if !self.groups.is_empty() {
            self.groups = vec![Group { tags: Vec::new(), scope, expression }];
        }
        self.keys.clear();
        self.amounts = false;
        self.mixed = false;
        self
    }
}

/// Two terms, at least one an operand, joined; `name` makes labels and expressions.
fn combined(op: PairOp, left: Term, right: Term, name: &dyn Fn(&str, &str) -> String) -> Operand {
    match (left, right) {
        (Term::Operand(left), Term::Operand(right)) => pair(op, *left, *right, name),
        (Term::Operand(operand), Term::Number(number)) => {
            let text = number_text(number);
            with_number(op, *operand, number, false).renamed(&|label| name(label, &text))
        }
        (Term::Number(number), Term::Operand(operand)) => {
            let text = number_text(number);
            with_number(op, *operand, number, true).renamed(&|label| name(&text, label))
        }
        (Term::Number(_), Term::Number(_)) => unreachable!("constants are folded before"),
    }
}

fn with_number(op: PairOp, operand: Operand, number: f64, first: bool) -> Operand {
    let mut operand = operand.follow(Along::Each(Each::With { op, number, first }));
    if op == PairOp::Div {
        operand.units = [None, None];
    }
    operand
}

fn pair(op: PairOp, left: Operand, right: Operand, name: &dyn Fn(&str, &str) -> String) -> Operand {
    let broadcast_left = left.keys.len() < right.keys.len();
    let (many, few) = if broadcast_left { (&right, &left) } else { (&left, &right) };
    let joins = few.keys.iter().all(|key| many.keys.contains(key));
    let (mut pairs, mut groups) = (Vec::new(), Vec::new());
    for (at, group) in many.groups.iter().enumerate().filter(|_| joins) {
        let same = |other: &&(usize, &Group)| other.1.tags.iter().all(|tag| group.tags.contains(tag));
        let Some((other, partner)) = few.groups.iter().enumerate().find(|other| same(&other)) else { continue };
        let (a, b) = if broadcast_left { (other, at) } else { (at, other) };
        let (first, second) = if broadcast_left { (partner, group) } else { (group, partner) };
        pairs.push((a as u32, b as u32));
        groups.push(Group {
            tags: group.tags.clone(),
            scope: group.scope.clone(),
            expression: name(&first.expression, &second.expression),
        });
    }
    let zero = |operand: &Operand| operand.amounts.then(|| operand.grid.bucket());
    let mixed = left.mixed || right.mixed || left.grid != right.grid;
    let grid = if right.grid.interval > left.grid.interval { &right.grid } else { &left.grid };
    let units = if matches!(op, PairOp::Mul | PairOp::Div) { [None, None] } else { left.units };
    Operand {
        groups,
        keys: many.keys.clone(),
        aggregator: left.aggregator.clone(),
        label: name(&left.label, &right.label),
        base: (many.base.0.clone(), name(&left.base.1, &right.base.1)),
        units,
        grid: grid.clone(),
        amounts: left.amounts && right.amounts,
        mixed,
        reach: left.reach,
        method: left.method,
        sources: left.sources + right.sources,
        node: Node::Pair(Box::new(Pair {
            op,
            pairs,
            named_by_right: broadcast_left,
            left_zero: zero(&left),
            right_zero: zero(&right),
            ends: mixed.then(|| [left.grid.bucket(), right.grid.bucket()]),
            left: left.node,
            right: right.node,
        })),
    }
}

/// Nothing is filled in.
const NO_REACH: Reach = Reach { method: ReachMethod::None, limit: 0 };

/// Whether a group has a key without a value.
fn lacks_a_key(group: &Group) -> bool {
    group.tags.iter().any(|(_, value)| value == NO_VALUE)
}

/// The argument that is an expression of a call.
fn operand_argument<'a>(name: &str, arguments: &'a [Argument]) -> Result<&'a Expr, Error> {
    match arguments.first() {
        Some(Argument::Expr(expr)) => Ok(expr),
        _ => Err(Error::query(format!("{name}: the first argument is an expression"))),
    }
}
