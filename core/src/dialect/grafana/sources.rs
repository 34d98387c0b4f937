//! All data sources, and what a request makes of them: creating, updating, deleting, the rules of each in order.
//!
//! Everything here decides on one frozen view and answers with the changes to make; whoever applies them is refused if
//! the view is no longer the present one, and decides again. So a check and its change are one step.

use super::error::ApiError;
use super::json::Json;
use super::plugin;
use super::record::{Record, SPACE};
use super::url::Url;
use crate::catalog::{DocumentChanges, Space};
use crate::dialect::sealer::Sealer;
use crate::order::sort_by;
use bytes::Bytes;
use std::cmp::Ordering;

/// Former uids that a record keeps.
const FORMER_UIDS: usize = 8;

/// Where the next id stands.
const NEXT: &str = "next";

/// The data sources of one view.
#[derive(Debug)]
pub(crate) struct Sources {
    revision: u64,
    /// By id.
    pub(crate) records: Vec<Record>,
    next: i64,
}

/// How a record is named in a request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::enum_variant_names, reason = "a record's name is what it is called")]
pub(crate) enum Name {
    Id(i64),
    Uid(String),
    Name(String),
}

/// What makes uids and keeps secrets.
#[derive(Clone, Copy)]
pub(crate) struct Means<'a> {
    pub(crate) sealer: Option<&'a dyn Sealer>,
    /// Random, new for each request.
    pub(crate) entropy: &'a [u8; 32],
}

impl Sources {
    /// Records that cannot be read are passed over: a damaged one must not hide the others.
    pub(crate) fn of(space: &Space) -> Self {
        let mut records = Vec::new();
        let mut next = 1;
        for (key, body) in space.documents.iter() {
            if key == NEXT {
                next = std::str::from_utf8(body).ok().and_then(|text| text.parse().ok()).unwrap_or(1);
            } else if let Some(record) = Record::decode(body) {
                records.push(record);
            }
        }
        Self { revision: space.revision, records, next }
    }

    pub(crate) fn find(&self, name: &Name) -> Option<&Record> {
        self.records.iter().find(|record| match name {
            Name::Id(id) => record.id == *id,
            Name::Uid(uid) => record.uid == *uid,
            Name::Name(name) => record.name == *name,
        })
    }

    /// The record that a query, a check or the proxy means: a uid that no record has is that of the one which had it last.
    pub(crate) fn referred(&self, name: &Name) -> Option<&Record> {
        self.find(name).or_else(|| match name {
            Name::Uid(uid) => self.records.iter().find(|record| record.former_uids.contains(uid)),
            _ => None,
        })
    }

    /// By name without regard to case, then by name, then by id.
    pub(crate) fn sorted(&self) -> Vec<&Record> {
        let mut records: Vec<(String, &Record)> = Vec::new();
        for record in &self.records {
            records.push((record.name.to_lowercase(), record));
        }
        sort_by(&mut records, |a, b| {
            let by_name = a.0.cmp(&b.0).then_with(|| a.1.name.cmp(&b.1.name));
            if by_name == Ordering::Equal { a.1.id.cmp(&b.1.id) } else { by_name }
        });
        records.into_iter().map(|(_, record)| record).collect()
    }

    /// A new record of a request's body.
    pub(crate) fn create(&self, body: &Body, means: Means<'_>) -> Result<(Record, DocumentChanges), ApiError> {
        if body.kind.is_empty() || body.access.is_empty() {
            return Err(ApiError::bad_request());
        }
        let url = body.url.as_deref().unwrap_or_default();
        check_url(url)?;
        let name = if body.name.is_empty() { self.free_name(&body.kind) } else { body.name.clone() };
        check_lengths(&name, url, body.uid.as_deref())?;
        if self.find(&Name::Name(name.clone())).is_some() {
            return Err(ApiError::new(409, "datasource.nameExists", "data source with the same name already exists"));
        }
        let uid = match &body.uid {
            Some(uid) => uid.clone(),
            None => self.free_uid(means.entropy),
        };
        if self.find(&Name::Uid(uid.clone())).is_some() {
            return Err(ApiError::new(409, "datasource.uidExists", "data source with the same uid already exists"));
        }
        let mut record = Record {
            id: self.next,
            uid,
            name,
            kind: plugin::canonical(&body.kind).to_owned(),
            access: body.access.clone(),
            url: url.to_owned(),
            basic_auth_user: body.basic_auth_user.clone().unwrap_or_default(),
            is_default: body.is_default || self.records.is_empty(),
            version: 1,
            read_only: body.read_only,
            ..Record::default()
        };
        body.fill(&mut record, means)?;
        let mut changes = self.changes();
        changes.changes.push((NEXT.to_owned(), Some((self.next + 1).to_string().into())));
        self.put(&record, &mut changes);
        Ok((record, changes))
    }

