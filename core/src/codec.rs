//! How columns become bytes and come back.

use thiserror::Error;

/// Bytes that are not what they should be.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{what} at byte {offset}")]
pub struct DecodeError {
    pub what: &'static str,
    pub offset: u64,
}
