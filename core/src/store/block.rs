//! One block.
