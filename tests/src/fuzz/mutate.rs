//! Inputs out of inputs: a few changes at random places, the same ones for the same seed.

use crate::simdisk::Random;

/// No input is longer.
pub const LONGEST: usize = 4096;

/// What breaks readers of numbers, texts and lengths.
const NASTY: [&[u8]; 24] = [
    b"0",
    b"-1",
    b"9223372036854775807",
    b"-9223372036854775808",
    b"18446744073709551616",
    b"1e308",
    b"-0.0",
    b"1e-400",
    b"NaN",
    b"\"",
    b"'",
    b"\\",
    b"\\u0000",
    b"\xed\xa0\x80",
    "\u{e9}".as_bytes(),
    b"\0",
    b"\n",
    b"{",
    b"[",
    b"((((((((",
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    b"\x80\x80\x80\x80\x10",
    b"{{",
    b"null",
];

/// Makes inputs from a corpus.
#[derive(Debug)]
pub struct Mutator<'a> {
    seeds: &'a [Vec<u8>],
    /// Words of the corpus.
    words: Vec<&'a [u8]>,
    random: Random,
}

impl<'a> Mutator<'a> {
    pub fn new(seeds: &'a [Vec<u8>], seed: u64) -> Self {
        let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_' || *byte >= 0x80;
        let split = |seed: &'a Vec<u8>| seed.chunk_by(move |a, b| is_word(a) == is_word(b));
        let mut words: Vec<&[u8]> = seeds.iter().flat_map(split).filter(|word| word.len() <= 40).collect();
        words.sort_unstable();
        words.dedup();
        Self { seeds, words, random: Random(seed) }
    }

    /// The next input.
    pub fn next_input(&mut self) -> Vec<u8> {
        let mut input = self.pick_seed();
        for _ in 0..1 + self.random.below(5) {
            self.change(&mut input);
        }
        input.truncate(LONGEST);
        input
    }

    fn pick_seed(&mut self) -> Vec<u8> {
        if self.seeds.is_empty() { Vec::new() } else { self.seeds[self.random.below(self.seeds.len())].clone() }
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        let at = self.random.below(input.len() + 1);
        let len = self.random.below(input.len() - at + 1).min(1 << self.random.below(8));
        match self.random.below(10) {
            0 if at < input.len() => input[at] ^= 1 << self.random.below(8),
            1 if at < input.len() => input[at] = self.random.below(256) as u8,
            2 => input.insert(at, self.random.below(256) as u8),
            3 => drop(input.drain(at..at + len)),
            4 => {
                let copy = input[at..at + len].to_vec();
                input.splice(at..at, copy);
            }
            5 => {
                let other = self.pick_seed();
                let from = self.random.below(other.len() + 1);
                input.truncate(at);
                input.extend_from_slice(&other[from..]);
            }
            6 => input.truncate(at),
            7 => {
                let word = NASTY[self.random.below(NASTY.len())];
                input.splice(at..at + len, word.iter().copied());
            }
            _ => {
                let Some(last) = self.words.len().checked_sub(1) else { return };
                let word = self.words[self.random.below(last + 1)];
                // In the place of another word, or beside it.
                let end = if self.random.percent(50) { at + len } else { at };
                input.splice(at..end, word.iter().copied());
            }
        }
    }
}
