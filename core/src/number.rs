//! Number text: how each wire prints a float, and how text becomes one.
//!
//! Printing starts from the shortest digits that read back the same; the wires differ only in where the point goes and
//! when an exponent is used. Parsing is correctly rounded: up to 19 digits and a small exponent are exact in one
//! multiplication or division, everything else is the standard library's.

use crate::extent::FULL;

const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];
/// Whole numbers up to here are doubles, every one.
const MAX_EXACT: u64 = 1 << 53;
/// Digits that always fit a `u64`.
const MAX_DIGITS: usize = 19;

/// Appends a float as InfluxDB's JSON has it: no exponent for 1e-6 ≤ |x| < 1e21, else `1e+21`, `1e-7`; whole numbers
/// without a point; `-0` for negative zero. What JSON has no number for is `null`.
pub fn write_json_float(value: f64, out: &mut Vec<u8>) {
    write_float(value, -6..21, 1, out);
}

/// Appends a float as plain decimals, however many that takes: InfluxDB's CSV. `NaN`, `+Inf` and `-Inf` as Go writes
/// them.
pub fn write_plain_float(value: f64, out: &mut Vec<u8>) {
    write_float_or_word(value, i32::MIN..i32::MAX, 1, out);
}

/// Appends a float as a Facette template shows it: whole numbers up to 2^53 plain, others with an exponent of at least
/// two digits from 1e+06 up and below 1e-04.
pub fn write_template_float(value: f64, out: &mut Vec<u8>) {
    let whole = value.abs() <= MAX_EXACT as f64 && value.trunc() == value;
    let plain = if whole { i32::MIN..i32::MAX } else { -4..6 };
    write_float_or_word(value, plain, 2, out);
}

/// Appends a signed integer in decimal.
pub fn write_i64(value: i64, out: &mut Vec<u8>) {
    if value < 0 {
        out.push(b'-');
    }
    write_u64(value.unsigned_abs(), out);
}

/// Appends an unsigned integer in decimal.
pub fn write_u64(mut value: u64, out: &mut Vec<u8>) {
    let mut text = [0; 20];
    let mut start = text.len();
    while value >= 100 {
        start -= 2;
        text[start..start + 2].copy_from_slice(&pair(value % 100));
        value /= 100;
    }
    let last = pair(value);
    start -= 1;
    text[start] = last[1];
    if value >= 10 {
        start -= 1;
        text[start] = last[0];
    }
    out.extend_from_slice(&text[start..]);
}

/// The two digits of a number below 100.
fn pair(value: u64) -> [u8; 2] {
    let tens = value as u8 / 10;
    [b'0' + tens, b'0' + (value as u8 - tens * 10)]
}

/// Appends a positive number that has at most four decimals and fewer than sixteen digits. False, and nothing appended,
/// for others. Decimals of so few digits are doubles of their own, so that none is shorter.
fn write_short(value: f64, out: &mut Vec<u8>) -> bool {
    const SCALE: u64 = 10_000;
    let scaled = (value * SCALE as f64 + 0.5) as u64;
    if scaled >= 1_000_000_000_000_000 || scaled as f64 / SCALE as f64 != value {
        return false;
    }
    write_u64(scaled / SCALE, out);
    let fraction = scaled % SCALE;
    if fraction > 0 {
        let ([a, b], [c, d]) = (pair(fraction / 100), pair(fraction % 100));
        let text = [b'.', a, b, c, d];
        let zeros = text.iter().rev().take_while(|digit| **digit == b'0').count();
        out.extend_from_slice(&text[..text.len() - zeros]);
    }
    true
}

fn write_float_or_word(value: f64, plain: std::ops::Range<i32>, exponent_digits: usize, out: &mut Vec<u8>) {
    if value.is_nan() {
        out.extend_from_slice(b"NaN");
    } else if value.is_infinite() {
        out.extend_from_slice(if value < 0.0 { b"-Inf" } else { b"+Inf" });
    } else {
        write_float(value, plain, exponent_digits, out);
    }
}

