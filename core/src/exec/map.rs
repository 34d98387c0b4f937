//! Row by row: `Map` and `Filter`.

use super::cursor::{Ask, ColumnDef, Context, Cursor, Header, Poll, Rows, Source};
use super::eval::Code;
use super::table::Table;
use super::task::QueryError;
use crate::plan::{Expr, Scalar};
use crate::time::TimeRange;
use crate::value::FieldType;
use std::sync::Arc;

/// Nothing is known of a column beforehand.
fn varies(_: usize) -> Option<Option<Scalar>> {
    None
}

pub(super) struct MapSource {
    input: Arc<dyn Source>,
    groups: Vec<Header>,
    columns: Vec<(String, Expr)>,
    drop_empty: bool,
}

impl MapSource {
    pub(super) fn new(input: Arc<dyn Source>, columns: Vec<(String, Expr)>, drop_empty: bool) -> Self {
        let mut last: Option<(Arc<[ColumnDef]>, Arc<[ColumnDef]>)> = None;
        let mut groups = Vec::with_capacity(input.groups().len());
        for header in input.groups() {
            let new = match &last {
                Some((old, new)) if Arc::ptr_eq(old, &header.columns) => Arc::clone(new),
                _ => columns
                    .iter()
                    .map(|(name, expr)| {
                        let field_type = match expr {
                            Expr::Tag(_) => FieldType::String,
                            expr => Code::new(expr, &header.columns, &varies).field_type(),
                        };
                        ColumnDef { name: name.clone(), field_type }
                    })
                    .collect(),
            };
            last = Some((Arc::clone(&header.columns), Arc::clone(&new)));
            groups.push(Header { columns: new, ..header.clone() });
        }
        Self { input, groups, columns, drop_empty }
    }
}

impl Source for MapSource {
    fn groups(&self) -> &[Header] {
        &self.groups
    }

    fn tag_keys(&self) -> Vec<String> {
        self.input.tag_keys()
    }

    fn open(&self, group: usize, ask: &Ask) -> Box<dyn Cursor> {
        let columns = &self.input.groups()[group].columns;
        let tags = &self.groups[group].tags;
        let code = |expr: &Expr| match expr {
            Expr::Tag(key) => Code::Constant(tags.get(key).map(|value| Scalar::String(value.into_owned()))),
            expr => Code::new(expr, columns, &varies),
        };
        let code = self.columns.iter().map(|(_, expr)| code(expr)).collect();
        let input = self.input.open(group, &ask.without_wish());
        Box::new(MapCursor { input, code, out: Table::new(&self.groups[group].columns), drop_empty: self.drop_empty })
    }

    fn extent(&self, group: usize) -> Option<TimeRange> {
        self.input.extent(group)
    }
}

struct MapCursor {
    input: Box<dyn Cursor>,
    code: Vec<Code>,
    out: Table,
    drop_empty: bool,
}

impl Cursor for MapCursor {
    fn prefetch(&mut self, cx: &mut Context) -> Result<(), QueryError> {
        self.input.prefetch(cx)
    }

    fn next(&mut self, cx: &mut Context) -> Result<Poll, QueryError> {
        loop {
            let poll = self.input.next(cx)?;
            if poll != Poll::Rows {
                return Ok(poll);
            }
            self.out.clear();
            let rows = self.input.rows();
            self.out.times.extend_from_slice(rows.times());
            for (code, column) in self.code.iter().zip(&mut self.out.columns) {
                code.append(&rows, column);
            }
            if self.drop_empty {
                self.out.drop_empty_rows();
            }
            if self.out.len() > 0 {
                return Ok(Poll::Rows);
            }
        }
    }

    fn rows(&self) -> Rows<'_> {
        self.out.rows()
    }
}

pub(super) struct FilterSource {
    pub(super) input: Arc<dyn Source>,
    pub(super) predicate: Expr,
}

impl Source for FilterSource {
    fn groups(&self) -> &[Header] {
        self.input.groups()
    }

    fn tag_keys(&self) -> Vec<String> {
        self.input.tag_keys()
    }

    fn open(&self, group: usize, ask: &Ask) -> Box<dyn Cursor> {
        let columns = &self.groups()[group].columns;
        let code = Code::new(&self.predicate, columns, &varies);
        Box::new(FilterCursor {
            input: self.input.open(group, &ask.without_wish()),
            code,
            all: false,
            kept: Table::new(columns),
        })
    }

    fn extent(&self, group: usize) -> Option<TimeRange> {
        self.input.extent(group)
    }
}

struct FilterCursor {
    input: Box<dyn Cursor>,
    code: Code,
    /// All rows of the input passed.
    all: bool,
    kept: Table,
}

impl Cursor for FilterCursor {
    fn prefetch(&mut self, cx: &mut Context) -> Result<(), QueryError> {
        self.input.prefetch(cx)
    }

    fn next(&mut self, cx: &mut Context) -> Result<Poll, QueryError> {
        loop {
            let poll = self.input.next(cx)?;
            if poll != Poll::Rows {
                return Ok(poll);
            }
            let rows = self.input.rows();
            let mut chosen = Vec::new();
            self.code.each_true(&rows, |row| chosen.push(row as u32));
            self.all = chosen.len() == rows.len();
            if !self.all {
                self.kept.clear();
                self.kept.gather(&rows, &chosen);
            }
            if !chosen.is_empty() {
                return Ok(Poll::Rows);
            }
        }
    }

    fn rows(&self) -> Rows<'_> {
        if self.all { self.input.rows() } else { self.kept.rows() }
    }
}
