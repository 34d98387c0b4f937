//! `isopoint`: one binary, four time-series APIs, a dashboard.

mod answer_hash;
mod assets;
mod cli;
mod config;
mod continuous;
mod dogstatsd;
mod drive;
mod facts;
mod grafana;
mod gzip;
mod host;
mod http;
mod import;
mod metrics;
mod ops;
mod rate_limit;
mod self_metrics;
mod server;
mod shell;
mod subscribers;
mod sync;
mod vault;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
