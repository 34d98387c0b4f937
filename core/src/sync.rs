//! How a page holds a replica of a server's database: the manifest of live files, ranges of immutable files, and a tail
//! of new points.
//!
//! ```text
//! GET /sync/manifest?db=NAME        what is live: policies, shards, files, and from which memtable on points are in the tail
//! GET /sync/file/PATH               a block file, by ranges; immutable, cache for ever
//! GET /sync/tail?db=NAME            a stream of frames: first everything not in a file yet, then new points as they are
//!                                   acknowledged, and the manifest again when it changes
//! ```
//!
//! A file holds one database, and a tail one; so the right to read a database is the right to its files. [`wire`] has the
//! formats, [`client`] the page's side as a state machine that says which bytes it wants.

pub mod client;
pub mod server;
pub mod wire;
