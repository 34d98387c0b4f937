//! What a reader has in place of databases of its own: none.

use bytes::Bytes;
use isopoint_core::catalog::Command;
use isopoint_core::limits::Limits;
use isopoint_core::store::{ByteRange, Snapshot, WriteError, WriteId, Written};
use isopoint_core::time::Timestamp;

pub(crate) struct Local;

impl Local {
    pub(crate) fn new(_limits: &Limits) -> Self {
        Self
    }

    /// `None`: it takes the full module.
    pub(crate) fn command(&self, _now: Timestamp, _command: Command) -> Option<WriteId> {
        None
    }

    pub(crate) fn outcome(&self, _write: WriteId) -> Option<Result<Written, WriteError>> {
        None
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        Snapshot::default()
    }

    pub(crate) fn holds(&self, _range: &ByteRange) -> bool {
        false
    }

    pub(crate) fn read(&self, _range: &ByteRange) -> Option<Bytes> {
        None
    }
}
