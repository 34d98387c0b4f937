//! What InfluxDB says when something is wrong: every wording and every status, in one place.
//!
//! [`RequestError`] answers a whole request with a status; [`StatementError`] stands inside a result, under status 200.

use super::ast::BinaryOp;
use super::params::ParamsError;
use super::parse::ParseError;
use crate::auth::LoginError;
use crate::catalog::CatalogError;
use crate::exec::QueryError;
use crate::extent::FULL;
use crate::limits::Exceeded;
use crate::store::{Refusal, WriteError};
use crate::value::FieldType;
use thiserror::Error;

/// Why a request has no other answer than an error.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum RequestError {
    #[error("missing required parameter \"q\"")]
    MissingQuery,
    #[error(transparent)]
    Params(#[from] ParamsError),
    #[error("error parsing query: {0}")]
    Parse(#[from] ParseError),
    #[error("{}", login_error(.0))]
    Login(LoginError),
    #[error("error authorizing query: create admin user first or disable authentication")]
    NoAdministrator,
    #[error("error authorizing query: {user} not authorized to execute statement '{statement}', requires {needs}")]
    Forbidden { user: String, statement: String, needs: String },
    #[error("user is required to write to database \"{0}\"")]
    WriteByNobody(String),
    #[error("\"{user}\" user is not authorized to write to database \"{database}\"")]
    WriteForbidden { user: String, database: String },
    #[error("invalid precision \"{given}\" (use {known})")]
    Precision { given: String, known: &'static str },
    #[error("invalid consistency level")]
    Consistency,
    #[error("database is required")]
    DatabaseRequired,
    #[error("database not found: \"{0}\"")]
    DatabaseNotFound(String),
    #[error("bucket name \"{0}\" is missing a slash; not in \"database/retention-policy\" format")]
    BucketWithoutDatabase(String),
    #[error("bucket name \"{0}\" is in db/rp form but has an empty database")]
    BucketEmptyDatabase(String),
    /// What of a body was not stored, as line protocol words it.
    #[error("{0}")]
    Points(String),
    #[error("{}", write_error(.0))]
    Write(WriteError),
    /// An answer that its format cannot express.
    #[error("json: unsupported value: {0}")]
    Unprintable(&'static str),
    /// The host could not take the body.
    #[error("{why}")]
    Body { status: u16, why: String },
}

impl RequestError {
    pub(super) const fn status(&self) -> u16 {
        match self {
            Self::DatabaseNotFound(_)
            | Self::BucketWithoutDatabase(_)
            | Self::BucketEmptyDatabase(_)
            | Self::Write(WriteError::DatabaseNotFound(_)) => 404,
            Self::Login(_) => 401,
            Self::NoAdministrator | Self::Forbidden { .. } | Self::WriteByNobody(_) | Self::WriteForbidden { .. } => {
                403
            }
            Self::Write(WriteError::Overloaded) => 503,
            Self::Write(_) => 500,
            Self::Unprintable(_) => 200,
            Self::Body { status, .. } => *status,
            _ => 400,
        }
    }
}

/// Why a statement has no result. `Display` is what stands in its `error`.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum StatementError {
    #[error("database name required")]
    DatabaseRequired,
    #[error("database not found: {0}")]
    DatabaseNotFound(String),
    #[error("retention policy not found: {0}")]
    PolicyNotFound(String),
    #[error("user not found")]
    UserNotFound,
    #[error("invalid subscription URL: {0}")]
    SubscriptionUrl(String),
    #[error("no such query id: {0}")]
    NoSuchQuery(u64),
    #[error("query interrupted")]
    Interrupted,
    #[error("query-timeout limit exceeded")]
    TimedOut,
    #[error("max-concurrent-queries limit exceeded({running}, {allowed})")]
    TooManyQueries { running: u64, allowed: u64 },
    #[error("not executed")]
    NotExecuted,
    #[error("invalid measurement")]
    InvalidMeasurement,
    /// A text that InfluxDB prints as it is.
    #[error("{0}")]
    Fixed(&'static str),
    /// The same, with what it says of the statement.
    #[error("{0}")]
    Words(String),
    #[error("shard {0}: fields not supported in WHERE clause during deletion")]
    FieldInDelete(u64),
    /// Part of the language that is not built.
    #[error("{0} is not supported yet")]
    Unsupported(String),
    #[error("unable to use system source '{0}': use SHOW {1} instead")]
    SystemSource(String, &'static str),

    #[error("undefined function {0}()")]
    UndefinedFunction(String),
    #[error("invalid number of arguments for {function}, expected {expected}, got {got}")]
    ArgumentCount { function: String, expected: usize, got: usize },
    #[error("expected field argument in {0}()")]
    ArgumentField(String),
    #[error("unable to use tag wildcard in {0}()")]
    TagWildcard(String),
    #[error("unsupported expression with wildcard: {0}")]
    WildcardInExpression(String),
    #[error("unsupported expression with regex field: {0}")]
    RegexInExpression(String),
    /// Go's name of the iterator is part of the text that clients have seen for ten years.
    #[error("unsupported {function} iterator type: *query.{}InterruptIterator", .field_type.name())]
    Argument { function: &'static str, field_type: FieldType },
    #[error("type error: {expression}: incompatible types: {left} and {right}")]
    Types { expression: String, left: &'static str, right: &'static str },
    #[error("type error: {expression}: cannot use {} with an integer and unsigned literal", .op.symbol())]
    UnsignedLiteral { expression: String, op: BinaryOp },
    #[error("type error: {expression}: cannot use {} between an integer and unsigned, an explicit cast is required", .op.symbol())]
    UnsignedMix { expression: String, op: BinaryOp },

    #[error("invalid time dimension offset: '{0}'")]
    TimeOffset(String),
    #[error("right side of '{0}' must be a tag value string")]
    TagValueText(&'static str),
    #[error("invalid condition expression: {0}")]
    Condition(String),
    #[error("invalid function call in condition: {0}")]
    CallInCondition(String),
    #[error("invalid time comparison operator: {0}")]
    TimeOperator(&'static str),
    #[error("invalid operation: time and {0} are not compatible")]
    TimeOperand(&'static str),
    #[error("invalid timestamp string")]
    TimeString,
    #[error("time {0} underflows time literal")]
    TimeUnderflow(String),
    #[error("time {0} overflows time literal")]
    TimeOverflow(String),

    #[error("{}", query_error(.0))]
    Query(QueryError),
    #[error("max-select-buckets limit exceeded: ({asked}/{allowed})")]
    Buckets { asked: u64, allowed: u64 },
    #[error("{}", write_error(.0))]
    Write(WriteError),
}

impl StatementError {
    /// A text that InfluxDB prints as it is. An engine that is not [`FULL`] has no texts.
    #[inline(always)]
    pub(super) const fn fixed(text: &'static str) -> Self {
        if FULL { Self::Fixed(text) } else { Self::Query(QueryError::Beyond) }
    }
}

impl From<QueryError> for StatementError {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::Argument { function, field_type } => Self::Argument { function, field_type },
            other => Self::Query(other),
        }
    }
}

/// Why the store refused a point while it took the rest.
pub(super) fn refusal(refusal: &Refusal) -> String {
    match refusal {
        Refusal::FieldType { measurement, field, given, stored } => format!(
            "field type conflict: input field \"{field}\" on measurement \"{measurement}\" is type {given}, already \
             exists as type {stored}"
        ),
        Refusal::BeyondRetention => "points beyond retention policy".to_owned(),
        Refusal::FieldNamedTime { measurement } => {
            format!("invalid field name: input field \"time\" on measurement \"{measurement}\" is invalid")
        }
        Refusal::TagNamedTime { measurement } => {
            format!("invalid tag key: input tag \"time\" on measurement \"{measurement}\" is invalid")
        }
        Refusal::Limit(exceeded) => limit(exceeded),
    }
}

fn login_error(error: &LoginError) -> String {
    match error {
        LoginError::Missing => "unable to parse authentication credentials".to_owned(),
        LoginError::NoName => "username required".to_owned(),
        LoginError::Wrong => "authorization failed".to_owned(),
        LoginError::TokensOff => "bearer auth disabled".to_owned(),
        LoginError::UserNotFound => "user not found".to_owned(),
        LoginError::Token(error) => error.to_string(),
    }
}

fn write_error(error: &WriteError) -> String {
    match error {
        WriteError::DatabaseNotFound(name) => format!("database not found: \"{name}\""),
        WriteError::PolicyNotFound(name) => format!("retention policy not found: {name}"),
        WriteError::Catalog(error) => catalog_error(error),
        WriteError::Overloaded => "request throttled, queue full".to_owned(),
        WriteError::Poisoned(_) | WriteError::Host(_) => error.to_string(),
    }
}

fn catalog_error(error: &CatalogError) -> String {
    match error {
        CatalogError::DatabaseNotFound(name) => format!("database not found: {name}"),
        CatalogError::PolicyNotFound(name) => format!("retention policy not found: {name}"),
        CatalogError::InvalidName => "invalid name".to_owned(),
        CatalogError::NameTooLong => "name too long".to_owned(),
        CatalogError::PolicyExists => "retention policy already exists".to_owned(),
        CatalogError::PolicyConflicts => "retention policy conflicts with an existing policy".to_owned(),
        CatalogError::DurationTooLow => "retention policy duration must be at least 1h0m0s".to_owned(),
        CatalogError::DurationBelowShard => {
            "retention policy duration must be greater than the shard duration".to_owned()
        }
        CatalogError::NothingNamed(_) | CatalogError::NameTaken(_) | CatalogError::DocumentsChanged(_) => {
            error.to_string()
        }
    }
}

fn query_error(error: &QueryError) -> String {
    match error {
        QueryError::DatabaseNotFound(name) => format!("database not found: {name}"),
        QueryError::PolicyNotFound(name) => format!("retention policy not found: {name}"),
        QueryError::Limit(exceeded) => limit(exceeded),
        QueryError::Damaged { .. } | QueryError::Argument { .. } | QueryError::Beyond | QueryError::Host(_) => {
            error.to_string()
        }
    }
}

fn limit(exceeded: &Exceeded) -> String {
    match exceeded.limit {
        // InfluxDB's spelling.
        "max-select-point" => format!("max-select-point limit exceeed: ({}/{})", exceeded.asked, exceeded.allowed),
        _ => exceeded.to_string(),
    }
}
