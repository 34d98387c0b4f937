//! Normal forms of names and tags, worked out once and kept beside what they are of.
//!
//! ```text
//! a shard's fields       names that are not their own normal form ─► measurement, field       Irregular
//! a measurement's index  tag in normal form ─► series with it;  series ─► its tags            Forms
//! ```
//!
//! A series is a number here: its place in the order of keys.

use super::ast::{Condition, Scope, Tag};
use super::names::{self, SEPARATOR};
use super::sources::{FIELD, fits};
use crate::hash::{Map, Set};
use crate::index::MeasurementIndex;
use crate::model::SeriesKey;
use crate::store::snapshot::{Fields, Shard};
use smallvec::SmallVec;
use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

/// A tag in normal form: key and value. No value is a bare tag.
pub(super) type NormalTag = (String, Option<String>);

/// Fields whose metric's name had to be changed, by that name: (measurement, field). What is normal is looked up instead.
pub(super) type Irregular = Map<String, Vec<(String, String)>>;

/// Those of a shard.
pub(super) fn irregular(shard: &Shard) -> Arc<Irregular> {
    shard.fields.memo().get_or_make(|| find_irregular(&shard.fields))
}

fn find_irregular(fields: &Fields) -> Irregular {
    let mut found = Irregular::default();
    let mut joined = String::new();
    let mut add = |name: &str, measurement: &str, field: &str| {
        if let Some(normal) = names::metric(name) {
            found.entry(normal.into_owned()).or_default().push((measurement.to_owned(), field.to_owned()));
        }
    };
    for (measurement, known) in fields.iter() {
        for field in known.keys() {
            if field == FIELD && !names::is_metric(measurement) {
                add(measurement, measurement, field);
            }
            joined.clear();
            joined.extend([measurement, ".", field]);
            if !names::is_metric(&joined) {
                add(&joined, measurement, field);
            }
        }
    }
    found
}

/// The tags of a measurement's series in normal form, both ways.
#[derive(Debug)]
pub(super) struct Forms {
    /// Ascending, each once.
    tags: Vec<NormalTag>,
    keys: Vec<SeriesKey>,
    /// Places in `tags` of each series, ascending.
    of_series: Lists,
    /// Series of each tag, ascending.
    of_tag: Lists,
    /// No two series have the same tags.
    pub(super) distinct: bool,
}

/// Lists of numbers, one after the other.
#[derive(Debug)]
struct Lists {
    begins: Vec<u32>,
    numbers: Vec<u32>,
}

impl Lists {
    fn get(&self, at: usize) -> &[u32] {
        &self.numbers[self.begins[at] as usize..self.begins[at + 1] as usize]
    }

    /// For each of `count` numbers the lists that it is in.
    fn inverted(&self, count: usize) -> Self {
        let mut begins = vec![0_u32; count + 1];
        self.numbers.iter().for_each(|number| begins[*number as usize + 1] += 1);
        for at in 0..count {
            begins[at + 1] += begins[at];
        }
        let (mut next, mut numbers) = (begins.clone(), vec![0; self.numbers.len()]);
        for list in 0..self.begins.len() - 1 {
            for number in self.get(list) {
                numbers[next[*number as usize] as usize] = list as u32;
                next[*number as usize] += 1;
            }
        }
        Self { begins, numbers }
    }
}

/// The normal tags of a stored tag.
fn normal(key: &str, value: &str) -> SmallVec<[NormalTag; 1]> {
    let Some(key) = names::tag(key).map(Cow::into_owned) else { return SmallVec::new() };
    if !value.contains(SEPARATOR) {
        return [(key, Some(names::value(value).into_owned()))].into_iter().collect();
    }
    let part = |part| Some(names::value(part).into_owned()).filter(|part| !part.is_empty());
    value.split(SEPARATOR).map(|text| (key.clone(), part(text))).collect()
}

impl Forms {
    /// Those of a measurement.
    pub(super) fn of(index: &MeasurementIndex) -> Arc<Self> {
        index.memo().get_or_make(|| Self::new(index))
    }

