//! Expressions over runs of rows: constants folded first, then column by column.

mod mathematics;

use super::cursor::{ColumnDef, Rows, View};
use super::table::{cast, cast_column, extend, slice_bits};
use crate::extent::FULL;
use crate::model::Column;
use crate::model::column::{Bitmap, Values};
use crate::pattern::Regex;
use crate::plan::{BinaryOp, Expr, Mathematics, Scalar};
use crate::value::{FieldType, Value};
use std::borrow::Cow;
use std::cmp::Ordering;

/// An expression made for the groups it runs over: types known, constant parts evaluated.
#[derive(Clone, Debug)]
pub(super) enum Code {
    Constant(Option<Scalar>),
    Column(usize, FieldType),
    Binary {
        op: BinaryOp,
        left: Box<Self>,
        right: Box<Self>,
        field_type: FieldType,
    },
    Matches {
        text: Box<Self>,
        regex: Regex,
        negated: bool,
        absent_is_empty: bool,
    },
    Cast {
        value: Box<Self>,
        to: FieldType,
    },
    OrElse {
        value: Box<Self>,
        other: Scalar,
    },
    /// One or two arguments.
    Mathematics {
        function: Mathematics,
        arguments: Vec<Self>,
        field_type: FieldType,
    },
}

/// One value a row of a run, or one for all.
enum Operand<'a> {
    Constant(Option<Value<'a>>),
    /// Rows of the run begin at this row of the column.
    Rows(Cow<'a, Column>, usize),
}

impl Code {
    /// `constant` says what a column is throughout: `Some(None)` is absent, `None` varies.
    pub(super) fn new(expr: &Expr, columns: &[ColumnDef], constant: &dyn Fn(usize) -> Option<Option<Scalar>>) -> Self {
        let sub = |expr: &Expr| Box::new(Self::new(expr, columns, constant));
        let code = match expr {
            Expr::Column(at) => match constant(*at) {
                Some(value) => Self::Constant(value),
                None => columns.get(*at).map_or(Self::Constant(None), |column| Self::Column(*at, column.field_type)),
            },
            Expr::Literal(value) => Self::Constant(Some(value.clone())),
            Expr::Binary { op, left, right } => {
                let (left, right) = (sub(left), sub(right));
                let field_type = op.result(left.field_type(), right.field_type());
                return Self::Binary { op: *op, left, right, field_type }.folded();
            }
            Expr::Matches { text, regex, negated, absent_is_empty } => Self::Matches {
                text: sub(text),
                regex: regex.clone(),
                negated: *negated,
                absent_is_empty: *absent_is_empty,
            },
            Expr::Cast { value, to } => Self::Cast { value: sub(value), to: *to },
            Expr::OrElse { value, other } => Self::OrElse { value: sub(value), other: other.clone() },
            // Those who know the group put its value in place; see `Map`.
            Expr::Tag(_) => Self::Constant(None),
            Expr::Mathematics { function, arguments } => {
                let arguments: Vec<_> = arguments.iter().map(|argument| *sub(argument)).collect();
                let own = arguments.first().map_or(FieldType::Float, Self::field_type);
                let field_type = if function.keeps_type() && own.is_number() { own } else { FieldType::Float };
                Self::Mathematics { function: *function, arguments, field_type }
            }
        };
        code.folded()
    }

    pub(super) fn field_type(&self) -> FieldType {
        match self {
            Self::Constant(value) => value.as_ref().map_or(FieldType::Float, Scalar::field_type),
            Self::Column(_, field_type) | Self::Binary { field_type, .. } | Self::Mathematics { field_type, .. } => {
                *field_type
            }
            Self::Matches { .. } => FieldType::Boolean,
            Self::Cast { to, .. } => *to,
            Self::OrElse { other, .. } => other.field_type(),
        }
    }

    /// Its value for all rows, if it has one.
    pub(super) fn constant(&self) -> Option<&Option<Scalar>> {
        if let Self::Constant(value) = self { Some(value) } else { None }
    }

    /// The values of the run, appended to a column of this type.
    pub(super) fn append(&self, rows: &Rows<'_>, into: &mut Column) {
        match self.eval(rows) {
            Operand::Constant(value) => {
                let value = value.and_then(|value| cast(value, into.field_type()));
                extend(into, value.map_or(View::Absent, View::Constant), 0, rows.len());
            }
            Operand::Rows(column, from) => extend(into, View::Column(&column), from, from + rows.len()),
        }
    }

    /// Calls `each` with the rows, as numbers in `rows`, for which this is true.
    pub(super) fn each_true(&self, rows: &Rows<'_>, mut each: impl FnMut(usize)) {
        match self.eval(rows) {
            Operand::Constant(value) => {
                if value == Some(Value::Boolean(true)) {
                    (rows.from..rows.to).for_each(each);
                }
            }
            Operand::Rows(column, from) => {
                let Values::Boolean(values) = &column.values else { return };
                let values = &values[from..from + rows.len()];
                for (at, _) in values.iter().enumerate().filter(|(_, value)| **value) {
                    if column.is_present(from + at) {
                        each(rows.from + at);
                    }
                }
            }
        }
    }

    fn folded(self) -> Self {
        let known = |code: &Self, value: bool| code.constant().is_some_and(|c| *c == Some(Scalar::Boolean(value)));
        match self {
            Self::Binary { op: BinaryOp::And, left, right, .. } if known(&left, false) || known(&right, false) => {
                Self::Constant(Some(Scalar::Boolean(false)))
            }
            Self::Binary { op: BinaryOp::Or, left, right, .. } if known(&left, true) || known(&right, true) => {
                Self::Constant(Some(Scalar::Boolean(true)))
            }
            Self::Binary { op: BinaryOp::And, left, right, .. } if known(&left, true) && right.is_condition() => *right,
            Self::Binary { op: BinaryOp::And, left, right, .. } if known(&right, true) && left.is_condition() => *left,
            Self::Binary { op: BinaryOp::Or, left, right, .. } if known(&left, false) && right.is_condition() => *right,
            Self::Binary { op: BinaryOp::Or, left, right, .. } if known(&right, false) && left.is_condition() => *left,
            code if code.operands_are_constant() => {
                let one = Rows { times: &[0], columns: Vec::new(), from: 0, to: 1 };
                let value = match code.eval(&one) {
                    Operand::Constant(value) => value.map(Scalar::from),
                    Operand::Rows(column, from) => column.get(from).map(Scalar::from),
                };
                // A constant without a value would have no type to go by.
                if value.is_none() && code.field_type() != FieldType::Float { code } else { Self::Constant(value) }
            }
            code => code,
        }
    }

    /// True, false or absent for every row.
    fn is_condition(&self) -> bool {
        self.field_type() == FieldType::Boolean
    }

    fn operands_are_constant(&self) -> bool {
        match self {
            Self::Constant(_) | Self::Column(..) => false,
            Self::Binary { left, right, .. } => left.constant().is_some() && right.constant().is_some(),
            Self::Matches { text: value, .. } | Self::Cast { value, .. } | Self::OrElse { value, .. } => {
                value.constant().is_some()
            }
            Self::Mathematics { arguments, .. } => arguments.iter().all(|argument| argument.constant().is_some()),
        }
    }

    fn eval<'a>(&'a self, rows: &Rows<'a>) -> Operand<'a> {
        let len = rows.len();
        match self {
            Self::Constant(value) => Operand::Constant(value.as_ref().map(Scalar::as_value)),
            Self::Column(at, _) => match rows.columns.get(*at) {
                None | Some(View::Absent) => Operand::Constant(None),
                Some(View::Constant(value)) => Operand::Constant(Some(*value)),
                Some(View::Column(column)) => Operand::Rows(Cow::Borrowed(column), rows.from),
            },
            Self::Binary { op, left, right, field_type } => {
                binary(*op, &left.eval(rows), &right.eval(rows), *field_type, len)
            }
            Self::Matches { text, regex, negated, absent_is_empty } => {
                let test = |value: Option<Value<'_>>| match value {
                    Some(Value::String(text)) => regex.is_match(text) != *negated,
                    None if *absent_is_empty => regex.is_match("") != *negated,
                    _ => false,
                };
                let text = text.eval(rows);
                let mut last: Option<(Option<Value<'_>>, bool)> = None;
                let matched = (0..len).map(|row| {
                    let value = text.get(row);
                    match last {
                        Some((seen, answer)) if seen == value => answer,
                        _ => last.insert((value, test(value))).1,
                    }
                });
                Operand::owned(Values::Boolean(matched.collect()), None)
            }
            Self::Cast { value, to } => match value.eval(rows) {
                Operand::Constant(value) => Operand::Constant(value.and_then(|value| cast(value, *to))),
                Operand::Rows(column, from) if column.field_type() == *to => Operand::Rows(column, from),
                Operand::Rows(column, from) => cast_column(&column, *to)
                    .map_or(Operand::Constant(None), |column| Operand::Rows(Cow::Owned(column), from)),
            },
            // The full engine's, as are remainders: no reader compiles them.
            Self::Mathematics { .. } if !FULL => Operand::Constant(None),
            Self::Mathematics { function, arguments, field_type } => {
                let first = arguments.first().map_or(Operand::Constant(None), |argument| argument.eval(rows));
                let second = arguments.get(1).map(|argument| argument.eval(rows));
                mathematics::apply(*function, &first, second.as_ref(), *field_type, len)
            }
            Self::OrElse { value, other } => match value.eval(rows) {
                Operand::Constant(value) => Operand::Constant(value.or(Some(other.as_value()))),
                Operand::Rows(column, from) if column.present.is_none() => Operand::Rows(column, from),
                Operand::Rows(column, from) => {
                    let mut filled = Column::new(other.field_type());
                    for row in from..from + len {
                        let value = column.get(row).unwrap_or(other.as_value());
                        filled.push(cast(value, other.field_type()));
                    }
                    Operand::Rows(Cow::Owned(filled), 0)
                }
            },
        }
    }
}

impl<'a> Operand<'a> {
    fn owned(values: Values, present: Option<Bitmap>) -> Self {
        Operand::Rows(Cow::Owned(Column { values, present }), 0)
    }

    fn get(&self, row: usize) -> Option<Value<'_>> {
        match self {
            Self::Constant(value) => *value,
            Self::Rows(column, from) => column.get(from + row),
        }
    }

    fn field_type(&self) -> Option<FieldType> {
        match self {
            Self::Constant(value) => value.map(|value| value.field_type()),
            Self::Rows(column, _) => Some(column.field_type()),
        }
    }

    /// Which of `len` rows have a value; `None` is all of them.
    fn present(&self, len: usize) -> Option<Bitmap> {
        match self {
            Self::Constant(value) => value.is_none().then(|| Bitmap::filled(false, len)),
            Self::Rows(column, from) => column.present.as_ref().map(|map| slice_bits(map, *from, from + len)),
        }
    }

    fn floats(&self, len: usize) -> Lane<'_, f64> {
        match self {
            Self::Constant(value) => Lane::One(match value.and_then(|value| cast(value, FieldType::Float)) {
                Some(Value::Float(value)) => value,
                _ => 0.0,
            }),
            Self::Rows(column, from) => match &column.values {
                Values::Float(values) => Lane::Many(Cow::Borrowed(&values[*from..from + len])),
                Values::Integer(values) => Lane::Many(values[*from..from + len].iter().map(|v| *v as f64).collect()),
                Values::Unsigned(values) => Lane::Many(values[*from..from + len].iter().map(|v| *v as f64).collect()),
                _ => Lane::One(0.0),
            },
        }
    }

    /// Integers of either kind, as bits.
    fn integers(&self, len: usize) -> Lane<'_, i64> {
        match self {
            Self::Constant(Some(Value::Integer(value))) => Lane::One(*value),
            Self::Constant(Some(Value::Unsigned(value))) => Lane::One(*value as i64),
            Self::Constant(_) => Lane::One(0),
            Self::Rows(column, from) => match &column.values {
                Values::Integer(values) => Lane::Many(Cow::Borrowed(&values[*from..from + len])),
                Values::Unsigned(values) => Lane::Many(values[*from..from + len].iter().map(|v| *v as i64).collect()),
                _ => Lane::One(0),
            },
        }
    }
}

