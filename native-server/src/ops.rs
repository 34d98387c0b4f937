//! What is done to a data folder besides serving it.
//!
//! `backup`, `inspect`, `verify`, `export` and `snapshot` read a folder as it stands, also while a server uses it: files of blocks
//! never change and logs only grow, so a listing that holds still for a moment is one state of the store. `restore`,
//! `repair` and `compact` need the folder for themselves.

mod backup;
mod compact;
mod export;
mod inspect;
mod repair;
mod snapshot;
mod verify;
mod view;

use crate::cli::Exit;
use indicatif::{ProgressBar, ProgressStyle};
use std::path::{Path, PathBuf};

pub(crate) use backup::{BackupArgs, RestoreArgs};
pub(crate) use export::ExportArgs;
pub(crate) use repair::RepairArgs;
pub(crate) use snapshot::{SnapshotArgs, base64};

/// The data folder a command is about.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct FolderArgs {
    /// Data folder
    #[arg(long, env = "ISOPOINT_DATA_DIR", default_value = "isopoint-data", value_name = "DIR")]
    data_dir: PathBuf,
}

/// Why a command ended before its end, and with which exit code.
#[derive(Debug)]
struct Failure {
    exit: Exit,
    why: String,
}

impl Failure {
    fn failed(why: impl Into<String>) -> Self {
        Self { exit: Exit::Failed, why: why.into() }
    }

    fn folder(why: impl Into<String>) -> Self {
        Self { exit: Exit::DataFolder, why: why.into() }
    }
}

/// A file or folder named in what went wrong with it.
fn at(path: &Path) -> impl Fn(std::io::Error) -> Failure + '_ {
    move |error| Failure::failed(format!("{}: {}", path.display(), crate::host::files::reason(&error)))
}

fn end(outcome: Result<Exit, Failure>) -> Exit {
    outcome.unwrap_or_else(|failure| {
        eprintln!("isopoint: {}", failure.why);
        failure.exit
    })
}

pub(crate) fn backup(args: &BackupArgs) -> Exit {
    end(backup::backup(args))
}

pub(crate) fn restore(args: &RestoreArgs) -> Exit {
    end(backup::restore(args))
}

pub(crate) fn export(args: &ExportArgs) -> Exit {
    end(export::export(args))
}

pub(crate) fn snapshot(args: &SnapshotArgs) -> Exit {
    end(snapshot::snapshot(args))
}

/// Whether a folder can be opened, without keeping anybody from it. `Err` says why not.
pub(crate) fn readable(folder: &Path) -> Result<(), String> {
    if folder.read_dir().is_ok_and(|mut entries| entries.next().is_none()) {
        return Ok(());
    }
    view::View::open(folder).map(drop).map_err(|failure| failure.why)
}

pub(crate) fn inspect(args: &FolderArgs) -> Exit {
    end(inspect::inspect(&args.data_dir))
}

pub(crate) fn verify(args: &FolderArgs) -> Exit {
    end(verify::verify(&args.data_dir))
}

pub(crate) fn compact(args: &FolderArgs) -> Exit {
    end(compact::compact(args))
}

pub(crate) fn repair(args: &RepairArgs) -> Exit {
    end(repair::repair(args))
}

/// A bar over bytes, on standard error, gone when it is done; none is drawn where that is no terminal.
fn bar(total: u64, what: &'static str) -> ProgressBar {
    let style = "{msg} [{bar:30}] {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left";
    let bar = ProgressBar::new(total);
    bar.set_style(ProgressStyle::with_template(style).expect("the template is valid").progress_chars("=> "));
    bar.set_message(what);
    bar
}
