//! Pages: rows of a group, groups of a name.

use super::cursor::{Ask, Context, Cursor, Header, Poll, Rows, Source};
use super::task::QueryError;
use crate::plan::Limit;
use std::sync::Arc;

pub(super) struct LimitSource {
    pub(super) input: Arc<dyn Source>,
    /// Tells this node's counts from those of others.
    pub(super) id: usize,
    pub(super) page: Page,
}

/// What of a [`Limit`] is left without its input.
#[derive(Clone, Copy)]
pub(super) struct Page {
    rows: Option<u64>,
    skip_rows: u64,
    groups: Option<u64>,
    skip_groups: u64,
}

impl Page {
    pub(super) fn new(limit: &Limit) -> Self {
        let Limit { rows, skip_rows, groups, skip_groups, .. } = *limit;
        Self { rows, skip_rows, groups, skip_groups }
    }

    fn counts_groups(&self) -> bool {
        self.groups.is_some() || self.skip_groups > 0
    }

    /// Whether `seen` groups fill it.
    fn is_full(&self, seen: u64) -> bool {
        self.groups.is_some_and(|groups| seen >= groups.saturating_add(self.skip_groups))
    }
}

impl Source for LimitSource {
    fn groups(&self) -> &[Header] {
        self.input.groups()
    }

    fn tag_keys(&self) -> Vec<String> {
        self.input.tag_keys()
    }

    fn open(&self, group: usize, _: &Ask) -> Box<dyn Cursor> {
        let header = &self.groups()[group];
        Box::new(LimitCursor {
            input: self.input.open(group, &Ask::default()),
            counted: (self.id, header.input, Arc::clone(&header.name)),
            page: self.page,
            admitted: !self.page.counts_groups(),
            from: 0,
            to: 0,
        })
    }
}

struct LimitCursor {
    input: Box<dyn Cursor>,
    counted: (usize, usize, Arc<str>),
    /// Its rows are those still to come.
    page: Page,
    admitted: bool,
    /// The part of the input's run.
    from: usize,
    to: usize,
}

impl LimitCursor {
    fn seen(&self, cx: &Context) -> u64 {
        cx.pages.get(&self.counted).copied().unwrap_or(0)
    }
}

impl Cursor for LimitCursor {
    fn prefetch(&mut self, cx: &mut Context) -> Result<(), QueryError> {
        if !self.admitted && self.page.is_full(self.seen(cx)) { Ok(()) } else { self.input.prefetch(cx) }
    }

    fn next(&mut self, cx: &mut Context) -> Result<Poll, QueryError> {
        loop {
            if self.page.rows == Some(0) || !self.admitted && self.page.is_full(self.seen(cx)) {
                return Ok(Poll::End);
            }
            let poll = self.input.next(cx)?;
            if poll != Poll::Rows {
                return Ok(poll);
            }
            if !self.admitted {
                let seen = self.seen(cx) + 1;
                cx.pages.insert(self.counted.clone(), seen);
                if seen <= self.page.skip_groups {
                    self.page.rows = Some(0);
                    continue;
                }
                self.admitted = true;
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
