//! Datadog's limit on queries, for who wants one: so many an hour, hours as the clock has them.

use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};
use std::sync::{Mutex, PoisonError};

const PERIOD_SECS: u64 = 3600;

#[derive(Debug)]
pub(crate) struct RateLimit {
    allowed: u64,
    /// The hour, and queries in it.
    used: Mutex<(u64, u64)>,
}

/// What became of one query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub allowed: bool,
    limit: u64,
    remaining: u64,
    /// Seconds until the hour ends.
    reset: u64,
}

/// Whether requests to a path are counted.
pub(crate) fn counts(path: &str) -> bool {
    path == "/api/v1/query" || path.starts_with("/api/v2/query/")
}

impl RateLimit {
    pub(crate) const fn new(allowed: u64) -> Self {
        Self { allowed, used: Mutex::new((0, 0)) }
    }

    pub(crate) fn take(&self, now_nanos: i64) -> Verdict {
        let secs = u64::try_from(now_nanos / 1_000_000_000).unwrap_or(0);
        let hour = secs / PERIOD_SECS;
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if used.0 != hour {
            *used = (hour, 0);
        }
        let allowed = used.1 < self.allowed;
        used.1 += u64::from(allowed);
        Verdict {
            allowed,
            limit: self.allowed,
            remaining: self.allowed - used.1,
            reset: PERIOD_SECS - secs % PERIOD_SECS,
        }
    }
}

impl Verdict {
    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        for (name, value) in [
            ("x-ratelimit-limit", self.limit),
            ("x-ratelimit-period", PERIOD_SECS),
            ("x-ratelimit-remaining", self.remaining),
            ("x-ratelimit-reset", self.reset),
        ] {
            headers.insert(HeaderName::from_static(name), HeaderValue::from(value));
        }
        headers.insert(HeaderName::from_static("x-ratelimit-name"), HeaderValue::from_static("query"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_has_so_many() {
        let limit = RateLimit::new(2);
        let at = |secs: i64| {
            let verdict = limit.take(secs * 1_000_000_000);
            (verdict.allowed, verdict.remaining, verdict.reset)
        };
        assert_eq!(at(7200), (true, 1, 3600));
        assert_eq!(at(7201), (true, 0, 3599));
        assert_eq!(at(10_799), (false, 0, 1));
        assert_eq!(at(10_800), (true, 1, 3600));
    }
}
