//! InfluxDB's answers as series, and series as frames.

use super::super::frame::{DataFrame, Field, Labels, Meta, Values};
use super::super::json::Json;
use super::super::outcome::Fault;
use crate::dialect::errand::HttpReply;
use crate::model::Frame;
use crate::value::Value;

/// One series of an answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Series {
    pub(crate) name: String,
    /// In the order of their keys.
    tags: Labels,
    /// Names of the columns besides the time's.
    columns: Vec<String>,
    /// Milliseconds; `None`: no time column.
    times: Option<Vec<i64>>,
    /// One list a column.
    cells: Vec<Vec<Cell>>,
    /// The next frame of the engine goes on with this very series.
    more: bool,
}

#[derive(Clone, Debug, PartialEq)]
enum Cell {
    Null,
    Number(f64),
    Bool(bool),
    Text(String),
}

impl Series {
    pub(crate) fn rows(&self) -> usize {
        self.times.as_ref().map_or_else(|| self.cells.first().map_or(0, Vec::len), Vec::len)
    }

    /// Appends a frame of this engine to the series it belongs to.
    pub(crate) fn collect(frame: Frame, series: &mut Vec<Self>) {
        let continues = series.last().is_some_and(|last| last.more);
        if !continues {
            let timed = frame.rows() > 0 || frame.columns.iter().all(|column| column.column.is_empty());
            series.push(Self {
                columns: frame.columns.iter().map(|column| column.name.clone()).collect(),
                cells: vec![Vec::new(); frame.columns.len()],
                times: if timed { Some(Vec::new()) } else { None },
                name: frame.name,
                tags: frame.tags,
                more: false,
            });
        }
        let Some(last) = series.last_mut() else { return };
        last.more = frame.more;
        if let Some(times) = &mut last.times {
            // As InfluxDB cuts times to milliseconds: towards the epoch.
            times.extend(frame.times.iter().map(|nanos| nanos / 1_000_000));
        }
        for (cells, column) in last.cells.iter_mut().zip(&frame.columns) {
            for row in 0..column.column.len() {
                cells.push(match column.column.get(row) {
                    None => Cell::Null,
                    // JSON has no such number: InfluxDB's answer would say null.
                    Some(Value::Float(value)) if !value.is_finite() => Cell::Null,
                    Some(Value::Float(value)) => Cell::Number(value),
                    Some(Value::Integer(value)) => Cell::Number(value as f64),
                    Some(Value::Unsigned(value)) => Cell::Number(value as f64),
                    Some(Value::Boolean(value)) => Cell::Bool(value),
                    Some(Value::String(text)) => Cell::Text(text.to_owned()),
                });
            }
        }
    }
}

/// The series of the first statement.
pub(crate) fn read(reply: &HttpReply) -> Result<Vec<Series>, Fault> {
    let body = Json::parse(&reply.body);
    if !(200..300).contains(&reply.status) {
        let words = |body: &Json| {
            ["error", "message"].iter().map(|name| body.text_of(name)).find(|text| !text.is_empty()).map(str::to_owned)
        };
        let said = body.ok().and_then(|body| words(&body)).unwrap_or_else(|| format!("status {}", reply.status));
        return Err(Fault::downstream(reply.status, format!("InfluxDB returned error: {said}")));
    }
    let body = body.map_err(|_| Fault::downstream(502, "InfluxDB returned an answer that is not JSON"))?;
    let result = body.get("results").and_then(|results| results.list().first());
    for holder in [Some(&body), result].into_iter().flatten() {
        if let Some(error) = holder.get("error") {
            return Err(Fault::downstream(500, error.text().unwrap_or("error")));
        }
    }
    let listed = result.and_then(|result| result.get("series")).map(Json::list).unwrap_or_default();
    Ok(listed.iter().map(one).collect())
}

