//! What the sources of a query have: measurements, fields and their types, tag keys, in the shards of a time range.

use super::super::ast::{Cast, Measurement, NameMatch, Select, Source};
use super::super::error::StatementError;
use super::super::query::Context;
use super::expr::regex;
use super::fields::Type;
use super::{Outer, Prepared, prepare};
use crate::extent::FULL;
use crate::sorted::{SortedMap, SortedSet};
use crate::store::snapshot::{Database, Policy, Shard};
use crate::value::FieldType;
use std::sync::Arc;

/// A source with its database found. The policy is looked up later, as InfluxDB does: what is wrong with the rest of
/// the statement is said first.
#[derive(Clone, Debug)]
pub(super) struct Named<'a> {
    pub(super) database: &'a Arc<Database>,
    policy: Option<String>,
    name: NameMatch,
}

/// Whether the databases of all measurements exist, those of subqueries in their places.
pub(super) fn check_databases(select: &Select, context: &Context<'_>) -> Result<(), StatementError> {
    select.sources.iter().try_for_each(|source| match source {
        Source::Measurement(measurement) => resolve(measurement, context).map(drop),
        Source::Subquery(inner) => check_databases(inner, context),
    })
}

fn resolve<'a>(measurement: &Measurement, context: &Context<'a>) -> Result<Named<'a>, StatementError> {
    let database = measurement.database.as_deref().or(context.database).ok_or(StatementError::DatabaseRequired)?;
    let found = context.snapshot.database(database);
    let found = found.ok_or_else(|| StatementError::DatabaseNotFound(database.to_owned()))?;
    if let NameMatch::Name(name) = &measurement.name {
        let show = match name.as_str() {
            "" => return Err(StatementError::InvalidMeasurement),
            "_fieldKeys" => "FIELD KEYS",
            "_measurements" => "MEASUREMENTS",
            "_series" => "SERIES",
            "_tagKeys" => "TAG KEYS",
            "_tags" => "TAG VALUES",
            _ => "",
        };
        if !show.is_empty() {
            return Err(StatementError::SystemSource(name.clone(), show));
        }
    }
    // The parameter `rp` is for the default database only.
    let policy = match (&measurement.rp, &measurement.database) {
        (Some(policy), _) => Some(policy.clone()),
        (None, None) => context.policy.map(str::to_owned),
        (None, Some(_)) => None,
    };
    Ok(Named { database: found, policy, name: measurement.name.clone() })
}

/// The measurements of one database and policy that a query reads.
#[derive(Clone, Debug)]
pub(super) struct Place<'a> {
    pub(super) database: &'a Arc<Database>,
    pub(super) policy: &'a Arc<Policy>,
    /// One named twice is read twice.
    pub(super) measurements: Vec<String>,
}

pub(super) struct Schema<'a> {
    pub(super) places: Vec<Place<'a>>,
    /// Those that can have rows.
    pub(super) subqueries: Vec<&'a Select>,
    /// The types of each field over all sources, the preferred one first.
    fields: SortedMap<String, SortedSet<FieldType>>,
    pub(super) tags: SortedSet<String>,
    /// Those of subqueries, which functions take as texts: tags that they group by, and tags that they select, which no
    /// wildcard groups by.
    pub(super) inner_tags: SortedSet<String>,
}

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Field(FieldType),
    Tag,
    /// Neither a field nor a tag of any source.
    Unknown,
}

