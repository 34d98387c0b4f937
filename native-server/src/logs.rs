//! The log on standard error: as text for people or as a JSON object on each line, at a level that can be changed while
//! the server runs. Secrets do not get here; [`redact`] takes them out of statements, which are the only texts of
//! strangers that are logged.

use crate::config::LogFormat;
use std::borrow::Cow;
use std::io::IsTerminal as _;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Registry, fmt, reload};

/// What changes the level of a running log.
pub(crate) struct Level(reload::Handle<EnvFilter, Registry>);

/// Begins to log. The error is a sentence about `level`.
pub(crate) fn begin(format: LogFormat, level: &str) -> Result<Level, String> {
    let (filter, handle) = reload::Layer::new(filter(level)?);
    let registry = tracing_subscriber::registry().with(filter);
    let lines = fmt::layer().with_writer(std::io::stderr).with_target(false);
    let begun = match format {
        LogFormat::Text => registry.with(lines.with_ansi(std::io::stderr().is_terminal())).try_init(),
        LogFormat::Json => registry.with(lines.json().flatten_event(true).with_current_span(false)).try_init(),
    };
    begun.map_err(|error| format!("cannot log: {error}"))?;
    Ok(Level(handle))
}

impl Level {
    pub(crate) fn set(&self, level: &str) -> Result<(), String> {
        self.0.reload(filter(level)?).map_err(|error| error.to_string())
    }
}

fn filter(level: &str) -> Result<EnvFilter, String> {
    EnvFilter::try_new(level).map_err(|error| format!("log-level: {level:?}: {error}"))
}

/// A statement without its passwords: whatever stands in quotes after the word `password`.
pub(crate) fn redact(text: &str) -> Cow<'_, str> {
    let lower = text.to_ascii_lowercase();
    if !lower.contains("password") {
        return Cow::Borrowed(text);
    }
    let (mut out, mut done) = (String::with_capacity(text.len()), 0);
    while let Some(at) = lower[done..].find("password").map(|at| done + at) {
        // Up to the quote: `password 'x'`, `password for "u" = 'x'`.
        let Some(open) = text[at..].find('\'').map(|open| at + open) else { break };
        let close = closing_quote(text, open + 1);
        out.push_str(&text[done..open]);
        out.push_str("[REDACTED]");
        done = close;
    }
    out.push_str(&text[done..]);
    Cow::Owned(out)
}

/// Behind the quote that ends a string; the end when none does.
fn closing_quote(text: &str, from: usize) -> usize {
    let bytes = text.as_bytes();
    let mut at = from;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'\'' => return at + 1,
            _ => at += 1,
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_taken_out_of_statements() {
        let check = |text: &str, expected: &str| assert_eq!(redact(text), expected);
        check("SELECT v FROM m WHERE s = 'x'", "SELECT v FROM m WHERE s = 'x'");
        check("CREATE USER a WITH PASSWORD 's3' WITH ALL", "CREATE USER a WITH PASSWORD [REDACTED] WITH ALL");
        check("set password for \"a\" = 'it\\'s'; SHOW USERS", "set password for \"a\" = [REDACTED]; SHOW USERS");
        check("create user a with password 'open", "create user a with password [REDACTED]");
        check("password 'a\\", "password [REDACTED]");
        check("password 'ä' password 'ö'", "password [REDACTED] password [REDACTED]");
    }

    #[test]
    fn a_level_that_is_none_is_refused() {
        assert!(filter("info,hyper=debug").is_ok());
        assert!(filter("info,x=loud").is_err_and(|why| why.contains("log-level")));
    }
}
