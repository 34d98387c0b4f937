//! Data sources from files, in Grafana's own format (YAML, of which JSON is a part).

use crate::host::{Host, clock};
use isopoint_core::catalog::Command;
use isopoint_core::dialect::grafana::provision;
use isopoint_core::dialect::sealer::Sealer;
use sha2::{Digest as _, Sha256};
use std::fs;
use std::path::{Path, PathBuf};

/// Makes the data sources be as a file says, or every `*.yaml`, `*.yml` and `*.json` of a folder.
pub(crate) async fn apply(path: &Path, host: &Host, sealer: &dyn Sealer) -> Result<(), String> {
    for file in files(path)? {
        let fail = |why: String| format!("{}: {why}", file.display());
        let text = fs::read_to_string(&file).map_err(|error| fail(error.to_string()))?;
        let document: serde_json::Value = serde_saphyr::from_str(&text).map_err(|error| fail(error.to_string()))?;
        let hash = |bytes: &[u8]| Sha256::digest(bytes).into();
        let provisioned =
            provision(document.to_string().as_bytes(), &host.snapshot().documents, sealer, &hash, &clock::entropy())
                .map_err(fail)?;
        for changes in provisioned.changes {
            host.command(Command::Documents(changes)).await.map_err(|error| fail(error.to_string()))?;
        }
        tracing::info!(file = %file.display(), data_sources = provisioned.names.len(), "provisioned");
    }
    Ok(())
}

fn files(path: &Path) -> Result<Vec<PathBuf>, String> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let entries = fs::read_dir(path).and_then(|entries| entries.collect::<Result<Vec<_>, _>>());
    let mut files: Vec<PathBuf> =
        entries.map_err(|error| format!("{}: {error}", path.display()))?.iter().map(fs::DirEntry::path).collect();
    let known = |file: &PathBuf| {
        file.extension()
            .is_some_and(|kind| ["yaml", "yml", "json"].iter().any(|known| kind.eq_ignore_ascii_case(known)))
    };
    files.retain(known);
    files.sort();
    Ok(files)
}
