//! Runs continuous queries when their time has come.

use crate::drive::Driver;
use crate::facts::{Counters, add};
use crate::host::{Host, clock};
use bytes::Bytes;
use isopoint_core::dialect::exchange::{ApiConfig, ApiRequest};
use isopoint_core::dialect::influx;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// Runs until the task is aborted. A run is kept before it begins: after a crash it is missed, not repeated, and the
/// next one takes its range as well.
pub(crate) async fn run(host: Arc<Host>, driver: Driver, config: Arc<ApiConfig>, counters: Arc<Counters>) {
    let mut clock_tick = interval(Duration::from_secs(1));
    clock_tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        clock_tick.tick().await;
        let request = ApiRequest {
            method: "POST".into(),
            path: "/query".into(),
            query: String::new(),
            headers: Vec::new(),
            body: Bytes::new(),
            now: clock::now(),
            request_id: String::new(),
            entropy: clock::entropy(),
        };
        let Some((ran, queries)) = influx::due(&request, &host.snapshot(), &config) else { continue };
        if let Err(error) = host.command(ran).await {
            tracing::debug!(%error, "continuous queries wait for the next second");
            continue;
        }
        for query in queries {
            let said = match driver.answer(query.exchange).await {
                Some(answer) => answer.body.collect().await.unwrap_or_default(),
                None => Bytes::new(),
            };
            // A statement that fails says so under status 200.
            let failed = said.is_empty() || said.windows(8).any(|part| part == b"\"error\":");
            add(if failed { &counters.continuous_failures } else { &counters.continuous_runs }, 1);
            let said = String::from_utf8_lossy(&said);
            if failed {
                tracing::warn!(query = query.name, answer = said.trim(), "a continuous query failed");
            } else {
                tracing::debug!(query = query.name, answer = said.trim(), "ran a continuous query");
            }
        }
    }
}
