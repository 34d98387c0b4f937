//! Local databases: the whole store, its files in this instance's memory.

use crate::error::Fault;
use bytes::Bytes;
use isopoint_core::catalog::Command;
use isopoint_core::limits::Limits;
use isopoint_core::model::WriteBatch;
use isopoint_core::sorted::SortedMap;
use isopoint_core::store::{
    Action, ByteRange, Event, FileName, Snapshot, Store, StoreConfig, WriteError, WriteId, Written,
};
use isopoint_core::time::Timestamp;

pub(crate) struct Local {
    store: Store,
    files: SortedMap<FileName, Bytes>,
    /// The one file that a compaction writes.
    growing: Vec<u8>,
}

type Outcome = Result<Written, WriteError>;

impl Local {
    pub(crate) fn new(limits: &Limits) -> Self {
        let config = StoreConfig { limits: limits.clone(), ..StoreConfig::default() };
        Self { store: Store::new(config), files: SortedMap::new(), growing: Vec::new() }
    }

    pub(crate) fn create(&mut self, database: &str, now: Timestamp) -> Result<(), Fault> {
        if self.store.snapshot().database(database).is_some() {
            return Ok(());
        }
        let write = self.store.command(now, Command::CreateDatabase { name: database.to_owned(), policy: None });
        self.settle(now, write)?;
        Ok(())
    }

    pub(crate) fn write(&mut self, now: Timestamp, database: &str, policy: Option<&str>, batch: WriteBatch) -> Outcome {
        let write = self.store.write(now, database, policy, batch);
        self.settle(now, write)
    }

    /// Always `Some`: a reader has nowhere to put it, see there.
    pub(crate) fn command(&mut self, now: Timestamp, command: Command) -> Option<Outcome> {
        let write = self.store.command(now, command);
        Some(self.settle(now, write))
    }

    pub(crate) fn snapshot(&mut self) -> Snapshot {
        self.store.snapshot()
    }

    pub(crate) fn holds(&self, range: &ByteRange) -> bool {
        self.files.contains_key(&range.file)
    }

    pub(crate) fn read(&self, range: &ByteRange) -> Option<Bytes> {
        let end = range.offset.checked_add(u64::from(range.len))?;
        let file = self.files.get(&range.file)?;
        (end <= file.len() as u64).then(|| file.slice(range.offset as usize..end as usize))
    }

    /// Does what the store asks until it has said how the write went. Nothing here waits, so that is at once: logs need
    /// no bytes (they would not outlive the instance), block files are kept.
    fn settle(&mut self, now: Timestamp, wanted: WriteId) -> Outcome {
        let mut settled = Err(WriteError::Overloaded);
        self.store.tick(now);
        while let Some(action) = self.store.poll_action() {
            let event = match action {
                Action::Append { id, file, bytes } if file.is_temporary() => {
                    self.growing.extend_from_slice(&bytes);
                    Event::Done(id)
                }
                Action::Append { id, .. } | Action::Sync { id, .. } | Action::Truncate { id, .. } => Event::Done(id),
                Action::Rename { id, to, .. } => {
                    self.files.insert(to, std::mem::take(&mut self.growing).into());
                    Event::Done(id)
                }
                Action::Put { id, file, bytes } => {
                    if file.as_str().ends_with(".blk") {
                        self.files.insert(file, bytes);
                    }
                    Event::Done(id)
                }
                Action::Delete { id, file } => {
                    if file.is_temporary() {
                        self.growing.clear();
                    }
                    self.files.remove(&file);
                    Event::Done(id)
                }
                Action::Run { id, job } => {
                    Event::JobDone(id, job.run(&mut |range| self.read(range).ok_or_else(|| range.file.to_string())))
                }
                Action::Publish { .. } | Action::PublishDelete { .. } => continue,
                Action::Ack { write, outcome } => {
                    if write == wanted {
                        settled = outcome;
                    }
                    continue;
                }
            };
            self.store.handle(now, event);
        }
        settled
    }
}
