//! The engine for the page: built, packed, inspected.

use crate::repo::{Outcome, Repo, Tally, output, run};
use crate::setup;

/// wasm-pack's output, a folder of the npm package, with one for each module.
const PKG: &str = "wasm/npm/pkg";

/// A module of the npm package. It may weigh what it weighs now, so that it can only shrink.
struct Module {
    /// Its folder in [`PKG`].
    name: &'static str,
    cargo: &'static [&'static str],
    max_raw: u64,
    max_gzip: u64,
}

/// The reader is what a page loads first; its goal is 200,000 bytes of gzip, which it has not reached.
const MODULES: [Module; 2] = [
    Module { name: "reader", cargo: &["--no-default-features"], max_raw: 526_000, max_gzip: 230_500 },
    Module { name: "full", cargo: &[], max_raw: 2_000_000, max_gzip: 869_000 },
];

impl Module {
    fn file(&self) -> String {
        format!("{PKG}/{}/isopoint_bg.wasm", self.name)
    }

    fn glue(&self) -> String {
        format!("{PKG}/{}/isopoint.js", self.name)
    }
}

/// Builds the modules and the npm package around them, and refuses one that is too big or asks for a platform.
pub(crate) fn build(repo: &Repo) -> Outcome {
    setup::rust_target(repo)?;
    setup::wasm_tools(repo)?;
    setup::npm_packages(repo)?;
    for module in &MODULES {
        let mut command = repo.command("wasm-pack");
        command.args(["build", "wasm", "--mode", "no-install", "--profile", "wasm", "--target", "web"]);
        command.args(["--no-pack", "--no-gitignore", "--out-name", "isopoint", "--out-dir"]);
        command.arg(repo.root.join(PKG).join(module.name));
        run(command.arg("--").args(module.cargo))?;
    }
    if repo.root.join("wasm/npm/package.json").exists() {
        run(repo.command("npm").args(["run", "build", "--workspace", "wasm/npm"]))?;
    }
    size(repo)
}

/// Prints what a page loads and judges it, building it first if it is not there.
pub(crate) fn size(repo: &Repo) -> Outcome {
    if MODULES.iter().any(|module| !repo.root.join(module.file()).exists()) {
        return build(repo);
    }
    let files = MODULES.iter().flat_map(|module| [module.file(), module.glue()]);
    let script = ["--input-type=module", "--eval", include_str!("inspect.mjs"), "--"];
    let report = output(repo.command("node").args(script).args(files))?;
    println!("{:<32} {:>9} {:>9} {:>9}", "bytes", "raw", "gzip -9", "brotli");
    for size in report.lines().filter_map(Size::parse) {
        println!("{:<32} {:>9} {:>9} {:>9}", size.file, size.raw, size.gzip, size.brotli);
    }
    judge(&report)
}

struct Size<'a> {
    file: &'a str,
    raw: u64,
    gzip: u64,
    brotli: u64,
}

impl<'a> Size<'a> {
    /// Reads `size FILE RAW GZIP BROTLI`.
    fn parse(line: &'a str) -> Option<Self> {
        let mut words = line.strip_prefix("size ")?.split(' ');
        let file = words.next()?;
        let mut number = || words.next()?.parse().ok();
        Some(Self { file, raw: number()?, gzip: number()?, brotli: number()? })
    }
}

/// Checks the lines of inspect.mjs against the budget, and that every import is served by the glue wasm-bindgen wrote.
fn judge(report: &str) -> Outcome {
    for module in &MODULES {
        let file = module.file();
        let size = report.lines().filter_map(Size::parse).find(|size| size.file == file);
        let size = size.ok_or_else(|| format!("{file} was not measured"))?;
        if size.raw > module.max_raw || size.gzip > module.max_gzip {
            return Err(format!(
                "{file} has {} bytes, {} with gzip; the budget is {} and {}",
                size.raw, size.gzip, module.max_raw, module.max_gzip
            ));
        }
    }
    let foreign: Vec<&str> = report
        .lines()
        .filter_map(|line| line.strip_prefix("import "))
        .filter(|import| !import.starts_with("./isopoint_bg.js "))
        .collect();
    if foreign.is_empty() {
        return Ok(Tally::ONE);
    }
    Err(format!("the module asks its host for {}; a page has no such thing", foreign.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(raw: u64, gzip: u64, import: &str) -> String {
        let [reader, full] = MODULES.map(|module| module.file());
        format!(
            "size {reader} {raw} {gzip} 1\nsize {full} 1 1 1\nsize other.js 9000000 1 1\n\
             import ./isopoint_bg.js __wbg_new\n{import}"
        )
    }

    #[test]
    fn the_budget_is_for_each_module_and_inclusive() {
        let [Module { max_raw, max_gzip, .. }, full] = MODULES;
        assert_eq!(judge(&report(max_raw, max_gzip, "")), Ok(Tally::ONE));
        assert!(judge(&report(max_raw + 1, 1, "")).is_err());
        assert!(judge(&report(1, max_gzip + 1, "")).is_err());
        assert!(judge(&report(1, 1, "").replace(&full.file(), "other.wasm")).is_err());
    }

    #[test]
    fn an_import_from_env_is_refused_by_name() {
        let why = judge(&report(1, 1, "import env now")).expect_err("env is no part of a page");
        assert!(why.contains("env now"), "{why}");
    }
}