impl<'a> Schema<'a> {
    pub(super) fn of(sources: &'a [Source], context: &Context<'a>, outer: Outer<'_>) -> Result<Self, StatementError> {
        let range = outer.bounds.range();
        let mut schema = Self {
            places: Vec::new(),
            subqueries: Vec::new(),
            fields: SortedMap::new(),
            tags: SortedSet::new(),
            inner_tags: SortedSet::new(),
        };
        for source in sources {
            let source = match source {
                Source::Measurement(measurement) => resolve(measurement, context)?,
                Source::Subquery(_) if !FULL => continue,
                Source::Subquery(inner) => {
                    if let Some(made) = prepare(inner, context, Some(outer))? {
                        schema.add_subquery(&made);
                        schema.subqueries.push(inner);
                    }
                    continue;
                }
            };
            let policy = source.database.policy(source.policy.as_deref()).ok_or_else(|| {
                let name = source.policy.as_deref().unwrap_or(&source.database.default_policy);
                StatementError::PolicyNotFound(name.to_owned())
            })?;
            let shards: Vec<_> = policy.shards_in(range).collect();
            let known: SortedSet<&str> =
                shards.iter().flat_map(|shard| shard.fields.keys()).map(|name| (name.as_str(), ())).collect();
            let names: Vec<&str> = match &source.name {
                NameMatch::Name(name) => {
                    if known.contains_key(name.as_str()) {
                        vec![name.as_str()]
                    } else {
                        Vec::new()
                    }
                }
                NameMatch::Regex(pattern) => {
                    let pattern = regex(pattern)?;
                    known.keys().copied().filter(|name| pattern.is_match(name)).collect()
                }
            };
            for name in &names {
                schema.add(name, source.database, &shards);
            }
            let same = |place: &&mut Place<'_>| {
                Arc::ptr_eq(place.database, source.database) && Arc::ptr_eq(place.policy, policy)
            };
            let names = names.into_iter().map(str::to_owned);
            match schema.places.iter_mut().find(same) {
                Some(place) => place.measurements.extend(names),
                None => schema.places.push(Place { database: source.database, policy, measurements: names.collect() }),
            }
        }
        Ok(schema)
    }

    fn add_subquery(&mut self, made: &Prepared) {
        for (name, known) in made.names.iter().skip(1).zip(&made.types) {
            match known {
                Some(Type::Field(field_type)) => {
                    self.fields.or_default(name.clone()).insert(*field_type, ());
                }
                Some(Type::Tag) => {
                    self.inner_tags.insert(name.clone(), ());
                }
                None => {}
            }
        }
        for tag in &made.tags {
            self.tags.insert(tag.clone(), ());
            self.inner_tags.insert(tag.clone(), ());
        }
    }

    fn add(&mut self, measurement: &str, database: &Database, shards: &[&Arc<Shard>]) {
        for (field, field_type) in
            shards.iter().filter_map(|shard| shard.fields.get(measurement)).flat_map(SortedMap::iter)
        {
            self.fields.or_default(field.clone()).insert(*field_type, ());
        }
        // As in InfluxDB, the tags are those of the whole database, not of the shards.
        if let Some(index) = database.index.measurement(measurement) {
            self.tags.extend(index.tag_keys().map(|key| (key.to_owned(), ())));
        }
    }

    /// What a name with a cast stands for. A field hides a tag of the same name.
    pub(super) fn kind(&self, name: &str, cast: Option<Cast>) -> Kind {
        let field = self.fields.get(name).and_then(|types| types.keys().next());
        match (cast, field) {
            (Some(Cast::Tag), _) => Kind::Tag,
            (None | Some(Cast::Field), Some(field_type)) => Kind::Field(*field_type),
            (None, None) if self.tags.contains_key(name) || self.inner_tags.contains_key(name) => Kind::Tag,
            (_, None) => Kind::Unknown,
            (Some(Cast::Float), Some(_)) => Kind::Field(FieldType::Float),
            (Some(Cast::Integer), Some(_)) => Kind::Field(FieldType::Integer),
            (Some(Cast::Unsigned), Some(_)) => Kind::Field(FieldType::Unsigned),
            (Some(Cast::String), Some(_)) => Kind::Field(FieldType::String),
            (Some(Cast::Boolean), Some(_)) => Kind::Field(FieldType::Boolean),
        }
    }

    /// By name, with the preferred type.
    pub(super) fn fields(&self) -> impl Iterator<Item = (&str, FieldType)> {
        self.fields.iter().filter_map(|(name, types)| Some((name.as_str(), *types.keys().next()?)))
    }
}
