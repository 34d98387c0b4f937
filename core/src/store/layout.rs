//! Every file name of a data folder, in one place.
//!
//! ```text
//! LOCK                                  the host's own: one process at a time
//! VERSION                               text: the number of the format
//! wal/00000001.wal                      log segments
//! manifest/00000001.man                 live files' log
//! db<id>/rp<id>/<shard start>/<hash>.blk   block files, named by content
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
