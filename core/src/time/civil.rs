//! The proleptic Gregorian calendar and RFC 3339, by hand: pages that need no zone carry no zone library.

use super::{NANOS_PER_DAY, NANOS_PER_SEC};

/// A date and a time of day, without a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Civil {
    pub year: i32,
    /// 1..=12
    pub month: u32,
    /// 1..=31
    pub day: u32,
    pub hour: u32,
    pub minute: u32,
    pub second: u32,
    pub nanos: u32,
}

impl Civil {
    /// The civil time of an instant in UTC. Total: every `i64` has one (years 1677 to 2262).
    pub fn from_nanos(nanos: i64) -> Self {
        let days = nanos.div_euclid(NANOS_PER_DAY);
        let of_day = nanos.rem_euclid(NANOS_PER_DAY);
        let (year, month, day) = civil_from_days(days);
        let secs = (of_day / NANOS_PER_SEC) as u32;
        Self {
            year: year as i32,
            month,
            day,
            hour: secs / 3600,
            minute: secs / 60 % 60,
            second: secs % 60,
            nanos: (of_day % NANOS_PER_SEC) as u32,
        }
    }

    /// The instant of this civil time in UTC; `None` when it does not fit an `i64` of nanoseconds.
    /// Fields beyond their range carry over (day 30 of February is 2 March), as Go's `time.Date` does.
    pub fn to_nanos(self) -> Option<i64> {
        let months = i64::from(self.year) * 12 + i64::from(self.month) - 1;
        let days =
            days_from_civil(months.div_euclid(12), months.rem_euclid(12) as u32 + 1, 1) + i64::from(self.day) - 1;
        let secs = days as i128 * 86_400
            + i128::from(self.hour) * 3600
            + i128::from(self.minute) * 60
            + i128::from(self.second);
        i64::try_from(secs * i128::from(NANOS_PER_SEC) + i128::from(self.nanos)).ok()
    }
}

/// Days since 1970-01-01 of a date (Howard Hinnant's algorithm).
pub fn days_from_civil(year: i64, month: u32, day: u32) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let shifted = i64::from(if month > 2 { month - 3 } else { month + 9 });
    let of_year = (153 * shifted + 2) / 5 + i64::from(day) - 1;
    let of_era = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    era * 146_097 + of_era - 719_468
}

/// The date (year, month, day) that many days after 1970-01-01.
pub fn civil_from_days(days: i64) -> (i64, u32, u32) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = (of_year - (153 * shifted + 2) / 5 + 1) as u32;
    let month = (if shifted < 10 { shifted + 3 } else { shifted - 9 }) as u32;
    (year + era * 400 + i64::from(month <= 2), month, day)
}

/// Appends `nanos` as RFC 3339 with as many fraction digits as needed, in a zone `offset_secs` east of UTC
/// (0 prints `Z`): `2023-03-01T00:00:00.000000001Z`.
pub fn write_rfc3339(nanos: i64, offset_secs: i32, out: &mut Vec<u8>) {
    let local = i128::from(nanos) + i128::from(offset_secs) * i128::from(NANOS_PER_SEC);
    let days = local.div_euclid(i128::from(NANOS_PER_DAY)) as i64;
    let of_day = local.rem_euclid(i128::from(NANOS_PER_DAY)) as i64;
    let (year, month, day) = civil_from_days(days);
    let secs = (of_day / NANOS_PER_SEC) as u32;
    let fraction = (of_day % NANOS_PER_SEC) as u32;
    digits(year as u32, 4, out);
    out.push(b'-');
    digits(month, 2, out);
    out.push(b'-');
    digits(day, 2, out);
    out.push(b'T');
    digits(secs / 3600, 2, out);
    out.push(b':');
    digits(secs / 60 % 60, 2, out);
    out.push(b':');
    digits(secs % 60, 2, out);
    if fraction != 0 {
        out.push(b'.');
        digits(fraction, 9, out);
        while out.last() == Some(&b'0') {
            out.pop();
        }
    }
    if offset_secs == 0 {
        out.push(b'Z');
        return;
    }
    out.push(if offset_secs < 0 { b'-' } else { b'+' });
    let minutes = offset_secs.unsigned_abs() / 60;
    digits(minutes / 60, 2, out);
    out.push(b':');
    digits(minutes % 60, 2, out);
}

