//! Two inputs, group with group, time by time.

use super::bucket::Buckets;
use super::cursor::{Header, Source, Tags};
use super::table::Table;
use super::tables::{self, TablesSource, float_header};
use crate::plan::{Bucket, PairOp};
use std::sync::Arc;

pub(super) fn source(
    left: Arc<dyn Source>,
    right: Arc<dyn Source>,
    pairs: &[(u32, u32)],
    named_by_right: bool,
    op: PairOp,
    zeros: [Option<Bucket>; 2],
) -> Arc<dyn Source> {
    let (mut groups, mut kept) = (Vec::with_capacity(pairs.len()), Vec::with_capacity(pairs.len()));
    for (a, b) in pairs {
        let (Some(first), Some(second)) = (left.groups().get(*a as usize), right.groups().get(*b as usize)) else {
            continue;
        };
        let tags: &Tags = if named_by_right { &second.tags } else { &first.tags };
        groups.push(Header { tags: tags.clone(), ..float_header(first) });
        kept.push((*a as usize, *b as usize));
    }
    let zeros = zeros.map(|bucket| bucket.map(|bucket| Buckets::new(&bucket, 0)));
    Arc::new(TablesSource::new(vec![left, right], groups, Box::new(Joined { pairs: kept, op, zeros })))
}

struct Joined {
    pairs: Vec<(usize, usize)>,
    op: PairOp,
    zeros: [Option<Buckets>; 2],
}

impl tables::Work for Joined {
    fn run(&self, inputs: Vec<Vec<Table>>) -> Vec<Table> {
        let mut inputs = inputs.into_iter();
        let (left, right) = (inputs.next().unwrap_or_default(), inputs.next().unwrap_or_default());
        self.pairs.iter().map(|(a, b)| self.join(&left[*a], &right[*b])).collect()
    }
}

impl Joined {
    fn join(&self, left: &Table, right: &Table) -> Table {
        if left.len() == 0 || right.len() == 0 {
            return left.emptied();
        }
        let (a, b) = (tables::first(left), tables::first(right));
        let (mut at, mut other) = (0, 0);
        let mut out = left.emptied();
        let mut numbers = Vec::with_capacity(left.len().max(right.len()));
        while at < left.len() || other < right.len() {
            let time = match (left.times.get(at), right.times.get(other)) {
                (Some(x), Some(y)) => *x.min(y),
                (Some(x), None) | (None, Some(x)) => *x,
                (None, None) => break,
            };
            let mut sides = [f64::NAN; 2];
            let row = (left.times.get(at) == Some(&time)).then_some(at);
            if let Some(row) = row {
                sides[0] = a[row];
                at += 1;
            }
            if right.times.get(other) == Some(&time) {
                sides[1] = b[other];
                other += 1;
            }
            for (value, zero) in sides.iter_mut().zip(&self.zeros) {
                let begins = |buckets: &Buckets| buckets.label(buckets.number(time)) == time;
                if value.is_nan() && zero.as_ref().is_some_and(begins) {
                    *value = 0.0;
                }
            }
            out.times.push(time);
            numbers.push(self.op.apply(sides[0], sides[1]));
            for (column, from) in out.columns.iter_mut().zip(&left.columns).skip(1) {
                column.push(row.and_then(|row| from.get(row)));
            }
        }
        tables::with_first(out, numbers)
    }
}
