//! `isopoint selfcheck`: the recorded answers of a real InfluxDB, asked of this very program over a socket.
//!
//! `selfcheck.jsonl.gz` beside the sources holds requests and answers in order, an object a line; `cargo run -p
//! isopoint-tests --bin selfcheck_data` makes it of the corpus. Numbers agree within 1e-9, everything else to the byte.

use crate::cli::Exit;
use crate::gzip;
use crate::remote::{Client, RemoteArgs};
use bytes::Bytes;
use isopoint_core::auth::decode_base64;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

static DATA: &[u8] = include_bytes!("../selfcheck.jsonl.gz");

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct SelfcheckArgs {
    /// Only suites whose name contains this
    #[arg(long, default_value = "", value_name = "TEXT")]
    suite: String,
    /// Print known differences too
    #[arg(long)]
    known: bool,
}

#[derive(Deserialize)]
struct Line {
    profile: String,
    #[serde(default)]
    empty: bool,
    method: Option<String>,
    #[serde(default)]
    path: String,
    #[serde(default)]
    query: String,
    #[serde(default)]
    headers: Vec<(String, String)>,
    #[serde(default)]
    body_b64: String,
    suite: Option<String>,
    #[serde(default)]
    case: String,
    status: Option<u16>,
    content_type: Option<String>,
    body: Option<String>,
    #[serde(default)]
    known: bool,
}

/// Of a suite: answers that agree, that differ as is known, and that differ.
type Counts = BTreeMap<String, [u64; 3]>;

pub(crate) fn run(args: &SelfcheckArgs) -> Exit {
    match check(args) {
        Ok(0) => Exit::Done,
        Ok(_) => Exit::Failed,
        Err(error) => {
            eprintln!("isopoint: {error}");
            Exit::Failed
        }
    }
}

fn check(args: &SelfcheckArgs) -> Result<u64, String> {
    let text =
        gzip::unpack(DATA, u64::MAX).map_err(|_| "the recorded answers in this program are damaged".to_owned())?;
    let text = String::from_utf8(text).map_err(|error| error.to_string())?;
    let mut counts = Counts::new();
    for (profile, flags) in [
        ("default", &[] as &[&str]),
        (
            "limits",
            &[
                "--max-row-limit",
                "5",
                "--max-body-size",
                "2048",
                "--max-select-series",
                "3",
                "--max-select-buckets",
                "10",
            ],
        ),
    ] {
        let mut lines = Vec::new();
        for line in text.lines() {
            let line: Line = serde_json::from_str(line).map_err(|error| format!("the recorded answers: {error}"))?;
            lines.extend((line.profile == profile).then_some(line));
        }
        let server = Own::start(profile, flags)?;
        replay(&lines, &server.client, args, &mut counts)?;
    }
    let mut total = [0; 3];
    println!("{:<28} {:>8} {:>8} {:>8}", "suite", "agree", "known", "differ");
    for (suite, row) in &counts {
        println!("{suite:<28} {:>8} {:>8} {:>8}", row[0], row[1], row[2]);
        total.iter_mut().zip(row).for_each(|(total, count)| *total += count);
    }
    println!("{:<28} {:>8} {:>8} {:>8}", "all", total[0], total[1], total[2]);
    Ok(total[2])
}

fn replay(lines: &[Line], client: &Client, args: &SelfcheckArgs, counts: &mut Counts) -> Result<(), String> {
    for line in lines {
        if line.empty {
            empty(client)?;
        }
        let Some(method) = &line.method else { continue };
        let target = if line.query.is_empty() { line.path.clone() } else { format!("{}?{}", line.path, line.query) };
        let body = Bytes::from(decode_base64(&line.body_b64).unwrap_or_default());
        let answer = client.raw(method, &target, line.headers.clone(), body)?;
        let Some(suite) = line.suite.as_ref().filter(|suite| suite.contains(&args.suite)) else { continue };
        let told = String::from_utf8_lossy(&answer.body);
        let wrong = if Some(answer.status) != line.status {
            Some(format!("status {} instead of {}", answer.status, line.status.unwrap_or_default()))
        } else {
            let kind = line.content_type.as_deref().unwrap_or_default();
            line.body
                .as_deref()
                .filter(|wanted| !same(kind, wanted, &told))
                .map(|wanted| format!("\n  InfluxDB: {}\n  Isopoint: {}", brief(wanted), brief(&told)))
        };
        let row = counts.entry(suite.clone()).or_default();
        match wrong {
            None => row[0] += 1,
            Some(wrong) => {
                row[if line.known { 1 } else { 2 }] += 1;
                if !line.known || args.known {
                    println!("{suite}: {}: {method} {target}: {wrong}", line.case);
                }
            }
        }
    }
    Ok(())
}

