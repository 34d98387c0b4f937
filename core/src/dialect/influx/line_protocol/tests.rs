use super::*;
use crate::model::SeriesKey;
use crate::number::write_json_float;
use std::collections::BTreeMap;

const NOW: Timestamp = Timestamp::from_nanos(1_700_000_000_123_456_789);

/// The points of a batch as text: tags and fields sorted, of a repeated field the last value, a line a point.
fn points(batch: &WriteBatch) -> String {
    let mut lines = BTreeMap::new();
    for row in &batch.rows {
        let key = SeriesKey::from_canonical(batch.series_key(row.series)).expect("keys of a batch are canonical");
        let mut text = key.measurement().into_owned();
        for (name, value) in key.tags() {
            text.extend([",", &name, "=", &value]);
        }
        let mut fields: BTreeMap<&str, String> = BTreeMap::new();
        for cell in batch.cells_of(row) {
            let value = match batch.value(cell) {
                Value::Float(value) => {
                    let mut text = Vec::new();
                    write_json_float(value, &mut text);
                    String::from_utf8(text).unwrap()
                }
                Value::Integer(value) => format!("{value}i"),
                Value::Unsigned(value) => format!("{value}u"),
                Value::Boolean(value) => value.to_string(),
                Value::String(value) => format!("\"{value}\""),
            };
            fields.insert(batch.field_name(cell.field), value);
        }
        let fields: Vec<_> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
        text.extend([" ", &fields.join(","), " ", &row.time.to_string()]);
        lines.insert((batch.series_key(row.series).to_vec(), row.time, lines.len()), text);
    }
    lines.into_values().collect::<Vec<_>>().join("\n")
}

/// The points a body gives and, after `! `, what is said about the others.
fn read(body: &[u8], precision: Precision) -> String {
    let mut batch = WriteBatch::new();
    let outcome = parse(body, precision, NOW, &mut batch);
    assert_eq!(outcome.points, batch.len());
    assert_eq!(outcome.failed == 0, outcome.errors.is_empty());
    assert_eq!(outcome.refused == 0, outcome.refusal.is_none());
    let error = outcome.error(None);
    match (points(&batch), error) {
        (points, None) => points,
        (points, Some(error)) if points.is_empty() => format!("! {error}"),
        (points, Some(error)) => format!("{points}\n! {error}"),
    }
}

#[test]
fn the_store_has_its_say() {
    let outcome = |body: &str| parse(body.as_bytes(), Precision::Nanos, NOW, &mut WriteBatch::new());
    let dropped = Some(("points beyond retention policy", 2));
    let cases = [
        ("m v=1", None, None),
        ("m v=1", dropped, Some("partial write: points beyond retention policy dropped=2")),
        ("m v=1\nm v=", dropped, Some("partial write: points beyond retention policy dropped=2")),
        ("m v=1\nm v=", None, Some("partial write: unable to parse 'm v=': missing field value dropped=0")),
        ("m v=\nm", None, Some("unable to parse 'm v=': missing field value\nunable to parse 'm': missing fields")),
        (
            "m time=1\nm v=\nm v=1",
            dropped,
            Some("partial write: invalid field name: input field \"time\" on measurement \"m\" is invalid dropped=3"),
        ),
    ];
    for (body, dropped, error) in cases {
        assert_eq!(outcome(body).error(dropped).as_deref(), error, "{body}");
    }
}

#[test]
fn what_influxdb_answered() {
    for (body, expected) in CASES {
        assert_eq!(read(body.as_bytes(), Precision::Nanos), *expected, "{body:?}");
    }
    for (body, precision, expected) in PRECISION_CASES {
        assert_eq!(read(body.as_bytes(), Precision::from_v1_name(precision).unwrap()), *expected, "{body:?}");
    }
}

/// One body of every case: what lines do to the batch must not depend on what came before.
#[test]
fn lines_are_independent() {
    let alone: Vec<_> = CASES.iter().filter(|(body, _)| !body.contains(['\n', '"']) && !body.ends_with('\\')).collect();
    let body: Vec<_> = alone.iter().map(|(body, _)| *body).collect();
    let mut batch = WriteBatch::new();
    let outcome = parse(body.join("\n").as_bytes(), Precision::Nanos, NOW, &mut batch);
    let expected: Vec<_> = alone.iter().filter_map(|(_, expected)| expected.strip_prefix("! unable")).collect();
    assert_eq!(outcome.errors, expected.iter().map(|error| format!("unable{error}")).collect::<Vec<_>>().join("\n"));
    assert_eq!(outcome.failed, expected.len());
    let expected: Vec<_> =
        alone.iter().filter(|(_, expected)| !expected.is_empty() && !expected.starts_with('!')).collect();
    assert_eq!(outcome.points, expected.len());
    let mut expected: Vec<_> = expected.iter().map(|(_, expected)| *expected).collect();
    let all = points(&batch);
    let mut all: Vec<_> = all.lines().collect();
    all.sort_unstable();
    expected.sort_unstable();
    assert_eq!(all, expected);
}

