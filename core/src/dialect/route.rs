//! Which path belongs to which dialect: one table that every host asks and a test can walk.
//!
//! A dialect lists its [`Route`]s in a [`Surface`] and the surface is one line of [`SURFACES`]. Paths are exact, but
//! `{name}` stands for one segment that is not empty and a last `{*name}` for all that is left. Of several patterns that
//! fit, the most exact counts.
//!
//! **Who asks.** With authentication on, a route that is not [`Privilege::Open`] is opened only after
//! [`Surface::identify`] has said who the caller is; he is [`Call::principal`] from then on. An API whose credentials
//! travel in the header `Authorization` takes [`by_header`] as it is; one with ways of its own reads them and calls
//! [`login`]. Rights on a database are the route's to check, since it knows which one is meant:
//!
//! ```ignore
//! if !call.principal.may(Rights::READ, database.id) { return error::forbidden() }
//! ```
//!
//! With authentication off nobody is asked, the principal is `Everyone` and may everything.

use super::errand::{ErrandError, Told};
use super::exchange::{ApiConfig, ApiRequest, Exchange, Turn};
use super::{datadog, facette, grafana, influx};
use crate::auth::{self, Credentials, LoginError, Principal, Rights, Users};
use crate::exec::Budget;
use crate::store::{Snapshot, WriteError, Written};
use bytes::Bytes;
use smallvec::SmallVec;
use std::sync::Arc;

/// Every API. A path that none of them knows is refused by the first.
pub static SURFACES: &[&Surface] = &[&influx::SURFACE, &facette::SURFACE, &grafana::SURFACE, &datadog::SURFACE];

/// The paths of one API.
#[derive(Debug)]
pub struct Surface {
    pub name: &'static str,
    pub routes: &'static [Route],
    /// Who the caller is. May be slow (a password's hash); asked only when authentication is on and the route needs it.
    pub identify: fn(&Call) -> Result<Principal, LoginError>,
    /// Answers what the table refuses, in the API's own words.
    pub refuse: fn(&Call, Refusal) -> Box<dyn Exchange>,
}

/// One path, the methods it takes and what it needs.
#[derive(Debug)]
pub struct Route {
    pub name: &'static str,
    pub path: &'static str,
    pub methods: &'static [&'static str],
    pub privilege: Privilege,
    pub open: fn(Call) -> Box<dyn Exchange>,
}

impl Surface {
    /// The most exact of its patterns that fit a path: the one with the most before its first name. So the order of
    /// tables and of surfaces does not matter, and `/a/{*rest}` is what is left of `/a`.
    pub fn pattern(&self, path: &str) -> Option<&'static str> {
        let mut found: Option<&str> = None;
        for route in self.routes.iter().filter(|route| route.fits(path)) {
            if found.is_none_or(|other| exactness(other) < exactness(route.path)) {
                found = Some(route.path);
            }
        }
        found
    }

    /// What a pattern has for a method, or else the methods that it has.
    pub fn route(&'static self, pattern: &str, method: &str) -> Result<&'static Route, Vec<&'static str>> {
        let mut methods = Vec::new();
        for route in self.routes.iter().filter(|route| route.path == pattern) {
            if route.methods.contains(&method) {
                return Ok(route);
            }
            methods.extend_from_slice(route.methods);
        }
        Err(methods)
    }
}

impl Route {
    /// Whether the path is this route's.
    pub fn fits(&self, path: &str) -> bool {
        path_values(self.path, path).is_some()
    }
}

/// What stands in a path where its pattern has names, in order and as sent: still percent-encoded. `None`: another path.
pub fn path_values<'a>(pattern: &str, path: &'a str) -> Option<SmallVec<[&'a str; 2]>> {
    let mut values = SmallVec::new();
    let mut rest = Some(path);
    for wanted in pattern.split('/') {
        let left = rest?;
        if wanted.starts_with("{*") {
            values.push(left);
            return Some(values);
        }
        let (segment, after) = left.split_once('/').map_or((left, None), |(segment, after)| (segment, Some(after)));
        if wanted.starts_with('{') && !segment.is_empty() {
            values.push(segment);
        } else if wanted != segment {
            return None;
        }
        rest = after;
    }
    rest.is_none().then_some(values)
}

/// What a caller needs before a route is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Privilege {
    /// Nothing: liveness and the like.
    Open,
    /// To be somebody; the rights depend on what is asked (the statements of a query).
    ByContent,
    /// To be somebody who may write to the database that the request names, which the route checks.
    Write,
    /// To be an administrator.
    Admin,
}

/// A request on its way to a route.
#[derive(Debug)]
pub struct Call {
    pub request: ApiRequest,
    pub snapshot: Snapshot,
    pub config: Arc<ApiConfig>,
    /// Who asks.
    pub principal: Principal,
}

