//! What is being answered, a turn at a time.

use crate::columns;
use crate::local::Local;
use crate::values::{self, Object};
use bytes::Bytes;
use isopoint_core::dialect::exchange::{Exchange, Turn};
use isopoint_core::dialect::influx::frames::{FrameQuery, FrameTurn};
use isopoint_core::exec::{Budget, QueryStats};
use isopoint_core::model::Frame;
use isopoint_core::store::{ByteRange, Snapshot};
use isopoint_core::time::Timestamp;
use js_sys::{Array, Uint8Array};
use wasm_bindgen::JsValue;

pub(crate) enum Task {
    Exchange(Box<dyn Exchange>),
    Frames(Box<FrameQuery>),
}

impl Task {
    /// One thing that the caller must know, after any number that it need not.
    pub(crate) fn turn(&mut self, rows: u64, local: &mut Local, replicas: &Snapshot, now: Timestamp) -> JsValue {
        loop {
            let told = match self {
                Self::Exchange(exchange) => match exchange.turn(Budget { rows }) {
                    Turn::Head(head) => Some(
                        Object::new()
                            .text("kind", "head")
                            .number("status", f64::from(head.status))
                            .value("headers", &values::pairs(&head.headers))
                            .into(),
                    ),
                    Turn::Chunk(bytes) => {
                        Some(Object::new().text("kind", "chunk").value("bytes", &Uint8Array::from(&bytes[..])).into())
                    }
                    Turn::Read(ranges) => self.read(&ranges, local),
                    Turn::Write { database, policy, batch } => {
                        let outcome = local.write(now, &database, policy.as_deref(), *batch);
                        exchange.wrote(outcome, values::both(replicas, &local.snapshot()));
                        None
                    }
                    Turn::Command(command) => {
                        let outcome = local.command(now, command);
                        exchange.wrote(outcome, values::both(replicas, &local.snapshot()));
                        None
                    }
                    Turn::Yield => Some(Object::new().text("kind", "yield").into()),
                    Turn::Done(stats) => Some(done(&stats)),
                },
                Self::Frames(query) => match query.turn(Budget { rows }) {
                    FrameTurn::Frame { statement, frame } => Some(frame_object(statement, &frame)),
                    FrameTurn::Failed { statement, error } => Some(
                        Object::new()
                            .text("kind", "failed")
                            .number("statement", statement as f64)
                            .text("error", &error)
                            .into(),
                    ),
                    FrameTurn::Read(ranges) => self.read(&ranges, local),
                    FrameTurn::Command(command) => {
                        let outcome = local.command(now, command);
                        query.wrote(outcome, values::both(replicas, &local.snapshot()));
                        None
                    }
                    FrameTurn::Yield => Some(Object::new().text("kind", "yield").into()),
                    FrameTurn::Done(stats) => Some(done(&stats)),
                },
            };
            if let Some(told) = told {
                return told;
            }
        }
    }
}
