//! `isopoint inspect`: what a folder holds, and where its bytes are.

use super::Failure;
use super::view::View;
use crate::cli::Exit;
use indicatif::HumanBytes;
use isopoint_core::codec::{self, DecodeError};
use isopoint_core::store::snapshot::BlockFile;
use isopoint_core::time::write_rfc3339;
use std::collections::BTreeMap;
use std::path::Path;

/// Of one field in one measurement.
#[derive(Clone, Debug, Default)]
struct Column {
    values: u64,
    bytes: u64,
    /// Blocks by the codec their values are in.
    codecs: BTreeMap<&'static str, u64>,
}

pub(super) fn inspect(folder: &Path) -> Result<Exit, Failure> {
    let view = View::open(folder)?;
    let report = &view.report;
    println!(
        "{}: {} block files; log: {} segments, {} records, {} points",
        folder.display(),
        report.files,
        report.segments,
        report.records,
        report.points
    );
    for database in view.snapshot.databases.iter() {
        println!("\ndatabase {:?}: {} series", database.name, database.index.series_count());
        for policy in &database.policies {
            let kept = if policy.duration == 0 {
                "kept forever".into()
            } else {
                format!("kept {} s", policy.duration / 1_000_000_000)
            };
            println!("  policy {:?}: {kept}, {} shards", policy.name, policy.shards.len());
            let mut columns = BTreeMap::new();
            for shard in &policy.shards {
                let len: u64 = shard.files.iter().map(|file| file.len).sum();
                let in_memory: usize = shard.memtables.len();
                println!(
                    "    shard {} {} … {}: {} in {} files{}",
                    shard.id,
                    time(shard.range.min),
                    time(shard.range.max),
                    HumanBytes(len),
                    shard.files.len(),
                    if in_memory > 0 { ", and points only in the log" } else { "" }
                );
                for file in &shard.files {
                    let footer = file.index.footer();
                    println!(
                        "      {} {:>10} {} series, {} blocks, {} rows, {} values",
                        file.name,
                        HumanBytes(file.len).to_string(),
                        footer.series,
                        footer.blocks,
                        footer.rows,
                        footer.values
                    );
                    add_columns(&view, file, &mut columns)
                        .map_err(|error| Failure::failed(format!("{}: {error}", file.name)))?;
                }
            }
            for ((measurement, field, kind), column) in columns {
                let codecs: Vec<_> = column.codecs.iter().map(|(name, blocks)| format!("{name} {blocks}")).collect();
                println!(
                    "    {measurement}.{field} {kind}: {} values, {}, {:.2} bytes each; blocks: {}",
                    column.values,
                    HumanBytes(column.bytes),
                    column.bytes as f64 / column.values.max(1) as f64,
                    codecs.join(", ")
                );
            }
        }
    }
    Ok(Exit::Done)
}

type Columns = BTreeMap<(String, String, &'static str), Column>;

fn add_columns(view: &View, file: &BlockFile, columns: &mut Columns) -> Result<(), String> {
    let bytes = view.files.whole(&file.name).map_err(|error| error.to_string())?;
    let index = &file.index;
    let told = |error: DecodeError| error.to_string();
    for slot in 0..index.series_count() {
        for block in index.blocks(slot).map_err(told)? {
            let block = block.map_err(told)?;
            let Some(field) = block.columns.first().and_then(|column| index.fields().get(column.field as usize)) else {
                continue;
            };
            let times = columns.entry((field.measurement.clone(), "time".into(), "")).or_default();
            times.values += u64::from(block.rows);
            times.bytes += block.times.len;
            *times.codecs.entry(if block.step.is_some() { "regular" } else { "vectors" }).or_default() += 1;
            for column in &block.columns {
                let Some(field) = index.fields().get(column.field as usize) else { continue };
                let key = (field.measurement.clone(), field.name.clone(), column.field_type.name());
                let sum = columns.entry(key).or_default();
                sum.values += u64::from(column.count);
                sum.bytes += column.range.len;
                let whole = column.count == block.rows;
                let at = column.range.offset as usize;
                let encoding = bytes.get(at).filter(|_| whole && column.range.len > 0);
                let name = encoding.map_or("with gaps", |id| codec::encoding_name(column.field_type, *id));
                *sum.codecs.entry(name).or_default() += 1;
            }
        }
    }
    Ok(())
}

fn time(nanos: i64) -> String {
    let mut text = Vec::new();
    write_rfc3339(nanos, 0, &mut text);
    String::from_utf8_lossy(&text).into_owned()
}
