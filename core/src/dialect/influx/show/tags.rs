//! WHERE of a SHOW: a condition on tags, for a series or for a measurement as a whole.

use super::super::ast::{BinaryOp, Expr};
use super::super::compile::pattern;
use super::super::error::StatementError;
use crate::index::{MeasurementIndex, SeriesId};
use crate::model::SeriesKey;
use crate::order::sort_by;
use crate::pattern::Regex;

/// A tag that a series lacks is the empty text.
#[derive(Clone, Debug)]
pub(in crate::dialect::influx) enum TagCondition {
    And(Vec<Self>),
    Or(Vec<Self>),
    /// The series has the tag.
    Present(String),
    /// A comparison without a name, which excludes no series.
    Unnamed(BinaryOp),
    Constant(bool),
    Compare {
        key: String,
        value: Operand,
        equal: bool,
        op: BinaryOp,
    },
}

#[derive(Clone, Debug)]
pub(in crate::dialect::influx) enum Operand {
    Text(String),
    Tag(String),
    Pattern(Regex),
    /// Nothing that a tag can be.
    Other,
}

impl TagCondition {
    /// Reads a condition without time, for counting: whatever is no comparison of tags is false.
    pub(in crate::dialect::influx) fn lenient(condition: &Expr) -> Self {
        match condition {
            Expr::Paren(inner) => Self::lenient(inner),
            Expr::Chain(chain) if matches!(chain.rest[0].0, BinaryOp::And | BinaryOp::Or) => {
                let sides = std::iter::once(&chain.first).chain(chain.rest.iter().map(|(_, right)| right));
                let sides = sides.map(Self::lenient).collect();
                if chain.rest[0].0 == BinaryOp::And { Self::And(sides) } else { Self::Or(sides) }
            }
            other => match Self::new(other) {
                Ok(Self::Compare { value: Operand::Other, .. } | Self::Unnamed(_)) | Err(_) => Self::Constant(false),
                Ok(condition) => condition,
            },
        }
    }

    /// The condition for a measurement with these fields, which every series of it meets.
    pub(in crate::dialect::influx) fn with_fields(&self, is_field: &dyn Fn(&str) -> bool, met: bool) -> Self {
        let all = |sides: &[Self]| sides.iter().map(|side| side.with_fields(is_field, met)).collect();
        match self {
            Self::And(sides) => Self::And(all(sides)),
            Self::Or(sides) => Self::Or(all(sides)),
            Self::Compare { key, .. } if is_field(key) => Self::Constant(met),
            Self::Compare { value: Operand::Tag(other), .. } if is_field(other) => Self::Constant(met),
            other => other.clone(),
        }
    }

    /// Reads a condition without time.
    pub(in crate::dialect::influx) fn new(condition: &Expr) -> Result<Self, StatementError> {
        let invalid = || StatementError::Fixed("invalid tag comparison operator");
        match condition {
            Expr::Paren(inner) => Self::new(inner),
            Expr::Boolean(value) => Ok(Self::Constant(*value)),
            Expr::Chain(chain) => match chain.rest.as_slice() {
                [(BinaryOp::And | BinaryOp::Or, _), ..] => {
                    // A run of one precedence: all AND or all OR.
                    let sides = std::iter::once(&chain.first).chain(chain.rest.iter().map(|(_, right)| right));
                    let sides = sides.map(Self::new).collect::<Result<_, _>>()?;
                    Ok(if chain.rest[0].0 == BinaryOp::And { Self::And(sides) } else { Self::Or(sides) })
                }
                [(op, right)] => {
                    let equal = match op {
                        BinaryOp::Equal | BinaryOp::Match => true,
                        BinaryOp::NotEqual | BinaryOp::NotMatch => false,
                        _ => return Err(invalid()),
                    };
                    let ((Expr::Variable { name: key, .. }, value) | (value, Expr::Variable { name: key, .. })) =
                        (&chain.first, right)
                    else {
                        return match (&chain.first, right) {
                            (Expr::Chain(_), _) | (_, Expr::Chain(_)) => Err(invalid()),
                            _ => Ok(Self::Unnamed(*op)),
                        };
                    };
                    let value = match value {
                        Expr::String(text) => Operand::Text(text.clone()),
                        Expr::Variable { name, .. } => Operand::Tag(name.clone()),
                        Expr::Regex(regex) => Operand::Pattern(pattern(regex)?),
                        _ => Operand::Other,
                    };
                    Ok(Self::Compare { key: key.clone(), value, equal, op: *op })
                }
                _ => Err(invalid()),
            },
            other => Err(StatementError::Condition(other.to_string())),
        }
    }

