//! What an operator does to a data folder: backup and restore while it is written, verify, repair, inspect, export.

use isopoint_tests::case::{Profile, Request};
use isopoint_tests::engines::{Engine as _, Serve, data_folder, program};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

fn run(arguments: &[&str]) -> Output {
    Command::new(program()).args(arguments).output().expect("the program is built")
}

/// What it said on both channels, after it ended with this code.
#[track_caller]
fn ends(code: i32, arguments: &[&str]) -> String {
    let output = run(arguments);
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
    said
}

fn text(path: &Path) -> &str {
    path.to_str().expect("temporary folders have plain names")
}

fn query(server: &mut Serve, statement: &str) -> String {
    let request = Request::get("/query", &[("db", "d"), ("epoch", "ns"), ("q", statement)]);
    server.answer(&request, None).expect("it answers").text()
}

fn write(server: &mut Serve, lines: &str) {
    let answer = server.answer(&Request::post("/write", &[("db", "d")], lines), None).expect("it answers");
    assert_eq!(answer.status, 204, "{}", answer.text());
}

/// Points of every type, with gaps, text to escape, a field that changes its type from one shard to the next; the first
/// part flushed into files and the rest in the log of a server that was killed.
fn folder() -> tempfile::TempDir {
    let folder = data_folder();
    let mut server = Serve::start(folder.path(), Profile::Default).expect("it starts");
    assert_eq!(server.answer(&Request::statement("CREATE DATABASE d"), None).expect("it answers").status, 200);
    let week = 604_800_000_000_000_i64;
    let lines: Vec<_> =
        (0..3_000_i64).map(|at| format!("m,host=h{} f={}.25,i={at}i {}", at % 3, at % 7, at * 1_000)).collect();
    write(&mut server, &lines.join("\n"));
    write(&mut server, "m,host=h0 i=1.5 1209600000000000");
    assert_eq!(server.stop(), Ok(Some(0)));
    let mut server = Serve::start(folder.path(), Profile::Default).expect("it starts");
    write(&mut server, "m,host=a\\ b\\,c\\=d f=-0,b=true,s=\"say \\\"hi\\\" \\\\ there, x=1\" 5");
    write(&mut server, &format!("odd\\ name,k=v field\\,x=1e300,n=-3i {}", 3 * week));
    server.kill();
    folder
}

fn dump(folder: &Path) -> String {
    ends(0, &["export", "--data-dir", text(folder), "-d", "d"])
}

/// The lines of an export, without what it says of itself.
fn lines(dump: &str) -> Vec<&str> {
    let mut lines: Vec<_> = dump.lines().filter(|line| !line.ends_with("measurements")).collect();
    lines.sort_unstable();
    lines
}

#[test]
fn an_export_comes_back_as_it_was() {
    let source = folder();
    let exported = dump(source.path());
    assert_eq!(lines(&exported).len(), 3_003);
    let target = data_folder();
    let file = target.path().join("points.lp");
    fs::write(&file, lines(&exported).join("\n")).expect("there is room");
    let data = target.path().join("data");
    let server = Serve::start(&data, Profile::Default).expect("it starts");
    let host = format!("http://{}", server.address());
    ends(0, &["import", text(&file), "--host", &host, "-d", "d"]);
    assert_eq!(lines(&dump(&data)), lines(&exported), "a running server's folder is read, too");
    drop(server);
    let csv = ends(0, &["export", "--data-dir", text(source.path()), "-d", "d", "-m", "m", "--format", "csv"]);
    let mut rows = csv.lines();
    assert_eq!(rows.next(), Some("time,host,b,f,i,s"));
    assert!(rows.any(|row| row == "5,\"a b,c=d\",true,-0,,\"say \"\"hi\"\" \\ there, x=1\""), "{csv}");
    let said = ends(2, &["export", "--data-dir", text(source.path()), "-d", "d", "--format", "csv"]);
    assert!(said.contains("--measurement"), "{said}");
    let within = ends(
        0,
        &[
            "export",
            "--data-dir",
            text(source.path()),
            "-d",
            "d",
            "--from",
            "1970-01-01T00:00:00.002999Z",
            "--to",
            "1970-01-08T00:00:00Z",
        ],
    );
    assert_eq!(lines(&within), ["m,host=h2 f=3.25,i=2999i 2999000"]);
}

