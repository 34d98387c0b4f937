//! Groups of writes and commands on their way through the log: checked, appended, synced, then visible and answered.

use super::job::Made;
use super::manifest::FileEntry;
use super::staged::{Prepared, Rules, Staged};
use super::{Action, Event, Store, WriteError, WriteId, Written, wal};
use crate::catalog::{Command, Delete, Rename};
use crate::model::WriteBatch;
use crate::time::Timestamp;
use bytes::Bytes;

/// Frames of this many bytes close a group.
const GROUP_BYTES: usize = 8 << 20;

/// A write or a command that waits for the log.
#[derive(Debug)]
pub(super) struct Pending {
    /// Whom to answer; nobody when the store asked itself.
    id: Option<WriteId>,
    now: Timestamp,
    bytes: u64,
    request: Request,
}

#[derive(Debug)]
enum Request {
    Write { database: String, policy: Option<String>, batch: Box<WriteBatch> },
    Command(Command),
    DropShards(Vec<u64>),
}

impl Pending {
    pub(super) fn write(
        id: WriteId,
        now: Timestamp,
        bytes: u64,
        database: &str,
        policy: Option<&str>,
        batch: WriteBatch,
    ) -> Self {
        let request =
            Request::Write { database: database.to_owned(), policy: policy.map(str::to_owned), batch: Box::new(batch) };
        Self { id: Some(id), now, bytes, request }
    }

    pub(super) fn command(id: WriteId, now: Timestamp, command: Command) -> Self {
        Self { id: Some(id), now, bytes: 0, request: Request::Command(command) }
    }

    fn renames(&self) -> bool {
        matches!(self.request, Request::Command(Command::Rename(_)))
    }

    pub(super) fn drop_shards(now: Timestamp, ids: Vec<u64>) -> Self {
        Self { id: None, now, bytes: 0, request: Request::DropShards(ids) }
    }
}

/// What one append and one sync make durable.
#[derive(Debug)]
pub(super) struct Group {
    now: Timestamp,
    staged: Staged,
    changes: Vec<Change>,
    outcomes: Vec<(WriteId, Result<Written, WriteError>)>,
    /// Length of the segment with the group.
    bytes: u64,
    /// Why the append failed, while it is being cut off.
    failed: Option<String>,
    /// It drops shards that have expired.
    expires: bool,
}

/// What a group does to points, in its order.
#[derive(Debug)]
enum Change {
    Write(Box<Prepared>),
    Delete(Delete),
    Rename(Rename),
}

/// What an action is for.
#[derive(Clone, Debug)]
pub(super) enum Work {
    /// Opening waits for it.
    Opening,
    AppendGroup,
    SyncGroup,
    CutGroup,
    FlushJob,
    /// Of the flush's files, by place.
    PutFile(usize),
    AppendEdit,
    SyncEdit,
    CutEdit,
    PutManifest,
    CompactSlice,
    CompactAppend,
    CompactRename(FileEntry),
    Delete,
}

