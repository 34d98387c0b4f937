//! What is being answered, a turn at a time.

use crate::values::{self, Object};
use crate::{Local, columns};
use bytes::Bytes;
use isopoint_core::dialect::influx::frames::{FrameQuery, FrameTurn};
use isopoint_core::exec::{Budget, QueryStats};
use isopoint_core::model::Frame;
use isopoint_core::store::{ByteRange, Snapshot, WriteError, WriteId, Written};
use isopoint_core::time::Timestamp;
use js_sys::Array;
use wasm_bindgen::JsValue;

/// What can be turned until it is done.
pub(crate) trait Work {
    fn turn(&mut self, budget: Budget, local: &mut Local, replicas: &Snapshot, now: Timestamp) -> Told;

    /// The bytes that the last [`Told::Read`] asked for, in its order.
    fn supply(&mut self, bytes: Result<Vec<Bytes>, String>);

    /// How the last [`Told::Wrote`] went, and what there is since.
    fn wrote(&mut self, outcome: Result<Written, WriteError>, snapshot: Snapshot);
}

/// Who has to know what a turn came to.
pub(crate) enum Told {
    Caller(JsValue),
    /// It goes on at once.
    #[cfg(feature = "full")]
    Nobody,
    /// Whoever has these ranges: the instance itself, or the caller.
    Read(Vec<ByteRange>),
    /// The local store has it; its outcome is due.
    Wrote(WriteId),
    /// The caller: this module cannot do it, the full one can.
    Beyond,
}

#[cfg(feature = "full")]
impl Told {
    /// An end that is an error.
    pub(crate) fn failed(why: &str) -> Self {
        Self::Caller(Object::new().text("kind", "refused").text("error", why).into())
    }
}

pub(crate) struct Task {
    work: Box<dyn Work>,
    /// What the last read asked for, and which of it the caller brings; the rest is in the page's own files.
    asked: Vec<ByteRange>,
    /// What the local store has not answered yet.
    written: Option<WriteId>,
}

impl Task {
    pub(crate) fn new(work: impl Work + 'static) -> Self {
        Self { work: Box::new(work), asked: Vec::new(), written: None }
    }

    /// One thing that the caller must know, after any number that it need not.
    pub(crate) fn turn(&mut self, rows: u64, local: &mut Local, replicas: &Snapshot, now: Timestamp) -> JsValue {
        loop {
            if let Some(write) = self.written {
                let Some(outcome) = local.outcome(write) else { return Object::new().text("kind", "store").into() };
                self.written = None;
                self.work.wrote(outcome, values::both(replicas, &local.snapshot()));
            }
            match self.work.turn(Budget::rows(rows), local, replicas, now) {
                Told::Caller(told) => return told,
                #[cfg(feature = "full")]
                Told::Nobody => {}
                Told::Read(ranges) => {
                    if let Some(told) = self.read(ranges, local) {
                        return told;
                    }
                }
                Told::Wrote(write) => self.written = Some(write),
                Told::Beyond => return Object::new().text("kind", "beyond").into(),
            }
        }
    }

    /// What the last read asked the caller for, in its order.
    pub(crate) fn supply(&mut self, parts: Vec<Bytes>, local: &Local) {
        let mut parts = parts.into_iter();
        let bytes: Option<Vec<Bytes>> =
            self.asked.drain(..).map(|range| local.read(&range).or_else(|| parts.next())).collect();
        self.work.supply(bytes.ok_or_else(|| "fewer parts than asked for".to_owned()));
    }

    pub(crate) fn fail(&mut self, why: String) {
        self.work.supply(Err(why));
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
}

impl Work for FrameQuery {
    fn turn(&mut self, budget: Budget, local: &mut Local, _: &Snapshot, now: Timestamp) -> Told {
        match self.turn(budget) {
            FrameTurn::Frame { statement, frame } => Told::Caller(frame_object(statement, &frame)),
            FrameTurn::Failed { statement, error } => {
                let told = Object::new().text("kind", "failed").number("statement", statement as f64);
                Told::Caller(told.text("error", &error).into())
            }
            FrameTurn::Read(ranges) => Told::Read(ranges),
            FrameTurn::Command(command) => local.command(now, command).map_or(Told::Beyond, Told::Wrote),
            FrameTurn::Yield => yielded(),
            FrameTurn::Beyond => Told::Beyond,
            FrameTurn::Done(stats) => done(&stats),
        }
    }

    fn supply(&mut self, bytes: Result<Vec<Bytes>, String>) {
        self.supply(bytes);
    }

    fn wrote(&mut self, outcome: Result<Written, WriteError>, snapshot: Snapshot) {
        self.wrote(outcome, snapshot);
    }
}

pub(crate) fn yielded() -> Told {
    Told::Caller(Object::new().text("kind", "yield").into())
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

pub(crate) fn done(stats: &QueryStats) -> Told {
    let stats = Object::new()
        .number("series", stats.series as f64)
        .number("points", stats.points as f64)
        .number("rows", stats.rows_out as f64)
        .number("blocksFromHeader", stats.blocks_from_header as f64)
        .number("blocksDecoded", stats.blocks_decoded as f64)
        .number("blocksPruned", stats.blocks_pruned as f64);
    Told::Caller(Object::new().text("kind", "done").value("stats", &stats.into()).into())
}
