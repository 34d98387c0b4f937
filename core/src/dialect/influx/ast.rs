//! InfluxQL as data: what [`parse_query`](super::parse::parse_query) returns and the compiler reads.
//!
//! Every statement prints back as InfluxDB's normalised text: `to_string()` is what
//! warnings, `SHOW QUERIES` and `SHOW CONTINUOUS QUERIES` show, with passwords as `[REDACTED]`.
//!
//! Durations are nanoseconds in an `i64`. A name that was not given, or given as `""`, is `None` where InfluxDB means
//! "the default" by it. Nesting (parentheses, calls, subqueries) is bounded by the parser's depth limit, and a long
//! run of operators is flat ([`Chain`]), so a recursive walk of these types needs little stack.

mod print;
mod text;

use crate::catalog::NewName;
use std::ops::Range;

pub(super) use text::{plain_float, quoted_path};
pub use text::{write_duration, write_go_duration, write_ident};

#[derive(Clone, Debug, PartialEq)]
pub enum Statement {
    Select(Box<Select>),
    Explain {
        select: Box<Select>,
        analyze: bool,
    },
    /// `DELETE`: at least one of the two is given; sources have neither database nor rp.
    Delete {
        sources: Vec<Source>,
        condition: Option<Expr>,
    },
    /// `DELETE FIELD`, and with `drop` `DROP FIELD`, neither of which InfluxDB has: values of some fields, otherwise as
    /// [`Statement::Delete`].
    DeleteFields {
        fields: Vec<String>,
        drop: bool,
        sources: Vec<Source>,
        condition: Option<Expr>,
    },
    /// `RENAME MEASUREMENT`, `TAG` or `FIELD`, which InfluxDB does not have.
    Rename(NewName),
    /// `DROP SERIES`: as [`Statement::Delete`].
    DropSeries {
        sources: Vec<Source>,
        condition: Option<Expr>,
    },
    KillQuery {
        id: u64,
        host: Option<String>,
    },

    ShowContinuousQueries,
    ShowDatabases,
    ShowDiagnostics {
        module: Option<String>,
    },
    ShowGrants {
        user: String,
    },
    ShowQueries,
    ShowRetentionPolicies {
        database: Option<String>,
    },
    /// `SHOW MEASUREMENTS`, `SERIES`, `TAG KEYS`, `TAG VALUES`, `FIELD KEYS` and their cardinalities.
    ShowSchema(Box<ShowSchema>),
    ShowShardGroups,
    ShowShards,
    ShowStats {
        module: Option<String>,
    },
    ShowSubscriptions,
    ShowUsers,

    AlterRetentionPolicy {
        name: String,
        database: String,
        options: PolicyOptions,
        default: bool,
    },
    CreateContinuousQuery(Box<ContinuousQuery>),
    CreateDatabase {
        name: String,
        /// Some when `WITH` is written: the options of the database's first policy.
        policy: Option<FirstPolicy>,
    },
    /// `duration` and `replication` of the options are always given.
    CreateRetentionPolicy {
        name: String,
        database: String,
        options: PolicyOptions,
        default: bool,
    },
    CreateSubscription {
        name: String,
        database: String,
        rp: String,
        mode: SubscriptionMode,
        destinations: Vec<String>,
    },
    CreateUser {
        name: String,
        password: Secret,
        admin: bool,
    },
    SetPassword {
        user: String,
        password: Secret,
    },

    DropContinuousQuery {
        name: String,
        database: String,
    },
    DropDatabase {
        name: String,
    },
    DropMeasurement {
        name: String,
    },
    DropRetentionPolicy {
        name: String,
        database: String,
    },
    DropShard {
        id: u64,
    },
    DropSubscription {
        name: String,
        database: String,
        rp: String,
    },
    DropUser {
        name: String,
    },

    Grant {
        privilege: Privilege,
        database: String,
        user: String,
    },
    GrantAdmin {
        user: String,
    },
    Revoke {
        privilege: Privilege,
        database: String,
        user: String,
    },
    RevokeAdmin {
        user: String,
    },
}

