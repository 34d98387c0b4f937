//! RE2's syntax to that of `regex-lite`, checked on the way.
//!
//! | RE2 | becomes |
//! |---|---|
//! | `\Q…\E`, `\x41`, `\103`, `\_` | the characters, escaped where they mean something |
//! | `{` that begins no repetition | `\{` |
//! | `[`, `&`, `~`, `-` in a class, where they stand for themselves | escaped |
//! | a flag twice, no flag at all | once, nothing |
//! | a name used again | a group without name |

use super::RegexError;

const MAX_REPEAT: u32 = 1_000;
const POSIX_CLASSES: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper", "word",
    "xdigit",
];

pub(super) fn translate(source: &str) -> Result<String, RegexError> {
    let mut translator =
        Translator { source, at: 0, out: String::with_capacity(source.len() + 8), depth: 0, names: Vec::new() };
    translator.run()?;
    Ok(translator.out)
}

struct Translator<'a> {
    source: &'a str,
    at: usize,
    out: String,
    depth: usize,
    names: Vec<&'a str>,
}

impl<'a> Translator<'a> {
    fn rest(&self) -> &'a str {
        &self.source[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    fn eat(&mut self, text: &str) -> bool {
        let there = self.rest().starts_with(text);
        if there {
            self.at += text.len();
        }
        there
    }

    /// The error whose part runs from `start` to here.
    fn error<T>(&self, why: &'static str, start: usize) -> Result<T, RegexError> {
        Err(RegexError::new(why, &self.source[start..self.at]))
    }

    fn literal(&mut self, char: char) {
        if matches!(char, '\\' | '.' | '+' | '*' | '?' | '(' | ')' | '|' | '[' | ']' | '{' | '}' | '^' | '$') {
            self.out.push('\\');
        }
        self.out.push(char);
    }

    fn class_literal(&mut self, char: char) {
        if matches!(char, '\\' | '[' | ']' | '^' | '-' | '&' | '~') {
            self.out.push('\\');
        }
        self.out.push(char);
    }

    fn run(&mut self) -> Result<(), RegexError> {
        // Is there something to repeat, and where does the repetition before this begin?
        let mut atom = false;
        let mut repeated = None;
        while let Some(char) = self.peek() {
            let start = self.at;
            let before = repeated.take();
            match char {
                '*' | '+' | '?' => self.at += 1,
                '{' if self.repeat_count()? => {}
                _ => {
                    atom = self.atom()?;
                    continue;
                }
            }
            self.eat("?");
            if let Some(before) = before {
                return self.error("invalid nested repetition operator", before);
            }
            if !atom {
                return self.error("missing argument to repetition operator", start);
            }
            self.out.push_str(&self.source[start..self.at]);
            repeated = Some(start);
        }
        if self.depth > 0 {
            return self.error("missing closing )", 0);
        }
        Ok(())
    }

    /// Takes `{n}`, `{n,}` or `{n,m}`. False: the brace stands for itself.
    fn repeat_count(&mut self) -> Result<bool, RegexError> {
        let start = self.at;
        let Some((text, _)) = self.rest()[1..].split_once('}') else {
            return Ok(false);
        };
        let (low, high) = text.split_once(',').unwrap_or((text, text));
        let is_number = |text: &str| {
            !text.is_empty()
                && text.bytes().all(|byte| byte.is_ascii_digit())
                && (text.len() == 1 || !text.starts_with('0'))
        };
        if !is_number(low) || !(high.is_empty() || is_number(high)) {
            return Ok(false);
        }
        self.at += text.len() + 2;
        let number = |text: &str| text.parse().unwrap_or(u32::MAX);
        let (low, high) = (number(low), if high.is_empty() { MAX_REPEAT } else { number(high) });
        if low > high || high > MAX_REPEAT {
            return self.error("invalid repeat count", start);
        }
        Ok(true)
    }

    /// Takes anything but a repetition; answers whether it can be repeated.
    fn atom(&mut self) -> Result<bool, RegexError> {
        match self.next() {
            Some('|') => {
                self.out.push('|');
                return Ok(false);
            }
            Some('(') => {
                self.group()?;
                return Ok(false);
            }
            Some(')') => {
                if self.depth == 0 {
                    return Err(RegexError::new("unexpected )", self.source));
                }
                self.depth -= 1;
                self.out.push(')');
            }
            Some('[') => self.class()?,
            Some('\\') => return self.backslash(),
            Some(char @ ('.' | '^' | '$')) => self.out.push(char),
            Some(char) => self.literal(char),
            None => {}
        }
        Ok(true)
    }

    fn group(&mut self) -> Result<(), RegexError> {
        let start = self.at - 1;
        if self.eat("?P<") {
            let name = self.rest().split_once('>').map(|(name, _)| name);
            self.at += name.map_or_else(|| self.rest().len(), |name| name.len() + 1);
            let is_word = |name: &&str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            let Some(name) = name.filter(|name| !name.is_empty()).filter(is_word) else {
                return self.error("invalid named capture", start);
            };
            // The engine wants a letter first.
            if self.names.contains(&name) || name.starts_with(|char: char| char.is_ascii_digit()) {
                self.out.push_str("(?:");
            } else {
                self.names.push(name);
                self.out.push_str(&self.source[start..self.at]);
            }
        } else if self.eat("?") {
            return self.flags(start);
        } else {
            self.out.push('(');
        }
        self.depth += 1;
        Ok(())
    }

    /// `(?flags)` or `(?flags:`, from after the question mark.
    fn flags(&mut self, start: usize) -> Result<(), RegexError> {
        const FLAGS: [char; 4] = ['i', 'm', 's', 'U'];
        let mut set = [None; FLAGS.len()];
        let (mut on, mut any) = (true, false);
        let end = loop {
            match self.next() {
                Some('-') if on => (on, any) = (false, false),
                Some(end @ (':' | ')')) if on || any => break end,
                Some(flag) if FLAGS.contains(&flag) => {
                    any = true;
                    for (slot, _) in set.iter_mut().zip(FLAGS).filter(|(_, known)| *known == flag) {
                        *slot = Some(on);
                    }
                }
                _ => return self.error("invalid or unsupported Perl syntax", start),
            }
        };
        let chosen =
            |on: bool| FLAGS.into_iter().zip(set).filter(move |(_, set)| *set == Some(on)).map(|(flag, _)| flag);
        let (on, off): (String, String) = (chosen(true).collect(), chosen(false).collect());
        if end == ':' || !(on.is_empty() && off.is_empty()) {
            let minus = if off.is_empty() { "" } else { "-" };
            self.out.extend(["(?", &on, minus, &off]);
            self.out.push(end);
        }
        self.depth += usize::from(end == ':');
        Ok(())
    }

    fn class(&mut self) -> Result<(), RegexError> {
        let start = self.at - 1;
        self.out.push('[');
        if self.eat("^") {
            self.out.push('^');
        }
        let mut first = true;
        while first || self.peek() != Some(']') {
            first = false;
            let item = self.at;
            if self.rest().starts_with("[:")
                && let Some((name, _)) = self.rest()[2..].split_once(":]")
            {
                self.at += name.len() + 4;
                if !POSIX_CLASSES.contains(&name.strip_prefix('^').unwrap_or(name)) {
                    return self.error("invalid character class range", item);
                }
                self.out.push_str(&self.source[item..self.at]);
                continue;
            }
            if let Some(letter @ ('d' | 'D' | 's' | 'S' | 'w' | 'W' | 'p' | 'P')) =
                self.rest().strip_prefix('\\').and_then(|rest| rest.chars().next())
            {
                self.at += 2;
                if let 'p' | 'P' = letter {
                    return self.unicode_class(item);
                }
                self.out.extend(['\\', letter]);
                continue;
            }
            let low = self.class_char(start)?;
            self.class_literal(low);
            if self.rest().len() > 1 && self.rest().starts_with('-') && !self.rest().starts_with("-]") {
                self.at += 1;
                let high = self.class_char(start)?;
                if high < low {
                    return self.error("invalid character class range", item);
                }
                self.out.push('-');
                self.class_literal(high);
            }
        }
        self.at += 1;
        self.out.push(']');
        Ok(())
    }

    fn class_char(&mut self, class: usize) -> Result<char, RegexError> {
        match self.next() {
            Some('\\') => self.escape(),
            Some(char) => Ok(char),
            None => self.error("missing closing ]", class),
        }
    }

    /// What follows a backslash outside of a class; answers whether it can be repeated.
    fn backslash(&mut self) -> Result<bool, RegexError> {
        let start = self.at - 1;
        match self.peek() {
            Some('Q') => {
                self.at += 1;
                let rest = self.rest();
                let (text, closed) = rest.split_once("\\E").map_or((rest, 0), |(text, _)| (text, 2));
                text.chars().for_each(|char| self.literal(char));
                self.at += text.len() + closed;
                return Ok(!text.is_empty());
            }
            Some('p' | 'P') => {
                self.at += 1;
                self.unicode_class(start)?;
            }
            Some(letter @ ('A' | 'b' | 'B' | 'z' | 'd' | 'D' | 's' | 'S' | 'w' | 'W')) => {
                self.at += 1;
                self.out.extend(['\\', letter]);
            }
            _ => {
                let char = self.escape()?;
                self.literal(char);
            }
        }
        Ok(true)
    }

    /// The engine has no Unicode classes: `\pL` and `\p{Greek}` are as unknown as any.
    fn unicode_class(&mut self, start: usize) -> Result<(), RegexError> {
        match self.rest().strip_prefix('{').and_then(|rest| rest.split_once('}')) {
            Some((name, _)) => self.at += name.len() + 2,
            None => drop(self.next()),
        }
        self.error("invalid character class range", start)
    }

    /// The character that an escape stands for, from after the backslash.
    fn escape(&mut self) -> Result<char, RegexError> {
        let start = self.at - 1;
        let invalid = "invalid escape sequence";
        let Some(char) = self.next() else {
            return Err(RegexError::new("trailing backslash at end of expression", ""));
        };
        let code = match char {
            '1'..='7' if !self.rest().starts_with(|next| matches!(next, '0'..='7')) => None,
            '0'..='7' => {
                let mut code = char.to_digit(8);
                for _ in 0..2 {
                    if let Some(digit) = self.peek().and_then(|next| next.to_digit(8)) {
                        self.at += 1;
                        code = code.map(|code| code * 8 + digit);
                    }
                }
                code
            }
            'x' => {
                let braced = self.eat("{");
                let mut code = 0;
                let mut digits = 0;
                loop {
                    match self.next() {
                        Some('}') if braced && digits > 0 => break Some(code),
                        Some(next) if next.is_ascii_hexdigit() => {
                            code = code * 16 + next.to_digit(16).unwrap_or_default();
                            digits += 1;
                        }
                        _ => break None,
                    }
                    if code > u32::from(char::MAX) {
                        break None;
                    }
                    if !braced && digits == 2 {
                        break Some(code);
                    }
                }
            }
            'a' => Some(0x07),
            'f' => Some(0x0c),
            'n' => Some(0x0a),
            'r' => Some(0x0d),
            't' => Some(0x09),
            'v' => Some(0x0b),
            char if char.is_ascii() && !char.is_ascii_alphanumeric() => Some(u32::from(char)),
            _ => None,
        };
        match code.and_then(char::from_u32) {
            Some(char) => Ok(char),
            None => self.error(invalid, start),
        }
    }
}
