//! Expressions, names and durations.

use super::{Kind, ParseError, Parser, Result, limit};
use crate::dialect::influx::ast::{BinaryOp, Call, Cast, Chain, Expr, Regex, WildcardOf, quoted_path};
use crate::extent::FULL;
use crate::number::parse_f64;
use crate::time::{
    NANOS_PER_DAY, NANOS_PER_HOUR, NANOS_PER_MICRO, NANOS_PER_MILLI, NANOS_PER_MINUTE, NANOS_PER_SEC, NANOS_PER_WEEK,
};

/// Operators in one expression. A plan nests each in the next, and evaluates them so: a page's stack has 1 MB.
const MAX_OPERATORS: u32 = 2_000;

/// A chain whose last operand is still being read.
struct OpenChain {
    first: Expr,
    rest: Vec<(BinaryOp, Expr)>,
    op: BinaryOp,
}

impl OpenChain {
    fn new(first: Expr, op: BinaryOp) -> Self {
        match first {
            // The run goes on.
            Expr::Chain(chain) if chain.precedence() == op.precedence() => {
                let Chain { first, rest } = *chain;
                Self { first, rest, op }
            }
            first => Self { first, rest: Vec::new(), op },
        }
    }

    fn close(mut self, last: Expr) -> Expr {
        self.rest.push((self.op, last));
        Expr::Chain(Box::new(Chain { first: self.first, rest: self.rest }))
    }
}

