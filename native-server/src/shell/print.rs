//! Answers for people and for programs.

use serde_json::Value;
use std::io::{self, Write};
use std::str::FromStr;

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    Table,
    Json,
    Csv,
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        clap::ValueEnum::from_str(text, true).map_err(|_| format!("{text:?} is none of table, json, csv"))
    }
}

/// Prints what an answer to `/query` holds. Errors of statements are not printed here: see [`error`].
pub(super) fn answer(answer: &Value, format: Format, out: &mut impl Write) -> io::Result<()> {
    match format {
        Format::Json => writeln!(out, "{answer}"),
        Format::Table => series(answer).enumerate().try_for_each(|(at, series)| {
            if at > 0 {
                writeln!(out)?;
            }
            table(series, out)
        }),
        Format::Csv => csv(answer, out),
    }
}

/// The first error of a statement.
pub(super) fn error(answer: &Value) -> Option<String> {
    list(answer, "results").iter().find_map(|result| Some(result.get("error")?.as_str()?.to_owned()))
}

/// The cells of one column of all series, as text.
pub(super) fn column(answer: &Value, at: usize) -> Vec<String> {
    series(answer).flat_map(|series| list(series, "values")).filter_map(|row| Some(text(row.get(at)?))).collect()
}

fn series(answer: &Value) -> impl Iterator<Item = &Value> {
    list(answer, "results").iter().flat_map(|result| list(result, "series"))
}

fn list<'a>(value: &'a Value, member: &str) -> &'a [Value] {
    value.get(member).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// A cell; null is empty.
fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// `k=v, …`
fn tags(series: &Value) -> String {
    let tags = series.get("tags").and_then(Value::as_object);
    let tags = tags.map(|tags| tags.iter().map(|(key, value)| format!("{key}={}", text(value))).collect::<Vec<_>>());
    tags.unwrap_or_default().join(", ")
}

/// Name and tags, then columns as wide as their widest cell; numbers to the right.
fn table(series: &Value, out: &mut impl Write) -> io::Result<()> {
    if let Some(name) = series.get("name") {
        writeln!(out, "name: {}", text(name))?;
    }
    let tags = tags(series);
    if !tags.is_empty() {
        writeln!(out, "tags: {tags}")?;
    }
    let head: Vec<String> = list(series, "columns").iter().map(text).collect();
    let rows: Vec<Vec<String>> = list(series, "values")
        .iter()
        .map(|row| row.as_array().map_or(&[][..], Vec::as_slice).iter().map(text).collect())
        .collect();
    let numeric = |at: usize| {
        let mut cells = list(series, "values").iter().filter_map(|row| row.get(at)).filter(|cell| !cell.is_null());
        cells.all(Value::is_number)
    };
    let wide = |text: &str| text.chars().count();
    let widths: Vec<usize> = head
        .iter()
        .enumerate()
        .map(|(at, name)| rows.iter().filter_map(|row| row.get(at)).map(|cell| wide(cell)).fold(wide(name), usize::max))
        .collect();
    let line = |cells: &[String], out: &mut dyn Write| -> io::Result<()> {
        let mut text = String::new();
        for (at, (cell, width)) in cells.iter().zip(&widths).enumerate() {
            if at > 0 {
                text.push_str("  ");
            }
            let blanks = " ".repeat(width - wide(cell));
            text.push_str(&if numeric(at) { blanks + cell } else { cell.clone() + &blanks });
        }
        writeln!(out, "{}", text.trim_end())
    };
    line(&head, out)?;
    line(&widths.iter().map(|width| "-".repeat(*width)).collect::<Vec<_>>(), out)?;
    rows.iter().try_for_each(|row| line(row, out))
}

/// A head for each set of columns, then `name`, `tags` and the cells.
fn csv(answer: &Value, out: &mut impl Write) -> io::Result<()> {
    let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(out);
    let mut known: Option<&[Value]> = None;
    for series in series(answer) {
        let columns = list(series, "columns");
        if known != Some(columns) {
            let fixed = ["name".to_owned(), "tags".to_owned()];
            writer.write_record(fixed.into_iter().chain(columns.iter().map(text)))?;
            known = Some(columns);
        }
        let fixed = [series.get("name").map(text).unwrap_or_default(), tags(series)];
        for row in list(series, "values") {
            let cells = row.as_array().map_or(&[][..], Vec::as_slice).iter().map(text);
            writer.write_record(fixed.iter().cloned().chain(cells))?;
        }
    }
    writer.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(format: Format, expected: &str) {
        let document = serde_json::json!({"results": [{"statement_id": 0, "series": [{
            "name": "m", "tags": {"k": "a,b"}, "columns": ["time", "v"],
            "values": [["2026-01-01T00:00:00Z", 1.5], ["2026-01-01T00:00:01Z", null]],
        }]}, {"statement_id": 1, "error": "bad"}]});
        let mut out = Vec::new();
        answer(&document, format, &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), expected);
        assert_eq!(error(&document).as_deref(), Some("bad"));
    }

    #[test]
    fn answers_print_as_tables_and_csv() {
        check(
            Format::Table,
            "name: m\ntags: k=a,b\ntime                    v\n--------------------  ---\n2026-01-01T00:00:00Z  1.5\n\
             2026-01-01T00:00:01Z\n",
        );
        check(
            Format::Csv,
            "name,tags,time,v\nm,\"k=a,b\",2026-01-01T00:00:00Z,1.5\nm,\"k=a,b\",2026-01-01T00:00:01Z,\n",
        );
    }
}
