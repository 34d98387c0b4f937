//! Turns an exchange until it is done: reads what it needs, stores what it writes, streams what it says.

use crate::audit::Audit;
use crate::facts::Counters;
use crate::grafana::client::Caller;
use crate::host::Host;
use crate::pool::Threads;
use crate::subscribers::{Copies, Subscribers};
use crate::who::Who;
use bytes::Bytes;
use isopoint_core::dialect::errand::{Errand, ErrandError, Told};
use isopoint_core::dialect::exchange::{Exchange, Head, Turn};
use isopoint_core::exec::{Budget, Pool, QueryStats};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::timeout_at;

/// Answers in progress at once of each kind, so that neither queries nor writes starve the other; the rest wait their
/// turn. Each holds at most a few chunks and its query's memory.
const AT_ONCE: usize = 16;
/// Answers of each kind that may wait; more are refused.
const WAITING: usize = 512;
/// How long an exchange whose time is over may take to say so.
const GRACE: Duration = Duration::from_secs(2);
/// How long an exchange goes on before anybody asks whether its client is still there.
const AT_A_STRETCH: Duration = Duration::from_millis(5);
/// Chunks between the engine and a slow client.
const AHEAD: usize = 4;

/// Runs exchanges on worker threads.
#[derive(Clone)]
pub(crate) struct Driver {
    host: Arc<Host>,
    caller: Caller,
    queries: Arc<Semaphore>,
    writes: Arc<Semaphore>,
    audit: Option<Arc<Audit>>,
    /// What queries share, if there is more than one thread.
    threads: Option<&'static Threads>,
    deadline: Duration,
    subscribers: Arc<Subscribers>,
    counters: Arc<Counters>,
}

/// A begun answer.
pub(crate) struct Answer {
    pub head: Head,
    pub body: AnswerBody,
}

/// The body of an answer.
pub(crate) enum AnswerBody {
    /// All of it was there as soon as the head.
    Whole(Bytes),
    /// As it comes.
    Pieces(mpsc::Receiver<Piece>),
}

/// What a body comes in. One that ends without saying so was cut off.
pub(crate) enum Piece {
    Bytes(Bytes),
    End,
}

impl AnswerBody {
    /// All of it; `None` if it was cut off.
    pub(crate) async fn collect(self) -> Option<Bytes> {
        let mut pieces = match self {
            Self::Whole(whole) => return Some(whole),
            Self::Pieces(pieces) => pieces,
        };
        let mut whole = Vec::new();
        loop {
            match pieces.recv().await? {
                Piece::Bytes(bytes) => whole.extend_from_slice(&bytes),
                Piece::End => return Some(whole.into()),
            }
        }
    }
}

/// Who waits for an answer.
struct Client {
    /// Until the head is sent.
    head: Option<oneshot::Sender<Head>>,
    pieces: mpsc::Sender<Piece>,
}

impl Client {
    fn is_gone(&self) -> bool {
        self.head.as_ref().map_or_else(|| self.pieces.is_closed(), oneshot::Sender::is_closed)
    }

    /// Ends when nobody waits for the answer any more.
    async fn gone(&mut self) {
        match &mut self.head {
            Some(head) => head.closed().await,
            None => self.pieces.closed().await,
        }
    }
}

/// Places for answers of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    Query,
    Write,
}

/// What is wanted to be known about an exchange besides its answer.
pub(crate) struct Order {
    pub lane: Lane,
    /// Whom the audit log names; `None` is the server itself.
    pub who: Option<Who>,
    /// Called when the answer is complete.
    pub done: Option<Box<dyn FnOnce(Duration, QueryStats) + Send>>,
}

impl Order {
    pub(crate) const OWN: Self = Self { lane: Lane::Query, who: None, done: None };

    fn complete(self, began: Instant, stats: QueryStats) {
        if let Some(done) = self.done {
            done(began.elapsed(), stats);
        }
    }
}

impl Driver {
    pub(crate) fn new(host: Arc<Host>, caller: Caller, counters: Arc<Counters>, deadline: Duration) -> Self {
        let subscribers = Subscribers::new(Arc::clone(&counters));
        let places = || Arc::new(Semaphore::new(AT_ONCE));
        Self {
            host,
            caller,
            queries: places(),
            writes: places(),
            audit: None,
            threads: None,
            deadline,
            subscribers,
            counters,
        }
    }

    /// The same, saying in the audit log what is changed.
    pub(crate) fn audited(self, audit: Arc<Audit>) -> Self {
        Self { audit: Some(audit), ..self }
    }

    /// The same, with threads that queries share.
    pub(crate) fn sharing(self, threads: Option<&'static Threads>) -> Self {
        Self { threads, ..self }
    }

    /// So many wait already that one more would only wait too long.
    pub(crate) fn is_full(&self, lane: Lane) -> bool {
        self.counters.waiting(lane) >= WAITING as u64
    }

    const fn places(&self, lane: Lane) -> &Arc<Semaphore> {
        match lane {
            Lane::Query => &self.queries,
            Lane::Write => &self.writes,
        }
    }

    async fn place(&self, lane: Lane) -> Option<OwnedSemaphorePermit> {
        let _waits = self.counters.wait(lane);
        Arc::clone(self.places(lane)).acquire_owned().await.ok()
    }

    /// For the server itself; see [`Self::answer_to`].
    pub(crate) async fn answer(&self, exchange: Box<dyn Exchange>) -> Option<Answer> {
        self.answer_to(exchange, Order::OWN).await
    }

