//! `X-Answer-Hash`: what an answer's bytes come to, so that a page that computed the same answer can show that it did.
//!
//! The value is `sha-256=` and the hash in hex, of the body before any content encoding: `curl … | sha256sum` gives the
//! same. A short answer is whole before its head is sent, and carries the hash as a header. A long one streams, and
//! carries it as a trailer for clients that take trailers (`TE: trailers`); a page hashes what it got.

use crate::drive::{AnswerBody, Piece};
use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};
use sha2::{Digest as _, Sha256};
use tokio::sync::{mpsc, oneshot};

pub(crate) const NAME: HeaderName = HeaderName::from_static("x-answer-hash");

/// Bytes that an answer is held back for, to be whole before its head goes.
const HELD: usize = 64 << 10;
/// Chunks between the hash and a slow client.
const AHEAD: usize = 4;

/// An answer's chunks, and its hash as soon as that is known.
pub(crate) struct Hashed {
    pub body: AnswerBody,
    pub hash: Hash,
}

pub(crate) enum Hash {
    /// The whole answer was short.
    Known(HeaderValue),
    /// Comes when the last chunk has gone.
    Due(oneshot::Receiver<HeaderMap>),
}

/// Of a whole body.
pub(crate) fn of(body: &[u8]) -> HeaderValue {
    value(Sha256::new_with_prefix(body))
}

/// Reads until the answer ends or is long.
pub(crate) async fn hashed(body: AnswerBody) -> Hashed {
    let mut pieces = match body {
        AnswerBody::Whole(whole) => return Hashed { hash: Hash::Known(of(&whole)), body: AnswerBody::Whole(whole) },
        AnswerBody::Pieces(pieces) => pieces,
    };
    let (mut held, mut bytes) = (Vec::new(), 0);
    let mut hash = Sha256::new();
    while bytes <= HELD {
        match pieces.recv().await {
            Some(Piece::Bytes(chunk)) => {
                bytes += chunk.len();
                hash.update(&chunk);
                held.push(chunk);
            }
            Some(Piece::End) => {
                let whole = if held.len() == 1 { held.remove(0) } else { held.concat().into() };
                return Hashed { body: AnswerBody::Whole(whole), hash: Hash::Known(value(hash)) };
            }
            // Cut off: what there is goes on its way, and ends the same way.
            None => break,
        }
    }
    let (sender, passed) = mpsc::channel(AHEAD);
    let (told, due) = oneshot::channel();
    tokio::spawn(async move {
        for chunk in held {
            if sender.send(Piece::Bytes(chunk)).await.is_err() {
                return;
            }
        }
        while let Some(piece) = pieces.recv().await {
            let is_end = match &piece {
                Piece::Bytes(chunk) => {
                    hash.update(chunk);
                    false
                }
                Piece::End => true,
            };
            if is_end {
                // Said before the end is, so that whoever sees that finds it.
                let _ = told.send(HeaderMap::from_iter([(NAME, value(hash))]));
                let _ = sender.send(piece).await;
                return;
            }
            if sender.send(piece).await.is_err() {
                return;
            }
        }
    });
    Hashed { body: AnswerBody::Pieces(passed), hash: Hash::Due(due) }
}

fn value(hash: Sha256) -> HeaderValue {
    let mut text = String::from("sha-256=");
    for byte in hash.finalize() {
        text.push(char::from_digit(u32::from(byte >> 4), 16).unwrap_or('0'));
        text.push(char::from_digit(u32::from(byte & 15), 16).unwrap_or('0'));
    }
    HeaderValue::from_str(&text).expect("letters, digits and signs of ASCII")
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    /// Of `abc`, from FIPS 180-2.
    const ABC: &str = "sha-256=ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    async fn sent(parts: Vec<Bytes>, ends: bool) -> (Option<Bytes>, Hash) {
        let (sender, pieces) = mpsc::channel(1);
        tokio::spawn(async move {
            for part in parts {
                sender.send(Piece::Bytes(part)).await.unwrap();
            }
            if ends {
                sender.send(Piece::End).await.unwrap();
            }
        });
        let Hashed { body, hash } = hashed(AnswerBody::Pieces(pieces)).await;
        (body.collect().await, hash)
    }

    #[tokio::test]
    async fn a_short_answer_is_known_at_once() {
        let (whole, hash) = sent(vec![Bytes::from_static(b"a"), Bytes::from_static(b"bc")], true).await;
        assert_eq!(whole.unwrap(), b"abc"[..]);
        assert!(matches!(hash, Hash::Known(hash) if hash == ABC));
        assert_eq!(of(b"abc"), ABC);
    }

    #[tokio::test]
    async fn a_long_answer_is_hashed_on_its_way() {
        let parts: Vec<Bytes> = (0..40u8).map(|part| Bytes::from(vec![part; 5000])).collect();
        let expected = parts.concat();
        let (whole, hash) = sent(parts, true).await;
        assert_eq!(whole.unwrap(), expected);
        let Hash::Due(due) = hash else { panic!("200,000 bytes are long") };
        assert_eq!(due.await.unwrap()[NAME], of(&expected));
    }

    #[tokio::test]
    async fn one_that_is_cut_off_has_none() {
        for len in [1, 40] {
            let (whole, hash) = sent(vec![Bytes::from(vec![1; 5000]); len], false).await;
            assert_eq!(whole, None);
            let Hash::Due(due) = hash else { panic!("nothing is known of what did not come") };
            assert!(due.await.is_err());
        }
    }
}
