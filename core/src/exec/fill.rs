//! Rows for buckets without any, values for columns without one.

use super::bucket::Buckets;
use super::cursor::{Ask, Context, Cursor, Header, Lease, Poll, Rows, Source};
use super::table::{Table, cast};
use super::task::QueryError;
use crate::limits::Exceeded;
use crate::plan::{Bucket, FillWith, Scalar};
use crate::value::{FieldType, Value};
use std::sync::Arc;

/// Rows made in one go.
const PAGE: usize = 4096;

pub(super) struct FillSource {
    pub(super) input: Arc<dyn Source>,
    pub(super) shared: Arc<Shared>,
}

/// A `Fill` without its input.
pub(super) struct Shared {
    pub(super) first: Option<i64>,
    pub(super) last: Option<i64>,
    pub(super) bucket: Bucket,
    pub(super) columns: Vec<FillWith>,
    pub(super) make_rows: bool,
    pub(super) empty_groups: bool,
    pub(super) descending: bool,
}

impl Source for FillSource {
    fn groups(&self) -> &[Header] {
        self.input.groups()
    }

    fn tag_keys(&self) -> Vec<String> {
        self.input.tag_keys()
    }

    fn open(&self, group: usize, _: &Ask) -> Box<dyn Cursor> {
        let columns = &self.groups()[group].columns;
        Box::new(FillCursor {
            input: self.input.open(group, &Ask::default()),
            shared: Arc::clone(&self.shared),
            kept: Table::new(columns),
            lease: None,
            buckets: None,
            at: 0,
            next: None,
            any: Vec::new(),
            before: vec![None; columns.len()],
            after: vec![0; columns.len()],
            out: Table::new(columns),
        })
    }
}

struct FillCursor {
    input: Box<dyn Cursor>,
    shared: Arc<Shared>,
    /// All rows of the input: those of an aggregate, already counted there.
    kept: Table,
    lease: Option<Lease>,
    /// Resolved, and with them the rows to make: the next and the last bucket.
    buckets: Option<Buckets>,
    /// The next row of `kept`.
    at: usize,
    next: Option<(i64, i64)>,
    /// Whether a column has a value in any row.
    any: Vec<bool>,
    /// Of each column the row of the last value before `at`, and where to look for the next one.
    before: Vec<Option<usize>>,
    after: Vec<usize>,
    out: Table,
}

impl FillCursor {
    /// Takes in the input's rows. Otherwise says what to wait for.
    fn gather(&mut self, cx: &mut Context) -> Result<Option<Poll>, QueryError> {
        while self.buckets.is_none() {
            match self.input.next(cx)? {
                Poll::Rows => {
                    let rows = self.input.rows();
                    let width: usize = 8 + 9 * rows.columns.len();
                    self.lease.get_or_insert_with(|| cx.memory.lease()).grow(rows.len() * width)?;
                    self.kept.extend(&rows);
                }
                Poll::End => {
                    let buckets = Buckets::new(&self.shared.bucket, cx.most_points);
                    self.next = self.span(&buckets);
                    let asked =
                        self.next.map_or(0, |(from, to)| (i128::from(to) - i128::from(from)).unsigned_abs() + 1);
                    let (asked, allowed) = (u64::try_from(asked).unwrap_or(u64::MAX), cx.limits.max_select_buckets);
                    if allowed > 0 && asked > allowed {
                        return Err(Exceeded { limit: "max-select-buckets", asked, allowed }.into());
                    }
                    self.any = self.kept.columns.iter().map(|column| column.count() > 0).collect();
                    self.buckets = Some(buckets);
                }
                Poll::Summary => {}
                wait => return Ok(Some(wait)),
            }
        }
        Ok(None)
    }

    /// The buckets to make rows for, in the order of rows.
    fn span(&self, buckets: &Buckets) -> Option<(i64, i64)> {
        let Shared { first, last, make_rows, empty_groups, descending, .. } = *self.shared;
        if !make_rows || self.kept.len() == 0 && !empty_groups {
            return None;
        }
        let ends = self.kept.times.first().zip(self.kept.times.last()).map(|(a, b)| (*a.min(b), *a.max(b)));
        let own = ends.map(|(first, last)| (buckets.of_label(first), buckets.of_label(last)));
        let asked = buckets.span(first.unwrap_or(i64::MIN), last.unwrap_or(i64::MAX));
        let mut from = if first.is_some() { asked.0 } else { own?.0 };
        if let Some((own, _)) = own.filter(|_| descending) {
            // Down to a row from before the range none is left out.
            from = from.min(own);
        }
        let to = if last.is_some() { asked.1 } else { own?.1 };
        (from <= to).then_some(if descending { (to, from) } else { (from, to) })
    }

