//! Line protocol: text to a [`WriteBatch`].
//!
//! ```text
//! line   = measurement *( "," tagkey "=" tagvalue ) 1*blank fields [ 1*blank timestamp ] *SP
//! fields = fieldkey "=" value *( "," fieldkey "=" value )
//! value  = float | int "i" | string | boolean
//! ```
//!
//! A line is read once, from its beginning to its line feed, while it is what nearly every line is: no backslash
//! outside of strings. Otherwise its end is found first, by InfluxDB's rule, and it is read again with escapes allowed.
//! What fails then is given to `explain`, which knows InfluxDB's words and its order of checks. A line adds to the
//! batch after all of it was understood, so a bad one leaves nothing behind.
//!
//! Once a series and its fields are known to the batch, a point allocates nothing: its key is one comparison of bytes.
//!
//! Where InfluxDB stores what nobody sent, this refuses the line: text between a string and the next comma is `invalid
//! field format` (`v="x"` before a carriage return would become `x"`), and so is a field without a name. Bytes that are
//! not UTF-8, which InfluxDB stores and cannot show, are `invalid UTF-8`. A comment ends with its line, quotes or not.

mod explain;
mod write;

pub(super) use write::key_text;
pub use write::write;

use crate::model::WriteBatch;
use crate::number::Decimal;
use crate::order::sort;
use crate::time::{
    NANOS_PER_HOUR, NANOS_PER_MICRO, NANOS_PER_MILLI, NANOS_PER_MINUTE, NANOS_PER_SEC, TimeRange, Timestamp,
};
use crate::value::Value;
use std::borrow::Cow;

/// Bytes of a measurement with its tags, as they are on the wire, and of a field name with them.
const MAX_KEY_LENGTH: usize = 65_535;
/// What InfluxDB puts between a series and a field name, and counts.
const FIELD_SEPARATOR_LENGTH: usize = 4;
/// Bytes of error text that are kept; what more lines have to say is counted.
const MAX_ERROR_TEXT: usize = 1 << 20;

/// The unit of the timestamps of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    #[default]
    Nanos,
    Micros,
    Millis,
    Secs,
    Minutes,
    Hours,
}

impl Precision {
    /// The names of `/write`: `n`, `ns`, `u`, `ms`, `s`, `m`, `h`; none is nanoseconds.
    pub fn from_v1_name(name: &str) -> Option<Self> {
        Some(match name {
            "" | "n" | "ns" => Self::Nanos,
            "u" => Self::Micros,
            "ms" => Self::Millis,
            "s" => Self::Secs,
            "m" => Self::Minutes,
            "h" => Self::Hours,
            _ => return None,
        })
    }

    /// The names of `/api/v2/write`: `ns`, `us`, `ms`, `s`; none is nanoseconds.
    pub fn from_v2_name(name: &str) -> Option<Self> {
        Some(match name {
            "" | "ns" => Self::Nanos,
            "us" => Self::Micros,
            "ms" => Self::Millis,
            "s" => Self::Secs,
            _ => return None,
        })
    }

    pub const fn nanos(self) -> i64 {
        match self {
            Self::Nanos => 1,
            Self::Micros => NANOS_PER_MICRO,
            Self::Millis => NANOS_PER_MILLI,
            Self::Secs => NANOS_PER_SEC,
            Self::Minutes => NANOS_PER_MINUTE,
            Self::Hours => NANOS_PER_HOUR,
        }
    }
}

/// What became of a body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Points added to the batch.
    pub points: usize,
    /// Lines that did not parse.
    pub failed: usize,
    /// `unable to parse '<line>': <why>` for each of them, joined by line feeds; cut at a mebibyte.
    pub errors: String,
    /// Points that parsed and that the store has no place for: their only field, or a tag, is named `time`.
    pub refused: usize,
    /// Why, for the first of them, in the words that stand after `partial write: `.
    pub refusal: Option<String>,
}

