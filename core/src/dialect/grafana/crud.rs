//! The routes of records: list, read, create, update, delete.

use super::error::{ApiError, json_headers, json_reply};
use super::identity::{Identity, Right, with_right};
use super::json::{Json, object};
use super::record::{Record, SPACE};
use super::sources::{Body, Means, Name, Sources};
use super::url::percent_decode;
use crate::catalog::{CatalogError, Command, DocumentChanges};
use crate::dialect::exchange::{Exchange, Reply, Turn};
use crate::dialect::form;
use crate::dialect::route::Call;
use crate::exec::Budget;
use crate::store::{Snapshot, WriteError, Written};
use bytes::Bytes;

/// How often a change is decided again when others come between: each time one of them has succeeded.
const ATTEMPTS: usize = 100;

pub(crate) fn list(call: Call) -> Box<dyn Exchange> {
    answered(&call, Right::Read, |call, _| {
        let sources = sources(&call.snapshot);
        let parameter = |name: &str| {
            let mut pairs = form::pairs(call.request.query.as_bytes());
            pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
        };
        let (kind, name) = (parameter("type"), parameter("name"));
        let number = |name: &str| parameter(name).and_then(|text| text.parse::<usize>().ok());
        let limit = number("limit").unwrap_or(5000).min(5000);
        let skip = limit.saturating_mul(number("page").unwrap_or(1).saturating_sub(1));
        let fits = |record: &&Record| {
            kind.as_ref().is_none_or(|kind| record.kind == *kind)
                && name.as_ref().is_none_or(|name| record.name == *name)
        };
        let items = sources.sorted().into_iter().filter(fits).skip(skip).take(limit).map(Record::item);
        Ok(Json::List(items.collect()))
    })
}

pub(crate) fn by_id(call: Call) -> Box<dyn Exchange> {
    one(call, |call| match last_segment(call).parse() {
        Ok(0) => Err(ApiError::new(400, "", "Datasource id is missing")),
        Ok(id) => Ok(Name::Id(id)),
        Err(_) => Err(ApiError::bad_id()),
    })
}

pub(crate) fn by_uid(call: Call) -> Box<dyn Exchange> {
    one(call, |call| Ok(Name::Uid(last_segment(call))))
}

pub(crate) fn by_name(call: Call) -> Box<dyn Exchange> {
    one(call, |call| Ok(Name::Name(last_segment(call))))
}

fn one(call: Call, name: fn(&Call) -> Result<Name, ApiError>) -> Box<dyn Exchange> {
    answered(&call, Right::Read, |call, identity| {
        let sources = sources(&call.snapshot);
        let record = sources.find(&name(call)?).ok_or_else(ApiError::not_found)?;
        let mut json = record.full();
        if form::pairs(call.request.query.as_bytes()).any(|(key, value)| key == "accesscontrol" && value == "true") {
            let rights = Right::ALL.iter().filter(|right| right.of(identity.role));
            json.set(
                "accessControl",
                Json::Object(rights.map(|right| (right.name().to_owned(), Json::Bool(true))).collect()),
            );
        }
        Ok(json)
    })
}

pub(crate) fn id_by_name(call: Call) -> Box<dyn Exchange> {
    answered(&call, Right::ReadId, |call, _| {
        let sources = sources(&call.snapshot);
        let record = sources.find(&Name::Name(last_segment(call))).ok_or_else(ApiError::not_found)?;
        Ok(object([("id", record.id.into())]))
    })
}

pub(crate) fn create(call: Call) -> Box<dyn Exchange> {
    change(call, Right::Create, |call, sources| {
        let body = Body::read(&call.request.body)?;
        let (record, changes) = sources.create(&body, means(call))?;
        Ok((stored(&record, "Datasource added"), changes))
    })
}

pub(crate) fn update_by_id(call: Call) -> Box<dyn Exchange> {
    change(call, Right::Write, |call, sources| {
        let body = Body::read(&call.request.body)?;
        // A body without its three texts is told so before the id is looked at.
        if body.name.is_empty() || body.kind.is_empty() || body.access.is_empty() {
            return Err(ApiError::bad_request());
        }
        let id = last_segment(call).parse().map_err(|_| ApiError::bad_id())?;
        let (record, changes) = sources.update(&Name::Id(id), &body, means(call))?;
        Ok((stored(&record, "Datasource updated"), changes))
    })
}

pub(crate) fn update_by_uid(call: Call) -> Box<dyn Exchange> {
    change(call, Right::Write, |call, sources| {
        let body = Body::read(&call.request.body)?;
        let (record, changes) = sources.update(&Name::Uid(last_segment(call)), &body, means(call))?;
        Ok((stored(&record, "Datasource updated"), changes))
    })
}

pub(crate) fn patch_by_id(call: Call) -> Box<dyn Exchange> {
    change(call, Right::Write, |call, sources| {
        let id = last_segment(call).parse().map_err(|_| ApiError::bad_id())?;
        patch(call, sources, &Name::Id(id))
    })
}

pub(crate) fn patch_by_uid(call: Call) -> Box<dyn Exchange> {
    change(call, Right::Write, |call, sources| patch(call, sources, &Name::Uid(last_segment(call))))
}

