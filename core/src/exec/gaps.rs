//! Rows that no group has a value in are taken out of all.

use super::cursor::{Ask, Context, Cursor, Header, Lease, Poll, Rows, Source};
use super::table::Table;
use super::task::QueryError;
use std::sync::{Arc, Mutex};

pub(super) struct GapsSource {
    input: Arc<dyn Source>,
    gathered: Arc<Mutex<Gathered>>,
}

/// All groups: which rows stay is known when the last was read.
#[derive(Default)]
struct Gathered {
    tables: Vec<Table>,
    cursor: Option<Box<dyn Cursor>>,
    lease: Option<Lease>,
    /// By row; rows past the end stay.
    stays: Option<Vec<bool>>,
}

impl GapsSource {
    pub(super) fn new(input: Arc<dyn Source>) -> Self {
        Self { input, gathered: Arc::default() }
    }
}

impl Source for GapsSource {
    fn groups(&self) -> &[Header] {
        self.input.groups()
    }

    fn tag_keys(&self) -> Vec<String> {
        self.input.tag_keys()
    }

    fn open(&self, group: usize, _: &Ask) -> Box<dyn Cursor> {
        let (input, gathered) = (Arc::clone(&self.input), Arc::clone(&self.gathered));
        Box::new(GapsCursor { input, gathered, group, given: false, out: Table::new(&self.groups()[group].columns) })
    }
}

impl Gathered {
    fn gather(&mut self, input: &dyn Source, cx: &mut Context) -> Result<Option<Poll>, QueryError> {
        let groups = input.groups();
        while self.tables.len() < groups.len() || self.cursor.is_some() {
            let cursor = self.cursor.get_or_insert_with(|| {
                let group = self.tables.len();
                self.tables.push(Table::new(&groups[group].columns));
                input.open(group, &Ask::default())
            });
            match cursor.next(cx)? {
                Poll::Rows => {
                    let rows = cursor.rows();
                    let bytes = rows.len() * super::table::row_bytes(&groups[self.tables.len() - 1].columns);
                    self.lease.get_or_insert_with(|| cx.memory.lease()).grow(bytes)?;
                    self.tables.last_mut().expect("pushed with its cursor").extend(&rows);
                }
                Poll::End => self.cursor = None,
                Poll::Summary => {}
                wait => return Ok(Some(wait)),
            }
        }
        if self.stays.is_none() {
            let common = self.tables.iter().map(Table::len).min().unwrap_or(0);
            let lives = |row: usize| {
                let mut columns = self.tables.iter().flat_map(|table| &table.columns);
                columns.any(|column| column.is_present(row))
            };
            self.stays = Some((0..common).map(lives).collect());
        }
        Ok(None)
    }
}

struct GapsCursor {
    input: Arc<dyn Source>,
    gathered: Arc<Mutex<Gathered>>,
    group: usize,
    given: bool,
    out: Table,
}

impl Cursor for GapsCursor {
    fn next(&mut self, cx: &mut Context) -> Result<Poll, QueryError> {
        if self.given {
            return Ok(Poll::End);
        }
        let mut gathered = self.gathered.lock().expect("nothing panics while it is held");
        if let Some(wait) = gathered.gather(&*self.input, cx)? {
            return Ok(wait);
        }
        self.given = true;
        let (stays, table) = (gathered.stays.as_deref().unwrap_or_default(), &gathered.tables[self.group]);
        let stays = |row: &usize| stays.get(*row).copied().unwrap_or(true);
        let chosen: Vec<u32> = (0..table.len()).filter(stays).map(|row| row as u32).collect();
        self.out.gather(&table.rows(), &chosen);
        Ok(if chosen.is_empty() { Poll::End } else { Poll::Rows })
    }

    fn rows(&self) -> Rows<'_> {
        self.out.rows()
    }
}
