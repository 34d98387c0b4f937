//! The list of SELECT: what InfluxDB accepts in it, what `*` and regexes stand for, how the columns are called.

use super::super::ast::{BinaryOp, Call, Cast, Chain, Expr, Field, Fill, Select, WildcardOf};
use super::super::error::StatementError;
use super::expr::{is_mathematics, regex};
use super::schema::{Kind, Schema};
use super::time::{is_time, unwrapped};
use crate::order::sort_by;
use crate::plan::Function;
use crate::sorted::SortedMap;
use crate::value::FieldType;

/// What the list is made of, before the data is known.
#[derive(Debug, Default)]
pub(super) struct Shape {
    /// How often a function is called.
    pub(super) calls: usize,
    /// Fields or tags stand beside the calls, or alone.
    pub(super) plain: bool,
    /// Some call is no selector, or stands for several.
    aggregates: bool,
    /// The alias of `time`.
    pub(super) time_alias: Option<String>,
}

/// The function of that name, if it is an aggregate or a selector that is built. The rest of InfluxQL's functions has
/// its place here: they are refused by name and never mistaken.
fn function(name: &str) -> Result<Function, StatementError> {
    Ok(match name {
        "count" => Function::Count,
        "sum" => Function::Sum,
        "mean" => Function::Mean,
        "min" => Function::Min,
        "max" => Function::Max,
        "first" => Function::First,
        "last" => Function::Last,
        "median"
        | "mode"
        | "stddev"
        | "spread"
        | "integral"
        | "distinct"
        | "percentile"
        | "top"
        | "bottom"
        | "sample"
        | "derivative"
        | "non_negative_derivative"
        | "difference"
        | "non_negative_difference"
        | "cumulative_sum"
        | "moving_average"
        | "elapsed"
        | "holt_winters"
        | "holt_winters_with_fit"
        | "exponential_moving_average"
        | "double_exponential_moving_average"
        | "triple_exponential_moving_average"
        | "triple_exponential_derivative"
        | "relative_strength_index"
        | "chande_momentum_oscillator"
        | "kaufmans_efficiency_ratio"
        | "kaufmans_adaptive_moving_average" => {
            return Err(StatementError::Unsupported(format!("{name}()")));
        }
        _ if is_mathematics(name) => return Err(StatementError::Unsupported(format!("{name}()"))),
        _ => return Err(StatementError::UndefinedFunction(name.to_owned())),
    })
}

/// Checks the list as InfluxDB does before it looks at any data.
pub(super) fn check(select: &Select, has_interval: bool) -> Result<Shape, StatementError> {
    let mut shape = Shape::default();
    let mut fields = 0;
    for field in &select.fields {
        if is_time(&field.expr) {
            shape.time_alias = field.alias.clone().or(shape.time_alias);
            continue;
        }
        fields += 1;
        check_expr(&field.expr, true, &mut shape)?;
    }
    let refuse = |text| Err(StatementError::Fixed(text));
    if fields == 0 {
        return refuse("at least 1 non-time field must be queried");
    }
    if shape.calls == 0 {
        match select.fill {
            Fill::None => return refuse("fill(none) must be used with a function"),
            Fill::Linear => return refuse("fill(linear) must be used with a function"),
            _ if has_interval => return refuse("GROUP BY requires at least one aggregate function"),
            _ => {}
        }
    } else if shape.plain && shape.aggregates {
        return refuse("mixing aggregate and non-aggregate queries is not supported");
    } else if shape.plain && shape.calls > 1 {
        return refuse("mixing multiple selector functions with tags or fields is not supported");
    }
    Ok(shape)
}

fn check_expr(expr: &Expr, wildcard: bool, shape: &mut Shape) -> Result<(), StatementError> {
    let refuse = |text| Err(StatementError::Fixed(text));
    match expr {
        Expr::Variable { .. } => shape.plain = true,
        Expr::Wildcard(_) if !wildcard => return refuse("unable to use wildcard in a binary expression"),
        Expr::Regex(_) if !wildcard => return refuse("unable to use regex in a binary expression"),
        Expr::Wildcard(_) | Expr::Regex(_) => shape.plain = true,
        Expr::Paren(inner) => check_expr(inner, wildcard, shape)?,
        Expr::Distinct(_) => return Err(StatementError::Unsupported("distinct".to_owned())),
        Expr::Call(call) => check_call(call, wildcard, shape)?,
        Expr::Chain(chain) if is_constant(expr) || chain.rest.is_empty() => {
            return refuse("field must contain at least one variable");
        }
        Expr::Chain(chain) => {
            for side in std::iter::once(&chain.first).chain(chain.rest.iter().map(|(_, right)| right)) {
                if !is_constant(side) {
                    check_expr(side, false, shape)?;
                }
            }
        }
        _ => return refuse("field must contain at least one variable"),
    }
    Ok(())
}

