//! The name of a series: a measurement and its tags, as canonical bytes.
//!
//! Layout: the measurement, then key and value of every tag in key order, each text closed by `00`. Inside a text the
//! bytes `00` and `01` are written `01 01` and `01 02`, so the plain byte order of keys is the order of answers: by
//! measurement, then tag by tag.

use crate::order::sort_few;
use std::borrow::Cow;
use std::sync::Arc;

const CLOSE: u8 = 0;
const ESCAPE: u8 = 1;

/// Canonical bytes of a series; see the module. Compares, hashes and sorts as bytes; a clone shares them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeriesKey(Arc<[u8]>);

impl SeriesKey {
    /// The key of a measurement and its tags; tags need not be sorted. Tags with an empty value do not exist and are
    /// left out.
    pub fn new(measurement: &str, tags: &[(&str, &str)]) -> Self {
        let mut sorted: Vec<_> = tags.iter().filter(|(_, value)| !value.is_empty()).collect();
        sort_few(&mut sorted);
        let mut bytes = Vec::with_capacity(64);
        push_text(measurement.as_bytes(), &mut bytes);
        for (key, value) in sorted {
            push_text(key.as_bytes(), &mut bytes);
            push_text(value.as_bytes(), &mut bytes);
        }
        Self(bytes.into())
    }

    /// Takes bytes that are already canonical (from a block file, a batch); `None` when they are not: texts not closed,
    /// not UTF-8, tags not sorted or repeated.
    pub fn from_canonical(bytes: &[u8]) -> Option<Self> {
        if bytes.last() != Some(&CLOSE) {
            return None;
        }
        let mut parts = Texts(bytes);
        parts.next()??;
        let mut last: Option<Cow<'_, str>> = None;
        while let Some(key) = parts.next() {
            let key = key?;
            let _value = parts.next()??;
            if last.is_some_and(|last| last >= key) {
                return None;
            }
            last = Some(key);
        }
        Some(Self(bytes.into()))
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub fn measurement(&self) -> Cow<'_, str> {
        Texts(&self.0).next().flatten().unwrap_or_default()
    }

    /// Tags in key order.
    pub fn tags(&self) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
        let mut texts = Texts(&self.0);
        texts.next();
        std::iter::from_fn(move || Some((texts.next()??, texts.next()??)))
    }

    pub fn tag(&self, key: &str) -> Option<Cow<'_, str>> {
        self.tags().find(|(name, _)| name == key).map(|(_, value)| value)
    }
}

/// Appends one text of a canonical key, closed.
pub fn push_text(text: &[u8], out: &mut Vec<u8>) {
    if text.iter().any(|byte| *byte <= ESCAPE) {
        for byte in text {
            match byte {
                0 => out.extend([ESCAPE, 1]),
                1 => out.extend([ESCAPE, 2]),
                other => out.push(*other),
            }
        }
    } else {
        out.extend_from_slice(text);
    }
    out.push(CLOSE);
}

/// The texts of a canonical key in order. An item of `None` is bytes that are no text.
struct Texts<'a>(&'a [u8]);

impl<'a> Iterator for Texts<'a> {
    type Item = Option<Cow<'a, str>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let Some(end) = memchr::memchr(CLOSE, self.0) else {
            self.0 = &[];
            return Some(None);
        };
        let (raw, rest) = (&self.0[..end], &self.0[end + 1..]);
        self.0 = rest;
        if !raw.contains(&ESCAPE) {
            return Some(std::str::from_utf8(raw).ok().map(Cow::Borrowed));
        }
        let mut plain = Vec::with_capacity(raw.len());
        let mut bytes = raw.iter();
        while let Some(byte) = bytes.next() {
            match (byte, *byte == ESCAPE) {
                (_, false) => plain.push(*byte),
                _ => match bytes.next() {
                    Some(1) => plain.push(0),
                    Some(2) => plain.push(1),
                    _ => return Some(None),
                },
            }
        }
        Some(String::from_utf8(plain).ok().map(Cow::Owned))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_apart_as_they_went_together() {
        let key = SeriesKey::new("cpu", &[("host", "a\u{0}b\u{1}"), ("dc", "x"), ("empty", "")]);
        assert_eq!(key.measurement(), "cpu");
        let tags: Vec<_> = key.tags().map(|(k, v)| (k.into_owned(), v.into_owned())).collect();
        assert_eq!(tags, [("dc".into(), "x".into()), ("host".into(), "a\u{0}b\u{1}".into())] as [(String, String); 2]);
        assert_eq!(SeriesKey::from_canonical(key.as_bytes()).as_ref(), Some(&key));
    }

    #[test]
    fn byte_order_is_name_order() {
        let mut keys = [SeriesKey::new("ab", &[]), SeriesKey::new("a", &[("z", "1")]), SeriesKey::new("a\u{1}", &[])];
        keys.sort();
        let names: Vec<_> = keys.iter().map(|key| key.measurement().into_owned()).collect();
        assert_eq!(names, ["a", "a\u{1}", "ab"]);
    }

    #[test]
    fn foreign_bytes_are_checked() {
        for bytes in
            [&b""[..], b"cpu", b"cpu\0k\0", b"cpu\0b\x001\0a\x001\0", b"cpu\0a\x001\0a\x002\0", b"\xff\0", b"a\x01\0"]
        {
            assert_eq!(SeriesKey::from_canonical(bytes), None, "{bytes:?}");
        }
    }
}
