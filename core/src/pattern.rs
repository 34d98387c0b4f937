//! The one regular-expression dialect and globs.
//!
//! Regular expressions are RE2's, as Go has them, for that is what every API here was made with: `parse` reads them and
//! words errors as Go does, `program` runs them in time linear in the text. Left out: Unicode classes (`\pL`), and case
//! folding beyond ASCII.

mod parse;
mod program;

use program::Program;
use std::fmt;

/// A compiled regular expression. Unanchored, as in RE2.
#[derive(Clone, Debug)]
pub struct Regex {
    source: Box<str>,
    program: Program,
}

impl Regex {
    pub fn new(source: &str) -> Result<Self, RegexError> {
        Ok(Self { source: source.into(), program: parse::parse(source, false)? })
    }

    /// One that takes ASCII letters of both cases for the same.
    pub fn new_caseless(source: &str) -> Result<Self, RegexError> {
        Ok(Self { source: source.into(), program: parse::parse(source, true)? })
    }

    pub fn is_match(&self, text: &str) -> bool {
        self.program.is_match(text)
    }

    /// The expression as it was written.
    pub fn as_str(&self) -> &str {
        &self.source
    }
}

impl PartialEq for Regex {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

/// Why an expression is none, as Go says it: ``error parsing regexp: missing closing ]: `[a` ``.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("error parsing regexp: {why}: `{part}`")]
pub struct RegexError {
    why: &'static str,
    part: Box<str>,
}

impl RegexError {
    fn new(why: &'static str, part: &str) -> Self {
        Self { why, part: part.into() }
    }
}

/// A glob over a whole name, blind to case: `*` is any run of characters, `?` one, `[a-z]` one of a class, `[^a-z]` one
/// not of it; a backslash takes the next character for itself. A malformed one matches nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Glob {
    /// `None`: malformed.
    pieces: Option<Vec<Piece>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Char(char),
    One,
    Run,
    Class { negated: bool, ranges: Vec<(char, char)> },
}

impl Glob {
    pub fn new(pattern: &str) -> Self {
        Self { pieces: pieces(pattern) }
    }

    /// One in which only `*` and `?` are special.
    pub fn new_simple(pattern: &str) -> Self {
        let pieces = pattern.chars().map(|char| match char {
            '*' => Piece::Run,
            '?' => Piece::One,
            char => Piece::Char(fold(char)),
        });
        Self { pieces: Some(pieces.collect()) }
    }

    pub fn is_malformed(&self) -> bool {
        self.pieces.is_none()
    }

    /// Takes time proportional to pattern × name at worst.
    pub fn is_match(&self, name: &str) -> bool {
        let Some(pieces) = &self.pieces else {
            return false;
        };
        let (mut at, mut rest) = (0, name.chars());
        // After the last `*` seen, and the name where its run ends for now.
        let mut retry = None;
        loop {
            let before = rest.clone();
            match (pieces.get(at), rest.next()) {
                (Some(Piece::Run), _) => {
                    rest = before;
                    at += 1;
                    retry = Some((at, rest.clone()));
                    continue;
                }
                (None, None) => return true,
                (Some(piece), Some(char)) if piece.takes(fold(char)) => {
                    at += 1;
                    continue;
                }
                _ => {}
            }
            let Some((after, mut run)) = retry.take() else {
                return false;
            };
            if run.next().is_none() {
                return false;
            }
            (at, rest) = (after, run.clone());
            retry = Some((after, run));
        }
    }
}

impl fmt::Debug for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Glob").field(&self.pieces).finish()
    }
}

impl Piece {
    fn takes(&self, char: char) -> bool {
        match self {
            Self::Char(own) => *own == char,
            Self::One => true,
            Self::Run => false,
            Self::Class { negated, ranges } => {
                ranges.iter().any(|(low, high)| *low <= char && char <= *high) != *negated
            }
        }
    }
}

fn pieces(pattern: &str) -> Option<Vec<Piece>> {
    let mut pieces = Vec::new();
    let mut chars = pattern.chars().peekable();
    while let Some(char) = chars.next() {
        pieces.push(match char {
            '*' => Piece::Run,
            '?' => Piece::One,
            '\\' => Piece::Char(fold(chars.next()?)),
            '[' => {
                let negated = chars.next_if_eq(&'^').is_some();
                let mut ranges = Vec::new();
                while ranges.is_empty() || chars.next_if_eq(&']').is_none() {
                    let low = class_char(&mut chars)?;
                    let high = if chars.next_if_eq(&'-').is_some() { class_char(&mut chars)? } else { low };
                    ranges.push((low, high));
                }
                Piece::Class { negated, ranges }
            }
            char => Piece::Char(fold(char)),
        });
    }
    Some(pieces)
}

