//! Addresses of data sources, by the rules of Go's `url.Parse` as far as a data source can notice.

/// An absolute URL, taken apart and still percent-encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Url {
    /// Lower case.
    pub(crate) scheme: String,
    /// `user` and `password`, percent-decoded.
    pub(crate) user: Option<(String, String)>,
    /// As written; of an IPv6 address without brackets.
    pub(crate) host: String,
    pub(crate) port: Option<u16>,
    pub(crate) path: String,
}

impl Url {
    /// What stands in a record: `http://` goes in front of what has no scheme. `None`: no URL.
    pub(crate) fn of_record(text: &str) -> Option<Self> {
        if has_scheme(text) { Self::parse(text) } else { Self::parse(&format!("http://{text}")) }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text.bytes().any(|byte| byte < 0x20 || byte == 0x7f) {
            return None;
        }
        let (scheme, rest) = text.split_once("://")?;
        let mut letters = scheme.bytes();
        let legal = letters.next().is_some_and(|first| first.is_ascii_alphabetic())
            && letters.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
        if !legal {
            return None;
        }
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let path = path.split(['?', '#']).next().unwrap_or_default();
        if !escapes_are_whole(path) {
            return None;
        }
        let (user, address) = match authority.rsplit_once('@') {
            Some((user, address)) => (Some(user_info(user)?), address),
            None => (None, authority),
        };
        let (host, port) = host_and_port(address)?;
        Some(Self { scheme: scheme.to_ascii_lowercase(), user, host, port, path: path.to_owned() })
    }

    /// The port that is called.
    pub(crate) fn port_or_default(&self) -> u16 {
        self.port.unwrap_or(if self.scheme == "https" { 443 } else { 80 })
    }

    /// `host`, or `host:port` where the port is not the scheme's own.
    pub(crate) fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        match self.port {
            Some(port) => format!("{host}:{port}"),
            None => host,
        }
    }

    /// The address with this path instead, and without user information.
    pub(crate) fn with_path(&self, path: &str) -> String {
        let slash = if path.is_empty() || path.starts_with('/') { "" } else { "/" };
        format!("{}://{}{slash}{path}", self.scheme, self.authority())
    }

    /// The path with `rest` behind it, parted by exactly one slash. `None`: it would leave the path.
    pub(crate) fn join(&self, rest: &str) -> Option<String> {
        let base = self.path.trim_end_matches('/');
        if climbs(rest) {
            return None;
        }
        if rest.is_empty() {
            return Some(self.with_path(&self.path));
        }
        Some(self.with_path(&format!("{base}/{}", rest.strip_prefix('/').unwrap_or(rest))))
    }
}

pub(super) fn has_scheme(text: &str) -> bool {
    text.split_once("://")
        .is_some_and(|(scheme, _)| scheme.is_empty() || !scheme.contains(['/', '?', '#', '@', ':', ' ']))
}

/// Does a relative path lead above where it begins?
fn climbs(path: &str) -> bool {
    let mut depth = 0_i64;
    for segment in path.split(['/', '\\']) {
        let dots = segment.replace("%2e", ".").replace("%2E", ".");
        match dots.as_str() {
            ".." => depth -= 1,
            "" | "." => {}
            // An encoded slash may be taken for one behind us.
            hidden if hidden.to_ascii_lowercase().contains("%2f") || hidden.to_ascii_lowercase().contains("%5c") => {
                let plain = hidden.to_ascii_lowercase().replace("%2f", "/").replace("%5c", "/");
                depth += 1;
                for part in plain.split('/') {
                    depth -= if part == ".." { 2 } else { 0 };
                }
            }
            _ => depth += 1,
        }
        if depth < 0 {
            return true;
        }
    }
    false
}

fn user_info(text: &str) -> Option<(String, String)> {
    let (user, password) = text.split_once(':').unwrap_or((text, ""));
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~!$&'()*+,;=%:@".contains(&byte);
    if !text.bytes().all(legal) {
        return None;
    }
    Some((percent_decode(user)?, percent_decode(password)?))
}

