//! What was deleted and may still lie in block files.
//!
//! Memtables lose deleted points at once. A file is immutable, so a [`Tombstone`] stands beside it: tombstones count up,
//! a file knows how many there were when its points were gathered ([`BlockFile::settled`](super::snapshot::BlockFile)),
//! and those after it hold for all the points of the file. A compaction leaves out what is deleted and so settles more.
//! A tombstone goes when every file of its database has settled it.
//!
//! A delete of single fields hides columns of blocks, or values of them. A change of a name is a tombstone too: the files
//! before it are read under the new name ([`FileIndex::rename`]), until a compaction has written it. What tombstones say
//! of a file is therefore found in their order.
//!
//! ```text
//! [varint 0, u8 kind: 1 fields, 2 rename; without it: points]
//! varint number, varint database id,
//! points, fields: targets (see `catalog::delete`)    fields: then varint fields, texts
//! rename: see `catalog::rename`
//! ```

use super::block::{BlockEntry, ColumnEntry};
use super::blockfile::{Field, FileIndex};
use crate::catalog::delete::{decode_fields, decode_targets, encode_fields, encode_targets};
use crate::catalog::{NewName, Target};
use crate::codec::DecodeError;
use crate::codec::varint::{self, Reader};
use crate::model::series::push_text;
use crate::model::{Column, SeriesKey};
use crate::order::sort_by;
use crate::time::TimeRange;
use smallvec::SmallVec;
use std::ops::Range;
use std::sync::Arc;

/// A delete or a change of a name that was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tombstone {
    /// From 1 on, one more for each delete of the store.
    pub number: u64,
    pub database: u32,
    pub range: TimeRange,
    pub targets: Vec<Target>,
    /// Only these fields of the targets; empty: whole points.
    pub fields: Vec<String>,
    /// Then nothing is deleted: no targets, and all of time.
    pub rename: Option<NewName>,
}

const FIELDS: u8 = 1;
const RENAME: u8 = 2;

impl Tombstone {
    /// Of something that gets another name.
    pub fn renaming(number: u64, database: u32, name: NewName) -> Self {
        let (targets, fields) = (Vec::new(), Vec::new());
        Self { number, database, range: TimeRange::ALL, targets, fields, rename: Some(name) }
    }

    pub fn encode(&self, out: &mut Vec<u8>) {
        let kind = if self.rename.is_some() { RENAME } else { FIELDS };
        if self.rename.is_some() || !self.fields.is_empty() {
            out.extend([0, kind]);
        }
        varint::write(self.number, out);
        varint::write(u64::from(self.database), out);
        if let Some(name) = &self.rename {
            return name.encode(out);
        }
        encode_targets(self.range, &self.targets, out);
        if !self.fields.is_empty() {
            encode_fields(&self.fields, out);
        }
    }

    pub fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut number = reader.varint("number of a tombstone")?;
        let mut kind = None;
        if number == 0 {
            kind = Some(reader.byte("kind of a tombstone")?);
            number = reader.varint("number of a tombstone")?;
        }
        let database = reader.varint("database id")?;
        let database = u32::try_from(database).map_err(|_| reader.error("id too large"))?;
        if kind == Some(RENAME) {
            return Ok(Self::renaming(number, database, NewName::decode(reader)?));
        }
        let (range, targets) = decode_targets(reader)?;
        let fields = match kind {
            None => Vec::new(),
            Some(FIELDS) => decode_fields(reader)?,
            Some(_) => return Err(reader.error("unknown kind of tombstone")),
        };
        Ok(Self { number, database, range, targets, fields, rename: None })
    }

    /// The series of a file that it names, ascending.
    fn slots(&self, index: &FileIndex) -> Result<Vec<Range<u32>>, DecodeError> {
        let mut slots: Vec<Range<u32>> = Vec::new();
        if let Some(keys) = index.renamed_keys() {
            let named = |key: &[u8]| {
                SeriesKey::from_canonical(key).is_some_and(|key| {
                    self.targets.iter().any(|target| {
                        key.measurement() == target.measurement.as_str()
                            && target.series.as_ref().is_none_or(|known| known.contains(&key))
                    })
                })
            };
            slots.extend(keys.iter().filter(|(key, _)| named(key)).map(|(_, slot)| *slot..*slot + 1));
            sort_by(&mut slots, |a, b| a.start.cmp(&b.start));
            return Ok(slots);
        }
        for target in &self.targets {
            let Some(keys) = &target.series else {
                let mut prefix = Vec::new();
                push_text(target.measurement.as_bytes(), &mut prefix);
                let (start, _) = index.seek(&prefix)?;
                // A text ends with 00: what begins with it lies before the same with 01 there.
                *prefix.last_mut().expect("a text is closed") += 1;
                slots.push(start..index.seek(&prefix)?.0);
                continue;
            };
            for key in keys {
                if let Some(slot) = index.find(key.as_bytes())? {
                    slots.push(slot..slot + 1);
                }
            }
        }
        slots.retain(|slots| !slots.is_empty());
        sort_by(&mut slots, |a, b| a.start.cmp(&b.start));
        Ok(slots)
    }
}

