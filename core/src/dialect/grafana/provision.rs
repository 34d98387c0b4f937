//! Data sources from configuration: records that requests cannot change.
//!
//! The document is that of Grafana's provisioning files, already out of YAML:
//!
//! ```text
//! { "prune"?: bool, "deleteDatasources"?: [{ "name" }], "datasources": [{ "name", "type", "access"?, "uid"?, "url"?, … }] }
//! ```

use super::error::ApiError;
use super::json::Json;
use super::record::{Record, SPACE};
use super::sources::{Body, Means, Name, Sources};
use crate::catalog::{DocumentChanges, Documents};
use crate::dialect::sealer::Sealer;

/// What a document comes to.
#[derive(Debug)]
pub struct Provisioned {
    /// One after the other; each rests on the one before.
    pub changes: Vec<DocumentChanges>,
    /// Names, in the order of the document.
    pub names: Vec<String>,
}

/// The changes that make the data sources be as a document (JSON) says. A record is known by its name. `hash` is SHA-256,
/// of which a record without a uid gets one. The error says what is wrong with the document.
pub fn provision(
    document: &[u8],
    documents: &Documents,
    sealer: &dyn Sealer,
    hash: &dyn Fn(&[u8]) -> [u8; 32],
    entropy: &[u8; 32],
) -> Result<Provisioned, String> {
    let document = Json::parse(document).map_err(|_| "not a document of data sources".to_owned())?;
    let mut documents = documents.clone();
    let mut provisioned = Provisioned { changes: Vec::new(), names: Vec::new() };
    let mut apply = |changes: DocumentChanges, documents: &mut Documents| -> Result<(), String> {
        if !changes.changes.is_empty() {
            documents.apply(&changes).map_err(|error| error.to_string())?;
            provisioned.changes.push(changes);
        }
        Ok(())
    };
    let listed = document.get("datasources").map(Json::list).unwrap_or_default();
    let mut names = Vec::new();
    for entry in listed {
        names.push(entry.text_of("name").to_owned());
    }
    let prune = document.get("prune").and_then(Json::bool).unwrap_or(false);
    let removed = document.get("deleteDatasources").map(Json::list).unwrap_or_default();
    for record in Sources::of(&documents.space(SPACE)).records {
        let is_listed = names.contains(&record.name);
        let is_removed = removed.iter().any(|entry| entry.text_of("name") == record.name);
        if is_removed && !is_listed || prune && record.read_only && !is_listed {
            let changes = Sources::of(&documents.space(SPACE)).removal(&record);
            apply(changes, &mut documents)?;
        }
    }
    for (entry, name) in listed.iter().zip(&names) {
        let sources = Sources::of(&documents.space(SPACE));
        let known = sources.find(&Name::Name(name.clone()));
        let body = body(entry, known, hash).map_err(|error| format!("data source {name:?}: {}", error.message))?;
        let means = Means { sealer: Some(sealer), entropy };
        let changed = match known {
            None => sources.create(&body, means),
            Some(record) => sources.update(&Name::Id(record.id), &body, means),
        };
        let (_, changes) = changed.map_err(|error| format!("data source {name:?}: {}", error.message))?;
        apply(changes, &mut documents)?;
    }
    provisioned.names = names;
    Ok(provisioned)
}

fn body(entry: &Json, known: Option<&Record>, hash: &dyn Fn(&[u8]) -> [u8; 32]) -> Result<Body, ApiError> {
    let mut body = Body::of(entry)?;
    if body.name.is_empty() {
        return Err(ApiError::bad_request());
    }
    if body.access.is_empty() {
        body.access = "proxy".to_owned();
    }
    if body.uid.is_none() {
        let mut uid = "P".to_owned();
        for byte in &hash(body.name.as_bytes())[..8] {
            uid += &format!("{byte:02X}");
        }
        body.uid = Some(known.map_or(uid, |record| record.uid.clone()));
    }
    body.version = known.map_or(0, |record| record.version);
    body.read_only = !entry.get("editable").and_then(Json::bool).unwrap_or(false);
    Ok(body)
}
