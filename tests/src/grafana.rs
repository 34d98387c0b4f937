//! The Grafana cases: steps with captured values and matchers, an upstream that data sources point at.
//!
//! A step is a request and what its answer must match, a value to remember, a wait, or what the upstream must have seen.
//! `matching` has the matchers, `template` the `{{names}}`, `upstream` the other server.

mod matching;
pub mod sources;
mod template;
mod upstream;

pub use upstream::Upstream;

use crate::answer::Answer;
use crate::case::{Body, Request, corpus, form};
use crate::json::Value;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use template::Variables;

/// Every case of the folder.
pub fn cases() -> Vec<Value> {
    let text = fs::read_to_string(corpus().join("grafana/cases.json")).expect("the cases are there");
    let document = Value::parse(&text).expect("the cases are JSON");
    let list = document.as_list().or_else(|| document.get("cases")?.as_list());
    list.expect("a list of cases").to_vec()
}

pub fn id(case: &Value) -> &str {
    case.get("id").and_then(Value::as_text).expect("a case has an id")
}

/// What cases may use of the server they run on.
#[derive(Clone, Debug)]
pub struct World {
    pub base: String,
    /// `None`: cases that need another server are not run.
    pub upstream: Option<String>,
    /// Name and password of an administrator.
    pub user: [String; 2],
    pub viewer: Option<String>,
    pub token: Option<String>,
    pub readonly_uid: Option<String>,
}

/// Whether the world has what a case needs.
pub fn runs_in(case: &Value, world: &World) -> bool {
    let requires = case.get("requires").and_then(Value::as_list).unwrap_or_default();
    let has = |name: &str| match name {
        "viewer" => world.viewer.is_some(),
        "token" => world.token.is_some(),
        "readonly" => world.readonly_uid.is_some(),
        "local-influx" => true,
        _ => false,
    };
    requires.iter().filter_map(Value::as_text).all(has)
        && (world.upstream.is_some() || !case.to_string().contains("upstream"))
}

/// Runs a case; the error names the step and every difference.
pub fn run(
    case: &Value,
    world: &World,
    upstream: Option<&Upstream>,
    send: &mut dyn FnMut(&Request) -> Result<Answer, String>,
) -> Result<(), String> {
    let mut variables = Variables::new(id(case));
    let text = |text: &str| Value::Text(text.to_owned());
    for (name, value) in [
        ("base", world.base.as_str()),
        ("upstream", world.upstream.as_deref().unwrap_or_default()),
        ("user", &world.user[0]),
        ("password", &world.user[1]),
        ("token", world.token.as_deref().unwrap_or_default()),
        ("readonly_uid", world.readonly_uid.as_deref().unwrap_or_default()),
        ("lb", "{{"),
        ("rb", "}}"),
    ] {
        variables.set(name, text(value));
    }
    let mut made = Vec::new();
    let mut outcome = Ok(());
    for (at, step) in case.get("steps").and_then(Value::as_list).unwrap_or_default().iter().enumerate() {
        if let Err(why) = run_step(step, world, upstream, &mut variables, &mut made, send) {
            outcome = Err(format!("step {}: {why}", at + 1));
            break;
        }
    }
    let mut cleanup = Vec::new();
    for uid in made {
        cleanup.push(Value::parse(&format!("{{\"method\":\"DELETE\",\"path\":\"/api/datasources/uid/{uid}\"}}")));
    }
    for step in case.get("cleanup").and_then(Value::as_list).unwrap_or_default() {
        cleanup.extend(step.get("request").map(|request| variables.fill(request)));
    }
    for request in cleanup.into_iter().flatten() {
        let _ = send(&packed(&request, world)?);
    }
    outcome
}

fn run_step(
    step: &Value,
    world: &World,
    upstream: Option<&Upstream>,
    variables: &mut Variables,
    made: &mut Vec<String>,
    send: &mut dyn FnMut(&Request) -> Result<Answer, String>,
) -> Result<(), String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis();
    variables.set("now_ms", Value::number(now));
    for (name, value) in step.get("set").and_then(Value::as_object).unwrap_or_default() {
        let value = variables.fill(value)?;
        variables.set(name, value);
    }
    if let Some(millis) = step.get("sleep_ms").and_then(Value::as_f64) {
        std::thread::sleep(Duration::from_millis(millis as u64));
    }
    if let Some(wanted) = step.get("upstream") {
        let wanted = variables.fill(wanted)?;
        let path = wanted.get("path").and_then(Value::as_text).unwrap_or_default();
        let seen = upstream.and_then(|upstream| upstream.last(path)).ok_or_else(|| format!("{path} was not called"))?;
        return matching::check(wanted.get("expect").unwrap_or(&Value::Null), &seen);
    }
    let Some(request) = step.get("request") else { return Ok(()) };
    let request = packed(&variables.fill(request)?, world)?;
    let answer = send(&request)?;
    let document = Value::parse(&answer.text()).ok();
    if request.method == "POST" && request.path.starts_with("/api/datasources") && answer.status == 200 {
        let uid = document.as_ref().and_then(|document| document.get("datasource")?.get("uid")?.as_text());
        made.extend(uid.map(str::to_owned));
    }
    let expect = step.get("expect").map(|expect| variables.fill(expect)).transpose()?.unwrap_or(Value::Null);
    expected(&expect, &answer, document.as_ref()).map_err(|why| format!("{}: {why}", request.brief()))?;
    for (name, path) in step.get("capture").and_then(Value::as_object).unwrap_or_default() {
        let path = path.as_text().unwrap_or_default();
        let value = match path.strip_prefix("header:") {
            Some(header) => answer.header(header).map(Value::Text),
            None if path == "text" => Some(Value::Text(answer.text())),
            None => document.as_ref().and_then(|document| template::at(document, path).cloned()),
        };
        variables.set(name, value.ok_or_else(|| format!("nothing at {path}"))?);
    }
    Ok(())
}

