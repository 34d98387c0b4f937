//! What is known of all metrics as one document, which a page takes from its server: with it an answer in the page has the
//! types, intervals and units that the server's has.
//!
//! ```text
//! GET /api/v1/isopoint/metrics?since=7    {"database":"datadog","revision":9,"metrics":{"name":{…}, …}}
//!                                         "metrics" is null when nothing changed since that revision
//! PUT /api/v1/isopoint/metrics            the same: afterwards nothing else is known
//! ```

use super::error::{self, Error};
use super::keys::{self, Needs};
use super::list::{answered, parameter};
use super::metadata::{Metadata, SPACE};
use super::names;
use crate::catalog::{CatalogError, Command, DocumentChanges};
use crate::dialect::exchange::{Exchange, Turn};
use crate::dialect::route::Call;
use crate::exec::Budget;
use crate::sorted::SortedMap;
use crate::store::{Snapshot, WriteError, Written};
use bytes::Bytes;
use serde_json::Value;

pub(super) fn export(call: Call) -> Box<dyn Exchange> {
    answered(&call, |json| {
        let space = call.snapshot.documents.space(SPACE);
        let since: Option<u64> = parameter(&call, "since").and_then(|since| since.parse().ok());
        json.begin_object();
        json.key("database");
        json.string(&call.config.datadog.database);
        json.key("revision");
        json.raw(&space.revision.to_string());
        json.key("metrics");
        if since == Some(space.revision) {
            json.null();
        } else {
            json.begin_object();
            for (name, body) in space.documents.iter() {
                json.key(name);
                json.raw(&String::from_utf8_lossy(&Metadata::decode(body).encode()));
            }
            json.end_object();
        }
        json.end_object();
        Ok(())
    })
}

pub(super) fn import(call: Call) -> Box<dyn Exchange> {
    let read = || -> Result<SortedMap<String, Bytes>, Error> {
        keys::check(&call, Needs::BothKeys)?;
        let body: Value = serde_json::from_slice(&call.request.body).map_err(|why| Error::bad(why.to_string()))?;
        let Some(Value::Object(metrics)) = body.get("metrics") else {
            return Err(Error::bad("the body has no object \"metrics\""));
        };
        let mut wanted = SortedMap::new();
        for (name, known) in metrics {
            if !names::is_metric(name) {
                return Err(Error::bad(format!("{name:?} is no name of a metric")));
            }
            wanted.insert(name.clone(), Metadata::decode(known.to_string().as_bytes()).encode());
        }
        Ok(wanted)
    };
    match read() {
        Err(error) => error::reply(&error),
        Ok(wanted) => Box::new(Import { wanted, snapshot: call.snapshot.clone(), reply: None }),
    }
}

struct Import {
    wanted: SortedMap<String, Bytes>,
    snapshot: Snapshot,
    reply: Option<Box<dyn Exchange>>,
}

impl Import {
    /// `None` when all is as wanted.
    fn changes(&self) -> Option<DocumentChanges> {
        let space = self.snapshot.documents.space(SPACE);
        let mut changes = Vec::new();
        for name in space.documents.keys().filter(|name| !self.wanted.contains_key(name.as_str())) {
            changes.push((name.clone(), None));
        }
        for (name, body) in self.wanted.iter() {
            if space.documents.get(name.as_str()) != Some(body) {
                changes.push((name.clone(), Some(body.clone())));
            }
        }
        (!changes.is_empty()).then(|| DocumentChanges { space: SPACE.to_owned(), revision: space.revision, changes })
    }
}

impl Exchange for Import {
    fn turn(&mut self, budget: Budget) -> Turn {
        if let Some(reply) = &mut self.reply {
            return reply.turn(budget);
        }
        match self.changes() {
            Some(changes) => Turn::Command(Command::Documents(changes)),
            None => self.reply.insert(error::json(200, "{}")).turn(budget),
        }
    }

    fn supply(&mut self, _bytes: Result<Vec<Bytes>, String>) {}

    fn wrote(&mut self, outcome: Result<Written, WriteError>, snapshot: Snapshot) {
        self.snapshot = snapshot;
        match outcome {
            // Once more on what is there now; usually nothing is left to change.
            Ok(_) | Err(WriteError::Catalog(CatalogError::DocumentsChanged(_))) => {}
            Err(error) => self.reply = Some(error::reply(&error.into())),
        }
    }
}