/// What is guessed from the lines before is only ever a guess.
#[test]
fn lines_that_resemble_each_other() {
    let body = "a x=1,y=2 1\nb x=3 2\nb x=4,y=5 3\na,s=1,r=2 x=6 4\na,s=1,r x=7 5\na,s=1,r=2,q=3 x=8 6\na,s=1 y=9,x=1 7\n\
                a,s=1,r=2 xx=2,y=1 8\na,s=1,s=2 x=1 9\na,s=1,r=2 x=1 10\na,r=1,s=2 x=1 11\na,r\\==1,s=2 x\\==1 12\na,r=1,s=2 x=1 13";
    let expected = "a x=1,y=2 1\na,q=3,r=2,s=1 x=8 6\na,r=1,s=2 x=1 11\na,r=1,s=2 x=1 13\na,r=2,s=1 x=6 4\na,r=2,s=1 xx=2,y=1 8\n\
                    a,r=2,s=1 x=1 10\na,r==1,s=2 x==1 12\na,s=1 x=1,y=9 7\nb x=3 2\nb x=4,y=5 3\n\
                    ! partial write: unable to parse 'a,s=1,r x=7 5': missing tag value\nunable to parse 'a,s=1,s=2 x=1 9': duplicate tags dropped=0";
    assert_eq!(read(body.as_bytes(), Precision::Nanos), expected);

    // InfluxDB sees a string begin in this key, and the line go on: that it was understood once must not hide it.
    let mut batch = WriteBatch::new();
    let line = "m\\\\ =x,a=\"y v=1 1";
    assert_eq!(parse(line.as_bytes(), Precision::Nanos, NOW, &mut batch).points, 1);
    let outcome = parse(format!("{line}\nm v=2 2").as_bytes(), Precision::Nanos, NOW, &mut batch);
    assert_eq!(outcome.errors, format!("unable to parse '{line}\nm v=2 2': point is invalid"));
}

/// Where InfluxDB stores what nobody sent, or loses a line.
#[test]
fn what_is_refused_or_kept_on_purpose() {
    let cases: &[(&[u8], &str)] = &[
        (b"m v=\"a\"b 1", "! unable to parse 'm v=\"a\"b 1': invalid field format"),
        (b"m v=\"a\"\t1", "! unable to parse 'm v=\"a\"\t1': invalid field format"),
        (b"m v=\"x\"\r\n", "! unable to parse 'm v=\"x\"\r': invalid field format"),
        (b"m a,b=\"x\"=1 1", "! unable to parse 'm a,b=\"x\"=1 1': invalid field format"),
        (b"m\\\\,a=b v=1 1", "m\\,a=b v=1 1"),
        (b"# a=\"b\nm v=1 1", "m v=1 1"),
        (b"m \t=1 1", "! unable to parse 'm \t=1 1': invalid field format"),
        (b"m v=1,v=2i 1", "m v=2i 1"),
        (b"m v=\"\xff\" 1", "! unable to parse 'm v=\"\u{fffd}\" 1': invalid UTF-8"),
        (
            b"m,a=\xff v=1 1\nm v=2 2",
            "m v=2 2\n! partial write: unable to parse 'm,a=\u{fffd} v=1 1': invalid UTF-8 dropped=0",
        ),
        (
            b"m v=1 1\nm v=\"\xff\n\" 2\nm v= 3\nm v=3 3",
            "m v=1 1\nm v=3 3\n! partial write: unable to parse 'm v=\"\u{fffd}\n\" 2': invalid UTF-8\nunable to parse 'm v= 3': missing field value dropped=0",
        ),
    ];
    for (body, expected) in cases {
        assert_eq!(read(body, Precision::Nanos), *expected);
    }
}

#[test]
fn missing_timestamps_are_now_in_the_precision() {
    for (precision, time) in [
        ("n", "1700000000123456789"),
        ("u", "1700000000123456000"),
        ("ms", "1700000000123000000"),
        ("s", "1700000000000000000"),
        ("m", "1699999980000000000"),
        ("h", "1699999200000000000"),
    ] {
        for body in ["m v=1", "m v=1 ", "m v=1 \t\n"] {
            let precision = Precision::from_v1_name(precision).unwrap();
            assert_eq!(read(body.as_bytes(), precision), format!("m v=1 {time}"));
        }
    }
}

#[test]
fn keys_have_a_longest() {
    let (m, f) = ("m".repeat(65_531), "f".repeat(65_531));
    for (line, length) in [
        (format!("{m} v=1 1"), 65_536),
        (format!("m {f}=1 1"), 65_536),
        (format!("m v=1,{f}=1 x"), 65_536),
        (format!("mmmmm{m} v=tru 1"), 65_536),
        (format!("m,a={m}m v=1 1"), 65_536),
    ] {
        let error = format!("! unable to parse '{line}': max key length exceeded: {length} > 65535");
        assert_eq!(read(line.as_bytes(), Precision::Nanos), error);
    }
    for line in [format!("{} v=1 1", &m[1..]), format!("m {}=1 1", &f[1..]), format!("m,a={} v=1 1", &m[5..])] {
        assert_eq!(read(line.as_bytes(), Precision::Nanos), line);
    }
}

#[test]
fn error_text_is_bounded() {
    let body = "bad\n".repeat(100_000);
    let outcome = parse(body.as_bytes(), Precision::Nanos, NOW, &mut WriteBatch::new());
    assert_eq!(outcome.failed, 100_000);
    assert!(outcome.errors.len() < MAX_ERROR_TEXT + 100);
    let outcome = parse("ü".repeat(2 << 20).as_bytes(), Precision::Nanos, NOW, &mut WriteBatch::new());
    assert_eq!(outcome.failed, 1);
    assert!(outcome.errors.len() < MAX_ERROR_TEXT + 100);
}

/// A batch that is used again answers as a new one does.
#[test]
fn a_cleared_batch_is_a_new_one() {
    let mut batch = WriteBatch::new();
    for round in 0..3 {
        let body = format!("m,h={round},a=b v={round},w=1i {round}\nn,h={round} v=t,w=\"x\\\"\" 1\nm v=\nm,h=9 w=2i 7");
        parse(body.as_bytes(), Precision::Nanos, NOW, &mut batch);
        let expected = format!("m,a=b,h={round} v={round},w=1i {round}\nm,h=9 w=2i 7\nn,h={round} v=true,w=\"x\"\" 1");
        assert_eq!(points(&batch), expected);
        assert_eq!((batch.len(), batch.series_count(), batch.field_count()), (3, 3, 4));
        batch.clear();
    }
}

