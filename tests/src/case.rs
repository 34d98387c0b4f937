//! The corpus as data: HTTP-shaped exchanges and what must come of them, whichever API they speak.
//!
//! Three formats are read into the one model here: `influx` (a request and what a real InfluxDB answered, or a fixed
//! expectation), `facette` (a world, a clock and a contract) and `datadog` (submissions, a query, part of its answer). Paths are `tests/corpus/<folder>/<file>.json`; a
//! suite is one file.

mod datadog;
mod facette;
mod influx;
mod jwt;

use crate::answer::Answer;
use crate::answers;
use crate::compare::Rules;
use crate::json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// One file of the corpus.
#[derive(Debug)]
pub struct Suite {
    /// Folder and file, such as `influx/select_basic`.
    pub name: String,
    pub profile: Profile,
    /// Done once, before the first case, and again before a case that is `fresh`.
    pub setup: Vec<Prepare>,
    pub teardown: Vec<Prepare>,
    pub cases: Vec<Case>,
}

/// How the server was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Profile {
    /// No authentication, no limits, no measurements of itself.
    Default,
    /// Authentication is on, with [`JWT_SECRET`] and no users at first.
    Auth,
    /// At most 5 rows, 2,048 bytes of body, 3 series and 10 buckets.
    Limits,
}

pub const JWT_SECRET: &str = "oracle-shared-secret";

impl Profile {
    pub const ALL: [Self; 3] = [Self::Default, Self::Auth, Self::Limits];
}

#[derive(Debug)]
pub struct Case {
    pub name: String,
    /// What the clock says; `None` when the answer does not depend on it.
    pub now: Option<i64>,
    pub isolation: Isolation,
    pub setup: Vec<Prepare>,
    pub steps: Vec<Step>,
}

/// What a case sees of the cases before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// What they left.
    Shared,
    /// The suite's setup, done again.
    Fresh,
    /// Nothing: an empty engine.
    Empty,
}

/// Something to do before a case.
#[derive(Debug)]
pub enum Prepare {
    Send {
        request: Request,
        must: Must,
    },
    /// Drops every user, as the given administrator, the administrator last.
    DropUsers {
        admin: [String; 2],
    },
}

/// When a step of a setup counts as done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Must {
    /// The status is 200 and no result carries an error.
    Succeed,
    Status(u16),
    /// Whatever the answer is.
    Answer,
}

/// A request and what is expected of its answer.
#[derive(Clone, Debug)]
pub struct Step {
    pub request: Request,
    pub rules: Rules,
    pub expect: Expect,
    /// The last segment of the answer's `Location` is called so from here on: `${name}`.
    pub save_location_as: Option<String>,
    /// Nice to have: a difference is no failure.
    pub optional: bool,
}

#[derive(Clone, Debug)]
pub enum Expect {
    /// What the real program answers: recorded, or asked at the same time.
    Reference(Option<Answer>),
    Fixed(Fixed),
}

/// What a case says the answer is. `None` is not compared.
#[derive(Clone, Debug, Default)]
pub struct Fixed {
    pub status: Option<u16>,
    /// The value, or absence.
    pub headers: Vec<(String, Option<String>)>,
    pub body: Option<FixedBody>,
}

#[derive(Clone, Debug)]
pub enum FixedBody {
    Json(Vec<Value>),
    /// By the rules of the Datadog cases.
    Datadog {
        body: Value,
        /// Numbers may differ by so much of themselves.
        tolerance: f64,
    },
    Text(String),
    /// Nothing but white space.
    Empty,
}

/// A request before a host packs it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    pub method: String,
    pub path: String,
    /// Percent-encoded, without the question mark.
    pub query: String,
    pub headers: Vec<(String, String)>,
    pub body: Body,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Body {
    #[default]
    None,
    Plain(Vec<u8>),
    /// To be packed by the sender.
    Gzip(Vec<u8>),
    /// Fields of a form, some of them files.
    Multipart(Vec<Part>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    pub name: String,
    pub file: Option<String>,
    pub content: String,
}

impl Request {
    /// `GET` with parameters.
    pub fn get(path: &str, parameters: &[(&str, &str)]) -> Self {
        Self { method: "GET".into(), path: path.into(), query: form(parameters), ..Self::default() }
    }

    /// `POST` with parameters and a body.
    pub fn post(path: &str, parameters: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Self {
        Self { method: "POST".into(), body: Body::Plain(body.into()), ..Self::get(path, parameters) }
    }

    /// A statement as a form, the way InfluxDB wants those that change something.
    pub fn statement(statement: &str) -> Self {
        Self::post("/query", &[], form(&[("q", statement)])).with("Content-Type", FORM)
    }

    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Headers and body as a host gives them to the engine.
    pub fn unpacked(&self) -> (Vec<(String, String)>, Vec<u8>) {
        let mut headers = self.headers.clone();
        let body = match &self.body {
            Body::None => Vec::new(),
            Body::Plain(bytes) | Body::Gzip(bytes) => bytes.clone(),
            Body::Multipart(parts) => {
                headers.push(("Content-Type".to_owned(), format!("multipart/form-data; boundary={BOUNDARY}")));
                multipart(parts)
            }
        };
        (headers, body)
    }

    /// Method, path and parameters on a line, for messages.
    pub fn brief(&self) -> String {
        let query = if self.query.is_empty() { String::new() } else { format!("?{}", self.query) };
        crate::json::brief(&format!("{} {}{query}", self.method, self.path), 300)
    }
}

pub const FORM: &str = "application/x-www-form-urlencoded";

pub(crate) const BOUNDARY: &str = "----isopoint7b1d93f2";

/// Parts as the body of a form, [`BOUNDARY`] between them.
pub(crate) fn multipart(parts: &[Part]) -> Vec<u8> {
    let mut out = String::new();
    for part in parts {
        out += &format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{}\"", part.name);
        if let Some(file) = &part.file {
            out += &format!("; filename=\"{file}\"\r\nContent-Type: application/octet-stream");
        }
        out += &format!("\r\n\r\n{}\r\n", part.content);
    }
    (out + &format!("--{BOUNDARY}--\r\n")).into_bytes()
}

/// `name=value&…`, percent-encoded, a space as `+`.
pub fn form<A: AsRef<str>, B: AsRef<str>>(pairs: &[(A, B)]) -> String {
    let pair = |(name, value): &(A, B)| format!("{}={}", encode(name.as_ref()), encode(value.as_ref()));
    pairs.iter().map(pair).collect::<Vec<_>>().join("&")
}

fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            b' ' => out.push('+'),
            byte => out += &format!("%{byte:02X}"),
        }
    }
    out
}

