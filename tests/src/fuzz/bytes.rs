//! Readers that are functions: of files, of streams, of texts.

use bytes::Bytes;
use isopoint_core::codec::checksum::crc32c;
use isopoint_core::codec::{boolean, float, integer, string, times, unsigned};
use isopoint_core::dialect::datadog::dogstatsd::Gathered;
use isopoint_core::dialect::form as forms;
use isopoint_core::dialect::influx::line_protocol::{Precision, parse};
use isopoint_core::dialect::influx::params::Params;
use isopoint_core::dialect::influx::parse::parse_query;
use isopoint_core::limits::Limits;
use isopoint_core::model::{Column, Strings, WriteBatch};
use isopoint_core::number;
use isopoint_core::pattern::{Glob, Regex};
use isopoint_core::store::block::{BlockReader, FileSlice};
use isopoint_core::store::blockfile::{FileIndex, Footer};
use isopoint_core::store::log::{self, Read};
use isopoint_core::store::manifest::Manifest;
use isopoint_core::store::wal as log_of_writes;
use isopoint_core::sync::client::Replica;
use isopoint_core::sync::wire;
use isopoint_core::time::Timestamp;
use isopoint_core::value::canonical;

/// Values that a codec is asked for at most: a few vectors.
const MOST_VALUES: usize = 3000;

/// The first two bytes say how many values the rest has.
fn counted(data: &[u8]) -> Option<(usize, &[u8])> {
    let (count, bytes) = data.split_first_chunk::<2>()?;
    Some((usize::from(u16::from_le_bytes(*count)) % (MOST_VALUES + 1), bytes))
}

/// A codec under test: bytes that decode hold what they are said to, and values come back as they went.
fn codec<T: Clone, B: PartialEq + std::fmt::Debug>(
    data: &[u8],
    decode: impl Fn(&[u8], usize, &mut Vec<T>) -> bool,
    encode: impl Fn(&[T], &mut Vec<u8>),
    bits: impl Fn(&T) -> B,
    values: &[T],
) {
    let there_and_back = |values: &[T]| {
        let (mut bytes, mut back) = (Vec::new(), Vec::new());
        encode(values, &mut bytes);
        assert!(decode(&bytes, values.len(), &mut back), "what was encoded decodes");
        assert!(back.iter().map(&bits).eq(values.iter().map(&bits)), "values come back");
    };
    if let Some((count, bytes)) = counted(data) {
        let mut found = Vec::new();
        if decode(bytes, count, &mut found) {
            assert_eq!(found.len(), count);
            there_and_back(&found);
        }
    }
    there_and_back(values);
}

fn words(data: &[u8]) -> impl Iterator<Item = u64> {
    let (words, _) = data.as_chunks::<8>();
    words.iter().map(|word| u64::from_le_bytes(*word))
}

pub(super) fn codec_float(data: &[u8]) {
    let values: Vec<f64> = words(data).map(f64::from_bits).collect();
    let decode = |bytes: &[u8], count, out: &mut Vec<f64>| float::decode(bytes, count, out).is_ok();
    codec(data, decode, float::encode, |value| canonical(*value).to_bits(), &values);
}

pub(super) fn codec_integer(data: &[u8]) {
    let values: Vec<i64> = words(data).map(|word| word as i64).collect();
    let decode = |bytes: &[u8], count, out: &mut Vec<i64>| integer::decode(bytes, count, out).is_ok();
    codec(data, decode, integer::encode, |value| *value, &values);
}

pub(super) fn codec_unsigned(data: &[u8]) {
    let values: Vec<u64> = words(data).collect();
    let decode = |bytes: &[u8], count, out: &mut Vec<u64>| unsigned::decode(bytes, count, out).is_ok();
    codec(data, decode, unsigned::encode, |value| *value, &values);
}

pub(super) fn codec_boolean(data: &[u8]) {
    let values: Vec<bool> = data.iter().map(|byte| byte & 1 == 1).collect();
    let decode = |bytes: &[u8], count, out: &mut Vec<bool>| boolean::decode(bytes, count, out).is_ok();
    codec(data, decode, boolean::encode, |value| *value, &values);
}

/// Times ascend strictly; an encoder is given no others.
pub(super) fn codec_times(data: &[u8]) {
    let mut values: Vec<i64> = words(data).map(|word| word as i64).collect();
    values.sort_unstable();
    values.dedup();
    let decode = |bytes: &[u8], count, out: &mut Vec<i64>| {
        let good = count > 0 && times::decode(bytes, count, out).is_ok();
        assert!(!good || out.is_sorted_by(|a, b| a < b), "times ascend");
        good
    };
    if values.is_empty() {
        values.push(0);
    }
    codec(data, decode, times::encode, |value| *value, &values);
}