/// Random changes of bodies: no panic, and what is added is what the outcome says.
#[test]
fn damaged_bodies() {
    let seed: Vec<u8> = CASES.iter().map(|(body, _)| *body).collect::<Vec<_>>().join("\n").into_bytes();
    let bytes = b" ,=\\\"\n\t#\0-+.019einutTfF\xff\xc3\xbcxa\r";
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as usize % below.max(1)
    };
    let mut batch = WriteBatch::new();
    for _ in 0..20_000 {
        let start = random(seed.len());
        let end = (start + random(400)).min(seed.len());
        let mut body = seed[start..end].to_vec();
        for _ in 0..random(12) {
            let at = random(body.len());
            let byte = bytes[random(bytes.len())];
            match random(4) {
                0 if !body.is_empty() => body[at] = byte,
                1 if !body.is_empty() => drop(body.remove(at)),
                2 if !body.is_empty() => body.truncate(at + 1),
                _ => body.insert(at, byte),
            }
        }
        let before = batch.len();
        let outcome = parse(&body, Precision::Secs, NOW, &mut batch);
        assert_eq!(batch.len() - before, outcome.points);
        assert_eq!(outcome.failed == 0, outcome.errors.is_empty());
        points(&batch);
        if random(8) == 0 {
            batch.clear();
        }
    }
}

