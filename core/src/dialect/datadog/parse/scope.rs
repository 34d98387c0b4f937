//! What stands between the braces of a scope.

use super::Parser;
use crate::dialect::datadog::ast::{Condition, Scope, Tag};
use crate::dialect::datadog::error::Error;

/// What of the two forms, which do not mix, has been met.
#[derive(Default)]
struct Met {
    comma: bool,
    bang: bool,
    word: bool,
}

impl Parser<'_> {
    /// After the opening brace, up to and including the closing one.
    pub(super) fn scope(&mut self) -> Result<Scope, Error> {
        let (mut met, begin) = (Met::default(), self.at);
        let mut items = Vec::new();
        loop {
            items.push(self.either(&mut met)?);
            if !self.eat(',') {
                break;
            }
            met.comma = true;
        }
        if met.word && (met.comma || met.bang) {
            return Err(Error::query("'AND' and 'OR' cannot be mixed with ',' or '!'"));
        }
        let written = self.text.get(begin..self.at).unwrap_or_default();
        if !self.eat('}') {
            return Err(self.failed("scope_expr", "Expected , or }"));
        }
        if met.word {
            let condition = items.pop().unwrap_or(Condition::Any);
            return Ok(Scope::Boolean(condition, in_lower_case(written)));
        }
        if let [Condition::Not(inner)] = &*items
            && **inner == Condition::Any
        {
            return Ok(Scope::Boolean(items.remove(0), "!*".to_owned()));
        }
        let tags: Vec<(bool, Tag)> = items.into_iter().filter_map(plain).collect();
        Ok(if tags.is_empty() { Scope::All } else { Scope::Tags(tags) })
    }

    fn either(&mut self, met: &mut Met) -> Result<Condition, Error> {
        let mut all = vec![self.both(met)?];
        while self.keyword("OR", met) {
            all.push(self.both(met)?);
        }
        Ok(if all.len() == 1 { all.remove(0) } else { Condition::Either(all) })
    }

    fn both(&mut self, met: &mut Met) -> Result<Condition, Error> {
        let mut all = vec![self.negation(met)?];
        while self.keyword("AND", met) {
            all.push(self.negation(met)?);
        }
        Ok(if all.len() == 1 { all.remove(0) } else { Condition::All(all) })
    }

    fn negation(&mut self, met: &mut Met) -> Result<Condition, Error> {
        if self.keyword("NOT", met) {
            return Ok(Condition::Not(Box::new(self.deeper(|parser| parser.negation(met))?)));
        }
        if self.eat('(') {
            met.word = true;
            let inner = self.deeper(|parser| parser.either(met))?;
            if !self.eat(')') {
                return Err(self.failed("scope_expr", "Expected )"));
            }
            return Ok(inner);
        }
        let bang = self.eat('!');
        met.bang |= bang;
        let tag = self.tag_text()?;
        if tag == "*" {
            return Ok(if bang { Condition::Not(Box::new(Condition::Any)) } else { Condition::Any });
        }
        let before = self.at;
        let negated = self.keyword("NOT", met);
        if self.keyword("IN", met) {
            if tag.contains([':', '*']) {
                return Err(self.semantic(before, "before IN stands a tag's key alone"));
            }
            return self.one_of(&tag, negated);
        }
        if negated {
            self.at = before;
            return Err(self.failed("scope_expr", "Expected IN after NOT"));
        }
        let (key, value) = tag.split_once(':').map_or((&*tag, None), |(key, value)| (key, Some(value)));
        let tag = Condition::Tag(Tag { key: key.to_owned(), value: value.map(str::to_owned) });
        Ok(if bang { Condition::Not(Box::new(tag)) } else { tag })
    }

    /// `(a, b)` after `key IN`.
    fn one_of(&mut self, key: &str, negated: bool) -> Result<Condition, Error> {
        if !self.eat('(') {
            return Err(self.failed("scope_expr", "Expected ( and values"));
        }
        let mut values = Vec::new();
        loop {
            let value = self.tag_text()?;
            values.push(Condition::Tag(Tag { key: key.to_owned(), value: Some(value) }));
            if self.eat(')') {
                break;
            }
            if !self.eat(',') {
                return Err(self.failed("scope_expr", "Expected , or )"));
            }
        }
        let any = Condition::Either(values);
        Ok(if negated { Condition::Not(Box::new(any)) } else { any })
    }

    /// A keyword in upper or lower case, if it stands here.
    fn keyword(&mut self, word: &str, met: &mut Met) -> bool {
        self.blanks();
        let before = self.at;
        let found = self.run(belongs);
        if found == word || found == word.to_ascii_lowercase() {
            met.word = true;
            return true;
        }
        self.at = before;
        false
    }

    /// A tag or a value, in lower case.
    fn tag_text(&mut self) -> Result<String, Error> {
        self.blanks();
        if self.rest().starts_with('$') {
            let text = "$ names a template variable, which a dashboard fills in before it asks";
            return Err(self.semantic(self.at, text));
        }
        let text = self.run(belongs);
        if text.is_empty() {
            return Err(self.failed("scope_expr", "Expected * or a tag such as host:a"));
        }
        Ok(text.to_lowercase())
    }
}

/// A filter's text with single blanks where there was white space, tags in lower case.
fn in_lower_case(text: &str) -> String {
    const BETWEEN: [char; 4] = [' ', '(', ')', ','];
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut out = String::with_capacity(text.len());
    for part in words.join(" ").split_inclusive(BETWEEN) {
        match part.trim_end_matches(BETWEEN) {
            "AND" | "OR" | "NOT" | "IN" => out.push_str(part),
            _ => out.push_str(&part.to_lowercase()),
        }
    }
    out
}

fn belongs(c: char) -> bool {
    !c.is_whitespace() && !matches!(c, ',' | '{' | '}' | '(' | ')' | '!' | '$' | '\'' | '"')
}

/// An item of the comma form; `*` says nothing.
fn plain(condition: Condition) -> Option<(bool, Tag)> {
    match condition {
        Condition::Tag(tag) => Some((false, tag)),
        Condition::Not(inner) => plain(*inner).map(|(negated, tag)| (!negated, tag)),
        _ => None,
    }
}
