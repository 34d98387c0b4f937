//! `$timeFilter`, `$interval` and kin.

use super::super::times::{Range, duration};
use super::Context;

/// The interval in milliseconds: as asked, but not below what the query or else the data source says.
pub(crate) fn interval(of_query: &str, of_source: &str, context: Context) -> i64 {
    let minimum = [of_query, of_source].into_iter().find(|text| !text.is_empty()).unwrap_or_default();
    let minimum = duration(minimum.trim_start_matches('>').trim()).unwrap_or(0);
    context.interval_millis.max(minimum).max(1)
}

pub(crate) fn replace(text: &str, range: Range, interval: i64) -> String {
    let filter = format!("time >= {}ms and time <= {}ms", range.from, range.to);
    replace_interval(&text.replace("$timeFilter", &filter), interval)
}

/// Longer names first: one begins with another.
pub(crate) fn replace_interval(text: &str, interval: i64) -> String {
    let unit = unit(interval);
    text.replace("$__interval_ms", &interval.to_string()).replace("$__interval", &unit).replace("$interval", &unit)
}

/// The largest unit that goes into it, cut off: 90 s are `1m`.
fn unit(millis: i64) -> String {
    const UNITS: [(i64, &str); 5] =
        [(31_536_000_000, "y"), (86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1000, "s")];
    match UNITS.iter().find(|(each, _)| millis >= *each) {
        Some((each, name)) => format!("{}{name}", millis / each),
        None => format!("{millis}ms"),
    }
}
