//! How a plan runs: pulled step by step over a snapshot.

pub mod exact_sum;
pub mod fold;
