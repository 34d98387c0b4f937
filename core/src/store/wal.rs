//! The log of everything acknowledged: batches and commands in one order.
//!
//! A segment is a log file (see [`log`]) with magic `ISOPWAL1`. Its frames:
//!
//! ```text
//! kind 1  batch         varint database id, varint policy id, points (see `points`)
//! kind 2  command       see `Command::encode`
//! kind 3  drop shards   varint count, varint shard ids: what retention let go
//! ```
//!
//! A batch is one frame, so it is replayed whole or not at all. Only points that were accepted are logged: replay
//! checks neither limits nor retention, and comes to the same state at any later time.

mod points;

pub use points::{PointsWriter, decode_batch, encode_batch};

use super::layout::FileName;
use super::log;
use crate::catalog::Command;
use crate::codec::DecodeError;
use crate::codec::varint::{self, Reader};
use crate::model::WriteBatch;

pub const MAGIC: log::Magic = *b"ISOPWAL1";
const BATCH: u8 = 1;
const COMMAND: u8 = 2;
const DROP_SHARDS: u8 = 3;

/// One frame of a segment.
#[derive(Debug)]
pub enum Record {
    Batch { database: u32, policy: u32, batch: Box<WriteBatch> },
    Command(Command),
    DropShards(Vec<u64>),
}

pub fn write_batch(database: u32, policy: u32, batch: &WriteBatch, points: &mut PointsWriter, out: &mut Vec<u8>) {
    log::write_frame(BATCH, out, |out| {
        varint::write(u64::from(database), out);
        varint::write(u64::from(policy), out);
        points.write(batch, out);
    });
}

pub fn write_command(command: &Command, out: &mut Vec<u8>) {
    log::write_frame(COMMAND, out, |out| command.encode(out));
}

pub fn write_drop_shards(ids: &[u64], out: &mut Vec<u8>) {
    log::write_frame(DROP_SHARDS, out, |out| {
        varint::write(ids.len() as u64, out);
        ids.iter().for_each(|id| varint::write(*id, out));
    });
}

/// Takes the payload of a frame apart.
pub fn decode_record(kind: u8, payload: &[u8]) -> Result<Record, DecodeError> {
    let mut reader = Reader::new(payload);
    let record = match kind {
        BATCH => {
            let mut id = || {
                let id = reader.varint("id")?;
                u32::try_from(id).map_err(|_| reader.error("id too large"))
            };
            let (database, policy) = (id()?, id()?);
            let mut batch = Box::new(WriteBatch::new());
            points::decode(&mut reader, &mut batch)?;
            Record::Batch { database, policy, batch }
        }
        COMMAND => Record::Command(Command::decode(&mut reader)?),
        DROP_SHARDS => {
            let count = reader.length(reader.remaining(), "number of shards")?;
            Record::DropShards((0..count).map(|_| reader.varint("shard id")).collect::<Result<_, _>>()?)
        }
        _ => return Err(reader.error("unknown kind of record")),
    };
    reader.finish()?;
    Ok(record)
}

/// Where the log stands: the segment that is written and how much of it is known to be good.
#[derive(Debug)]
pub struct Wal {
    segment: u64,
    /// Bytes of the segment that are durable; 0 when it has no header yet.
    good_len: u64,
    /// The first segment that is still needed.
    first: u64,
    /// Durable bytes of the segments before this one that are still there.
    earlier_bytes: u64,
}

impl Wal {
    pub fn new(first: u64, segment: u64, good_len: u64, earlier_bytes: u64) -> Self {
        Self { segment, good_len, first, earlier_bytes }
    }

    pub fn file(&self) -> FileName {
        FileName::wal(self.segment)
    }

    pub fn good_len(&self) -> u64 {
        self.good_len
    }

    /// Durable bytes of all segments that are still needed.
    pub fn bytes(&self) -> u64 {
        self.earlier_bytes + self.good_len
    }

    /// What must come before the next frame: the header of a new segment, or nothing.
    pub fn begin(&self, out: &mut Vec<u8>) {
        if self.good_len == 0 {
            log::write_header(MAGIC, self.segment, out);
        }
    }

    /// So many bytes more are durable.
    pub fn grew(&mut self, bytes: u64) {
        self.good_len += bytes;
    }

    /// While opening: a segment that follows, of so many good bytes.
    pub fn follow(&mut self, segment: u64, good_len: u64) {
        self.earlier_bytes += self.good_len;
        (self.segment, self.good_len) = (segment, good_len);
    }

    /// The next frame begins a new segment, unless this one is new itself. The segment of the next frame.
    pub fn rotate(&mut self) -> u64 {
        if self.good_len > 0 {
            self.earlier_bytes += self.good_len;
            self.segment += 1;
            self.good_len = 0;
        }
        self.segment
    }

    /// Nothing before `first` is needed any more; the segments to delete. `bytes` is what they hold.
    pub fn release(&mut self, first: u64, bytes: u64) -> Vec<FileName> {
        let files = (self.first..first).map(FileName::wal).collect();
        self.first = self.first.max(first);
        self.earlier_bytes = self.earlier_bytes.saturating_sub(bytes);
        files
    }
}
