//! RE2's syntax, as Go reads it, to a [`Program`].
//!
//! Code grows at its end: an atom is what lies behind the place where it began, so that a repetition wraps or copies what
//! is there, and a branch is led into by a fork put before it. Nothing recurses, however deep groups nest.

use super::RegexError;
use super::program::{Class, Look, Program, Step};

const MAX_REPEAT: u32 = 1_000;

/// Instructions of a program: a repetition of repetitions grows fast.
const MAX_CODE: usize = 1 << 15;

const DIGIT: &[(char, char)] = &[('0', '9')];
const WORD: &[(char, char)] = &[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')];
/// Perl's; the POSIX class has the vertical tab too.
const SPACE: &[(char, char)] = &[('\t', '\n'), ('\x0c', '\r'), (' ', ' ')];

/// The ranges of each class ascend.
const POSIX_CLASSES: [(&str, &[(char, char)]); 14] = [
    ("alnum", &[('0', '9'), ('A', 'Z'), ('a', 'z')]),
    ("alpha", &[('A', 'Z'), ('a', 'z')]),
    ("ascii", &[('\0', '\x7f')]),
    ("blank", &[('\t', '\t'), (' ', ' ')]),
    ("cntrl", &[('\0', '\x1f'), ('\x7f', '\x7f')]),
    ("digit", DIGIT),
    ("graph", &[('!', '~')]),
    ("lower", &[('a', 'z')]),
    ("print", &[(' ', '~')]),
    ("punct", &[('!', '/'), (':', '@'), ('[', '`'), ('{', '~')]),
    ("space", &[('\t', '\r'), (' ', ' ')]),
    ("upper", &[('A', 'Z')]),
    ("word", WORD),
    ("xdigit", &[('0', '9'), ('A', 'F'), ('a', 'f')]),
];

pub(super) fn parse(source: &str, caseless: bool) -> Result<Program, RegexError> {
    let flags = Flags { caseless, ..Flags::default() };
    let mut parser = Parser { source, at: 0, program: Program::default(), flags, open: vec![Branches::new(0, flags)] };
    parser.run()?;
    Ok(parser.program)
}

struct Parser<'a> {
    source: &'a str,
    at: usize,
    program: Program,
    flags: Flags,
    /// The whole expression and the groups that are open.
    open: Vec<Branches>,
}

#[derive(Clone, Copy, Default)]
struct Flags {
    caseless: bool,
    lines: bool,
    dot_all: bool,
}

/// What alternatives of a group there are so far.
struct Branches {
    /// Where its code begins, and that of its last branch.
    start: usize,
    last: usize,
    /// Jumps at the ends of the branches before the last: to the end of the group.
    ends: Vec<usize>,
    /// In force before the group.
    flags: Flags,
}

impl Branches {
    fn new(start: usize, flags: Flags) -> Self {
        Self { start, last: start, ends: Vec::new(), flags }
    }
}