/// Plain values of a run, one for all rows or one each.
enum Lane<'a, T: Clone> {
    One(T),
    Many(Cow<'a, [T]>),
}

impl<T: Copy> Lane<'_, T> {
    fn at(&self, row: usize) -> T {
        match self {
            Self::One(value) => *value,
            Self::Many(values) => values[row],
        }
    }
}

impl<T: Copy> Lane<'_, T> {
    fn many(&self, len: usize) -> Cow<'_, [T]> {
        match self {
            Self::One(value) => Cow::Owned(vec![*value; len]),
            Self::Many(values) => Cow::Borrowed(values),
        }
    }
}

fn zip<T: Copy, R>(left: &Lane<'_, T>, right: &Lane<'_, T>, len: usize, f: impl Fn(T, T) -> R) -> Vec<R> {
    if !FULL {
        // One loop for each operator, where memory is worth less than code.
        let (left, right) = (left.many(len), right.many(len));
        let mut out = Vec::with_capacity(len);
        for (left, right) in left.iter().zip(&*right) {
            out.push(f(*left, *right));
        }
        return out;
    }
    match (left, right) {
        (Lane::One(left), Lane::One(right)) => (0..len).map(|_| f(*left, *right)).collect(),
        (Lane::One(left), Lane::Many(right)) => right.iter().map(|right| f(*left, *right)).collect(),
        (Lane::Many(left), Lane::One(right)) => left.iter().map(|left| f(*left, *right)).collect(),
        (Lane::Many(left), Lane::Many(right)) => {
            left.iter().zip(&**right).map(|(left, right)| f(*left, *right)).collect()
        }
    }
}

