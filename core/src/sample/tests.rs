use proptest::prelude::*;

use super::*;
use crate::exec::exact_sum::ExactSum;

fn points<'a>(times: &'a [i64], values: &'a [f64]) -> Points<'a> {
    Points { times, values, present: None }
}

fn bits(samples: &[Sample]) -> Vec<(i64, Option<u64>)> {
    samples.iter().map(|sample| (sample.time, sample.value.map(f64::to_bits))).collect()
}

#[test]
fn columns_are_equal_parts() {
    let starts = |min, max, count| Columns::new(TimeRange::new(min, max), count).starts();
    assert_eq!(starts(0, 99, 4), [0, 25, 50, 75]);
    assert_eq!(starts(0, 9, 4), [0, 3, 5, 8]);
    assert_eq!(starts(5, 6, 10), [5, 6]);
    assert_eq!((starts(1, 0, 3), starts(0, 9, 0)), (vec![], vec![]));
    assert_eq!(starts(i64::MIN, i64::MAX, 2), [i64::MIN, 0]);
    assert_eq!(starts(i64::MAX, i64::MAX, 2), [i64::MAX]);
}

#[test]
fn consolidates_each_column() {
    let (times, values) = ([-5, 0, 1, 2, 25, 60, 61, 99, 100], [9.0, 3.0, 1.0, 2.0, 0.5, f64::NAN, 7.0, -1.0, 9.0]);
    let values_by = |by| {
        let samples = consolidate(points(&times, &values), TimeRange::new(0, 99), 4, by);
        assert_eq!(samples.iter().map(|sample| sample.time).collect::<Vec<_>>(), [0, 25, 50, 75]);
        samples.iter().map(|sample| sample.value.map(|value| value.to_string())).collect::<Vec<_>>()
    };
    let texts = |values: [&str; 4]| values.map(|value| Some(value.to_owned())).to_vec();
    assert_eq!(values_by(Consolidation::Average), texts(["2", "0.5", "NaN", "-1"]));
    assert_eq!(values_by(Consolidation::Sum), texts(["6", "0.5", "NaN", "-1"]));
    assert_eq!(values_by(Consolidation::First), texts(["3", "0.5", "NaN", "-1"]));
    assert_eq!(values_by(Consolidation::Last), texts(["2", "0.5", "7", "-1"]));
    assert_eq!(values_by(Consolidation::Min), texts(["1", "0.5", "7", "-1"]));
    assert_eq!(values_by(Consolidation::Max), texts(["3", "0.5", "7", "-1"]));
    let absent = Bitmap::filled(false, times.len());
    let none = Points { present: Some(&absent), ..points(&times, &values) };
    assert!(
        consolidate(none, TimeRange::new(0, 99), 4, Consolidation::Sum).iter().all(|sample| sample.value.is_none())
    );
    assert_eq!(consolidate(none, TimeRange::EMPTY, 4, Consolidation::Sum), []);
}

#[test]
fn chooses_extremes_in_time_order() {
    let times: Vec<i64> = (0..10).collect();
    let values = [5.0, 9.0, 1.0, 9.0, 4.0, 2.0, 2.0, 2.0, f64::NAN, 2.0];
    let range = TimeRange::new(0, 9);
    assert_eq!(min_max(points(&times, &values), range, 2), [1, 2, 5]);
    assert_eq!(m4(points(&times, &values), range, 2), [0, 1, 2, 4, 5, 9]);
    assert_eq!(m4(points(&times, &values), TimeRange::new(3, 8), 1), [3, 5, 7]);
    assert_eq!(min_max(points(&times, &values), range, 0), [0; 0]);
    assert_eq!(m4(points(&times, &values), TimeRange::new(20, 30), 5), [0; 0]);
}

