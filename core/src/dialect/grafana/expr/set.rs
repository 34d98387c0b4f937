//! What expressions compute with: series and numbers with labels.

use super::super::frame::{DataFrame, Field, Labels, Meta, Values};

/// Elements of one kind or of both; none is "no data".
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Set {
    pub(crate) elements: Vec<Element>,
    pub(crate) notices: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Element {
    pub(crate) labels: Labels,
    pub(crate) data: Data,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Data {
    Number(Option<f64>),
    Series(Points),
}

/// Ascending times in milliseconds, and a value for each.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Points {
    pub(crate) times: Vec<i64>,
    pub(crate) values: Vec<Option<f64>>,
}

impl Set {
    pub(crate) fn of(elements: Vec<Element>) -> Self {
        Self { elements, notices: Vec::new() }
    }

    /// Every value changed by itself.
    pub(crate) fn map(&self, change: &dyn Fn(Option<f64>) -> Option<f64>) -> Self {
        let mut set = self.clone();
        for element in &mut set.elements {
            match &mut element.data {
                Data::Number(value) => *value = change(*value),
                Data::Series(points) => points.values.iter_mut().for_each(|value| *value = change(*value)),
            }
        }
        set
    }

    /// One frame an element, the value called as the expression.
    pub(crate) fn frames(&self, ref_id: &str) -> Vec<DataFrame> {
        let mut frames = Vec::new();
        for element in &self.elements {
            let (kind, times, values) = match &element.data {
                Data::Number(value) => ("numeric-multi", None, vec![*value]),
                Data::Series(points) => ("timeseries-multi", Some(points.times.clone()), points.values.clone()),
            };
            let mut fields = Vec::new();
            if let Some(times) = times {
                fields.push(Field::time("Time", times));
            }
            let value = Field::floats(ref_id, values);
            fields.push(if element.labels.is_empty() { value } else { value.labelled(element.labels.clone()) });
            let notices = self.notices.iter().map(|text| ("warning", text.clone())).collect();
            let meta = Meta { kind, version: [0, 1], notices, ..Meta::default() };
            frames.push(DataFrame { meta: Some(meta), ..DataFrame::new("", fields) });
        }
        if frames.is_empty() {
            frames.push(DataFrame::new("no data", Vec::new()));
        }
        frames
    }
}

/// The set that a query's frames are.
pub(crate) fn from_frames(frames: &[DataFrame]) -> Result<Set, String> {
    let mut elements = Vec::new();
    for frame in frames {
        if frame.fields.is_empty() || frame.rows() == 0 {
            continue;
        }
        let times: Vec<&Field> = frame.fields.iter().filter(|field| matches!(field.values, Values::Time(_))).collect();
        match times.as_slice() {
            [] => numbers(frame, &mut elements)?,
            [time] => series(frame, time, &mut elements)?,
            _ => return Err("input data must be a wide series but has several time fields".to_owned()),
        }
    }
    Ok(Set::of(elements))
}

fn series(frame: &DataFrame, time: &Field, elements: &mut Vec<Element>) -> Result<(), String> {
    let Values::Time(times) = &time.values else { return Ok(()) };
    let before = elements.len();
    for field in &frame.fields {
        if matches!(field.values, Values::Time(_)) {
            continue;
        }
        let Some(values) = floats(&field.values) else {
            return Err("input data must be a wide series but got type long (input refid)".to_owned());
        };
        let mut points = Points::default();
        for (time, value) in times.millis.iter().zip(values) {
            if let Some(time) = time {
                points.times.push(*time);
                points.values.push(value);
            }
        }
        if !points.times.is_sorted() {
            let mut places: Vec<u32> = (0..points.times.len() as u32).collect();
            let unsorted = std::mem::take(&mut points);
            crate::order::sort(&mut places, &mut |a, b| unsorted.times[a as usize].cmp(&unsorted.times[b as usize]));
            for place in places {
                points.times.push(unsorted.times[place as usize]);
                points.values.push(unsorted.values[place as usize]);
            }
        }
        elements.push(Element { labels: field.labels.clone().unwrap_or_default(), data: Data::Series(points) });
    }
    if elements.len() == before { Err("input data has no number beside its time".to_owned()) } else { Ok(()) }
}

fn numbers(frame: &DataFrame, elements: &mut Vec<Element>) -> Result<(), String> {
    let (mut texts, mut numbers) = (Vec::new(), Vec::new());
    for field in &frame.fields {
        match (&field.values, floats(&field.values)) {
            (Values::Text(values), _) => texts.push((field, values)),
            (_, Some(values)) => numbers.push((field, values)),
            _ => return Err("input data has a field that is neither a number nor a text".to_owned()),
        }
    }
    if numbers.is_empty() {
        return Err("input data has no number".to_owned());
    }
    if texts.is_empty() && frame.rows() > 1 {
        return Err("input data has several rows and nothing that tells them apart".to_owned());
    }
    for row in 0..frame.rows() {
        let mut of_row = Labels::new();
        for (field, values) in &texts {
            if let Some(Some(text)) = values.get(row) {
                of_row.push((field.name.clone(), text.clone()));
            }
        }
        for (field, values) in &numbers {
            let mut labels = field.labels.clone().unwrap_or_default();
            labels.extend(of_row.iter().cloned());
            crate::order::sort_few(&mut labels);
            elements.push(Element { labels, data: Data::Number(values.get(row).copied().flatten()) });
        }
    }
    Ok(())
}

/// Numbers and booleans as floats.
fn floats(values: &Values) -> Option<Vec<Option<f64>>> {
    Some(match values {
        Values::Float(values) => values.clone(),
        Values::Int(values) => values.iter().map(|value| value.map(|value| value as f64)).collect(),
        Values::Uint(values) => values.iter().map(|value| value.map(|value| value as f64)).collect(),
        Values::Bool(values) => values.iter().map(|value| value.map(f64::from)).collect(),
        Values::Time(_) | Values::Text(_) | Values::Enum(_) | Values::Raw(_) => return None,
    })
}