impl BinaryOp {
    const fn is_comparison(self) -> bool {
        matches!(
            self,
            Self::Equal | Self::NotEqual | Self::Less | Self::LessOrEqual | Self::Greater | Self::GreaterOrEqual
        )
    }

    /// The type of a result over operands of these types.
    pub(super) fn result(self, left: FieldType, right: FieldType) -> FieldType {
        if self.is_comparison() || matches!(self, Self::And | Self::Or) {
            return FieldType::Boolean;
        }
        match (left, right) {
            (FieldType::Boolean, FieldType::Boolean) => FieldType::Boolean,
            _ if self == Self::Div => FieldType::Float,
            (FieldType::Unsigned, FieldType::Unsigned) => FieldType::Unsigned,
            (FieldType::Integer | FieldType::Unsigned, FieldType::Integer | FieldType::Unsigned) => FieldType::Integer,
            _ => FieldType::Float,
        }
    }

    fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::NotEqual => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
            _ => false,
        }
    }
}

fn binary<'a>(op: BinaryOp, left: &Operand<'_>, right: &Operand<'_>, result: FieldType, len: usize) -> Operand<'a> {
    if op.is_comparison() {
        return Operand::owned(Values::Boolean(compare(op, left, right, len)), None);
    }
    let truth = |value| value == Some(Value::Boolean(true));
    if matches!(op, BinaryOp::And | BinaryOp::Or) {
        let values = (0..len).map(|row| {
            let (left, right) = (truth(left.get(row)), truth(right.get(row)));
            if op == BinaryOp::And { left && right } else { left || right }
        });
        return Operand::owned(Values::Boolean(values.collect()), None);
    }
    let (Some(left_type), Some(right_type)) = (left.field_type(), right.field_type()) else {
        return Operand::Constant(None);
    };
    let mut present = match (left.present(len), right.present(len)) {
        (Some(left), Some(right)) => {
            let words = left.words().iter().zip(right.words()).map(|(left, right)| left & right);
            Some(Bitmap::from_words(words.collect(), len))
        }
        (one, other) => one.or(other),
    };
    let values = match result {
        FieldType::Boolean => {
            // As in comparisons, an absent side counts as false where the other is there.
            present = match (left.present(len), right.present(len)) {
                (Some(left), Some(right)) => {
                    let words = left.words().iter().zip(right.words()).map(|(left, right)| left | right);
                    Some(Bitmap::from_words(words.collect(), len))
                }
                _ => None,
            };
            let values = (0..len).map(|row| {
                let (left, right) = (truth(left.get(row)), truth(right.get(row)));
                match op {
                    BinaryOp::BitAnd => left & right,
                    BinaryOp::BitOr => left | right,
                    BinaryOp::BitXor => left ^ right,
                    _ => false,
                }
            });
            if !matches!(op, BinaryOp::BitAnd | BinaryOp::BitOr | BinaryOp::BitXor) {
                return Operand::Constant(None);
            }
            Values::Boolean(values.collect())
        }
        _ if !left_type.is_number() || !right_type.is_number() => return Operand::Constant(None),
        FieldType::Integer => Values::Integer(whole(op, &left.integers(len), &right.integers(len), len, integers)),
        FieldType::Unsigned => {
            let values = whole(op, &left.integers(len), &right.integers(len), len, unsigneds);
            Values::Unsigned(values.into_iter().map(|value| value as u64).collect())
        }
        _ => {
            let (left, right) = (left.floats(len), right.floats(len));
            match floats(op, &left, &right, len) {
                Some(values) => Values::Float(values),
                None => return Operand::Constant(None),
            }
        }
    };
    Operand::owned(blank(values, present.as_ref()), present)
}

