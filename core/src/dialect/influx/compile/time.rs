//! Time in a statement: bounds in WHERE, constants that are times, buckets in GROUP BY.

use super::super::ast::{BinaryOp, Call, Chain, Expr};
use super::super::error::StatementError;
use super::shown;
use crate::extent::FULL;
use crate::time::{NANOS_PER_DAY, TimeRange, Timestamp, Zone, parse_rfc3339, write_rfc3339};

/// What times in a statement are read by.
#[derive(Clone, Copy)]
pub(super) struct Clock<'a> {
    pub(super) now: Timestamp,
    /// Of dates that name none; `None` is UTC.
    pub(super) zone: Option<&'a Zone>,
}

/// The bounds that WHERE sets, both included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::dialect::influx) struct Bounds {
    pub(in crate::dialect::influx) min: Option<i64>,
    pub(in crate::dialect::influx) max: Option<i64>,
}

impl Bounds {
    pub(super) fn narrow(&mut self, other: Self) {
        self.min = self.min.max(other.min);
        self.max = match (self.max, other.max) {
            (Some(one), Some(two)) => Some(one.min(two)),
            (one, two) => one.or(two),
        };
    }

    pub(in crate::dialect::influx) fn range(self) -> TimeRange {
        TimeRange::new(self.min.unwrap_or(TimeRange::ALL.min), self.max.unwrap_or(TimeRange::ALL.max))
    }
}

/// Takes the comparisons with `time` out of a condition and intersects them, whether AND or OR joins them. What is left
/// is the condition on points, `None` when nothing is.
pub(in crate::dialect::influx) fn split(
    condition: &Expr,
    now: Timestamp,
    bounds: &mut Bounds,
) -> Result<Option<Expr>, StatementError> {
    split_by(condition, Clock { now, zone: None }, bounds)
}

/// The same, in a zone.
pub(super) fn split_by(condition: &Expr, now: Clock<'_>, bounds: &mut Bounds) -> Result<Option<Expr>, StatementError> {
    match condition {
        Expr::Paren(inner) => Ok(split_by(inner, now, bounds)?.map(|inner| Expr::Paren(Box::new(inner)))),
        Expr::Boolean(_) => Ok(Some(condition.clone())),
        Expr::Chain(chain) => match chain.rest.as_slice() {
            [(BinaryOp::And | BinaryOp::Or, _), ..] => split_logical(chain, now, bounds),
            [(op, right)] if is_time(&chain.first) => {
                bounds.narrow(bound(*op, right, now)?);
                Ok(None)
            }
            [(op, right)] if is_time(right) => {
                bounds.narrow(bound(mirrored(*op), &chain.first, now)?);
                Ok(None)
            }
            _ => Ok(Some(condition.clone())),
        },
        _ => Err(StatementError::Condition(shown(condition))),
    }
}

fn split_logical(chain: &Chain, now: Clock<'_>, bounds: &mut Bounds) -> Result<Option<Expr>, StatementError> {
    let mut left = split_by(&chain.first, now, bounds)?;
    for (op, right) in &chain.rest {
        left = match (left, split_by(right, now, bounds)?) {
            (None, right) => right,
            (left, None) => left,
            (Some(Expr::Chain(mut grown)), Some(right)) if grown.rest.first().is_some_and(|(first, _)| first == op) => {
                grown.rest.push((*op, right));
                Some(Expr::Chain(grown))
            }
            (Some(first), Some(right)) => Some(Expr::Chain(Box::new(Chain { first, rest: vec![(*op, right)] }))),
        };
    }
    Ok(left)
}

pub(super) fn is_time(expr: &Expr) -> bool {
    matches!(expr, Expr::Variable { name, .. } if name.eq_ignore_ascii_case("time"))
}

const fn mirrored(op: BinaryOp) -> BinaryOp {
    match op {
        BinaryOp::Less => BinaryOp::Greater,
        BinaryOp::LessEqual => BinaryOp::GreaterEqual,
        BinaryOp::Greater => BinaryOp::Less,
        BinaryOp::GreaterEqual => BinaryOp::LessEqual,
        other => other,
    }
}

