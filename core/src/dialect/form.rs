//! Forms: `application/x-www-form-urlencoded` as query strings and bodies have it, and `multipart/form-data` (RFC 7578).

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

/// A part of a multipart form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormPart<'a> {
    pub name: String,
    /// It was sent as a file.
    pub file: bool,
    pub content: &'a [u8],
}

/// The parts of a multipart body, in order; `content_type` has the boundary. What is not a part is passed over, and
/// nothing follows a part that has no end.
pub fn multipart<'a>(content_type: &str, body: &'a [u8]) -> Vec<FormPart<'a>> {
    let mut parts = Vec::new();
    let Some(boundary) = parameter(content_type, "boundary").filter(|boundary| !boundary.is_empty()) else {
        return parts;
    };
    let delimiter = format!("--{boundary}");
    let Some(start) = memchr::memmem::find(body, delimiter.as_bytes()) else { return parts };
    let mut rest = &body[start + delimiter.len()..];
    let closing = format!("\r\n{delimiter}");
    // After the last part the delimiter is followed by two dashes.
    while let Some(part) = rest.strip_prefix(b"\r\n") {
        let Some(end) = memchr::memmem::find(part, closing.as_bytes()) else { break };
        let (whole, after) = (&part[..end], &part[end + closing.len()..]);
        if let Some(headers) = memchr::memmem::find(whole, b"\r\n\r\n") {
            let disposition = String::from_utf8_lossy(&whole[..headers]);
            let disposition = disposition.lines().filter_map(|line| line.split_once(':'));
            let disposition = disposition.filter(|(name, _)| name.eq_ignore_ascii_case("content-disposition"));
            for (_, value) in disposition {
                if let Some(name) = parameter(value, "name") {
                    let file = parameter(value, "filename").is_some();
                    parts.push(FormPart { name, file, content: &whole[headers + 4..] });
                }
            }
        }
        rest = after;
    }
    parts
}

/// `name="value"` or `name=value` among the parameters of a header.
fn parameter(header: &str, name: &str) -> Option<String> {
    let mut rest = header;
    while let Some(at) = rest.find(';') {
        rest = rest[at + 1..].trim_start();
        let Some((key, value)) = rest.split_once('=') else { continue };
        let wanted = key.trim().eq_ignore_ascii_case(name);
        let Some(quoted) = value.strip_prefix('"') else {
            if wanted {
                return Some(value.split(';').next().unwrap_or_default().trim().to_owned());
            }
            continue;
        };
        let mut text = String::new();
        let mut chars = quoted.char_indices();
        while let Some((at, char)) = chars.next() {
            match char {
                '"' => {
                    rest = &quoted[at..];
                    break;
                }
                '\\' => text.extend(chars.next().map(|(_, char)| char)),
                other => text.push(other),
            }
        }
        if wanted {
            return Some(text);
        }
    }
    None
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
    fn multipart_bodies_fall_into_parts() {
        let body = b"preamble\r\n--xy\r\nContent-Disposition: form-data; name=\"q\"; filename=\"a;b.txt\"\r\n\
            Content-Type: text/plain\r\n\r\nSELECT 1\r\n;\r\n--xy\r\ncontent-disposition: form-data; name=epoch\r\n\r\n\
            ms\r\n--xy--\r\n";
        let parts = multipart("multipart/form-data; boundary=xy", body);
        let found: Vec<_> = parts.iter().map(|part| (part.name.as_str(), part.file, part.content)).collect();
        assert_eq!(found, [("q", true, &b"SELECT 1\r\n;"[..]), ("epoch", false, b"ms")]);
        assert_eq!(multipart("multipart/form-data; boundary=\"xy\"", body).len(), 2);
        assert_eq!(multipart("multipart/form-data; boundary=zz", body), []);
        assert_eq!(multipart("multipart/form-data", body), []);
        (0..body.len()).for_each(|len| assert!(multipart("x; boundary=xy", &body[..len]).len() <= 2));
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