/// Bodies, and what InfluxDB 1.6.7 made of them: the points it stored and, after `! `, its error.
const CASES: &[(&str, &str)] = &[
    ("m a\\\\=1 1", "! unable to parse 'm a\\\\=1 1': invalid value: field-key=a\\\\=1"),
    ("m v=1,a\\\\=1 1\r", "! unable to parse 'm v=1,a\\\\=1 1\r': invalid value: field-key=a\\\\=1"),
    ("m\\\n", "! unable to parse 'm\\': missing fields"),
    ("m v=\"\n", "! unable to parse 'm v=\"': unbalanced quotes"),
    ("m f=1,g=1.5,i=3i,b=true,s=\"x\" 1", "m b=true,f=1,g=1.5,i=3i,s=\"x\" 1"),
    (
        "m a=1,b=-1,d=1e3,e=1.5E-3,f=.5,g=5.,h=-.25,i=1e+2,j=00012.50 1",
        "m a=1,b=-1,d=1000,e=0.0015,f=0.5,g=5,h=-0.25,i=100,j=12.5 1",
    ),
    ("m a=+1.5 1", "! unable to parse 'm a=+1.5 1': invalid boolean"),
    ("m a=9223372036854775807i,b=-9223372036854775808i 1", "m a=9223372036854775807i,b=-9223372036854775808i 1"),
    (
        "m a=t,b=T,c=true,d=True,e=TRUE,f=f,g=F,h=false,i=False,j=FALSE 1",
        "m a=true,b=true,c=true,d=true,e=true,f=false,g=false,h=false,i=false,j=false 1",
    ),
    ("m v=tRUE 1", "! unable to parse 'm v=tRUE 1': invalid boolean"),
    ("m v=True1 1", "! unable to parse 'm v=True1 1': invalid boolean"),
    ("m v=tr 1", "! unable to parse 'm v=tr 1': invalid boolean"),
    ("m v=falsee 1", "! unable to parse 'm v=falsee 1': invalid boolean"),
    ("m v=fALSE 1", "! unable to parse 'm v=fALSE 1': invalid boolean"),
    ("m v=007i 1", "m v=7i 1"),
    ("m v=-0i 1", "m v=0i 1"),
    ("m v=-0 1", "m v=-0 1"),
    ("m v=-0.0 1", "m v=-0 1"),
    ("m v=0 1", "m v=0 1"),
    ("m v=1I 1", "! unable to parse 'm v=1I 1': invalid number"),
    ("m v=1u 1", "! unable to parse 'm v=1u 1': invalid number"),
    ("m v=-1u 1", "! unable to parse 'm v=-1u 1': invalid number"),
    ("m v=1ii 1", "! unable to parse 'm v=1ii 1': invalid number"),
    ("m v=9i10 1", "! unable to parse 'm v=9i10 1': invalid number"),
    ("m v=i 1", "! unable to parse 'm v=i 1': invalid boolean"),
    ("m v=-i 1", "! unable to parse 'm v=-i 1': invalid number"),
    ("m v=- 1", "! unable to parse 'm v=- 1': invalid number"),
    ("m v=-", "! unable to parse 'm v=-': invalid number"),
    ("m v=. 1", "! unable to parse 'm v=. 1': invalid number"),
    ("m v=-. 1", "! unable to parse 'm v=-. 1': invalid number"),
    ("m v=.i 1", "! unable to parse 'm v=.i 1': invalid number"),
    ("m v=1.i 1", "! unable to parse 'm v=1.i 1': invalid number"),
    ("m v=1.5i 1", "! unable to parse 'm v=1.5i 1': invalid number"),
    ("m v=1e5i 1", "! unable to parse 'm v=1e5i 1': invalid number"),
    ("m v=1e 1", "! unable to parse 'm v=1e 1': invalid float"),
    ("m v=1e+ 1", "! unable to parse 'm v=1e+ 1': invalid float"),
    ("m v=1e- 1", "! unable to parse 'm v=1e- 1': invalid float"),
    ("m v=1e5e5 1", "! unable to parse 'm v=1e5e5 1': invalid float"),
    ("m v=1E5 1", "m v=100000 1"),
    ("m v=e5 1", "! unable to parse 'm v=e5 1': invalid boolean"),
    ("m v=-e5 1", "! unable to parse 'm v=-e5 1': invalid float"),
    ("m v=.e5 1", "! unable to parse 'm v=.e5 1': invalid float"),
    ("m v=1.e5 1", "m v=100000 1"),
    ("m v=1e5.5 1", "! unable to parse 'm v=1e5.5 1': invalid float"),
    ("m v=1e.5 1", "! unable to parse 'm v=1e.5 1': invalid float"),
    ("m v=1-2 1", "! unable to parse 'm v=1-2 1': invalid number"),
    ("m v=1+2 1", "! unable to parse 'm v=1+2 1': invalid number"),
    ("m v=--1 1", "! unable to parse 'm v=--1 1': invalid number"),
    ("m v=1.2.3 1", "! unable to parse 'm v=1.2.3 1': invalid number"),
    ("m v=0x10 1", "! unable to parse 'm v=0x10 1': invalid number"),
    ("m v=1_000 1", "! unable to parse 'm v=1_000 1': invalid number"),
    ("m v=NaN 1", "! unable to parse 'm v=NaN 1': invalid number"),
    ("m v=nan 1", "! unable to parse 'm v=nan 1': invalid number"),
    ("m v=n 1", "! unable to parse 'm v=n 1': invalid number"),
    ("m v=N", "! unable to parse 'm v=N': invalid number"),
    ("m v=Inf 1", "! unable to parse 'm v=Inf 1': invalid boolean"),
    ("m v=-Inf 1", "! unable to parse 'm v=-Inf 1': invalid number"),
    ("m v=-inf 1", "! unable to parse 'm v=-inf 1': invalid number"),
    ("m v=-NaN 1", "! unable to parse 'm v=-NaN 1': invalid number"),
    ("m v=1N 1", "! unable to parse 'm v=1N 1': invalid number"),
    ("m v=1e400 1", "! unable to parse 'm v=1e400 1': invalid float"),
    ("m v=-1e400 1", "! unable to parse 'm v=-1e400 1': invalid float"),
    ("m v=1e-400 1", "m v=0 1"),
    ("m v=5e-324 1", "m v=5e-324 1"),
    ("m v=1.7976931348623157e308 1", "m v=1.7976931348623157e+308 1"),
    ("m v=1.7976931348623159e308 1", "! unable to parse 'm v=1.7976931348623159e308 1': invalid float"),
    (
        "m v=9999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999 1",
        "! unable to parse 'm v=9999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999 1': invalid float",
    ),
    (
        "m v=111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111 1",
        "m v=1.1111111111111112e+308 1",
    ),
    (
        "m v=11111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111 1",
        "m v=1.1111111111111111e+307 1",
    ),
    (
        "m v=0.0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000001 1",
        "m v=0 1",
    ),
    (
        "m v=9223372036854775808i 1",
        "! unable to parse 'm v=9223372036854775808i 1': unable to parse integer 9223372036854775808: strconv.ParseInt: parsing \"9223372036854775808\": value out of range",
    ),
    (
        "m v=-9223372036854775809i 1",
        "! unable to parse 'm v=-9223372036854775809i 1': unable to parse integer -9223372036854775809: strconv.ParseInt: parsing \"-9223372036854775809\": value out of range",
    ),
    ("m v=00000000000000000000000001i 1", "m v=1i 1"),
    (
        "m v=99999999999999999999999i 1",
        "! unable to parse 'm v=99999999999999999999999i 1': unable to parse integer 99999999999999999999999: strconv.ParseInt: parsing \"99999999999999999999999\": value out of range",
    ),
    ("m v=123456789012345678 1", "m v=123456789012345680 1"),
    ("m v=0.1 1", "m v=0.1 1"),
    ("m v=9007199254740993 1", "m v=9007199254740992 1"),
    ("m v=1.23456789012345678901234567890 1", "m v=1.2345678901234567 1"),
    ("m v=0.30000000000000004 1", "m v=0.30000000000000004 1"),
    ("m v=123456.789e-5 1", "m v=1.23456789 1"),
    ("m v=1e22 1", "m v=1e+22 1"),
    ("m v=1e23 1", "m v=1e+23 1"),
    ("m v=8.98846567431158e307 1", "m v=8.98846567431158e+307 1"),
    ("m v=\"\" 1", "m v=\"\" 1"),
    ("m v=\"a\" 1", "m v=\"a\" 1"),
    ("m v=\"a\\\"b\" 1", "m v=\"a\"b\" 1"),
    ("m v=\"a\\\\\" 1", "m v=\"a\\\" 1"),
    ("m v=\"a\\\\\\\"\" 1", "m v=\"a\\\"\" 1"),
    ("m v=\"a\\nb\" 1", "m v=\"a\\nb\" 1"),
    ("m v=\"a\\ b\\,c\\=d\" 1", "m v=\"a\\ b\\,c\\=d\" 1"),
    ("m v=\"a\nb\" 1", "m v=\"a\nb\" 1"),
    ("m v=\"a\n\" 1", "m v=\"a\n\" 1"),
    ("m v=\"\\\" 1", "! unable to parse 'm v=\"\\\" 1': unbalanced quotes"),
    ("m v=\"abc 1", "! unable to parse 'm v=\"abc 1': unbalanced quotes"),
    ("m v=\"abc", "! unable to parse 'm v=\"abc': unbalanced quotes"),
    ("m v=\"", "! unable to parse 'm v=\"': unbalanced quotes"),
    ("m v=\" 1", "! unable to parse 'm v=\" 1': unbalanced quotes"),
    ("m v=\"\"\" 1", "! unable to parse 'm v=\"\"\" 1': unbalanced quotes"),
    ("m v=\"a\"\" 1", "! unable to parse 'm v=\"a\"\" 1': unbalanced quotes"),
    ("m v=\"a\"=1 1", "! unable to parse 'm v=\"a\"=1 1': invalid field format"),
    ("m v=\"a\",w=1 1", "m v=\"a\",w=1 1"),
    ("m v=\"a, b=c\",w=\"=,\" 1", "m v=\"a, b=c\",w=\"=,\" 1"),
    ("m v=\"ü\" 1", "m v=\"ü\" 1"),
    ("m v='x' 1", "! unable to parse 'm v='x' 1': invalid boolean"),
    ("m v=\"a\tb\" 1", "m v=\"a\tb\" 1"),
    ("m v=\"\\\n\" 1", "m v=\"\\\n\" 1"),
    ("m v=\"x\\", "! unable to parse 'm v=\"x\\': unbalanced quotes"),
    ("m\\ x v=1 1", "m x v=1 1"),
    ("m\\,x v=1 1", "m,x v=1 1"),
    ("m\\=x v=1 1", "m=x v=1 1"),
    ("m=x v=1 1", "m=x v=1 1"),
    ("m\\\"x v=1 1", "m\"x v=1 1"),
    ("m\"x v=1 1", "m\"x v=1 1"),
    ("\"m\" v=1 1", "\"m\" v=1 1"),
    ("\"m x\" v=1 1", "! unable to parse '\"m x\" v=1 1': invalid field format"),
    ("m\\\\ v=1 1", "! unable to parse 'm\\\\ v=1 1': invalid field format"),
    ("m\\x v=1 1", "m\\x v=1 1"),
    ("m\\ v=1 1", "! unable to parse 'm\\ v=1 1': invalid field format"),
    ("\\ m v=1 1", " m v=1 1"),
    ("\\,m v=1 1", ",m v=1 1"),
    ("m\tx v=1 1", "m\tx v=1 1"),
    ("\\m v=1 1", "\\m v=1 1"),
    ("=m v=1 1", "=m v=1 1"),
    ("m= v=1 1", "m= v=1 1"),
    ("m,a=b v=1 1", "m,a=b v=1 1"),
    ("m,a=b,c=d v=1 1", "m,a=b,c=d v=1 1"),
    ("m,c=d,a=b v=1 1", "m,a=b,c=d v=1 1"),
    ("m,a\\ b=c v=1 1", "m,a b=c v=1 1"),
    ("m,a\\,b=c v=1 1", "m,a,b=c v=1 1"),
    ("m,a\\=b=c v=1 1", "m,a=b=c v=1 1"),
    ("m,a=b\\ c v=1 1", "m,a=b c v=1 1"),
    ("m,a=b\\,c v=1 1", "m,a=b,c v=1 1"),
    ("m,a=b\\=c v=1 1", "m,a=b=c v=1 1"),
    ("m,a=b\\\\ v=1 1", "! unable to parse 'm,a=b\\\\ v=1 1': invalid tag format"),
    ("m,a=b\\\\ c v=1 1", "m,a=b\\ c v=1 1"),
    ("m,a=b\\c v=1 1", "m,a=b\\c v=1 1"),
    ("m,a\\b=c v=1 1", "m,a\\b=c v=1 1"),
    ("m,a=b\\ v=1 1", "! unable to parse 'm,a=b\\ v=1 1': invalid tag format"),
    ("m,a=\\ v=1 1", "! unable to parse 'm,a=\\ v=1 1': invalid tag format"),
    ("m,a=\"b\" v=1 1", "m,a=\"b\" v=1 1"),
    ("m,a=\"b v=1 1", "m,a=\"b v=1 1"),
    ("m,a=\"b c\" v=1 1", "! unable to parse 'm,a=\"b c\" v=1 1': invalid field format"),
    ("m,a=\\\"b v=1 1", "m,a=\\\"b v=1 1"),
    ("m,\"a\"=b v=1 1", "m,\"a\"=b v=1 1"),
    ("m,a=b\\", "! unable to parse 'm,a=b\\': missing fields"),
    ("m,a==b v=1 1", "m,a==b v=1 1"),
    ("m,a== v=1 1", "m,a== v=1 1"),
    ("m,a=b=c v=1 1", "! unable to parse 'm,a=b=c v=1 1': invalid tag format"),
    ("m,=b v=1 1", "! unable to parse 'm,=b v=1 1': missing tag key"),
    ("m,a= v=1 1", "! unable to parse 'm,a= v=1 1': missing tag value"),
    ("m,a=,b=1 v=1 1", "! unable to parse 'm,a=,b=1 v=1 1': missing tag value"),
    ("m,a v=1 1", "! unable to parse 'm,a v=1 1': missing tag value"),
    ("m,a,b=1 v=1 1", "! unable to parse 'm,a,b=1 v=1 1': missing tag value"),
    ("m, v=1 1", "! unable to parse 'm, v=1 1': missing tag key"),
    ("m,,a=b v=1 1", "! unable to parse 'm,,a=b v=1 1': missing tag key"),
    ("m,a=1, v=1 1", "! unable to parse 'm,a=1, v=1 1': missing tag key"),
    ("m,a=1,,b=2 v=1 1", "! unable to parse 'm,a=1,,b=2 v=1 1': missing tag key"),
    ("m,a=1,a=2 v=1 1", "! unable to parse 'm,a=1,a=2 v=1 1': duplicate tags"),
    ("m,a=1,b=2,a=3 v=1 1", "! unable to parse 'm,a=1,b=2,a=3 v=1 1': duplicate tags"),
    ("m,b=1,a=2,b=3 v=1 1", "! unable to parse 'm,b=1,a=2,b=3 v=1 1': duplicate tags"),
    ("m,a=1,a=1 v=1 1", "! unable to parse 'm,a=1,a=1 v=1 1': duplicate tags"),
    ("m,b=1,a=2 v=1 1\nm,a=2,b=1 v=2 2", "m,a=2,b=1 v=1 1\nm,a=2,b=1 v=2 2"),
    ("m,a\\ =1,a!=2 v=1 1", "m,a =1,a!=2 v=1 1"),
    ("m,ab=1,a=2 v=1 1", "m,a=2,ab=1 v=1 1"),
    ("m,a=ü v=1 1", "m,a=ü v=1 1"),
    ("m,a=b", "! unable to parse 'm,a=b': missing fields"),
    ("m,a=b ", "! unable to parse 'm,a=b ': invalid field format"),
    ("m,a", "! unable to parse 'm,a': missing tag value"),
    ("m,a=", "! unable to parse 'm,a=': missing tag value"),
    ("m,", "! unable to parse 'm,': missing tag key"),
    (",", "! unable to parse ',': missing measurement"),
    (",a=b v=1 1", "! unable to parse ',a=b v=1 1': missing measurement"),
    ("m,\\,=1 v=1 1", "m,,=1 v=1 1"),
    ("m,a=1\tb v=1 1", "m,a=1\tb v=1 1"),
    (
        "m,time=1 v=1 1",
        "! partial write: invalid tag key: input tag \"time\" on measurement \"m\" is invalid dropped=1",
    ),
    (
        "m,time=1 v=1 1\nm v=2 2",
        "m v=2 2\n! partial write: invalid tag key: input tag \"time\" on measurement \"m\" is invalid dropped=1",
    ),
    ("m,name=1 v=1 1", "m,name=1 v=1 1"),
    ("m", "! unable to parse 'm': missing fields"),
    ("m ", "! unable to parse 'm ': invalid field format"),
    ("m 1000", "! unable to parse 'm 1000': invalid field format"),
    ("m v 1", "! unable to parse 'm v 1': invalid field format"),
    ("m v", "! unable to parse 'm v': invalid field format"),
    ("m =1 1", "! unable to parse 'm =1 1': missing field key"),
    ("m v= 1", "! unable to parse 'm v= 1': missing field value"),
    ("m v=", "! unable to parse 'm v=': missing field value"),
    ("m v=,w=1 1", "! unable to parse 'm v=,w=1 1': missing field value"),
    ("m v=1, 1", "! unable to parse 'm v=1, 1': invalid field format"),
    ("m v=1,", "! unable to parse 'm v=1,': invalid field format"),
    ("m v=1,,w=2 1", "! unable to parse 'm v=1,,w=2 1': invalid field format"),
    ("m ,v=1 1", "! unable to parse 'm ,v=1 1': invalid field format"),
    ("m v,w=1 1", "! unable to parse 'm v,w=1 1': invalid field format"),
    ("m v=1,w 1", "! unable to parse 'm v=1,w 1': invalid field format"),
    ("m v=1,=2 1", "! unable to parse 'm v=1,=2 1': missing field key"),
    ("m v==1 1", "! unable to parse 'm v==1 1': invalid boolean"),
    ("m v=1=2 1", "! unable to parse 'm v=1=2 1': invalid number"),
    ("m v=true=1 1", "! unable to parse 'm v=true=1 1': invalid boolean"),
    ("m v=1 w=2 1", "! unable to parse 'm v=1 w=2 1': bad timestamp"),
    ("m a,b=tru 1", "! unable to parse 'm a,b=tru 1': invalid boolean"),
    ("m a\\ b=1 1", "m a b=1 1"),
    ("m a\\,b=1 1", "m a,b=1 1"),
    ("m a\\=b=1 1", "m a=b=1 1"),
    ("m a\\b=1 1", "m a\\b=1 1"),
    ("m a\\\"b=1 1", "m a\"b=1 1"),
    ("m a\"b=1 1", "m a\"b=1 1"),
    ("m \"a\"=1 1", "m \"a\"=1 1"),
    ("m \"a b\"=1 1", "! unable to parse 'm \"a b\"=1 1': invalid field format"),
    ("m a\\\\b=1 1", "m a\\\\b=1 1"),
    ("m a\\\\ b=1 1", "! unable to parse 'm a\\\\ b=1 1': invalid field format"),
    ("m \\ =1 1", "m  =1 1"),
    ("m \\,=1 1", "m ,=1 1"),
    ("m v=1,\\,=2 1", "m ,=2,v=1 1"),
    ("m a\tb=1 1", "m a\tb=1 1"),
    ("m v=1\\ 1", "! unable to parse 'm v=1\\ 1': invalid number"),
    ("m v=1\\", "! unable to parse 'm v=1\\': invalid number"),
    ("m v=t\\,x 1", "! unable to parse 'm v=t\\,x 1': invalid boolean"),
    ("m \\=1 1", "! unable to parse 'm \\=1 1': invalid field format"),
    ("m v=1,v=2 1", "m v=2 1"),
    ("m time=5,v=1 1", "m v=1 1"),
    (
        "m time=5 1",
        "! partial write: invalid field name: input field \"time\" on measurement \"m\" is invalid dropped=1",
    ),
    ("m v=1,time=5 1", "m v=1 1"),
    ("m time=\"x\",v=1 1", "m v=1 1"),
    (
        "m time=1 1\nm v=2 2",
        "m v=2 2\n! partial write: invalid field name: input field \"time\" on measurement \"m\" is invalid dropped=1",
    ),
    (
        "m time=1 1\nm v= 2\nm v=3 3",
        "m v=3 3\n! partial write: invalid field name: input field \"time\" on measurement \"m\" is invalid dropped=1",
    ),
    ("m a\\=\\ b=1 1", "m a= b=1 1"),
    ("m v=1.5e5.5 1", "! unable to parse 'm v=1.5e5.5 1': invalid number"),
    ("m v=1..2 1", "! unable to parse 'm v=1..2 1': invalid number"),
    ("m v=-1.5,w=-0.0 1", "m v=-1.5,w=-0 1"),
    ("m  =1 1", "! unable to parse 'm  =1 1': missing field key"),
    ("m v=1, =1 1", "! unable to parse 'm v=1, =1 1': invalid field format"),
    ("m,a=1 \\=1 1", "! unable to parse 'm,a=1 \\=1 1': invalid field format"),
    ("m v=\"x\",w=\"y\\\"\" 1", "m v=\"x\",w=\"y\"\" 1"),
    ("m v=\"\\\\\\\\\" 1", "m v=\"\\\\\" 1"),
    ("m v=truetrue 1", "! unable to parse 'm v=truetrue 1': invalid boolean"),
    ("m v=\"a\",\"b\"=\"c\" 1", "m \"b\"=\"c\",v=\"a\" 1"),
    ("m v=1,w=\"=\",x=2 1", "m v=1,w=\"=\",x=2 1"),
    ("m v=\"a\\tb\" 1", "m v=\"a\\tb\" 1"),
    (
        "m\\ a,b\\ c=d\\ e,f\\,g=h f\\ g=1i,h=\"i j\" 5\nm\\ a,b\\ c=d\\ e,f\\,g=h f\\ g=2i,h=\"i j\" 6",
        "m a,b c=d e,f,g=h f g=1i,h=\"i j\" 5\nm a,b c=d e,f,g=h f g=2i,h=\"i j\" 6",
    ),
    (
        "m,a=b v=1 1\nm,a=b v=2 2\nm,a=c v=3 1\nm,a=b,c=d v=4 4",
        "m,a=b v=1 1\nm,a=b v=2 2\nm,a=b,c=d v=4 4\nm,a=c v=3 1",
    ),
    ("m,a=b v=1 1\nm,a=bc v=2 2\nm,a=b\\ c v=3 3", "m,a=b v=1 1\nm,a=b c v=3 3\nm,a=bc v=2 2"),
    (
        "m,a=1 v=1,w=2 1\nm,a=1 v=1,ww=2 2\nm,a=1 vv=1,w=2 3\nm,a=1 v=4,w=5 4",
        "m,a=1 v=1,w=2 1\nm,a=1 v=1,ww=2 2\nm,a=1 vv=1,w=2 3\nm,a=1 v=4,w=5 4",
    ),
    ("m v=1 0", "m v=1 0"),
    ("m v=1 -1", "m v=1 -1"),
    ("m v=1 -", "! unable to parse 'm v=1 -': strconv.ParseInt: parsing \"-\": invalid syntax"),
    ("m v=1 --1", "! unable to parse 'm v=1 --1': bad timestamp"),
    ("m v=1 +1", "! unable to parse 'm v=1 +1': bad timestamp"),
    ("m v=1 1.5", "! unable to parse 'm v=1 1.5': bad timestamp"),
    ("m v=1 1a", "! unable to parse 'm v=1 1a': bad timestamp"),
    ("m v=1 a", "! unable to parse 'm v=1 a': bad timestamp"),
    ("m v=1 1-", "! unable to parse 'm v=1 1-': bad timestamp"),
    ("m v=1 007", "m v=1 7"),
    ("m v=1 -0", "m v=1 0"),
    ("m v=1 1 ", "m v=1 1"),
    ("m v=1 1  ", "m v=1 1"),
    ("m v=1 1 2", "! unable to parse 'm v=1 1 2': point is invalid"),
    ("m v=1 1 x", "! unable to parse 'm v=1 1 x': point is invalid"),
    ("m v=1 1 #", "! unable to parse 'm v=1 1 #': point is invalid"),
    ("m v=1 1\t", "! unable to parse 'm v=1 1\t': bad timestamp"),
    ("m v=1 \t1", "m v=1 1"),
    ("m v=1 \u{0}1", "m v=1 1"),
    ("m \tv=1 1", "m v=1 1"),
    ("m \t v=1 1", "m v=1 1"),
    ("m v=1  1", "m v=1 1"),
    ("m  v=1 1", "m v=1 1"),
    ("m v=1 9223372036854775806", "m v=1 9223372036854775806"),
    (
        "m v=1 9223372036854775807",
        "! unable to parse 'm v=1 9223372036854775807': time outside range -9223372036854775806 - 9223372036854775806",
    ),
    (
        "m v=1 9223372036854775808",
        "! unable to parse 'm v=1 9223372036854775808': strconv.ParseInt: parsing \"9223372036854775808\": value out of range",
    ),
    ("m v=1 -9223372036854775806", "m v=1 -9223372036854775806"),
    (
        "m v=1 -9223372036854775807",
        "! unable to parse 'm v=1 -9223372036854775807': time outside range -9223372036854775806 - 9223372036854775806",
    ),
    (
        "m v=1 -9223372036854775808",
        "! unable to parse 'm v=1 -9223372036854775808': time outside range -9223372036854775806 - 9223372036854775806",
    ),
    (
        "m v=1 -9223372036854775809",
        "! unable to parse 'm v=1 -9223372036854775809': strconv.ParseInt: parsing \"-9223372036854775809\": value out of range",
    ),
    (
        "m v=1 99999999999999999999999",
        "! unable to parse 'm v=1 99999999999999999999999': strconv.ParseInt: parsing \"99999999999999999999999\": value out of range",
    ),
    ("m v=1 00000000000000000000000000001", "m v=1 1"),
    ("m v=1 \"", "! unable to parse 'm v=1 \"': bad timestamp"),
    ("m v=1 1\0", "! unable to parse 'm v=1 1\0': bad timestamp"),
    ("m v=1 1\0 ", "! unable to parse 'm v=1 1\0 ': bad timestamp"),
    ("", ""),
    ("\n", ""),
    ("\n\n", ""),
    ("# x", ""),
    ("#", ""),
    (" # x\nm v=1 1", "m v=1 1"),
    ("#a=\"b\nm v=1 1", "m v=1 1"),
    ("m v=1 1\n# c\nm v=2 2", "m v=1 1\nm v=2 2"),
    (
        "m v=1 1\r\nm v=2 2\r\n",
        "! unable to parse 'm v=1 1\r': bad timestamp\nunable to parse 'm v=2 2\r': bad timestamp",
    ),
    ("m v=1\r\n", "! unable to parse 'm v=1\r': invalid number"),
    ("m v=t\r\n", "! unable to parse 'm v=t\r': invalid boolean"),
    ("m v=\"x\" \r\n", "! unable to parse 'm v=\"x\" \r': bad timestamp"),
    ("\r\nm v=1 1", "m v=1 1\n! partial write: unable to parse '\r': missing fields dropped=0"),
    ("m v=1 1\n\r\n", "m v=1 1\n! partial write: unable to parse '\r': missing fields dropped=0"),
    ("  m v=1 1", "m v=1 1"),
    ("\tm v=1 1", "m v=1 1"),
    ("\0m v=1 1", "m v=1 1"),
    (" \t\0 m v=1 1", "m v=1 1"),
    ("  ", ""),
    ("\t", ""),
    ("m v=1 1\n\n\nm v=2 2", "m v=1 1\nm v=2 2"),
    ("m v=1 1\nbad\nm v=3 3", "m v=1 1\nm v=3 3\n! partial write: unable to parse 'bad': missing fields dropped=0"),
    (
        "bad\nm v=1 1\nbad,,",
        "m v=1 1\n! partial write: unable to parse 'bad': missing fields\nunable to parse 'bad,,': missing tag key dropped=0",
    ),
    ("m,a=b\\\nm v=1 1", "m,a=b\\\nm v=1 1"),
    ("m\\\nx v=1 1", "m\\\nx v=1 1"),
    ("m v=1\\\n 1", "! unable to parse 'm v=1\\\n 1': invalid number"),
    ("m v\\\n=1 1", "m v\\\n=1 1"),
    (" m=1,a=\"x v=1 1\nm v=2 2", "! unable to parse 'm=1,a=\"x v=1 1\nm v=2 2': point is invalid"),
    ("m v=1 \"\n5", "! unable to parse 'm v=1 \"\n5': bad timestamp"),
    ("m v=1 1\n \nm v=2 2", "m v=1 1\nm v=2 2"),
    ("m,a=b\nm v=1 1", "m v=1 1\n! partial write: unable to parse 'm,a=b': missing fields dropped=0"),
    ("m#x v=1 1", "m#x v=1 1"),
    ("m #v=1 1", "m #v=1 1"),
    ("m,a=# v=1 1", "m,a=# v=1 1"),
    ("m v=\"a\nb", "! unable to parse 'm v=\"a\nb': unbalanced quotes"),
    ("m v=\"a\nm v=2 2\nm v=3 3", "! unable to parse 'm v=\"a\nm v=2 2\nm v=3 3': unbalanced quotes"),
    ("m v=1 1\\\nm v=2 2", "! unable to parse 'm v=1 1\\\nm v=2 2': bad timestamp"),
    ("m,a=b\0c v=1 1", "m,a=b\0c v=1 1"),
    ("m,a=b\u{1} v=\"\0\" 1", "m,a=b\u{1} v=\"\0\" 1"),
];

