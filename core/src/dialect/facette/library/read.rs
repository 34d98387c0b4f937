//! Requests that only read the library.

use super::super::encode::{write_object, write_value};
use super::super::error::{self, Error};
use super::super::graph::Object;
use super::super::link;
use super::super::providers;
use super::super::query::{Query, body_object, body_value};
use super::super::template;
use super::change::place;
use super::item::{Kind, objects, text};
use super::list::{self, List};
use super::patterns::Pattern;
use super::shelf::{Shelf, to_text};
use crate::dialect::exchange::Exchange;
use crate::dialect::json::JsonWriter;
use crate::dialect::route::Call;
use crate::sorted::SortedSet;
use serde_json::Value;

/// Members that every kind has: a search of several kinds sorts by these.
const COMMON: [&str; 5] = ["id", "name", "description", "created", "modified"];
/// The kind of item that is no document.
const PROVIDERS: &str = "providers";

/// `GET` of a kind.
pub(in crate::dialect::facette) fn items(call: Call) -> Box<dyn Exchange> {
    let Some((kind, _)) = place(&call.request.path) else { return error::empty(404) };
    error::result(list_items(kind, &call))
}

fn list_items(kind: Kind, call: &Call) -> Result<Box<dyn Exchange>, Error> {
    let (shelf, query) = (Shelf::new(&call.snapshot), Query::new(&call.request));
    let mut wanted: Vec<(&str, &str)> = Vec::new();
    let mut template = None;
    if kind.has_templates() {
        template = match query.text("kind") {
            None | Some("all") => None,
            Some("raw") => Some(false),
            Some("template") => Some(true),
            Some(_) => return Err(Error::Parameter),
        };
        wanted.extend(query.text("link").map(|link| ("link", link)));
    }
    if kind == Kind::Collections {
        wanted.extend(query.text("parent").map(|parent| ("parent", parent)));
    }
    let page = query.page()?;
    let list = List::new(&query, &|name| list::is_column(kind, name))?;
    let mut items: Vec<Object> = Vec::new();
    for item in shelf.objects(kind) {
        let is_template = item.get("template") == Some(&Value::Bool(true));
        let refers = wanted.iter().all(|(member, id)| text(&item, member) == *id);
        if list.takes(&item) && refers && template.is_none_or(|template| template == is_template) {
            items.push(item);
        }
    }
    list.sort(&mut items);
    let expand = kind == Kind::Collections && query.flag("expand");
    let mut shown = Vec::new();
    for item in &items[page.of(items.len())] {
        let item = if expand { &link::expanded(kind, item.clone(), &shelf, &call.config.limits)? } else { item };
        shown.push(list::shown_fields(item, &query, &[]));
    }
    Ok(records(items.len(), &shown))
}

/// Records of a list, and of how many they are a part.
pub(in crate::dialect::facette) fn records(total: usize, shown: &[Object]) -> Box<dyn Exchange> {
    let mut json = JsonWriter::new(false);
    json.begin_array();
    for item in shown {
        write_object(item, &mut json);
    }
    json.end_array();
    json.line_feed();
    error::answer(200, vec![("X-Total-Records".to_owned(), total.to_string())], json.take())
}

/// `GET` of an item, by identifier or alias.
pub(in crate::dialect::facette) fn get(call: Call) -> Box<dyn Exchange> {
    let Some((kind, id)) = place(&call.request.path) else { return error::empty(404) };
    error::result(get_item(kind, &id, &call))
}

fn get_item(kind: Kind, id: &str, call: &Call) -> Result<Box<dyn Exchange>, Error> {
    let (shelf, query) = (Shelf::new(&call.snapshot), Query::new(&call.request));
    let id = shelf.id(kind, id).ok_or(Error::NotFound)?;
    let mut item = shelf.item(kind, id).ok_or(Error::NotFound)?;
    if kind.has_templates() && query.flag("expand") {
        item = link::expanded(kind, item, &shelf, &call.config.limits)?;
    }
    if let Some(fields) = query.list("fields") {
        item = list::shown(&item, &fields);
    }
    Ok(error::json(&Value::Object(item)))
}

/// `GET /library`: how many items there are of each kind.
pub(in crate::dialect::facette) fn count(call: Call) -> Box<dyn Exchange> {
    let shelf = Shelf::new(&call.snapshot);
    let mut counts = Object::new();
    for kind in Kind::ALL {
        counts.insert(kind.name().to_owned(), Value::from(shelf.count(kind)));
    }
    error::json(&Value::Object(counts))
}

