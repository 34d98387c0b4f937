//! One data source: its members, its JSON in answers and at rest.
//!
//! At rest a record is a document of space [`SPACE`] whose key is its id in ten digits. The body is JSON with the members
//! of an answer, `formerUids`, a list of texts, and `secrets`, an object of base64 texts sealed by the host's sealer for the context
//! `datasource/<id>/<name>`. The document `next` holds the id that the next record gets.

use super::base64;
use super::error::ApiError;
use super::json::{Json, object};
use super::plugin;
use crate::auth::decode_base64;
use crate::dialect::sealer::Sealer;
use crate::sorted::SortedMap;

pub(crate) const SPACE: &str = "grafana/datasources";

/// A data source as it is stored.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Record {
    pub(crate) id: i64,
    pub(crate) uid: String,
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) access: String,
    pub(crate) url: String,
    pub(crate) user: String,
    pub(crate) database: String,
    pub(crate) basic_auth: bool,
    pub(crate) basic_auth_user: String,
    pub(crate) with_credentials: bool,
    pub(crate) is_default: bool,
    /// An object.
    pub(crate) json_data: Json,
    pub(crate) version: i64,
    pub(crate) read_only: bool,
    /// Uids that it had before, the latest last: what refers to it by one of them still does.
    pub(crate) former_uids: Vec<String>,
    /// Sealed, by name.
    pub(crate) secrets: SortedMap<String, Vec<u8>>,
}

impl Record {
    /// Of a stored body; `None` when that is damaged.
    pub(crate) fn decode(body: &[u8]) -> Option<Self> {
        let json = Json::parse(body).ok()?;
        let text = |name: &str| json.text_of(name).to_owned();
        let flag = |name: &str| json.get(name).and_then(Json::bool).unwrap_or(false);
        let mut secrets = SortedMap::new();
        for (name, sealed) in json.get("secrets").map(Json::members).unwrap_or_default() {
            secrets.insert(name.clone(), decode_base64(sealed.text()?)?);
        }
        Some(Self {
            id: json.get("id")?.int()?,
            uid: text("uid"),
            name: text("name"),
            kind: text("type"),
            access: text("access"),
            url: text("url"),
            user: text("user"),
            database: text("database"),
            basic_auth: flag("basicAuth"),
            basic_auth_user: text("basicAuthUser"),
            with_credentials: flag("withCredentials"),
            is_default: flag("isDefault"),
            json_data: json.get("jsonData").cloned().unwrap_or(Json::Object(Vec::new())),
            version: json.get("version").and_then(Json::int).unwrap_or(1),
            read_only: flag("readOnly"),
            former_uids: json
                .get("formerUids")
                .map(Json::list)
                .unwrap_or_default()
                .iter()
                .filter_map(|uid| uid.text().map(str::to_owned))
                .collect(),
            secrets,
        })
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut body = self.full();
        let mut secrets = Vec::new();
        for (name, sealed) in self.secrets.iter() {
            secrets.push((name.clone(), Json::Text(base64::encode(sealed))));
        }
        body.set("secrets", Json::Object(secrets));
        if !self.former_uids.is_empty() {
            body.set("formerUids", Json::List(self.former_uids.iter().map(|uid| uid.as_str().into()).collect()));
        }
        body.to_bytes()
    }

    pub(crate) fn key(&self) -> String {
        format!("{:010}", self.id)
    }

    /// The record as the routes of one record show it.
    pub(crate) fn full(&self) -> Json {
        let mut json = self.common();
        json.set("basicAuthUser", self.basic_auth_user.as_str().into());
        json.set("withCredentials", self.with_credentials.into());
        json.set("jsonData", self.json_data.clone());
        let fields = self.secrets.keys().map(|name| (name.clone(), Json::Bool(true)));
        json.set("secureJsonFields", Json::Object(fields.collect()));
        json.set("version", self.version.into());
        json.set("readOnly", self.read_only.into());
        json
    }

    /// The record as the list shows it.
    pub(crate) fn item(&self) -> Json {
        let mut json = self.common();
        json.set("typeName", plugin::name(&self.kind).into());
        json.set("jsonData", self.json_data.clone());
        json.set("readOnly", self.read_only.into());
        json
    }

    fn common(&self) -> Json {
        object([
            ("id", self.id.into()),
            ("uid", self.uid.as_str().into()),
            ("orgId", Json::Int(1)),
            ("name", self.name.as_str().into()),
            ("type", self.kind.as_str().into()),
            ("typeLogoUrl", plugin::logo(&self.kind).into()),
            ("access", self.access.as_str().into()),
            ("url", self.url.as_str().into()),
            ("user", self.user.as_str().into()),
            ("database", self.database.as_str().into()),
            ("basicAuth", self.basic_auth.into()),
            ("isDefault", self.is_default.into()),
        ])
    }

    fn context(&self, name: &str) -> Vec<u8> {
        format!("datasource/{}/{name}", self.id).into_bytes()
    }

    /// Seals a secret into the record.
    pub(crate) fn keep(&mut self, name: &str, plain: &str, sealer: &dyn Sealer) {
        let sealed = sealer.seal(plain.as_bytes(), &self.context(name));
        self.secrets.insert(name.to_owned(), sealed);
    }

    /// A secret in clear; empty when there is none of that name.
    pub(crate) fn secret(&self, name: &str, sealer: Option<&dyn Sealer>) -> Result<String, ApiError> {
        let Some(sealed) = self.secrets.get(name) else { return Ok(String::new()) };
        let plain = sealer.and_then(|sealer| sealer.open(sealed, &self.context(name)));
        plain.and_then(|plain| String::from_utf8(plain).ok()).ok_or_else(ApiError::secret_unreadable)
    }

    /// Every secret under another key; `None`: one cannot be opened.
    pub(crate) fn resealed(&self, old: &dyn Sealer, new: &dyn Sealer) -> Option<Self> {
        let mut record = self.clone();
        for (name, sealed) in self.secrets.iter() {
            let plain = old.open(sealed, &self.context(name))?;
            record.secrets.insert(name.clone(), new.seal(&plain, &self.context(name)));
        }
        Some(record)
    }
}