impl Outcome {
    /// What `/write` answers when not everything was stored, else `None`. `dropped` is what the store refused: its
    /// reason for the first point, and how many points. A point without a place outweighs a line that did not parse.
    pub fn error(&self, dropped: Option<(&str, usize)>) -> Option<String> {
        let (reason, count) = dropped.unwrap_or_default();
        let count = count + self.refused;
        if count > 0 {
            let reason = self.refusal.as_deref().unwrap_or(reason);
            Some(format!("partial write: {reason} dropped={count}"))
        } else if self.failed == 0 {
            None
        } else if self.points == 0 {
            Some(self.errors.clone())
        } else {
            Some(format!("partial write: {} dropped=0", self.errors))
        }
    }
}

/// Reads a body of line protocol and adds its points to `batch`. A point without a timestamp gets `now`, truncated to
/// the precision. Never fails as a whole: bad lines are in the outcome, the others in the batch.
pub fn parse(body: &[u8], precision: Precision, now: Timestamp, batch: &mut WriteBatch) -> Outcome {
    let scale = precision.nanos();
    let default_time = now.nanos() - now.nanos().rem_euclid(scale);
    let mut parser = Parser {
        scale,
        default_time,
        batch,
        tags: Vec::new(),
        tag_order: Vec::new(),
        fields: Vec::new(),
        slots_of: None,
        text: String::new(),
        outcome: Outcome::default(),
    };
    match std::str::from_utf8(body) {
        Ok(text) => parser.lines(text),
        Err(_) => parser.lines_of_bytes(body),
    }
    parser.outcome
}

/// A field as it lies in the line.
#[derive(Clone, Copy)]
struct Field<'a> {
    name: &'a str,
    /// The name holds escapes.
    escaped: bool,
    /// The name's slot in the batch, when this place of the line before had the same name.
    slot: Option<u32>,
    value: FieldValue<'a>,
}

/// A tag as it lies in the key.
struct Tag<'a> {
    name: Cow<'a, str>,
    value: Cow<'a, str>,
}

