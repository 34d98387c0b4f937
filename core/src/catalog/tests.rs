use super::*;
use crate::codec::varint::Reader;
use crate::time::days_from_civil;

fn create(name: &str) -> Command {
    Command::CreateDatabase { name: name.into(), policy: None }
}

fn policy(name: &str, duration: i64, shard_duration: i64, default: bool) -> Command {
    let options =
        PolicyOptions { duration: Some(duration), shard_duration: Some(shard_duration), ..PolicyOptions::default() };
    Command::CreatePolicy { database: "db".into(), name: name.into(), options, default }
}

#[test]
fn databases_are_made_once() {
    let mut catalog = Catalog::default();
    assert_eq!(catalog.apply(&create("db")), Ok(true));
    assert_eq!(catalog.apply(&create("db")), Ok(false));
    let other = PolicyOptions { duration: Some(NANOS_PER_DAY), ..PolicyOptions::default() };
    let again = Command::CreateDatabase { name: "db".into(), policy: Some(other.clone()) };
    assert_eq!(catalog.apply(&again), Err(CatalogError::PolicyConflicts));
    let made = Command::CreateDatabase { name: "week".into(), policy: Some(other) };
    assert_eq!((catalog.apply(&made), catalog.apply(&made)), (Ok(true), Ok(false)));
    let autogen = &catalog.database("db").unwrap().policies[0];
    assert_eq!((autogen.name.as_str(), autogen.duration, autogen.shard_duration), (AUTOGEN, 0, NANOS_PER_WEEK));
    for name in ["", ".", "..", "a/b", "a\\b", "a\nb"] {
        assert_eq!(catalog.apply(&create(name)), Err(CatalogError::InvalidName), "{name:?}");
    }
    assert_eq!(catalog.apply(&create(&"x".repeat(256))), Err(CatalogError::NameTooLong));
    let first = catalog.database("db").unwrap().id;
    assert_eq!(catalog.apply(&Command::DropDatabase { name: "db".into() }), Ok(true));
    assert_eq!(catalog.apply(&Command::DropDatabase { name: "db".into() }), Ok(false));
    assert_eq!(catalog.apply(&create("db")), Ok(true));
    assert_ne!(catalog.database("db").unwrap().id, first, "an id is never used twice");
}

#[test]
fn policies_keep_influxdbs_rules() {
    let mut catalog = Catalog::default();
    assert_eq!(catalog.apply(&policy("p", 0, 0, false)), Err(CatalogError::DatabaseNotFound("db".into())));
    catalog.apply(&create("db")).unwrap();
    let (hour, day) = (NANOS_PER_HOUR, NANOS_PER_DAY);
    assert_eq!(catalog.apply(&policy("p", hour - 1, 0, false)), Err(CatalogError::DurationTooLow));
    assert_eq!(catalog.apply(&policy("p", hour, 2 * hour, false)), Err(CatalogError::DurationBelowShard));
    assert_eq!(catalog.apply(&policy("p", day, 1, false)), Ok(true));
    assert_eq!(catalog.database("db").unwrap().policies[1].shard_duration, hour, "none is below an hour");
    assert_eq!(catalog.apply(&policy("p", day, 0, false)), Ok(false));
    assert_eq!(catalog.apply(&policy("p", 2 * day, 0, false)), Err(CatalogError::PolicyExists));
    assert_eq!(catalog.apply(&policy("p", day, 0, true)), Err(CatalogError::PolicyConflicts));
    let alter = |name: &str, duration: Option<i64>, shard_duration: Option<i64>| Command::AlterPolicy {
        database: "db".into(),
        name: name.into(),
        changes: PolicyChanges { duration, replication: None, shard_duration },
        default: true,
    };
    assert_eq!(catalog.apply(&alter("q", None, None)), Err(CatalogError::PolicyNotFound("q".into())));
    assert_eq!(catalog.apply(&alter("p", None, Some(2 * day))), Err(CatalogError::DurationBelowShard));
    assert_eq!(catalog.apply(&alter("p", Some(1), None)), Err(CatalogError::DurationTooLow));
    assert_eq!(catalog.apply(&alter("p", Some(7 * day), Some(0))), Ok(true));
    let database = catalog.database("db").unwrap();
    assert_eq!((database.default_policy.as_str(), database.policies[1].shard_duration), ("p", day));
    let drop = Command::DropPolicy { database: "db".into(), name: "p".into() };
    assert_eq!((catalog.apply(&drop), catalog.apply(&drop)), (Ok(true), Ok(false)));
    assert_eq!(catalog.database("db").unwrap().default_policy, "p", "its name stays the default");
    assert_eq!(catalog.apply(&Command::DropPolicy { database: "none".into(), name: "p".into() }), Ok(false));
}

