//! The rows of one series out of all its runs, in time order, the later write's value winning field by field.
//!
//! Runs wait, sorted by where they begin. The *horizon* is where the first waiting run begins: rows of loaded runs
//! before it are settled. A loaded run alone before the horizon is lent as it is; several are merged row by row.
//! Descending, all is mirrored: `!time` orders times backwards.

use super::cursor::{Context, Lease, Pace, Poll, Rows, Wish};
use super::load::{self, Loaded, Pending, Spare, Summary, Want};
use super::table::Table;
use super::task::QueryError;
use crate::order::sort_by;
use crate::plan::ScanField;
use crate::store::block::MAX_ROWS;
use crate::store::snapshot::Run;
use crate::time::TimeRange;
use isopoint_kernels::bits::VECTOR;
use std::collections::VecDeque;
use std::sync::Arc;

/// Rows merged in one go.
const MERGED: usize = 4096;
/// Rows merged first where the reader may have enough of them.
const FIRST_MERGED: usize = 32;
/// Rows of one run worth lending while others are loaded too.
const WORTH_LENDING: usize = 128;
/// Rows that could be looked at in the time a header takes.
const SUMMARY_COST: u64 = 32;
/// Blocks asked for ahead, at most.
const AHEAD: usize = 16;

#[derive(Debug)]
pub(super) struct Runs {
    waiting: VecDeque<Pending>,
    /// By rank.
    loaded: Vec<Loaded>,
    fields: Arc<[ScanField]>,
    range: TimeRange,
    descending: bool,
    ahead: usize,
    pace: Pace,
    /// Rows of a block to load at a time.
    step: usize,
    spare: Spare,
    /// Rows to merge at a time, which grow with the pace.
    most: usize,
    merged: Table,
    lent: Lent,
    summary: Option<Summary>,
    /// For the merged rows.
    lease: Lease,
    _entries: Lease,
}

#[derive(Clone, Copy, Debug)]
enum Lent {
    Merged,
    Run { at: usize, from: usize, to: usize },
}

impl Runs {
    /// `runs` in the order they were written.
    pub(super) fn new(
        runs: Vec<Run>,
        fields: &Arc<[ScanField]>,
        range: TimeRange,
        descending: bool,
        wish: Option<&Wish>,
        pace: Pace,
        cx: &mut Context,
    ) -> Result<Self, QueryError> {
        let before = runs.len();
        let mut entries = cx.memory.lease();
        entries.grow(runs.iter().map(load::pending_bytes).sum())?;
        let runs = runs.into_iter().enumerate().filter_map(|(rank, run)| Pending::new(run, rank, fields));
        let mut waiting: Vec<_> = runs.filter(|run| run.extent.overlaps(range) && !run.extent.is_empty()).collect();
        cx.stats.blocks_pruned += (before - waiting.len()) as u64;
        sort_by(&mut waiting, |a, b| a.begins(descending).cmp(&b.begins(descending)));
        if let Some(wish) = wish {
            let mut reached: Option<i64> = None;
            for at in 0..waiting.len() {
                let (begins, ends) = (waiting[at].begins(descending), waiting[at].ends(descending));
                let alone = reached.is_none_or(|end| end < begins)
                    && waiting.get(at + 1).is_none_or(|next| ends < next.begins(descending));
                reached = reached.max(Some(ends));
                if alone && range.covers(waiting[at].extent) {
                    waiting[at].summarise(fields, wish);
                }
            }
        }
        let columns = fields.iter().map(|field| crate::model::Column::new(field.field_type)).collect();
        let merged = Table { times: Vec::new(), columns };
        Ok(Self {
            _entries: entries,
            waiting: waiting.into(),
            loaded: Vec::new(),
            fields: Arc::clone(fields),
            range,
            descending,
            ahead: 1,
            pace,
            step: if pace == Pace::Whole { MAX_ROWS } else { VECTOR },
            spare: Spare::default(),
            most: if pace == Pace::Growing { FIRST_MERGED } else { MERGED },
            merged,
            lent: Lent::Merged,
            summary: None,
            lease: cx.memory.lease(),
        })
    }

    /// Asks for the next blocks' bytes.
    pub(super) fn prefetch(&mut self, cx: &mut Context) {
        let wanted = self.waiting.iter_mut().filter(|run| !run.has_summary()).take(self.ahead);
        for (at, run) in wanted.enumerate() {
            if at == 0 || cx.io.has_room() {
                run.ask(&mut cx.io);
            }
        }
    }

