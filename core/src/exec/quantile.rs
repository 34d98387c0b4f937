//! Quantiles of buckets over many groups: exact while few values are kept, then by a sketch.
//!
//! The sketch (DDSketch: Masson, Rim, Lee, VLDB 2019) counts values in bins `(γ^(k−1), γ^k]` for γ = 1.01/0.99, each
//! sign by itself; a bin stands for `2·γ^k / (γ + 1)`, which is within a hundredth of every value in it. Which it is
//! depends on how many values a bucket has, never on their order.

use super::bucket::{Buckets, NOWHERE};
use super::cursor::{Ask, Context, Cursor, Header, Lease, Poll, Rows, Source};
use super::group::Grouping;
use super::table::Table;
use super::tables::{self, float_column};
use super::task::QueryError;
use crate::order;
use crate::plan::{Bucket, GroupBy};
use crate::sorted::SortedMap;
use std::sync::Arc;

/// Values of a bucket that are kept as they are.
const KEPT: usize = 1 << 16;
const ACCURACY: f64 = 0.01;
/// What is nearer to 0 counts as 0.
const LEAST: f64 = 1e-9;

pub(super) struct QuantileSource {
    input: Arc<dyn Source>,
    grouping: Grouping,
    bucket: Bucket,
    parts: u32,
}

impl QuantileSource {
    pub(super) fn new(input: Arc<dyn Source>, by: &GroupBy, bucket: Bucket, parts: u32) -> Self {
        let mut grouping = Grouping::new(&*input, by, false);
        for header in &mut grouping.groups {
            let name = header.columns.first().map_or("value", |column| column.name.as_str());
            header.columns = Arc::from([float_column(name)]);
        }
        Self { input, grouping, bucket, parts }
    }
}

impl Source for QuantileSource {
    fn groups(&self) -> &[Header] {
        &self.grouping.groups
    }

    fn tag_keys(&self) -> Vec<String> {
        self.grouping.tag_keys.clone()
    }

    fn open(&self, group: usize, _: &Ask) -> Box<dyn Cursor> {
        Box::new(QuantileCursor {
            input: Arc::clone(&self.input),
            members: self.grouping.members[group].clone(),
            at: 0,
            cursor: None,
            buckets: Buckets::new(&self.bucket, 0),
            parts: self.parts,
            found: SortedMap::new(),
            lease: None,
            out: None,
        })
    }
}

struct QuantileCursor {
    input: Arc<dyn Source>,
    members: Vec<u32>,
    at: usize,
    cursor: Option<Box<dyn Cursor>>,
    buckets: Buckets,
    parts: u32,
    found: SortedMap<i64, Values>,
    lease: Option<Lease>,
    out: Option<Table>,
}

impl QuantileCursor {
    fn take(&mut self, cx: &Context) -> Result<(), QueryError> {
        let Some(cursor) = &self.cursor else { return Ok(()) };
        let rows = cursor.rows();
        self.lease.get_or_insert_with(|| cx.memory.lease()).grow(rows.len() * size_of::<f64>())?;
        let column = rows.columns.first().map(|view| {
            let all: Vec<u32> = (rows.from..rows.to).map(|row| row as u32).collect();
            tables::numbers(&view.to_column(&all))
        });
        for (time, value) in rows.times().iter().zip(column.unwrap_or_default()) {
            let number = self.buckets.number(*time);
            if number != NOWHERE && !value.is_nan() {
                self.found.or_default(number).add(value);
            }
        }
        Ok(())
    }
}

impl Cursor for QuantileCursor {
    fn next(&mut self, cx: &mut Context) -> Result<Poll, QueryError> {
        if self.out.is_some() {
            return Ok(Poll::End);
        }
        while let Some(member) = self.members.get(self.at) {
            let cursor = self.cursor.get_or_insert_with(|| self.input.open(*member as usize, &Ask::default()));
            match cursor.next(cx)? {
                Poll::Rows => self.take(cx)?,
                Poll::Summary => {}
                Poll::End => {
                    self.cursor = None;
                    self.at += 1;
                }
                wait => return Ok(wait),
            }
        }
        let (mut times, mut values) = (Vec::new(), Vec::new());
        for (number, found) in std::mem::take(&mut self.found) {
            times.push(self.buckets.label(number));
            values.push(found.quantile(self.parts));
        }
        let out = self.out.insert(Table { times, columns: vec![tables::column(values)] });
        Ok(if out.len() > 0 { Poll::Rows } else { Poll::End })
    }

