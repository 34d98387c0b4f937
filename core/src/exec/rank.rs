//! The groups with the greatest or least measures.

use super::cursor::{ColumnDef, Header, Source};
use super::exact_sum::ExactSum;
use super::table::Table;
use super::tables::{self, TablesSource, float_header};
use crate::model::Column;
use crate::model::column::Values;
use crate::order::sort_by;
use crate::plan::Measure;
use crate::value::FieldType;
use std::sync::Arc;

/// A `Rank` without its input.
#[derive(Clone, Copy)]
pub(super) struct Work {
    pub(super) measure: Measure,
    pub(super) count: usize,
    pub(super) greatest: bool,
    pub(super) width_secs: f64,
}

pub(super) fn source(input: Arc<dyn Source>, work: Work) -> Arc<dyn Source> {
    let rank = ColumnDef { name: "rank".to_owned(), field_type: FieldType::Integer };
    let columns = |header: &Header| {
        let header = float_header(header);
        let all = header.columns.iter().filter(|column| column.name != rank.name).cloned().chain([rank.clone()]);
        Header { columns: all.collect(), ..header }
    };
    let groups = input.groups().iter().map(columns).collect();
    let before = input.groups().first();
    let before = before.and_then(|header| header.columns.iter().position(|column| column.name == rank.name));
    Arc::new(TablesSource::new(vec![input], groups, Box::new(Ranked { work, before })))
}

struct Ranked {
    work: Work,
    /// The column of ranks that another node gave.
    before: Option<usize>,
}

impl tables::Work for Ranked {
    fn run(&self, inputs: Vec<Vec<Table>>) -> Vec<Table> {
        let tables = inputs.into_iter().next().unwrap_or_default();
        let values: Vec<Vec<f64>> = tables.iter().map(tables::first).collect();
        let measure_of =
            |(at, values): (usize, &Vec<f64>)| Some((measured(self.work.measure, self.work.width_secs, values)?, at));
        let mut ranked: Vec<(f64, usize)> = values.iter().enumerate().filter_map(measure_of).collect();
        // Stable, so that of equal ones the earlier stays the first.
        sort_by(&mut ranked, |(a, _), (b, _)| if self.work.greatest { b.total_cmp(a) } else { a.total_cmp(b) });
        ranked.truncate(self.work.count);
        let mut rank_of: Vec<Option<usize>> = vec![None; tables.len()];
        for (rank, (_, at)) in ranked.iter().enumerate() {
            rank_of[*at] = Some(rank);
        }
        let keep = |((table, values), rank): ((Table, Vec<f64>), Option<usize>)| match rank {
            None => Table::default(),
            Some(rank) => {
                let ranks = Column { values: Values::Integer(vec![rank as i64; table.len()]), present: None };
                let mut table = tables::with_first(table, values);
                if let Some(at) = self.before {
                    table.columns.remove(at);
                }
                table.columns.push(ranks);
                table
            }
        };
        tables.into_iter().zip(values).zip(rank_of).map(keep).collect()
    }
}

/// What a measure makes of values, NaN being none; `None` without any. `width_secs` is what a value stands for.
pub(super) fn measured(measure: Measure, width_secs: f64, values: &[f64]) -> Option<f64> {
    let there = || values.iter().copied().filter(|value| !value.is_nan());
    let count = there().count();
    let sum = |value: &dyn Fn(f64) -> f64| {
        let mut sum = ExactSum::ZERO;
        there().for_each(|own| sum.add(value(own)));
        sum.round()
    };
    let last = there().next_back()?;
    Some(match measure {
        Measure::Mean => sum(&|value| value) / count as f64,
        Measure::Sum => sum(&|value| value),
        Measure::Min => there().fold(f64::INFINITY, f64::min),
        Measure::Max => there().fold(f64::NEG_INFINITY, f64::max),
        Measure::Last => last,
        Measure::Norm => sum(&|value| value * value).sqrt(),
        Measure::Area => sum(&|value| value) * width_secs,
        Measure::Median => {
            let mut sorted: Vec<f64> = there().collect();
            sort_by(&mut sorted, f64::total_cmp);
            sorted[(count - 1) / 2]
        }
    })
}