    fn push_kept(&mut self) {
        self.out.times.push(self.kept.times[self.at]);
        for column in 0..self.out.columns.len() {
            let value = match self.kept.columns[column].get(self.at) {
                Some(value) => {
                    self.before[column] = Some(self.at);
                    Some(value.into())
                }
                None => self.missing(column, self.bucket_of(self.at)),
            };
            self.out.columns[column].push(value.as_ref().map(Scalar::as_value));
        }
        self.at += 1;
    }

    fn push_made(&mut self, bucket: i64, label: i64) {
        self.out.times.push(label);
        for column in 0..self.out.columns.len() {
            let value = self.missing(column, bucket);
            self.out.columns[column].push(value.as_ref().map(Scalar::as_value));
        }
    }

    fn bucket_of(&self, row: usize) -> i64 {
        self.buckets.as_ref().map_or(0, |buckets| buckets.of_label(self.kept.times[row]))
    }

    /// What a column without a value gets in the row of a bucket.
    fn missing(&mut self, column: usize, bucket: i64) -> Option<Scalar> {
        let field_type = self.out.columns[column].field_type();
        match Arc::clone(&self.shared).columns.get(column).unwrap_or(&FillWith::Null) {
            FillWith::Null => None,
            FillWith::Previous => self.kept.columns[column].get(self.before[column]?).map(Scalar::from),
            FillWith::ValueIfAny(_) if !self.any[column] => None,
            FillWith::Value(value) | FillWith::ValueIfAny(value) => {
                cast(value.as_value(), field_type).map(Scalar::from)
            }
            FillWith::Linear => self.between(column, bucket, field_type, None),
            FillWith::LinearWithin(nanos) => self.between(column, bucket, field_type, Some(*nanos)),
        }
    }

    /// On the line from the last value to the next one, unless they are further apart than `within`.
    fn between(&mut self, column: usize, bucket: i64, field_type: FieldType, within: Option<i64>) -> Option<Scalar> {
        let values = &self.kept.columns[column];
        let before = self.before[column]?;
        let after = &mut self.after[column];
        *after = (self.at.max(*after)..self.kept.len()).find(|row| values.is_present(*row)).unwrap_or(self.kept.len());
        let after = Some(*after).filter(|after| *after < self.kept.len())?;
        if within.is_some_and(|within| self.kept.times[after].abs_diff(self.kept.times[before]) > within.unsigned_abs())
        {
            return None;
        }
        let number = |row: usize| match cast(values.get(row)?, FieldType::Float) {
            Some(Value::Float(value)) => Some(value),
            _ => None,
        };
        let (from, to) = (self.bucket_of(before), self.bucket_of(after));
        let slope = (number(after)? - number(before)?) / (to as f64 - from as f64);
        let value = slope * (bucket as f64 - from as f64) + number(before)?;
        cast(Value::Float(value), field_type).map(Scalar::from)
    }
}

impl Cursor for FillCursor {
    fn prefetch(&mut self, cx: &mut Context) -> Result<(), QueryError> {
        self.input.prefetch(cx)
    }

    fn next(&mut self, cx: &mut Context) -> Result<Poll, QueryError> {
        if let Some(wait) = self.gather(cx)? {
            return Ok(wait);
        }
        // There may be rows without end, of which the reader wants none.
        if cx.budget == 0 {
            return Ok(Poll::Yield);
        }
        cx.budget = cx.budget.saturating_sub(PAGE as u64);
        self.out.clear();
        while self.out.len() < PAGE {
            let Some((bucket, last)) = self.next else {
                if self.at < self.kept.len() {
                    self.push_kept();
                    continue;
                }
                break;
            };
            let descending = self.shared.descending;
            let here = (self.at < self.kept.len()).then(|| self.bucket_of(self.at));
            match here {
                Some(own) if own == bucket => self.push_kept(),
                // A row from outside takes the place of a bucket, too.
                Some(own) if (own < bucket) != descending => self.push_kept(),
                _ => {
                    let label = self.buckets.as_ref().map_or(0, |buckets| buckets.label(bucket));
                    self.push_made(bucket, label);
                }
            }
            self.next = (bucket != last).then_some((if descending { bucket - 1 } else { bucket + 1 }, last));
        }
        Ok(if self.out.len() > 0 { Poll::Rows } else { Poll::End })
    }

    fn rows(&self) -> Rows<'_> {
        self.out.rows()
    }
}
