//! The store against a plain map: whatever is written, deleted, dropped, flushed, compacted and opened again, both hold
//! the same points, and the index knows the series that have some.
//!
//! Everything follows from a seed, which a failure prints. `MODEL_SEED=7 cargo test -p isopoint-tests --test model` runs
//! that one alone, `MODEL_SEEDS=100000` so many.

use isopoint_core::catalog::{CatalogError, Command, Delete, Named, NewName, Rename, Target, shard_range};
use isopoint_core::model::{SeriesKey, WriteBatch};
use isopoint_core::store::{StoreConfig, WriteError};
use isopoint_core::time::{NANOS_PER_HOUR, NANOS_PER_SEC, NANOS_PER_WEEK, TimeRange, Timestamp};
use isopoint_core::value::Value;
use isopoint_tests::dump::{Dump, series_text};
use isopoint_tests::memhost::MemHost;
use isopoint_tests::simdisk::Random;
use std::collections::BTreeSet;

const DATABASE: &str = "d";
const START: i64 = 2_000 * NANOS_PER_WEEK;
const MEASUREMENTS: [&str; 2] = ["m", "n"];
const HOSTS: usize = 5;
/// Of measurements, tags and fields: those that are written first, then what they are renamed to.
const NAMES: [&str; 4] = ["m", "n", "mm", "a"];
const TAGS: [&str; 2] = ["host", "node"];
/// The first half are written, each is renamed to that of its type in the other.
const FIELDS: [&str; 6] = ["i", "f", "s", "j", "g", "t"];

#[test]
fn the_store_is_a_map() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    if let Some(seed) = number("MODEL_SEED") {
        return run(seed);
    }
    for seed in 0..number("MODEL_SEEDS").unwrap_or(60) {
        if let Err(panic) = std::panic::catch_unwind(|| run(seed)) {
            eprintln!("MODEL_SEED={seed} shows it");
            std::panic::resume_unwind(panic);
        }
    }
}

fn config(seed: u64) -> StoreConfig {
    // Some stores compact as time passes, others only when told.
    let compact_bytes_per_sec = if seed.is_multiple_of(2) { 1 << 20 } else { 0 };
    StoreConfig {
        compact_bytes_per_sec,
        compact_slice_bytes: 2_000,
        wal_segment_bytes: 4_000,
        manifest_bytes: 2_000,
        ..StoreConfig::default()
    }
}

fn run(seed: u64) {
    let mut random = Random(seed);
    let mut host = MemHost::new(config(seed));
    host.now = Timestamp::from_nanos(START + NANOS_PER_WEEK);
    host.create_database(DATABASE);
    let mut model = Dump::new();
    for step in 0..150 {
        let mut exact = false;
        match random.below(20) {
            0..8 => write(&mut host, &mut model, &mut random, step),
            8..12 => delete(&mut host, &mut model, &mut random),
            12 => rename(&mut host, &mut model, &mut random),
            13 if random.percent(30) => drop_shard(&mut host, &mut model, &mut random),
            14 | 15 => host.flush(),
            16 => {
                host.compact();
                exact = true;
            }
            17 => host = std::mem::take(&mut host).reopen(config(seed)).expect("what was written is read").0,
            _ => host.tick(Timestamp::from_nanos(host.now.nanos() + NANOS_PER_HOUR / 4)),
        }
        assert_eq!(host.dump(), model, "step {step}");
        check_index(&mut host, &model, exact);
    }
    host.flush();
    host.compact();
    let snapshot = host.snapshot();
    let shards = snapshot.databases.iter().flat_map(|database| &database.policies).flat_map(|policy| &policy.shards);
    let mut live = 0;
    for shard in shards {
        assert!(shard.files.len() <= 1, "a compacted shard is one file");
        assert!(!shard.files.iter().any(|file| file.is_amended()), "it is read as it was written");
        live += shard.files.len();
    }
    assert!(snapshot.databases.iter().all(|database| database.tombstones.is_empty()), "and so no tombstone");
    assert_eq!(host.files.keys().filter(|file| file.is_block() || file.is_temporary()).count(), live);
    host = host.reopen(config(seed)).expect("what was written is read").0;
    assert_eq!(host.dump(), model);
    check_index(&mut host, &model, true);
}