#[test]
fn weekly_shards_start_on_mondays() {
    let monday = days_from_civil(2024, 1, 1) * NANOS_PER_DAY;
    let range = shard_range(monday + 3 * NANOS_PER_DAY, NANOS_PER_WEEK);
    assert_eq!(range, TimeRange::new(monday, monday + NANOS_PER_WEEK - 1));
    assert_eq!(shard_range(-1, NANOS_PER_HOUR), TimeRange::new(-NANOS_PER_HOUR, -1));
    assert_eq!(shard_range(Timestamp::MIN.nanos(), NANOS_PER_WEEK).min, Timestamp::MIN.nanos());
    assert_eq!(shard_range(Timestamp::MAX.nanos(), NANOS_PER_WEEK).max, Timestamp::MAX.nanos());
}

#[test]
fn shards_never_overlap() {
    let mut catalog = Catalog::default();
    catalog.apply(&create("db")).unwrap();
    let (database, autogen) = (catalog.databases[0].id, catalog.databases[0].policies[0].id);
    let day = catalog.make_shard(database, autogen, 0).unwrap();
    assert_eq!(catalog.make_shard(database, autogen, 1), Some(day));
    catalog.databases[0].policies[0].shard_duration = 5 * NANOS_PER_WEEK;
    let before = catalog.make_shard(database, autogen, day.range.min - 1).unwrap();
    let after = catalog.make_shard(database, autogen, day.range.max + 1).unwrap();
    assert_eq!((before.range.max, after.range.min), (day.range.min - 1, day.range.max + 1));
    assert_eq!(catalog.make_shard(database, 99, 0), None);
}

#[test]
fn bytes_come_back() {
    let mut catalog = Catalog::default();
    let commands = [
        create("db"),
        policy("p", NANOS_PER_DAY, 0, true),
        Command::CreateDatabase {
            name: "other".into(),
            policy: Some(PolicyOptions { name: Some("x".into()), ..PolicyOptions::default() }),
        },
        Command::AlterPolicy {
            database: "db".into(),
            name: "p".into(),
            changes: PolicyChanges { replication: Some(2), ..PolicyChanges::default() },
            default: false,
        },
        Command::DropPolicy { database: "db".into(), name: "autogen".into() },
        Command::DropDatabase { name: "nothing".into() },
    ];
    for command in &commands {
        let mut bytes = Vec::new();
        command.encode(&mut bytes);
        let mut reader = Reader::new(&bytes);
        assert_eq!(Command::decode(&mut reader).as_ref(), Ok(command));
        reader.finish().unwrap();
        for len in 0..bytes.len() {
            assert!(Command::decode(&mut Reader::new(&bytes[..len])).is_err());
        }
        catalog.apply(command).unwrap();
    }
    catalog.make_shard(1, 2, -5).unwrap();
    let mut bytes = Vec::new();
    catalog.encode(&mut bytes);
    assert_eq!(Catalog::decode(&mut Reader::new(&bytes)), Ok(catalog));
    for len in 0..bytes.len() {
        assert!(Catalog::decode(&mut Reader::new(&bytes[..len])).is_err());
    }
}
