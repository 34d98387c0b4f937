//! The thread that owns the write path: it takes writes, does the store's actions in order, and says how each ended.
//!
//! Writes that arrive while the log is being synced wait together and share the next sync (group commit). The store is
//! behind a mutex that is held for work in memory only, never across a read, write or sync; so a query that takes a
//! snapshot never waits for a disk.

use super::clock;
use super::files::{Files, LogFiles};
use super::folder::Folder;
use crate::config::Fsync;
use bytes::Bytes;
use isopoint_core::catalog::Command;
use isopoint_core::model::WriteBatch;
use isopoint_core::store::recover::{Recovery, RecoveryReport, RecoveryStep};
use isopoint_core::store::{
    Action, ByteRange, Event, Snapshot, Store, StoreConfig, StoreStats, WriteError, WriteId, Written,
};
use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::oneshot;

/// Requests that may wait for the writer before a sender has to.
const QUEUE: usize = 1024;

#[derive(Clone, Debug)]
pub struct HostConfig {
    pub fsync: Fsync,
    pub store: StoreConfig,
}

/// A running store on this machine.
pub struct Host {
    shared: Arc<Shared>,
    sender: SyncSender<Message>,
    thread: Mutex<Option<JoinHandle<()>>>,
    _folder: Folder,
}

struct Shared {
    store: Mutex<Store>,
    files: Files,
}

type Outcome = Result<Written, WriteError>;

enum Message {
    Write { database: String, policy: Option<String>, batch: Box<WriteBatch>, reply: oneshot::Sender<Outcome> },
    Command { command: Command, reply: oneshot::Sender<Outcome> },
    Job(Event),
    Flush,
    Shutdown,
}

impl Host {
    /// Locks the folder, recovers what it holds and starts the writer. The error is one sentence for a person.
    pub fn open(path: &Path, config: HostConfig) -> Result<(Self, RecoveryReport), String> {
        let folder = Folder::open(path)?;
        let files = Files::new(path);
        let (store, report) = recover(&files, config.store).map_err(|error| format!("{}: {error}", path.display()))?;
        let shared = Arc::new(Shared { store: Mutex::new(store), files });
        let (sender, receiver) = sync_channel(QUEUE);
        let writer = Writer {
            shared: Arc::clone(&shared),
            receiver,
            sender: sender.clone(),
            logs: LogFiles::new(config.fsync),
            waiting: HashMap::new(),
        };
        let thread = std::thread::Builder::new()
            .name("writer".into())
            .spawn(move || writer.run())
            .map_err(|error| format!("cannot start a thread: {error}"))?;
        Ok((Self { shared, sender, thread: Mutex::new(Some(thread)), _folder: folder }, report))
    }

    /// Stores a batch; resolves when it is as durable as the fsync policy promises.
    pub async fn write(&self, database: String, policy: Option<String>, batch: Box<WriteBatch>) -> Outcome {
        let (reply, outcome) = oneshot::channel();
        self.ask(Message::Write { database, policy, batch, reply }, outcome).await
    }

    pub async fn command(&self, command: Command) -> Outcome {
        let (reply, outcome) = oneshot::channel();
        self.ask(Message::Command { command, reply }, outcome).await
    }

    async fn ask(&self, message: Message, outcome: oneshot::Receiver<Outcome>) -> Outcome {
        if self.sender.try_send(message).is_err() {
            return Err(WriteError::Overloaded);
        }
        outcome.await.unwrap_or_else(|_| Err(WriteError::Host("the server is stopping".into())))
    }

    /// Everything acknowledged so far.
    pub fn snapshot(&self) -> Snapshot {
        self.store().snapshot()
    }

    pub fn stats(&self) -> StoreStats {
        self.store().stats()
    }

    /// Why no write is accepted any more, if that is so.
    pub fn poisoned(&self) -> Option<String> {
        self.store().poisoned().map(str::to_owned)
    }

    pub fn read(&self, ranges: &[ByteRange]) -> Result<Vec<Bytes>, String> {
        let read = |range: &ByteRange| self.shared.files.read(range).map_err(|error| format!("{}: {error}", range.file));
        ranges.iter().map(read).collect()
    }

    /// The whole of a block file.
    pub fn file(&self, name: &isopoint_core::store::FileName) -> io::Result<Bytes> {
        self.shared.files.whole(name)
    }

    /// Asks for a flush of what is in memory; it happens behind the call.
    pub fn flush(&self) {
        let _ = self.sender.send(Message::Flush);
    }

    /// Flushes and stops the writer. Later writes are refused.
    pub fn shut_down(&self) {
        let _ = self.sender.send(Message::Shutdown);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.shared.store()
    }
}