fn is_constant(expr: &Expr) -> bool {
    match expr {
        Expr::Paren(inner) => is_constant(inner),
        Expr::Chain(chain) => is_constant(&chain.first) && chain.rest.iter().all(|(_, right)| is_constant(right)),
        Expr::String(_)
        | Expr::Integer(_)
        | Expr::Unsigned(_)
        | Expr::Float(_)
        | Expr::Duration(_)
        | Expr::Boolean(_) => true,
        _ => false,
    }
}

fn check_call(call: &Call, wildcard: bool, shape: &mut Shape) -> Result<(), StatementError> {
    let function = function(&call.name)?;
    shape.calls += 1;
    shape.aggregates |= !function.is_selector();
    let name = || call.name.clone();
    let [argument] = call.args.as_slice() else {
        return Err(StatementError::ArgumentCount { function: name(), expected: 1, got: call.args.len() });
    };
    match argument {
        Expr::Variable { .. } => {}
        Expr::Wildcard(_) if !wildcard => return Err(StatementError::WildcardInExpression(format!("{}()", call.name))),
        Expr::Regex(_) if !wildcard => return Err(StatementError::RegexInExpression(format!("{}()", call.name))),
        Expr::Wildcard(_) | Expr::Regex(_) => shape.aggregates = true,
        Expr::Distinct(_) => return Err(StatementError::Unsupported("count(distinct())".to_owned())),
        Expr::Call(inner) if inner.name == "distinct" && call.name == "count" => {
            return Err(StatementError::Unsupported("count(distinct())".to_owned()));
        }
        _ => return Err(StatementError::ArgumentField(name())),
    }
    Ok(())
}

/// The list with its wildcards and regexes written out, and without `time`. `group_tags`: tags that are grouped by and
/// so no part of `*`; `None` when a wildcard or a regex groups, which leaves no tag to `*`.
pub(super) fn expand(
    select: &Select,
    schema: &Schema<'_>,
    group_tags: Option<&[String]>,
) -> Result<Vec<Field>, StatementError> {
    let mut all: Vec<(&str, Kind)> = schema.fields().map(|(name, kind)| (name, Kind::Field(kind))).collect();
    if !all.is_empty()
        && let Some(grouped) = group_tags
    {
        all.extend(schema.tags.keys().filter(|tag| !grouped.contains(tag)).map(|tag| (tag.as_str(), Kind::Tag)));
        // Fields stay before tags of the same name: the sort is stable.
        sort_by(&mut all, |a, b| a.0.cmp(b.0));
    }
    let mut fields = Vec::new();
    for field in &select.fields {
        match &field.expr {
            expr if is_time(expr) => {}
            Expr::Wildcard(of) => fields.extend(all.iter().filter(|(_, kind)| of_kind(*of, *kind)).map(plain)),
            Expr::Regex(pattern) => {
                let pattern = regex(pattern)?;
                fields.extend(all.iter().filter(|(name, _)| pattern.is_match(name)).map(plain));
            }
            Expr::Call(call) => expand_call(field, call, &all, &mut fields)?,
            _ => fields.push(field.clone()),
        }
    }
    Ok(fields)
}

fn plain((name, kind): &(&str, Kind)) -> Field {
    let cast = if *kind == Kind::Tag { Cast::Tag } else { Cast::Field };
    Field { expr: Expr::Variable { name: (*name).to_owned(), cast: Some(cast) }, alias: None }
}

fn of_kind(of: Option<WildcardOf>, kind: Kind) -> bool {
    match of {
        None => true,
        Some(WildcardOf::Field) => kind != Kind::Tag,
        Some(WildcardOf::Tag) => kind == Kind::Tag,
    }
}

