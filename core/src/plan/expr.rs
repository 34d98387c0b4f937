//! Expressions over the columns of a group, one value a row.

use crate::pattern::Regex;
use crate::value::{FieldType, Value};

/// A value that owns its text.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar {
    Float(f64),
    Integer(i64),
    Unsigned(u64),
    Boolean(bool),
    String(String),
}

impl Scalar {
    pub fn as_value(&self) -> Value<'_> {
        match self {
            Self::Float(value) => Value::Float(*value),
            Self::Integer(value) => Value::Integer(*value),
            Self::Unsigned(value) => Value::Unsigned(*value),
            Self::Boolean(value) => Value::Boolean(*value),
            Self::String(value) => Value::String(value),
        }
    }

    pub const fn field_type(&self) -> FieldType {
        match self {
            Self::Float(_) => FieldType::Float,
            Self::Integer(_) => FieldType::Integer,
            Self::Unsigned(_) => FieldType::Unsigned,
            Self::Boolean(_) => FieldType::Boolean,
            Self::String(_) => FieldType::String,
        }
    }
}

impl From<Value<'_>> for Scalar {
    fn from(value: Value<'_>) -> Self {
        match value {
            Value::Float(value) => Self::Float(value),
            Value::Integer(value) => Self::Integer(value),
            Value::Unsigned(value) => Self::Unsigned(value),
            Value::Boolean(value) => Self::Boolean(value),
            Value::String(value) => Self::String(value.to_owned()),
        }
    }
}

/// An expression. An absent operand makes an absent result, except where a comparison says otherwise.
#[derive(Clone, Debug)]
pub enum Expr {
    /// A column of the input by position.
    Column(usize),
    Literal(Scalar),
    Binary {
        op: BinaryOp,
        left: Box<Self>,
        right: Box<Self>,
    },
    /// Whether a text matches; an absent text is the empty text when `absent_is_empty` (tags), else no match either way.
    Matches {
        text: Box<Self>,
        regex: Regex,
        negated: bool,
        absent_is_empty: bool,
    },
    /// Numbers to another numeric type, toward zero; anything else to absent.
    Cast {
        value: Box<Self>,
        to: FieldType,
    },
    /// The value, or this one where it is absent.
    OrElse {
        value: Box<Self>,
        other: Scalar,
    },
    /// What a tag of the group is, a text; absent where the group has no such tag. In a column of `Map` only.
    Tag(String),
    /// A function of mathematics of one or two arguments. Its value is absent outside of its domain, and of texts and
    /// truths.
    Mathematics {
        function: Mathematics,
        arguments: Vec<Self>,
    },
}

/// Of numbers to float, but for `Abs`, `Ceil`, `Floor` and `Round` (half away from zero), which keep the type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mathematics {
    Abs,
    Acos,
    Asin,
    Atan,
    /// Of y and x.
    Atan2,
    Ceil,
    Cos,
    Exp,
    Floor,
    Ln,
    /// Of a number and a base.
    Log,
    Log2,
    Log10,
    /// Of a base and an exponent.
    Pow,
    Round,
    Sin,
    Sqrt,
    Tan,
}

impl Mathematics {
    const ALL: [(&'static str, Self); 18] = [
        ("abs", Self::Abs),
        ("acos", Self::Acos),
        ("asin", Self::Asin),
        ("atan", Self::Atan),
        ("atan2", Self::Atan2),
        ("ceil", Self::Ceil),
        ("cos", Self::Cos),
        ("exp", Self::Exp),
        ("floor", Self::Floor),
        ("ln", Self::Ln),
        ("log", Self::Log),
        ("log2", Self::Log2),
        ("log10", Self::Log10),
        ("pow", Self::Pow),
        ("round", Self::Round),
        ("sin", Self::Sin),
        ("sqrt", Self::Sqrt),
        ("tan", Self::Tan),
    ];

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, function)| *function)
    }

    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, function)| *function == self).map_or("", |(name, _)| *name)
    }

    pub const fn arguments(self) -> usize {
        match self {
            Self::Atan2 | Self::Log | Self::Pow => 2,
            _ => 1,
        }
    }

    pub const fn keeps_type(self) -> bool {
        matches!(self, Self::Abs | Self::Ceil | Self::Floor | Self::Round)
    }
}

/// Operators. Float with integer computes in float. Integers wrap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BinaryOp {
    Add,
    Sub,
    Mul,
    /// Always a float; by zero gives zero.
    Div,
    /// Integers by integers truncate; by zero gives zero.
    DivTruncating,
    /// Sign of the left side; a float by zero is absent, an integer by zero is zero.
    Mod,
    BitAnd,
    BitOr,
    BitXor,
    /// Comparisons: of types that do not compare, or with an absent side, false (also `NotEqual`), except that an absent
    /// side counts as `false` against a boolean.
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    And,
    Or,
}

impl BinaryOp {
    /// As in [`explain`](mod@super::explain).
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Sub => "-",
            Self::Mul => "*",
            Self::Div => "/",
            Self::DivTruncating => "div",
            Self::Mod => "%",
            Self::BitAnd => "&",
            Self::BitOr => "|",
            Self::BitXor => "^",
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::And => "and",
            Self::Or => "or",
        }
    }
}
