//! CSV with a header: `time` in nanoseconds since the epoch, tags, fields. What is absent is empty.

use super::{Columns, Sink};
use isopoint_core::model::Frame;
use isopoint_core::number::write_plain_float;
use isopoint_core::value::Value;
use std::io::Write;

pub(super) struct Csv {
    out: csv::Writer<Box<dyn Write + Send>>,
    columns: Columns,
}

impl Csv {
    pub(super) fn new(out: Box<dyn Write + Send>, columns: Columns) -> Result<Self, String> {
        let mut out = csv::Writer::from_writer(out);
        let names = columns.tags.iter().chain(columns.fields.iter().map(|(name, _)| name));
        let header = std::iter::once("time").chain(names.map(String::as_str));
        out.write_record(header).map_err(|error| error.to_string())?;
        Ok(Self { out, columns })
    }
}

impl Sink for Csv {
    fn frame(&mut self, frame: &Frame) -> Result<(), String> {
        let failed = |error: csv::Error| error.to_string();
        let tags: Vec<_> = self
            .columns
            .tags
            .iter()
            .map(|key| frame.tags.iter().find(|(name, _)| name == key).map_or("", |(_, value)| value.as_str()))
            .collect();
        let fields: Vec<_> = self.columns.fields.iter().map(|(name, _)| frame.column(name)).collect();
        let mut text = Vec::new();
        for (row, time) in frame.times.iter().enumerate() {
            self.out.write_field(time.to_string()).map_err(failed)?;
            for tag in &tags {
                self.out.write_field(tag).map_err(failed)?;
            }
            for field in &fields {
                text.clear();
                match field.and_then(|column| column.get(row)) {
                    None => {}
                    Some(Value::Float(value)) => write_plain_float(value, &mut text),
                    Some(Value::String(value)) => text.extend_from_slice(value.as_bytes()),
                    Some(Value::Integer(value)) => text.extend_from_slice(value.to_string().as_bytes()),
                    Some(Value::Unsigned(value)) => text.extend_from_slice(value.to_string().as_bytes()),
                    Some(Value::Boolean(value)) => text.extend_from_slice(value.to_string().as_bytes()),
                }
                self.out.write_field(&text).map_err(failed)?;
            }
            self.out.write_record(None::<&[u8]>).map_err(failed)?;
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<(), String> {
        self.out.flush().map_err(|error| error.to_string())
    }
}
