//! `isopoint export`: points of a folder in a format that others read.
//!
//! Shard by shard, so that a field that changed its type between shards keeps each type, and series by series within
//! it. The memory it takes does not grow with the data.

mod csv;
mod line_protocol;
mod parquet;

use super::view::View;
use super::{Failure, FolderArgs};
use crate::cli::Exit;
use indicatif::{ProgressBar, ProgressStyle};
use isopoint_core::exec::{Budget, QueryTask, Step};
use isopoint_core::limits::Limits;
use isopoint_core::model::Frame;
use isopoint_core::plan::{Measurements, Node, Scan, ScanField};
use isopoint_core::store::snapshot::{Database, Policy, Shard};
use isopoint_core::time::{TimeRange, parse_rfc3339};
use isopoint_core::value::FieldType;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    folder: FolderArgs,
    /// Database to export
    #[arg(long, short = 'd', value_name = "NAME")]
    database: String,
    /// Retention policy [default: the database's default one]
    #[arg(long, value_name = "NAME")]
    policy: Option<String>,
    /// Only this measurement; CSV and Parquet are of one measurement
    #[arg(long, short = 'm', value_name = "NAME")]
    measurement: Option<String>,
    /// First instant, such as 2026-11-24T00:00:00Z
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Last instant
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    #[arg(long, value_enum, default_value = "line-protocol")]
    format: Format,
    /// File to write [default: standard output, except for Parquet]
    #[arg(long, short = 'o', value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    #[value(alias = "lp")]
    LineProtocol,
    Csv,
    Parquet,
}

/// What rows are written to. Columns of a frame are those of `columns`, in that order.
trait Sink {
    fn frame(&mut self, frame: &Frame) -> Result<(), String>;
    fn finish(self: Box<Self>) -> Result<(), String>;
}

/// The columns of a file that has one set of them.
#[derive(Clone, Debug, Default)]
struct Columns {
    tags: Vec<String>,
    fields: Vec<(String, FieldType)>,
}

pub(super) fn export(args: &ExportArgs) -> Result<Exit, Failure> {
    let usage = |why: String| Failure { exit: Exit::Usage, why };
    let range = TimeRange::new(
        args.from.as_deref().map_or(Ok(i64::MIN), instant).map_err(usage)?,
        args.to.as_deref().map_or(Ok(i64::MAX), instant).map_err(usage)?,
    );
    let one = match (args.format, &args.measurement) {
        (Format::LineProtocol, _) | (_, Some(_)) => args.measurement.as_deref(),
        _ => return Err(usage("a CSV or Parquet file is of one measurement: name it with --measurement".into())),
    };
    if args.format == Format::Parquet && args.output.is_none() {
        return Err(usage("Parquet needs a file: name it with --output".into()));
    }
    let view = View::open(&args.folder.data_dir)?;
    let database = view.snapshot.database(&args.database);
    let database = database.ok_or_else(|| Failure::failed(format!("database not found: {}", args.database)))?;
    let policy = database.policy(args.policy.as_deref());
    let policy = policy.ok_or_else(|| Failure::failed("retention policy not found"))?;
    let measurements: Vec<_> = database
        .index
        .measurements()
        .map(|(name, _)| name.to_string())
        .filter(|name| one.is_none_or(|one| one == name))
        .collect();
    if let Some(one) = one.filter(|_| measurements.is_empty()) {
        return Err(Failure::failed(format!("measurement not found: {one}")));
    }
    // A file appears when it is whole.
    let part = args.output.as_ref().map(|path| path.with_added_extension("part"));
    let out: Box<dyn Write + Send> = match &part {
        Some(path) => Box::new(BufWriter::with_capacity(1 << 20, File::create(path).map_err(super::at(path))?)),
        None => Box::new(BufWriter::with_capacity(1 << 20, io::stdout())),
    };
    let columns = one.map(|one| columns(database, policy, one)).unwrap_or_default();
    let mut sink: Box<dyn Sink> = match args.format {
        Format::LineProtocol => Box::new(line_protocol::LineProtocol::new(out)),
        Format::Csv => Box::new(csv::Csv::new(out, columns).map_err(Failure::failed)?),
        Format::Parquet => Box::new(parquet::Parquet::new(out, columns).map_err(Failure::failed)?),
    };
    let bar = ProgressBar::new_spinner();
    bar.set_style(ProgressStyle::with_template("export {human_pos} points, {per_sec}").expect("the template is valid"));
    for measurement in &measurements {
        for shard in policy.shards_in(range) {
            let job = Job { view: &view, args, policy, shard, measurement, range };
            job.run(sink.as_mut(), &bar).map_err(Failure::failed)?;
        }
    }
    sink.finish().map_err(Failure::failed)?;
    bar.finish_and_clear();
    if let (Some(part), Some(path)) = (&part, &args.output) {
        std::fs::rename(part, path).map_err(super::at(path))?;
    }
    eprintln!("{} points of {} measurements", bar.position(), measurements.len());
    Ok(Exit::Done)
}

fn instant(text: &str) -> Result<i64, String> {
    let parsed = parse_rfc3339(text).map(|(nanos, _)| nanos);
    parsed.ok_or_else(|| format!("{text:?} is no time such as 2026-11-24T00:00:00Z"))
}

/// Every tag and field of a measurement; a field of several types takes the one InfluxDB prefers.
fn columns(database: &Database, policy: &Policy, measurement: &str) -> Columns {
    let mut columns = Columns::default();
    if let Some(index) = database.index.measurement(measurement) {
        columns.tags.extend(index.tag_keys().map(str::to_owned));
    }
    for shard in &policy.shards {
        for (name, kind) in shard.fields.get(measurement).into_iter().flat_map(|fields| fields.iter()) {
            match columns.fields.iter_mut().find(|(known, _)| known == name) {
                Some((_, known)) => *known = (*known).min(*kind),
                None => columns.fields.push((name.clone(), *kind)),
            }
        }
    }
    columns.fields.sort();
    columns
}

/// One measurement in one shard.
struct Job<'a> {
    view: &'a View,
    args: &'a ExportArgs,
    policy: &'a Policy,
    shard: &'a Shard,
    measurement: &'a str,
    range: TimeRange,
}

impl Job<'_> {
    fn run(&self, sink: &mut dyn Sink, bar: &ProgressBar) -> Result<(), String> {
        let Some(fields) = self.shard.fields.get(self.measurement) else { return Ok(()) };
        let field =
            |(name, kind): (&String, &FieldType)| ScanField { name: name.clone(), field_type: *kind, drives: true };
        let plan = Node::Scan(Box::new(Scan {
            database: self.args.database.clone(),
            policy: Some(self.policy.name.clone()),
            measurements: Measurements::Named(vec![self.measurement.to_owned()]),
            fields: fields.iter().map(field).collect(),
            tags: Vec::new(),
            predicate: None,
            range: self.shard.range.intersect(self.range),
            descending: false,
        }));
        let task = QueryTask::new(plan, self.view.snapshot.clone(), &Limits::default());
        let mut task = task.map_err(|error| error.to_string())?;
        loop {
            match task.step(Budget::SLICE).map_err(|error| error.to_string())? {
                Step::Need(ranges) => {
                    let read = ranges.iter().map(|range| self.view.files.read(range)).collect::<io::Result<Vec<_>>>();
                    task.supply(read.map_err(|error| error.to_string())?);
                }
                Step::Frame(frame) => {
                    bar.inc(frame.rows() as u64);
                    sink.frame(&frame)?;
                }
                Step::Yield => {}
                Step::Done(_) => return Ok(()),
            }
        }
    }
}
