//! Query languages by name, for whoever passes a text on without knowing the dialect that it is of.

use super::exchange::ApiConfig;
use super::{datadog, facette, influx};
use crate::auth::Principal;
use crate::exec::Budget;
use crate::model::Frame;
use crate::store::{ByteRange, Snapshot};
use crate::time::Timestamp;
use bytes::Bytes;

/// A query in some language over a frozen view of the store.
#[derive(Debug)]
pub struct Question<'a> {
    pub text: &'a str,
    pub database: Option<&'a str>,
    /// The range looked at, in milliseconds, both ends included: for languages whose texts have none.
    pub from_millis: i64,
    pub to_millis: i64,
    pub snapshot: Snapshot,
    /// About how many points of a series are wanted: for languages that thin them out and do not say how far.
    pub points: u64,
    pub now: Timestamp,
    pub config: &'a ApiConfig,
    /// Whose rights the query has.
    pub principal: &'a Principal,
}

/// A query being answered. It only reads.
pub trait Inquiry: Send {
    fn turn(&mut self, budget: Budget) -> InquiryTurn;

    /// The bytes asked for, in their order.
    fn supply(&mut self, bytes: Result<Vec<Bytes>, String>);
}

#[derive(Debug)]
pub enum InquiryTurn {
    Frame(Frame),
    Read(Vec<ByteRange>),
    Yield,
    /// In the language's own words. Nothing follows.
    Failed(String),
    Done,
}

/// How a language begins to answer; the error is its own words.
pub type Ask = fn(&Question<'_>) -> Result<Box<dyn Inquiry>, String>;

const LANGUAGES: &[(&str, Ask)] = &[("influxql", influx::ask), ("datadog", datadog::ask), ("facette", facette::ask)];

/// `None`: no such language.
pub fn find(name: &str) -> Option<Ask> {
    LANGUAGES.iter().find(|(known, _)| *known == name).map(|(_, ask)| *ask)
}