fn expected(expect: &Value, answer: &Answer, document: Option<&Value>) -> Result<(), String> {
    let said = || crate::json::brief(&answer.text(), 400);
    if let Some(status) = expect.get("status") {
        let status_of = |value: &Value| value.as_f64() == Some(f64::from(answer.status));
        let holds = status.as_list().map_or_else(|| status_of(status), |list| list.iter().any(status_of));
        if !holds {
            return Err(format!("status {} instead of {status}: {}", answer.status, said()));
        }
    }
    for (name, wanted) in expect.get("headers").and_then(Value::as_object).unwrap_or_default() {
        matching::check_maybe(wanted, answer.header(name).map(Value::Text).as_ref())
            .map_err(|why| format!("header {name}: {why}"))?;
    }
    if let Some(wanted) = expect.get("json") {
        let document = document.ok_or_else(|| format!("not JSON: {}", said()))?;
        matching::check(wanted, document)?;
    }
    if let Some(wanted) = expect.get("text") {
        matching::check(wanted, &Value::Text(answer.text()))?;
    }
    for text in expect.get("not_text").and_then(Value::as_list).unwrap_or_default() {
        if answer.text().contains(text.as_text().unwrap_or_default()) {
            return Err(format!("the answer holds {text}"));
        }
    }
    Ok(())
}

fn packed(request: &Value, world: &World) -> Result<Request, String> {
    let text = |name: &str| request.get(name).and_then(Value::as_text);
    let (path, mut query) = text("path").unwrap_or("/").split_once('?').map_or_else(
        || (text("path").unwrap_or("/").to_owned(), String::new()),
        |(path, query)| (path.to_owned(), query.to_owned()),
    );
    let pairs = |value: &Value| -> Vec<(String, String)> {
        value
            .as_object()
            .unwrap_or_default()
            .iter()
            .map(|(name, value)| (name.clone(), template::to_text(value)))
            .collect()
    };
    if let Some(more) = request.get("query") {
        let mark = if query.is_empty() { "" } else { "&" };
        query = format!("{query}{mark}{}", form(&pairs(more)));
    }
    let mut headers = vec![("Accept".to_owned(), "application/json".to_owned())];
    let basic = |text: &str| Some(format!("Basic {}", STANDARD.encode(text)));
    let authorization = match text("auth").unwrap_or("default") {
        "default" => match &world.token {
            Some(token) => Some(format!("Bearer {token}")),
            None => basic(&world.user.join(":")),
        },
        "none" => None,
        "viewer" => basic(world.viewer.as_deref().unwrap_or_default()),
        spec => match spec.split_once(':') {
            Some(("basic", rest)) => basic(rest),
            Some(("bearer", rest)) => Some(format!("Bearer {rest}")),
            Some(("raw", rest)) => Some(rest.to_owned()),
            _ => return Err(format!("unknown auth {spec}")),
        },
    };
    headers.extend(authorization.map(|value| ("Authorization".to_owned(), value)));
    let (body, media) = match (request.get("json"), request.get("form"), text("body")) {
        (Some(json), _, _) => (Body::Plain(json.to_string().into_bytes()), Some("application/json")),
        (None, Some(fields), _) => (Body::Plain(form(&pairs(fields)).into_bytes()), Some(crate::case::FORM)),
        (None, None, Some(text)) => (Body::Plain(text.as_bytes().to_vec()), None),
        (None, None, None) => (Body::None, None),
    };
    headers.extend(media.map(|media| ("Content-Type".to_owned(), media.to_owned())));
    for (name, value) in request.get("headers").map(pairs).unwrap_or_default() {
        headers.retain(|(known, _)| !known.eq_ignore_ascii_case(&name));
        headers.push((name, value));
    }
    Ok(Request { method: text("method").unwrap_or("GET").to_owned(), path, query, headers, body })
}
