//! The inner loops of the engine, in a crate of their own: a page's module is built for size, these for speed.
//!
//! [`bits`] unpacks numbers, [`fold`] finds the rows of buckets and the extremes of rows, [`exact_sum`] adds them up.
//! They know slices and nothing of the engine. What runs once a value belongs here, and must not be generic: a generic
//! function is compiled where it is used, for size.

#![forbid(unsafe_code)]

pub mod bits;
pub mod exact_sum;
pub mod fold;
