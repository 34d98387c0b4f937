//! Why a line is wrong, in InfluxDB's words and in its order of checks: key, fields from left to right, lengths,
//! timestamp. Only lines that failed come here.

use super::{FIELD_SEPARATOR_LENGTH, MAX_KEY_LENGTH, skip_blanks};
use crate::number::{parse_f64, parse_i64};
use crate::order::sort_by;
use crate::time::TimeRange;

/// Where the line that begins at `at` ends: the first line feed that is neither after a backslash nor in a string. A
/// quote opens a string after the first blank and where a field's value may be.
pub(super) fn line_end(bytes: &[u8], mut at: usize) -> usize {
    let (mut fields, mut quoted) = (false, false);
    let (mut equals, mut commas) = (0_usize, 0_usize);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' if at + 2 < bytes.len() => at += 1,
            b' ' => fields = true,
            b'=' if fields && !quoted => equals += 1,
            b',' if fields && !quoted => commas += 1,
            b'"' if fields && equals > commas => quoted = !quoted,
            b'\n' if !quoted => break,
            _ => {}
        }
        at += 1;
    }
    at
}

/// What is wrong with a line that begins with no blank.
pub(super) fn why(line: &[u8], scale: i64) -> String {
    find(line, scale).err().unwrap_or_else(|| "invalid field format".into())
}

fn find(line: &[u8], scale: i64) -> Result<(), String> {
    let key_end = check_key(line)?;
    let check_length = |length: usize| {
        if length > MAX_KEY_LENGTH {
            return Err(format!("max key length exceeded: {length} > {MAX_KEY_LENGTH}"));
        }
        Ok(())
    };
    check_length(key_end)?;
    let start = skip_blanks(line, key_end);
    let end = check_fields(line, start)?;
    for (name, value) in names(&line[start..end]) {
        check_length(key_end + FIELD_SEPARATOR_LENGTH + name.len())?;
        if !value {
            return Err(format!("invalid value: field-key={}", String::from_utf8_lossy(name)));
        }
    }
    check_time(line, skip_blanks(line, end), scale)
}

/// Is the byte at `at` there, one of `stops` and not after a backslash?
fn stops(line: &[u8], at: usize, stops: &[u8]) -> bool {
    line.get(at).is_some_and(|byte| stops.contains(byte)) && line.get(at.wrapping_sub(1)) != Some(&b'\\')
}

fn check_key(line: &[u8]) -> Result<usize, String> {
    if let Some(b',') | None = line.first() {
        return Err("missing measurement".into());
    }
    let mut at = 1;
    while !stops(line, at, b", ") {
        if at >= line.len() {
            return Err("missing fields".into());
        }
        at += 1;
    }
    let mut names = Vec::new();
    while line.get(at) == Some(&b',') {
        let name = at + 1;
        if let Some(b' ' | b',' | b'=') | None = line.get(name) {
            return Err("missing tag key".into());
        }
        at = name + 1;
        while !stops(line, at, b"=") {
            if at >= line.len() || stops(line, at, b" ,") {
                return Err("missing tag value".into());
            }
            at += 1;
        }
        names.push(&line[name..at]);
        at += 1;
        if let Some(b' ' | b',') | None = line.get(at) {
            return Err("missing tag value".into());
        }
        at += 1;
        while !stops(line, at, b" ,") {
            if at >= line.len() {
                return Err("missing fields".into());
            }
            if stops(line, at, b"=") {
                return Err("invalid tag format".into());
            }
            at += 1;
        }
    }
    sort_by(&mut names, Ord::cmp);
    if names.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err("duplicate tags".into());
    }
    Ok(at)
}

/// Answers where the fields end. Backslashes come in pairs here, with whatever follows.
fn check_fields(line: &[u8], start: usize) -> Result<usize, String> {
    let mut at = start;
    let mut quoted = false;
    let (mut equals, mut commas) = (0_usize, 0_usize);
    while let Some(byte) = line.get(at) {
        match byte {
            b'\\' if at + 1 < line.len() => at += 1,
            b'"' if equals > commas => quoted = !quoted,
            b'=' if !quoted => {
                equals += 1;
                if stops(line, at - 1, b" ,") {
                    return Err("missing field key".into());
                }
                let value = at + 1;
                match line.get(value) {
                    Some(b',' | b' ') | None => return Err("missing field value".into()),
                    Some(b'0'..=b'9' | b'.' | b'-' | b'N' | b'n') => {
                        at = check_number(line, value)?;
                        continue;
                    }
                    Some(b'"') => {}
                    Some(_) => {
                        at = check_boolean(line, value)?;
                        continue;
                    }
                }
            }
            b',' if !quoted => commas += 1,
            b' ' if !quoted => break,
            _ => {}
        }
        at += 1;
    }
    if quoted {
        return Err("unbalanced quotes".into());
    }
    if equals == 0 || commas != equals - 1 {
        return Err("invalid field format".into());
    }
    Ok(at)
}

