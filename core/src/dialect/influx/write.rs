//! `/write` and `/api/v2/write`: line protocol into a database.

use super::error::{RequestError, refusal};
use super::head;
use super::line_protocol::{self, Outcome, Precision};
use crate::auth::Rights;
use crate::dialect::exchange::{Exchange, Turn};
use crate::dialect::form;
use crate::dialect::route::Call;
use crate::exec::{Budget, QueryStats};
use crate::model::WriteBatch;
use crate::store::{Snapshot, WriteError, Written};
use bytes::Bytes;

/// `POST /write?db=&rp=&precision=&consistency=`
pub(super) fn v1(call: Call) -> Box<dyn Exchange> {
    let mut query = Parameters::default();
    for (name, value) in form::pairs(call.request.query.as_bytes()) {
        let slot = match &*name {
            "db" => &mut query.database,
            "rp" => &mut query.policy,
            "precision" => &mut query.precision,
            "consistency" => &mut query.consistency,
            _ => continue,
        };
        slot.get_or_insert_with(|| value.into_owned());
    }
    let given = query.precision.unwrap_or_default();
    let Some(precision) = Precision::from_v1_name(&given) else {
        return head::error(&call, &RequestError::Precision { given, known: "n, u, ms, s, m or h" });
    };
    let Some(database) = query.database.filter(|database| !database.is_empty()) else {
        return head::error(&call, &RequestError::DatabaseRequired);
    };
    if let Some(level) = query.consistency.filter(|level| !level.is_empty())
        && !["any", "one", "quorum", "all"].iter().any(|known| known.eq_ignore_ascii_case(&level))
    {
        return head::error(&call, &RequestError::Consistency);
    }
    write(call, database, query.policy, precision)
}

/// `POST /api/v2/write?bucket=database/policy&precision=`
pub(super) fn v2(call: Call) -> Box<dyn Exchange> {
    let (mut bucket, mut given) = (None, None);
    for (name, value) in form::pairs(call.request.query.as_bytes()) {
        match &*name {
            "bucket" => bucket.get_or_insert_with(|| value.into_owned()),
            "precision" => given.get_or_insert_with(|| value.into_owned()),
            _ => continue,
        };
    }
    let given = given.unwrap_or_default();
    let Some(precision) = Precision::from_v2_name(&given) else {
        return head::error(&call, &RequestError::Precision { given, known: "ns, us, ms or s" });
    };
    let bucket = bucket.unwrap_or_default();
    let (database, policy) = match bucket.split_once('/') {
        Some((database, policy)) => (database.to_owned(), Some(policy.to_owned())),
        None => (bucket.clone(), None),
    };
    if bucket.is_empty() {
        return head::error(&call, &RequestError::BucketWithoutDatabase(bucket));
    }
    if database.is_empty() {
        return head::error(&call, &RequestError::BucketEmptyDatabase(bucket));
    }
    write(call, database, policy, precision)
}

#[derive(Default)]
struct Parameters {
    database: Option<String>,
    policy: Option<String>,
    precision: Option<String>,
    consistency: Option<String>,
}

fn write(mut call: Call, database: String, policy: Option<String>, precision: Precision) -> Box<dyn Exchange> {
    let Some(known) = call.snapshot.database(&database) else {
        return head::error(&call, &RequestError::DatabaseNotFound(database));
    };
    if !call.principal.may(Rights::WRITE, known.id) {
        return head::error(
            &call,
            &match call.principal.name() {
                Some(user) => RequestError::WriteForbidden { user: user.to_owned(), database },
                None => RequestError::WriteByNobody(database),
            },
        );
    }
    let mut batch = WriteBatch::new();
    let body = std::mem::take(&mut call.request.body);
    let parsed = line_protocol::parse(&body, precision, call.request.now, &mut batch);
    if batch.is_empty() {
        return verdict(&call, &parsed, &Written::default());
    }
    let policy = policy.filter(|policy| !policy.is_empty());
    Box::new(Write { call, parsed, state: State::Ready { database, policy, batch: Box::new(batch) } })
}

/// What is answered to a body of which `written` came to be stored.
fn verdict(call: &Call, parsed: &Outcome, written: &Written) -> Box<dyn Exchange> {
    let reason = written.refusal.as_ref().map(refusal);
    let dropped = reason.as_deref().map(|reason| (reason, usize::try_from(written.dropped).unwrap_or(usize::MAX)));
    match parsed.error(dropped) {
        Some(text) => head::error(call, &RequestError::Points(text)),
        None => head::empty(call, 204),
    }
}

/// Points on their way to the store.
#[derive(Debug)]
struct Write {
    call: Call,
    parsed: Outcome,
    state: State,
}

enum State {
    Ready { database: String, policy: Option<String>, batch: Box<WriteBatch> },
    Waiting,
    Answering(Box<dyn Exchange>),
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Ready { .. } => "Ready",
            Self::Waiting => "Waiting",
            Self::Answering(_) => "Answering",
        })
    }
}

impl Exchange for Write {
    fn turn(&mut self, budget: Budget) -> Turn {
        match std::mem::replace(&mut self.state, State::Waiting) {
            State::Ready { database, policy, batch } => Turn::Write { database, policy, batch },
            State::Waiting => Turn::Done(QueryStats::default()),
            State::Answering(mut reply) => {
                let turn = reply.turn(budget);
                self.state = State::Answering(reply);
                turn
            }
        }
    }

    fn supply(&mut self, _bytes: Result<Vec<Bytes>, String>) {}

    fn wrote(&mut self, outcome: Result<Written, WriteError>, _snapshot: Snapshot) {
        self.state = State::Answering(match outcome {
            Ok(written) => verdict(&self.call, &self.parsed, &written),
            Err(error) => head::error(&self.call, &RequestError::Write(error)),
        });
    }
}
