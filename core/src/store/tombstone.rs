//! What was deleted and may still lie in block files.
//!
//! Memtables lose deleted points at once. A file is immutable, so a [`Tombstone`] stands beside it: tombstones count up,
//! a file knows how many there were when its points were gathered ([`BlockFile::settled`](super::snapshot::BlockFile)),
//! and those after it hold for all the points of the file. A compaction leaves out what is deleted and so settles more.
//! A tombstone goes when every file of its database has settled it.
//!
//! ```text
//! varint number, varint database id, targets (see `catalog::delete`)
//! ```

use super::blockfile::FileIndex;
use crate::catalog::Target;
use crate::catalog::delete::{decode_targets, encode_targets};
use crate::codec::DecodeError;
use crate::codec::varint::{self, Reader};
use crate::model::series::push_text;
use crate::order::sort_by;
use crate::time::TimeRange;
use smallvec::SmallVec;
use std::ops::Range;
use std::sync::Arc;

/// A delete that was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tombstone {
    /// From 1 on, one more for each delete of the store.
    pub number: u64,
    pub database: u32,
    pub range: TimeRange,
    pub targets: Vec<Target>,
}

impl Tombstone {
    pub fn encode(&self, out: &mut Vec<u8>) {
        varint::write(self.number, out);
        varint::write(u64::from(self.database), out);
        encode_targets(self.range, &self.targets, out);
    }

    pub fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let number = reader.varint("number of a tombstone")?;
        let database = reader.varint("database id")?;
        let database = u32::try_from(database).map_err(|_| reader.error("id too large"))?;
        let (range, targets) = decode_targets(reader)?;
        Ok(Self { number, database, range, targets })
    }

    /// The series of a file that it names, ascending.
    fn slots(&self, index: &FileIndex) -> Result<Vec<Range<u32>>, DecodeError> {
        let mut slots: Vec<Range<u32>> = Vec::new();
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

/// What of one file is deleted: slots and ranges of time.
#[derive(Clone, Debug, Default)]
pub struct Deleted {
    marks: Vec<Mark>,
}

#[derive(Clone, Debug)]
struct Mark {
    range: TimeRange,
    /// Ascending, not overlapping.
    slots: Arc<[Range<u32>]>,
}

/// Ranges of time in which nothing is left: ascending, apart from each other.
pub type Cuts = SmallVec<[TimeRange; 1]>;

impl Deleted {
    pub fn is_empty(&self) -> bool {
        self.marks.is_empty()
    }

    /// What tombstones say of a file. Those that say nothing leave no trace.
    pub fn of<'a>(tombstones: impl Iterator<Item = &'a Tombstone>, index: &FileIndex) -> Result<Self, DecodeError> {
        let mut deleted = Self::default();
        for tombstone in tombstones {
            deleted.add(tombstone, index)?;
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
        self.marks.push(Mark { range: tombstone.range, slots: slots.into() });
        Ok(true)
    }

    /// When the points of a series are deleted.
    pub fn cuts(&self, slot: u32) -> Cuts {
        let mut cuts = Cuts::new();
        for mark in &self.marks {
            let at = mark.slots.partition_point(|slots| slots.end <= slot);
            if mark.slots.get(at).is_some_and(|slots| slots.contains(&slot)) {
                add_cut(&mut cuts, mark.range);
            }
        }
        cuts
    }
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
