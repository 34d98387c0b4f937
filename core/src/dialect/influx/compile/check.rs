//! What InfluxDB refuses in the list of SELECT before it looks at any data, in its order and its words.

use super::super::ast::write_duration;
use super::super::ast::{Call, Expr, Fill, Select};
use super::super::error::StatementError;
use super::time::is_time;
use crate::exec::QueryError;
use crate::extent::FULL;
use crate::plan::Mathematics;
use std::fmt;

/// What the list is made of, before the data is known.
#[derive(Debug, Default)]
pub(super) struct Shape {
    /// How many functions are called, those inside of others too.
    pub(super) calls: usize,
    /// Fields or tags stand beside the calls, or alone.
    plain: bool,
    /// Some call is no selector, or stands for several.
    aggregates: bool,
    distinct: bool,
    /// `top` or `bottom`, if one is called.
    extreme: Option<String>,
    /// The alias of `time`.
    pub(super) time_alias: Option<String>,
}

/// Where a call stands.
#[derive(Clone, Copy)]
struct Place {
    /// GROUP BY has buckets, and they are the statement's own.
    interval: bool,
    inherited: bool,
    /// `*` and regexes may still stand for fields.
    wildcard: bool,
    /// Of the statement.
    limit: u64,
    /// The statement writes what it selects.
    into: bool,
}

type Result<T> = std::result::Result<T, StatementError>;

fn refuse<T>(text: fmt::Arguments<'_>) -> Result<T> {
    if FULL { Err(StatementError::Words(text.to_string())) } else { beyond() }
}

/// What only the full engine has.
fn beyond<T>() -> Result<T> {
    Err(QueryError::Beyond.into())
}

/// `interval`: there are buckets; `inherited`: only by the query around this one.
pub(super) fn check(select: &Select, interval: bool, inherited: bool) -> Result<Shape> {
    let mut shape = Shape::default();
    let mut fields = 0;
    for field in &select.fields {
        if is_time(&field.expr) {
            shape.time_alias = field.alias.clone().or(shape.time_alias);
            continue;
        }
        fields += 1;
        let place = Place { interval, inherited, wildcard: true, limit: select.limit, into: select.target.is_some() };
        check_expr(&field.expr, place, &mut shape)?;
    }
    let fixed = |text| Err(StatementError::fixed(text));
    if fields == 0 {
        return fixed("at least 1 non-time field must be queried");
    }
    if let Some(name) = shape.extreme.as_ref().filter(|_| shape.calls > 1) {
        return refuse(format_args!("selector function {name}() cannot be combined with other functions"));
    }
    if shape.calls == 0 {
        match select.fill {
            Fill::None => return fixed("fill(none) must be used with a function"),
            Fill::Linear => return fixed("fill(linear) must be used with a function"),
            _ if interval && !inherited => return fixed("GROUP BY requires at least one aggregate function"),
            _ => {}
        }
    }
    if shape.distinct && (shape.calls != 1 || shape.plain) {
        return fixed("aggregate function distinct() cannot be combined with other functions or fields");
    }
    if shape.plain && shape.aggregates {
        return fixed("mixing aggregate and non-aggregate queries is not supported");
    }
    if shape.plain && shape.calls > 1 {
        return fixed("mixing multiple selector functions with tags or fields is not supported");
    }
    Ok(shape)
}

fn check_expr(expr: &Expr, place: Place, shape: &mut Shape) -> Result<()> {
    let fixed = |text| Err(StatementError::fixed(text));
    match expr {
        Expr::Variable { .. } => shape.plain = true,
        Expr::Wildcard(_) if !place.wildcard => return fixed("unable to use wildcard in a binary expression"),
        Expr::Regex(_) if !place.wildcard => return fixed("unable to use regex in a binary expression"),
        Expr::Wildcard(_) | Expr::Regex(_) => shape.plain = true,
        Expr::Paren(inner) => check_expr(inner, place, shape)?,
        Expr::Distinct(_) if !FULL => return beyond(),
        Expr::Distinct(_) => {
            shape.calls += 1;
            shape.distinct = true;
            shape.aggregates = true;
        }
        _ if is_constant(expr) => return fixed("field must contain at least one variable"),
        Expr::Call(call) => check_call(call, place, shape)?,
        Expr::Chain(chain) => {
            let place = Place { wildcard: false, ..place };
            for side in std::iter::once(&chain.first).chain(chain.rest.iter().map(|(_, right)| right)) {
                if !is_constant(side) {
                    check_expr(side, place, shape)?;
                }
            }
        }
        _ => return fixed("field must contain at least one variable"),
    }
    Ok(())
}

