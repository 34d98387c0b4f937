//! The same points over HTTP into our server and, where it is installed, into InfluxDB, while a dashboard queries.

use crate::{Devops, FIELDS, HOSTS, Table};
use isopoint_tests::case::{Profile, Request};
use isopoint_tests::engines::{Influxd, Serve, data_folder, influxd_program};
use isopoint_tests::http::Client;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Steps of every host: ten million values.
const STEPS: usize = 10_000;
const STEPS_A_BODY: usize = 50;

struct Figures {
    wall_secs: f64,
    cpu_secs: f64,
    queries: u64,
    resident: u64,
    bytes: u64,
}

pub(crate) fn run(table: &mut Table) {
    let folder = data_folder();
    let ours = Serve::start(folder.path(), Profile::Default).expect("the server starts");
    let mut figures = load(ours.address(), ours.id());
    let stopped = ours.stop();
    eprintln!("  our server stopped with {stopped:?}");
    figures.bytes = bytes_below(folder.path(), &|name| name.ends_with(".blk"));
    let peer = influxd_program().map(|program| {
        let server = Influxd::start(&program, Profile::Default).expect("influxd starts");
        let mut figures = load(server.address(), server.id());
        figures.bytes = bytes_below(&server.folder().join("data"), &|_| true);
        figures
    });
    let values = (STEPS * HOSTS * FIELDS.len()) as f64;
    let mut row = |what: &str, figure: &dyn Fn(&Figures) -> String| {
        table.row(what, figure(&figures), peer.as_ref().map_or_else(String::new, figure));
    };
    row("ingest over HTTP, log synced, 1 connection", &|figures| {
        format!("{:.2} M values/s", values / figures.wall_secs / 1e6)
    });
    row("ingest, CPU seconds of the server per million values", &|figures| {
        format!("{:.3}", figures.cpu_secs / values * 1e6)
    });
    row("dashboard queries answered meanwhile", &|figures| figures.queries.to_string());
    row("resident memory after 10 M values", &|figures| format!("{:.0} MB", figures.resident as f64 / 1e6));
    row("bytes a value on disk, TSBS cpu-only, as written by the server", &|figures| {
        format!("{:.3}", figures.bytes as f64 / values)
    });
}

fn load(address: SocketAddr, process: u32) -> Figures {
    let mut client = Client::new(address);
    client.send(&Request::statement("CREATE DATABASE bench")).expect("the server answers");
    let before = cpu_secs(process);
    let (stop, queries) = (AtomicBool::new(false), AtomicU64::new(0));
    let mut devops = Devops::new(10, false);
    let mut wall_secs = 0.0;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut client = Client::new(address);
            let text = "SELECT mean(usage_user) FROM cpu WHERE time >= '2016-01-01' AND time < '2016-01-02' \
                        GROUP BY time(10m), hostname";
            while !stop.load(Ordering::Relaxed) {
                let answer = client.send(&Request::get("/query", &[("db", "bench"), ("q", text)]));
                queries.fetch_add(u64::from(answer.is_ok_and(|answer| answer.status == 200)), Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(500));
            }
        });
        for _ in 0..STEPS / STEPS_A_BODY {
            let mut body = Vec::new();
            (0..STEPS_A_BODY).for_each(|_| {
                devops.lines(&mut body);
            });
            // Making the lines is not the server's work.
            let began = Instant::now();
            let answer = client.send(&Request::post("/write", &[("db", "bench")], body)).expect("the server answers");
            assert_eq!(answer.status, 204, "{}", answer.text());
            wall_secs += began.elapsed().as_secs_f64();
        }
        stop.store(true, Ordering::Relaxed);
    });
    // A flush or a compaction that has begun may end.
    std::thread::sleep(Duration::from_secs(3));
    Figures {
        wall_secs,
        cpu_secs: cpu_secs(process) - before,
        queries: queries.into_inner(),
        resident: resident(process),
        bytes: 0,
    }
}

/// User and system seconds of a process so far, all threads.
fn cpu_secs(process: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    let ticks: f64 = [11, 12].iter().filter_map(|at| fields.get(*at)?.parse::<f64>().ok()).sum();
    // Linux counts in hundredths on every platform that has /proc.
    ticks / 100.0
}

fn resident(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

fn bytes_below(folder: &Path, counts: &dyn Fn(&str) -> bool) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    let size = |entry: std::fs::DirEntry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => bytes_below(&entry.path(), counts),
        _ if counts(&entry.file_name().to_string_lossy()) => entry.metadata().map_or(0, |metadata| metadata.len()),
        _ => 0,
    };
    entries.flatten().map(size).sum()
}