    /// The same, but false of tags that a series lacks.
    pub(in crate::dialect::influx) fn of_present_tags(self) -> Self {
        let all = |sides: Vec<Self>| sides.into_iter().map(Self::of_present_tags).collect();
        match self {
            Self::And(sides) => Self::And(all(sides)),
            Self::Or(sides) => Self::Or(all(sides)),
            Self::Compare { ref key, .. } => Self::And(vec![Self::Present(key.clone()), self]),
            other => other,
        }
    }

    /// The series of a measurement for which it holds, by key.
    pub(in crate::dialect::influx) fn series<'a>(&self, index: &'a MeasurementIndex) -> Vec<(SeriesId, &'a SeriesKey)> {
        let Some(ids) = self.candidates(index) else {
            return index.series().filter(|(_, key)| self.holds(key)).collect();
        };
        let series = ids.iter().filter_map(|id| Some((*id, index.key(*id)?)));
        let mut series: Vec<_> = series.filter(|(_, key)| self.holds(key)).collect();
        sort_by(&mut series, |a, b| a.1.cmp(b.1));
        series
    }

    /// A list of series without which it cannot hold, if a tag names one: the shortest.
    fn candidates<'a>(&self, index: &'a MeasurementIndex) -> Option<&'a [SeriesId]> {
        match self {
            Self::And(sides) => {
                sides.iter().filter_map(|side| side.candidates(index)).min_by_key(|series| series.len())
            }
            Self::Compare { key, value: Operand::Text(text), equal: true, .. } if !text.is_empty() => {
                Some(index.with_tag(key, text))
            }
            _ => None,
        }
    }

    pub(super) fn holds(&self, series: &SeriesKey) -> bool {
        match self {
            Self::And(sides) => sides.iter().all(|side| side.holds(series)),
            Self::Or(sides) => sides.iter().any(|side| side.holds(series)),
            Self::Constant(value) => *value,
            Self::Present(key) => series.tag(key).is_some(),
            Self::Unnamed(_) => true,
            Self::Compare { key, value, equal, .. } => {
                let tag = series.tag(key).unwrap_or_default();
                match value {
                    Operand::Text(text) => (*tag == **text) == *equal,
                    // InfluxDB asks whether the series has both, or only the first; it compares nothing.
                    Operand::Tag(other) => !tag.is_empty() && series.tag(other).is_some() == *equal,
                    Operand::Pattern(regex) => regex.is_match(&tag) == *equal,
                    Operand::Other => true,
                }
            }
        }
    }

    /// As InfluxDB decides of a measurement: it must have the tag, and for `!=` and `!~` no value of it may match.
    pub(super) fn holds_in(&self, index: &MeasurementIndex) -> Result<bool, StatementError> {
        Ok(match self {
            Self::And(sides) => {
                let sides: Vec<bool> = sides.iter().map(|side| side.holds_in(index)).collect::<Result<_, _>>()?;
                sides.into_iter().all(|side| side)
            }
            Self::Or(sides) => {
                let sides: Vec<bool> = sides.iter().map(|side| side.holds_in(index)).collect::<Result<_, _>>()?;
                sides.into_iter().any(|side| side)
            }
            Self::Constant(value) => {
                return Err(StatementError::Words(format!("&influxql.BooleanLiteral{{Val:{value}}}")));
            }
            Self::Present(key) => index.tag_values(key).next().is_some(),
            Self::Unnamed(op) => {
                return Err(StatementError::Words(format!("left side of '{}' must be a tag key", op.symbol())));
            }
            Self::Compare { key, value, equal, op } => {
                let any = match value {
                    Operand::Text(text) => index.tag_values(key).any(|value| value == text),
                    Operand::Pattern(regex) => index.tag_values(key).any(|value| regex.is_match(value)),
                    Operand::Tag(_) | Operand::Other => return Err(StatementError::TagValueText(op.symbol())),
                };
                index.tag_values(key).next().is_some() && any == *equal
            }
        })
    }
}
