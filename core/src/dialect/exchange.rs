//! A request and the conversation that answers it.
//!
//! A host makes an [`ApiRequest`], calls [`route::open`](super::route::open) and then turns the [`Exchange`] until it is
//! done: it reads byte ranges when asked, submits writes and commands to its store and reports how they went, and sends
//! the head and the chunks on. So status codes, headers and error bodies are the engine's, over a socket and in a page.

use super::datadog;
use super::errand::{Errand, ErrandError, Told};
use super::facette::Mapping;
use super::running::RunningQueries;
use super::sealer::Sealer;
use crate::auth::Vault;
use crate::exec::{Budget, QueryStats};
use crate::limits::Limits;
use crate::model::WriteBatch;
use crate::store::{ByteRange, Snapshot, WriteError, Written};
use crate::time::Timestamp;
use bytes::Bytes;
use std::sync::Arc;

/// An HTTP request, already unpacked and within the host's body limit: gzip is undone.
#[derive(Clone, Debug)]
pub struct ApiRequest {
    /// Upper case.
    pub method: String,
    /// Percent-decoded is the dialect's job; this is the raw path, without query.
    pub path: String,
    /// Raw, without the question mark.
    pub query: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Bytes,
    /// Read once by the host for the whole request.
    pub now: Timestamp,
    /// For request ids: unique per request, given by the host.
    pub request_id: String,
    /// Random bytes of the host's, fit for secrets and new for every request: ids and salts come from here.
    pub entropy: [u8; 32],
}

impl ApiRequest {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }
}

/// What the APIs need to know of the installation. One for all requests.
#[derive(Clone, Debug)]
pub struct ApiConfig {
    pub limits: Limits,
    /// What InfluxDB's clients are told. They compare it: it begins with `1.8`.
    pub influx_version: String,
    pub datadog: datadog::Settings,
    /// How Facette's names stand for series.
    pub facette: Mapping,
    /// Callers must say who they are. Otherwise everybody may do everything, and credentials are not looked at.
    pub authentication: bool,
    /// Hashes and signatures, of a host that keeps users.
    pub vault: Option<Arc<dyn Vault>>,
    /// What keeps the secrets of data sources; without one none can be stored.
    pub sealer: Option<Arc<dyn Sealer>>,
    pub data_sources: DataSourceConfig,
    /// What is being answered just now, so that it can be listed and stopped.
    pub queries: RunningQueries,
    /// What the host knows of its process.
    pub facts: Option<Arc<dyn HostFacts>>,
}

/// What data sources need to know of the installation.
#[derive(Clone, Debug)]
pub struct DataSourceConfig {
    /// What Grafana's clients are told. They compare it: it begins with three numbers, and text after a hyphen is cut.
    pub version: String,
    /// `host:port` under which this server is reached: a data source with such an address is this very engine.
    pub own_addresses: Vec<String>,
    /// `host:port` that data sources may have; empty allows all.
    pub allowed: Vec<String>,
    /// Seconds that a call to a data source may take when the data source does not say.
    pub timeout_secs: u64,
    /// Bytes that one answer of a data source may have.
    pub max_answer: u64,
}

impl Default for DataSourceConfig {
    fn default() -> Self {
        Self {
            version: "11.5.0-isopoint".to_owned(),
            own_addresses: Vec::new(),
            allowed: Vec::new(),
            timeout_secs: 30,
            max_answer: 64 << 20,
        }
    }
}

/// What only a host knows: its process and its counters.
pub trait HostFacts: Send + Sync + std::fmt::Debug {
    fn started(&self) -> Timestamp;

    /// The command line, secrets left out.
    fn arguments(&self) -> Vec<String>;

    /// Memory that the process holds.
    fn resident_bytes(&self) -> u64;

    /// Counters, by name and tags.
    fn statistics(&self) -> Vec<Statistic>;

    /// What a person who asks for help is asked for: modules of named texts.
    fn diagnostics(&self) -> Vec<(&'static str, Vec<(&'static str, String)>)>;
}

/// Counters of one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statistic {
    pub name: &'static str,
    /// In key order.
    pub tags: Vec<(&'static str, String)>,
    /// In the order of names.
    pub values: Vec<(&'static str, u64)>,
}

impl Default for ApiConfig {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            influx_version: "1.8.10-isopoint".to_owned(),
            datadog: datadog::Settings::default(),
            sealer: None,
            data_sources: DataSourceConfig::default(),
            facette: Mapping::default(),
            authentication: false,
            vault: None,
            queries: RunningQueries::default(),
            facts: None,
        }
    }
}

/// Status and headers of an answer. `Date`, `Content-Length`, `Content-Encoding` and transfer framing are the host's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    /// The whole body is at hand: the host sends `Content-Length`. Otherwise it sends chunks as they come.
    pub complete: bool,
}

/// What an exchange wants or has to say next.
#[derive(Debug)]
pub enum Turn {
    /// Comes once, before any chunk.
    Head(Head),
    Chunk(Bytes),
    /// Read these, then [`Exchange::supply`].
    Read(Vec<ByteRange>),
    /// Give this to the store, wait for its acknowledgement, then [`Exchange::wrote`].
    Write {
        database: String,
        policy: Option<String>,
        batch: Box<WriteBatch>,
    },
    /// The same for a command: `CREATE DATABASE` and kin.
    Command(crate::catalog::Command),
    /// Do all of these at the same time, then [`Exchange::told`].
    Ask(Vec<Errand>),
    /// Some work was done; turn again when it suits.
    Yield,
    Done(QueryStats),
}

/// One request being answered. Dropping it cancels it.
pub trait Exchange: Send {
    fn turn(&mut self, budget: Budget) -> Turn;

    /// The bytes asked for by [`Turn::Read`], in the order asked. `Err` is the host's words for a failed read.
    fn supply(&mut self, bytes: Result<Vec<Bytes>, String>);

    /// The host's patience ends: the next turn should say so, if there is still a way to. An exchange that goes on is cut
    /// off.
    fn expire(&mut self) {}

    /// How a [`Turn::Write`] or [`Turn::Command`] went, and the store as it is now.
    fn wrote(&mut self, outcome: Result<Written, WriteError>, snapshot: Snapshot);

    /// How the errands of a [`Turn::Ask`] went, in the order asked.
    fn told(&mut self, _outcomes: Vec<Result<Told, ErrandError>>) {}
}

/// An answer that is known at once: a head, a body, nothing else.
#[derive(Debug)]
pub struct Reply {
    head: Option<Head>,
    body: Bytes,
}

impl Reply {
    pub fn new(status: u16, headers: Vec<(String, String)>, body: impl Into<Bytes>) -> Self {
        Self { head: Some(Head { status, headers, complete: true }), body: body.into() }
    }
}

impl Exchange for Reply {
    fn turn(&mut self, _budget: Budget) -> Turn {
        if let Some(head) = self.head.take() {
            return Turn::Head(head);
        }
        match std::mem::take(&mut self.body) {
            body if body.is_empty() => Turn::Done(QueryStats::default()),
            body => Turn::Chunk(body),
        }
    }

    fn supply(&mut self, _bytes: Result<Vec<Bytes>, String>) {}

    fn wrote(&mut self, _outcome: Result<Written, WriteError>, _snapshot: Snapshot) {}
}