fn one(json: &Json) -> Series {
    let names: Vec<&str> = json
        .get("columns")
        .map(Json::list)
        .unwrap_or_default()
        .iter()
        .map(|name| name.text().unwrap_or_default())
        .collect();
    let time = names.iter().position(|name| *name == "time");
    let mut tags = Labels::new();
    for (key, value) in json.get("tags").map(Json::members).unwrap_or_default() {
        tags.push((key.clone(), value.text().unwrap_or_default().to_owned()));
    }
    crate::order::sort_few(&mut tags);
    let mut series = Series {
        name: json.text_of("name").to_owned(),
        tags,
        columns: Vec::new(),
        times: time.map(|_| Vec::new()),
        cells: Vec::new(),
        more: false,
    };
    let places: Vec<usize> = (0..names.len()).filter(|at| Some(*at) != time).collect();
    for at in &places {
        series.columns.push(names[*at].to_owned());
        series.cells.push(Vec::new());
    }
    for row in json.get("values").map(Json::list).unwrap_or_default() {
        if let (Some(times), Some(at)) = (&mut series.times, time) {
            // A row without a time is none.
            let Some(millis) = row.list().get(at).and_then(Json::int) else { continue };
            times.push(millis);
        }
        for (cells, at) in series.cells.iter_mut().zip(&places) {
            cells.push(match row.list().get(*at) {
                Some(Json::Int(value)) => Cell::Number(*value as f64),
                Some(Json::Float(value)) => Cell::Number(*value),
                Some(Json::Bool(value)) => Cell::Bool(*value),
                Some(Json::Text(text)) => Cell::Text(text.clone()),
                _ => Cell::Null,
            });
        }
    }
    series
}

/// A column of the type that its first value has.
fn values(cells: Vec<Cell>) -> Values {
    let first = cells.iter().find(|cell| **cell != Cell::Null);
    match first {
        Some(Cell::Bool(_)) => Values::Bool(
            cells.into_iter().map(|cell| if let Cell::Bool(value) = cell { Some(value) } else { None }).collect(),
        ),
        Some(Cell::Text(_)) => Values::Text(cells.into_iter().map(text).collect()),
        _ => Values::Float(
            cells.into_iter().map(|cell| if let Cell::Number(value) = cell { Some(value) } else { None }).collect(),
        ),
    }
}

fn text(cell: Cell) -> Option<String> {
    match cell {
        Cell::Null => None,
        Cell::Text(text) => Some(text),
        Cell::Bool(value) => Some(value.to_string()),
        Cell::Number(value) => {
            let mut out = Vec::new();
            crate::number::write_json_float(value, &mut out);
            String::from_utf8(out).ok()
        }
    }
}

fn meta(visualisation: &'static str) -> Option<Meta> {
    Some(Meta { visualisation, ..Meta::default() })
}

/// A frame for each column of each series.
pub(crate) fn time_series(series: Vec<Series>, alias: &str) -> Vec<DataFrame> {
    let mut frames = Vec::new();
    for series in series {
        let Series { name, tags, columns, times, cells, .. } = series;
        let Some(times) = times else {
            // Of `key, value` the value, else the first.
            let at = usize::from(columns.len() > 1 && columns.first().is_some_and(|column| column == "key"));
            let texts = cells.into_iter().nth(at).unwrap_or_default().into_iter().map(text).collect();
            let field = Field::new("Value", Values::Text(texts)).nullable();
            frames.push(DataFrame { meta: meta("graph"), ..DataFrame::new(name, vec![field]) });
            continue;
        };
        for (column, cells) in columns.iter().zip(cells) {
            let shown = if alias.is_empty() {
                default_name(&name, column, &tags)
            } else {
                aliased(alias, &name, column, &tags)
            };
            let mut value = Field::new("Value", values(cells)).nullable();
            value.config.display_name_from_ds.clone_from(&shown);
            value.labels = if tags.is_empty() { None } else { Some(tags.clone()) };
            let fields = vec![Field::time("Time", times.clone()), value];
            frames.push(DataFrame { meta: meta("graph"), ..DataFrame::new(shown, fields) });
        }
    }
    frames
}

