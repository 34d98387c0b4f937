//! Round trips and hostile bytes, every codec alike.

use proptest::prelude::*;

use super::*;
use crate::model::Strings;
use crate::value::{FieldType, canonical};

fn encoded(values: &Values) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(values, &mut bytes);
    bytes
}

/// Values as bits, so that -0.0 is not 0.0 and NaN is NaN.
fn bits(values: &Values) -> Vec<u64> {
    match values {
        Values::Float(values) => values.iter().map(|value| value.to_bits()).collect(),
        Values::Integer(values) => values.iter().map(|value| *value as u64).collect(),
        Values::Unsigned(values) => values.clone(),
        Values::Boolean(values) => values.iter().map(|value| u64::from(*value)).collect(),
        Values::String(_) => Vec::new(),
    }
}

fn check(values: &Values) -> usize {
    let bytes = encoded(values);
    let mut back = Values::new(values.field_type());
    back.push(None);
    decode(&bytes, values.len(), &mut back).unwrap();
    assert_eq!(back.len(), values.len() + 1, "decoding appends");
    if let (Values::String(back), Values::String(values)) = (&back, values) {
        assert!(back.iter().skip(1).eq(values.iter()));
    }
    assert!(bits(&back).iter().skip(1).eq(&bits(values)));
    for part in parts(values.len()) {
        let mut some = Values::new(values.field_type());
        decode_part(&bytes, values.len(), part.clone(), &mut some).unwrap();
        assert_eq!(some.len(), part.len());
        assert!(bits(&some).iter().eq(bits(values).iter().skip(part.start).take(part.len())), "{part:?}");
        if let (Values::String(some), Values::String(values)) = (&some, values) {
            assert!(some.iter().eq(values.iter().skip(part.start).take(part.len())));
        }
    }
    bytes.len()
}

/// Some parts of `len` values, on borders of vectors and off them.
fn parts(len: usize) -> Vec<Range<usize>> {
    let (third, vector) = (len / 3, bits::VECTOR.min(len));
    vec![0..len.min(1), third..len - third, len.saturating_sub(1)..len, 0..vector, vector..len, third..third]
}

fn check_times(times: &[i64]) -> usize {
    let mut bytes = Vec::new();
    times::encode(times, &mut bytes);
    let mut back = Vec::new();
    times::decode(&bytes, times.len(), &mut back).unwrap();
    assert_eq!(back, times);
    for part in parts(times.len()).into_iter().filter(|part| !part.is_empty()) {
        let mut some = Vec::new();
        times::decode_part(&bytes, times.len(), part.clone(), &mut some).unwrap();
        assert_eq!(some, times[part]);
    }
    bytes.len()
}

/// A small generator, for columns too long for proptest.
fn noise(seed: u64) -> impl Iterator<Item = u64> {
    (1..).map(move |i: u64| {
        let mut x = (seed + i).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ x >> 31
    })
}

fn walk(len: usize, digits: f64) -> Vec<f64> {
    let mut at = 50_000_i64;
    noise(3)
        .take(len)
        .map(|n| {
            at = (at + (n % 201) as i64 - 100).clamp(0, 100_000);
            (at as f64 / 1000.0 * digits).round() / digits
        })
        .collect()
}

fn strings(texts: impl IntoIterator<Item = impl AsRef<str>>) -> Values {
    let mut strings = Strings::default();
    texts.into_iter().for_each(|text| strings.push(text.as_ref()));
    Values::String(strings)
}