const PRECISION_CASES: &[(&str, &str, &str)] = &[
    ("m v=1 5", "s", "m v=1 5000000000"),
    (
        "m v=1 9223372036854775",
        "s",
        "! unable to parse 'm v=1 9223372036854775': time outside range -9223372036854775806 - 9223372036854775806",
    ),
    ("m v=1 9223372036", "s", "m v=1 9223372036000000000"),
    (
        "m v=1 9223372037",
        "s",
        "! unable to parse 'm v=1 9223372037': time outside range -9223372036854775806 - 9223372036854775806",
    ),
    ("m v=1 -9223372036", "s", "m v=1 -9223372036000000000"),
    (
        "m v=1 -9223372037",
        "s",
        "! unable to parse 'm v=1 -9223372037': time outside range -9223372036854775806 - 9223372036854775806",
    ),
    ("m v=1 5", "u", "m v=1 5000"),
    ("m v=1 5", "ms", "m v=1 5000000"),
    ("m v=1 5", "m", "m v=1 300000000000"),
    ("m v=1 5", "h", "m v=1 18000000000000"),
    ("m v=1 2562047", "h", "m v=1 9223369200000000000"),
    (
        "m v=1 2562048",
        "h",
        "! unable to parse 'm v=1 2562048': time outside range -9223372036854775806 - 9223372036854775806",
    ),
    (
        "m v=1 -9223372036854775808",
        "s",
        "! unable to parse 'm v=1 -9223372036854775808': time outside range -9223372036854775806 - 9223372036854775806",
    ),
    (
        "m v=1 9223372036854775807",
        "s",
        "! unable to parse 'm v=1 9223372036854775807': time outside range -9223372036854775806 - 9223372036854775806",
    ),
];
