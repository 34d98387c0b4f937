//! The paths that are this server's own, in one table: what each needs is declared, and a test walks them all.
//!
//! The dialects' paths are in `dialect::route`; `isopoint routes` prints both tables.

use crate::access;
use crate::http::{Body, Service, plain};
use crate::{admin, assets, sync};
use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::{self, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Response, StatusCode};
use isopoint_core::auth::{LoginError, Principal, Rights};
use isopoint_core::dialect::route::{self, Privilege, path_values};
use isopoint_core::dialect::{exchange::ApiRequest, form};
use std::net::IpAddr;
use std::time::Duration;

/// Seconds of a `/debug/requests`.
const LONGEST_WATCH: u64 = 6 * 3600;

/// One of the server's own paths.
#[derive(Debug)]
pub(crate) struct OwnRoute {
    pub path: &'static str,
    pub methods: &'static [&'static str],
    pub privilege: Privilege,
    pub about: &'static str,
    what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Ready,
    Metrics,
    Requests,
    Sync,
    Session,
    Tokens,
    Checks,
}

const GET: &[&str] = &["GET", "HEAD"];

const fn own(
    path: &'static str,
    methods: &'static [&'static str],
    privilege: Privilege,
    what: What,
    about: &'static str,
) -> OwnRoute {
    OwnRoute { path, methods, privilege, about, what }
}

/// All of them, but the files of the dashboard, which are open.
pub(crate) static ROUTES: &[OwnRoute] = &[
    own("/ready", GET, Privilege::Open, What::Ready, "whether reads and writes are taken just now, and why not"),
    own("/metrics", GET, Privilege::ByContent, What::Metrics, "counters in Prometheus's text format"),
    own("/debug/requests", GET, Privilege::Admin, What::Requests, "who asks for what, watched for some seconds"),
    own("/sync/manifest", GET, Privilege::ByContent, What::Sync, "which block files a database has, for a replica"),
    own("/sync/tail", GET, Privilege::ByContent, What::Sync, "points as they are written, for a replica"),
    own("/sync/file/{name}", GET, Privilege::ByContent, What::Sync, "a block file or a range of it"),
    own("/sync/{*rest}", GET, Privilege::ByContent, What::Sync, "nothing"),
    own(
        "/isopoint/session",
        &["DELETE", "GET", "POST"],
        Privilege::Open,
        What::Session,
        "log in with a password for a cookie, say who is logged in, log out",
    ),
    own("/isopoint/tokens", &["GET", "POST"], Privilege::Admin, What::Tokens, "list access tokens, make one"),
    own("/isopoint/tokens/{id}", &["DELETE"], Privilege::Admin, What::Tokens, "revoke an access token"),
    own("/isopoint/checks", GET, Privilege::ByContent, What::Checks, "checks and the states of their alerts"),
];

/// The most exact of the patterns that fit.
fn find(path: &str) -> Option<&'static OwnRoute> {
    let fitting = ROUTES.iter().filter(|route| path_values(route.path, path).is_some());
    fitting.max_by_key(|route| route.path.find('{').unwrap_or(usize::MAX))
}

