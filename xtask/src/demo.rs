//! Everything built and running, for a person to look at.

use std::os::unix::process::CommandExt;

use crate::repo::{Outcome, Repo, run, say};
use crate::{wasm, www};

/// Builds in release and becomes `isopoint serve`, so that Ctrl-C and signals reach the server itself.
///
/// Points stay in demo-data of the target folder from one demo to the next. `flags` come last and so win.
pub(crate) fn serve(repo: &Repo, flags: &[String]) -> Outcome {
    wasm::build(repo)?;
    www::build(repo)?;
    run(repo.command("cargo").args(["build", "--release", "--package", "isopoint-server"]))?;

    let data = repo.target.join("demo-data");
    say(&format!("points are kept in {}; Ctrl-C stops the server", data.display()));
    let mut server = repo.command(repo.target.join("release/isopoint"));
    let why = server.arg("serve").arg("--data-dir").arg(data).args(flags).exec();
    Err(format!("cannot start {}: {why}", server.get_program().display()))
}
