//! Numbers of variable length, and the cursor every decoder reads through.
//!
//! A varint is LEB128: seven bits a byte, lowest first, the high bit set on all but the last. Zigzag maps 0, -1, 1, -2
//! to 0, 1, 2, 3.

use super::DecodeError;

pub const fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

pub const fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

pub fn write(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub fn write_signed(value: i64, out: &mut Vec<u8>) {
    write(zigzag(value), out);
}

pub fn write_wide(mut value: u128, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub fn write_wide_signed(value: i128, out: &mut Vec<u8>) {
    write_wide(((value << 1) ^ (value >> 127)) as u128, out);
}

/// A length and that many bytes.
pub fn write_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    write(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

/// A place in bytes from outside. Each method moves on over what it read; `what` names it in the error.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub const fn offset(&self) -> usize {
        self.at
    }

    pub const fn remaining(&self) -> usize {
        self.bytes.len() - self.at
    }

    pub const fn error(&self, what: &'static str) -> DecodeError {
        DecodeError { what, offset: self.at as u64 }
    }

    /// Everything not yet read.
    pub fn rest(&mut self) -> &'a [u8] {
        let rest = &self.bytes[self.at..];
        self.at = self.bytes.len();
        rest
    }

    pub fn take(&mut self, len: usize, what: &'static str) -> Result<&'a [u8], DecodeError> {
        if len > self.remaining() {
            return Err(self.error(what));
        }
        let taken = &self.bytes[self.at..self.at + len];
        self.at += len;
        Ok(taken)
    }

    pub fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], DecodeError> {
        let (array, _) = self.bytes[self.at..].split_first_chunk::<N>().ok_or_else(|| self.error(what))?;
        self.at += N;
        Ok(*array)
    }

    pub fn byte(&mut self, what: &'static str) -> Result<u8, DecodeError> {
        self.array::<1>(what).map(|[byte]| byte)
    }

    pub fn u16(&mut self, what: &'static str) -> Result<u16, DecodeError> {
        self.array(what).map(u16::from_le_bytes)
    }

    pub fn u32(&mut self, what: &'static str) -> Result<u32, DecodeError> {
        self.array(what).map(u32::from_le_bytes)
    }

    pub fn u64(&mut self, what: &'static str) -> Result<u64, DecodeError> {
        self.array(what).map(u64::from_le_bytes)
    }

    pub fn varint(&mut self, what: &'static str) -> Result<u64, DecodeError> {
        let start = self.clone();
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte(what)?;
            if shift == 63 && byte > 1 {
                break;
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(start.error(what))
    }

    pub fn signed(&mut self, what: &'static str) -> Result<i64, DecodeError> {
        self.varint(what).map(unzigzag)
    }

    pub fn wide(&mut self, what: &'static str) -> Result<u128, DecodeError> {
        let start = self.clone();
        let mut value = 0_u128;
        for shift in (0..128).step_by(7) {
            let byte = self.byte(what)?;
            if shift == 126 && byte > 3 {
                break;
            }
            value |= u128::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(start.error(what))
    }

    pub fn wide_signed(&mut self, what: &'static str) -> Result<i128, DecodeError> {
        self.wide(what).map(|value| (value >> 1) as i128 ^ -((value & 1) as i128))
    }

    /// A varint that is at most `max`.
    pub fn length(&mut self, max: usize, what: &'static str) -> Result<usize, DecodeError> {
        let start = self.clone();
        let value = self.varint(what)?;
        usize::try_from(value).ok().filter(|value| *value <= max).ok_or_else(|| start.error(what))
    }

    /// What [`write_bytes`] wrote.
    pub fn bytes(&mut self, what: &'static str) -> Result<&'a [u8], DecodeError> {
        let len = self.varint(what)?;
        self.take(usize::try_from(len).map_err(|_| self.error(what))?, what)
    }

    pub fn text(&mut self, what: &'static str) -> Result<&'a str, DecodeError> {
        let start = self.clone();
        std::str::from_utf8(self.bytes(what)?).map_err(|_| start.error(what))
    }

    /// An error unless everything was read.
    pub const fn finish(&self) -> Result<(), DecodeError> {
        if self.remaining() == 0 { Ok(()) } else { Err(self.error("bytes after the end")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back() {
        let mut out = Vec::new();
        for value in [0, 1, -1, 63, 64, -64, -65, i64::MAX, i64::MIN] {
            out.clear();
            write_signed(value, &mut out);
            assert_eq!(Reader::new(&out).signed("n"), Ok(value));
            out.clear();
            write_wide_signed(i128::from(value) * i128::from(i64::MAX), &mut out);
            assert_eq!(Reader::new(&out).wide_signed("n"), Ok(i128::from(value) * i128::from(i64::MAX)));
        }
        for value in [i128::MIN, i128::MAX] {
            out.clear();
            write_wide_signed(value, &mut out);
            assert_eq!(Reader::new(&out).wide_signed("n"), Ok(value));
        }
    }

    #[test]
    fn short_or_long_numbers_are_errors() {
        assert_eq!(Reader::new(&[0x80]).varint("n"), Err(DecodeError { what: "n", offset: 1 }));
        assert!(Reader::new(&[0xff; 11]).varint("n").is_err());
        assert!(Reader::new(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2]).varint("n").is_err());
        assert!(Reader::new(&[0xff; 20]).wide("n").is_err());
        assert_eq!(Reader::new(&[3, 1, 2]).bytes("n"), Err(DecodeError { what: "n", offset: 1 }));
    }
}