/// `time op value`
fn bound(op: BinaryOp, value: &Expr, now: Clock<'_>) -> Result<Bounds, StatementError> {
    let mut value = constant(value, now)?;
    if let Constant::Text(text) = value
        && looks_like_time(text)
    {
        value = Constant::Time(parse_time(text, now.zone)?);
    }
    let nanos = match value {
        Constant::Time(nanos) if nanos > i128::from(Timestamp::MAX.nanos()) => {
            return Err(StatementError::TimeOverflow(whole_seconds(nanos)));
        }
        Constant::Time(nanos) if nanos < i128::from(Timestamp::MIN.nanos()) => {
            return Err(StatementError::TimeUnderflow(whole_seconds(nanos)));
        }
        Constant::Time(nanos) => i64::try_from(nanos).expect("within the bounds just checked"),
        Constant::Duration(nanos) | Constant::Integer(nanos) => nanos,
        Constant::Float(nanos) => nanos as i64,
        Constant::Text(_) if FULL => return Err(StatementError::TimeOperand("*influxql.StringLiteral")),
        Constant::Text(_) => return Err(StatementError::TimeOperand("")),
        Constant::Other(kind) => return Err(StatementError::TimeOperand(kind)),
    };
    Ok(match op {
        BinaryOp::Greater => Bounds { min: Some(nanos.saturating_add(1)), max: None },
        BinaryOp::GreaterEqual => Bounds { min: Some(nanos), max: None },
        BinaryOp::Less => Bounds { min: None, max: Some(nanos.saturating_sub(1)) },
        BinaryOp::LessEqual => Bounds { min: None, max: Some(nanos) },
        BinaryOp::Equal => Bounds { min: Some(nanos), max: Some(nanos) },
        other => return Err(StatementError::TimeOperator(other.symbol())),
    })
}

/// What a constant expression comes to.
#[derive(Clone, Copy, Debug)]
enum Constant<'a> {
    /// Nanoseconds; dates go further than `i64` does.
    Time(i128),
    Duration(i64),
    Integer(i64),
    Float(f64),
    Text(&'a str),
    /// Nothing that a time compares with: Go's name of the node.
    Other(&'static str),
}

/// A node without a time, by Go's name of it. An engine that is not [`FULL`] has no words for it.
#[inline(always)]
const fn other(kind: &'static str) -> Constant<'static> {
    Constant::Other(if FULL { kind } else { "" })
}

fn constant<'a>(expr: &'a Expr, now: Clock<'_>) -> Result<Constant<'a>, StatementError> {
    Ok(match expr {
        Expr::Paren(inner) => constant(inner, now)?,
        Expr::Duration(nanos) => Constant::Duration(*nanos),
        Expr::Integer(value) => Constant::Integer(*value),
        Expr::Float(value) => Constant::Float(*value),
        Expr::String(text) => Constant::Text(text),
        Expr::Call(Call { name, args }) if name == "now" && args.is_empty() => Constant::Time(now.now.nanos().into()),
        Expr::Chain(chain) => {
            let mut left = constant(&chain.first, now)?;
            for (op, right) in &chain.rest {
                left = combine(left, *op, constant(right, now)?, now.zone)?;
            }
            left
        }
        Expr::Boolean(_) => other("*influxql.BooleanLiteral"),
        Expr::Regex(_) => other("*influxql.RegexLiteral"),
        Expr::Unsigned(_) => other("*influxql.UnsignedLiteral"),
        Expr::Variable { .. } => other("*influxql.VarRef"),
        Expr::Wildcard(_) => other("*influxql.Wildcard"),
        Expr::Distinct(_) => other("*influxql.Distinct"),
        Expr::Call(_) => other("*influxql.Call"),
    })
}

fn combine<'a>(
    left: Constant<'a>,
    op: BinaryOp,
    right: Constant<'a>,
    zone: Option<&Zone>,
) -> Result<Constant<'a>, StatementError> {
    use Constant::{Duration, Float, Integer, Text, Time};
    const OTHER: Constant<'static> = Constant::Other("*influxql.BinaryExpr");
    // A text beside a time or a duration is read as a time.
    let (left, right) = match (left, right) {
        (Text(text), Time(_) | Duration(_)) if looks_like_time(text) => (Time(parse_time(text, zone)?), right),
        (Time(_) | Duration(_), Text(text)) if looks_like_time(text) => (left, Time(parse_time(text, zone)?)),
        (Text(_), Text(_)) if op == BinaryOp::Add => return Ok(Text("")),
        both => both,
    };
    let add = op == BinaryOp::Add;
    if !add && op != BinaryOp::Subtract {
        return Ok(match (left, op, right) {
            (Integer(left), BinaryOp::Multiply, Integer(right)) => Integer(left.wrapping_mul(right)),
            (Duration(left), BinaryOp::Multiply, Integer(right))
            | (Integer(left), BinaryOp::Multiply, Duration(right)) => Duration(left.wrapping_mul(right)),
            (Duration(left), BinaryOp::Divide, Integer(right)) => Duration(left.checked_div(right).unwrap_or(0)),
            (Integer(left), BinaryOp::Divide, Integer(right)) => {
                Float(if right == 0 { 0.0 } else { left as f64 / right as f64 })
            }
            (Float(left), BinaryOp::Multiply, Float(right)) => Float(left * right),
            _ => OTHER,
        });
    }
    let sum = |left: i64, right: i64| if add { left.wrapping_add(right) } else { left.wrapping_sub(right) };
    let float = |left: f64, right: f64| if add { left + right } else { left - right };
    Ok(match (left, right) {
        (Time(left), Duration(right) | Integer(right)) => Time(left + if add { 1 } else { -1 } * i128::from(right)),
        (Duration(left) | Integer(left), Time(right)) if add => Time(i128::from(left) + right),
        (Time(left), Time(right)) if !add => Duration(i64::try_from(left - right).unwrap_or(i64::MAX)),
        (Duration(left), Duration(right) | Integer(right)) | (Integer(left), Duration(right)) => {
            Duration(sum(left, right))
        }
        (Integer(left), Integer(right)) => Integer(sum(left, right)),
        (Float(left), Float(right)) => Float(float(left, right)),
        (Float(left), Integer(right)) => Float(float(left, right as f64)),
        (Integer(left), Float(right)) => Float(float(left as f64, right)),
        _ => OTHER,
    })
}

