//! InfluxQL's text to statements, by recursive descent, with InfluxDB 1.8's grammar and error texts.
//!
//! Here: the token stream, errors and the choice of the statement. `select` has SELECT and its clauses, which other
//! statements borrow, `expr` expressions, `show` the SHOW family, `admin` everything that changes something.
//!
//! Whether a name exists, a call is sensible or types fit is the compiler's business; what InfluxDB refuses with
//! `error parsing query: …` is refused here.

mod admin;
mod expr;
mod select;
mod show;

use std::borrow::Cow;

use thiserror::Error;

use super::ast::{Regex, Statement};
use super::lexer::{Kind, Lexer, Position, Token};
use super::params::{Param, Params};
use crate::extent::FULL;
use crate::limits::{Exceeded, Limits};
use crate::pattern;

pub use expr::parse_duration;

/// The statements of `text`, in order; empty statements (`;;`) are left out. `params` stand in for `$name`.
///
/// # Errors
/// The first thing that InfluxDB would refuse, in its words, or a limit (`query_text`, `parser_depth`).
pub fn parse_query(text: &str, params: &Params, limits: &Limits) -> Result<Vec<Statement>, ParseError> {
    if text.len() > limits.query_text {
        return Err(limit("query-text", text.len() as u64, limits.query_text as u64));
    }
    let mut parser = Parser::new(text, params, limits);
    let mut statements = Vec::new();
    let mut separated = true;
    loop {
        match parser.next() {
            Kind::Eof => return Ok(statements),
            Kind::Semicolon => separated = true,
            _ if !separated => return Err(parser.found(";")),
            _ => {
                parser.unscan();
                statements.push(parser.statement()?);
                separated = false;
            }
        }
    }
}

/// Why a text is not InfluxQL. `Display` is InfluxDB's text without its prefix `error parsing query: `.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{text}")]
pub struct ParseError {
    text: String,
    position: Option<Position>,
}

impl ParseError {
    fn new(text: impl Into<String>) -> Self {
        if !FULL {
            return Self::beyond();
        }
        Self { text: text.into(), position: None }
    }

    /// What an engine that is not [`FULL`] says of whatever it does not read: the full one reads it, or has the words.
    const fn beyond() -> Self {
        Self { text: String::new(), position: None }
    }

    fn at(mut text: String, at: Position) -> Self {
        if !FULL {
            return Self::beyond();
        }
        text.push_str(" at line ");
        push_number(at.line.saturating_add(1).into(), &mut text);
        text.push_str(", char ");
        push_number(at.char.saturating_add(1).into(), &mut text);
        Self { text, position: Some(at) }
    }

    /// For a name in `tz('…')` that no zone has.
    pub fn unknown_zone(name: &str) -> Self {
        Self::new(["unable to find time zone ", name].concat())
    }

    /// Where it went wrong, when InfluxDB says so too.
    pub fn position(&self) -> Option<Position> {
        self.position
    }
}

fn limit(limit: &'static str, asked: u64, allowed: u64) -> ParseError {
    if !FULL {
        return ParseError::beyond();
    }
    ParseError::new(Exceeded { limit, asked, allowed }.to_string())
}

fn push_number(number: u64, out: &mut String) {
    out.push_str(&number.to_string());
}

type Result<T, E = ParseError> = std::result::Result<T, E>;

/// How many tokens the parser can look back.
const RING: usize = 3;

/// The token stream. It looks back exactly as far as InfluxDB's, and a look at the next character (which decides
/// whether a regular expression follows) passes over the tokens that were put back, as there: some odd error texts
/// come from that.
struct Parser<'a> {
    lexer: Lexer<'a>,
    params: &'a Params,
    ring: [Token<'a>; RING],
    last: usize,
    unscanned: usize,
    depth: u32,
    max_depth: u32,
    /// Of the outermost expression that is being read.
    operators: u32,
}

/// The words a statement begins with, as InfluxDB lists them.
const STATEMENTS: &str = "SELECT, DELETE, SHOW, CREATE, DROP, EXPLAIN, GRANT, REVOKE, ALTER, SET, KILL";

impl<'a> Parser<'a> {
    fn new(text: &'a str, params: &'a Params, limits: &Limits) -> Self {
        let none = Token { kind: Kind::Illegal, at: Position::default(), text: Cow::Borrowed(""), span: 0..0 };
        Self {
            lexer: Lexer::new(text),
            params,
            ring: [none.clone(), none.clone(), none],
            last: 0,
            unscanned: 0,
            depth: 0,
            operators: 0,
            max_depth: limits.parser_depth,
        }
    }

    /// Reads the next token, be it blank or comment.
    fn scan(&mut self) -> Kind {
        self.scan_with(Lexer::scan)
    }

    /// Reads the next token that means something.
    fn next(&mut self) -> Kind {
        loop {
            match self.scan() {
                Kind::Space | Kind::Comment => {}
                kind => return kind,
            }
        }
    }

    #[inline(never)]
    fn scan_with(&mut self, scan: fn(&mut Lexer<'a>) -> Token<'a>) -> Kind {
        if self.unscanned > 0 {
            self.unscanned -= 1;
        } else {
            let token = scan(&mut self.lexer);
            self.last = (self.last + 1) % RING;
            self.ring[self.last] = self.bind(token);
        }
        self.token().kind
    }

    /// The token last read.
    fn token(&self) -> &Token<'a> {
        &self.ring[(self.last + 2 * RING - self.unscanned) % RING]
    }