/// Appends a float without an exponent when its decimal exponent lies in `plain`, else with one.
fn write_float(value: f64, plain: std::ops::Range<i32>, exponent_digits: usize, out: &mut Vec<u8>) {
    if !value.is_finite() {
        out.extend_from_slice(b"null");
        return;
    }
    if value.is_sign_negative() {
        out.push(b'-');
    }
    let value = value.abs();
    let whole = value as u64;
    if whole <= MAX_EXACT && whole as f64 == value && (whole == 0 || plain.end > 15) {
        write_u64(whole, out);
        return;
    }
    // From 1e-4 on, and below 1e11.
    if plain.start <= -4 && plain.end > 11 && write_short(value, out) {
        return;
    }
    let mut buffer = zmij::Buffer::new();
    let Shortest { digits, len, exponent } = Shortest::of(buffer.format_finite(value));
    let digits = &digits[..len];
    let zeros = |count: i32, out: &mut Vec<u8>| out.resize(out.len() + count.max(0) as usize, b'0');
    if plain.contains(&exponent) {
        if exponent < 0 {
            out.extend_from_slice(b"0.");
            zeros(-exponent - 1, out);
            out.extend_from_slice(digits);
        } else {
            let (whole, fraction) = digits.split_at(digits.len().min(exponent as usize + 1));
            out.extend_from_slice(whole);
            zeros(exponent + 1 - digits.len() as i32, out);
            if !fraction.is_empty() {
                out.push(b'.');
                out.extend_from_slice(fraction);
            }
        }
        return;
    }
    out.push(digits[0]);
    if digits.len() > 1 {
        out.push(b'.');
        out.extend_from_slice(&digits[1..]);
    }
    out.push(b'e');
    out.push(if exponent < 0 { b'-' } else { b'+' });
    let exponent = u64::from(exponent.unsigned_abs());
    if exponent_digits == 2 && exponent < 10 {
        out.push(b'0');
    }
    write_u64(exponent, out);
}

/// The shortest digits of a positive number: `d.ddd × 10^exponent`, no zero at either end.
struct Shortest {
    digits: [u8; 24],
    len: usize,
    exponent: i32,
}

impl Shortest {
    /// Takes the printer's text, `123.4`, `1e30` or `1.5e-7`, apart.
    fn of(text: &str) -> Self {
        let (text, mut exponent) = match text.split_once('e') {
            Some((text, exponent)) => (text, exponent.parse().expect("the printer writes a small exponent")),
            None => (text, 0),
        };
        let (mut digits, mut len) = ([0; 24], 0);
        let mut point = false;
        for byte in text.bytes() {
            if byte == b'.' {
                point = true;
                continue;
            }
            if len > 0 || byte != b'0' {
                digits[len] = byte;
                len += 1;
                exponent += i32::from(!point);
            } else if point {
                exponent -= 1;
            }
        }
        while len > 1 && digits[len - 1] == b'0' {
            len -= 1;
        }
        Self { digits, len, exponent: exponent - 1 }
    }
}

/// A decimal number at the beginning of a text: `-`, digits with at most one point among them, an exponent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decimal {
    negative: bool,
    /// The digits as a number; wrapped when there are more than 19.
    mantissa: u64,
    /// The power of ten that `mantissa` is to be multiplied with.
    exponent: i32,
    digits: usize,
    whole: bool,
    len: usize,
}