    fn new(index: &MeasurementIndex) -> Self {
        // Each stored tag is made normal once, whoever has it.
        let mut known: Map<String, SmallVec<[u32; 1]>> = Map::default();
        let mut places: Map<NormalTag, u32> = Map::default();
        let (mut keys, mut begins, mut numbers) = (Vec::with_capacity(index.len()), vec![0], Vec::new());
        let mut text = String::new();
        for (_, series) in index.series() {
            for (key, value) in series.tags() {
                text.clear();
                text.extend([&*key, "\0", &*value]);
                if !known.contains_key(&text) {
                    let mut own = SmallVec::new();
                    for tag in normal(&key, &value) {
                        let next = places.len() as u32;
                        own.push(*places.entry(tag).or_insert(next));
                    }
                    known.insert(text.clone(), own);
                }
                numbers.extend(&known[&text]);
            }
            keys.push(series.clone());
            begins.push(numbers.len() as u32);
        }
        let mut tags: Vec<(NormalTag, u32)> = places.into_iter().collect();
        crate::order::sort_by(&mut tags, |a, b| a.cmp(b));
        let mut sorted = vec![0; tags.len()];
        tags.iter().enumerate().for_each(|(at, (_, place))| sorted[*place as usize] = at as u32);
        let of_series = ascending(&begins, &numbers, &sorted);
        let mut seen = Set::default();
        let distinct = (0..keys.len()).all(|at| seen.insert(of_series.get(at)));
        let of_tag = of_series.inverted(tags.len());
        Self { tags: tags.into_iter().map(|(tag, _)| tag).collect(), keys, of_series, of_tag, distinct }
    }

    pub(super) fn key(&self, series: usize) -> &SeriesKey {
        &self.keys[series]
    }

    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Ascending, each once.
    pub(super) fn tags(&self) -> &[NormalTag] {
        &self.tags
    }

    /// Places of a series' tags, ascending.
    pub(super) fn places(&self, series: usize) -> &[u32] {
        self.of_series.get(series)
    }

    /// The tags of a series, ascending.
    pub(super) fn tags_of(&self, series: usize) -> impl Iterator<Item = &NormalTag> {
        self.places(series).iter().map(|at| &self.tags[*at as usize])
    }

    /// The places of the tags of a key.
    pub(super) fn with_key(&self, key: &str) -> Range<usize> {
        let begin = self.tags.partition_point(|(own, _)| &**own < key);
        begin..begin + self.tags[begin..].partition_point(|(own, _)| own == key)
    }

    /// The series that a scope lets through.
    pub(super) fn chosen(&self, scope: &Scope) -> Chosen {
        match scope {
            Scope::All => Chosen::all(self.len()),
            Scope::Tags(wanted) => {
                let mut chosen = Chosen::all(self.len());
                for (negated, tag) in wanted {
                    let with = self.with(tag);
                    chosen.keep(&if *negated { with.inverted() } else { with });
                }
                chosen
            }
            Scope::Boolean(condition, _) => self.meeting(condition),
        }
    }

    fn meeting(&self, condition: &Condition) -> Chosen {
        match condition {
            Condition::Any => Chosen::all(self.len()),
            Condition::Tag(tag) => self.with(tag),
            Condition::Not(inner) => self.meeting(inner).inverted(),
            Condition::All(parts) => {
                let mut chosen = Chosen::all(self.len());
                parts.iter().for_each(|part| chosen.keep(&self.meeting(part)));
                chosen
            }
            Condition::Either(parts) => {
                let mut chosen = Chosen::none(self.len());
                parts.iter().for_each(|part| chosen.add(&self.meeting(part)));
                chosen
            }
        }
    }

    /// The series with a tag.
    fn with(&self, wanted: &Tag) -> Chosen {
        let mut chosen = Chosen::none(self.len());
        let of_key = self.with_key(&wanted.key);
        let mut take = |places: Range<usize>| {
            places.for_each(|place| self.of_tag.get(place).iter().for_each(|series| chosen.insert(*series as usize)));
        };
        match wanted.value.as_deref() {
            Some("*") => take(of_key),
            Some(pattern) if pattern.contains('*') => {
                let matching = |place: &usize| self.tags[*place].1.as_deref().is_some_and(|own| fits(pattern, own));
                of_key.filter(matching).for_each(|place| take(place..place + 1));
            }
            value => {
                let own = &self.tags[of_key.clone()];
                if let Ok(at) = own.binary_search_by(|(_, own)| own.as_deref().cmp(&value)) {
                    take(of_key.start + at..of_key.start + at + 1);
                }
            }
        }
        chosen
    }
}

/// Lists with other numbers, each list ascending and each number once.
fn ascending(begins: &[u32], numbers: &[u32], renamed: &[u32]) -> Lists {
    let mut lists = Lists { begins: vec![0], numbers: Vec::with_capacity(numbers.len()) };
    let mut own: SmallVec<[u32; 8]> = SmallVec::new();
    for pair in begins.windows(2) {
        own.clear();
        own.extend(numbers[pair[0] as usize..pair[1] as usize].iter().map(|number| renamed[*number as usize]));
        crate::order::sort_few(&mut own);
        own.dedup();
        lists.numbers.extend(&own);
        lists.begins.push(lists.numbers.len() as u32);
    }
    lists
}

/// Some of a number of series.
#[derive(Clone, Debug)]
pub(super) struct Chosen {
    bits: Vec<u64>,
    len: usize,
}