/// Made of literals only.
pub(super) fn is_constant(expr: &Expr) -> bool {
    match expr {
        Expr::Paren(inner) => is_constant(inner),
        Expr::Chain(chain) => is_constant(&chain.first) && chain.rest.iter().all(|(_, right)| is_constant(right)),
        Expr::Call(call) => {
            FULL && Mathematics::from_name(&call.name).is_some_and(|function| function.arguments() == call.args.len())
                && call.args.iter().all(is_constant)
        }
        Expr::String(_)
        | Expr::Integer(_)
        | Expr::Unsigned(_)
        | Expr::Float(_)
        | Expr::Duration(_)
        | Expr::Boolean(_) => true,
        _ => false,
    }
}

/// Go's name of an expression's kind: part of some messages.
fn go_type(expr: &Expr) -> &'static str {
    match expr {
        Expr::Variable { .. } => "*influxql.VarRef",
        Expr::Wildcard(_) => "*influxql.Wildcard",
        Expr::Distinct(_) => "*influxql.Distinct",
        Expr::Call(_) => "*influxql.Call",
        Expr::Chain(_) => "*influxql.BinaryExpr",
        Expr::Paren(_) => "*influxql.ParenExpr",
        Expr::Regex(_) => "*influxql.RegexLiteral",
        Expr::String(_) => "*influxql.StringLiteral",
        Expr::Integer(_) => "*influxql.IntegerLiteral",
        Expr::Unsigned(_) => "*influxql.UnsignedLiteral",
        Expr::Float(_) => "*influxql.NumberLiteral",
        Expr::Duration(_) => "*influxql.DurationLiteral",
        Expr::Boolean(_) => "*influxql.BooleanLiteral",
    }
}

/// Whether so many arguments are given; `most` is `None` where any number above `least` would do.
fn count(call: &Call, least: usize, most: Option<usize>) -> Result<()> {
    let (name, got) = (&call.name, call.args.len());
    match most {
        Some(most) if most == least && got != least => {
            Err(StatementError::ArgumentCount { function: name.clone(), expected: least, got })
        }
        Some(most) if got < least || got > most => refuse(format_args!(
            "invalid number of arguments for {name}, expected at least {least} but no more than {most}, got {got}"
        )),
        None if got < least => {
            refuse(format_args!("invalid number of arguments for {name}, expected at least {least}, got {got}"))
        }
        _ => Ok(()),
    }
}

