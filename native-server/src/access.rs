//! Which pages of which other sites a browser may let near this server: CORS, cross-site forgery, rebound names.
//!
//! A browser says where a request comes from: in `Sec-Fetch-Site`, which it sends to `https:` and to this machine, and in
//! `Origin`. A page of another site is refused unless `--cors-origin` names it, whatever the method, so that neither a
//! form nor a script elsewhere acts with the password that the browser remembers. A program sends neither header and is
//! not concerned; InfluxDB's answer to `Origin` stays what its clients know, on this machine's own addresses.
//!
//! Without a password there is one more way in: a name of a stranger's that leads to 127.0.0.1. So a server on this
//! machine's own address answers only under names without a dot such as `localhost`, addresses, and what `--public-host`
//! names.

use hyper::header::{self, HeaderValue};
use hyper::{HeaderMap, Method, Response, StatusCode, Uri};
use std::net::{IpAddr, SocketAddr};

use crate::http::{Body, full, plain};

/// What a server's own settings say of browsers.
#[derive(Clone, Debug, Default)]
pub(crate) struct AccessRules {
    /// Origins that may call, such as `https://example.org`; `*` is all.
    pub origins: Vec<String>,
    /// Names that this server has.
    pub hosts: Vec<String>,
    /// Only this machine reaches it.
    pub loopback: bool,
    pub authentication: bool,
}

/// What became of a request.
pub(crate) enum Verdict {
    Pass,
    Answer(Box<Response<Body>>),
}

const METHODS: &str = "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT";
const HEADERS: &str = "Accept, Accept-Encoding, Authorization, Content-Encoding, Content-Type, DD-API-KEY, \
                       DD-APPLICATION-KEY, Range, X-Confirm-Action";
const EXPOSED: &str = "Content-Range, Date, Location, X-Influxdb-Build, X-Influxdb-Error, X-Influxdb-Version";

impl AccessRules {
    pub(crate) fn new(origins: &[String], hosts: &[String], listen: SocketAddr, authentication: bool) -> Self {
        Self { origins: origins.to_vec(), hosts: hosts.to_vec(), loopback: listen.ip().is_loopback(), authentication }
    }

    /// Whether a request may go on. `page` is one for a file of the dashboard, which any link may lead to.
    pub(crate) fn judge(&self, method: &Method, uri: &Uri, headers: &HeaderMap, page: bool) -> Verdict {
        let host = host(uri, headers);
        if self.loopback && !self.authentication && !host.is_none_or(|host| self.knows(host)) {
            let said = "this server has no passwords and answers under localhost or its address only; start it with \
                        --public-host NAME to let it answer under another name, or with --auth";
            return refuse(StatusCode::MISDIRECTED_REQUEST, said);
        }
        let origin = text(headers, "origin").filter(|origin| !origin.is_empty());
        if let Some(origin) = origin.filter(|origin| self.allows(origin)) {
            // A preflight asks whether the request itself may come.
            if method == Method::OPTIONS && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD) {
                let mut answer = Response::new(full(""));
                *answer.status_mut() = StatusCode::NO_CONTENT;
                self.dress(answer.headers_mut(), Some(origin));
                answer.headers_mut().insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
                return Verdict::Answer(Box::new(answer));
            }
            return Verdict::Pass;
        }
        let foreign = match text(headers, "sec-fetch-site") {
            Some(site) => {
                let link = text(headers, "sec-fetch-mode") == Some("navigate")
                    && text(headers, "sec-fetch-dest") == Some("document");
                matches!(site, "cross-site" | "same-site") && !(page && link && method == Method::GET)
            }
            // Older browsers, and all of them over plain HTTP: the origin must be this server.
            None => !self.loopback && origin.is_some_and(|origin| !same_place(origin, host)),
        };
        if foreign {
            return refuse(
                StatusCode::FORBIDDEN,
                "a page of another site may not call this server; start it with --cors-origin ORIGIN to allow it",
            );
        }
        Verdict::Pass
    }

    /// Puts on an answer what its caller's origin is allowed, and takes off what an API said beyond that.
    pub(crate) fn dress(&self, answer: &mut HeaderMap, origin: Option<&str>) {
        let allowed = origin.filter(|origin| self.allows(origin));
        let Some(allowed) = allowed.and_then(|origin| HeaderValue::from_str(origin).ok()) else {
            if !self.loopback || !self.origins.is_empty() {
                answer.remove(header::ACCESS_CONTROL_ALLOW_ORIGIN);
            }
            return;
        };
        answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
        answer.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(METHODS));
        answer.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(HEADERS));
        answer.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
        answer.append(header::VARY, HeaderValue::from_static("origin"));
    }

    fn allows(&self, origin: &str) -> bool {
        self.origins.iter().any(|allowed| allowed == "*" || allowed.trim_end_matches('/') == origin)
    }

    fn knows(&self, host: &str) -> bool {
        let name = without_port(host).to_ascii_lowercase();
        // A name without a dot is nobody's to point here: it is a host table's or a search domain's.
        let local = !name.contains('.') || name.ends_with(".localhost");
        let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok();
        local || address || self.hosts.iter().any(|known| known.eq_ignore_ascii_case(&name))
    }
}