pub(super) fn codec_string(data: &[u8]) {
    let there_and_back = |values: &Strings| {
        let (mut bytes, mut back) = (Vec::new(), Strings::default());
        string::encode(values, &mut bytes);
        string::decode(&bytes, values.len(), &mut back).expect("what was encoded decodes");
        assert!(back.iter().eq(values.iter()), "texts come back");
    };
    if let Some((count, bytes)) = counted(data) {
        let mut found = Strings::default();
        if string::decode(bytes, count, &mut found).is_ok() {
            assert_eq!(found.len(), count);
            there_and_back(&found);
        }
    }
    let mut values = Strings::default();
    String::from_utf8_lossy(data).split(' ').for_each(|text| values.push(text));
    there_and_back(&values);
}

/// A whole file. Its checksums are put right, else no change would come past them.
pub(super) fn block_file(data: &[u8]) {
    let file = Bytes::from(with_checksums(data));
    let Ok(index) = FileIndex::open(&file) else { return };
    let mut keys = index.series_keys();
    while let Ok(Some((slot, key))) = keys.next() {
        if index.find(key) != Ok(Some(slot)) {
            // Keys that do not ascend, or come twice.
            return;
        }
        let Ok(mut blocks) = index.blocks(slot) else { return };
        while let Some(Ok(entry)) = blocks.next() {
            let Ok(reader) = BlockReader::new(&entry, FileSlice { offset: 0, bytes: &file }) else { continue };
            let mut times = Vec::new();
            if reader.times(&mut times).is_ok() {
                assert_eq!(times.len(), entry.rows as usize);
            }
            for column in &entry.columns {
                let mut values = Column::new(column.field_type);
                if reader.column(column, &mut values).is_ok() {
                    assert_eq!(values.len(), entry.rows as usize);
                }
            }
        }
    }
}

/// Puts the checksums of index and footer right, and where the index lies.
fn with_checksums(data: &[u8]) -> Vec<u8> {
    let mut file = data.to_vec();
    let Some(base) = file.len().checked_sub(Footer::LEN).filter(|base| *base >= 8) else { return file };
    let (body, footer) = file.split_at_mut(base);
    let claimed = u64::from_le_bytes(footer[..8].try_into().expect("eight bytes"));
    let offset = (claimed as usize).clamp(8, base);
    footer[..8].copy_from_slice(&(offset as u64).to_le_bytes());
    footer[8..12].copy_from_slice(&((base - offset) as u32).to_le_bytes());
    footer[12..16].copy_from_slice(&crc32c(&body[offset..]).to_le_bytes());
    let checksum = crc32c(&footer[..72]);
    footer[72..76].copy_from_slice(&checksum.to_le_bytes());
    file
}

/// The payload of a record after its kind; and the bytes as a segment, from the first frame on.
pub(super) fn wal(data: &[u8]) {
    let mut at = 0;
    while let Read::Frame { next, .. } = log::read_frame(data, at) {
        assert!(next > at);
        at = next;
    }
    let Some((kind, payload)) = data.split_first() else { return };
    if let Ok(log_of_writes::Record::Batch { batch, .. }) = log_of_writes::decode_record(*kind, payload) {
        logged(&batch);
    }
}

/// A batch comes out of the log as it went in.
fn logged(batch: &WriteBatch) {
    let (mut bytes, mut again) = (Vec::new(), Vec::new());
    log_of_writes::encode_batch(batch, &mut bytes);
    let mut back = WriteBatch::new();
    log_of_writes::decode_batch(&bytes, &mut back).expect("what was encoded decodes");
    assert_eq!(back.len(), batch.len());
    log_of_writes::encode_batch(&back, &mut again);
    assert_eq!(again, bytes, "the same batch has the same bytes");
}

/// One edit, its kind first, in a frame that is sound.
pub(super) fn manifest(data: &[u8]) {
    let Some((kind, payload)) = data.split_first() else { return };
    let mut file = Vec::new();
    log::write_header(*b"ISOPMAN1", 1, &mut file);
    log::write_frame(*kind, &mut file, |out| out.extend_from_slice(payload));
    if let Ok(manifest) = Manifest::read(1, &file) {
        assert_eq!(manifest.good_len(), file.len() as u64);
    }
}