/// The folder of the corpus.
pub fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

/// Every suite, by name; those compared with InfluxDB carry its recorded answers.
pub fn suites() -> Vec<Suite> {
    let mut suites = unrecorded_suites();
    for suite in &mut suites {
        answers::attach(suite);
    }
    suites
}

/// Every suite as its file has it.
pub fn unrecorded_suites() -> Vec<Suite> {
    let mut suites = Vec::new();
    for folder in ["datadog", "facette", "influx", "influx-1.8"] {
        for file in files(&corpus().join(folder)) {
            let name = format!("{folder}/{}", file.file_stem().expect("it ends in .json").to_string_lossy());
            let text = fs::read_to_string(&file).expect("the file was listed");
            let document = Value::parse(&text).unwrap_or_else(|why| panic!("{name}: {why}"));
            let suite = match folder {
                "datadog" => datadog::read(&name, &document),
                "facette" => facette::read(&name, &document),
                _ => influx::read(&name, &document),
            };
            suites.push(suite.unwrap_or_else(|why| panic!("{name}: {why}")));
        }
    }
    suites
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|why| panic!("{}: {why}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("the folder is readable").path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    files
}

/// Refuses members that mean nothing here: a misspelt one would be an expectation nobody checks.
fn only(object: &Value, known: &[&str]) -> Result<(), String> {
    let members = object.as_object().ok_or_else(|| format!("no object: {}", object.brief()))?;
    match members.iter().find(|(name, _)| !known.contains(&name.as_str())) {
        Some((name, _)) => Err(format!("unknown member {name:?} in {}", object.brief())),
        None => Ok(()),
    }
}

fn text_of(object: &Value, name: &str) -> Result<String, String> {
    let text = object.get(name).and_then(Value::as_text);
    text.map(str::to_owned).ok_or_else(|| format!("no text {name:?} in {}", object.brief()))
}

fn list_of<'a>(object: &'a Value, name: &str) -> Result<&'a [Value], String> {
    match object.get(name) {
        None => Ok(&[]),
        Some(list) => list.as_list().ok_or_else(|| format!("{name:?} is no list in {}", object.brief())),
    }
}

/// Headers as an object of texts.
fn headers_of(object: Option<&Value>) -> Result<Vec<(String, String)>, String> {
    let members = object.and_then(Value::as_object).unwrap_or_default();
    let header = |(name, value): &(String, Value)| match value.as_text() {
        Some(text) => Ok((name.clone(), text.to_owned())),
        None => Err(format!("header {name} is no text")),
    };
    members.iter().map(header).collect()
}

/// Fails if two cases of a suite have one name.
fn check_names(cases: &[Case]) -> Result<(), String> {
    let mut seen = BTreeMap::new();
    match cases.iter().find(|case| seen.insert(case.name.as_str(), ()).is_some()) {
        Some(case) => Err(format!("two cases are called {:?}", case.name)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_corpus_is_read_whole() {
        let suites = unrecorded_suites();
        let count = |folder: &str| -> usize {
            suites.iter().filter(|suite| suite.name.starts_with(folder)).map(|suite| suite.cases.len()).sum()
        };
        assert_eq!((count("facette/"), count("influx/"), count("influx-1.8/")), (99, 690, 48));
        assert_eq!(count("datadog/"), 136);
    }

    #[test]
    fn an_unknown_member_is_an_error() {
        let case = Value::parse("{\"suite\":\"s\",\"cases\":[{\"name\":\"a\",\"q\":\"x\",\"exepct\":{}}]}").unwrap();
        assert!(influx::read("s", &case).unwrap_err().contains("exepct"));
    }
}
