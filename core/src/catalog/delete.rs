//! What a request to delete names: points of series in a range of time, or values of some of their fields, in all
//! policies of a database.
//!
//! ```text
//! text database (a command only), zigzag first instant, zigzag last instant, varint targets, each:
//!     text measurement, varint 0: all its series, or n + 1, then n keys: bytes canonical key (varint length first)
//! ```

use crate::codec::DecodeError;
use crate::codec::varint::{self, Reader};
use crate::model::SeriesKey;
use crate::time::TimeRange;

/// Points to delete. What is written afterwards lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delete {
    pub database: String,
    pub range: TimeRange,
    pub targets: Vec<Target>,
    /// Only values of these fields; empty: whole points.
    pub fields: Vec<String>,
}

/// Series of one measurement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub measurement: String,
    /// `None`: all there are.
    pub series: Option<Vec<SeriesKey>>,
}

impl Delete {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        varint::write_bytes(self.database.as_bytes(), out);
        encode_targets(self.range, &self.targets, out);
        if !self.fields.is_empty() {
            encode_fields(&self.fields, out);
        }
    }

    /// `of_fields`: names of fields follow.
    pub(super) fn decode(reader: &mut Reader<'_>, of_fields: bool) -> Result<Self, DecodeError> {
        let database = reader.text("name of a database")?.to_owned();
        let (range, targets) = decode_targets(reader)?;
        let fields = if of_fields { decode_fields(reader)? } else { Vec::new() };
        Ok(Self { database, range, targets, fields })
    }
}

/// Appends a range of time and what of it is deleted.
pub fn encode_targets(range: TimeRange, targets: &[Target], out: &mut Vec<u8>) {
    varint::write_signed(range.min, out);
    varint::write_signed(range.max, out);
    varint::write(targets.len() as u64, out);
    for target in targets {
        varint::write_bytes(target.measurement.as_bytes(), out);
        let Some(series) = &target.series else {
            varint::write(0, out);
            continue;
        };
        varint::write(series.len() as u64 + 1, out);
        series.iter().for_each(|key| varint::write_bytes(key.as_bytes(), out));
    }
}

pub fn decode_targets(reader: &mut Reader<'_>) -> Result<(TimeRange, Vec<Target>), DecodeError> {
    let range = TimeRange::new(reader.signed("first instant")?, reader.signed("last instant")?);
    let mut targets = Vec::new();
    for _ in 0..reader.length(reader.remaining(), "number of measurements")? {
        let measurement = reader.text("name of a measurement")?.to_owned();
        let mut series = None;
        if let Some(count) = reader.length(reader.remaining(), "number of series")?.checked_sub(1) {
            let mut keys = Vec::new();
            for _ in 0..count {
                let key = SeriesKey::from_canonical(reader.bytes("series key")?);
                keys.push(key.ok_or_else(|| reader.error("series key not canonical"))?);
            }
            series = Some(keys);
        }
        targets.push(Target { measurement, series });
    }
    Ok((range, targets))
}

/// Appends names of fields: varint count, texts.
pub fn encode_fields(fields: &[String], out: &mut Vec<u8>) {
    varint::write(fields.len() as u64, out);
    fields.iter().for_each(|field| varint::write_bytes(field.as_bytes(), out));
}

/// At least one name, since none would be whole points.
pub fn decode_fields(reader: &mut Reader<'_>) -> Result<Vec<String>, DecodeError> {
    let count = reader.length(reader.remaining(), "number of fields")?;
    if count == 0 {
        return Err(reader.error("no field"));
    }
    (0..count).map(|_| reader.text("name of a field").map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deletes_come_back_and_cut_ones_are_refused() {
        let keys = vec![SeriesKey::new("m", &[("a", "1")]), SeriesKey::new("m", &[])];
        let targets = vec![
            Target { measurement: "m".into(), series: Some(keys) },
            Target { measurement: "n".into(), series: None },
            Target { measurement: "o".into(), series: Some(Vec::new()) },
        ];
        for fields in [Vec::new(), vec!["v".to_owned(), "w".to_owned()]] {
            let (range, targets, of_fields) = (TimeRange::new(-5, i64::MAX), targets.clone(), !fields.is_empty());
            let delete = Delete { database: "db".into(), range, targets, fields };
            let mut bytes = Vec::new();
            delete.encode(&mut bytes);
            let decode = |bytes| Delete::decode(&mut Reader::new(bytes), of_fields);
            assert_eq!(decode(&bytes), Ok(delete));
            (0..bytes.len()).for_each(|len| assert!(decode(&bytes[..len]).is_err()));
        }
    }
}