fn check_call(call: &Call, place: Place, shape: &mut Shape) -> Result<()> {
    let name = call.name.as_str();
    if let Some(function) = Mathematics::from_name(name) {
        if !FULL {
            return beyond();
        }
        count(call, function.arguments(), Some(function.arguments()))?;
        for argument in call.args.iter().filter(|argument| !is_literal(argument)) {
            check_expr(argument, place, shape)?;
        }
        return Ok(());
    }
    shape.calls += 1;
    let argument = |at: usize| call.args.get(at);
    let unit = |refused: &dyn Fn(&Expr) -> String| match argument(1) {
        None => Ok(()),
        Some(Expr::Duration(unit)) if *unit > 0 => Ok(()),
        Some(Expr::Duration(unit)) => {
            let mut text = String::new();
            write_duration(*unit, &mut text);
            refuse(format_args!("duration argument must be positive, got {text}"))
        }
        Some(other) => refuse(format_args!("{}", refused(other))),
    };
    match name {
        "max" | "min" | "first" | "last" => {
            count(call, 1, Some(1))?;
            check_symbol(call, place, shape)
        }
        "median" | "mode" | "stddev" if !FULL => beyond(),
        "count" | "sum" | "mean" | "median" | "mode" | "stddev" | "spread" => {
            shape.aggregates = true;
            count(call, 1, Some(1))?;
            match argument(0) {
                Some(Expr::Call(_) | Expr::Distinct(_)) if !FULL => beyond(),
                Some(Expr::Call(inner)) if name == "count" && inner.name == "distinct" => check_distinct(inner),
                Some(Expr::Distinct(_)) if name == "count" => Ok(()),
                _ => check_symbol(call, place, shape),
            }
        }
        _ if !FULL => beyond(),
        "percentile" => {
            count(call, 2, Some(2))?;
            match argument(1) {
                Some(Expr::Integer(_) | Expr::Float(_)) => check_symbol(call, place, shape),
                _ => refuse(format_args!("expected float argument in percentile()")),
            }
        }
        "sample" => {
            count(call, 2, Some(2))?;
            match argument(1) {
                Some(Expr::Integer(window)) if *window > 0 => check_symbol(call, place, shape),
                Some(Expr::Integer(window)) => {
                    refuse(format_args!("sample window must be greater than 1, got {window}"))
                }
                _ => refuse(format_args!("expected integer argument in sample()")),
            }
        }
        "distinct" => {
            shape.distinct = true;
            shape.aggregates = true;
            check_distinct(call)
        }
        "top" | "bottom" => check_extreme(call, place, shape),
        "integral" => {
            shape.aggregates = true;
            count(call, 1, Some(2))?;
            unit(&|_| "second argument must be a duration".to_owned())?;
            check_symbol(call, place, shape)
        }
        "derivative" | "non_negative_derivative" | "elapsed" => {
            count(call, 1, Some(2))?;
            unit(&|other| format!("second argument to {name} must be a duration, got {}", go_type(other)))?;
            check_transformed(call, place, shape)
        }
        "difference" | "non_negative_difference" | "cumulative_sum" => {
            count(call, 1, Some(1))?;
            check_transformed(call, place, shape)
        }
        "moving_average" => {
            count(call, 2, Some(2))?;
            match argument(1) {
                Some(Expr::Integer(window)) if *window > 1 => check_transformed(call, place, shape),
                Some(Expr::Integer(window)) => {
                    refuse(format_args!("moving_average window must be greater than 1, got {window}"))
                }
                other => refuse(format_args!(
                    "second argument for moving_average must be an integer, got {}",
                    other.map_or("", go_type)
                )),
            }
        }
        "exponential_moving_average"
        | "double_exponential_moving_average"
        | "triple_exponential_moving_average"
        | "triple_exponential_derivative"
        | "relative_strength_index"
        | "kaufmans_efficiency_ratio"
        | "kaufmans_adaptive_moving_average"
        | "chande_momentum_oscillator" => {
            check_analysis(call)?;
            check_transformed(call, place, shape)
        }
        "holt_winters" | "holt_winters_with_fit" => {
            count(call, 3, Some(3))?;
            match argument(1) {
                Some(Expr::Integer(rows)) if *rows > 0 => {}
                Some(Expr::Integer(rows)) => {
                    return refuse(format_args!("second arg to {name} must be greater than 0, got {rows}"));
                }
                _ => return refuse(format_args!("expected integer argument as second arg in {name}")),
            }
            match argument(2) {
                Some(Expr::Integer(season)) if *season >= 0 => {}
                Some(Expr::Integer(season)) => {
                    return refuse(format_args!("third arg to {name} cannot be negative, got {season}"));
                }
                _ => return refuse(format_args!("expected integer argument as third arg in {name}")),
            }
            match argument(0) {
                Some(Expr::Call(_)) => check_transformed(call, place, shape),
                _ => {
                    shape.aggregates = true;
                    refuse(format_args!("must use aggregate function with {name}"))
                }
            }
        }
        _ => Err(StatementError::UndefinedFunction(call.name.clone())),
    }
}

const fn is_literal(expr: &Expr) -> bool {
    matches!(
        expr,
        Expr::String(_)
            | Expr::Integer(_)
            | Expr::Unsigned(_)
            | Expr::Float(_)
            | Expr::Duration(_)
            | Expr::Boolean(_)
            | Expr::Regex(_)
    )
}

/// The first argument is a field, or stands for several.
fn check_symbol(call: &Call, place: Place, shape: &mut Shape) -> Result<()> {
    match call.args.first() {
        Some(Expr::Variable { .. }) => Ok(()),
        Some(Expr::Wildcard(_)) if !place.wildcard => {
            Err(StatementError::WildcardInExpression(format!("{}()", call.name)))
        }
        Some(Expr::Regex(_)) if !place.wildcard => Err(StatementError::RegexInExpression(format!("{}()", call.name))),
        Some(Expr::Wildcard(_) | Expr::Regex(_)) => {
            shape.aggregates = true;
            Ok(())
        }
        _ => Err(StatementError::ArgumentField(call.name.clone())),
    }
}

