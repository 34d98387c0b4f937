//! Test tools.

pub mod dump;
pub mod memhost;
pub mod simdisk;
