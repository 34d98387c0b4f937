//! InfluxQL expressions as plan expressions: values in SELECT, predicates in WHERE, and the columns both read.

use super::super::ast::{self, BinaryOp as Op, Cast, Chain, Expr};
use super::super::error::StatementError;
use super::schema::{Kind, Schema};
use super::shown;
use super::time::is_time;
use crate::extent::FULL;
use crate::pattern::Regex;
use crate::plan::{self, BinaryOp, Mathematics, Scalar, ScanField};
use crate::value::FieldType;

/// The columns of a scan: fields, then tags.
#[derive(Clone, Debug, Default)]
pub(super) struct Columns {
    pub(super) fields: Vec<ScanField>,
    pub(super) tags: Vec<String>,
}

impl Columns {
    /// Makes sure that a field is read; `drives` if a value of it makes a row.
    pub(super) fn read_field(&mut self, name: &str, field_type: FieldType, drives: bool) {
        match self.fields.iter_mut().find(|field| field.name == name && field.field_type == field_type) {
            Some(field) => field.drives |= drives,
            None => self.fields.push(ScanField { name: name.to_owned(), field_type, drives }),
        }
    }

    pub(super) fn read_tag(&mut self, name: &str) {
        if !self.tags.iter().any(|tag| tag == name) {
            self.tags.push(name.to_owned());
        }
    }

    /// Makes sure that all names in an expression are read. In a condition a name that stands for nothing is a tag that
    /// nobody has.
    pub(super) fn read(&mut self, expr: &Expr, schema: &Schema<'_>, in_condition: bool) {
        match expr {
            Expr::Variable { .. } if is_time(expr) => {}
            Expr::Variable { name, cast } => match schema.kind(name, *cast) {
                Kind::Field(field_type) => self.read_field(name, field_type, !in_condition),
                Kind::Tag => self.read_tag(name),
                Kind::Unknown if in_condition => self.read_tag(name),
                Kind::Unknown => {}
            },
            Expr::Chain(chain) => {
                self.read(&chain.first, schema, in_condition);
                chain.rest.iter().for_each(|(_, right)| self.read(right, schema, in_condition));
            }
            Expr::Paren(inner) => self.read(inner, schema, in_condition),
            Expr::Distinct(name) => self.read(&Expr::Variable { name: name.clone(), cast: None }, schema, in_condition),
            Expr::Call(call) => call.args.iter().for_each(|arg| self.read(arg, schema, in_condition)),
            _ => {}
        }
    }

    pub(super) fn field(&self, name: &str, field_type: FieldType) -> Option<usize> {
        self.fields.iter().position(|field| field.name == name && field.field_type == field_type)
    }

    pub(super) fn tag(&self, name: &str) -> Option<usize> {
        Some(self.fields.len() + self.tags.iter().position(|tag| tag == name)?)
    }

    /// The column that a name was read into.
    pub(super) fn column(&self, name: &str, cast: Option<Cast>, schema: &Schema<'_>) -> Option<usize> {
        match schema.kind(name, cast) {
            Kind::Field(field_type) => self.field(name, field_type),
            Kind::Tag | Kind::Unknown => self.tag(name),
        }
    }
}

pub(in crate::dialect::influx) fn regex(pattern: &ast::Regex) -> Result<Regex, StatementError> {
    Regex::new(&pattern.source).map_err(|_| StatementError::fixed("error parsing regexp"))
}

/// An expression whose value is absent in every row.
pub(super) fn absent() -> plan::Expr {
    plan::Expr::Cast { value: Box::new(plan::Expr::Literal(Scalar::String(String::new()))), to: FieldType::Float }
}

/// A literal as it stands in an expression.
fn literal(expr: &Expr) -> Option<Scalar> {
    Some(match expr {
        Expr::String(text) => Scalar::String(text.clone()),
        Expr::Integer(value) | Expr::Duration(value) => Scalar::Integer(*value),
        Expr::Unsigned(value) => Scalar::Unsigned(*value),
        Expr::Float(value) => Scalar::Float(*value),
        Expr::Boolean(value) => Scalar::Boolean(*value),
        _ => return None,
    })
}

/// A value of SELECT. `leaf` knows names and calls; what it does not know is absent.
pub(super) fn value(expr: &Expr, leaf: &dyn Fn(&Expr) -> Option<plan::Expr>) -> plan::Expr {
    match expr {
        Expr::Call(call) if FULL && let Some(function) = Mathematics::from_name(&call.name) => {
            plan::Expr::Mathematics {
                function,
                arguments: call.args.iter().map(|argument| value(argument, leaf)).collect(),
            }
        }
        Expr::Paren(inner) => value(inner, leaf),
        Expr::Chain(chain) => chain.rest.iter().fold(value(&chain.first, leaf), |left, (op, right)| {
            match arithmetic(*op, BinaryOp::Div) {
                Some(op) => binary(op, left, value(right, leaf)),
                None => absent(),
            }
        }),
        other => literal(other).map(plan::Expr::Literal).or_else(|| leaf(other)).unwrap_or_else(absent),
    }
}