    fn rows(&self) -> Rows<'_> {
        self.out.as_ref().expect("pulled before").rows()
    }
}

/// The values of a bucket.
#[derive(Debug)]
enum Values {
    Kept(Vec<f64>),
    Sketched(Sketch),
}

impl Default for Values {
    fn default() -> Self {
        Self::Kept(Vec::new())
    }
}

impl Values {
    fn add(&mut self, value: f64) {
        match self {
            Self::Kept(values) if values.len() < KEPT => values.push(value),
            Self::Kept(values) => {
                let mut sketch = Sketch::default();
                values.iter().for_each(|value| sketch.add(*value));
                sketch.add(value);
                *self = Self::Sketched(sketch);
            }
            Self::Sketched(sketch) => sketch.add(value),
        }
    }

    fn quantile(self, parts: u32) -> f64 {
        match self {
            Self::Kept(mut values) => {
                order::sort_by(&mut values, f64::total_cmp);
                values.get(element(values.len() as u64, parts) as usize).copied().unwrap_or(f64::NAN)
            }
            Self::Sketched(sketch) => sketch.quantile(parts),
        }
    }
}

/// ⌊q·(n − 1)⌋, in whole numbers.
fn element(count: u64, parts: u32) -> u64 {
    (u128::from(count.saturating_sub(1)) * u128::from(parts) / 10_000) as u64
}

#[derive(Debug, Default)]
struct Sketch {
    /// By signed bin: negative values first, from the greatest magnitude on; 0 is 0.
    bins: SortedMap<i32, u64>,
    count: u64,
}

impl Sketch {
    fn log_gamma() -> f64 {
        libm::log((1.0 + ACCURACY) / (1.0 - ACCURACY))
    }

    fn add(&mut self, value: f64) {
        let size = value.abs();
        let bin = if size < LEAST {
            0
        } else {
            // Bins of magnitudes from LEAST on are numbered from 1.
            let bin = libm::ceil(libm::log(size / LEAST) / Self::log_gamma()) as i32 + 1;
            if value < 0.0 { -bin } else { bin }
        };
        *self.bins.or_default(bin) += 1;
        self.count += 1;
    }

    fn quantile(&self, parts: u32) -> f64 {
        let wanted = element(self.count, parts);
        let mut seen = 0;
        for (bin, count) in self.bins.iter() {
            seen += count;
            if seen > wanted {
                let gamma = (1.0 + ACCURACY) / (1.0 - ACCURACY);
                let size = match bin.abs() {
                    0 => 0.0,
                    bin => LEAST * libm::exp(f64::from(bin - 1) * Self::log_gamma()) * 2.0 / (gamma + 1.0),
                };
                return if *bin < 0 { -size } else { size };
            }
        }
        f64::NAN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_values_are_sketched_within_a_hundredth() {
        let number = |at: usize| (at * 7919 % 100_003) as f64 - 20_000.0;
        let (mut values, mut exact) = (Values::default(), Vec::new());
        for at in 0..KEPT * 2 {
            values.add(number(at));
            exact.push(number(at));
        }
        assert!(matches!(values, Values::Sketched(_)));
        let Values::Sketched(sketch) = &values else { return };
        exact.sort_by(f64::total_cmp);
        for parts in [0, 100, 2_500, 5_000, 9_000, 9_999] {
            let (found, wanted) = (sketch.quantile(parts), exact[element(exact.len() as u64, parts) as usize]);
            assert!((found - wanted).abs() <= wanted.abs() * 0.011 + 1.0, "{parts}: {found}, exactly {wanted}");
        }
    }

    #[test]
    fn few_values_are_exact() {
        let mut values = Values::default();
        [3.0, 1.0, 2.0, 2.0, 1.0, 1.0, 3.0, 3.0, 2.0, 1.0, 1.0].into_iter().for_each(|value| values.add(value));
        assert_eq!(values.quantile(5_000), 2.0);
    }
}
