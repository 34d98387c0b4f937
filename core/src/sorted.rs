//! A map in the order of its keys: pages of entries, found by binary search.
//!
//! One level of pages instead of a tree: little code for each type of key and value, entries side by side in memory,
//! and an insertion moves at most one page and, rarely, the list of pages.

use std::borrow::Borrow;
use std::cmp::Ordering;

/// Entries of a page at most.
const PAGE: usize = 256;

/// A map that iterates in the order of its keys. Takes `O(log n)` to find, about that to insert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SortedMap<K, V> {
    /// None is empty; all keys of one are below those of the next.
    pages: Vec<Vec<(K, V)>>,
    len: usize,
}

/// A set that iterates in order.
pub type SortedSet<K> = SortedMap<K, ()>;

/// Where a key is, or would be.
struct Place {
    page: usize,
    at: usize,
    found: bool,
}

/// Where of `len` ascending places the one is that is equal, or else how many are less: one search for all types.
fn search(len: usize, compare: &dyn Fn(usize) -> Ordering) -> Result<usize, usize> {
    let (mut from, mut to) = (0, len);
    while from < to {
        let middle = from.midpoint(to);
        match compare(middle) {
            Ordering::Less => from = middle + 1,
            Ordering::Equal => return Ok(middle),
            Ordering::Greater => to = middle,
        }
    }
    Err(from)
}

impl<K, V> Default for SortedMap<K, V> {
    fn default() -> Self {
        Self { pages: Vec::new(), len: 0 }
    }
}

impl<K: Ord, V> SortedMap<K, V> {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let place = self.place(key);
        if place.found { Some(&self.pages[place.page][place.at].1) } else { None }
    }

    pub fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let place = self.place(key);
        if place.found { Some(&mut self.pages[place.page][place.at].1) } else { None }
    }

    pub fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.place(key).found
    }

    /// Sets the value of a key and gives the one it had.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        let place = self.place(&key);
        if place.found {
            return Some(std::mem::replace(&mut self.pages[place.page][place.at].1, value));
        }
        self.put(place, key, value);
        None
    }

    /// The value of a key, made when it has none.
    pub fn or_insert_with(&mut self, key: K, make: impl FnOnce() -> V) -> &mut V {
        let mut place = self.place(&key);
        if !place.found {
            place = self.put(place, key, make());
        }
        &mut self.pages[place.page][place.at].1
    }

    /// The value of a key, the default when it has none.
    pub fn or_default(&mut self, key: K) -> &mut V
    where
        V: Default,
    {
        self.or_insert_with(key, V::default)
    }

    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let Place { page, at, found } = self.place(key);
        if !found {
            return None;
        }
        let (_, value) = self.pages[page].remove(at);
        if self.pages[page].is_empty() {
            self.pages.remove(page);
        }
        self.len -= 1;
        Some(value)
    }

    pub fn retain(&mut self, mut keep: impl FnMut(&K, &mut V) -> bool) {
        for page in &mut self.pages {
            page.retain_mut(|(key, value)| keep(key, value));
        }
        self.pages.retain(|page| !page.is_empty());
        self.len = self.pages.iter().map(Vec::len).sum();
    }

    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&K, &V)> + Clone {
        self.pages.iter().flatten().map(|(key, value)| (key, value))
    }

    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &K> + Clone {
        self.pages.iter().flatten().map(|(key, _)| key)
    }

    pub fn values(&self) -> impl DoubleEndedIterator<Item = &V> + Clone {
        self.pages.iter().flatten().map(|(_, value)| value)
    }

    pub fn iter_mut(&mut self) -> impl DoubleEndedIterator<Item = (&K, &mut V)> {
        self.pages.iter_mut().flatten().map(|(key, value)| (&*key, value))
    }

    pub fn values_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut V> {
        self.pages.iter_mut().flatten().map(|(_, value)| value)
    }

    fn place<Q: Ord + ?Sized>(&self, key: &Q) -> Place
    where
        K: Borrow<Q>,
    {
        // The last page that does not begin beyond the key.
        let page = match search(self.pages.len(), &|page| self.pages[page][0].0.borrow().cmp(key)) {
            Ok(page) => return Place { page, at: 0, found: true },
            Err(page) => page.saturating_sub(1),
        };
        let Some(entries) = self.pages.get(page) else { return Place { page: 0, at: 0, found: false } };
        match search(entries.len(), &|at| entries[at].0.borrow().cmp(key)) {
            Ok(at) => Place { page, at, found: true },
            Err(at) => Place { page, at, found: false },
        }
    }

    /// Inserts at a place where no such key was found.
    fn put(&mut self, place: Place, key: K, value: V) -> Place {
        let Place { mut page, mut at, .. } = place;
        match self.pages.get_mut(page) {
            None => self.pages.push(Vec::new()),
            Some(full) if full.len() == PAGE => {
                // Behind the last key a page begins empty, so that keys that come in order fill all pages.
                let middle = if at == PAGE && page + 1 == self.pages.len() { PAGE } else { PAGE / 2 };
                let rest = self.pages[page].split_off(middle);
                self.pages.insert(page + 1, rest);
                if at >= middle {
                    (page, at) = (page + 1, at - middle);
                }
            }
            Some(_) => {}
        }
        self.pages[page].insert(at, (key, value));
        self.len += 1;
        Place { page, at, found: true }
    }
}

impl<K, V> IntoIterator for SortedMap<K, V> {
    type Item = (K, V);
    type IntoIter = std::iter::Flatten<std::vec::IntoIter<Vec<(K, V)>>>;

    fn into_iter(self) -> Self::IntoIter {
        self.pages.into_iter().flatten()
    }
}

impl<K: Ord, V> FromIterator<(K, V)> for SortedMap<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut map = Self::new();
        map.extend(entries);
        map
    }
}

impl<K: Ord, V> Extend<(K, V)> for SortedMap<K, V> {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, entries: I) {
        for (key, value) in entries {
            self.insert(key, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn check(map: &SortedMap<u16, u32>, model: &BTreeMap<u16, u32>) {
        assert!(map.iter().eq(model));
        assert!(map.iter().rev().eq(model.iter().rev()));
        assert_eq!((map.len(), map.is_empty()), (model.len(), model.is_empty()));
        assert!(map.pages.iter().all(|page| (1..=PAGE).contains(&page.len())));
    }

    #[test]
    fn keys_that_come_in_order_fill_pages() {
        let map: SortedMap<u16, u32> = (0..1000).map(|key| (key, 0)).collect();
        assert_eq!(map.pages.iter().map(Vec::len).collect::<Vec<_>>(), [256, 256, 256, 232]);
    }

    proptest! {
        #[test]
        fn does_as_a_tree_does(steps in prop::collection::vec((0..5_u8, 0..1500_u16), 0..3000)) {
            let (mut map, mut model) = (SortedMap::new(), BTreeMap::new());
            for (number, (step, key)) in (0_u32..).zip(steps) {
                match step {
                    0 => prop_assert_eq!(map.remove(&key), model.remove(&key)),
                    1 => {
                        *map.or_insert_with(key, || number) += 1;
                        *model.entry(key).or_insert(number) += 1;
                    }
                    _ => prop_assert_eq!(map.insert(key, number), model.insert(key, number)),
                }
                prop_assert_eq!(map.get(&(key / 2)), model.get(&(key / 2)));
            }
            check(&map, &model);
            map.retain(|key, _| key % 3 == 0 || *key > 700);
            model.retain(|key, _| key % 3 == 0 || *key > 700);
            check(&map, &model);
            prop_assert!(map.into_iter().eq(model));
        }
    }
}
