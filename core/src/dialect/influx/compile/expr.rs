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
#[derive(Debug, Default)]
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

/// A condition, without time, over the columns of a scan.
pub(super) fn predicate(
    condition: &Expr,
    schema: &Schema<'_>,
    columns: &Columns,
) -> Result<plan::Expr, StatementError> {
    let operand = operand(condition, schema, columns)?;
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

fn operand(expr: &Expr, schema: &Schema<'_>, columns: &Columns) -> Result<Operand, StatementError> {
    match expr {
        Expr::Paren(inner) => operand(inner, schema, columns),
        Expr::Variable { name, cast } => {
            let column = columns.column(name, *cast, schema).map_or_else(absent, plan::Expr::Column);
            Ok(match schema.kind(name, *cast) {
                Kind::Field(field_type) => Operand { expr: column, kind: OperandKind::Typed(field_type) },
                Kind::Tag | Kind::Unknown => Operand {
                    expr: plan::Expr::OrElse { value: Box::new(column), other: Scalar::String(String::new()) },
                    kind: OperandKind::Tag,
                },
            })
        }
        Expr::Chain(chain) => chain_operand(chain, schema, columns),
        Expr::Call(call) if FULL && let Some(function) = Mathematics::from_name(&call.name) => {
            let (name, expected, got) = (call.name.clone(), function.arguments(), call.args.len());
            if expected != got {
                return Err(StatementError::ArgumentCount { function: name, expected, got });
            }
            let mut arguments = Vec::with_capacity(got);
            let mut kind = FieldType::Float;
            for argument in &call.args {
                let argument = operand(argument, schema, columns)?;
                if function.keeps_type()
                    && let OperandKind::Typed(own) = argument.kind
                    && own.is_number()
                {
                    kind = own;
                }
                arguments.push(argument.expr);
            }
            Ok(Operand { expr: plan::Expr::Mathematics { function, arguments }, kind: OperandKind::Typed(kind) })
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

fn chain_operand(chain: &Chain, schema: &Schema<'_>, columns: &Columns) -> Result<Operand, StatementError> {
    let mut left = operand(&chain.first, schema, columns)?;
    for (op, right) in &chain.rest {
        left = match (op, right) {
            (Op::Match | Op::NotMatch, Expr::Regex(pattern)) => Operand {
                expr: matches(left, regex(pattern)?, *op == Op::NotMatch),
                kind: OperandKind::Typed(FieldType::Boolean),
            },
            _ => combine(left, *op, operand(right, schema, columns)?),
        };
    }
    Ok(left)
}

fn matches(left: Operand, regex: Regex, negated: bool) -> plan::Expr {
    if !left.kind.is_text() {
        return truth(false);
    }
    let absent_is_empty = left.kind == OperandKind::Tag;
    plan::Expr::Matches { text: Box::new(left.expr), regex, negated, absent_is_empty }
}

fn combine(left: Operand, op: Op, right: Operand) -> Operand {
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
    let (left, right) = (never(op, left, &right), right);
    let (left, right) = (left.clone(), never(op, right, &left));
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
