//! A server as commands ask it: over HTTP or HTTPS, as a user or with a token.

use crate::checks::rules::Wire;
use crate::grafana::client::{AddressRule, Caller};
use crate::import::escape;
use bytes::Bytes;
use isopoint_core::dialect::errand::{Errand, ErrandError, HttpCall, HttpReply, Tls, Told};
use serde_json::Value;
use std::path::PathBuf;
use std::time::Duration;
use tokio::runtime::Runtime;

const PATIENCE: Duration = Duration::from_secs(600);

/// Which server, and who asks.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct RemoteArgs {
    /// Server to ask
    #[arg(long, global = true, env = "ISOPOINT_HOST", default_value = "http://127.0.0.1:8086", value_name = "URL")]
    pub host: String,
    /// User to log in as
    #[arg(long, short = 'u', global = true, env = "ISOPOINT_USERNAME", value_name = "NAME")]
    pub username: Option<String>,
    /// His password
    #[arg(long, global = true, env = "ISOPOINT_PASSWORD", value_name = "PASSWORD", hide_env_values = true)]
    pub password: Option<String>,
    /// Access token to use instead of a user
    #[arg(long, global = true, env = "ISOPOINT_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    pub token: Option<String>,
    /// Certificates in PEM to trust besides no others, such as a server's own
    #[arg(long, global = true, env = "ISOPOINT_CA_CERT", value_name = "FILE")]
    pub ca_cert: Option<PathBuf>,
}

impl RemoteArgs {
    /// Another server, with no credentials.
    pub(crate) fn at(host: &str) -> Self {
        Self { host: host.to_owned(), username: None, password: None, token: None, ca_cert: None }
    }
}

/// One server, asked one thing after another.
pub(crate) struct Client {
    runtime: Runtime,
    caller: Caller,
    host: String,
    authorization: Option<String>,
    tls: Tls,
}