const fn arithmetic(op: Op, division: BinaryOp) -> Option<BinaryOp> {
    Some(match op {
        Op::Add => BinaryOp::Add,
        Op::Subtract => BinaryOp::Sub,
        Op::Multiply => BinaryOp::Mul,
        Op::Divide => division,
        Op::Modulo => BinaryOp::Mod,
        Op::BitAnd => BinaryOp::BitAnd,
        Op::BitOr => BinaryOp::BitOr,
        Op::BitXor => BinaryOp::BitXor,
        _ => return None,
    })
}

fn binary(op: BinaryOp, left: plan::Expr, right: plan::Expr) -> plan::Expr {
    plan::Expr::Binary { op, left: Box::new(left), right: Box::new(right) }
}

fn truth(value: bool) -> plan::Expr {
    plan::Expr::Literal(Scalar::Boolean(value))
}

/// A condition, without time, over the columns of a scan. `inner`: over rows of a subquery, where InfluxDB knows no
/// mathematics; whether the subquery has a column or a tag of some name. What it has not is an empty text.
pub(super) fn predicate(
    condition: &Expr,
    schema: &Schema<'_>,
    columns: &Columns,
    inner: Option<&dyn Fn(&str) -> bool>,
) -> Result<plan::Expr, StatementError> {
    let operand = operand(condition, Names { schema, columns, inner })?;
    Ok(match operand.kind {
        OperandKind::Typed(FieldType::Boolean) => operand.expr,
        // A number that is computed passes in InfluxDB, whatever it is.
        _ => truth(true),
    })
}

/// A side of a comparison.
#[derive(Debug)]
struct Operand {
    expr: plan::Expr,
    kind: OperandKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OperandKind {
    Typed(FieldType),
    /// A text, empty where a series lacks the tag.
    Tag,
}

impl OperandKind {
    const fn is_text(self) -> bool {
        matches!(self, Self::Tag | Self::Typed(FieldType::String))
    }

    const fn is_number(self) -> bool {
        matches!(self, Self::Typed(field_type) if field_type.is_number())
    }
}

/// What the names of a condition mean.
#[derive(Clone, Copy)]
struct Names<'a> {
    schema: &'a Schema<'a>,
    columns: &'a Columns,
    inner: Option<&'a dyn Fn(&str) -> bool>,
}

fn operand(expr: &Expr, names: Names<'_>) -> Result<Operand, StatementError> {
    let Names { schema, columns, inner } = names;
    match expr {
        Expr::Paren(within) => operand(within, names),
        Expr::Variable { name, .. } if inner.is_some_and(|has| !has(name)) => {
            let expr = plan::Expr::Literal(Scalar::String(String::new()));
            Ok(Operand { expr, kind: OperandKind::Tag })
        }
        Expr::Variable { name, cast } => {
            let column = columns.column(name, *cast, schema).map_or_else(absent, plan::Expr::Column);
            Ok(match schema.kind(name, *cast) {
                Kind::Field(field_type) => Operand { expr: column, kind: OperandKind::Typed(field_type) },
                // What a subquery selects may be absent.
                Kind::Tag if inner.is_some() => Operand { expr: column, kind: OperandKind::Tag },
                Kind::Tag | Kind::Unknown => Operand {
                    expr: plan::Expr::OrElse { value: Box::new(column), other: Scalar::String(String::new()) },
                    kind: OperandKind::Tag,
                },
            })
        }
        Expr::Chain(chain) => chain_operand(chain, names),
        Expr::Call(call) if FULL && let Some(function) = Mathematics::from_name(&call.name) => {
            let (name, expected, got) = (call.name.clone(), function.arguments(), call.args.len());
            if expected != got {
                return Err(StatementError::ArgumentCount { function: name, expected, got });
            }
            let mut arguments = Vec::with_capacity(got);
            let mut kind = FieldType::Float;
            for argument in &call.args {
                let argument = operand(argument, names)?;
                if function.keeps_type()
                    && let OperandKind::Typed(own) = argument.kind
                    && own.is_number()
                {
                    kind = own;
                }
                arguments.push(argument.expr);
            }
            let expr = if inner.is_some() { absent() } else { plan::Expr::Mathematics { function, arguments } };
            Ok(Operand { expr, kind: OperandKind::Typed(kind) })
        }
        Expr::Call(call) if call.name == "now" => {
            Ok(Operand { expr: absent(), kind: OperandKind::Typed(FieldType::Boolean) })
        }
        Expr::Call(_) => Err(StatementError::CallInCondition(shown(expr))),
        other => {
            let scalar = literal(other).unwrap_or(Scalar::Boolean(false));
            let kind = OperandKind::Typed(scalar.field_type());
            Ok(Operand { expr: plan::Expr::Literal(scalar), kind })
        }
    }
}