    /// The record with a body in its place.
    pub(crate) fn update(
        &self,
        name: &Name,
        body: &Body,
        means: Means<'_>,
    ) -> Result<(Record, DocumentChanges), ApiError> {
        if body.name.is_empty() || body.kind.is_empty() || body.access.is_empty() {
            return Err(ApiError::bad_request());
        }
        let kind = plugin::canonical(&body.kind);
        let url = body.url.as_deref().unwrap_or_default();
        if url.is_empty() && plugin::needs_url(kind) {
            return Err(ApiError::invalid_url());
        }
        check_url(url)?;
        let old = self.find(name).ok_or_else(ApiError::not_found)?;
        if old.read_only && !body.read_only {
            return Err(ApiError::new(403, "datasource.readOnly", "Cannot update read-only data source"));
        }
        check_lengths(&body.name, url, body.uid.as_deref())?;
        if self.records.iter().any(|other| other.id != old.id && other.name == body.name) {
            let message = "Failed to update datasource: data source with the same name already exists";
            return Err(ApiError::new(409, "datasource.nameExists", message));
        }
        if let Some(uid) = &body.uid
            && self.records.iter().any(|other| other.id != old.id && other.uid == *uid)
        {
            return Err(ApiError::new(409, "datasource.uidExists", "data source with the same uid already exists"));
        }
        if body.version != 0 && old.version > body.version {
            let message = "Datasource has already been updated by someone else. Please reload and try again";
            return Err(ApiError::new(409, "datasource.versionMismatch", message));
        }
        let mut record = old.clone();
        if let Some(uid) = body.uid.as_ref().filter(|uid| **uid != old.uid) {
            record.former_uids.retain(|former| former != uid && *former != old.uid);
            record.former_uids.push(old.uid.clone());
            let spare = record.former_uids.len().saturating_sub(FORMER_UIDS);
            record.former_uids.drain(..spare);
            record.uid.clone_from(uid);
        }
        record.name.clone_from(&body.name);
        record.kind = kind.to_owned();
        record.access.clone_from(&body.access);
        if let Some(url) = &body.url {
            record.url.clone_from(url);
        }
        if let Some(user) = &body.basic_auth_user {
            record.basic_auth_user.clone_from(user);
        }
        record.is_default = body.is_default;
        record.read_only = body.read_only;
        record.version = body.version.saturating_add(1).max(1);
        body.fill(&mut record, means)?;
        let mut changes = self.changes();
        self.put(&record, &mut changes);
        Ok((record, changes))
    }

    /// Takes a record away, with its secrets.
    pub(crate) fn delete(&self, name: &Name) -> Result<(i64, DocumentChanges), ApiError> {
        let record = self.find(name).ok_or_else(ApiError::not_found)?;
        if record.read_only {
            return Err(ApiError::new(403, "datasource.readOnly", "Cannot delete read-only data source"));
        }
        Ok((record.id, self.removal(record)))
    }

    /// The changes that take a record away, read-only or not.
    pub(crate) fn removal(&self, record: &Record) -> DocumentChanges {
        let mut changes = self.changes();
        changes.changes.push((record.key(), None));
        changes
    }

    /// Every secret under another key. The error is the name of a record that cannot be opened.
    pub(crate) fn reseal(&self, old: &dyn Sealer, new: &dyn Sealer) -> Result<DocumentChanges, String> {
        let mut changes = self.changes();
        for record in &self.records {
            if !record.secrets.is_empty() {
                let record = record.resealed(old, new).ok_or_else(|| record.name.clone())?;
                changes.changes.push((record.key(), Some(record.encode().into())));
            }
        }
        Ok(changes)
    }

    fn changes(&self) -> DocumentChanges {
        DocumentChanges { space: SPACE.to_owned(), revision: self.revision, changes: Vec::new() }
    }

    /// Puts a record, and takes from the others what it has now: the default, and the uids that only one can have had
    /// last.
    fn put(&self, record: &Record, changes: &mut DocumentChanges) {
        for other in self.records.iter().filter(|other| other.id != record.id) {
            let mut changed = other.clone();
            changed.is_default &= !record.is_default;
            changed.former_uids.retain(|uid| !record.former_uids.contains(uid));
            if changed != *other {
                changes.changes.push((changed.key(), Some(changed.encode().into())));
            }
        }
        changes.changes.push((record.key(), Some(Bytes::from(record.encode()))));
    }

    /// The type, or the type and the first number that no record is called, without regard to case.
    fn free_name(&self, kind: &str) -> String {
        let taken = |name: &str| self.records.iter().any(|record| record.name.to_lowercase() == name.to_lowercase());
        let mut name = kind.to_owned();
        let mut number = 0;
        while taken(&name) {
            number += 1;
            name = format!("{kind}-{number}");
        }
        name
    }

    /// A letter, then 13 letters and digits.
    fn free_uid(&self, entropy: &[u8; 32]) -> String {
        const LETTERS: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
        for round in 0_u8..=255 {
            let mut uid = String::new();
            for byte in entropy.iter().take(14) {
                let of = if uid.is_empty() { 26 } else { LETTERS.len() };
                uid.push(char::from(LETTERS[usize::from(byte.wrapping_add(round)) % of]));
            }
            if self.find(&Name::Uid(uid.clone())).is_none() {
                return uid;
            }
        }
        // 256 neighbours of one random uid are taken: not in this world. The id is free at any rate.
        format!("p{:013}", self.next)
    }
}