impl Statement {
    /// The password it sets, if it does.
    pub fn secret(&self) -> Option<&Secret> {
        match self {
            Self::CreateUser { password, .. } | Self::SetPassword { password, .. } => Some(password),
            _ => None,
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Select {
    pub fields: Vec<Field>,
    pub target: Option<Target>,
    pub sources: Vec<Source>,
    pub condition: Option<Expr>,
    /// `GROUP BY`: tags, regexes, `*` and `time(…)` calls as written.
    pub dimensions: Vec<Expr>,
    pub fill: Fill,
    /// `fill(previous, d)`: how far before the range a value may lie, in nanoseconds. Not InfluxQL.
    pub fill_reach: i64,
    pub order: Option<Order>,
    pub sort: Option<ColumnOrder>,
    /// 0 means no limit, as InfluxDB has it.
    pub limit: u64,
    pub offset: u64,
    pub slimit: u64,
    pub soffset: u64,
    /// The zone's name as written in `tz('…')`; the compiler looks it up.
    pub zone: Option<String>,
}

impl Select {
    /// Calls `visit` with the database and the policy of every measurement the query names, so that missing ones can
    /// be filled in: the target first, then the sources, those of a subquery in its place.
    pub fn qualify<E>(
        &mut self,
        visit: &mut dyn FnMut(&mut Option<String>, &mut Option<String>) -> Result<(), E>,
    ) -> Result<(), E> {
        if let Some(target) = &mut self.target {
            visit(&mut target.database, &mut target.rp)?;
        }
        for source in &mut self.sources {
            match source {
                Source::Measurement(measurement) => visit(&mut measurement.database, &mut measurement.rp)?,
                Source::Subquery(select) => select.qualify(visit)?,
            }
        }
        Ok(())
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    pub expr: Expr,
    pub alias: Option<String>,
}

/// Where `INTO` writes. `name` is `None` for `:MEASUREMENT`, the name of the source.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Target {
    pub database: Option<String>,
    pub rp: Option<String>,
    pub name: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    Measurement(Measurement),
    Subquery(Box<Select>),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Measurement {
    pub database: Option<String>,
    pub rp: Option<String>,
    pub name: NameMatch,
}

/// One name, or all that a regex matches.
#[derive(Clone, Debug, PartialEq)]
pub enum NameMatch {
    Name(String),
    Regex(Regex),
}

/// `fill(…)`. `fill(null)` and no `fill` at all are the same.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Fill {
    #[default]
    Null,
    None,
    Integer(i64),
    Float(f64),
    Previous,
    Linear,
}

/// `ORDER BY`: only time can be ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// Whether `time` is written: `ORDER BY DESC` is legal, and prints as such.
    pub named: bool,
    pub descending: bool,
}

/// `ORDER BY value(column)`: rows of each series by a column of the answer. Not InfluxQL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnOrder {
    pub column: String,
    pub descending: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct ShowSchema {
    pub what: Schema,
    /// Some for `SHOW … CARDINALITY`.
    pub cardinality: Option<Cardinality>,
    pub database: Option<String>,
    /// `WITH MEASUREMENT`, of [`Schema::Measurements`] only.
    pub measurement: Option<MeasurementFilter>,
    pub sources: Vec<Source>,
    /// `WITH KEY`, of [`Schema::TagValues`] only, where it is always given.
    pub key: Option<KeyFilter>,
    pub condition: Option<Expr>,
    /// Of cardinalities only.
    pub dimensions: Vec<Expr>,
    pub order: Option<Order>,
    pub limit: u64,
    pub offset: u64,
    pub slimit: u64,
    pub soffset: u64,
}

impl ShowSchema {
    /// Without any clause.
    pub fn new(what: Schema) -> Self {
        Self {
            what,
            cardinality: None,
            database: None,
            measurement: None,
            sources: Vec::new(),
            key: None,
            condition: None,
            dimensions: Vec::new(),
            order: None,
            limit: 0,
            offset: 0,
            slimit: 0,
            soffset: 0,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schema {
    Measurements,
    Series,
    TagKeys,
    TagValues,
    FieldKeys,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cardinality {
    Estimated,
    Exact,
}

/// `WITH MEASUREMENT = source` or `=~ regex`.
#[derive(Clone, Debug, PartialEq)]
pub struct MeasurementFilter {
    pub op: BinaryOp,
    pub source: Source,
}

/// `WITH KEY …`.
#[derive(Clone, Debug, PartialEq)]
pub enum KeyFilter {
    Equal(String),
    NotEqual(String),
    Match(Regex),
    NotMatch(Regex),
    In(Vec<String>),
}

/// What `CREATE` and `ALTER RETENTION POLICY` may set. A duration of 0 is `INF`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PolicyOptions {
    pub duration: Option<i64>,
    pub replication: Option<i32>,
    /// 0: chosen by the duration.
    pub shard_duration: Option<i64>,
}

/// `CREATE DATABASE … WITH …`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FirstPolicy {
    pub options: PolicyOptions,
    pub name: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct ContinuousQuery {
    pub name: String,
    pub database: String,
    pub every: Option<i64>,
    pub r#for: Option<i64>,
    /// Has a target; its dimensions hold a `time(…)` unless it is a raw query.
    pub select: Select,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubscriptionMode {
    All,
    Any,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Privilege {
    Read,
    Write,
    All,
}

/// A password, and where its token stands in the query's text (bytes), so that whoever shows the text can leave it
/// out.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    pub text: String,
    pub span: Range<usize>,
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[REDACTED]")
    }
}

#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// A field, a tag or `time`; the parts of a dotted name are joined by dots.
    Variable {
        name: String,
        cast: Option<Cast>,
    },
    /// `*`, `*::field`, `*::tag`.
    Wildcard(Option<WildcardOf>),
    /// `DISTINCT name` (written without parentheses).
    Distinct(String),
    Call(Call),
    Chain(Box<Chain>),
    Paren(Box<Self>),
    Regex(Regex),
    String(String),
    Integer(i64),
    /// A whole number above `i64::MAX`.
    Unsigned(u64),
    Float(f64),
    /// Nanoseconds.
    Duration(i64),
    Boolean(bool),
}

/// A left-associative run of operators of one precedence: `first op₁ e₁ op₂ e₂ …` means `((first op₁ e₁) op₂ e₂) …`.
/// Operators that bind tighter are in the operands. `-x` on anything but a literal is the chain `-1 * x`.
#[derive(Clone, Debug, PartialEq)]
pub struct Chain {
    pub first: Expr,
    /// Never empty; all of one [`BinaryOp::precedence`].
    pub rest: Vec<(BinaryOp, Expr)>,
}

impl Chain {
    /// Of its operators.
    pub fn precedence(&self) -> u8 {
        self.rest.first().map_or(0, |(op, _)| op.precedence())
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// In lower case.
    pub name: String,
    pub args: Vec<Expr>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cast {
    Float,
    Integer,
    Unsigned,
    String,
    Boolean,
    Field,
    Tag,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WildcardOf {
    Field,
    Tag,
}

/// The source text between the slashes, `\/` read as `/`. It was checked to compile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Regex {
    pub source: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BinaryOp {
    Or,
    And,
    Equal,
    NotEqual,
    Match,
    NotMatch,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Add,
    Subtract,
    BitOr,
    BitXor,
    Multiply,
    Divide,
    Modulo,
    BitAnd,
}

impl BinaryOp {
    /// 1 (`OR`, binds loosest) to 5 (`*`).
    pub const fn precedence(self) -> u8 {
        match self {
            Self::Or => 1,
            Self::And => 2,
            Self::Equal
            | Self::NotEqual
            | Self::Match
            | Self::NotMatch
            | Self::Less
            | Self::LessEqual
            | Self::Greater
            | Self::GreaterEqual => 3,
            Self::Add | Self::Subtract | Self::BitOr | Self::BitXor => 4,
            Self::Multiply | Self::Divide | Self::Modulo | Self::BitAnd => 5,
        }
    }

    /// As written: `AND`, `=`, `+`, …
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Or => "OR",
            Self::And => "AND",
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Match => "=~",
            Self::NotMatch => "!~",
            Self::Less => "<",
            Self::LessEqual => "<=",
            Self::Greater => ">",
            Self::GreaterEqual => ">=",
            Self::Add => "+",
            Self::Subtract => "-",
            Self::BitOr => "|",
            Self::BitXor => "^",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Modulo => "%",
            Self::BitAnd => "&",
        }
    }
}

impl Cast {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Float => "float",
            Self::Integer => "integer",
            Self::Unsigned => "unsigned",
            Self::String => "string",
            Self::Boolean => "boolean",
            Self::Field => "field",
            Self::Tag => "tag",
        }
    }
}
