//! Templates: texts with `{{ .key }}` in them, filled in from a graph's attributes.
//!
//! An action holds one or more keys, `.name`, separated by blanks; or it is a comment, exactly `{{/* … */}}`. `{{- `
//! trims the blanks before it, ` -}}` those after it. A missing attribute is the empty text. A lone `}}` is text.

use super::error::Error;
use super::graph::{Group, Object};
use crate::limits::{Exceeded, Limits};
use crate::number::write_template_float;
use crate::sorted::SortedSet;
use serde_json::Value;

const BLANKS: [char; 4] = [' ', '\t', '\r', '\n'];

/// The values of keys, and how many bytes of text may still be made of them.
#[derive(Debug)]
pub(super) struct Attributes<'a> {
    values: &'a Object,
    made: usize,
    allowed: usize,
}

impl<'a> Attributes<'a> {
    pub(super) fn new(values: &'a Object, limits: &Limits) -> Self {
        Self { values, made: 0, allowed: limits.query_text }
    }

    /// Fills in everything of a graph that may hold a template: its title and each series' name, origin, source and
    /// metric.
    pub(super) fn fill_in(&mut self, options: &mut Object, groups: &mut [Group]) -> Result<(), Error> {
        if let Some(Value::String(title)) = options.get_mut("title") {
            self.expand(title)?;
        }
        for series in groups.iter_mut().flat_map(|group| &mut group.series) {
            for text in [&mut series.name, &mut series.origin, &mut series.source, &mut series.metric] {
                self.expand(text)?;
            }
        }
        Ok(())
    }

    fn expand(&mut self, text: &mut String) -> Result<(), Error> {
        if !text.contains("{{") {
            return Ok(());
        }
        let mut out = String::new();
        scan(text, &mut |piece| {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Key(name) => {
                    if let Some(value) = self.values.get(name).filter(|value| !value.is_null()) {
                        write_value(value, &mut out);
                    }
                }
            }
            self.check(out.len())
        })?;
        self.made += out.len();
        *text = out;
        Ok(())
    }

    fn check(&self, more: usize) -> Result<(), Error> {
        let (asked, allowed) = (self.made.saturating_add(more) as u64, self.allowed as u64);
        if asked > allowed { Err(Exceeded { limit: "template-text", asked, allowed }.into()) } else { Ok(()) }
    }
}

