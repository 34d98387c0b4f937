//! Answers as MessagePack, as `github.com/tinylib/msgp` writes them.
//!
//! | piece | bytes |
//! |---|---|
//! | document | map of 1: `results` → array of results, or `error` → text |
//! | result | map of `statement_id`, \[`messages`\], `series` (array), \[`partial`\]; a failed one: map of `error` |
//! | series | map of \[`name`\], \[`tags`\], `columns`, `values`, \[`partial`\] |
//! | integer | the smallest form that holds it |
//! | time | extension 5 of 12 bytes: seconds as i64, nanoseconds as i32, big-endian; with `epoch` an integer |
//!
//! Counts come before what is counted, so they are patched when it ends: a document stays in memory until then, and one
//! that would outgrow `max_bytes` becomes an error.

use super::answer::{Encoder, Epoch, Part};
use crate::time::NANOS_PER_SEC;
use crate::value::Value;

#[derive(Debug)]
pub(super) struct MsgPack {
    out: Vec<u8>,
    epoch: Epoch,
    max_bytes: u64,
    /// Bytes of finished documents.
    done: usize,
    results: Count,
    result: Map,
    series_list: Count,
    series: Map,
    values: Count,
    /// The document outgrew the limit: nothing more is written of it.
    overflown: bool,
}

/// An array whose length is not known yet: where its four bytes are and how much it has.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    at: usize,
    len: u32,
}

/// A map whose size (below 16) is not known yet.
#[derive(Clone, Copy, Debug, Default)]
struct Map {
    at: usize,
    len: u8,
}

impl MsgPack {
    pub(super) fn new(epoch: Epoch, max_bytes: u64) -> Self {
        Self {
            out: Vec::new(),
            epoch,
            max_bytes,
            done: 0,
            results: Count::default(),
            result: Map::default(),
            series_list: Count::default(),
            series: Map::default(),
            values: Count::default(),
            overflown: false,
        }
    }

    fn begin_array(&mut self) -> Count {
        self.out.push(0xdd);
        let count = Count { at: self.out.len(), len: 0 };
        self.out.extend([0; 4]);
        count
    }

    fn end_array(&mut self, count: Count) {
        self.out[count.at..count.at + 4].copy_from_slice(&count.len.to_be_bytes());
    }

    fn begin_map(&mut self) -> Map {
        let map = Map { at: self.out.len(), len: 0 };
        self.out.push(0x80);
        map
    }

    fn end_map(&mut self, map: Map) {
        self.out[map.at] = 0x80 | map.len;
    }

    fn time(&mut self, time: i64) {
        match self.epoch {
            Epoch::Rfc3339 => {
                self.out.extend([0xc7, 12, 5]);
                self.out.extend(time.div_euclid(NANOS_PER_SEC).to_be_bytes());
                let nanos = i32::try_from(time.rem_euclid(NANOS_PER_SEC)).expect("below 1e9");
                self.out.extend(nanos.to_be_bytes());
            }
            Epoch::Unit(unit) => write_int(time / unit, &mut self.out),
        }
    }
}

impl Encoder for MsgPack {
    fn begin_document(&mut self) {
        self.out.push(0x81);
        write_str("results", &mut self.out);
        self.results = self.begin_array();
    }

    fn begin_result(&mut self, statement: usize, messages: &[String]) {
        if self.overflown {
            return;
        }
        self.results.len += 1;
        self.result = self.begin_map();
        write_str("statement_id", &mut self.out);
        write_int(i64::try_from(statement).unwrap_or(i64::MAX), &mut self.out);
        self.result.len = 2;
        if !messages.is_empty() {
            self.result.len += 1;
            write_str("messages", &mut self.out);
            write_len(messages.len(), 0x90, 0xdc, &mut self.out);
            for text in messages {
                self.out.push(0x82);
                write_str("level", &mut self.out);
                write_str("warning", &mut self.out);
                write_str("text", &mut self.out);
                write_str(text, &mut self.out);
            }
        }
        write_str("series", &mut self.out);
        self.series_list = self.begin_array();
    }

    fn begin_series(&mut self, part: &Part) {
        if self.overflown {
            return;
        }
        self.series_list.len += 1;
        self.series = self.begin_map();
        if !part.name.is_empty() {
            self.series.len += 1;
            write_str("name", &mut self.out);
            write_str(&part.name, &mut self.out);
        }
        if !part.tags.is_empty() {
            self.series.len += 1;
            write_str("tags", &mut self.out);
            write_len(part.tags.len(), 0x80, 0xde, &mut self.out);
            for (key, value) in &part.tags {
                write_str(key, &mut self.out);
                write_str(value, &mut self.out);
            }
        }
        self.series.len += 2;
        write_str("columns", &mut self.out);
        write_len(part.columns.len(), 0x90, 0xdc, &mut self.out);
        for column in &*part.columns {
            write_str(column, &mut self.out);
        }
        write_str("values", &mut self.out);
        self.values = self.begin_array();
    }

