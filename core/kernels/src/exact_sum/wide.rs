//! A fixed-point number that holds the sum of any doubles: the small superaccumulator of R. Neal (2015).

use super::Components;

/// Limb `i` counts units of 2^(32·i − 1075). A finite double reaches up to 2^1024, bit 2,099; the limbs above leave
/// room for 2^45 of the largest.
const LIMBS: usize = 67;
const LIMB_BITS: usize = 32;
const LIMB_MASK: i64 = (1 << LIMB_BITS) - 1;

/// One value changes a limb by less than 2^52 + 1, so this many fit into 63 bits atop a settled limb.
const MAX_PENDING: u32 = 1024;

#[derive(Clone, Debug)]
pub(super) struct Wide {
    /// Settled limbs are in 0..2^32, but for the last, which carries the sign. In between they overlap.
    limbs: [i64; LIMBS],
    /// Values added since the limbs were settled.
    pending: u32,
    nan: bool,
    /// Whether +∞ and −∞ were added.
    infinite: [bool; 2],
}

impl Default for Wide {
    fn default() -> Self {
        Self { limbs: [0; LIMBS], pending: 0, nan: false, infinite: [false; 2] }
    }
}

impl Wide {
    #[inline]
    pub(super) fn add(&mut self, value: f64) {
        const EXPONENT: usize = 0x7ff;
        let bits = value.to_bits();
        let exponent = (bits >> 52) as usize & EXPONENT;
        if exponent == EXPONENT {
            return self.add_special(value);
        }
        if self.pending == MAX_PENDING {
            self.settle();
        }
        self.pending += 1;
        let fraction = (bits & ((1 << 52) - 1)) as i64;
        // Subnormals have the exponent of the smallest normal and no hidden bit.
        let magnitude = fraction | i64::from(exponent != 0) << 52;
        let sign = bits as i64 >> 63;
        let mantissa = (magnitude ^ sign) - sign;
        // value = mantissa · 2^(place − 1075) = (upper · 2^32 + lower) · 2^(32·limb − 1075).
        let place = exponent.max(1);
        let (limb, shift) = (place / LIMB_BITS, place % LIMB_BITS);
        self.limbs[limb] += (mantissa << shift) & LIMB_MASK;
        self.limbs[limb + 1] += mantissa >> (LIMB_BITS - shift);
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.settle();
        self.limbs.iter_mut().zip(&other.limbs).for_each(|(limb, other)| *limb += other);
        self.settle();
        self.nan |= other.nan;
        self.infinite[0] |= other.infinite[0];
        self.infinite[1] |= other.infinite[1];
    }

    pub(super) fn round(&self) -> f64 {
        match (self.nan, self.infinite) {
            (true, _) | (_, [true, true]) => f64::NAN,
            (_, [true, false]) => f64::INFINITY,
            (_, [false, true]) => f64::NEG_INFINITY,
            _ => self.round_finite(),
        }
    }

    pub(super) fn components(mut self) -> Components {
        let mut components = Components::new();
        loop {
            let rounded = self.round();
            if self.nan || self.infinite != [false; 2] {
                components.push(rounded);
                return components;
            }
            if rounded == 0.0 {
                return components;
            }
            let part = rounded.clamp(f64::MIN, f64::MAX);
            components.push(part);
            self.add(-part);
        }
    }

    #[cold]
    fn add_special(&mut self, value: f64) {
        if value.is_nan() {
            self.nan = true;
        } else {
            self.infinite[usize::from(value < 0.0)] = true;
        }
    }

    fn settle(&mut self) {
        let mut carry = 0;
        let (last, limbs) = self.limbs.split_last_mut().expect("there are limbs");
        for limb in limbs {
            let sum = *limb + carry;
            *limb = sum & LIMB_MASK;
            carry = sum >> LIMB_BITS;
        }
        *last += carry;
        self.pending = 0;
    }

    fn round_finite(&self) -> f64 {
        let mut settled = self.clone();
        settled.settle();
        let negative = settled.limbs[LIMBS - 1] < 0;
        if negative {
            settled.limbs.iter_mut().for_each(|limb| *limb = -*limb);
            settled.settle();
        }
        let magnitude = round_magnitude(&settled.limbs);
        if negative { -magnitude } else { magnitude }
    }
}

/// The double nearest to settled limbs of no sign, ties to even.
fn round_magnitude(limbs: &[i64; LIMBS]) -> f64 {
    let Some(top) = limbs.iter().rposition(|limb| *limb != 0) else { return 0.0 };
    let limb = |below: usize| top.checked_sub(below).map_or(0, |at| limbs[at] as u128);
    // The leading 65 bits at least, and whether any bit lies under them.
    let leading = limb(0) << 64 | limb(1) << 32 | limb(2);
    let below = top > 2 && limbs[..top - 2].iter().any(|limb| *limb != 0);
    let leading_bits = 128 - leading.leading_zeros() as usize;
    // Place of the highest bit, in units of 2^-1075. The highest limbs may be missing at the bottom, hence the order.
    let place = top * LIMB_BITS + leading_bits - 1 - 64;
    let Some(exponent) = place.checked_sub(52).filter(|exponent| *exponent > 0) else {
        // Under 2^-1022: a subnormal, held exactly, in units of 2^-1074.
        return f64::from_bits((limbs[0] | limbs[1] << LIMB_BITS) as u64 >> 1);
    };
    if exponent > 2046 {
        return f64::INFINITY;
    }
    let dropped_bits = leading_bits - 53;
    let mantissa = (leading >> dropped_bits) as u64;
    let dropped = leading & ((1 << dropped_bits) - 1);
    let half = 1 << (dropped_bits - 1);
    let up = dropped > half || dropped == half && (below || mantissa % 2 == 1);
    // The hidden bit adds one to the exponent, and a carry from the mantissa another one, up to infinity.
    f64::from_bits(((exponent as u64 - 1) << 52) + mantissa + u64::from(up))
}
