//! The tools the other commands need, installed when missing.
//!
//! Expected on the machine: Rust of the workspace's `rust-version` with its `cargo`, Node 20 with `npm`, and a C
//! compiler to link with. Nothing else is.

use std::fs;
use std::path::{Path, PathBuf};

use crate::repo::{Outcome, Repo, Tally, output, run, say, succeeds};
use crate::suite::Step;

pub(crate) const STEPS: &[Step] = &[
    ("wasm32", rust_target),
    ("wasm-tools", wasm_tools),
    ("npm", npm_packages),
    ("chromium", chromium),
    ("influxd", influxd),
    ("prometheus", prometheus),
    ("clients", clients),
    ("grafana-data", grafana_data),
];

pub(crate) const WASM_TARGET: &str = "wasm32-unknown-unknown";

const WASM_PACK: &str = "0.15.1";
const NODE: u32 = 20;

/// The standard library for the page.
pub(crate) fn rust_target(repo: &Repo) -> Outcome {
    let libraries = output(repo.command("rustc").args(["--print", "target-libdir", "--target", WASM_TARGET]))?;
    if Path::new(&libraries).is_dir() {
        return Ok(Tally::ONE);
    }
    if !succeeds(repo.command("rustup").arg("--version")) {
        return Err(format!("rustc has no {WASM_TARGET} library: install Rust with rustup (https://rustup.rs)"));
    }
    say(&format!("adding the Rust target {WASM_TARGET}"));
    run(repo.command("rustup").args(["target", "add", WASM_TARGET]))
}

/// `wasm-pack`, and the `wasm-bindgen` that fits the crate of that name.
///
/// wasm-pack would fetch or compile a missing wasm-bindgen itself, in its own cache and in release; the dev profile
/// takes half the time to compile and the tool costs 0.2 s more to run.
pub(crate) fn wasm_tools(repo: &Repo) -> Outcome {
    let lock = fs::read_to_string(repo.root.join("Cargo.lock")).map_err(|why| format!("Cargo.lock: {why}"))?;
    let bindgen = locked_version(&lock, "wasm-bindgen").ok_or("Cargo.lock does not name wasm-bindgen")?;
    let wanted = [("wasm-pack", "wasm-pack", WASM_PACK), ("wasm-bindgen", "wasm-bindgen-cli", bindgen)];
    let missing: Vec<String> = wanted
        .into_iter()
        .filter(|(program, _, version)| installed_version(repo, program).as_deref() != Some(*version))
        .map(|(_, package, version)| format!("{package}@{version}"))
        .collect();
    if missing.is_empty() {
        return Ok(Tally::ONE);
    }
    say(&format!("compiling {} into {}, once, some minutes", missing.join(" and "), repo.tools.display()));
    let mut command = repo.command("cargo");
    command.args(["install", "--locked", "--debug", "--no-default-features", "--root"]).arg(&repo.tools);
    command.arg("--target-dir").arg(repo.target.join("tools")).args(missing).env("CARGO_PROFILE_DEV_DEBUG", "0");
    run(&mut command)
}

/// `node_modules`, exactly as package-lock.json has it.
pub(crate) fn npm_packages(repo: &Repo) -> Outcome {
    node(repo)?;
    let lock = fs::read(repo.root.join("package-lock.json")).map_err(|why| format!("package-lock.json: {why}"))?;
    let installed = repo.root.join("node_modules/.installed-package-lock.json");
    if fs::read(&installed).is_ok_and(|installed| installed == lock) {
        return Ok(Tally::ONE);
    }
    say("installing the npm packages of package-lock.json into node_modules");
    run(repo.command("npm").args(["ci", "--no-audit", "--no-fund", "--loglevel=error"]))?;
    fs::write(&installed, lock).map_err(|why| format!("{}: {why}", installed.display()))?;
    Ok(Tally::ONE)
}

/// The browser of the dashboard's tests.
pub(crate) fn chromium(repo: &Repo) -> Outcome {
    if succeeds(repo.command("chromium").arg("--version")) {
        return Ok(Tally::ONE);
    }
    let by_hand = "the browser tests need `chromium` on PATH (Debian: `sudo apt-get install chromium`)";
    let root = as_root(repo).ok_or(by_hand)?;
    say("installing the Debian package chromium");
    let install = || run(repo.command("env").args(root).args(APT_INSTALL).arg("chromium"));
    install().or_else(|_| apt_update(repo).and_then(|_| install())).map_err(|why| format!("{by_hand}: {why}"))
}

