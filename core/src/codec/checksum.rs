//! CRC-32C (Castagnoli): the checksum of log frames, columns and indexes.
//!
//! Eight bytes a step with eight tables, which are computed at first use so that no binary carries them.

use std::sync::LazyLock;

/// The polynomial 0x1EDC6F41, bits reversed.
const POLYNOMIAL: u32 = 0x82f6_3b78;

static TABLES: LazyLock<[[u32; 256]; 8]> = LazyLock::new(|| {
    let mut tables = [[0_u32; 256]; 8];
    for (byte, slot) in (0..).zip(&mut tables[0]) {
        *slot = (0..8).fold(byte, |crc, _| crc >> 1 ^ if crc & 1 == 1 { POLYNOMIAL } else { 0 });
    }
    for step in 1..8 {
        tables[step] = tables[step - 1].map(|crc| crc >> 8 ^ tables[0][(crc & 0xff) as usize]);
    }
    tables
});

pub fn crc32c(bytes: &[u8]) -> u32 {
    crc32c_append(0, bytes)
}

/// The checksum of what `crc` covers followed by `bytes`.
pub fn crc32c_append(crc: u32, bytes: &[u8]) -> u32 {
    let tables = &*TABLES;
    let mut crc = !crc;
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        let [a, b, c, d, e, f, g, h] = (u64::from_le_bytes(*word) ^ u64::from(crc)).to_le_bytes().map(usize::from);
        crc = tables[7][a]
            ^ tables[6][b]
            ^ tables[5][c]
            ^ tables[4][d]
            ^ tables[3][e]
            ^ tables[2][f]
            ^ tables[1][g]
            ^ tables[0][h];
    }
    for byte in rest {
        crc = crc >> 8 ^ tables[0][usize::from(crc as u8 ^ byte)];
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
}
