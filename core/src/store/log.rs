//! What a log file is made of: a header and frames. The WAL and the manifest are both logs.
//!
//! ```text
//! header   0  8  magic: "ISOPWAL1" or "ISOPMAN1"
//!          8  8  the file's number, little-endian, as in its name
//!         16  4  CRC-32C of bytes 0..16
//! frame    0  4  length n of the payload, little-endian
//!          4  4  CRC-32C of bytes 8..9+n
//!          8  1  kind
//!          9  n  payload
//! ```
//!
//! A frame is there whole or not at all: a reader stops at the first that is cut short or fails its checksum.

use crate::codec::checksum::{crc32c, crc32c_append};

pub const HEADER_LEN: usize = 20;
const FRAME_OVERHEAD: usize = 9;

pub type Magic = [u8; 8];

pub fn write_header(magic: Magic, number: u64, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend(magic);
    out.extend(number.to_le_bytes());
    let crc = crc32c(&out[start..]);
    out.extend(crc.to_le_bytes());
}

/// Whether the bytes begin with this very header.
pub fn has_header(magic: Magic, number: u64, bytes: &[u8]) -> bool {
    let mut header = Vec::with_capacity(HEADER_LEN);
    write_header(magic, number, &mut header);
    bytes.starts_with(&header)
}

/// Appends a frame whose payload `write` appends.
pub fn write_frame(kind: u8, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend([0; 8]);
    out.push(kind);
    write(out);
    let frame = &mut out[start..];
    let len = u32::try_from(frame.len() - FRAME_OVERHEAD).expect("a batch's names, texts and cells stay below 4 GiB");
    let crc = crc32c(&frame[8..]);
    frame[..4].copy_from_slice(&len.to_le_bytes());
    frame[4..8].copy_from_slice(&crc.to_le_bytes());
}

/// What lies at a place in a log.
#[derive(Debug, PartialEq, Eq)]
pub enum Read<'a> {
    Frame {
        kind: u8,
        payload: &'a [u8],
        next: usize,
    },
    /// The log ends here, cleanly.
    End,
    /// No whole frame: a torn tail when nothing follows, damage otherwise.
    Bad(&'static str),
}

pub fn read_frame(bytes: &[u8], at: usize) -> Read<'_> {
    let rest = bytes.get(at..).unwrap_or_default();
    if rest.is_empty() {
        return Read::End;
    }
    let Some((head, body)) = rest.split_first_chunk::<8>() else {
        return Read::Bad("a frame's head is cut short");
    };
    let [l0, l1, l2, l3, c0, c1, c2, c3] = *head;
    let len = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
    let Some((kind, body)) = body.split_first() else {
        return Read::Bad("a frame's head is cut short");
    };
    let Some(payload) = body.get(..len) else {
        return Read::Bad("a frame is cut short");
    };
    if crc32c_append(crc32c(&[*kind]), payload) != u32::from_le_bytes([c0, c1, c2, c3]) {
        return Read::Bad("a frame fails its checksum");
    }
    Read::Frame { kind: *kind, payload, next: at + FRAME_OVERHEAD + len }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_whole_or_bad() {
        let mut log = Vec::new();
        write_header(*b"ISOPWAL1", 7, &mut log);
        assert!(has_header(*b"ISOPWAL1", 7, &log) && !has_header(*b"ISOPWAL1", 8, &log));
        write_frame(3, &mut log, |out| out.extend(b"payload"));
        let Read::Frame { kind: 3, payload: b"payload", next } = read_frame(&log, HEADER_LEN) else {
            panic!("the frame does not come back")
        };
        assert_eq!(read_frame(&log, next), Read::End);
        for len in HEADER_LEN + 1..log.len() {
            assert!(matches!(read_frame(&log[..len], HEADER_LEN), Read::Bad(_)), "cut at {len}");
        }
        for at in HEADER_LEN..log.len() {
            let mut flipped = log.clone();
            flipped[at] ^= 0x10;
            assert!(matches!(read_frame(&flipped, HEADER_LEN), Read::Bad(_)), "flipped at {at}");
        }
        assert!(matches!(read_frame(&[0; 64], 0), Read::Bad(_)), "zeroes are no frame");
    }
}
