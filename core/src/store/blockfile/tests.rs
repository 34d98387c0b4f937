use bytes::Bytes;

use super::*;
use crate::codec::DecodeError;
use crate::model::{Column, SeriesKey};
use crate::store::block::{BlockReader, FileSlice, MAX_ROWS, Stats};
use crate::value::Value;

const SECOND: i64 = 1_000_000_000;
const START: i64 = 1_700_000_000 * SECOND;

struct Series {
    key: SeriesKey,
    times: Vec<i64>,
    fields: Vec<(&'static str, Column)>,
}

fn meta() -> FileMeta {
    FileMeta {
        database: "db".into(),
        retention_policy: "autogen".into(),
        shard: TimeRange::new(START - 1000 * SECOND, START + 1_000_000 * SECOND),
        min_sequence: 5,
        max_sequence: 9,
    }
}

fn write(series: &[Series]) -> Bytes {
    let mut writer = BlockFileWriter::new(meta());
    for Series { key, times, fields } in series {
        let fields: Vec<_> = fields.iter().map(|(name, column)| (*name, column)).collect();
        writer.push(key.as_bytes(), times, &fields);
    }
    writer.finish().into()
}

fn column(field_type: FieldType, rows: usize, value: impl Fn(usize) -> Option<Value<'static>>) -> Column {
    let mut column = Column::new(field_type);
    (0..rows).for_each(|row| column.push(value(row)));
    column
}

/// Series of several shapes: small and large blocks, regular times and not, sparse fields, every type.
fn sample(rows: usize) -> Vec<Series> {
    let regular: Vec<_> = (0..rows as i64).map(|row| START + row * 10 * SECOND).collect();
    let uneven: Vec<_> = (0..rows as i64).map(|row| START + row * SECOND + row % 7 * 1_000_000).collect();
    let float = column(FieldType::Float, rows, |row| Some(Value::Float((row * 37 % 1000) as f64 / 100.0)));
    let sparse = column(FieldType::Integer, rows, |row| (row % 3 == 1).then_some(Value::Integer(row as i64 - 20)));
    let unsigned = column(FieldType::Unsigned, rows, |row| Some(Value::Unsigned(u64::MAX - row as u64)));
    let boolean = column(FieldType::Boolean, rows, |row| (row > 1).then_some(Value::Boolean(row % 5 == 0)));
    let string = column(FieldType::String, rows, |row| Some(Value::String(["up", "down", ""][row % 3])));
    let absent = column(FieldType::Float, rows, |_| None);
    let mut series: Vec<_> = (0..40)
        .map(|host| Series {
            key: SeriesKey::new("cpu", &[("host", &format!("host-{host:02}")), ("region", "north")]),
            times: if host % 2 == 0 { regular.clone() } else { uneven.clone() },
            fields: vec![("usage", float.clone()), ("count", sparse.clone()), ("absent", absent.clone())],
        })
        .collect();
    series.push(Series {
        key: SeriesKey::new("disk", &[]),
        times: uneven,
        fields: vec![("usage", unsigned), ("ok", boolean), ("state", string)],
    });
    series.sort_by(|a, b| a.key.cmp(&b.key));
    series
}

/// Everything in a file, read the way a query does.
fn read(file: &Bytes) -> Result<Vec<(Vec<u8>, Vec<i64>, Vec<(String, Column)>)>, DecodeError> {
    let index = FileIndex::open(file)?;
    let mut out = Vec::new();
    let mut keys = index.series_keys();
    while let Some((slot, key)) = keys.next()? {
        let mut times = Vec::new();
        let mut fields: Vec<(String, Column)> = Vec::new();
        for entry in index.blocks(slot)? {
            let entry = entry?;
            let reader = BlockReader::new(&entry, FileSlice { offset: 0, bytes: file })?;
            let rows = times.len();
            reader.times(&mut times)?;
            for column in &entry.columns {
                let field = &index.fields()[column.field as usize];
                let at = fields.iter().position(|(name, _)| *name == field.name).unwrap_or_else(|| {
                    let mut column = Column::new(field.field_type);
                    column.extend_absent(rows);
                    fields.push((field.name.clone(), column));
                    fields.len() - 1
                });
                reader.column(column, &mut fields[at].1)?;
            }
        }
        out.push((key.to_vec(), times, fields));
    }
    Ok(out)
}

fn same(a: &Column, b: &Column) -> bool {
    a.len() == b.len() && (0..a.len()).all(|row| a.get(row) == b.get(row))
}

#[test]
fn files_come_back() {
    for rows in [1, 2, 3, 64, 65, 1025, 2 * MAX_ROWS + 10] {
        let series = sample(rows);
        let file = write(&series);
        let back = read(&file).unwrap();
        assert_eq!(back.len(), series.len());
        for (series, (key, times, fields)) in series.iter().zip(&back) {
            assert_eq!(series.key.as_bytes(), key);
            assert_eq!(&series.times, times);
            let kept: Vec<_> = series.fields.iter().filter(|(_, column)| column.count() > 0).collect();
            assert_eq!(kept.len(), fields.len());
            for (name, column) in kept {
                let (_, back) = fields.iter().find(|(back, _)| back == name).unwrap();
                assert!(same(column, back), "{name}, {rows} rows");
            }
        }
        let index = FileIndex::open(&file).unwrap();
        let footer = index.footer();
        assert_eq!((footer.series, footer.rows), (41, 41 * rows as u64));
        assert_eq!(footer.times, TimeRange::new(START, series.iter().map(|s| *s.times.last().unwrap()).max().unwrap()));
        assert_eq!(index.meta(), &meta());
        assert_eq!(write(&sample(rows)), file, "equal pushes give equal bytes");
    }
}

#[test]
fn keys_are_found() {
    let series = sample(3);
    let file = write(&series);
    let index = FileIndex::open(&file).unwrap();
    for (slot, series) in series.iter().enumerate() {
        assert_eq!(index.find(series.key.as_bytes()), Ok(Some(slot as u32)));
        assert_eq!(index.series(slot as u32), Ok(series.key.as_bytes().to_vec()));
    }
    for (measurement, host) in [("cpu", "host-"), ("cpu", "host-99"), ("a", "x"), ("zebra", "x")] {
        assert_eq!(index.find(SeriesKey::new(measurement, &[("host", host)]).as_bytes()), Ok(None));
    }
    assert_eq!(index.find(b""), Ok(None));
    assert!(index.series(41).is_err() && index.blocks(41).is_err());
}

#[test]
fn entries_say_what_the_columns_hold() {
    let rows = MAX_ROWS + 200;
    let series = sample(rows);
    let file = write(&series);
    let index = FileIndex::open(&file).unwrap();
    let slot = index.find(series[1].key.as_bytes()).unwrap().unwrap();
    let blocks: Vec<_> = index.blocks(slot).unwrap().collect::<Result<_, _>>().unwrap();
    assert_eq!(blocks.iter().map(|block| block.rows as usize).collect::<Vec<_>>(), [MAX_ROWS, 200]);
    assert_eq!(blocks[1].min_time, series[1].times[MAX_ROWS]);
    let field =
        |name| index.fields().iter().position(|field| field.name == name && field.measurement == "cpu").unwrap();
    let count = blocks[1].column(field("count") as u32).unwrap();
    let values: Vec<_> = (MAX_ROWS..rows).filter(|row| row % 3 == 1).collect();
    assert_eq!(count.count as usize, values.len());
    assert_eq!(count.first_time, series[1].times[values[0]]);
    assert_eq!(count.last_time, series[1].times[*values.last().unwrap()]);
    let sum = values.iter().map(|row| *row as i128 - 20).sum();
    let at = |row: usize| row as i64 - 20;
    let (first, last) = (at(values[0]), at(*values.last().unwrap()));
    assert_eq!(count.stats, Some(Stats::Integer { min: first, max: last, first, last, sum }));
    assert!(!index.fields().iter().any(|field| field.name == "absent"), "a field without values is none");
}

#[test]
fn short_series_stay_compact() {
    let series: Vec<_> = (0..10_000)
        .map(|sensor| Series {
            key: SeriesKey::new("sensor", &[("id", &format!("{sensor:06}"))]),
            times: (0..10).map(|row| START + sensor % 60 * SECOND + row * 60 * SECOND).collect(),
            fields: vec![("value", column(FieldType::Float, 10, |row| Some(Value::Float(20.0 + row as f64 / 10.0))))],
        })
        .collect();
    let file = write(&series);
    // 100,000 values with times, keys and index.
    assert!(file.len() < 300_000, "{} bytes", file.len());
    let index = FileIndex::open(&file).unwrap();
    assert!(index.footer().index_len < 200_000, "{} bytes of index", index.footer().index_len);
}

#[test]
fn empty_files_are_files() {
    let file = write(&[]);
    let index = FileIndex::open(&file).unwrap();
    assert!(index.footer().times.is_empty());
    assert_eq!(index.find(b"cpu\0"), Ok(None));
    assert_eq!(read(&file), Ok(vec![]));
}

#[test]
fn long_texts_split_blocks() {
    let text = "x".repeat(3 << 20);
    let mut texts = Column::new(FieldType::String);
    (0..5).for_each(|_| texts.push(Some(Value::String(&text))));
    let series = Series { key: SeriesKey::new("log", &[]), times: (0..5).collect(), fields: vec![("text", texts)] };
    let file = write(&[series]);
    let index = FileIndex::open(&file).unwrap();
    assert_eq!(index.blocks(0).unwrap().map(|entry| entry.unwrap().rows).collect::<Vec<_>>(), [2, 2, 1]);
    assert_eq!(read(&file).unwrap()[0].2[0].1.len(), 5);
}

/// The bytes with the checksums of index and footer put right, so that damage gets past them.
fn resealed(mut file: Vec<u8>) -> Bytes {
    let footer = file.len() - Footer::LEN;
    let offset = u64::from_le_bytes(file[footer..footer + 8].try_into().unwrap()) as usize;
    if let Some(index) = file.get(offset..footer) {
        let checksum = crate::codec::checksum::crc32c(index).to_le_bytes();
        file[footer + 12..footer + 16].copy_from_slice(&checksum);
    }
    let checksum = crate::codec::checksum::crc32c(&file[footer..footer + 72]).to_le_bytes();
    file[footer + 72..footer + 76].copy_from_slice(&checksum);
    file.into()
}

#[test]
fn damaged_files_are_errors() {
    let mut series = sample(66);
    series.drain(2..38);
    series.push(Series {
        key: SeriesKey::new("mem", &[]),
        times: vec![1, 2, 5],
        fields: vec![("free", column(FieldType::Float, 3, |row| (row != 1).then_some(Value::Float(0.5))))],
    });
    let file = write(&series);
    let whole = read(&file).unwrap();
    for at in 0..file.len() {
        assert!(read(&file.slice(..at)).is_err(), "cut at {at}");
        for mask in [1, 0x80, 0xff] {
            let mut damaged = file.to_vec();
            damaged[at] ^= mask;
            // The version of the head is in the tail as well; nobody reads the head.
            assert!(at < 8 || read(&damaged.clone().into()).is_err(), "byte {at} damaged");
            // With checksums put right the damage may pass for data, but nothing breaks.
            if at >= 8
                && let Ok(other) = read(&resealed(damaged))
            {
                assert!(other.len() <= whole.len() + 256);
            }
        }
    }
}

#[test]
fn hostile_counts_take_no_memory() {
    let file = write(&sample(3));
    let footer = file.len() - Footer::LEN;
    let mut damaged = file.to_vec();
    damaged[footer + 16..footer + 20].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(read(&resealed(damaged)).unwrap_err().what, "group starts cut short");
    let mut damaged = file.to_vec();
    damaged[footer..footer + 8].copy_from_slice(&u64::MAX.to_le_bytes());
    assert_eq!(read(&resealed(damaged)).unwrap_err().what, "index outside the file");
    let mut newer = file.to_vec();
    let at = newer.len() - 2;
    newer[at] = 2;
    assert_eq!(read(&newer.into()).unwrap_err().what, "unknown version of block file");
    assert_eq!(read(&Bytes::from_static(&[b'x'; 200])).unwrap_err().what, "not a block file");
}

#[test]
fn names_follow_content() {
    assert_eq!(content_name(b""), "99aa06d3014798d86001c324468d497f");
    assert_ne!(content_name(b"a"), content_name(b"b"));
}

#[test]
#[should_panic(expected = "series are pushed in ascending order")]
fn series_out_of_order_are_refused() {
    let mut series = sample(2);
    series.reverse();
    write(&series);
}
