//! The functions of mathematics, row by row. Every one is `libm`'s or exact, so that all platforms agree to the bit.

use super::{Operand, blank};
use crate::model::column::{Bitmap, Values};
use crate::plan::Mathematics;
use crate::value::FieldType;

/// The values of `len` rows; `second` for functions of two arguments.
pub(super) fn apply<'a>(
    function: Mathematics,
    first: &Operand<'_>,
    second: Option<&Operand<'_>>,
    result: FieldType,
    len: usize,
) -> Operand<'a> {
    let is_number = |operand: &Operand<'_>| operand.field_type().is_some_and(FieldType::is_number);
    if !is_number(first) || second.is_some_and(|second| !is_number(second)) {
        return Operand::Constant(None);
    }
    let present = match (first.present(len), second.and_then(|second| second.present(len))) {
        (Some(one), Some(two)) => {
            let both = one.words().iter().zip(two.words()).map(|(one, two)| one & two);
            Some(Bitmap::from_words(both.collect(), len))
        }
        (one, two) => one.or(two),
    };
    let values = match result {
        // Whole numbers are their own floor and ceiling.
        FieldType::Integer | FieldType::Unsigned => {
            let whole = first.integers(len);
            let all = (0..len).map(|row| whole.at(row));
            match result {
                FieldType::Unsigned => Values::Unsigned(all.map(|value| value as u64).collect()),
                _ if function == Mathematics::Abs => Values::Integer(all.map(i64::wrapping_abs).collect()),
                _ => Values::Integer(all.collect()),
            }
        }
        _ => {
            let (x, y) = (first.floats(len), second.map(|second| second.floats(len)));
            let mut values = Vec::with_capacity(len);
            for row in 0..len {
                values.push(of_floats(function, x.at(row), y.as_ref().map_or(0.0, |y| y.at(row))));
            }
            Values::Float(values)
        }
    };
    Operand::owned(blank(values, present.as_ref()), present)
}

fn of_floats(function: Mathematics, x: f64, y: f64) -> f64 {
    match function {
        Mathematics::Abs => x.abs(),
        Mathematics::Acos => libm::acos(x),
        Mathematics::Asin => libm::asin(x),
        Mathematics::Atan => libm::atan(x),
        Mathematics::Atan2 => libm::atan2(x, y),
        Mathematics::Ceil => libm::ceil(x),
        Mathematics::Cos => libm::cos(x),
        Mathematics::Exp => libm::exp(x),
        Mathematics::Floor => libm::floor(x),
        Mathematics::Ln => libm::log(x),
        Mathematics::Log => libm::log(x) / libm::log(y),
        Mathematics::Log2 => libm::log2(x),
        Mathematics::Log10 => libm::log10(x),
        Mathematics::Pow => libm::pow(x, y),
        Mathematics::Round => libm::round(x),
        Mathematics::Sin => libm::sin(x),
        Mathematics::Sqrt => x.sqrt(),
        Mathematics::Tan => libm::tan(x),
    }
}
