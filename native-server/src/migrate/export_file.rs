//! From a file of `influx_inspect export`: statements, then line protocol, with comments that say where it belongs.
//!
//! ```text
//! # DDL
//! CREATE DATABASE db WITH NAME autogen
//! # DML
//! # CONTEXT-DATABASE:db
//! # CONTEXT-RETENTION-POLICY:autogen
//! m,tag=x field=1 1
//! ```

use super::{State, count, first_column};
use crate::import::escape;
use crate::remote::{Client, quoted};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

/// Bytes of line protocol in one write.
const BODY: usize = 4 << 20;

/// Lines by database and policy.
type Sent = BTreeMap<(String, String), u64>;

/// Whether everything arrived.
pub(super) fn copy(path: &Path, target: &Client, wanted: &[String], state: &mut State) -> Result<bool, String> {
    let file = File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let packed = path.extension().is_some_and(|extension| extension == "gz");
    let reader: Box<dyn Read> = if packed { Box::new(flate2::read::MultiGzDecoder::new(file)) } else { Box::new(file) };
    let sent = send(BufReader::with_capacity(1 << 20, reader), target, wanted, state)?;
    let mut agreed = true;
    for ((database, policy), lines) in &sent {
        let mut stored = 0;
        for measurement in first_column(&target.run("SHOW MEASUREMENTS", Some(database))?) {
            let from = format!("{}.{}.{}", quoted(database), quoted(policy), quoted(&measurement));
            stored += count(target, &from, "")?;
        }
        // An export has a line for each value, and those twice that were in the log and in a file.
        let word = if stored == 0 { "DIFFERS" } else { "ok" };
        println!("{word:<8} {database}.{policy}: {lines} lines in the file, {stored} values here");
        agreed &= stored > 0;
    }
    Ok(agreed)
}

fn send(mut reader: impl BufRead, target: &Client, wanted: &[String], state: &mut State) -> Result<Sent, String> {
    let (mut database, mut policy) = (String::new(), String::new());
    let (mut sent, mut body, mut line) = (Sent::new(), Vec::new(), Vec::new());
    let mut batch = 0_u64;
    // A body is told by its number: the file is read the same way again.
    let mut flush = |body: &mut Vec<u8>, database: &str, policy: &str| {
        if body.is_empty() {
            return Ok(());
        }
        batch += 1;
        let step = format!("batch {batch} {} {database} {policy}", body.len());
        let body = std::mem::take(body);
        if state.has(&step) {
            return Ok(());
        }
        let path = format!("/write?db={}&rp={}&precision=n", escape(database), escape(policy));
        target.write_to(&path, body.into())?;
        state.add(step)
    };
    // A string may hold line feeds; what is in one is no comment.
    let mut in_string = false;
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line).map_err(|error| error.to_string())? == 0 {
            flush(&mut body, &database, &policy)?;
            return Ok(sent);
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end_matches(['\n', '\r']);
        if !in_string {
            if let Some(comment) = text.strip_prefix('#').map(str::trim) {
                // What was read before belongs to the place before.
                if let Some(name) = comment.strip_prefix("CONTEXT-DATABASE:") {
                    flush(&mut body, &database, &policy)?;
                    name.trim().clone_into(&mut database);
                } else if let Some(name) = comment.strip_prefix("CONTEXT-RETENTION-POLICY:") {
                    flush(&mut body, &database, &policy)?;
                    name.trim().clone_into(&mut policy);
                }
                continue;
            }
            if text.starts_with("CREATE DATABASE ") || text.starts_with("CREATE RETENTION POLICY ") {
                target.run(text, None).map_err(|error| format!("{text}: {error}"))?;
                continue;
            }
            if text.trim().is_empty() {
                continue;
            }
            if database.is_empty() {
                return Err(
                    "no CONTEXT-DATABASE stands before the first point: no file of influx_inspect export".into()
                );
            }
        }
        let begins = !in_string;
        in_string ^= odd_quotes(&line);
        if !wanted.is_empty() && !wanted.contains(&database) {
            continue;
        }
        if begins {
            *sent.entry((database.clone(), policy.clone())).or_default() += 1;
        }
        body.extend_from_slice(&line);
        if body.len() >= BODY && !in_string {
            flush(&mut body, &database, &policy)?;
        }
    }
}

/// Whether a line opens a string that it does not close, or closes one that it did not open.
fn odd_quotes(line: &[u8]) -> bool {
    let (mut odd, mut escaped) = (false, false);
    for byte in line {
        odd ^= *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
    }
    odd
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_may_hold_line_feeds_and_quotes() {
        assert!(!odd_quotes(br#"m s="a" 1"#));
        assert!(odd_quotes(b"m s=\"a\n"));
        assert!(!odd_quotes(br#"m s="a \" b" 1"#));
        assert!(!odd_quotes(br#"m s="a \\" 1"#));
    }
}
