//! Base64 as `Authorization: Basic` and tokens carry it.

/// Undoes base64, of the ordinary or the URL-safe alphabet, padded or not. `None` for anything else.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end_matches('=').as_bytes();
    // One digit alone is six bits: no byte.
    if text.len() % 4 == 1 {
        return None;
    }
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 2);
    for group in text.chunks(4) {
        let mut bits = 0_u32;
        for digit in group {
            bits = bits << 6 | u32::from(value(*digit)?);
        }
        let [_, first, second, third] = (bits << (6 * (4 - group.len()))).to_be_bytes();
        let whole = [first, second, third];
        bytes.extend_from_slice(whole.get(..group.len() - 1)?);
    }
    Some(bytes)
}

const fn value(digit: u8) -> Option<u8> {
    Some(match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_alphabets_with_and_without_padding() {
        let check = |text: &str, bytes: &[u8]| assert_eq!(decode(text).as_deref(), Some(bytes), "{text}");
        check("", b"");
        check("YQ==", b"a");
        check("YQ", b"a");
        check("YWI=", b"ab");
        check("YWJj", b"abc");
        check("cm9vdDpvcmFjbGU=", b"root:oracle");
        check("-_8", &[0xfb, 0xff]);
        check("+/8=", &[0xfb, 0xff]);
        for wrong in ["Y", "YWJjZ", "YW Jj", "Y=Q=", "ä"] {
            assert_eq!(decode(wrong), None, "{wrong}");
        }
    }
}