    /// Runs until the head is known and goes on in the background. `None`: the exchange ended without a word, or it
    /// panicked, or took longer than the deadline.
    pub(crate) async fn answer_to(&self, exchange: Box<dyn Exchange>, order: Order) -> Option<Answer> {
        let place = self.place(order.lane).await?;
        let began = Instant::now();
        let (exchange, turns) = self.turns(exchange)?;
        if matches!(turns.as_slice(), [Turn::Head(_), .., Turn::Done(_)]) {
            return self.whole(turns, |stats| order.complete(began, stats));
        }
        let (head_sender, head) = oneshot::channel();
        let (sender, pieces) = mpsc::channel(AHEAD);
        let client = Client { head: Some(head_sender), pieces: sender };
        let driver = self.clone();
        tokio::spawn(async move {
            let Order { lane, who, .. } = &order;
            if let Some(stats) = driver.run(exchange, turns, began, (*lane, place), who.as_ref(), client).await {
                order.complete(began, stats);
            }
        });
        Some(Answer { head: head.await.ok()?, body: AnswerBody::Pieces(pieces) })
    }

    /// Most answers are done at once: their bodies need no pieces.
    fn whole(&self, turns: Vec<Turn>, done: impl FnOnce(QueryStats)) -> Option<Answer> {
        let (mut head, mut chunks) = (None, Vec::new());
        for turn in turns {
            match turn {
                Turn::Head(known) => head = Some(known),
                Turn::Chunk(bytes) => chunks.push(bytes),
                Turn::Done(stats) => {
                    done(stats);
                    break;
                }
                _ => {}
            }
        }
        let whole = if chunks.len() == 1 { chunks.remove(0) } else { chunks.concat().into() };
        self.counters.sent(whole.len());
        Some(Answer { head: head?, body: AnswerBody::Whole(whole) })
    }

    /// Goes on after the first turns. Returning drops the exchange, which cancels it and gives its memory back; without
    /// [`Piece::End`] the client then sees that its answer is cut off.
    async fn run(
        self,
        mut exchange: Box<dyn Exchange>,
        mut turns: Vec<Turn>,
        began: Instant,
        (lane, place): (Lane, OwnedSemaphorePermit),
        who: Option<&Who>,
        mut client: Client,
    ) -> Option<QueryStats> {
        let mut place = Some(place);
        let end = began + self.deadline + GRACE;
        let mut is_late = false;
        loop {
            if !is_late && began.elapsed() > self.deadline {
                exchange.expire();
                is_late = true;
            }
            for turn in turns {
                match turn {
                    Turn::Head(known) => {
                        let _ = client.head.take()?.send(known);
                    }
                    Turn::Chunk(bytes) => {
                        self.counters.sent(bytes.len());
                        // One that takes nothing is not waited for any longer than one that asks for much.
                        timeout_at(end.into(), client.pieces.send(Piece::Bytes(bytes))).await.ok()?.ok()?;
                    }
                    Turn::Read(ranges) => exchange.supply(self.host.read(&ranges)),
                    Turn::Write { database, policy, batch } => {
                        let copies = Copies::of(&self.host.snapshot(), &database, policy.as_deref(), &batch);
                        let outcome = self.host.write(database, policy, batch).await;
                        if let (Ok(_), Some(copies)) = (&outcome, &copies) {
                            self.subscribers.send(copies);
                        }
                        exchange.wrote(outcome, self.host.snapshot());
                    }
                    Turn::Command(command) => {
                        let told = who.zip(self.audit.as_ref()).map(|audited| (audited, command.clone()));
                        let outcome = self.host.command(command).await;
                        if let Some(((who, audit), command)) = told {
                            let failed = outcome.as_ref().err().map(ToString::to_string);
                            audit.command(who, &command, failed.as_deref());
                        }
                        exchange.wrote(outcome, self.host.snapshot());
                    }
                    Turn::Ask(errands) => {
                        // Others may be answered while this one waits for the world.
                        place.take();
                        let told = tokio::select! {
                            told = self.run_errands(errands, self.deadline.saturating_sub(began.elapsed())) => told,
                            () = client.gone() => return None,
                        };
                        place = Some(self.place(lane).await?);
                        exchange.told(told);
                    }
                    Turn::Yield if client.is_gone() || Instant::now() > end => return None,
                    Turn::Yield => {}
                    Turn::Done(stats) => {
                        timeout_at(end.into(), client.pieces.send(Piece::End)).await.ok()?.ok()?;
                        return Some(stats);
                    }
                }
            }
            (exchange, turns) = self.turns(exchange)?;
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

    /// Some turns, as far as they need nothing but files. This thread is then busy for a while, and its other tasks go to
    /// another one. `None` when a turn panicked: the request dies, the server does not.
    fn turns(&self, mut exchange: Box<dyn Exchange>) -> Option<(Box<dyn Exchange>, Vec<Turn>)> {
        let budget = Budget { pool: self.threads.map(|threads| threads as &'static dyn Pool), ..Budget::SLICE };
        let some = || {
            let (began, mut turns, mut chunks) = (Instant::now(), Vec::new(), 0);
            while began.elapsed() < AT_A_STRETCH {
                match exchange.turn(budget) {
                    Turn::Read(ranges) => exchange.supply(self.host.read(&ranges)),
                    Turn::Chunk(bytes) if chunks + 1 < AHEAD => {
                        turns.push(Turn::Chunk(bytes));
                        chunks += 1;
                    }
                    head @ Turn::Head(_) => turns.push(head),
                    Turn::Yield => {}
                    turn => {
                        turns.push(turn);
                        return turns;
                    }
                }
            }
            turns.push(Turn::Yield);
            turns
        };
        // What a panic may have left half done is dropped with the exchange; what the host holds is behind locks that say
        // that they were poisoned.
        let turns = catch_unwind(AssertUnwindSafe(|| tokio::task::block_in_place(some))).ok()?;
        Some((exchange, turns))
    }
}