#[test]
fn parquet_holds_the_same_values() {
    let source = folder();
    let out = source.path().join("m.parquet");
    let arguments =
        ["export", "--data-dir", text(source.path()), "-d", "d", "-m", "m", "--format", "parquet", "-o", text(&out)];
    ends(0, &arguments);
    use parquet::file::reader::{FileReader as _, SerializedFileReader};
    let reader = SerializedFileReader::new(fs::File::open(&out).expect("it is there")).expect("it is Parquet");
    let names: Vec<_> =
        reader.metadata().file_metadata().schema().get_fields().iter().map(|field| field.name().to_owned()).collect();
    assert_eq!(names, ["time", "host", "b", "f", "i", "s"]);
    let rows: Vec<String> =
        reader.get_row_iter(None).expect("it has rows").map(|row| row.expect("a row").to_string()).collect();
    assert_eq!(rows.len(), 3_002);
    let odd = rows.iter().find(|row| row.contains("a b,c=d")).expect("it is there");
    assert!(odd.contains("b: true") && odd.contains("i: null"), "{odd}");
    assert_eq!(rows.iter().filter(|row| row.contains("f: 3.25")).count(), 3_000 / 7 + 1);
}

#[test]
fn a_backup_under_load_holds_all_that_was_acknowledged_before_it() {
    let source = data_folder();
    let backups = data_folder();
    let mut server = Serve::start_with(source.path(), &["--memory-limit", "8MiB"]).expect("it starts");
    assert_eq!(server.answer(&Request::statement("CREATE DATABASE d"), None).expect("it answers").status, 200);
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let address = server.address();
        let stop = &stop;
        scope.spawn(move || {
            let mut client = isopoint_tests::http::Client::new(address);
            let mut at = 0_i64;
            while !stop.load(Ordering::Relaxed) {
                let lines: Vec<_> =
                    (at..at + 2_000).map(|at| format!("m,w={} v={at}i,x={}.5 {at}", at % 10, at * 7 % 1_000)).collect();
                // Throttled is no promise.
                if client
                    .send(&Request::post("/write", &[("db", "d")], lines.join("\n")))
                    .is_ok_and(|answer| answer.status == 204)
                {
                    at += 2_000;
                }
            }
        });
        for round in 0..4 {
            let before = count(&mut server);
            ends(0, &["backup", "--data-dir", text(source.path()), text(backups.path())]);
            let after = count(&mut server);
            let target = source.path().with_extension(format!("restored{round}"));
            ends(0, &["restore", text(backups.path()), "--data-dir", text(&target)]);
            ends(0, &["verify", "--data-dir", text(&target)]);
            let mut restored = Serve::start(&target, Profile::Default).expect("it starts");
            let found = count(&mut restored);
            drop(restored);
            fs::remove_dir_all(&target).expect("it is there");
            assert!(found >= before && found <= after, "{before} <= {found} <= {after}");
            // One backup a second: their names are times.
            thread::sleep(std::time::Duration::from_millis(1_100));
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert_eq!(fs::read_dir(backups.path()).expect("it is there").count(), 4);
    let said = ends(3, &["restore", text(backups.path()), "--data-dir", text(source.path())]);
    assert!(said.contains("not empty"), "{said}");
}

#[test]
fn a_backup_has_the_names_and_fields_of_its_time() {
    let source = data_folder();
    let backups = data_folder();
    let mut server = Serve::start(source.path(), Profile::Default).expect("it starts");
    assert_eq!(server.answer(&Request::statement("CREATE DATABASE d"), None).expect("it answers").status, 200);
    let lines: Vec<_> = (0..500).map(|at| format!("m,h=h{} f={at},g={at}i {at}", at % 3)).collect();
    write(&mut server, &lines.join("\n"));
    assert_eq!(server.stop(), Ok(Some(0)), "the points are in a file");
    let mut server = Serve::start(source.path(), Profile::Default).expect("it starts");
    for statement in ["RENAME FIELD f TO e FROM m", "RENAME MEASUREMENT m TO n", "DROP FIELD g FROM n"] {
        let request = Request::post("/query", &[("db", "d"), ("q", statement)], "");
        let answer = server.answer(&request, None).expect("it answers").text();
        assert!(!answer.contains("error"), "{statement}: {answer}");
    }
    write(&mut server, "n,h=h0 e=0.5 1000");
    let asked = ["SELECT * FROM n", "SHOW SERIES", "SHOW FIELD KEYS", "SELECT f, g FROM m"];
    let before = asked.map(|statement| query(&mut server, statement));
    assert!(before[0].contains("[\"time\",\"e\",\"h\"]") && before[0].contains("[1000,0.5,\"h0\"]"), "{}", before[0]);
    ends(0, &["backup", "--data-dir", text(source.path()), text(backups.path())]);
    // Not in the backup.
    let request = Request::post("/query", &[("db", "d"), ("q", "RENAME MEASUREMENT n TO o")], "");
    assert_eq!(server.answer(&request, None).expect("it answers").status, 200);
    let target = source.path().with_extension("restored");
    ends(0, &["restore", text(backups.path()), "--data-dir", text(&target)]);
    ends(0, &["verify", "--data-dir", text(&target)]);
    let mut restored = Serve::start(&target, Profile::Default).expect("it starts");
    let after = asked.map(|statement| query(&mut restored, statement));
    drop(restored);
    fs::remove_dir_all(&target).expect("it is there");
    assert_eq!(after, before);
}

fn count(server: &mut Serve) -> i64 {
    let answer = query(server, "SELECT count(v) FROM m");
    let digits = answer.split("[[0,").nth(1).and_then(|rest| rest.split(']').next());
    digits.map_or(0, |digits| digits.parse().expect("a count"))
}

fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("it is a folder") {
            let path = entry.expect("it can be read").path();
            match path.is_dir() {
                true => folders.push(path),
                false if path.to_string_lossy().ends_with(ending) => found.push(path),
                false => {}
            }
        }
    }
    found.sort();
    found
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).expect("it is there");
    bytes[at] ^= 0x40;
    fs::write(path, bytes).expect("it can be written");
}