/// Absent rows hold zero.
fn blank(mut values: Values, present: Option<&Bitmap>) -> Values {
    if let Some(map) = present {
        for row in (0..map.len()).filter(|row| !map.get(*row)) {
            match &mut values {
                Values::Float(values) => values[row] = 0.0,
                Values::Integer(values) => values[row] = 0,
                Values::Unsigned(values) => values[row] = 0,
                Values::Boolean(values) => values[row] = false,
                Values::String(_) => {}
            }
        }
    }
    values
}

fn floats(op: BinaryOp, left: &Lane<'_, f64>, right: &Lane<'_, f64>, len: usize) -> Option<Vec<f64>> {
    let canonical = crate::value::canonical;
    Some(match op {
        BinaryOp::Add => zip(left, right, len, |a, b| canonical(a + b)),
        BinaryOp::Sub => zip(left, right, len, |a, b| canonical(a - b)),
        BinaryOp::Mul => zip(left, right, len, |a, b| canonical(a * b)),
        BinaryOp::Div | BinaryOp::DivTruncating => {
            zip(left, right, len, |a, b| if b == 0.0 { 0.0 } else { canonical(a / b) })
        }
        BinaryOp::Mod if FULL => zip(left, right, len, |a, b| canonical(libm::fmod(a, b))),
        _ => return None,
    })
}

