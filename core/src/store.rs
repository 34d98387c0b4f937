//! (being written)

pub mod block;
pub mod blockfile;
