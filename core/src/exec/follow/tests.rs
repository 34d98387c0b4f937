use super::*;
use crate::plan::PairOp;

const S: i64 = NANOS_PER_SEC;
const N: f64 = f64::NAN;

#[track_caller]
fn check(along: &Along, times: &[i64], values: &[f64], expected: &[f64]) {
    let times: Vec<i64> = times.iter().map(|secs| secs * S).collect();
    let found = numbers_along(along, &times, values);
    let near = |a: f64, b: f64| a.is_nan() && b.is_nan() || (a - b).abs() <= 1e-9 * b.abs().max(1.0);
    assert!(
        found.len() == expected.len() && found.iter().zip(expected).all(|(a, b)| near(*a, *b)),
        "{along:?}: {found:?}, expected {expected:?}"
    );
}

#[test]
fn values_are_followed_past_absent_ones() {
    let (times, values) = ([0, 10, 20, 30], [1.0, N, 4.0, 2.0]);
    check(&Along::Change { per: None, rising: false }, &times, &values, &[N, N, 3.0, -2.0]);
    check(&Along::Change { per: None, rising: true }, &times, &values, &[N, N, 3.0, N]);
    check(&Along::Change { per: Some(60 * S), rising: false }, &times, &values, &[N, N, 9.0, -12.0]);
    check(&Along::Total, &times, &values, &[1.0, N, 5.0, 7.0]);
    check(&Along::Area, &times, &values, &[0.0, N, 80.0, 100.0]);
    check(&Along::Elapsed, &times, &values, &[N, N, 20.0, 10.0]);
    check(&Along::Moving { width: 20 * S, function: Function::Sum }, &times, &values, &[1.0, N, 4.0, 6.0]);
    check(&Along::MovingCount { count: 3, function: Smoothing::Median }, &times, &values, &[1.0, N, 2.5, 2.0]);
    check(&Along::Exponential { span: 3 }, &times, &values, &[1.0, N, 2.5, 2.25]);
}

#[test]
fn each_value_by_itself() {
    let each = |each: Each, values: &[f64], expected: &[f64]| {
        check(&Along::Each(each), &vec![0; values.len()], values, expected);
    };
    each(Each::Log2, &[8.0, 0.0, -1.0, N], &[3.0, N, N, N]);
    each(Each::AtLeast(2.0), &[1.0, 3.0, N], &[2.0, 3.0, 2.0]);
    each(Each::DropAbove(2.0), &[2.0, 2.5, N], &[2.0, N, N]);
    each(Each::DropZero, &[0.0, 1.0], &[N, 1.0]);
    each(Each::With { op: PairOp::Div, number: 1.0, first: true }, &[2.0, 0.0], &[0.5, N]);
    each(Each::With { op: PairOp::Max, number: 1.0, first: false }, &[0.5, N], &[1.0, N]);
}

#[test]
fn fits() {
    let times = [0, 60, 120, 180];
    check(&Along::Line { robust: false }, &times, &[1.0, 2.0, 4.0, 5.0], &[0.9, 2.3, 3.7, 5.1]);
    let mut values: Vec<f64> = (0..20).map(|x| f64::from(x) * 2.0 + f64::from(x % 3)).collect();
    values[10] = 1e6;
    let times: Vec<i64> = (0..20).collect();
    let line = numbers_along(&Along::Line { robust: true }, &times.iter().map(|t| t * S).collect::<Vec<_>>(), &values);
    assert!((line[19] - 39.0).abs() < 3.0, "one wild value does not move it: {line:?}");
    let steps: Vec<f64> = (0..20).map(|x| if x < 12 { 1.0 } else { 9.0 } + f64::from(x % 2) * 0.1).collect();
    let found = fit::steps(&steps);
    assert!((found[0] - 1.05).abs() < 1e-9 && (found[19] - 9.05).abs() < 1e-9 && found[11] == found[0], "{found:?}");
    let noisy: Vec<f64> = (0..200).map(|x| f64::from(x) / 50.0 + f64::from(x * 7919 % 13)).collect();
    let smooth = fit::smoothed(&noisy);
    assert_eq!(smooth.len(), noisy.len());
    assert!(smooth.iter().all(|value| value.is_finite()));
}
