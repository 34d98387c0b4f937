//! Patterns over names: those of source and metric groups, and those of filters.

use crate::pattern::{Glob, Regex, RegexError};

/// A whole name, `glob:` and a pattern of one, or `regexp:` and what is somewhere in one.
#[derive(Clone, Debug)]
pub(in crate::dialect::facette) enum Pattern {
    Exact(Box<str>),
    Glob(Glob),
    Regex(Box<Regex>),
}

impl Pattern {
    /// As groups and the catalog have them: expressions tell cases apart, globs do not and have classes.
    pub(in crate::dialect::facette) fn of_group(text: &str) -> Result<Self, RegexError> {
        Self::new(text, Glob::new, Regex::new)
    }

    /// As filters of the library have them: neither tells cases apart, and globs have only `*` and `?`.
    pub(in crate::dialect::facette) fn of_filter(text: &str) -> Result<Self, RegexError> {
        Self::new(text, Glob::new_simple, Regex::new_caseless)
    }

    fn new(
        text: &str,
        glob: fn(&str) -> Glob,
        regex: fn(&str) -> Result<Regex, RegexError>,
    ) -> Result<Self, RegexError> {
        Ok(match (text.strip_prefix("glob:"), text.strip_prefix("regexp:")) {
            (Some(pattern), _) => Self::Glob(glob(pattern)),
            (_, Some(pattern)) => Self::Regex(Box::new(regex(pattern)?)),
            _ => Self::Exact(text.into()),
        })
    }

    pub(in crate::dialect::facette) fn matches(&self, name: &str) -> bool {
        match self {
            Self::Exact(own) => **own == *name,
            Self::Glob(glob) => glob.is_match(name),
            Self::Regex(regex) => regex.is_match(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_and_filters_differ() {
        for (text, name, of_group, of_filter) in [
            ("web", "web", true, true),
            ("web", "WEB", false, false),
            ("glob:WEB[0-9]", "web1", true, false),
            ("glob:w?b*", "WEB/1", true, true),
            ("regexp:eb$", "web", true, true),
            ("regexp:EB$", "web", false, true),
            ("globe", "globe", true, true),
            ("glob:[", "[", false, true),
        ] {
            assert_eq!(Pattern::of_group(text).unwrap().matches(name), of_group, "{text} {name}");
            assert_eq!(Pattern::of_filter(text).unwrap().matches(name), of_filter, "{text} {name}");
        }
        assert!(Pattern::of_group("regexp:[").is_err() && Pattern::of_filter("regexp:[").is_err());
    }
}
