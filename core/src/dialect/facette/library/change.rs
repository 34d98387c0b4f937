//! Requests that change the library: decided on what is there, written, and decided again when somebody was faster.

use super::super::error::{self, Error};
use super::super::graph::Object;
use super::super::query::{Query, body_object};
use super::item::{self, Kind, text};
use super::shelf::{Changes, Shelf};
use crate::auth::Rights;
use crate::catalog::CatalogError;
use crate::dialect::exchange::{ApiRequest, Exchange, Turn};
use crate::dialect::form;
use crate::dialect::route::{Call, path_values};
use crate::exec::{Budget, QueryStats};
use crate::limits::Limits;
use crate::store::{Snapshot, WriteError, Written};
use crate::time::write_rfc3339;
use bytes::Bytes;
use serde_json::Value;

pub(in crate::dialect::facette) const ITEMS: &str = "/api/v1/library/{kind}";
pub(in crate::dialect::facette) const ITEM: &str = "/api/v1/library/{kind}/{id}";
/// Times a change is decided before it is given up: each means that another one came between.
const TRIES: u32 = 100;

/// What a request is to change, and its answer once that is done.
pub(super) struct Decision {
    pub(super) changes: Changes,
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Decision {
    /// The answer is 204, without a body.
    pub(super) const fn done(changes: Changes) -> Self {
        Self { changes, status: 204, headers: Vec::new(), body: Vec::new() }
    }
}

type Decide = dyn Fn(&Call, &Shelf) -> Result<Decision, Error> + Send;

/// A change on its way.
struct Change {
    call: Call,
    decide: Box<Decide>,
    tries: u32,
    state: State,
}

enum State {
    Deciding(Shelf),
    /// The store has it.
    Asked(Box<dyn Exchange>),
    Answering(Box<dyn Exchange>),
}

/// Answers with what `decide` makes of the library, once that is stored. The library is changed by who may write to some
/// database.
pub(super) fn change(
    call: Call,
    decide: impl Fn(&Call, &Shelf) -> Result<Decision, Error> + Send + 'static,
) -> Box<dyn Exchange> {
    let principal = &call.principal;
    if !principal.is_admin() && !call.snapshot.databases.iter().any(|all| principal.may(Rights::WRITE, all.id)) {
        return error::reply(&Error::Forbidden);
    }
    let state = State::Deciding(Shelf::new(&call.snapshot));
    Box::new(Change { call, decide: Box::new(decide), tries: 0, state })
}

impl Exchange for Change {
    fn turn(&mut self, budget: Budget) -> Turn {
        if let State::Deciding(shelf) = &self.state {
            match (self.decide)(&self.call, shelf) {
                Err(error) => self.state = State::Answering(error::reply(&error)),
                Ok(Decision { changes, status, headers, body }) => {
                    let answer = error::answer(status, headers, body);
                    if changes.is_empty() {
                        self.state = State::Answering(answer);
                    } else {
                        self.state = State::Asked(answer);
                        return Turn::Command(changes.command());
                    }
                }
            }
        }
        match &mut self.state {
            State::Answering(answer) => answer.turn(budget),
            // The host has not said how it went.
            State::Deciding(_) | State::Asked(_) => Turn::Done(QueryStats::default()),
        }
    }

    fn supply(&mut self, _bytes: Result<Vec<Bytes>, String>) {}

