//! A server over a socket: `isopoint serve` of this build, or whatever listens at an address.

use super::Engine;
use crate::answer::Answer;
use crate::case::{JWT_SECRET, Profile, Request};
use crate::http::Client;
use crate::json::Value;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};
use tempfile::TempDir;

/// Whatever listens at an address.
#[derive(Debug)]
pub struct Http {
    client: Client,
}

impl Http {
    pub fn at(address: SocketAddr) -> Self {
        Self { client: Client::new(address) }
    }
}

impl Engine for Http {
    fn answer(&mut self, request: &Request, _now: Option<i64>) -> Result<Answer, String> {
        self.client.send(request).map_err(|why| format!("no usable answer: {why}"))
    }

    fn empty(&mut self) -> Result<(), String> {
        for kind in ["collections", "graphs", "sourcegroups", "metricgroups"] {
            let purge =
                Request { method: "DELETE".into(), path: format!("/api/v1/library/{kind}"), ..Request::default() };
            self.answer(&purge.with("X-Confirm-Action", "1"), None)?;
        }
        let answer = self.answer(&Request::get("/query", &[("q", "SHOW DATABASES")]), None)?;
        let document = Value::parse(&answer.text())?;
        for name in first_column(&document).filter(|name| *name != "_internal") {
            let drop = Request::statement(&format!("DROP DATABASE \"{name}\""));
            let status = self.answer(&drop, None)?.status;
            if status != 200 {
                return Err(format!("DROP DATABASE {name:?}: status {status}"));
            }
        }
        Ok(())
    }

    fn has_clock(&self) -> bool {
        true
    }
}

/// The first cells of the rows of the first series of an InfluxDB answer.
pub(crate) fn first_column(document: &Value) -> impl Iterator<Item = &str> {
    let results = document.get("results").and_then(Value::as_list);
    let series = results.and_then(|results| results.first()?.get("series")?.as_list()?.first()?.get("values"));
    let rows = series.and_then(Value::as_list).unwrap_or_default();
    rows.iter().filter_map(|row| row.as_list()?.first()?.as_text())
}

/// Bytes of a server's log that are kept.
const LOG_KEPT: usize = 64 << 20;

/// A running `isopoint serve`; dropping it kills it.
#[derive(Debug)]
pub struct Serve {
    child: Child,
    address: SocketAddr,
    http: Http,
    log: Arc<Mutex<Vec<u8>>>,
}

impl Serve {
    /// Starts on a port of its own, without measurements of itself.
    pub fn start(folder: &Path, profile: Profile) -> Result<Self, String> {
        let arguments: &[&str] = match profile {
            Profile::Default => &[],
            Profile::Auth => &["--auth", "--jwt-secret", JWT_SECRET],
            Profile::Limits => &[
                "--max-row-limit",
                "5",
                "--max-body-size",
                "2048",
                "--max-select-series",
                "3",
                "--max-select-buckets",
                "10",
            ],
        };
        Self::start_with(folder, arguments)
    }

    /// The same with more arguments. `Err` is how it ended and what it said.
    pub fn start_with(folder: &Path, arguments: &[&str]) -> Result<Self, String> {
        Self::spawn(command(folder, arguments))
    }

    /// The same, trusting the certificates of a PEM file when it calls others.
    pub fn start_trusting(folder: &Path, certificates: &Path) -> Result<Self, String> {
        let mut command = command(folder, &[]);
        command.env("SSL_CERT_FILE", certificates);
        Self::spawn(command)
    }

