//! Thousands of crashes on a simulated disk. After each the store must hold what was acknowledged, and of what was under
//! way when it stopped a beginning, each batch whole or not at all.
//!
//! Everything follows from a seed, which a failure prints. `CRASH_SEED=7 cargo test -p isopoint-tests --test crash` runs
//! that one alone, `CRASH_SEEDS=100000` so many.

use bytes::Bytes;
use isopoint_core::catalog::{CatalogError, Command, Delete, DocumentChanges, Named, NewName, Rename, Target};
use isopoint_core::model::{SeriesKey, WriteBatch};
use isopoint_core::store::{Action, Event, Recovery, Store, StoreConfig, WriteError, WriteId, Written};
use isopoint_core::time::{NANOS_PER_HOUR, NANOS_PER_SEC, NANOS_PER_WEEK, TimeRange, Timestamp};
use isopoint_core::value::{FieldType, Value};
use isopoint_tests::dump::{Dump, dump, series_text};
use isopoint_tests::memhost::recover;
use isopoint_tests::simdisk::{Fault, Random, SimDisk};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

const SEEDS: u64 = 800;
const CRASHES: usize = 5;

#[test]
fn nothing_acknowledged_is_lost() {
    if let Some(seed) = std::env::var("CRASH_SEED").ok().and_then(|seed| seed.parse().ok()) {
        run(seed);
        return;
    }
    let seeds = std::env::var("CRASH_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(SEEDS);
    for seed in 0..seeds {
        if let Err(panic) = std::panic::catch_unwind(|| run(seed)) {
            eprintln!("CRASH_SEED={seed} shows it");
            std::panic::resume_unwind(panic);
        }
    }
}

/// Small enough that segments, memtables and manifests turn over many times in a run.
fn config() -> StoreConfig {
    StoreConfig {
        wal_segment_bytes: 600,
        flush_bytes: 6_000,
        max_memtable_bytes: 40_000,
        max_pending_bytes: 20_000,
        manifest_bytes: 300,
        retry_after: NANOS_PER_SEC,
        compact_bytes_per_sec: 20_000,
        compact_slice_bytes: 400,
        ..StoreConfig::default()
    }
}

fn run(seed: u64) {
    let mut sim = Sim::new(seed);
    for _ in 0..CRASHES {
        let steps = 1 + sim.random.below(120);
        // Some lives know no failing disk but the last crash.
        sim.fail_percent = [0, 0, 3, 10][sim.random.below(4)];
        sim.sick = ["", "", "wal/", "manifest/", "db"][sim.random.below(5)];
        for _ in 0..steps {
            sim.step();
        }
        sim.crash();
    }
    sim.settle();
}

/// What was asked of the store.
#[derive(Clone, Debug)]
enum Op {
    Command(Command),
    Write { database: String, points: Vec<Point> },
}

#[derive(Clone, Debug)]
struct Point {
    host: usize,
    time: i64,
    fields: Vec<(&'static str, Val)>,
}

#[derive(Clone, Debug)]
enum Val {
    Float(f64),
    Integer(i64),
    Text(String),
}

impl Val {
    fn value(&self) -> Value<'_> {
        match self {
            Self::Float(value) => Value::Float(*value),
            Self::Integer(value) => Value::Integer(*value),
            Self::Text(value) => Value::String(value),
        }
    }
}

/// What the store should hold.
#[derive(Clone, Debug, Default, PartialEq)]
struct Model {
    databases: BTreeSet<String>,
    points: Dump,
    /// Of a field of a measurement in a shard.
    types: BTreeMap<(String, i64, String, String), FieldType>,
    /// Of the one space there is, with its revision.
    documents: (u64, BTreeMap<String, Bytes>),
}

/// Epoch is a Thursday, shards begin on Mondays.
fn shard_of(time: i64) -> i64 {
    (time - 4 * 24 * NANOS_PER_HOUR).div_euclid(NANOS_PER_WEEK)
}

fn measurement_of(series: &str) -> &str {
    series.split(',').next().unwrap_or_default()
}

impl Model {
    /// Does what the store is asked for, with the same outcome.
    fn apply(&mut self, op: &Op) -> Result<Written, WriteError> {
        match op {
            Op::Command(Command::CreateDatabase { name, .. }) => {
                self.databases.insert(name.clone());
            }
            Op::Command(Command::DropDatabase { name }) => {
                self.databases.remove(name);
                self.points.retain(|(database, ..), _| database != name);
                self.types.retain(|(database, ..), _| database != name);
            }
            Op::Command(Command::Delete(delete)) => return self.delete(delete),
            Op::Command(Command::Rename(rename)) => return self.rename(rename),
            Op::Command(Command::Documents(wanted)) => {
                let (revision, documents) = &mut self.documents;
                if *revision != wanted.revision {
                    return Err(CatalogError::DocumentsChanged(wanted.space.clone()).into());
                }
                *revision += 1;
                for (key, body) in &wanted.changes {
                    match body {
                        Some(body) => drop(documents.insert(key.clone(), body.clone())),
                        None => drop(documents.remove(key)),
                    }
                }
            }
            Op::Command(_) => unreachable!("no other is made here"),
            Op::Write { database, points } => return self.write(database, points),
        }
        Ok(Written::default())
    }

    /// A field of which nothing is left in a shard may come back with another type.
    fn delete(&mut self, delete: &Delete) -> Result<Written, WriteError> {
        if !self.databases.contains(&delete.database) {
            return Err(CatalogError::DatabaseNotFound(delete.database.clone()).into());
        }
        let keys: Vec<String> =
            delete.targets.iter().flat_map(|target| target.series.iter().flatten()).map(series_text).collect();
        let all = delete.targets.iter().any(|target| target.series.is_none());
        self.points.retain(|(database, _, series, time, field), _| {
            let named = keys.contains(series) || all && series.starts_with("cpu,");
            let doomed = delete.fields.is_empty() || delete.fields.contains(field);
            *database != delete.database || !delete.range.contains(*time) || !(named && doomed)
        });
        let left = self.points.keys().map(|(database, _, series, time, field)| {
            (database.clone(), shard_of(*time), measurement_of(series).to_owned(), field.clone())
        });
        let left: BTreeSet<_> = left.collect();
        self.types.retain(|place, _| left.contains(place));
        Ok(Written::default())
    }

    fn rename(&mut self, rename: &Rename) -> Result<Written, WriteError> {
        let NewName { what, measurement, from, to } = &rename.name;
        if !self.databases.contains(&rename.database) {
            return Err(CatalogError::DatabaseNotFound(rename.database.clone()).into());
        }
        type Key = (String, String, String, i64, String);
        let of = |key: &Key, name: &str| {
            let (database, _, series, _, field) = key;
            let found = match what {
                Named::Measurement => measurement_of(series) == name,
                Named::Tag => series.starts_with(&format!("{measurement},{name}=")),
                Named::Field => measurement_of(series) == measurement && field == name,
            };
            *database == rename.database && found
        };
        let word = match what {
            Named::Measurement => "measurement",
            Named::Tag => "tag key",
            Named::Field => "field",
        };
        let known = |key: &Key| key.0 == rename.database && measurement_of(&key.2) == measurement;
        if !self.points.keys().any(known) {
            return Err(CatalogError::NothingNamed(format!("measurement {measurement}")).into());
        }
        if !self.points.keys().any(|key| of(key, from)) {
            return Err(CatalogError::NothingNamed(format!("{word} {from}")).into());
        }
        if self.points.keys().any(|key| of(key, to)) {
            return Err(CatalogError::NameTaken(format!("{word} {to}")).into());
        }
        let renamed = std::mem::take(&mut self.points).into_iter().map(|(mut key, value)| {
            if of(&key, from) {
                match what {
                    Named::Measurement => key.2 = key.2.replacen(from.as_str(), to, 1),
                    Named::Tag => key.2 = key.2.replacen(&format!(",{from}="), &format!(",{to}="), 1),
                    Named::Field => key.4.clone_from(to),
                }
            }
            (key, value)
        });
        self.points = renamed.collect();
        let types = std::mem::take(&mut self.types).into_iter().map(|(mut place, kind)| {
            if place.0 == rename.database && place.2 == *measurement {
                match what {
                    Named::Measurement => place.2.clone_from(to),
                    Named::Field if place.3 == *from => place.3.clone_from(to),
                    _ => {}
                }
            }
            (place, kind)
        });
        self.types = types.collect();
        Ok(Written::default())
    }

    fn write(&mut self, database: &str, points: &[Point]) -> Result<Written, WriteError> {
        if !self.databases.contains(database) {
            return Err(WriteError::DatabaseNotFound(database.into()));
        }
        let mut written = Written::default();
        for point in points {
            let shard = shard_of(point.time);
            let key = |field: &str| (database.to_owned(), shard, "cpu".to_owned(), field.to_owned());
            let mut conflicts = point.fields.iter().filter(|(field, value)| {
                self.types.get(&key(field)).is_some_and(|stored| *stored != value.value().field_type())
            });
            if conflicts.next().is_some() {
                written.dropped += 1;
                continue;
            }
            for (field, value) in &point.fields {
                self.types.insert(key(field), value.value().field_type());
                let series = format!("cpu,host=h{}", point.host);
                let place = (database.to_owned(), "autogen".to_owned(), series, point.time, (*field).to_owned());
                self.points.insert(place, format!("{:?}", value.value()));
                written.values += 1;
            }
            written.points += 1;
        }
        Ok(written)
    }
}

struct Sim {
    random: Random,
    disk: SimDisk,
    store: Store,
    now: Timestamp,
    fail_percent: usize,
    /// Files of a folder with this beginning fail half the time.
    sick: &'static str,
    /// Asked for and not answered, in order.
    open: VecDeque<(WriteId, Op)>,
    /// Actions for the disk, in order.
    queue: VecDeque<Action>,
    jobs: Vec<Action>,
    model: Model,
    /// What is certain to survive, and what the last start found beyond that: written but perhaps not yet durable, until
    /// the store's first answer.
    firm: Model,
    found: Vec<Op>,
    /// Makes every value the only one of its kind.
    counter: i64,
    /// A job of this life could not read.
    broke: bool,
}

impl Sim {
    fn new(seed: u64) -> Self {
        let (store, now) = (Store::new(config()), Timestamp::from_nanos(50 * NANOS_PER_WEEK));
        Self {
            random: Random(seed),
            disk: SimDisk::default(),
            store,
            now,
            fail_percent: 0,
            sick: "",
            open: VecDeque::new(),
            queue: VecDeque::new(),
            jobs: Vec::new(),
            model: Model::default(),
            firm: Model::default(),
            found: Vec::new(),
            counter: 0,
            broke: false,
        }
    }

    fn step(&mut self) {
        match self.random.below(100) {
            0..25 => self.submit(),
            25..75 => {
                self.poll();
                self.act(None);
            }
            75..82 => self.finish_job(),
            82..88 => {
                let secs = self.random.below(400) as i64;
                self.now = Timestamp::from_nanos(self.now.nanos() + secs * NANOS_PER_SEC);
                self.store.tick(self.now);
            }
            88..90 => self.store.flush(self.now),
            90..92 if self.fail_percent > 0 => self.disk.full = !self.disk.full,
            _ => self.check_view(),
        }
    }

    fn submit(&mut self) {
        let database = ["a", "a", "a", "b"][self.random.below(4)].to_owned();
        let op = match self.random.below(40) {
            0 if self.random.percent(50) => Op::Command(Command::DropDatabase { name: database }),
            5..7 => Op::Command(Command::Delete(self.deletion(database))),
            7 => Op::Command(Command::Documents(self.documents())),
            8 => Op::Command(Command::Rename(self.renaming(database))),
            1..5 => Op::Command(Command::CreateDatabase { name: database, policy: None }),
            _ => {
                let points = (0..=self.random.below(12)).map(|_| self.point()).collect();
                Op::Write { database, points }
            }
        };
        let id = match &op {
            Op::Command(command) => self.store.command(self.now, command.clone()),
            Op::Write { database, points } => self.store.write(self.now, database, None, batch(points)),
        };
        self.open.push_back((id, op));
    }

    /// All before some time: whether a block has a point left then always shows in its entry.
    fn deletion(&mut self, database: String) -> Delete {
        let time = self.point().time;
        let range = TimeRange::new(i64::MIN, if self.random.percent(50) { i64::MAX } else { time });
        let hosts = [self.random.below(6), self.random.below(6)];
        let tag = if self.random.percent(70) { "host" } else { "node" };
        let keys = hosts.map(|host| SeriesKey::new("cpu", &[(tag, &format!("h{host}"))]));
        let series = if self.random.percent(30) { None } else { Some(keys.to_vec()) };
        let targets = vec![Target { measurement: "cpu".into(), series }];
        let fields =
            if self.random.percent(40) { vec![["f", "i", "g"][self.random.below(3)].to_owned()] } else { Vec::new() };
        Delete { database, range, targets, fields }
    }

    fn renaming(&mut self, database: String) -> Rename {
        let (what, names) =
            [(Named::Measurement, ["cpu", "cpus"]), (Named::Tag, ["host", "node"]), (Named::Field, ["f", "g"])]
                [self.random.below(3)];
        let from = self.random.below(2);
        let (from, to) = (names[from].to_owned(), names[1 - from].to_owned());
        let measurement = if what == Named::Measurement { from.clone() } else { "cpu".to_owned() };
        Rename { database, name: NewName { what, measurement, from, to } }
    }

    /// Mostly on the revision that is there, unless others are under way.
    fn documents(&mut self) -> DocumentChanges {
        self.counter += 1;
        let body = Some(Bytes::from(format!("body {}", self.counter)));
        let key = |random: &mut Random| format!("k{}", random.below(4));
        let changes = vec![(key(&mut self.random), body), (key(&mut self.random), None)];
        DocumentChanges { space: "space".into(), revision: self.model.documents.0, changes }
    }

    fn point(&mut self) -> Point {
        self.counter += 1;
        let n = self.counter;
        let week = self.random.below(3) as i64 * NANOS_PER_WEEK;
        let time = 40 * NANOS_PER_WEEK + week + self.random.below(30) as i64 * NANOS_PER_SEC;
        let mut fields = vec![("f", Val::Float(n as f64 / 4.0))];
        if self.random.percent(50) {
            fields.push(("i", Val::Integer(n)));
        }
        if self.random.percent(30) {
            fields.push(("s", Val::Text(format!("text {n}"))));
        }
        if self.random.percent(10) {
            // Whichever type comes first to a shard stays; points of the other are refused.
            fields.push(("c", if self.random.percent(50) { Val::Integer(n) } else { Val::Float(n as f64) }));
        }
        Point { host: self.random.below(6), time, fields }
    }

    fn poll(&mut self) {
        for _ in 0..=self.random.below(3) {
            let Some(action) = self.store.poll_action() else { break };
            self.take(action);
        }
    }

    fn take(&mut self, action: Action) {
        match action {
            Action::Ack { write, outcome } => self.answered(write, outcome),
            Action::Publish { .. } | Action::PublishDelete { .. } => {}
            action @ Action::Run { .. } => self.jobs.push(action),
            action => self.queue.push_back(action),
        }
    }

    fn answered(&mut self, write: WriteId, outcome: Result<Written, WriteError>) {
        let at = self.open.iter().position(|(id, _)| *id == write).expect("a write is answered once");
        match outcome {
            Ok(_) | Err(WriteError::DatabaseNotFound(_) | WriteError::Catalog(_)) => {
                assert_eq!(at, 0, "answers come in order");
                let (_, op) = self.open.pop_front().expect("it is there");
                let mut outcome = outcome;
                if let Ok(written) = &mut outcome {
                    assert_eq!(written.refusal.take().is_some(), written.dropped > 0);
                }
                assert_eq!(outcome, self.model.apply(&op), "{op:?}");
                if self.found.is_empty() {
                    let _the_same = self.firm.apply(&op);
                } else {
                    self.found.clear();
                    self.firm.clone_from(&self.model);
                }
            }
            Err(WriteError::Host(_) | WriteError::Overloaded) => {
                self.open.remove(at);
            }
            // Whether it is stored shows after the next start.
            Err(WriteError::Poisoned(_)) => {}
            Err(other) => panic!("{other}"),
        }
    }

    /// Does the first action that waits; with a fault when given, else perhaps with one of the disk's own.
    fn act(&mut self, fault: Option<Fault>) {
        let Some(action) = self.queue.pop_front() else { return };
        let fails = match &action {
            // It poisons, and there the story ends: not too often.
            Action::Sync { .. } => self.fail_percent / 3,
            Action::Append { file, .. } | Action::Truncate { file, .. } | Action::Put { file, .. }
                if !self.sick.is_empty() && file.as_str().starts_with(self.sick) =>
            {
                50
            }
            _ => self.fail_percent,
        };
        let fails = self.random.percent(fails);
        let fault = fault.unwrap_or(if fails { Fault::Fail } else { Fault::None });
        let event = self.disk.act(&action, fault, &mut self.random);
        if fault != Fault::Stop {
            self.store.handle(self.now, event);
        }
    }

    fn finish_job(&mut self) {
        if self.jobs.is_empty() {
            return;
        }
        let Action::Run { id, job } = self.jobs.swap_remove(0) else { return };
        let (disk, random) = (&self.disk, &mut self.random);
        let broken = self.fail_percent > 0 && random.percent(self.fail_percent);
        self.broke |= broken;
        let output = job.run(&mut |range| match (broken, random.below(3)) {
            (true, 0) => Err("Input/output error".into()),
            (true, 1) => Ok(disk.find(range).map(|bytes| bytes.slice(..bytes.len() / 2)).unwrap_or_default()),
            // A database that was dropped meanwhile takes its files along.
            _ => disk.find(range).ok_or_else(|| "No such file".into()),
        });
        self.store.handle(self.now, Event::JobDone(id, output));
    }

    /// Readers see what was acknowledged, all of it and nothing else.
    fn check_view(&mut self) {
        if self.store.poisoned().is_some() {
            return;
        }
        // An answer that was not yet taken is visible already.
        while let Some(action) = self.store.poll_action() {
            self.take(action);
        }
        assert_eq!(self.dump(), self.model.points);
    }

    fn dump(&mut self) -> Dump {
        let snapshot = self.store.snapshot();
        dump(&snapshot, |range| self.disk.read(range))
    }

    /// The program or the machine stops, somewhere in the middle of things, and starts again.
    fn crash(&mut self) {
        if self.random.percent(50) {
            self.act(Some(Fault::Stop));
        }
        self.queue.clear();
        self.jobs.clear();
        // Answers that were given but not yet taken never reach anyone.
        if self.random.percent(60) {
            self.disk.lose_power(&mut self.random);
        }
        self.disk.full = false;
        self.reopen();
        // Reading changes nothing: a crash while opening, before anything was done, is a start like the first.
        if self.random.percent(30) {
            let first = self.dump();
            self.reopen_store();
            assert_eq!(self.dump(), first, "opened twice");
        }
    }

    fn reopen_store(&mut self) {
        self.broke = false;
        let recovery = Recovery::new(config(), self.now, self.disk.list());
        let opened = recover(recovery, |range| self.disk.read(range));
        self.store = opened.unwrap_or_else(|error| panic!("the folder does not open: {error}")).0;
    }

    fn reopen(&mut self) {
        self.reopen_store();
        let found = self.dump();
        let databases: BTreeSet<String> =
            self.store.snapshot().databases.iter().map(|database| database.name.clone()).collect();
        // What was acknowledged, and then any beginning of what was under way.
        let mut model = self.firm.clone();
        let open = std::mem::take(&mut self.open).into_iter().map(|(_, op)| op);
        let mut under_way = std::mem::take(&mut self.found).into_iter().chain(open);
        let space = self.store.snapshot().documents.space("space");
        let documents =
            (space.revision, space.documents.iter().map(|(key, body)| (key.clone(), body.clone())).collect());
        while model.points != found || model.databases != databases || model.documents != documents {
            let Some(op) = under_way.next() else {
                let lost = self.firm.points.iter().filter(|(key, value)| found.get(*key) != Some(value));
                panic!(
                    "no state that the store went through is what was found; changed or lost: {:#?}",
                    lost.collect::<Vec<_>>()
                );
            };
            let _refused_or_not = model.apply(&op);
            self.found.push(op);
        }
        self.model = model;
    }

    fn work_off(&mut self) {
        let mut turns = 0;
        while !self.store.is_idle() || !self.queue.is_empty() || !self.jobs.is_empty() {
            self.poll();
            self.act(None);
            self.finish_job();
            turns += 1;
            assert!(turns < 100_000, "the store never comes to rest: {:?}", self.store.stats());
        }
    }

    /// On a disk that works, everything becomes files and nothing else is left.
    fn settle(&mut self) {
        (self.fail_percent, self.sick) = (0, "");
        self.store.flush(self.now);
        self.work_off();
        self.store.compact();
        self.work_off();
        self.check_view();
        let snapshot = self.store.snapshot();
        let shards =
            snapshot.databases.iter().flat_map(|database| &database.policies).flat_map(|policy| &policy.shards);
        let shards: Vec<_> = shards.collect();
        // A read that failed leaves a shard as it is until the next start, and that may be a life with a sick disk.
        assert!(self.broke || shards.iter().all(|shard| shard.files.len() <= 1), "each shard is one file");
        let mut live: BTreeSet<_> =
            shards.into_iter().flat_map(|shard| &shard.files).map(|file| file.name.clone()).collect();
        for (file, _) in self.disk.list() {
            let log = file.as_manifest().is_some() || file.as_wal().is_some();
            assert!(live.remove(&file) || log || file.as_str() == "VERSION", "{file} was left");
        }
        assert!(live.is_empty(), "{live:?} are not there");
        assert_eq!(self.disk.list().iter().filter(|(file, _)| file.as_manifest().is_some()).count(), 1);
        self.crash();
        assert_eq!(self.dump(), self.model.points);
    }
}

fn batch(points: &[Point]) -> WriteBatch {
    let mut batch = WriteBatch::new();
    for point in points {
        let host = format!("h{}", point.host);
        let series = batch.intern_series("cpu", [(&b"host"[..], host.as_bytes())].into_iter());
        batch.begin_row(series, point.time);
        for (field, value) in &point.fields {
            batch.push_value(field, value.value());
        }
    }
    batch
}
