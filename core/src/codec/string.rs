//! Texts.
//!
//! | encoding | id | then |
//! |---|---|---|
//! | plain | 0 | [`vector`]s of the lengths, then the texts end to end |
//! | dictionary | 1 | varint n, the n distinct texts as plain with a varint of their total length before the text, then [`vector`]s of the places in that list |
//! | LZ4 | 2 | varint raw length, then for every 60 KiB of a plain or dictionary encoding with its id: varint length, LZ4 block |
//!
//! The distinct texts are in order of first appearance; a dictionary is written when at most half of the texts are
//! distinct, LZ4 for 64 bytes and more when it saves an eighth. The pieces are that short because the compressor's table
//! for longer inputs hashes machine words, so its output would differ between a 32-bit and a 64-bit machine.

use lz4_flex::block::CompressTable;

use super::bits::VECTOR;
use super::varint::{self, Reader};
use super::{DecodeError, MAX_TEXT, vector};
use crate::hash::Map;
use crate::model::Strings;

const PLAIN: u8 = 0;
const DICTIONARY: u8 = 1;
const LZ4: u8 = 2;

const LZ4_FROM: usize = 64;
const LZ4_PIECE: usize = 60 << 10;

/// Appends `values`, at most [`MAX_TEXT`] bytes of text.
pub fn encode(values: &Strings, out: &mut Vec<u8>) {
    let mut raw = Vec::with_capacity(values.text_len() + values.len() + 16);
    encode_dictionary(values, &mut raw).unwrap_or_else(|| encode_plain(values, &mut raw));
    let start = out.len();
    if raw.len() >= LZ4_FROM {
        compress(&raw, out);
        let packed_len = out.len() - start;
        if packed_len + packed_len / 8 < raw.len() {
            return;
        }
        out.truncate(start);
    }
    out.append(&mut raw);
}

/// Appends `count` texts.
pub fn decode(bytes: &[u8], count: usize, out: &mut Strings) -> Result<(), DecodeError> {
    let mut reader = Reader::new(bytes);
    if bytes.first() != Some(&LZ4) {
        return decode_raw(&mut reader, count, out);
    }
    let raw = decompress(&mut reader, MAX_TEXT + 16 * count + 64)?;
    if raw.first() == Some(&LZ4) {
        return Err(reader.error("LZ4 inside LZ4"));
    }
    decode_raw(&mut Reader::new(&raw), count, out)
}

fn compress(raw: &[u8], out: &mut Vec<u8>) {
    let mut table = CompressTable::small();
    let mut packed = vec![0; lz4_flex::block::get_maximum_output_size(raw.len().min(LZ4_PIECE))];
    out.push(LZ4);
    varint::write(raw.len() as u64, out);
    for piece in raw.chunks(LZ4_PIECE) {
        let len = lz4_flex::block::compress_into_with_table(piece, &mut packed, &mut table)
            .expect("the buffer has the maximal output size");
        varint::write_bytes(&packed[..len], out);
    }
}

/// What [`compress`] wrote; nothing is allocated for a raw length above `most` or above what LZ4 can reach.
fn decompress(reader: &mut Reader<'_>, most: usize) -> Result<Vec<u8>, DecodeError> {
    reader.byte("encoding missing")?;
    // LZ4 expands at most 255 times.
    let raw_len = reader.length(most.min(reader.remaining().saturating_mul(255)), "implausible raw length")?;
    let mut raw = vec![0; raw_len];
    for piece in raw.chunks_mut(LZ4_PIECE) {
        let before = reader.clone();
        let packed = reader.bytes("LZ4 block missing")?;
        if lz4_flex::block::decompress_into(packed, piece).ok() != Some(piece.len()) {
            return Err(before.error("broken LZ4 block"));
        }
    }
    reader.finish()?;
    Ok(raw)
}

fn encode_plain(values: &Strings, out: &mut Vec<u8>) {
    out.push(PLAIN);
    vector::encode_all((0..values.len()).map(|row| values.get(row).len() as u64), out);
    values.iter().for_each(|text| out.extend_from_slice(text.as_bytes()));
}

/// `None`, and nothing appended, when most texts are distinct.
fn encode_dictionary(values: &Strings, out: &mut Vec<u8>) -> Option<()> {
    let mut places = Map::default();
    let mut distinct = Vec::new();
    let mut codes = Vec::with_capacity(values.len());
    for text in values.iter() {
        let code = *places.entry(text).or_insert_with(|| {
            distinct.push(text);
            distinct.len() as u64 - 1
        });
        if distinct.len() * 2 > values.len() {
            return None;
        }
        codes.push(code);
    }
    out.push(DICTIONARY);
    varint::write(distinct.len() as u64, out);
    vector::encode_all(distinct.iter().map(|text| text.len() as u64), out);
    varint::write(distinct.iter().map(|text| text.len() as u64).sum(), out);
    distinct.iter().for_each(|text| out.extend_from_slice(text.as_bytes()));
    vector::encode_all(codes.into_iter(), out);
    Some(())
}

fn decode_raw(reader: &mut Reader<'_>, count: usize, out: &mut Strings) -> Result<(), DecodeError> {
    match reader.byte("encoding missing")? {
        PLAIN => {
            let lengths = read_numbers(reader, count)?;
            let start = reader.offset();
            let text = read_utf8(reader.rest(), start)?;
            each_text(text, &lengths, start, |text| out.push(text))
        }
        DICTIONARY => {
            let distinct_count = reader.length(count, "too many distinct texts")?;
            let lengths = read_numbers(reader, distinct_count)?;
            let text_len = reader.length(reader.remaining(), "text cut short")?;
            let start = reader.offset();
            let text = read_utf8(reader.take(text_len, "text cut short")?, start)?;
            let mut distinct = Vec::with_capacity(distinct_count);
            each_text(text, &lengths, start, |text| distinct.push(text))?;
            let mut left = MAX_TEXT;
            for code in read_numbers(reader, count)? {
                let text: Option<&&str> = usize::try_from(code).ok().and_then(|code| distinct.get(code));
                let text = text.ok_or_else(|| reader.error("text outside the dictionary"))?;
                left = left.checked_sub(text.len()).ok_or_else(|| reader.error("too much text"))?;
                out.push(text);
            }
            reader.finish()
        }
        _ => Err(DecodeError { what: "unknown string encoding", offset: 0 }),
    }
}

fn read_numbers(reader: &mut Reader<'_>, count: usize) -> Result<Vec<u64>, DecodeError> {
    let mut numbers = Vec::with_capacity(count.next_multiple_of(VECTOR));
    vector::decode_all(reader, count, &mut |vector| numbers.extend_from_slice(vector))?;
    Ok(numbers)
}

fn read_utf8(bytes: &[u8], start: usize) -> Result<&str, DecodeError> {
    std::str::from_utf8(bytes)
        .map_err(|error| DecodeError { what: "text is not UTF-8", offset: (start + error.valid_up_to()) as u64 })
}

/// Cuts `text` into pieces of `lengths`, which must use it up.
fn each_text<'a>(
    mut text: &'a str,
    lengths: &[u64],
    start: usize,
    mut each: impl FnMut(&'a str),
) -> Result<(), DecodeError> {
    let wrong = DecodeError { what: "lengths do not fit the text", offset: start as u64 };
    for len in lengths {
        let len = usize::try_from(*len).map_err(|_| wrong)?;
        let (one, rest) = text.split_at_checked(len).ok_or(wrong)?;
        each(one);
        text = rest;
    }
    if text.is_empty() { Ok(()) } else { Err(wrong) }
}
