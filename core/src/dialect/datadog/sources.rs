//! How a metric's name stands for fields of measurements, and a source's tags for those of series.
//!
//! | Datadog | here |
//! |---|---|
//! | metric `N` | field `value` of measurement `N`, and for each dot of `N` the field after it of the measurement before it; both in normal form |
//! | a tag | the tag of the same key, both in normal form; several values of a key are one value, joined by `,` |
//! | a bare tag | a part without text of such a value: alone it is stored as `,` |
//! | a source | the series of one set of normal tags |
//!
//! Only numbers and booleans (1 and 0) are seen. Names that are their own normal form are looked up; only the others are
//! gone through.

use super::ast::{Condition, Scope, Tag};
use super::names::{self, SEPARATOR};
use crate::model::SeriesKey;
use crate::sorted::{SortedMap, SortedSet};
use crate::store::Snapshot;
use crate::store::snapshot::{Database, Policy};
use crate::time::TimeRange;
use crate::value::FieldType;
use std::borrow::Cow;

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

/// The tags of a source: key and value, sorted, each pair once. No value is a bare tag.
pub(super) type TagSet = Vec<(String, Option<String>)>;

/// A source: its tags, and its series as (place, key), in the order in which the later wins.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) tags: TagSet,
    pub(super) series: Vec<(usize, SeriesKey)>,
}

/// The data that a request may see.
pub(super) fn data<'a>(snapshot: &'a Snapshot, database: &str) -> Option<(&'a Database, &'a Policy)> {
    let database = snapshot.database(database)?;
    Some((database, database.policy(None)?))
}

/// The fields of a metric's name, in byte order of (measurement, field).
pub(super) fn places(database: &Database, policy: &Policy, metric: &str) -> Vec<Place> {
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
    for (name, _) in database.index.measurements() {
        let normal = names::is_metric(name);
        if normal && !(metric.len() > name.len() && metric.starts_with(&**name)) {
            continue;
        }
        for field in fields(policy, name) {
            let joined = format!("{name}.{field}");
            // What is normal was looked up.
            if normal && names::is_metric(&joined) {
                continue;
            }
            let alone = field == FIELD && names::metric(name).as_deref() == Some(metric);
            if alone || names::metric(&joined).as_deref() == Some(metric) {
                add(name, &field);
            }
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

/// The tags of a series in normal form.
pub(super) fn tags_of(key: &SeriesKey) -> TagSet {
    let mut tags = Vec::new();
    for (name, value) in key.tags() {
        let Some(name) = names::tag(&name).map(Cow::into_owned) else { continue };
        if !value.contains(SEPARATOR) {
            tags.push((name, Some(names::value(&value).into_owned())));
            continue;
        }
        for part in value.split(SEPARATOR) {
            let part = Some(names::value(part).into_owned()).filter(|part| !part.is_empty());
            tags.push((name.clone(), part));
        }
    }
    if tags.windows(2).any(|pair| pair[0] >= pair[1]) {
        crate::order::sort_dedup(&mut tags);
    }
    tags
}

/// The sources of some places that a scope lets through, by tags.
pub(super) fn find(database: &Database, places: &[Place], scope: &Scope) -> Vec<Source> {
    let mut sources: SortedMap<TagSet, Vec<(usize, SeriesKey)>> = SortedMap::new();
    for (at, place) in places.iter().enumerate() {
        let Some(index) = database.index.measurement(&place.measurement) else { continue };
        for (_, key) in index.series() {
            let tags = tags_of(key);
            if holds(scope, &tags) {
                sources.or_default(tags).push((at, key.clone()));
            }
        }
    }
    sources.into_iter().map(|(tags, series)| Source { tags, series }).collect()
}

/// Whether a source is in a scope.
pub(super) fn holds(scope: &Scope, tags: &TagSet) -> bool {
    match scope {
        Scope::All => true,
        Scope::Tags(wanted) => wanted.iter().all(|(negated, tag)| has(tags, tag) != *negated),
        Scope::Boolean(condition, _) => meets(condition, tags),
    }
}

fn meets(condition: &Condition, tags: &TagSet) -> bool {
    match condition {
        Condition::Any => true,
        Condition::Tag(tag) => has(tags, tag),
        Condition::Not(inner) => !meets(inner, tags),
        Condition::All(parts) => parts.iter().all(|part| meets(part, tags)),
        Condition::Either(parts) => parts.iter().any(|part| meets(part, tags)),
    }
}

fn has(tags: &TagSet, wanted: &Tag) -> bool {
    let mut of_key = tags.iter().filter(|(key, _)| *key == wanted.key);
    match &wanted.value {
        None => of_key.any(|(_, value)| value.is_none()),
        Some(pattern) if pattern == "*" => of_key.next().is_some(),
        Some(pattern) => of_key.any(|(_, value)| value.as_deref().is_some_and(|value| fits(pattern, value))),
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

/// The values of each key, in every combination: the groups that a source is in.
pub(super) fn groups_of(tags: &TagSet, keys: &[String]) -> Vec<Vec<(String, String)>> {
    let mut groups: Vec<Vec<(String, String)>> = vec![Vec::with_capacity(keys.len())];
    for key in keys {
        let mut values: Vec<&str> = Vec::new();
        for (name, value) in tags {
            if name == key {
                values.push(value.as_deref().unwrap_or(name));
            }
        }
        if values.is_empty() {
            values.push(NO_VALUE);
        }
        let mut next = Vec::with_capacity(groups.len() * values.len());
        for group in &groups {
            for value in &values {
                let mut group = group.clone();
                group.push((key.clone(), (*value).to_owned()));
                next.push(group);
            }
        }
        groups = next;
    }
    groups
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

    #[test]
    fn tags_come_in_normal_form() {
        let key = SeriesKey::new("m", &[("Env", "Prod West"), ("role", "primary,db"), ("canary", ","), ("x", ",y")]);
        let text = |value: &str| Some(value.to_owned());
        let tags = tags_of(&key);
        assert_eq!(
            tags,
            [
                ("canary".to_owned(), None),
                ("env".to_owned(), text("prod_west")),
                ("role".to_owned(), text("db")),
                ("role".to_owned(), text("primary")),
                ("x".to_owned(), None),
                ("x".to_owned(), text("y")),
            ]
        );
        let keys = ["role", "canary", "none"].map(str::to_owned);
        let groups = groups_of(&tags, &keys);
        assert_eq!(groups.len(), 2);
        assert_eq!(groups[1].iter().map(|(_, value)| &**value).collect::<Vec<_>>(), ["primary", "canary", "N/A"]);
    }
}