/// `measurement.column { k: v, k2: v2 }`.
fn default_name(measurement: &str, column: &str, tags: &Labels) -> String {
    let mut name = format!("{measurement}.{column}");
    for (at, (key, value)) in tags.iter().enumerate() {
        name += &format!("{}{key}: {value}", if at == 0 { " { " } else { ", " });
    }
    if tags.is_empty() { name } else { name + " }" }
}

/// The alias with `$m`, `$col`, `$tag_x`, `$0` and kin replaced, each also as `[[x]]`; unknown ones stay.
fn aliased(alias: &str, measurement: &str, column: &str, tags: &Labels) -> String {
    let value = |name: &str| match name {
        "m" | "measurement" => Some(measurement.to_owned()),
        "col" => Some(column.to_owned()),
        name => match (name.strip_prefix("tag_"), name.parse::<usize>()) {
            (Some(key), _) => tags.iter().find(|(known, _)| known == key).map(|(_, value)| value.clone()),
            (None, Ok(part)) => measurement.split('.').nth(part).map(str::to_owned),
            (None, Err(_)) => None,
        },
    };
    let mut out = String::new();
    let mut rest = alias;
    while let Some(at) = rest.find(['$', '[']) {
        out += &rest[..at];
        rest = &rest[at..];
        let in_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '@');
        let (name, taken) = if let Some(inner) = rest.strip_prefix("[[") {
            match inner.find("]]") {
                Some(end) => (&inner[..end], end + 4),
                None => ("", 2),
            }
        } else if let Some(inner) = rest.strip_prefix('$') {
            let end = inner.find(|c| !in_word(c)).unwrap_or(inner.len());
            (&inner[..end], end + 1)
        } else {
            ("", 1)
        };
        match value(name) {
            Some(value) => out += &value,
            None => out += &rest[..taken],
        }
        rest = &rest[taken..];
    }
    out + rest
}

/// One frame: the time, the tags, the columns; the rows of all series one after the other.
pub(crate) fn table(series: Vec<Series>, visualisation: &'static str) -> Vec<DataFrame> {
    let Some(first) = series.first() else { return Vec::new() };
    let name = first.name.clone();
    let (mut tags, mut columns) = (Vec::<String>::new(), Vec::<String>::new());
    let timed = series.iter().any(|series| series.times.is_some());
    for one in &series {
        for (key, _) in &one.tags {
            if !tags.contains(key) {
                tags.push(key.clone());
            }
        }
        for column in &one.columns {
            if !columns.contains(column) {
                columns.push(column.clone());
            }
        }
    }
    let (mut times, mut tag_cells) = (Vec::new(), vec![Vec::new(); tags.len()]);
    let mut cells = vec![Vec::new(); columns.len()];
    for mut one in series {
        let rows = one.rows();
        if timed {
            times.extend(one.times.take().unwrap_or_else(|| vec![0; rows]));
        }
        for (key, into) in tags.iter().zip(&mut tag_cells) {
            let value = one.tags.iter().find(|(known, _)| known == key).map(|(_, value)| value.clone());
            into.resize(into.len() + rows, value);
        }
        for (column, into) in columns.iter().zip(&mut cells) {
            match one.columns.iter().position(|known| known == column) {
                Some(at) => into.append(&mut one.cells[at]),
                None => into.resize(into.len() + rows, Cell::Null),
            }
        }
    }
    let mut fields = Vec::new();
    if timed {
        fields.push(Field::time("Time", times));
    }
    for (tag, texts) in tags.into_iter().zip(tag_cells) {
        fields.push(Field::new(tag, Values::Text(texts)).nullable());
    }
    for (column, cells) in columns.into_iter().zip(cells) {
        fields.push(Field::new(column, values(cells)).nullable());
    }
    vec![DataFrame { meta: meta(visualisation), ..DataFrame::new(name, fields) }]
}
