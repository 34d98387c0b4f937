//! `isopoint compact`: what is in the log goes to files, and every shard becomes one file.

use super::{Failure, FolderArgs};
use crate::cli::Exit;
use crate::config::Fsync;
use crate::host::{Host, HostConfig};
use indicatif::{HumanBytes, ProgressBar, ProgressStyle};
use isopoint_core::store::{StoreConfig, StoreStats};
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

pub(super) fn compact(args: &FolderArgs) -> Result<Exit, Failure> {
    let path = &args.data_dir;
    if !path.is_dir() {
        return Err(Failure::folder(format!("{}: there is no such folder", path.display())));
    }
    let (host, _) = Host::open(path, HostConfig { fsync: Fsync::Always, store: StoreConfig::default() })
        .map_err(Failure::folder)?;
    let before = host.stats();
    let bar = ProgressBar::new(1);
    bar.set_style(
        ProgressStyle::with_template("{msg} [{bar:30}] {pos} of {len} files merged, {elapsed}")
            .expect("the template is valid")
            .progress_chars("=> "),
    );
    bar.set_message("compact");
    let done = host.compact();
    while let Err(RecvTimeoutError::Timeout) = done.recv_timeout(Duration::from_millis(100)) {
        let now = host.stats();
        let most = before.files.max(now.files);
        bar.set_length(most.saturating_sub(now.shards));
        bar.set_position(most - now.files);
    }
    bar.finish_and_clear();
    let (after, poisoned) = (host.stats(), host.poisoned());
    host.shut_down();
    if let Some(why) = poisoned {
        return Err(Failure::failed(format!("cannot write to {}: {why}", path.display())));
    }
    println!("{}: {} became {}", path.display(), said(&before), said(&after));
    Ok(Exit::Done)
}

fn said(stats: &StoreStats) -> String {
    let log = if stats.memtable_points > 0 {
        format!(" and {} points in the log", stats.memtable_points)
    } else {
        String::new()
    };
    format!("{} files with {}{log}", stats.files, HumanBytes(stats.file_bytes))
}
