//! Where things are, and how a program is run.

use std::env;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What a step came to: the tests it ran, or one for a step that is a single check.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

impl Tally {
    pub(crate) const ONE: Self = Self { passed: 1, failed: 0 };
}

/// An error is one sentence for the person at the terminal.
pub(crate) type Outcome<T = Tally> = Result<T, String>;

pub(crate) struct Repo {
    pub(crate) root: PathBuf,
    /// Cargo's target folder, for every build that starts here.
    pub(crate) target: PathBuf,
    /// Holds `bin/` of `cargo install` and `usr/bin/` of unpacked Debian packages.
    pub(crate) tools: PathBuf,
}

impl Repo {
    pub(crate) fn find() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the repository").to_owned();
        let target = folder("CARGO_TARGET_DIR", root.join("target"), "isopoint-target");
        let tools = folder("CARGO_INSTALL_ROOT", root.join(".tools"), "isopoint-tools");
        Self { root, target, tools }
    }

    /// A program that runs at the root, finds our tools first and builds into our target folder.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let own = ["node_modules/.bin".into(), self.tools.join("bin"), self.tools.join("usr/bin")];
        let path = env::var_os("PATH").unwrap_or_default();
        let path = own.iter().map(|part: &PathBuf| self.root.join(part)).chain(env::split_paths(&path));
        let mut command = Command::new(program);
        command
            .current_dir(&self.root)
            .env("PATH", env::join_paths(path).expect("no folder of PATH holds a colon"))
            .env("CARGO_TARGET_DIR", &self.target);
        command
    }
}

/// `variable` if set, else `local`, or `shared` in the user's cache when a CI runs us in a clone it will throw away.
fn folder(variable: &str, local: PathBuf, shared: &str) -> PathBuf {
    if let Some(given) = env::var_os(variable) {
        return std::path::absolute(given).unwrap_or(local);
    }
    match (env::var_os("CI"), env::var_os("HOME")) {
        (Some(_), Some(home)) => Path::new(&home).join(".cache").join(shared),
        _ => local,
    }
}

/// Says what a command installs or does, apart from the output of the programs it runs.
pub(crate) fn say(what: &str) {
    println!("xtask: {what}");
}

/// Runs `command` on this terminal, showing the line.
pub(crate) fn run(command: &mut Command) -> Outcome {
    println!("$ {}", line(command));
    let status = command.status().map_err(|why| not_started(command, &why))?;
    if status.success() { Ok(Tally::ONE) } else { Err(format!("`{}`: {status}", line(command))) }
}

/// Runs a test program, passing its standard output on and adding up the counts it prints.
///
/// Understood: cargo's `12 passed; 0 failed`, our own `12 passed, 0 failed` and the `# pass 12`, `# fail 0` of
/// `node --test --test-reporter=tap`. A program that prints none counts as one.
pub(crate) fn run_tests(command: &mut Command) -> Outcome {
    println!("$ {}", line(command));
    let mut child = command.stdout(Stdio::piped()).spawn().map_err(|why| not_started(command, &why))?;
    let stdout = child.stdout.take().expect("stdout is piped");
    let mut tally = Tally::default();
    for text in BufReader::new(stdout).split(b'\n') {
        let text = text.map_err(|why| format!("`{}`: {why}", line(command)))?;
        let text = String::from_utf8_lossy(&text);
        println!("{text}");
        let counted = counts(&text);
        tally.passed += counted.passed;
        tally.failed += counted.failed;
    }
    let status = child.wait().map_err(|why| format!("`{}`: {why}", line(command)))?;
    match (status.success(), tally) {
        (true, Tally { passed: 0, failed: 0 }) => Ok(Tally::ONE),
        (false, Tally { failed: 0, .. }) => Err(format!("`{}`: {status}", line(command))),
        _ => Ok(tally),
    }
}

/// What `command` prints on standard output, trimmed.
pub(crate) fn output(command: &mut Command) -> Outcome<String> {
    let output = command.stderr(Stdio::inherit()).output().map_err(|why| not_started(command, &why))?;
    if !output.status.success() {
        return Err(format!("`{}`: {}", line(command), output.status));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Whether `command` starts and succeeds; its output goes nowhere.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

fn counts(text: &str) -> Tally {
    let words: Vec<&str> = text.split([' ', ',', ';']).filter(|word| !word.is_empty()).collect();
    let mut tally = Tally::default();
    for pair in words.windows(2) {
        match (pair[0].parse::<u64>(), pair[1]) {
            (Ok(n), "passed") => tally.passed += n,
            (Ok(n), "failed") => tally.failed += n,
            _ => {}
        }
    }
    if let ["#", what, n] = words[..] {
        match (what, n.parse::<u64>()) {
            ("pass", Ok(n)) => tally.passed += n,
            ("fail", Ok(n)) => tally.failed += n,
            _ => {}
        }
    }
    tally
}

fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}

fn not_started(command: &Command, why: &std::io::Error) -> String {
    format!("cannot start `{}`: {why}", command.get_program().to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::{Repo, Tally, counts, run_tests};

    #[test]
    fn counts_are_read_from_each_kind_of_line() {
        let tally = |passed, failed| Tally { passed, failed };
        assert_eq!(counts("test result: FAILED. 12 passed; 3 failed; 1 ignored; 0 measured"), tally(12, 3));
        assert_eq!(counts("7 passed, 1 failed"), tally(7, 1));
        assert_eq!(counts("# pass 5"), tally(5, 0));
        assert_eq!(counts("# fail 2"), tally(0, 2));
        assert_eq!(counts("12 points passed through; # pass 5 more"), tally(0, 0));
    }

    #[test]
    fn a_test_program_is_judged_by_its_counts_and_its_exit_code() {
        let repo = Repo::find();
        let shell = |script: &str| run_tests(repo.command("sh").args(["-c", script]));
        assert_eq!(
            shell("echo 2 passed, 0 failed; echo 3 passed, 1 failed; exit 1"),
            Ok(Tally { passed: 5, failed: 1 })
        );
        assert_eq!(shell("true"), Ok(Tally::ONE));
        assert!(shell("echo 2 passed, 0 failed; exit 101").is_err());
    }
}