fn chain_operand(chain: &Chain, names: Names<'_>) -> Result<Operand, StatementError> {
    let mut left = operand(&chain.first, names)?;
    for (op, right) in &chain.rest {
        left = match (op, right) {
            (Op::Match | Op::NotMatch, Expr::Regex(pattern)) => Operand {
                expr: matches(left, regex(pattern)?, *op == Op::NotMatch),
                kind: OperandKind::Typed(FieldType::Boolean),
            },
            _ => {
                let mut right = operand(right, names)?;
                if names.inner.is_none() {
                    (left, right) = beside_field(left, right);
                }
                let tags = left.kind == OperandKind::Tag && right.kind == OperandKind::Tag;
                match op {
                    Op::Equal | Op::NotEqual if tags && names.inner.is_none() => {
                        same_tags(left, right, *op == Op::NotEqual)
                    }
                    _ => combine(left, *op, right, names.inner.is_some()),
                }
            }
        };
    }
    Ok(left)
}

/// A tag beside a field is absent where a series lacks it, not empty.
fn beside_field(left: Operand, right: Operand) -> (Operand, Operand) {
    let field = |side: &Operand| {
        side.kind == OperandKind::Typed(FieldType::String) && !matches!(side.expr, plan::Expr::Literal(_))
    };
    let bare = |side: Operand| match side {
        Operand { expr: plan::Expr::OrElse { value, .. }, kind: OperandKind::Tag } => {
            Operand { expr: *value, kind: OperandKind::Tag }
        }
        side => side,
    };
    match (field(&left), field(&right)) {
        (true, false) => (left, bare(right)),
        (false, true) => (bare(left), right),
        _ => (left, right),
    }
}

/// Two tags of a series: equal only if it has them.
fn same_tags(left: Operand, right: Operand, negated: bool) -> Operand {
    let empty = || plan::Expr::Literal(Scalar::String(String::new()));
    let kind = OperandKind::Typed(FieldType::Boolean);
    let missing = binary(BinaryOp::Equal, left.expr.clone(), empty());
    let expr = if negated {
        binary(BinaryOp::Or, missing, binary(BinaryOp::NotEqual, left.expr, right.expr))
    } else {
        let there = binary(BinaryOp::NotEqual, left.expr.clone(), empty());
        binary(BinaryOp::And, there, binary(BinaryOp::Equal, left.expr, right.expr))
    };
    Operand { expr, kind }
}

fn matches(left: Operand, regex: Regex, negated: bool) -> plan::Expr {
    if !left.kind.is_text() {
        return truth(false);
    }
    // A tag that is missing is an empty text by now, unless a subquery has none.
    plan::Expr::Matches { text: Box::new(left.expr), regex, negated, absent_is_empty: false }
}

fn combine(left: Operand, op: Op, right: Operand, inner: bool) -> Operand {
    let (one, two) = (left.kind, right.kind);
    if let Some(op) = arithmetic(op, BinaryOp::DivTruncating) {
        let kind = match (one, two) {
            (OperandKind::Typed(one), OperandKind::Typed(two)) if one == two => one,
            _ => FieldType::Float,
        };
        return Operand { expr: binary(op, left.expr, right.expr), kind: OperandKind::Typed(kind) };
    }
    let (op, fits) = match op {
        Op::And => (BinaryOp::And, true),
        Op::Or => (BinaryOp::Or, true),
        Op::Equal => (BinaryOp::Equal, true),
        Op::NotEqual => (BinaryOp::NotEqual, true),
        Op::Less => (BinaryOp::Less, false),
        Op::LessEqual => (BinaryOp::LessOrEqual, false),
        Op::Greater => (BinaryOp::Greater, false),
        Op::GreaterEqual => (BinaryOp::GreaterOrEqual, false),
        _ => (BinaryOp::Equal, false),
    };
    // Only numbers have an order; texts and truths can be equal.
    let comparable = one.is_number() && two.is_number() || fits && (one == two || one.is_text() && two.is_text());
    let (left, right) = (left.expr, right.expr);
    // A value that a subquery lacks is false beside a boolean.
    let (left, right) = if inner { (left, right) } else { (never(op, left, &right), right) };
    let (left, right) = if inner { (left, right) } else { (left.clone(), never(op, right, &left)) };
    Operand {
        expr: if comparable { binary(op, left, right) } else { truth(false) },
        kind: OperandKind::Typed(FieldType::Boolean),
    }
}

/// A side that, where it is absent, is unequal to a boolean literal on the other side, or equal when that is asked
/// about: the plan would take it for `false`.
fn never(op: BinaryOp, side: plan::Expr, other: &plan::Expr) -> plan::Expr {
    match (op, other) {
        (BinaryOp::Equal | BinaryOp::NotEqual, plan::Expr::Literal(Scalar::Boolean(literal))) => {
            plan::Expr::OrElse { value: Box::new(side), other: Scalar::Boolean((op == BinaryOp::NotEqual) == *literal) }
        }
        _ => side,
    }
}
