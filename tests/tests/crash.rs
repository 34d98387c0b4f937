//! Thousands of crashes on a simulated disk. After each the store must hold what was acknowledged, and of what was under
//! way when it stopped a beginning, each batch whole or not at all.
//!
//! Everything follows from a seed, which a failure prints. `CRASH_SEED=7 cargo test -p isopoint-tests --test crash` runs
//! that one alone, `CRASH_SEEDS=100000` so many.

use isopoint_core::catalog::Command;
use isopoint_core::model::WriteBatch;
use isopoint_core::store::{Action, Event, Recovery, Store, StoreConfig, WriteError, WriteId, Written};
use isopoint_core::time::{NANOS_PER_HOUR, NANOS_PER_SEC, NANOS_PER_WEEK, Timestamp};
use isopoint_core::value::{FieldType, Value};
use isopoint_tests::dump::{Dump, dump};
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
    /// Of a field in a shard.
    types: BTreeMap<(String, i64, &'static str), FieldType>,
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
            Op::Command(_) => unreachable!("no other is made here"),
            Op::Write { database, points } => return self.write(database, points),
        }
        Ok(Written::default())
    }

    fn write(&mut self, database: &str, points: &[Point]) -> Result<Written, WriteError> {
        if !self.databases.contains(database) {
            return Err(WriteError::DatabaseNotFound(database.into()));
        }
        let mut written = Written::default();
        for point in points {
            // Epoch is a Thursday, shards begin on Mondays.
            let shard = (point.time - 4 * 24 * NANOS_PER_HOUR).div_euclid(NANOS_PER_WEEK);
            let key = |field: &'static str| (database.to_owned(), shard, field);
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
            0 => Op::Command(Command::DropDatabase { name: database }),
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
            Ok(_) | Err(WriteError::DatabaseNotFound(_)) => {
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
        let output = job.run(&mut |range| match (broken, random.below(3)) {
            (true, 0) => Err("Input/output error".into()),
            (true, 1) => Ok(disk.read(range).slice(..range.len as usize / 2)),
            _ => Ok(disk.read(range)),
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
        while model.points != found || model.databases != databases {
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

    /// On a disk that works, everything becomes files and nothing else is left.
    fn settle(&mut self) {
        (self.fail_percent, self.sick) = (0, "");
        self.store.flush(self.now);
        while !self.store.is_idle() || !self.queue.is_empty() || !self.jobs.is_empty() {
            self.poll();
            self.act(None);
            self.finish_job();
        }
        self.check_view();
        let snapshot = self.store.snapshot();
        let shards =
            snapshot.databases.iter().flat_map(|database| &database.policies).flat_map(|policy| &policy.shards);
        let mut live: BTreeSet<_> = shards.flat_map(|shard| &shard.files).map(|file| file.name.clone()).collect();
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
