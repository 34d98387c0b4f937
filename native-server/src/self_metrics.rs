//! This machine's own metrics, into database `_internal` every second, so that a fresh start has real data at once.
//!
//! | measurement | tags | fields |
//! |---|---|---|
//! | cpu | host, cpu (`total`, `0`, `1`, …) | usage (percent, two decimals) |
//! | mem | host | total, used, available, free (bytes), used_percent |
//! | swap | host | total, used (bytes) |
//! | load | host | load1, load5, load15 |
//! | disk | host, device, path | total, used, free (bytes), used_percent |
//! | diskio | host, device | read_bytes, written_bytes (since boot) |
//! | net | host, interface | bytes_recv, bytes_sent, packets_recv, packets_sent (since boot) |
//! | isopoint | host | memtable_bytes, points_written, values_written, files, wal_bytes, resident_bytes |

use crate::host::{Host, clock};
use isopoint_core::catalog::Command;
use isopoint_core::model::WriteBatch;
use isopoint_core::time::NANOS_PER_SEC;
use isopoint_core::value::Value;
use std::sync::Arc;
use std::time::Duration;
use sysinfo::{
    CpuRefreshKind, DiskRefreshKind, Disks, MemoryRefreshKind, Networks, ProcessRefreshKind, ProcessesToUpdate, System,
};
use tokio::time::{MissedTickBehavior, interval};

pub(crate) const DATABASE: &str = "_internal";
/// Disks change slowly and asking costs more.
const DISK_EVERY: u64 = 10;

/// Collects until the task is aborted.
pub(crate) async fn collect(host: Arc<Host>) {
    let mut machine = match Machine::new() {
        Ok(machine) => machine,
        Err(error) => return tracing::warn!(%error, "this machine's metrics cannot be read"),
    };
    let mut clock_tick = interval(Duration::from_secs(1));
    clock_tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut warned = false;
    loop {
        clock_tick.tick().await;
        let stats = host.stats();
        let sampled = tokio::task::spawn_blocking(move || {
            let batch = machine.sample(&stats);
            (machine, batch)
        });
        let Ok((back, batch)) = sampled.await else { return };
        machine = back;
        let create = Command::CreateDatabase { name: DATABASE.into(), policy: None };
        let outcome = match host.snapshot().database(DATABASE) {
            Some(_) => Ok(()),
            None => host.command(create).await.map(drop),
        };
        let outcome = match outcome {
            Ok(()) => host.write(DATABASE.into(), None, Box::new(batch)).await.map(drop),
            Err(error) => Err(error),
        };
        // Once: a full disk would say it every second.
        if let Err(error) = &outcome
            && !warned
        {
            tracing::warn!(%error, "this machine's metrics are not recorded");
        }
        warned = outcome.is_err();
    }
}

struct Machine {
    system: System,
    disks: Disks,
    networks: Networks,
    host: String,
    count: u64,
}

impl Machine {
    fn new() -> Result<Self, sysinfo::Error> {
        Ok(Self {
            system: System::new()?,
            disks: Disks::new_with_refreshed_list()?,
            networks: Networks::new_with_refreshed_list()?,
            host: System::host_name().ok().filter(|name| !name.is_empty()).unwrap_or_else(|| "localhost".into()),
            count: 0,
        })
    }

