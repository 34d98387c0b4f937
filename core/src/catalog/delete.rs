//! What a request to delete names: points of series in a range of time, in all policies of a database.
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
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let database = reader.text("name of a database")?.to_owned();
        let (range, targets) = decode_targets(reader)?;
        Ok(Self { database, range, targets })
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
        let delete = Delete { database: "db".into(), range: TimeRange::new(-5, i64::MAX), targets };
        let mut bytes = Vec::new();
        delete.encode(&mut bytes);
        assert_eq!(Delete::decode(&mut Reader::new(&bytes)), Ok(delete));
        (0..bytes.len()).for_each(|len| assert!(Delete::decode(&mut Reader::new(&bytes[..len])).is_err()));
    }
}