fn class_char(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<char> {
    match chars.next()? {
        '-' | ']' => None,
        '\\' => chars.next().map(fold),
        char => Some(fold(char)),
    }
}

/// One character for all its cases.
fn fold(char: char) -> char {
    char.to_lowercase().next().unwrap_or(char)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn globs() {
        let cases = [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("*", "a/b", true),
            ("?", "", false),
            ("?", "é", true),
            ("WEB*", "web1", true),
            ("web*", "WEB1", true),
            ("É", "é", true),
            ("a*b*c", "a/xbxbyc", true),
            ("a*b*c", "a/xbxby", false),
            ("*a", "aab", false),
            ("*ab", "aaab", true),
            ("**a**", "bab", true),
            ("web[1-3]", "web2", true),
            ("web[1-3]", "web4", false),
            ("web[^1-3]", "web4", true),
            ("web[^1-3]", "web1", false),
            ("web[^1-3]", "web", false),
            ("[A-C]x", "bX", true),
            ("[abc\\]]", "]", true),
            ("[a\\-z]", "-", true),
            ("[a\\-z]", "b", false),
            ("a\\*", "a*", true),
            ("a\\*", "ab", false),
            ("a]", "a]", true),
            ("[z-a]", "b", false),
        ];
        for (pattern, name, expected) in cases {
            assert_eq!(Glob::new(pattern).is_match(name), expected, "{pattern} {name}");
        }
        for pattern in ["[", "[a", "[]", "[]a]", "[a-]", "[-a]", "[^]", "a\\", "*[", "[a-"] {
            assert!(Glob::new(pattern).is_malformed(), "{pattern}");
            assert!(!Glob::new(pattern).is_match(pattern), "{pattern}");
        }
        assert!(Glob::new_simple("[A]\\?*").is_match("[a]\\xyz"));
        assert!(!Glob::new_simple("[a]").is_match("a"));
        // Not exponential.
        assert!(!Glob::new(&"*a".repeat(50)).is_match(&"a".repeat(2_000).replace("aaaaaaaaaa", "aaaaaaaaab")));
    }

    #[test]
    fn what_go_refuses() {
        let cases = [
            ("[", "missing closing ]: `[`"),
            ("x[a", "missing closing ]: `[a`"),
            ("[]", "missing closing ]: `[]`"),
            ("[^]", "missing closing ]: `[^]`"),
            ("[a-", "missing closing ]: `[a-`"),
            ("(", "missing closing ): `(`"),
            ("(a", "missing closing ): `(a`"),
            ("(?:a", "missing closing ): `(?:a`"),
            ("a)", "unexpected ): `a)`"),
            ("*", "missing argument to repetition operator: `*`"),
            ("+?", "missing argument to repetition operator: `+?`"),
            ("(*)", "missing argument to repetition operator: `*`"),
            ("a|*", "missing argument to repetition operator: `*`"),
            ("{1}", "missing argument to repetition operator: `{1}`"),
            ("a**", "invalid nested repetition operator: `**`"),
            ("a+?+", "invalid nested repetition operator: `+?+`"),
            ("x{2}{3}", "invalid nested repetition operator: `{2}{3}`"),
            ("[z-a]", "invalid character class range: `z-a`"),
            ("[a--b]", "invalid character class range: `a--`"),
            ("[[:foo:]]", "invalid character class range: `[:foo:]`"),
            ("\\p{Foo}", "invalid character class range: `\\p{Foo}`"),
            ("[\\pX]", "invalid character class range: `\\pX`"),
            ("a{1001}", "invalid repeat count: `{1001}`"),
            ("a{2,1}", "invalid repeat count: `{2,1}`"),
            ("a{99999999999}", "invalid repeat count: `{99999999999}`"),
            ("a\\", "trailing backslash at end of expression: ``"),
            ("\\y", "invalid escape sequence: `\\y`"),
            ("\\1", "invalid escape sequence: `\\1`"),
            ("\\8", "invalid escape sequence: `\\8`"),
            ("\\x", "invalid escape sequence: `\\x`"),
            ("\\x4", "invalid escape sequence: `\\x4`"),
            ("\\x{110000}", "invalid escape sequence: `\\x{110000`"),
            ("\\u0041", "invalid escape sequence: `\\u`"),
            ("\\é", "invalid escape sequence: `\\é`"),
            ("\\Z", "invalid escape sequence: `\\Z`"),
            ("\\C", "invalid escape sequence: `\\C`"),
            ("[a-\\d]", "invalid escape sequence: `\\d`"),
            ("[\\y]", "invalid escape sequence: `\\y`"),
            ("(?x)a", "invalid or unsupported Perl syntax: `(?x`"),
            ("(?", "invalid or unsupported Perl syntax: `(?`"),
            ("(?i", "invalid or unsupported Perl syntax: `(?i`"),
            ("(?<n>a)", "invalid or unsupported Perl syntax: `(?<`"),
            ("(?=a)", "invalid or unsupported Perl syntax: `(?=`"),
            ("(?i-)", "invalid or unsupported Perl syntax: `(?i-)`"),
            ("(?--i)a", "invalid or unsupported Perl syntax: `(?--`"),
            ("(?P<n", "invalid named capture: `(?P<n`"),
            ("(?P<>a)", "invalid named capture: `(?P<>`"),
            ("((a{1000}){1000}){1000}", "expression too large: `((a{1000}){1000}){1000}`"),
        ];
        for (source, why) in cases {
            let error = Regex::new(source).expect_err(source);
            assert_eq!(error.to_string(), format!("error parsing regexp: {why}"));
        }
    }

    #[test]
    fn what_go_matches() {
        // expression, texts it matches, texts it does not
        let cases: &[(&str, &[&str], &[&str])] = &[
            ("", &["", "a"], &[]),
            ("^(cpu|weather)$", &["cpu", "weather"], &["cpux", "xcpu"]),
            ("a{", &["a{"], &["a"]),
            ("a{,2}", &["a{,2}"], &["aa"]),
            ("a{1,x}", &["a{1,x}"], &["a"]),
            ("^a{01}$", &["a{01}"], &["a"]),
            ("^a{2,}?$", &["aaa"], &["a"]),
            ("[[]", &["["], &["a"]),
            ("[]a]", &["]", "a"], &["b"]),
            ("[^]a]", &["b"], &["]", "a"]),
            ("[a&&b]", &["&", "a"], &["c"]),
            ("[a~~b]", &["~"], &["c"]),
            ("[a-]", &["-"], &["b"]),
            ("[-a]", &["-"], &["b"]),
            ("[\\d-z]", &["5", "-", "z"], &["y"]),
            ("[[:alpha:]_[:^digit:]]", &["x", "_"], &["5"]),
            ("[\\x41-C]", &["B"], &["D"]),
            ("\\Q[a*\\E+", &["[a*", "[a**"], &["[a"]),
            ("\\Q.", &["."], &["a"]),
            ("\\x41\\x{42}\\103\\n", &["ABC\n"], &["ABCn"]),
            ("^\\<\\_\\-\\/\\ $", &["<_-/ "], &[]),
            ("(?i)CPU", &["cpu"], &[]),
            ("(?ii-s:CPU)x", &["cpux"], &["cpuX"]),
            ("a(?i-i)B()", &["aB"], &["ab"]),
            ("(?)a(?:)", &["a"], &["b"]),
            ("(?P<n>a)(?P<n>b)", &["ab"], &["a"]),
            ("^*a", &["a"], &["b"]),
            ("\\A\\bé?x\\z", &["x"], &["xy"]),
            ("a.b", &["aéb"], &["a\nb"]),
            ("(?s)a.b", &["a\nb"], &[]),
            ("}]a", &["}]a"], &[]),
            ("a#b c~", &["a#b c~"], &[]),
        ];
        for (source, matched, others) in cases {
            let regex = Regex::new(source).unwrap_or_else(|error| panic!("{error}"));
            assert!(matched.iter().all(|text| regex.is_match(text)), "{source}");
            assert!(!others.iter().any(|text| regex.is_match(text)), "{source}");
        }
        assert!(Regex::new_caseless("^[a-d]").is_ok_and(|regex| regex.is_match("Beta")));
    }

    #[test]
    fn no_expression_panics() {
        let parts = [
            "(", ")", "[", "]", "a", "-", "^", "*", "+", "?", "{", "1", ",", "}", "\\", "Q", "E", "p", "x", "é", ":",
            "P", "<", ">", "i", "|", "[:", ":]", "$", ".",
        ];
        let mut state = 7_u64;
        for _ in 0..50_000 {
            let mut source = String::new();
            for _ in 0..state >> 60 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                source.push_str(parts[(state >> 33) as usize % parts.len()]);
            }
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            match Regex::new(&source) {
                Ok(regex) => drop(regex.is_match("a1x")),
                Err(error) => assert_ne!(error.why, "expression too large", "{source}"),
            }
        }
    }

    #[test]
    fn classes_and_flags() {
        let cases: &[(&str, &[&str], &[&str])] = &[
            ("^\\s$", &["\t", "\n", "\x0c", "\r", " "], &["\x0b", "a"]),
            ("^[[:space:]]$", &["\x0b", " "], &["a"]),
            ("^[\\D]$", &["é", "/", ":"], &["0", "9"]),
            ("^[^\\W]$", &["a", "_", "9"], &["-", "é"]),
            ("^[[:^punct:]]$", &["a", "5", "é", "\x7f"], &["!", "`", "~"]),
            ("(?i)^[^a-c]$", &["d", "1"], &["A", "b", "C"]),
            ("(?i)^[Q-Yé]$", &["q", "W", "y", "é"], &["P", "z", "É"]),
            ("(?m)^b$", &["a\nb\nc"], &["a\nbc"]),
            ("^b$", &["b"], &["a\nb", "b\n"]),
            ("a(?i)b|c", &["aB", "C"], &["Ab"]),
            ("(a(?i)b)c", &["aBc"], &["aBC"]),
            ("^(a|bc|)d$", &["ad", "bcd", "d"], &["bd"]),
            ("^(a|b|cd)+$", &["abcdb"], &["abc"]),
            ("^(a{2}|b){2,3}$", &["aab", "aaaaaa", "bb"], &["aaa", "b", "bbbb"]),
            ("^(a*)*$", &["", "aaa"], &["b"]),
            ("^x{0}y{0,}z{3,}$", &["zzz", "yzzzz"], &["xzzz", "zz"]),
            ("\\Qab\\E*c$", &["ac", "abbc"], &["bab"]),
            ("\\bab\\b", &["x ab.", "ab"], &["abc", "é_ab"]),
            ("a\\Bb", &["ab"], &["a b"]),
        ];
        for (source, matched, others) in cases {
            let regex = Regex::new(source).unwrap_or_else(|error| panic!("{error}"));
            for (texts, expected) in [(matched, true), (others, false)] {
                for text in *texts {
                    assert_eq!(regex.is_match(text), expected, "{source} {text:?}");
                }
            }
        }
        let deep = format!("{}a{}", "(".repeat(5_000), ")*".repeat(5_000));
        assert!(Regex::new(&deep).is_ok_and(|regex| regex.is_match("")));
        // Not exponential.
        let hard = Regex::new(&format!("^{}{}$", "a?".repeat(200), "a".repeat(200))).unwrap();
        assert!(hard.is_match(&"a".repeat(200)) && !hard.is_match(&"a".repeat(199)));
    }

    /// Expressions of what `regex-lite` writes as RE2 does.
    fn expression() -> impl Strategy<Value = String> {
        const ATOMS: &[&str] = &[
            "a", "b", "B", "\n", "é", ".", "[ab]", "[^a]", "[B-b]", "\\w", "\\W", "\\d", "^", "$", "\\b", "\\B", "\\A",
            "\\z", "()",
        ];
        let leaf = proptest::sample::select(ATOMS).prop_map(str::to_owned);
        leaf.prop_recursive(5, 24, 4, |inner| {
            let groups = proptest::sample::select(&["(", "(?:", "(?i:", "(?m:", "(?s:", "(?U:", "((?i)"][..]);
            let counts = proptest::sample::select(&["*", "+", "?", "*?", "{0}", "{2}", "{1,}", "{0,2}", "{2,3}?"][..]);
            prop_oneof![
                (groups, inner.clone()).prop_map(|(open, inner)| format!("{open}{inner})")),
                (inner.clone(), counts).prop_map(|(inner, count)| format!("(?:{inner}){count}")),
                proptest::collection::vec(inner.clone(), 2..4).prop_map(|parts| parts.concat()),
                proptest::collection::vec(inner, 2..4).prop_map(|parts| parts.join("|")),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn matches_as_another_engine_does(source in expression(), text in "[abAB\n é1]{0,8}", caseless: bool) {
            let ours = if caseless { Regex::new_caseless(&source) } else { Regex::new(&source) };
            let theirs = regex_lite::RegexBuilder::new(&source).case_insensitive(caseless).build();
            prop_assert_eq!(ours.unwrap().is_match(&text), theirs.unwrap().is_match(&text));
        }
    }
}