impl Chosen {
    fn none(len: usize) -> Self {
        Self { bits: vec![0; len.div_ceil(64)], len }
    }

    fn all(len: usize) -> Self {
        Self::none(len).inverted()
    }

    fn insert(&mut self, series: usize) {
        self.bits[series / 64] |= 1 << (series % 64);
    }

    fn inverted(mut self) -> Self {
        self.bits.iter_mut().for_each(|bits| *bits = !*bits);
        let over = self.bits.len() * 64 - self.len;
        if let Some(last) = self.bits.last_mut() {
            *last &= u64::MAX >> over;
        }
        self
    }

    fn keep(&mut self, others: &Self) {
        self.bits.iter_mut().zip(&others.bits).for_each(|(bits, others)| *bits &= others);
    }

    fn add(&mut self, others: &Self) {
        self.bits.iter_mut().zip(&others.bits).for_each(|(bits, others)| *bits |= others);
    }

    /// Ascending.
    pub(super) fn iter(&self) -> impl Iterator<Item = usize> {
        self.bits.iter().enumerate().flat_map(|(word, bits)| {
            let mut left = *bits;
            std::iter::from_fn(move || {
                let bit = left.trailing_zeros() as usize;
                left &= left.checked_sub(1)?;
                Some(word * 64 + bit)
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::datadog::parse::scope_alone;
    use crate::index::IndexWriter;

    fn forms(series: &[&[(&str, &str)]]) -> Forms {
        let mut writer = IndexWriter::default();
        for tags in series {
            writer.insert(&SeriesKey::new("m", tags));
        }
        Forms::new(writer.view().measurement("m").unwrap())
    }

    #[test]
    fn tags_come_in_normal_form() {
        let forms = forms(&[&[("Env", "Prod West"), ("role", "primary,db"), ("canary", ","), ("x", ",y")]]);
        let found: Vec<String> = forms.tags_of(0).map(|(key, value)| format!("{key}:{value:?}")).collect();
        let expected = [
            "canary:None",
            "env:Some(\"prod_west\")",
            "role:Some(\"db\")",
            "role:Some(\"primary\")",
            "x:None",
            "x:Some(\"y\")",
        ];
        assert_eq!(found, expected);
        assert_eq!(forms.with_key("role"), 2..4);
        assert_eq!(forms.with_key("none").len(), 0);
    }

    #[test]
    fn scopes_choose_series() {
        let all: Vec<Vec<(String, String)>> = (0..200)
            .map(|at| {
                let mut tags = vec![("host".to_owned(), format!("H{at:03}"))];
                if at % 3 == 0 {
                    tags.push(("role".to_owned(), "db,cache".to_owned()));
                }
                if at % 50 == 0 {
                    tags.push(("canary".to_owned(), ",".to_owned()));
                }
                tags
            })
            .collect();
        let borrowed: Vec<Vec<(&str, &str)>> =
            all.iter().map(|tags| tags.iter().map(|(key, value)| (&**key, &**value)).collect()).collect();
        let forms = forms(&borrowed.iter().map(Vec::as_slice).collect::<Vec<_>>());
        assert!(forms.distinct);
        let host =
            |series: usize| forms.tags_of(series).find_map(|(key, value)| (key == "host").then(|| value.clone()));
        let check = |scope: &str, wanted: &dyn Fn(usize) -> bool| {
            let chosen = forms.chosen(&scope_alone(scope, 100).unwrap_or_else(|error| panic!("{}", error.text)));
            let mut found: Vec<String> = chosen.iter().filter_map(|series| host(series).flatten()).collect();
            found.sort();
            let expected: Vec<String> = (0..200).filter(|at| wanted(*at)).map(|at| format!("h{at:03}")).collect();
            assert_eq!(found, expected, "{scope}");
        };
        check("*", &|_| true);
        check("host:h007", &|at| at == 7);
        check("host:h01*", &|at| (10..20).contains(&at));
        check("!role:db", &|at| at % 3 != 0);
        check("role:db,role:cache,!host:h*5", &|at| at % 3 == 0 && at % 10 != 5);
        check("canary", &|at| at % 50 == 0);
        check("canary:*", &|at| at % 50 == 0);
        check("host:h199 OR (role:* AND NOT host:h0*)", &|at| at == 199 || at % 3 == 0 && at >= 100);
        check("host NOT IN (h00*, h1*) AND role IN (cache)", &|at| at % 3 == 0 && (10..100).contains(&at));
        check("host:h200", &|_| false);
        check("nothing:here", &|_| false);
    }

    #[test]
    fn spellings_of_the_same_tags_are_told() {
        assert!(!forms(&[&[("Env", "PROD")], &[("env", "prod")]]).distinct);
        assert!(forms(&[&[], &[("env", "prod")]]).distinct);
    }
}
