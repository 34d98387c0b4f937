//! The words everything else is written in: series, columns, batches of points, frames of results.

pub mod batch;
pub mod column;
pub mod frame;
pub mod series;

pub use batch::WriteBatch;
pub use column::{Bitmap, Column, Strings, Values};
pub use frame::Frame;
pub use series::SeriesKey;
