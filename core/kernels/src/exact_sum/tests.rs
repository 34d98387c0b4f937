use proptest::prelude::*;

use super::*;

/// The sum by counting each bit's occurrences: slow, and nothing like the code under test.
fn reference(values: &[f64]) -> f64 {
    if values.iter().any(|value| value.is_nan())
        || values.contains(&f64::INFINITY) && values.contains(&f64::NEG_INFINITY)
    {
        return f64::NAN;
    }
    if let Some(infinite) = values.iter().find(|value| value.is_infinite()) {
        return *infinite;
    }
    // bits[i] counts 2^(i - 1074).
    let mut bits = vec![0i64; 2200];
    for value in values {
        let (mantissa, place) = match value.to_bits() >> 52 & 0x7ff {
            0 => (value.to_bits() & ((1 << 52) - 1), 0),
            exponent => (value.to_bits() & ((1 << 52) - 1) | 1 << 52, exponent as usize - 1),
        };
        for bit in (0..53).filter(|bit| mantissa >> bit & 1 == 1) {
            bits[place + bit] += if *value < 0.0 { -1 } else { 1 };
        }
    }
    let carry = |bits: &mut Vec<i64>| {
        let mut carry = 0;
        for bit in bits.iter_mut() {
            let sum = *bit + carry;
            *bit = sum.rem_euclid(2);
            carry = sum.div_euclid(2);
        }
        carry < 0
    };
    let negative = carry(&mut bits);
    if negative {
        bits.iter_mut().for_each(|bit| *bit = -*bit);
        // One more pass: -(two's complement) is the magnitude.
        let _ = carry(&mut bits);
    }
    let Some(top) = bits.iter().rposition(|bit| *bit == 1) else { return 0.0 };
    let low = top.saturating_sub(52);
    let mut mantissa = (low..=top).rev().fold(0u64, |mantissa, at| mantissa << 1 | bits[at] as u64);
    if low > 0 && bits[low - 1] == 1 && (mantissa % 2 == 1 || bits[..low - 1].contains(&1)) {
        mantissa += 1;
    }
    // mantissa · 2^(low - 1074), in two exact steps but for overflow.
    let mut rounded = mantissa as f64;
    if top < 52 {
        rounded = f64::from_bits(mantissa);
    } else {
        let exponent = low as i32 - 1074;
        let half = exponent / 2;
        rounded = rounded * pow2(half) * pow2(exponent - half);
    }
    if negative { -rounded } else { rounded }
}

fn slice_sum(values: &[f64]) -> ExactSum {
    let mut sum = ExactSum::new();
    sum.add_slice(values);
    sum
}

fn assert_bits(actual: f64, expected: f64) {
    assert!(
        actual.to_bits() == expected.to_bits() || actual.is_nan() && expected.is_nan(),
        "{actual:e} is not {expected:e}"
    );
}

#[test]
fn the_cases_of_fsum() {
    let two = |exponent: i32| libm::exp2(f64::from(exponent));
    let mut telescope: Vec<f64> = (-1074..972).step_by(2).map(|n| two(n) - two(n + 50) + two(n + 52)).collect();
    telescope.push(-two(1022));
    let cases: &[(&[f64], f64)] = &[
        (&[], 0.0),
        (&[0.0], 0.0),
        (&[-0.0], 0.0),
        (&[-0.0, -0.0, -0.0, -0.0, -0.0], 0.0),
        (&[1e100, 1.0, -1e100, 1e-100, 1e50, -1.0, -1e50], 1e-100),
        (&[two(53), -0.5, -two(-54)], two(53) - 1.0),
        (&[two(53), 1.0, two(-100)], two(53) + 2.0),
        (&[two(53) + 10.0, 1.0, two(-100)], two(53) + 12.0),
        (&[two(53) - 4.0, 0.5, two(-54)], two(53) - 3.0),
        (&[1e16, 1.0, 1e-16], 10_000_000_000_000_002.0),
        (&[1e16 - 2.0, 1.0 - two(-53), -(1e16 - 2.0), -(1.0 - two(-53))], 0.0),
        (&(1..=1000).map(|n| 1.0 / f64::from(n)).collect::<Vec<_>>(), f64::from_bits(0x401d_f11f_45f4_e61a)),
        (
            &(1..=1000).map(|n| if n % 2 == 0 { 1.0 } else { -1.0 } / f64::from(n)).collect::<Vec<_>>(),
            f64::from_bits(0xbfe6_2a2a_f1bd_3624),
        ),
        (&telescope, f64::from_bits(0x7c95_5555_5555_5555)),
        (&[1e308, 1e308, -1e308], 1e308),
        (&[1e308, 1e308], f64::INFINITY),
        (&[-f64::MAX, -f64::MAX], f64::NEG_INFINITY),
        (&[f64::MAX, two(969)], f64::MAX),
        (&[f64::MAX, two(970)], f64::INFINITY),
        (&[f64::MAX, two(970), -5e-324], f64::MAX),
        (&[f64::INFINITY, 1.0], f64::INFINITY),
        (&[1.0, f64::NEG_INFINITY, f64::MAX], f64::NEG_INFINITY),
        (&[f64::INFINITY, 1.0, f64::NEG_INFINITY], f64::NAN),
        (&[1.0, f64::NAN], f64::NAN),
        (&[5e-324, 5e-324, 5e-324], 1.5e-323),
        (&[two(-1022), -5e-324], f64::from_bits((1 << 52) - 1)),
        (&[0.1; 10], 1.0),
    ];
    for (values, expected) in cases {
        assert_bits(reference(values), *expected);
        assert_bits(values.iter().copied().collect::<ExactSum>().round(), *expected);
        assert_bits(slice_sum(values).round(), *expected);
        let mut reversed = values.to_vec();
        reversed.reverse();
        assert_bits(slice_sum(&reversed).round(), *expected);
        let mut by_runs = ExactSum::new();
        let ends: Vec<u32> = (1..=values.len() as u32).collect();
        sum_runs(values, &ends, None, |_, sum| by_runs.merge(&sum));
        assert_bits(by_runs.round(), *expected);
        assert_bits(ExactSum::from_components(&by_runs.components()).round(), *expected);
    }
}

