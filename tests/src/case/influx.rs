//! The InfluxDB cases: requests in shorthand, compared with a real InfluxDB or with a fixed expectation.
//!
//! | member of a request | meaning |
//! |---|---|
//! | `method`, `path`, `params`, `raw_query`, `headers`, `body` | as they say; `params` is an object or a list of pairs |
//! | `q`, `db`, `rp`, `epoch`, `pretty`, `chunked`, `chunk_size`, `bind` | GET /query, or POST by `method` with `q` in a form |
//! | `write`, `db`, `rp`, `precision`, `consistency` | POST /write; lines as a list or as they are |
//! | `form`, `multipart`, `body_b64`, `body_repeat` | other bodies; `body_repeat` is prefix, unit, count, suffix |
//! | `gzip` | pack the body and say so |
//! | `auth`, `jwt` | Basic credentials (null: none) or a bearer token |
//! | `compare`, `expect` | how, and with what if not with InfluxDB |

use super::{
    Body, Case, Expect, FORM, Fixed, FixedBody, Isolation, Must, Part, Prepare, Profile, Request, Step, Suite,
};
use super::{check_names, form, headers_of, jwt, list_of, only, text_of};
use crate::compare::Rules;
use crate::json::Value;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const SUITE: &[&str] = &[
    "suite",
    "about",
    "area",
    "since",
    "profile",
    "defaults",
    "setup",
    "teardown",
    "compare",
    "expectations_only",
    "cases",
];
const CASE: &[&str] = &["name", "area", "note", "fresh", "setup", "steps", "compare", "expect"];
const REQUEST: &[&str] = &[
    "method",
    "path",
    "params",
    "raw_query",
    "headers",
    "body",
    "q",
    "db",
    "rp",
    "epoch",
    "pretty",
    "chunked",
    "chunk_size",
    "bind",
    "write",
    "precision",
    "consistency",
    "form",
    "multipart",
    "body_b64",
    "body_repeat",
    "gzip",
    "auth",
    "jwt",
];

pub(super) fn read(name: &str, document: &Value) -> Result<Suite, String> {
    only(document, SUITE)?;
    let defaults = document.get("defaults").cloned().unwrap_or(Value::Object(Vec::new()));
    only(&defaults, &["auth", "headers"])?;
    let reader = Reader { defaults, rules: document.get("compare") };
    let profile = match document.get("profile").and_then(Value::as_text) {
        None | Some("default") => Profile::Default,
        Some("auth") => Profile::Auth,
        Some("limits") => Profile::Limits,
        Some(other) => return Err(format!("unknown profile {other:?}")),
    };
    let cases = list_of(document, "cases")?.iter().map(|case| reader.case(case)).collect::<Result<Vec<_>, _>>()?;
    check_names(&cases)?;
    Ok(Suite {
        name: name.to_owned(),
        profile,
        setup: reader.prepare(list_of(document, "setup")?)?,
        teardown: reader.prepare(list_of(document, "teardown")?)?,
        cases,
    })
}

struct Reader<'a> {
    defaults: Value,
    /// The suite's own, before those of a case.
    rules: Option<&'a Value>,
}

impl Reader<'_> {
    fn case(&self, case: &Value) -> Result<Case, String> {
        let name = text_of(case, "name")?;
        let steps = match case.get("steps") {
            None => vec![self.step(case, case.get("compare"))?],
            Some(_) => {
                only(case, CASE)?;
                let step = |step: &Value| self.step(step, step.get("compare").or_else(|| case.get("compare")));
                list_of(case, "steps")?.iter().map(step).collect::<Result<_, _>>()?
            }
        };
        let fresh = case.get("fresh").and_then(Value::as_bool).unwrap_or(false);
        Ok(Case {
            name,
            now: None,
            isolation: if fresh { Isolation::Fresh } else { Isolation::Shared },
            setup: self.prepare(list_of(case, "setup")?)?,
            steps,
        })
    }

    fn step(&self, step: &Value, rules: Option<&Value>) -> Result<Step, String> {
        only(step, &[CASE, REQUEST].concat())?;
        Ok(Step {
            request: request(step, &self.defaults)?,
            rules: Rules::read([self.rules, rules].into_iter().flatten())?,
            expect: step.get("expect").map_or(Ok(Expect::Reference(None)), |fixed| expect(fixed).map(Expect::Fixed))?,
            save_location_as: None,
            optional: false,
        })
    }

    fn prepare(&self, steps: &[Value]) -> Result<Vec<Prepare>, String> {
        let mut out = Vec::new();
        for step in steps {
            let mut send = |request, must| out.push(Prepare::Send { request, must });
            let query = |statement: String, defaults: &Value, auth: Option<&Value>| {
                let mut members =
                    vec![("method".into(), Value::Text("POST".into())), ("q".into(), Value::Text(statement))];
                members.extend(auth.map(|auth| ("auth".into(), auth.clone())));
                request(&Value::Object(members), defaults)
            };
            let nobody = Value::Object(Vec::new());
            let [(key, value), ..] = step.as_object().unwrap_or_default() else {
                return Err(format!("empty setup step {}", step.brief()));
            };
            match key.as_str() {
                "create_db" | "drop_db" => {
                    for name in texts(value)? {
                        send(query(format!("DROP DATABASE {}", quoted(&name)), &self.defaults, None)?, Must::Succeed);
                        if key == "create_db" {
                            let create = format!("CREATE DATABASE {}", quoted(&name));
                            send(query(create, &self.defaults, None)?, Must::Succeed);
                        }
                    }
                }
                "ensure_admin" => {
                    let [user, password] = pair(value)?;
                    let create =
                        format!("CREATE USER {} WITH PASSWORD '{password}' WITH ALL PRIVILEGES", quoted(&user));
                    send(query(create, &nobody, Some(value))?, Must::Succeed);
                }
                "drop_users" => {
                    for user in texts(value)? {
                        send(query(format!("DROP USER {}", quoted(&user)), &self.defaults, None)?, Must::Answer);
                    }
                }
                "no_users" => out.push(Prepare::DropUsers { admin: pair(value)? }),
                _ if step.get("q").is_some() => {
                    let mut members = step.as_object().unwrap_or_default().to_vec();
                    members.push(("method".into(), Value::Text("POST".into())));
                    send(request(&Value::Object(members), &self.defaults)?, Must::Succeed);
                }
                _ if step.get("write").is_some() => send(request(step, &self.defaults)?, Must::Status(204)),
                other => return Err(format!("unknown setup step {other:?}")),
            }
        }
        Ok(out)
    }
}

