//! Names, durations and floats as InfluxQL writes them.

use crate::dialect::influx::lexer::{is_ident_char, is_ident_start, keyword};
use crate::number::write_plain_float;
use crate::time::{
    NANOS_PER_DAY, NANOS_PER_HOUR, NANOS_PER_MICRO, NANOS_PER_MILLI, NANOS_PER_MINUTE, NANOS_PER_SEC, NANOS_PER_WEEK,
};

/// Names joined by dots, as one error text shows them: all but the last are quoted.
pub(in crate::dialect::influx) fn quoted_path(path: &[String]) -> String {
    let mut out = String::new();
    for (at, name) in path.iter().enumerate() {
        if at > 0 {
            out.push('.');
        }
        let (first, last) = (at == 0, at + 1 == path.len());
        let quoted = if name.is_empty() { first || last } else { !last || needs_quotes(name) };
        if quoted { write_quoted(name, '"', &mut out) } else { out.push_str(name) }
    }
    out
}

/// Appends a name, quoted if it has to be.
pub fn write_ident(name: &str, out: &mut String) {
    if needs_quotes(name) { write_quoted(name, '"', out) } else { out.push_str(name) }
}

fn needs_quotes(name: &str) -> bool {
    !name.starts_with(is_ident_start) || !name.chars().all(is_ident_char) || keyword(name).is_some()
}

pub(super) fn write_quoted(text: &str, quote: char, out: &mut String) {
    out.push(quote);
    for ch in text.chars() {
        match ch {
            '\n' => out.push_str("\\n"),
            '\\' => out.push_str("\\\\"),
            ch if ch == quote => {
                out.push('\\');
                out.push(ch);
            }
            ch => out.push(ch),
        }
    }
    out.push(quote);
}

/// Appends a duration in the largest unit that divides it: `1d`, `90m`, `0s`.
pub fn write_duration(nanos: i64, out: &mut String) {
    const UNITS: [(&str, i64); 8] = [
        ("w", NANOS_PER_WEEK),
        ("d", NANOS_PER_DAY),
        ("h", NANOS_PER_HOUR),
        ("m", NANOS_PER_MINUTE),
        ("s", NANOS_PER_SEC),
        ("ms", NANOS_PER_MILLI),
        ("u", NANOS_PER_MICRO),
        ("ns", 1),
    ];
    let largest = UNITS.into_iter().find(|(_, size)| nanos % size == 0);
    let (unit, size) = largest.filter(|_| nanos != 0).unwrap_or(("s", 1));
    out.push_str(&(nanos / size).to_string());
    out.push_str(unit);
}

/// Appends a duration as Go prints it: `168h0m0s`, `1m30s`, `1.5s`, `20µs`, `0s`.
pub fn write_go_duration(nanos: i64, out: &mut String) {
    if nanos < 0 {
        out.push('-');
    }
    let size = nanos.unsigned_abs();
    let second = NANOS_PER_SEC.unsigned_abs();
    if size == 0 {
        out.push_str("0s");
    } else if size < second {
        let (unit, scale, digits) = match size {
            0..1_000 => ("ns", 1, 0),
            1_000..1_000_000 => ("µs", 1_000, 3),
            _ => ("ms", 1_000_000, 6),
        };
        write_decimal(size / scale, size % scale, digits, out);
        out.push_str(unit);
    } else {
        let (hours, minutes, seconds) = (size / second / 3600, size / second / 60 % 60, size / second % 60);
        if hours > 0 {
            out.push_str(&hours.to_string());
            out.push('h');
        }
        if hours > 0 || minutes > 0 {
            out.push_str(&minutes.to_string());
            out.push('m');
        }
        write_decimal(seconds, size % second, 9, out);
        out.push('s');
    }
}

/// `whole.fraction`, the fraction of `digits` digits without its last zeros.
fn write_decimal(whole: u64, fraction: u64, digits: usize, out: &mut String) {
    out.push_str(&whole.to_string());
    if fraction > 0 {
        out.push('.');
        let text = fraction.to_string();
        out.extend(std::iter::repeat_n('0', digits.saturating_sub(text.len())));
        out.push_str(text.trim_end_matches('0'));
    }
}

/// A float with three decimals, correctly rounded, half to even.
pub(super) fn write_three_decimals(value: f64, out: &mut String) {
    const MANTISSA_BITS: u32 = 52;
    if value.is_sign_negative() {
        out.push('-');
    }
    let bits = value.to_bits();
    let field = (bits >> MANTISSA_BITS & 0x7ff) as i32;
    let fraction = bits & ((1 << MANTISSA_BITS) - 1);
    let mantissa = if field == 0 { fraction } else { fraction | 1 << MANTISSA_BITS };
    // The value is `mantissa` × 2^`exponent`.
    let exponent = field.max(1) - 1075;
    if exponent >= 0 {
        write_shifted(mantissa, exponent.unsigned_abs(), out);
        out.push_str(".000");
        return;
    }
    // 53 bits by 1000 fit 63, so a shift by 64 or more leaves less than a half.
    let (thousand, shift) = (mantissa * 1000, exponent.unsigned_abs());
    let mut thousandths = thousand.checked_shr(shift).unwrap_or(0);
    if shift < 64 {
        let (rest, half) = (thousand - (thousandths << shift), 1u64 << (shift - 1));
        if rest > half || (rest == half && thousandths % 2 == 1) {
            thousandths += 1;
        }
    }
    out.push_str(&(thousandths / 1000).to_string());
    out.push('.');
    let text = (1000 + thousandths % 1000).to_string();
    out.push_str(text.get(1..).unwrap_or_default());
}

