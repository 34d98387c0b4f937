//! Sessions of the dashboard and access tokens, over HTTP.
//!
//! ```text
//! POST   /isopoint/session       {"username": "ann", "password": "…"}   204 and a cookie
//! GET    /isopoint/session       {"authentication": true, "user": "ann", "admin": false}
//! DELETE /isopoint/session       204
//! GET    /isopoint/tokens        {"tokens": [{"id", "name", "made_by", "made", "ends", "admin", "read", "write", …}]}
//! POST   /isopoint/tokens        {"name", "read": ["db"], "write": ["db"], "read_all", "write_all", "admin",
//!                                 "expires_secs"}   201 {"id", "token"}: the only time that its text is told
//! DELETE /isopoint/tokens/ID     204, 404
//! ```

use crate::host::clock;
use crate::http::{Body, Service, full, plain};
use crate::own::{error, too_many};
use crate::vault::SESSION;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::header::{self, HeaderValue};
use hyper::{Response, StatusCode};
use isopoint_core::auth::tokens::{Token, Tokens, new_text};
use isopoint_core::auth::{Principal, Rights, Users, Vault as _};
use isopoint_core::catalog::CatalogError;
use isopoint_core::dialect::exchange::ApiRequest;
use isopoint_core::dialect::route;
use isopoint_core::store::WriteError;
use isopoint_core::time::{NANOS_PER_SEC, Timestamp, write_rfc3339};
use serde::Deserialize;
use serde_json::{Value, json};
use std::net::IpAddr;
use std::sync::Arc;

/// Bytes of a request here.
const MAX_BODY: usize = 64 << 10;
/// Commands decided on what has moved on are decided again so often.
const ATTEMPTS: usize = 5;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Login {
    username: String,
    password: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    name: String,
    #[serde(default)]
    read: Vec<String>,
    #[serde(default)]
    write: Vec<String>,
    #[serde(default)]
    read_all: bool,
    #[serde(default)]
    write_all: bool,
    #[serde(default)]
    admin: bool,
    expires_secs: Option<u64>,
}

pub(crate) async fn session(service: &Service, request: ApiRequest, body: Incoming, peer: IpAddr) -> Response<Body> {
    match request.method.as_str() {
        "POST" => log_in(service, &request, body, peer).await,
        "DELETE" => {
            if let Some(text) = crate::who::session_text(&request) {
                service.vault.end_session(text);
            }
            with_cookie(no_content(), "", 0, service.secure)
        }
        _ => {
            let (snapshot, api) = (service.host.snapshot(), Arc::clone(&service.api));
            let known = tokio::task::spawn_blocking(move || route::identify(request, snapshot, &api)).await;
            let principal = known.ok().and_then(Result::ok).unwrap_or(Principal::Nobody);
            let said = json!({
                "authentication": service.api.authentication,
                "user": principal.name(),
                "admin": principal.is_admin(),
            });
            json_answer(StatusCode::OK, &said)
        }
    }
}

async fn log_in(service: &Service, request: &ApiRequest, body: Incoming, peer: IpAddr) -> Response<Body> {
    let login: Login = match read(body).await {
        Ok(login) => login,
        Err(refusal) => return refusal,
    };
    if let Some(seconds) = service.login_limit.wait(peer, std::time::Instant::now()) {
        return too_many(seconds);
    }
    let (vault, name) = (Arc::clone(&service.vault), login.username.clone());
    let user = Users::of(&service.host.snapshot().documents).find(&login.username);
    let right = tokio::task::spawn_blocking(move || {
        let right = vault.verify_password(&login.password, user.as_ref().map(|user| user.hash.as_str()));
        user.filter(|_| right)
    });
    let Some(user) = right.await.unwrap_or(None) else {
        service.login_limit.wrong(peer, std::time::Instant::now());
        service.audit.login_failed(&name, peer, &request.path);
        return error(StatusCode::UNAUTHORIZED, "the user or the password is wrong");
    };
    let (_, text) = new_text(clock::entropy());
    service.vault.begin_session(&text, &user, clock::now());
    service.audit.note(&name, peer, "logged in", &request.request_id);
    with_cookie(no_content(), &text, SESSION.as_secs(), service.secure)
}

/// No script reads it, no other site's page has it sent.
fn with_cookie(mut answer: Response<Body>, text: &str, seconds: u64, secure: bool) -> Response<Body> {
    let secure = if secure { "; Secure" } else { "" };
    let cookie =
        format!("{}={text}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}", crate::who::SESSION_COOKIE);
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        answer.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    answer
}

pub(crate) async fn tokens(
    service: &Service,
    request: ApiRequest,
    body: Incoming,
    principal: &Principal,
    peer: IpAddr,
) -> Response<Body> {
    let who = principal.name().unwrap_or("-");
    match request.method.as_str() {
        "POST" => match read(body).await {
            Ok(wanted) => make(service, wanted, who, peer, &request.request_id).await,
            Err(refusal) => refusal,
        },
        "DELETE" => {
            let id = request.path.rsplit('/').next().unwrap_or_default();
            revoke(service, id, who, peer, &request.request_id).await
        }
        _ => {
            let snapshot = service.host.snapshot();
            let name = |id: u32| snapshot.databases.iter().find(|database| database.id == id).map(|found| &found.name);
            let with = |token: &Token, rights: Rights| {
                let granted = token.grants.iter().filter(|(_, given)| given.contains(rights));
                granted.filter_map(|(id, _)| name(*id).cloned()).collect::<Vec<String>>()
            };
            let listed = Tokens::of(&snapshot.documents).all().into_iter().map(|token| {
                json!({
                    "id": token.id,
                    "name": token.name,
                    "made_by": token.made_by,
                    "made": rfc3339(token.made),
                    "ends": token.ends.map(rfc3339),
                    "expired": token.ends.is_some_and(|ends| ends <= clock::now()),
                    "admin": token.admin,
                    "read": with(&token, Rights::READ),
                    "write": with(&token, Rights::WRITE),
                    "read_all": token.everywhere.contains(Rights::READ),
                    "write_all": token.everywhere.contains(Rights::WRITE),
                })
            });
            json_answer(StatusCode::OK, &json!({ "tokens": listed.collect::<Vec<Value>>() }))
        }
    }
}