    fn spawn(mut command: Command) -> Result<Self, String> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|why| format!("{}: {why}", program().display()))?;
        let stdout = child.stdout.take().expect("it is piped");
        let mut lines = BufReader::new(stdout).lines();
        let address = lines.find_map(|line| {
            let line = line.ok()?;
            let address = line.strip_prefix("listening on http")?.trim_start_matches('s').strip_prefix("://")?;
            address.trim_end_matches('/').parse().ok()
        });
        // What else it says must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        let Some(address) = address else {
            let status = child.wait().map_err(|why| why.to_string())?;
            let mut said = String::new();
            let _ = child.stderr.take().expect("it is piped").read_to_string(&mut said);
            return Err(format!("{status}: {}", said.trim()));
        };
        let mut stderr = child.stderr.take().expect("it is piped");
        let log = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&log);
        std::thread::spawn(move || {
            let mut buffer = [0; 8192];
            while let Ok(len @ 1..) = stderr.read(&mut buffer) {
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                if kept.len() < LOG_KEPT {
                    kept.extend_from_slice(&buffer[..len]);
                }
            }
        });
        Ok(Self { child, address, http: Http::at(address), log })
    }

    /// The same, with a limit on the bytes of each file it writes: to the program that is a disk without room.
    pub fn start_within(folder: &Path, file_bytes: u64, arguments: &[&str]) -> Result<Self, String> {
        let plain = command(folder, arguments);
        let mut limited = Command::new("sh");
        // A blocked signal is one that `exec` hands on: the write fails instead of ending the program.
        limited.args(["-c", "trap '' XFSZ; exec \"$@\"", "sh", "prlimit", &format!("--fsize={file_bytes}:")]);
        limited.arg(program()).args(plain.get_args());
        Self::spawn(limited)
    }

    /// Lifts or lowers the limit of [`start_within`](Self::start_within) while it runs.
    pub fn limit_files(&self, bytes: Option<u64>) {
        let limit = bytes.map_or_else(|| "unlimited".to_owned(), |bytes| bytes.to_string());
        let set =
            Command::new("prlimit").args([&format!("--pid={}", self.id()), &format!("--fsize={limit}:")]).status();
        assert!(set.is_ok_and(|status| status.success()), "prlimit, of util-linux, sets a limit");
    }

    /// What it said on standard error so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&self.log.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }

    /// Asks it to read its settings again.
    pub fn reload(&self) {
        let _ = Command::new("kill").args(["-HUP", &self.child.id().to_string()]).status();
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn client(&self) -> Client {
        Client::new(self.address)
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// `kill -9`, while others still talk to it.
    pub fn signal_kill(&self) {
        let _ = Command::new("kill").args(["-KILL", &self.child.id().to_string()]).status();
    }

    /// `kill -9`, and waits until it is gone.
    pub fn kill(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Asks it to stop and waits for the exit code.
    pub fn stop(mut self) -> Result<Option<i32>, String> {
        let ask = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        ask.map_err(|why| why.to_string())?;
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(30) {
            if let Some(status) = self.child.try_wait().map_err(|why| why.to_string())? {
                return Ok(status.code());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Err("it did not stop within 30 s".into())
    }

    /// Still running?
    pub fn alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Engine for Serve {
    fn answer(&mut self, request: &Request, now: Option<i64>) -> Result<Answer, String> {
        // The program that tests build takes the time from this header.
        let answer = match now {
            Some(now) => self.http.answer(&request.clone().with("X-Isopoint-Test-Now", &now.to_string()), None),
            None => self.http.answer(request, None),
        };
        match self.child.try_wait() {
            // What it says after a panic.
            Ok(None) => match answer {
                Ok(answer) if answer.status == 500 && answer.text().contains("gave up on this request") => {
                    Err(format!("the server gave up on {}", request.brief()))
                }
                answer => answer,
            },
            Ok(Some(status)) => Err(format!("the server ended ({status}) at {}", request.brief())),
            Err(why) => Err(why.to_string()),
        }
    }

    fn empty(&mut self) -> Result<(), String> {
        self.http.empty()
    }

    fn has_clock(&self) -> bool {
        false
    }
}

/// `isopoint serve` on this folder, its output piped.
fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program());
    command.args(["serve", "--listen", "127.0.0.1:0", "--no-self-metrics", "--data-dir"]).arg(folder).args(arguments);
    command
}

/// A folder for one server.
pub fn data_folder() -> TempDir {
    TempDir::with_prefix("isopoint-test-").expect("there is room for temporary files")
}

/// The program of this build: named by `ISOPOINT_SERVER`, else beside the tests' own.
///
/// `cargo test --workspace` builds both. One that is older than its sources would be a test of the past: that panics.
pub fn program() -> PathBuf {
    if let Some(program) = std::env::var_os("ISOPOINT_SERVER") {
        return program.into();
    }
    let own = std::env::current_exe().expect("a test knows its program");
    let target = own.ancestors().find(|folder| folder.join(".fingerprint").is_dir()).expect("it is in a target folder");
    let program = target.join(format!("isopoint{}", std::env::consts::EXE_SUFFIX));
    let built = fs::metadata(&program).and_then(|file| file.modified()).ok();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let newest = ["core/src", "native-server/src"].iter().map(|folder| newest(&root.join(folder))).max();
    assert!(built >= newest.flatten(), "{} is missing or old: cargo build -p isopoint-server", program.display());
    program
}

fn newest(folder: &Path) -> Option<SystemTime> {
    let entries = fs::read_dir(folder).ok()?.filter_map(Result::ok);
    entries
        .filter_map(
            |entry| if entry.path().is_dir() { newest(&entry.path()) } else { entry.metadata().ok()?.modified().ok() },
        )
        .max()
}
