//! Bodies that are not JSON, as JSON values.

use crate::json::Value;

/// Blocks, which an empty line parts, of rows of cells. A cell that is written like a number is one.
pub(super) fn csv(text: &str) -> Value {
    let block = |block: &str| Value::List(rows(block).into_iter().map(Value::List).collect());
    Value::List(text.split("\n\n").map(block).collect())
}

fn rows(block: &str) -> Vec<Vec<Value>> {
    let mut rows = Vec::new();
    let mut row = Vec::new();
    let mut cell = String::new();
    let mut quoted = false;
    let mut chars = block.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                cell.push('"');
            }
            '"' if quoted || cell.is_empty() => quoted = !quoted,
            ',' if !quoted => row.push(cell_value(&mut cell)),
            '\r' if !quoted && chars.peek() == Some(&'\n') => {}
            '\n' if !quoted => {
                row.push(cell_value(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            c => cell.push(c),
        }
    }
    if !row.is_empty() || !cell.is_empty() {
        row.push(cell_value(&mut cell));
        rows.push(row);
    }
    rows
}

fn cell_value(cell: &mut String) -> Value {
    let text = std::mem::take(cell);
    // What JSON calls a number, and leading zeros.
    let digits = text.trim_start_matches('-').trim_start_matches('0');
    let plain = if digits.starts_with(|c: char| c.is_ascii_digit()) { digits.to_owned() } else { format!("0{digits}") };
    let signed_once = !text.starts_with("--") && text.contains(|c: char| c.is_ascii_digit()) && !text.starts_with('.');
    match Value::parse(&plain) {
        Ok(Value::Number(_)) if signed_once && plain.trim() == plain => Value::Number(text),
        _ => Value::Text(text),
    }
}

/// Every value of the bytes. Extension 5 is a time: 8 bytes of seconds and 4 of nanoseconds, big-endian.
pub(super) fn message_pack(bytes: &[u8]) -> Result<Vec<Value>, String> {
    let mut reader = Reader { rest: bytes };
    let mut values = Vec::new();
    while !reader.rest.is_empty() {
        values.push(reader.value(0)?);
    }
    Ok(values)
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn value(&mut self, depth: usize) -> Result<Value, String> {
        if depth > 100 {
            return Err("MessagePack: too deep".into());
        }
        let first = self.unsigned(1)?;
        Ok(match first {
            0x00..=0x7f => Value::number(first),
            0x80..=0x8f => self.object(first & 0x0f, depth)?,
            0x90..=0x9f => self.list(first & 0x0f, depth)?,
            0xa0..=0xbf => self.text(first & 0x1f)?,
            0xc0 => Value::Null,
            0xc2 | 0xc3 => Value::Bool(first == 0xc3),
            0xc4..=0xc6 => {
                let length = self.unsigned(1 << (first - 0xc4))?;
                named("bin", hex(self.take(length)?))
            }
            0xc7..=0xc9 => {
                let length = self.unsigned(1 << (first - 0xc7))?;
                self.extension(length)?
            }
            0xca => Value::number(f32::from_bits(self.unsigned(4)? as u32)),
            0xcb => Value::number(f64::from_bits(self.unsigned(8)?)),
            0xcc..=0xcf => Value::number(self.unsigned(1 << (first - 0xcc))?),
            0xd0..=0xd3 => {
                let bits = 8 << (first - 0xd0);
                Value::number(((self.unsigned(bits / 8)? << (64 - bits)) as i64) >> (64 - bits))
            }
            0xd4..=0xd8 => self.extension(1 << (first - 0xd4))?,
            0xd9..=0xdb => {
                let length = self.unsigned(1 << (first - 0xd9))?;
                self.text(length)?
            }
            0xdc | 0xdd => {
                let length = self.unsigned(2 << (first - 0xdc))?;
                self.list(length, depth)?
            }
            0xde | 0xdf => {
                let length = self.unsigned(2 << (first - 0xde))?;
                self.object(length, depth)?
            }
            0xe0..=0xff => Value::number(first as i64 - 256),
            _ => return Err(format!("MessagePack: byte {first:#04x}")),
        })
    }

    fn list(&mut self, length: u64, depth: usize) -> Result<Value, String> {
        (0..length).map(|_| self.value(depth + 1)).collect::<Result<_, _>>().map(Value::List)
    }

    fn object(&mut self, length: u64, depth: usize) -> Result<Value, String> {
        let member = |_| {
            let name = self.value(depth + 1)?;
            let name = name.as_text().map_or_else(|| name.to_string(), str::to_owned);
            Ok((name, self.value(depth + 1)?))
        };
        (0..length).map(member).collect::<Result<_, String>>().map(Value::Object)
    }

    fn text(&mut self, length: u64) -> Result<Value, String> {
        let text = std::str::from_utf8(self.take(length)?).map_err(|why| format!("MessagePack: {why}"))?;
        Ok(Value::Text(text.to_owned()))
    }

    fn extension(&mut self, length: u64) -> Result<Value, String> {
        let code = self.unsigned(1)?;
        let payload = self.take(length)?;
        if let (5, Some((secs, nanos))) = (code, payload.split_at_checked(8)) {
            if let (Ok(secs), Ok(nanos)) = (secs.try_into(), nanos.try_into()) {
                let (secs, nanos) = (i64::from_be_bytes(secs), i32::from_be_bytes(nanos));
                return Ok(named("ext5", format!("{secs}.{nanos:09}")));
            }
        }
        Ok(named(&format!("ext{code}"), hex(payload)))
    }

    fn unsigned(&mut self, length: u64) -> Result<u64, String> {
        Ok(self.take(length)?.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    fn take(&mut self, length: u64) -> Result<&'a [u8], String> {
        let length = usize::try_from(length).map_err(|why| why.to_string())?;
        let (taken, rest) = self.rest.split_at_checked(length).ok_or("MessagePack ends early")?;
        self.rest = rest;
        Ok(taken)
    }
}

fn named(name: &str, text: String) -> Value {
    Value::Object(vec![(name.to_owned(), Value::Text(text))])
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_has_blocks_rows_cells_and_quotes() {
        let text = "name,v\ncpu,1\n\nname,v\n\"a,\"\"b\",-2.50e3\n";
        assert_eq!(csv(text).to_string(), "[[[\"name\",\"v\"],[\"cpu\",1]],[[\"name\",\"v\"],[\"a,\\\"b\",-2.50e3]]]");
        for (cell, number) in [("007", true), ("-0.5", true), (".5", false), ("--1", false), ("1s", false), ("", false)]
        {
            let is_number = matches!(cell_value(&mut cell.to_owned()), Value::Number(_));
            assert_eq!(is_number, number, "{cell}");
        }
    }

    #[test]
    fn message_pack_is_decoded() {
        let mut bytes = b"\x83\xa1a\x93\x01\xff\xd1\xff\x00\xa1b\xcb".to_vec();
        bytes.extend(1.5f64.to_be_bytes());
        bytes.extend(b"\xa1t\xc7\x0c\x05\0\0\0\0\0\0\0\x07\0\0\0\x09");
        let values = message_pack(&bytes).unwrap();
        assert_eq!(values[0].to_string(), "{\"a\":[1,-1,-256],\"b\":1.5,\"t\":{\"ext5\":\"7.000000009\"}}");
        for end in 1..bytes.len() {
            assert!(message_pack(&bytes[..end]).is_err(), "{end}");
        }
        assert!(message_pack(b"\xdf\xff\xff\xff\xff").is_err());
    }
}
