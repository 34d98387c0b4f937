//! Whether an answer is the one expected.
//!
//! Status; the headers that clients read; the body by its kind. JSON has the same structure whatever the order of names.
//! Two whole numbers are equal digit for digit (they may be times); any other pair within 1e-9 of the larger or 1e-12,
//! and `3.0` does not stand for `3`. CSV goes cell by cell, MessagePack is decoded, anything else is compared as text.

mod body;
mod datadog;
mod value;

use crate::answer::Answer;
use crate::case::{Fixed, FixedBody};
use crate::json::{Value, brief};
use flate2::read::GzDecoder;
use regex_lite::Regex;
use std::io::Read as _;
use value::{Numbers, difference};

/// How one answer is compared.
#[derive(Clone, Debug)]
pub struct Rules {
    pub kind: Kind,
    /// Compared by value.
    pub headers: Vec<String>,
    /// Compared for being there.
    pub presence: Vec<String>,
    /// Paths such as `results.*.series.*.values` whose content is not compared.
    mask: Vec<String>,
    unordered_series: bool,
    unordered_values: bool,
    /// Pattern and replacement, on text and JSON of both sides.
    replace: Vec<(Regex, String)>,
    numbers: Numbers,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// By the content type of what is expected.
    Auto,
    Json,
    Csv,
    MessagePack,
    Text,
    None,
}

const HEADERS: [&str; 4] = ["Content-Type", "X-Influxdb-Error", "Www-Authenticate", "Content-Encoding"];
const PRESENCE: [&str; 4] = ["X-Influxdb-Version", "X-Influxdb-Build", "Request-Id", "X-Request-Id"];

impl Default for Rules {
    fn default() -> Self {
        Self {
            kind: Kind::Auto,
            headers: HEADERS.map(str::to_owned).to_vec(),
            presence: PRESENCE.map(str::to_owned).to_vec(),
            mask: Vec::new(),
            unordered_series: false,
            unordered_values: false,
            replace: Vec::new(),
            numbers: Numbers::AsWritten,
        }
    }
}

