//! What the folds need of a value.

use super::in_lanes;

/// Values with an order that [`min`](super::min) and [`max`](super::max) fold by. Sealed by use: columns hold these.
pub trait Scalar: Copy {
    /// Not under any value, and not over any.
    const TOP: Self;
    const BOTTOM: Self;

    /// The lesser of a value and the least so far, which stays when the value is NaN.
    fn lesser(self, least: Self) -> Self;
    /// The greater of a value and the greatest so far, which stays when the value is NaN.
    fn greater(self, greatest: Self) -> Self;
    /// Whether both are one value to an output.
    fn same(self, other: Self) -> bool;

    // Of slices: compiled here for each type.

    /// The [least](super::min) of some values.
    fn least(values: &[Self]) -> Self;
    /// The [greatest](super::max) of some values.
    fn greatest(values: &[Self]) -> Self;
    /// Where a value is first.
    fn position(values: &[Self], wanted: Self) -> Option<usize>;

    /// Decides what [`lesser`](Self::lesser) could not tell apart.
    #[inline(always)]
    fn settle_min(least: Self, _: &[Self]) -> Self {
        least
    }

    /// Decides what [`greater`](Self::greater) could not tell apart.
    #[inline(always)]
    fn settle_max(greatest: Self, _: &[Self]) -> Self {
        greatest
    }
}

macro_rules! of_slices {
    () => {
        fn least(values: &[Self]) -> Self {
            Self::settle_min(in_lanes(values, Self::TOP, Self::lesser), values)
        }

        fn greatest(values: &[Self]) -> Self {
            Self::settle_max(in_lanes(values, Self::BOTTOM, Self::greater), values)
        }

        fn position(values: &[Self], wanted: Self) -> Option<usize> {
            values.iter().position(|value| value.same(wanted))
        }
    };
}

impl Scalar for f64 {
    const TOP: Self = Self::INFINITY;
    const BOTTOM: Self = Self::NEG_INFINITY;

    of_slices!();

    // These two forms are one instruction each, unlike `f64::min` and `f64::max`.
    #[inline(always)]
    fn lesser(self, least: Self) -> Self {
        if self < least { self } else { least }
    }

    #[inline(always)]
    fn greater(self, greatest: Self) -> Self {
        if self > greatest { self } else { greatest }
    }

    #[inline(always)]
    fn same(self, other: Self) -> bool {
        self.to_bits() == other.to_bits() || self.is_nan() && other.is_nan()
    }

    #[inline(always)]
    fn settle_min(least: Self, values: &[Self]) -> Self {
        if least == 0.0 {
            return if values.iter().any(|value| value.to_bits() == (-0.0f64).to_bits()) { -0.0 } else { 0.0 };
        }
        if least == Self::TOP { number_or_nan(least, values) } else { least }
    }

    #[inline(always)]
    fn settle_max(greatest: Self, values: &[Self]) -> Self {
        if greatest == 0.0 {
            return if values.iter().any(|value| value.to_bits() == 0) { 0.0 } else { -0.0 };
        }
        if greatest == Self::BOTTOM { number_or_nan(greatest, values) } else { greatest }
    }
}

/// An infinite extreme is the fold's start unless some value was a number.
#[cold]
fn number_or_nan(extreme: f64, values: &[f64]) -> f64 {
    if values.iter().all(|value| value.is_nan()) { f64::NAN } else { extreme }
}

macro_rules! ordered {
    ($($type:ty: $bottom:expr, $top:expr;)*) => {$(
        impl Scalar for $type {
            const TOP: Self = $top;
            const BOTTOM: Self = $bottom;

            of_slices!();

            #[inline(always)]
            fn lesser(self, least: Self) -> Self {
                self.min(least)
            }

            #[inline(always)]
            fn greater(self, greatest: Self) -> Self {
                self.max(greatest)
            }

            #[inline(always)]
            fn same(self, other: Self) -> bool {
                self == other
            }
        }
    )*};
}

ordered! {
    i64: Self::MIN, Self::MAX;
    u64: Self::MIN, Self::MAX;
}

impl Scalar for bool {
    const TOP: Self = true;
    const BOTTOM: Self = false;

    #[inline(always)]
    fn lesser(self, least: Self) -> Self {
        self & least
    }

    #[inline(always)]
    fn greater(self, greatest: Self) -> Self {
        self | greatest
    }

    #[inline(always)]
    fn same(self, other: Self) -> bool {
        self == other
    }

    fn least(values: &[Self]) -> Self {
        !values.contains(&false)
    }

    fn greatest(values: &[Self]) -> Self {
        values.contains(&true)
    }

    fn position(values: &[Self], wanted: Self) -> Option<usize> {
        values.iter().position(|value| *value == wanted)
    }
}
