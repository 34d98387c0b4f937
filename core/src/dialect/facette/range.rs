//! Instants with the offset they were written in, and the text of a range that moves one.
//!
//! ```text
//! range  = [ "+" / "-" ] ws [years] ws [months] ws [days] ws [hours] ws [minutes] ws [seconds]
//! years  = num ws ("y" / "year" / "years")        months  = num ws ("mo" / "month" / "months")
//! days   = num ws ("d" / "day" / "days")          hours   = num ws ("h" / "hour" / "hours")
//! minutes = num ws ("m" / "minute" / "minutes")   seconds = num ws ("s" / "second" / "seconds")
//! num    = 1*DIGIT                                ws      = *( SP / TAB / CR / LF / FF )
//! ```

use crate::time::{NANOS_PER_DAY, NANOS_PER_SEC, civil_from_days, days_from_civil, parse_rfc3339, write_rfc3339};

/// Go's zero time, which counts as no time given.
const ZERO: &str = "0001-01-01T00:00:00Z";

/// The words of each unit, in the only order they may come.
const UNITS: [[&[u8]; 3]; 6] = [
    [b"y", b"year", b"years"],
    [b"mo", b"month", b"months"],
    [b"d", b"day", b"days"],
    [b"h", b"hour", b"hours"],
    [b"m", b"minute", b"minutes"],
    [b"s", b"second", b"seconds"],
];
/// After seconds the text must end; after any other unit blanks may.
const SECONDS: usize = 5;
/// Beyond these no instant fits, whatever the days do.
const YEARS: std::ops::RangeInclusive<i64> = -1_000_000..=1_000_000;

/// An instant and the offset, seconds east of UTC, that its calendar is read in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Instant {
    pub(super) nanos: i64,
    offset: i32,
}

impl Instant {
    /// `None` when not even its whole second fits 64 bits of nanoseconds (before 1677, after 2262).
    pub(super) fn new(nanos: i64, offset: i32) -> Option<Self> {
        nanos.div_euclid(NANOS_PER_SEC).checked_mul(NANOS_PER_SEC)?;
        Some(Self { nanos, offset })
    }

    /// `Some(None)` for Go's zero time; `None` when the text is no RFC 3339.
    pub(super) fn parse(text: &str) -> Option<Option<Self>> {
        if text == ZERO {
            return Some(None);
        }
        let (nanos, offset) = parse_rfc3339(text)?;
        Self::new(nanos, offset).map(Some)
    }

    /// RFC 3339 in its own offset, the fraction of the second cut.
    pub(super) fn to_text(self) -> String {
        let mut out = Vec::new();
        write_rfc3339(self.nanos - self.nanos.rem_euclid(NANOS_PER_SEC), self.offset, &mut out);
        out.into_iter().map(char::from).collect()
    }

    /// Moved by a range: the calendar part first, all at once, a day past the end of its month spilling over into the
    /// next; then the fixed lengths. `None` when the text is no range or the result does not fit.
    pub(super) fn moved(self, range: &str) -> Option<Self> {
        let Span { negative, amounts } = Span::parse(range)?;
        let sign = if negative { -1 } else { 1 };
        let [years, months, days, hours, minutes, seconds] = amounts.map(|amount| i128::from(amount) * sign);
        let (second, day) = (i128::from(NANOS_PER_SEC), i128::from(NANOS_PER_DAY));
        let offset = i128::from(self.offset) * second;
        let local = i128::from(self.nanos) + offset;
        let (year, month, of_month) = civil_from_days(i64::try_from(local.div_euclid(day)).ok()?);
        let months = (i128::from(year) + years) * 12 + i128::from(month) - 1 + months;
        let year = i64::try_from(months.div_euclid(12)).ok().filter(|year| YEARS.contains(year))?;
        let first = days_from_civil(year, months.rem_euclid(12) as u32 + 1, 1);
        let date = i128::from(first) + i128::from(of_month) - 1 + days;
        let fixed = (hours * 60 + minutes) * 60 + seconds;
        let nanos = date * day + local.rem_euclid(day) - offset + fixed * second;
        Self::new(i64::try_from(nanos).ok()?, self.offset)
    }
}

/// How long a range without a calendar part is; `None` for others, negative ones and what is none.
pub(super) fn width(range: &str) -> Option<i64> {
    let Span { negative, amounts: [years, months, days, hours, minutes, seconds] } = Span::parse(range)?;
    if negative || years != 0 || months != 0 {
        return None;
    }
    let hours = days.checked_mul(24)?.checked_add(hours)?;
    let minutes = hours.checked_mul(60)?.checked_add(minutes)?;
    minutes.checked_mul(60)?.checked_add(seconds)?.checked_mul(NANOS_PER_SEC)
}