    fn sample(&mut self, stats: &isopoint_core::store::StoreStats) -> WriteBatch {
        self.system.refresh_cpu_specifics(CpuRefreshKind::nothing().with_usage());
        self.system.refresh_memory_specifics(MemoryRefreshKind::everything());
        self.networks.refresh(true);
        let resident = self.resident_bytes();
        // Whole seconds: times of all measurements line up and cost nothing to store.
        let time = clock::now().nanos() / NANOS_PER_SEC * NANOS_PER_SEC;
        let mut points = Points { batch: WriteBatch::new(), host: &self.host, time };
        // The first reading has nothing to compare with.
        if self.count > 0 {
            points.add("cpu", &[("cpu", "total")], &[("usage", decimals(self.system.global_cpu_usage()))]);
            for (number, cpu) in self.system.cpus().iter().enumerate() {
                points.add("cpu", &[("cpu", &number.to_string())], &[("usage", decimals(cpu.usage()))]);
            }
        }
        let (total, used) = (self.system.total_memory(), self.system.used_memory());
        points.add(
            "mem",
            &[],
            &[
                ("total", integer(total)),
                ("used", integer(used)),
                ("available", integer(self.system.available_memory())),
                ("free", integer(self.system.free_memory())),
                ("used_percent", percent(used, total)),
            ],
        );
        points.add(
            "swap",
            &[],
            &[("total", integer(self.system.total_swap())), ("used", integer(self.system.used_swap()))],
        );
        if let Ok(load) = System::load_average() {
            points.add(
                "load",
                &[],
                &[
                    ("load1", Value::Float(load.one)),
                    ("load5", Value::Float(load.five)),
                    ("load15", Value::Float(load.fifteen)),
                ],
            );
        }
        if self.count.is_multiple_of(DISK_EVERY) {
            self.disks.refresh_specifics(true, DiskRefreshKind::everything());
            for disk in &self.disks {
                let (device, path) = (disk.name().to_string_lossy(), disk.mount_point().to_string_lossy());
                let (total, free) = (disk.total_space(), disk.available_space());
                points.add(
                    "disk",
                    &[("device", &device), ("path", &path)],
                    &[
                        ("total", integer(total)),
                        ("used", integer(total.saturating_sub(free))),
                        ("free", integer(free)),
                        ("used_percent", percent(total.saturating_sub(free), total)),
                    ],
                );
            }
        } else {
            self.disks.refresh_specifics(false, DiskRefreshKind::nothing().with_io_usage());
        }
        // A device mounted twice is one device.
        let mut devices: Vec<_> = self.disks.iter().map(|disk| (disk.name().to_string_lossy(), disk.usage())).collect();
        devices.sort_by(|left, right| left.0.cmp(&right.0));
        devices.dedup_by(|left, right| left.0 == right.0);
        for (device, usage) in devices {
            points.add(
                "diskio",
                &[("device", &device)],
                &[
                    ("read_bytes", integer(usage.total_read_bytes)),
                    ("written_bytes", integer(usage.total_written_bytes)),
                ],
            );
        }
        for (interface, network) in &self.networks {
            points.add(
                "net",
                &[("interface", &interface.to_string_lossy())],
                &[
                    ("bytes_recv", integer(network.total_received())),
                    ("bytes_sent", integer(network.total_transmitted())),
                    ("packets_recv", integer(network.total_packets_received())),
                    ("packets_sent", integer(network.total_packets_transmitted())),
                ],
            );
        }
        points.add(
            "isopoint",
            &[],
            &[
                ("memtable_bytes", integer(stats.memtable_bytes)),
                ("points_written", integer(stats.points_written)),
                ("values_written", integer(stats.values_written)),
                ("files", integer(stats.files)),
                ("wal_bytes", integer(stats.wal_bytes)),
                ("resident_bytes", integer(resident)),
            ],
        );
        self.count += 1;
        points.batch
    }

    fn resident_bytes(&mut self) -> u64 {
        let Ok(pid) = sysinfo::get_current_pid() else { return 0 };
        self.system.refresh_processes_specifics(
            ProcessesToUpdate::Some(&[pid]),
            false,
            ProcessRefreshKind::nothing().with_memory(),
        );
        self.system.process(pid).map_or(0, sysinfo::Process::memory)
    }
}

struct Points<'a> {
    batch: WriteBatch,
    host: &'a str,
    time: i64,
}

impl Points<'_> {
    fn add(&mut self, measurement: &str, tags: &[(&str, &str)], fields: &[(&str, Value<'_>)]) {
        let mut all: Vec<_> =
            tags.iter().copied().chain([("host", self.host)]).filter(|(_, value)| !value.is_empty()).collect();
        all.sort_unstable();
        let tags = all.iter().map(|(key, value)| (key.as_bytes(), value.as_bytes()));
        let series = self.batch.intern_series(measurement, tags);
        self.batch.begin_row(series, self.time);
        for (name, value) in fields {
            self.batch.push_value(name, *value);
        }
    }
}

fn integer(value: u64) -> Value<'static> {
    Value::Integer(i64::try_from(value).unwrap_or(i64::MAX))
}

/// Two decimals: what a person reads, and what a decimal codec stores in a byte or two.
fn decimals(value: f32) -> Value<'static> {
    Value::Float((f64::from(value) * 100.0).round() / 100.0)
}

fn percent(part: u64, whole: u64) -> Value<'static> {
    let percent = if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 };
    Value::Float((percent * 100.0).round() / 100.0)
}
