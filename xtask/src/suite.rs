//! Runs a list of steps to its end, whatever fails on the way, and prints a table.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::repo::{Outcome, Repo, Tally, run, run_tests, say};
use crate::{setup, www};

/// A name, which is also an argument of the command, and what is done.
pub(crate) type Step = (&'static str, fn(&Repo) -> Outcome);

/// What `cargo xtask test` runs after the steps of `check`. The wasm module and the npm package are built by then; the
/// dashboard comes before the server that carries it.
pub(crate) const TESTS: &[Step] = &[
    ("www", www::build),
    ("cargo-test", cargo_test),
    ("www-test", www_test),
    ("package-test", package_test),
    ("browser-test", browser_test),
    ("client-test", client_test),
];

/// Runs every step, or only those `chosen`, in the order of the list. What failed is in the printed table; the tally
/// has its count.
pub(crate) fn run_steps(repo: &Repo, steps: &[Step], chosen: &[String]) -> Outcome {
    if let Some(unknown) = chosen.iter().find(|chosen| !steps.iter().any(|(name, _)| name == chosen)) {
        let names: Vec<&str> = steps.iter().map(|(name, _)| *name).collect();
        return Err(format!("no step `{unknown}`; there are {}", names.join(", ")));
    }
    let start = Instant::now();
    let mut report = Vec::new();
    for (name, step) in steps.iter().filter(|(name, _)| chosen.is_empty() || chosen.iter().any(|chosen| chosen == name))
    {
        println!("\n── {name}");
        let start = Instant::now();
        let outcome = step(repo);
        if let Err(why) = &outcome {
            println!("{name} failed: {why}");
        }
        report.push((*name, outcome, start.elapsed()));
    }
    let (table, total) = summary(&report, start.elapsed());
    print!("\n{table}");
    Ok(total)
}

/// A row for each step, then the line that is read by others. A step that broke off is one failure.
fn summary(report: &[(&str, Outcome, Duration)], elapsed: Duration) -> (String, Tally) {
    let mut table = format!("{:<16} {:>8} {:>8} {:>9}\n", "step", "passed", "failed", "time");
    let mut total = Tally::default();
    for (name, outcome, took) in report {
        let tally = outcome.as_ref().copied().unwrap_or(Tally { passed: 0, failed: 1 });
        total.passed += tally.passed;
        total.failed += tally.failed;
        let why = outcome.as_ref().err().map_or(String::new(), |why| format!("  {why}"));
        let (passed, failed, secs) = (tally.passed, tally.failed, took.as_secs_f64());
        table += &format!("{name:<16} {passed:>8} {failed:>8} {secs:>7.1} s{why}\n");
    }
    table += &format!("{:<16} {:>8} {:>8} {:>7.1} s\n\n", "all", total.passed, total.failed, elapsed.as_secs_f64());
    table += &format!("{} passed, {} failed\n", total.passed, total.failed);
    (table, total)
}

/// Every test of the crates, the corpus on every host among them. What cannot be installed here is left out, aloud.
fn cargo_test(repo: &Repo) -> Outcome {
    let mut required = vec!["wasm"];
    let installs: [(&str, fn(&Repo) -> Outcome); 3] =
        [("chromium", setup::chromium), ("influxd", setup::influxd), ("prometheus", setup::prometheus)];
    for (name, install) in installs {
        match install(repo) {
            Ok(_) => required.push(name),
            Err(why) => say(&format!("tests that need {name} are skipped: {why}")),
        }
    }
    // The tests over a socket run the program itself, which `cargo test` alone does not build.
    run(repo.command("cargo").args(["build", "--package", "isopoint-server"]))?;
    let mut command = repo.command("cargo");
    run_tests(command.args(["test", "--workspace", "--no-fail-fast"]).env("ISOPOINT_REQUIRE", required.join(",")))
}

/// The pure parts of the dashboard.
fn www_test(repo: &Repo) -> Outcome {
    node_test(repo, "www")
}

/// The npm package as installed, in Node and in apps of two bundlers.
fn package_test(repo: &Repo) -> Outcome {
    setup::chromium(repo)?;
    node_test(repo, "wasm/npm")
}

/// The dashboard in Chromium, against the server that `cargo-test` built.
fn browser_test(repo: &Repo) -> Outcome {
    setup::chromium(repo)?;
    run_tests(repo.command("node").arg("tests/e2e/run.mjs"))
}

/// Published clients against the server that `cargo-test` built. One that cannot be installed is left out, aloud.
fn client_test(repo: &Repo) -> Outcome {
    let python = repo.tools.join("clients/bin/python");
    if let Err(why) = setup::clients(repo) {
        say(&format!("tests with Python clients are skipped: {why}"));
    }
    if let Err(why) = setup::grafana_data(repo) {
        say(&format!("the test with @grafana/data is skipped: {why}"));
    }
    let frames = repo.tools.join("grafana-data/package.json");
    let tests = test_files(&repo.root.join("tests/clients"))?;
    let mut command = repo.command("node");
    command.args(["--test", "--test-reporter=tap"]).args(tests).env("ISOPOINT_CLIENTS_PYTHON", python);
    command.env("ISOPOINT_CLIENTS_DATADOG", rust_client(repo, "datadog")?);
    command.env("ISOPOINT_GRAFANA_DATA", frames);
    command.env("ISOPOINT_CLIENTS_INFLUX", rust_client(repo, "influx")?);
    run_tests(&mut command)
}

/// The program of `tests/clients/rust-NAME`, built. It is a workspace of its own, with the same folder for what is built.
fn rust_client(repo: &Repo, name: &str) -> Outcome<PathBuf> {
    let manifest = repo.root.join(format!("tests/clients/rust-{name}/Cargo.toml"));
    run(repo.command("cargo").args(["build", "--locked", "--manifest-path"]).arg(manifest))?;
    Ok(repo.target.join(format!("debug/isopoint-client-{name}")))
}

fn node_test(repo: &Repo, package: &str) -> Outcome {
    let tests = test_files(&repo.root.join(package).join("test"))?;
    run_tests(repo.command("node").args(["--test", "--test-reporter=tap"]).args(tests))
}

fn test_files(folder: &Path) -> Outcome<Vec<PathBuf>> {
    let mut tests: Vec<_> = folder
        .read_dir()
        .map_err(|why| format!("{}: {why}", folder.display()))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.to_string_lossy().ends_with(".test.mjs"))
        .collect();
    tests.sort();
    Ok(tests)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_adds_up_tests_and_broken_steps() {
        let secs = Duration::from_secs(1);
        let report = [
            ("format", Ok(Tally::ONE), secs),
            ("cargo test", Ok(Tally { passed: 40, failed: 2 }), secs),
            ("wasm", Err("`wasm-pack`: exit status: 1".to_owned()), secs),
        ];
        let (table, total) = summary(&report, secs);
        assert_eq!(total, Tally { passed: 41, failed: 3 });
        assert!(table.ends_with("\n41 passed, 3 failed\n"), "{table}");
        assert!(table.contains("`wasm-pack`: exit status: 1"), "{table}");
    }
}