/// What a page reads of a server, as one piece.
pub(super) fn sync_tail(data: &[u8]) {
    let mut rest = data;
    while let Ok(Some((_, used))) = wire::read_frame(rest) {
        assert!(used > 0 && used <= rest.len());
        rest = &rest[used..];
    }
    let mut replica = Replica::new("d");
    if replica.tail(data).is_ok() {
        let wanted = replica.wants();
        let _ = replica.give(wanted.iter().map(|_| Bytes::from_static(b"no file")).collect());
        drop(replica.database());
    }
}

pub(super) fn sync_manifest(data: &[u8]) {
    if let Ok(manifest) = wire::Manifest::decode(data) {
        let mut bytes = Vec::new();
        manifest.encode(&mut bytes);
        let again = wire::Manifest::decode(&bytes).expect("what was written can be read");
        assert_eq!(again.to_json(), manifest.to_json());
    }
}

pub(super) fn line_protocol(data: &[u8]) {
    let mut batch = WriteBatch::new();
    let outcome = parse(data, Precision::Nanos, Timestamp::EPOCH, &mut batch);
    assert_eq!(outcome.points, batch.len());
    assert_eq!(outcome.error(None).is_some(), outcome.failed + outcome.refused > 0);
    logged(&batch);
}

pub(super) fn dogstatsd(data: &[u8]) {
    let mut gathered = Gathered::default();
    gathered.take(data);
    if let Some(flush) = gathered.flush(Timestamp::EPOCH, 10, 1) {
        logged(&flush.into_batch());
    }
}

/// Pairs, a part of a path, and a body in parts.
pub(super) fn form(data: &[u8]) {
    for (name, value) in forms::pairs(data) {
        assert!(name.len() + value.len() <= 3 * data.len());
    }
    let text = String::from_utf8_lossy(data);
    let _ = forms::path_part(&text);
    for part in forms::multipart("multipart/form-data; boundary=x", data) {
        assert!(part.content.len() <= data.len());
    }
}

/// Statements printed are the statements that were read.
pub(super) fn influxql_print(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let read = |text: &str| parse_query(text, &Params::default(), &Limits::default()).ok();
    for statement in read(text).into_iter().flatten() {
        let printed = statement.to_source();
        let again = read(&printed).unwrap_or_else(|| panic!("what was printed is read: {printed}"));
        let [again] = &again[..] else { panic!("one statement is one: {printed}") };
        assert_eq!(again.to_source(), printed);
    }
}

/// Against the standard library's reader, which takes more forms.
pub(super) fn number(data: &[u8]) {
    let text = std::str::from_utf8(data).unwrap_or_default();
    if let Some(value) = number::parse_f64(data) {
        assert_eq!(text.parse::<f64>().map(f64::to_bits), Ok(value.to_bits()), "{text}");
        let mut printed = Vec::new();
        number::write_plain_float(value, &mut printed);
        assert_eq!(number::parse_f64(&printed).map(f64::to_bits), Some(value.to_bits()), "{text}");
    }
    if let Some(value) = number::parse_i64(data) {
        assert_eq!(text.parse::<i64>(), Ok(value), "{text}");
    }
}

/// A pattern, a line feed, a text. An expression against another engine where both take it.
pub(super) fn pattern(data: &[u8]) {
    let Ok(input) = std::str::from_utf8(data) else { return };
    let (pattern, text) = input.split_once('\n').unwrap_or((input, ""));
    for glob in [Glob::new(pattern), Glob::new_simple(pattern)] {
        assert!(!glob.is_malformed() || !glob.is_match(text));
    }
    let caseless = Regex::new_caseless(pattern).map(|regex| regex.is_match(text));
    let Ok(regex) = Regex::new(pattern) else { return assert!(caseless.is_err()) };
    let found = regex.is_match(text);
    assert!(caseless.is_ok_and(|caseless| caseless || !found || pattern.contains("[^")));
    // Go takes a count with a zero before it or a space in it for text, and `\\<` for a sign.
    let foreign = ["{0", ",0", "\\<", "\\>", "\\b{"].iter().any(|form| pattern.contains(form))
        || (pattern.contains('{') && pattern.contains(char::is_whitespace));
    if !foreign && let Ok(other) = regex_lite::Regex::new(pattern) {
        assert_eq!(found, other.is_match(text), "{pattern} {text}");
    }
}
