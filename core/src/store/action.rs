//! What the store asks of its host, and what the host answers.

use super::layout::FileName;
use bytes::Bytes;

/// Names an action until its event comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActionId(pub u64);

/// Names a write or a command until its [`Action::Ack`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WriteId(pub u64);

/// To be done in the order given, each answered by an [`Event`] (but `Ack` and `Publish`, which need none).
#[derive(Debug)]
pub enum Action {
    /// Append to a log file (WAL segment, manifest); create it when it is not there.
    Append { id: ActionId, file: FileName, bytes: Bytes },
    /// Make all appended to the file, and its name in the folder, durable. A host whose policy is not to sync says
    /// `Done` at once.
    Sync { id: ActionId, file: FileName },
    /// Cut a log file to `len` bytes, durably: what a failed append or a crash left behind them must not come back. A
    /// file that is not there, or is no longer than that, is `Done`.
    Truncate { id: ActionId, file: FileName, len: u64 },
    /// Atomic and durable: temporary file, sync, rename, sync the folder.
    Put { id: ActionId, file: FileName, bytes: Bytes },
    /// Make what was appended to a file durable under another name, whatever the policy: sync it, rename it (over one of
    /// that name, which has the same bytes), sync the folder. May be done beside the actions after it.
    Rename { id: ActionId, from: FileName, to: FileName },
    /// A file that is not there is `Done` too.
    Delete { id: ActionId, file: FileName },
    /// Points that have just become visible, for those who follow along; only while [`Store::publish`](super::Store::publish)
    /// is on. Needs no event. `memtable` is the number of the memtable they are in, `points` a batch as in the log.
    Publish { database: String, policy: String, memtable: u64, points: Bytes },
    /// Points of a database were deleted: who follows along begins again. As [`Publish`](Self::Publish) otherwise.
    PublishDelete { database: String },
    /// CPU work that may read block files: call [`Job::run`](super::Job::run) on a thread or in a time slice, answer
    /// `JobDone`.
    Run { id: ActionId, job: super::Job },
    /// The last thing said about a write: points stored, or why not.
    Ack { write: WriteId, outcome: Result<super::Written, super::WriteError> },
}

#[derive(Debug)]
pub enum Event {
    Done(ActionId),
    /// The host's words for a person: "No space left on device".
    Failed(ActionId, String),
    JobDone(ActionId, super::JobOutput),
}
