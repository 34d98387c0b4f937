//! Hash maps with a fixed seed. Their order never shows: whatever leaves the engine is sorted first.
//!
//! The seed is fixed so that core needs no randomness. A host that fears crafted keys bounds their number
//! (`limits.rs`); a collision costs time, never an answer.

pub type BuildHasher = foldhash::fast::FixedState;

/// A map whose iteration order must not reach an answer.
pub type Map<K, V> = std::collections::HashMap<K, V, BuildHasher>;
/// A set whose iteration order must not reach an answer.
pub type Set<K> = std::collections::HashSet<K, BuildHasher>;