impl Service {
    /// The server's own paths; anything else is given back.
    pub(crate) async fn own(&self, parts: &Parts, body: Incoming, peer: IpAddr) -> Result<Response<Body>, Incoming> {
        let path = parts.uri.path();
        let Some(route) = find(path) else {
            return self.page(parts).ok_or(body);
        };
        let method = parts.method.as_str();
        if !route.methods.contains(&method) {
            let mut answer = error(StatusCode::METHOD_NOT_ALLOWED, &format!("only {}", route.methods.join(", ")));
            if let Ok(methods) = HeaderValue::from_str(&route.methods.join(", ")) {
                answer.headers_mut().insert(header::ALLOW, methods);
            }
            return Ok(answer);
        }
        let request = self.request(&parts.method, &parts.uri, &parts.headers, Bytes::new());
        let principal = if route.privilege == Privilege::Open {
            Principal::Nobody
        } else {
            match self.principal(&request, peer).await {
                Ok(principal) => principal,
                Err(refusal) => return Ok(refusal),
            }
        };
        if route.privilege == Privilege::Admin && !principal.is_admin() {
            return Ok(error(StatusCode::FORBIDDEN, "only an administrator may do this"));
        }
        let query = parts.uri.query().unwrap_or_default();
        Ok(match route.what {
            What::Ready => self.ready(),
            What::Metrics => plain(
                StatusCode::OK,
                "text/plain; version=0.0.4",
                self.metrics.text(&self.host, &self.counters, &self.checks),
            ),
            What::Requests => {
                let seconds = form::pairs(query.as_bytes()).find(|(name, _)| name == "seconds");
                let seconds = seconds.and_then(|(_, seconds)| seconds.parse().ok()).unwrap_or(10).min(LONGEST_WATCH);
                plain(StatusCode::OK, "application/json", self.watch.watch(Duration::from_secs(seconds)).await)
            }
            // A replica is as good as reading the database it is of, and block files are named by content: whoever asks
            // for one must be somebody who may read something.
            What::Sync if !self.may_read(&principal, query) => error(StatusCode::FORBIDDEN, "not authorized to read"),
            What::Sync => sync::answer(&self.host, &parts.method, path, query, &parts.headers).await,
            What::Session => admin::session(self, request, body, peer).await,
            What::Tokens => admin::tokens(self, request, body, &principal, peer).await,
            What::Checks => plain(StatusCode::OK, "application/json", self.checks.report()),
        })
    }

    /// A file of the dashboard. A client of InfluxDB that asks for `/` gets InfluxDB's answer, a browser the dashboard.
    fn page(&self, parts: &Parts) -> Option<Response<Body>> {
        if !access::is_read(&parts.method) {
            return None;
        }
        let path = parts.uri.path();
        let accept = access::text(&parts.headers, "accept").unwrap_or_default();
        let asset = assets::find(path).filter(|_| path != "/" || accept.contains("text/html"))?;
        Some(assets::answer(asset, &parts.headers))
    }

    /// Who asks, for a path that needs somebody.
    async fn principal(&self, request: &ApiRequest, peer: IpAddr) -> Result<Principal, Response<Body>> {
        if let Some(seconds) = self.must_wait(request, peer) {
            return Err(too_many(seconds));
        }
        let (again, snapshot, api) = (request.clone(), self.host.snapshot(), self.api.clone());
        let known = tokio::task::spawn_blocking(move || route::identify(again, snapshot, &api)).await;
        match known.unwrap_or(Err(LoginError::Missing)) {
            Ok(principal) => Ok(principal),
            Err(why) => {
                self.login_failed(request, peer);
                let mut answer = error(StatusCode::UNAUTHORIZED, &why.to_string());
                let ask = HeaderValue::from_static("Basic realm=\"InfluxDB\"");
                answer.headers_mut().insert(header::WWW_AUTHENTICATE, ask);
                Err(answer)
            }
        }
    }

    fn may_read(&self, principal: &Principal, query: &str) -> bool {
        if principal.is_admin() {
            return true;
        }
        let wanted = form::pairs(query.as_bytes()).find(|(name, _)| name == "db").map(|(_, name)| name);
        self.host.snapshot().databases.iter().any(|database| {
            wanted.as_ref().is_none_or(|name| database.name == **name) && principal.may(Rights::READ, database.id)
        })
    }
}

pub(crate) fn error(status: StatusCode, said: &str) -> Response<Body> {
    plain(status, "application/json", serde_json::json!({ "error": said }).to_string() + "\n")
}

pub(crate) fn too_many(seconds: u64) -> Response<Body> {
    let mut answer =
        error(StatusCode::TOO_MANY_REQUESTS, "too many wrong passwords from this address; try again later");
    answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_paths_are_found_and_hide_none_of_an_api() {
        assert_eq!(find("/sync/tail").unwrap().path, "/sync/tail");
        assert_eq!(find("/sync/x").unwrap().path, "/sync/{*rest}");
        assert_eq!(find("/isopoint/tokens/ab").unwrap().path, "/isopoint/tokens/{id}");
        assert!(find("/query").is_none() && find("/").is_none());
        for route in route::SURFACES.iter().flat_map(|surface| surface.routes) {
            assert!(find(route.path).is_none(), "{}", route.path);
        }
    }
}
