//! `isopoint migrate influxdb`: everything of an InfluxDB 1.x, over its HTTP API or from a file of `influx_inspect export`.
//!
//! Writing the same point again changes nothing, so a migration that broke off goes on where its state file says, and
//! repeats at most one window. At the end the values of every measurement are counted on both sides.

mod export_file;
mod live;

use crate::cli::Exit;
use crate::remote::{Client, RemoteArgs};
use clap::Subcommand;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct MigrateArgs {
    #[command(subcommand)]
    source: Source,
}

#[derive(Clone, Debug, Subcommand)]
enum Source {
    /// Copy an InfluxDB 1.x into a running Isopoint
    ///
    /// Databases, retention policies and all points; users and continuous queries are listed, not copied. Either from a
    /// server that runs, or from a file made by `influx_inspect export`.
    Influxdb(InfluxArgs),
}

#[derive(Clone, Debug, clap::Args)]
struct InfluxArgs {
    /// InfluxDB to read from
    #[arg(long, value_name = "URL", conflicts_with = "file", required_unless_present = "file")]
    from: Option<String>,
    /// User of that InfluxDB
    #[arg(long, env = "INFLUX_USERNAME", value_name = "NAME")]
    from_username: Option<String>,
    /// His password
    #[arg(long, env = "INFLUX_PASSWORD", value_name = "PASSWORD", hide_env_values = true)]
    from_password: Option<String>,
    /// File of `influx_inspect export`, also as .gz
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Database to copy; may be given several times [default: all but _internal]
    #[arg(long, short = 'd', value_name = "NAME")]
    database: Vec<String>,
    /// File that remembers what is done; deleted at the end
    #[arg(long, default_value = "isopoint-migrate.state", value_name = "FILE")]
    state: PathBuf,
    /// Where to; Isopoint's address and credentials
    #[command(flatten)]
    remote: RemoteArgs,
}

pub(crate) fn run(args: &MigrateArgs) -> Exit {
    let Source::Influxdb(args) = &args.source;
    match migrate(args) {
        Ok(true) => Exit::Done,
        Ok(false) => Exit::Failed,
        Err(error) => {
            eprintln!("isopoint: {error}");
            eprintln!("isopoint: run the same command again to go on from here");
            Exit::Failed
        }
    }
}

/// Whether the counts of both sides agree.
fn migrate(args: &InfluxArgs) -> Result<bool, String> {
    let target = Client::new(&args.remote)?;
    target.version()?;
    let mut state = State::open(&args.state)?;
    let agreed = match (&args.from, &args.file) {
        (Some(from), _) => {
            let mut remote = RemoteArgs::at(from);
            (remote.username, remote.password) = (args.from_username.clone(), args.from_password.clone());
            remote.ca_cert.clone_from(&args.remote.ca_cert);
            let source = Client::new(&remote)?;
            live::copy(&source, &target, &args.database, &mut state)?
        }
        (None, Some(file)) => export_file::copy(file, &target, &args.database, &mut state)?,
        (None, None) => return Err("--from or --file says what to copy".to_owned()),
    };
    if agreed {
        state.delete();
    }
    Ok(agreed)
}

/// What is done, a line each, kept as it is done.
struct State {
    path: PathBuf,
    done: BTreeSet<String>,
}

impl State {
    fn open(path: &Path) -> Result<Self, String> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(format!("{}: {error}", path.display())),
        };
        // A last line without its end is of a write that broke off.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        Ok(Self { path: path.to_owned(), done: whole.lines().map(str::to_owned).collect() })
    }

    fn has(&self, step: &str) -> bool {
        self.done.contains(step)
    }

    fn add(&mut self, step: String) -> Result<(), String> {
        let file = OpenOptions::new().create(true).append(true).open(&self.path);
        let written = file.and_then(|mut file| file.write_all(format!("{step}\n").as_bytes()));
        written.map_err(|error| format!("{}: {error}", self.path.display()))?;
        self.done.insert(step);
        Ok(())
    }

    fn delete(&self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Every series of an answer of InfluxDB: name, tags, columns, rows.
fn series(answer: &Value) -> impl Iterator<Item = &Value> {
    let results = answer.get("results").and_then(Value::as_array).into_iter().flatten();
    results.flat_map(|result| result.get("series").and_then(Value::as_array).into_iter().flatten())
}

/// The cells of the first column of all series.
fn first_column(answer: &Value) -> Vec<String> {
    let rows = series(answer).flat_map(|series| series.get("values").and_then(Value::as_array).into_iter().flatten());
    rows.filter_map(|row| row.get(0)?.as_str().map(str::to_owned)).collect()
}

/// Values that a measurement has in a range, of all fields and series.
fn count(client: &Client, from: &str, range: &str) -> Result<u64, String> {
    let answer = client.run(&format!("SELECT count(*) FROM {from}{range}"), None)?;
    let rows = series(&answer).flat_map(|series| series.get("values").and_then(Value::as_array).into_iter().flatten());
    let cells = rows.flat_map(|row| row.as_array().into_iter().flatten().skip(1));
    Ok(cells.filter_map(Value::as_u64).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_outlives_a_crash_and_forgets_half_a_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let mut state = State::open(&path).unwrap();
        state.add("one".to_owned()).unwrap();
        state.add("two".to_owned()).unwrap();
        std::fs::write(&path, std::fs::read_to_string(&path).unwrap() + "thr").unwrap();
        let state = State::open(&path).unwrap();
        assert!(state.has("one") && state.has("two") && !state.has("thr"));
        state.delete();
        assert!(!path.exists());
    }
}
