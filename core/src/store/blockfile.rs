//! A block file: the sealed, immutable blocks of one database, retention policy and shard, named by its content.
//!
//! Format v1. Numbers are little-endian; `text` is a varint length and UTF-8.
//!
//! ```text
//!  magic │ columns of series 0 │ columns of series 1 │ … │ index │ footer (84 bytes)
//! ```
//!
//! | part | field | bytes |
//! |---|---|---|
//! | magic | `isoblk`, version (u16) | 8 |
//! | columns | of all blocks, by series, then time, see [`block`](super::block) | |
//! | index | database, retention policy | text, text |
//! | | shard: first and last instant | zigzag varint, varint of the difference |
//! | | number of fields | varint |
//! | | for each field: measurement (empty: that of the field before), name, type | text, text, 1 |
//! | | length of the groups | varint |
//! | | groups: each 16 series in key order, the last perhaps fewer | |
//! | | for each group, where it begins in the groups | 4 |
//! | group | offset in the file of the columns of its first series | varint |
//! | | for each series: bytes shared with the key before in the group, the others | varint, varint length and bytes |
//! | | length of its columns, length of its entries | varint, varint |
//! | | entries of its blocks by time, see [`block`](super::block) | |
//!
//! | footer offset | field | bytes |
//! |---|---|---|
//! | 0 | offset of the index | 8 |
//! | 8 | length of the index | 4 |
//! | 12 | CRC-32C of the index | 4 |
//! | 16 | series | 4 |
//! | 20 | blocks | 4 |
//! | 24 | rows of all blocks | 8 |
//! | 32 | values of all columns | 8 |
//! | 40 | first time; after the last when there are no rows | 8 |
//! | 48 | last time | 8 |
//! | 56 | least sequence number | 8 |
//! | 64 | greatest sequence number | 8 |
//! | 72 | CRC-32C of the footer so far | 4 |
//! | 76 | `isoblk`, version (u16) | 8 |
//!
//! A reader takes the footer from the end, the index from where the footer says, and then only the columns it needs.
//! The index stays as it is in memory; keys and entries are decoded when asked for, so a series costs the bytes it has
//! here. [`BlockFileWriter`] writes, [`FileIndex`] reads.

mod index;
mod writer;

pub use index::{Blocks, FileIndex, Footer, SeriesKeys};
pub use writer::BlockFileWriter;

use crate::time::TimeRange;
use crate::value::FieldType;

pub const VERSION: u16 = 1;

const MAGIC: [u8; 6] = *b"isoblk";

/// Series that share one key prefix and one offset.
const GROUP: usize = 16;

/// What a file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileMeta {
    pub database: String,
    pub retention_policy: String,
    /// Instants the shard may hold.
    pub shard: TimeRange,
    /// Sequence numbers of the writes in the file.
    pub min_sequence: u64,
    pub max_sequence: u64,
}

/// A field of a measurement. A name may be there once for each type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    pub measurement: String,
    pub name: String,
    pub field_type: FieldType,
}

/// The name of a file by its bytes: xxh3, 128 bits, 32 hexadecimal digits.
pub fn content_name(bytes: &[u8]) -> String {
    format!("{:032x}", xxhash_rust::xxh3::xxh3_128(bytes))
}

fn magic() -> [u8; 8] {
    let mut magic = [0; 8];
    magic[..6].copy_from_slice(&MAGIC);
    magic[6..].copy_from_slice(&VERSION.to_le_bytes());
    magic
}

#[cfg(test)]
mod tests;
