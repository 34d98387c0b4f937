//! The write path and what queries see of it: a state machine without IO.
//!
//! ```text
//!  write(batch) ─► Append wal ─► Sync wal ─► memtable ─► Ack
//!  tick(now)    ─► Run(flush) ─► Put block file(s) ─► Append manifest ─► Sync manifest ─► Delete wal segments
//! ```
//!
//! The host does each [`Action`] in order and says [`Event::Done`] or [`Event::Failed`]. Writes and commands that wait
//! together become one append and one sync. A batch is in the memtable, and so in a [`Snapshot`], only after its log is
//! durable. An append that fails is cut off the log again, and only then refused, so that it cannot come back. A failed
//! sync poisons: no later write is accepted, reads go on.
//!
//! | file | holds |
//! |---|---|
//! | `staged` | checks of writes and commands: what is kept, what is refused |
//! | `commit` | groups on their way through the log |
//! | `state` | what is acknowledged, and the views of it |
//! | `tombstone`, `delete` | what is deleted and not yet out of the files |
//! | `compact` | files into fewer |
//! | `flush`, `manifest` | memtables into files, and which files are live |
//! | `recover` | opening a folder |

pub mod action;
pub mod block;
pub mod blockfile;
mod commit;
mod compact;
pub(crate) mod delete;
pub mod error;
mod flush;
pub mod job;
pub mod layout;
pub mod log;
pub mod manifest;
pub mod memtable;
pub mod recover;
pub mod snapshot;
mod staged;
mod state;
pub mod tombstone;
pub mod wal;

pub use action::{Action, ActionId, Event, WriteId};
pub use error::{Refusal, StoreError, WriteError, Written};
pub use job::{Job, JobOutput};
pub use layout::{ByteRange, FileName};
pub use recover::{Recovery, RecoveryReport, RecoveryStep};
pub use snapshot::Snapshot;

use crate::catalog::Command;
use crate::hash::Set;
use crate::limits::Limits;
use crate::model::WriteBatch;
use crate::sorted::SortedMap;
use crate::time::{NANOS_PER_MINUTE, NANOS_PER_SEC, Timestamp};
use bytes::Bytes;
use commit::{Group, Pending, Work};
use compact::Compaction;
use flush::{After, Editing, Flush};
use manifest::{Edit, Manifest};
use state::State;
use std::collections::VecDeque;
use wal::{PointsWriter, Wal};

/// The format of data folders that this program writes, and the newest it reads.
pub const FORMAT: u32 = 3;

#[derive(Clone, Debug)]
pub struct StoreConfig {
    pub limits: Limits,
    /// A WAL segment that has reached this many bytes is followed by a new one.
    pub wal_segment_bytes: u64,
    /// A memtable of this many bytes is flushed.
    pub flush_bytes: u64,
    /// A memtable is flushed this many nanoseconds after its first point.
    pub flush_after: i64,
    /// Writes are refused while memtables hold this many bytes.
    pub max_memtable_bytes: u64,
    /// Writes are refused while others of this many bytes wait for the log.
    pub max_pending_bytes: u64,
    /// A manifest longer than this is put anew, without what no longer matters.
    pub manifest_bytes: u64,
    /// Compactions read and write so many bytes a second; 0: there are none.
    pub compact_bytes_per_sec: u64,
    /// A compaction's job ends, to go on later, when it has read and written so many bytes, and at the end of a series.
    pub compact_slice_bytes: usize,
    /// A flush that failed is tried again after this many nanoseconds.
    pub retry_after: i64,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            wal_segment_bytes: 32 << 20,
            flush_bytes: 64 << 20,
            flush_after: 10 * NANOS_PER_MINUTE,
            max_memtable_bytes: 256 << 20,
            max_pending_bytes: 64 << 20,
            manifest_bytes: 1 << 20,
            compact_bytes_per_sec: 32 << 20,
            compact_slice_bytes: 4 << 20,
            retry_after: 10 * NANOS_PER_SEC,
        }
    }
}

/// Plain counters for hosts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreStats {
    pub databases: u64,
    pub shards: u64,
    pub series: u64,
    pub files: u64,
    pub file_bytes: u64,
    pub memtable_points: u64,
    pub memtable_bytes: u64,
    pub wal_bytes: u64,
    /// Writes and commands that wait for the log, and their bytes.
    pub pending: u64,
    pub pending_bytes: u64,
    /// Since the start.
    pub points_written: u64,
    pub values_written: u64,
    pub points_dropped: u64,
    /// Appends to the log: each carried one write or more.
    pub groups: u64,
    pub flushes: u64,
    pub compactions: u64,
}

