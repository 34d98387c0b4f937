//! The command line: what scripts rely on is in the README.

use crate::config::{Config, Settings};
use crate::import::{self, ImportArgs};
use crate::shell::{self, QueryArgs};
use crate::{ops, server};
use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// How a command ends; scripts may rely on it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Exit {
    Done = 0,
    Failed = 1,
    /// Flags, environment or configuration file are wrong.
    Usage = 2,
    /// The data folder cannot be used.
    DataFolder = 3,
}

/// A time-series server with the APIs of InfluxDB 1.x and Facette, and a dashboard.
#[derive(Parser)]
#[command(name = "isopoint", version, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server
    ///
    /// Serves the InfluxDB 1.x API (/ping, /query, /write), Facette's points (/api/v1/series/points), /health, /metrics
    /// and the dashboard (/) on one port. Prints `listening on http://ADDRESS` when it is ready. Stops gracefully on
    /// Ctrl-C or SIGTERM: it flushes what is in memory first; kill -9 loses nothing that was acknowledged either.
    ///
    /// Every setting can be given as a flag, as an environment variable or, in the same words, in the file named by
    /// --config; the flag wins over the environment, and that over the file.
    Serve {
        #[command(flatten)]
        settings: Settings,
        /// TOML file of settings, such as `listen = "0.0.0.0:8086"`
        #[arg(long, env = "ISOPOINT_CONFIG", value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Ask a running server in InfluxQL
    ///
    /// At a terminal it prompts, completes with Tab and remembers what was typed. In scripts, -e or standard input has the
    /// statements; the first that fails ends it with exit code 1.
    Query(QueryArgs),
    /// Send files of points to a running server
    ///
    /// Line protocol goes through as it is. A CSV file needs to be told which columns are tags:
    /// `isopoint import weather.csv --database demo --tags location`.
    Import(ImportArgs),
    /// Copy a data folder into a folder of backups, also while a server uses it
    ///
    /// Every backup is a whole data folder; what an earlier one has already is linked, not copied again.
    Backup(ops::BackupArgs),
    /// Make a data folder from a backup
    Restore(ops::RestoreArgs),
    /// Say what a data folder holds and where its bytes are
    Inspect(ops::FolderArgs),
    /// Read a whole data folder and check every checksum; exit code 1 when something is damaged
    Verify(ops::FolderArgs),
    /// Take out what is damaged in a data folder so that it opens again
    Repair(ops::RepairArgs),
    /// Write points of a data folder as line protocol, CSV or Parquet
    Export(ops::ExportArgs),
    /// Put a database, a dashboard and the engine into one HTML file that opens from disk
    ///
    /// The file needs no server and no network, now or in years: it is zoomed and queried where it is opened.
    Snapshot(ops::SnapshotArgs),
    /// Put the secrets of data sources under a new key
    ///
    /// The server must not run. The new key takes the place of the old one in the key file once every secret is sealed
    /// with it; a crash in between loses nothing.
    RotateKey {
        #[command(flatten)]
        settings: Settings,
        /// TOML file of settings
        #[arg(long, env = "ISOPOINT_CONFIG", value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Print the settings in force, as a configuration file
    Config {
        #[command(flatten)]
        settings: Settings,
        /// TOML file of settings
        #[arg(long, env = "ISOPOINT_CONFIG", value_name = "FILE")]
        config: Option<PathBuf>,
    },
}

pub(crate) fn run() -> ExitCode {
    let exit = match Cli::parse().command {
        Command::Serve { settings, config } => match Config::resolve(settings, config.as_deref()) {
            Ok(config) => server::serve(config),
            Err(error) => usage(&error),
        },
        Command::RotateKey { settings, config } => match Config::resolve(settings, config.as_deref()) {
            Ok(config) => server::rotate_key(&config),
            Err(error) => usage(&error),
        },
        Command::Query(args) => shell::run(args),
        Command::Import(args) => import::run(&args),
        Command::Backup(args) => ops::backup(&args),
        Command::Restore(args) => ops::restore(&args),
        Command::Inspect(args) => ops::inspect(&args),
        Command::Verify(args) => ops::verify(&args),
        Command::Repair(args) => ops::repair(&args),
        Command::Export(args) => ops::export(&args),
        Command::Snapshot(args) => ops::snapshot(&args),
        Command::Config { settings, config } => match Config::resolve(settings, config.as_deref()) {
            Ok(config) => {
                print!("{config}");
                Exit::Done
            }
            Err(error) => usage(&error),
        },
    };
    ExitCode::from(exit as u8)
}

fn usage(error: &str) -> Exit {
    eprintln!("isopoint: {error}");
    Exit::Usage
}