impl Parser<'_> {
    /// An expression; recursion only for what stands in parentheses.
    pub(super) fn expr(&mut self) -> Result<Expr> {
        self.enter()?;
        if self.depth == 1 {
            self.operators = 0;
        }
        // Open chains, of rising precedence: at most one per level.
        let mut open: Vec<OpenChain> = Vec::new();
        let mut operand = self.operand()?;
        loop {
            let Some(op) = binary_op(self.next()) else {
                self.unscan();
                break;
            };
            if !FULL && op == BinaryOp::Modulo {
                return Err(ParseError::beyond());
            }
            self.operators += 1;
            if self.operators > MAX_OPERATORS {
                return Err(limit("query-operators", self.operators.into(), MAX_OPERATORS.into()));
            }
            let right = if matches!(op, BinaryOp::Match | BinaryOp::NotMatch) {
                Expr::Regex(self.required_regex()?)
            } else {
                self.operand()?
            };
            while let Some(chain) = open.pop_if(|chain| chain.op.precedence() >= op.precedence()) {
                operand = chain.close(operand);
            }
            open.push(OpenChain::new(operand, op));
            operand = right;
        }
        while let Some(chain) = open.pop() {
            operand = chain.close(operand);
        }
        self.leave();
        Ok(operand)
    }

    pub(super) fn required_regex(&mut self) -> Result<Regex> {
        match self.regex()? {
            Some(regex) => Ok(regex),
            None => Err(self.found_next("regex")),
        }
    }

    /// What stands between operators.
    fn operand(&mut self) -> Result<Expr> {
        match self.next() {
            Kind::Open => {
                let inner = self.expr()?;
                self.expect(Kind::Close)?;
                Ok(Expr::Paren(Box::new(inner)))
            }
            Kind::Ident => {
                let name = self.text().to_ascii_lowercase();
                if self.scan() == Kind::Open {
                    return self.call(name);
                }
                // The name is read once more, as the first of its dotted parts.
                self.unscan();
                self.unscan();
                self.variable()
            }
            Kind::Distinct => self.distinct(),
            Kind::String => Ok(Expr::String(self.text().to_owned())),
            Kind::Number => match parse_f64(self.text().as_bytes()) {
                Some(value) => Ok(Expr::Float(value)),
                None => Err(self.fail(&["unable to parse number"])),
            },
            Kind::Integer => match (self.text().parse(), self.text().parse()) {
                (Ok(value), _) => Ok(Expr::Integer(value)),
                (_, Ok(value)) => Ok(Expr::Unsigned(value)),
                _ => Err(self.fail(&["unable to parse integer"])),
            },
            Kind::True => Ok(Expr::Boolean(true)),
            Kind::False => Ok(Expr::Boolean(false)),
            Kind::DurationValue => parse_duration(self.text()).map(Expr::Duration).map_err(ParseError::new),
            Kind::Star => self.wildcard(),
            // Only a bound one comes as a token.
            Kind::Regex => self.compiled().map(Expr::Regex),
            Kind::BoundParam => Err(self.unbound()),
            Kind::Plus => self.signed(1),
            Kind::Minus => self.signed(-1),
            _ => Err(self.found("identifier, string, number, bool")),
        }
    }

    /// Why a parameter is still one.
    fn unbound(&self) -> ParseError {
        match self.text().strip_prefix('$').unwrap_or_else(|| self.text()) {
            "" => ParseError::new("empty bound parameter"),
            name => ParseError::new(["missing parameter: ", name].concat()),
        }
    }

    /// What follows a sign.
    fn signed(&mut self, sign: i64) -> Result<Expr> {
        if !matches!(self.next(), Kind::Number | Kind::Integer | Kind::DurationValue | Kind::Open | Kind::Ident) {
            return Err(self.found("identifier, number, duration, ("));
        }
        self.unscan();
        Ok(match self.operand()? {
            Expr::Float(value) => Expr::Float(if sign < 0 { -value } else { value }),
            Expr::Integer(value) => Expr::Integer(value.wrapping_mul(sign)),
            Expr::Duration(value) => Expr::Duration(value.wrapping_mul(sign)),
            Expr::Unsigned(value) if sign < 0 => match 0i64.checked_sub_unsigned(value) {
                Some(value) => Expr::Integer(value),
                None => {
                    let text = ["constant -", &value.to_string(), " underflows int64"].concat();
                    return Err(ParseError::new(text));
                }
            },
            value @ Expr::Unsigned(_) => value,
            value => {
                let rest = vec![(BinaryOp::Multiply, value)];
                Expr::Chain(Box::new(Chain { first: Expr::Integer(sign), rest }))
            }
        })
    }

    fn wildcard(&mut self) -> Result<Expr> {
        if self.scan() != Kind::DoubleColon {
            self.unscan();
            return Ok(Expr::Wildcard(None));
        }
        match self.scan() {
            Kind::Field => Ok(Expr::Wildcard(Some(WildcardOf::Field))),
            Kind::Tag => Ok(Expr::Wildcard(Some(WildcardOf::Tag))),
            _ => Err(self.found("field, tag")),
        }
    }

    fn distinct(&mut self) -> Result<Expr> {
        match self.scan() {
            Kind::Open => self.call("distinct".to_owned()),
            Kind::Space => self.ident().map(Expr::Distinct),
            _ => Err(self.found("(, identifier")),
        }
    }

    fn variable(&mut self) -> Result<Expr> {
        let name = self.path()?.join(".");
        if self.scan() != Kind::DoubleColon {
            self.unscan();
            return Ok(Expr::Variable { name, cast: None });
        }
        let cast = match self.scan() {
            Kind::Field => Cast::Field,
            Kind::Tag => Cast::Tag,
            Kind::Ident => {
                let named = [Cast::Float, Cast::Integer, Cast::Unsigned, Cast::String, Cast::Boolean]
                    .into_iter()
                    .find(|cast| cast.name().eq_ignore_ascii_case(self.text()));
                named.ok_or_else(|| self.found("float, integer, unsigned, string, boolean, field, tag"))?
            }
            _ => return Err(self.found("float, integer, string, boolean, field, tag")),
        };
        Ok(Expr::Variable { name, cast: Some(cast) })
    }

    /// The arguments of a call, after its `(`.
    fn call(&mut self, name: String) -> Result<Expr> {
        self.enter()?;
        let mut args = Vec::new();
        match self.regex()? {
            Some(regex) => args.push(Expr::Regex(regex)),
            None => {
                if self.scan() == Kind::Close {
                    self.leave();
                    return Ok(Expr::Call(Call { name, args }));
                }
                self.unscan();
                args.push(self.expr()?);
            }
        }
        while self.accept(Kind::Comma) {
            args.push(self.regex_or_expr()?);
        }
        if self.scan() != Kind::Close {
            return Err(self.found(")"));
        }
        self.leave();
        Ok(Expr::Call(Call { name, args }))
    }

    pub(super) fn regex_or_expr(&mut self) -> Result<Expr> {
        match self.regex()? {
            Some(regex) => Ok(Expr::Regex(regex)),
            None => self.expr(),
        }
    }

    /// Names joined by dots, at most three; `a..b` has an empty one between. Ends after a dot that a `/` or `:`
    /// follows.
    pub(super) fn path(&mut self) -> Result<Vec<String>> {
        let mut path = vec![self.ident()?];
        loop {
            if self.scan() != Kind::Dot {
                self.unscan();
                break;
            }
            match self.lexer.peek() {
                '/' | ':' => break,
                '.' => path.push(String::new()),
                _ => path.push(self.ident()?),
            }
        }
        if path.len() > 3 {
            if !FULL {
                return Err(ParseError::beyond());
            }
            let text = ["too many segments in ", &quoted_path(&path)].concat();
            return Err(ParseError::at(text, Default::default()));
        }
        Ok(path)
    }

    /// A duration, or `INF`, which is 0.
    pub(super) fn duration_or_inf(&mut self) -> Result<i64> {
        match self.next() {
            Kind::Inf => Ok(0),
            Kind::DurationValue => self.duration_read(),
            _ => Err(self.found("duration")),
        }
    }

    pub(super) fn duration(&mut self) -> Result<i64> {
        self.expect_as(Kind::DurationValue, "duration")?;
        self.duration_read()
    }

    fn duration_read(&self) -> Result<i64> {
        parse_duration(self.text()).map_err(|why| self.fail(&[&why]))
    }
}

