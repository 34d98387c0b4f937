//! The engine's host on this machine: a thread that owns the store's log, files, memory maps, and the clock.

pub mod clock;
pub mod files;
pub mod folder;
mod map;
pub mod writer;

pub use writer::{Host, HostConfig, News};