/// What of one file is deleted: slots, ranges of time, fields.
#[derive(Clone, Debug, Default)]
pub struct Deleted {
    marks: Vec<Mark>,
}

#[derive(Clone, Debug)]
struct Mark {
    range: TimeRange,
    /// Ascending, not overlapping.
    slots: Arc<[Range<u32>]>,
    /// Numbers in the file's field table; empty: whole points.
    fields: Arc<[u32]>,
}

impl Mark {
    fn holds(&self, slot: u32) -> bool {
        let at = self.slots.partition_point(|slots| slots.end <= slot);
        self.slots.get(at).is_some_and(|slots| slots.contains(&slot))
    }
}

/// Ranges of time in which nothing is left: ascending, apart from each other.
pub type Cuts = SmallVec<[TimeRange; 1]>;

/// Fields by number in the file's field table, and when their values are deleted.
pub type Masks = Vec<(u32, Cuts)>;

impl Deleted {
    pub fn is_empty(&self) -> bool {
        self.marks.is_empty()
    }

    /// What tombstones, in their order, say of a file, whose index gets the names they give. Those that say nothing leave
    /// no trace.
    pub fn of<'a>(tombstones: impl Iterator<Item = &'a Tombstone>, index: &mut FileIndex) -> Result<Self, DecodeError> {
        let mut deleted = Self::default();
        for tombstone in tombstones {
            match &tombstone.rename {
                Some(name) => drop(index.rename(name)?),
                None => drop(deleted.add(tombstone, index)?),
            }
        }
        Ok(deleted)
    }

    /// `false` when the file has nothing of it.
    pub fn add(&mut self, tombstone: &Tombstone, index: &FileIndex) -> Result<bool, DecodeError> {
        if !tombstone.range.overlaps(index.footer().times) {
            return Ok(false);
        }
        let slots = tombstone.slots(index)?;
        if slots.is_empty() {
            return Ok(false);
        }
        let mut fields = Vec::new();
        if !tombstone.fields.is_empty() {
            let named = |field: &Field| {
                tombstone.fields.contains(&field.name)
                    && tombstone.targets.iter().any(|target| target.measurement == field.measurement)
            };
            fields.extend(
                (0..).zip(index.fields()).filter(|(_, field)| named(field)).map(|(number, _): (u32, _)| number),
            );
            if fields.is_empty() {
                return Ok(false);
            }
        }
        self.marks.push(Mark { range: tombstone.range, slots: slots.into(), fields: fields.into() });
        Ok(true)
    }

    /// When the points of a series are deleted.
    pub fn cuts(&self, slot: u32) -> Cuts {
        let mut cuts = Cuts::new();
        for mark in self.marks.iter().filter(|mark| mark.fields.is_empty() && mark.holds(slot)) {
            add_cut(&mut cuts, mark.range);
        }
        cuts
    }

    /// When values of single fields of a series are deleted.
    pub fn masks(&self, slot: u32) -> Masks {
        let mut masks = Masks::new();
        for mark in self.marks.iter().filter(|mark| !mark.fields.is_empty() && mark.holds(slot)) {
            for field in mark.fields.iter() {
                let at = masks.iter().position(|(known, _)| known == field).unwrap_or_else(|| {
                    masks.push((*field, Cuts::new()));
                    masks.len() - 1
                });
                add_cut(&mut masks[at].1, mark.range);
            }
        }
        masks
    }
}