const fn binary_op(kind: Kind) -> Option<BinaryOp> {
    Some(match kind {
        Kind::Or => BinaryOp::Or,
        Kind::And => BinaryOp::And,
        Kind::Equal => BinaryOp::Equal,
        Kind::NotEqual => BinaryOp::NotEqual,
        Kind::Match => BinaryOp::Match,
        Kind::NotMatch => BinaryOp::NotMatch,
        Kind::Less => BinaryOp::Less,
        Kind::LessEqual => BinaryOp::LessEqual,
        Kind::Greater => BinaryOp::Greater,
        Kind::GreaterEqual => BinaryOp::GreaterEqual,
        Kind::Plus => BinaryOp::Add,
        Kind::Minus => BinaryOp::Subtract,
        Kind::Bar => BinaryOp::BitOr,
        Kind::Caret => BinaryOp::BitXor,
        Kind::Star => BinaryOp::Multiply,
        Kind::Slash => BinaryOp::Divide,
        Kind::Percent => BinaryOp::Modulo,
        Kind::Ampersand => BinaryOp::BitAnd,
        _ => return None,
    })
}

/// Nanoseconds of `1h30m` and the like: numbers, each with a unit, added up. The arithmetic wraps; a sum that ends up
/// negative is refused.
///
/// # Errors
/// InfluxDB's words, without a position.
pub fn parse_duration(text: &str) -> Result<i64, String> {
    let invalid = || "invalid duration".to_owned();
    let (mut rest, negative) = match text.strip_prefix('-') {
        Some(rest) => (rest, true),
        None => (text, false),
    };
    if text.len() < 2 {
        return Err(invalid());
    }
    let mut total = 0i64;
    let mut last = (0, "");
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|ch: char| ch.is_ascii_digit()).len();
        let (number, tail) = rest.split_at_checked(digits).unwrap_or_default();
        let number: i64 = number.parse().map_err(|_| invalid())?;
        let &(unit, nanos) = UNITS.iter().find(|(unit, _)| tail.starts_with(unit)).ok_or_else(invalid)?;
        total = total.wrapping_add(number.wrapping_mul(nanos));
        last = (number, unit);
        rest = tail.strip_prefix(unit).unwrap_or_default();
    }
    if total < 0 && !negative {
        let (number, unit) = last;
        let (number, advice) = (number.to_string(), ": choose a smaller duration or INF");
        return Err(["overflowed duration ", &number, unit, advice].concat());
    }
    Ok(if negative { total.wrapping_neg() } else { total })
}

/// `ms` before `m`, since the first that fits is taken.
const UNITS: [(&str, i64); 9] = [
    ("ns", 1),
    ("u", NANOS_PER_MICRO),
    ("µ", NANOS_PER_MICRO),
    ("ms", NANOS_PER_MILLI),
    ("m", NANOS_PER_MINUTE),
    ("s", NANOS_PER_SEC),
    ("h", NANOS_PER_HOUR),
    ("d", NANOS_PER_DAY),
    ("w", NANOS_PER_WEEK),
];