fn time(random: &mut Random) -> i64 {
    let week = if random.percent(80) { 0 } else { random.below(3) as i64 };
    START - week * NANOS_PER_WEEK + random.below(400) as i64 * NANOS_PER_SEC
}

fn write(host: &mut MemHost, model: &mut Dump, random: &mut Random, step: usize) {
    let mut batch = WriteBatch::new();
    let mut rows = Vec::new();
    // Enough now and then to fill a block that is read in parts.
    let count = if random.percent(10) { 300 } else { 1 + random.below(40) };
    for row in 0..count {
        let (measurement, name) = (MEASUREMENTS[random.below(2)], format!("h{}", random.below(HOSTS)));
        let (time, text) = (time(random), format!("t{step}.{row}"));
        let series = batch.intern_series(measurement, [(&b"host"[..], name.as_bytes())].into_iter());
        batch.begin_row(series, time);
        let key = |field: &str| {
            (DATABASE.to_owned(), "autogen".to_owned(), format!("{measurement},host={name}"), time, field.to_owned())
        };
        let number = (step * 1000 + row) as i64;
        let fields =
            [("i", Value::Integer(number)), ("f", Value::Float(number as f64 / 8.0)), ("s", Value::String(&text))];
        let first = random.below(3);
        for (field, value) in &fields[first..=first + random.below(3 - first)] {
            batch.push_value(field, *value);
            rows.push((key(field), format!("{value:?}")));
        }
    }
    let written = host.submit(DATABASE, batch).expect("it is stored");
    assert_eq!((written.points, written.dropped), (count as u64, 0));
    model.extend(rows);
}

fn delete(host: &mut MemHost, model: &mut Dump, random: &mut Random) {
    let range = match random.below(4) {
        0 => TimeRange::ALL,
        1 => TimeRange::new(i64::MIN, time(random)),
        2 => TimeRange::new(time(random), i64::MAX),
        _ => {
            let from = time(random);
            TimeRange::new(from, from + random.below(200) as i64 * NANOS_PER_SEC)
        }
    };
    let (mut targets, mut whole) = (Vec::new(), Vec::new());
    let mut named = BTreeSet::new();
    for measurement in NAMES {
        match random.below(4) {
            0 => {
                whole.push(format!("{measurement},"));
                targets.push(Target { measurement: measurement.into(), series: None });
            }
            1 | 2 => {
                let hosts: BTreeSet<usize> = (0..1 + random.below(3)).map(|_| random.below(HOSTS)).collect();
                let tag = TAGS[random.below(2)];
                named.extend(hosts.iter().map(|host| format!("{measurement},{tag}=h{host}")));
                let keys = hosts.iter().map(|host| SeriesKey::new(measurement, &[(tag, &format!("h{host}"))]));
                targets.push(Target { measurement: measurement.into(), series: Some(keys.collect()) });
            }
            _ => {}
        }
    }
    // Single fields half of the time.
    let count = [0, 0, 1, 2][random.below(4)];
    let fields: Vec<String> = (0..count).map(|_| FIELDS[random.below(FIELDS.len())].to_owned()).collect();
    let delete = Delete { database: DATABASE.into(), range, targets, fields: fields.clone() };
    host.command(Command::Delete(delete)).expect("the database is there");
    model.retain(|(_, _, series, time, field), _| {
        let of = named.contains(series) || whole.iter().any(|prefix| series.starts_with(prefix));
        let doomed = fields.is_empty() || fields.contains(field);
        !(of && doomed && range.contains(*time))
    });
}