#[derive(Clone, Copy)]
enum FieldValue<'a> {
    Plain(Value<'a>),
    /// What stands between the quotes of a string that holds escapes.
    Escaped(&'a str),
}

enum Series<'a> {
    /// The batch knows the key.
    Known(u32),
    /// Its tags are in `Parser::tags`.
    New { measurement: Cow<'a, str> },
}

struct Parser<'a, 'b> {
    scale: i64,
    default_time: i64,
    batch: &'b mut WriteBatch,
    /// The tags of the new key read last, as they came. The names are guesses for the next one.
    tags: Vec<Tag<'a>>,
    /// The order of `tags` by name; empty while it is not known.
    tag_order: Vec<u32>,
    /// The fields of the line being read and, past those, of lines before: their names are guesses.
    fields: Vec<Field<'a>>,
    /// The measurement that the slots of `fields` belong to.
    slots_of: Option<u32>,
    /// A string value without its escapes.
    text: String,
    outcome: Outcome,
}

impl<'a> Parser<'a, '_> {
    fn lines(&mut self, text: &'a str) {
        let bytes = text.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            at = match self.line(text, at, false) {
                Some(end) => end + 1,
                None => self.unusual_line(text, at),
            };
        }
    }

    /// Like [`lines`](Self::lines), for a body that is not UTF-8 throughout: the lines that are count.
    fn lines_of_bytes(&mut self, body: &'a [u8]) {
        let mut at = 0;
        while at < body.len() {
            let end = explain::line_end(body, at);
            match std::str::from_utf8(&body[at..end]) {
                Ok(line) => self.lines(line),
                Err(_) => self.fail(&String::from_utf8_lossy(&body[at..end]), "invalid UTF-8"),
            }
            at = end + 1;
        }
    }

    /// A line that is empty, a comment, indented, escaped or wrong. Answers where the next one begins.
    fn unusual_line(&mut self, text: &'a str, from: usize) -> usize {
        let bytes = text.as_bytes();
        let at = skip_blanks(bytes, from);
        if let Some(b'#' | b'\n') | None = bytes.get(at) {
            return memchr::memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |length| at + length + 1);
        }
        let end = explain::line_end(bytes, from);
        let line = &text[at..end];
        // A line feed can only be its last byte when it was escaped or quoted, at the end of the body.
        let line = line.strip_suffix('\n').unwrap_or(line);
        if self.line(line, 0, true).is_none() {
            self.fail(line, &explain::why(line.as_bytes(), self.scale));
        }
        end + 1
    }

    fn fail(&mut self, line: &str, why: &str) {
        let outcome = &mut self.outcome;
        outcome.failed += 1;
        if outcome.errors.len() < MAX_ERROR_TEXT {
            if !outcome.errors.is_empty() {
                outcome.errors.push('\n');
            }
            let line = &line[..line.floor_char_boundary(MAX_ERROR_TEXT)];
            for part in ["unable to parse '", line, "': ", why] {
                outcome.errors.push_str(part);
            }
        }
    }

    fn refuse(&mut self, why: String) {
        self.outcome.refused += 1;
        self.outcome.refusal.get_or_insert(why);
    }

    /// Reads one line and adds its point. `whole`: the text is this line, to its end, and may hold escapes; else the
    /// line ends at a line feed. Answers where it ended; `None` when it is not a line of this kind.
    fn line(&mut self, text: &'a str, start: usize, whole: bool) -> Option<usize> {
        let bytes = text.as_bytes();
        let (series, key_end) = match self.batch.series_of_line(bytes.get(start..)?) {
            Some((series, length)) => (Series::Known(series), start + length),
            None => self.key(text, start, whole)?,
        };
        let key = text.get(start..key_end)?;
        let (count, end) = self.fields(text, skip_blanks(bytes, key_end), whole)?;
        let (time, end) = self.time(bytes, end, whole)?;
        let fields = self.fields.get(..count)?;
        let longest = fields.iter().map(|field| field.name.len()).max()?;
        if key.len() + FIELD_SEPARATOR_LENGTH + longest > MAX_KEY_LENGTH {
            return None;
        }
        self.add(key, series, count, time);
        Some(end)
    }

    /// The measurement and its tags; answers where the blank after them is.
    fn key(&mut self, text: &'a str, start: usize, whole: bool) -> Option<(Series<'a>, usize)> {
        let bytes = text.as_bytes();
        if let Some(b'#' | b'\t' | 0) | None = bytes.get(start) {
            return None;
        }
        let escapes = if whole { Escapes::Single } else { Escapes::None };
        let mut end = token_end(bytes, start, COMMA | BLANK, escapes)?;
        if end == start {
            return None;
        }
        let measurement = unescape(text.get(start..end)?, b", =\"");
        let mut count = 0;
        while bytes[end] == b',' {
            let name = end + 1;
            let guess = self.tags.get(count).map(|tag| &tag.name).filter(|guess| is_name(bytes, name, guess));
            let (name, value) = match guess {
                Some(Cow::Borrowed(guess)) => (None, name + guess.len() + 1),
                _ => {
                    let name_end = token_end(bytes, name, COMMA | BLANK | EQUALS, escapes)?;
                    if name_end == name || bytes[name_end] != b'=' {
                        return None;
                    }
                    (Some(unescape(text.get(name..name_end)?, b", =")), name_end + 1)
                }
            };
            // InfluxDB lets a value begin with an equals sign.
            let inside = value + usize::from(whole && bytes.get(value) == Some(&b'='));
            end = token_end(bytes, inside, COMMA | BLANK | EQUALS, escapes)?;
            if end == value || bytes[end] == b'=' {
                return None;
            }
            let value = text.get(value..end)?;
            match (self.tags.get_mut(count), name) {
                (Some(tag), None) if !whole => tag.value = Cow::Borrowed(value),
                (Some(tag), None) => tag.value = unescape(value, b", ="),
                (_, name) => {
                    self.tags.truncate(count);
                    self.tag_order.clear();
                    self.tags.push(Tag { name: name?, value: unescape(value, b", =") });
                }
            }
            count += 1;
        }
        if self.tags.len() > count {
            self.tags.truncate(count);
            self.tag_order.clear();
        }
        if self.tag_order.is_empty() {
            self.order_tags()?;
        }
        Some((Series::New { measurement }, end))
    }

    /// `None` when two tags have one name.
    fn order_tags(&mut self) -> Option<()> {
        let name = |at: u32| &self.tags[at as usize].name;
        let mut order: Vec<u32> = (0..self.tags.len() as u32).collect();
        sort(&mut order, &mut |a, b| name(a).cmp(name(b)));
        if order.windows(2).any(|pair| name(pair[0]) == name(pair[1])) {
            return None;
        }
        self.tag_order = order;
        Some(())
    }

    /// The fields, from the first one's name; answers how many and where they end.
    fn fields(&mut self, text: &'a str, start: usize, whole: bool) -> Option<(usize, usize)> {
        let bytes = text.as_bytes();
        let mut at = start;
        let mut count = 0;
        loop {
            let field =
                match self.fields.get_mut(count).filter(|guess| !guess.escaped && is_name(bytes, at, guess.name)) {
                    // Borrowed anew: the borrow of a `match` would outlive the other arm.
                    Some(_) => &mut self.fields[count],
                    None => {
                        let (name, escaped) = field_name(text, at, whole)?;
                        self.fields.truncate(count);
                        let value = FieldValue::Plain(Value::Boolean(false));
                        self.fields.push_mut(Field { name, escaped, slot: None, value })
                    }
                };
            let end = field_value(text, at + field.name.len() + 1, &mut field.value)?;
            count += 1;
            match bytes.get(end) {
                Some(b',') => at = end + 1,
                Some(b' ' | b'\n') | None => return Some((count, end)),
                Some(_) => return None,
            }
        }
    }

    /// The timestamp, if there is one, scaled; answers where the line ends.
    fn time(&self, bytes: &[u8], fields_end: usize, whole: bool) -> Option<(i64, usize)> {
        let mut end = skip_blanks(bytes, fields_end);
        let mut time = self.default_time;
        if !matches!(bytes.get(end), Some(b'\n') | None) {
            let text = &bytes[end..];
            let number = Decimal::scan(text)?;
            time = number.to_i64(text)?.checked_mul(self.scale)?;
            end += number.text_len();
            while bytes.get(end) == Some(&b' ') {
                end += 1;
            }
        }
        let ended = end == bytes.len() || !whole && bytes[end] == b'\n';
        (ended && TimeRange::ALL.contains(time)).then_some((time, end))
    }

    /// Adds a point that is understood.
    fn add(&mut self, key: &'a str, series: Series<'a>, count: usize, time: i64) {
        let is_time = |field: &Field<'_>| field.name == "time";
        let fields = self.fields.get(..count).unwrap_or_default();
        let series = match series {
            Series::Known(series) => {
                if fields.iter().all(is_time) {
                    let why = refused_field(self.batch.series_measurement(series));
                    return self.refuse(why);
                }
                series
            }
            Series::New { measurement } => {
                if self.tags.iter().any(|tag| tag.name == "time") {
                    return self.refuse(format!(
                        "invalid tag key: input tag \"time\" on measurement \"{measurement}\" is invalid"
                    ));
                }
                if fields.iter().all(is_time) {
                    return self.refuse(refused_field(&measurement));
                }
                let tags = self.tag_order.iter().map(|at| &self.tags[*at as usize]);
                let tags = tags.map(|tag| (tag.name.as_bytes(), tag.value.as_bytes()));
                let series = self.batch.intern_series(&measurement, tags);
                // A line feed or two backslashes in a key can make InfluxDB's line end elsewhere than the key suggests.
                let plain = memchr::memchr2(b'\n', b'\\', key.as_bytes()).is_none();
                if plain || !key.contains('\n') && !key.contains("\\\\") {
                    self.batch.remember_wire_key(key.as_bytes(), series);
                }
                series
            }
        };
        let measurement = self.batch.measurement_slot(series);
        if self.slots_of.replace(measurement) != Some(measurement) {
            self.fields.iter_mut().for_each(|field| field.slot = None);
        }
        self.batch.begin_row(series, time);
        for field in self.fields.iter_mut().take(count).filter(|field| field.name != "time") {
            let slot = match field.slot {
                Some(slot) => slot,
                None if field.escaped => self.batch.intern_field(measurement, &unescape(field.name, b", =\"")),
                None => self.batch.intern_field(measurement, field.name),
            };
            field.slot = Some(slot);
            let value = match field.value {
                FieldValue::Plain(value) => value,
                FieldValue::Escaped(raw) => {
                    self.text.clear();
                    unescape_into(raw, b"\"\\", &mut self.text);
                    Value::String(&self.text)
                }
            };
            self.batch.push_cell(slot, value);
        }
        self.outcome.points += 1;
    }
}

