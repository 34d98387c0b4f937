//! Frames as Arrow, for clients of `/api/ds/query` that ask for it with `Accept: application/vnd.apache.arrow.stream`.
//!
//! ```text
//! body    = stream*            one a frame, and one without columns for a query that failed; by refId, then as in JSON
//! stream  = Arrow's IPC streaming format: schema, at most one record batch, end of stream
//! ```
//!
//! The schema has, as Grafana's own Arrow frames, the metadata `name`, `refId` and `meta` (JSON), here also `status` and
//! `error`; its fields have `name`, `labels` and `config` (JSON). A time is a timestamp in nanoseconds of UTC, or in
//! milliseconds where one of its column is beyond the years that nanoseconds reach.

use arrow_array::types::{Int64Type, TimestampMillisecondType, TimestampNanosecondType, UInt16Type, UInt64Type};
use arrow_array::{ArrayRef, ArrowPrimitiveType, BooleanArray, Float64Array, PrimitiveArray, RecordBatch, StringArray};
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{ArrowError, Field, Schema};
use hyper::HeaderMap;
use hyper::header::ACCEPT;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::{BTreeMap, HashMap};
use std::str::FromStr;
use std::sync::Arc;

pub(crate) const TYPE: &str = "application/vnd.apache.arrow.stream";

pub(crate) fn is_wanted(headers: &HeaderMap) -> bool {
    headers.get_all(ACCEPT).iter().any(|accept| accept.to_str().is_ok_and(|accept| accept.contains(TYPE)))
}

#[derive(Deserialize)]
struct Document<'a> {
    #[serde(borrow)]
    results: BTreeMap<String, Outcome<'a>>,
}

#[derive(Deserialize)]
struct Outcome<'a> {
    status: Option<u16>,
    error: Option<String>,
    #[serde(borrow, default)]
    frames: Vec<Frame<'a>>,
}

#[derive(Deserialize)]
struct Frame<'a> {
    #[serde(borrow)]
    schema: FrameSchema<'a>,
    data: Data<'a>,
}

#[derive(Deserialize)]
struct FrameSchema<'a> {
    name: Option<String>,
    #[serde(borrow)]
    meta: Option<&'a RawValue>,
    fields: Vec<FrameField<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FrameField<'a> {
    #[serde(default)]
    name: String,
    type_info: TypeInfo,
    #[serde(borrow)]
    labels: Option<&'a RawValue>,
    config: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct TypeInfo {
    frame: String,
}

#[derive(Deserialize)]
struct Data<'a> {
    #[serde(borrow)]
    values: Vec<Vec<&'a RawValue>>,
    #[serde(default)]
    nanos: Vec<Option<Vec<i64>>>,
    #[serde(default)]
    entities: Vec<Option<Entities>>,
}

/// Rows whose numbers JSON has no words for.
#[derive(Deserialize)]
struct Entities {
    #[serde(rename = "NaN", default)]
    nan: Vec<usize>,
    #[serde(rename = "Inf", default)]
    infinite: Vec<usize>,
    #[serde(rename = "NegInf", default)]
    below: Vec<usize>,
}

/// The streams of an answer in JSON; `None` when it is no answer with results.
pub(crate) fn encode(json: &[u8]) -> Option<Vec<u8>> {
    let document: Document<'_> = serde_json::from_slice(json).ok()?;
    let mut out = Vec::with_capacity(json.len());
    for (ref_id, outcome) in &document.results {
        let mut about = HashMap::from([("refId".to_owned(), ref_id.clone())]);
        about.extend(outcome.status.map(|status| ("status".to_owned(), status.to_string())));
        if let Some(error) = &outcome.error {
            about.insert("error".to_owned(), error.clone());
            stream(RecordBatch::new_empty(Arc::new(Schema::empty().with_metadata(about.clone()))), &mut out).ok()?;
        }
        for frame in &outcome.frames {
            stream(batch(frame, about.clone())?, &mut out).ok()?;
        }
    }
    Some(out)
}

