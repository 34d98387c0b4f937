//! Files of every released format stay readable. A folder of `fixtures` was written once, by the program of its time, and
//! is never written again; `answers.json` beside it is what that program answered.
//!
//! A new format gets a new folder: `WRITE_FIXTURE=v4 cargo test -p isopoint-tests --test fixtures`.

use isopoint_core::store::{FileName, StoreConfig};
use isopoint_core::time::Timestamp;
use isopoint_tests::case::{Profile, Request};
use isopoint_tests::datagen;
use isopoint_tests::engines::{Core, NOW};
use isopoint_tests::json::Value;
use isopoint_tests::memhost::MemHost;
use isopoint_tests::simdisk::Random;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const STATEMENTS: &[&str] = &[
    "SHOW DATABASES",
    "SHOW SERIES",
    "SHOW FIELD KEYS",
    "SELECT * FROM cpu",
    "SELECT * FROM load ORDER BY time DESC",
    "SELECT mean(usage), sum(usage), max(count), count(ok), last(text) FROM cpu GROUP BY host, region",
    "SELECT mean(value) FROM load WHERE time >= '2024-01-01T00:00:00Z' AND time < '2024-01-02T00:00:00Z' GROUP BY time(1h)",
];

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

fn answers(core: &mut Core) -> Vec<String> {
    let ask = |statement: &&str| {
        let parameters = [("db", "d"), ("epoch", "ns"), ("q", statement)];
        core.exchange(&Request::get("/query", &parameters), NOW).text()
    };
    STATEMENTS.iter().map(ask).collect()
}

/// Files below a folder, by their names within it.
fn read(folder: &Path, below: &str, files: &mut BTreeMap<FileName, Vec<u8>>) {
    for entry in fs::read_dir(folder.join(below)).expect("the fixture is there") {
        let entry = entry.expect("the folder is readable");
        let name = entry.file_name().into_string().expect("names are ASCII");
        let name = if below.is_empty() { name } else { format!("{below}/{name}") };
        if entry.path().is_dir() {
            read(folder, &name, files);
        } else {
            files.insert(FileName::new(name), fs::read(entry.path()).expect("it was listed"));
        }
    }
}

#[test]
fn every_released_format_is_read() {
    if let Some(version) = std::env::var_os("WRITE_FIXTURE") {
        write(&fixtures().join(version));
    }
    let mut count = 0;
    for entry in fs::read_dir(fixtures()).expect("there are fixtures") {
        let folder = entry.expect("the folder is readable").path();
        let mut files = BTreeMap::new();
        read(&folder.join("data"), "", &mut files);
        let opened = MemHost::open(StoreConfig::default(), files, Timestamp::from_nanos(NOW));
        let (host, report) = opened.unwrap_or_else(|why| panic!("{}: {why}", folder.display()));
        assert!(report.files > 0 && report.points > 0, "blocks and a log: {report:?}");
        let mut core = Core::new(Profile::Default);
        core.host = host;
        let recorded = fs::read_to_string(folder.join("answers.json")).expect("it lies beside the data");
        let recorded = Value::parse(&recorded).expect("it is JSON");
        let recorded: Vec<_> = recorded.as_list().expect("a list").iter().filter_map(Value::as_text).collect();
        assert_eq!(recorded, answers(&mut core), "{}", folder.display());
        count += 1;
    }
    assert!(count > 0, "no fixture");
}

/// Two files of overlapping times in one shard, a change of a name and a field that is gone since, and points that are in
/// the log only.
fn write(folder: &Path) {
    assert!(!folder.exists(), "{} is never written again", folder.display());
    let mut core = Core::new(Profile::Default);
    core.host.create_database("d");
    let lines = datagen::lines(900, &mut Random(1));
    for (at, lines) in lines.chunks(300).enumerate() {
        let answer = core.exchange(&Request::post("/write", &[("db", "d")], lines.join("\n")), NOW);
        assert_eq!(answer.status, 204, "{}", answer.text());
        if at < 2 {
            core.host.flush();
        }
        if at == 1 {
            // They stand beside the files, whose bytes have the old name and all fields.
            for statement in ["RENAME FIELD text TO note FROM cpu", "DROP FIELD ok FROM cpu"] {
                let answer = core.exchange(&Request::post("/query", &[("db", "d"), ("q", statement)], ""), NOW).text();
                assert!(!answer.contains("error"), "{answer}");
            }
        }
    }
    for (name, bytes) in &core.host.files {
        let file = folder.join("data").join(name.as_str());
        fs::create_dir_all(file.parent().expect("it has a folder")).expect("the fixture can be written");
        fs::write(file, bytes).expect("the fixture can be written");
    }
    let answers: Vec<_> = answers(&mut core).into_iter().map(Value::Text).collect();
    let lines: Vec<_> = answers.iter().map(ToString::to_string).collect();
    fs::write(folder.join("answers.json"), format!("[\n{}\n]\n", lines.join(",\n")))
        .expect("the fixture can be written");
}
