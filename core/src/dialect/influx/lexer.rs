//! InfluxQL's tokens.
//!
//! Tokens are read one by one, since only the parser knows where `/` begins a regular expression. Positions repeat
//! InfluxDB's, artefacts and all, because its error texts show them:
//!
//! - a string, a regular expression and an unclosed quoted name stand at the character *before* their delimiter;
//! - the end of the text is one further when it is met a second time, as after a bare word;
//! - CR and CRLF read as LF.
//!
//! (A NUL, which InfluxDB takes for the end of the text here and there, is just a character that no token begins with.)

use std::borrow::Cow;
use std::ops::Range;

/// Where a token begins: line and code point, both from 0 (error texts count from 1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    pub line: u32,
    pub char: u32,
}

/// Declares [`Kind`]: the kinds that are not words with the name error texts give them, then the keywords, which must
/// be in alphabetical order.
macro_rules! kinds {
    ($($kind:ident $name:literal)* ; $($word:ident $spelling:literal)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Kind {
            $($kind,)*
            $($word,)*
        }

        impl Kind {
            pub(super) const fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)*
                    $(Self::$word => $spelling,)*
                }
            }
        }

        const KEYWORDS: &[(&str, Kind)] = &[$(($spelling, Kind::$word),)*];
    };
}

kinds! {
    Illegal "ILLEGAL"
    Eof "EOF"
    Space "WS"
    Comment ""
    Ident "IDENT"
    BoundParam "BOUNDPARAM"
    Number "NUMBER"
    Integer "INTEGER"
    DurationValue "DURATIONVAL"
    String "STRING"
    BadString "BADSTRING"
    BadEscape "BADESCAPE"
    Regex "REGEX"
    BadRegex "BADREGEX"
    Plus "+"
    Minus "-"
    Star "*"
    Slash "/"
    Percent "%"
    Ampersand "&"
    Bar "|"
    Caret "^"
    Equal "="
    NotEqual "!="
    Match "=~"
    NotMatch "!~"
    Less "<"
    LessEqual "<="
    Greater ">"
    GreaterEqual ">="
    Open "("
    Close ")"
    Comma ","
    Colon ":"
    DoubleColon "::"
    Semicolon ";"
    Dot "."
    ;
    All "ALL"
    Alter "ALTER"
    Analyze "ANALYZE"
    And "AND"
    Any "ANY"
    As "AS"
    Asc "ASC"
    Begin "BEGIN"
    By "BY"
    Cardinality "CARDINALITY"
    Continuous "CONTINUOUS"
    Create "CREATE"
    Database "DATABASE"
    Databases "DATABASES"
    Default "DEFAULT"
    Delete "DELETE"
    Desc "DESC"
    Destinations "DESTINATIONS"
    Diagnostics "DIAGNOSTICS"
    Distinct "DISTINCT"
    Drop "DROP"
    Duration "DURATION"
    End "END"
    Every "EVERY"
    Exact "EXACT"
    Explain "EXPLAIN"
    False "FALSE"
    Field "FIELD"
    For "FOR"
    From "FROM"
    Grant "GRANT"
    Grants "GRANTS"
    Group "GROUP"
    Groups "GROUPS"
    In "IN"
    Inf "INF"
    Insert "INSERT"
    Into "INTO"
    Key "KEY"
    Keys "KEYS"
    Kill "KILL"
    Limit "LIMIT"
    Measurement "MEASUREMENT"
    Measurements "MEASUREMENTS"
    Name "NAME"
    Offset "OFFSET"
    On "ON"
    Or "OR"
    Order "ORDER"
    Password "PASSWORD"
    Policies "POLICIES"
    Policy "POLICY"
    Privileges "PRIVILEGES"
    Queries "QUERIES"
    Query "QUERY"
    Read "READ"
    Replication "REPLICATION"
    Resample "RESAMPLE"
    Retention "RETENTION"
    Revoke "REVOKE"
    Select "SELECT"
    Series "SERIES"
    Set "SET"
    Shard "SHARD"
    Shards "SHARDS"
    Show "SHOW"
    Slimit "SLIMIT"
    Soffset "SOFFSET"
    Stats "STATS"
    Subscription "SUBSCRIPTION"
    Subscriptions "SUBSCRIPTIONS"
    Tag "TAG"
    To "TO"
    True "TRUE"
    User "USER"
    Users "USERS"
    Values "VALUES"
    Where "WHERE"
    With "WITH"
    Write "WRITE"
}