fn request(step: &Value, defaults: &Value) -> Result<Request, String> {
    let text = |name: &str| step.get(name).map(scalar).transpose();
    let mut headers = headers_of(defaults.get("headers"))?;
    for (name, value) in headers_of(step.get("headers"))? {
        headers.retain(|(key, _)| *key != name);
        headers.push((name, value));
    }
    let mut parameters = pairs(step.get("params"))?;
    let mut fields = pairs(step.get("form"))?;
    let mut method = text("method")?;
    let mut path = text("path")?;
    let mut body = Body::None;
    let named = |names: &[&str]| -> Result<Vec<(String, String)>, String> {
        let given = names.iter().filter_map(|name| Some((*name, step.get(name)?)));
        given.map(|(name, value)| Ok((name.to_owned(), scalar(value)?))).collect()
    };
    if let Some(statements) = step.get("q") {
        path.get_or_insert_with(|| "/query".into());
        let posted = method.get_or_insert_with(|| "GET".into()) == "POST";
        let mut extra = named(&["db", "rp", "epoch", "pretty", "chunked", "chunk_size"])?;
        extra.extend(step.get("bind").map(|bind| ("params".to_owned(), text_or_json(bind))));
        let q = ("q".to_owned(), texts(statements)?.join(";"));
        if posted {
            fields.insert(0, q);
        } else {
            extra.push(q);
        }
        extra.append(&mut parameters);
        parameters = extra;
    }
    if let Some(lines) = step.get("write") {
        path.get_or_insert_with(|| "/write".into());
        method.get_or_insert_with(|| "POST".into());
        let mut extra = named(&["db", "rp", "precision", "consistency"])?;
        extra.append(&mut parameters);
        parameters = extra;
        body = Body::Plain(texts(lines)?.join("\n").into_bytes());
    }
    if let Some(text) = text("body")? {
        body = Body::Plain(text.into_bytes());
    }
    if let Some(encoded) = text("body_b64")? {
        body = Body::Plain(STANDARD.decode(encoded).map_err(|why| format!("body_b64: {why}"))?);
    }
    if let Some([prefix, unit, count, suffix]) = step.get("body_repeat").and_then(Value::as_list) {
        let count = scalar(count)?.parse().map_err(|why| format!("body_repeat: {why}"))?;
        body =
            Body::Plain(format!("{}{}{}", scalar(prefix)?, scalar(unit)?.repeat(count), scalar(suffix)?).into_bytes());
    }
    if !fields.is_empty() && body == Body::None {
        body = Body::Plain(form(&fields).into_bytes());
        if !headers.iter().any(|(name, _)| name == "Content-Type") {
            headers.push(("Content-Type".into(), FORM.into()));
        }
    }
    if step.get("multipart").is_some() {
        body = Body::Multipart(list_of(step, "multipart")?.iter().map(part).collect::<Result<_, _>>()?);
    }
    if step.get("gzip").and_then(Value::as_bool) == Some(true) {
        let Body::Plain(bytes) = body else { return Err("nothing to pack".into()) };
        body = Body::Gzip(bytes);
    }
    match step.get("auth").or_else(|| defaults.get("auth")) {
        None | Some(Value::Null) => {}
        Some(credentials) => {
            if !headers.iter().any(|(name, _)| name == "Authorization") {
                let token = STANDARD.encode(pair(credentials)?.join(":"));
                headers.push(("Authorization".into(), format!("Basic {token}")));
            }
        }
    }
    if let Some(spec) = step.get("jwt") {
        headers.push(("Authorization".into(), format!("Bearer {}", jwt::token(spec)?)));
    }
    Ok(Request {
        method: method.unwrap_or_else(|| "GET".into()),
        path: path.unwrap_or_else(|| "/".into()),
        query: text("raw_query")?.unwrap_or_else(|| form(&parameters)),
        headers,
        body,
    })
}

