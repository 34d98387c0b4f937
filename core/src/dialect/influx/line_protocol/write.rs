//! The other way: points as line protocol.

use crate::model::{SeriesKey, WriteBatch};
use crate::number;
use crate::value::Value;

/// A line each, times in nanoseconds. What is read from the text is what the batch holds.
pub fn write(batch: &WriteBatch) -> Vec<u8> {
    let mut out = Vec::new();
    // Points of one series mostly follow each other.
    let mut series: Option<(u32, Vec<u8>)> = None;
    for row in &batch.rows {
        if series.as_ref().is_none_or(|(known, _)| *known != row.series) {
            series = SeriesKey::from_canonical(batch.series_key(row.series)).map(|key| (row.series, key_text(&key)));
        }
        let Some((_, key)) = &series else { continue };
        let cells = batch.cells_of(row);
        out.extend_from_slice(key);
        for (at, cell) in cells.iter().enumerate() {
            out.push(if at == 0 { b' ' } else { b',' });
            push_escaped(batch.field_name(cell.field), &[',', '=', ' '], &mut out);
            out.push(b'=');
            push_value(batch.value(cell), &mut out);
        }
        out.push(b' ');
        number::write_i64(row.time, &mut out);
        out.push(b'\n');
    }
    out
}

/// `measurement,key=value,…`, escaped.
pub(in super::super) fn key_text(key: &SeriesKey) -> Vec<u8> {
    let mut out = Vec::new();
    push_escaped(&key.measurement(), &[',', ' '], &mut out);
    for (name, value) in key.tags() {
        out.push(b',');
        push_escaped(&name, &[',', '=', ' '], &mut out);
        out.push(b'=');
        push_escaped(&value, &[',', '=', ' '], &mut out);
    }
    out
}

fn push_escaped(text: &str, special: &[char], out: &mut Vec<u8>) {
    for char in text.chars() {
        if special.contains(&char) {
            out.push(b'\\');
        }
        out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
    }
}

fn push_value(value: Value<'_>, out: &mut Vec<u8>) {
    match value {
        Value::Float(value) => number::write_plain_float(value, out),
        Value::Integer(value) => {
            number::write_i64(value, out);
            out.push(b'i');
        }
        Value::Unsigned(value) => {
            number::write_u64(value, out);
            out.push(b'u');
        }
        Value::Boolean(value) => out.extend_from_slice(if value { b"true" } else { b"false" }),
        Value::String(text) => {
            out.push(b'"');
            for byte in text.bytes() {
                if matches!(byte, b'"' | b'\\') {
                    out.push(b'\\');
                }
                out.push(byte);
            }
            out.push(b'"');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Precision, parse};
    use super::*;
    use crate::time::Timestamp;

    #[test]
    fn lines_read_back() {
        let text = "a\\ b\\,c,t\\=x=v\\ 1,u=w f=1.5,i=-3i,s=\"q\\\"\\\\ \",ok=true 7\nm v=1e+300 -9\n";
        let read = |text: &[u8]| {
            let mut batch = WriteBatch::new();
            assert!(parse(text, Precision::Nanos, Timestamp::from_nanos(0), &mut batch).error(None).is_none());
            batch
        };
        let written = write(&read(text.as_bytes()));
        assert!(written.starts_with(b"a\\ b\\,c,t\\=x=v\\ 1,u=w f=1.5,i=-3i,s=\"q\\\"\\\\ \",ok=true 7\nm v=1000"));
        assert_eq!(write(&read(&written)), written);
    }
}
