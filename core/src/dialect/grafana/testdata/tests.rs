use super::super::frame::Values;
use super::*;
use crate::dialect::json::JsonWriter;

const RANGE: Range = Range { from: 1_600_000_000_000, to: 1_600_000_300_000 };

fn ask(model: &str) -> Answer {
    let model = Json::parse(model.as_bytes()).unwrap();
    answer(Asked {
        ref_id: "A",
        model: &model,
        query_type: model.text_of("queryType"),
        range: RANGE,
        interval_millis: model.int_of("intervalMs").unwrap_or(1000),
        max_data_points: 100,
        login: "admin",
    })
}

/// The columns of the first frame, as JSON.
#[track_caller]
fn check(model: &str, values: &str) {
    let Answer::Done(outcome) = ask(model) else { panic!("no answer") };
    let mut json = JsonWriter::new(false);
    outcome.frames[0].write(&mut json);
    let text = String::from_utf8(json.take()).unwrap();
    let (_, data) = text.split_once("\"values\":").unwrap();
    assert_eq!(data.trim_end_matches('}'), values, "{model}");
}

#[test]
fn cells_take_the_narrowest_type() {
    let typed = |text: &str| match csv::typed(&text.split(',').collect::<Vec<_>>()) {
        Values::Bool(values) => format!("{values:?}"),
        Values::Int(values) => format!("{values:?}"),
        Values::Float(values) => format!("{values:?}"),
        Values::Text(values) => format!("{values:?}"),
        _ => unreachable!(),
    };
    assert_eq!(typed("1,null,"), "[Some(1), None, None]");
    assert_eq!(typed("T,x,NULL"), "[Some(true), Some(false), None]");
    assert_eq!(typed("1,NaN,-Inf,0x1.8p1,1e3"), "[Some(1.0), Some(NaN), Some(-inf), Some(3.0), Some(1000.0)]");
    assert_eq!(typed("a,null"), "[Some(\"a\"), None]");
    assert_eq!(typed("null,"), "[None, None]");
}

#[test]
fn a_table_of_text_has_typed_columns_and_quotes() {
    check(
        r#"{"scenarioId":"csv_content","csvContent":"time, \"a, \"\"b\"\"\" ,n{x=1}\n2020-09-13T12:26:40.0000015Z,x,1.5\n,\"\",\n"}"#,
        "[[1600000000000,null],[\"x\",null],[1.5,null]],\"nanos\":[[1500,0],null,null]",
    );
    assert_eq!(ask(r#"{"scenarioId":"csv_content","csvContent":"a,b\n1\n"}"#), Answer::Nothing);
    let Answer::Done(outcome) = ask(r#"{"queryType":"csv_content","csvContent":"a,b\n1\n"}"#) else { panic!() };
    assert_eq!(outcome.fault.unwrap().status, 500);
}

#[test]
fn waves_depend_on_absolute_time() {
    check(
        r#"{"scenarioId":"predictable_csv_wave","csvWave":[{"timeStep":60,"valuesCSV":"0,null,nan,3,"}]}"#,
        "[[1599999960000,1600000020000,1600000080000,1600000140000,1600000200000,1600000260000],[null,3,0,null,null,3]],\
         \"entities\":[null,{\"NaN\":[0,4]}]",
    );
    for model in [
        r#"{"scenarioId":"predictable_pulse"}"#,
        r#"{"scenarioId":"predictable_pulse","pulseWave":{"timeStep":1}}"#,
        r#"{"scenarioId":"predictable_pulse","pulseWave":{"timeStep":0,"onCount":1}}"#,
        r#"{"scenarioId":"predictable_pulse","pulseWave":{"timeStep":1e300,"onCount":9223372036854775807,"offCount":1}}"#,
    ] {
        assert_eq!(ask(model), Answer::Done(Outcome::default()), "{model}");
    }
}

#[test]
fn walks_are_the_same_for_the_same_request_and_bounded() {
    assert_eq!(ask("{}"), ask(r#"{"scenarioId":"random_walk"}"#));
    let Answer::Done(outcome) = ask(
        r#"{"seriesCount":2,"min":1,"max":2,"startValue":9,"intervalMs":-5,"alias":"x","labels":"{a=$seriesIndex, nonsense}"}"#,
    ) else {
        panic!()
    };
    assert_eq!((outcome.frames.len(), outcome.frames[0].rows()), (2, 300));
    let field = &outcome.frames[1].fields[1];
    assert_eq!((field.name.as_str(), &field.labels), ("x1", &Some(vec![("a".to_owned(), "1".to_owned())])));
    let Values::Float(values) = &field.values else { panic!() };
    assert!(values.iter().flatten().all(|value| (1.0..=2.0).contains(value)));
}

#[test]
fn the_list_of_scenarios_is_sorted_and_waiting_is_bounded() {
    assert!(scenarios::SCENARIOS.is_sorted_by_key(|scenario| scenario.id));
    let Answer::After { millis, .. } = ask(r#"{"scenarioId":"slow_query","stringInput":"9h"}"#) else { panic!() };
    assert_eq!(millis, 60_000);
}
