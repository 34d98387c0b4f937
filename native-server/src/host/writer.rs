//! The thread that owns the write path: it takes writes, does the store's actions in order, and says how each ended.
//!
//! Writes that arrive while the log is being synced wait together and share the next sync (group commit). The store is
//! behind a mutex that is held for work in memory only, never across a read, write or sync; so a query that takes a
//! snapshot never waits for a disk.

use super::clock;
use super::files::{self, Files, LogFiles};
use super::folder::Folder;
use crate::config::Fsync;
use bytes::Bytes;
use isopoint_core::catalog::Command;
use isopoint_core::model::WriteBatch;
use isopoint_core::store::snapshot::Database;
use isopoint_core::store::{
    Action, ByteRange, Event, FileName, Recovery, RecoveryReport, RecoveryStep, Snapshot, Store, StoreConfig,
    StoreStats, WriteError, WriteId, Written,
};
use std::collections::HashMap;
use std::io;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::{broadcast, oneshot};

/// Requests that may wait for the writer before a sender has to.
const QUEUE: usize = 1024;

#[derive(Clone, Debug)]
pub(crate) struct HostConfig {
    pub fsync: Fsync,
    pub store: StoreConfig,
}

/// A running store on this machine.
pub(crate) struct Host {
    shared: Arc<Shared>,
    sender: SyncSender<Message>,
    thread: Mutex<Option<JoinHandle<()>>>,
    _folder: Folder,
}

struct Shared {
    store: Mutex<Store>,
    files: Files,
    news: broadcast::Sender<News>,
}

/// What followers of a database are told.
#[derive(Clone, Debug)]
pub(crate) enum News {
    /// Points became visible; see [`Action::Publish`].
    Points { database: Arc<str>, policy: Arc<str>, memtable: u64, points: Bytes },
    /// Points were deleted: what a follower holds of the database may be gone.
    Deleted { database: Arc<str> },
    /// Files or the catalog changed.
    Files,
}

/// News a follower may lag behind; one that lags further has to begin again.
const NEWS_KEPT: usize = 1024;

type Outcome = Result<Written, WriteError>;

enum Message {
    Write { database: String, policy: Option<String>, batch: Box<WriteBatch>, reply: oneshot::Sender<Outcome> },
    Command { command: Command, reply: oneshot::Sender<Outcome> },
    Job(Event),
    Compact { reply: std::sync::mpsc::Sender<()> },
    Shutdown,
}

impl Host {
    /// Locks the folder, recovers what it holds and starts the writer. The error is one sentence for a person.
    pub(crate) fn open(path: &Path, config: HostConfig) -> Result<(Self, RecoveryReport), String> {
        let folder = Folder::open(path)?;
        let files = Files::new(path);
        let (store, report) = recover(&files, config.store).map_err(|error| format!("{}: {error}", path.display()))?;
        let shared = Arc::new(Shared { store: Mutex::new(store), files, news: broadcast::Sender::new(NEWS_KEPT) });
        let (sender, receiver) = sync_channel(QUEUE);
        let mut writer = Writer {
            shared: Arc::clone(&shared),
            receiver,
            sender: sender.clone(),
            logs: LogFiles::new(config.fsync),
            waiting: HashMap::new(),
            compacting: None,
        };
        // What opening changes is done first: a disk that takes nothing is found before anybody is told to come.
        writer.act();
        if let Some(why) = shared.store().poisoned() {
            return Err(format!("cannot write to the data folder {}: {why}", path.display()));
        }
        let thread = std::thread::Builder::new()
            .name("writer".into())
            .spawn(move || writer.run())
            .map_err(|error| format!("cannot start a thread: {error}"))?;
        Ok((Self { shared, sender, thread: Mutex::new(Some(thread)), _folder: folder }, report))
    }

    /// Stores a batch; resolves when it is as durable as the fsync policy promises.
    pub(crate) async fn write(&self, database: String, policy: Option<String>, batch: Box<WriteBatch>) -> Outcome {
        let (reply, outcome) = oneshot::channel();
        self.ask(Message::Write { database, policy, batch, reply }, outcome).await
    }

