//! Local databases: the whole store. Its block files are in this instance's memory; whether they are also kept somewhere
//! is the caller's affair.
//!
//! Without a keeper every action is done here and at once. With one, those on files are given out one at a time
//! ([`Local::action`]), and the store hears of each how it went ([`Local::did`]) before it says the next, as on a server:
//! so what is acknowledged is kept.

use bytes::Bytes;
use isopoint_core::catalog::Command;
use isopoint_core::limits::Limits;
use isopoint_core::model::WriteBatch;
use isopoint_core::sorted::SortedMap;
use isopoint_core::store::{
    Action, ActionId, ByteRange, Event, FileName, Recovery, RecoveryStep, Snapshot, Store, StoreConfig, WriteError,
    WriteId, Written,
};
use isopoint_core::time::Timestamp;

/// A page has less memory than a server: memtables become files sooner.
const FLUSH_BYTES: u64 = 16 << 20;
const WAL_SEGMENT_BYTES: u64 = 8 << 20;

type Outcome = Result<Written, WriteError>;

pub(crate) struct Local {
    store: Store,
    files: SortedMap<FileName, Bytes>,
    /// The one file that a compaction writes.
    growing: Vec<u8>,
    /// Somebody keeps the files.
    kept: bool,
    /// Given to the keeper, who has not yet said how it went.
    given: Option<Action>,
    /// Of writes that nobody has asked for yet.
    outcomes: SortedMap<WriteId, Outcome>,
}

impl Local {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self::with(Store::new(config(limits)), SortedMap::new(), false)
    }

    /// What a keeper's files hold: all of them, temporary ones left out.
    pub(crate) fn recover(limits: &Limits, files: SortedMap<FileName, Bytes>, now: Timestamp) -> Result<Self, String> {
        let listing: Vec<(FileName, u64)> =
            files.iter().map(|(name, bytes)| (name.clone(), bytes.len() as u64)).collect();
        let mut recovery = Recovery::new(config(limits), now, listing);
        let store = loop {
            match recovery.step().map_err(|error| error.to_string())? {
                RecoveryStep::Need(ranges) => {
                    let parts: Option<Vec<Bytes>> = ranges.iter().map(|range| slice(&files, range)).collect();
                    recovery.supply(parts.ok_or("a file is shorter than its index says")?);
                }
                RecoveryStep::Done(store, _) => break *store,
            }
        };
        let blocks = files.iter().filter(|(name, _)| name.is_block());
        let blocks = blocks.map(|(name, bytes)| (name.clone(), bytes.clone())).collect();
        Ok(Self::with(store, blocks, true))
    }

    fn with(store: Store, files: SortedMap<FileName, Bytes>, kept: bool) -> Self {
        Self { store, files, growing: Vec::new(), kept, given: None, outcomes: SortedMap::new() }
    }

    pub(crate) fn write(&mut self, now: Timestamp, database: &str, policy: Option<&str>, batch: WriteBatch) -> WriteId {
        let write = self.store.write(now, database, policy, batch);
        self.settle(now);
        write
    }

    /// Always `Some`: a reader has nowhere to put it, see there.
    pub(crate) fn command(&mut self, now: Timestamp, command: Command) -> Option<WriteId> {
        let write = self.store.command(now, command);
        self.settle(now);
        Some(write)
    }

    /// How a write went, once; `None` while the keeper has actions to do for it.
    pub(crate) fn outcome(&mut self, write: WriteId) -> Option<Outcome> {
        self.outcomes.remove(&write)
    }

    pub(crate) fn snapshot(&mut self) -> Snapshot {
        self.store.snapshot()
    }

    pub(crate) fn holds(&self, range: &ByteRange) -> bool {
        self.files.contains_key(&range.file)
    }

    pub(crate) fn read(&self, range: &ByteRange) -> Option<Bytes> {
        slice(&self.files, range)
    }

    /// The next thing the keeper has to do; `None` when all is done, or while it has one to answer for.
    pub(crate) fn action(&mut self, now: Timestamp) -> Option<&Action> {
        if self.given.is_none() {
            self.store.tick(now);
            self.given = self.next(now);
        }
        self.given.as_ref()
    }

    /// How the last [`action`](Self::action) went.
    pub(crate) fn did(&mut self, now: Timestamp, outcome: Result<(), String>) {
        let Some(action) = self.given.take() else { return };
        let Some(id) = id_of(&action) else { return };
        let event = match outcome {
            Ok(()) => {
                self.remember(action);
                Event::Done(id)
            }
            Err(why) => Event::Failed(id, why),
        };
        self.store.handle(now, event);
    }

    /// Without a keeper nothing waits: what the store asks is done at once.
    fn settle(&mut self, now: Timestamp) {
        if self.kept {
            return;
        }
        self.store.tick(now);
        while let Some(action) = self.next(now) {
            self.given = Some(action);
            self.did(now, Ok(()));
        }
    }

    /// The next action on a file, after what needs none.
    fn next(&mut self, now: Timestamp) -> Option<Action> {
        loop {
            match self.store.poll_action()? {
                Action::Run { id, job } => {
                    let output = job.run(&mut |range| self.read(range).ok_or_else(|| range.file.to_string()));
                    self.store.handle(now, Event::JobDone(id, output));
                }
                Action::Publish { .. } | Action::PublishDelete { .. } => {}
                Action::Ack { write, outcome } => {
                    self.outcomes.insert(write, outcome);
                }
                action => return Some(action),
            }
        }
    }

    /// Block files are kept in memory too, where queries and compactions read them; logs need not be.
    fn remember(&mut self, action: Action) {
        match action {
            Action::Append { file, bytes, .. } if file.is_temporary() => self.growing.extend_from_slice(&bytes),
            Action::Rename { to, .. } => {
                self.files.insert(to, std::mem::take(&mut self.growing).into());
            }
            Action::Put { file, bytes, .. } if file.is_block() => {
                self.files.insert(file, bytes);
            }
            Action::Delete { file, .. } => {
                if file.is_temporary() {
                    self.growing.clear();
                }
                self.files.remove(&file);
            }
            _ => {}
        }
    }
}

fn config(limits: &Limits) -> StoreConfig {
    StoreConfig {
        limits: limits.clone(),
        flush_bytes: FLUSH_BYTES,
        wal_segment_bytes: WAL_SEGMENT_BYTES,
        ..StoreConfig::default()
    }
}

fn slice(files: &SortedMap<FileName, Bytes>, range: &ByteRange) -> Option<Bytes> {
    let file = files.get(&range.file)?;
    let end = range.offset.checked_add(u64::from(range.len))?;
    // A log is asked for up to where it was cut.
    let end = if range.file.is_block() { end } else { end.min(file.len() as u64) };
    (range.offset <= end && end <= file.len() as u64).then(|| file.slice(range.offset as usize..end as usize))
}

/// `None` for what needs no event.
fn id_of(action: &Action) -> Option<ActionId> {
    match action {
        Action::Append { id, .. }
        | Action::Sync { id, .. }
        | Action::Truncate { id, .. }
        | Action::Put { id, .. }
        | Action::Rename { id, .. }
        | Action::Delete { id, .. }
        | Action::Run { id, .. } => Some(*id),
        Action::Publish { .. } | Action::PublishDelete { .. } | Action::Ack { .. } => None,
    }
}