fn expand_call(
    field: &Field,
    call: &Call,
    all: &[(&str, Kind)],
    fields: &mut Vec<Field>,
) -> Result<(), StatementError> {
    let pattern = match call.args.first() {
        Some(Expr::Wildcard(Some(WildcardOf::Tag))) => return Err(StatementError::TagWildcard(call.name.clone())),
        Some(Expr::Wildcard(_)) => None,
        Some(Expr::Regex(pattern)) => Some(regex(pattern)?),
        _ => {
            fields.push(field.clone());
            return Ok(());
        }
    };
    let takes = |field_type: FieldType| match call.name.as_str() {
        "count" | "first" | "last" => true,
        "min" | "max" => field_type != FieldType::String,
        _ => field_type.is_number(),
    };
    for (name, kind) in all {
        let Kind::Field(field_type) = kind else { continue };
        if takes(*field_type) && pattern.as_ref().is_none_or(|pattern| pattern.is_match(name)) {
            let mut args = call.args.clone();
            args[0] = Expr::Variable { name: (*name).to_owned(), cast: Some(Cast::Field) };
            let alias = format!("{}_{name}", field.alias.as_ref().unwrap_or(&call.name));
            fields.push(Field { expr: Expr::Call(Call { name: call.name.clone(), args }), alias: Some(alias) });
        }
    }
    Ok(())
}

/// The names of the columns. Aliases come first and stay as they are; a generated name that is taken gets a number.
pub(super) fn names(time_alias: Option<&str>, fields: &[Field]) -> Vec<String> {
    let mut taken: SortedMap<String, usize> = SortedMap::new();
    for alias in fields.iter().filter_map(|field| field.alias.as_ref()) {
        taken.insert(alias.clone(), 1);
    }
    let mut names = vec![time_alias.unwrap_or("time").to_owned()];
    for field in fields {
        if let Some(alias) = &field.alias {
            names.push(alias.clone());
            continue;
        }
        let name = generated_name(&field.expr);
        let mut unique = name.clone();
        if let Some(mut count) = taken.get(&name).copied() {
            loop {
                unique = format!("{name}_{count}");
                count += 1;
                if !taken.contains_key(&unique) {
                    break;
                }
            }
            taken.insert(name, count);
        }
        *taken.or_default(unique.clone()) += 1;
        names.push(unique);
    }
    names
}

fn generated_name(expr: &Expr) -> String {
    let mut parts = Vec::new();
    name_parts(expr, &mut parts);
    parts.join("_")
}

fn name_parts<'a>(expr: &'a Expr, parts: &mut Vec<&'a str>) {
    match expr {
        Expr::Variable { name, .. } => parts.push(name),
        Expr::Call(call) => parts.push(&call.name),
        Expr::Paren(inner) => name_parts(inner, parts),
        Expr::Chain(chain) => {
            name_parts(&chain.first, parts);
            chain.rest.iter().for_each(|(_, right)| name_parts(right, parts));
        }
        _ => {}
    }
}

/// Checks that the operands of every operator go together.
pub(super) fn check_types(fields: &[Field], schema: &Schema<'_>) -> Result<(), StatementError> {
    fields.iter().try_for_each(|field| type_of(&field.expr, schema).map(drop))
}

/// The type of a value, as a message names it; `None` when nothing is known of it.
fn type_of(expr: &Expr, schema: &Schema<'_>) -> Result<Option<Type>, StatementError> {
    Ok(match expr {
        Expr::Paren(inner) => type_of(inner, schema)?,
        Expr::Variable { name, cast } => match schema.kind(name, *cast) {
            Kind::Field(field_type) => Some(Type::Field(field_type)),
            Kind::Tag => Some(Type::Tag),
            Kind::Unknown => None,
        },
        Expr::Call(call) => {
            let argument = match call.args.first() {
                Some(argument) => type_of(argument, schema)?,
                None => None,
            };
            match (function(&call.name)?, argument) {
                (function, Some(Type::Field(field_type))) => function.result(field_type).map(Type::Field),
                _ => None,
            }
        }
        Expr::String(_) => Some(Type::Field(FieldType::String)),
        Expr::Integer(_) | Expr::Duration(_) => Some(Type::Field(FieldType::Integer)),
        Expr::Unsigned(_) => Some(Type::Field(FieldType::Unsigned)),
        Expr::Float(_) => Some(Type::Field(FieldType::Float)),
        Expr::Boolean(_) => Some(Type::Field(FieldType::Boolean)),
        Expr::Chain(chain) => {
            let mut left = type_of(&chain.first, schema)?;
            for (at, (op, right)) in chain.rest.iter().enumerate() {
                let right_type = type_of(right, schema)?;
                left = match (left, right_type) {
                    (None, other) | (other, None) => other,
                    (Some(one), Some(two)) => {
                        let so_far = || annotated(chain, at + 1, schema).to_string();
                        let literals = (at == 0 && is_constant(&chain.first), is_constant(right));
                        Some(result_type(one, *op, two, literals, &so_far)?)
                    }
                };
            }
            left
        }
        _ => None,
    })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    Field(FieldType),
    Tag,
}