/// A range taken apart: one sign, and how many of each unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    negative: bool,
    amounts: [i64; 6],
}

impl Span {
    fn parse(text: &str) -> Option<Self> {
        let mut rest = text.as_bytes();
        let negative = rest.first() == Some(&b'-');
        if let [b'+' | b'-', tail @ ..] = rest {
            rest = tail;
        }
        let mut amounts = [0; 6];
        let mut next = 0;
        take(&mut rest, is_blank);
        while !rest.is_empty() {
            let number = std::str::from_utf8(take(&mut rest, |byte| byte.is_ascii_digit())).ok()?;
            take(&mut rest, is_blank);
            let word = take(&mut rest, |byte| byte.is_ascii_alphabetic());
            let unit = next + UNITS[next..].iter().position(|words| words.contains(&word))?;
            amounts[unit] = number.parse().ok()?;
            next = unit + 1;
            if unit != SECONDS {
                take(&mut rest, is_blank);
            }
        }
        Some(Self { negative, amounts })
    }
}

const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b'\x0c')
}

/// Takes the bytes off the front that are so.
fn take<'a>(rest: &mut &'a [u8], is_so: impl Fn(u8) -> bool) -> &'a [u8] {
    let end = rest.iter().position(|byte| !is_so(*byte)).unwrap_or(rest.len());
    let (taken, tail) = rest.split_at(end);
    *rest = tail;
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(from: &str, range: &str, expected: Option<&str>) {
        let from = Instant::parse(from).unwrap().unwrap();
        assert_eq!(from.moved(range).map(Instant::to_text).as_deref(), expected, "{range:?}");
    }

    #[test]
    fn ranges_move_instants() {
        let at = |range, expected| check("2017-06-07T12:28:08Z", range, Some(expected));
        at("-60s", "2017-06-07T12:27:08Z");
        at("-1h", "2017-06-07T11:28:08Z");
        at("1h30m", "2017-06-07T13:58:08Z");
        at("+ 1 day\t2 minutes 3second", "2017-06-08T12:30:11Z");
        at("- 1year 2months  3days 4 hours5minutes 6s", "2016-04-04T08:23:02Z");
        at("-2h ", "2017-06-07T10:28:08Z");
        for nothing in ["", "-", "+", " ", "-0s", "- \n"] {
            at(nothing, "2017-06-07T12:28:08Z");
        }
    }

    #[test]
    fn a_day_past_the_end_of_its_month_spills_over() {
        check("2017-03-31T14:28:08.5+02:00", "-1mo", Some("2017-03-03T14:28:08+02:00"));
        check("2016-03-31T00:00:00Z", "-1mo", Some("2016-03-02T00:00:00Z"));
        check("2017-01-31T00:00:00Z", "1mo", Some("2017-03-03T00:00:00Z"));
        check("2016-02-29T00:00:00Z", "-1y", Some("2015-03-01T00:00:00Z"));
        check("2017-03-31T00:00:00Z", "-1mo 1d", Some("2017-03-02T00:00:00Z"));
        check("2017-01-01T00:30:00+01:00", "-1mo", Some("2016-12-01T00:30:00+01:00"));
    }

    #[test]
    fn what_is_no_range() {
        for range in [
            "-30m 1h",
            "-1w",
            "-1ms",
            "-1.5h",
            "-1H",
            "-1mon",
            " -1h",
            "-1h -5m",
            "-1m 1s ",
            "1h 1h",
            "h",
            "1",
            "--1h",
            "9223372036854775808s",
            "9223372036854775807y",
            "-9223372036854775807d 9223372036854775807h",
            "300y",
            "zz",
            "1\u{a0}h",
        ] {
            check("2017-06-07T12:28:08Z", range, None);
        }
    }

    #[test]
    fn instants_keep_their_offset_and_lose_their_fraction() {
        let text = |text| Instant::parse(text).unwrap().unwrap().to_text();
        assert_eq!(text("2017-03-31T14:28:08.999+02:00"), "2017-03-31T14:28:08+02:00");
        assert_eq!(text("2017-03-31T14:28:08+00:00"), "2017-03-31T14:28:08Z");
        assert_eq!(text("1969-12-31T23:59:59.5Z"), "1969-12-31T23:59:59Z");
        assert_eq!(Instant::parse(ZERO), Some(None));
        for wrong in ["", "now", "2017-03-31", "1677-09-21T00:12:43.2Z", "1500-01-01T00:00:00Z"] {
            assert_eq!(Instant::parse(wrong), None, "{wrong}");
        }
    }
}