/// The keyword that `word` is, in any case.
pub(super) fn keyword(word: &str) -> Option<Kind> {
    let upper = |byte: u8| byte.to_ascii_uppercase();
    let at = KEYWORDS.binary_search_by(|(spelling, _)| spelling.bytes().cmp(word.bytes().map(upper)));
    at.ok().and_then(|at| KEYWORDS.get(at)).map(|&(_, kind)| kind)
}

pub(super) const fn is_ident_start(ch: char) -> bool {
    ch.is_ascii_alphabetic() || ch == '_'
}

pub(super) const fn is_ident_char(ch: char) -> bool {
    ch.is_ascii_alphanumeric() || ch == '_'
}

#[derive(Clone, Debug)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    pub(super) at: Position,
    /// What a name or literal says, escapes resolved; empty for keywords and signs.
    pub(super) text: Cow<'a, str>,
    /// The bytes of the query it was read from.
    pub(super) span: Range<usize>,
}

impl Token<'_> {
    /// How error texts call it.
    pub(super) fn shown(&self) -> &str {
        if self.text.is_empty() { self.kind.name() } else { &self.text }
    }
}

pub(super) struct Lexer<'a> {
    text: &'a str,
    reader: Reader<'a>,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, reader: Reader::new(text) }
    }

    /// The next token, blanks and comments included. After the end: [`Kind::Eof`], for ever.
    pub(super) fn scan(&mut self) -> Token<'a> {
        let first = self.reader.read();
        let start = first.offset;
        let sign = |kind| (kind, first.at, Cow::Borrowed(""));
        let (kind, at, text) = match first.ch {
            END => sign(Kind::Eof),
            ' ' | '\t' | '\n' => (Kind::Space, first.at, self.blanks(start)),
            '"' => {
                self.reader.unread();
                self.name(true)
            }
            ch if is_ident_start(ch) => {
                self.reader.unread();
                self.name(true)
            }
            ch if ch.is_ascii_digit() => {
                self.reader.unread();
                self.number(first)
            }
            '\'' => self.string(),
            '.' => {
                let digit = self.reader.peek_raw().is_ascii_digit();
                if digit {
                    self.reader.unread();
                    self.number(first)
                } else {
                    sign(Kind::Dot)
                }
            }
            '$' => {
                let (kind, _, text) = self.name(false);
                let kind = if kind == Kind::Ident { Kind::BoundParam } else { kind };
                let mut shown = String::from("$");
                shown.push_str(&text);
                (kind, first.at, Cow::Owned(shown))
            }
            '+' => sign(Kind::Plus),
            '-' if self.reader.take('-') => {
                self.skip_line();
                sign(Kind::Comment)
            }
            '-' => sign(Kind::Minus),
            '*' => sign(Kind::Star),
            '/' if self.reader.take('*') => sign(if self.skip_comment() { Kind::Comment } else { Kind::Illegal }),
            '/' => sign(Kind::Slash),
            '%' => sign(Kind::Percent),
            '&' => sign(Kind::Ampersand),
            '|' => sign(Kind::Bar),
            '^' => sign(Kind::Caret),
            '=' if self.reader.take('~') => sign(Kind::Match),
            '=' => sign(Kind::Equal),
            '!' if self.reader.take('=') => sign(Kind::NotEqual),
            '!' if self.reader.take('~') => sign(Kind::NotMatch),
            '>' if self.reader.take('=') => sign(Kind::GreaterEqual),
            '>' => sign(Kind::Greater),
            '<' if self.reader.take('=') => sign(Kind::LessEqual),
            '<' if self.reader.take('>') => sign(Kind::NotEqual),
            '<' => sign(Kind::Less),
            '(' => sign(Kind::Open),
            ')' => sign(Kind::Close),
            ',' => sign(Kind::Comma),
            ';' => sign(Kind::Semicolon),
            ':' if self.reader.take(':') => sign(Kind::DoubleColon),
            ':' => sign(Kind::Colon),
            _ => (Kind::Illegal, first.at, Cow::Borrowed(self.slice(start, self.reader.next_offset()))),
        };
        Token { kind, at, text, span: start..self.reader.next_offset() }
    }

    /// A regular expression; the caller has seen that `/` is next. The text is the expression, `\/` read as `/`; any
    /// other escape is the expression's own.
    pub(super) fn scan_regex(&mut self) -> Token<'a> {
        let at = self.reader.current().at;
        let start = self.reader.next_offset();
        let mut expression = String::new();
        let opened = self.reader.read().ch == '/';
        let closed = opened
            && loop {
                match self.reader.read().ch {
                    '/' => break true,
                    END | '\n' => break false,
                    '\\' => match self.reader.read().ch {
                        '/' => expression.push('/'),
                        END => break false,
                        _ => {
                            self.reader.unread();
                            expression.push('\\');
                        }
                    },
                    ch => expression.push(ch),
                }
            };
        let (kind, text) = if closed { (Kind::Regex, expression) } else { (Kind::BadRegex, String::new()) };
        Token { kind, at, text: Cow::Owned(text), span: start..self.reader.next_offset() }
    }

    /// The character after the last token read. Looking at the end counts as meeting it.
    pub(super) fn peek(&mut self) -> char {
        let ch = self.reader.read().ch;
        if ch != END {
            self.reader.unread();
        }
        ch
    }

    fn slice(&self, start: usize, end: usize) -> &'a str {
        self.text.get(start..end).unwrap_or("")
    }

    fn blanks(&mut self, start: usize) -> Cow<'a, str> {
        let end = loop {
            let next = self.reader.read();
            match next.ch {
                ' ' | '\t' | '\n' => {}
                END => break next.offset,
                _ => {
                    self.reader.unread();
                    break next.offset;
                }
            }
        };
        let blanks = self.slice(start, end);
        if !blanks.contains('\r') {
            return Cow::Borrowed(blanks);
        }
        let mut lines = String::new();
        let mut chars = blanks.chars().peekable();
        while let Some(char) = chars.next() {
            if char == '\r' {
                chars.next_if_eq(&'\n');
            }
            lines.push(if char == '\r' { '\n' } else { char });
        }
        Cow::Owned(lines)
    }

    fn skip_line(&mut self) {
        while !matches!(self.reader.read().ch, '\n' | END) {}
    }

    /// Whether the comment is closed.
    fn skip_comment(&mut self) -> bool {
        let mut star = false;
        loop {
            match self.reader.read().ch {
                END => return false,
                '/' if star => return true,
                ch => star = ch == '*',
            }
        }
    }

    /// A bare or quoted name, or a keyword if `lookup`. A quote amid a bare name begins it anew: `ab"c"` is `c`.
    fn name(&mut self, lookup: bool) -> (Kind, Position, Cow<'a, str>) {
        let first = self.reader.read();
        self.reader.unread();
        let end = loop {
            let next = self.reader.read();
            match next.ch {
                END => break next.offset,
                '"' => {
                    let (kind, at, text) = self.string();
                    return match kind {
                        Kind::String => (Kind::Ident, first.at, text),
                        _ => (kind, at, text),
                    };
                }
                ch if is_ident_char(ch) => {}
                _ => {
                    self.reader.unread();
                    break next.offset;
                }
            }
        };
        let name = self.slice(first.offset, end);
        match keyword(name) {
            Some(kind) if lookup => (kind, first.at, Cow::Borrowed("")),
            _ => (Kind::Ident, first.at, Cow::Borrowed(name)),
        }
    }

    /// A string up to the quote that was just read. Its position is that of the character before.
    fn string(&mut self) -> (Kind, Position, Cow<'a, str>) {
        self.reader.unread();
        let at = self.reader.current().at;
        let quote = self.reader.read();
        // Text is a slice until the first escape; then it is put together, `plain` being where the rest begins.
        let mut plain = quote.offset + 1;
        let mut resolved: Option<String> = None;
        loop {
            let next = self.reader.read();
            match next.ch {
                ch if ch == quote.ch || matches!(ch, END | '\n') => {
                    let kind = if ch == quote.ch { Kind::String } else { Kind::BadString };
                    let rest = self.slice(plain, next.offset);
                    let text = match resolved {
                        None => Cow::Borrowed(rest),
                        Some(text) => Cow::Owned(text + rest),
                    };
                    return (kind, at, text);
                }
                '\\' => {
                    let text = resolved.get_or_insert_default();
                    text.push_str(self.slice(plain, next.offset));
                    match self.reader.read().ch {
                        'n' => text.push('\n'),
                        ch @ ('\\' | '"' | '\'') => text.push(ch),
                        ch => {
                            let at = self.reader.current().at;
                            return (Kind::BadEscape, at, Cow::Owned(['\\', ch].iter().collect()));
                        }
                    }
                    plain = self.reader.next_offset();
                }
                _ => {}
            }
        }
    }

    /// A number or duration whose first character, at `first`, is the next to be read.
    fn number(&mut self, first: Glyph) -> (Kind, Position, Cow<'a, str>) {
        self.digits();
        let mut end = self.reader.next_offset();
        let kind = if self.reader.take('.') {
            // The point of `5.` is eaten but not part of the number.
            if self.reader.peek_raw().is_ascii_digit() {
                self.digits();
                end = self.reader.next_offset();
            }
            Kind::Number
        } else {
            let is_unit = |ch: char| ch.is_ascii_alphabetic() || ch == 'µ';
            let duration = is_unit(self.reader.peek_raw());
            if duration {
                while matches!(self.reader.read().ch, ch if is_unit(ch) || ch.is_ascii_digit()) {}
                self.reader.unread();
                end = self.reader.next_offset();
            }
            if duration { Kind::DurationValue } else { Kind::Integer }
        };
        (kind, first.at, Cow::Borrowed(self.slice(first.offset, end)))
    }

    fn digits(&mut self) {
        while self.reader.read().ch.is_ascii_digit() {}
        self.reader.unread();
    }
}

