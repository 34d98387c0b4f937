//! The repository's own commands. `cargo xtask` alone lists them.
//!
//! Every command may be run again at no harm, installs what it needs when that is missing, and says so before it does.

mod check;
mod demo;
mod fuzz;
mod release;
mod repo;
mod setup;
mod suite;
mod tidy;
mod wasm;
mod www;

use std::process::ExitCode;

use repo::Repo;

const USAGE: &str = "\
Usage: cargo xtask COMMAND

  demo [FLAGS]     build everything and serve it; FLAGS go to `isopoint serve`
  weather [ADDR]   import the demo's second data set into a server that runs (the demo does it by itself)
  test [STEPS]     run every check and every test, or those named, then print a table
  check [STEPS]    formatting, lints, docs, layers, wasm imports and size
  fuzz [TARGETS] [--seconds N]
                   the fuzz targets, led by coverage, N seconds each (60); needs a C++ compiler
  bench [ARGS]     run the benchmarks in release
  bench peers      the same data and queries in four other databases (--help tells more)
  differential [COUNT [SEED]]
                   ask a real InfluxDB and the engine COUNT random things and print what differs
  wasm             build the engine for the page, and the npm package around it
  www              build the dashboard, and first the package it needs
  size             print the size of what a page loads
  soak             ten minutes of everything at once with faults, and a table (SOAK_SECS=60 is shorter)
  deny             licences, advisories and sources of all dependencies, by cargo-deny
  miri             decoders under Miri (needs the nightly toolchain with miri)
  docs             write the reference pages of the book; build it where mdBook is installed
  openapi          the running server against its OpenAPI description, by schemathesis
  release          archive, Debian package, checksums, each tried on a fresh folder
  setup [STEPS]    install the tools the other commands need

Tools go to .tools (or CARGO_INSTALL_ROOT), builds to target (or CARGO_TARGET_DIR). With CI set, both default to
folders in ~/.cache, so that the next run finds them.
";

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let command = args.next().unwrap_or_default();
    let rest: Vec<String> = args.collect();
    let repo = Repo::find();

    let takes_none =
        matches!(command.as_str(), "wasm" | "www" | "size" | "soak" | "deny" | "miri" | "docs" | "openapi" | "release");
    if takes_none && !rest.is_empty() {
        eprintln!("`cargo xtask {command}` takes no arguments\n\n{USAGE}");
        return ExitCode::from(2);
    }
    let done = match command.as_str() {
        "demo" => demo::serve(&repo, &rest),
        "weather" => demo::weather(&repo, rest.first().map_or("127.0.0.1:8086", String::as_str)),
        "test" => suite::run_steps(&repo, &[check::STEPS, suite::TESTS].concat(), &rest),
        "check" => suite::run_steps(&repo, check::STEPS, &rest),
        "setup" => suite::run_steps(&repo, setup::STEPS, &rest),
        "fuzz" => fuzz::fuzz(&repo, &rest),
        "bench" => bench(&repo, &rest),
        "differential" => differential(&repo, &rest),
        "wasm" => wasm::build(&repo),
        "www" => wasm::build(&repo).and_then(|_| www::build(&repo)),
        "size" => wasm::size(&repo),
        "soak" => release::soak(&repo),
        "deny" => release::deny(&repo),
        "miri" => release::miri(&repo),
        "docs" => release::docs(&repo),
        "openapi" => release::openapi(&repo),
        "release" => release::release(&repo),
        "" | "help" | "--help" | "-h" => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        other => {
            eprintln!("no command `{other}`\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(tally) if tally.failed == 0 => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("xtask: {why}");
            ExitCode::FAILURE
        }
    }
}

/// The program prints what differs; `args` go to it.
fn differential(repo: &Repo, args: &[String]) -> repo::Outcome {
    setup::influxd(repo)?;
    let mut command = repo.command("cargo");
    repo::run(
        command.args(["run", "--release", "--package", "isopoint-tests", "--bin", "differential", "--"]).args(args),
    )
}

/// The benchmarks print their own table; `args` select among them.
fn bench(repo: &Repo, args: &[String]) -> repo::Outcome {
    repo::run(repo.command("cargo").args(["build", "--release", "--package", "isopoint-server"]))?;
    let server = repo.target.join("release/isopoint");
    if let Some((_, rest)) = args.split_first().filter(|(first, _)| *first == "peers") {
        let python = setup::peers(repo)?;
        return repo::run(repo.command(python).arg("tests/bench/peers").args(rest).env("ISOPOINT_SERVER", server));
    }
    let mut command = repo.command("cargo");
    command.env("ISOPOINT_SERVER", server);
    // The peer; without it its column stays empty.
    if let Err(why) = setup::influxd(repo) {
        repo::say(&why);
    }
    repo::run(command.args(["run", "--release", "--package", "isopoint-tests", "--bin", "bench", "--"]).args(args))
}