impl Call {
    /// The store as far as the caller may read it: other databases are not there.
    pub fn readable(&self) -> Snapshot {
        readable(&self.snapshot, &self.principal)
    }

    /// Everybody who may log in.
    pub fn users(&self) -> Users {
        Users::of(&self.snapshot.documents)
    }
}

/// The store as far as somebody may read it.
pub fn readable(snapshot: &Snapshot, principal: &Principal) -> Snapshot {
    if principal.is_admin() {
        return snapshot.clone();
    }
    let mut databases = Vec::clone(&snapshot.databases);
    databases.retain(|database| principal.may(Rights::READ, database.id));
    Snapshot { databases: Arc::new(databases), ..snapshot.clone() }
}

/// Who the credentials belong to; see [`auth::login`].
pub fn login(call: &Call, credentials: &Credentials) -> Result<Principal, LoginError> {
    auth::login(credentials, &call.snapshot.documents, call.config.vault.as_deref(), call.request.now)
}

/// Who the header `Authorization` says: `Basic`, `Token user:password` or `Bearer <JWT>`.
pub fn by_header(call: &Call) -> Result<Principal, LoginError> {
    login(call, &Credentials::from_header(call.request.header("authorization").unwrap_or_default()))
}

/// Why no route was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    UnknownPath,
    /// The path takes these methods.
    WrongMethod(Vec<&'static str>),
    /// Who asks did not say who he is, or not so that it could be believed (401).
    Unauthenticated(LoginError),
    /// He is known and may not (403): the route is an administrator's.
    Forbidden,
    /// The host could not take the body: too large (413), too slow (408), broken packing (400).
    Body {
        status: u16,
        why: String,
    },
}

/// Begins to answer a request over a frozen view of the store.
pub fn open(request: ApiRequest, snapshot: Snapshot, config: &Arc<ApiConfig>) -> Box<dyn Exchange> {
    let call = Call::new(request, snapshot, config);
    let Some((surface, pattern)) = find(&call.request.path) else {
        return (SURFACES[0].refuse)(&call, Refusal::UnknownPath);
    };
    match surface.route(pattern, &call.request.method) {
        Ok(route) if config.authentication && route.privilege != Privilege::Open => {
            Box::new(Gate { surface, route, state: State::Asking(Some(Box::new(call))) })
        }
        Ok(route) => (route.open)(call),
        Err(methods) => (surface.refuse)(&call, Refusal::WrongMethod(methods)),
    }
}

/// Who makes a request that no route of this table answers: a path of the host's own. By InfluxDB's rules.
pub fn identify(request: ApiRequest, snapshot: Snapshot, config: &Arc<ApiConfig>) -> Result<Principal, LoginError> {
    let call = Call::new(request, snapshot, config);
    if config.authentication { (SURFACES[0].identify)(&call) } else { Ok(call.principal) }
}

/// The call of a request that a host answers itself, once the caller is known by the rules of an API; else the API's
/// refusal. Slow where hashing a password is.
pub fn admit(
    surface: &Surface,
    request: ApiRequest,
    snapshot: Snapshot,
    config: &Arc<ApiConfig>,
) -> Result<Call, Box<dyn Exchange>> {
    let mut call = Call::new(request, snapshot, config);
    if config.authentication {
        match (surface.identify)(&call) {
            Ok(principal) => call.principal = principal,
            Err(error) => return Err((surface.refuse)(&call, Refusal::Unauthenticated(error))),
        }
    }
    Ok(call)
}

impl Call {
    fn new(request: ApiRequest, snapshot: Snapshot, config: &Arc<ApiConfig>) -> Self {
        let principal = if config.authentication { Principal::Nobody } else { Principal::Everyone };
        Self { request, snapshot, config: Arc::clone(config), principal }
    }
}

/// A route behind the question who asks. It is asked on the first turn, since hashing a password takes a while.
struct Gate {
    surface: &'static Surface,
    route: &'static Route,
    state: State,
}

enum State {
    Asking(Option<Box<Call>>),
    Answering(Box<dyn Exchange>),
}

impl Gate {
    fn admit(&self, mut call: Call) -> Box<dyn Exchange> {
        match (self.surface.identify)(&call) {
            Err(error) => (self.surface.refuse)(&call, Refusal::Unauthenticated(error)),
            Ok(principal) if self.route.privilege == Privilege::Admin && !principal.is_admin() => {
                call.principal = principal;
                (self.surface.refuse)(&call, Refusal::Forbidden)
            }
            Ok(principal) => {
                call.principal = principal;
                (self.route.open)(call)
            }
        }
    }
}