/// InfluxDB 1.x, to compare answers with.
///
/// The Debian package is unpacked, not installed: installing it would start a server on our default port.
pub(crate) fn influxd(repo: &Repo) -> Outcome {
    if succeeds(repo.command("influxd").arg("version")) {
        return Ok(Tally::ONE);
    }
    let by_hand = "the comparison with InfluxDB needs `influxd` 1.x on PATH (Debian package influxdb)";
    if !succeeds(repo.command("apt-get").arg("--version")) {
        return Err(by_hand.to_owned());
    }
    unpack(repo, "influxdb").map_err(|why| format!("{by_hand}: {why}"))
}

/// Prometheus, to have one as a data source. Unpacked like InfluxDB, since installing it would start it.
pub(crate) fn prometheus(repo: &Repo) -> Outcome {
    if succeeds(repo.command("prometheus").arg("--version")) {
        return Ok(Tally::ONE);
    }
    let by_hand = "the test with a real Prometheus needs `prometheus` on PATH (Debian package prometheus)";
    if !succeeds(repo.command("apt-get").arg("--version")) {
        return Err(by_hand.to_owned());
    }
    unpack(repo, "prometheus").map_err(|why| format!("{by_hand}: {why}"))
}

/// A Debian package into our tools, without installing it.
fn unpack(repo: &Repo, package: &str) -> Outcome {
    say(&format!("unpacking the Debian package {package} into {}", repo.tools.display()));
    let folder = repo.target.join("tools").join(package);
    fs::create_dir_all(&folder).map_err(|why| format!("{}: {why}", folder.display()))?;
    let download = || run(repo.command("apt-get").args(["download", package]).current_dir(&folder));
    download().or_else(|_| apt_update(repo).and_then(|_| download()))?;
    let unpack = "for package in *.deb; do dpkg-deb -x \"$package\" \"$0\"; done";
    run(repo.command("sh").args(["-ec", unpack]).arg(&repo.tools).current_dir(&folder))
}

/// Python of its own with the engines that `bench peers` runs in process, and VictoriaMetrics unpacked. A peer that cannot be had is left
/// out by the benchmark, so only a missing Python is an error.
pub(crate) fn peers(repo: &Repo) -> Outcome<PathBuf> {
    let python = repo.tools.join("peers/bin/python");
    if !succeeds(repo.command(&python).arg("--version")) {
        let folder = repo.tools.join("peers");
        say(&format!("making a Python environment in {}", folder.display()));
        run(repo.command("python3").args(["-m", "venv"]).arg(folder))
            .map_err(|why| format!("the benchmark of peers needs Python 3 with venv: {why}"))?;
    }
    for package in ["numpy", "duckdb", "chdb"] {
        if !succeeds(repo.command(&python).args(["-c", &format!("import {package}")]))
            && let Err(why) = run(repo.command(&python).args(["-m", "pip", "install", "--quiet", package]))
        {
            say(&why);
        }
    }
    for (program, package) in [("influxd", "influxdb"), ("victoria-metrics", "victoria-metrics")] {
        if !succeeds(repo.command("sh").args(["-c", &format!("command -v {program}")]))
            && let Err(why) = unpack(repo, package)
        {
            say(&why);
        }
    }
    Ok(python)
}

/// The Python clients, in an environment of its own. Gives nothing when Python 3 has no `venv`.
pub(crate) fn clients(repo: &Repo) -> Outcome {
    let folder = repo.tools.join("clients");
    let list = repo.root.join("tests/clients/requirements.txt");
    let wanted = fs::read(&list).map_err(|why| format!("{}: {why}", list.display()))?;
    let installed = folder.join("requirements.txt");
    if fs::read(&installed).is_ok_and(|installed| installed == wanted) {
        return Ok(Tally::ONE);
    }
    say(&format!("installing the Python clients of tests/clients into {}", folder.display()));
    run(repo.command("python3").args(["-m", "venv"]).arg(&folder))
        .map_err(|why| format!("the tests with Python clients need Python 3 with venv: {why}"))?;
    let python = folder.join("bin/python");
    run(repo.command(&python).args(["-m", "pip", "install", "--quiet", "--requirement"]).arg(&list))?;
    fs::write(&installed, wanted).map_err(|why| format!("{}: {why}", installed.display()))?;
    Ok(Tally::ONE)
}

