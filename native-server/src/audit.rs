//! The audit log: who changed what, when and from where, and whose login failed. A JSON object on each line:
//!
//! ```text
//! {"time":"2026-01-01T00:00:00Z","who":"ann","address":"10.0.0.7","act":"dropped database \"d\"","trace":"…"}
//! ```
//!
//! Every change of the catalog passes here, whichever API it came by. No text of a request does, so no secret can.

use crate::admin::rfc3339;
use crate::host::clock;
use crate::who::Who;
use isopoint_core::catalog::Command;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// With more bytes the file is put aside as `<name>.1`, over the one before.
const LARGEST: u64 = 64 << 20;
/// Documents that change with what is submitted, not by anybody's decision.
const QUIET: &[&str] = &["datadog.metrics"];

#[derive(Debug)]
pub(crate) struct Audit {
    path: PathBuf,
    file: Mutex<Option<File>>,
}

impl Audit {
    /// The error is a sentence.
    pub(crate) fn open(path: &Path) -> Result<Self, String> {
        let file = append(path).map_err(|error| format!("{}: {error}; choose another --audit-log", path.display()))?;
        Ok(Self { path: path.to_owned(), file: Mutex::new(Some(file)) })
    }

    pub(crate) fn command(&self, who: &Who, command: &Command, failed: Option<&str>) {
        if let Some(mut act) = describe(command) {
            if let Some(why) = failed {
                act = format!("failed: {act}: {why}");
            }
            self.note(&who.name, who.peer, &act, &who.trace);
        }
    }

    pub(crate) fn login_failed(&self, name: &str, peer: IpAddr, path: &str) {
        tracing::warn!(user = name, address = %peer, path, "a login failed");
        self.note(name, peer, &format!("login failed at {path}"), "");
    }

    pub(crate) fn note(&self, who: &str, peer: IpAddr, act: &str, trace: &str) {
        let line = serde_json::json!({
            "time": rfc3339(clock::now()),
            "who": who,
            "address": peer.to_string(),
            "act": act,
            "trace": trace,
        });
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if file.as_ref().and_then(|file| file.metadata().ok()).is_some_and(|found| found.len() > LARGEST) {
            let mut aside = self.path.clone().into_os_string();
            aside.push(".1");
            let _ = std::fs::rename(&self.path, aside);
            *file = append(&self.path).ok();
        }
        let written = match file.as_mut() {
            Some(file) => file.write_all(format!("{line}\n").as_bytes()),
            None => Err(std::io::Error::other("it could not be opened again")),
        };
        if let Err(error) = written {
            tracing::error!(%error, %line, "the audit log takes no line");
        }
    }
}

/// Readable by its owner only.
fn append(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// An act in words; names only, never what a document holds.
fn describe(command: &Command) -> Option<String> {
    Some(match command {
        Command::CreateDatabase { name, .. } => format!("created database {name:?}"),
        Command::DropDatabase { name } => format!("dropped database {name:?}"),
        Command::CreatePolicy { database, name, .. } => format!("created retention policy {name:?} of {database:?}"),
        Command::AlterPolicy { database, name, .. } => format!("altered retention policy {name:?} of {database:?}"),
        Command::DropPolicy { database, name } => format!("dropped retention policy {name:?} of {database:?}"),
        Command::Documents(changes) if QUIET.contains(&changes.space.as_str()) => return None,
        Command::Documents(changes) => {
            let keys = changes.changes.iter().map(|(key, body)| {
                let verb = if body.is_some() { "put" } else { "removed" };
                format!("{verb} {key:?}")
            });
            format!("{}: {}", changes.space, keys.collect::<Vec<_>>().join(", "))
        }
        Command::Delete(_) => "deleted points".to_owned(),
        Command::Rename(rename) => format!("renamed {:?} to {:?}", rename.name.from, rename.name.to),
        Command::DropShard { id } => format!("dropped shard {id}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use isopoint_core::auth::{User, Users};
    use isopoint_core::catalog::Documents;

    #[test]
    fn a_line_says_who_did_what_and_no_secret() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        let audit = Audit::open(&path).unwrap();
        let who = Who { name: "ann".into(), peer: "10.0.0.7".parse().unwrap(), trace: "t".into() };
        let user = User::new("bob", false, "planted-secret".into());
        audit.command(&who, &Users::of(&Documents::default()).put(&user), None);
        audit.command(&who, &Command::DropDatabase { name: "d".into() }, Some("no"));
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.contains("planted"), "{text}");
        let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!((lines[0]["who"].as_str(), lines[0]["act"].as_str()), (Some("ann"), Some("users: put \"bob\"")));
        assert_eq!(lines[1]["act"].as_str(), Some("failed: dropped database \"d\": no"));
    }
}
