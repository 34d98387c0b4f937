use proptest::prelude::*;

use super::*;
use crate::model::column::Bitmap;

/// The order of [`min`] and [`max`], value by value.
fn plain_min(values: &[f64]) -> Option<f64> {
    let numbers = values.iter().copied().filter(|value| !value.is_nan()).min_by(f64::total_cmp);
    numbers.or_else(|| values.first().map(|_| f64::NAN))
}

fn plain_max(values: &[f64]) -> Option<f64> {
    let numbers = values.iter().copied().filter(|value| !value.is_nan()).max_by(f64::total_cmp);
    numbers.or_else(|| values.first().map(|_| f64::NAN))
}

fn bits(value: Option<f64>) -> Option<u64> {
    value.map(f64::to_bits)
}

fn floats() -> impl Strategy<Value = Vec<f64>> {
    let value = prop_oneof![
        4 => (-3..3i32).prop_map(f64::from),
        1 => Just(-0.0),
        1 => Just(f64::NAN),
        1 => Just(f64::INFINITY),
        1 => Just(f64::NEG_INFINITY),
    ];
    prop_oneof![
        prop::collection::vec(value, 0..40),
        prop::collection::vec(prop_oneof![Just(0.0), Just(-0.0)], 0..20),
        prop::collection::vec(prop_oneof![Just(f64::NAN), Just(f64::INFINITY)], 0..20),
    ]
}

#[test]
fn extremes_of_odd_floats() {
    let nan = f64::NAN;
    assert_eq!((bits(min::<f64>(&[])), min_at::<f64>(&[])), (None, None));
    assert_eq!((bits(min(&[nan, nan])), min_at(&[nan, nan]), max_at(&[nan])), (Some(nan.to_bits()), Some(0), Some(0)));
    assert_eq!((min(&[nan, 2.0, 1.0, 1.0]), min_at(&[nan, 2.0, 1.0, 1.0])), (Some(1.0), Some(2)));
    assert_eq!((min(&[nan, f64::INFINITY]), min_at(&[nan, f64::INFINITY])), (Some(f64::INFINITY), Some(1)));
    assert_eq!((bits(min(&[0.0, -0.0])), min_at(&[0.0, -0.0])), (bits(Some(-0.0)), Some(1)));
    assert_eq!((bits(max(&[-0.0, 0.0])), max_at(&[-0.0, 0.0])), (bits(Some(0.0)), Some(1)));
}

#[test]
fn extremes_of_other_types() {
    let integers: Vec<i64> = (0..50).map(|n| (n * 37 % 50) - 25).collect();
    assert_eq!((min(&integers), max(&integers)), (Some(-25), Some(24)));
    assert_eq!(min(&[i64::MAX]), Some(i64::MAX));
    assert_eq!((max(&[u64::MAX, 0]), min_at(&[u64::MAX, 0])), (Some(u64::MAX), Some(1)));
    assert_eq!((min(&[true, false, true]), max_at(&[false, true, true])), (Some(false), Some(1)));
}

#[test]
fn a_grid_reaches_both_ends_of_time() {
    assert_eq!((Grid::new(0, 0), Grid::new(-1, 0)), (None, None));
    let ones = Grid::new(1, i64::MIN).unwrap();
    assert_eq!((ones.bucket_of(i64::MIN), ones.bucket_of(i64::MAX)), (i64::MIN, i64::MAX));
    assert_eq!((ones.start_of(i64::MAX), ones.end_of(i64::MAX)), (Some(i64::MAX), None));
    let wide = Grid::new(i64::MAX, -1).unwrap();
    assert_eq!((wide.bucket_of(i64::MIN), wide.start_of(-2), wide.end_of(-2)), (-2, Some(i64::MIN), Some(-1)));
    let low = Grid::new(i64::MAX, 5).unwrap();
    assert_eq!((low.bucket_of(i64::MIN), low.start_of(-2), low.end_of(-2)), (-2, None, Some(5 - i64::MAX)));
    assert_eq!((wide.bucket_of(-1), wide.bucket_of(-2)), (-1, -2));
    assert_eq!((wide.bucket_of(i64::MAX), wide.end_of(0)), (0, None));
    let (mut buckets, mut ends) = (Vec::new(), Vec::new());
    bucket_runs(&[i64::MIN, -2, -1, 0, i64::MAX - 2, i64::MAX], wide, &mut buckets, &mut ends);
    assert_eq!((buckets, ends), (vec![-2, -1, 0], vec![2, 5, 6]));
}

#[test]
fn edges_of_ones_own() {
    let (mut buckets, mut ends) = (vec![9], vec![9]);
    edge_runs(&[1, 2, 3, 5, 5, 9, i64::MAX], &[2, 4, 4, 5, 7, 8, i64::MAX], &mut buckets, &mut ends);
    assert_eq!((&buckets[..], &ends[..]), (&[-1, 0, 3, 5, 6][..], &[1, 3, 5, 6, 7][..]));
    edge_runs(&[1, 2], &[], &mut buckets, &mut ends);
    assert_eq!((&buckets[..], &ends[..]), (&[-1][..], &[2][..]));
    edge_runs(&[], &[1], &mut buckets, &mut ends);
    assert!(buckets.is_empty() && ends.is_empty());
}

