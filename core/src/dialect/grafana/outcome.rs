//! What became of one query.

use super::frame::DataFrame;

/// Frames, and perhaps why there are not more. A query may have both.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) frames: Vec<DataFrame>,
    pub(crate) fault: Option<Fault>,
}

/// Why a query failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) message: String,
    /// The data source is wrong, not we or the query.
    pub(crate) downstream: bool,
    pub(crate) status: u16,
    /// The handler gave up: alone in its request it takes the whole request with it.
    pub(crate) crash: bool,
}

impl Fault {
    pub(crate) fn plugin(status: u16, message: impl Into<String>) -> Self {
        Self { message: message.into(), downstream: false, status, crash: false }
    }

    pub(crate) fn downstream(status: u16, message: impl Into<String>) -> Self {
        Self { message: message.into(), downstream: true, status, crash: false }
    }
}

impl From<Vec<DataFrame>> for Outcome {
    fn from(frames: Vec<DataFrame>) -> Self {
        Self { frames, fault: None }
    }
}

impl From<Fault> for Outcome {
    fn from(fault: Fault) -> Self {
        Self { frames: Vec::new(), fault: Some(fault) }
    }
}
