//! The npm package, in Node or in a page of Chromium: requests and answers as lines of JSON over a pipe.

use super::Engine;
use super::core::NOW;
use crate::answer::{Answer, latin1};
use crate::case::Request;
use crate::json::Value;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// A Node process with an engine in it or in its browser; dropping it ends it.
#[derive(Debug)]
pub struct Wasm {
    child: Child,
    /// Closed to end it.
    requests: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Wasm {
    /// Whether the package is built (`cargo xtask wasm`).
    pub fn is_built() -> bool {
        package().is_file()
    }

    /// Whether there is a Chromium as well, and what drives it.
    pub fn has_chromium() -> bool {
        let named = std::env::var_os("ISOPOINT_CHROMIUM").map(PathBuf::from);
        let path = std::env::var_os("PATH").unwrap_or_default();
        let found = named.is_some() || std::env::split_paths(&path).any(|folder| folder.join("chromium").is_file());
        Self::is_built() && found && root().join("node_modules/playwright-core").is_dir()
    }

    pub fn in_node() -> Result<Self, String> {
        Self::start("tests/wasm-node.mjs")
    }

    pub fn in_chromium() -> Result<Self, String> {
        Self::start("tests/wasm-chromium.mjs")
    }

    fn start(script: &str) -> Result<Self, String> {
        let mut command = Command::new("node");
        command.arg(root().join(script)).arg(package()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|why| format!("node: {why}"))?;
        let requests = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().expect("it is piped"));
        Ok(Self { child, requests, answers })
    }

    fn call(&mut self, message: &Value) -> Result<Value, String> {
        let requests = self.requests.as_mut().ok_or("node was ended")?;
        writeln!(requests, "{message}").map_err(|why| format!("node has ended: {why}"))?;
        let mut line = String::new();
        match self.answers.read_line(&mut line) {
            Ok(0) => Err("node has ended".into()),
            Ok(_) => Value::parse(&line),
            Err(why) => Err(why.to_string()),
        }
    }
}

impl Engine for Wasm {
    fn answer(&mut self, request: &Request, now: Option<i64>) -> Result<Answer, String> {
        let text = |text: &str| Value::Text(text.to_owned());
        let (headers, bytes) = request.unpacked();
        let url =
            if request.query.is_empty() { request.path.clone() } else { format!("{}?{}", request.path, request.query) };
        let headers = headers.iter().map(|(name, value)| (name.clone(), text(value)));
        let message = Value::Object(vec![
            ("method".to_owned(), text(&request.method)),
            ("url".to_owned(), text(&url)),
            ("headers".to_owned(), Value::Object(headers.collect())),
            ("body".to_owned(), text(&STANDARD.encode(bytes))),
            ("now".to_owned(), Value::number(now.unwrap_or(NOW) / 1_000_000)),
        ]);
        let reply = self.call(&message)?;
        if let Some(error) = reply.get("error") {
            return Err(format!("{error} at {}", request.brief()));
        }
        read(&reply).ok_or_else(|| format!("no answer: {}", reply.brief()))
    }

    fn empty(&mut self) -> Result<(), String> {
        self.call(&Value::Text("empty".into())).map(drop)
    }

    fn has_clock(&self) -> bool {
        false
    }

    fn foreign_headers(&self) -> &[&str] {
        &["Content-Encoding"]
    }
}

impl Drop for Wasm {
    fn drop(&mut self) {
        // It ends with its input, and ends its browser before.
        drop(self.requests.take());
        let end = Instant::now() + Duration::from_secs(10);
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read(reply: &Value) -> Option<Answer> {
    let header = |pair: &Value| match pair.as_list()? {
        [name, value] => Some((name.as_text()?.to_owned(), latin1(value.as_text()?.as_bytes()))),
        _ => None,
    };
    Some(Answer {
        status: reply.get("status")?.as_f64()? as u16,
        headers: reply.get("headers")?.as_list()?.iter().map(header).collect::<Option<_>>()?,
        body: STANDARD.decode(reply.get("body")?.as_text()?).ok()?,
    })
}

fn package() -> PathBuf {
    root().join("wasm/npm/dist/node.js")
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace")
}