/// The one owner of a data folder's contents; see the module.
#[derive(Debug)]
pub struct Store {
    config: StoreConfig,
    state: State,
    wal: Wal,
    points: PointsWriter,
    pending: VecDeque<Pending>,
    pending_bytes: u64,
    group: Option<Group>,
    actions: VecDeque<Action>,
    /// What the actions that are under way are for.
    work: SortedMap<ActionId, Work>,
    next_action: u64,
    next_write: u64,
    /// Actions of opening that writes wait for, and files to delete after them.
    opening: u32,
    sweep: Vec<FileName>,
    manifest: Manifest,
    want_flush: bool,
    flushing: Option<Flush>,
    /// The edit of the manifest that is under way, and those that wait.
    editing: Option<Editing>,
    edits: VecDeque<(Edit, After)>,
    /// A request to drop expired shards is on its way; after one that failed, the next is not made before that.
    expiring: bool,
    compacting: Option<Compaction>,
    /// The manifest is being told of a compaction.
    replacing: bool,
    /// Every shard is to become one file, without waiting.
    compact_all: bool,
    /// No compaction begins before that.
    compact_after: Timestamp,
    /// How many flushes there were, and when the last of them was seen.
    flushed: (u64, Timestamp),
    /// Shards with a file that cannot be read.
    uncompactable: Set<u64>,
    /// So far: names temporary files.
    compactions: u64,
    /// Nothing new is begun: the host will stop.
    closing: bool,
    /// Whether anybody follows along.
    publishing: bool,
    expire_after: Timestamp,
    poisoned: Option<String>,
    stats: StoreStats,
}

impl Store {
    /// A store for an empty folder.
    pub fn new(config: StoreConfig) -> Self {
        let (manifest, bytes) = Manifest::first();
        let mut state = State::default();
        state.active.number = manifest.checkpoint.next_memtable;
        let wal = Wal::new(1, 1, 0, 0);
        let mut store = Self::with_state(config, state, manifest, wal);
        store.put_version();
        let (file, bytes) = (store.manifest.file(), Bytes::from(bytes));
        store.act_opening(|id| Action::Put { id, file, bytes });
        store
    }

    fn with_state(config: StoreConfig, state: State, manifest: Manifest, wal: Wal) -> Self {
        Self {
            config,
            state,
            wal,
            points: PointsWriter::default(),
            pending: VecDeque::new(),
            pending_bytes: 0,
            group: None,
            actions: VecDeque::new(),
            work: SortedMap::new(),
            next_action: 0,
            next_write: 0,
            opening: 0,
            sweep: Vec::new(),
            manifest,
            want_flush: false,
            flushing: None,
            editing: None,
            edits: VecDeque::new(),
            expiring: false,
            compacting: None,
            replacing: false,
            compact_all: false,
            compact_after: Timestamp::MIN,
            flushed: (0, Timestamp::MIN),
            uncompactable: Set::default(),
            compactions: 0,
            closing: false,
            publishing: false,
            expire_after: Timestamp::MIN,
            poisoned: None,
            stats: StoreStats::default(),
        }
    }

    /// Points for a database and policy (`None`: the default one). The outcome comes as [`Action::Ack`].
    pub fn write(&mut self, now: Timestamp, database: &str, policy: Option<&str>, batch: WriteBatch) -> WriteId {
        let id = self.next_write_id();
        let bytes = batch.heap_bytes() as u64;
        let refused = match &self.poisoned {
            Some(why) => Some(WriteError::Poisoned(why.clone())),
            None if self.is_overloaded(bytes) => Some(WriteError::Overloaded),
            None => None,
        };
        if let Some(error) = refused {
            self.actions.push_back(Action::Ack { write: id, outcome: Err(error) });
            return id;
        }
        self.pending_bytes += bytes;
        self.pending.push_back(Pending::write(id, now, bytes, database, policy, batch));
        id
    }

