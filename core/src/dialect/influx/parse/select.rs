//! SELECT, EXPLAIN, DELETE, and the clauses that SHOW borrows.

use super::{Kind, ParseError, Parser, Position, Result};
use crate::dialect::influx::ast::{
    BinaryOp, ColumnOrder, Expr, Field, Fill, Measurement, NameMatch, Order, Select, Source, Statement, Target,
};
use crate::extent::FULL;
use crate::time::Zone;

/// Whether a SELECT needs an `INTO`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Into {
    Required,
    Optional,
}

/// Whether `(SELECT …)` may stand in FROM.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Subqueries {
    Allowed,
    Refused,
}

impl Parser<'_> {
    /// After the word SELECT.
    pub(super) fn select(&mut self, into: Into) -> Result<Select> {
        self.enter()?;
        let fields = self.fields()?;
        let target = self.target(into)?;
        self.expect(Kind::From)?;
        let (mut sort, mut fill_reach) = (None, 0);
        // In the order of the text, as every clause is.
        let select = Select {
            fields,
            target,
            sources: self.sources(Subqueries::Allowed)?,
            condition: self.condition()?,
            dimensions: self.dimensions()?,
            fill: self.fill(&mut fill_reach)?,
            fill_reach,
            order: self.select_order(&mut sort)?,
            sort,
            limit: self.count(Kind::Limit)?,
            offset: self.count(Kind::Offset)?,
            slimit: self.count(Kind::Slimit)?,
            soffset: self.count(Kind::Soffset)?,
            zone: self.zone()?,
        };
        self.leave();
        Ok(select)
    }

    pub(super) fn explain(&mut self) -> Result<Statement> {
        let analyze = self.accept(Kind::Analyze);
        self.expect(Kind::Select)?;
        Ok(Statement::Explain { select: Box::new(self.select(Into::Optional)?), analyze })
    }

    pub(super) fn delete(&mut self) -> Result<Statement> {
        if self.accept(Kind::Field) {
            return self.delete_fields(false);
        }
        let (sources, condition) = self.doomed()?;
        Ok(Statement::Delete { sources, condition })
    }

    /// After the words DELETE FIELD or DROP FIELD.
    pub(super) fn delete_fields(&mut self, drop: bool) -> Result<Statement> {
        let mut fields = vec![self.ident()?];
        while self.accept(Kind::Comma) {
            fields.push(self.ident()?);
        }
        let (sources, condition) = self.doomed()?;
        Ok(Statement::DeleteFields { fields, drop, sources, condition })
    }

    /// `[FROM sources] [WHERE expr]`, at least one of them, of what is to be deleted: in every policy of the database
    /// at hand.
    pub(super) fn doomed(&mut self) -> Result<(Vec<Source>, Option<Expr>)> {
        let kind = self.next();
        let neither = self.found("FROM, WHERE");
        let mut sources = Vec::new();
        if kind == Kind::From {
            sources = self.sources(Subqueries::Refused)?;
            let refused = sources.iter().rev().find_map(|source| match source {
                Source::Measurement(Measurement { rp: Some(_), .. }) => Some("retention policy not supported"),
                Source::Measurement(Measurement { database: Some(_), .. }) => Some("database not supported"),
                _ => None,
            });
            if let Some(text) = refused {
                return Err(ParseError::at(text.to_owned(), Default::default()));
            }
        } else {
            self.unscan();
        }
        let condition = self.condition()?;
        if sources.is_empty() && condition.is_none() {
            return Err(neither);
        }
        Ok((sources, condition))
    }

    fn fields(&mut self) -> Result<Vec<Field>> {
        let mut fields = Vec::new();
        loop {
            fields.push(self.field()?);
            if self.scan() != Kind::Comma {
                self.unscan();
                return Ok(fields);
            }
        }
    }

    fn field(&mut self) -> Result<Field> {
        let expr = match self.regex()? {
            Some(regex) => Expr::Regex(regex),
            None => {
                self.next();
                let first = self.token().at;
                self.unscan();
                let expr = self.expr()?;
                if let Some(op) = condition_op(&expr) {
                    return Err(misplaced(op, first));
                }
                expr
            }
        };
        let alias = if self.accept(Kind::As) { Some(self.ident()?) } else { None };
        self.skip_blanks();
        Ok(Field { expr, alias: alias.filter(|alias| !alias.is_empty()) })
    }

    fn target(&mut self, into: Into) -> Result<Option<Target>> {
        if self.next() != Kind::Into {
            if FULL && into == Into::Required {
                return Err(self.found("INTO"));
            }
            self.unscan();
            return Ok(None);
        }
        if !FULL {
            return Err(ParseError::beyond());
        }
        let mut path = self.path()?;
        if path.len() < 3 && self.lexer.peek() == ':' {
            self.expect(Kind::Colon)?;
            self.expect(Kind::Measurement)?;
            path.push(String::new());
        }
        let mut parts = path.into_iter().rev().map(given);
        let (name, rp, database) = (parts.next(), parts.next(), parts.next());
        Ok(Some(Target { database: database.flatten(), rp: rp.flatten(), name: name.flatten() }))
    }

    pub(super) fn sources(&mut self, subqueries: Subqueries) -> Result<Vec<Source>> {
        let mut sources = vec![self.source(subqueries)?];
        while self.accept(Kind::Comma) {
            sources.push(self.source(subqueries)?);
        }
        Ok(sources)
    }

    pub(super) fn source(&mut self, subqueries: Subqueries) -> Result<Source> {
        if let Some(regex) = self.regex()? {
            let name = NameMatch::Regex(regex);
            return Ok(Source::Measurement(Measurement { database: None, rp: None, name }));
        }
        if FULL && subqueries == Subqueries::Allowed && self.accept(Kind::Open) {
            self.expect(Kind::Select)?;
            let select = self.select(Into::Optional)?;
            self.expect(Kind::Close)?;
            return Ok(Source::Subquery(Box::new(select)));
        }
        let mut path = self.path()?;
        let regex = if path.len() < 3 { self.regex()? } else { None };
        let name = match regex {
            Some(regex) => NameMatch::Regex(regex),
            None => NameMatch::Name(path.pop().unwrap_or_default()),
        };
        let mut parts = path.into_iter().rev().map(given);
        let (rp, database) = (parts.next().flatten(), parts.next().flatten());
        Ok(Source::Measurement(Measurement { database, rp, name }))
    }

    pub(super) fn condition(&mut self) -> Result<Option<Expr>> {
        if self.accept(Kind::Where) { self.expr().map(Some) } else { Ok(None) }
    }

    pub(super) fn dimensions(&mut self) -> Result<Vec<Expr>> {
        let mut dimensions = Vec::new();
        if !self.accept(Kind::Group) {
            return Ok(dimensions);
        }
        self.expect(Kind::By)?;
        loop {
            match self.regex()? {
                Some(regex) => dimensions.push(Expr::Regex(regex)),
                None => {
                    dimensions.push(self.expr()?);
                    self.skip_blanks();
                }
            }
            if self.scan() != Kind::Comma {
                self.unscan();
                return Ok(dimensions);
            }
        }
    }

    /// The arguments of a clause that looks like a call, `fill(…)` or `tz(…)`, if it is next.
    fn call_clause(&mut self, name: &str, not_a_call: &str) -> Result<Option<Vec<Expr>>> {
        let named = self.next() == Kind::Ident && self.text().eq_ignore_ascii_case(name);
        self.unscan();
        if !named {
            return Ok(None);
        }
        match self.expr()? {
            Expr::Call(call) => Ok(Some(call.args)),
            _ => Err(ParseError::new(not_a_call)),
        }
    }

    /// `reach`: how far back a value may be looked for.
    fn fill(&mut self, reach: &mut i64) -> Result<Fill> {
        let Some(args) = self.call_clause("fill", "fill must be a function call")? else {
            return Ok(Fill::Null);
        };
        if let [Expr::Variable { name, cast: None }, Expr::Duration(back @ 1..)] = args.as_slice()
            && name == "previous"
        {
            *reach = *back;
            return Ok(Fill::Previous);
        }
        let [arg] = args.as_slice() else {
            let text = "fill requires an argument, e.g.: 0, null, none, previous, linear";
            return Err(ParseError::new(text));
        };
        let fill = match arg {
            Expr::Variable { name, cast: None } => match name.as_str() {
                "null" => Some(Fill::Null),
                "none" => Some(Fill::None),
                "previous" => Some(Fill::Previous),
                "linear" => Some(Fill::Linear),
                _ => None,
            },
            Expr::Integer(value) => Some(Fill::Integer(*value)),
            Expr::Float(value) => Some(Fill::Float(*value)),
            _ => None,
        };
        fill.ok_or_else(|| ParseError::new("expected number argument in fill()"))
    }

    fn zone(&mut self) -> Result<Option<String>> {
        let Some(args) = self.call_clause("tz", "tz must be a function call")? else {
            return Ok(None);
        };
        if !FULL {
            return Err(ParseError::beyond());
        }
        match <[Expr; 1]>::try_from(args) {
            Ok([Expr::String(name)]) if name.is_empty() || Zone::named(&name).is_some() => Ok(Some(name)),
            Ok([Expr::String(name)]) => Err(ParseError::unknown_zone(&name)),
            Ok(_) => Err(ParseError::new("expected string argument in tz()")),
            Err(_) => Err(ParseError::new("tz requires exactly one argument")),
        }
    }

    /// `LIMIT n` and the like; 0 when absent. What does not fit is as good as endless.
    pub(super) fn count(&mut self, clause: Kind) -> Result<u64> {
        if !self.accept(clause) {
            return Ok(0);
        }
        self.expect_as(Kind::Integer, "integer")?;
        if self.text().starts_with('-') {
            return Err(self.fail(&[clause.name(), " must be >= 0"]));
        }
        Ok(self.text().parse().unwrap_or(u64::MAX).min(i64::MAX as u64))
    }

    /// The same, and `value(column)` instead of time.
    fn select_order(&mut self, sort: &mut Option<ColumnOrder>) -> Result<Option<Order>> {
        if !self.accept(Kind::Order) {
            return Ok(None);
        }
        self.expect(Kind::By)?;
        if self.next() == Kind::Ident && self.text() == "value" {
            if !FULL {
                return Err(ParseError::beyond());
            }
            if self.scan() == Kind::Open {
                let column = self.ident()?;
                self.expect(Kind::Close)?;
                *sort = Some(ColumnOrder { column, descending: self.direction() });
                return Ok(None);
            }
            self.unscan();
        }
        self.unscan();
        self.order_by().map(Some)
    }

    pub(super) fn order(&mut self) -> Result<Option<Order>> {
        if !self.accept(Kind::Order) {
            return Ok(None);
        }
        self.expect(Kind::By)?;
        self.order_by().map(Some)
    }

    fn order_by(&mut self) -> Result<Order> {
        const TIME_ONLY: &str = "only ORDER BY time supported at this time";
        let order = match self.next() {
            Kind::Asc => Order { named: false, descending: false },
            Kind::Desc => Order { named: false, descending: true },
            Kind::Ident => {
                let time = self.text() == "time";
                let descending = self.direction();
                if !time {
                    return Err(ParseError::new(TIME_ONLY));
                }
                Order { named: true, descending }
            }
            _ => return Err(self.found("identifier, ASC, DESC")),
        };
        let mut more = false;
        while self.accept(Kind::Comma) {
            self.ident()?;
            self.direction();
            more = true;
        }
        if more { Err(ParseError::new(TIME_ONLY)) } else { Ok(order) }
    }

    /// Whether DESC follows; ASC is the default.
    fn direction(&mut self) -> bool {
        let descending = self.accept(Kind::Desc);
        if !descending {
            self.accept(Kind::Asc);
        }
        descending
    }
}

/// A name, unless it is empty.
fn given(name: String) -> Option<String> {
    Some(name).filter(|name| !name.is_empty())
}

/// The operator that makes an expression a condition, if any. Of several, InfluxDB names the last it meets, and it
/// does not look below the first on its way down.
fn condition_op(expr: &Expr) -> Option<BinaryOp> {
    match expr {
        Expr::Paren(inner) => condition_op(inner),
        Expr::Call(call) => call.args.iter().rev().find_map(condition_op),
        Expr::Chain(chain) => {
            let outermost = chain.rest.last().map(|&(op, _)| op)?;
            if outermost.precedence() <= BinaryOp::Equal.precedence() {
                return Some(outermost);
            }
            let operands = chain.rest.iter().rev().map(|(_, operand)| operand).chain([&chain.first]);
            operands.into_iter().find_map(condition_op)
        }
        _ => None,
    }
}

fn misplaced(op: BinaryOp, first: Position) -> ParseError {
    if !FULL {
        return ParseError::beyond();
    }
    // The position is in the middle of the text here.
    let mut error = ParseError::at(["invalid operator ", op.symbol(), " in SELECT clause"].concat(), first);
    error.text.push_str("; operator is intended for WHERE clause");
    error
}
