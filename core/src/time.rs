//! Instants and ranges. One unit: nanoseconds since 1970-01-01T00:00:00Z, in an `i64`.

mod civil;
mod zone;

pub use civil::{Civil, civil_from_days, days_from_civil, parse_rfc3339, write_rfc3339};
pub use zone::Zone;

pub const NANOS_PER_MICRO: i64 = 1_000;
pub const NANOS_PER_MILLI: i64 = 1_000_000;
pub const NANOS_PER_SEC: i64 = 1_000_000_000;
pub const NANOS_PER_MINUTE: i64 = 60 * NANOS_PER_SEC;
pub const NANOS_PER_HOUR: i64 = 60 * NANOS_PER_MINUTE;
pub const NANOS_PER_DAY: i64 = 24 * NANOS_PER_HOUR;
pub const NANOS_PER_WEEK: i64 = 7 * NANOS_PER_DAY;

/// An instant, in nanoseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The earliest instant a point may have: InfluxDB keeps the two below for itself.
    pub const MIN: Self = Self(i64::MIN + 2);
    /// The latest instant a point may have.
    pub const MAX: Self = Self(i64::MAX - 1);
    pub const EPOCH: Self = Self(0);

    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// `None` when the instant does not fit.
    pub const fn from_secs(secs: i64) -> Option<Self> {
        match secs.checked_mul(NANOS_PER_SEC) {
            Some(nanos) => Some(Self(nanos)),
            None => None,
        }
    }

    pub const fn nanos(self) -> i64 {
        self.0
    }

    pub const fn checked_add_nanos(self, nanos: i64) -> Option<Self> {
        match self.0.checked_add(nanos) {
            Some(sum) => Some(Self(sum)),
            None => None,
        }
    }
}

/// A span of time, **both ends included**: the one form in which "everything" can be written without overflow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeRange {
    pub min: i64,
    pub max: i64,
}

impl TimeRange {
    /// Every instant a point may have.
    pub const ALL: Self = Self { min: Timestamp::MIN.0, max: Timestamp::MAX.0 };
    pub const EMPTY: Self = Self { min: 0, max: -1 };

    pub const fn new(min: i64, max: i64) -> Self {
        Self { min, max }
    }

    pub const fn is_empty(self) -> bool {
        self.min > self.max
    }

    pub const fn contains(self, time: i64) -> bool {
        self.min <= time && time <= self.max
    }

    pub const fn covers(self, other: Self) -> bool {
        self.min <= other.min && other.max <= self.max
    }

    pub const fn overlaps(self, other: Self) -> bool {
        self.min <= other.max && other.min <= self.max
    }

    pub fn intersect(self, other: Self) -> Self {
        Self { min: self.min.max(other.min), max: self.max.min(other.max) }
    }
}