/// The first argument is a field, or with buckets a call.
fn check_transformed(call: &Call, place: Place, shape: &mut Shape) -> Result<()> {
    shape.aggregates = true;
    let name = &call.name;
    match call.args.first() {
        Some(Expr::Call(_)) if !place.interval => refuse(format_args!("{name} aggregate requires a GROUP BY interval")),
        Some(Expr::Call(inner)) if inner.name == "distinct" => check_distinct(inner),
        Some(Expr::Call(inner)) => {
            check_call(inner, place, shape)?;
            match Mathematics::from_name(&inner.name) {
                Some(_) => refuse(format_args!("unsupported call: {}", inner.name)),
                None => Ok(()),
            }
        }
        Some(Expr::Distinct(_)) if place.interval => Ok(()),
        _ if place.interval && !place.inherited => {
            refuse(format_args!("aggregate function required inside the call to {name}"))
        }
        _ => check_symbol(call, place, shape),
    }
}

fn check_distinct(call: &Call) -> Result<()> {
    match call.args.as_slice() {
        [] => refuse(format_args!("distinct function requires at least one argument")),
        [Expr::Variable { .. }] => Ok(()),
        [_] => Err(StatementError::ArgumentField("distinct".to_owned())),
        _ => refuse(format_args!("distinct function can only have one argument")),
    }
}

fn check_extreme(call: &Call, place: Place, shape: &mut Shape) -> Result<()> {
    let name = &call.name;
    if let Some(before) = &shape.extreme {
        return refuse(format_args!("selector function {before}() cannot be combined with other functions"));
    }
    count(call, 2, None)?;
    let Some((last, named)) = call.args.split_last() else { return Ok(()) };
    match last {
        Expr::Integer(limit) if *limit <= 0 => {
            return refuse(format_args!("limit ({limit}) in {name} function must be at least 1"));
        }
        Expr::Integer(limit) if place.limit > 0 && limit.unsigned_abs() > place.limit => {
            return refuse(format_args!(
                "limit ({limit}) in {name} function can not be larger than the LIMIT ({}) in the select statement",
                place.limit
            ));
        }
        Expr::Integer(_) => {}
        other => return refuse(format_args!("expected integer as last argument in {name}(), found {other}")),
    }
    for (at, argument) in named.iter().enumerate() {
        match argument {
            Expr::Variable { .. } if at == 0 => {}
            Expr::Variable { .. } => shape.plain |= !place.into,
            other if at == 0 => {
                return refuse(format_args!("expected first argument to be a field in {name}(), found {other}"));
            }
            other => return refuse(format_args!("only fields or tags are allowed in {name}(), found {other}")),
        }
    }
    shape.extreme = Some(name.clone());
    Ok(())
}

/// Period, hold and warm-up.
fn check_analysis(call: &Call) -> Result<()> {
    let name = call.name.as_str();
    let kaufman = name.starts_with("kaufmans");
    count(call, 2, Some(if kaufman { 3 } else { 4 }))?;
    match call.args.get(1) {
        Some(Expr::Integer(period)) if *period >= 1 => {}
        Some(Expr::Integer(_)) => return refuse(format_args!("{name} period must be greater than or equal to 1")),
        _ => return refuse(format_args!("{name} period must be an integer")),
    }
    let least = i64::from(name == "triple_exponential_derivative");
    match call.args.get(2) {
        None => return Ok(()),
        Some(Expr::Integer(hold)) if *hold >= least || *hold == -1 => {}
        Some(Expr::Integer(_)) => {
            return refuse(format_args!("{name} hold period must be greater than or equal to {least}"));
        }
        _ => return refuse(format_args!("{name} hold period must be an integer")),
    }
    let oscillator = name == "chande_momentum_oscillator";
    match call.args.get(3) {
        None => Ok(()),
        Some(Expr::String(warmup)) => match warmup.as_str() {
            "exponential" | "simple" => Ok(()),
            "none" if oscillator => Ok(()),
            _ => refuse(format_args!(
                "{name} warmup type must be one of: {}'exponential' 'simple'",
                if oscillator { "'none' " } else { "" }
            )),
        },
        Some(_) => refuse(format_args!("{name} warmup type must be a string")),
    }
}
