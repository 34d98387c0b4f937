//! `cargo xtask fuzz`: the fuzz targets under libFuzzer, which tries what reaches new code, on stable Rust.
//!
//! The compiler counts what runs by flags that every Rust has; libFuzzer comes with a crate, which needs a C++ compiler.
//! What is found on the way stays in the target folder for the next run; an input that fails is named, and belongs into
//! `tests/fuzz/corpus/<target>`, which `cargo test` runs over.

use std::path::Path;

use crate::repo::{Outcome, Repo, Tally, output, run, say};

/// What makes the compiler count.
const COVERAGE: [&str; 6] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "--cfg=fuzzing",
];

const SECONDS: u32 = 60;
/// One input may take so many seconds and mebibytes.
const TIMEOUT: u32 = 25;
const MEMORY: u32 = 2048;

/// Runs the named targets, or all, one after the other.
pub(crate) fn fuzz(repo: &Repo, args: &[String]) -> Outcome {
    let (targets, seconds) = chosen(args)?;
    let targets = if targets.is_empty() { all(&repo.root.join("tests/fuzz/corpus"))? } else { targets };
    let program = build(repo)?;
    let mut tally = Tally::default();
    for target in targets {
        let found = repo.target.join("fuzz/corpus").join(&target);
        std::fs::create_dir_all(&found).map_err(|why| format!("{}: {why}", found.display()))?;
        let committed = repo.root.join("tests/fuzz/corpus").join(&target);
        let mut command = repo.command(&program);
        command.env("ISOPOINT_FUZZ_TARGET", &target).arg(&found).arg(&committed);
        command.args([
            format!("-max_total_time={seconds}"),
            format!("-timeout={TIMEOUT}"),
            format!("-rss_limit_mb={MEMORY}"),
            "-max_len=4096".to_owned(),
            "-print_final_stats=1".to_owned(),
            format!("-artifact_prefix={}/fuzz/{target}-", repo.target.display()),
        ]);
        match run(&mut command) {
            Ok(_) => tally.passed += 1,
            Err(why) => {
                say(&format!("{target}: {why}"));
                tally.failed += 1;
            }
        }
    }
    println!("{} passed, {} failed", tally.passed, tally.failed);
    Ok(tally)
}

/// Names of targets, and `--seconds N` for each of them.
fn chosen(args: &[String]) -> Outcome<(Vec<String>, u32)> {
    let (mut targets, mut seconds) = (Vec::new(), SECONDS);
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--seconds" => {
                let number = args.next().and_then(|number| number.parse().ok());
                seconds = number.filter(|number| *number > 0).ok_or("--seconds wants a whole number above zero")?;
            }
            flag if flag.starts_with('-') => return Err(format!("no flag `{flag}`; there is --seconds N")),
            target => targets.push(target.to_owned()),
        }
    }
    Ok((targets, seconds))
}

/// Every target has a folder of the corpus; a test sees to it.
fn all(corpus: &Path) -> Outcome<Vec<String>> {
    let entries = corpus.read_dir().map_err(|why| format!("{}: {why}", corpus.display()))?;
    let mut targets: Vec<String> =
        entries.filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned())).collect();
    targets.sort();
    Ok(targets)
}

/// Builds the program with counters; build scripts and macros are built without, since they are for the host.
fn build(repo: &Repo) -> Outcome<std::path::PathBuf> {
    let about = output(repo.command("rustc").arg("-vV"))?;
    let host = about.lines().find_map(|line| line.strip_prefix("host: ")).ok_or("rustc does not say its host")?;
    let target = repo.target.join("fuzz");
    let mut command = repo.command("cargo");
    command.args(["build", "--release", "--locked", "--manifest-path", "tests/fuzz/Cargo.toml", "--target", host]);
    command.env("CARGO_TARGET_DIR", &target).env("CARGO_ENCODED_RUSTFLAGS", COVERAGE.join("\u{1f}"));
    run(&mut command)?;
    Ok(target.join(host).join("release/isopoint-fuzz"))
}

#[cfg(test)]
mod tests {
    use super::chosen;

    #[test]
    fn arguments_are_targets_and_a_time() {
        let chosen = |words: &[&str]| chosen(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        assert_eq!(chosen(&[]), Ok((Vec::new(), 60)));
        assert_eq!(chosen(&["a", "--seconds", "5", "b"]), Ok((vec!["a".to_owned(), "b".to_owned()], 5)));
        for wrong in [&["--seconds"][..], &["--seconds", "0"], &["--seconds", "x"], &["--fast"]] {
            assert!(chosen(wrong).is_err(), "{wrong:?}");
        }
    }
}