/// What can be repeated: where its code begins.
type Atom = Option<usize>;

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        self.source.get(self.at..).unwrap_or_default()
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
        Err(RegexError::new(why, self.source.get(start..self.at).unwrap_or_default()))
    }

    fn emit(&mut self, step: Step) {
        self.program.code.push(step);
    }

    fn literal(&mut self, char: char) {
        self.emit(match char {
            char if self.flags.caseless && char.is_ascii_alphabetic() => Step::Letter(char.to_ascii_lowercase()),
            char => Step::Char(char),
        });
    }

    fn emit_class(&mut self, mut class: Class) {
        if self.flags.caseless {
            fold(&mut class.ranges);
        }
        self.emit(Step::Class(self.program.classes.len() as u32));
        self.program.classes.push(class);
    }

    fn too_large(&self) -> RegexError {
        RegexError::new("expression too large", self.source)
    }

    /// Begins a branch of the innermost group: the one before it is led into by a fork, and jumps to the group's end.
    fn branch(&mut self) {
        let Some(group) = self.open.last_mut() else { return };
        let code = &mut self.program.code;
        code.insert(group.last, Step::Fork((code.len() - group.last) as i32 + 2));
        group.ends.push(code.len());
        code.push(Step::Jump(0));
        group.last = code.len();
    }

    /// Ends the innermost group; gives where its code begins.
    fn end_group(&mut self) -> Atom {
        let group = self.open.pop()?;
        let end = self.program.code.len();
        for jump in group.ends {
            self.program.code[jump] = Step::Jump((end - jump) as i32);
        }
        self.flags = group.flags;
        Some(group.start)
    }

    /// Repeats the code from `start` on, at least `low` times and at most `high`; `None` is without end.
    fn repeat(&mut self, start: usize, low: u32, high: Option<u32>) -> Result<(), RegexError> {
        let code = &mut self.program.code;
        let atom = code.split_off(start);
        let copies = high.unwrap_or(low).max(1) as usize;
        if start + (atom.len() + 2) * copies > MAX_CODE {
            return Err(self.too_large());
        }
        let len = atom.len() as i32;
        for _ in 0..low {
            code.extend_from_slice(&atom);
        }
        match high {
            // The last copy is gone through again.
            None if low > 0 => code.push(Step::Fork(-len)),
            None => {
                code.push(Step::Fork(len + 2));
                code.extend_from_slice(&atom);
                code.push(Step::Jump(-len - 1));
            }
            Some(high) => {
                for _ in low..high {
                    code.push(Step::Fork(len + 1));
                    code.extend_from_slice(&atom);
                }
            }
        }
        Ok(())
    }

    fn run(&mut self) -> Result<(), RegexError> {
        let mut atom = None;
        // Where the repetition before this begins.
        let mut repeated = None;
        while let Some(char) = self.peek() {
            let start = self.at;
            let before = repeated.take();
            let (low, high) = match char {
                '*' => (0, None),
                '+' => (1, None),
                '?' => (0, Some(1)),
                '{' => match self.repeat_count()? {
                    Some(counts) => counts,
                    None => {
                        atom = self.atom()?;
                        continue;
                    }
                },
                _ => {
                    atom = self.atom()?;
                    if self.program.code.len() > MAX_CODE {
                        return Err(self.too_large());
                    }
                    continue;
                }
            };
            if char != '{' {
                self.at += 1;
            }
            self.eat("?");
            if let Some(before) = before {
                return self.error("invalid nested repetition operator", before);
            }
            let Some(atom) = atom else {
                return self.error("missing argument to repetition operator", start);
            };
            self.repeat(atom, low, high)?;
            repeated = Some(start);
        }
        if self.open.len() > 1 {
            return self.error("missing closing )", 0);
        }
        self.end_group();
        self.emit(Step::Match);
        Ok(())
    }

    /// Takes `{n}`, `{n,}` or `{n,m}`. `None`: the brace stands for itself.
    fn repeat_count(&mut self) -> Result<Option<(u32, Option<u32>)>, RegexError> {
        let start = self.at;
        let Some((text, _)) = self.rest().get(1..).unwrap_or_default().split_once('}') else {
            return Ok(None);
        };
        let (low, high) = text.split_once(',').unwrap_or((text, text));
        let is_number = |text: &str| {
            !text.is_empty()
                && text.bytes().all(|byte| byte.is_ascii_digit())
                && (text.len() == 1 || !text.starts_with('0'))
        };
        if !is_number(low) || !(high.is_empty() || is_number(high)) {
            return Ok(None);
        }
        self.at += text.len() + 2;
        let number = |text: &str| text.parse().unwrap_or(u32::MAX);
        let (low, high) = (number(low), (!high.is_empty()).then(|| number(high)));
        let most = high.unwrap_or(MAX_REPEAT);
        if low > most || most > MAX_REPEAT {
            return self.error("invalid repeat count", start);
        }
        Ok(Some((low, high)))
    }

    /// Takes anything but a repetition.
    fn atom(&mut self) -> Result<Atom, RegexError> {
        let start = self.program.code.len();
        match self.next() {
            Some('|') => {
                self.branch();
                return Ok(None);
            }
            Some('(') => {
                self.group()?;
                return Ok(None);
            }
            Some(')') if self.open.len() == 1 => return Err(RegexError::new("unexpected )", self.source)),
            Some(')') => return Ok(self.end_group()),
            Some('[') => self.class()?,
            Some('\\') => return self.backslash(),
            Some('.') => self.emit(if self.flags.dot_all { Step::Any } else { Step::NotNewline }),
            Some('^') => self.emit(Step::Look(if self.flags.lines { Look::LineStart } else { Look::TextStart })),
            Some('$') => self.emit(Step::Look(if self.flags.lines { Look::LineEnd } else { Look::TextEnd })),
            Some(char) => self.literal(char),
            None => {}
        }
        Ok(Some(start))
    }

    fn group(&mut self) -> Result<(), RegexError> {
        let start = self.at - 1;
        if self.eat("?P<") {
            let name = self.rest().split_once('>').map(|(name, _)| name);
            self.at += name.map_or_else(|| self.rest().len(), |name| name.len() + 1);
            let is_word = |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            if !name.is_some_and(|name| !name.is_empty() && is_word(name)) {
                return self.error("invalid named capture", start);
            }
        } else if self.eat("?") {
            return self.flags(start);
        }
        self.open.push(Branches::new(self.program.code.len(), self.flags));
        Ok(())
    }

    /// `(?flags)` or `(?flags:`, from after the question mark.
    fn flags(&mut self, start: usize) -> Result<(), RegexError> {
        let mut flags = self.flags;
        let (mut on, mut any) = (true, false);
        let end = loop {
            let flag = self.next();
            match flag {
                Some('-') if on => (on, any) = (false, false),
                Some(end @ (':' | ')')) if on || any => break end,
                Some('i') => flags.caseless = on,
                Some('m') => flags.lines = on,
                Some('s') => flags.dot_all = on,
                // Which repetitions are greedy does not matter here.
                Some('U') => {}
                _ => return self.error("invalid or unsupported Perl syntax", start),
            }
            any |= flag != Some('-');
        };
        if end == ':' {
            self.open.push(Branches::new(self.program.code.len(), self.flags));
        }
        self.flags = flags;
        Ok(())
    }

    fn class(&mut self) -> Result<(), RegexError> {
        let start = self.at - 1;
        let mut class = Class { negated: self.eat("^"), ranges: Vec::new() };
        let mut first = true;
        while first || self.peek() != Some(']') {
            first = false;
            let item = self.at;
            if self.rest().starts_with("[:")
                && let Some(name) = before(self.rest().get(2..).unwrap_or_default(), *b":]")
            {
                self.at += name.len() + 4;
                let wanted = name.strip_prefix('^').unwrap_or(name);
                let Some((_, ranges)) = POSIX_CLASSES.iter().find(|(known, _)| *known == wanted) else {
                    return self.error("invalid character class range", item);
                };
                add(&mut class.ranges, ranges, wanted.len() < name.len());
                continue;
            }
            if let Some(letter) = self.rest().strip_prefix('\\').and_then(|rest| rest.chars().next()) {
                if let Some((ranges, negated)) = perl_class(letter) {
                    self.at += 2;
                    add(&mut class.ranges, ranges, negated);
                    continue;
                }
                if let 'p' | 'P' = letter {
                    self.at += 2;
                    return self.unicode_class(item);
                }
            }
            let low = self.class_char(start)?;
            let mut high = low;
            if self.rest().len() > 1 && self.rest().starts_with('-') && !self.rest().starts_with("-]") {
                self.at += 1;
                high = self.class_char(start)?;
                if high < low {
                    return self.error("invalid character class range", item);
                }
            }
            class.ranges.push((low, high));
        }
        self.at += 1;
        self.emit_class(class);
        Ok(())
    }

    fn class_char(&mut self, class: usize) -> Result<char, RegexError> {
        match self.next() {
            Some('\\') => self.escape(),
            Some(char) => Ok(char),
            None => self.error("missing closing ]", class),
        }
    }

    /// What follows a backslash outside of a class.
    fn backslash(&mut self) -> Result<Atom, RegexError> {
        let start = self.at - 1;
        let mut atom = self.program.code.len();
        let letter = self.peek().unwrap_or_default();
        let look = match letter {
            'A' => Some(Look::TextStart),
            'z' => Some(Look::TextEnd),
            'b' => Some(Look::WordEdge),
            'B' => Some(Look::NoWordEdge),
            _ => None,
        };
        if let Some(look) = look {
            self.at += 1;
            self.emit(Step::Look(look));
        } else if let Some((ranges, negated)) = perl_class(letter) {
            self.at += 1;
            self.emit_class(Class { negated, ranges: ranges.to_vec() });
        } else if letter == 'Q' {
            self.at += 1;
            let rest = self.rest();
            let (text, closed) = before(rest, *b"\\E").map_or((rest, 0), |text| (text, 2));
            for char in text.chars() {
                atom = self.program.code.len();
                self.literal(char);
            }
            self.at += text.len() + closed;
            return Ok((!text.is_empty()).then_some(atom));
        } else if let 'p' | 'P' = letter {
            self.at += 1;
            self.unicode_class(start)?;
        } else {
            let char = self.escape()?;
            self.literal(char);
        }
        Ok(Some(atom))
    }

    /// There are no Unicode classes: `\pL` and `\p{Greek}` are as unknown as any.
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

