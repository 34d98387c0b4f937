//! `from` and `to`: epoch milliseconds, durations before now, and date math. All UTC.

use crate::time::{NANOS_PER_MILLI, Timestamp, civil_from_days, days_from_civil};

/// Milliseconds since the epoch, both ends included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) from: i64,
    pub(crate) to: i64,
}

impl Range {
    pub(crate) fn read(from: &str, to: &str, now: Timestamp) -> Self {
        let now = now.nanos().div_euclid(NANOS_PER_MILLI);
        Self { from: instant(from.trim(), now, false), to: instant(to.trim(), now, true) }
    }

    /// Milliseconds from one end to the other; 0 when they are turned round.
    pub(crate) fn length(self) -> i64 {
        self.to.saturating_sub(self.from).max(0)
    }
}

const DAY: i64 = 86_400_000;

/// What a text names; what names nothing is the epoch itself. `up` rounds to the end of a unit.
fn instant(text: &str, now: i64, up: bool) -> i64 {
    if let Ok(millis) = text.parse() {
        return millis;
    }
    if let Some(before) = duration(text) {
        return now.saturating_sub(before);
    }
    date_math(text, now, up).unwrap_or(0)
}

/// A bare duration in milliseconds: Go's, or one whole number of days, weeks, months or years.
pub(crate) fn duration(text: &str) -> Option<i64> {
    if let Some(unit) = text.chars().last().filter(|unit| "dwMy".contains(*unit)) {
        let count: i64 = text.strip_suffix(unit)?.parse().ok()?;
        let year = 31_557_600_000;
        let each = match unit {
            'd' => DAY,
            'w' => 7 * DAY,
            'M' => year / 12,
            _ => year,
        };
        return count.checked_mul(each);
    }
    go_duration(text).map(|nanos| nanos.div_euclid(NANOS_PER_MILLI))
}

/// A duration as Go writes them, in nanoseconds: `1h30m`, `1.5h`, `250ms`.
pub(crate) fn go_duration(text: &str) -> Option<i64> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total = 0_i64;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'.').count();
        let (number, after) = rest.split_at(digits);
        let unit_len = after.bytes().take_while(|byte| !byte.is_ascii_digit() && *byte != b'.').count();
        let (unit, after) = after.split_at_checked(unit_len)?;
        let each: i64 = match unit {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return None,
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let whole: i64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
        total = total.checked_add(whole.checked_mul(each)?)?;
        let mut scale = each;
        for digit in fraction.bytes() {
            scale /= 10;
            total = total.checked_add(i64::from(digit.checked_sub(b'0').filter(|digit| *digit < 10)?) * scale)?;
        }
        rest = after;
    }
    Some(if negative { -total } else { total })
}

/// A start and steps: `now-1d/d`, `2020-01-02||+1M`.
fn date_math(text: &str, now: i64, up: bool) -> Option<i64> {
    let (mut at, mut steps) = match text.strip_prefix("now") {
        Some(steps) => (now, steps),
        None => {
            let (date, steps) = text.split_once("||").unwrap_or((text, ""));
            (date_millis(date)?, steps)
        }
    };
    while let Some(sign) = steps.chars().next() {
        let rest = &steps[sign.len_utf8()..];
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (count, rest) = rest.split_at(digits);
        let unit_len = if rest.starts_with("fQ") || rest.starts_with("fy") { 2 } else { 1 };
        let (unit, rest) = rest.split_at_checked(unit_len)?;
        let unit = Unit::of(unit)?;
        at = match sign {
            '+' | '-' => {
                let count: i64 = if count.is_empty() { 1 } else { count.parse().ok()? };
                unit.add(at, if sign == '-' { -count } else { count })?
            }
            '/' if count.is_empty() => {
                let start = unit.floor(at)?;
                if up { unit.add(start, 1)? - 1 } else { start }
            }
            _ => return None,
        };
        steps = rest;
    }
    Some(at)
}

