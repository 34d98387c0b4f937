//! The dashboard.

use crate::repo::{Outcome, Repo, run};
use crate::setup;

/// Builds www into www/dist. It imports the npm package, which must be built before.
pub(crate) fn build(repo: &Repo) -> Outcome {
    if !repo.root.join("www/package.json").exists() {
        return Err("there is no dashboard yet: www/package.json is missing".to_owned());
    }
    setup::npm_packages(repo)?;
    run(repo.command("npm").args(["run", "build", "--workspace", "www"]))
}