fn stream(batch: RecordBatch, out: &mut Vec<u8>) -> Result<(), ArrowError> {
    let mut writer = StreamWriter::try_new(out, &batch.schema())?;
    if batch.num_columns() > 0 {
        writer.write(&batch)?;
    }
    writer.finish()
}

fn batch(frame: &Frame<'_>, mut about: HashMap<String, String>) -> Option<RecordBatch> {
    about.extend(frame.schema.name.clone().map(|name| ("name".to_owned(), name)));
    about.extend(frame.schema.meta.map(|meta| ("meta".to_owned(), meta.get().to_owned())));
    let (mut fields, mut columns) = (Vec::new(), Vec::new());
    for (at, field) in frame.schema.fields.iter().enumerate() {
        let nanos = frame.data.nanos.get(at).and_then(Option::as_deref).unwrap_or_default();
        let entities = frame.data.entities.get(at).and_then(Option::as_ref);
        let column = column(&field.type_info.frame, frame.data.values.get(at)?, nanos, entities);
        let mut about = HashMap::from([("name".to_owned(), field.name.clone())]);
        about.extend(field.labels.map(|labels| ("labels".to_owned(), labels.get().to_owned())));
        about.extend(field.config.map(|config| ("config".to_owned(), config.get().to_owned())));
        fields.push(Field::new(&field.name, column.data_type().clone(), true).with_metadata(about));
        columns.push(column);
    }
    let schema = Arc::new(Schema::new(fields).with_metadata(about));
    if columns.is_empty() { Some(RecordBatch::new_empty(schema)) } else { RecordBatch::try_new(schema, columns).ok() }
}

fn column(kind: &str, values: &[&RawValue], nanos: &[i64], entities: Option<&Entities>) -> ArrayRef {
    match kind {
        "time.Time" => times(values, nanos),
        "float64" => floats(values, entities),
        "int64" => Arc::new(numbers::<Int64Type>(values)),
        "uint64" => Arc::new(numbers::<UInt64Type>(values)),
        "enum" => Arc::new(numbers::<UInt16Type>(values)),
        "bool" => Arc::new(values.iter().map(|value| value.get().parse().ok()).collect::<BooleanArray>()),
        "string" => Arc::new(values.iter().map(|value| text(value)).collect::<StringArray>()),
        _ => Arc::new(values.iter().map(|value| Some(value.get())).collect::<StringArray>()),
    }
}

fn text(value: &RawValue) -> Option<String> {
    serde_json::from_str(value.get()).ok()
}

/// The texts of JSON's numbers are those of Rust's; `null` is none.
fn numbers<T: ArrowPrimitiveType<Native: FromStr>>(values: &[&RawValue]) -> PrimitiveArray<T> {
    values.iter().map(|value| value.get().parse::<T::Native>().ok()).collect()
}

fn floats(values: &[&RawValue], entities: Option<&Entities>) -> ArrayRef {
    let mut floats: Vec<Option<f64>> = values.iter().map(|value| value.get().parse().ok()).collect();
    if let Some(Entities { nan, infinite, below }) = entities {
        for (rows, value) in [(nan, f64::NAN), (infinite, f64::INFINITY), (below, f64::NEG_INFINITY)] {
            for row in rows {
                if let Some(slot) = floats.get_mut(*row) {
                    *slot = Some(value);
                }
            }
        }
    }
    Arc::new(Float64Array::from(floats))
}

