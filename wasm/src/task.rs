//! What is being answered, a turn at a time.

use crate::columns;
use crate::local::Local;
use crate::values::{self, Object};
use bytes::Bytes;
use isopoint_core::dialect::errand::{Errand, ErrandError, Told};
use isopoint_core::dialect::exchange::{Exchange, Turn};
use isopoint_core::dialect::influx::frames::{FrameQuery, FrameTurn};
use isopoint_core::exec::{Budget, QueryStats};
use isopoint_core::model::Frame;
use isopoint_core::store::{ByteRange, Snapshot};
use isopoint_core::time::Timestamp;
use js_sys::{Array, Uint8Array};
use wasm_bindgen::JsValue;

pub(crate) struct Task {
    kind: Kind,
    /// What the last read asked for, and which of it the caller brings; the rest is in the page's own files.
    asked: Vec<ByteRange>,
}

enum Kind {
    Exchange(Box<dyn Exchange>),
    Frames(Box<FrameQuery>),
}

impl Task {
    pub(crate) fn exchange(exchange: Box<dyn Exchange>) -> Self {
        Self { kind: Kind::Exchange(exchange), asked: Vec::new() }
    }

    pub(crate) fn frames(query: FrameQuery) -> Self {
        Self { kind: Kind::Frames(Box::new(query)), asked: Vec::new() }
    }

    /// One thing that the caller must know, after any number that it need not.
    pub(crate) fn turn(&mut self, rows: u64, local: &mut Local, replicas: &Snapshot, now: Timestamp) -> JsValue {
        loop {
            let told = match &mut self.kind {
                Kind::Exchange(exchange) => match exchange.turn(Budget { rows }) {
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
                    Turn::Read(ranges) => self.read(ranges, local),
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
                    Turn::Ask(errands) => {
                        exchange.told(errands.iter().map(unanswered).collect());
                        None
                    }
                    Turn::Yield => Some(Object::new().text("kind", "yield").into()),
                    Turn::Done(stats) => Some(done(&stats)),
                },
                Kind::Frames(query) => match query.turn(Budget { rows }) {
                    FrameTurn::Frame { statement, frame } => Some(frame_object(statement, &frame)),
                    FrameTurn::Failed { statement, error } => Some(
                        Object::new()
                            .text("kind", "failed")
                            .number("statement", statement as f64)
                            .text("error", &error)
                            .into(),
                    ),
                    FrameTurn::Read(ranges) => self.read(ranges, local),
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

    /// What the last read asked the caller for, in its order.
    pub(crate) fn supply(&mut self, parts: Vec<Bytes>, local: &Local) {
        let mut parts = parts.into_iter();
        let bytes: Option<Vec<Bytes>> =
            self.asked.drain(..).map(|range| local.read(&range).or_else(|| parts.next())).collect();
        self.answer(bytes.ok_or_else(|| "fewer parts than asked for".to_owned()));
    }

    pub(crate) fn fail(&mut self, why: String) {
        self.answer(Err(why));
    }

    /// What the caller must read; `None` when all was here.
    fn read(&mut self, ranges: Vec<ByteRange>, local: &Local) -> Option<JsValue> {
        self.asked = ranges;
        let foreign = values::ranges(self.asked.iter().filter(|range| !local.holds(range)));
        if foreign.length() == 0 {
            self.supply(Vec::new(), local);
            return None;
        }
        Some(Object::new().text("kind", "read").value("ranges", &foreign).into())
    }

    fn answer(&mut self, bytes: Result<Vec<Bytes>, String>) {
        match &mut self.kind {
            Kind::Exchange(exchange) => exchange.supply(bytes),
            Kind::Frames(query) => query.supply(bytes),
        }
    }
}

/// A page calls no other server, and does not wait.
fn unanswered(errand: &Errand) -> Result<Told, ErrandError> {
    match errand {
        Errand::Http(_) => Err(ErrandError::Unsupported),
        Errand::Wait { .. } => Ok(Told::Waited),
    }
}

fn frame_object(statement: usize, frame: &Frame) -> JsValue {
    let columns = frame.columns.iter().map(|column| columns::column(&column.name, &column.column));
    let frame = Object::new()
        .number("statement", statement as f64)
        .text("name", &frame.name)
        .value("tags", &values::pairs(&frame.tags))
        .value("times", &columns::times(&frame.times))
        .value("columns", &columns.collect::<Array>())
        .flag("more", frame.more);
    Object::new().text("kind", "frame").value("frame", &frame.into()).into()
}

fn done(stats: &QueryStats) -> JsValue {
    let stats = Object::new()
        .number("series", stats.series as f64)
        .number("points", stats.points as f64)
        .number("rows", stats.rows_out as f64)
        .number("blocksFromHeader", stats.blocks_from_header as f64)
        .number("blocksDecoded", stats.blocks_decoded as f64)
        .number("blocksPruned", stats.blocks_pruned as f64);
    Object::new().text("kind", "done").value("stats", &stats.into()).into()
}
