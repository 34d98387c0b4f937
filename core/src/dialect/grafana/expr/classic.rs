//! The conditions of alerts before expressions: reduce, compare, join with and/or. One number comes out.

use super::super::json::Json;
use super::reduce::Reducer;
use super::set::{Data, Element, Set};
use super::threshold::Evaluator;

#[derive(Clone, Debug)]
pub(crate) struct Condition {
    pub(crate) input: String,
    reducer: String,
    evaluator: Evaluator,
    or: bool,
}

const REDUCERS: &[&str] = &[
    "avg",
    "min",
    "max",
    "sum",
    "count",
    "last",
    "median",
    "diff",
    "diff_abs",
    "percent_diff",
    "percent_diff_abs",
    "count_non_null",
];

pub(crate) fn read(model: &Json) -> Result<Vec<Condition>, String> {
    let mut conditions = Vec::new();
    for json in model.get("conditions").map(Json::list).unwrap_or_default() {
        let part = |name: &str| json.get(name).cloned().unwrap_or_default();
        let (query, reducer, operator) = (part("query"), part("reducer"), part("operator"));
        let input = query.get("params").and_then(|params| params.list().first()?.text()).unwrap_or_default().to_owned();
        if input.is_empty() {
            return Err("classic condition without a query".to_owned());
        }
        let reducer = reducer.text_of("type").to_owned();
        if !REDUCERS.contains(&reducer.as_str()) {
            return Err(format!("invalid reducer '{reducer}' of a classic condition"));
        }
        let or = match operator.text_of("type") {
            "" | "and" => false,
            "or" | "logic-or" => true,
            other => return Err(format!("invalid operator '{other}' of a classic condition")),
        };
        conditions.push(Condition { input, reducer, evaluator: Evaluator::read(&part("evaluator"))?, or });
    }
    if conditions.is_empty() { Err("classic conditions without a condition".to_owned()) } else { Ok(conditions) }
}

/// 1 when the conditions hold, 0 when not, null when no condition had a value to look at.
pub(crate) fn evaluate<'a>(conditions: &[Condition], input: &dyn Fn(&str) -> Option<&'a Set>) -> Set {
    let (mut firing, mut any_data) = (false, false);
    for (at, condition) in conditions.iter().enumerate() {
        let empty = Set::default();
        let set = input(&condition.input).unwrap_or(&empty);
        let mut holds = set.elements.is_empty() && condition.evaluator.holds(None);
        any_data |= holds;
        for element in &set.elements {
            let value = match &element.data {
                Data::Number(value) => *value,
                Data::Series(points) => condition.reduce(&points.values),
            };
            any_data |= value.is_some();
            holds |= condition.evaluator.holds(value);
        }
        firing = match (at, condition.or) {
            (0, _) => holds,
            (_, true) => firing || holds,
            (_, false) => firing && holds,
        };
    }
    let value = if any_data { Some(f64::from(firing)) } else { None };
    Set::of(vec![Element { labels: Vec::new(), data: Data::Number(value) }])
}

impl Condition {
    /// Nulls and NaN do not count.
    fn reduce(&self, values: &[Option<f64>]) -> Option<f64> {
        let numbers: Vec<f64> = values.iter().flatten().copied().filter(|value| !value.is_nan()).collect();
        let present: Vec<Option<f64>> = numbers.iter().copied().map(Some).collect();
        let fold = |reducer: Reducer| if numbers.is_empty() { None } else { reducer.fold(&present) };
        let ends = || Some((*numbers.first()?, *numbers.last()?));
        match self.reducer.as_str() {
            "avg" => fold(Reducer::Mean),
            "min" => fold(Reducer::Min),
            "max" => fold(Reducer::Max),
            "sum" => fold(Reducer::Sum),
            "last" => fold(Reducer::Last),
            "median" => fold(Reducer::Median),
            "count" => {
                if values.is_empty() {
                    None
                } else {
                    Some(values.len() as f64)
                }
            }
            "count_non_null" => {
                if numbers.is_empty() {
                    None
                } else {
                    Some(numbers.len() as f64)
                }
            }
            "diff" => ends().map(|(first, last)| last - first),
            "diff_abs" => ends().map(|(first, last)| (last - first).abs()),
            "percent_diff" => ends().map(|(first, last)| (last - first) / first.abs() * 100.0),
            _ => ends().map(|(first, last)| ((last - first) / first * 100.0).abs()),
        }
    }
}
