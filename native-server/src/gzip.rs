//! Packed bodies: gzip in and out, and what Datadog's Agent and clients send besides.

use crate::drive::{AnswerBody, Piece};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::HeaderMap;
use hyper::header;
use std::io::{Read as _, Write as _};
use tokio::sync::mpsc;

/// The most an unpacked body may be, whatever the body limit (which InfluxDB measures packed): a gzip bomb ends here.
pub(crate) const LARGEST_BODY: u64 = 256 << 20;

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    TooLarge,
    /// In InfluxDB's words.
    Broken(&'static str),
}

/// As InfluxDB: the text `gzip` anywhere in Accept-Encoding.
pub(crate) fn accepted(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT_ENCODING)
        .is_some_and(|value| value.as_bytes().windows(4).any(|window| window == b"gzip"))
}

pub(crate) fn unpack(packed: &[u8], limit: u64) -> Result<Vec<u8>, Refusal> {
    if packed.len() < 10 {
        return Err(Refusal::Broken(if packed.is_empty() { "EOF" } else { "unexpected EOF" }));
    }
    if packed[..2] != [0x1f, 0x8b] {
        return Err(Refusal::Broken("gzip: invalid header"));
    }
    let mut plain = Vec::new();
    let mut decoder = flate2::read::MultiGzDecoder::new(packed).take(limit.saturating_add(1));
    match decoder.read_to_end(&mut plain) {
        Ok(_) if plain.len() as u64 > limit => Err(Refusal::TooLarge),
        Ok(_) => Ok(plain),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Err(Refusal::Broken("unexpected EOF")),
        Err(_) => Err(Refusal::Broken("gzip: invalid checksum")),
    }
}

/// Undoes a content encoding that is known: `deflate` (with zlib's frame or without), `gzip`, `zstd`; `None` for another.
pub(crate) fn unpack_as(encoding: &str, packed: &[u8], limit: u64) -> Option<Result<Vec<u8>, Refusal>> {
    Some(match encoding {
        "gzip" => unpack(packed, limit),
        "deflate" => match read_all(flate2::read::ZlibDecoder::new(packed), limit) {
            Err(Refusal::Broken(_)) => read_all(flate2::read::DeflateDecoder::new(packed), limit),
            whole => whole,
        },
        // The name that the Agent's first such version had.
        "zstd" | "zstd1" => match zstd::stream::read::Decoder::new(packed) {
            Ok(decoder) => read_all(decoder, limit),
            Err(_) => Err(Refusal::Broken("zstd: invalid header")),
        },
        _ => return None,
    })
}

fn read_all(decoder: impl std::io::Read, limit: u64) -> Result<Vec<u8>, Refusal> {
    let mut plain = Vec::new();
    match decoder.take(limit.saturating_add(1)).read_to_end(&mut plain) {
        Ok(_) if plain.len() as u64 > limit => Err(Refusal::TooLarge),
        Ok(_) => Ok(plain),
        Err(_) => Err(Refusal::Broken("the body does not unpack")),
    }
}

/// Packs a whole body at once, others as they come: each piece is flushed, so that a chunked answer arrives chunk by
/// chunk.
pub(crate) fn pack(body: AnswerBody) -> AnswerBody {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let mut plain = match body {
        AnswerBody::Whole(whole) => {
            encoder.write_all(&whole).expect("memory takes all");
            return AnswerBody::Whole(encoder.finish().expect("memory takes all").into());
        }
        AnswerBody::Pieces(pieces) => pieces,
    };
    let (sender, packed) = mpsc::channel(4);
    tokio::spawn(async move {
        while let Some(piece) = plain.recv().await {
            let Piece::Bytes(chunk) = piece else {
                let rest = encoder.finish().expect("memory takes all");
                let _ = sender.send(Piece::Bytes(rest.into())).await;
                let _ = sender.send(Piece::End).await;
                return;
            };
            encoder.write_all(&chunk).and_then(|()| encoder.flush()).expect("memory takes all");
            let bytes = std::mem::take(encoder.get_mut());
            if sender.send(Piece::Bytes(Bytes::from(bytes))).await.is_err() {
                return;
            }
        }
    });
    AnswerBody::Pieces(packed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn every_known_packing_is_undone() {
        let text = b"hello hello hello hello hello".repeat(10);
        let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), Compression::best());
        zlib.write_all(&text).unwrap();
        let mut raw = flate2::write::DeflateEncoder::new(Vec::new(), Compression::best());
        raw.write_all(&text).unwrap();
        let packed = [
            ("gzip", gzip(&text)),
            ("deflate", zlib.finish().unwrap()),
            ("deflate", raw.finish().unwrap()),
            ("zstd", zstd::encode_all(&*text, 3).unwrap()),
        ];
        for (encoding, packed) in packed {
            assert_eq!(unpack_as(encoding, &packed, 1 << 20), Some(Ok(text.clone())), "{encoding}");
            assert_eq!(unpack_as(encoding, &packed, 10), Some(Err(Refusal::TooLarge)), "{encoding}");
            assert!(matches!(unpack_as(encoding, b"rubbish!", 99), Some(Err(Refusal::Broken(_)))), "{encoding}");
        }
        assert_eq!(unpack_as("br", b"", 9), None);
    }

    #[test]
    fn bombs_and_rubbish_are_refused() {
        let packed = gzip(&vec![b'x'; 1 << 20]);
        assert_eq!(unpack(&packed, 1 << 20).unwrap().len(), 1 << 20);
        assert_eq!(unpack(&packed, (1 << 20) - 1), Err(Refusal::TooLarge));
        assert_eq!(unpack(b"", 9), Err(Refusal::Broken("EOF")));
        assert_eq!(unpack(b"not gzip at all", 9), Err(Refusal::Broken("gzip: invalid header")));
        assert_eq!(unpack(&packed[..packed.len() - 9], 1 << 30), Err(Refusal::Broken("unexpected EOF")));
    }
}
