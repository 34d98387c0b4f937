//! What must hold before a change is looked at.

use crate::repo::{Outcome, Repo, run};
use crate::suite::Step;
use crate::{setup, tidy, wasm};

pub(crate) const STEPS: &[Step] = &[
    ("format", format),
    ("clippy", clippy),
    ("clippy-wasm", clippy_wasm),
    ("docs", docs),
    ("layers", tidy::layers),
    ("wasm", wasm::build),
];

fn format(repo: &Repo) -> Outcome {
    run(repo.command("cargo").args(["fmt", "--all", "--check"]))
}

fn clippy(repo: &Repo) -> Outcome {
    run(repo.command("cargo").args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
}

fn clippy_wasm(repo: &Repo) -> Outcome {
    setup::rust_target(repo)?;
    let target = ["--target", setup::WASM_TARGET];
    run(repo
        .command("cargo")
        .args(["clippy", "--package", "isopoint-wasm"])
        .args(target)
        .args(["--", "-D", "warnings"]))
}

fn docs(repo: &Repo) -> Outcome {
    run(repo.command("cargo").env("RUSTDOCFLAGS", "-D warnings").args(["doc", "--workspace", "--no-deps"]))
}