#[test]
fn damage_is_found_named_and_taken_out() {
    let source = folder();
    let data = text(source.path());
    let said = ends(0, &["verify", "--data-dir", data]);
    assert!(said.contains("2 block files") && said.contains("all whole"), "{said}");
    let said = ends(0, &["repair", "--data-dir", data]);
    assert!(said.contains("nothing to repair"), "{said}");
    let block =
        files(source.path(), ".blk").into_iter().max_by_key(|path| fs::metadata(path).map_or(0, |meta| meta.len()));
    let block = block.expect("there is one");
    flip(&block, 100);
    let log = files(source.path(), ".wal").pop().expect("there is one");
    let end = fs::metadata(&log).expect("it is there").len() as usize;
    flip(&log, end - 3);
    let said = ends(1, &["verify", "--data-dir", data]);
    let name = block.file_name().expect("it has one").to_string_lossy().into_owned();
    assert!(said.contains(&name) && said.contains("isopoint repair"), "{said}");
    let said = ends(1, &["repair", "--data-dir", data]);
    assert!(said.contains(&name) && said.contains("--yes"), "{said}");
    assert!(block.exists(), "nothing is done unasked");
    ends(0, &["repair", "--data-dir", data, "--yes"]);
    assert!(!block.exists() && source.path().join("damaged").exists());
    ends(0, &["verify", "--data-dir", data]);
    let mut server = Serve::start(source.path(), Profile::Default).expect("it starts");
    assert!(query(&mut server, "SELECT i FROM m").contains("[1209600000000000,1.5]"), "the other file is whole");
}

#[test]
fn a_folder_is_described() {
    let source = folder();
    let said = ends(0, &["inspect", "--data-dir", text(source.path())]);
    for words in
        ["database \"d\": 5 series", "2 block files", "m.i integer: 3000 values", "m.i float: 1 values", "m.time"]
    {
        assert!(said.contains(words), "{words} in {said}");
    }
    let said = ends(3, &["inspect", "--data-dir", "/nonexistent"]);
    assert!(said.contains("no data folder"), "{said}");
}

#[test]
fn a_folder_is_compacted_to_one_file_a_shard() {
    let source = folder();
    // Shards of weeks 0, 2 and 3; the first has one file and points in the log.
    let exported = dump(source.path());
    let server = Serve::start(source.path(), Profile::Default).expect("it starts");
    let said = ends(3, &["compact", "--data-dir", text(source.path())]);
    assert!(said.contains("is in use"), "{said}");
    drop(server);
    let said = ends(0, &["compact", "--data-dir", text(source.path())]);
    assert!(said.contains("points in the log became 3 files with"), "{said}");
    assert!(!said.lines().last().unwrap_or_default().ends_with("in the log"), "{said}");
    assert_eq!(lines(&dump(source.path())), lines(&exported));
    ends(0, &["verify", "--data-dir", text(source.path())]);
    let again = ends(0, &["compact", "--data-dir", text(source.path())]);
    assert!(again.contains("3 files") && again.matches("3 files").count() == 2, "{again}");
    let missing = source.path().join("nowhere");
    assert!(ends(3, &["compact", "--data-dir", text(&missing)]).contains("no such folder"));
}
