use super::*;
use crate::value::Value;

#[test]
fn spans_take_the_coarsest_unit() {
    for (nanos, len) in [(0, 1), (10_000_000_000, 1), (1_000_000, 1), (3_600_000_000_000, 2), (1, 1), (u64::MAX, 10)] {
        let mut bytes = Vec::new();
        write_span(nanos, &mut bytes);
        assert_eq!(bytes.len(), len, "{nanos}");
        assert_eq!(read_span(&mut Reader::new(&bytes)), Ok(nanos));
    }
    // 2^64 nanoseconds, and seconds that do not fit.
    for wide in [1_u128 << 66, u128::from(u64::MAX) << 2 | 3] {
        let mut bytes = Vec::new();
        varint::write_wide(wide, &mut bytes);
        assert!(read_span(&mut Reader::new(&bytes)).is_err());
    }
}

#[test]
fn sums_are_exact() {
    let sum = |values: &[f64]| exact_sum(values).map(|parts| parts.to_vec());
    assert_eq!(sum(&[]), Some(vec![]));
    assert_eq!(sum(&[1e100, 1.0, -1e100]), Some(vec![1.0]));
    assert_eq!(sum(&[1.0, 1e-20, 1e20]), Some(vec![1e-20, 1.0, 1e20]));
    assert_eq!(sum(&[f64::MAX, f64::MAX, -f64::MAX]), None);
    // Ten tenths are the exact value of the double 0.1 ten times over, not 1.
    let parts = exact_sum(&[0.1; 10]).unwrap();
    assert_eq!(parts.iter().rev().sum::<f64>(), 1.0);
    assert_eq!(parts.len(), 2);
}

#[test]
fn float_statistics_mind_the_odd_values() {
    let of = |values: &[f64]| FloatStats::of(values).unwrap();
    let stats = of(&[0.0, f64::NAN, -0.0, 6.0, f64::INFINITY]);
    assert!(!stats.finite && stats.sum.is_none());
    assert_eq!((stats.min.to_bits(), stats.max), ((-0.0_f64).to_bits(), f64::INFINITY));
    assert_eq!(stats.min_exponent, Some(2));
    assert!(of(&[f64::NAN]).min.is_nan());
    assert_eq!(of(&[0.0, -0.0]).min_exponent, None);
    assert_eq!(of(&[5e-324, 1.0]).min_exponent, Some(-1022));
    assert_eq!(of(&[-0.75]).min_exponent, Some(-1));
}

#[test]
fn statistics_come_back() {
    let samples = [
        Values::Float(vec![1.25, -3.0, 1e300, 0.1]),
        Values::Float(vec![-0.0, f64::MAX, f64::MAX]),
        Values::Float(vec![f64::INFINITY, 2.0]),
        Values::Integer(vec![i64::MAX, i64::MIN, -3]),
        Values::Integer(vec![i64::MAX; 3]),
        Values::Unsigned(vec![7, u64::MAX, u64::MAX]),
        Values::Boolean(vec![true, false, true, false]),
    ];
    for values in samples {
        let stats = Stats::of(&values).unwrap();
        let mut bytes = Vec::new();
        stats.write(&mut bytes);
        let mut reader = Reader::new(&bytes);
        assert_eq!(Stats::read(&mut reader, values.field_type(), values.len()), Ok(stats));
        reader.finish().unwrap();
        for cut in 0..bytes.len() {
            assert!(Stats::read(&mut Reader::new(&bytes[..cut]), values.field_type(), values.len()).is_err());
        }
    }
}

#[test]
fn columns_append_to_columns() {
    let mut sparse = Column::new(FieldType::String);
    for text in [None, Some("a"), None, Some("b"), None] {
        sparse.push(text.map(Value::String));
    }
    let mut full = Column::new(FieldType::String);
    ["x", "y", "z", "", "w"].into_iter().for_each(|text| full.push(Some(Value::String(text))));
    let mut file = Vec::new();
    let entry = encode(&[1, 2, 4, 8, 16], &[(0, &full), (3, &sparse)], 0..5, &mut file);
    assert_eq!((entry.columns[1].first_time, entry.columns[1].last_time, entry.columns[1].count), (2, 8, 2));
    let reader = BlockReader::new(&entry, FileSlice { offset: 0, bytes: &file }).unwrap();

    let mut out = Column::new(FieldType::String);
    reader.column(&entry.columns[0], &mut out).unwrap();
    assert!(out.present.is_none());
    reader.column(entry.column(3).unwrap(), &mut out).unwrap();
    reader.column(&entry.columns[0], &mut out).unwrap();
    let rows: Vec<_> = (0..15).map(|row| out.get(row)).collect();
    let expected: Vec<_> =
        [&full, &sparse, &full].iter().flat_map(|column| (0..5).map(|row| column.get(row))).collect();
    assert_eq!(rows, expected);

    let error = reader.column(&entry.columns[0], &mut Column::new(FieldType::Float)).unwrap_err();
    assert_eq!(error.what, "column of another type");
}

#[test]
fn a_slice_must_cover_what_is_read() {
    let times: Vec<i64> = (0..100).map(|i| i * i).collect();
    let mut column = Column::new(FieldType::Integer);
    times.iter().for_each(|time| column.push(Some(Value::Integer(*time))));
    let mut file = vec![9; 50];
    let entry = encode(&times, &[(0, &column)], 0..100, &mut file);
    let range = entry.column_range(&entry.columns[0]);
    let bytes = &file[range.offset as usize..range.end() as usize];
    let read = |offset, bytes| {
        let mut out = Column::new(FieldType::Integer);
        BlockReader::new(&entry, FileSlice { offset, bytes })?.column(&entry.columns[0], &mut out).map(|()| out)
    };
    assert_eq!(read(range.offset, bytes), Ok(column));
    assert!(read(range.offset + 1, &bytes[1..]).is_err());
    assert!(read(range.offset, &bytes[..bytes.len() - 1]).is_err());
    assert_eq!(read(range.offset + 1, bytes).unwrap_err().what, "column outside the bytes given");
    assert_eq!(read(range.offset - 1, &file[range.offset as usize - 1..]).map(|column| column.len()), Ok(100));
}
