//! Line protocol with nanoseconds: what `isopoint import` and any InfluxDB take back.

use super::Sink;
use isopoint_core::model::Frame;
use isopoint_core::number::{write_i64, write_plain_float, write_u64};
use isopoint_core::value::Value;
use std::io::Write;

pub(super) struct LineProtocol {
    out: Box<dyn Write + Send>,
    line: Vec<u8>,
}

impl LineProtocol {
    pub(super) fn new(out: Box<dyn Write + Send>) -> Self {
        Self { out, line: Vec::new() }
    }
}

impl Sink for LineProtocol {
    fn frame(&mut self, frame: &Frame) -> Result<(), String> {
        let mut key = Vec::new();
        escape(&frame.name, b", ", &mut key);
        for (name, value) in frame.tags.iter().filter(|(_, value)| !value.is_empty()) {
            key.push(b',');
            escape(name, b",= ", &mut key);
            key.push(b'=');
            escape(value, b",= ", &mut key);
        }
        for (row, time) in frame.times.iter().enumerate() {
            self.line.clear();
            self.line.extend_from_slice(&key);
            let mut separator = b' ';
            for column in &frame.columns {
                let Some(value) = column.column.get(row) else { continue };
                self.line.push(separator);
                separator = b',';
                escape(&column.name, b",= ", &mut self.line);
                self.line.push(b'=');
                write_value(value, &mut self.line);
            }
            if separator == b' ' {
                continue;
            }
            self.line.push(b' ');
            write_i64(*time, &mut self.line);
            self.line.push(b'\n');
            self.out.write_all(&self.line).map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<(), String> {
        self.out.flush().map_err(|error| error.to_string())
    }
}

fn write_value(value: Value<'_>, out: &mut Vec<u8>) {
    match value {
        Value::Float(value) => write_plain_float(value, out),
        Value::Integer(value) => {
            write_i64(value, out);
            out.push(b'i');
        }
        Value::Unsigned(value) => {
            write_u64(value, out);
            out.push(b'u');
        }
        Value::Boolean(value) => out.extend_from_slice(if value { b"true" } else { b"false" }),
        Value::String(text) => {
            out.push(b'"');
            escape(text, b"\"\\", out);
            out.push(b'"');
        }
    }
}

/// A backslash before each of `special`.
fn escape(text: &str, special: &[u8], out: &mut Vec<u8>) {
    for byte in text.bytes() {
        if special.contains(&byte) {
            out.push(b'\\');
        }
        out.push(byte);
    }
}