/// The ranges of `\d` and kin, and whether the class is all but those.
fn perl_class(letter: char) -> Option<(&'static [(char, char)], bool)> {
    let ranges = match letter.to_ascii_lowercase() {
        'd' => DIGIT,
        's' => SPACE,
        'w' => WORD,
        _ => return None,
    };
    Some((ranges, letter.is_ascii_uppercase()))
}

/// Adds ascending ranges, or all that lies between them.
fn add(into: &mut Vec<(char, char)>, ranges: &[(char, char)], negated: bool) {
    if !negated {
        into.extend_from_slice(ranges);
        return;
    }
    let mut low = '\0';
    for (first, last) in ranges {
        // All ranges are of ASCII, so the characters beside them are one code away.
        if low < *first {
            into.push((low, char::from(*first as u8 - 1)));
        }
        low = char::from(*last as u8 + 1);
    }
    into.push((low, char::MAX));
}

/// Adds the other case of the ASCII letters among the ranges.
fn fold(ranges: &mut Vec<(char, char)>) {
    for at in 0..ranges.len() {
        let (low, high) = ranges[at];
        for (first, last) in [('a', 'z'), ('A', 'Z')] {
            let (low, high) = (low.max(first), high.min(last));
            if low <= high {
                let other = |char: char| char::from(char as u8 ^ 0x20);
                ranges.push((other(low), other(high)));
            }
        }
    }
}

/// What stands before two characters of ASCII.
fn before(text: &str, end: [u8; 2]) -> Option<&str> {
    text.get(..text.as_bytes().windows(2).position(|pair| *pair == end)?)
}