fn refused_field(measurement: &str) -> String {
    format!("invalid field name: input field \"time\" on measurement \"{measurement}\" is invalid")
}

/// Does `name` stand at `at`, and an equals sign after it?
#[inline]
fn is_name(bytes: &[u8], at: usize, name: &str) -> bool {
    bytes.get(at + name.len()) == Some(&b'=') && bytes[at..at + name.len()] == *name.as_bytes()
}

/// The field name that stands before an equals sign, and whether it holds escapes.
fn field_name(text: &str, start: usize, whole: bool) -> Option<(&str, bool)> {
    let bytes = text.as_bytes();
    let escapes = if whole { Escapes::Paired } else { Escapes::None };
    let end = token_end(bytes, start, COMMA | BLANK | EQUALS, escapes)?;
    let name = text.get(start..end)?;
    // The two passes of InfluxDB over a name disagree about an even number of backslashes before its end.
    if name.is_empty() || bytes[end] != b'=' || name.ends_with('\\') {
        return None;
    }
    Some((name, whole && name.contains('\\')))
}

/// Puts the value that begins at `at` into `value` and answers where it ends.
///
/// The value goes straight to its place: handed over in pieces, it would be read back while the pieces still are on
/// their way to the cache.
#[inline(always)]
fn field_value<'a>(text: &'a str, at: usize, value: &mut FieldValue<'a>) -> Option<usize> {
    let rest = text.as_bytes().get(at..)?;
    match rest.first()? {
        b'"' => {
            let (inside, escaped) = string_value(text, at + 1)?;
            *value = if escaped { FieldValue::Escaped(inside) } else { FieldValue::Plain(Value::String(inside)) };
            Some(at + inside.len() + 2)
        }
        b'0'..=b'9' | b'-' | b'.' => {
            let number = Decimal::scan(rest)?;
            let end = at + number.text_len();
            if rest.get(number.text_len()) == Some(&b'i') {
                *value = FieldValue::Plain(Value::Integer(number.to_i64(rest)?));
                return Some(end + 1);
            }
            *value = FieldValue::Plain(Value::Float(number.to_f64(rest)?));
            Some(end)
        }
        _ => {
            let (boolean, length) = boolean_value(rest)?;
            *value = FieldValue::Plain(Value::Boolean(boolean));
            Some(at + length)
        }
    }
}

