//! The proxy: what goes out, what comes back. Streaming is the host's.

use super::error::ApiError;
use super::health::named;
use super::identity::{Right, with_right};
use super::json::Json;
use super::outgoing::{Outgoing, set_header};
use super::record::Record;
use super::resources::Passed;
use super::url::form;
use crate::dialect::errand::{ErrandError, HttpCall};
use crate::dialect::exchange::{ApiConfig, ApiRequest, Exchange};
use crate::dialect::form::pairs;
use crate::dialect::route::{self, Call, path_values};
use crate::order::sort_by;
use crate::store::Snapshot;
use bytes::Bytes;
use std::sync::Arc;

const PATTERNS: [(&str, bool); 4] = [
    ("/api/datasources/proxy/uid/{uid}", true),
    ("/api/datasources/proxy/uid/{uid}/{*path}", true),
    ("/api/datasources/proxy/{id}", false),
    ("/api/datasources/proxy/{id}/{*path}", false),
];

/// Whether a path is the proxy's, so that a host can stream its bodies.
pub fn is_proxy(path: &str) -> bool {
    path.starts_with("/api/datasources/proxy/")
}

/// Answers whole, for hosts that do not stream.
pub(crate) fn open(call: Call) -> Box<dyn Exchange> {
    let body = call.request.body.clone();
    match prepare(&call, "") {
        Ok(out) => Box::new(Passed::new(HttpCall { body, ..out })),
        Err(error) => error.reply(),
    }
}

/// The call that a request becomes, for a host that streams the bodies; else the whole answer. Slow where hashing a
/// password is. `peer` is the caller's address.
pub fn stream(
    request: ApiRequest,
    snapshot: Snapshot,
    config: &Arc<ApiConfig>,
    peer: &str,
) -> Result<HttpCall, Box<dyn Exchange>> {
    let call = route::admit(&super::SURFACE, request, snapshot, config)?;
    prepare(&call, peer).map_err(|error| error.reply())
}

/// The answer when there is none of the other server.
pub fn failed(error: &ErrandError) -> Box<dyn Exchange> {
    failure(error).reply()
}

/// The call that a request becomes, without its body. `peer` is the caller's address; empty: unknown.
pub(crate) fn prepare(call: &Call, peer: &str) -> Result<HttpCall, ApiError> {
    with_right(call, Right::Query)?;
    let request = &call.request;
    let found =
        PATTERNS.iter().find_map(|(pattern, by_uid)| Some((*pattern, *by_uid, path_values(pattern, &request.path)?)));
    let (pattern, by_uid, values) = found.ok_or_else(ApiError::bad_id)?;
    let missing = || ApiError::new(404, "datasource.notFound", "Unable to find datasource");
    let record = named(call, pattern, by_uid, missing)?;
    let outgoing = Outgoing::of(&record, &call.config)?;
    let path = values.get(1).copied().unwrap_or_default();
    check_method(&record, &request.method, path)?;
    let escape = || ApiError::new(403, "", "the path leaves the data source's");
    let (url, query) = if record.kind == "influxdb_08" {
        let password = record.secret("password", call.config.sealer.as_deref())?;
        let mut own = request.query.clone();
        if !own.is_empty() {
            own.push('&');
        }
        own += &form(&[("u", &record.user), ("p", &password)]);
        let mut database = String::new();
        super::url::query_escape(&record.database, &mut database);
        // A path that climbs must not be hidden behind the database.
        outgoing.url.join(path).ok_or_else(escape)?;
        (outgoing.url.join(&format!("db/{database}/{path}")).ok_or_else(escape)?, own)
    } else if record.kind == "influxdb" {
        (outgoing.url.join(path).ok_or_else(escape)?, sorted_query(&request.query))
    } else {
        (outgoing.url.join(path).ok_or_else(escape)?, request.query.clone())
    };
    let mark = if query.is_empty() { "" } else { "?" };
    Ok(HttpCall {
        method: request.method.clone(),
        url: format!("{url}{mark}{query}"),
        headers: headers(request, &record, &outgoing, peer, &call.config.data_sources.version),
        body: Bytes::new(),
        timeout_millis: outgoing.timeout_millis,
        follow: false,
        tls: outgoing.tls,
    })
}

/// Types whose proxy only reads.
fn check_method(record: &Record, method: &str, path: &str) -> Result<(), ApiError> {
    let deny = |message: String| Err(ApiError::new(403, "", message));
    let path = path.trim_matches('/');
    match (record.kind.as_str(), method) {
        ("elasticsearch", "DELETE") => deny("deletes not allowed on proxied Elasticsearch datasource".to_owned()),
        ("elasticsearch", "PUT") => deny("puts not allowed on proxied Elasticsearch datasource".to_owned()),
        ("elasticsearch", "POST") if path != "_msearch" => {
            deny("posts not allowed on proxied Elasticsearch datasource except on /_msearch".to_owned())
        }
        ("prometheus", "DELETE" | "PUT") => {
            deny(format!("non allow-listed {method}s not allowed on proxied Prometheus datasource"))
        }
        ("prometheus", "POST") => {
            let allowed = ["query", "query_range", "series", "labels", "query_exemplars"];
            let is_allowed = path.strip_prefix("api/v1/").is_some_and(|path| allowed.contains(&path))
                || ["rules", "api/v1/rules", "api/prom/rules"]
                    .iter()
                    .any(|rules| path.strip_prefix(rules).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')));
            if is_allowed {
                Ok(())
            } else {
                deny("non allow-listed POSTs not allowed on proxied Prometheus datasource".to_owned())
            }
        }
        _ => Ok(()),
    }
}

/// A query string decoded and written again, sorted by key.
fn sorted_query(query: &str) -> String {
    let mut decoded: Vec<_> = pairs(query.as_bytes()).collect();
    sort_by(&mut decoded, |a, b| a.0.cmp(&b.0));
    let texts: Vec<(&str, &str)> = decoded.iter().map(|(name, value)| (&**name, &**value)).collect();
    form(&texts)
}

/// Headers that belong to one connection, in both directions.
fn is_hop_by_hop(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "keep-alive"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "proxy-connection"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
    )
}

