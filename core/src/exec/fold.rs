//! Folds of slices, as [`isopoint_kernels::fold`] has them, and those that know which rows are present.
//!
//! [`squeeze`] drops absent rows, from values, times and run ends alike, so that the other loops stay plain.

mod presence;
#[cfg(test)]
mod tests;

pub use isopoint_kernels::fold::*;
pub use presence::{count_present, first_present, last_present, squeeze, squeeze_ends};
