//! Rows that have a value: `None` stands for all of them, as in a column.

use std::ops::Range;

use super::runs;
use crate::model::column::Bitmap;

pub fn count_present(present: Option<&Bitmap>, rows: Range<usize>) -> usize {
    present.map_or_else(|| rows.len(), |map| map.count_ones_in(rows.start, rows.end))
}

/// The first of `rows` that has a value.
pub fn first_present(present: Option<&Bitmap>, rows: Range<usize>) -> Option<usize> {
    let Some(map) = present else { return (!rows.is_empty()).then_some(rows.start) };
    let mut at = rows.start;
    while at < rows.end {
        let word = map.words()[at / 64] >> (at % 64);
        if word != 0 {
            return Some(at + word.trailing_zeros() as usize).filter(|row| *row < rows.end);
        }
        at = (at / 64 + 1) * 64;
    }
    None
}

/// The last of `rows` that has a value.
pub fn last_present(present: Option<&Bitmap>, rows: Range<usize>) -> Option<usize> {
    let Some(map) = present else { return (!rows.is_empty()).then(|| rows.end - 1) };
    let mut end = rows.end;
    while end > rows.start {
        let at = end - 1;
        let word = map.words()[at / 64] << (63 - at % 64);
        if word != 0 {
            return at.checked_sub(word.leading_zeros() as usize).filter(|row| *row >= rows.start);
        }
        end = at / 64 * 64;
    }
    None
}

/// The values of present rows, in `into`, which is cleared first.
pub fn squeeze<T: Copy>(values: &[T], present: &Bitmap, into: &mut Vec<T>) {
    into.clear();
    into.reserve(present.count_ones());
    for (values, &word) in values.chunks(64).zip(present.words()) {
        if word == u64::MAX {
            into.extend_from_slice(values);
            continue;
        }
        let mut left = word;
        while left != 0 {
            into.push(values[left.trailing_zeros() as usize]);
            left &= left - 1;
        }
    }
}

/// Where the runs of `ends` end after [`squeeze`], in `into`, which is cleared first. Runs may become empty.
pub fn squeeze_ends(ends: &[u32], present: &Bitmap, into: &mut Vec<u32>) {
    into.clear();
    let mut end = 0;
    into.extend(runs(ends).map(|rows| {
        end += present.count_ones_in(rows.start, rows.end) as u32;
        end
    }));
}
