//! A query's text to its tree.
//!
//! ```text
//! request    = expression , { "," , expression }
//! expression = term , { ( "+" | "-" ) , term }          term = factor , { ( "*" | "/" ) , factor }
//! factor     = [ "-" ] , primary                        primary = number | "(" , expression , ")" | call | query
//! query      = [ aggregator , ":" ] , name , "{" , scope , "}" , { modifier } , [ "by" , "{" , keys , "}" ] , { modifier }
//!            | aggregator , ":" , "(" , query without aggregator , ")" , { modifier }
//! scope      = "*" | tag , { "," , tag } | words with AND, OR, NOT, IN and parentheses
//! modifier   = "." , name , "(" , arguments , ")"
//! ```
//!
//! White space may stand between any two tokens. Errors say where, what was expected and, of names, the nearest.

mod modifiers;
mod scope;
#[cfg(test)]
mod tests;

pub(super) use modifiers::REACH_SECS;

use super::ast::{Aggregator, Argument, Expr, Kind, Modifiers, Op, Query, Scope};
use super::error::Error;
use super::names;
use crate::plan::Function;

const AGGREGATORS: &[&str] = &["avg", "sum", "min", "max", "count"];

/// The expressions of a query, at least one.
pub(super) fn parse(text: &str, max_depth: u32) -> Result<Vec<Expr>, Error> {
    let mut parser = Parser { text, at: 0, depth: max_depth };
    if text.trim().is_empty() {
        return Err(Error::query("the query is empty"));
    }
    let mut expressions = Vec::new();
    loop {
        let expression = parser.expression()?;
        if !expression.has_query() {
            return Err(parser.semantic(expression.at, "an expression needs a metric"));
        }
        expressions.push(expression);
        if !parser.eat(',') {
            break;
        }
    }
    parser.blanks();
    if parser.at < text.len() {
        return Err(parser.failed("query", "Expected an operator, a comma or the end"));
    }
    Ok(expressions)
}

/// A scope that stands by itself, without braces.
pub(super) fn scope_alone(text: &str, max_depth: u32) -> Result<Scope, Error> {
    let braced = format!("{text}}}");
    let mut parser = Parser { text: &braced, at: 0, depth: max_depth };
    parser.scope()
}