fn refuse(status: StatusCode, said: &str) -> Verdict {
    let text = serde_json::json!({ "error": said }).to_string() + "\n";
    Verdict::Answer(Box::new(plain(status, "application/json", text)))
}

/// Asks without changing anything.
pub(crate) fn is_read(method: &Method) -> bool {
    method == Method::GET || method == Method::HEAD
}

pub(crate) fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// The name and port that the caller knows this server by.
fn host<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Option<&'a str> {
    uri.authority().map(|authority| authority.as_str()).or_else(|| text(headers, "host"))
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => name,
        _ => host,
    }
}

fn same_place(origin: &str, host: Option<&str>) -> bool {
    let place = origin.split_once("://").map_or(origin, |(_, place)| place);
    host.is_some_and(|host| host.eq_ignore_ascii_case(place))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(rules: &AccessRules, method: &str, headers: &[(&'static str, &str)], page: bool) -> u16 {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, HeaderValue::from_str(value).unwrap());
        }
        match rules.judge(&method.parse().unwrap(), &Uri::from_static("/query"), &map, page) {
            Verdict::Pass => 0,
            Verdict::Answer(answer) => answer.status().as_u16(),
        }
    }

    #[test]
    fn pages_of_other_sites_are_refused_unless_named() {
        let here = AccessRules { loopback: true, ..AccessRules::default() };
        assert_eq!(judge(&here, "POST", &[("host", "127.0.0.1:8086")], false), 0, "a program");
        assert_eq!(judge(&here, "POST", &[("origin", "https://a.example")], false), 0, "InfluxDB's CORS, of a program");
        let cross = [("sec-fetch-site", "cross-site"), ("origin", "https://a.example")];
        assert_eq!(judge(&here, "POST", &cross, false), 403);
        assert_eq!(judge(&here, "GET", &cross, true), 403, "no script of another site loads the dashboard's files");
        assert_eq!(judge(&here, "POST", &[("sec-fetch-site", "same-site")], false), 403, "another port");
        assert_eq!(judge(&here, "POST", &[("sec-fetch-site", "same-origin")], false), 0);
        let link = [("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
        assert_eq!(judge(&here, "GET", &link, true), 0, "a link to the dashboard");
        assert_eq!(judge(&here, "GET", &link, false), 403, "a link to an API");
        let named = AccessRules { origins: vec!["https://a.example".into()], ..here };
        assert_eq!(judge(&named, "POST", &cross, false), 0);
        let preflight = [cross[0], cross[1], ("access-control-request-method", "POST")];
        assert_eq!(judge(&named, "OPTIONS", &preflight, false), 204);
        let other = [("sec-fetch-site", "cross-site"), ("origin", "https://b.example")];
        assert_eq!(judge(&named, "POST", &other, false), 403);
    }

    #[test]
    fn on_a_network_the_origin_must_be_the_server_itself() {
        let rules = AccessRules { authentication: true, ..AccessRules::default() };
        assert_eq!(judge(&rules, "POST", &[("host", "tsdb:8086"), ("origin", "http://tsdb:8086")], false), 0);
        assert_eq!(judge(&rules, "POST", &[("host", "tsdb:8086"), ("origin", "http://evil")], false), 403);
        assert_eq!(judge(&rules, "POST", &[("host", "tsdb:8086")], false), 0);
    }

    #[test]
    fn without_passwords_only_known_names_lead_here() {
        let mut rules = AccessRules { loopback: true, hosts: vec!["box.lan".into()], ..AccessRules::default() };
        for (host, status) in [
            ("localhost:8086", 0),
            ("isopoint:8086", 0),
            ("a.localhost", 0),
            ("[::1]:8086", 0),
            ("10.0.0.7", 0),
            ("BOX.lan:1", 0),
            ("rebound.example:8086", 421),
        ] {
            assert_eq!(judge(&rules, "GET", &[("host", host)], true), status, "{host}");
        }
        rules.authentication = true;
        assert_eq!(judge(&rules, "GET", &[("host", "rebound.example")], true), 0);
    }

    #[test]
    fn an_answer_names_only_an_origin_that_is_allowed() {
        let mut rules = AccessRules { origins: vec!["https://a.example".into()], ..AccessRules::default() };
        let mut dressed = |loopback: bool, origin: &str| {
            rules.loopback = loopback;
            let mut answer = HeaderMap::new();
            answer.insert("access-control-allow-origin", HeaderValue::from_static("https://said.example"));
            rules.dress(&mut answer, Some(origin));
            text(&answer, "access-control-allow-origin").map(str::to_owned)
        };
        assert_eq!(dressed(true, "https://a.example").as_deref(), Some("https://a.example"));
        assert_eq!(dressed(true, "https://b.example"), None);
        assert_eq!(dressed(false, "https://b.example"), None);
        rules.origins.clear();
        let mut answer = HeaderMap::new();
        answer.insert("access-control-allow-origin", HeaderValue::from_static("https://said.example"));
        rules.loopback = true;
        rules.dress(&mut answer, Some("https://said.example"));
        assert!(answer.contains_key("access-control-allow-origin"), "InfluxDB's own, on this machine");
    }
}
