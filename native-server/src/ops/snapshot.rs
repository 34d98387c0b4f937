//! `isopoint snapshot`: a database, a dashboard and the engine as one HTML file that opens from disk.
//!
//! The page is one of the dashboard's own assets, with a place for data. What goes there is, in Base64:
//!
//! | offset | size | what |
//! |---|---|---|
//! | 0 | 8 | `ISOSNAP1` |
//! | 8 | 4 | length of the head, little-endian |
//! | 12 | … | the head, JSON: `database`, `taken` (milliseconds since 1970), `tail` (its length), `files` (`name`, `size`) |
//! | … | … | the tail as a replica gets it: the manifest, points that no file has, a clock |
//! | … | … | the block files, in the order of the head |

use super::view::View;
use super::{Failure, FolderArgs};
use crate::cli::Exit;
use crate::host::clock;
use crate::{assets, gzip};
use isopoint_core::store::FileName;
use isopoint_core::store::snapshot::Database;
use isopoint_core::sync::server::{manifest, memtable_frames};
use isopoint_core::sync::wire::{TailFrame, write_frame};
use serde_json::{Value, json};
use std::io::Write as _;
use std::path::PathBuf;

/// The asset, and the place in it.
const PAGE: &str = "/snapshot.html";
const PLACE: &str = "<!--data-->";
const NANOS_PER_MILLI: i64 = 1_000_000;

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct SnapshotArgs {
    #[command(flatten)]
    folder: FolderArgs,
    /// Database to put into the file
    #[arg(long, short = 'd', value_name = "NAME")]
    database: String,
    /// Uid of a dashboard that the server keeps, or a file with a dashboard's JSON [default: the machine's, for
    /// `_internal`; else an empty one]
    #[arg(long, value_name = "UID|FILE")]
    dashboard: Option<String>,
    /// File to write [default: standard output]
    #[arg(long, short = 'o', value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(super) fn snapshot(args: &SnapshotArgs) -> Result<Exit, Failure> {
    let page = page()?;
    let (before, after) =
        page.split_once(PLACE).ok_or_else(|| Failure::failed("the page of snapshots has no place for data"))?;
    let view = View::open(&args.folder.data_dir)?;
    let database = view.snapshot.database(&args.database);
    let database = database.ok_or_else(|| Failure::failed(format!("database not found: {}", args.database)))?;
    let shown = shown(args, &view)?;
    let data = data(&view, database)?;
    let mut html = String::with_capacity(page.len() + data.len() / 3 * 4 + 200);
    html.push_str(before);
    html.push_str("<script type=\"text/plain\" id=\"snapshot\">");
    base64(&data, &mut html);
    html.push_str("</script>\n<script type=\"application/json\" id=\"shown\">");
    // A text in the JSON must not end the element it is in.
    html.push_str(&shown.to_string().replace('<', "\\u003c"));
    html.push_str("</script>");
    html.push_str(after);
    match &args.output {
        Some(path) => {
            // A file appears when it is whole.
            let part = path.with_added_extension("part");
            std::fs::write(&part, &html).map_err(super::at(&part))?;
            std::fs::rename(&part, path).map_err(super::at(path))?;
        }
        None => std::io::stdout().write_all(html.as_bytes()).map_err(|error| Failure::failed(error.to_string()))?,
    }
    eprintln!("{} bytes: {} of data, {} of page", html.len(), data.len(), page.len());
    Ok(Exit::Done)
}

fn page() -> Result<String, Failure> {
    let missing = || Failure::failed("this binary was built without the dashboard: `cargo xtask demo` builds both");
    let asset = assets::find(PAGE).ok_or_else(missing)?;
    let plain = if asset.packed { gzip::unpack(&asset.body, u64::MAX).ok() } else { Some(asset.body.to_vec()) };
    plain.and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(missing)
}

/// What the page shows first.
fn shown(args: &SnapshotArgs, view: &View) -> Result<Value, Failure> {
    let Some(named) = &args.dashboard else {
        return Ok(match args.database.as_str() {
            "_internal" => json!({ "builtin": "machine" }),
            database => json!({ "dashboard": { "title": database, "panels": [] } }),
        });
    };
    let space = view.snapshot.documents.space("dashboards");
    let text = match space.documents.get(named.as_str()) {
        Some(body) => body.to_vec(),
        None => std::fs::read(named).map_err(|error| {
            Failure::failed(format!("{named} is neither the uid of a dashboard nor a file: {error}"))
        })?,
    };
    let json: Value =
        serde_json::from_slice(&text).map_err(|error| Failure::failed(format!("{named} is no JSON: {error}")))?;
    Ok(json!({ "dashboard": json.get("dashboard").unwrap_or(&json) }))
}

fn data(view: &View, database: &Database) -> Result<Vec<u8>, Failure> {
    let now = clock::now().nanos();
    let manifest = manifest(database, 0);
    let mut tail = Vec::new();
    write_frame(&TailFrame::Manifest(manifest.clone()), &mut tail);
    memtable_frames(database, |frame| tail.extend_from_slice(&frame));
    write_frame(&TailFrame::Clock(now), &mut tail);
    let shards = manifest.policies.iter().flat_map(|policy| &policy.shards);
    let files: Vec<_> = shards.flat_map(|shard| &shard.files).collect();
    let head = json!({
        "database": database.name,
        "taken": now / NANOS_PER_MILLI,
        "tail": tail.len(),
        "files": files.iter().map(|file| json!({ "name": file.name, "size": file.size })).collect::<Vec<_>>(),
    });
    let head = head.to_string();
    let mut data = b"ISOSNAP1".to_vec();
    data.extend_from_slice(&(head.len() as u32).to_le_bytes());
    data.extend_from_slice(head.as_bytes());
    data.extend_from_slice(&tail);
    for file in files {
        let bytes = view.files.whole(&FileName::new(file.name.as_str()));
        data.extend_from_slice(&bytes.map_err(|error| Failure::folder(format!("{}: {error}", file.name)))?);
    }
    Ok(data)
}

/// Appends bytes in base64, with padding.
pub(crate) fn base64(bytes: &[u8], out: &mut String) {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for part in bytes.chunks(3) {
        let three = [part[0], *part.get(1).unwrap_or(&0), *part.get(2).unwrap_or(&0)];
        let bits = u32::from(three[0]) << 16 | u32::from(three[1]) << 8 | u32::from(three[2]);
        for (at, shift) in [18, 12, 6, 0].into_iter().enumerate() {
            let letter = char::from(LETTERS[(bits >> shift & 63) as usize]);
            out.push(if at <= part.len() { letter } else { '=' });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::base64;

    #[test]
    fn base64_of_rfc_4648() {
        let encoded = |text: &str| {
            let mut out = String::new();
            base64(text.as_bytes(), &mut out);
            out
        };
        let known = [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")];
        for (plain, code) in known {
            assert_eq!(encoded(plain), code);
        }
        assert_eq!(encoded("\u{3ff}\u{3ff}"), "z7/Pvw==");
    }
}