fn host_and_port(text: &str) -> Option<(String, Option<u16>)> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']')?;
            if host.is_empty()
                || !host.bytes().all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.' | b'%'))
            {
                return None;
            }
            match after.strip_prefix(':') {
                Some(port) => (host, port),
                None if after.is_empty() => (host, ""),
                None => return None,
            }
        }
        None => {
            let (host, port) = text.rsplit_once(':').unwrap_or((text, ""));
            let bad = |c: char| c.is_ascii_control() || " \"<>[]\\^`{|}:#/?".contains(c);
            if host.contains(bad) || !escapes_are_whole(host) {
                return None;
            }
            (host, port)
        }
    };
    if !port.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let port = if port.is_empty() { None } else { Some(port.parse().ok()?) };
    Some((host.to_owned(), port))
}

fn escapes_are_whole(text: &str) -> bool {
    text.match_indices('%').all(|(at, _)| {
        text.as_bytes().get(at + 1..at + 3).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    })
}

/// Undoes percent-encoding once; a `+` stays. `None`: a broken escape. What is not UTF-8 then becomes U+FFFD.
pub(crate) fn percent_decode(text: &str) -> Option<String> {
    if !escapes_are_whole(text) {
        return None;
    }
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [byte, after @ ..] = rest {
        rest = after;
        match (byte, after) {
            (b'%', [high, low, after @ ..]) => {
                let digit = |byte: &u8| char::from(*byte).to_digit(16).unwrap_or(0) as u8;
                plain.push(digit(high) << 4 | digit(low));
                rest = after;
            }
            _ => plain.push(*byte),
        }
    }
    Some(String::from_utf8_lossy(&plain).into_owned())
}

/// Percent-encodes a value of a query string or form as Go's `url.QueryEscape` does.
pub(crate) fn query_escape(text: &str, out: &mut String) {
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            b' ' => out.push('+'),
            _ => {
                out.push('%');
                out.push(char::from(b"0123456789ABCDEF"[usize::from(byte >> 4)]));
                out.push(char::from(b"0123456789ABCDEF"[usize::from(byte & 15)]));
            }
        }
    }
}

/// `a=1&b=2`.
pub(crate) fn form(pairs: &[(&str, &str)]) -> String {
    let mut out = String::new();
    for (name, value) in pairs {
        if !out.is_empty() {
            out.push('&');
        }
        query_escape(name, &mut out);
        out.push('=');
        query_escape(value, &mut out);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_go_reads_them() {
        for text in
            ["http://x", "x", "https://h:1/a?b", "http://[::1]:80/", "http://u:p%40@h/x%2Fy", "h:8086/base", "local://"]
        {
            assert!(Url::of_record(text).is_some(), "{text}");
        }
        for text in [
            "://nohost",
            "http://a b",
            "http://h:x",
            "http://[::1",
            "http://h:99999",
            "http://h/%zz",
            "1http://x",
            "http://a\u{1}b",
        ] {
            assert_eq!(Url::of_record(text), None, "{text}");
        }
        let url = Url::of_record("HTTP://u:p%40@Host:1/a/?q#f").unwrap();
        assert_eq!(url.user, Some(("u".to_owned(), "p@".to_owned())));
        assert_eq!((url.scheme.as_str(), url.authority().as_str(), url.path.as_str()), ("http", "Host:1", "/a/"));
    }

    #[test]
    fn a_path_is_joined_with_one_slash_and_stays_inside() {
        let url = Url::parse("http://h/base/").unwrap();
        let join = |rest: &str| url.join(rest).unwrap_or_else(|| "out".to_owned());
        assert_eq!(join("a/b"), "http://h/base/a/b");
        assert_eq!(join("/a%2Fb/"), "http://h/base/a%2Fb/");
        assert_eq!(join(""), "http://h/base/");
        assert_eq!(join("a/../b"), "http://h/base/a/../b");
        for rest in ["..", "a/../../b", "%2e%2E/x", "a/..%2f..%2f..", "..\\x", "x/..%2F../.."] {
            assert_eq!(join(rest), "out", "{rest}");
        }
        assert_eq!(Url::parse("http://h").unwrap().join("x").unwrap(), "http://h/x");
    }
}