impl Expr {
    fn has_query(&self) -> bool {
        match &self.kind {
            Kind::Number(_) => false,
            Kind::Query(_) => true,
            Kind::Measured { of, .. } => of.has_query(),
            Kind::Binary { left, right, .. } => left.has_query() || right.has_query(),
            Kind::Call { arguments, .. } => {
                arguments.iter().any(|argument| matches!(argument, Argument::Expr(expr) if expr.has_query()))
            }
        }
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    /// Levels of brackets left.
    depth: u32,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn blanks(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    /// The next character after white space.
    fn peek(&mut self) -> Option<char> {
        self.blanks();
        self.rest().chars().next()
    }

    fn eat(&mut self, c: char) -> bool {
        let there = self.peek() == Some(c);
        if there {
            self.at += c.len_utf8();
        }
        there
    }

    /// The run of characters that `belongs`, without white space before it.
    fn run(&mut self, belongs: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c| !belongs(c)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn place(&self, at: usize) -> String {
        let before = self.text.get(..at).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        format!("line {line}, column {column}")
    }

    /// What stands here is not what the grammar has.
    fn failed(&mut self, rule: &str, hint: &str) -> Error {
        self.blanks();
        let (rest, place) = (brief(self.rest()), self.place(self.at));
        Error::query(format!(
            "unable to parse {}: Rule '{rule}' didn't match at '{rest}' ({place}). {hint}.",
            brief(self.text)
        ))
    }

    /// What stands there is grammar, but means nothing.
    fn semantic(&self, at: usize, what: &str) -> Error {
        Error::query(format!("unable to parse {}: {what} ({})", brief(self.text), self.place(at)))
    }

    fn deeper<T>(&mut self, parse: impl FnOnce(&mut Self) -> Result<T, Error>) -> Result<T, Error> {
        let Some(depth) = self.depth.checked_sub(1) else { return Err(self.semantic(self.at, "nested too deeply")) };
        self.depth = depth;
        let parsed = parse(self);
        self.depth += 1;
        parsed
    }

    fn expression(&mut self) -> Result<Expr, Error> {
        let mut left = self.term()?;
        loop {
            let op = match self.peek() {
                Some('+') => Op::Add,
                Some('-') => Op::Sub,
                _ => return Ok(left),
            };
            self.at += 1;
            let right = self.term()?;
            left = binary(op, left, right);
        }
    }

    fn term(&mut self) -> Result<Expr, Error> {
        let mut left = self.factor()?;
        loop {
            let op = match self.peek() {
                Some('*') => Op::Mul,
                Some('/') => Op::Div,
                _ => return Ok(left),
            };
            self.at += 1;
            let right = self.factor()?;
            left = binary(op, left, right);
        }
    }

    fn factor(&mut self) -> Result<Expr, Error> {
        let at = self.at;
        if !self.eat('-') {
            return self.primary();
        }
        let of = self.primary()?;
        Ok(match of.kind {
            Kind::Number(number) => Expr { at, kind: Kind::Number(-number) },
            _ => binary(Op::Mul, Expr { at, kind: Kind::Number(-1.0) }, of),
        })
    }

    fn primary(&mut self) -> Result<Expr, Error> {
        let next = self.peek();
        let at = self.at;
        match next {
            Some('(') => {
                self.at += 1;
                let inner = self.deeper(Self::expression)?;
                if !self.eat(')') {
                    return Err(self.failed("closing_parenthesis", "Expected )"));
                }
                Ok(inner)
            }
            Some(c) if c.is_ascii_digit() || c == '.' => Ok(Expr { at, kind: Kind::Number(self.number()?) }),
            Some(c) if c.is_ascii_alphabetic() || c == '_' => self.named(at),
            Some('$') => {
                Err(self.semantic(at, "$ names a template variable, which a dashboard fills in before it asks"))
            }
            _ => Err(self.failed("expression", "Expected a metric, a function, a number or (")),
        }
    }

    fn number(&mut self) -> Result<f64, Error> {
        let start = self.at;
        self.run(|c| c.is_ascii_digit() || c == '.');
        // An exponent only where digits follow.
        let exponent = self.rest().strip_prefix(['e', 'E']);
        let digits = exponent.map(|rest| rest.strip_prefix(['+', '-']).unwrap_or(rest));
        if digits.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit())) {
            self.at += 1 + usize::from(exponent.is_some_and(|rest| rest.starts_with(['+', '-'])));
            self.run(|c| c.is_ascii_digit());
        }
        let text = &self.text[start..self.at];
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(number),
            _ => {
                self.at = start;
                Err(self.failed("number", "Expected a number"))
            }
        }
    }

