//! A request's query as a tree.

use crate::plan::{Function, Measure};

/// An expression and where it began, as a byte of the query.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Expr {
    pub(super) at: usize,
    pub(super) kind: Kind,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Number(f64),
    Query(Box<Query>),
    Binary {
        op: Op,
        left: Box<Expr>,
        right: Box<Expr>,
    },
    Call {
        name: String,
        arguments: Vec<Argument>,
    },
    /// What a measure makes of all values in the window, as one value. Has no syntax.
    Measured {
        measure: Measure,
        of: Box<Expr>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    Add,
    Sub,
    Mul,
    Div,
}

impl Op {
    pub(super) const fn symbol(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Sub => "-",
            Self::Mul => "*",
            Self::Div => "/",
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Argument {
    Expr(Expr),
    /// In quotes, or a bare word.
    Text(String),
    /// `{a,b}`
    Keys(Vec<String>),
}

/// `avg:metric{scope} by {keys}.modifiers`
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Query {
    pub(super) aggregator: Option<Aggregator>,
    /// As written.
    pub(super) aggregator_text: Option<String>,
    pub(super) metric: String,
    pub(super) scope: Scope,
    /// In lower case, each once, in the order written.
    pub(super) by: Vec<String>,
    pub(super) modifiers: Modifiers,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Aggregator {
    Plain(Function),
    /// In ten-thousandths.
    Percentile(u32),
}

/// Which sources count.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Scope {
    All,
    /// All must hold.
    Tags(Vec<(bool, Tag)>),
    /// The condition and its text, white space collapsed.
    Boolean(Condition, String),
}

/// A tag to be matched, in lower case.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tag {
    pub(super) key: String,
    /// With stars for any run of characters; `None` is the bare tag.
    pub(super) value: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Condition {
    /// `*`
    Any,
    Tag(Tag),
    Not(Box<Self>),
    All(Vec<Self>),
    Either(Vec<Self>),
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Modifiers {
    pub(super) kind: Option<As>,
    pub(super) rollup: Option<Rollup>,
    pub(super) fill: Option<Fill>,
    pub(super) weighted: bool,
    /// All of them as written, without blanks between arguments.
    pub(super) text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum As {
    Count,
    Rate,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rollup {
    pub(super) method: Option<Function>,
    pub(super) width: Option<Width>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Width {
    Secs(i64),
    Calendar { unit: Unit, zone: Option<String> },
}

/// Calendar units, and where they begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// At this hour.
    Day { hour: u32 },
    /// On this day, 0 being Monday.
    Week { day: u32 },
    /// On this day, from 1; the last day of a shorter month.
    Month { day: u32 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fill {
    pub(super) method: crate::plan::ReachMethod,
    pub(super) limit_secs: i64,
}
