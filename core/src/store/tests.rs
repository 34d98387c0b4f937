use super::snapshot::Run;
use super::*;
use crate::catalog::{CatalogError, PolicyOptions};
use crate::time::{NANOS_PER_DAY, NANOS_PER_HOUR};
use crate::value::{FieldType, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A store whose host does as the test says.
struct Host {
    store: Store,
    files: BTreeMap<FileName, Vec<u8>>,
    now: Timestamp,
    /// One letter for each action done.
    trace: String,
    /// Actions of these letters fail.
    failing: &'static str,
}

impl Host {
    fn new(config: StoreConfig) -> Self {
        Self::open(config, BTreeMap::new()).unwrap()
    }

    fn open(config: StoreConfig, files: BTreeMap<FileName, Vec<u8>>) -> Result<Self, StoreError> {
        let now = Timestamp::from_nanos(1000 * NANOS_PER_DAY);
        // Their deadlines would come between those that the tests look at.
        let config = StoreConfig { compact_bytes_per_sec: 0, ..config };
        let names = files.iter().map(|(name, bytes)| (name.clone(), bytes.len() as u64));
        let mut recovery = Recovery::new(config, now, names);
        let store = loop {
            match recovery.step()? {
                RecoveryStep::Done(store, _) => break *store,
                RecoveryStep::Need(ranges) => {
                    recovery.supply(ranges.iter().map(|range| slice(&files, range)).collect())
                }
            }
        };
        let mut host = Self { store, files, now, trace: String::new(), failing: "" };
        host.drive();
        host.trace.clear();
        Ok(host)
    }

    fn with_database(config: StoreConfig) -> Self {
        let mut host = Self::new(config);
        assert_eq!(host.command(create("db")), Ok(Written::default()));
        host.trace.clear();
        host
    }

    fn drive(&mut self) -> Vec<(WriteId, Result<Written, WriteError>)> {
        let mut acks = Vec::new();
        while let Some(action) = self.store.poll_action() {
            let letter = match &action {
                Action::Append { file, .. } if file.as_wal().is_some() => 'a',
                Action::Append { file, .. } if file.is_temporary() => 'c',
                Action::Rename { .. } => 'n',
                Action::Append { .. } => 'm',
                Action::Sync { .. } => 's',
                Action::Truncate { .. } => 't',
                Action::Put { .. } => 'p',
                Action::Delete { .. } => 'd',
                Action::Run { .. } => 'r',
                Action::Ack { .. } => 'k',
                Action::Publish { .. } | Action::PublishDelete { .. } => unreachable!("nobody follows"),
            };
            self.trace.push(letter);
            let fails = self.failing.contains(letter);
            let event = match action {
                Action::Ack { write, outcome } => {
                    acks.push((write, outcome));
                    continue;
                }
                Action::Publish { .. } | Action::PublishDelete { .. } => continue,
                Action::Run { id, job } => Event::JobDone(id, job.run(&mut |range| Ok(slice(&self.files, range)))),
                Action::Rename { id, from, to } => {
                    if !fails && let Some(bytes) = self.files.remove(&from) {
                        self.files.insert(to, bytes);
                    }
                    Event::Done(id)
                }
                Action::Append { id, file, bytes } => {
                    // What fails leaves a part behind.
                    let len = if fails { bytes.len() / 2 } else { bytes.len() };
                    self.files.entry(file).or_default().extend(&bytes[..len]);
                    Event::Done(id)
                }
                Action::Truncate { id, file, len } => {
                    self.files.entry(file).or_default().truncate(len as usize);
                    Event::Done(id)
                }
                Action::Put { id, file, bytes } => {
                    if !fails {
                        self.files.insert(file, bytes.to_vec());
                    }
                    Event::Done(id)
                }
                Action::Delete { id, file } => {
                    self.files.remove(&file);
                    Event::Done(id)
                }
                Action::Sync { id, .. } => Event::Done(id),
            };
            let event = match event {
                Event::Done(id) if fails => Event::Failed(id, "no space".into()),
                event => event,
            };
            self.store.handle(self.now, event);
        }
        acks
    }

    fn write(&mut self, batch: WriteBatch) -> Result<Written, WriteError> {
        self.store.write(self.now, "db", None, batch);
        self.drive().pop().unwrap().1
    }

    fn command(&mut self, command: Command) -> Result<Written, WriteError> {
        self.store.command(self.now, command);
        self.drive().pop().unwrap().1
    }

    fn flush(&mut self) {
        self.store.flush(self.now);
        self.drive();
    }

    /// Rows of every run, by shard.
    fn rows(&mut self) -> Vec<usize> {
        let snapshot = self.store.snapshot();
        let policies = snapshot.databases.iter().flat_map(|database| &database.policies);
        let rows = policies.flat_map(|policy| &policy.shards).map(|shard| {
            let ids = (0..self.store.stats().series as u32).map(crate::index::SeriesId);
            let runs = ids.flat_map(|id| shard.runs(id).unwrap());
            runs.map(|run| match run {
                Run::Chunk(chunk) => chunk.times.len(),
                Run::Block { entry, .. } => entry.rows as usize,
            })
            .sum()
        });
        rows.collect()
    }
}

fn slice(files: &BTreeMap<FileName, Vec<u8>>, range: &ByteRange) -> Bytes {
    let start = range.offset as usize;
    Bytes::copy_from_slice(&files[&range.file][start..start + range.len as usize])
}

fn create(name: &str) -> Command {
    Command::CreateDatabase { name: name.into(), policy: None }
}

fn points(rows: &[(&[(&str, &str)], i64, &[(&str, Value<'_>)])]) -> WriteBatch {
    let mut batch = WriteBatch::new();
    for (tags, time, fields) in rows {
        let tags = tags.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        let series = batch.intern_series("m", tags);
        batch.begin_row(series, *time);
        for (name, value) in *fields {
            batch.push_value(name, *value);
        }
    }
    batch
}

fn point(time: i64) -> WriteBatch {
    points(&[(&[], time, &[("v", Value::Float(1.0))])])
}

#[test]
fn writes_that_wait_together_share_a_sync() {
    let mut host = Host::with_database(StoreConfig::default());
    let ids: Vec<_> = (0..3).map(|time| host.store.write(host.now, "db", None, point(time))).collect();
    assert_eq!(host.rows(), [] as [usize; 0], "nothing is visible before it is durable");
    let acks = host.drive();
    assert_eq!(acks.iter().map(|(id, _)| *id).collect::<Vec<_>>(), ids);
    assert!(acks.iter().all(|(_, outcome)| outcome.as_ref().is_ok_and(|written| written.points == 1)));
    assert_eq!(host.trace, "askkk");
    assert_eq!(host.rows(), [3]);
}

#[test]
fn a_point_is_refused_for_itself_only() {
    let mut host = Host::with_database(StoreConfig::default());
    let (float, integer) = (Value::Float(1.0), Value::Integer(1));
    host.write(points(&[(&[], 0, &[("v", float)])])).unwrap();
    let written = host.write(points(&[
        (&[], 1, &[("v", integer), ("new", integer)]),
        (&[], 2, &[("v", float), ("new", float)]),
        (&[], 3, &[("time", integer)]),
        (&[], 4, &[("time", integer), ("v", float)]),
        (&[("time", "x")], 5, &[("v", float)]),
        (&[], 6, &[("w", float), ("w", integer)]),
        (&[], 60 * NANOS_PER_DAY, &[("v", integer)]),
    ]));
    let conflict = Refusal::FieldType {
        measurement: "m".into(),
        field: "v".into(),
        given: FieldType::Integer,
        stored: FieldType::Float,
    };
    assert_eq!(written, Ok(Written { points: 3, values: 4, dropped: 4, refusal: Some(conflict) }));
    assert_eq!(host.rows(), [3, 1], "another shard has its own types");
    let snapshot = host.store.snapshot();
    let fields = &snapshot.databases[0].policies[0].shards[0].fields.get("m").unwrap();
    assert_eq!(fields.keys().collect::<Vec<_>>(), ["new", "v"], "a refused point leaves no field");
    let refusal = |batch| host_refusal(&mut Host::with_database(StoreConfig::default()), batch);
    assert_eq!(
        refusal(points(&[(&[], 3, &[("time", integer)])])),
        Some(Refusal::FieldNamedTime { measurement: "m".into() })
    );
    assert_eq!(
        refusal(points(&[(&[("time", "x")], 3, &[("v", integer)])])),
        Some(Refusal::TagNamedTime { measurement: "m".into() })
    );
}

fn host_refusal(host: &mut Host, batch: WriteBatch) -> Option<Refusal> {
    host.write(batch).unwrap().refusal
}

#[test]
fn limits_hold() {
    let limits = Limits { max_series: 2, max_fields: 2, ..Limits::default() };
    let mut host = Host::with_database(StoreConfig { limits, ..StoreConfig::default() });
    let value = Value::Float(1.0);
    let series = |host: &'static str, time| -> WriteBatch { points(&[(&[("host", host)], time, &[("v", value)])]) };
    host.store.write(host.now, "db", None, series("a", 0));
    assert_eq!(host.write(series("b", 0)).unwrap().dropped, 0);
    let refusal = host.write(series("c", 0)).unwrap().refusal;
    assert_eq!(refusal.unwrap().to_string(), "max-series-per-database limit exceeded: (3/2)");
    assert_eq!(host.write(series("a", 1)).unwrap().dropped, 0);
    let fields = points(&[(&[("host", "a")], 2, &[("x", value), ("y", value)])]);
    let refusal = host.write(fields).unwrap().refusal;
    assert_eq!(refusal.unwrap().to_string(), "max-fields-per-measurement limit exceeded: (3/2)");
    assert_eq!(host.write(points(&[(&[("host", "a")], 2, &[("z", value)])])).unwrap().dropped, 0);
}

#[test]
fn writes_need_a_database_and_a_policy() {
    let mut host = Host::new(StoreConfig::default());
    assert_eq!(host.write(point(0)), Err(WriteError::DatabaseNotFound("db".into())));
    // Created and written to in one group.
    host.store.command(host.now, create("db"));
    assert!(host.write(point(0)).is_ok());
    host.store.write(host.now, "db", Some("p"), point(0));
    assert_eq!(host.drive().pop().unwrap().1, Err(WriteError::PolicyNotFound("p".into())));
    host.command(Command::DropPolicy { database: "db".into(), name: "autogen".into() }).unwrap();
    assert_eq!(host.write(point(0)), Err(WriteError::PolicyNotFound("autogen".into())));
    assert_eq!(host.command(create("")), Err(WriteError::Catalog(CatalogError::InvalidName)));
}

#[test]
fn retention_refuses_and_lets_go() {
    let mut host = Host::new(StoreConfig::default());
    let policy = PolicyOptions { duration: Some(NANOS_PER_DAY), ..PolicyOptions::default() };
    host.command(Command::CreateDatabase { name: "db".into(), policy: Some(policy) }).unwrap();
    let now = host.now.nanos();
    // What is refused leaves no shard, or replay would count shards another way.
    let (float, integer) = (Value::Float(1.0), Value::Integer(1));
    let refused = host.write(points(&[(&[], now + 5 * NANOS_PER_HOUR, &[("w", float), ("w", integer)])])).unwrap();
    assert_eq!((refused.dropped, host.store.stats().shards), (1, 0));
    let old = host.write(point(now - NANOS_PER_DAY - 1)).unwrap();
    assert_eq!((old.dropped, old.refusal), (1, Some(Refusal::BeyondRetention)));
    host.write(point(now - NANOS_PER_DAY)).unwrap();
    host.flush();
    host.write(point(now)).unwrap();
    host.flush();
    assert_eq!(host.rows(), [1, 1]);
    let deadline = host.store.next_deadline().unwrap();
    assert_eq!(deadline.nanos() - now, NANOS_PER_HOUR, "the first shard holds an hour");
    host.now = deadline;
    host.store.tick(host.now);
    host.drive();
    assert_eq!(host.rows(), [1]);
    assert_eq!(host.files.keys().filter(|file| file.is_block()).count(), 1, "its file is deleted");
    let mut host = Host::open(StoreConfig::default(), host.files).unwrap();
    assert_eq!(host.rows(), [1], "and stays away");
}

#[test]
fn too_much_waiting_is_refused_before_work() {
    let config = StoreConfig { max_pending_bytes: 300, max_memtable_bytes: 1000, ..StoreConfig::default() };
    let mut host = Host::with_database(config);
    let outcomes = |host: &mut Host| -> Vec<bool> {
        for time in 0..10 {
            host.store.write(host.now, "db", None, point(time));
        }
        let mut acks = host.drive();
        acks.sort_by_key(|(id, _)| *id);
        acks.iter().map(|(_, outcome)| *outcome != Err(WriteError::Overloaded)).collect()
    };
    let first = outcomes(&mut host);
    let taken = first.iter().take_while(|taken| **taken).count();
    assert!((1..10).contains(&taken) && !first[taken..].contains(&true), "{first:?}");
    while host.write(point(0)) != Err(WriteError::Overloaded) {}
    host.flush();
    assert!(host.write(point(0)).is_ok(), "there is room after a flush");
}

#[test]
fn a_failed_append_leaves_no_trace() {
    let mut host = Host::with_database(StoreConfig::default());
    host.write(point(0)).unwrap();
    host.trace.clear();
    host.failing = "a";
    assert_eq!(host.write(point(1)), Err(WriteError::Host("no space".into())));
    assert_eq!(host.trace, "atk");
    host.failing = "";
    assert!(host.write(point(2)).is_ok());
    assert_eq!(host.rows(), [2]);
    let mut host = Host::open(StoreConfig::default(), host.files).unwrap();
    assert_eq!(host.rows(), [2]);
}

#[test]
fn a_failed_sync_poisons() {
    let mut host = Host::with_database(StoreConfig::default());
    host.write(point(0)).unwrap();
    host.failing = "s";
    assert_eq!(host.write(point(1)), Err(WriteError::Poisoned("no space".into())));
    host.failing = "";
    assert_eq!(host.write(point(2)), Err(WriteError::Poisoned("no space".into())));
    assert_eq!(host.command(create("x")), Err(WriteError::Poisoned("no space".into())));
    assert_eq!((host.rows(), host.store.poisoned()), (vec![1], Some("no space")));
    assert!(host.store.is_idle());
}

#[test]
fn a_flush_replaces_the_log() {
    let mut host = Host::with_database(StoreConfig::default());
    host.write(point(0)).unwrap();
    host.write(point(60 * NANOS_PER_DAY)).unwrap();
    host.trace.clear();
    host.flush();
    assert_eq!(host.trace, "rppmsd");
    assert_eq!(host.rows(), [1, 1]);
    assert!(!host.files.keys().any(|file| file.as_wal().is_some()));
    host.trace.clear();
    host.flush();
    assert_eq!(host.trace, "", "there is nothing to flush");
    let mut host = Host::open(StoreConfig::default(), host.files).unwrap();
    assert_eq!(host.rows(), [1, 1]);
    host.write(point(1)).unwrap();
    let conflict = host.write(points(&[(&[], 1, &[("v", Value::Integer(1))])])).unwrap();
    assert_eq!(conflict.dropped, 1, "types come back from files");
}

#[test]
fn memtables_are_flushed_by_size_and_by_age() {
    let mut host = Host::with_database(StoreConfig { flush_bytes: 2000, ..StoreConfig::default() });
    assert_eq!(host.store.next_deadline(), None);
    host.write(point(0)).unwrap();
    let deadline = host.store.next_deadline().unwrap();
    assert_eq!(deadline.nanos() - host.now.nanos(), 10 * NANOS_PER_MINUTE);
    host.now = deadline;
    host.store.tick(deadline);
    host.drive();
    assert_eq!((host.store.stats().flushes, host.store.next_deadline()), (1, None));
    for time in 0..200 {
        host.write(point(time)).unwrap();
    }
    let stats = host.store.stats();
    assert!(stats.flushes > 1 && stats.memtable_bytes < 2000, "{stats:?}");
}

#[test]
fn a_failed_flush_is_tried_again() {
    for failing in ["p", "m", "mt"] {
        let mut host = Host::with_database(StoreConfig::default());
        host.write(point(0)).unwrap();
        host.failing = failing;
        host.flush();
        assert_eq!((host.store.stats().flushes, host.rows()), (0, vec![1]), "{failing}");
        host.write(point(1)).unwrap();
        host.failing = "";
        let retry = host.store.next_deadline().unwrap();
        assert_eq!(retry.nanos() - host.now.nanos(), 10 * NANOS_PER_SEC);
        host.now = retry;
        host.store.tick(retry);
        host.drive();
        assert_eq!((host.store.stats().flushes, host.rows()), (1, vec![2]), "{failing}");
        let mut host = Host::open(StoreConfig::default(), host.files).unwrap();
        assert_eq!(host.rows(), [2], "{failing}");
    }
}

#[test]
fn what_is_dropped_is_deleted() {
    let mut host = Host::with_database(StoreConfig::default());
    host.write(point(0)).unwrap();
    host.flush();
    host.trace.clear();
    host.command(Command::DropDatabase { name: "db".into() }).unwrap();
    assert_eq!(host.trace, "askmsd", "the manifest knows before the file goes");
    host.command(create("db")).unwrap();
    assert_eq!(host.rows(), [] as [usize; 0]);
    host.write(points(&[(&[], 0, &[("v", Value::Integer(1))])])).unwrap();
    assert_eq!(host.rows(), [1]);
    let mut host = Host::open(StoreConfig::default(), host.files).unwrap();
    assert_eq!(host.rows(), [1]);
}

#[test]
fn a_snapshot_is_made_anew_only_where_something_changed() {
    let mut host = Host::with_database(StoreConfig::default());
    host.command(create("other")).unwrap();
    host.write(point(0)).unwrap();
    let before = host.store.snapshot();
    assert!(Arc::ptr_eq(&before.databases, &host.store.snapshot().databases));
    host.write(point(60 * NANOS_PER_DAY)).unwrap();
    let after = host.store.snapshot();
    assert!(!Arc::ptr_eq(&before.databases, &after.databases));
    assert!(Arc::ptr_eq(&before.databases[1], &after.databases[1]));
    let shards = |snapshot: &Snapshot| snapshot.databases[0].policies[0].shards.clone();
    assert_eq!((shards(&before).len(), shards(&after).len()), (1, 2));
    assert!(Arc::ptr_eq(&shards(&before)[0], &shards(&after)[0]));
}

#[test]
fn damage_says_where() {
    let config = || StoreConfig { wal_segment_bytes: 100, ..StoreConfig::default() };
    let mut host = Host::with_database(config());
    host.write(point(0)).unwrap();
    host.flush();
    for time in 0..10 {
        host.write(point(time)).unwrap();
    }
    let files = host.files;
    let open = |change: &dyn Fn(&mut BTreeMap<FileName, Vec<u8>>)| {
        let mut files = files.clone();
        change(&mut files);
        Host::open(config(), files).map(|mut host| host.rows()).map_err(|error| error.to_string())
    };
    let segments: Vec<_> = files.keys().filter(|file| file.as_wal().is_some()).cloned().collect();
    assert!(segments.len() > 2, "{segments:?}");
    let (first, last) = (&segments[0], &segments[segments.len() - 1]);
    assert_eq!(open(&|_| {}), Ok(vec![11]));
    let flipped = open(&|files| files.get_mut(first).unwrap()[30] ^= 1);
    assert_eq!(flipped, Err(format!("{first} is damaged at byte 20: a frame fails its checksum")));
    let cut = |bytes: &mut Vec<u8>| bytes.truncate(bytes.len() - 1);
    let torn = open(&|files| cut(files.get_mut(last).unwrap()));
    assert_eq!(torn, Ok(vec![10]), "the last write of the last segment was never acknowledged");
    assert_eq!(open(&|files| drop(files.remove(first))), Err(format!("{first} is missing")));
    let block = files.keys().find(|file| file.is_block()).unwrap();
    assert_eq!(open(&|files| drop(files.remove(block))), Err(format!("{block} is missing")));
    assert!(open(&|files| cut(files.get_mut(block).unwrap())).unwrap_err().contains("bytes long instead of"));
    assert!(open(&|files| *files.get_mut(block).unwrap().last_mut().unwrap() ^= 1).is_err());
    let version = FileName::version();
    assert_eq!(open(&|files| drop(files.remove(&version))), Err("VERSION is missing".into()));
    let newer = open(&|files| drop(files.insert(version.clone(), b"4\n".to_vec())));
    assert_eq!(newer, Err("the data folder has format 4, this program reads up to 3".into()));
    let manifest = files.keys().find(|file| file.as_manifest().is_some()).unwrap();
    assert_eq!(open(&|files| drop(files.remove(manifest))), Err("manifest/00000001.man is missing".into()));
}