#[test]
fn a_sum_above_the_doubles_keeps_its_components() {
    let sum = slice_sum(&[f64::MAX, f64::MAX, 1.0]);
    assert_eq!(sum.components().as_slice(), [f64::MAX, f64::MAX, 1.0]);
    let halfway: ExactSum = [f64::MAX, pow2(969), pow2(969)].into_iter().collect();
    assert_eq!(halfway.components().as_slice(), [f64::MAX, pow2(970)]);
    let mut back = ExactSum::from_components(&sum.components());
    back.add(-f64::MAX);
    assert_eq!(back.round(), f64::MAX);
    back.add(-f64::MAX);
    assert_eq!(back, slice_sum(&[1.0]));
    assert_ne!(back, slice_sum(&[2.0]));
    back.add(-1.0);
    assert!(back.is_zero() && back.heap_bytes() > 0);
    back.clear();
    assert!(back.is_zero() && back.heap_bytes() == 0);
}

#[test]
fn usual_values_stay_in_the_pair() {
    assert_eq!(size_of::<ExactSum>(), 24);
    // A full mantissa over twenty binades, and two decimals.
    let noisy: Vec<f64> = (1..5000).map(|n| 1e3 / f64::from(n)).collect();
    let decimals: Vec<f64> = (0..5000).map(|n| f64::from(n * 7919 % 10_007) / 100.0).collect();
    for values in [noisy, decimals] {
        let mut one_by_one = ExactSum::new();
        values.iter().for_each(|value| one_by_one.add(*value));
        assert_eq!((one_by_one.heap_bytes(), slice_sum(&values).heap_bytes()), (0, 0));
        assert!(one_by_one.components().len() <= 2);
    }
}

/// As many of the largest values under a bound as a split is made for, with bits at the far end of what it can hold.
#[test]
fn a_split_holds_what_it_promises() {
    for exponent in [-1100, -1070, -1022, -900, 0, 50, 900, 980, 989, 990, 1010] {
        for k in 1..=11 {
            let len = 1usize << k;
            let largest = (2.0 - f64::EPSILON) * if exponent < -1021 { pow2(-1022) } else { pow2(exponent - 1) };
            let last_place = exponent + 2 * k - 103;
            let tiny = if last_place < -1022 { f64::from_bits(3) } else { pow2(last_place) };
            for sign in [1.0, -1.0] {
                let mut values = vec![sign * largest; len];
                values[len / 2] = tiny;
                let bound = Bound::of(&values);
                let split = Split::new(bound, len);
                assert_eq!(split.is_some(), exponent + k < PAIR_EXPONENT, "2^{exponent}, {len} values");
                let Some(split) = split else { continue };
                let (hi, lo) = split.sum::<4>(&values).expect("its bits are in reach");
                assert_eq!(split.sum::<2>(&values), Some((hi, lo)));
                assert_bits(hi + lo, reference(&values));
                let mut wide = Wide::default();
                values.iter().chain(&[-hi, -lo]).for_each(|value| wide.add(*value));
                assert_bits(wide.round(), 0.0);
            }
        }
    }
    // One place further, and the split says so.
    let values = [1.0 + f64::EPSILON, 1.0, 1.0, pow2(-100)];
    let split = Split::new(Bound::of(&values), 4).expect("in range");
    assert_eq!(split.sum::<2>(&values), None);
}

#[test]
fn the_wide_number_settles_in_time() {
    // All ones in the mantissa, at the shift that fills a limb most.
    for place in 0..64 {
        let value = (2.0 - f64::EPSILON) * pow2(place);
        let values = vec![-value; 5000];
        let mut wide = Wide::default();
        values.iter().for_each(|value| wide.add(*value));
        assert_bits(wide.round(), reference(&values));
    }
}

#[test]
fn integers_sum_in_128_bits() {
    let extremes = vec![i64::MIN; 70_000];
    assert_eq!(sum_i64(&extremes), i128::from(i64::MIN) * 70_000);
    assert_eq!(sum_i64(&[i64::MAX, i64::MAX, -1]), i128::from(i64::MAX) * 2 - 1);
    assert_eq!(sum_u64(&vec![u64::MAX; 70_000]), u128::from(u64::MAX) * 70_000);
    assert_eq!((sum_i64(&[]), sum_u64(&[])), (0, 0));
}

