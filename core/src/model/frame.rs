//! What every query returns: named columns over one time column, for one group of series.

use super::column::Column;

/// A part of an answer. A group's rows may come in several frames; all but the last have `more`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Frame {
    /// The measurement, or what the dialect names a result.
    pub name: String,
    /// Which input of the plan's outermost [`Union`](crate::plan::Node::Union) the group is of; else 0.
    pub input: usize,
    /// The tags the group was made by, in key order.
    pub tags: Vec<(String, String)>,
    /// Nanoseconds since the epoch, one a row.
    pub times: Vec<i64>,
    pub columns: Vec<FrameColumn>,
    /// More rows of this very group follow in the next frame.
    pub more: bool,
    pub notices: Vec<Notice>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct FrameColumn {
    pub name: String,
    pub column: Column,
}

/// Partial trouble: the answer stands, and this is what is to be known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    pub text: String,
}

impl Frame {
    pub fn rows(&self) -> usize {
        self.times.len()
    }

    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name).map(|column| &column.column)
    }
}