fn empty(client: &Client) -> Result<(), String> {
    let answer = client.run("SHOW DATABASES", None)?;
    let rows = answer.pointer("/results/0/series/0/values").and_then(Value::as_array);
    for name in rows.into_iter().flatten().filter_map(|row| row.get(0)?.as_str()) {
        client.run(&format!("DROP DATABASE {}", crate::remote::quoted(name)), None)?;
    }
    Ok(())
}

/// Whether two bodies say the same. Packed binary ones are not looked into.
fn same(kind: &str, wanted: &str, told: &str) -> bool {
    if kind.contains("msgpack") {
        return true;
    }
    let read = |text: &str| serde_json::Deserializer::from_str(text).into_iter().collect::<Result<Vec<Value>, _>>();
    if kind.contains("json")
        && let (Ok(wanted), Ok(told)) = (read(wanted), read(told))
    {
        return wanted.len() == told.len() && wanted.iter().zip(&told).all(|(a, b)| same_value(a, b));
    }
    wanted == told
}

fn same_value(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(x), Value::Number(y)) => {
            if x == y || x.is_f64() != y.is_f64() {
                return x == y;
            }
            let (x, y) = (x.as_f64().unwrap_or(f64::NAN), y.as_f64().unwrap_or(f64::NAN));
            !a.is_i64() && (x - y).abs() <= 1e-9 * x.abs().max(y.abs()).max(1e-3)
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_value(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same_value(a, b)))
        }
        _ => a == b,
    }
}

fn brief(text: &str) -> String {
    let mut shown: String = text.trim().chars().take(400).collect();
    if shown.len() < text.trim().len() {
        shown.push('…');
    }
    shown
}

/// A server of this program, gone with its folder when dropped.
struct Own {
    child: Child,
    folder: PathBuf,
    client: Client,
}

impl Own {
    fn start(name: &str, flags: &[&str]) -> Result<Self, String> {
        let folder = std::env::temp_dir().join(format!("isopoint-selfcheck-{}-{name}", std::process::id()));
        let program = std::env::current_exe().map_err(|error| error.to_string())?;
        let mut command = Command::new(program);
        command.args(["serve", "--listen", "127.0.0.1:0", "--no-self-metrics", "--fsync", "never", "--data-dir"]);
        command.arg(&folder).args(flags).env_remove("ISOPOINT_CONFIG").env_remove("ISOPOINT_AUTH");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().map_err(|error| format!("cannot start a server: {error}"))?;
        let stdout = child.stdout.take().map(std::io::BufReader::new);
        let mut lines = stdout.into_iter().flat_map(std::io::BufRead::lines).map_while(Result::ok);
        let address = lines.find_map(|line| line.strip_prefix("listening on ").map(str::to_owned));
        let client = address
            .ok_or_else(|| "the server did not start".to_owned())
            .and_then(|address| Client::new(&RemoteArgs::at(&address)));
        match client {
            Ok(client) => Ok(Self { child, folder, client }),
            Err(error) => {
                let _ = child.kill();
                remove(&folder);
                Err(error)
            }
        }
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        remove(&self.folder);
    }
}

fn remove(folder: &Path) {
    let _ = std::fs::remove_dir_all(folder);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_the_same_but_for_the_last_digits() {
        let json = |a: &str, b: &str| same("application/json", a, b);
        assert!(json("{\"a\":[1,2.0]}\n", "{\"a\":[1,2.0000000000001]}"));
        assert!(!json("{\"a\":[1,2.0]}", "{\"a\":[1,2.1]}"));
        assert!(!json("{\"a\":1767225600000000000}", "{\"a\":1767225600000000001}"), "times are exact");
        assert!(!json("{\"a\":1}", "{\"a\":1,\"b\":2}"));
        assert!(!json("{}\n{}", "{}"));
        assert!(same("text/csv", "a,b\n", "a,b\n") && !same("text/csv", "a,b\n", "a,c\n"));
    }

    #[test]
    fn the_recorded_answers_can_be_read() {
        let text = String::from_utf8(gzip::unpack(DATA, u64::MAX).ok().unwrap()).unwrap();
        let answers = text.lines().filter(|line| serde_json::from_str::<Line>(line).unwrap().suite.is_some());
        assert!(answers.count() > 500);
    }
}
