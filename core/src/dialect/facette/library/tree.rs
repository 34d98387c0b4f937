//! `GET /library/collections/tree`: collections under their parents.

use super::super::error::{self, Error};
use super::super::graph::Object;
use super::super::link;
use super::super::query::Query;
use super::item::{Kind, text};
use super::shelf::Shelf;
use crate::dialect::exchange::Exchange;
use crate::dialect::json::JsonWriter;
use crate::dialect::route::Call;
use crate::sorted::SortedMap;
use std::cmp::Ordering;

/// A collection that is no template.
struct Branch {
    id: String,
    label: String,
    parent: String,
}

/// Those below the collection that `parent` names, or else those that have none. By label, numbers in it as numbers.
pub(in crate::dialect::facette) fn tree(call: Call) -> Box<dyn Exchange> {
    error::result(render(&call))
}

fn render(call: &Call) -> Result<Box<dyn Exchange>, Error> {
    let (shelf, query) = (Shelf::new(&call.snapshot), Query::new(&call.request));
    let root = match query.text("parent") {
        Some(parent) if super::is_uuid(parent) => parent,
        Some(alias) => shelf.aliased(Kind::Collections, alias).ok_or(Error::Alias)?,
        None => "",
    };
    let mut branches = Vec::new();
    for item in shelf.objects(Kind::Collections) {
        if item.get("template") != Some(&serde_json::Value::Bool(true)) {
            branches.push(branch(item, &shelf, call)?);
        }
    }
    crate::order::sort_by(&mut branches, |a, b| natural(&a.label, &b.label));
    let mut below: SortedMap<&str, Vec<&Branch>> = SortedMap::new();
    for branch in &branches {
        below.or_default(branch.parent.as_str()).push(branch);
    }

    let mut json = JsonWriter::new(false);
    json.begin_array();
    // Branches still to write on each level, last first. One that was written is below nobody: parents may form a ring.
    let mut open = vec![below.remove(root).unwrap_or_default()];
    open[0].reverse();
    while let Some(level) = open.last_mut() {
        let Some(branch) = level.pop() else {
            open.pop();
            json.end_array();
            if !open.is_empty() {
                json.end_object();
            }
            continue;
        };
        json.begin_object();
        json.key("id");
        json.string(&branch.id);
        json.key("label");
        json.string(&branch.label);
        if !branch.parent.is_empty() {
            json.key("parent");
            json.string(&branch.parent);
        }
        json.key("children");
        json.begin_array();
        let mut children = below.remove(branch.id.as_str()).unwrap_or_default();
        children.reverse();
        open.push(children);
    }
    json.line_feed();
    Ok(error::answer(200, Vec::new(), json.take()))
}

/// The title of an instance is its template's, filled in.
fn branch(item: Object, shelf: &Shelf, call: &Call) -> Result<Branch, Error> {
    let (id, parent) = (text(&item, "id").to_owned(), text(&item, "parent").to_owned());
    let shown = link::linked_collection(item, shelf, &call.config.limits)?;
    let title = shown.get("options").and_then(|options| options.get("title")).and_then(|title| title.as_str());
    let label = title.filter(|title| !title.is_empty()).unwrap_or_else(|| text(&shown, "name"));
    Ok(Branch { id, label: label.to_owned(), parent })
}

/// Bytewise, but runs of digits as numbers: `web2` before `web10`.
fn natural(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    loop {
        let (Some(x), Some(y)) = (a.first(), b.first()) else { return a.len().cmp(&b.len()) };
        if !(x.is_ascii_digit() && y.is_ascii_digit()) {
            if x != y {
                return x.cmp(y);
            }
            (a, b) = (&a[1..], &b[1..]);
            continue;
        }
        let (left, right) = (digits(&mut a), digits(&mut b));
        let order = left.len().cmp(&right.len()).then_with(|| left.cmp(right));
        if order.is_ne() {
            return order;
        }
    }
}

/// Takes a number off the front; gives its digits without leading zeros.
fn digits<'a>(text: &mut &'a [u8]) -> &'a [u8] {
    let end = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    let (number, rest) = text.split_at(end);
    *text = rest;
    let zeros = number.iter().take_while(|byte| **byte == b'0').count();
    &number[zeros..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_labels_count_as_numbers() {
        let mut labels = ["web10", "web2", "web02x", "Web1", "", "web", "web2a", "a"];
        crate::order::sort_by(&mut labels, |a, b| natural(a, b));
        assert_eq!(labels, ["", "Web1", "a", "web", "web2", "web2a", "web02x", "web10"]);
    }
}
