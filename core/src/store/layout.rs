//! Every file name of a data folder, in one place.
//!
//! ```text
//! LOCK                                  the host's own: one process at a time
//! VERSION                               text: the number of the format
//! wal/00000001.wal                      log segments
//! manifest/00000001.man                 live files' log
//! db<id>/rp<id>/<shard start>/<hash>.blk   block files, named by content
//! <any>.tmp                             what a put or a compaction has not yet renamed; deleted at the next opening
//! ```

use std::fmt;

/// A path below the data folder, with `/` between parts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileName(String);

impl FileName {
    pub fn new(path: impl Into<String>) -> Self {
        Self(path.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn version() -> Self {
        Self::new("VERSION")
    }

    pub fn wal(segment: u64) -> Self {
        Self(format!("wal/{segment:08}.wal"))
    }

    pub fn manifest(number: u64) -> Self {
        Self(format!("manifest/{number:08}.man"))
    }

    /// `shard_start` in nanoseconds; `hash` of the file's bytes.
    pub fn block(database: u32, policy: u32, shard_start: i64, hash: u128) -> Self {
        Self(format!("db{database}/rp{policy}/{shard_start}/{hash:032x}.blk"))
    }

    /// A block file while it is written, whose hash is not known yet.
    pub fn compacting(database: u32, policy: u32, shard_start: i64, number: u64) -> Self {
        Self(format!("db{database}/rp{policy}/{shard_start}/{number}.tmp"))
    }

    /// The number of a WAL segment's name.
    pub fn as_wal(&self) -> Option<u64> {
        numbered(&self.0, "wal/", ".wal")
    }

    /// The number of a manifest's name.
    pub fn as_manifest(&self) -> Option<u64> {
        numbered(&self.0, "manifest/", ".man")
    }

    /// The hash in a block file's name.
    pub fn block_hash(&self) -> Option<u128> {
        let (_, name) = self.0.rsplit_once('/')?;
        u128::from_str_radix(name.strip_suffix(".blk")?, 16).ok()
    }

    pub fn is_temporary(&self) -> bool {
        self.0.ends_with(".tmp")
    }

    pub fn is_block(&self) -> bool {
        self.0.starts_with("db") && self.0.ends_with(".blk")
    }
}

fn numbered(path: &str, folder: &str, ending: &str) -> Option<u64> {
    let digits = path.strip_prefix(folder)?.strip_suffix(ending)?;
    let number = digits.parse().ok()?;
    (digits.len() >= 8 && digits.bytes().all(|byte| byte.is_ascii_digit())).then_some(number)
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Bytes of a file to read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteRange {
    pub file: FileName,
    pub offset: u64,
    pub len: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_apart() {
        assert_eq!(FileName::wal(7).as_wal(), Some(7));
        assert_eq!(FileName::wal(1_000_000_000).as_wal(), Some(1_000_000_000));
        assert_eq!(FileName::manifest(3).as_manifest(), Some(3));
        assert_eq!(FileName::manifest(3).as_wal(), None);
        assert_eq!(FileName::new("wal/00000001.wal.tmp").as_wal(), None);
        assert_eq!(FileName::new("wal/+0000001.wal").as_wal(), None);
        assert!(FileName::block(1, 2, -5, 0xab).is_block());
        assert_eq!(FileName::block(1, 2, -5, 0xab).block_hash(), Some(0xab));
    }
}