/// The headers that a `Connection` header names.
fn named_by_connection(headers: &[(String, String)]) -> Vec<String> {
    let mut names = Vec::new();
    for (_, value) in headers.iter().filter(|(name, _)| name == "connection") {
        names.extend(value.split(',').map(|name| name.trim().to_ascii_lowercase()));
    }
    names
}

fn headers(
    request: &ApiRequest,
    record: &Record,
    outgoing: &Outgoing,
    peer: &str,
    version: &str,
) -> Vec<(String, String)> {
    let dropped = named_by_connection(&request.headers);
    let mut headers: Vec<(String, String)> = Vec::new();
    let mut authorization = None;
    for (name, value) in &request.headers {
        match name.as_str() {
            "authorization"
            | "host"
            | "content-length"
            | "expect"
            | "origin"
            | "x-forwarded-host"
            | "x-forwarded-port"
            | "x-forwarded-proto"
            | "x-grafana-user"
            | "x-grafana-id"
            | "x-jwt-assertion"
            | "x-webauth-user"
            | "x-grafana-device-id"
            | "user-agent" => {}
            "referer" => headers.push(("x-grafana-referer".to_owned(), value.clone())),
            "x-ds-authorization" => authorization = Some(value.clone()),
            "cookie" => {
                let kept = kept_cookies(value, record);
                if !kept.is_empty() {
                    headers.push((name.clone(), kept));
                }
            }
            "x-forwarded-for" if !peer.is_empty() => headers.push((name.clone(), format!("{value}, {peer}"))),
            name if is_hop_by_hop(name) || dropped.iter().any(|dropped| dropped == name) => {}
            name => headers.push((name.to_owned(), value.clone())),
        }
    }
    if !peer.is_empty() && !headers.iter().any(|(name, _)| name == "x-forwarded-for") {
        headers.push(("x-forwarded-for".to_owned(), peer.to_owned()));
    }
    set_header(&mut headers, "user-agent", &format!("Grafana/{version}"));
    for (name, value) in &outgoing.headers {
        set_header(&mut headers, name, value);
    }
    if let Some(authorization) = authorization {
        set_header(&mut headers, "authorization", &authorization);
    }
    headers
}

/// The cookies that the record lets through: by name, `name[]` for all that begin so, `[]` for all. Never the session.
fn kept_cookies(header: &str, record: &Record) -> String {
    let wanted = record.json_data.get("keepCookies").map(Json::list).unwrap_or_default();
    let is_kept = |name: &str| {
        name != "grafana_session"
            && wanted.iter().filter_map(Json::text).any(|wanted| match wanted.strip_suffix("[]") {
                Some(prefix) => name.starts_with(prefix),
                None => name == wanted,
            })
    };
    let mut kept = Vec::new();
    for cookie in header.split(';').map(str::trim) {
        if is_kept(cookie.split('=').next().unwrap_or_default()) {
            kept.push(cookie);
        }
    }
    kept.join("; ")
}

/// Status and headers of an answer that is passed on, and the body that takes the place of its own.
pub fn answer_head(status: u16, headers: &[(String, String)]) -> (u16, Vec<(String, String)>, Option<Bytes>) {
    let dropped = named_by_connection(headers);
    let mut passed: Vec<(String, String)> = Vec::new();
    for (name, value) in headers {
        let own = matches!(name.as_str(), "set-cookie" | "content-length" | "date" | "content-security-policy");
        if !own && !is_hop_by_hop(name) && !dropped.contains(name) {
            passed.push((name.clone(), value.clone()));
        }
    }
    passed.push(("Content-Security-Policy".to_owned(), "sandbox".to_owned()));
    // A browser that is told 401 would sign its user out of this server.
    if status == 401 {
        passed.retain(|(name, _)| !matches!(name.as_str(), "content-encoding" | "www-authenticate"));
        set_header(&mut passed, "content-type", "text/plain; charset=utf-8");
        return (400, passed, Some(Bytes::from_static(b"Authentication to data source failed")));
    }
    (status, passed, None)
}

/// The answer when another server has none.
pub(crate) fn failure(error: &ErrandError) -> ApiError {
    match error {
        ErrandError::Timeout { .. } => ApiError::new(504, "dataproxy.timeout", error.to_string()),
        ErrandError::Forbidden(_) => ApiError::new(403, "dataproxy.forbidden", error.to_string()),
        ErrandError::Tls(_) => ApiError::new(400, "dataproxy.tls", "Unable to load TLS certificate"),
        ErrandError::Unsupported => ApiError::new(501, "dataproxy.unsupported", error.to_string()),
        ErrandError::BodyTooLarge { .. } => ApiError::new(413, "dataproxy.bodyTooLarge", error.to_string()),
        ErrandError::Unreachable(_) | ErrandError::TooLarge { .. } => {
            ApiError::new(502, "dataproxy.unreachable", error.to_string())
        }
    }
}
