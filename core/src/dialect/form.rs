//! `application/x-www-form-urlencoded`: query strings and form bodies.

use std::borrow::Cow;

/// The pairs of a form, decoded, in order. A `+` is a blank. A pair with a broken escape is left out, as Go's
/// `url.ParseQuery` does; bytes that are not UTF-8 become U+FFFD.
pub fn pairs(form: &[u8]) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    form.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()).filter_map(|pair| {
        let (name, value) = match memchr::memchr(b'=', pair) {
            Some(at) => (&pair[..at], &pair[at + 1..]),
            None => (pair, &[][..]),
        };
        Some((decode(name, b' ')?, decode(value, b' ')?))
    })
}

/// A part of a path, decoded: a `+` is a plus. `None` when an escape is broken.
pub fn path_part(text: &str) -> Option<Cow<'_, str>> {
    decode(text.as_bytes(), b'+')
}

/// Undoes percent-encoding; `None` when an escape is not `%` and two hexadecimal digits.
fn decode(text: &[u8], plus: u8) -> Option<Cow<'_, str>> {
    if !text.iter().any(|byte| matches!(byte, b'%' | b'+')) {
        return Some(String::from_utf8_lossy(text));
    }
    let mut plain = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        plain.push(match byte {
            b'+' => plus,
            b'%' => hex(*bytes.next()?)? << 4 | hex(*bytes.next()?)?,
            other => *other,
        });
    }
    Some(match String::from_utf8(plain) {
        Ok(text) => text.into(),
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned().into(),
    })
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(form: &str, expected: &[(&str, &str)]) {
        let found: Vec<_> = pairs(form.as_bytes()).collect();
        let found: Vec<_> = found.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(found, expected, "{form}");
    }

    #[test]
    fn forms_decode_as_go_decodes_them() {
        check("", &[]);
        check("q=a+b%20c&db=x", &[("q", "a b c"), ("db", "x")]);
        check("q=%C3%A9;x&&flag&e=1=2", &[("q", "é;x"), ("flag", ""), ("e", "1=2")]);
        check("a=%zz&b=%4&c=%41", &[("c", "A")]);
        check("a=%ff", &[("a", "\u{fffd}")]);
    }
}
