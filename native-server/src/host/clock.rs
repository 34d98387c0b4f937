//! The one place that reads the clock.

use isopoint_core::time::Timestamp;
use std::time::{SystemTime, UNIX_EPOCH};

/// Now, in nanoseconds since the epoch; the epoch itself when the clock stands before it.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_nanos(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}
