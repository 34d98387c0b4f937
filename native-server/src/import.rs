//! `isopoint import`: files of points to a running server, as line protocol over its own `/write`.
//!
//! Line protocol goes through as it is, in bodies of whole lines. CSV is turned into line protocol by a column mapping
//! ([`csv::Mapping`]).

pub(crate) mod csv;

use crate::cli::Exit;
use crate::remote::{Client, RemoteArgs, quoted};
use bytes::Bytes;
use indicatif::{ProgressBar, ProgressStyle};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// Bytes of line protocol in one request.
const BODY: usize = 4 << 20;

/// What `isopoint import` is asked.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct ImportArgs {
    /// Files to import: line protocol (.lp, .txt, any other name) or CSV (.csv), each also as .gz
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    remote: RemoteArgs,
    /// Database to write to; made when missing
    #[arg(long, short = 'd', default_value = "import", value_name = "NAME")]
    database: String,
    /// Shard duration of a database that is made: data of many years wants few large shards, such as 520w
    #[arg(long, value_name = "DURATION")]
    shard_duration: Option<String>,
    /// Unit of the timestamps in line protocol: n, u, ms, s, m or h
    #[arg(long, default_value = "n", value_name = "UNIT")]
    precision: String,
    #[command(flatten)]
    mapping: csv::Mapping,
}

/// Imports every file; stops at the first that fails.
pub(crate) fn run(args: &ImportArgs) -> Exit {
    let target = match Target::connect(args) {
        Ok(target) => target,
        Err(error) => return fail(&error),
    };
    for file in &args.files {
        if let Err(error) = import(file, args, &target) {
            return fail(&format!("{}: {error}", file.display()));
        }
    }
    Exit::Done
}

fn fail(error: &str) -> Exit {
    eprintln!("isopoint: {error}");
    Exit::Failed
}

fn import(path: &Path, args: &ImportArgs, target: &Target) -> Result<(), String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let size = file.metadata().map_err(|error| error.to_string())?.len();
    let bar = ProgressBar::new(size);
    let style = "{msg} [{bar:30}] {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left";
    bar.set_style(ProgressStyle::with_template(style).expect("the template is valid").progress_chars("=> "));
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    bar.set_message(name.clone());
    // The bar counts bytes read from disk, packed or not: that is what the file's size says.
    let counted = bar.wrap_read(file);
    let packed = name.ends_with(".gz");
    let reader: Box<dyn Read> =
        if packed { Box::new(flate2::read::MultiGzDecoder::new(counted)) } else { Box::new(counted) };
    let plain_name = name.strip_suffix(".gz").unwrap_or(&name);
    let points = if plain_name.ends_with(".csv") {
        let stem = plain_name.trim_end_matches(".csv").to_owned();
        let mut lines = csv::Lines::new(reader, &args.mapping, &stem)?;
        send(target, "n", |body| lines.fill(body, BODY))
    } else {
        let mut lines = BufReader::with_capacity(1 << 20, reader);
        send(target, &args.precision, |body| whole_lines(&mut lines, body))
    };
    bar.finish_and_clear();
    println!("{name}: {} points into {}", points?, target.database);
    Ok(())
}

/// Sends bodies until `fill` adds nothing; gives the number of lines sent.
fn send(
    target: &Target,
    precision: &str,
    mut fill: impl FnMut(&mut Vec<u8>) -> Result<u64, String>,
) -> Result<u64, String> {
    let mut points = 0;
    loop {
        let mut body = Vec::with_capacity(BODY + (64 << 10));
        let lines = fill(&mut body)?;
        if body.is_empty() {
            return Ok(points);
        }
        let path = format!("/write?db={}&precision={precision}", escape(&target.database));
        target.client.write_to(&path, Bytes::from(body))?;
        points += lines;
    }
}

/// Appends whole lines up to a body's size. A string field may hold line feeds: a body ends where quotes are balanced.
fn whole_lines(reader: &mut impl BufRead, body: &mut Vec<u8>) -> Result<u64, String> {
    let mut lines = 0;
    let mut quotes = 0usize;
    loop {
        let start = body.len();
        let read = reader.read_until(b'\n', body).map_err(|error: io::Error| error.to_string())?;
        if read == 0 {
            return Ok(lines);
        }
        let line = &body[start..];
        quotes += line.iter().filter(|byte| **byte == b'"').count();
        let is_point = line.iter().find(|byte| !byte.is_ascii_whitespace()).is_some_and(|byte| *byte != b'#');
        if quotes.is_multiple_of(2) {
            lines += u64::from(is_point);
            if body.len() >= BODY {
                return Ok(lines);
            }
        }
    }
}

struct Target {
    client: Client,
    database: String,
}

impl Target {
    fn connect(args: &ImportArgs) -> Result<Self, String> {
        let client = Client::new(&args.remote)?;
        let options = args.shard_duration.as_ref().map(|duration| format!(" WITH SHARD DURATION {duration}"));
        let statement = format!("CREATE DATABASE {}{}", quoted(&args.database), options.unwrap_or_default());
        let made = client.run(&statement, None);
        made.map_err(|error| format!("the server refused to make the database: {error}"))?;
        Ok(Self { client, database: args.database.clone() })
    }
}

/// Percent-encoding for a query or form value.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_does_not_end_inside_a_string() {
        let text = b"# comment\nm v=1\nm s=\"a\nb\"\n\nm v=2";
        let mut body = Vec::new();
        assert_eq!(whole_lines(&mut &text[..], &mut body), Ok(3));
        assert_eq!(body, text);
    }
}
