//! How much of the engine is built: all of it, or what a page needs first.
//!
//! The feature `full` is on everywhere but in the page's reader module. The reader follows replicas and answers plain
//! SELECTs; at everything else it says "beyond", and the host loads the full module. What [`FULL`] guards is left out of
//! the reader by the compiler, and still type-checked there. ARCHITECTURE.md lists the places.

/// Whether this is the whole engine.
pub const FULL: bool = cfg!(feature = "full");
