//! Items in a row: which, in what order, and how much of each.

use super::super::error::Error;
use super::super::graph::Object;
use super::super::query::Query;
use super::item::{Kind, text};
use super::patterns::Pattern;
use super::shelf::to_text;
use serde_json::Value;
use std::cmp::Ordering;

/// What a listed item shows when the request does not say.
const FIELDS: [&str; 5] = ["id", "name", "description", "created", "modified"];

/// The records that a request asks for, in its order; what is left is to cut and show them.
pub(in crate::dialect::facette) struct List<'a> {
    columns: Vec<Column<'a>>,
    filter: Option<Pattern>,
}

/// A member to sort by.
struct Column<'a> {
    name: &'a str,
    descending: bool,
}

impl<'a> List<'a> {
    /// `known`: the columns that records have.
    pub(in crate::dialect::facette) fn new(query: &'a Query, known: &dyn Fn(&str) -> bool) -> Result<Self, Error> {
        let mut columns = Vec::new();
        for column in query.list("sort").unwrap_or_else(|| vec!["name"]) {
            let (name, descending) = column.strip_prefix('-').map_or((column, false), |name| (name, true));
            if !known(name) {
                return Err(Error::Column);
            }
            columns.push(Column { name, descending });
        }
        let filter = query.text("filter").map(Pattern::of_filter).transpose().map_err(|_| Error::Filter)?;
        Ok(Self { columns, filter })
    }

    /// Whether an item's name is as the filter has it.
    pub(in crate::dialect::facette) fn takes(&self, item: &Object) -> bool {
        self.filter.as_ref().is_none_or(|filter| filter.matches(text(item, "name")))
    }

    pub(in crate::dialect::facette) fn sort(&self, items: &mut [Object]) {
        crate::order::sort_by(items, |a, b| {
            for Column { name, descending } in &self.columns {
                let order = compare(a.get(*name), b.get(*name));
                if order.is_ne() {
                    return if *descending { order.reverse() } else { order };
                }
            }
            Ordering::Equal
        });
    }
}

/// Nothing first, then by what is written.
fn compare(a: Option<&Value>, b: Option<&Value>) -> Ordering {
    let key = |value: Option<&Value>| match value {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(text.clone()),
        Some(Value::Object(object)) => Some(to_text(object)),
        Some(other) => Some(other.to_string()),
    };
    key(a).cmp(&key(b))
}

/// Whether items of a kind have a member.
pub(super) fn is_column(kind: Kind, name: &str) -> bool {
    kind.members().iter().any(|member| member.name == name)
}

/// The members that a request wants of an item, `a.b` being one inside of another; unknown ones are passed over.
pub(super) fn shown(item: &Object, fields: &[&str]) -> Object {
    let mut shown = Object::new();
    for field in fields {
        let mut value = None;
        let mut object = Some(item);
        for part in field.split('.') {
            value = object.and_then(|object| object.get(part));
            object = value.and_then(Value::as_object);
        }
        if let Some(value) = value {
            put(&mut shown, field, value);
        }
    }
    shown
}

/// What a request wants of an item in a list: by default a few members, and `more`.
pub(in crate::dialect::facette) fn shown_fields(item: &Object, query: &Query, more: &[&str]) -> Object {
    match query.list("fields") {
        Some(fields) => shown(item, &fields),
        None => shown(item, &[&FIELDS, more].concat()),
    }
}

/// Puts a value where a path with dots leads; a member that is there already stays.
fn put(object: &mut Object, path: &str, value: &Value) {
    let mut object = object;
    let mut rest = path;
    while let Some((name, after)) = rest.split_once('.') {
        let inner = object.entry(name).or_insert_with(|| Value::Object(Object::new()));
        let Value::Object(inner) = inner else { return };
        object = inner;
        rest = after;
    }
    object.entry(rest).or_insert_with(|| value.clone());
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn fields_lead_into_objects() {
        let item = json!({ "a": 1, "o": { "p": { "q": null }, "r": 2 }, "l": [{ "x": 1 }] });
        let item = item.as_object().unwrap();
        let shown = |fields: &[&str]| Value::Object(shown(item, fields));
        assert_eq!(
            shown(&["o.p.q", "a", "o.r", "o.none", "none", "l.x", "a.b", ""]),
            json!({
                "o": { "p": { "q": null }, "r": 2 }, "a": 1
            })
        );
        assert_eq!(shown(&["o.r", "o"]), json!({ "o": { "r": 2 } }));
        assert_eq!(shown(&["zzz"]), json!({}));
    }

    #[test]
    fn items_are_sorted_by_columns_bytewise_and_nothing_comes_first() {
        let mut items: Vec<Object> = [("b", json!(null)), ("a", json!("x")), ("B", json!("x")), ("c", json!("w"))]
            .into_iter()
            .map(|(name, d)| json!({ "name": name, "description": d }).as_object().unwrap().clone())
            .collect();
        let mut sorted = |columns: &[(&'static str, bool)]| {
            let columns = columns.iter().map(|(name, descending)| Column { name, descending: *descending }).collect();
            List { columns, filter: None }.sort(&mut items);
            items.iter().map(|item| text(item, "name").to_owned()).collect::<String>()
        };
        assert_eq!(sorted(&[("name", false)]), "Babc");
        assert_eq!(sorted(&[("description", false), ("name", true)]), "bcaB");
    }
}