/// One column of every encoding and shape.
fn samples() -> Vec<Values> {
    let edges =
        [0.0, -0.0, 1.5, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MIN_POSITIVE, 5e-324, -5e-324, f64::MAX];
    let mut spiky = walk(3000, 100.0);
    spiky.iter_mut().step_by(97).zip(edges.iter().cycle()).for_each(|(slot, edge)| *slot = *edge);
    vec![
        Values::Float(vec![]),
        Values::Float(vec![-0.0]),
        Values::Float(vec![0.1; 5000]),
        Values::Float(vec![f64::NAN; 5000]),
        Values::Float(edges.to_vec()),
        Values::Float(walk(2500, 1.0)),
        Values::Float(walk(2500, 100.0)),
        Values::Float(spiky),
        Values::Float(walk(2000, 100.0).iter().map(|value| f64::from(*value as f32)).collect()),
        Values::Float(noise(1).take(1500).map(|n| canonical(f64::from_bits(n))).collect()),
        Values::Float(noise(1).take(1500).map(|n| n as f64 / 1e17).collect()),
        Values::Float(vec![1e300, 1e-300, 123_456_789_012_345_678.0, 1e22, 1e-22]),
        Values::Integer(vec![]),
        Values::Integer(vec![-7; 3000]),
        Values::Integer((0..3000).map(|i| i * 10).collect()),
        Values::Integer(vec![i64::MAX, i64::MIN, 0, -1]),
        Values::Integer(noise(2).take(1100).map(|n| n as i64).collect()),
        Values::Unsigned(vec![u64::MAX, 0, 1 << 63]),
        Values::Unsigned((0..2000).map(|i| i * i).collect()),
        Values::Boolean(vec![]),
        Values::Boolean(vec![true; 9]),
        Values::Boolean(vec![false; 9]),
        Values::Boolean((0..1000).map(|i| i / 300 % 2 == 1).collect()),
        Values::Boolean(noise(5).take(1001).map(|n| n % 3 == 0).collect()),
        strings([""; 0]),
        strings(["", "é", "", "a\0b"]),
        strings((0..2000).map(|i| ["ok", "warning", "critical"][i % 3])),
        strings(noise(6).take(50).map(|n| format!("{n:x}"))),
        strings(noise(7).take(3000).map(|n| format!("GET /api/v{}/items/{n} HTTP/1.1 {}", n % 3, n % 600))),
        strings(noise(6).take(500).map(|n| format!("request {} took {} ms", n % 1000, n % 77))),
    ]
}

#[test]
fn samples_come_back() {
    samples().iter().for_each(|values| {
        check(values);
    });
}

#[test]
fn columns_are_small() {
    assert!(check(&Values::Float(vec![0.1; 8192])) <= 9);
    assert!(check(&Values::Float(walk(8192, 1.0))) < 8192 / 4);
    assert!(check(&Values::Float(walk(8192, 100.0))) < 8192 * 5 / 4);
    assert!(check(&Values::Float(walk(8192, 100.0).iter().map(|v| f64::from(*v as f32)).collect())) < 8192 * 4);
    assert!(check(&strings((0..2000).map(|i| ["ok", "bad"][i / 1000]))) < 100);
    assert!(check(&Values::Boolean((0..8192).map(|row| row == 4000).collect())) <= 8);
    assert!(check(&Values::Float(vec![12.5, 12.75, 13.0])) <= 11);
}

#[test]
fn times_come_back() {
    let start = 1_700_000_000_000_000_000;
    let second = 1_000_000_000;
    assert!(check_times(&(0..8192).map(|i| start + 10 * second * i).collect::<Vec<_>>()) <= 16);
    let gaps: Vec<_> = (0..8192).map(|i| start + 10 * second * (i + i / 1000 * 77)).collect();
    assert!(check_times(&gaps) <= 150);
    let jitter: Vec<_> = noise(4)
        .take(5000)
        .enumerate()
        .map(|(i, n)| start + i as i64 * second + (n % 2000) as i64 * 1_000_000)
        .scan(i64::MIN, |last, time| {
            *last = time.max(*last + 1_000_000);
            Some(*last)
        })
        .collect();
    assert!(check_times(&jitter) <= 5000 * 14 / 8);
    for times in [&[][..], &[i64::MIN], &[i64::MIN, i64::MAX], &[i64::MIN, 0, 1, i64::MAX], &[-5, -3, 0, 10]] {
        check_times(times);
    }
}

#[test]
fn times_that_do_not_ascend_are_errors() {
    let mut bytes = vec![1];
    varint::write_signed(100, &mut bytes);
    varint::write(1, &mut bytes);
    vector::encode_all([0_u64, 5, 5].into_iter(), &mut bytes);
    assert!(times::decode(&bytes, 3, &mut Vec::new()).is_err());
    // Regular with step 0, and past the end of time.
    assert!(times::decode(&[0, 0, 0], 2, &mut Vec::new()).is_err());
    let mut bytes = vec![0];
    varint::write_signed(i64::MAX - 5, &mut bytes);
    varint::write(3, &mut bytes);
    assert!(times::decode(&bytes, 2, &mut Vec::new()).is_ok());
    assert!(times::decode(&bytes, 3, &mut Vec::new()).is_err());
}