    pub(crate) async fn command(&self, command: Command) -> Outcome {
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
    pub(crate) fn snapshot(&self) -> Snapshot {
        self.store().snapshot()
    }

    /// A database, the first memtable that is not in files, and what happens from now on. What happened just before may
    /// be told once more; that does no harm, since the same points say the same.
    pub(crate) fn follow(&self, database: &str) -> Option<(Arc<Database>, u64, broadcast::Receiver<News>)> {
        let mut store = self.store();
        let news = self.shared.news.subscribe();
        store.publish(true);
        let view = store.snapshot().database(database).cloned()?;
        Some((view, store.first_memtable(), news))
    }

    /// A database and the first memtable that is not in files.
    pub(crate) fn database(&self, database: &str) -> Option<(Arc<Database>, u64)> {
        let mut store = self.store();
        let view = store.snapshot().database(database).cloned()?;
        Some((view, store.first_memtable()))
    }

    pub(crate) fn stats(&self) -> StoreStats {
        self.store().stats()
    }

    /// Why no write is accepted any more, if that is so.
    pub(crate) fn poisoned(&self) -> Option<String> {
        self.store().poisoned().map(str::to_owned)
    }

    pub(crate) fn read(&self, ranges: &[ByteRange]) -> Result<Vec<Bytes>, String> {
        let read =
            |range: &ByteRange| self.shared.files.read(range).map_err(|error| format!("{}: {error}", range.file));
        ranges.iter().map(read).collect()
    }

    /// The whole of a block file.
    pub(crate) fn file(&self, name: &FileName) -> io::Result<Bytes> {
        self.shared.files.whole(name)
    }

    /// Flushes, and makes one file of each shard. The receiver hears when that is done, or ended by a disk that takes
    /// nothing: see [`poisoned`](Self::poisoned).
    pub(crate) fn compact(&self) -> Receiver<()> {
        let (reply, done) = std::sync::mpsc::channel();
        let _ = self.sender.send(Message::Compact { reply });
        done
    }

    /// Flushes and stops the writer. Later writes are refused.
    pub(crate) fn shut_down(&self) {
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
    files.sweep().map_err(|error| error.to_string())?;
    let listing = files.list().map_err(|error| error.to_string())?;
    let mut recovery = Recovery::new(config, clock::now(), listing);
    loop {
        match recovery.step().map_err(|error| error.to_string())? {
            RecoveryStep::Need(ranges) => {
                let read = |range: &ByteRange| files.read_grown(range);
                let bytes =
                    ranges.iter().map(read).collect::<io::Result<Vec<_>>>().map_err(|error| error.to_string())?;
                recovery.supply(bytes);
            }
            RecoveryStep::Done(store, report) => return Ok((*store, report)),
        }
    }
}

struct Writer {
    shared: Arc<Shared>,
    receiver: Receiver<Message>,
    sender: SyncSender<Message>,
    logs: LogFiles,
    waiting: HashMap<WriteId, Waiter>,
    /// Who wants everything compacted; it begins once all is flushed.
    compacting: Option<Compacting>,
}

struct Compacting {
    begun: bool,
    reply: std::sync::mpsc::Sender<()>,
}

struct Waiter {
    reply: oneshot::Sender<Outcome>,
    /// It changes the catalog, which followers are told.
    command: bool,
}

impl Writer {
    fn run(mut self) {
        let mut stopping = false;
        loop {
            self.act();
            self.compact_all();
            if stopping && self.shared.store().is_idle() {
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

    fn compact_all(&mut self) {
        let Some(wanted) = &mut self.compacting else { return };
        let mut store = self.shared.store();
        if !store.is_idle() {
            return;
        }
        if !wanted.begun {
            wanted.begun = true;
            store.compact();
        } else {
            // Whoever does not wait any more does not want to know.
            let _ = wanted.reply.send(());
            drop(store);
            self.compacting = None;
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
                    self.waiting.insert(id, Waiter { reply, command: false });
                }
                Message::Command { command, reply } => {
                    let id = store.command(now, command);
                    self.waiting.insert(id, Waiter { reply, command: true });
                }
                Message::Job(event) => store.handle(now, event),
                Message::Compact { reply } => {
                    store.flush(now);
                    self.compacting = Some(Compacting { begun: false, reply });
                }
                Message::Shutdown => {
                    store.shutdown(now);
                    stop = true;
                }
            }
        }
        store.tick(now);
        stop
    }

    /// Works on a thread of its own, and hears of the end as of a message.
    fn spawn(&self, name: &str, work: impl FnOnce() -> Event + Send + 'static) -> io::Result<()> {
        let sender = self.sender.clone();
        let run = move || drop(sender.send(Message::Job(work())));
        std::thread::Builder::new().name(name.into()).spawn(run).map(drop)
    }

    /// Does every action there is.
    fn act(&mut self) {
        let mut files_changed = false;
        loop {
            let action = self.shared.store().poll_action();
            let Some(action) = action else {
                if files_changed {
                    let _ = self.shared.news.send(News::Files);
                }
                return;
            };
            files_changed |= action_changes_files(&action);
            let event = match action {
                Action::Append { id, file, bytes } => done(id, self.logs.append(&self.shared.files, &file, &bytes)),
                Action::Sync { id, file } => done(id, self.logs.sync(&self.shared.files, &file)),
                Action::Put { id, file, bytes } => done(id, self.shared.files.put(&file, &bytes)),
                Action::Truncate { id, file, len } => {
                    self.logs.forget(&file);
                    done(id, self.shared.files.truncate(&file, len))
                }
                Action::Publish { database, policy, memtable, points } => {
                    let (database, policy) = (database.into(), policy.into());
                    // Nobody follows any more: the store need not encode for them.
                    if self.shared.news.send(News::Points { database, policy, memtable, points }).is_err() {
                        self.shared.store().publish(false);
                    }
                    continue;
                }
                Action::PublishDelete { database } => {
                    let _ = self.shared.news.send(News::Deleted { database: database.into() });
                    continue;
                }
                Action::Delete { id, file } => {
                    self.logs.forget(&file);
                    done(id, self.shared.files.delete(&file))
                }
                Action::Rename { id, from, to } => {
                    self.logs.forget(&from);
                    // The sync of a large file takes long: writers do not wait for it.
                    let shared = Arc::clone(&self.shared);
                    match self.spawn("rename", move || done(id, shared.files.rename(&from, &to))) {
                        Ok(()) => continue,
                        Err(error) => Event::Failed(id, error.to_string()),
                    }
                }
                Action::Run { id, job } => {
                    let shared = Arc::clone(&self.shared);
                    let run = move || {
                        let mut read = |range: &ByteRange| {
                            shared.files.read(range).map_err(|error| format!("{}: {error}", range.file))
                        };
                        match std::panic::catch_unwind(AssertUnwindSafe(|| job.run(&mut read))) {
                            Ok(output) => Event::JobDone(id, output),
                            Err(_) => Event::Failed(id, "a job panicked; the log says where".into()),
                        }
                    };
                    match self.spawn("job", run) {
                        Ok(()) => continue,
                        Err(error) => Event::Failed(id, error.to_string()),
                    }
                }
                Action::Ack { write, outcome } => {
                    if let Some(waiter) = self.waiting.remove(&write) {
                        files_changed |= waiter.command;
                        let _ = waiter.reply.send(outcome);
                    }
                    continue;
                }
            };
            self.shared.store().handle(clock::now(), event);
        }
    }
}

/// Whether followers must look at the manifest again once this is done.
fn action_changes_files(action: &Action) -> bool {
    match action {
        Action::Sync { file, .. } | Action::Put { file, .. } => file.as_manifest().is_some(),
        Action::Delete { file, .. } => file.is_block(),
        _ => false,
    }
}

fn done(id: isopoint_core::store::ActionId, result: io::Result<()>) -> Event {
    match result {
        Ok(()) => Event::Done(id),
        Err(error) => Event::Failed(id, files::reason(&error)),
    }
}