/// `mantissa` × 2^`shift` in decimal.
fn write_shifted(mantissa: u64, shift: u32, out: &mut String) {
    // Little-endian decimal digits, doubled `shift` times.
    let mut digits: Vec<u8> = mantissa.to_string().bytes().rev().map(|digit| digit - b'0').collect();
    for _ in 0..shift {
        let mut carry = 0;
        for digit in &mut digits {
            let doubled = *digit * 2 + carry;
            (*digit, carry) = (doubled % 10, doubled / 10);
        }
        if carry > 0 {
            digits.push(carry);
        }
    }
    out.extend(digits.iter().rev().map(|&digit| char::from(b'0' + digit)));
}

/// A float as Go's `%v` prints it: `0.5`, `1e+06`, `1e-05`.
pub(super) fn write_shortest(value: f64, out: &mut String) {
    let plain = plain_float(value.abs());
    if value.is_sign_negative() {
        out.push('-');
    }
    // Where the first digit that counts stands, seen from the point.
    let point = plain.find('.').unwrap_or(plain.len());
    let first = plain.find(|ch: char| matches!(ch, '1'..='9')).unwrap_or(0);
    let exponent = if first < point { point - first - 1 } else { first - point };
    let below = first > point;
    if exponent < if below { 5 } else { 6 } {
        out.push_str(&plain);
        return;
    }
    let digits: String = plain.chars().skip(first).filter(|&ch| ch != '.').collect();
    let (first, rest) = digits.trim_end_matches('0').split_at(1);
    out.push_str(first);
    if !rest.is_empty() {
        out.push('.');
        out.push_str(rest);
    }
    out.push_str(if below { "e-" } else { "e+" });
    if exponent < 10 {
        out.push('0');
    }
    out.push_str(&exponent.to_string());
}

/// A finite float in full: no exponent, as few digits as read back as the same float.
pub(in crate::dialect::influx) fn plain_float(value: f64) -> String {
    let mut text = Vec::new();
    write_plain_float(value, &mut text);
    String::from_utf8(text).expect("numbers are ASCII")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed<T>(write: fn(T, &mut String), value: T) -> String {
        let mut out = String::new();
        write(value, &mut out);
        out
    }

    #[test]
    fn three_decimals_round_the_exact_value() {
        // The halves among them are exact in binary; InfluxDB printed the others alike.
        let cases = [
            (0.0, "0.000"),
            (-0.0, "-0.000"),
            (0.0005, "0.001"),
            (0.00049999, "0.000"),
            (0.0625, "0.062"),
            (0.1875, "0.188"),
            (1.0 / 16384.0, "0.000"),
            (0.1245, "0.124"),
            (0.9999, "1.000"),
            (123.4565, "123.457"),
            (f64::MIN_POSITIVE, "0.000"),
            (5e-324, "0.000"),
            (1e20, "100000000000000000000.000"),
            (1e23, "99999999999999991611392.000"),
            (9007199254740993.0, "9007199254740992.000"),
            (1234567890123456789.5, "1234567890123456768.000"),
        ];
        for (value, expected) in cases {
            assert_eq!(printed(write_three_decimals, value), expected);
        }
        assert_eq!(printed(write_three_decimals, f64::MAX), format!("{:.3}", f64::MAX));
    }

    #[test]
    fn shortest_floats_are_gos() {
        let cases = [
            (0.0, "0"),
            (-0.0, "-0"),
            (-1.5, "-1.5"),
            (100000.0, "100000"),
            (1000000.0, "1e+06"),
            (1000000.5, "1.0000005e+06"),
            (-123456789.0, "-1.23456789e+08"),
            (1e21, "1e+21"),
            (1.5e300, "1.5e+300"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (0.00001234, "1.234e-05"),
            (5e-324, "5e-324"),
        ];
        for (value, expected) in cases {
            assert_eq!(printed(write_shortest, value), expected);
        }
    }

    #[test]
    fn go_durations() {
        let cases = [
            (0, "0s"),
            (1, "1ns"),
            (1_100, "1.1µs"),
            (1_000_005, "1.000005ms"),
            (1_500_000_000, "1.5s"),
            (90_000_000_000, "1m30s"),
            (604_800_000_000_000, "168h0m0s"),
            (5_400_000_000_001, "1h30m0.000000001s"),
            (-60_000_000_000, "-1m0s"),
            (i64::MIN, "-2562047h47m16.854775808s"),
        ];
        for (nanos, expected) in cases {
            assert_eq!(printed(write_go_duration, nanos), expected);
        }
    }

    #[test]
    fn names_are_quoted_when_they_must_be() {
        let cases = [
            ("plain_1", "plain_1"),
            ("", "\"\""),
            ("1st", "\"1st\""),
            ("a b", "\"a b\""),
            ("é", "\"é\""),
            ("From", "\"From\""),
            ("q\"u\\o\nte", "\"q\\\"u\\\\o\\nte\""),
        ];
        for (name, expected) in cases {
            let mut out = String::new();
            write_ident(name, &mut out);
            assert_eq!(out, expected);
        }
    }
}
