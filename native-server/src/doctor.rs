//! `isopoint doctor`: whether this machine and these settings are fit to run a server, and what to do when not.

use crate::cli::Exit;
use crate::config::Config;
use crate::grafana::client::{AddressRule, Caller};
use crate::health::{LEAST_ROOM, room};
use crate::host::clock;
use crate::tls::Tls;
use crate::{checks, exposure};
use isopoint_core::dialect::errand::{Errand, HttpCall, Told};
use std::net::TcpListener;
use std::path::Path;

/// 2025-01-01. Before that this program did not exist, so a clock that says so is wrong.
const CLOCK_AT_LEAST: i64 = 1_735_689_600_000_000_000;
/// File descriptors: connections, block files and some more.
const DESCRIPTORS: u64 = 8192;

enum Found {
    Well(String),
    /// It works, but.
    Beware(String),
    Wrong(String),
}

use Found::{Beware, Well, Wrong};

/// Prints a line for each thing looked at.
pub(crate) fn examine(config: &Config) -> Exit {
    let findings = [
        (
            "version",
            Well(format!(
                "isopoint {} on {} {}",
                env!("CARGO_PKG_VERSION"),
                std::env::consts::OS,
                std::env::consts::ARCH
            )),
        ),
        ("clock", clock_is_right()),
        ("data folder", folder(&config.data_dir)),
        ("data format", format_of(&config.data_dir)),
        ("key file", key_file(&config.secret_key_file)),
        ("disk", disk(&config.data_dir)),
        ("memory", memory(config)),
        ("descriptors", descriptors()),
        ("address", address(config)),
        ("exposure", exposed(config)),
        ("certificate", certificate(config)),
        ("checks", check_file(config)),
    ];
    let (mut wrong, mut beware) = (0, 0);
    for (name, found) in findings {
        let (word, said) = match found {
            Well(said) => ("ok", said),
            Beware(said) => {
                beware += 1;
                ("beware", said)
            }
            Wrong(said) => {
                wrong += 1;
                ("WRONG", said)
            }
        };
        println!("{word:<7} {name}: {said}");
    }
    println!("{wrong} wrong, {beware} to beware of");
    if wrong == 0 { Exit::Done } else { Exit::Failed }
}

fn clock_is_right() -> Found {
    let now = clock::now();
    if now.nanos() < CLOCK_AT_LEAST {
        return Wrong("it is set to a time before this program existed; set it, or let NTP do so".to_owned());
    }
    Well(crate::admin::rfc3339(now))
}

fn folder(path: &Path) -> Found {
    let Ok(found) = std::fs::metadata(path) else {
        return Well(format!("{} is not there yet; `isopoint serve` makes it", path.display()));
    };
    if !found.is_dir() {
        return Wrong(format!("{} is no folder; choose another --data-dir", path.display()));
    }
    let probe = path.join(".doctor");
    if let Err(error) = std::fs::write(&probe, b"x").and_then(|()| std::fs::remove_file(&probe)) {
        return Wrong(format!("{} cannot be written to: {error}; give it to the user who serves", path.display()));
    }
    if open_to_others(path) {
        return Beware(format!("{} can be read by other users of this machine; `chmod 700` closes it", path.display()));
    }
    Well(path.display().to_string())
}

