//! How a metric's name stands for fields of measurements, and a source's tags for those of series.
//!
//! | Datadog | here |
//! |---|---|
//! | metric `N` | field `value` of measurement `N`, and for each dot of `N` the field after it of the measurement before it; both in normal form |
//! | a tag | the tag of the same key, both in normal form; several values of a key are one value, joined by `,` |
//! | a bare tag | a part without text of such a value: alone it is stored as `,` |
//! | a source | the series of one set of normal tags |
//!
//! Only numbers and booleans (1 and 0) are seen. Names that are their own normal form are looked up in the fields; the
//! others, and tags, in what `forms` keeps of them.

use super::ast::Scope;
use super::forms::{self, Forms, NormalTag};
use super::names;
use crate::hash::Map;
use crate::model::SeriesKey;
use crate::sorted::{SortedMap, SortedSet};
use crate::store::Snapshot;
use crate::store::snapshot::{Database, Policy};
use crate::time::TimeRange;
use crate::value::FieldType;
use smallvec::{SmallVec, smallvec};
use std::ops::Range;
use std::sync::Arc;

pub(super) const FIELD: &str = "value";
/// The group of sources that lack a key.
pub(super) const NO_VALUE: &str = "N/A";

/// A field of a measurement that a metric's name stands for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) measurement: String,
    pub(super) field: String,
    pub(super) boolean: bool,
}

/// A source: its tags, and its series as (place, key), in the order in which the later wins.
#[derive(Clone, Debug)]
pub(super) struct Source {
    /// Whose series has its tags, and which one it is.
    form: usize,
    at: usize,
    pub(super) series: SmallVec<[(usize, SeriesKey); 1]>,
}

/// Some sources, and what their tags are looked up in.
#[derive(Debug, Default)]
pub(super) struct Sources {
    list: Vec<Source>,
    forms: Vec<Arc<Forms>>,
}

/// For each key of a group the place of its tag.
type Combination = SmallVec<[u32; 4]>;

/// The place of a tag that a source lacks.
const NO_PLACE: u32 = u32::MAX;

/// The data that a request may see.
pub(super) fn data<'a>(snapshot: &'a Snapshot, database: &str) -> Option<(&'a Database, &'a Policy)> {
    let database = snapshot.database(database)?;
    Some((database, database.policy(None)?))
}

/// The fields of a metric's name, in byte order of (measurement, field).
pub(super) fn places(policy: &Policy, metric: &str) -> Vec<Place> {
    let mut found = SortedSet::new();
    let mut add = |measurement: &str, field: &str| {
        if let Some(boolean) = visible(policy, measurement, field) {
            found.insert(Place { measurement: measurement.to_owned(), field: field.to_owned(), boolean }, ());
        }
    };
    add(metric, FIELD);
    for (dot, _) in metric.match_indices('.') {
        add(&metric[..dot], &metric[dot + 1..]);
    }
    for shard in &policy.shards {
        if let Some(others) = forms::irregular(shard).get(metric) {
            others.iter().for_each(|(measurement, field)| add(measurement, field));
        }
    }
    found.into_iter().map(|(place, ())| place).collect()
}

/// Whether a field can be seen, and if so whether it is a boolean.
fn visible(policy: &Policy, measurement: &str, field: &str) -> Option<bool> {
    let types = policy.field_types(measurement, field, TimeRange::ALL);
    if types.iter().any(|field_type| field_type.is_number()) {
        return Some(false);
    }
    types.contains(&FieldType::Boolean).then_some(true)
}

fn fields(policy: &Policy, measurement: &str) -> Vec<String> {
    let mut fields = SortedSet::new();
    for shard in &policy.shards {
        if let Some(known) = shard.fields.get(measurement) {
            fields.extend(known.keys().map(|field| (field.clone(), ())));
        }
    }
    fields.into_iter().map(|(field, ())| field).collect()
}

/// Every metric there is, by name.
pub(super) fn metrics(database: &Database, policy: &Policy) -> SortedMap<String, Vec<Place>> {
    let mut metrics: SortedMap<String, Vec<Place>> = SortedMap::new();
    for (measurement, _) in database.index.measurements() {
        for field in fields(policy, measurement) {
            let Some(boolean) = visible(policy, measurement, &field) else { continue };
            let joined = if field == FIELD { measurement.to_string() } else { format!("{measurement}.{field}") };
            if let Some(name) = names::metric(&joined) {
                let place = Place { measurement: measurement.to_string(), field, boolean };
                metrics.or_default(name.into_owned()).push(place);
            }
        }
    }
    metrics
}

