//! The page's module in Node, and the page in Chromium: scripts that measure and say `name<TAB>figure`.

use crate::Table;
use std::path::Path;
use std::process::Command;

pub(crate) fn run(table: &mut Table) {
    run_scripts(table, &["tests/bench/wasm.mjs", "tests/bench/page.mjs"]);
}

/// The rows that these scripts say.
pub(crate) fn run_scripts(table: &mut Table, scripts: &[&str]) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    if !root.join("wasm/npm/pkg/full/isopoint_bg.wasm").is_file() {
        table.row("wasm", "not built: cargo xtask wasm", "");
        return;
    }
    for script in scripts {
        let output = Command::new("node").arg(script).current_dir(&root).output();
        let output = output.expect("node is on the path");
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            if let Some((name, figure)) = line.split_once('\t') {
                table.row(name, figure, "");
            }
        }
        if !output.status.success() {
            table.row(*script, "failed", "");
            eprintln!("{}", String::from_utf8_lossy(&output.stderr));
        }
    }
}