impl Store {
    /// What came of an action.
    pub fn handle(&mut self, now: Timestamp, event: Event) {
        let (id, outcome, output) = match event {
            Event::Done(id) => (id, Ok(()), None),
            Event::Failed(id, why) => (id, Err(why), None),
            Event::JobDone(id, output) => (id, Ok(()), Some(output)),
        };
        let Some(work) = self.work.remove(&id) else { return };
        if self.poisoned.is_some() {
            return;
        }
        match (work, outcome) {
            (Work::Opening, Ok(())) => self.opening_done(),
            (Work::AppendGroup, Ok(())) => {
                let file = self.wal.file();
                self.act(Work::SyncGroup, |id| Action::Sync { id, file });
            }
            (Work::AppendGroup, Err(why)) => {
                if let Some(group) = &mut self.group {
                    group.failed = Some(why);
                }
                let (file, len) = (self.wal.file(), self.wal.good_len());
                self.act(Work::CutGroup, |id| Action::Truncate { id, file, len });
            }
            (Work::SyncGroup, Ok(())) => self.finish_group(),
            (Work::CutGroup, Ok(())) => self.refuse_group(now),
            (Work::FlushJob, Ok(())) => match output.map(|output| output.made) {
                Some(Made::Files(files)) => self.job_done(files),
                _ => self.job_done(Vec::new()),
            },
            (Work::CompactSlice, outcome) => {
                let made = output.map(|output| output.made);
                self.slice_done(match (outcome, made) {
                    (Ok(()), Some(Made::Slice(slice))) => *slice,
                    (outcome, _) => Err(outcome.err().unwrap_or_default()),
                });
                self.compact_due(now);
            }
            (Work::CompactAppend, Ok(())) => {
                self.slice_appended();
                self.compact_due(now);
            }
            (Work::CompactRename(entry), Ok(())) => self.compaction_renamed(entry),
            (Work::CompactAppend | Work::CompactRename(_), Err(_)) => self.compaction_failed(now),
            (Work::PutFile(at), outcome) => self.file_put(now, at, outcome),
            (Work::AppendEdit, outcome) => self.edit_appended(outcome),
            (Work::SyncEdit, Ok(())) => self.edit_done(false),
            (Work::PutManifest, Ok(())) => self.edit_done(true),
            (Work::CutEdit, outcome) => self.edit_failed(now, outcome.is_ok()),
            (Work::PutManifest, Err(_)) => self.edit_failed(now, false),
            // What stays there is swept at the next opening.
            (Work::Delete, _) => {}
            (Work::Opening | Work::SyncGroup | Work::CutGroup | Work::SyncEdit | Work::FlushJob, Err(why)) => {
                self.poison(why);
            }
        }
    }

    fn opening_done(&mut self) {
        self.opening -= 1;
        if self.opening == 0 {
            std::mem::take(&mut self.sweep).into_iter().for_each(|file| self.delete(file));
            self.next_edit();
        }
    }

    /// Takes what waits, checks it and asks for it to be appended.
    pub(super) fn start_group(&mut self) {
        if self.group.is_some() || self.opening > 0 || self.poisoned.is_some() || self.pending.is_empty() {
            return;
        }
        if self.wal.good_len() >= self.config.wal_segment_bytes {
            self.wal.rotate();
        }
        let mut group = Group {
            now: Timestamp::EPOCH,
            staged: Staged::new(&self.state),
            changes: Vec::new(),
            outcomes: Vec::new(),
            bytes: 0,
            failed: None,
            expires: false,
        };
        let mut frames = Vec::new();
        self.wal.begin(&mut frames);
        let header = frames.len();
        // What comes after a delete is checked against what it leaves; a change of a name against all that is there.
        while frames.len() < GROUP_BYTES
            && !matches!(group.changes.last(), Some(Change::Delete(_) | Change::Rename(_)))
            && (frames.len() == header || !self.pending.front().is_some_and(Pending::renames))
        {
            let Some(pending) = self.pending.pop_front() else { break };
            self.pending_bytes -= pending.bytes;
            group.now = pending.now;
            let outcome = self.stage(pending.now, pending.request, &mut group, &mut frames);
            group.outcomes.extend(pending.id.map(|id| (id, outcome)));
        }
        if frames.len() == header {
            // Nothing to log: everything was refused or had nothing to do.
            for (write, outcome) in group.outcomes {
                self.ack(write, outcome);
            }
            return;
        }
        group.bytes = frames.len() as u64;
        self.group = Some(group);
        self.stats.groups += 1;
        let file = self.wal.file();
        self.act(Work::AppendGroup, |id| Action::Append { id, file, bytes: Bytes::from(frames) });
    }