proptest! {
    #[test]
    fn extremes_equal_a_plain_search(values in floats()) {
        prop_assert_eq!(bits(min(&values)), bits(plain_min(&values)));
        prop_assert_eq!(bits(max(&values)), bits(plain_max(&values)));
        let first = |wanted: Option<f64>| values.iter().position(|value| bits(Some(*value)) == bits(wanted));
        prop_assert_eq!(min_at(&values), first(plain_min(&values)));
        prop_assert_eq!(max_at(&values), first(plain_max(&values)));
    }

    #[test]
    fn integer_extremes_equal_a_plain_search(values in prop::collection::vec(any::<i64>(), 0..40)) {
        prop_assert_eq!(min(&values), values.iter().copied().min());
        prop_assert_eq!(max(&values), values.iter().copied().max());
        prop_assert_eq!(max_at(&values).map(|row| values[row]), values.iter().copied().max());
    }

    #[test]
    fn presence_equals_a_row_by_row_walk(
        rows in prop::collection::vec(prop::bool::weighted(0.1), 0..300),
        dense in any::<bool>(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 1..6),
    ) {
        let rows: Vec<bool> = rows.into_iter().map(|present| present != dense).collect();
        let mut map = Bitmap::new();
        rows.iter().for_each(|present| map.push(*present));
        let mut ends: Vec<u32> = cuts.iter().map(|cut| cut.index(rows.len() + 1) as u32).collect();
        ends.sort_unstable();
        for range in runs(&ends) {
            let present = || range.clone().filter(|row| rows[*row]);
            prop_assert_eq!(count_present(Some(&map), range.clone()), present().count());
            prop_assert_eq!(first_present(Some(&map), range.clone()), present().next());
            prop_assert_eq!(last_present(Some(&map), range.clone()), present().next_back());
            prop_assert_eq!(first_present(None, range.clone()), range.clone().next());
            prop_assert_eq!(last_present(None, range.clone()), range.clone().next_back());
            prop_assert_eq!(count_present(None, range.clone()), range.len());
        }
        let numbers: Vec<usize> = (0..rows.len()).collect();
        let (mut squeezed, mut squeezed_ends) = (vec![7], vec![7]);
        squeeze(&numbers, &map, &mut squeezed);
        squeeze_ends(&ends, &map, &mut squeezed_ends);
        prop_assert_eq!(&squeezed, &numbers.iter().copied().filter(|row| rows[*row]).collect::<Vec<_>>());
        for (before, after) in runs(&ends).zip(runs(&squeezed_ends)) {
            prop_assert_eq!(&squeezed[after], &before.filter(|row| rows[*row]).collect::<Vec<_>>());
        }
    }

    #[test]
    fn bucket_runs_equal_a_row_by_row_walk(
        start in prop_oneof![Just(i64::MIN), -50..50i64, Just(i64::MAX - 200)],
        gaps in prop::collection::vec(prop_oneof![8 => 0..4i64, 1 => 0..100i64, 1 => any::<i64>().prop_map(|gap| gap & i64::MAX)], 0..80),
        width in prop_oneof![1..20i64, Just(i64::MAX), 1..i64::MAX],
        origin in any::<i64>(),
    ) {
        let mut times = vec![start];
        for gap in gaps {
            times.push(times[times.len() - 1].saturating_add(gap));
        }
        let grid = Grid::new(width, origin).unwrap();
        let bucket = |time: i64| {
            let offset = i128::from(origin).rem_euclid(i128::from(width));
            (i128::from(time) - offset).div_euclid(i128::from(width))
        };
        let mut expected: Vec<(i64, u32)> = Vec::new();
        for (row, time) in times.iter().enumerate() {
            let number = i64::try_from(bucket(*time)).unwrap();
            prop_assert_eq!(grid.bucket_of(*time), number);
            prop_assert!(grid.start_of(number).is_none_or(|start| start <= *time));
            prop_assert!(grid.end_of(number).is_none_or(|end| *time < end));
            match expected.last_mut() {
                Some((last, end)) if *last == number => *end = row as u32 + 1,
                _ => expected.push((number, row as u32 + 1)),
            }
        }
        let (mut buckets, mut ends) = (Vec::new(), Vec::new());
        bucket_runs(&times, grid, &mut buckets, &mut ends);
        let actual: Vec<_> = buckets.iter().copied().zip(ends.iter().copied()).collect();
        prop_assert_eq!(actual, expected);

        let mut edges: Vec<i64> = times.iter().step_by(3).copied().chain([5, 7, origin]).collect();
        edges.sort_unstable();
        edge_runs(&times, &edges, &mut buckets, &mut ends);
        prop_assert_eq!(*ends.last().unwrap() as usize, times.len());
        prop_assert!(buckets.is_sorted_by(|a, b| a < b));
        for (rows, number) in runs(&ends).zip(&buckets) {
            for time in &times[rows] {
                prop_assert_eq!(edges.iter().filter(|edge| *edge <= time).count() as i64 - 1, *number);
            }
        }
    }
}