/// The body of a create or an update.
#[derive(Clone, Debug, Default)]
pub(crate) struct Body {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) access: String,
    pub(crate) url: Option<String>,
    pub(crate) uid: Option<String>,
    user: String,
    database: String,
    basic_auth: bool,
    basic_auth_user: Option<String>,
    with_credentials: bool,
    pub(crate) is_default: bool,
    json_data: Option<Json>,
    /// A null or empty text takes the secret away.
    secure_json_data: Vec<(String, String)>,
    pub(crate) version: i64,
    /// Never of a request: provisioning says so.
    pub(crate) read_only: bool,
}

impl Body {
    /// Wrong types are errors; unknown members are not looked at.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, ApiError> {
        let empty = bytes.iter().all(u8::is_ascii_whitespace);
        let json =
            if empty { Json::Object(Vec::new()) } else { Json::parse(bytes).map_err(|_| ApiError::bad_request())? };
        Self::of(&json)
    }

    pub(crate) fn of(json: &Json) -> Result<Self, ApiError> {
        if !matches!(json, Json::Object(_)) {
            return Err(ApiError::bad_request());
        }
        let text = |name: &str| match json.get(name) {
            None => Ok(None),
            Some(Json::Text(text)) => Ok(Some(text.clone())),
            Some(_) => Err(ApiError::bad_request()),
        };
        let flag = |name: &str| match json.get(name) {
            None => Ok(false),
            Some(value) => value.bool().ok_or_else(ApiError::bad_request),
        };
        let json_data = json.get("jsonData");
        if json_data.is_some_and(|data| !matches!(data, Json::Object(_))) {
            return Err(ApiError::bad_request());
        }
        let mut secure_json_data = Vec::new();
        match json.get("secureJsonData") {
            None => {}
            Some(Json::Object(members)) => {
                for (name, value) in members {
                    let value = match value {
                        Json::Null => String::new(),
                        value => value.text().ok_or_else(ApiError::bad_request)?.to_owned(),
                    };
                    secure_json_data.push((name.clone(), value));
                }
            }
            Some(_) => return Err(ApiError::bad_request()),
        }
        let version = match json.get("version") {
            None => 0,
            Some(version) => version.int().ok_or_else(ApiError::bad_request)?,
        };
        Ok(Self {
            name: text("name")?.unwrap_or_default(),
            kind: text("type")?.unwrap_or_default(),
            access: text("access")?.unwrap_or_default(),
            url: text("url")?,
            uid: text("uid")?.filter(|uid| !uid.is_empty()),
            user: text("user")?.unwrap_or_default(),
            database: text("database")?.unwrap_or_default(),
            basic_auth: flag("basicAuth")?,
            basic_auth_user: text("basicAuthUser")?,
            with_credentials: flag("withCredentials")?,
            is_default: flag("isDefault")?,
            json_data: json_data.cloned(),
            secure_json_data,
            version,
            read_only: false,
        })
    }

    /// What create and update do alike.
    fn fill(&self, record: &mut Record, means: Means<'_>) -> Result<(), ApiError> {
        record.user.clone_from(&self.user);
        record.database.clone_from(&self.database);
        record.basic_auth = self.basic_auth;
        record.with_credentials = self.with_credentials;
        record.json_data = self.json_data.clone().unwrap_or(Json::Object(Vec::new()));
        for (name, plain) in &self.secure_json_data {
            if plain.is_empty() {
                record.secrets.remove(name.as_str());
                continue;
            }
            let sealer = means.sealer.ok_or_else(|| {
                ApiError::new(
                    500,
                    "datasource.noKey",
                    "secrets cannot be stored here: there is no key to encrypt them with",
                )
            })?;
            record.keep(name, plain, sealer);
        }
        Ok(())
    }
}

fn check_url(url: &str) -> Result<(), ApiError> {
    if url.is_empty() || Url::of_record(url).is_some() { Ok(()) } else { Err(ApiError::invalid_url()) }
}

fn check_lengths(name: &str, url: &str, uid: Option<&str>) -> Result<(), ApiError> {
    if name.len() > 190 {
        return Err(ApiError::new(400, "datasource.nameInvalid", "Invalid datasource name."));
    }
    if url.len() > 255 {
        return Err(ApiError::new(400, "datasource.urlInvalid", "Invalid datasource url."));
    }
    if uid.is_some_and(|uid| !is_uid(uid)) {
        return Err(ApiError::new(400, "datasource.uidInvalid", "Invalid datasource uid."));
    }
    Ok(())
}

/// Letters, digits, `-` and `_`, 1 to 40 of them.
pub(crate) fn is_uid(text: &str) -> bool {
    (1..=40).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}
