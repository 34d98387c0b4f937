//! The engine for the page: built, packed, inspected.

use crate::repo::{Outcome, Repo, Tally, output, run};
use crate::setup;

/// wasm-pack's output, a folder of the npm package.
const PKG: &str = "wasm/npm/pkg";
const MODULE: &str = "wasm/npm/pkg/isopoint_bg.wasm";
const GLUE: &str = "wasm/npm/pkg/isopoint.js";

/// What the module may weigh at most: what it weighs now, so that it can only shrink. The goal is 500,000 and 200,000,
/// which it has not reached.
const MAX_RAW_BYTES: u64 = 980_000;
const MAX_GZIP_BYTES: u64 = 420_000;

/// Builds the module and the npm package around it, and refuses one that is too big or asks for a platform.
pub(crate) fn build(repo: &Repo) -> Outcome {
    setup::rust_target(repo)?;
    setup::wasm_tools(repo)?;
    setup::npm_packages(repo)?;
    let out = repo.root.join(PKG);
    run(repo
        .command("wasm-pack")
        .args(["build", "wasm", "--mode", "no-install", "--profile", "wasm", "--target", "web"])
        .args(["--no-pack", "--no-gitignore", "--out-name", "isopoint", "--out-dir"])
        .arg(out))?;
    if repo.root.join("wasm/npm/package.json").exists() {
        run(repo.command("npm").args(["run", "build", "--workspace", "wasm/npm"]))?;
    }
    size(repo)
}

/// Prints what a page loads and judges it, building it first if it is not there.
pub(crate) fn size(repo: &Repo) -> Outcome {
    if !repo.root.join(MODULE).exists() {
        return build(repo);
    }
    let script = ["--input-type=module", "--eval", include_str!("inspect.mjs"), "--"];
    let report = output(repo.command("node").args(script).args([MODULE, GLUE]))?;
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
    let module =
        report.lines().filter_map(Size::parse).find(|size| size.file == MODULE).ok_or("the module was not measured")?;
    if module.raw > MAX_RAW_BYTES || module.gzip > MAX_GZIP_BYTES {
        return Err(format!(
            "{MODULE} has {} bytes, {} with gzip; the budget is {MAX_RAW_BYTES} and {MAX_GZIP_BYTES}",
            module.raw, module.gzip
        ));
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
        format!("size {MODULE} {raw} {gzip} 1\nsize {GLUE} 9000000 1 1\nimport ./isopoint_bg.js __wbg_new\n{import}")
    }

    #[test]
    fn the_budget_is_for_the_module_and_inclusive() {
        assert_eq!(judge(&report(MAX_RAW_BYTES, MAX_GZIP_BYTES, "")), Ok(Tally::ONE));
        assert!(judge(&report(MAX_RAW_BYTES + 1, 1, "")).is_err());
        assert!(judge(&report(1, MAX_GZIP_BYTES + 1, "")).is_err());
        assert!(judge(&report(1, 1, "").replace(MODULE, "other.wasm")).is_err());
    }

    #[test]
    fn an_import_from_env_is_refused_by_name() {
        let why = judge(&report(1, 1, "import env now")).expect_err("env is no part of a page");
        assert!(why.contains("env now"), "{why}");
    }
}