#[test]
fn lttb_at_its_edges() {
    let times: Vec<i64> = (0..6).collect();
    let values = [f64::NAN, 1.0, 1.0, f64::INFINITY, 1.0, 1.0];
    let lttb_of = |n| lttb(points(&times, &values), n);
    assert_eq!((lttb_of(0), lttb_of(1), lttb_of(2)), (vec![], vec![1], vec![1, 5]));
    // A straight line has no triangles: the first of each part.
    assert_eq!((lttb_of(3), lttb_of(4), lttb_of(99)), (vec![1, 2, 5], vec![1, 2, 4, 5], vec![1, 2, 4, 5]));
    assert_eq!(lttb(points(&[], &[]), 5), [0; 0]);
    // The spikes stay.
    let values: Vec<f64> = (0..100).map(|n| if n % 33 == 20 { 50.0 } else { f64::from(n % 3) }).collect();
    let times: Vec<i64> = (0..100).collect();
    let chosen = lttb(points(&times, &values), 12);
    assert!([0, 20, 53, 86, 99].iter().all(|row| chosen.contains(row)), "{chosen:?}");
    // Neither the ends of time nor the largest doubles upset it.
    let times = [i64::MIN, -1, 0, 1, i64::MAX];
    assert_eq!(lttb(points(&times, &[0.0, -f64::MAX, f64::MAX, f64::MAX, f64::MAX]), 3), [0, 1, 4]);
    assert_eq!(lttb(points(&[i64::MIN, 10 + i64::MIN, 0, i64::MAX], &[0.0, 1.0, 1.0, 2.0]), 3), [0, 1, 3]);
    assert_eq!(lttb(points(&[0, 1, 2, 3], &[0.0, 1e308, 1.7e308, 0.0]), 3), [0, 2, 3]);
    assert_eq!(lttb(points(&times, &[0.0, 0.0, 1e-300, 0.0, 0.0]), 3), [0, 2, 4]);
}

/// The paper's algorithm as it is usually written.
fn plain_lttb(times: &[i64], values: &[f64], n: usize) -> Vec<usize> {
    let len = times.len();
    let start = |part: usize| 1 + part * (len - 2) / (n - 2);
    let mut chosen = vec![0];
    for part in 0..n - 2 {
        let next = start(part + 1)..if part + 3 < n { start(part + 2) } else { len };
        let count = next.len() as f64;
        let mean_x = times[next.clone()].iter().map(|time| *time as f64).sum::<f64>() / count;
        let mean_y = values[next].iter().sum::<f64>() / count;
        let (x, y) = (times[chosen[part]] as f64, values[chosen[part]]);
        let area = |row: usize| ((x - mean_x) * (values[row] - y) - (x - times[row] as f64) * (mean_y - y)).abs();
        let best = (start(part)..start(part + 1)).rev().max_by(|a, b| area(*a).total_cmp(&area(*b)));
        chosen.push(best.unwrap());
    }
    chosen.push(len - 1);
    chosen
}

/// Times, values, presence.
fn rows() -> impl Strategy<Value = (Vec<i64>, Vec<f64>, Option<Bitmap>)> {
    let gap = prop_oneof![8 => 0..5i64, 1 => 0..1000i64, 1 => 0..i64::MAX / 4];
    let value = prop_oneof![
        8 => (-9..9i32).prop_map(f64::from),
        2 => any::<f64>(),
        1 => Just(f64::NAN),
    ];
    let start = prop_oneof![Just(i64::MIN), -100..100i64];
    (start, prop::collection::vec((gap, value, prop::bool::weighted(0.8)), 0..120), any::<bool>()).prop_map(
        |(start, rows, all)| {
            let mut time = start;
            let mut map = Bitmap::new();
            let (mut times, mut values) = (Vec::new(), Vec::new());
            for (gap, value, present) in rows {
                time = time.saturating_add(gap);
                times.push(time);
                values.push(value);
                map.push(present);
            }
            (times, values, (!all).then_some(map))
        },
    )
}

