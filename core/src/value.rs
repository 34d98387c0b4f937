//! The five field types and a single value of one.

use std::fmt;

/// The type of a field. The order is InfluxDB's order of preference when one field has several types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum FieldType {
    Float = 0,
    Integer = 1,
    Unsigned = 2,
    String = 3,
    Boolean = 4,
}

impl FieldType {
    pub const ALL: [Self; 5] = [Self::Float, Self::Integer, Self::Unsigned, Self::String, Self::Boolean];

    pub const fn from_id(id: u8) -> Option<Self> {
        match id {
            0 => Some(Self::Float),
            1 => Some(Self::Integer),
            2 => Some(Self::Unsigned),
            3 => Some(Self::String),
            4 => Some(Self::Boolean),
            _ => None,
        }
    }

    pub const fn id(self) -> u8 {
        self as u8
    }

    pub const fn is_number(self) -> bool {
        matches!(self, Self::Float | Self::Integer | Self::Unsigned)
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Float => "float",
            Self::Integer => "integer",
            Self::Unsigned => "unsigned",
            Self::String => "string",
            Self::Boolean => "boolean",
        }
    }
}

impl fmt::Display for FieldType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One value. Absence is `Option::None`, never a kind of value; NaN is a value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    Float(f64),
    Integer(i64),
    Unsigned(u64),
    Boolean(bool),
    String(&'a str),
}

impl Value<'_> {
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

/// The one NaN that is stored: wasm leaves its other bits open.
pub fn canonical(value: f64) -> f64 {
    if value.is_nan() { f64::NAN } else { value }
}
