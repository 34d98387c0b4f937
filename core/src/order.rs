//! Sorting with little code: one sort of places serves items of all types.

use std::cmp::Ordering;

/// Sorts places by what is there. Stable.
pub fn sort(places: &mut [u32], compare: &mut dyn FnMut(u32, u32) -> Ordering) {
    places.sort_by(|a, b| compare(*a, *b));
}

/// Sorts items, fewer than 2^32. Stable.
pub fn sort_by<T>(items: &mut [T], compare: impl Fn(&T, &T) -> Ordering) {
    let mut places: Vec<u32> = (0..items.len() as u32).collect();
    sort(&mut places, &mut |a, b| compare(&items[a as usize], &items[b as usize]));
    // Cycle by cycle, every item goes to where it belongs.
    for start in 0..places.len() {
        let mut at = start;
        loop {
            let from = std::mem::replace(&mut places[at], at as u32) as usize;
            if from == start {
                break;
            }
            items.swap(at, from);
            at = from;
        }
    }
}

/// Sorts items and drops all but the first of equal ones.
pub fn sort_dedup<T: Ord>(items: &mut Vec<T>) {
    sort_by(items, T::cmp);
    items.dedup();
}

/// Sorts a few items, by insertion. Stable.
pub fn sort_few<T: Ord>(items: &mut [T]) {
    for end in 1..items.len() {
        let mut at = end;
        while at > 0 && items[at] < items[at - 1] {
            items.swap(at, at - 1);
            at -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn all_sort_as_the_standard_library_does(items in prop::collection::vec((0..40_u8, any::<u16>()), 0..200)) {
            let mut expected = items.clone();
            expected.sort_by_key(|(key, _)| *key);
            let mut sorted = items.clone();
            sort_by(&mut sorted, |a, b| a.0.cmp(&b.0));
            prop_assert_eq!(&sorted, &expected);
            expected.sort();
            let mut few = items.clone();
            sort_few(&mut few);
            prop_assert_eq!(&few, &expected);
            expected.dedup();
            let mut unique = items;
            sort_dedup(&mut unique);
            prop_assert_eq!(unique, expected);
        }
    }
}