/// Something gets another name, unless that is taken or there is nothing.
fn rename(host: &mut MemHost, model: &mut Dump, random: &mut Random) {
    let (what, from, to) = match random.below(3) {
        0 => (Named::Measurement, NAMES[random.below(4)], NAMES[random.below(4)]),
        1 => (Named::Tag, TAGS[random.below(2)], TAGS[random.below(2)]),
        _ => {
            let field = random.below(6);
            (Named::Field, FIELDS[field], FIELDS[(field + 3) % 6])
        }
    };
    let (from, to) = (from.to_owned(), to.to_owned());
    let measurement = if what == Named::Measurement { from.clone() } else { NAMES[random.below(2)].to_owned() };
    let of = |key: &(String, String, String, i64, String), name: &str| match what {
        Named::Measurement => key.2.starts_with(&format!("{name},")),
        Named::Tag => key.2.starts_with(&format!("{measurement},{name}=")),
        Named::Field => key.2.starts_with(&format!("{measurement},")) && key.4 == name,
    };
    let (there, taken) = (model.keys().any(|key| of(key, &from)), model.keys().any(|key| of(key, &to)));
    let name = NewName { what, measurement: measurement.clone(), from: from.clone(), to: to.clone() };
    match host.command(Command::Rename(Rename { database: DATABASE.into(), name })) {
        // What is not there may still be known; then nothing happens to any point.
        Ok(_) => assert!(!taken, "{what:?} {from} to {to}"),
        Err(WriteError::Catalog(CatalogError::NothingNamed(_))) => return assert!(!there, "{what:?} {from} is there"),
        Err(WriteError::Catalog(CatalogError::NameTaken(_))) => return,
        Err(error) => panic!("{error}"),
    }
    let renamed = std::mem::take(model).into_iter().map(|(mut key, value)| {
        if of(&key, &from) {
            match what {
                Named::Measurement => key.2 = key.2.replacen(&from, &to, 1),
                Named::Tag => key.2 = key.2.replacen(&format!(",{from}="), &format!(",{to}="), 1),
                Named::Field => key.4.clone_from(&to),
            }
        }
        (key, value)
    });
    *model = renamed.collect();
}

fn drop_shard(host: &mut MemHost, model: &mut Dump, random: &mut Random) {
    let gone = shard_range(time(random), NANOS_PER_WEEK);
    let snapshot = host.snapshot();
    let mut shards = snapshot.databases[0].policies[0].shards.iter();
    let id = shards.find(|shard| shard.range == gone).map_or(u64::MAX, |shard| shard.id);
    host.command(Command::DropShard { id }).expect("one that is not there is no error");
    model.retain(|(_, _, _, time, _), _| !gone.contains(*time));
}

/// The index has every series and field that has points; `exact`: and no other.
fn check_index(host: &mut MemHost, model: &Dump, exact: bool) {
    let snapshot = host.snapshot();
    let database = &snapshot.databases[0];
    let series = database.index.measurements().flat_map(|(_, index)| index.series());
    let known: BTreeSet<String> = series.map(|(_, key)| series_text(key)).collect();
    let wanted: BTreeSet<String> = model.keys().map(|(_, _, series, _, _)| series.clone()).collect();
    assert!(known.is_superset(&wanted), "{known:?} lacks some of {wanted:?}");
    let mut fields = BTreeSet::new();
    for shard in &database.policies[0].shards {
        for (measurement, names) in shard.fields.iter() {
            fields.extend(names.keys().map(|name| (shard.range.min, measurement.clone(), name.clone())));
        }
    }
    let place = |(_, _, series, time, field): &(_, _, String, i64, String)| {
        let measurement = series.split(',').next().unwrap_or_default().to_owned();
        (shard_range(*time, NANOS_PER_WEEK).min, measurement, field.clone())
    };
    let present: BTreeSet<_> = model.keys().map(place).collect();
    assert!(fields.is_superset(&present), "{fields:?} lack some of {present:?}");
    if exact {
        assert_eq!((known, fields), (wanted, present));
    }
}
