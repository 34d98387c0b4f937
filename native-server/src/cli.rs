//! The command line: what scripts rely on is in the README.

use crate::accounts::{self, TokenArgs, UserArgs};
use crate::checks::{self, CheckArgs};
use crate::config::{Config, Settings};
use crate::import::{self, ImportArgs};
use crate::migrate::{self, MigrateArgs};
use crate::selfcheck::{self, SelfcheckArgs};
use crate::shell::{self, QueryArgs};
use crate::{config_file, doctor, manual, ops, server};
use clap::{CommandFactory as _, Parser, Subcommand};
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

/// A time-series server with the APIs of InfluxDB 1.x, Datadog, Grafana and Facette, and a dashboard
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
    /// Serves the APIs of InfluxDB 1.x, Datadog, Grafana and Facette, /health, /ready, /metrics and the dashboard (/) on
    /// one port; `isopoint routes` lists every path. An address that others reach needs --auth and TLS. Prints `listening on http://ADDRESS` when it is ready. Stops gracefully on
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
    /// Write what is in the log to files, and make one file of each shard; no server may use the folder
    Compact(ops::FolderArgs),
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
    /// Copy another database into a running server
    Migrate(MigrateArgs),
    /// List, make, change and remove users of a running server
    User(UserArgs),
    /// Make, list and revoke access tokens of a running server
    Token(TokenArgs),
    /// Evaluate a file of checks against a running server; exit code 1 when one fires
    ///
    /// `isopoint serve --checks FILE` evaluates the same file on schedule and tells --alert-webhook.
    Check(CheckArgs),
    /// Print the settings in force, as a configuration file; `config init` writes one that explains every setting
    #[command(args_conflicts_with_subcommands = true)]
    Config {
        #[command(subcommand)]
        act: Option<ConfigAct>,
        #[command(flatten)]
        settings: Settings,
        /// TOML file of settings
        #[arg(long, env = "ISOPOINT_CONFIG", value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Look at this machine and the settings, and say what is wrong and what to do
    Doctor {
        #[command(flatten)]
        settings: Settings,
        /// TOML file of settings
        #[arg(long, env = "ISOPOINT_CONFIG", value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Replay what a real InfluxDB answered against this very program, and print what differs
    ///
    /// It starts a server of its own in a temporary folder; nothing of yours is touched. Exit code 1 when an answer differs
    /// that is not known to.
    Selfcheck(SelfcheckArgs),
    /// List every path of the HTTP API and who may call it
    Routes {
        /// As JSON
        #[arg(long)]
        json: bool,
        /// The counters of /metrics instead
        #[arg(long, conflicts_with = "json")]
        counters: bool,
        /// As an OpenAPI 3.1 document
        #[arg(long, conflicts_with_all = ["json", "counters"])]
        openapi: bool,
    },
    /// Print completions for a shell
    Completions { shell: clap_complete::Shell },
    /// Write man pages into a folder
    Man { folder: PathBuf },
}

#[derive(Subcommand)]
enum ConfigAct {
    /// Write a configuration file with every setting explained
    Init {
        /// Where to; `-` is standard output
        #[arg(default_value = "isopoint.toml")]
        file: PathBuf,
        /// Write over a file that is there
        #[arg(long)]
        force: bool,
    },
    /// Read a configuration file and say what is wrong with it
    Check { file: PathBuf },
}

pub(crate) fn run() -> ExitCode {
    let with = |settings: Settings, file: Option<PathBuf>, act: fn(&Config) -> Exit| {
        Config::resolve(settings, file.as_deref()).map_or_else(|error| usage(&error), |config| act(&config))
    };
    let exit = match Cli::parse().command {
        Command::Serve { settings, config: file } => match Config::resolve(settings.clone(), file.as_deref()) {
            Ok(config) => server::serve(config, Box::new(move || Config::resolve(settings.clone(), file.as_deref()))),
            Err(error) => usage(&error),
        },
        Command::RotateKey { settings, config } => with(settings, config, server::rotate_key),
        Command::Query(args) => shell::run(args),
        Command::Import(args) => import::run(&args),
        Command::Backup(args) => ops::backup(&args),
        Command::Restore(args) => ops::restore(&args),
        Command::Inspect(args) => ops::inspect(&args),
        Command::Verify(args) => ops::verify(&args),
        Command::Compact(args) => ops::compact(&args),
        Command::Repair(args) => ops::repair(&args),
        Command::Export(args) => ops::export(&args),
        Command::Snapshot(args) => ops::snapshot(&args),
        Command::Migrate(args) => migrate::run(&args),
        Command::User(args) => accounts::user(&args),
        Command::Token(args) => accounts::token(&args),
        Command::Check(args) => checks::run(&args),
        Command::Config { act: Some(ConfigAct::Init { file, force }), .. } => match file.to_str() {
            Some("-") => {
                print!("{}", config_file::text());
                Exit::Done
            }
            _ => config_file::write(&file, force).map_or_else(|error| usage(&error), |()| Exit::Done),
        },
        Command::Config { act: Some(ConfigAct::Check { file }), .. } => {
            with(Settings::default(), Some(file), |_| Exit::Done)
        }
        Command::Config { act: None, settings, config } => with(settings, config, |config| {
            print!("{config}");
            Exit::Done
        }),
        Command::Doctor { settings, config } => with(settings, config, doctor::examine),
        Command::Selfcheck(args) => selfcheck::run(&args),
        Command::Routes { counters: true, .. } => manual::counters(),
        Command::Routes { openapi: true, .. } => manual::openapi(),
        Command::Routes { json, .. } => manual::routes(json),
        Command::Completions { shell } => manual::completions(Cli::command(), shell),
        Command::Man { folder } => manual::man(Cli::command(), &folder),
    };
    ExitCode::from(exit as u8)
}

fn usage(error: &str) -> Exit {
    eprintln!("isopoint: {error}");
    Exit::Usage
}