impl Type {
    const fn name(self) -> &'static str {
        match self {
            Self::Field(field_type) => field_type.name(),
            Self::Tag => "tag",
        }
    }
}

/// The type of `one op two`. `literals`: which sides are; `text` shows the expression.
fn result_type(
    one: Type,
    op: BinaryOp,
    two: Type,
    literals: (bool, bool),
    text: &dyn Fn() -> String,
) -> Result<Type, StatementError> {
    use FieldType::{Boolean, Float, Integer, Unsigned};
    let incompatible = || Err(StatementError::Types { expression: text(), left: one.name(), right: two.name() });
    let bits = matches!(op, BinaryOp::BitAnd | BinaryOp::BitOr | BinaryOp::BitXor);
    let (Type::Field(left), Type::Field(right)) = (one, two) else { return incompatible() };
    match (left, right) {
        (Unsigned, Integer) | (Integer, Unsigned) => {
            let literal_integer = if left == Integer { literals.0 } else { literals.1 };
            let literal_unsigned = if left == Unsigned { literals.0 } else { literals.1 };
            if literal_unsigned {
                return Err(StatementError::UnsignedLiteral { expression: text(), op });
            }
            if !literal_integer {
                return Err(StatementError::UnsignedMix { expression: text(), op });
            }
        }
        (Boolean, Boolean) if bits => {}
        (Float, other) | (other, Float) if other.is_number() && !bits => {}
        (Integer, Integer) | (Unsigned, Unsigned) => {}
        _ => return incompatible(),
    }
    Ok(Type::Field(match (left, right) {
        (Boolean, _) => Boolean,
        _ if op == BinaryOp::Divide => Float,
        (Float, _) | (_, Float) => Float,
        (Unsigned, _) | (_, Unsigned) => Unsigned,
        _ => Integer,
    }))
}

/// The first operands of a chain, names with the types they were found to have.
fn annotated(chain: &Chain, operators: usize, schema: &Schema<'_>) -> Expr {
    Expr::Chain(Box::new(Chain {
        first: annotated_expr(&chain.first, schema),
        rest: chain.rest[..operators].iter().map(|(op, right)| (*op, annotated_expr(right, schema))).collect(),
    }))
}

fn annotated_expr(expr: &Expr, schema: &Schema<'_>) -> Expr {
    match expr {
        Expr::Variable { name, cast } => {
            let cast = match schema.kind(name, *cast) {
                Kind::Field(FieldType::Float) => Some(Cast::Float),
                Kind::Field(FieldType::Integer) => Some(Cast::Integer),
                Kind::Field(FieldType::Unsigned) => Some(Cast::Unsigned),
                Kind::Field(FieldType::String) => Some(Cast::String),
                Kind::Field(FieldType::Boolean) => Some(Cast::Boolean),
                Kind::Tag => Some(Cast::Tag),
                Kind::Unknown => *cast,
            };
            Expr::Variable { name: name.clone(), cast }
        }
        Expr::Paren(inner) => Expr::Paren(Box::new(annotated_expr(inner, schema))),
        Expr::Chain(chain) => annotated(chain, chain.rest.len(), schema),
        Expr::Call(call) => Expr::Call(Call {
            name: call.name.clone(),
            args: call.args.iter().map(|arg| annotated_expr(arg, schema)).collect(),
        }),
        other => other.clone(),
    }
}

/// A call as the plan has it: its function and the name of its argument.
pub(super) fn call_of(call: &Call) -> Option<(Function, &str, Option<Cast>)> {
    match call.args.first().map(unwrapped) {
        Some(Expr::Variable { name, cast }) => Some((function(&call.name).ok()?, name, *cast)),
        _ => None,
    }
}
