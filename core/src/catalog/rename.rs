//! Another name for a measurement, or for a tag or field of one, in all policies of a database. Points stay as they are.
//!
//! ```text
//! u8 what: 1 measurement, 2 tag, 3 field; text measurement, text from, text to
//! ```

use crate::codec::DecodeError;
use crate::codec::varint::{self, Reader};
use crate::model::SeriesKey;

/// What gets another name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    Measurement,
    Tag,
    Field,
}

/// One change of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewName {
    pub what: Named,
    /// Of the tag or field; of a measurement its own name before.
    pub measurement: String,
    pub from: String,
    pub to: String,
}

/// A request to rename. It is refused where the name is taken, so nothing is ever merged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rename {
    pub database: String,
    pub name: NewName,
}

impl NewName {
    /// The key a series has afterwards, if it is another one.
    pub fn key(&self, series: &SeriesKey) -> Option<SeriesKey> {
        if series.measurement() != self.measurement.as_str() {
            return None;
        }
        let tags: Vec<_> = series.tags().collect();
        let renamed = |key: &str| self.what == Named::Tag && key == self.from;
        let measurement = match self.what {
            Named::Measurement => &self.to,
            Named::Tag if tags.iter().any(|(key, _)| renamed(key)) => &self.measurement,
            _ => return None,
        };
        let tags: Vec<(&str, &str)> =
            tags.iter().map(|(key, value)| (if renamed(key) { self.to.as_str() } else { key }, &**value)).collect();
        Some(SeriesKey::new(measurement, &tags))
    }

    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(match self.what {
            Named::Measurement => 1,
            Named::Tag => 2,
            Named::Field => 3,
        });
        [&self.measurement, &self.from, &self.to].iter().for_each(|text| varint::write_bytes(text.as_bytes(), out));
    }

    pub fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let what = match reader.byte("what is renamed")? {
            1 => Named::Measurement,
            2 => Named::Tag,
            3 => Named::Field,
            _ => return Err(reader.error("neither a measurement nor a tag nor a field")),
        };
        let mut text = || reader.text("name").map(str::to_owned);
        Ok(Self { what, measurement: text()?, from: text()?, to: text()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(what: Named, measurement: &str, from: &str, to: &str) -> NewName {
        NewName { what, measurement: measurement.into(), from: from.into(), to: to.into() }
    }

    #[test]
    fn only_what_is_named_gets_another_key() {
        let key = SeriesKey::new("m", &[("a", "1"), ("c", "2")]);
        let tag = name(Named::Tag, "m", "a", "z");
        assert_eq!(tag.key(&key), Some(SeriesKey::new("m", &[("c", "2"), ("z", "1")])));
        assert_eq!(tag.key(&SeriesKey::new("m", &[("b", "1")])), None);
        assert_eq!(tag.key(&SeriesKey::new("n", &[("a", "1")])), None);
        let measurement = name(Named::Measurement, "m", "m", "n");
        assert_eq!(measurement.key(&key), Some(SeriesKey::new("n", &[("a", "1"), ("c", "2")])));
        assert_eq!(name(Named::Field, "m", "a", "z").key(&key), None);
    }

    #[test]
    fn names_come_back_and_cut_ones_are_refused() {
        for what in [Named::Measurement, Named::Tag, Named::Field] {
            let name = name(what, "m", "a", "ä");
            let mut bytes = Vec::new();
            name.encode(&mut bytes);
            assert_eq!(NewName::decode(&mut Reader::new(&bytes)), Ok(name));
            (0..bytes.len()).for_each(|len| assert!(NewName::decode(&mut Reader::new(&bytes[..len])).is_err()));
        }
    }
}
