use super::super::frame::{DataFrame, Field};
use super::set::{Data, Element, Points};
use super::*;

const RANGE: Range = Range { from: 0, to: 50_000 };

fn series(labels: &[(&str, &str)], values: &[Option<f64>]) -> Element {
    let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let times = (0..values.len() as i64).map(|at| at * 10_000).collect();
    Element { labels, data: Data::Series(Points { times, values: values.to_vec() }) }
}

/// The values that an expression over `A` has, and labels where there are any.
#[track_caller]
fn check(model: &str, a: &[Element], expected: &str) {
    let model = Json::parse(model.as_bytes()).unwrap();
    let set = Set::of(a.to_vec());
    let result = Expression::read("B", &model).and_then(|expression| {
        let inputs: Vec<&Set> = expression.inputs.iter().map(|_| &set).collect();
        expression.evaluate(&inputs, RANGE)
    });
    let text = match result {
        Err(why) => why,
        Ok(set) => {
            let element = |element: &Element| {
                let labels: String = element.labels.iter().map(|(name, value)| format!("{name}={value} ")).collect();
                match &element.data {
                    Data::Number(value) => format!("{labels}{value:?}"),
                    Data::Series(points) => format!("{labels}{:?}", points.values),
                }
            };
            set.elements.iter().map(element).collect::<Vec<_>>().join("; ")
        }
    };
    assert_eq!(text.replace("Some(", "").replace(')', "").replace(".0", ""), expected, "{model:?}");
}

fn math(expression: &str) -> String {
    format!("{{\"type\":\"math\",\"expression\":{expression:?}}}")
}

#[test]
fn operators_bind_as_told() {
    for (text, value) in [
        ("1 + 2 * 3 ** 2", "19"),
        ("2 ** 3 ** 2", "64"),
        ("-2 ** 2", "4"),
        ("10 - 4 - 3", "3"),
        ("7 % 4 * 2", "6"),
        ("1 < 2 == 1", "1"),
        ("0 && 1 || 1", "1"),
        ("!0 + !5", "1"),
        ("1 / 0", "inf"),
        ("null() + 1", "None"),
        ("is_null(null()) + is_nan(nan()) + is_inf(infn()) + is_number(1)", "4"),
        ("abs(-1.5) + floor(1.5) + ceil(1.5) + round(0.5)", "5.5"),
        ("0x10 + 1e1", "26"),
        ("(1", "failed to parse expression [B]: invalid math command: missing "),
        ("1 +", "failed to parse expression [B]: invalid math command: unexpected end"),
        ("foo(1)", "failed to parse expression [B]: invalid math command: non existent function foo"),
        ("1 2", "failed to parse expression [B]: invalid math command: unexpected \"2\""),
    ] {
        check(&math(text), &[], value);
    }
    assert!(parse::parse(&"(".repeat(100_000)).is_err());
    assert!(parse::parse(&"1+".repeat(20_000)).is_err());
    assert!(parse::parse(&"-".repeat(50_000)).is_err());
}

#[test]
fn sets_are_joined_by_labels_and_times() {
    let a = series(&[("h", "a")], &[Some(1.0), None]);
    let b = series(&[("h", "b")], &[Some(3.0), Some(4.0), Some(5.0)]);
    check(&math("$A * 2 + ${A}"), &[a.clone(), b.clone()], "h=a [3, None]; h=b [9, 12, 15]");
    let none = series(&[], &[Some(10.0)]);
    check(
        &math("$A + $A"),
        &[a, b, none],
        "h=a [2, None]; h=a [11]; h=b [6, 8, 10]; h=b [13]; h=a [11]; h=b [13]; [20]",
    );
    check(&math("$A + 1"), &[], "");
}

#[test]
fn series_are_reduced_by_each_mode() {
    let reduce = |reducer: &str, settings: &str| {
        format!("{{\"type\":\"reduce\",\"expression\":\"$A\",\"reducer\":\"{reducer}\",\"settings\":{{{settings}}}}}")
    };
    let a = [series(&[], &[Some(4.0), None, Some(f64::NAN), Some(1.0)])];
    for (reducer, strict, drop, replace) in [
        ("sum", "NaN", "5", "19"),
        ("mean", "NaN", "2.5", "4.75"),
        ("min", "NaN", "1", "1"),
        ("max", "NaN", "4", "7"),
        ("count", "4", "2", "4"),
        ("last", "1", "1", "1"),
        ("median", "NaN", "2.5", "5.5"),
    ] {
        check(&reduce(reducer, ""), &a, strict);
        check(&reduce(reducer, "\"mode\":\"dropNN\""), &a, drop);
        check(&reduce(reducer, "\"mode\":\"replaceNN\",\"replaceWithValue\":7"), &a, replace);
    }
    check(&reduce("sum", ""), &[series(&[], &[])], "NaN");
    check(&reduce("count", ""), &[series(&[], &[])], "0");
    check(&reduce("sum", "\"mode\":\"dropNN\""), &[series(&[], &[None])], "None");
    check(&reduce("avg", ""), &a, "failed to parse expression [B]: invalid reducer 'avg'");
}