proptest! {
    #[test]
    fn every_column_equals_a_walk(
        (times, values, present) in rows(),
        bounds in (prop_oneof![Just(i64::MIN), -50..50i64], prop_oneof![-50..300i64, Just(i64::MAX)]),
        columns in 0usize..40,
    ) {
        let range = TimeRange::new(bounds.0, bounds.1);
        let points = Points { times: &times, values: &values, present: present.as_ref() };
        let span = (i128::from(range.max) - i128::from(range.min) + 1).max(0);
        let count = span.min(columns as i128);
        let has_value = |row: usize| present.as_ref().is_none_or(|map| map.get(row));
        let mut inside: Vec<Vec<usize>> = vec![Vec::new(); count as usize];
        if count > 0 {
            for row in (0..times.len()).filter(|row| range.contains(times[*row]) && has_value(*row)) {
                inside[((i128::from(times[row]) - i128::from(range.min)) * count / span) as usize].push(row);
            }
        }
        let value = |by, rows: &[usize]| {
            let of: Vec<f64> = rows.iter().map(|row| values[*row]).collect();
            let sum = of.iter().copied().collect::<ExactSum>().round();
            match by {
                Consolidation::Average => (!of.is_empty()).then(|| sum / of.len() as f64),
                Consolidation::Sum => (!of.is_empty()).then_some(sum),
                Consolidation::First => of.first().copied(),
                Consolidation::Last => of.last().copied(),
                Consolidation::Min => min(&of),
                Consolidation::Max => max(&of),
            }
        };
        let kinds = [
            Consolidation::Average,
            Consolidation::First,
            Consolidation::Last,
            Consolidation::Max,
            Consolidation::Min,
            Consolidation::Sum,
        ];
        for by in kinds {
            let samples = consolidate(points, range, columns, by);
            prop_assert!(samples.is_sorted_by(|a, b| a.time < b.time));
            let expected: Vec<_> = inside.iter().map(|rows| value(by, rows).map(f64::to_bits)).collect();
            prop_assert_eq!(bits(&samples).into_iter().map(|(_, value)| value).collect::<Vec<_>>(), expected);
        }

        let drawn = |rows: &Vec<usize>| rows.iter().copied().filter(|row| !values[*row].is_nan()).collect::<Vec<_>>();
        let inside: Vec<Vec<usize>> = inside.iter().map(drawn).collect();
        let extremes = |rows: &Vec<usize>| {
            let of: Vec<f64> = rows.iter().map(|row| values[*row]).collect();
            [min_at(&of), max_at(&of)].into_iter().flatten().map(|at| rows[at]).collect::<Vec<_>>()
        };
        let sorted = |mut rows: Vec<usize>| { rows.sort_unstable(); rows.dedup(); rows };
        prop_assert_eq!(min_max(points, range, columns), sorted(inside.iter().flat_map(extremes).collect()));
        let ends = inside.iter().flat_map(|rows| [rows.first(), rows.last()]).flatten().copied();
        let expected = sorted(inside.iter().flat_map(extremes).chain(ends).collect());
        prop_assert_eq!(m4(points, range, columns), expected);
    }

    #[test]
    fn lttb_keeps_count_order_and_ends((times, values, present) in rows(), n in 0usize..60) {
        let chosen = lttb(Points { times: &times, values: &values, present: present.as_ref() }, n);
        let has_value = |row: &usize| present.as_ref().is_none_or(|map| map.get(*row)) && values[*row].is_finite();
        let drawn: Vec<usize> = (0..times.len()).filter(has_value).collect();
        prop_assert_eq!(chosen.len(), n.min(drawn.len()));
        prop_assert!(chosen.is_sorted_by(|a, b| a < b));
        prop_assert!(chosen.iter().all(has_value));
        prop_assert!(n < 1 || chosen.first() == drawn.first());
        prop_assert!(n < 2 || chosen.last() == drawn.last());
    }

    // Parts of four rows, whose means are exact, so that equal triangles are equal in either form.
    #[test]
    fn lttb_equals_the_paper(rows in prop::collection::vec((0..9i64, -99..99i32), 6..200)) {
        let rows = &rows[..(rows.len() - 2) / 4 * 4 + 2];
        let mut time = 0;
        let times: Vec<i64> = rows.iter().map(|(gap, _)| { time += gap; time }).collect();
        let values: Vec<f64> = rows.iter().map(|(_, value)| f64::from(*value)).collect();
        let n = (rows.len() - 2) / 4 + 2;
        prop_assert_eq!(lttb(points(&times, &values), n), plain_lttb(&times, &values, n));
    }
}
