//! Normal forms of metric names and tags.

use std::borrow::Cow;

/// Characters of a metric name or a tag at most.
const LONGEST: usize = 200;
/// Between the values of a tag that has several; a Datadog tag has none. A part without text is a bare tag.
pub(super) const SEPARATOR: char = ',';

/// A metric name: from the first letter on letters, digits, `_` and `.`; all else becomes `_`, of which no two stand
/// together and none beside a point. `None` when nothing is left.
pub(super) fn metric(name: &str) -> Option<Cow<'_, str>> {
    if is_metric(name) {
        return Some(Cow::Borrowed(name));
    }
    let mut normal = String::with_capacity(name.len());
    for c in name.chars() {
        let c = if c.is_ascii_alphanumeric() || c == '.' { c } else { '_' };
        if normal.is_empty() && !c.is_ascii_alphabetic() {
            continue;
        }
        match c {
            '_' if normal.ends_with(['_', '.']) => continue,
            '.' if normal.ends_with('_') => drop(normal.pop()),
            _ => {}
        }
        normal.push(c);
        if normal.len() == LONGEST {
            break;
        }
    }
    (!normal.is_empty()).then_some(Cow::Owned(normal))
}

/// Whether a name is its own normal form.
pub(super) fn is_metric(name: &str) -> bool {
    let bytes = name.as_bytes();
    let mut before = b'a';
    for byte in bytes {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => {}
            b'.' if before != b'_' => {}
            b'_' if before != b'_' && before != b'.' => {}
            _ => return false,
        }
        before = *byte;
    }
    bytes.first().is_some_and(u8::is_ascii_alphabetic) && bytes.len() <= LONGEST
}

/// A tag, key and value together: trimmed, in lower case, letters, digits and `_-:./`, all else `_`; no colon at the
/// end. `None` when nothing is left.
pub(super) fn tag(text: &str) -> Option<Cow<'_, str>> {
    if is_tag(text) {
        return Some(Cow::Borrowed(text));
    }
    let normal: String = text
        .trim()
        .chars()
        .flat_map(char::to_lowercase)
        .map(|c| if c.is_alphanumeric() || matches!(c, '_' | '-' | ':' | '.' | '/') { c } else { '_' })
        .take(LONGEST)
        .collect();
    let normal = normal.trim_end_matches(':');
    (!normal.is_empty()).then(|| Cow::Owned(normal.to_owned()))
}

fn is_tag(text: &str) -> bool {
    let plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b':' | b'.' | b'/');
    !text.is_empty() && text.len() <= LONGEST && text.bytes().all(plain) && !text.ends_with(':')
}

/// The normal form of a value that stands alone, as a stored tag's does.
pub(super) fn value(text: &str) -> Cow<'_, str> {
    tag(text).unwrap_or_default()
}

/// Key and value of a tag; a bare tag has no value.
pub(super) fn split(tag: &str) -> (&str, Option<&str>) {
    tag.split_once(':').map_or((tag, None), |(key, value)| (key, Some(value)))
}

/// How far two names are apart: single characters put in, taken out, replaced. `None` beyond `most`.
pub(super) fn distance(a: &str, b: &str, most: usize) -> Option<usize> {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len().abs_diff(b.len()) > most {
        return None;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(!x.eq_ignore_ascii_case(y));
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row.last().copied().filter(|distance| *distance <= most)
}

/// The names nearest to one, at most three, the nearest first.
pub(super) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let most = (name.len() / 3).clamp(2, 6);
    let mut near: Vec<(usize, &str)> = known.filter_map(|other| Some((distance(name, other, most)?, other))).collect();
    crate::order::sort_dedup(&mut near);
    near.into_iter().take(3).map(|(_, other)| other).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metric_names_become_normal() {
        for (name, normal) in [
            ("system.cpu.idle", "system.cpu.idle"),
            ("my-metric name/x", "my_metric_name_x"),
            ("9_lives.left", "lives.left"),
            ("a__b", "a_b"),
            ("a_.b._c", "a.b.c"),
            ("Test", "Test"),
            ("größe", "gr_e"),
        ] {
            assert_eq!(metric(name).as_deref(), Some(normal), "{name}");
            assert!(is_metric(normal), "{normal}");
        }
        assert_eq!(metric("12"), None);
    }

    #[test]
    fn tags_become_normal() {
        for (text, normal) in
            [("Env:Prod West", "env:prod_west"), (" a:b:c: ", "a:b:c"), ("größe:1", "größe:1"), ("x,y", "x_y")]
        {
            assert_eq!(tag(text).as_deref(), Some(normal), "{text}");
        }
        assert_eq!(tag(" : "), None);
        assert_eq!(split("env:a:b"), ("env", Some("a:b")));
        assert_eq!(split("canary"), ("canary", None));
    }

    #[test]
    fn near_names_are_found() {
        let known = ["system.cpu.idle", "system.cpu.user", "system.mem.free"];
        assert_eq!(nearest("system.cpu.idel", known.into_iter()), ["system.cpu.idle", "system.cpu.user"]);
        assert_eq!(distance("abc", "xyz", 2), None);
    }
}
