//! A series to a number.

use super::super::json::Json;
use super::set::{Data, Element, Set};
use crate::order::sort_by;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reducer {
    Sum,
    Mean,
    Min,
    Max,
    Count,
    Last,
    Median,
}

/// What becomes of values that are none, before the reduction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Mode {
    Strict,
    Drop,
    Replace(f64),
}

impl Reducer {
    pub(crate) fn of(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "sum" => Self::Sum,
            "mean" => Self::Mean,
            "min" => Self::Min,
            "max" => Self::Max,
            "count" => Self::Count,
            "last" => Self::Last,
            "median" => Self::Median,
            _ => return None,
        })
    }

    /// One null or NaN among the values makes all but count and last NaN.
    pub(crate) fn fold(self, values: &[Option<f64>]) -> Option<f64> {
        match self {
            Self::Count => return Some(values.len() as f64),
            Self::Last => return values.last().copied().unwrap_or(Some(f64::NAN)),
            _ => {}
        }
        let mut numbers = Vec::with_capacity(values.len());
        for value in values {
            match value {
                Some(value) if !value.is_nan() => numbers.push(*value),
                _ => return Some(f64::NAN),
            }
        }
        let (first, rest) = numbers.split_first().map_or((f64::NAN, &[][..]), |(first, rest)| (*first, rest));
        let sum = || rest.iter().fold(first, |sum, value| sum + value);
        Some(match self {
            Self::Sum => sum(),
            Self::Mean => sum() / numbers.len() as f64,
            Self::Min => rest.iter().fold(first, |least, value| least.min(*value)),
            Self::Max => rest.iter().fold(first, |most, value| most.max(*value)),
            _ => median(numbers),
        })
    }
}

fn median(mut numbers: Vec<f64>) -> f64 {
    sort_by(&mut numbers, f64::total_cmp);
    let middle = numbers.len() / 2;
    match numbers.len() {
        0 => f64::NAN,
        len if len % 2 == 1 => numbers[middle],
        _ => (numbers[middle - 1] + numbers[middle]) / 2.0,
    }
}

impl Mode {
    pub(crate) fn read(settings: Option<&Json>) -> Result<Self, String> {
        let Some(settings) = settings else { return Ok(Self::Strict) };
        match settings.text_of("mode") {
            "" => Ok(Self::Strict),
            "dropNN" => Ok(Self::Drop),
            "replaceNN" => {
                let value = settings.get("replaceWithValue").and_then(Json::float);
                value
                    .map(Self::Replace)
                    .ok_or_else(|| "setting replaceWithValue must be specified when mode is 'replaceNN'".to_owned())
            }
            other => Err(format!("reducer mode '{other}' is not supported, only 'dropNN' and 'replaceNN'")),
        }
    }
}

pub(crate) fn reduce(input: &Set, reducer: Reducer, mode: Mode) -> Set {
    let mut set = Set::default();
    for element in &input.elements {
        let value = match &element.data {
            Data::Number(value) => {
                let notice = "Reduce operation is not needed. Input query or expression is already reduced data.";
                if set.notices.is_empty() {
                    set.notices.push(notice.to_owned());
                }
                *value
            }
            Data::Series(points) => one(&points.values, reducer, mode),
        };
        set.elements.push(Element { labels: element.labels.clone(), data: Data::Number(value) });
    }
    set
}

fn one(values: &[Option<f64>], reducer: Reducer, mode: Mode) -> Option<f64> {
    let is_number = |value: &Option<f64>| value.is_some_and(f64::is_finite);
    match mode {
        Mode::Strict => reducer.fold(values),
        Mode::Drop => {
            let kept: Vec<_> = values.iter().copied().filter(is_number).collect();
            if kept.is_empty() && reducer != Reducer::Count { None } else { reducer.fold(&kept) }
        }
        Mode::Replace(with) if values.is_empty() => Some(with),
        Mode::Replace(with) => {
            let replaced: Vec<_> =
                values.iter().map(|value| if is_number(value) { *value } else { Some(with) }).collect();
            reducer.fold(&replaced)
        }
    }
}