#[test]
fn a_grid_takes_what_lies_before_and_on_each_of_its_points() {
    let resample = |window: &str, up: &str| {
        format!(
            "{{\"type\":\"resample\",\"expression\":\"A\",\"window\":\"{window}\",\"downsampler\":\"sum\",\"upsampler\":\"{up}\"}}"
        )
    };
    let a = [series(&[], &[Some(1.0), Some(2.0), Some(3.0)])];
    check(&resample("20s", "pad"), &a, "[1, 5, 3]");
    check(&resample("5s", "backfilling"), &a, "[1, 2, 2, 3, 3, None, None, None, None, None, None]");
    check(&resample("5s", "fillna"), &a, "[1, None, 2, None, 3, None, None, None, None, None, None]");
    check(
        &resample("1ms", "x"),
        &a,
        "failed to parse expression [B]: expected \"upsampler\" to be pad, backfilling or fillna, got 'x'",
    );
}

#[test]
fn thresholds_and_conditions_say_one_or_zero() {
    let threshold = |kind: &str, params: &str| {
        format!(
            "{{\"type\":\"threshold\",\"expression\":\"A\",\"conditions\":[{{\"evaluator\":{{\"type\":\"{kind}\",\"params\":{params}}}}}]}}"
        )
    };
    let a = [series(&[], &[Some(1.0), None, Some(3.0), Some(5.0)])];
    check(&threshold("gt", "[1]"), &a, "[0, None, 1, 1]");
    check(&threshold("within_range", "[1,5]"), &a, "[0, None, 1, 0]");
    check(&threshold("within_range_included", "[1,5]"), &a, "[1, None, 1, 1]");
    check(&threshold("outside_range", "[1,3]"), &a, "[0, None, 0, 1]");
    check(&threshold("gt", "[]"), &a, "failed to parse expression [B]: evaluator gt needs 1 parameters");
    let classic = |reducer: &str, evaluator: &str| {
        format!(
            "{{\"type\":\"classic_conditions\",\"conditions\":[{{\"query\":{{\"params\":[\"A\"]}},\"reducer\":{{\"type\":\"{reducer}\"}},\
             \"evaluator\":{evaluator}}}]}}"
        )
    };
    check(&classic("percent_diff", "{\"type\":\"eq\",\"params\":[400]}"), &a, "1");
    check(&classic("avg", "{\"type\":\"lt\",\"params\":[3]}"), &a, "0");
    check(&classic("avg", "{\"type\":\"lt\",\"params\":[3]}"), &[], "None");
    check(&classic("avg", "{\"type\":\"no_value\"}"), &[], "1");
}

#[test]
fn frames_are_series_or_numbers() {
    let text =
        |texts: &[&str]| super::super::frame::Values::Text(texts.iter().map(|text| Some((*text).to_owned())).collect());
    let table = DataFrame::new("", vec![Field::new("h", text(&["a", "b"])), Field::floats("v", vec![Some(1.0), None])]);
    let set = from_frames(std::slice::from_ref(&table)).unwrap();
    assert_eq!(set.elements[1].labels, vec![("h".to_owned(), "b".to_owned())]);
    let long = DataFrame {
        fields: std::iter::once(Field::time("t", vec![1, 2])).chain(table.fields).collect(),
        ..DataFrame::default()
    };
    assert!(from_frames(&[long]).is_err());
    let unsorted =
        DataFrame::new("", vec![Field::time("t", vec![2, 1]), Field::floats("v", vec![Some(2.0), Some(1.0)])]);
    let Data::Series(points) = &from_frames(&[unsorted]).unwrap().elements[0].data else { panic!() };
    assert_eq!((points.times.as_slice(), points.values.as_slice()), (&[1, 2][..], &[Some(1.0), Some(2.0)][..]));
    assert_eq!(from_frames(&[DataFrame::default()]).unwrap(), Set::default());
}

#[test]
fn a_circle_is_found() {
    assert_eq!(order(3, &|node| [vec![2], vec![0], vec![]][node].clone()), Ok(vec![2, 0, 1]));
    assert_eq!(order(2, &|node| vec![1 - node]), Err(0));
}