enum Unit {
    Millis(i64),
    /// Monday is the first day.
    Week,
    Months(i64),
}

impl Unit {
    fn of(name: &str) -> Option<Self> {
        Some(match name {
            "s" => Self::Millis(1000),
            "m" => Self::Millis(60_000),
            "h" | "H" => Self::Millis(3_600_000),
            "d" => Self::Millis(DAY),
            "w" => Self::Week,
            "M" => Self::Months(1),
            // The fiscal year begins in January.
            "Q" | "fQ" => Self::Months(3),
            "y" | "fy" => Self::Months(12),
            _ => return None,
        })
    }

    fn add(&self, at: i64, count: i64) -> Option<i64> {
        match self {
            Self::Millis(each) => at.checked_add(each.checked_mul(count)?),
            Self::Week => at.checked_add((7 * DAY).checked_mul(count)?),
            Self::Months(each) => {
                let (year, month, day) = civil_from_days(at.div_euclid(DAY));
                let months = (year * 12 + i64::from(month) - 1).checked_add(each.checked_mul(count)?)?;
                if months.abs() > 12 * 1_000_000 {
                    return None;
                }
                // A day that the month has not runs over into the next one.
                let first = days_from_civil(months.div_euclid(12), months.rem_euclid(12) as u32 + 1, 1);
                (first + i64::from(day) - 1).checked_mul(DAY)?.checked_add(at.rem_euclid(DAY))
            }
        }
    }

    fn floor(&self, at: i64) -> Option<i64> {
        match self {
            Self::Millis(each) => at.checked_sub(at.rem_euclid(*each)),
            Self::Week => {
                let days = at.div_euclid(DAY);
                // 1970-01-01 was a Thursday.
                days.checked_sub((days + 3).rem_euclid(7))?.checked_mul(DAY)
            }
            Self::Months(each) => {
                let (year, month, _) = civil_from_days(at.div_euclid(DAY));
                let month = i64::from(month) - 1;
                Some(days_from_civil(year, (month - month % each) as u32 + 1, 1) * DAY)
            }
        }
    }
}

/// `yyyy[-mm[-dd[Thh[:mm[:ss[.fff]]]]]]`, `Z` or `±hh:mm` behind a time.
fn date_millis(text: &str) -> Option<i64> {
    let (date, clock) = text.split_once(['T', ' ']).unwrap_or((text, ""));
    let mut parts = date.split('-');
    let mut part = |len: usize, default: u32| match parts.next() {
        None => Some(default),
        Some(text) if text.len() == len && text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
        Some(_) => None,
    };
    let (year, month, day) = (part(4, 0)?, part(2, 1)?, part(2, 1)?);
    if parts.next().is_some() || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let mut millis = days_from_civil(i64::from(year), month, day) * DAY;
    if civil_from_days(millis / DAY).1 != month && millis >= 0 {
        return None;
    }
    if clock.is_empty() {
        return Some(millis);
    }
    let end = clock.find(['Z', '+', '-']).unwrap_or(clock.len());
    let (clock, zone) = clock.split_at(end);
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let mut each = 3_600_000;
    for (at, text) in clock.split(':').enumerate() {
        let number: i64 = Some(text).filter(|text| text.len() == 2)?.parse().ok()?;
        if at > 2 || number > [23, 59, 59][at] {
            return None;
        }
        millis += number * each;
        each /= 60;
    }
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let fraction: i64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    millis += fraction;
    let offset = match zone {
        "" | "Z" => 0,
        zone => {
            let (hours, minutes) = zone[1..].split_once(':')?;
            let minutes = hours.parse::<i64>().ok()? * 60 + minutes.parse::<i64>().ok()?;
            if zone.starts_with('-') { -minutes } else { minutes }
        }
    };
    Some(millis - offset * 60_000)
}

