//! Dashboards, kept as the JSON they came as: `/api/dashboards/db`, `/api/dashboards/uid/{uid}` and `/api/search`.
//!
//! A dashboard is a document of [`SPACE`] under its uid. What Grafana gives it (`id`, `uid`, `version`) is written into it;
//! all else is the client's, and nothing here looks at panels. Folders, permissions and old versions are not kept.

use super::crud::{answered, change_documents, last_segment};
use super::error::ApiError;
use super::identity::Right;
use super::json::{Json, object};
use crate::catalog::{DocumentChanges, Space};
use crate::dialect::exchange::Exchange;
use crate::dialect::form;
use crate::dialect::route::Call;
use crate::order::sort_by;
use crate::store::Snapshot;
use bytes::Bytes;
use std::sync::Arc;

/// Where dashboards are kept.
const SPACE: &str = "dashboards";

/// A uid has letters, digits, `-` and `_`, this many at the most.
const LONGEST_UID: usize = 40;
const LONGEST_TITLE: usize = 189;

pub(crate) fn save(call: Call) -> Box<dyn Exchange> {
    change_documents(call, Right::EditDashboards, |call| {
        decide(&space(&call.snapshot), &call.request.body, &call.request.entropy)
    })
}

pub(crate) fn by_uid(call: Call) -> Box<dyn Exchange> {
    answered(&call, Right::Query, |call, _| {
        let uid = last_segment(call);
        let dashboard = find(&space(&call.snapshot), &uid).ok_or_else(not_found)?;
        let slug = slug(dashboard.text_of("title"));
        let meta = object([
            ("type", "db".into()),
            ("canSave", true.into()),
            ("canEdit", true.into()),
            ("canDelete", true.into()),
            ("slug", slug.as_str().into()),
            ("url", address(&uid, &slug).into()),
            ("version", dashboard.int_of("version").unwrap_or(0).into()),
            ("folderTitle", "General".into()),
            ("folderUid", "".into()),
        ]);
        Ok(object([("meta", meta), ("dashboard", dashboard)]))
    })
}

pub(crate) fn delete(call: Call) -> Box<dyn Exchange> {
    change_documents(call, Right::EditDashboards, |call| {
        let (space, uid) = (space(&call.snapshot), last_segment(call));
        let dashboard = find(&space, &uid).ok_or_else(not_found)?;
        let title = dashboard.text_of("title");
        let said = object([
            ("title", title.into()),
            ("message", format!("Dashboard {title} deleted").into()),
            ("id", dashboard.int_of("id").unwrap_or(0).into()),
        ]);
        Ok((said, changes(&space, uid, None)))
    })
}

/// `?query=` is looked for in titles, without regard to case; `?type=dash-folder` finds nothing.
pub(crate) fn search(call: Call) -> Box<dyn Exchange> {
    answered(&call, Right::Query, |call, _| {
        let (mut wanted, mut limit, mut dashboards) = (String::new(), 1000, true);
        for (name, value) in form::pairs(call.request.query.as_bytes()) {
            match &*name {
                "query" => wanted = value.to_lowercase(),
                "limit" => limit = value.parse().unwrap_or(limit),
                "type" => dashboards = value == "dash-db",
                _ => {}
            }
        }
        let mut found: Vec<(String, String, Json)> = Vec::new();
        for (uid, body) in space(&call.snapshot).documents.iter().filter(|_| dashboards) {
            let Ok(dashboard) = Json::parse(body) else { continue };
            let title = dashboard.text_of("title").to_lowercase();
            if title.contains(&wanted) {
                found.push((title, uid.clone(), dashboard));
            }
        }
        sort_by(&mut found, |a, b| a.0.cmp(&b.0).then_with(|| a.1.cmp(&b.1)));
        found.truncate(limit);
        Ok(Json::List(found.iter().map(|(_, uid, dashboard)| hit(uid, dashboard)).collect()))
    })
}

fn hit(uid: &str, dashboard: &Json) -> Json {
    let title = dashboard.text_of("title");
    object([
        ("id", dashboard.int_of("id").unwrap_or(0).into()),
        ("uid", uid.into()),
        ("title", title.into()),
        ("uri", format!("db/{}", slug(title)).into()),
        ("url", address(uid, &slug(title)).into()),
        ("type", "dash-db".into()),
        ("tags", dashboard.get("tags").cloned().unwrap_or(Json::List(Vec::new()))),
        ("isStarred", false.into()),
    ])
}

/// What a body of `{dashboard, overwrite}` makes of the dashboards there are.
fn decide(space: &Space, body: &[u8], entropy: &[u8; 32]) -> Result<(Json, DocumentChanges), ApiError> {
    let body = Json::parse(body).map_err(|_| ApiError::bad_request())?;
    let Some(Json::Object(_)) = body.get("dashboard") else { return Err(ApiError::bad_request()) };
    let mut dashboard = body.get("dashboard").cloned().unwrap_or_default();
    let overwrite = body.get("overwrite").and_then(Json::bool).unwrap_or(false);
    let title = dashboard.text_of("title").trim().to_owned();
    if title.is_empty() {
        return Err(ApiError::new(400, "", "Dashboard title cannot be empty"));
    }
    if title.chars().count() > LONGEST_TITLE {
        return Err(ApiError::new(400, "", "Dashboard title is too long"));
    }
    let uid = match dashboard.text_of("uid") {
        "" => free_uid(space, entropy),
        uid => uid.to_owned(),
    };
    let fits = |letter: u8| letter.is_ascii_alphanumeric() || letter == b'-' || letter == b'_';
    if uid.len() > LONGEST_UID || !uid.bytes().all(fits) {
        return Err(ApiError::new(400, "", "uid contains illegal characters or is too long"));
    }
    let (mut id, mut version) = (next_id(space), 1);
    if let Some(old) = find(space, &uid) {
        let known = old.int_of("version").unwrap_or(0);
        if !overwrite && dashboard.int_of("version").is_none_or(|version| version != known) {
            let mut error = ApiError::new(412, "", "The dashboard has been changed by someone else");
            error.extra = vec![("status", "version-mismatch".to_owned())];
            return Err(error);
        }
        (id, version) = (old.int_of("id").unwrap_or(id), known + 1);
    }
    dashboard.set("id", id.into());
    dashboard.set("uid", uid.as_str().into());
    dashboard.set("version", version.into());
    let slug = slug(&title);
    let said = object([
        ("folderUid", "".into()),
        ("id", id.into()),
        ("slug", slug.as_str().into()),
        ("status", "success".into()),
        ("uid", uid.as_str().into()),
        ("url", address(&uid, &slug).into()),
        ("version", version.into()),
    ]);
    Ok((said, changes(space, uid, Some(dashboard.to_bytes().into()))))
}

