//! A real InfluxDB 1.x with a throw-away folder.

use super::{Engine, Http};
use crate::answer::Answer;
use crate::case::{JWT_SECRET, Profile, Request};
use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A running server; dropping it ends it and removes its folder.
#[derive(Debug)]
pub struct Influxd {
    child: Child,
    http: Http,
    _folder: TempDir,
}

/// The program named by `ISOPOINT_INFLUXD`, else `influxd` on the path, else none.
pub fn influxd_program() -> Option<PathBuf> {
    let program = std::env::var_os("ISOPOINT_INFLUXD").map_or_else(|| "influxd".into(), PathBuf::from);
    let mut command = Command::new(&program);
    command.arg("version").stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success()).then_some(program)
}

impl Influxd {
    pub fn start(program: &PathBuf, profile: Profile) -> Result<Self, String> {
        let folder = TempDir::with_prefix("isopoint-influxd-").map_err(|why| why.to_string())?;
        let [address, backup] = free_addresses().map_err(|why| why.to_string())?;
        let config = folder.path().join("influxdb.conf");
        let root = folder.path().display().to_string();
        fs::write(&config, configuration(&root, address, backup, profile)).map_err(|why| why.to_string())?;
        let log = fs::File::create(folder.path().join("log")).map_err(|why| why.to_string())?;
        // Variables called INFLUXDB_* would override the file.
        let child = Command::new(program)
            .args(["run", "-config"])
            .arg(&config)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", folder.path())
            .env("TZ", "UTC")
            .stdin(Stdio::null())
            .stdout(log.try_clone().map_err(|why| why.to_string())?)
            .stderr(log)
            .spawn()
            .map_err(|why| format!("{}: {why}", program.display()))?;
        let mut server = Self { child, http: Http::at(address), _folder: folder };
        server.wait(address)?;
        Ok(server)
    }

    fn wait(&mut self, address: SocketAddr) -> Result<(), String> {
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(20) {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(format!("influxd ended at once: {status}"));
            }
            if TcpStream::connect(address).is_ok() && self.http.answer(&Request::get("/ping", &[]), None).is_ok() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Err("influxd did not answer within 20 s".into())
    }
}

impl Drop for Influxd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Engine for Influxd {
    fn answer(&mut self, request: &Request, now: Option<i64>) -> Result<Answer, String> {
        self.http.answer(request, now)
    }

    fn empty(&mut self) -> Result<(), String> {
        self.http.empty()
    }

    fn has_clock(&self) -> bool {
        true
    }
}

/// Two that nobody listened on a moment ago.
fn free_addresses() -> std::io::Result<[SocketAddr; 2]> {
    let (first, second) = (TcpListener::bind("127.0.0.1:0")?, TcpListener::bind("127.0.0.1:0")?);
    Ok([first.local_addr()?, second.local_addr()?])
}

fn configuration(root: &str, address: SocketAddr, backup: SocketAddr, profile: Profile) -> String {
    let auth = profile == Profile::Auth;
    let secret = if auth { JWT_SECRET } else { "" };
    let (rows, body, series, buckets) =
        if profile == Profile::Limits { (5, 2048, 3, 10) } else { (0, 25_000_000, 0, 0) };
    format!(
        "reporting-disabled = true
bind-address = \"{backup}\"
[meta]
  dir = \"{root}/meta\"
  logging-enabled = false
[data]
  dir = \"{root}/data\"
  wal-dir = \"{root}/wal\"
  query-log-enabled = false
  index-version = \"inmem\"
[coordinator]
  log-queries-after = \"0s\"
  max-select-series = {series}
  max-select-buckets = {buckets}
[shard-precreation]
  enabled = false
[monitor]
  store-enabled = false
[subscriber]
  enabled = false
[http]
  bind-address = \"{address}\"
  auth-enabled = {auth}
  shared-secret = \"{secret}\"
  log-enabled = false
  pprof-enabled = false
  max-row-limit = {rows}
  max-body-size = {body}
[continuous_queries]
  enabled = false
[logging]
  level = \"error\"
"
    )
}