impl Decimal {
    /// The number that `text` begins with; `None` when that is none. What follows it is the caller's business.
    #[inline(always)]
    pub fn scan(text: &[u8]) -> Option<Self> {
        let negative = text.first() == Some(&b'-');
        let start = usize::from(negative);
        let (mut mantissa, mut end) = (0, start);
        scan_digits(text, &mut end, &mut mantissa);
        let mut digits = end - start;
        let mut exponent = 0;
        let mut whole = true;
        if text.get(end) == Some(&b'.') {
            whole = false;
            end += 1;
            let point = end;
            scan_digits(text, &mut end, &mut mantissa);
            digits += end - point;
            exponent = -i32::try_from(end - point).ok()?;
        }
        if digits == 0 {
            return None;
        }
        if let Some(b'e' | b'E') = text.get(end) {
            whole = false;
            end += 1;
            let below = text.get(end) == Some(&b'-');
            if let Some(b'-' | b'+') = text.get(end) {
                end += 1;
            }
            let (mut power, from) = (0, end);
            scan_digits(text, &mut end, &mut power);
            if end == from {
                return None;
            }
            // An absurd exponent takes the slow road, which looks at the text again.
            let power = if end - from > 6 { i32::MAX / 2 } else { power as i32 };
            exponent = exponent.saturating_add(if below { -power } else { power });
        }
        Some(Self { negative, mantissa, exponent, digits, whole, len: end })
    }

    /// Bytes of text it took.
    pub const fn text_len(&self) -> usize {
        self.len
    }

    /// Has it neither point nor exponent?
    pub const fn is_whole(&self) -> bool {
        self.whole
    }

    /// Its value as an integer; `None` when it is not whole or does not fit. `text` is what was scanned.
    #[inline]
    pub fn to_i64(&self, text: &[u8]) -> Option<i64> {
        if !self.whole {
            return None;
        }
        if self.digits <= MAX_DIGITS {
            let value = i64::try_from(self.mantissa);
            return match (value, self.negative) {
                (Ok(value), negative) => Some(if negative { -value } else { value }),
                (Err(_), true) if self.mantissa == i64::MIN.unsigned_abs() => Some(i64::MIN),
                (Err(_), _) => None,
            };
        }
        std::str::from_utf8(text.get(..self.len)?).ok()?.parse().ok()
    }

    /// The nearest double; `None` when that is infinite. `text` is what was scanned.
    #[inline]
    pub fn to_f64(&self, text: &[u8]) -> Option<f64> {
        if self.digits <= MAX_DIGITS && self.mantissa <= MAX_EXACT {
            let mantissa = self.mantissa as f64;
            let mantissa = if self.negative { -mantissa } else { mantissa };
            if let Some(power) = POWERS.get(self.exponent.unsigned_abs() as usize) {
                return Some(if self.exponent < 0 { mantissa / power } else { mantissa * power });
            }
        }
        if !FULL {
            // The tables of the long road are 10 KB: a reader asks the full engine.
            return None;
        }
        let value: f64 = std::str::from_utf8(text.get(..self.len)?).ok()?.parse().ok()?;
        value.is_finite().then_some(value)
    }
}

/// The double nearest to a decimal number; `None` when the text is not one from end to end, or too large. There is no
/// sign but `-`, no hexadecimal, no infinity.
pub fn parse_f64(text: &[u8]) -> Option<f64> {
    let number = Decimal::scan(text)?;
    if number.text_len() == text.len() { number.to_f64(text) } else { None }
}

/// A decimal integer; `None` when the text is not one from end to end, or does not fit.
pub fn parse_i64(text: &[u8]) -> Option<i64> {
    let number = Decimal::scan(text)?;
    if number.text_len() == text.len() { number.to_i64(text) } else { None }
}