#[test]
fn nan_is_written_as_one() {
    for values in [vec![f64::from_bits(0x7ff0_0000_0000_0001)], vec![1.0, f64::from_bits(0xfff8_0000_0000_0000), 2.5]] {
        let mut back = Values::new(FieldType::Float);
        decode(&encoded(&Values::Float(values.clone())), values.len(), &mut back).unwrap();
        let Values::Float(back) = back else { unreachable!() };
        assert!(back.iter().any(|value| value.to_bits() == f64::NAN.to_bits()));
    }
}

/// Whatever the bytes, a decoder answers with values of the right number or an error, and not with much memory.
fn survive(bytes: &[u8], count: usize) {
    for field_type in FieldType::ALL {
        let mut out = Values::new(field_type);
        if decode(bytes, count, &mut out).is_ok() {
            assert_eq!(out.len(), count);
        }
        let text = if field_type == FieldType::String { 2 * MAX_TEXT } else { 0 };
        assert!(out.heap_bytes() <= 32 * count.max(1024) + text);
    }
    let mut out = Vec::new();
    if times::decode(bytes, count, &mut out).is_ok() {
        assert_eq!(out.len(), count);
        assert!(out.is_sorted_by(|a, b| a < b));
    }
}

#[test]
fn truncated_and_flipped_bytes_are_survived() {
    for values in samples() {
        let bytes = encoded(&values);
        let steps = bytes.len().div_ceil(200);
        for at in (0..bytes.len()).step_by(steps) {
            assert!(decode(&bytes[..at], values.len(), &mut Values::new(values.field_type())).is_err(), "cut at {at}");
            for bit in [0, 3, 6, 7] {
                let mut flipped = bytes.clone();
                flipped[at] ^= 1 << bit;
                survive(&flipped, values.len());
            }
        }
        survive(&bytes, values.len() + 1);
        survive(&bytes, MAX_COUNT);
    }
}

#[test]
fn a_dictionary_cannot_grow_without_bound() {
    let mut bytes = vec![1];
    varint::write(1, &mut bytes);
    vector::encode_all([1_u64 << 20].into_iter(), &mut bytes);
    varint::write(1 << 20, &mut bytes);
    bytes.resize(bytes.len() + (1 << 20), b'x');
    vector::encode_all(std::iter::repeat_n(0, MAX_COUNT), &mut bytes);
    let error = decode(&bytes, MAX_COUNT, &mut Values::new(FieldType::String)).unwrap_err();
    assert_eq!(error.what, "too much text");
}

proptest! {
    #[test]
    fn floats_round_trip(values in proptest::collection::vec(any::<f64>().prop_map(canonical), 0..40)) {
        check(&Values::Float(values));
    }

    #[test]
    fn decimals_round_trip(values in proptest::collection::vec(any::<i32>(), 0..40), digits in 0_usize..22) {
        let power: f64 = format!("1e{digits}").parse().unwrap();
        check(&Values::Float(values.iter().map(|value| f64::from(*value) / power).collect()));
    }

    #[test]
    fn integers_round_trip(values in proptest::collection::vec(any::<i64>(), 0..40), shift in 0_u32..64) {
        check(&Values::Integer(values.iter().map(|value| value >> shift).collect()));
        check(&Values::Unsigned(values.iter().map(|value| *value as u64 >> shift).collect()));
    }

    #[test]
    fn strings_round_trip(values in proptest::collection::vec("[a-c]{0,3}|\\PC*", 0..40)) {
        check(&strings(values));
    }

    #[test]
    fn booleans_round_trip(values in proptest::collection::vec(any::<bool>(), 0..100)) {
        check(&Values::Boolean(values));
    }

    #[test]
    fn times_round_trip(mut values in proptest::collection::vec(any::<i64>(), 0..40), unit in 1_i64..1_000_000) {
        values.iter_mut().for_each(|time| *time = *time / unit * unit);
        values.sort_unstable();
        values.dedup();
        check_times(&values);
    }

    #[test]
    fn random_bytes_are_survived(
        id in 0_u8..4,
        bytes in proptest::collection::vec(any::<u8>(), 0..60),
        count in 0_usize..3000,
    ) {
        survive(&bytes, count);
        survive(&[&[id][..], &bytes].concat(), count);
    }
}