/// What stands from `start` to the quote that closes it, and whether it holds escapes.
fn string_value(text: &str, start: usize) -> Option<(&str, bool)> {
    let bytes = text.as_bytes();
    let mut end = start;
    let mut escaped = false;
    loop {
        end += memchr::memchr2(b'"', b'\\', bytes.get(end..)?)?;
        if bytes[end] == b'"' {
            return Some((text.get(start..end)?, escaped));
        }
        escaped = true;
        end += 2;
    }
}

fn boolean_value(rest: &[u8]) -> Option<(bool, usize)> {
    const WORDS: [(&[u8], bool); 10] = [
        (b"true", true),
        (b"false", false),
        (b"True", true),
        (b"False", false),
        (b"TRUE", true),
        (b"FALSE", false),
        (b"t", true),
        (b"f", false),
        (b"T", true),
        (b"F", false),
    ];
    let (word, value) = WORDS.iter().find(|(word, _)| rest.starts_with(word))?;
    Some((*value, word.len()))
}

const COMMA: u8 = 1;
const EQUALS: u8 = 2;
const BLANK: u8 = 4;
const LINE_FEED: u8 = 8;
const BACKSLASH: u8 = 16;

/// How backslashes are read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Escapes {
    None,
    Single,
    Paired,
}

/// What a byte may end.
static CLASS: [u8; 256] = {
    let mut class = [0; 256];
    class[b',' as usize] = COMMA;
    class[b'=' as usize] = EQUALS;
    class[b' ' as usize] = BLANK;
    class[b'\n' as usize] = LINE_FEED;
    class[b'\\' as usize] = BACKSLASH;
    class
};