impl Shared {
    fn store(&self) -> MutexGuard<'_, Store> {
        // A panic in the store would leave it half-changed; the writer's panic hook ends the process before that shows.
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn recover(files: &Files, config: StoreConfig) -> Result<(Store, RecoveryReport), String> {
    let listing = files.list().map_err(|error| error.to_string())?;
    let mut recovery = Recovery::new(config, listing);
    loop {
        match recovery.step(clock::now()).map_err(|error| error.to_string())? {
            RecoveryStep::Need(ranges) => {
                let read = |range: &ByteRange| match range.file.as_str().ends_with(".blk") {
                    true => files.read(range),
                    false => files.read_log(&range.file).map(|whole| {
                        let end = (range.offset + u64::from(range.len)).min(whole.len() as u64);
                        whole.slice((range.offset.min(end)) as usize..end as usize)
                    }),
                };
                let bytes = ranges.iter().map(read).collect::<io::Result<Vec<_>>>().map_err(|error| error.to_string())?;
                recovery.supply(bytes);
            }
            RecoveryStep::Ready(store, report) => return Ok((*store, report)),
        }
    }
}

struct Writer {
    shared: Arc<Shared>,
    receiver: Receiver<Message>,
    sender: SyncSender<Message>,
    logs: LogFiles,
    waiting: HashMap<WriteId, oneshot::Sender<Outcome>>,
}

impl Writer {
    fn run(mut self) {
        let mut stopping = false;
        loop {
            self.act();
            if stopping && self.shared.store().idle() {
                return;
            }
            match self.receiver.recv_timeout(self.patience()) {
                Ok(message) => {
                    let mut messages = vec![message];
                    messages.extend(self.receiver.try_iter().take(QUEUE));
                    stopping |= self.accept(messages);
                }
                Err(RecvTimeoutError::Timeout) => self.shared.store().tick(clock::now()),
                Err(RecvTimeoutError::Disconnected) => return,
            }
            if let Err(error) = self.logs.sync_due() {
                tracing::error!(%error, "a background sync failed: what was written in the last second may not survive a power loss");
            }
        }
    }

    /// Until the store or a background sync wants to be woken.
    fn patience(&self) -> Duration {
        let deadline = self.shared.store().next_deadline();
        let wait = deadline.map_or(i64::MAX, |at| at.nanos().saturating_sub(clock::now().nanos()));
        Duration::from_nanos(wait.max(0) as u64).min(Duration::from_secs(1))
    }

    /// Whether it is time to stop.
    fn accept(&mut self, messages: Vec<Message>) -> bool {
        let now = clock::now();
        let mut stop = false;
        let mut store = self.shared.store();
        for message in messages {
            match message {
                Message::Write { database, policy, batch, reply } => {
                    let id = store.write(now, &database, policy.as_deref(), *batch);
                    self.waiting.insert(id, reply);
                }
                Message::Command { command, reply } => {
                    let id = store.command(now, command);
                    self.waiting.insert(id, reply);
                }
                Message::Job(event) => store.handle(now, event),
                Message::Flush => store.flush(now),
                Message::Shutdown => {
                    store.shutdown(now);
                    stop = true;
                }
            }
        }
        store.tick(now);
        stop
    }

    /// Does every action there is.
    fn act(&mut self) {
        loop {
            let action = self.shared.store().poll_action();
            let Some(action) = action else { return };
            let event = match action {
                Action::Append { id, file, bytes } => done(id, self.logs.append(&self.shared.files, &file, &bytes)),
                Action::Sync { id, file } => done(id, self.logs.sync(&file)),
                Action::Put { id, file, bytes } => done(id, self.shared.files.put(&file, &bytes)),
                Action::Delete { id, file } => {
                    self.logs.forget(&file);
                    done(id, self.shared.files.delete(&file))
                }
                Action::Run { id, job } => {
                    let sender = self.sender.clone();
                    let run = move || {
                        let _ = sender.send(Message::Job(Event::JobDone(id, job.run())));
                    };
                    match std::thread::Builder::new().name("job".into()).spawn(run) {
                        Ok(_) => continue,
                        Err(error) => Event::Failed(id, error.to_string()),
                    }
                }
                Action::Ack { write, outcome } => {
                    if let Some(reply) = self.waiting.remove(&write) {
                        let _ = reply.send(outcome);
                    }
                    continue;
                }
            };
            self.shared.store().handle(clock::now(), event);
        }
    }
}

fn done(id: isopoint_core::store::ActionId, result: io::Result<()>) -> Event {
    match result {
        Ok(()) => Event::Done(id),
        Err(error) => Event::Failed(id, error.to_string()),
    }
}
