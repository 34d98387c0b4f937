//! Rows walked in order with something kept between them: `Reduce`, `Transform` and `Sort`, which differ in what they
//! keep.

use super::cursor::{Ask, ColumnDef, Context, Cursor, Header, Lease, Poll, Rows, Source};
use super::reduce::Reducing;
use super::sort::Sorting;
use super::table::Table;
use super::task::QueryError;
use super::transform::Transforming;
use crate::plan::{Reduce, Sort, Transform};
use crate::value::FieldType;
use std::sync::Arc;

/// What is done with a group's rows, in their order.
pub(super) trait Walk: Send {
    /// Takes rows in; appends what they come to. `lease` pays for what is kept.
    fn rows(&mut self, rows: &Rows<'_>, out: &mut Table, lease: &mut Lease) -> Result<(), QueryError>;

    /// After the last row: appends what is left.
    fn finish(&mut self, out: &mut Table, lease: &mut Lease) -> Result<(), QueryError>;
}

pub(super) struct WalkSource {
    input: Arc<dyn Source>,
    groups: Vec<Header>,
    step: Arc<Step>,
    descending: bool,
}

/// A node without its input.
enum Step {
    Reduce(Reduce),
    Transform(Transform),
    Sort { column: usize, descending: bool },
}

impl WalkSource {
    pub(super) fn reduce(input: Arc<dyn Source>, reduce: Reduce, descending: bool) -> Result<Self, QueryError> {
        let columns = |input: &[ColumnDef]| {
            let argument = field_type(input, reduce.argument);
            let result = reduce.reducer.result(argument);
            let result =
                result.ok_or_else(|| QueryError::Argument { function: reduce.reducer.name(), field_type: argument })?;
            let carried = reduce.carried.iter().map(|(column, name)| (name, field_type(input, *column)));
            let all = std::iter::once((&reduce.output, result)).chain(carried);
            Ok(all.map(|(name, field_type)| ColumnDef { name: name.clone(), field_type }).collect())
        };
        let groups = headers(&*input, columns)?;
        Ok(Self { input, groups, step: Arc::new(Step::Reduce(reduce)), descending })
    }

    pub(super) fn transform(
        input: Arc<dyn Source>,
        transform: Transform,
        descending: bool,
    ) -> Result<Self, QueryError> {
        let columns = |input: &[ColumnDef]| {
            let argument = field_type(input, transform.argument);
            let result = transform
                .transformer
                .result(argument)
                .ok_or_else(|| QueryError::Argument { function: transform.transformer.name(), field_type: argument })?;
            Ok(Arc::from([ColumnDef { name: transform.output.clone(), field_type: result }]))
        };
        let groups = headers(&*input, columns)?;
        Ok(Self { input, groups, step: Arc::new(Step::Transform(transform)), descending })
    }

    pub(super) fn sort(input: Arc<dyn Source>, sort: &Sort) -> Self {
        let groups = input.groups().to_vec();
        let step = Step::Sort { column: sort.column, descending: sort.descending };
        Self { input, groups, step: Arc::new(step), descending: false }
    }
}

pub(super) fn field_type(columns: &[ColumnDef], at: usize) -> FieldType {
    columns.get(at).map_or(FieldType::Float, |column| column.field_type)
}

/// The headers of the input with other columns. Groups mostly share theirs.
fn headers(
    input: &dyn Source,
    columns: impl Fn(&[ColumnDef]) -> Result<Arc<[ColumnDef]>, QueryError>,
) -> Result<Vec<Header>, QueryError> {
    let mut last: Option<(Arc<[ColumnDef]>, Arc<[ColumnDef]>)> = None;
    let mut groups = Vec::with_capacity(input.groups().len());
    for header in input.groups() {
        let new = match &last {
            Some((old, new)) if Arc::ptr_eq(old, &header.columns) => Arc::clone(new),
            _ => columns(&header.columns)?,
        };
        last = Some((Arc::clone(&header.columns), Arc::clone(&new)));
        groups.push(Header { columns: new, ..header.clone() });
    }
    Ok(groups)
}

impl Source for WalkSource {
    fn groups(&self) -> &[Header] {
        &self.groups
    }

    fn tag_keys(&self) -> Vec<String> {
        self.input.tag_keys()
    }

    fn open(&self, group: usize, _: &Ask) -> Box<dyn Cursor> {
        let columns = &self.input.groups()[group].columns;
        let walk: Box<dyn Walk> = match &*self.step {
            Step::Reduce(reduce) => Box::new(Reducing::new(reduce, columns, self.descending)),
            Step::Transform(transform) => {
                let argument = field_type(columns, transform.argument);
                Box::new(Transforming::new(transform, argument, self.descending))
            }
            Step::Sort { column, descending } => Box::new(Sorting::new(columns, *column, *descending)),
        };
        let out = Table::new(&self.groups[group].columns);
        Box::new(WalkCursor { input: self.input.open(group, &Ask::default()), walk, out, lease: None, ended: false })
    }
}

struct WalkCursor {
    input: Box<dyn Cursor>,
    walk: Box<dyn Walk>,
    out: Table,
    lease: Option<Lease>,
    ended: bool,
}

impl Cursor for WalkCursor {
    fn prefetch(&mut self, cx: &mut Context) -> Result<(), QueryError> {
        self.input.prefetch(cx)
    }

    fn next(&mut self, cx: &mut Context) -> Result<Poll, QueryError> {
        self.out.clear();
        while !self.ended {
            match self.input.next(cx)? {
                Poll::Rows => {
                    let lease = self.lease.get_or_insert_with(|| cx.memory.lease());
                    self.walk.rows(&self.input.rows(), &mut self.out, lease)?;
                }
                Poll::Summary => {}
                Poll::End => {
                    let lease = self.lease.get_or_insert_with(|| cx.memory.lease());
                    self.walk.finish(&mut self.out, lease)?;
                    self.ended = true;
                }
                wait => return Ok(wait),
            }
            if self.out.len() > 0 {
                return Ok(Poll::Rows);
            }
        }
        Ok(Poll::End)
    }

    fn rows(&self) -> Rows<'_> {
        self.out.rows()
    }
}
