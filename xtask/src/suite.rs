//! Runs a list of steps to its end, whatever fails on the way, and prints a table.

use std::time::{Duration, Instant};

use crate::repo::{Outcome, Repo, Tally, run_tests};

/// A name, which is also an argument of the command, and what is done.
pub(crate) type Step = (&'static str, fn(&Repo) -> Outcome);

/// What `cargo xtask test` runs after the steps of `check`. The wasm module is built by then.
pub(crate) const TESTS: &[Step] = &[("cargo-test", cargo_test)];

/// Runs every step, or only those `chosen`, in the order of the list. What failed is in the printed table; the tally
/// has its count.
pub(crate) fn run(repo: &Repo, steps: &[Step], chosen: &[String]) -> Outcome {
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

fn cargo_test(repo: &Repo) -> Outcome {
    run_tests(repo.command("cargo").args(["test", "--workspace", "--no-fail-fast"]))
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
