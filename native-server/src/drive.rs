//! Turns an exchange until it is done: reads what it needs, stores what it writes, streams what it says.

use crate::grafana::client::Caller;
use crate::host::Host;
use bytes::Bytes;
use isopoint_core::dialect::errand::{Errand, ErrandError, Told};
use isopoint_core::dialect::exchange::{Exchange, Head, Turn};
use isopoint_core::exec::{Budget, QueryStats};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

/// Answers in progress at once; the rest wait their turn. Each holds at most a few chunks and its query's memory.
const AT_ONCE: usize = 32;
/// Chunks between the engine and a slow client.
const AHEAD: usize = 4;

/// Runs exchanges on worker threads.
#[derive(Clone)]
pub(crate) struct Driver {
    host: Arc<Host>,
    caller: Caller,
    places: Arc<Semaphore>,
    deadline: Duration,
}

/// A begun answer: its head, and where its chunks come from.
pub(crate) struct Answer {
    pub head: Head,
    pub body: mpsc::Receiver<Bytes>,
}

impl Driver {
    pub(crate) fn new(host: Arc<Host>, caller: Caller, deadline: Duration) -> Self {
        Self { host, caller, places: Arc::new(Semaphore::new(AT_ONCE)), deadline }
    }

    /// Runs until the head is known and goes on in the background. `None`: the exchange ended without a word, or it
    /// panicked, or took longer than the deadline.
    pub(crate) async fn answer(&self, exchange: Box<dyn Exchange>) -> Option<Answer> {
        let (head_sender, head) = tokio::sync::oneshot::channel();
        let (body_sender, body) = mpsc::channel(AHEAD);
        let driver = self.clone();
        tokio::spawn(async move { driver.run(exchange, head_sender, body_sender).await });
        Some(Answer { head: head.await.ok()?, body })
    }

    async fn run(
        self,
        mut exchange: Box<dyn Exchange>,
        head: tokio::sync::oneshot::Sender<Head>,
        body: mpsc::Sender<Bytes>,
    ) -> Option<QueryStats> {
        let mut place = Some(self.places.acquire().await.ok()?);
        let began = Instant::now();
        let mut head = Some(head);
        loop {
            let (turned, turn) = self.turn(exchange).await?;
            exchange = turned;
            match turn {
                Turn::Head(known) => {
                    let _ = head.take()?.send(known);
                }
                // The client has gone: dropping the exchange cancels it.
                Turn::Chunk(bytes) => body.send(bytes).await.ok()?,
                Turn::Read(ranges) => exchange.supply(self.host.read(&ranges)),
                Turn::Write { database, policy, batch } => {
                    let outcome = self.host.write(database, policy, batch).await;
                    exchange.wrote(outcome, self.host.snapshot());
                }
                Turn::Command(command) => {
                    let outcome = self.host.command(command).await;
                    exchange.wrote(outcome, self.host.snapshot());
                }
                Turn::Ask(errands) => {
                    // Others may be answered while this one waits for the world.
                    place.take();
                    let told = tokio::select! {
                        told = self.run_errands(errands, self.deadline.saturating_sub(began.elapsed())) => told,
                        () = gone(&mut head, &body) => return None,
                    };
                    place = Some(self.places.acquire().await.ok()?);
                    exchange.told(told);
                }
                Turn::Yield if body.is_closed() || began.elapsed() > self.deadline => return None,
                Turn::Yield => {}
                Turn::Done(stats) => return Some(stats),
            }
        }
    }

    /// All at the same time; what is not done by the deadline is told so.
    async fn run_errands(&self, errands: Vec<Errand>, limit: Duration) -> Vec<Result<Told, ErrandError>> {
        let late = ErrandError::Timeout { phase: "of the whole request", millis: self.deadline.as_millis() as u64 };
        let mut told = vec![Err(late); errands.len()];
        let mut running = JoinSet::new();
        for (at, errand) in errands.into_iter().enumerate() {
            let caller = self.caller.clone();
            running.spawn(async move { (at, caller.run(errand).await) });
        }
        // Leaving drops the set, which ends what still runs.
        let _ = tokio::time::timeout(limit, async {
            while let Some(done) = running.join_next().await {
                if let Ok((at, outcome)) = done {
                    told[at] = outcome;
                }
            }
        })
        .await;
        told
    }

    /// One turn on a thread that may be busy. `None` when it panicked: the request dies, the server does not.
    async fn turn(&self, mut exchange: Box<dyn Exchange>) -> Option<(Box<dyn Exchange>, Turn)> {
        let turned = tokio::task::spawn_blocking(move || {
            let turn = exchange.turn(Budget::SLICE);
            (exchange, turn)
        });
        turned.await.ok()
    }
}

/// Ends when nobody waits for the answer any more.
async fn gone(head: &mut Option<tokio::sync::oneshot::Sender<Head>>, body: &mpsc::Sender<Bytes>) {
    match head {
        Some(head) => head.closed().await,
        None => body.closed().await,
    }
}
