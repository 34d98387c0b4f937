//! Parquet: `time` as a timestamp in nanoseconds (UTC), tags as optional text, fields as optional columns of their type.
//! Pages are zstd; a row group is about a million rows.

use super::{Columns, Sink};
use isopoint_core::model::Frame;
use isopoint_core::value::{FieldType, Value};
use parquet::basic::{Compression, ConvertedType, LogicalType, Repetition, TimeUnit, Type as Physical, ZstdLevel};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::Type;
use std::io::Write;
use std::sync::Arc;

const GROUP_ROWS: usize = 1 << 20;

pub(super) struct Parquet {
    writer: SerializedFileWriter<Box<dyn Write + Send>>,
    columns: Columns,
    times: Vec<i64>,
    tags: Vec<Optional<ByteArray>>,
    fields: Vec<Field>,
}

/// Values that are there, and for each row whether it has one: Parquet's own split.
#[derive(Debug)]
struct Optional<T> {
    values: Vec<T>,
    levels: Vec<i16>,
}

impl<T> Default for Optional<T> {
    fn default() -> Self {
        Self { values: Vec::new(), levels: Vec::new() }
    }
}

impl<T> Optional<T> {
    fn push(&mut self, value: Option<T>) {
        self.levels.push(i16::from(value.is_some()));
        self.values.extend(value);
    }

    fn clear(&mut self) {
        self.values.clear();
        self.levels.clear();
    }
}

#[derive(Debug)]
enum Field {
    Float(Optional<f64>),
    /// Unsigned ones too: Parquet keeps their bits in an INT64.
    Whole(Optional<i64>),
    Boolean(Optional<bool>),
    Text(Optional<ByteArray>),
}

impl Field {
    fn new(kind: FieldType) -> Self {
        match kind {
            FieldType::Float => Self::Float(Optional::default()),
            FieldType::Integer | FieldType::Unsigned => Self::Whole(Optional::default()),
            FieldType::Boolean => Self::Boolean(Optional::default()),
            FieldType::String => Self::Text(Optional::default()),
        }
    }

    /// A value of another type than the file's column is absent, but for numbers, which are converted.
    fn push(&mut self, value: Option<Value<'_>>) {
        match self {
            Self::Float(column) => column.push(match value {
                Some(Value::Float(value)) => Some(value),
                Some(Value::Integer(value)) => Some(value as f64),
                Some(Value::Unsigned(value)) => Some(value as f64),
                _ => None,
            }),
            Self::Whole(column) => column.push(match value {
                Some(Value::Integer(value)) => Some(value),
                Some(Value::Unsigned(value)) => Some(value.cast_signed()),
                _ => None,
            }),
            Self::Boolean(column) => column.push(match value {
                Some(Value::Boolean(value)) => Some(value),
                _ => None,
            }),
            Self::Text(column) => column.push(match value {
                Some(Value::String(text)) => Some(ByteArray::from(text)),
                _ => None,
            }),
        }
    }
}

impl Parquet {
    pub(super) fn new(out: Box<dyn Write + Send>, columns: Columns) -> Result<Self, String> {
        let schema = schema(&columns).map_err(|error| error.to_string())?;
        let properties = WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default())).build();
        let writer = SerializedFileWriter::new(out, Arc::new(schema), Arc::new(properties));
        Ok(Self {
            writer: writer.map_err(|error| error.to_string())?,
            times: Vec::new(),
            tags: columns.tags.iter().map(|_| Optional::default()).collect(),
            fields: columns.fields.iter().map(|(_, kind)| Field::new(*kind)).collect(),
            columns,
        })
    }

    fn write_group(&mut self) -> parquet::errors::Result<()> {
        if self.times.is_empty() {
            return Ok(());
        }
        let mut group = self.writer.next_row_group()?;
        macro_rules! column {
            ($kind:ty, $values:expr, $levels:expr) => {{
                let mut column = group.next_column()?.expect("the schema has this column");
                column.typed::<$kind>().write_batch($values, $levels, None)?;
                column.close()?;
            }};
        }
        column!(Int64Type, &self.times, None);
        for tag in &self.tags {
            column!(ByteArrayType, &tag.values, Some(&tag.levels));
        }
        for field in &self.fields {
            match field {
                Field::Float(field) => column!(DoubleType, &field.values, Some(&field.levels)),
                Field::Whole(field) => column!(Int64Type, &field.values, Some(&field.levels)),
                Field::Boolean(field) => column!(BoolType, &field.values, Some(&field.levels)),
                Field::Text(field) => column!(ByteArrayType, &field.values, Some(&field.levels)),
            }
        }
        group.close()?;
        self.times.clear();
        self.tags.iter_mut().for_each(Optional::clear);
        for field in &mut self.fields {
            match field {
                Field::Float(field) => field.clear(),
                Field::Whole(field) => field.clear(),
                Field::Boolean(field) => field.clear(),
                Field::Text(field) => field.clear(),
            }
        }
        Ok(())
    }
}

impl Sink for Parquet {
    fn frame(&mut self, frame: &Frame) -> Result<(), String> {
        self.times.extend(&frame.times);
        for (key, column) in self.columns.tags.iter().zip(&mut self.tags) {
            let value = frame.tags.iter().find(|(name, value)| name == key && !value.is_empty());
            let value = value.map(|(_, value)| ByteArray::from(value.as_str()));
            frame.times.iter().for_each(|_| column.push(value.clone()));
        }
        for ((name, _), field) in self.columns.fields.iter().zip(&mut self.fields) {
            let column = frame.column(name);
            (0..frame.rows()).for_each(|row| field.push(column.and_then(|column| column.get(row))));
        }
        if self.times.len() >= GROUP_ROWS {
            self.write_group().map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<(), String> {
        self.write_group().map_err(|error| error.to_string())?;
        self.writer.close().map(drop).map_err(|error| error.to_string())
    }
}

fn schema(columns: &Columns) -> parquet::errors::Result<Type> {
    let time = Type::primitive_type_builder("time", Physical::INT64)
        .with_repetition(Repetition::REQUIRED)
        .with_logical_type(Some(LogicalType::timestamp(true, TimeUnit::NANOS)))
        .build()?;
    let mut fields = vec![Arc::new(time)];
    let text = |name: &str| {
        Type::primitive_type_builder(name, Physical::BYTE_ARRAY)
            .with_repetition(Repetition::OPTIONAL)
            .with_logical_type(Some(LogicalType::String))
            .build()
    };
    for tag in &columns.tags {
        fields.push(Arc::new(text(tag)?));
    }
    for (name, kind) in &columns.fields {
        let plain = |kind| Type::primitive_type_builder(name, kind).with_repetition(Repetition::OPTIONAL);
        fields.push(Arc::new(match kind {
            FieldType::Float => plain(Physical::DOUBLE).build()?,
            FieldType::Integer => plain(Physical::INT64).build()?,
            FieldType::Unsigned => plain(Physical::INT64).with_converted_type(ConvertedType::UINT_64).build()?,
            FieldType::Boolean => plain(Physical::BOOLEAN).build()?,
            FieldType::String => text(name)?,
        }));
    }
    Type::group_type_builder("points").with_fields(fields).build()
}