#[cfg(unix)]
fn open_to_others(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn open_to_others(_: &Path) -> bool {
    false
}

/// Read without opening it, since a server may use it.
fn format_of(path: &Path) -> Found {
    if !path.is_dir() {
        return Well("there is no data yet".to_owned());
    }
    match crate::ops::readable(path) {
        Ok(()) => Well("this program reads what the folder holds".to_owned()),
        Err(why) => Wrong(format!("{why}; `isopoint verify` says more")),
    }
}

fn key_file(path: &Path) -> Found {
    if !path.exists() {
        return Well("none yet; made at the first start".to_owned());
    }
    if open_to_others(path) {
        return Wrong(format!("{} can be read by other users; `chmod 600` closes it", path.display()));
    }
    Well(format!("{}; keep a copy apart from the backups", path.display()))
}

fn disk(path: &Path) -> Found {
    let existing = path.ancestors().find(|folder| folder.exists() && !folder.as_os_str().is_empty());
    match room(existing.unwrap_or_else(|| Path::new("."))) {
        None => Beware("the room left is not known".to_owned()),
        Some(left) if left < LEAST_ROOM => Wrong(format!("{} MiB left: writes are about to be refused", left >> 20)),
        Some(left) if left < 16 * LEAST_ROOM => Beware(format!("{} MiB left", left >> 20)),
        Some(left) => Well(format!("{} MiB left", left >> 20)),
    }
}

fn memory(config: &Config) -> Found {
    let Ok(mut system) = sysinfo::System::new() else { return Beware("the machine does not say".to_owned()) };
    system.refresh_memory();
    let (total, limit) = (system.total_memory(), config.memory_limit);
    let said = format!("memory-limit is {} MiB of {} MiB", limit >> 20, total >> 20);
    if total > 0 && limit > total / 4 * 3 {
        return Beware(format!("{said}: set --memory-limit to half of it"));
    }
    Well(said)
}

fn descriptors() -> Found {
    let Ok(limits) = std::fs::read_to_string("/proc/self/limits") else {
        return Well("the system does not say".to_owned());
    };
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap_or_default();
    let soft = line.split_whitespace().nth(3).unwrap_or_default();
    match soft.parse::<u64>() {
        Ok(soft) if soft < DESCRIPTORS => Beware(format!(
            "{soft} open files are allowed; {DESCRIPTORS} serve 4096 connections: LimitNOFILE= of the unit, or ulimit -n"
        )),
        _ => Well(format!("{soft} open files are allowed")),
    }
}

fn address(config: &Config) -> Found {
    if TcpListener::bind(config.listen).is_ok() {
        return Well(format!("{} is free", config.listen));
    }
    let scheme = if config.tls.is_some() { "https" } else { "http" };
    let url = format!("{scheme}://{}/ping", config.listen);
    let call = HttpCall {
        method: "GET".into(),
        url,
        headers: Vec::new(),
        body: bytes::Bytes::new(),
        timeout_millis: 2000,
        follow: false,
        tls: isopoint_core::dialect::errand::Tls { skip_verify: true, ..Default::default() },
    };
    let caller = Caller::new(AddressRule { allowed: Vec::new(), link_local: true }, 1 << 20);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let answered = runtime.ok().and_then(|runtime| match runtime.block_on(caller.run(Errand::Http(Box::new(call)))) {
        Ok(Told::Http(answer)) => Some(answer),
        _ => None,
    });
    let version = answered.and_then(|answer| {
        answer.headers.into_iter().find(|(name, _)| name == "x-influxdb-version").map(|(_, version)| version)
    });
    match version {
        Some(version) => Well(format!("a server of version {version} answers on {}", config.listen)),
        None => Wrong(format!(
            "{} is taken by another program, or not an address of this machine; choose another --listen",
            config.listen
        )),
    }
}

fn exposed(config: &Config) -> Found {
    match exposure::check(config, config.listen, true) {
        Err(why) => Wrong(why),
        Ok(()) if config.insecure_no_auth && !config.auth => {
            Beware("--insecure-no-auth: everybody may do everything".to_owned())
        }
        Ok(()) if config.listen.ip().is_loopback() => Well("only this machine reaches it".to_owned()),
        Ok(()) => Well("others reach it, and have to log in".to_owned()),
    }
}

fn certificate(config: &Config) -> Found {
    match config.tls.clone().map(Tls::open) {
        None => Well("no TLS".to_owned()),
        Some(Ok(_)) => Well("certificate and key belong together".to_owned()),
        Some(Err(why)) => Wrong(why),
    }
}

fn check_file(config: &Config) -> Found {
    match config.checks.as_deref().map(checks::rules::load) {
        None => Well("none".to_owned()),
        Some(Ok(rules)) => Well(format!("{} in the file", rules.len())),
        Some(Err(why)) => Wrong(why),
    }
}
