//! `isopoint migrate influxdb`: from a server that speaks InfluxDB's API and from an export file, whole and resumed.

use isopoint_tests::case::{Profile, Request};
use isopoint_tests::engines::{Engine as _, Serve, data_folder, program};
use isopoint_tests::http::gzip;
use std::path::Path;
use std::process::Command;

fn run(arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(program()).args(arguments).output().expect("the program is built");
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.code(), said)
}

fn ask(server: &mut Serve, request: &Request) -> String {
    server.answer(request, None).expect("it answers").text()
}

fn all(server: &mut Serve) -> String {
    [
        "SELECT * FROM /.*/ GROUP BY *",
        "SELECT * FROM short./.*/ GROUP BY *",
        "SHOW RETENTION POLICIES",
        "SHOW FIELD KEYS",
    ]
    .iter()
    .map(|statement| ask(server, &Request::get("/query", &[("db", "d \"q\""), ("epoch", "ns"), ("q", statement)])))
    .collect()
}

fn text(path: &Path) -> &str {
    path.to_str().expect("temporary folders have plain names")
}

/// All types, text to escape, several policies and shards.
fn source(folder: &Path) -> Serve {
    let mut server = Serve::start(folder, Profile::Default).expect("it starts");
    for statement in [
        "CREATE DATABASE \"d \\\"q\\\"\"",
        "CREATE RETENTION POLICY short ON \"d \\\"q\\\"\" DURATION 52w REPLICATION 1 SHARD DURATION 1w",
    ] {
        let answer = ask(&mut server, &Request::statement(statement));
        assert!(!answer.contains("error"), "{answer}");
    }
    let week = 604_800_000_000_000_i64;
    let mut lines =
        String::from("odd\\ name,k\\,=v\\ \\=w f\\ x=1.5,i=3i,b=true,s=\"say \\\"hi\\\" \\\\ there\nline\" 5\n");
    for at in 0..2_000_i64 {
        lines += &format!("m,host=h{} f={}.25,i={at}i {}\n", at % 3, at % 7, at * week / 500);
    }
    let write = Request::post("/write", &[("db", "d \"q\"")], lines);
    assert_eq!(server.answer(&write, None).expect("it answers").status, 204);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("it is later").as_nanos();
    let write =
        Request::post("/write", &[("db", "d \"q\""), ("rp", "short")], format!("cpu v=9007199254740993i {now}"));
    assert_eq!(server.answer(&write, None).expect("it answers").status, 204);
    server
}

#[test]
fn a_running_server_is_copied_and_a_broken_copy_goes_on() {
    let (there, here) = (data_folder(), data_folder());
    let mut source = source(there.path());
    let from = format!("http://{}", source.address());
    let state = here.path().join("state");
    let migrate = |target: &Serve| {
        let to = format!("http://{}", target.address());
        run(&["migrate", "influxdb", "--from", &from, "--host", &to, "--state", text(&state)])
    };
    // A target that takes no larger writes breaks it off.
    let data = here.path().join("data");
    let small = Serve::start_with(&data, &["--max-body-size", "3000"]).expect("it starts");
    let (code, said) = migrate(&small);
    assert!(code == Some(1) && said.contains("run the same command again"), "{said}");
    small.kill();
    let mut target = Serve::start(&data, Profile::Default).expect("it starts");
    let (code, said) = migrate(&target);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains(".\"m\": 4000 values there, 4000 here"), "{said}");
    assert!(!state.exists());
    assert_eq!(all(&mut target), all(&mut source));
}

#[test]
fn an_export_file_is_read_as_influx_inspect_writes_it() {
    let folder = data_folder();
    let export = "# INFLUXDB EXPORT: 1677-09-21T00:12:43Z - 2262-04-11T23:47:16Z\n# DDL\nCREATE DATABASE d WITH NAME autogen\n\
                  CREATE DATABASE other WITH NAME autogen\n# DML\n# CONTEXT-DATABASE:d\n# CONTEXT-RETENTION-POLICY:autogen\n\
                  # writing tsm data\nm,host=a v=1.5 1\nm,host=a s=\"two\n# lines\" 1\nm,host=a i=7i 2\n# writing wal data\n\
                  m,host=a v=2 2\n# CONTEXT-DATABASE:other\n# CONTEXT-RETENTION-POLICY:autogen\n# writing tsm data\nx v=1 1\n";
    let file = folder.path().join("export.gz");
    std::fs::write(&file, gzip(export.as_bytes())).expect("a file");
    let mut target = Serve::start(&folder.path().join("data"), Profile::Default).expect("it starts");
    let to = format!("http://{}", target.address());
    let state = folder.path().join("state");
    let (code, said) = run(&["migrate", "influxdb", "--file", text(&file), "--host", &to, "--state", text(&state)]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("d.autogen: 4 lines in the file, 4 values here"), "{said}");
    assert!(said.contains("other.autogen: 1 lines in the file, 1 values here"), "{said}");
    let select = Request::get("/query", &[("db", "d"), ("epoch", "ns"), ("q", "SELECT i, s, v FROM m")]);
    let answer = ask(&mut target, &select);
    assert!(answer.contains("[1,null,\"two\\n# lines\",1.5],[2,7,null,2]"), "{answer}");
    let (code, said) = run(&["migrate", "influxdb", "--file", "/nowhere", "--host", &to]);
    assert!(code == Some(1) && said.contains("/nowhere"), "{said}");
}
