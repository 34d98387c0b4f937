//! Protocol Buffers, as far as submissions need them: fields of a message, one after the other.
//!
//! A field is a varint `number << 3 | wire type` and a value: 0 a varint, 1 eight bytes, 2 a varint length and so many
//! bytes, 5 four bytes; numbers are little-endian.

use thiserror::Error;

#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the message is cut or broken at its byte {0}")]
pub(super) struct Broken(pub(super) usize);

/// A field's value as it lies on the wire.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Wire<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32(u32),
}

impl<'a> Wire<'a> {
    /// The bytes; none of another type.
    pub(super) fn bytes(self) -> &'a [u8] {
        if let Self::Bytes(bytes) = self { bytes } else { &[] }
    }

    /// What is not UTF-8 is replaced.
    pub(super) fn text(self) -> String {
        String::from_utf8_lossy(self.bytes()).into_owned()
    }

    pub(super) fn double(self) -> f64 {
        match self {
            Self::Fixed64(bits) => f64::from_bits(bits),
            Self::Fixed32(bits) => f64::from(f32::from_bits(bits)),
            _ => 0.0,
        }
    }

    pub(super) fn integer(self) -> i64 {
        match self {
            Self::Varint(value) | Self::Fixed64(value) => value as i64,
            Self::Fixed32(value) => i64::from(value),
            Self::Bytes(_) => 0,
        }
    }
}

/// The fields of a message.
pub(super) struct Message<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Message<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The next field; `None` after the last.
    pub(super) fn field(&mut self) -> Result<Option<(u64, Wire<'a>)>, Broken> {
        if self.at >= self.bytes.len() {
            return Ok(None);
        }
        let key = self.varint()?;
        let value = match key & 7 {
            0 => Wire::Varint(self.varint()?),
            1 => Wire::Fixed64(u64::from_le_bytes(self.take(8)?.try_into().map_err(|_| Broken(self.at))?)),
            2 => {
                let len = usize::try_from(self.varint()?).map_err(|_| Broken(self.at))?;
                Wire::Bytes(self.take(len)?)
            }
            5 => Wire::Fixed32(u32::from_le_bytes(self.take(4)?.try_into().map_err(|_| Broken(self.at))?)),
            _ => return Err(Broken(self.at)),
        };
        Ok(Some((key >> 3, value)))
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], Broken> {
        let end = self.at.checked_add(len).ok_or(Broken(self.at))?;
        let taken = self.bytes.get(self.at..end).ok_or(Broken(self.at))?;
        self.at = end;
        Ok(taken)
    }

    pub(super) fn varint(&mut self) -> Result<u64, Broken> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = *self.bytes.get(self.at).ok_or(Broken(self.at))?;
            self.at += 1;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Broken(self.at))
    }
}

/// The numbers of a repeated field, packed or one by one.
pub(super) fn numbers(wire: Wire<'_>, out: &mut Vec<u64>) -> Result<(), Broken> {
    match wire {
        Wire::Varint(value) => out.push(value),
        Wire::Bytes(bytes) => {
            let mut packed = Message::new(bytes);
            while packed.at < bytes.len() {
                out.push(packed.varint()?);
            }
        }
        _ => {}
    }
    Ok(())
}

/// The signed number that a `sint` stands for.
pub(super) const fn zigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_one_by_one() {
        let bytes = [0x08, 0x96, 0x01, 0x12, 0x02, b'h', b'i', 0x19, 0, 0, 0, 0, 0, 0, 0xf8, 0x3f];
        let mut message = Message::new(&bytes);
        assert_eq!(message.field(), Ok(Some((1, Wire::Varint(150)))));
        assert_eq!(message.field().unwrap().unwrap().1.text(), "hi");
        assert_eq!(message.field().unwrap().unwrap().1.double(), 1.5);
        assert_eq!(message.field(), Ok(None));
        let mut packed = Vec::new();
        numbers(Wire::Bytes(&[3, 0x86, 1]), &mut packed).unwrap();
        assert_eq!((packed, zigzag(3), zigzag(4)), (vec![3, 134], -2, 2));
    }

    #[test]
    fn cut_and_random_bytes_do_no_harm() {
        let bytes = [0x08, 0x96, 0x01, 0x12, 0x02, b'h', b'i', 0x1d, 1, 2, 3, 4];
        for end in 0..bytes.len() {
            let mut message = Message::new(&bytes[..end]);
            while let Ok(Some(_)) = message.field() {}
        }
        let mut state = 3_u64;
        for _ in 0..5_000 {
            let noise: Vec<u8> = (0..24)
                .map(|_| {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(99);
                    (state >> 40) as u8
                })
                .collect();
            let mut message = Message::new(&noise);
            while let Ok(Some((_, wire))) = message.field() {
                let _ = (wire.text(), wire.double(), wire.integer(), numbers(wire, &mut Vec::new()));
            }
        }
        assert_eq!(Message::new(&[0xff; 11]).field(), Err(Broken(10)));
        assert!(Message::new(&[0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f]).field().is_err(), "longer than there is");
    }
}