    /// Checks one request against the state and the group so far, and writes its frame.
    fn stage(
        &mut self,
        now: Timestamp,
        request: Request,
        group: &mut Group,
        frames: &mut Vec<u8>,
    ) -> Result<Written, WriteError> {
        let (database, policy, batch) = match request {
            Request::Command(command) => {
                if let Command::Rename(rename) = &command
                    && let Some(refused) = self.state.refuse_rename(rename)
                {
                    return Err(refused.into());
                }
                if group.staged.command(&command)? {
                    wal::write_command(&command, frames);
                    match command {
                        Command::Delete(delete) => group.changes.push(Change::Delete(delete)),
                        Command::Rename(rename) => group.changes.push(Change::Rename(rename)),
                        _ => {}
                    }
                }
                return Ok(Written::default());
            }
            Request::DropShards(ids) => {
                group.staged.drop_shards(&ids);
                wal::write_drop_shards(&ids, frames);
                group.expires = true;
                return Ok(Written::default());
            }
            Request::Write { database, policy, batch } => (database, policy, batch),
        };
        let Some(entry) = group.staged.catalog.database(&database) else {
            return Err(WriteError::DatabaseNotFound(database));
        };
        let policy = policy.as_ref().unwrap_or(&entry.default_policy);
        let Some(policy) = entry.policies.iter().find(|candidate| candidate.name == *policy) else {
            return Err(WriteError::PolicyNotFound(policy.clone()));
        };
        let rules = Rules::Write { now, limits: &self.config.limits };
        let (database, policy) = (entry.id, policy.id);
        let prepared = group.staged.write(&self.state, rules, database, policy, *batch);
        let written = prepared.written.clone();
        if written.points > 0 {
            wal::write_batch(database, policy, &prepared.batch, &mut self.points, frames);
            group.changes.push(Change::Write(Box::new(prepared)));
        }
        self.stats.points_dropped += written.dropped;
        Ok(written)
    }

    /// The group is durable: it becomes visible, then its writers hear of it.
    fn finish_group(&mut self) {
        let Some(group) = self.group.take() else { return };
        self.wal.grew(group.bytes);
        let dropped = self.state.commit(group.staged);
        self.expiring &= !group.expires;
        for change in &group.changes {
            match change {
                Change::Write(prepared) => {
                    self.state.apply(group.now, prepared);
                    self.publish_points(prepared);
                    self.stats.points_written += prepared.written.points;
                    self.stats.values_written += prepared.written.values;
                }
                Change::Delete(delete) => {
                    self.state.delete(delete);
                    self.publish_delete(&delete.database);
                }
                Change::Rename(rename) => {
                    self.state.rename(rename);
                    self.publish_delete(&rename.database);
                    // Compactions wait until the manifest knows.
                    self.want_flush = true;
                }
            }
        }
        for (write, outcome) in group.outcomes {
            self.ack(write, outcome);
        }
        self.remove_files(dropped.iter().map(|file| (file.name.clone(), file.hash)));
    }

    fn publish_delete(&mut self, database: &str) {
        if self.publishing {
            self.actions.push_back(Action::PublishDelete { database: database.to_owned() });
        }
    }

    fn publish_points(&mut self, prepared: &Prepared) {
        let catalog = &self.state.catalog;
        let database = catalog.database_by_id(prepared.database).filter(|_| self.publishing);
        let policy = catalog.policy_by_id(prepared.database, prepared.policy);
        let (Some(database), Some(policy)) = (database, policy) else { return };
        let mut points = Vec::new();
        self.points.write(&prepared.batch, &mut points);
        self.actions.push_back(Action::Publish {
            database: database.name.clone(),
            policy: policy.name.clone(),
            memtable: self.state.active.number,
            points: Bytes::from(points),
        });
    }

    /// The group could not be appended and no trace of it is left.
    fn refuse_group(&mut self, now: Timestamp) {
        let Some(group) = self.group.take() else { return };
        let why = group.failed.unwrap_or_default();
        if group.expires {
            self.expiring = false;
            self.expire_after = self.retry_at(now);
        }
        // Those it refused too: they were checked against what did not come to be.
        for (write, _) in group.outcomes {
            self.ack(write, Err(WriteError::Host(why.clone())));
        }
    }

    /// What is durable is not known any more: whoever waits is refused, and everyone after.
    pub(super) fn poison(&mut self, why: String) {
        let waiting = self.group.take().into_iter().flat_map(|group| group.outcomes);
        let waiting: Vec<_> =
            waiting.map(|(write, _)| write).chain(self.pending.drain(..).filter_map(|pending| pending.id)).collect();
        self.pending_bytes = 0;
        for write in waiting {
            self.ack(write, Err(WriteError::Poisoned(why.clone())));
        }
        self.poisoned.get_or_insert(why);
    }
}