    /// A change of the catalog, in order with writes. The outcome comes as [`Action::Ack`].
    pub fn command(&mut self, now: Timestamp, command: Command) -> WriteId {
        let id = self.next_write_id();
        match &self.poisoned {
            Some(why) => {
                let outcome = Err(WriteError::Poisoned(why.clone()));
                self.actions.push_back(Action::Ack { write: id, outcome });
            }
            None => self.pending.push_back(Pending::command(id, now, command)),
        }
        id
    }

    /// The next thing to do. What is submitted before this is called shares one append and one sync.
    pub fn poll_action(&mut self) -> Option<Action> {
        if self.actions.is_empty() {
            self.start_flush();
            self.start_group();
            if self.compact_all {
                self.compact_due(Timestamp::MAX);
            }
        }
        self.actions.pop_front()
    }

    /// Whether [`poll_action`](Self::poll_action) has given everything there was to do, and all of it was answered.
    pub fn is_idle(&self) -> bool {
        let may_flush = self.want_flush && self.flushing.is_none() && self.poisoned.is_none();
        let quiet = self.actions.is_empty() && self.work.is_empty() && self.pending.is_empty();
        let may_compact = self.compact_all && !self.closing && self.poisoned.is_none();
        quiet && !may_flush && !may_compact
    }

    /// Flushes everything. Then do actions until the store [is idle](Self::is_idle). What a failing disk leaves unflushed
    /// is not lost: the log has it.
    pub fn shutdown(&mut self, now: Timestamp) {
        self.closing = true;
        self.flush(now);
    }

    /// Everything acknowledged. Cheap: made anew only where something has changed.
    pub fn snapshot(&mut self) -> Snapshot {
        self.state.snapshot()
    }

    /// Whether every batch that becomes visible is also told by [`Action::Publish`].
    pub fn publish(&mut self, on: bool) {
        self.publishing = on;
    }

    /// The points of memtables with a lower number are all in files.
    pub fn first_memtable(&self) -> u64 {
        self.state.flushing.as_ref().map_or(self.state.active.number, |flushing| flushing.number)
    }

    /// Why no write is accepted any more, if so.
    pub fn poisoned(&self) -> Option<&str> {
        self.poisoned.as_deref()
    }

    pub fn stats(&self) -> StoreStats {
        let memtables = || self.state.flushing.iter().chain([&self.state.active]);
        let databases = || self.state.databases.values();
        let shards = || databases().flat_map(|database| database.shards.values());
        StoreStats {
            databases: databases().count() as u64,
            shards: shards().count() as u64,
            series: databases().map(|database| database.index.len() as u64).sum(),
            files: shards().map(|shard| shard.files.len() as u64).sum(),
            file_bytes: shards().flat_map(|shard| &shard.files).map(|file| file.len).sum(),
            memtable_points: memtables().map(|memtable| memtable.points).sum(),
            memtable_bytes: memtables().map(|memtable| memtable.bytes).sum(),
            wal_bytes: self.wal.bytes(),
            pending: self.pending.len() as u64,
            pending_bytes: self.pending_bytes,
            ..self.stats
        }
    }

    fn is_overloaded(&self, bytes: u64) -> bool {
        let memtables = self.state.active.bytes + self.state.flushing.as_ref().map_or(0, |memtable| memtable.bytes);
        // A lone write is always taken, or one larger than the bound never could be.
        (self.pending_bytes > 0 && self.pending_bytes + bytes > self.config.max_pending_bytes)
            || memtables + self.pending_bytes >= self.config.max_memtable_bytes
    }

    fn next_write_id(&mut self) -> WriteId {
        self.next_write += 1;
        WriteId(self.next_write)
    }

    /// Makes an action that waits for its event.
    fn act(&mut self, work: Work, action: impl FnOnce(ActionId) -> Action) {
        self.next_action += 1;
        let id = ActionId(self.next_action);
        self.work.insert(id, work);
        self.actions.push_back(action(id));
    }

    fn put_version(&mut self) {
        let version = Bytes::from(format!("{FORMAT}\n"));
        self.act_opening(|id| Action::Put { id, file: FileName::version(), bytes: version });
    }

    /// An action that writes wait for, at opening.
    fn act_opening(&mut self, action: impl FnOnce(ActionId) -> Action) {
        self.opening += 1;
        self.act(Work::Opening, action);
    }

    fn ack(&mut self, write: WriteId, outcome: Result<Written, WriteError>) {
        self.actions.push_back(Action::Ack { write, outcome });
    }
}

#[cfg(test)]
mod tests;