    fn wrote(&mut self, outcome: Result<Written, WriteError>, snapshot: Snapshot) {
        self.tries += 1;
        let before = std::mem::replace(&mut self.state, State::Deciding(Shelf::new(&snapshot)));
        self.state = match (outcome, before) {
            (Ok(_), State::Asked(answer)) => State::Answering(answer),
            (Err(WriteError::Catalog(CatalogError::DocumentsChanged(_))), _) if self.tries < TRIES => return,
            _ => State::Answering(error::reply(&Error::Unhandled)),
        };
    }
}

/// The kind and the identifier that a path names; `None` when there is no such kind.
pub(super) fn place(path: &str) -> Option<(Kind, String)> {
    let values = path_values(ITEM, path).or_else(|| path_values(ITEMS, path))?;
    let id = values.get(1).and_then(|id| form::path_part(id)).unwrap_or_default();
    Some((Kind::parse(values.first()?)?, id.into_owned()))
}

/// `POST` to a kind: a new item, a copy of another one to begin with where the request says `inherit`.
pub(in crate::dialect::facette) fn create(call: Call) -> Box<dyn Exchange> {
    let Some((kind, _)) = place(&call.request.path) else { return error::empty(404) };
    change(call, move |call, shelf| {
        let request = &call.request;
        let mut kept = Object::new();
        if let Some(model) = Query::new(request).get("inherit").filter(|model| !model.is_empty()) {
            kept = shelf.item(kind, model).ok_or(Error::NotFound)?;
            for own in ["id", "alias"] {
                kept.shift_remove(own);
            }
        }
        let mut item = read(kind, kept, request, &call.config.limits)?;
        if text(&item, "id").is_empty() {
            let mut random = [0; 16];
            random.copy_from_slice(&request.entropy[..16]);
            item.insert("id".to_owned(), Value::String(item::uuid(random)));
        }
        stamp(&mut item, None, request);
        item::check(kind, &item, true, shelf)?;
        let mut changes = shelf.changes();
        changes.put(kind, None, &item);
        let location = [request.path.trim_end_matches('/'), "/", text(&item, "id")].concat();
        let headers = vec![("Location".to_owned(), location)];
        Ok(Decision { changes, status: 201, headers, body: Vec::new() })
    })
}

/// `PUT` an item whole, which may be new, or `PATCH` one that is there.
pub(in crate::dialect::facette) fn replace(call: Call) -> Box<dyn Exchange> {
    let Some((kind, id)) = place(&call.request.path) else { return error::empty(404) };
    change(call, move |call, shelf| {
        let request = &call.request;
        let before = shelf.item(kind, &id);
        let mut kept = Object::new();
        if request.method == "PATCH" {
            kept = before.clone().ok_or(Error::NotFound)?;
        }
        let mut item = read(kind, kept, request, &call.config.limits)?;
        if !matches!(text(&item, "id"), own if own.is_empty() || own == id) {
            return Err(Error::Identifier);
        }
        item.insert("id".to_owned(), Value::String(id.clone()));
        stamp(&mut item, before.as_ref(), request);
        item::check(kind, &item, false, shelf)?;
        let mut changes = shelf.changes();
        changes.put(kind, before.as_ref(), &item);
        Ok(Decision::done(changes))
    })
}

/// `DELETE` of one item, and of what goes with it.
pub(in crate::dialect::facette) fn delete(call: Call) -> Box<dyn Exchange> {
    let Some((kind, id)) = place(&call.request.path) else { return error::empty(404) };
    change(call, move |_, shelf| {
        if !shelf.has(kind, &id) {
            return Err(Error::NotFound);
        }
        let mut changes = shelf.changes();
        changes.remove(kind, &mut std::iter::once(id.as_str()), shelf);
        Ok(Decision::done(changes))
    })
}

/// `DELETE` of a kind, which must be confirmed.
pub(in crate::dialect::facette) fn delete_all(call: Call) -> Box<dyn Exchange> {
    let Some((kind, _)) = place(&call.request.path) else { return error::empty(404) };
    if call.request.header("x-confirm-action") != Some("1") {
        return error::empty(403);
    }
    change(call, move |_, shelf| {
        let all: Vec<Object> = shelf.objects(kind).collect();
        let mut changes = shelf.changes();
        changes.remove(kind, &mut all.iter().map(|item| text(item, "id")), shelf);
        Ok(Decision::done(changes))
    })
}

/// The item that a body describes over one that is kept, its types and its template checked.
fn read(kind: Kind, kept: Object, request: &ApiRequest, limits: &Limits) -> Result<Object, Error> {
    let given = body_object(request, limits, Error::Data)?;
    let item = item::item(kind, kept, given).map_err(|_| Error::Data)?;
    item::check_template(&item)?;
    Ok(item)
}

/// Says when the item was made, which stays, and that it was changed now.
fn stamp(item: &mut Object, before: Option<&Object>, request: &ApiRequest) {
    let now = now(request);
    let created = before.and_then(|before| before.get("created")).cloned();
    item.insert("created".to_owned(), created.unwrap_or_else(|| now.clone()));
    item.insert("modified".to_owned(), now);
}

/// RFC 3339 in whole seconds.
pub(super) fn now(request: &ApiRequest) -> Value {
    let mut text = Vec::new();
    let nanos = request.now.nanos();
    write_rfc3339(nanos - nanos.rem_euclid(crate::time::NANOS_PER_SEC), 0, &mut text);
    Value::String(text.into_iter().map(char::from).collect())
}