    fn text(&self) -> &str {
        &self.token().text
    }

    /// An error at the token last read.
    fn fail(&self, text: &[&str]) -> ParseError {
        if !FULL {
            return ParseError::beyond();
        }
        ParseError::at(text.concat(), self.token().at)
    }

    /// `found <the token last read>, expected <expected> at …`
    #[cold]
    #[inline(never)]
    fn found(&self, expected: &str) -> ParseError {
        self.fail(&["found ", self.token().shown(), ", expected ", expected])
    }

    /// The same for the token that comes next.
    fn found_next(&mut self, expected: &str) -> ParseError {
        self.next();
        self.found(expected)
    }

    /// Puts the last token back.
    fn unscan(&mut self) {
        self.unscanned += 1;
    }

    /// A `$name` becomes the token of its parameter; an unknown one stays.
    fn bind(&self, token: Token<'a>) -> Token<'a> {
        if token.kind != Kind::BoundParam {
            return token;
        }
        let Some(param) = self.params.get(token.text.strip_prefix('$').unwrap_or_default()) else {
            return token;
        };
        let (kind, text) = match param {
            Param::Ident(text) => (Kind::Ident, text.as_str()),
            Param::String(text) => (Kind::String, text.as_str()),
            Param::Regex(text) => (Kind::Regex, text.as_str()),
            Param::Number(text) => (Kind::Number, text.as_str()),
            Param::Integer(text) => (Kind::Integer, text.as_str()),
            Param::Duration(text) => (Kind::DurationValue, text.as_str()),
            Param::Boolean(true) => (Kind::True, ""),
            Param::Boolean(false) => (Kind::False, ""),
            Param::Unusable(why) => (Kind::BoundParam, why.as_str()),
        };
        Token { kind, text: Cow::Borrowed(text), ..token }
    }

    /// Reads the next token if it is `kind`.
    #[inline(never)]
    fn accept(&mut self, kind: Kind) -> bool {
        let accepted = self.next() == kind;
        if !accepted {
            self.unscan();
        }
        accepted
    }

    fn expect(&mut self, kind: Kind) -> Result<()> {
        self.expect_as(kind, kind.name())
    }

    #[inline(never)]
    fn expect_as(&mut self, kind: Kind, expected: &str) -> Result<()> {
        if self.next() == kind { Ok(()) } else { Err(self.found(expected)) }
    }

    #[inline(never)]
    fn ident(&mut self) -> Result<String> {
        self.expect_as(Kind::Ident, "identifier")?;
        Ok(self.text().to_owned())
    }

    #[inline(never)]
    fn string(&mut self) -> Result<String> {
        self.expect_as(Kind::String, "string")?;
        Ok(self.text().to_owned())
    }

    /// Skips one run of blanks, but no comment.
    fn skip_blanks(&mut self) {
        if self.scan() != Kind::Space {
            self.unscan();
        }
    }

    /// A regular expression, if one is next.
    #[inline(never)]
    fn regex(&mut self) -> Result<Option<Regex>> {
        if matches!(self.lexer.peek(), ' ' | '\t' | '\n') {
            self.skip_blanks();
        }
        match self.lexer.peek() {
            '/' => {}
            '$' => {
                let kind = self.scan();
                self.unscan();
                if kind != Kind::Regex {
                    return Ok(None);
                }
            }
            _ => return Ok(None),
        }
        match self.scan_with(Lexer::scan_regex) {
            Kind::Regex => self.compiled().map(Some),
            Kind::BadRegex => Err(self.fail(&["bad regex: "])),
            _ => Err(self.found("regex")),
        }
    }

    /// The regex last read: the one place where an expression is checked to compile.
    fn compiled(&self) -> Result<Regex> {
        match pattern::Regex::new(self.text()) {
            Ok(_) => Ok(Regex { source: self.text().to_owned() }),
            Err(_) if !FULL => Err(ParseError::beyond()),
            Err(why) => Err(self.fail(&[&why.to_string()])),
        }
    }

    /// Counts one level of nesting; [`Parser::leave`] ends it. An error ends the parse, so needs no leaving.
    fn enter(&mut self) -> Result<()> {
        self.depth += 1;
        if self.depth > self.max_depth {
            return Err(limit("query-depth", self.depth.into(), self.max_depth.into()));
        }
        Ok(())
    }

    fn leave(&mut self) {
        self.depth -= 1;
    }

    fn statement(&mut self) -> Result<Statement> {
        match self.next() {
            Kind::Select => Ok(Statement::Select(Box::new(self.select(select::Into::Optional)?))),
            _ if !FULL => Err(ParseError::beyond()),
            Kind::Delete => self.delete(),
            Kind::Show => self.show(),
            Kind::Create => self.create(),
            Kind::Drop => self.drop_what(),
            Kind::Explain => self.explain(),
            Kind::Grant => self.grant(),
            Kind::Revoke => self.revoke(),
            Kind::Alter => self.alter(),
            Kind::Set => self.set_password(),
            Kind::Kill => self.kill(),
            Kind::Ident if self.text().eq_ignore_ascii_case("RENAME") => self.rename(),
            _ => Err(self.found(STATEMENTS)),
        }
    }
}

#[cfg(test)]
mod tests;
