//! How a plan runs: pulled step by step over a snapshot.

pub mod exact_sum;
pub mod task;

pub use task::{Budget, QueryError, QueryStats, QueryTask, Step};
pub mod fold;
