//! An API request as a task.

use super::Local;
use crate::task::{Told, Work, done, yielded};
use crate::values::{self, Object};
use bytes::Bytes;
use isopoint_core::dialect::errand::{self, Errand, ErrandError};
use isopoint_core::dialect::exchange::{Exchange, Turn};
use isopoint_core::exec::Budget;
use isopoint_core::store::Snapshot;
use isopoint_core::time::Timestamp;
use js_sys::Uint8Array;

impl Work for Box<dyn Exchange> {
    fn turn(&mut self, budget: Budget, local: &mut Local, replicas: &Snapshot, now: Timestamp) -> Told {
        let outcome = match (**self).turn(budget) {
            Turn::Head(head) => {
                let told = Object::new().text("kind", "head").number("status", f64::from(head.status));
                return Told::Caller(told.value("headers", &values::pairs(&head.headers)).into());
            }
            Turn::Chunk(bytes) => {
                let told = Object::new().text("kind", "chunk").value("bytes", &Uint8Array::from(&bytes[..]));
                return Told::Caller(told.into());
            }
            Turn::Read(ranges) => return Told::Read(ranges),
            Turn::Ask(errands) => {
                self.told(errands.iter().map(unanswered).collect());
                return Told::Nobody;
            }
            Turn::Yield => return yielded(),
            Turn::Done(stats) => return done(&stats),
            Turn::Write { database, policy, batch } => local.write(now, &database, policy.as_deref(), *batch),
            Turn::Command(command) => match local.command(now, command) {
                Some(outcome) => outcome,
                None => return Told::Beyond,
            },
        };
        self.wrote(outcome, values::both(replicas, &local.snapshot()));
        Told::Nobody
    }

    fn supply(&mut self, bytes: Result<Vec<Bytes>, String>) {
        (**self).supply(bytes);
    }
}

/// A page calls no other server, and does not wait.
fn unanswered(errand: &Errand) -> Result<errand::Told, ErrandError> {
    match errand {
        Errand::Http(_) => Err(ErrandError::Unsupported),
        Errand::Wait { .. } => Ok(errand::Told::Waited),
    }
}
