//! A file of blocks.

use crate::codec::DecodeError;

/// (being written)
#[derive(Clone, Debug)]
pub struct BlockEntry {}

/// (being written)
#[derive(Clone, Debug)]
pub struct FileIndex {}

impl FileIndex {
    pub fn blocks(&self, _slot: u32) -> Result<Vec<BlockEntry>, DecodeError> {
        Ok(Vec::new())
    }
}
