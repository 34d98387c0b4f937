//! Puts the built dashboard (`www/dist`) into the binary: a table of path, type, gzip bytes. Without a built dashboard
//! the table is empty and `/` says how to build it.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    let dist = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("../www/dist");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    println!("cargo:rerun-if-changed={}", dist.display());
    let mut files = Vec::new();
    collect(&dist, &mut files);
    files.sort();
    let mut table = String::from("&[\n");
    for (number, file) in files.iter().enumerate() {
        println!("cargo:rerun-if-changed={}", file.display());
        let path = file.strip_prefix(&dist).expect("collected below it").to_string_lossy().replace('\\', "/");
        let packed = out.join(format!("asset-{number}.gz"));
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(&fs::read(file).expect("a file just listed")).expect("memory takes all");
        fs::write(&packed, encoder.finish().expect("memory takes all")).expect("OUT_DIR is writable");
        writeln!(table, "    ({path:?}, include_bytes!({packed:?})),").expect("memory takes all");
    }
    table.push(']');
    fs::write(out.join("assets.rs"), table).expect("OUT_DIR is writable");
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, files);
        } else {
            files.push(path);
        }
    }
}