/// `POST /library/search`: items of several kinds that have such members.
pub(in crate::dialect::facette) fn search(call: Call) -> Box<dyn Exchange> {
    error::result(search_items(&call))
}

fn search_items(call: &Call) -> Result<Box<dyn Exchange>, Error> {
    let mut body = body_object(&call.request, &call.config.limits, Error::Parameter)?;
    let types = match body.swap_remove("types") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(types)) => types,
        Some(_) => return Err(Error::Parameter),
    };
    if !types.iter().all(Value::is_string) {
        return Err(Error::Parameter);
    }
    let Some(Value::Object(terms)) = body.swap_remove("terms") else { return Err(Error::Parameter) };
    let query = Query::new(&call.request);
    let page = query.page()?;
    let list = List::new(&query, &|name| COMMON.contains(&name))?;
    let mut conditions = Vec::new();
    for (member, value) in &terms {
        conditions.push((member.as_str(), Condition::new(value)?));
    }

    let shelf = Shelf::new(&call.snapshot);
    let mut found = Vec::new();
    let mut take = |kind: &str, item: Object| {
        if conditions.iter().all(|(member, condition)| condition.holds(item.get(*member))) {
            let mut result = Object::new();
            result.insert("type".to_owned(), Value::from(kind));
            result.extend(list::shown(&item, &COMMON));
            found.push(result);
        }
    };
    let is_wanted = |name: &str| types.is_empty() || types.iter().any(|wanted| wanted.as_str() == Some(name));
    if is_wanted(PROVIDERS) {
        providers::all(call).into_iter().for_each(|provider| take(PROVIDERS, provider));
    }
    for kind in Kind::ALL.into_iter().filter(|kind| is_wanted(kind.name())) {
        shelf.objects(kind).for_each(|item| take(kind.name(), item));
    }
    list.sort(&mut found);
    Ok(records(found.len(), &found[page.of(found.len())]))
}

/// What a term of a search wants of a member.
enum Condition<'a> {
    Is(&'a Value),
    Matches(Pattern),
}

impl<'a> Condition<'a> {
    fn new(value: &'a Value) -> Result<Self, Error> {
        match value {
            Value::String(text) => Pattern::of_filter(text).map(Self::Matches).map_err(|_| Error::Filter),
            other => Ok(Self::Is(other)),
        }
    }

    /// An absent member is `null`.
    fn holds(&self, member: Option<&Value>) -> bool {
        let member = member.unwrap_or(&Value::Null);
        match self {
            Self::Is(value) => *value == member,
            Self::Matches(pattern) => member.as_str().is_some_and(|text| pattern.matches(text)),
        }
    }
}

/// `POST /library/parse`: the keys of a template, given as text or by the item that holds it.
pub(in crate::dialect::facette) fn parse(call: Call) -> Box<dyn Exchange> {
    error::result(parse_keys(&call))
}

fn parse_keys(call: &Call) -> Result<Box<dyn Exchange>, Error> {
    let Value::Object(body) = body_value(&call.request, &call.config.limits, Error::Parameter)? else {
        return Err(Error::Parameter);
    };
    let member = |name: &str| match body.get(name) {
        None | Some(Value::Null) => Ok(""),
        Some(Value::String(text)) => Ok(text.as_str()),
        Some(_) => Err(Error::Parameter),
    };
    let (id, kind) = (member("id")?, member("type")?);
    let mut keys = SortedSet::new();
    // The text of an item is its JSON, so that is what counts of other data too.
    let mut add = |text: &str| template::keys(text).map(|more| keys.extend(more.into_iter().map(|key| (key, ()))));
    match body.get("data") {
        Some(data) => {
            let mut json = JsonWriter::new(false);
            write_value(data, &mut json);
            add(&String::from_utf8_lossy(&json.take()))?;
        }
        None if id.is_empty() || kind.is_empty() => return Err(Error::Parameter),
        None => {
            let kind = Kind::parse(kind).filter(|kind| kind.has_templates()).ok_or(Error::Parameter)?;
            let shelf = Shelf::new(&call.snapshot);
            // What is not there has no keys.
            if let Some(item) = shelf.id(kind, id).and_then(|id| shelf.item(kind, id)) {
                add(&to_text(&item))?;
                for entry in objects(&item, "entries") {
                    if let Some(graph) = shelf.item(Kind::Graphs, text(entry, "graph")) {
                        add(&to_text(&graph))?;
                    }
                }
            }
        }
    }
    let keys: Vec<Value> = keys.into_iter().map(|(key, ())| Value::String(key)).collect();
    Ok(error::json(&if keys.is_empty() { Value::Null } else { Value::Array(keys) }))
}