    fn row(&mut self, part: &Part, row: usize) {
        if self.overflown || (self.out.len() - self.done) as u64 > self.max_bytes {
            self.overflown = true;
            return;
        }
        self.values.len += 1;
        write_len(part.columns.len(), 0x90, 0xdc, &mut self.out);
        if let Some(times) = &part.times {
            self.time(times[row]);
        }
        for value in part.row(row) {
            match value {
                None => self.out.push(0xc0),
                Some(Value::Float(value)) => {
                    self.out.push(0xcb);
                    self.out.extend(value.to_be_bytes());
                }
                Some(Value::Integer(value)) => write_int(value, &mut self.out),
                Some(Value::Unsigned(value)) => write_uint(value, &mut self.out),
                Some(Value::Boolean(value)) => self.out.push(if value { 0xc3 } else { 0xc2 }),
                Some(Value::String(value)) => write_str(value, &mut self.out),
            }
        }
        if let Some(list) = part.lists.as_ref().and_then(|lists| lists.get(row)) {
            write_len(list.len(), 0x90, 0xdc, &mut self.out);
            for text in list {
                write_str(text, &mut self.out);
            }
        }
    }

    fn end_series(&mut self, partial: bool) {
        if self.overflown {
            return;
        }
        self.end_array(self.values);
        if partial {
            self.series.len += 1;
            write_str("partial", &mut self.out);
            self.out.push(0xc3);
        }
        self.end_map(self.series);
    }

    fn end_result(&mut self, partial: bool, error: Option<&str>) {
        if self.overflown {
            return;
        }
        if let Some(error) = error {
            self.out.truncate(self.result.at);
            self.out.push(0x81);
            write_str("error", &mut self.out);
            write_str(error, &mut self.out);
            return;
        }
        self.end_array(self.series_list);
        if partial {
            self.result.len += 1;
            write_str("partial", &mut self.out);
            self.out.push(0xc3);
        }
        self.end_map(self.result);
    }

    fn end_document(&mut self) {
        if std::mem::take(&mut self.overflown) {
            self.out.truncate(self.done);
            self.error_document("the answer is too large for MessagePack: ask for it chunked, or as JSON");
            return;
        }
        self.end_array(self.results);
        self.done = self.out.len();
    }

    fn error_document(&mut self, text: &str) {
        self.out.push(0x81);
        write_str("error", &mut self.out);
        write_str(text, &mut self.out);
        self.done = self.out.len();
    }

    fn len(&self) -> usize {
        self.done
    }

    /// The finished documents. What is open stays, and with it the places to patch.
    fn take(&mut self) -> Vec<u8> {
        let open = self.out.split_off(self.done);
        for at in [
            &mut self.results.at,
            &mut self.result.at,
            &mut self.series_list.at,
            &mut self.series.at,
            &mut self.values.at,
        ] {
            *at = at.saturating_sub(self.done);
        }
        self.done = 0;
        std::mem::replace(&mut self.out, open)
    }

    fn discard(&mut self) {
        self.out.clear();
        self.done = 0;
    }
}

fn write_str(text: &str, out: &mut Vec<u8>) {
    match text.len() {
        len @ ..32 => out.push(0xa0 | len as u8),
        len @ ..0x100 => out.extend([0xd9, len as u8]),
        len @ ..0x1_0000 => {
            out.push(0xda);
            out.extend((len as u16).to_be_bytes());
        }
        len => {
            out.push(0xdb);
            out.extend(u32::try_from(len).expect("a column holds less than 4 GiB of text").to_be_bytes());
        }
    }
    out.extend_from_slice(text.as_bytes());
}

/// The length of an array or a map: in the first byte up to 15, else in two or four bytes.
fn write_len(len: usize, fix: u8, wide: u8, out: &mut Vec<u8>) {
    if len < 16 {
        out.push(fix | len as u8);
    } else if let Ok(len) = u16::try_from(len) {
        out.push(wide);
        out.extend(len.to_be_bytes());
    } else {
        out.push(wide + 1);
        out.extend(u32::try_from(len).expect("limits keep columns and tags far below 2^32").to_be_bytes());
    }
}

fn write_int(value: i64, out: &mut Vec<u8>) {
    match value {
        0.. => write_uint(value.unsigned_abs(), out),
        -32.. => out.push(value as u8),
        -0x80.. => out.extend([0xd0, value as u8]),
        -0x8000.. => {
            out.push(0xd1);
            out.extend((value as i16).to_be_bytes());
        }
        -0x8000_0000.. => {
            out.push(0xd2);
            out.extend((value as i32).to_be_bytes());
        }
        _ => {
            out.push(0xd3);
            out.extend(value.to_be_bytes());
        }
    }
}

fn write_uint(value: u64, out: &mut Vec<u8>) {
    if value < 0x80 {
        out.push(value as u8);
    } else if let Ok(value) = u8::try_from(value) {
        out.extend([0xcc, value]);
    } else if let Ok(value) = u16::try_from(value) {
        out.push(0xcd);
        out.extend(value.to_be_bytes());
    } else if let Ok(value) = u32::try_from(value) {
        out.push(0xce);
        out.extend(value.to_be_bytes());
    } else {
        out.push(0xcf);
        out.extend(value.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_take_the_smallest_form() {
        let bytes = |value| {
            let mut out = Vec::new();
            write_int(value, &mut out);
            out
        };
        assert_eq!(bytes(127), [0x7f]);
        assert_eq!(bytes(128), [0xcc, 0x80]);
        assert_eq!(bytes(-1), [0xff]);
        assert_eq!(bytes(-33), [0xd0, 0xdf]);
        assert_eq!(bytes(-129), [0xd1, 0xff, 0x7f]);
        assert_eq!(bytes(65_536), [0xce, 0, 1, 0, 0]);
        assert_eq!(bytes(i64::MIN), [0xd3, 0x80, 0, 0, 0, 0, 0, 0, 0]);
    }
}