/// A JSON merge patch on the record as it is shown. Without a version it counts on from the one there is.
fn patch(call: &Call, sources: &Sources, name: &Name) -> Result<(Json, DocumentChanges), ApiError> {
    let patch = Json::parse(&call.request.body).map_err(|_| ApiError::bad_request())?;
    if !matches!(patch, Json::Object(_)) {
        return Err(ApiError::bad_request());
    }
    let record = sources.find(name).ok_or_else(ApiError::not_found)?;
    let mut json = record.full();
    json.merge(&patch);
    if let Some(secrets) = patch.get("secureJsonData") {
        // A merge drops what is null; here null takes the secret away.
        json.set("secureJsonData", secrets.clone());
    }
    let (record, changes) = sources.update(name, &Body::of(&json)?, means(call))?;
    Ok((stored(&record, "Datasource updated"), changes))
}

pub(crate) fn delete_by_id(call: Call) -> Box<dyn Exchange> {
    change(call, Right::Delete, |call, sources| {
        let id = last_segment(call).parse().map_err(|_| ApiError::bad_id())?;
        if id <= 0 {
            return Err(ApiError::new(400, "", "Missing valid datasource id"));
        }
        let (_, changes) = sources.delete(&Name::Id(id))?;
        Ok((object([("message", "Data source deleted".into())]), changes))
    })
}

pub(crate) fn delete_by_uid(call: Call) -> Box<dyn Exchange> {
    change(call, Right::Delete, |call, sources| delete(sources, &Name::Uid(last_segment(call))))
}

pub(crate) fn delete_by_name(call: Call) -> Box<dyn Exchange> {
    change(call, Right::Delete, |call, sources| delete(sources, &Name::Name(last_segment(call))))
}

fn delete(sources: &Sources, name: &Name) -> Result<(Json, DocumentChanges), ApiError> {
    let (id, changes) = sources.delete(name)?;
    Ok((object([("message", "Data source deleted".into()), ("id", id.into())]), changes))
}

pub(crate) fn sources(snapshot: &Snapshot) -> Sources {
    Sources::of(&snapshot.documents.space(SPACE))
}

/// The last segment of the path, decoded. A broken escape stands for itself.
pub(crate) fn last_segment(call: &Call) -> String {
    let segment = call.request.path.rsplit('/').next().unwrap_or_default();
    percent_decode(segment).unwrap_or_else(|| segment.to_owned())
}

fn means(call: &Call) -> Means<'_> {
    Means { sealer: call.config.sealer.as_deref(), entropy: &call.request.entropy }
}

fn stored(record: &Record, message: &str) -> Json {
    object([
        ("datasource", record.full()),
        ("id", record.id.into()),
        ("message", message.into()),
        ("name", record.name.as_str().into()),
    ])
}

/// An answer that changes nothing, for a caller with the right.
pub(crate) fn answered(
    call: &Call,
    right: Right,
    answer: impl FnOnce(&Call, &Identity) -> Result<Json, ApiError>,
) -> Box<dyn Exchange> {
    match with_right(call, right).and_then(|identity| answer(call, &identity)) {
        Ok(body) => json_reply(200, &body),
        Err(error) => error.reply(),
    }
}

type Decided = Result<(Json, DocumentChanges), ApiError>;

fn change(call: Call, right: Right, decide: fn(&Call, &Sources) -> Decided) -> Box<dyn Exchange> {
    change_documents(call, right, move |call| decide(call, &sources(&call.snapshot)))
}

/// A change of documents, for a caller with the right.
pub(crate) fn change_documents(
    call: Call,
    right: Right,
    decide: impl Fn(&Call) -> Decided + Send + 'static,
) -> Box<dyn Exchange> {
    match with_right(&call, right) {
        Ok(_) => Box::new(Change { call, decide: Box::new(decide), attempts: 0, done: None, answer: None }),
        Err(error) => error.reply(),
    }
}

/// Decides, stores, and decides again when the documents were changed in between.
struct Change {
    call: Call,
    decide: Box<dyn Fn(&Call) -> Decided + Send>,
    attempts: usize,
    /// What to say once the change is stored.
    done: Option<Json>,
    answer: Option<Reply>,
}

impl Change {
    fn say(&mut self, status: u16, body: &Json) {
        self.answer = Some(Reply::new(status, json_headers(), body.to_bytes()));
    }

    fn fail(&mut self, error: &ApiError) {
        self.say(error.status, &error.body());
    }
}

impl Exchange for Change {
    fn turn(&mut self, budget: Budget) -> Turn {
        if self.answer.is_none() {
            match (self.decide)(&self.call) {
                Ok((body, changes)) => {
                    self.done = Some(body);
                    return Turn::Command(Command::Documents(changes));
                }
                Err(error) => self.fail(&error),
            }
        }
        match &mut self.answer {
            Some(answer) => answer.turn(budget),
            None => Turn::Yield,
        }
    }

    fn supply(&mut self, _bytes: Result<Vec<Bytes>, String>) {}

    fn wrote(&mut self, outcome: Result<Written, WriteError>, snapshot: Snapshot) {
        self.call.snapshot = snapshot;
        self.attempts += 1;
        match outcome {
            Ok(_) => {
                let body = self.done.take().unwrap_or_default();
                self.say(200, &body);
            }
            Err(WriteError::Catalog(CatalogError::DocumentsChanged(_))) if self.attempts < ATTEMPTS => {}
            Err(error) => self.fail(&ApiError::new(500, "", format!("Failed to store the change: {error}"))),
        }
    }
}
