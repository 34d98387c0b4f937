//! The write path and what queries see of it: a state machine without IO.
//!
//! ```text
//!  write(batch) ─► Append wal ─► Sync wal ─► memtable ─► Ack
//!  tick(now)    ─► Run(flush) ─► Put block file(s) ─► Append manifest ─► Sync manifest ─► Delete wal segments
//! ```
//!
//! The host does each [`Action`] in order and says [`Event::Done`] or [`Event::Failed`]. A batch is in the memtable,
//! and so in a [`Snapshot`], only after its log is durable. A failed sync poisons: no later write is accepted, reads go on.

pub mod action;
pub mod block;
pub mod blockfile;
pub mod error;
pub mod job;
pub mod layout;
pub mod memtable;
pub mod snapshot;

pub use action::{Action, ActionId, Event, WriteId};
pub use error::{StoreError, WriteError, Written};
pub use job::{Job, JobOutput};
pub use layout::{ByteRange, FileName};
pub use snapshot::Snapshot;
