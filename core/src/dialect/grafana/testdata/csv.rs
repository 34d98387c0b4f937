//! Data that stands in the query as text.

use super::super::frame::{DataFrame, Field, Times, Values};
use super::super::times::cell_time;
use super::{Answer, Answered, Asked, MAX_POINTS, done, labels};

/// Values with commas between them, spread evenly over the range, both ends included.
pub(crate) fn metric_values(asked: Asked<'_>) -> Answered {
    let input = asked.text("stringInput").replace(' ', "");
    if input.is_empty() {
        return Ok(Answer::Nothing);
    }
    let cells: Vec<&str> = input.split(',').take(MAX_POINTS).collect();
    let step = match cells.len() {
        1 => 0,
        count => asked.range.to.saturating_sub(asked.range.from).div_euclid(count as i64 - 1),
    };
    let times: Vec<i64> = (0..cells.len() as i64).map(|at| asked.range.from.saturating_add(at * step)).collect();
    let values = Field::new(asked.series_name(0), typed(&cells)).nullable();
    let value = values.labelled(labels(asked.text("labels"), 0));
    done(vec![DataFrame::new("", vec![Field::time("time", times), value])])
}

/// A table with a header.
pub(crate) fn content(asked: Asked<'_>) -> Answered {
    let mut rows = rows(asked.text("csvContent"))?;
    if rows.is_empty() {
        return Ok(Answer::Nothing);
    }
    let header = rows.remove(0);
    rows.truncate(MAX_POINTS);
    if rows.iter().any(|row| row.len() != header.len()) {
        return Err("wrong number of fields".to_owned());
    }
    let drop = asked.number("dropPercent").unwrap_or(0.0) / 100.0;
    if drop > 0.0 {
        let mut random = asked.random(0);
        rows.retain(|_| random.float() >= drop);
    }
    let mut fields = Vec::new();
    for (at, title) in header.iter().enumerate() {
        let cells: Vec<&str> = rows.iter().map(|row| row[at].as_str()).collect();
        let (name, labelled) = match title.split_once('{') {
            Some((name, rest)) => (name.trim(), Some(labels(&format!("{{{rest}"), 0))),
            None => (title.as_str(), None),
        };
        let times = if name.to_lowercase().contains("time") { times(&cells) } else { None };
        let field = Field::new(name, times.map_or_else(|| typed(&cells), Values::Time)).nullable();
        fields.push(Field { labels: labelled, ..field });
    }
    done(vec![DataFrame::new(asked.text("alias"), fields)])
}

/// A column of times; an empty cell has none. `None`: the column holds something else, or nothing.
fn times(cells: &[&str]) -> Option<Times> {
    let mut times = Times::default();
    for cell in cells {
        if cell.is_empty() {
            times.push(None, 0);
        } else {
            let (millis, nanos) = cell_time(cell)?;
            times.push(Some(millis), nanos);
        }
    }
    if times.millis.iter().any(Option::is_some) { Some(times) } else { None }
}

/// Values of the narrowest type that all cells have.
pub(crate) fn typed(cells: &[&str]) -> Values {
    let is = |cell: &str, words: [&str; 2]| words.iter().any(|word| cell.eq_ignore_ascii_case(word));
    if cells.first().is_some_and(|cell| is(cell, ["t", "true"]) || is(cell, ["f", "false"])) {
        let value = |cell: &&str| if is(cell, ["", "null"]) { None } else { Some(is(cell, ["t", "true"])) };
        return Values::Bool(cells.iter().map(value).collect());
    }
    let absent = |cell: &str| cell.is_empty() || cell == "null";
    if cells.iter().any(|cell| !absent(cell)) {
        let integers = cells.iter().map(|cell| if absent(cell) { Some(None) } else { cell.parse().ok().map(Some) });
        if let Some(integers) = integers.collect() {
            return Values::Int(integers);
        }
        let floats = cells.iter().map(|cell| if absent(cell) { Some(None) } else { float(cell).map(Some) });
        if let Some(floats) = floats.collect() {
            return Values::Float(floats);
        }
    }
    Values::Text(cells.iter().map(|cell| if absent(cell) { None } else { Some((*cell).to_owned()) }).collect())
}

/// A float as Go reads it, hexadecimal ones too.
fn float(text: &str) -> Option<f64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let Some(hex) = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) else { return text.parse().ok() };
    let (mantissa, exponent) = hex.split_once(['p', 'P'])?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.len() + fraction.len() == 0 || whole.len() + fraction.len() > 15 {
        return None;
    }
    let mut value = 0_u64;
    for digit in whole.chars().chain(fraction.chars()) {
        value = value << 4 | u64::from(digit.to_digit(16)?);
    }
    let exponent: i32 = exponent.parse().ok()?;
    let value = libm::scalbn(value as f64, exponent.saturating_sub(4 * fraction.len() as i32));
    Some(if negative { -value } else { value })
}

/// Rows of cells by RFC 4180; blanks around a cell do not count, lines without any are passed over.
fn rows(text: &str) -> Result<Vec<Vec<String>>, String> {
    let mut rows = Vec::new();
    let (mut row, mut cell) = (Vec::new(), String::new());
    let (mut quoted, mut was_quoted) = (false, false);
    let mut chars = text.chars().peekable();
    let push = |row: &mut Vec<String>, cell: &mut String| row.push(std::mem::take(cell).trim().to_owned());
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                cell.push('"');
            }
            '"' if quoted => quoted = false,
            '"' if cell.trim().is_empty() => {
                cell.clear();
                (quoted, was_quoted) = (true, true);
            }
            ',' if !quoted => push(&mut row, &mut cell),
            '\r' if !quoted && chars.peek() == Some(&'\n') => {}
            '\n' if !quoted => {
                if !row.is_empty() || !cell.trim().is_empty() || was_quoted {
                    push(&mut row, &mut cell);
                    rows.push(std::mem::take(&mut row));
                }
                cell.clear();
                was_quoted = false;
            }
            c => cell.push(c),
        }
    }
    if quoted {
        return Err("a quote is not closed".to_owned());
    }
    if !row.is_empty() || !cell.trim().is_empty() || was_quoted {
        push(&mut row, &mut cell);
        rows.push(row);
    }
    Ok(rows)
}