/// What a template is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece<'t> {
    Text(&'t str),
    /// Of an attribute, without its dot.
    Key(&'t str),
}

/// The keys that a template names, sorted, each once.
pub(super) fn keys(text: &str) -> Result<Vec<String>, Error> {
    let mut keys = SortedSet::new();
    scan(text, &mut |piece| {
        if let Piece::Key(name) = piece
            && !keys.contains_key(name)
        {
            keys.insert(name.to_owned(), ());
        }
        Ok(())
    })?;
    Ok(keys.into_iter().map(|(name, ())| name).collect())
}

/// Takes a template apart, in order.
fn scan<'t>(text: &'t str, each: &mut dyn FnMut(Piece<'t>) -> Result<(), Error>) -> Result<(), Error> {
    let (mut rest, mut trim) = (text, false);
    while let Some((plain, action)) = rest.split_once("{{") {
        let trimming = action.strip_prefix('-').filter(|action| action.starts_with(BLANKS));
        let plain = if trim { plain.trim_start_matches(BLANKS) } else { plain };
        each(Piece::Text(if trimming.is_some() { plain.trim_end_matches(BLANKS) } else { plain }))?;
        // Between the trim mark and a comment there is one blank, which is the mark's.
        let comment = trimming.map_or(action, |action| &action[1..]).strip_prefix("/*");
        (rest, trim) = match comment {
            Some(comment) => skip_comment(comment).ok_or(Error::Template)?,
            None => scan_keys(trimming.unwrap_or(action), each)?,
        };
    }
    each(Piece::Text(if trim { rest.trim_start_matches(BLANKS) } else { rest }))
}

/// Takes the keys of an action, begun already; gives what follows it, and whether its blanks are to be trimmed.
fn scan_keys<'t>(
    mut text: &'t str,
    each: &mut dyn FnMut(Piece<'t>) -> Result<(), Error>,
) -> Result<(&'t str, bool), Error> {
    let mut keys = 0;
    loop {
        let next = text.trim_start_matches(BLANKS);
        let blanks = next.len() < text.len();
        let end = match next.strip_prefix("}}") {
            Some(rest) => Some((rest, false)),
            None => next.strip_prefix("-}}").filter(|_| blanks).map(|rest| (rest, true)),
        };
        if let Some(end) = end {
            return if keys > 0 { Ok(end) } else { Err(Error::Template) };
        }
        let name = next.strip_prefix('.').filter(|_| blanks || keys == 0).ok_or(Error::Template)?;
        let len = name.find(|c: char| c != '_' && !c.is_alphanumeric()).unwrap_or(name.len());
        let (name, rest) = name.split_at(len);
        if !name.starts_with(|c: char| c == '_' || c.is_alphabetic()) {
            return Err(Error::Template);
        }
        each(Piece::Key(name))?;
        keys += 1;
        text = rest;
    }
}

/// What follows a comment, begun already, and whether its blanks are to be trimmed. `None` when it stays open or has
/// something beside it.
fn skip_comment(text: &str) -> Option<(&str, bool)> {
    let (_, rest) = text.split_once("*/")?;
    match rest.strip_prefix("}}") {
        Some(rest) => Some((rest, false)),
        None => Some((rest.strip_prefix(BLANKS)?.strip_prefix("-}}")?, true)),
    }
}

/// Appends a value as Go prints it.
pub(super) fn write_value(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("<nil>"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Number(number) => {
            let mut digits = Vec::new();
            write_template_float(number.as_f64().unwrap_or(f64::NAN), &mut digits);
            out.extend(digits.into_iter().map(char::from));
        }
        Value::String(text) => out.push_str(text),
        Value::Array(values) => {
            out.push('[');
            for (at, value) in values.iter().enumerate() {
                if at > 0 {
                    out.push(' ');
                }
                write_value(value, out);
            }
            out.push(']');
        }
        Value::Object(object) => {
            let mut members: Vec<_> = object.iter().collect();
            crate::order::sort_by(&mut members, |(a, _), (b, _)| a.cmp(b));
            out.push_str("map[");
            for (at, (key, value)) in members.into_iter().enumerate() {
                if at > 0 {
                    out.push(' ');
                }
                out.push_str(key);
                out.push(':');
                write_value(value, out);
            }
            out.push(']');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn expanded(text: &str) -> Result<String, Error> {
        let values = json!({
            "a": "A", "_b2": "<b>", "é": "É", "yes": true, "null": null, "n": 1, "f": 1.5, "big": 1_000_000,
            "huge": 1e16, "tiny": 0.00001, "list": [1, "a", null], "map": {"k2": 2, "k1": [false]}
        });
        let mut text = text.to_owned();
        let limits = Limits { query_text: 100, ..Limits::default() };
        Attributes::new(values.as_object().unwrap(), &limits).expand(&mut text)?;
        Ok(text)
    }

    #[test]
    fn templates_are_filled_in() {
        for (text, expected) in [
            ("plain }} { text", "plain }} { text"),
            ("{{.a}}", "A"),
            ("x {{ .a }} {{ .missing }}{{ .null }} y", "x A  y"),
            ("{{.a .a\n._b2 .é}}", "AA<b>É"),
            ("n {{- .n }} {{ .yes -}} \r\n|", "n1 true|"),
            ("{{ .f }} {{ .big }} {{ .huge }} {{ .tiny }}", "1.5 1000000 1e+16 1e-05"),
            ("{{ .list }} {{ .map }}", "[1 a <nil>] map[k1:[false] k2:2]"),
            ("a {{- /* x */ -}} b{{ .a .a }}\n{{- .a }}", "abAAA"),
            ("a{{/* }} */}}b", "ab"),
            ("{{.a -}} {{- .a}}", "AA"),
        ] {
            assert_eq!(expanded(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_template() {
        for text in [
            "{{ .a",
            "{{",
            "{{}}",
            "{{ }}",
            "{{- -}}",
            "{{ .a.b }}",
            "{{ .a-b }}",
            "{{.a-}}",
            "{{-.a}}",
            "{{ a }}",
            "{{ . }}",
            "{{ .1 }}",
            "{{ \"x\" }}",
            "{{ .a | print }}",
            "{{ if .a }}x{{ end }}",
            "{{ /* x */ .a }}",
            "{{ /* x */ }}",
            "{{/* x */ .a}}",
            "{{/* x",
            "{{{.a}}}",
        ] {
            assert_eq!(expanded(text), Err(Error::Template), "{text}");
        }
    }

    #[test]
    fn templates_make_no_more_text_than_a_request_may_have() {
        let Err(Error::Limit(exceeded)) = expanded(&"{{.list}}".repeat(12)) else { panic!("it is too long") };
        assert_eq!(exceeded.to_string(), "template-text limit exceeded: (110/100)");
    }
}