async fn make(service: &Service, wanted: Wanted, who: &str, peer: IpAddr, trace: &str) -> Response<Body> {
    if wanted.name.trim().is_empty() || wanted.name.len() > 100 || wanted.name.chars().any(char::is_control) {
        return error(StatusCode::BAD_REQUEST, "name: 1 to 100 bytes of plain text");
    }
    let now = clock::now();
    let snapshot = service.host.snapshot();
    let mut grants: Vec<(u32, Rights)> = Vec::new();
    for (names, rights) in [(&wanted.read, Rights::READ), (&wanted.write, Rights::WRITE)] {
        for name in names {
            let Some(database) = snapshot.database(name) else {
                return error(StatusCode::BAD_REQUEST, &format!("there is no database {name:?}"));
            };
            match grants.iter_mut().find(|(id, _)| *id == database.id) {
                Some((_, given)) => *given = given.and(rights),
                None => grants.push((database.id, rights)),
            }
        }
    }
    let read = if wanted.read_all { Rights::READ } else { Rights::NONE };
    let everywhere = if wanted.write_all { read.and(Rights::WRITE) } else { read };
    if grants.is_empty() && everywhere == Rights::NONE && !wanted.admin {
        return error(StatusCode::BAD_REQUEST, "a token needs rights: read, write, read_all, write_all or admin");
    }
    let nanos = |seconds: u64| i64::try_from(seconds).ok()?.checked_mul(NANOS_PER_SEC)?.checked_add(now.nanos());
    let ends = match wanted.expires_secs.map(nanos) {
        Some(None) => return error(StatusCode::BAD_REQUEST, "expires_secs: that is too far away"),
        ends => ends.flatten().map(Timestamp::from_nanos),
    };
    let (id, text) = new_text(clock::entropy());
    let digest = crate::vault::digest(&text);
    let (name, made_by) = (wanted.name, who.to_owned());
    let token = Token { id, name, made_by, admin: wanted.admin, everywhere, grants, made: now, ends, digest };
    if let Err(refusal) = change(service, |tokens| Some(tokens.put(&token))).await {
        return refusal;
    }
    service.audit.note(who, peer, &format!("made token {} {:?}", token.id, token.name), trace);
    json_answer(StatusCode::CREATED, &json!({ "id": token.id, "token": text }))
}

async fn revoke(service: &Service, id: &str, who: &str, peer: IpAddr, trace: &str) -> Response<Body> {
    match change(service, |tokens| tokens.find(id).map(|_| tokens.remove(id))).await {
        Err(refusal) => refusal,
        Ok(false) => error(StatusCode::NOT_FOUND, "there is no such token"),
        Ok(true) => {
            service.audit.note(who, peer, &format!("revoked token {id}"), trace);
            no_content()
        }
    }
}

/// Decides on the tokens there are, again when they changed meanwhile. `false`: nothing was to be done.
async fn change(
    service: &Service,
    decide: impl Fn(&Tokens) -> Option<isopoint_core::catalog::Command>,
) -> Result<bool, Response<Body>> {
    for _ in 0..ATTEMPTS {
        let Some(command) = decide(&Tokens::of(&service.host.snapshot().documents)) else { return Ok(false) };
        match service.host.command(command).await {
            Ok(_) => return Ok(true),
            Err(WriteError::Catalog(CatalogError::DocumentsChanged(_))) => {}
            Err(why) => return Err(error(StatusCode::SERVICE_UNAVAILABLE, &why.to_string())),
        }
    }
    Err(error(StatusCode::SERVICE_UNAVAILABLE, "tokens are being changed by others; try again"))
}

async fn read<T: serde::de::DeserializeOwned>(body: Incoming) -> Result<T, Response<Body>> {
    let body = Limited::new(body, MAX_BODY).collect().await;
    let body = body.map_err(|why| error(StatusCode::BAD_REQUEST, &format!("the body could not be read: {why}")))?;
    serde_json::from_slice(&body.to_bytes())
        .map_err(|why| error(StatusCode::BAD_REQUEST, &format!("the body is not what is wanted here: {why}")))
}

fn json_answer(status: StatusCode, said: &Value) -> Response<Body> {
    plain(status, "application/json", said.to_string() + "\n")
}

fn no_content() -> Response<Body> {
    let mut answer = Response::new(full(""));
    *answer.status_mut() = StatusCode::NO_CONTENT;
    answer
}

pub(crate) fn rfc3339(time: Timestamp) -> String {
    let mut text = Vec::new();
    write_rfc3339(time.nanos(), 0, &mut text);
    String::from_utf8(text).unwrap_or_default()
}