impl Exchange for Gate {
    fn turn(&mut self, budget: Budget) -> Turn {
        if let State::Asking(call) = &mut self.state {
            let call = call.take().expect("a call is admitted once");
            self.state = State::Answering(self.admit(*call));
        }
        match &mut self.state {
            State::Answering(exchange) => exchange.turn(budget),
            State::Asking(_) => Turn::Yield,
        }
    }

    fn supply(&mut self, bytes: Result<Vec<Bytes>, String>) {
        if let State::Answering(exchange) = &mut self.state {
            exchange.supply(bytes);
        }
    }

    fn wrote(&mut self, outcome: Result<Written, WriteError>, snapshot: Snapshot) {
        if let State::Answering(exchange) = &mut self.state {
            exchange.wrote(outcome, snapshot);
        }
    }

    fn told(&mut self, outcomes: Vec<Result<Told, ErrandError>>) {
        if let State::Answering(exchange) = &mut self.state {
            exchange.told(outcomes);
        }
    }

    fn expire(&mut self) {
        if let State::Answering(exchange) = &mut self.state {
            exchange.expire();
        }
    }
}

/// Answers a request whose body the host could not take, in the words of the API it was for.
pub fn refuse_body(
    request: ApiRequest,
    snapshot: Snapshot,
    config: &Arc<ApiConfig>,
    status: u16,
    why: String,
) -> Box<dyn Exchange> {
    let call = Call::new(request, snapshot, config);
    let surface = find(&call.request.path).map_or(SURFACES[0], |(surface, _)| surface);
    (surface.refuse)(&call, Refusal::Body { status, why })
}

/// The most exact pattern that fits a path, of all APIs.
fn find(path: &str) -> Option<(&'static Surface, &'static str)> {
    let mut found: Option<(&Surface, &str)> = None;
    for surface in SURFACES {
        if let Some(pattern) = surface.pattern(path)
            && found.is_none_or(|(_, other)| exactness(other) < exactness(pattern))
        {
            found = Some((surface, pattern));
        }
    }
    found
}

/// How much of a pattern stands before its first name.
fn exactness(pattern: &str) -> usize {
    pattern.find('{').unwrap_or(pattern.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_below_api_is_grafanas() {
        for (path, api) in [
            ("/api/nothing/here", "grafana"),
            ("/api/datasources/uid/a/nothing", "grafana"),
            ("/api/v1/nothing", "facette"),
            ("/api/v2/nothing", "influx"),
            ("/api/v2/write", "influx"),
            ("/api/v2/series", "datadog"),
        ] {
            assert_eq!(find(path).map(|(surface, _)| surface.name), Some(api), "{path}");
        }
        assert!(find("/nothing").is_none());
    }

    #[test]
    fn a_pattern_names_segments() {
        let values = |pattern: &str, path: &str| path_values(pattern, path).map(|values| values.join("|"));
        assert_eq!(values("/write", "/write").as_deref(), Some(""));
        assert_eq!(values("/a/{id}/b", "/a/x%2Fy/b").as_deref(), Some("x%2Fy"));
        assert_eq!(values("/a/{id}/{*rest}", "/a/1/b/c").as_deref(), Some("1|b/c"));
        assert_eq!(values("/a/{id}/{*rest}", "/a/1/").as_deref(), Some("1|"));
        for (pattern, path) in
            [("/write", "/write/"), ("/a/{id}", "/a/"), ("/a/{id}", "/a"), ("/a/{*rest}", "/a"), ("/a", "/a/b")]
        {
            assert_eq!(values(pattern, path), None, "{pattern} {path}");
        }
    }

    #[test]
    fn the_most_exact_pattern_counts() {
        let found = |path: &str| find(path).map(|(surface, pattern)| (surface.name, pattern));
        assert_eq!(found("/query"), Some(("influx", "/query")));
        assert_eq!(found("/api/v1/library/collections/tree").unwrap().1, "/api/v1/library/collections/tree");
        assert_eq!(found("/api/v1/library/collections/x").unwrap().1, "/api/v1/library/{kind}/{id}");
        assert_eq!(found("/api/v1/x"), Some(("facette", "/api/v1/{*rest}")));
        assert_eq!(found("/nothing"), None);
    }

    #[test]
    fn a_path_and_method_lead_to_one_route() {
        let routes: Vec<_> = SURFACES.iter().flat_map(|surface| surface.routes).collect();
        for (at, route) in routes.iter().enumerate() {
            assert!(route.path.starts_with('/') && !route.methods.is_empty(), "{}", route.name);
            for other in &routes[at + 1..] {
                assert_ne!(route.name, other.name);
                let shared = route.methods.iter().any(|method| other.methods.contains(method));
                assert!(route.path != other.path || !shared, "{} hides {}", route.name, other.name);
            }
        }
    }
}