/// `YYYY-MM-DD`, with or without something after it.
fn looks_like_time(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() >= 10
        && bytes[..10].iter().enumerate().all(|(at, byte)| match at {
            4 | 7 => *byte == b'-',
            _ => byte.is_ascii_digit(),
        })
}

/// The nanoseconds of `YYYY-MM-DD`, `YYYY-MM-DD HH:MM:SS[.fraction]` (in `zone`, else UTC) or RFC 3339.
fn parse_time(text: &str, zone: Option<&Zone>) -> Result<i128, StatementError> {
    let zone = zone.filter(|_| !text.ends_with('Z'));
    let (date, clock) = match text.len() {
        10 => (text, "00:00:00"),
        _ => match text.split_once(' ') {
            Some(parts) => parts,
            None => text
                .split_once('T')
                .and_then(|(date, clock)| Some((date, clock.strip_suffix('Z')?)))
                .unwrap_or((text, "")),
        },
    };
    let in_utc = || {
        let number = |text: &str, len: usize| match text.len() == len && text.bytes().all(|byte| byte.is_ascii_digit())
        {
            true => text.parse::<u32>().ok(),
            false => None,
        };
        let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
        let mut date = date.split('-');
        let mut clock = clock.split(':');
        let mut next_date = |len| number(date.next()?, len);
        let (year, month, day) = (next_date(4)?, next_date(2)?, next_date(2)?);
        let mut next_clock = || number(clock.next()?, 2);
        let (hour, minute, second) = (next_clock()?, next_clock()?, next_clock()?);
        if clock.next().is_some() || date.next().is_some() || hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let nanos = fraction.bytes().chain(std::iter::repeat(b'0')).take(9);
        let nanos = nanos.fold(0, |nanos, digit| nanos * 10 + i128::from(digit - b'0'));
        let days = crate::time::days_from_civil(year.into(), month, day);
        let real = (1..=12).contains(&month) && crate::time::civil_from_days(days) == (year.into(), month, day);
        let secs = i128::from(days) * 86_400 + i128::from(hour * 3600 + minute * 60 + second);
        real.then_some(secs * 1_000_000_000 + nanos)
    };
    let local = in_utc().map(|local| zone.map_or(local, |zone| zone.to_utc(local)));
    local.or_else(|| parse_rfc3339(text).map(|(nanos, _)| nanos.into())).ok_or(StatementError::TimeString)
}

/// An instant as RFC 3339 in whole seconds, for a message; it may lie beyond what an `i64` of nanoseconds holds.
fn whole_seconds(nanos: i128) -> String {
    if !FULL {
        return String::new();
    }
    let secs = nanos.div_euclid(1_000_000_000);
    if let Ok(nanos) = i64::try_from(secs * 1_000_000_000) {
        let mut out = Vec::new();
        write_rfc3339(nanos, 0, &mut out);
        return String::from_utf8(out).expect("dates are ASCII");
    }
    let (year, month, day) = crate::time::civil_from_days(secs.div_euclid(86_400) as i64);
    let of_day = secs.rem_euclid(86_400);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// `GROUP BY time(width, offset)`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::dialect::influx) struct Interval {
    pub(in crate::dialect::influx) width: i64,
    pub(in crate::dialect::influx) offset: i64,
    /// Months of the calendar; if above zero the width is only about as long.
    pub(in crate::dialect::influx) months: u32,
}

