//! `SELECT … INTO`: rows of an answer as points.

use super::ast::Target;
use super::query::Context;
use crate::model::column::Column;
use crate::model::{Frame, WriteBatch};
use crate::value::Value;

/// Points that are written together.
const BATCH: usize = 10_000;

/// Where rows go, and those on their way.
#[derive(Debug)]
pub(super) struct Into {
    pub(super) database: String,
    pub(super) policy: Option<String>,
    /// `None`: the name of the source.
    measurement: Option<String>,
    /// Columns that are tags of the points.
    tags: Vec<usize>,
    pub(super) batch: Box<WriteBatch>,
    /// Rows so far, before points of one time and series become one.
    pub(super) rows: u64,
}

impl Into {
    /// `None` when the target names no database and there is none.
    pub(super) fn new(target: &Target, tags: Vec<usize>, context: &Context<'_>) -> Option<Self> {
        let own = target.database.as_deref();
        let policy = match (&target.rp, own) {
            (Some(policy), _) => Some(policy.clone()),
            (None, None) => context.policy.map(str::to_owned),
            (None, Some(_)) => None,
        };
        Some(Self {
            database: own.or(context.database)?.to_owned(),
            policy,
            measurement: target.name.clone(),
            tags,
            batch: Box::default(),
            rows: 0,
        })
    }

    pub(super) fn is_full(&self) -> bool {
        self.batch.len() >= BATCH
    }

    /// Takes a frame's rows. A row without any value is no point.
    pub(super) fn take(&mut self, frame: &Frame, columns: &[String]) {
        let measurement = self.measurement.as_deref().unwrap_or(&frame.name);
        let own: Vec<(&str, &str)> = frame.tags.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let fields: Vec<(&str, &Column)> = columns
            .iter()
            .skip(1)
            .zip(&frame.columns)
            .enumerate()
            .filter(|(at, _)| !self.tags.contains(at))
            .map(|(_, (name, column))| (name.as_str(), &column.column))
            .collect();
        let number = |value: &Value<'_>| !matches!(value, Value::Float(value) if value.is_nan());
        for (row, time) in frame.times.iter().enumerate() {
            if fields.iter().all(|(_, column)| column.get(row).filter(number).is_none()) {
                continue;
            }
            let mut tags = own.clone();
            for at in &self.tags {
                let named = columns.get(at + 1).zip(frame.columns.get(*at));
                if let Some((name, column)) = named
                    && let Some(Value::String(text)) = column.column.get(row)
                {
                    tags.push((name, text));
                }
            }
            tags.retain(|(_, value)| !value.is_empty());
            crate::order::sort_by(&mut tags, |a, b| a.0.cmp(b.0));
            tags.dedup_by(|a, b| a.0 == b.0);
            let pairs = tags.iter().map(|(key, value)| (key.as_bytes(), value.as_bytes()));
            let series = self.batch.intern_series(measurement, pairs);
            self.batch.begin_row(series, *time);
            for (name, column) in &fields {
                if let Some(value) = column.get(row).filter(number) {
                    self.batch.push_value(name, value);
                }
            }
            self.rows += 1;
        }
    }
}