/// What a mask leaves of the values of a block, and where it hides some; `None` when it hides all.
pub fn mask_of<'a>(masks: &'a [(u32, Cuts)], column: &ColumnEntry) -> Option<&'a [TimeRange]> {
    let Some((_, cuts)) = masks.iter().find(|(field, _)| *field == column.field) else { return Some(&[]) };
    let extent = TimeRange::new(column.first_time, column.last_time);
    if cuts.iter().any(|cut| cut.covers(extent)) { None } else { Some(cuts) }
}

/// Values without those at times that are cut.
pub fn masked(column: &Column, times: &[i64], cuts: &[TimeRange]) -> Column {
    let mut kept = Column::new(column.field_type());
    for (row, time) in times.iter().enumerate() {
        let cut = cuts.iter().any(|cut| cut.contains(*time));
        kept.push(if cut { None } else { column.get(row) });
    }
    kept
}

/// Adds a range to those that are there.
fn add_cut(cuts: &mut Cuts, mut range: TimeRange) {
    cuts.retain(|cut| {
        let touches = cut.min <= range.max.saturating_add(1) && range.min <= cut.max.saturating_add(1);
        if touches {
            range = TimeRange::new(cut.min.min(range.min), cut.max.max(range.max));
        }
        !touches
    });
    let at = cuts.iter().take_while(|cut| cut.max < range.min).count();
    cuts.insert(at, range);
}

/// The cuts that reach into a range; `None` when one covers it.
pub fn cuts_in(cuts: &[TimeRange], range: TimeRange) -> Option<Cuts> {
    if cuts.iter().any(|cut| cut.covers(range)) {
        return None;
    }
    Some(cuts.iter().copied().filter(|cut| cut.overlaps(range)).collect())
}

/// The cuts that reach into a block; `None` when nothing of it is left.
pub fn left_of(cuts: &[TimeRange], masks: &[(u32, Cuts)], entry: &BlockEntry) -> Option<Cuts> {
    let cuts = cuts_in(cuts, entry.time_range())?;
    let left = |column: &ColumnEntry| {
        let extent = TimeRange::new(column.first_time, column.last_time);
        mask_of(masks, column).is_some() && cuts_in(&cuts, extent).is_some()
    };
    let any = masks.is_empty() || entry.columns.iter().any(left);
    any.then_some(cuts)
}

/// The rows whose times are not cut, of times that ascend or not.
pub fn uncut(cuts: &[TimeRange], times: &[i64]) -> Vec<u32> {
    let cut = |time: i64| cuts.iter().any(|cut| cut.contains(time));
    (0..).zip(times).filter(|(_, time)| !cut(**time)).map(|(row, _)| row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_grow_together() {
        let mut cuts = Cuts::new();
        for (min, max) in [(10, 20), (40, 50), (0, 3), (21, 30), (4, 4)] {
            add_cut(&mut cuts, TimeRange::new(min, max));
        }
        let range = TimeRange::new;
        assert_eq!(cuts.as_slice(), [range(0, 4), range(10, 30), range(40, 50)]);
        assert_eq!(cuts_in(&cuts, range(12, 30)), None);
        assert_eq!(cuts_in(&cuts, range(5, 9)).unwrap().as_slice(), []);
        assert_eq!(cuts_in(&cuts, range(30, 39)).unwrap().as_slice(), [range(10, 30)]);
        add_cut(&mut cuts, TimeRange::ALL);
        assert_eq!(cuts.as_slice(), [TimeRange::ALL]);
        add_cut(&mut cuts, range(i64::MIN, i64::MAX));
        assert_eq!(cuts.as_slice(), [range(i64::MIN, i64::MAX)]);
        assert_eq!(uncut(&[range(2, 3)], &[1, 3, 2, 4]), [0, 3]);
    }
}