fn part(part: &Value) -> Result<Part, String> {
    only(part, &["name", "filename", "content"])?;
    let file = part.get("filename").map(scalar).transpose()?;
    Ok(Part { name: text_of(part, "name")?, file, content: text_of(part, "content")? })
}

fn expect(fixed: &Value) -> Result<Fixed, String> {
    only(fixed, &["status", "headers", "json", "json_docs", "text"])?;
    let status = fixed.get("status").map(scalar).transpose()?;
    let header = |(name, value): &(String, Value)| (name.clone(), value.as_text().map(str::to_owned));
    let body = match (fixed.get("json"), fixed.get("text")) {
        (Some(document), _) if fixed.get("json_docs").is_none() => Some(FixedBody::Json(vec![document.clone()])),
        (Some(documents), _) => Some(FixedBody::Json(documents.as_list().unwrap_or_default().to_vec())),
        (None, Some(text)) => Some(FixedBody::Text(scalar(text)?)),
        (None, None) => None,
    };
    Ok(Fixed {
        status: status.map(|status| status.parse().map_err(|why| format!("status: {why}"))).transpose()?,
        headers: fixed.get("headers").and_then(Value::as_object).unwrap_or_default().iter().map(header).collect(),
        body,
    })
}

fn pairs(value: Option<&Value>) -> Result<Vec<(String, String)>, String> {
    let mut out = Vec::new();
    match value {
        None => {}
        Some(Value::Object(members)) => {
            for (name, value) in members {
                match value {
                    Value::List(items) => out.extend(items.iter().map(|item| (name.clone(), text_or_json(item)))),
                    value => out.push((name.clone(), text_or_json(value))),
                }
            }
        }
        Some(list) => {
            for item in list.as_list().ok_or_else(|| format!("no pairs: {}", list.brief()))? {
                out.push(pair(item)?.into());
            }
        }
    }
    Ok(out)
}

fn pair(value: &Value) -> Result<[String; 2], String> {
    match value.as_list() {
        Some([first, second]) => Ok([scalar(first)?, scalar(second)?]),
        _ => Err(format!("no pair: {}", value.brief())),
    }
}

/// A list of texts, or one.
fn texts(value: &Value) -> Result<Vec<String>, String> {
    match value {
        Value::List(items) => items.iter().map(scalar).collect(),
        one => Ok(vec![scalar(one)?]),
    }
}

fn scalar(value: &Value) -> Result<String, String> {
    match value {
        Value::Text(_) | Value::Number(_) | Value::Bool(_) => Ok(text_or_json(value)),
        other => Err(format!("no text: {}", other.brief())),
    }
}

fn text_or_json(value: &Value) -> String {
    value.as_text().map_or_else(|| value.to_string(), str::to_owned)
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built(step: &str) -> Request {
        let defaults = Value::parse("{\"auth\":[\"root\",\"pw\"]}").unwrap();
        request(&Value::parse(step).unwrap(), &defaults).unwrap()
    }

    #[test]
    fn shorthands_become_requests() {
        let get =
            built("{\"q\":[\"a\",\"b c\"],\"db\":\"x\",\"bind\":{\"n\":1},\"params\":{\"y\":[1,true]},\"auth\":null}");
        assert_eq!(get.brief(), "GET /query?db=x&params=%7B%22n%22%3A1%7D&q=a%3Bb+c&y=1&y=true");
        assert_eq!((get.headers, get.body), (vec![], Body::None));

        let post = built("{\"q\":\"a\",\"method\":\"POST\",\"db\":\"x\"}");
        assert_eq!((post.brief().as_str(), post.body.clone()), ("POST /query?db=x", Body::Plain(b"q=a".to_vec())));
        assert_eq!(post.header("content-type"), Some(FORM));
        assert_eq!(post.header("authorization"), Some("Basic cm9vdDpwdw=="));

        let write = built("{\"write\":[\"m v=1\",\"m v=2\"],\"db\":\"x\",\"gzip\":true,\"headers\":{\"A\":\"b\"}}");
        assert_eq!((write.brief().as_str(), write.header("a")), ("POST /write?db=x", Some("b")));
        assert_eq!(write.body, Body::Gzip(b"m v=1\nm v=2".to_vec()));

        let raw = built("{\"path\":\"/ping\",\"raw_query\":\"%zz\",\"body_repeat\":[\"<\",\"ab\",2,\">\"]}");
        assert_eq!((raw.brief().as_str(), raw.body), ("GET /ping?%zz", Body::Plain(b"<abab>".to_vec())));
    }
}
