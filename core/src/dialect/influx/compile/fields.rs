//! The list of SELECT: what InfluxDB accepts in it, what `*` and regexes stand for, how the columns are called.

use super::super::ast::{BinaryOp, Call, Cast, Chain, Expr, Field, Select, WildcardOf};
use super::super::error::StatementError;
use super::calls;
use super::check::is_constant;
use super::expr::regex;
use super::schema::{Kind, Schema};
use super::shown;
use super::time::is_time;
use crate::extent::FULL;
use crate::order::sort_by;
use crate::plan::Mathematics;
use crate::sorted::SortedMap;
use crate::value::FieldType;

/// The list with its wildcards and regexes written out, and without `time`. `group_tags`: tags that are grouped by and
/// so no part of `*`; `None` when a wildcard or a regex groups, which leaves no tag to `*`.
pub(super) fn expand(
    select: &Select,
    schema: &Schema<'_>,
    group_tags: Option<&[String]>,
) -> Result<(Vec<Field>, Vec<usize>), StatementError> {
    let mut all: Vec<(&str, Kind)> = schema.fields().map(|(name, kind)| (name, Kind::Field(kind))).collect();
    if !all.is_empty()
        && let Some(grouped) = group_tags
    {
        let selected = schema.inner_tags.keys().filter(|tag| !schema.tags.contains_key(*tag));
        let tags = schema.tags.keys().chain(selected).filter(|tag| !grouped.contains(tag));
        all.extend(tags.map(|tag| (tag.as_str(), Kind::Tag)));
        // Fields stay before tags of the same name: the sort is stable.
        sort_by(&mut all, |a, b| a.0.cmp(b.0));
    }
    let mut fields = Vec::new();
    let mut tag_columns = Vec::new();
    for field in &select.fields {
        match &field.expr {
            expr if is_time(expr) => {}
            Expr::Wildcard(of) => fields.extend(all.iter().filter(|(_, kind)| of_kind(*of, *kind)).map(plain)),
            Expr::Regex(pattern) => {
                let pattern = regex(pattern)?;
                fields.extend(all.iter().filter(|(name, _)| pattern.is_match(name)).map(plain));
            }
            Expr::Distinct(name) if FULL => {
                let args = vec![Expr::Variable { name: name.clone(), cast: None }];
                let expr = Expr::Call(Call { name: "distinct".to_owned(), args });
                fields.push(Field { expr, alias: field.alias.clone() });
            }
            Expr::Call(call) => {
                expand_call(field, call, &all, &mut fields)?;
                if FULL && matches!(call.name.as_str(), "top" | "bottom") {
                    for arg in call.args.iter().skip(1).filter(|arg| matches!(arg, Expr::Variable { .. })) {
                        if select.target.is_some() {
                            tag_columns.push(fields.len());
                        }
                        fields.push(Field { expr: arg.clone(), alias: None });
                    }
                }
            }
            _ => fields.push(field.clone()),
        }
    }
    Ok((fields, tag_columns))
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
    // The innermost call is the one whose argument stands for several.
    let mut innermost = call;
    while let Some(Expr::Call(inner)) = innermost.args.first() {
        innermost = inner;
    }
    let pattern = match innermost.args.first() {
        Some(Expr::Wildcard(Some(WildcardOf::Tag))) => return Err(StatementError::TagWildcard(innermost.name.clone())),
        Some(Expr::Wildcard(_)) => None,
        Some(Expr::Regex(pattern)) => Some(regex(pattern)?),
        _ => {
            fields.push(field.clone());
            return Ok(());
        }
    };
    let takes = |field_type: FieldType| match innermost.name.as_str() {
        "count" | "first" | "last" | "distinct" | "elapsed" | "mode" | "sample" => true,
        "min" | "max" => field_type != FieldType::String,
        _ => field_type.is_number(),
    };
    for (name, kind) in all {
        let Kind::Field(field_type) = kind else { continue };
        if takes(*field_type) && pattern.as_ref().is_none_or(|pattern| pattern.is_match(name)) {
            let alias = [field.alias.as_ref().unwrap_or(&call.name), "_", name].concat();
            fields.push(Field { expr: Expr::Call(over(call, name)), alias: Some(alias) });
        }
    }
    Ok(())
}

/// The call with a field as its innermost first argument.
fn over(call: &Call, name: &str) -> Call {
    let mut args = call.args.clone();
    if let Some(first) = args.first_mut() {
        *first = match first {
            Expr::Call(inner) => Expr::Call(over(inner, name)),
            _ => Expr::Variable { name: name.to_owned(), cast: Some(Cast::Field) },
        };
    }
    Call { name: call.name.clone(), args }
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

/// Checks that the operands of every operator go together, and says what each field is.
pub(super) fn check_types(fields: &[Field], schema: &Schema<'_>) -> Result<Vec<Option<Type>>, StatementError> {
    let mut types = Vec::with_capacity(fields.len());
    for field in fields {
        types.push(type_of(&field.expr, schema)?);
    }
    Ok(types)
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
            let mut argument = None;
            for (at, arg) in call.args.iter().enumerate() {
                let known = type_of(arg, schema)?;
                if at == 0 {
                    argument = known;
                }
            }
            let field_type = match argument {
                Some(Type::Field(field_type)) => Some(field_type),
                Some(Type::Tag) if names_inner_tag(call, schema) => Some(FieldType::String),
                _ => None,
            };
            match (Mathematics::from_name(&call.name), field_type) {
                (Some(function), Some(own)) if function.keeps_type() && own.is_number() => Some(Type::Field(own)),
                (Some(_), _) => Some(Type::Field(FieldType::Float)),
                (None, Some(field_type)) => calls::result(call, field_type).ok().map(Type::Field),
                (None, None) => None,
            }
        }
        Expr::Distinct(name) => type_of(&Expr::Variable { name: name.clone(), cast: None }, schema)?,
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
                        let so_far = || if FULL { shown(&annotated(chain, at + 1, schema)) } else { String::new() };
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

/// Whether a call is of a tag of a subquery.
fn names_inner_tag(call: &Call, schema: &Schema<'_>) -> bool {
    match call.args.first() {
        Some(Expr::Variable { name, .. } | Expr::Distinct(name)) => schema.inner_tags.contains_key(name),
        _ => false,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
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