/// A date and time in full, or a number of milliseconds: as cells of a table have them. Milliseconds and nanoseconds
/// above them.
pub(crate) fn cell_time(text: &str) -> Option<(i64, u32)> {
    if let Ok(millis) = text.parse() {
        return Some((millis, 0));
    }
    let (nanos, _) = crate::time::parse_rfc3339(text)?;
    Some((nanos.div_euclid(NANOS_PER_MILLI), nanos.rem_euclid(NANOS_PER_MILLI) as u32))
}

/// Go's text of a duration in milliseconds: `1m0s`, `1h30m0s`, `500ms`.
pub(crate) fn go_text(millis: i64) -> String {
    if millis.abs() < 1000 {
        return if millis == 0 { "0s".to_owned() } else { format!("{millis}ms") };
    }
    let sign = if millis < 0 { "-" } else { "" };
    let millis = millis.abs();
    let (secs, rest) = (millis / 1000, millis % 1000);
    let mut text = sign.to_owned();
    if secs >= 3600 {
        text += &format!("{}h", secs / 3600);
    }
    if secs >= 60 {
        text += &format!("{}m", secs / 60 % 60);
    }
    text += &(secs % 60).to_string();
    if rest > 0 {
        text += format!(".{rest:03}").trim_end_matches('0');
    }
    text + "s"
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2024-01-31T12:34:56.789Z, a Wednesday.
    const NOW: i64 = 1_706_704_496_789;

    #[track_caller]
    fn check(text: &str, from: &str, to: &str) {
        let millis = |text: &str| crate::time::parse_rfc3339(text).unwrap().0 / NANOS_PER_MILLI;
        assert_eq!(instant(text, NOW, false), millis(from), "from {text}");
        assert_eq!(instant(text, NOW, true), millis(to), "to {text}");
    }

    #[track_caller]
    fn both(text: &str, time: &str) {
        check(text, time, time);
    }

    #[test]
    fn times_are_numbers_durations_and_date_math() {
        both("1600000000000", "2020-09-13T12:26:40Z");
        both("-1000", "1969-12-31T23:59:59Z");
        both("now", "2024-01-31T12:34:56.789Z");
        both("5m", "2024-01-31T12:29:56.789Z");
        both("1.5h", "2024-01-31T11:04:56.789Z");
        both("1h30m", "2024-01-31T11:04:56.789Z");
        both("250ms", "2024-01-31T12:34:56.539Z");
        both("2d", "2024-01-29T12:34:56.789Z");
        both("now-1h", "2024-01-31T11:34:56.789Z");
        both("now+1M", "2024-03-02T12:34:56.789Z");
        both("now-m", "2024-01-31T12:33:56.789Z");
        both("2020-02-03", "2020-02-03T00:00:00Z");
        both("2020-02-03T04:05:06.5+01:00", "2020-02-03T03:05:06.5Z");
        both("2020-02-03T04||+1h", "2020-02-03T05:00:00Z");
        check("now/d", "2024-01-31T00:00:00Z", "2024-01-31T23:59:59.999Z");
        check("now/w", "2024-01-29T00:00:00Z", "2024-02-04T23:59:59.999Z");
        check("now-1M/M", "2023-12-01T00:00:00Z", "2023-12-31T23:59:59.999Z");
        check("now/Q", "2024-01-01T00:00:00Z", "2024-03-31T23:59:59.999Z");
        check("now/fy", "2024-01-01T00:00:00Z", "2024-12-31T23:59:59.999Z");
        for nonsense in [
            "",
            "yesterday",
            "now-",
            "now/x",
            "now+1dd",
            "2020-13-01",
            "99999999999999999999d",
            "now-9223372036854775807y",
            "é",
        ] {
            both(nonsense, "1970-01-01T00:00:00Z");
        }
    }

    #[test]
    fn durations_print_as_go_prints_them() {
        for (millis, text) in [(0, "0s"), (500, "500ms"), (1500, "1.5s"), (60_000, "1m0s"), (5_400_000, "1h30m0s")] {
            assert_eq!(go_text(millis), text);
        }
    }
}
