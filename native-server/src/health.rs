//! `/ready`: whether reads and writes are taken just now. `/health` is InfluxDB's: whether the process lives and its log
//! is whole.

use crate::drive::Lane;
use crate::http::{Body, Service, plain};
use hyper::{Response, StatusCode};
use std::path::Path;

/// With less room on the disk of the data folder writes are about to fail.
pub(crate) const LEAST_ROOM: u64 = 64 << 20;

impl Service {
    /// 200 when every check passes, else 503; the body has each check with a sentence.
    pub(crate) fn ready(&self) -> Response<Body> {
        let log = self.host.poisoned().map_or_else(|| Ok("the log takes writes".to_owned()), Err);
        let disk = match room(&self.data_dir) {
            Some(room) if room < LEAST_ROOM => Err(format!("the disk of the data folder has {room} bytes left")),
            Some(room) => Ok(format!("the disk of the data folder has {} MiB left", room >> 20)),
            None => Ok("the room on the disk of the data folder is not known".to_owned()),
        };
        let lanes = [("queries", Lane::Query), ("writes", Lane::Write)].map(|(name, lane)| {
            let said = match self.driver.is_full(lane) {
                true => Err(format!("as many {name} wait as may; more are refused")),
                false => Ok(format!("{} wait", self.counters.waiting(lane))),
            };
            (name, said)
        });
        let mut checks = vec![("log", log), ("disk", disk)];
        checks.extend(lanes);
        let fails = checks.iter().any(|(_, said)| said.is_err());
        let (status, word) =
            if fails { (StatusCode::SERVICE_UNAVAILABLE, "not ready") } else { (StatusCode::OK, "ready") };
        let checks = checks.iter().map(|(name, said)| {
            let (Ok(message) | Err(message)) = said;
            serde_json::json!({ "name": name, "status": if said.is_ok() { "pass" } else { "fail" }, "message": message })
        });
        let checks = checks.collect::<Vec<_>>();
        let body = serde_json::json!({ "status": word, "checks": checks, "version": env!("CARGO_PKG_VERSION") });
        plain(status, "application/json", body.to_string() + "\n")
    }
}

/// Bytes left on the disk that a folder is on.
pub(crate) fn room(folder: &Path) -> Option<u64> {
    let folder = folder.canonicalize().ok()?;
    let disks = sysinfo::Disks::new_with_refreshed_list().ok()?;
    let holding = disks.iter().filter(|disk| folder.starts_with(disk.mount_point()));
    holding.max_by_key(|disk| disk.mount_point().as_os_str().len()).map(sysinfo::Disk::available_space)
}