impl Client {
    pub(crate) fn new(args: &RemoteArgs) -> Result<Self, String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let authorization = match (&args.token, &args.username, &args.password) {
            (Some(token), ..) => Some(format!("Bearer {token}")),
            (None, Some(user), Some(password)) => Some(format!("Token {user}:{password}")),
            _ => None,
        };
        let ca = args
            .ca_cert
            .as_ref()
            .map(|path| std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display())));
        Ok(Self {
            runtime: runtime.map_err(|error| format!("cannot start: {error}"))?,
            caller: Caller::new(AddressRule { allowed: Vec::new(), link_local: true }, u64::MAX >> 1),
            host: args.host.trim_end_matches('/').to_owned(),
            authorization,
            tls: Tls { ca: ca.transpose()?, ..Tls::default() },
        })
    }

    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// What the server says its version is.
    pub(crate) fn version(&self) -> Result<String, String> {
        let answer = self.send("GET", "/ping", None, Bytes::new())?;
        let version = answer.headers.iter().find(|(name, _)| name == "x-influxdb-version");
        Ok(version.map_or_else(|| "of unknown version".to_owned(), |(_, version)| version.clone()))
    }

    /// The answer's document. `Err` when there is none, or when all of it is an error.
    pub(crate) fn query(&self, text: &str, database: Option<&str>, epoch: Option<&str>) -> Result<Value, String> {
        let mut form = format!("q={}", escape(text));
        for (name, value) in [("db", database), ("epoch", epoch)] {
            if let Some(value) = value {
                form += &format!("&{name}={}", escape(value));
            }
        }
        let answer = self.send("POST", "/query", Some("application/x-www-form-urlencoded"), form.into())?;
        let document: Value = serde_json::from_slice(&answer.body).map_err(|_| strange(&answer))?;
        match document.get("error").and_then(Value::as_str) {
            Some(error) => Err(error.to_owned()),
            None => Ok(document),
        }
    }

    /// Runs a statement; `Err` is also what its result says.
    pub(crate) fn run(&self, statement: &str, database: Option<&str>) -> Result<Value, String> {
        let document = self.query(statement, database, Some("ns"))?;
        let results = document.get("results").and_then(Value::as_array);
        let mut errors = results.into_iter().flatten().filter_map(|result| result.get("error")?.as_str());
        match errors.next() {
            Some(error) => Err(error.to_owned()),
            None => Ok(document),
        }
    }

    pub(crate) fn write(&self, database: &str, lines: impl Into<Bytes>) -> Result<(), String> {
        self.write_to(&format!("/write?db={}", escape(database)), lines.into())
    }

    /// The same to a path with a query string.
    pub(crate) fn write_to(&self, target: &str, lines: Bytes) -> Result<(), String> {
        let answer = self.send("POST", target, Some("text/plain"), lines)?;
        if answer.status < 300 {
            return Ok(());
        }
        let document: Option<Value> = serde_json::from_slice(&answer.body).ok();
        let error = document.as_ref().and_then(|document| document.get("error")?.as_str());
        Err(error.map_or_else(|| strange(&answer), str::to_owned))
    }

    /// A request of JSON of one of the server's own paths. No body is none at all.
    pub(crate) fn json(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value, String> {
        let bytes = body.map_or_else(Bytes::new, |body| body.to_string().into());
        let answer = self.send(method, path, body.map(|_| "application/json"), bytes)?;
        let document: Value = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
        match document.get("error").and_then(Value::as_str) {
            Some(error) => Err(error.to_owned()),
            None if answer.status >= 300 => Err(strange(&answer)),
            None => Ok(document),
        }
    }

    /// A check's request: status and body.
    pub(crate) fn send_wire(&self, wire: &Wire) -> Result<(u16, Bytes), String> {
        let target = if wire.query.is_empty() { wire.path.clone() } else { format!("{}?{}", wire.path, wire.query) };
        let answer = self.send(&wire.method, &target, wire.content_type, wire.body.clone().into())?;
        Ok((answer.status, answer.body))
    }

    /// A request with headers of its own and nothing added.
    pub(crate) fn raw(
        &self,
        method: &str,
        target: &str,
        headers: Vec<(String, String)>,
        body: Bytes,
    ) -> Result<HttpReply, String> {
        let url = format!("{}{target}", self.host);
        if !url.starts_with("http://") && !url.starts_with("https://") {
            return Err(format!("{} is no address; it begins with http:// or https://", self.host));
        }
        let timeout_millis = PATIENCE.as_millis() as u64;
        let (method, tls) = (method.to_owned(), self.tls.clone());
        let call = HttpCall { method, url, headers, body, timeout_millis, follow: false, tls };
        match self.runtime.block_on(self.caller.run(Errand::Http(Box::new(call)))) {
            Ok(Told::Http(answer)) => Ok(answer),
            Ok(Told::Waited) => Err("there was no answer".to_owned()),
            Err(ErrandError::Unreachable(why)) => Err(format!(
                "no server answers at {} ({why}); start one with `isopoint serve` or name it with --host",
                self.host
            )),
            Err(error) => Err(format!("{}: {error}", self.host)),
        }
    }

    pub(crate) fn send(
        &self,
        method: &str,
        target: &str,
        content_type: Option<&str>,
        body: Bytes,
    ) -> Result<HttpReply, String> {
        let mut headers = Vec::new();
        headers.extend(self.authorization.iter().map(|value| ("authorization".to_owned(), value.clone())));
        headers.extend(content_type.map(|kind| ("content-type".to_owned(), kind.to_owned())));
        // Where Datadog's API knows no other credentials.
        if let Some(token) = self.authorization.as_ref().and_then(|value| value.strip_prefix("Bearer ")) {
            headers.push(("dd-api-key".to_owned(), token.to_owned()));
            headers.push(("dd-application-key".to_owned(), token.to_owned()));
        }
        self.raw(method, target, headers, body)
    }
}

fn strange(answer: &HttpReply) -> String {
    format!("the server answered {}: {}", answer.status, String::from_utf8_lossy(&answer.body).trim())
}

/// A name as InfluxQL quotes it.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
}

/// A text as InfluxQL quotes it.
pub(crate) fn quoted_text(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}
