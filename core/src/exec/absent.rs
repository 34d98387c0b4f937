//! A group that nothing is known of.

use super::cursor::{Ask, ColumnDef, Context, Cursor, Header, Poll, Rows, Source, Tags};
use super::task::QueryError;
use crate::value::FieldType;

pub(super) struct AbsentSource {
    group: [Header; 1],
}

impl AbsentSource {
    pub(super) fn new(columns: Vec<(String, FieldType)>) -> Self {
        let columns = columns.into_iter().map(|(name, field_type)| ColumnDef { name, field_type }).collect();
        Self { group: [Header { name: "".into(), tags: Tags::Named(Vec::new()), input: 0, columns }] }
    }
}

impl Source for AbsentSource {
    fn groups(&self) -> &[Header] {
        &self.group
    }

    fn tag_keys(&self) -> Vec<String> {
        Vec::new()
    }

    fn open(&self, _: usize, _: &Ask) -> Box<dyn Cursor> {
        Box::new(AbsentCursor)
    }
}

struct AbsentCursor;

impl Cursor for AbsentCursor {
    fn next(&mut self, _: &mut Context) -> Result<Poll, QueryError> {
        Ok(Poll::End)
    }

    fn rows(&self) -> Rows<'_> {
        Rows { times: &[], columns: Vec::new(), from: 0, to: 0 }
    }
}
