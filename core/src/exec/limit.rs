//! Pages: rows of a group, groups of a name.

use super::cursor::{Ask, Context, Cursor, Header, Poll, Rows, Source};
use super::task::QueryError;
use crate::plan::Limit;
use crate::sorted::SortedMap;
use std::sync::Arc;

pub(super) struct LimitSource {
    input: Arc<dyn Source>,
    groups: Vec<Header>,
    /// Which group of the input each is.
    origins: Vec<usize>,
    page: Page,
}

/// The rows of a [`Limit`].
#[derive(Clone, Copy)]
struct Page {
    rows: Option<u64>,
    skip_rows: u64,
}

impl LimitSource {
    /// `reversed`: the input's groups come in reverse.
    pub(super) fn new(input: Arc<dyn Source>, limit: &Limit, reversed: bool) -> Self {
        let headers = input.groups();
        let mut origins: Vec<usize> = (0..headers.len()).collect();
        if limit.groups.is_some() || limit.skip_groups > 0 {
            if reversed {
                origins.reverse();
            }
            let mut seen: SortedMap<(usize, Arc<str>), u64> = SortedMap::new();
            let last = limit.groups.map(|groups| groups.saturating_add(limit.skip_groups));
            origins.retain(|at| {
                let count = seen.or_default((headers[*at].input, Arc::clone(&headers[*at].name)));
                *count += 1;
                *count > limit.skip_groups && last.is_none_or(|last| *count <= last)
            });
            if reversed {
                origins.reverse();
            }
        }
        let groups = origins.iter().map(|at| headers[*at].clone()).collect();
        Self { page: Page { rows: limit.rows, skip_rows: limit.skip_rows }, groups, origins, input }
    }
}

impl Source for LimitSource {
    fn groups(&self) -> &[Header] {
        &self.groups
    }

    fn tag_keys(&self) -> Vec<String> {
        self.input.tag_keys()
    }

    fn open(&self, group: usize, _: &Ask) -> Box<dyn Cursor> {
        let input = self.input.open(self.origins[group], &Ask::default());
        Box::new(LimitCursor { input, page: self.page, from: 0, to: 0 })
    }
}

struct LimitCursor {
    input: Box<dyn Cursor>,
    /// Its rows are those still to come.
    page: Page,
    /// The part of the input's run.
    from: usize,
    to: usize,
}

impl Cursor for LimitCursor {
    fn prefetch(&mut self, cx: &mut Context) -> Result<(), QueryError> {
        self.input.prefetch(cx)
    }

    fn next(&mut self, cx: &mut Context) -> Result<Poll, QueryError> {
        loop {
            if self.page.rows == Some(0) {
                return Ok(Poll::End);
            }
            let poll = self.input.next(cx)?;
            if poll != Poll::Rows {
                return Ok(poll);
            }
            let rows = self.input.rows();
            let skipped = self.page.skip_rows.min(rows.len() as u64);
            self.page.skip_rows -= skipped;
            let left = rows.len() as u64 - skipped;
            let taken = self.page.rows.map_or(left, |rows| rows.min(left));
            self.page.rows = self.page.rows.map(|rows| rows - taken);
            self.from = rows.from + skipped as usize;
            self.to = self.from + taken as usize;
            if taken > 0 {
                return Ok(Poll::Rows);
            }
        }
    }

    fn rows(&self) -> Rows<'_> {
        Rows { from: self.from, to: self.to, ..self.input.rows() }
    }
}