/// Where the token that begins at `at` ends: the first byte of `stops`. `None` when the text ends before that.
///
/// Without escapes a line feed or a backslash ends the search in vain. With them a line feed is a byte like others and
/// what follows a backslash ends nothing; in a field's name, and there only, a backslash may itself follow one.
fn token_end(bytes: &[u8], at: usize, stops: u8, escapes: Escapes) -> Option<usize> {
    let sought = match escapes {
        Escapes::None => stops | LINE_FEED | BACKSLASH,
        Escapes::Single => stops,
        Escapes::Paired => stops | BACKSLASH,
    };
    let mut end = at;
    loop {
        end = find(bytes, end, sought)?;
        let class = CLASS[usize::from(bytes[end])];
        match escapes {
            Escapes::None => return (class & stops != 0).then_some(end),
            Escapes::Single if end > at && bytes[end - 1] == b'\\' => end += 1,
            Escapes::Paired if class == BACKSLASH => end += 2,
            _ => return Some(end),
        }
    }
}

/// The first byte of a class in `sought` from `at` on. The first eight are looked at together, for all classes there
/// are: tokens are short, and their lengths no branch can foresee.
#[inline]
fn find(bytes: &[u8], mut at: usize, sought: u8) -> Option<usize> {
    const fn zeros(word: u64, byte: u8) -> u64 {
        let word = word ^ u64::from_ne_bytes([byte; 8]);
        word.wrapping_sub(0x0101_0101_0101_0101) & !word & 0x8080_8080_8080_8080
    }
    let rest = bytes.get(at..)?;
    if let Some(chunk) = rest.first_chunk::<8>() {
        let word = u64::from_le_bytes(*chunk);
        let marks = zeros(word, b',') | zeros(word, b'=') | zeros(word, b' ') | zeros(word, b'\n') | zeros(word, b'\\');
        at += (marks.trailing_zeros() / 8) as usize;
    }
    let rest = bytes.get(at..)?;
    Some(at + rest.iter().position(|byte| CLASS[usize::from(*byte)] & sought != 0)?)
}

/// InfluxDB takes tabs and zero bytes for blanks where a part of a line may begin, and nowhere else.
fn skip_blanks(bytes: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\t' | 0) = bytes.get(at) {
        at += 1;
    }
    at
}

/// `raw` without the backslashes that stand before one of `escapable`.
fn unescape<'a>(raw: &'a str, escapable: &[u8]) -> Cow<'a, str> {
    if memchr::memchr(b'\\', raw.as_bytes()).is_none() {
        return Cow::Borrowed(raw);
    }
    let mut text = String::with_capacity(raw.len());
    unescape_into(raw, escapable, &mut text);
    Cow::Owned(text)
}

fn unescape_into(raw: &str, escapable: &[u8], out: &mut String) {
    let mut rest = raw;
    while let Some((before, after)) = rest.split_once('\\') {
        out.push_str(before);
        match after.as_bytes().first() {
            Some(next) if escapable.contains(next) => {
                out.push(char::from(*next));
                rest = &after[1..];
            }
            _ => {
                out.push('\\');
                rest = after;
            }
        }
    }
    out.push_str(rest);
}

#[cfg(test)]
mod tests;
