//! The engine's host on this machine: a thread that owns the store's log, files, memory maps, and the clock.

pub(crate) mod clock;
pub(crate) mod files;
pub(crate) mod folder;
mod map;
pub(crate) mod writer;

pub(crate) use writer::{Host, HostConfig, News};