    pub(super) fn next(&mut self, cx: &mut Context) -> Result<Poll, QueryError> {
        while let Some(done) = self.loaded.iter().position(Loaded::is_empty) {
            self.spare.keep(self.loaded.remove(done));
        }
        self.merged.clear();
        self.lease.release();
        self.lent = Lent::Merged;
        loop {
            let horizon = self.waiting.front().map(|run| run.begins(self.descending));
            if self.give(horizon) {
                self.most = (self.most * 4).min(MERGED);
                self.lease.grow(self.merged.bytes())?;
                return Ok(Poll::Rows);
            }
            let Some(next) = self.waiting.front_mut() else { return Ok(Poll::End) };
            if cx.budget == 0 {
                return Ok(Poll::Yield);
            }
            if self.loaded.is_empty()
                && let Some(summary) = next.take_summary()
            {
                self.waiting.pop_front();
                cx.stats.blocks_from_header += 1;
                cx.budget = cx.budget.saturating_sub(SUMMARY_COST);
                self.summary = Some(summary);
                return Ok(Poll::Summary);
            }
            if !next.is_ready(&mut cx.io) {
                self.prefetch(cx);
                self.ahead = (self.ahead * 2).min(AHEAD);
                return Ok(Poll::Need);
            }
            let next = self.waiting.pop_front().expect("front was there");
            let want = Want { range: self.range, rows: self.step, descending: self.descending };
            let (run, left) = next.load(&self.fields, want, &mut self.spare, cx)?;
            if let Some(left) = left {
                let begins = left.begins(self.descending);
                let at = self.waiting.partition_point(|other| other.begins(self.descending) < begins);
                self.waiting.insert(at, left);
            }
            if self.pace == Pace::Growing {
                self.step = (self.step * 2).min(MAX_ROWS);
            }
            cx.look_at(run.to - run.from)?;
            if !run.is_empty() {
                let at = self.loaded.partition_point(|other| other.rank < run.rank);
                self.loaded.insert(at, run);
            }
        }
    }

    /// The rows after [`Poll::Rows`]: the scan's fields.
    pub(super) fn rows(&self) -> Rows<'_> {
        match self.lent {
            Lent::Merged => self.merged.rows(),
            Lent::Run { at, from, to } => {
                let run = &self.loaded[at];
                Rows { times: run.times(), columns: run.views(), from, to }
            }
        }
    }

    pub(super) fn summary(&self) -> Option<&Summary> {
        self.summary.as_ref()
    }

    /// Lends or merges settled rows, those before `horizon`. False if there are none.
    fn give(&mut self, horizon: Option<i64>) -> bool {
        while self.merged.len() < self.most {
            let heads = self.loaded.iter().enumerate().filter(|(_, run)| !run.is_empty());
            let Some((leader, head)) = heads.map(|(at, run)| (at, self.head(run))).min_by_key(|(_, head)| *head) else {
                break;
            };
            if horizon.is_some_and(|horizon| head >= horizon) {
                break;
            }
            let others = self.loaded.iter().enumerate().filter(|(at, run)| *at != leader && !run.is_empty());
            let limit = others.map(|(_, run)| self.head(run)).chain(horizon).min();
            if limit == Some(head) {
                self.push_settled(head);
                continue;
            }
            let run = &mut self.loaded[leader];
            let times = &run.times()[run.from..run.to];
            if self.descending {
                let rows =
                    limit.map_or(times.len(), |limit| times.len() - times.partition_point(|time| !*time >= limit));
                let rows = rows.min(self.most - self.merged.len());
                let chosen: Vec<u32> = (run.to - rows..run.to).rev().map(|row| row as u32).collect();
                let view = Rows { times: run.times(), columns: run.views(), from: run.from, to: run.to };
                self.merged.gather(&view, &chosen);
                run.to -= rows;
                continue;
            }
            let rows = limit.map_or(times.len(), |limit| times.partition_point(|time| *time < limit));
            if self.merged.len() == 0 && (rows >= WORTH_LENDING || rows == times.len()) {
                self.lent = Lent::Run { at: leader, from: run.from, to: run.from + rows };
                run.from += rows;
                return true;
            }
            let rows = rows.min(self.most - self.merged.len());
            let view = Rows { times: run.times(), columns: run.views(), from: run.from, to: run.from + rows };
            self.merged.extend(&view);
            run.from += rows;
        }
        self.merged.len() > 0
    }

    /// Appends the row of one time that several runs have.
    fn push_settled(&mut self, head: i64) {
        self.merged.times.push(if self.descending { !head } else { head });
        let at = |run: &Loaded| if self.descending { run.to - 1 } else { run.from };
        for (field, column) in self.merged.columns.iter_mut().enumerate() {
            let there = self.loaded.iter().rev().filter(|run| !run.is_empty() && order(run, self.descending) == head);
            let mut values = there.map(|run| run.view(field).get(at(run)));
            column.push(values.find_map(|value| value));
        }
        for run in &mut self.loaded {
            if !run.is_empty() && order(run, self.descending) == head {
                if self.descending { run.to -= 1 } else { run.from += 1 }
            }
        }
    }

    fn head(&self, run: &Loaded) -> i64 {
        order(run, self.descending)
    }
}

/// Where the next row of a run lies in the order of the scan.
fn order(run: &Loaded, descending: bool) -> i64 {
    if descending { !run.times()[run.to - 1] } else { run.times()[run.from] }
}