fn times(values: &[&RawValue], nanos: &[i64]) -> ArrayRef {
    let millis: Vec<Option<i64>> = values.iter().map(|value| value.get().parse().ok()).collect();
    let whole = |(row, millis): (usize, &Option<i64>)| match millis {
        None => Some(None),
        Some(millis) => {
            let below = nanos.get(row).copied().unwrap_or_default();
            Some(Some(millis.checked_mul(1_000_000)?.checked_add(below)?))
        }
    };
    match millis.iter().enumerate().map(whole).collect::<Option<Vec<Option<i64>>>>() {
        Some(times) => Arc::new(PrimitiveArray::<TimestampNanosecondType>::from(times).with_timezone("UTC")),
        None => Arc::new(PrimitiveArray::<TimestampMillisecondType>::from(millis).with_timezone("UTC")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::Array as _;
    use arrow_array::cast::AsArray as _;
    use arrow_ipc::reader::StreamReader;
    use std::io::Cursor;

    /// What a client reads: streams until there are no more bytes.
    fn read(bytes: &[u8]) -> Vec<(Arc<Schema>, Vec<RecordBatch>)> {
        let mut cursor = Cursor::new(bytes);
        let mut streams = Vec::new();
        while (cursor.position() as usize) < bytes.len() {
            let mut reader = StreamReader::try_new(&mut cursor, None).unwrap();
            let schema = reader.schema();
            streams.push((schema, reader.by_ref().map(Result::unwrap).collect()));
        }
        streams
    }

    #[test]
    fn frames_are_streams_and_every_value_is_there() {
        let json = br#"{"results":{"B":{"status":400,"error":"no such field","frames":[]},"A":{"status":200,"frames":[
            {"schema":{"name":"m","refId":"A","meta":{"typeVersion":[0,0]},"fields":[
                {"name":"Time","type":"time","typeInfo":{"frame":"time.Time"}},
                {"name":"v","type":"number","typeInfo":{"frame":"float64","nullable":true},"labels":{"host":"a"}},
                {"name":"i","type":"number","typeInfo":{"frame":"int64","nullable":true},"config":{"unit":"s"}},
                {"name":"s","type":"string","typeInfo":{"frame":"string","nullable":true}},
                {"name":"b","type":"boolean","typeInfo":{"frame":"bool","nullable":true}},
                {"name":"far","type":"time","typeInfo":{"frame":"time.Time","nullable":true}}]},
             "data":{"values":[[1,2,3,4],[0.30000000000000004,null,null,null],[9223372036854775807,null,-1,0],
                ["a\"b",null,"",""],[true,null,false,true],[9000000000000000,null,0,0]],
                "nanos":[[5,0,0,999999],null,null,null,null,null],
                "entities":[null,{"NaN":[1],"Inf":[2],"NegInf":[3]},null,null,null,null]}}]}}}"#;
        let streams = read(&encode(json).unwrap());
        assert_eq!(streams.len(), 2);
        let (schema, batches) = &streams[0];
        assert_eq!((&*schema.metadata()["refId"], &*schema.metadata()["name"]), ("A", "m"));
        assert_eq!(schema.metadata()["meta"], "{\"typeVersion\":[0,0]}");
        assert_eq!(schema.field(1).metadata()["labels"], "{\"host\":\"a\"}");
        assert_eq!(schema.field(2).metadata()["config"], "{\"unit\":\"s\"}");
        let [batch] = &batches[..] else { panic!("{batches:?}") };
        let times = batch.column(0).as_primitive::<TimestampNanosecondType>();
        assert_eq!(times.values()[..], [1_000_005, 2_000_000, 3_000_000, 4_999_999]);
        let floats = batch.column(1).as_primitive::<arrow_array::types::Float64Type>();
        assert_eq!((floats.value(0), floats.value(2), floats.value(3)), (0.1 + 0.2, f64::INFINITY, f64::NEG_INFINITY));
        assert!(floats.value(1).is_nan() && floats.is_valid(1));
        let integers = batch.column(2).as_primitive::<Int64Type>();
        assert_eq!((integers.value(0), integers.is_null(1), integers.value(2)), (i64::MAX, true, -1));
        let texts = batch.column(3).as_string::<i32>();
        assert_eq!((texts.value(0), texts.is_null(1), texts.value(2)), ("a\"b", true, ""));
        let flags = batch.column(4).as_boolean();
        assert_eq!((flags.value(0), flags.is_null(1), flags.value(2)), (true, true, false));
        let far = batch.column(5).as_primitive::<TimestampMillisecondType>();
        assert_eq!((far.value(0), far.is_null(1)), (9_000_000_000_000_000, true));
        let (schema, batches) = &streams[1];
        assert_eq!((&*schema.metadata()["status"], &*schema.metadata()["error"]), ("400", "no such field"));
        assert!(schema.fields().is_empty() && batches.is_empty());
        assert_eq!(encode(b"{\"message\":\"Not found\"}"), None);
    }
}