    /// What begins with a name: a call, a query with or without an aggregator.
    fn named(&mut self, at: usize) -> Result<Expr, Error> {
        let name = self.run(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.'));
        match self.peek() {
            Some('(') if !name.contains('.') => {
                self.at += 1;
                let arguments = self.deeper(Self::arguments)?;
                Ok(Expr { at, kind: Kind::Call { name: name.to_owned(), arguments } })
            }
            Some(':') => {
                let aggregator = self.aggregator(name, at)?;
                self.at += 1;
                let (aggregator, text) = (Some(aggregator), Some(name.to_owned()));
                if self.eat('(') {
                    let mut query = self.deeper(|parser| {
                        parser.blanks();
                        let name = parser.run(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.'));
                        parser.query(name, aggregator, text)
                    })?;
                    if !self.eat(')') {
                        return Err(self.failed("closing_parenthesis", "Expected )"));
                    }
                    self.modifiers(&mut query.modifiers)?;
                    return Ok(Expr { at, kind: Kind::Query(Box::new(query)) });
                }
                self.blanks();
                let metric = self.run(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.'));
                let query = self.query(metric, aggregator, text)?;
                Ok(Expr { at, kind: Kind::Query(Box::new(query)) })
            }
            _ => Ok(Expr { at, kind: Kind::Query(Box::new(self.query(name, None, None)?)) }),
        }
    }

    fn aggregator(&self, name: &str, at: usize) -> Result<Aggregator, Error> {
        Ok(match name {
            "avg" => Aggregator::Plain(Function::Mean),
            "sum" => Aggregator::Plain(Function::Sum),
            "min" => Aggregator::Plain(Function::Min),
            "max" => Aggregator::Plain(Function::Max),
            "count" => Aggregator::Plain(Function::Count),
            _ => match percentile(name) {
                Some(parts) => Aggregator::Percentile(parts),
                None => {
                    let near = names::nearest(name, AGGREGATORS.iter().copied());
                    let near = near.first().map_or_else(String::new, |near| format!("; did you mean {near}?"));
                    let text = format!(
                        "Rule 'aggregator' didn't match at '{name}': it is avg, sum, min, max, count or p and a percentage{near}"
                    );
                    return Err(self.semantic(at, &text));
                }
            },
        })
    }

    /// What follows a metric's name.
    fn query(
        &mut self,
        metric: &str,
        aggregator: Option<Aggregator>,
        aggregator_text: Option<String>,
    ) -> Result<Query, Error> {
        if !metric.starts_with(|c: char| c.is_ascii_alphabetic()) {
            self.at -= metric.len();
            return Err(self.failed("metric_name", "Expected a metric's name"));
        }
        if !self.eat('{') {
            return Err(self.failed(
                "scope_expr",
                "Expected a scope: {*} or tags such as {host:a}. A curl without -g takes braces away unless they are percent-encoded",
            ));
        }
        let scope = self.scope()?;
        let mut modifiers = Modifiers::default();
        self.modifiers(&mut modifiers)?;
        let mut by = Vec::new();
        self.blanks();
        let before = self.at;
        if self.run(|c| c.is_ascii_alphabetic()) == "by" {
            by = self.keys()?;
            self.modifiers(&mut modifiers)?;
        } else {
            self.at = before;
        }
        Ok(Query { aggregator, aggregator_text, metric: metric.to_owned(), scope, by, modifiers })
    }

    /// `{a,b}`: keys in lower case, each once.
    fn keys(&mut self) -> Result<Vec<String>, Error> {
        if !self.eat('{') {
            return Err(self.failed("tag_keys", "Expected { and the keys to group by"));
        }
        let mut keys: Vec<String> = Vec::new();
        loop {
            self.blanks();
            let key = self.run(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/')).to_lowercase();
            if key.is_empty() {
                return Err(self.failed("tag_key", "Expected a tag's key"));
            }
            if !keys.contains(&key) {
                keys.push(key);
            }
            if self.eat('}') {
                return Ok(keys);
            }
            if !self.eat(',') {
                return Err(self.failed("tag_keys", "Expected , or }"));
            }
        }
    }

    fn arguments(&mut self) -> Result<Vec<Argument>, Error> {
        let mut arguments = Vec::new();
        if self.eat(')') {
            return Ok(arguments);
        }
        loop {
            arguments.push(self.argument()?);
            if self.eat(')') {
                return Ok(arguments);
            }
            if !self.eat(',') {
                return Err(self.failed("arguments", "Expected , or )"));
            }
        }
    }

    fn argument(&mut self) -> Result<Argument, Error> {
        match self.peek() {
            Some(quote @ ('\'' | '"')) => Ok(Argument::Text(self.quoted(quote)?.to_owned())),
            Some('{') => Ok(Argument::Keys(self.keys()?)),
            _ => {
                let before = self.at;
                let word = self.run(|c| c.is_ascii_alphanumeric() || c == '_');
                if word.starts_with(|c: char| c.is_ascii_alphabetic()) && matches!(self.peek(), Some(',' | ')')) {
                    return Ok(Argument::Text(word.to_owned()));
                }
                self.at = before;
                Ok(Argument::Expr(self.expression()?))
            }
        }
    }

    fn quoted(&mut self, quote: char) -> Result<&'a str, Error> {
        self.at += quote.len_utf8();
        let text = self.run(|c| c != quote);
        if !self.rest().starts_with(quote) {
            return Err(self.failed("string", "The text has no closing quote"));
        }
        self.at += quote.len_utf8();
        Ok(text)
    }
}

fn binary(op: Op, left: Expr, right: Expr) -> Expr {
    Expr { at: left.at, kind: Kind::Binary { op, left: Box::new(left), right: Box::new(right) } }
}

/// `p` and up to two digits, a point and up to two more, in ten-thousandths.
fn percentile(name: &str) -> Option<u32> {
    let (whole, fraction) = name
        .strip_prefix('p')?
        .split_once('.')
        .map_or((name.get(1..)?, None), |(whole, fraction)| (whole, Some(fraction)));
    let number = |text: &str| -> Option<u32> {
        ((1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
    };
    let hundredths = match fraction {
        None => 0,
        Some(text) if text.len() == 1 => number(text)? * 10,
        Some(text) => number(text)?,
    };
    Some(number(whole)? * 100 + hundredths)
}

/// So much of a text as an error may carry.
fn brief(text: &str) -> &str {
    let end = text.char_indices().nth(500).map_or(text.len(), |(at, _)| at);
    &text[..end]
}
