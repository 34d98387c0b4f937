//! CRC-32C (Castagnoli): the checksum of log frames, columns and indexes.
//!
//! Eight bytes a step with eight tables, and four stripes of 256 bytes at once where there are as many: one stripe
//! alone waits for its own last step most of the time. The tables are computed at first use, so no binary carries them.

use std::sync::LazyLock;

/// The polynomial 0x1EDC6F41, bits reversed.
const POLYNOMIAL: u32 = 0x82f6_3b78;

const STRIPE: usize = 256;

struct Tables {
    /// What a byte adds to the checksum when 0 to 7 more follow.
    bytes: [[u32; 256]; 8],
    /// What each byte of a checksum becomes when [`STRIPE`] zeros follow.
    stripe: [[u32; 256]; 4],
}

static TABLES: LazyLock<Tables> = LazyLock::new(|| {
    let mut bytes = [[0_u32; 256]; 8];
    for (byte, slot) in (0..).zip(&mut bytes[0]) {
        *slot = (0..8).fold(byte, |crc, _| crc >> 1 ^ if crc & 1 == 1 { POLYNOMIAL } else { 0 });
    }
    for step in 1..8 {
        bytes[step] = bytes[step - 1].map(|crc| crc >> 8 ^ bytes[0][(crc & 0xff) as usize]);
    }
    let stripe = std::array::from_fn(|place| {
        std::array::from_fn(|byte| {
            (0..STRIPE).fold((byte as u32) << (8 * place), |crc, _| crc >> 8 ^ bytes[0][(crc & 0xff) as usize])
        })
    });
    Tables { bytes, stripe }
});

impl Tables {
    fn step(&self, crc: u32, word: [u8; 8]) -> u32 {
        let [a, b, c, d, e, f, g, h] = (u64::from_le_bytes(word) ^ u64::from(crc)).to_le_bytes().map(usize::from);
        let [t0, t1, t2, t3, t4, t5, t6, t7] = &self.bytes;
        t7[a] ^ t6[b] ^ t5[c] ^ t4[d] ^ t3[e] ^ t2[f] ^ t1[g] ^ t0[h]
    }

    fn after_stripe(&self, crc: u32) -> u32 {
        let [a, b, c, d] = crc.to_le_bytes().map(usize::from);
        self.stripe[0][a] ^ self.stripe[1][b] ^ self.stripe[2][c] ^ self.stripe[3][d]
    }
}

pub fn crc32c(bytes: &[u8]) -> u32 {
    crc32c_append(0, bytes)
}

/// The checksum of what `crc` covers followed by `bytes`.
pub fn crc32c_append(crc: u32, bytes: &[u8]) -> u32 {
    let tables = &*TABLES;
    let mut crc = !crc;
    let (quads, bytes) = bytes.as_chunks::<{ 4 * STRIPE }>();
    for quad in quads {
        let (words, _) = quad.as_chunks::<8>();
        let mut crcs = [crc, 0, 0, 0];
        for at in 0..STRIPE / 8 {
            for (stripe, crc) in crcs.iter_mut().enumerate() {
                *crc = tables.step(*crc, words[stripe * (STRIPE / 8) + at]);
            }
        }
        crc = crcs.into_iter().reduce(|crc, next| tables.after_stripe(crc) ^ next).unwrap_or(crc);
    }
    let (words, rest) = bytes.as_chunks::<8>();
    crc = words.iter().fold(crc, |crc, word| tables.step(crc, *word));
    for byte in rest {
        crc = crc >> 8 ^ tables.bytes[0][usize::from(crc as u8 ^ byte)];
    }
    !crc
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_checksums() {
        assert_eq!(crc32c(b""), 0);
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        // RFC 3720, B.4
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
        let ascending: Vec<u8> = (0..32).collect();
        assert_eq!(crc32c(&ascending), 0x46dd_794e);
        assert_eq!(crc32c_append(crc32c(&ascending[..5]), &ascending[5..]), 0x46dd_794e);
    }

    #[test]
    fn stripes_change_nothing() {
        let bytes: Vec<u8> = (0..5000_u32).map(|i| ((i * i) >> 3) as u8).collect();
        for len in [1023, 1024, 1025, 2048, 5000] {
            let by_byte = bytes[..len].iter().fold(0, |crc, byte| crc32c_append(crc, &[*byte]));
            assert_eq!(crc32c(&bytes[..len]), by_byte, "{len} bytes");
        }
    }
}