/// Moves `at` past the digits that follow and appends them to `number`, eight at a time.
#[inline]
fn scan_digits(text: &[u8], at: &mut usize, number: &mut u64) {
    while let Some(chunk) = text.get(*at..).and_then(|rest| rest.first_chunk::<8>()) {
        let digits = u64::from_le_bytes(*chunk) ^ 0x3030_3030_3030_3030;
        // The high half of a byte stays zero, even when six is added, for 0 to 9 and nothing else. A carry can only
        // come from a byte that is no digit itself, and the first of those is all that is asked for.
        let others = (digits | digits.wrapping_add(0x0606_0606_0606_0606)) & 0xf0f0_f0f0_f0f0_f0f0;
        let count = (others.trailing_zeros() / 8) as usize;
        if count == 0 {
            return;
        }
        *number = number.wrapping_mul(TENS[count]).wrapping_add(eight_digits(digits << (64 - 8 * count)));
        *at += count;
        if count < 8 {
            return;
        }
    }
    while let Some(digit) = text.get(*at).map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit < 10) {
        *number = number.wrapping_mul(10).wrapping_add(u64::from(digit));
        *at += 1;
    }
}

const TENS: [u64; 9] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];

/// The number of eight digits, the first in the lowest byte: neighbours join to pairs, to fours, to eight.
const fn eight_digits(digits: u64) -> u64 {
    let pairs = (digits.wrapping_mul(10).wrapping_add(digits >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs.wrapping_mul(100).wrapping_add(pairs >> 16)) & 0x0000_ffff_0000_ffff;
    fours.wrapping_mul(10_000).wrapping_add(fours >> 32) & 0xffff_ffff
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: fn(f64, &mut Vec<u8>), value: f64) -> String {
        let mut out = Vec::new();
        write(value, &mut out);
        String::from_utf8(out).expect("numbers are ASCII")
    }

    #[test]
    fn floats_on_every_wire() {
        // value, JSON, CSV, template
        let cases = [
            (0.0, "0", "0", "0"),
            (-0.0, "-0", "-0", "-0"),
            (3.0, "3", "3", "3"),
            (-1.5, "-1.5", "-1.5", "-1.5"),
            (0.1, "0.1", "0.1", "0.1"),
            (0.3, "0.3", "0.3", "0.3"),
            (0.1 + 0.2, "0.30000000000000004", "0.30000000000000004", "0.30000000000000004"),
            (1e6, "1000000", "1000000", "1000000"),
            (1234567.5, "1234567.5", "1234567.5", "1.2345675e+06"),
            (123456.5, "123456.5", "123456.5", "123456.5"),
            (9007199254740992.0, "9007199254740992", "9007199254740992", "9007199254740992"),
            (9007199254740994.0, "9007199254740994", "9007199254740994", "9.007199254740994e+15"),
            (1e20, "100000000000000000000", "100000000000000000000", "1e+20"),
            (1.5e20, "150000000000000000000", "150000000000000000000", "1.5e+20"),
            (1e21, "1e+21", "1000000000000000000000", "1e+21"),
            (-1.25e22, "-1.25e+22", "-12500000000000000000000", "-1.25e+22"),
            (0.001, "0.001", "0.001", "0.001"),
            (1e-4, "0.0001", "0.0001", "0.0001"),
            (1.5e-5, "0.000015", "0.000015", "1.5e-05"),
            (1e-6, "0.000001", "0.000001", "1e-06"),
            (9.5e-7, "9.5e-7", "0.00000095", "9.5e-07"),
            (1e-7, "1e-7", "0.0000001", "1e-07"),
            (1e100, "1e+100", &format!("1{}", "0".repeat(100)), "1e+100"),
            (5e-324, "5e-324", &format!("0.{}5", "0".repeat(323)), "5e-324"),
            (
                1.7976931348623157e308,
                "1.7976931348623157e+308",
                &format!("17976931348623157{}", "0".repeat(292)),
                "1.7976931348623157e+308",
            ),
            (f64::NAN, "null", "NaN", "NaN"),
            (f64::NEG_INFINITY, "null", "-Inf", "-Inf"),
        ];
        for (value, json, plain, template) in cases {
            assert_eq!(written(write_json_float, value), json);
            assert_eq!(written(write_plain_float, value), plain);
            assert_eq!(written(write_template_float, value), template);
        }
    }

    #[test]
    fn few_decimals_are_the_shortest_digits() {
        for at in 0..40_000_u64 {
            let noise = at.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(17).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let value = (noise >> (noise % 64)) as f64 / POWERS[at as usize % 9];
            for value in [value, f64::from_bits(value.to_bits() + 1)] {
                let mut out = Vec::new();
                write_plain_float(value, &mut out);
                let (text, shortest) = (String::from_utf8(out).unwrap(), value.to_string());
                // Of many digits several may be equally short.
                assert_eq!((text.parse(), text.len()), (Ok(value), shortest.len()), "{text} {shortest}");
            }
        }
    }

    #[test]
    fn integers() {
        for value in [0, 7, -7, 10, 99, 100, 1_234_567_890_123, i64::MAX, i64::MIN] {
            let mut out = Vec::new();
            write_i64(value, &mut out);
            assert_eq!(out, value.to_string().into_bytes());
            assert_eq!(parse_i64(&out), Some(value));
        }
        assert_eq!(parse_i64(b"00000000000000000000000001"), Some(1));
        for text in
            ["", "-", "+1", "1.0", "1e1", "9223372036854775808", "-9223372036854775809", "18446744073709551616", "1 "]
        {
            assert_eq!(parse_i64(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn text_is_no_number() {
        for text in [
            "",
            "-",
            ".",
            "-.",
            "e5",
            ".e5",
            "1e",
            "1e+",
            "1e-",
            "1e5e5",
            "1e5.5",
            "1.2.3",
            "+1",
            "--1",
            "1-2",
            "nan",
            "inf",
            "-Inf",
            "0x10",
            "1_000",
            " 1",
            "1 ",
            "1e400",
            "-1e400",
            "1e99999999999999999999",
            "1\u{0}",
            "1:",
            "1/",
        ] {
            assert_eq!(parse_f64(text.as_bytes()), None, "{text}");
        }
    }

    /// The standard library is the judge; an exact power of ten, the borders of the quick road and both sides of them.
    #[test]
    fn floats_are_the_nearest() {
        let mut texts: Vec<String> = [
            "0",
            "-0",
            "5.",
            ".5",
            "-.25",
            "1.e5",
            "00012.50",
            "1E5",
            "1.5E-3",
            "1e+2",
            "9007199254740993",
            "9007199254740992",
            "9007199254740991e22",
            "9007199254740991e23",
            "9007199254740991e-22",
            "9007199254740991e-23",
            "1e22",
            "1e23",
            "8.98846567431158e307",
            "5e-324",
            "2e-324",
            "1e-400",
            "1e-99999999999999999999",
            "18446744073709551615",
            "18446744073709551616",
            "99999999999999999999",
            "1.23456789012345678901234567890",
            "0.30000000000000004",
            "123456.789e-5",
            "0.000000000000000000000000000000000000000000000000001",
            "12345678",
            "123456789",
            "1234567.8",
            "12345678.12345678",
        ]
        .map(String::from)
        .into();
        let mut state = 1_u64;
        for round in 0..20_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let bits = state ^ state >> 29;
            texts.push(match round % 4 {
                0 => f64::from_bits(bits).abs().min(f64::MAX).to_string(),
                1 => format!("{:e}", f64::from_bits(bits).abs().min(f64::MAX)),
                2 => format!("-{}.{}", bits >> 40, bits % 1_000_000),
                _ => format!("{}e{}", bits >> 11, (bits % 600) as i32 - 300),
            });
        }
        for text in texts {
            let expected = text.parse::<f64>().ok().filter(|value| value.is_finite());
            assert_eq!(parse_f64(text.as_bytes()).map(f64::to_bits), expected.map(f64::to_bits), "{text}");
            if let Some(value) = expected {
                for write in [write_json_float, write_plain_float, write_template_float] {
                    assert_eq!(written(write, value).parse().map(f64::to_bits), Ok(value.to_bits()), "{text}");
                }
            }
        }
    }
}