/// The package that Grafana's pages read data frames with, outside of `node_modules`: it brings a hundred others. The
/// scripts of none of them are run.
pub(crate) fn grafana_data(repo: &Repo) -> Outcome {
    let (from, folder) = (repo.root.join("tests/clients/grafana-data"), repo.tools.join("grafana-data"));
    let read = |path: PathBuf| fs::read(&path).map_err(|why| format!("{}: {why}", path.display()));
    let wanted = read(from.join("package-lock.json"))?;
    let installed = folder.join("node_modules/.installed-package-lock.json");
    if fs::read(&installed).is_ok_and(|installed| installed == wanted) {
        return Ok(Tally::ONE);
    }
    node(repo)?;
    say(&format!("installing @grafana/data into {}", folder.display()));
    fs::create_dir_all(&folder).map_err(|why| format!("{}: {why}", folder.display()))?;
    for (name, content) in [("package.json", &read(from.join("package.json"))?), ("package-lock.json", &wanted)] {
        fs::write(folder.join(name), content).map_err(|why| format!("{}: {why}", folder.display()))?;
    }
    let flags = ["ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"];
    run(repo.command("npm").args(flags).current_dir(&folder))?;
    fs::write(&installed, wanted).map_err(|why| format!("{}: {why}", installed.display()))?;
    Ok(Tally::ONE)
}

const APT_INSTALL: [&str; 5] =
    ["DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "--yes", "--no-install-recommends"];

fn apt_update(repo: &Repo) -> Outcome {
    let root = as_root(repo).ok_or("only root may run `apt-get update`")?;
    run(repo.command("env").args(root).args(["apt-get", "update"]))
}

/// What goes before a command line that needs root; none if there is no apt-get or no way to be root unasked.
fn as_root(repo: &Repo) -> Option<&'static [&'static str]> {
    if !succeeds(repo.command("apt-get").arg("--version")) {
        return None;
    }
    if output(repo.command("id").arg("-u")).is_ok_and(|id| id == "0") {
        return Some(&[]);
    }
    succeeds(repo.command("sudo").args(["-n", "true"])).then_some(&["sudo", "-n"])
}

fn node(repo: &Repo) -> Outcome<()> {
    let wanted = format!("Node {NODE} or newer is needed (https://nodejs.org, or Debian packages nodejs and npm)");
    let version = output(repo.command("node").arg("--version")).map_err(|why| format!("{wanted}: {why}"))?;
    let major = version.trim_start_matches('v').split('.').next().and_then(|major| major.parse::<u32>().ok());
    if major.is_some_and(|major| major >= NODE) { Ok(()) } else { Err(format!("{wanted}; this is {version}")) }
}

/// The second word of `PROGRAM --version`.
fn installed_version(repo: &Repo, program: &str) -> Option<String> {
    let printed = output(repo.command(program).arg("--version")).ok()?;
    printed.split_whitespace().nth(1).map(str::to_owned)
}

fn locked_version<'a>(lock: &'a str, package: &str) -> Option<&'a str> {
    let (_, entry) = lock.split_once(&format!("\nname = \"{package}\"\nversion = \""))?;
    entry.split_once('"').map(|(version, _)| version)
}

#[cfg(test)]
mod tests {
    use super::locked_version;

    #[test]
    fn the_version_is_that_of_the_package_named_exactly() {
        let lock = "\
[[package]]
name = \"wasm-bindgen-macro\"
version = \"0.2.1\"

[[package]]
name = \"wasm-bindgen\"
version = \"0.2.129\"
source = \"registry\"
";
        assert_eq!(locked_version(lock, "wasm-bindgen"), Some("0.2.129"));
        assert_eq!(locked_version(lock, "wasm"), None);
    }
}
