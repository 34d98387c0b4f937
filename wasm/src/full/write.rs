//! Line protocol into a local database, as a task.

use crate::Local;
use crate::task::{Told, Work};
use crate::values::Object;
use bytes::Bytes;
use isopoint_core::catalog::Command;
use isopoint_core::dialect::influx;
use isopoint_core::exec::Budget;
use isopoint_core::model::WriteBatch;
use isopoint_core::store::{Snapshot, WriteError, Written};
use isopoint_core::time::Timestamp;

pub(crate) struct Write {
    database: String,
    policy: Option<String>,
    step: Step,
    /// What could not be read of the text.
    malformed: Option<String>,
}

enum Step {
    /// The database is made when it is missing.
    Create(Box<WriteBatch>),
    Send(Box<WriteBatch>),
    Sent,
    Told(Result<Written, WriteError>),
}

impl Write {
    pub(crate) fn new(database: &str, policy: Option<String>, batch: WriteBatch, malformed: Option<String>) -> Self {
        Self { database: database.to_owned(), policy, step: Step::Create(Box::new(batch)), malformed }
    }

    fn answer(&self, outcome: &Result<Written, WriteError>) -> Told {
        let written = match outcome {
            Ok(written) => written,
            Err(error) => return Told::failed(&error.to_string()),
        };
        let refusal = written.refusal.as_ref().map(influx::refusal_text);
        let told = Object::new()
            .text("kind", "wrote")
            .number("points", written.points as f64)
            .number("values", written.values as f64)
            .number("dropped", written.dropped as f64);
        Told::Caller(match self.malformed.clone().or(refusal) {
            Some(error) => told.text("error", &error).into(),
            None => told.into(),
        })
    }
}

impl Work for Write {
    fn turn(&mut self, _: Budget, local: &mut Local, _: &Snapshot, now: Timestamp) -> Told {
        match std::mem::replace(&mut self.step, Step::Sent) {
            Step::Create(batch) => {
                self.step = Step::Send(batch);
                if local.snapshot().database(&self.database).is_some() {
                    return Told::Nobody;
                }
                let command = Command::CreateDatabase { name: self.database.clone(), policy: None };
                local.command(now, command).map_or(Told::Beyond, Told::Wrote)
            }
            Step::Send(batch) => Told::Wrote(local.write(now, &self.database, self.policy.as_deref(), *batch)),
            Step::Told(outcome) => self.answer(&outcome),
            Step::Sent => Told::failed("the write has ended"),
        }
    }

    fn supply(&mut self, _: Result<Vec<Bytes>, String>) {}

    fn wrote(&mut self, outcome: Result<Written, WriteError>, _: Snapshot) {
        // A database that could not be made is an end, one that was made is not.
        if outcome.is_err() || matches!(self.step, Step::Sent) {
            self.step = Step::Told(outcome);
        }
    }
}
