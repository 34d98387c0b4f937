//! The grammar of math expressions.
//!
//! From loose to tight: `||`, `&&`, comparisons, `+ -`, `* / %`, `**`, unary `! -`; all binary ones bind to the left.

/// Parentheses and signs inside each other, at most.
const MAX_DEPTH: usize = 64;
const MAX_TEXT: usize = 64 << 10;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Node {
    Number(f64),
    Null,
    Variable(String),
    Not(Box<Self>),
    Minus(Box<Self>),
    Binary(Operator, Box<Self>, Box<Self>),
    Call(Function, Box<Self>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    Or,
    And,
    Lt,
    Le,
    Gt,
    Ge,
    Eq,
    Ne,
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    Pow,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Function {
    Abs,
    Log,
    Round,
    Ceil,
    Floor,
    IsNan,
    IsInf,
    IsNull,
    IsNumber,
}

impl Node {
    /// The variables, each once, in the order they are named.
    pub(crate) fn variables(&self, out: &mut Vec<String>) {
        match self {
            Self::Number(_) | Self::Null => {}
            Self::Variable(name) => {
                if !out.contains(name) {
                    out.push(name.clone());
                }
            }
            Self::Not(inner) | Self::Minus(inner) | Self::Call(_, inner) => inner.variables(out),
            Self::Binary(_, left, right) => {
                left.variables(out);
                right.variables(out);
            }
        }
    }
}

/// Operators by how tightly they bind, the loosest first; of two that begin alike the longer first.
const LEVELS: [&[(&str, Operator)]; 6] = [
    &[("||", Operator::Or)],
    &[("&&", Operator::And)],
    &[
        ("<=", Operator::Le),
        (">=", Operator::Ge),
        ("==", Operator::Eq),
        ("!=", Operator::Ne),
        ("<", Operator::Lt),
        (">", Operator::Gt),
    ],
    &[("+", Operator::Add), ("-", Operator::Sub)],
    &[("*", Operator::Mul), ("/", Operator::Div), ("%", Operator::Mod)],
    &[("**", Operator::Pow)],
];

const FUNCTIONS: [(&str, Function); 9] = [
    ("abs", Function::Abs),
    ("log", Function::Log),
    ("round", Function::Round),
    ("ceil", Function::Ceil),
    ("floor", Function::Floor),
    ("is_nan", Function::IsNan),
    ("is_inf", Function::IsInf),
    ("is_null", Function::IsNull),
    ("is_number", Function::IsNumber),
];

pub(crate) fn parse(text: &str) -> Result<Node, String> {
    if text.len() > MAX_TEXT {
        return Err("the expression is too long".to_owned());
    }
    let mut parser = Parser { rest: text, links: 0 };
    let node = parser.level(0, 0)?;
    parser.skip_blanks();
    if parser.rest.is_empty() { Ok(node) } else { Err(format!("unexpected {:?}", first_chars(parser.rest))) }
}

struct Parser<'a> {
    rest: &'a str,
    /// Operators so far: each makes the tree deeper.
    links: usize,
}

fn first_chars(text: &str) -> String {
    text.chars().take(20).collect()
}

impl<'a> Parser<'a> {
    fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn take(&mut self, text: &str) -> bool {
        self.skip_blanks();
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn level(&mut self, level: usize, depth: usize) -> Result<Node, String> {
        let Some(operators) = LEVELS.get(level) else { return self.unary(depth) };
        let mut left = self.level(level + 1, depth)?;
        'chain: loop {
            self.skip_blanks();
            for (text, operator) in *operators {
                // A star alone is not the beginning of two.
                let power = *text == "*" && self.rest.starts_with("**");
                if !power && self.take(text) {
                    self.links += 1;
                    if self.links > 1000 {
                        return Err("the expression has too many operators".to_owned());
                    }
                    let right = self.level(level + 1, depth)?;
                    left = Node::Binary(*operator, Box::new(left), Box::new(right));
                    continue 'chain;
                }
            }
            return Ok(left);
        }
    }

    fn unary(&mut self, depth: usize) -> Result<Node, String> {
        if depth > MAX_DEPTH {
            return Err("the expression is nested too deeply".to_owned());
        }
        if self.take("!") {
            return Ok(Node::Not(Box::new(self.unary(depth + 1)?)));
        }
        if self.take("-") {
            return Ok(Node::Minus(Box::new(self.unary(depth + 1)?)));
        }
        if self.take("(") {
            let inner = self.level(0, depth + 1)?;
            return if self.take(")") { Ok(inner) } else { Err("missing )".to_owned()) };
        }
        if self.take("${") {
            let (name, rest) = self.rest.split_once('}').ok_or("missing } of a variable")?;
            self.rest = rest;
            return variable(name.trim());
        }
        if self.take("$") {
            return variable(self.word());
        }
        if self.rest.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
            return self.number();
        }
        let name = self.word();
        if name.is_empty() {
            return Err(match self.rest.is_empty() {
                true => "unexpected end".to_owned(),
                false => format!("unexpected {:?}", first_chars(self.rest)),
            });
        }
        if !self.take("(") {
            return Err(format!("function {name:?} without parentheses; variables begin with $"));
        }
        let constant = match name {
            "inf" => Some(Node::Number(f64::INFINITY)),
            "infn" => Some(Node::Number(f64::NEG_INFINITY)),
            "nan" => Some(Node::Number(f64::NAN)),
            "null" => Some(Node::Null),
            _ => None,
        };
        let node = match constant {
            Some(node) => node,
            None => {
                let function = FUNCTIONS.iter().find(|(known, _)| *known == name).map(|(_, function)| *function);
                let function = function.ok_or_else(|| format!("non existent function {name}"))?;
                Node::Call(function, Box::new(self.level(0, depth + 1)?))
            }
        };
        if self.take(")") { Ok(node) } else { Err(format!("missing ) of {name}")) }
    }

    fn word(&mut self) -> &'a str {
        let end = self.rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }

    /// Decimal with an exponent, or hexadecimal.
    fn number(&mut self) -> Result<Node, String> {
        let bytes = self.rest.as_bytes();
        let mut end = 0;
        while let Some(byte) = bytes.get(end) {
            let exponent_sign = matches!(byte, b'+' | b'-')
                && matches!(bytes.get(end - 1), Some(b'e' | b'E'))
                && !self.rest.starts_with("0x");
            if !(byte.is_ascii_alphanumeric() || *byte == b'.' || exponent_sign) {
                break;
            }
            end += 1;
        }
        let (text, rest) = self.rest.split_at(end);
        self.rest = rest;
        let value = match text.strip_prefix("0x") {
            Some(hex) => u64::from_str_radix(hex, 16).ok().map(|value| value as f64),
            None => text.parse().ok(),
        };
        value.map(Node::Number).ok_or_else(|| format!("bad number {text:?}"))
    }
}

fn variable(name: &str) -> Result<Node, String> {
    if name.is_empty() { Err("a variable without a name".to_owned()) } else { Ok(Node::Variable(name.to_owned())) }
}
