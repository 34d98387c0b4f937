//! The engine in this process: no socket, no clock, a disk in memory.

use super::Engine;
use crate::answer::{Answer, latin1};
use crate::case::{JWT_SECRET, Profile, Request};
use crate::memhost::MemHost;
use bytes::Bytes;
use hmac::{Hmac, Mac as _};
use isopoint_core::auth::Vault;
use isopoint_core::dialect::errand::{Errand, ErrandError, Told};
use isopoint_core::dialect::exchange::{ApiConfig, ApiRequest, Turn};
use isopoint_core::dialect::route;
use isopoint_core::exec::{Budget, Pool};
use isopoint_core::limits::Limits;
use isopoint_core::time::Timestamp;
use sha2::Sha256;
use std::sync::Arc;

/// One store and what the APIs know of it.
#[derive(Debug)]
pub struct Core {
    pub host: MemHost,
    config: Arc<ApiConfig>,
    requests: u64,
    budget: Budget,
}

/// What the clock says to a request that does not depend on it: 2026-01-01T00:00:00Z.
pub const NOW: i64 = 1_767_225_600_000_000_000;

impl Core {
    pub fn new(profile: Profile) -> Self {
        let limits = match profile {
            Profile::Default | Profile::Auth => Limits::default(),
            Profile::Limits => {
                Limits { max_row_limit: 5, max_select_series: 3, max_select_buckets: 10, ..Limits::default() }
            }
        };
        // Without users this is what a page has.
        let authentication = profile == Profile::Auth;
        let vault = authentication.then(|| Arc::new(Plain) as Arc<dyn Vault>);
        let config = ApiConfig { limits, authentication, vault, ..ApiConfig::default() };
        let config = Arc::new(config);
        Self { host: MemHost::default(), config, requests: 0, budget: Budget::UNBOUNDED }
    }

    /// Rows to look at in one turn; answers do not depend on it.
    pub fn with_budget(mut self, rows: u64) -> Self {
        self.budget = Budget::rows(rows);
        self
    }

    /// Threads to share queries out to; answers do not depend on them.
    pub fn with_pool(mut self, pool: &'static dyn Pool) -> Self {
        self.budget.pool = Some(pool);
        self
    }

    /// Answers one request to its end.
    pub fn exchange(&mut self, request: &Request, now: i64) -> Answer {
        let now = Timestamp::from_nanos(now);
        self.host.now = now;
        self.requests += 1;
        let request_id = format!("00000000-0000-1000-8000-{:012x}", self.requests);
        let mut entropy = [0; 32];
        // As a page's engine counts, which begins anew with every case.
        entropy[..8].copy_from_slice(&(self.requests - 1).to_be_bytes());
        let request = api_request(request, now, request_id, entropy);
        let is_head = request.method == "HEAD";
        let mut exchange = route::open(request, self.host.snapshot(), &self.config);
        let mut answer = Answer::default();
        loop {
            match exchange.turn(self.budget) {
                Turn::Head(head) => {
                    answer.status = head.status;
                    let header = |(name, value): (String, String)| (name, latin1(value.as_bytes()));
                    answer.headers = head.headers.into_iter().map(header).collect();
                }
                // What HTTP would not send either.
                Turn::Chunk(_) if is_head => {}
                Turn::Chunk(bytes) => answer.body.extend_from_slice(&bytes),
                Turn::Read(ranges) => exchange.supply(Ok(ranges.iter().map(|range| self.host.read(range)).collect())),
                Turn::Write { database, policy, batch } => {
                    let outcome = self.host.submit_to(&database, policy.as_deref(), *batch);
                    exchange.wrote(outcome, self.host.snapshot());
                }
                Turn::Command(command) => {
                    let outcome = self.host.command(command);
                    exchange.wrote(outcome, self.host.snapshot());
                }
                Turn::Ask(errands) => exchange.told(errands.iter().map(unanswered).collect()),
                Turn::Yield => {}
                Turn::Done(_) => return answer,
            }
        }
    }
}

/// Hashes that nobody should store, at once; tokens as everywhere.
#[derive(Debug)]
struct Plain;

impl Vault for Plain {
    fn hash_password(&self, password: &str, _salt: [u8; 16]) -> String {
        format!("plain {password}")
    }

    fn verify_password(&self, password: &str, hash: Option<&str>) -> bool {
        hash.is_some_and(|hash| hash.strip_prefix("plain ") == Some(password))
    }

    fn has_token_secret(&self) -> bool {
        true
    }

    fn verify_signature(&self, bits: u32, message: &[u8], signature: &[u8]) -> bool {
        let mac = Hmac::<Sha256>::new_from_slice(JWT_SECRET.as_bytes()).expect("any length will do");
        bits == 256 && mac.chain_update(message).verify_slice(signature).is_ok()
    }
}

impl Engine for Core {
    fn answer(&mut self, request: &Request, now: Option<i64>) -> Result<Answer, String> {
        let exchange = std::panic::AssertUnwindSafe(|| self.exchange(request, now.unwrap_or(NOW)));
        std::panic::catch_unwind(exchange).map_err(|_| format!("panicked at {}", request.brief()))
    }

    fn empty(&mut self) -> Result<(), String> {
        self.requests = 0;
        self.host = MemHost::default();
        Ok(())
    }

    fn has_clock(&self) -> bool {
        false
    }

    fn foreign_headers(&self) -> &[&str] {
        &["Content-Encoding"]
    }
}

/// There is no other server, and nothing waits.
fn unanswered(errand: &Errand) -> Result<Told, ErrandError> {
    match errand {
        Errand::Http(_) => Err(ErrandError::Unsupported),
        Errand::Wait { .. } => Ok(Told::Waited),
    }
}

fn api_request(request: &Request, now: Timestamp, request_id: String, entropy: [u8; 32]) -> ApiRequest {
    let (headers, body) = request.unpacked();
    let headers = headers.into_iter().map(|(name, value)| (name.to_lowercase(), value)).collect();
    let (method, path, query) = (request.method.clone(), request.path.clone(), request.query.clone());
    ApiRequest { method, path, query, headers, body: Bytes::from(body), now, request_id, entropy }
}
