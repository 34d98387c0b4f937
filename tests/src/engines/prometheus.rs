//! A real Prometheus with a throw-away folder that reads one page of metrics again and again.

use crate::case::Request;
use crate::http::Client;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A running server; dropping it ends it and removes its folder.
#[derive(Debug)]
pub struct Prometheus {
    child: Child,
    address: SocketAddr,
    _folder: TempDir,
}

/// The program named by `ISOPOINT_PROMETHEUS`, else `prometheus` on the path, else none.
pub fn prometheus_program() -> Option<PathBuf> {
    let program = std::env::var_os("ISOPOINT_PROMETHEUS").map_or_else(|| "prometheus".into(), PathBuf::from);
    let mut command = Command::new(&program);
    command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success()).then_some(program)
}

impl Prometheus {
    /// Starts and waits until the page, in Prometheus's own text format, has been read at least twice.
    pub fn start(program: &Path, page: &'static str) -> Result<Self, String> {
        let folder = TempDir::with_prefix("isopoint-prometheus-").map_err(|why| why.to_string())?;
        let target = serve(page).map_err(|why| why.to_string())?;
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let address = free.map_err(|why| why.to_string())?;
        let config = folder.path().join("prometheus.yml");
        let text = format!(
            "global: {{scrape_interval: 200ms, scrape_timeout: 200ms}}\nscrape_configs:\n- job_name: page\n  \
             static_configs: [{{targets: ['{target}']}}]\n"
        );
        fs::write(&config, text).map_err(|why| why.to_string())?;
        let log = fs::File::create(folder.path().join("log")).map_err(|why| why.to_string())?;
        let child = Command::new(program)
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().map_err(|why| why.to_string())?)
            .stderr(log)
            .spawn()
            .map_err(|why| format!("{}: {why}", program.display()))?;
        let mut server = Self { child, address, _folder: folder };
        server.wait()?;
        Ok(server)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    fn wait(&mut self) -> Result<(), String> {
        let start = Instant::now();
        let read = Request::get("/api/v1/query", &[("query", "count_over_time(up[1m]) > 1")]);
        while start.elapsed() < Duration::from_secs(30) {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(format!("prometheus ended at once: {status}"));
            }
            if Client::new(self.address).send(&read).is_ok_and(|answer| answer.text().contains("\"metric\"")) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Err("prometheus did not read its page within 30 s".into())
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Answers every request with a page of metrics, until the process ends.
fn serve(page: &'static str) -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 8192]);
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                page.len()
            );
            let _ = stream.write_all(&[head.as_bytes(), page.as_bytes()].concat());
        }
    });
    Ok(address)
}
