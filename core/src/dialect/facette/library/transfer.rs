//! The library as one file:
//!
//! ```text
//! {"format": 1, "collections": [item, …], "graphs": […], "sourcegroups": […], "metricgroups": […]}
//! ```
//!
//! Items are as the API shows them. An import is all or nothing. Its items replace those of the same identifier; with
//! `replace`, those that it does not have go.

use super::super::error::{self, Error};
use super::super::graph::Object;
use super::super::query::{Query, body_object};
use super::change::{Decision, change, now};
use super::item::{self, Kind, text};
use super::shelf::Shelf;
use crate::dialect::exchange::Exchange;
use crate::dialect::json::JsonWriter;
use crate::dialect::route::Call;
use crate::limits::Limits;
use crate::sorted::SortedSet;
use serde_json::{Value, json};

const FORMAT: i64 = 1;

/// `GET /library/export`
pub(in crate::dialect::facette) fn export(call: Call) -> Box<dyn Exchange> {
    let shelf = Shelf::new(&call.snapshot);
    let mut json = JsonWriter::new(false);
    json.begin_object();
    json.key("format");
    json.raw(&FORMAT.to_string());
    for kind in Kind::ALL {
        json.key(kind.name());
        json.begin_array();
        // Every item is JSON already.
        shelf.items(kind).for_each(|item| json.with(|out| out.extend_from_slice(item)));
        json.end_array();
    }
    json.end_object();
    json.line_feed();
    let name = "attachment; filename=\"facette-library.json\"";
    error::answer(200, vec![("Content-Disposition".to_owned(), name.to_owned())], json.take())
}

/// `POST /library/import`
pub(in crate::dialect::facette) fn import(call: Call) -> Box<dyn Exchange> {
    // The host bounds bodies; a library is longer than any other text here.
    let limits = Limits { query_text: usize::MAX, ..Limits::default() };
    change(call, move |call, shelf| {
        let request = &call.request;
        let mut file = body_object(request, &limits, Error::Data)?;
        if file.swap_remove("format").and_then(|format| format.as_i64()) != Some(FORMAT) {
            return Err(Error::Data);
        }
        let mut items: Vec<(Kind, Object)> = Vec::new();
        for kind in Kind::ALL {
            for given in list(file.swap_remove(kind.name()))? {
                let Value::Object(given) = given else { return Err(Error::Data) };
                items.push((kind, read(kind, given, &now(request))?));
            }
        }
        store(&items, Query::new(request).flag("replace"), shelf)
    })
}

/// Puts items, those of the same identifiers being replaced.
pub(super) fn store(items: &[(Kind, Object)], alone: bool, shelf: &Shelf) -> Result<Decision, Error> {
    let mut ids: SortedSet<(&'static str, String)> = SortedSet::new();
    for (kind, item) in items {
        if ids.insert((kind.name(), text(item, "id").to_owned()), ()).is_some() {
            return Err(Error::Conflict);
        }
    }
    let mut changes = shelf.changes();
    for kind in Kind::ALL {
        for before in shelf.objects(kind) {
            if ids.contains_key(&(kind.name(), text(&before, "id").to_owned())) {
                changes.forget(kind, &before);
            } else if alone {
                changes.take(kind, &before);
            }
        }
    }
    // Names and aliases that are still taken are taken by others.
    let left = shelf.after(&changes)?;
    for (kind, item) in items {
        let alias = text(item, "alias");
        if left.named(*kind, text(item, "name")).is_some() || !alias.is_empty() && left.aliased(*kind, alias).is_some()
        {
            return Err(Error::Conflict);
        }
    }
    items.iter().for_each(|(kind, item)| changes.put(*kind, None, item));
    let after = shelf.after(&changes)?;
    for (kind, item) in items {
        item::check_template(item)?;
        item::check(*kind, item, false, &after)?;
    }
    let mut counts = Object::new();
    for kind in Kind::ALL {
        let count = items.iter().filter(|(of, _)| *of == kind).count();
        counts.insert(kind.name().to_owned(), json!(count));
    }
    let mut json = JsonWriter::new(false);
    super::super::encode::write_object(&counts, &mut json);
    json.line_feed();
    Ok(Decision { changes, status: 200, headers: Vec::new(), body: json.take() })
}

/// Times are kept where they are given.
fn read(kind: Kind, given: Object, now: &Value) -> Result<Object, Error> {
    let times = ["created", "modified"].map(|name| given.get(name).filter(|time| time.is_string()).cloned());
    let mut item = item::item(kind, Object::new(), given).map_err(|_| Error::Data)?;
    for (name, time) in ["created", "modified"].into_iter().zip(times) {
        item.insert(name.to_owned(), time.unwrap_or_else(|| now.clone()));
    }
    Ok(item)
}

fn list(value: Option<Value>) -> Result<Vec<Value>, Error> {
    match value {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(list)) => Ok(list),
        Some(_) => Err(Error::Data),
    }
}