fn whole(
    op: BinaryOp,
    left: &Lane<'_, i64>,
    right: &Lane<'_, i64>,
    len: usize,
    divide: fn(BinaryOp, i64, i64) -> i64,
) -> Vec<i64> {
    match op {
        BinaryOp::Add => zip(left, right, len, i64::wrapping_add),
        BinaryOp::Sub => zip(left, right, len, i64::wrapping_sub),
        BinaryOp::Mul => zip(left, right, len, i64::wrapping_mul),
        BinaryOp::BitAnd => zip(left, right, len, |a, b| a & b),
        BinaryOp::BitOr => zip(left, right, len, |a, b| a | b),
        BinaryOp::BitXor => zip(left, right, len, |a, b| a ^ b),
        _ => zip(left, right, len, |a, b| if b == 0 { 0 } else { divide(op, a, b) }),
    }
}

fn integers(op: BinaryOp, left: i64, right: i64) -> i64 {
    if op == BinaryOp::Mod { left.wrapping_rem(right) } else { left.wrapping_div(right) }
}

fn unsigneds(op: BinaryOp, left: i64, right: i64) -> i64 {
    let (left, right) = (left as u64, right as u64);
    (if op == BinaryOp::Mod { left % right } else { left / right }) as i64
}

fn compare(op: BinaryOp, left: &Operand<'_>, right: &Operand<'_>, len: usize) -> Vec<bool> {
    let both = (left.field_type(), right.field_type());
    let float = Some(FieldType::Float);
    if let (Some(a), Some(b)) = both
        && a.is_number()
        && b.is_number()
        && (both.0 == float || both.1 == float)
    {
        let (left_lane, right_lane) = (left.floats(len), right.floats(len));
        let mut values = match op {
            BinaryOp::Equal => zip(&left_lane, &right_lane, len, |a, b| a == b),
            BinaryOp::NotEqual => zip(&left_lane, &right_lane, len, |a, b| a != b),
            BinaryOp::Less => zip(&left_lane, &right_lane, len, |a, b| a < b),
            BinaryOp::LessOrEqual => zip(&left_lane, &right_lane, len, |a, b| a <= b),
            BinaryOp::Greater => zip(&left_lane, &right_lane, len, |a, b| a > b),
            _ => zip(&left_lane, &right_lane, len, |a, b| a >= b),
        };
        for map in [left.present(len), right.present(len)].into_iter().flatten() {
            for (row, value) in values.iter_mut().enumerate() {
                *value &= map.get(row);
            }
        }
        return values;
    }
    // An absent side counts as false against a boolean.
    let booleans = both.0 == Some(FieldType::Boolean) || both.1 == Some(FieldType::Boolean);
    let otherwise = booleans.then_some(Value::Boolean(false));
    let equality = |equal: bool| match op {
        BinaryOp::Equal => equal,
        BinaryOp::NotEqual => !equal,
        _ => false,
    };
    let row = |row| match (left.get(row).or(otherwise), right.get(row).or(otherwise)) {
        (Some(Value::String(left)), Some(Value::String(right))) => equality(left == right),
        (Some(Value::Boolean(left)), Some(Value::Boolean(right))) => equality(left == right),
        (Some(left), Some(right)) => match (wide(left), wide(right)) {
            (Some(left), Some(right)) => op.holds(left.cmp(&right)),
            _ => false,
        },
        _ => false,
    };
    (0..len).map(row).collect()
}

fn wide(value: Value<'_>) -> Option<i128> {
    match value {
        Value::Integer(value) => Some(value.into()),
        Value::Unsigned(value) => Some(value.into()),
        _ => None,
    }
}
