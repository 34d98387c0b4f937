//! An API request as a task.

use super::Local;
use crate::task::{Told, Work, done, yielded};
use crate::values::{self, Object};
use bytes::Bytes;
use isopoint_core::dialect::errand::{self, Errand, ErrandError};
use isopoint_core::dialect::exchange::{Exchange, Turn};
use isopoint_core::exec::Budget;
use isopoint_core::store::{Snapshot, WriteError, Written};
use isopoint_core::time::Timestamp;
use js_sys::Uint8Array;

impl Work for Box<dyn Exchange> {
    fn turn(&mut self, budget: Budget, local: &mut Local, _: &Snapshot, now: Timestamp) -> Told {
        match (**self).turn(budget) {
            Turn::Head(head) => {
                let told = Object::new().text("kind", "head").number("status", f64::from(head.status));
                Told::Caller(told.value("headers", &values::pairs(&head.headers)).into())
            }
            Turn::Chunk(bytes) => {
                let told = Object::new().text("kind", "chunk").value("bytes", &Uint8Array::from(&bytes[..]));
                Told::Caller(told.into())
            }
            Turn::Read(ranges) => Told::Read(ranges),
            Turn::Ask(errands) => {
                self.told(errands.iter().map(unanswered).collect());
                Told::Nobody
            }
            Turn::Yield => yielded(),
            Turn::Done(stats) => done(&stats),
            Turn::Write { database, policy, batch } => {
                Told::Wrote(local.write(now, &database, policy.as_deref(), *batch))
            }
            Turn::Command(command) => local.command(now, command).map_or(Told::Beyond, Told::Wrote),
        }
    }

    fn supply(&mut self, bytes: Result<Vec<Bytes>, String>) {
        (**self).supply(bytes);
    }

    fn wrote(&mut self, outcome: Result<Written, WriteError>, snapshot: Snapshot) {
        (**self).wrote(outcome, snapshot);
    }
}

/// A page calls no other server, and does not wait.
fn unanswered(errand: &Errand) -> Result<errand::Told, ErrandError> {
    match errand {
        Errand::Http(_) => Err(ErrandError::Unsupported),
        Errand::Wait { .. } => Ok(errand::Told::Waited),
    }
}
