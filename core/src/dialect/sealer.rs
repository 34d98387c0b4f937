//! Keeping secrets: the host has the key, dialects have the texts.

use std::fmt::Debug;

/// Seals texts so that they can lie in the catalog, its log and every backup.
pub trait Sealer: Send + Sync + Debug {
    /// The sealed form; new for every call. `context` says what the secret is and must be the same to open it, so that
    /// it cannot be moved elsewhere.
    fn seal(&self, plain: &[u8], context: &[u8]) -> Vec<u8>;

    /// `None`: another key, another context, or damaged.
    fn open(&self, sealed: &[u8], context: &[u8]) -> Option<Vec<u8>>;
}
