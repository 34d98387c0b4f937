//! The smallest host: files in memory, a disk that never fails, every action done at once.

use crate::dump::{Dump, dump};
use bytes::Bytes;
use isopoint_core::catalog::Command;
use isopoint_core::model::WriteBatch;
use isopoint_core::store::{
    Action, ByteRange, Event, FileName, Recovery, RecoveryReport, RecoveryStep, Snapshot, Store, StoreConfig,
    StoreError, WriteError, WriteId, Written,
};
use isopoint_core::time::Timestamp;
use std::collections::BTreeMap;

/// A store and the folder it lives in.
#[derive(Debug)]
pub struct MemHost {
    pub store: Store,
    pub files: BTreeMap<FileName, Vec<u8>>,
    /// What the store is told the time is; set it as the test needs.
    pub now: Timestamp,
    acks: BTreeMap<WriteId, Result<Written, WriteError>>,
}

impl Default for MemHost {
    fn default() -> Self {
        Self::new(StoreConfig::default())
    }
}

impl MemHost {
    /// An empty folder.
    pub fn new(config: StoreConfig) -> Self {
        Self::open(config, BTreeMap::new(), Timestamp::EPOCH).expect("an empty folder opens").0
    }

    /// An empty folder and in it a database.
    pub fn with_database(name: &str) -> Self {
        let mut host = Self::default();
        host.create_database(name);
        host
    }

    pub fn open(
        config: StoreConfig,
        files: BTreeMap<FileName, Vec<u8>>,
        now: Timestamp,
    ) -> Result<(Self, RecoveryReport), StoreError> {
        let names = files.iter().map(|(name, bytes)| (name.clone(), bytes.len() as u64));
        let recovery = Recovery::new(config, now, names);
        let (store, report) = recover(recovery, |range| slice(&files, range))?;
        let mut host = Self { store, files, now, acks: BTreeMap::new() };
        host.drive();
        Ok((host, report))
    }

    /// What a restart of the program finds.
    pub fn reopen(self, config: StoreConfig) -> Result<(Self, RecoveryReport), StoreError> {
        Self::open(config, self.files, self.now)
    }

    /// Stores points in a database's default policy.
    pub fn submit(&mut self, database: &str, batch: WriteBatch) -> Result<Written, WriteError> {
        self.submit_to(database, None, batch)
    }

    pub fn submit_to(
        &mut self,
        database: &str,
        policy: Option<&str>,
        batch: WriteBatch,
    ) -> Result<Written, WriteError> {
        let id = self.store.write(self.now, database, policy, batch);
        self.outcome(id)
    }

    pub fn command(&mut self, command: Command) -> Result<Written, WriteError> {
        let id = self.store.command(self.now, command);
        self.outcome(id)
    }

    pub fn create_database(&mut self, name: &str) {
        let command = Command::CreateDatabase { name: name.to_owned(), policy: None };
        self.command(command).expect("a good name");
    }

    /// Makes block files of what is in the memtable.
    pub fn flush(&mut self) {
        self.store.flush(self.now);
        self.drive();
    }

    /// Makes one file of each shard's.
    pub fn compact(&mut self) {
        self.store.compact();
        self.drive();
    }

    /// Lets time pass.
    pub fn tick(&mut self, now: Timestamp) {
        self.now = now;
        self.store.tick(now);
        self.drive();
    }

    pub fn snapshot(&mut self) -> Snapshot {
        self.store.snapshot()
    }

    /// Bytes of a file, as a query asks for them.
    pub fn read(&self, range: &ByteRange) -> Bytes {
        slice(&self.files, range)
    }

    pub fn dump(&mut self) -> Dump {
        let snapshot = self.store.snapshot();
        dump(&snapshot, |range| slice(&self.files, range))
    }

    fn outcome(&mut self, id: WriteId) -> Result<Written, WriteError> {
        self.drive();
        self.acks.remove(&id).expect("every write is answered")
    }

    fn drive(&mut self) {
        while let Some(action) = self.store.poll_action() {
            let event = match action {
                Action::Append { id, file, bytes } => {
                    self.files.entry(file).or_default().extend(bytes);
                    Event::Done(id)
                }
                Action::Sync { id, .. } => Event::Done(id),
                Action::Truncate { id, file, len } => {
                    if let Some(bytes) = self.files.get_mut(&file) {
                        bytes.truncate(usize::try_from(len).expect("a file in memory"));
                    }
                    Event::Done(id)
                }
                Action::Put { id, file, bytes } => {
                    self.files.insert(file, bytes.to_vec());
                    Event::Done(id)
                }
                Action::Delete { id, file } => {
                    self.files.remove(&file);
                    Event::Done(id)
                }
                Action::Run { id, job } => Event::JobDone(id, job.run(&mut |range| Ok(slice(&self.files, range)))),
                Action::Rename { id, from, to } => {
                    let bytes = self.files.remove(&from).expect("it was appended to");
                    self.files.insert(to, bytes);
                    Event::Done(id)
                }
                Action::Publish { .. } | Action::PublishDelete { .. } => continue,
                Action::Ack { write, outcome } => {
                    self.acks.insert(write, outcome);
                    continue;
                }
            };
            self.store.handle(self.now, event);
        }
    }
}

/// Turns a recovery until it is done.
pub fn recover(
    mut recovery: Recovery,
    mut read: impl FnMut(&ByteRange) -> Bytes,
) -> Result<(Store, RecoveryReport), StoreError> {
    loop {
        match recovery.step()? {
            RecoveryStep::Need(ranges) => recovery.supply(ranges.iter().map(&mut read).collect()),
            RecoveryStep::Done(store, report) => return Ok((*store, report)),
        }
    }
}

fn slice(files: &BTreeMap<FileName, Vec<u8>>, range: &ByteRange) -> Bytes {
    let start = usize::try_from(range.offset).expect("a file in memory");
    Bytes::copy_from_slice(&files[&range.file][start..start + range.len as usize])
}