/// The sources of some places that a scope lets through.
pub(super) fn find(database: &Database, places: &[Place], scope: &Scope) -> Sources {
    let mut sources = Sources::default();
    for (at, place) in places.iter().enumerate() {
        let Some(index) = database.index.measurement(&place.measurement) else { continue };
        let forms = Forms::of(index);
        let form = sources.forms.len();
        for at_series in forms.chosen(scope).iter() {
            let series = smallvec![(at, forms.key(at_series).clone())];
            sources.list.push(Source { form, at: at_series, series });
        }
        sources.forms.push(forms);
    }
    match &sources.forms[..] {
        [] => sources,
        [only] if only.distinct => sources,
        _ => sources.merged(),
    }
}

impl Sources {
    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = &Source> {
        self.list.iter()
    }

    /// Series with the same tags put together as one source.
    fn merged(mut self) -> Self {
        let mut by_tags: SortedMap<Vec<&NormalTag>, Source> = SortedMap::new();
        for source in std::mem::take(&mut self.list) {
            let tags: Vec<&NormalTag> = self.forms[source.form].tags_of(source.at).collect();
            match by_tags.get_mut(&tags) {
                Some(known) => known.series.extend(source.series),
                None => drop(by_tags.insert(tags, source)),
            }
        }
        let list = by_tags.into_iter().map(|(_, source)| source).collect();
        Self { list, ..self }
    }

    /// The sources of each group, groups by their values: for each key a value of the source, in every combination.
    pub(super) fn groups(&self, keys: &[String]) -> SortedMap<Vec<(String, String)>, Vec<u32>> {
        // Groups are told by places of tags, so that there is a text only once a group.
        let of_keys: Vec<Vec<Range<usize>>> =
            self.forms.iter().map(|forms| keys.iter().map(|key| forms.with_key(key)).collect()).collect();
        let mut members: Map<(usize, Combination), Vec<u32>> = Map::default();
        let mut combinations: Vec<Combination> = Vec::new();
        for (number, source) in self.list.iter().enumerate() {
            combinations.clear();
            combinations.push(Combination::new());
            for range in &of_keys[source.form] {
                let own =
                    self.forms[source.form].places(source.at).iter().filter(|at| range.contains(&(**at as usize)));
                let mut values: Combination = own.copied().collect();
                if values.is_empty() {
                    values.push(NO_PLACE);
                }
                let of_value =
                    |value: u32| combinations.iter().map(move |before| before.iter().copied().chain([value]).collect());
                combinations = values.iter().flat_map(|value| of_value(*value)).collect();
            }
            for combination in combinations.drain(..) {
                members.entry((source.form, combination)).or_default().push(number as u32);
            }
        }
        let mut groups: SortedMap<Vec<(String, String)>, Vec<u32>> = SortedMap::new();
        for ((form, combination), members) in members {
            let tags = self.forms[form].tags();
            let value = |at: u32| match tags.get(at as usize) {
                Some((key, value)) => value.as_deref().unwrap_or(key),
                None => NO_VALUE,
            };
            let group = keys.iter().zip(combination).map(|(key, at)| (key.clone(), value(at).to_owned()));
            groups.or_default(group.collect()).extend(members);
        }
        groups.values_mut().for_each(crate::order::sort_dedup);
        groups
    }
}

/// `*` is any run of characters.
pub(super) fn fits(pattern: &str, text: &str) -> bool {
    let Some((begin, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut left) = text.strip_prefix(begin) else { return false };
    let mut parts = rest.split('*').peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return left.ends_with(part);
        }
        match left.find(part) {
            Some(at) => left = &left[at + part.len()..],
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_any_run() {
        for (pattern, text, expected) in [
            ("web-*", "web-1", true),
            ("web-*", "web-", true),
            ("*-1a", "us-1a", true),
            ("*s-1*", "us-1b", true),
            ("a*b", "ab", true),
            ("a*b", "a", false),
            ("a*b*c", "axxbyyc", true),
            ("a*b*b", "ab", false),
            ("*", "", true),
            ("a", "ab", false),
        ] {
            assert_eq!(fits(pattern, text), expected, "{pattern} {text}");
        }
    }
}