fn word_end(line: &[u8], start: usize) -> usize {
    line[start..].iter().position(|byte| matches!(byte, b',' | b' ')).map_or(line.len(), |length| start + length)
}

fn check_number(line: &[u8], start: usize) -> Result<usize, String> {
    let end = word_end(line, start);
    let word = &line[start..end];
    let invalid = || Err("invalid number".into());
    let (number, integer) = match word.strip_suffix(b"i") {
        Some(number) => (number, true),
        None => (word, false),
    };
    let digits = number.strip_prefix(b"-").unwrap_or(number);
    let mut before = 0;
    for (at, byte) in digits.iter().enumerate() {
        let known = match byte {
            b'0'..=b'9' | b'.' => true,
            b'e' | b'E' => at > 0 || digits.len() < number.len(),
            b'+' | b'-' => matches!(before, b'e' | b'E'),
            _ => false,
        };
        if !known {
            return invalid();
        }
        before = *byte;
    }
    let points = digits.iter().filter(|byte| **byte == b'.').count();
    let scientific = digits.iter().any(|byte| matches!(byte, b'e' | b'E'));
    if points > 1 || points == digits.len() || integer && (points > 0 || scientific) {
        return invalid();
    }
    if integer && parse_i64(number).is_none() {
        let number = String::from_utf8_lossy(number);
        return Err(format!(
            "unable to parse integer {number}: strconv.ParseInt: parsing \"{number}\": value out of range"
        ));
    }
    if !integer && parse_f64(number).is_none() {
        return Err("invalid float".into());
    }
    Ok(end)
}

fn check_boolean(line: &[u8], start: usize) -> Result<usize, String> {
    let end = word_end(line, start);
    match &line[start..end] {
        b"t" | b"T" | b"true" | b"True" | b"TRUE" | b"f" | b"F" | b"false" | b"False" | b"FALSE" => Ok(end),
        _ => Err("invalid boolean".into()),
    }
}

/// The field names in order, and whether a value follows. Unlike [`check_fields`], this pass of InfluxDB takes an equals
/// sign after two backslashes for escaped.
fn names(mut fields: &[u8]) -> impl Iterator<Item = (&[u8], bool)> {
    std::iter::from_fn(move || {
        if fields.is_empty() {
            return None;
        }
        let mut length = 0;
        while length < fields.len() && !stops(fields, length, b"=") {
            length += 1;
        }
        let name = &fields[..length];
        let (mut end, mut quoted) = (length + 1, false);
        while let Some(byte) = fields.get(end) {
            match byte {
                b'\\' if matches!(fields.get(end + 1), Some(b'"' | b'\\')) => end += 1,
                b'"' => quoted = !quoted,
                b',' if !quoted => break,
                _ => {}
            }
            end += 1;
        }
        let value = length + 1 < end;
        fields = fields.get(end + 1..).unwrap_or_default();
        Some((name, value))
    })
}

fn check_time(line: &[u8], start: usize, scale: i64) -> Result<(), String> {
    let rest = &line[start..];
    let end = rest.iter().position(|byte| matches!(byte, b' ' | b'\n')).unwrap_or(rest.len());
    let word = &rest[..end];
    let digits = word.strip_prefix(b"-").unwrap_or(word);
    if !digits.iter().all(u8::is_ascii_digit) {
        return Err("bad timestamp".into());
    }
    if word.is_empty() {
        return Ok(());
    }
    let Some(time) = parse_i64(word) else {
        let why = if digits.is_empty() { "invalid syntax" } else { "value out of range" };
        return Err(format!("strconv.ParseInt: parsing \"{}\": {why}", String::from_utf8_lossy(word)));
    };
    let TimeRange { min, max } = TimeRange::ALL;
    if !time.checked_mul(scale).is_some_and(|time| TimeRange::ALL.contains(time)) {
        return Err(format!("time outside range {min} - {max}"));
    }
    if rest[end..].iter().any(|byte| *byte != b' ') {
        return Err("point is invalid".into());
    }
    Ok(())
}