impl Interval {
    /// The start of the bucket that holds an instant.
    pub(super) fn start_of(self, time: i64) -> i128 {
        let (width, offset) = (i128::from(self.width), i128::from(self.offset));
        (i128::from(time) - offset).div_euclid(width) * width + offset
    }
}

/// Checks the dimensions and reads the buckets out of them. A width of nothing or less means no buckets.
pub(in super::super) fn interval(dimensions: &[Expr], now: Timestamp) -> Result<Option<Interval>, StatementError> {
    let fixed = |text| Err(StatementError::fixed(text));
    let mut interval: Option<Interval> = None;
    for dimension in dimensions {
        match unwrapped(dimension) {
            expr if is_time(expr) => return fixed("time() is a function and expects at least one argument"),
            Expr::Variable { .. } | Expr::Wildcard(_) | Expr::Regex(_) => {}
            Expr::Call(call) if call.name != "time" => return fixed("only time() calls allowed in dimensions"),
            Expr::Call(call) => {
                let (width, offset) = match call.args.as_slice() {
                    [width] => (width, None),
                    [width, offset] => (width, Some(offset)),
                    _ => return fixed("time dimension expected 1 or 2 arguments"),
                };
                let (width, months) = match width {
                    Expr::Duration(width) => (*width, 0),
                    Expr::String(text) if let Some(months) = calendar_months(text) => {
                        (i64::from(months).saturating_mul(30 * NANOS_PER_DAY), months)
                    }
                    _ => return fixed("time dimension must have duration argument"),
                };
                if interval.is_some_and(|interval| interval.width != 0) {
                    return fixed("multiple time dimensions not allowed");
                }
                let offset = match offset {
                    None => 0,
                    Some(Expr::Duration(offset)) => *offset,
                    Some(Expr::Call(call)) if call.name != "now" => {
                        return fixed("time dimension offset function must be now()");
                    }
                    Some(Expr::Call(call)) if !call.args.is_empty() => {
                        return fixed("time dimension offset now() function requires no arguments");
                    }
                    Some(Expr::Call(_)) => now.nanos(),
                    Some(Expr::String(text)) if looks_like_time(text) => {
                        return Err(StatementError::TimeOffset(text.clone()));
                    }
                    Some(_) => return fixed("time dimension offset must be duration or now()"),
                };
                let offset = if months > 0 { offset } else { offset.checked_rem(width).unwrap_or(0) };
                interval = Some(Interval { width, offset, months });
            }
            _ => return fixed("only time and tag dimensions allowed"),
        }
    }
    Ok(interval.filter(|interval| interval.width > 0))
}

/// Months of the calendar, `1mo` or `2y`, up to the years that times reach. Not InfluxQL.
fn calendar_months(text: &str) -> Option<u32> {
    let (number, months) = match (text.strip_suffix("mo"), text.strip_suffix('y')) {
        (Some(number), _) => (number, 1),
        (_, Some(number)) => (number, 12),
        _ => return None,
    };
    number.parse().ok().filter(|number| (1..=600).contains(number)).map(|number: u32| number * months)
}

/// Without the parentheses around it.
pub(super) fn unwrapped(mut expr: &Expr) -> &Expr {
    while let Expr::Paren(inner) = expr {
        expr = inner;
    }
    expr
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_every_form() {
        let check = |text: &str, expected: Option<i128>| assert_eq!(parse_time(text, None).ok(), expected, "{text}");
        let second = 1_677_628_800;
        check("2023-03-01", Some(second * 1_000_000_000));
        check("2023-03-01 00:00:01", Some((second + 1) * 1_000_000_000));
        check("2023-03-01 00:00:00.000001", Some(second * 1_000_000_000 + 1_000));
        check("2023-03-01T00:00:00.5Z", Some(second * 1_000_000_000 + 500_000_000));
        check("2023-03-01T01:00:00+01:00", Some(second * 1_000_000_000));
        check("2023-03-01T00:00:00", None);
        check("2023-02-30", None);
        check("2023-13-01", None);
        check("2023-03-01 24:00:00", None);
        check("2023-03-01x", None);
        check("1500-12-01", Some(-14_802_912_000 * 1_000_000_000));
    }

    #[test]
    fn buckets_begin_at_the_epoch_plus_the_offset() {
        let interval = Interval { width: 20, offset: 5, months: 0 };
        assert_eq!([5, 24, 25, -1, 4].map(|time| interval.start_of(time)), [5, 5, 25, -15, -15]);
    }
}
