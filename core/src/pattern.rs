//! The one regular-expression dialect (RE2's syntax as far as `regex-lite` has it) and globs.

/// A compiled expression and its source.
#[derive(Clone, Debug)]
pub struct Regex(regex_lite::Regex);

impl Regex {
    pub fn is_match(&self, text: &str) -> bool {
        self.0.is_match(text)
    }

    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}
