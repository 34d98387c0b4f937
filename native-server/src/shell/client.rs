//! The shell's side of HTTP.

use crate::import::escape;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{HeaderMap, Request, Uri};
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tokio::runtime::Runtime;

/// One server, asked one thing after another.
pub(super) struct Client {
    runtime: Runtime,
    client: HyperClient<HttpConnector, Full<Bytes>>,
    host: String,
    /// `Token user:password`
    credentials: Option<String>,
}

impl Client {
    pub(super) fn new(host: &str, login: Option<(&str, &str)>) -> Result<Self, String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        Ok(Self {
            runtime: runtime.map_err(|error| format!("cannot start: {error}"))?,
            client: HyperClient::builder(TokioExecutor::new()).build_http(),
            host: host.trim_end_matches('/').to_owned(),
            credentials: login.map(|(user, password)| format!("Token {user}:{password}")),
        })
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// What the server says its version is.
    pub(super) fn version(&self) -> Result<String, String> {
        let (_, headers, _) = self.send(Request::get(self.uri("/ping")?), "")?;
        let version = headers.get("x-influxdb-version").and_then(|version| version.to_str().ok());
        Ok(version.unwrap_or("of unknown version").to_owned())
    }

    /// The answer's document. `Err` when there is none, or when all of it is an error.
    pub(super) fn query(&self, text: &str, database: Option<&str>, epoch: Option<&str>) -> Result<Value, String> {
        let mut form = format!("q={}", escape(text));
        for (name, value) in [("db", database), ("epoch", epoch)] {
            if let Some(value) = value {
                form += &format!("&{name}={}", escape(value));
            }
        }
        let request = Request::post(self.uri("/query")?).header("content-type", "application/x-www-form-urlencoded");
        let (status, _, body) = self.send(request, &form)?;
        let document: Value = serde_json::from_slice(&body)
            .map_err(|_| format!("the server answered {status}: {}", String::from_utf8_lossy(&body).trim()))?;
        match document.get("error").and_then(Value::as_str) {
            Some(error) => Err(error.to_owned()),
            None => Ok(document),
        }
    }

    pub(super) fn write(&self, database: &str, line: &str) -> Result<(), String> {
        let uri = self.uri(&format!("/write?db={}", escape(database)))?;
        let (status, _, body) = self.send(Request::post(uri), line)?;
        if status < 300 {
            return Ok(());
        }
        let document: Option<Value> = serde_json::from_slice(&body).ok();
        let error = document.as_ref().and_then(|document| document.get("error")?.as_str());
        Err(error.map_or_else(|| format!("the server answered {status}"), str::to_owned))
    }

    fn uri(&self, path: &str) -> Result<Uri, String> {
        format!("{}{path}", self.host).parse().map_err(|_| format!("{} is no address", self.host))
    }

    fn send(&self, request: hyper::http::request::Builder, body: &str) -> Result<(u16, HeaderMap, Bytes), String> {
        let request = match &self.credentials {
            Some(credentials) => request.header("authorization", credentials),
            None => request,
        };
        let request = request.body(Full::new(Bytes::copy_from_slice(body.as_bytes())));
        let request = request.map_err(|error| error.to_string())?;
        self.runtime.block_on(async {
            let answer = self.client.request(request).await.map_err(|_| {
                format!("no server answers at {}; start one with `isopoint serve` or name it with --host", self.host)
            })?;
            let (parts, body) = answer.into_parts();
            let body = body.collect().await.map_err(|error| error.to_string())?.to_bytes();
            Ok((parts.status.as_u16(), parts.headers, body))
        })
    }
}