fn digits(mut value: u32, width: usize, out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + width, b'0');
    for place in out[start..].iter_mut().rev() {
        *place = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

/// Reads `YYYY-MM-DDThh:mm:ss[.digits](Z|±hh:mm)`: capital letters, real dates, hour ≤ 23, second ≤ 59, at most nine
/// fraction digits kept. Gives the instant and the offset it was written in, in seconds; `None` when it is anything else.
pub fn parse_rfc3339(text: &str) -> Option<(i64, i32)> {
    let bytes = text.as_bytes();
    let number = |range: std::ops::Range<usize>| -> Option<u32> {
        let part = bytes.get(range)?;
        part.iter().try_fold(0u32, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + u32::from(byte - b'0')))
    };
    let sign = |at: usize, byte: u8| (bytes.get(at) == Some(&byte)).then_some(());
    let year = number(0..4)?;
    sign(4, b'-')?;
    let month = number(5..7)?;
    sign(7, b'-')?;
    let day = number(8..10)?;
    sign(10, b'T')?;
    let hour = number(11..13)?;
    sign(13, b':')?;
    let minute = number(14..16)?;
    sign(16, b':')?;
    let second = number(17..19)?;
    if !(1..=12).contains(&month) || day == 0 || day > days_in_month(year, month) {
        return None;
    }
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let mut at = 19;
    let mut nanos = 0u32;
    if bytes.get(at) == Some(&b'.') {
        at += 1;
        let start = at;
        let mut scale = 100_000_000;
        while let Some(byte) = bytes.get(at).filter(|byte| byte.is_ascii_digit()) {
            nanos += u32::from(byte - b'0') * scale;
            scale /= 10;
            at += 1;
        }
        if at == start {
            return None;
        }
    }
    let offset = match (bytes.get(at)?, bytes.len() - at) {
        (b'Z', 1) => 0,
        (mark @ (b'+' | b'-'), 6) => {
            let hours = number(at + 1..at + 3)?;
            sign(at + 3, b':')?;
            let minutes = number(at + 4..at + 6)?;
            if hours > 23 || minutes > 59 {
                return None;
            }
            let secs = (hours * 3600 + minutes * 60) as i32;
            if *mark == b'-' { -secs } else { secs }
        }
        _ => return None,
    };
    let days = days_from_civil(i64::from(year), month, day);
    let secs = days * 86_400 + i64::from(hour * 3600 + minute * 60 + second) - i64::from(offset);
    let nanos = i128::from(secs) * i128::from(NANOS_PER_SEC) + i128::from(nanos);
    Some((i64::try_from(nanos).ok()?, offset))
}

fn days_in_month(year: u32, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(nanos: i64, offset: i32) -> String {
        let mut out = Vec::new();
        write_rfc3339(nanos, offset, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn writes_what_it_reads() {
        for case in [
            "1970-01-01T00:00:00Z",
            "2023-03-01T00:00:00.000000001Z",
            "1677-09-21T00:12:43.145224194Z",
            "2262-04-11T23:47:16.854775806Z",
            "2016-02-29T23:59:59.5Z",
        ] {
            assert_eq!(text(parse_rfc3339(case).unwrap().0, 0), case);
        }
        let (nanos, offset) = parse_rfc3339("2023-03-26T03:00:00+02:00").unwrap();
        assert_eq!((text(nanos, offset).as_str(), offset), ("2023-03-26T03:00:00+02:00", 7200));
    }

    #[test]
    fn refuses_what_is_no_instant() {
        for case in [
            "",
            "now",
            "2023-03-01",
            "2023-02-29T00:00:00Z",
            "2023-03-01t00:00:00Z",
            "2023-03-01T24:00:00Z",
            "2023-03-01T00:00:00",
            "2023-03-01T00:00:00.Z",
            "2023-03-01T00:00:00Zx",
            "9999-12-31T23:59:59Z",
        ] {
            assert_eq!(parse_rfc3339(case), None, "{case}");
        }
    }

    #[test]
    fn months_beyond_the_calendar_carry_over() {
        let march = Civil { year: 2015, month: 2, day: 31, hour: 0, minute: 0, second: 0, nanos: 0 };
        assert_eq!(text(march.to_nanos().unwrap(), 0), "2015-03-03T00:00:00Z");
    }
}
