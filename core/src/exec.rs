//! How a plan runs: pulled step by step over a snapshot.
//!
//! A plan becomes a tree of `Source`s, which know every group they will give before a byte is read.
//! Opening a group gives a `Cursor`, pulled for runs of rows: borrowed columns of a chunk or a decoded
//! block wherever nothing has to be merged, filtered or computed. A cursor that lacks bytes says what it wants
//! (`Io`) and is pulled again when they are there.
//!
//! ```text
//! task ─► limit ─► fill ─► aggregate ─► filter, map ─► scan ─► merge (runs of one series) ─► load (chunk, block)
//!                          group (many series by time) ─┘
//! ```

mod absent;
mod accumulate;
mod aggregate;
mod bucket;
mod build;
mod cursor;
mod eval;
mod expect;
mod fill;
mod first_rows;
pub mod fold;
mod follow;
mod gaps;
mod group;
mod heap;
mod join;
mod lanes;
mod limit;
mod load;
mod map;
mod merge;
mod merged;
mod needs;
mod pair;
mod pool;
mod quantile;
mod rank;
mod reduce;
mod sample;
mod scan;
mod sort;
mod table;
mod tables;
pub mod task;
#[cfg(test)]
mod tests;
mod transform;
mod union;
mod walk;

pub use isopoint_kernels::exact_sum;
pub use lanes::Pool;
pub use needs::needs;
pub use task::{Budget, QueryError, QueryStats, QueryTask, Step};