/// What the end of the text reads as.
const END: char = '\0';
/// How many characters back the reader can look.
const RING: usize = 3;

#[derive(Clone, Copy, Default)]
struct Glyph {
    ch: char,
    at: Position,
    /// Of its first byte; the text's length at the end.
    offset: usize,
}

/// Characters with their positions, and the last few of them once more.
struct Reader<'a> {
    text: &'a str,
    /// Bytes read so far, those that were unread included.
    consumed: usize,
    at: Position,
    ended: bool,
    ring: [Glyph; RING],
    last: usize,
    unread: usize,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            text,
            consumed: 0,
            at: Position::default(),
            ended: false,
            ring: [Glyph::default(); RING],
            last: 0,
            unread: 0,
        }
    }

    fn read(&mut self) -> Glyph {
        if self.unread > 0 {
            self.unread -= 1;
            return self.current();
        }
        let offset = self.consumed;
        let rest = self.text.get(offset..).unwrap_or("");
        let ch = match rest.chars().next() {
            None => END,
            Some('\r') => {
                self.consumed += if rest.starts_with("\r\n") { 2 } else { 1 };
                '\n'
            }
            Some(ch) => {
                self.consumed += ch.len_utf8();
                if ch == END { char::REPLACEMENT_CHARACTER } else { ch }
            }
        };
        self.last = (self.last + 1) % RING;
        let glyph = Glyph { ch, at: self.at, offset };
        self.ring[self.last] = glyph;
        if ch == '\n' {
            self.at = Position { line: self.at.line.saturating_add(1), char: 0 };
        } else if !self.ended {
            self.at.char = self.at.char.saturating_add(1);
        }
        self.ended |= ch == END;
        glyph
    }

    /// Puts the last character back: at most [`RING`] − 1 of them.
    fn unread(&mut self) {
        self.unread += 1;
    }

    /// The last character read, less those put back.
    fn current(&self) -> Glyph {
        self.ring[(self.last + 2 * RING - self.unread) % RING]
    }

    /// Reads the next character if it is `ch`.
    fn take(&mut self, ch: char) -> bool {
        let taken = self.read().ch == ch;
        if !taken {
            self.unread();
        }
        taken
    }

    /// The next character, without reading it: unlike [`Lexer::peek`] also at the end.
    fn peek_raw(&mut self) -> char {
        let ch = self.read().ch;
        self.unread();
        ch
    }

    /// Where the next character begins.
    fn next_offset(&self) -> usize {
        if self.unread == 0 { self.consumed } else { self.ring[(self.last + 2 * RING + 1 - self.unread) % RING].offset }
    }
}