impl Rules {
    /// The `compare` objects of a suite and a case; the later wins member by member.
    pub fn read<'a>(layers: impl IntoIterator<Item = &'a Value>) -> Result<Self, String> {
        let mut rules = Self::default();
        for layer in layers {
            for (name, value) in layer.as_object().ok_or("`compare` is no object")? {
                rules.set(name, value)?;
            }
        }
        Ok(rules)
    }

    /// Complete objects, exact times of points, placeholders for ids and times.
    pub fn facette() -> Self {
        Self { kind: Kind::Json, numbers: Numbers::Facette, ..Self::default() }
    }

    /// The body is compared as it is: in order, and with nothing masked or replaced.
    pub fn is_plain(&self) -> bool {
        let as_it_is = self.mask.is_empty() && self.replace.is_empty();
        as_it_is && !self.unordered_series && !self.unordered_values && self.kind != Kind::None
    }

    fn set(&mut self, name: &str, value: &Value) -> Result<(), String> {
        let texts = || -> Vec<String> {
            value.as_list().unwrap_or_default().iter().filter_map(Value::as_text).map(str::to_owned).collect()
        };
        match name {
            "body" => {
                self.kind = match value.as_text() {
                    Some("auto") => Kind::Auto,
                    Some("json") => Kind::Json,
                    Some("csv") => Kind::Csv,
                    Some("msgpack") => Kind::MessagePack,
                    Some("text") => Kind::Text,
                    Some("none") => Kind::None,
                    _ => return Err(format!("unknown kind of body {}", value.brief())),
                }
            }
            "headers_also" => self.headers.extend(texts()),
            "headers_ignore" => self.ignore(&texts()),
            "mask" => self.mask = texts(),
            "unordered" => {
                self.unordered_series = texts().iter().any(|what| what == "series");
                self.unordered_values = texts().iter().any(|what| what == "values");
            }
            "replace" => {
                for pair in value.as_list().unwrap_or_default() {
                    let Some([Value::Text(pattern), Value::Text(with)]) = pair.as_list() else {
                        return Err(format!("no pattern and replacement: {}", pair.brief()));
                    };
                    let pattern = Regex::new(pattern).map_err(|why| format!("{pattern:?}: {why}"))?;
                    self.replace.push((pattern, with.clone()));
                }
            }
            _ => return Err(format!("unknown member of `compare`: {name:?}")),
        }
        Ok(())
    }

    /// Leaves these headers to the host.
    pub fn ignore(&mut self, names: &[String]) {
        let ignored = |name: &String| names.iter().any(|ignored| ignored.eq_ignore_ascii_case(name));
        self.headers.retain(|name| !ignored(name));
        self.presence.retain(|name| !ignored(name));
    }

    /// The answer of another engine to the same request. `Err` is the first difference, in words.
    pub fn same(&self, want: &Answer, got: &Answer) -> Result<(), String> {
        if want.status != got.status {
            return Err(wrong_status(want.status, got));
        }
        for name in &self.headers {
            same_header(name, want.header(name).as_deref(), got)?;
        }
        for name in &self.presence {
            let there = |answer: &Answer| if answer.header(name).is_some() { "present" } else { "absent" };
            if there(want) != there(got) {
                return Err(format!("header {name} is {}, expected it {}", there(got), there(want)));
            }
        }
        let want = unpacked(want)?;
        let kind = self.kind_of(&want);
        let documents = self.decoded(kind, &want)?;
        self.same_body(kind, &documents, got)
    }

    /// A fixed expectation.
    pub fn meets(&self, want: &Fixed, got: &Answer) -> Result<(), String> {
        if let Some(status) = want.status.filter(|status| *status != got.status) {
            return Err(wrong_status(status, got));
        }
        for (name, value) in &want.headers {
            match (&self.numbers, value, got.header(name)) {
                (Numbers::Facette, Some(want), Some(got)) => value::same_text(want, &got).then_some(()),
                (_, want, got) => (*want == got).then_some(()),
            }
            .ok_or_else(|| format!("header {name} is {:?}, expected {value:?}", got.header(name)))?;
        }
        match &want.body {
            None => Ok(()),
            Some(FixedBody::Empty) if got.body.trim_ascii().is_empty() => Ok(()),
            Some(FixedBody::Empty) => Err(format!("body {}, expected none", brief(&got.text(), 160))),
            Some(FixedBody::Json(documents)) => {
                let documents = documents.iter().map(|document| self.arranged(document.clone())).collect();
                self.same_body(Kind::Json, &Value::List(documents), got)
            }
            Some(FixedBody::Datadog { body, tolerance }) => {
                let got = Value::parse(&unpacked(got)?.text())?;
                datadog::difference(body, &got, *tolerance).map_or(Ok(()), Err)
            }
            Some(FixedBody::Text(text)) => self.same_body(Kind::Text, &Value::Text(text.clone()), got),
        }
    }

    fn same_body(&self, kind: Kind, want: &Value, got: &Answer) -> Result<(), String> {
        let got = unpacked(got)?;
        let body = self.decoded(kind, &got);
        let body = body.map_err(|why| format!("body is not {kind:?}: {why}: {}", brief(&got.text(), 160)))?;
        difference(want, &body, self.numbers).map_or(Ok(()), Err)
    }

    fn kind_of(&self, answer: &Answer) -> Kind {
        let content_type = answer.header("Content-Type").unwrap_or_default();
        match (self.kind, content_type.split(';').next().unwrap_or_default().trim()) {
            (Kind::Auto, _) if answer.body.is_empty() => Kind::Text,
            (Kind::Auto, "application/json") => Kind::Json,
            (Kind::Auto, "text/csv" | "application/csv") => Kind::Csv,
            (Kind::Auto, "application/x-msgpack") => Kind::MessagePack,
            (Kind::Auto, _) => Kind::Text,
            (kind, _) => kind,
        }
    }

    fn decoded(&self, kind: Kind, answer: &Answer) -> Result<Value, String> {
        let arranged = |documents: Vec<Value>| documents.into_iter().map(|document| self.arranged(document)).collect();
        Ok(match kind {
            Kind::Json => Value::List(arranged(Value::parse_all(&self.text(answer))?)),
            Kind::MessagePack => Value::List(arranged(body::message_pack(&answer.body)?)),
            Kind::Csv => body::csv(&self.text(answer)),
            Kind::Text | Kind::Auto => Value::Text(self.text(answer)),
            Kind::None => Value::Null,
        })
    }

    fn text(&self, answer: &Answer) -> String {
        self.replace.iter().fold(answer.text(), |text, (pattern, with)| pattern.replace_all(&text, with).into_owned())
    }

    /// A document without what is masked, and with what has no order sorted.
    fn arranged(&self, mut document: Value) -> Value {
        for path in &self.mask {
            value::mask(&mut document, &path.split('.').collect::<Vec<_>>());
        }
        if self.unordered_values || self.unordered_series {
            value::sort(&mut document, self.unordered_series, self.unordered_values);
        }
        document
    }
}

fn wrong_status(want: u16, got: &Answer) -> String {
    format!("status {}, expected {want} (body: {})", got.status, brief(got.text().trim(), 200))
}

fn same_header(name: &str, want: Option<&str>, got: &Answer) -> Result<(), String> {
    let value = got.header(name);
    if value.as_deref() == want { Ok(()) } else { Err(format!("header {name} is {value:?}, expected {want:?}")) }
}

/// The answer with its body unpacked.
fn unpacked(answer: &Answer) -> Result<Answer, String> {
    let mut answer = answer.clone();
    if answer.header("Content-Encoding").is_some_and(|encoding| encoding == "gzip") && !answer.body.is_empty() {
        let mut body = Vec::new();
        let read = GzDecoder::new(answer.body.as_slice()).read_to_end(&mut body);
        read.map_err(|why| format!("says gzip but does not unpack: {why}"))?;
        answer.body = body;
    }
    Ok(answer)
}

#[cfg(test)]
mod tests;