/// Doubles of one exponent band, of all bands, and the odd ones.
fn value(band: std::ops::Range<u64>) -> impl Strategy<Value = f64> {
    let bits = move |exponent: std::ops::Range<u64>| {
        (exponent, 0u64..1 << 52, any::<bool>())
            .prop_map(|(exponent, fraction, sign)| f64::from_bits(u64::from(sign) << 63 | exponent << 52 | fraction))
    };
    prop_oneof![
        8 => bits(band),
        1 => (-1000i32..1000).prop_map(|n| f64::from(n) / 100.0),
        1 => Just(0.0),
        1 => Just(-0.0),
    ]
}

fn values() -> impl Strategy<Value = Vec<f64>> {
    let bands = prop_oneof![
        Just(1000..1030u64),
        Just(990..1060u64),
        Just(0..3u64),
        Just(0..60u64),
        Just(2000..2047u64),
        Just(0..2047u64),
    ];
    // With their negatives for cancellation.
    (bands, any::<bool>()).prop_flat_map(|(band, cancel)| {
        prop::collection::vec(value(band), 0..60).prop_map(move |mut values| {
            if cancel {
                values.extend(values.clone().iter().skip(1).map(|value| -value));
            }
            values
        })
    })
}

proptest! {
    #[test]
    fn any_order_split_and_merge_gives_the_same_bits(
        mut values in values(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
        seed in any::<u64>(),
        special in prop::option::weighted(0.1, prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(f64::NEG_INFINITY)]),
    ) {
        values.extend(special);
        let expected = reference(&values);
        let whole = slice_sum(&values);
        assert_bits(whole.round(), expected);
        // Another order.
        let mut state = seed;
        for at in (1..values.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            values.swap(at, (state >> 33) as usize % (at + 1));
        }
        let one_by_one: ExactSum = values.iter().copied().collect();
        assert_bits(one_by_one.round(), expected);
        // Runs, merged from the last to the first.
        let mut ends: Vec<u32> = cuts.iter().map(|cut| cut.index(values.len() + 1) as u32).collect();
        ends.push(values.len() as u32);
        ends.sort_unstable();
        let mut parts = Vec::new();
        sum_runs(&values, &ends, None, |run, sum| { assert_eq!(run, parts.len()); parts.push(sum); });
        prop_assert_eq!(parts.len(), ends.len());
        let mut merged = ExactSum::new();
        parts.iter().rev().for_each(|part| merged.merge(part));
        for (part, rows) in parts.iter().zip(runs(&ends)) {
            assert_bits(part.round(), reference(&values[rows]));
        }
        assert_bits(merged.round(), expected);
        // Equal sums, equal components.
        let bits = |sum: &ExactSum| sum.components().iter().map(|part| part.to_bits()).collect::<Vec<_>>();
        prop_assert_eq!(bits(&whole), bits(&merged));
        prop_assert_eq!(bits(&whole), bits(&one_by_one));
        prop_assert_eq!(&ExactSum::from_components(&merged.components()), &whole);
        prop_assert_eq!(whole.is_zero(), expected == 0.0);
        // A looser bound changes nothing.
        let mut bounded = ExactSum::new();
        bounded.add_bounded(&values, Bound::of_extremes(-f64::MAX, 1.0));
        assert_bits(bounded.round(), expected);
        let largest = values.iter().copied().filter(|value| !value.is_nan()).fold(0.0, f64::max);
        let smallest = values.iter().copied().filter(|value| !value.is_nan()).fold(0.0, f64::min);
        sum_runs(&values, &[values.len() as u32], Some(Bound::of_extremes(smallest, largest)), |_, sum| {
            assert_bits(sum.round(), expected);
        });
    }

    #[test]
    fn long_slices_equal_the_wide_number(start in -1e6..1e6f64, step in -1e3..1e3f64, len in 0usize..9000) {
        let values: Vec<f64> = (0..len).map(|n| start + step * (n as f64)).collect();
        let mut wide = Wide::default();
        values.iter().for_each(|value| wide.add(*value));
        let sum = slice_sum(&values);
        assert_bits(sum.round(), wide.round());
        prop_assert_eq!(sum.heap_bytes(), 0);
        prop_assert_eq!(sum.components(), wide.components());
        let mut joined = ExactSum::new();
        sum_runs(&values, &[len as u32 / 3, len as u32 / 2, len as u32], None, |_, sum| joined.merge(&sum));
        prop_assert_eq!(joined, sum);
    }

    #[test]
    fn integer_sums_equal_plain_sums(values in prop::collection::vec(any::<i64>(), 0..200)) {
        prop_assert_eq!(sum_i64(&values), values.iter().map(|value| i128::from(*value)).sum::<i128>());
        let values: Vec<u64> = values.iter().map(|value| *value as u64).collect();
        prop_assert_eq!(sum_u64(&values), values.iter().map(|value| u128::from(*value)).sum::<u128>());
    }
}
