//! `isopoint`: one binary, four time-series APIs, a dashboard.

mod access;
mod accounts;
mod admin;
mod answer_hash;
mod assets;
mod audit;
mod checks;
mod cli;
mod config;
mod config_file;
mod connections;
mod continuous;
mod doctor;
mod dogstatsd;
mod drive;
mod exposure;
mod facts;
mod grafana;
mod gzip;
mod health;
mod host;
mod http;
mod import;
mod login_limit;
mod logs;
mod manual;
mod metrics;
mod migrate;
mod ops;
mod own;
mod pool;
mod rate_limit;
mod remote;
mod self_metrics;
mod selfcheck;
mod server;
mod shell;
mod slow;
mod subscribers;
mod sync;
mod tls;
mod vault;
mod who;

use std::process::ExitCode;

/// Queries ask for many small pieces on several threads; the C library's allocator, musl's above all, takes longer.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::run()
}