fn space(snapshot: &Snapshot) -> Arc<Space> {
    snapshot.documents.space(SPACE)
}

fn find(space: &Space, uid: &str) -> Option<Json> {
    Json::parse(space.documents.get(uid)?).ok()
}

fn changes(space: &Space, uid: String, body: Option<Bytes>) -> DocumentChanges {
    DocumentChanges { space: SPACE.to_owned(), revision: space.revision, changes: vec![(uid, body)] }
}

fn next_id(space: &Space) -> i64 {
    let ids = space.documents.values().filter_map(|body| Json::parse(body).ok()?.int_of("id"));
    ids.max().unwrap_or(0).saturating_add(1)
}

fn free_uid(space: &Space, entropy: &[u8; 32]) -> String {
    const LETTERS: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    let mut uid = String::new();
    // One that is taken gets longer; 32 letters are never all taken.
    for (at, byte) in entropy.iter().enumerate() {
        let of = if uid.is_empty() { 26 } else { LETTERS.len() };
        uid.push(char::from(LETTERS[usize::from(*byte) % of]));
        if at >= 13 && !space.documents.contains_key(uid.as_str()) {
            break;
        }
    }
    uid
}

/// A title as part of an address: what is neither letter nor digit becomes a hyphen.
fn slug(title: &str) -> String {
    let mut slug = String::new();
    for letter in title.to_lowercase().chars() {
        if letter.is_alphanumeric() {
            slug.push(letter);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.trim_end_matches('-').to_owned()
}

fn address(uid: &str, slug: &str) -> String {
    format!("/d/{uid}/{slug}")
}

fn not_found() -> ApiError {
    ApiError::new(404, "", "Dashboard not found")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Documents;

    fn save(documents: &mut Documents, body: &str) -> Result<Json, (u16, String)> {
        let decided = decide(&documents.space(SPACE), body.as_bytes(), &[3; 32]);
        let (said, changes) = decided.map_err(|error| (error.status, error.message))?;
        documents.apply(&changes).unwrap();
        Ok(said)
    }

    #[test]
    fn a_dashboard_gets_a_uid_and_a_version() {
        let mut documents = Documents::default();
        let said = save(&mut documents, r#"{"dashboard":{"title":"Größe & Co.","panels":[1]}}"#).unwrap();
        let uid = said.text_of("uid").to_owned();
        assert_eq!((uid.len(), said.int_of("id"), said.int_of("version")), (14, Some(1), Some(1)));
        assert_eq!(said.text_of("url"), format!("/d/{uid}/größe-co"));
        let kept = find(&documents.space(SPACE), &uid).unwrap();
        assert_eq!((kept.text_of("title"), kept.get("panels").unwrap().list().len()), ("Größe & Co.", 1));
        // Another gets another uid and id.
        let other = save(&mut documents, r#"{"dashboard":{"title":"b"}}"#).unwrap();
        assert_ne!(other.text_of("uid"), uid);
        assert_eq!(other.int_of("id"), Some(2));
    }

    #[test]
    fn nobody_overwrites_what_he_has_not_seen() {
        let mut documents = Documents::default();
        save(&mut documents, r#"{"dashboard":{"uid":"u","title":"a"}}"#).unwrap();
        let changed = (412, "The dashboard has been changed by someone else".to_owned());
        let again = r#"{"dashboard":{"uid":"u","title":"b","version":7}}"#;
        assert_eq!(save(&mut documents, again), Err(changed.clone()));
        assert_eq!(save(&mut documents, r#"{"dashboard":{"uid":"u","title":"b"}}"#), Err(changed));
        let seen = save(&mut documents, r#"{"dashboard":{"uid":"u","title":"b","version":1}}"#).unwrap();
        assert_eq!((seen.int_of("id"), seen.int_of("version")), (Some(1), Some(2)));
        let forced = save(&mut documents, r#"{"dashboard":{"uid":"u","title":"c"},"overwrite":true}"#).unwrap();
        assert_eq!(forced.int_of("version"), Some(3));
    }

    #[test]
    fn what_is_no_dashboard_is_refused() {
        let mut documents = Documents::default();
        for body in ["", "[]", "{}", r#"{"dashboard":7}"#, r#"{"dashboard":{}}"#, r#"{"dashboard":{"title":" "}}"#] {
            assert_eq!(save(&mut documents, body).unwrap_err().0, 400, "{body}");
        }
        for uid in ["a b", "ä", &"x".repeat(41)] {
            let body = format!(r#"{{"dashboard":{{"uid":"{uid}","title":"a"}}}}"#);
            assert_eq!(save(&mut documents, &body).unwrap_err().0, 400, "{uid}");
        }
    }
}
