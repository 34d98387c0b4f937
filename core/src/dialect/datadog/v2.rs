//! `POST /api/v2/query/timeseries` and `/scalar`: the same expressions, asked and answered in other shapes. Times are
//! milliseconds both ways.
//!
//! A formula's names stand for the queries of those names. A limit is a rank by mean. A scalar is what an
//! aggregator makes of all values that an expression has in the window: a query's own, a formula's that of the first
//! query in it.

use super::compile::Request;
use super::encode::write_number;
use super::error::{self, Error};
use super::evaluate::{Evaluation, Progress, Series, union_of_times};
use super::keys::{self, Needs};
use super::parse::parse;
use super::units;
use crate::dialect::exchange::{Exchange, Turn};
use crate::dialect::json::JsonWriter;
use crate::dialect::route::Call;
use crate::exec::Budget;
use crate::exec::exact_sum::ExactSum;
use crate::number::write_i64;
use crate::sorted::SortedSet;
use crate::store::{Snapshot, WriteError, Written};
use bytes::Bytes;
use serde_json::{Map, Value};

pub(super) fn timeseries(call: Call) -> Box<dyn Exchange> {
    begin(&call, "timeseries_request")
}

pub(super) fn scalar(call: Call) -> Box<dyn Exchange> {
    begin(&call, "scalar_request")
}

fn begin(call: &Call, kind: &'static str) -> Box<dyn Exchange> {
    match open(call, kind) {
        Ok(query) => Box::new(query),
        Err(error) => error::reply(&error),
    }
}

struct Query {
    scalar: bool,
    /// What each expression is called.
    names: Vec<String>,
    aggregators: Vec<Aggregator>,
    evaluation: Box<Evaluation>,
    reply: Option<Box<dyn Exchange>>,
}

/// A query of a request, or a formula with the queries in it.
struct Asked {
    name: String,
    text: String,
    aggregator: Aggregator,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Aggregator {
    Avg,
    Min,
    Max,
    Sum,
    Last,
    Norm,
    Area,
    Percentile,
}

fn invalid(what: &str) -> Error {
    Error::bad(format!("API input validation failed: {what}"))
}

fn open(call: &Call, kind: &'static str) -> Result<Query, Error> {
    keys::check(call, Needs::BothKeys)?;
    let body: Value = serde_json::from_slice(&call.request.body).map_err(|why| invalid(&why.to_string()))?;
    let data = body.get("data").ok_or_else(|| invalid("data is missing"))?;
    if data.get("type").and_then(Value::as_str) != Some(kind) {
        return Err(invalid(&format!("the type must be {kind:?}")));
    }
    let attributes =
        data.get("attributes").and_then(Value::as_object).ok_or_else(|| invalid("attributes are missing"))?;
    let millis = |name: &str| attributes.get(name).and_then(Value::as_i64);
    let from = millis("from").ok_or_else(|| invalid("from must be milliseconds"))?.div_euclid(1000);
    let to = millis("to").ok_or_else(|| invalid("to must be milliseconds"))?.div_euclid(1000);
    if from >= to || to.saturating_sub(from) > 1 << 40 || from.abs() > 1 << 33 || to.abs() > 1 << 33 {
        return Err(invalid("from must be before to"));
    }
    let interval = millis("interval").map(|millis| (millis / 1000).max(1));
    let asked = attributes.get("queries").and_then(Value::as_array).ok_or_else(|| invalid("queries are missing"))?;
    let mut queries: Vec<Asked> = Vec::with_capacity(asked.len());
    for (at, query) in asked.iter().enumerate() {
        let text = |name: &str| query.get(name).and_then(Value::as_str);
        if text("data_source").is_some_and(|source| source != "metrics") {
            return Err(invalid("only the data source \"metrics\" is there"));
        }
        let expression = text("query").ok_or_else(|| invalid("a query has no text"))?.to_owned();
        let name = text("name").map_or_else(|| format!("query{}", at + 1), str::to_owned);
        let aggregator = aggregator_named(text("aggregator").unwrap_or("avg"))?;
        queries.push(Asked { name, text: expression, aggregator });
    }
    let computed = expressions(attributes, queries)?;
    let mut parsed = Vec::with_capacity(computed.len());
    for Asked { text, .. } in &computed {
        let mut one = parse(text, call.config.limits.parser_depth)?;
        if one.len() != 1 {
            return Err(invalid("a query or formula is one expression"));
        }
        parsed.append(&mut one);
    }
    let request = Request { snapshot: &call.snapshot, database: &call.config.datadog.database, from, to, interval };
    let evaluation = Box::new(Evaluation::new(&parsed, request, &call.config.limits)?);
    let aggregators = computed.iter().map(|one| one.aggregator).collect();
    let names = computed.into_iter().map(|one| one.name).collect();
    Ok(Query { scalar: kind == "scalar_request", names, aggregators, evaluation, reply: None })
}

fn aggregator_named(name: &str) -> Result<Aggregator, Error> {
    Ok(match name {
        "avg" | "mean" => Aggregator::Avg,
        "min" => Aggregator::Min,
        "max" => Aggregator::Max,
        "sum" => Aggregator::Sum,
        "last" => Aggregator::Last,
        "l2norm" => Aggregator::Norm,
        "area" => Aggregator::Area,
        "percentile" => Aggregator::Percentile,
        _ => return Err(invalid(&format!("there is no aggregator {name:?}"))),
    })
}

/// What is to be computed, in the language of queries.
fn expressions(attributes: &Map<String, Value>, queries: Vec<Asked>) -> Result<Vec<Asked>, Error> {
    let formulas = attributes.get("formulas").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if formulas.is_empty() {
        return Ok(queries);
    }
    let mut computed = Vec::with_capacity(formulas.len());
    for formula in formulas {
        let text = formula.get("formula").and_then(Value::as_str).ok_or_else(|| invalid("a formula has no text"))?;
        let (mut expanded, first) = expand(text, &queries);
        if let Some(limit) = formula.get("limit").and_then(Value::as_object)
            && let Some(count) = limit.get("count").and_then(Value::as_u64)
        {
            let order = limit.get("order").and_then(Value::as_str).unwrap_or("desc");
            expanded = format!("top({expanded}, {count}, 'mean', '{order}')");
        }
        let aggregator = first.map_or(Aggregator::Avg, |at| queries[at].aggregator);
        computed.push(Asked { name: text.to_owned(), text: expanded, aggregator });
    }
    Ok(computed)
}

/// A formula with queries in the places of their names, and which of them is the first.
fn expand(formula: &str, queries: &[Asked]) -> (String, Option<usize>) {
    let part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let (mut out, mut rest, mut quote, mut first) = (String::new(), formula, None, None);
    while let Some(c) = rest.chars().next() {
        if quote.is_none() && (c.is_ascii_alphabetic() || c == '_') {
            let end = rest.find(|c| !part(c)).unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            let called = after.trim_start().starts_with(['(', '{', ':']);
            match queries.iter().position(|query| query.name == word && !called) {
                Some(at) => {
                    first = first.or(Some(at));
                    out += &format!("({})", queries[at].text);
                }
                None => out.push_str(word),
            }
            rest = after;
            continue;
        }
        if matches!(c, '\'' | '"') {
            quote = if quote == Some(c) { None } else { quote.or(Some(c)) };
        }
        // A number's letters are no name.
        let end = if c.is_ascii_digit() { rest.find(|c| !part(c)).unwrap_or(rest.len()) } else { c.len_utf8() };
        out.push_str(&rest[..end]);
        rest = &rest[end..];
    }
    (out, first)
}

impl Query {
    fn write(&mut self) -> Vec<u8> {
        let series = self.evaluation.finish();
        let mut json = JsonWriter::new(false);
        json.begin_object();
        json.key("data");
        json.begin_object();
        json.key("id");
        json.string("0");
        json.key("type");
        json.string(if self.scalar { "scalar_response" } else { "timeseries_response" });
        json.key("attributes");
        json.begin_object();
        if self.scalar {
            self.write_columns(&series, &mut json)
        } else {
            self.write_series(&series, &mut json)
        }
        json.end_object();
        json.end_object();
        json.end_object();
        json.take()
    }

    fn write_unit(&self, query: usize, json: &mut JsonWriter) {
        let units = self.evaluation.outline.operands[query].units;
        json.key("unit");
        units::write_pair(units[0], units[1], json);
    }

    fn tags(&self, series: &Series) -> &[(String, String)] {
        &self.evaluation.outline.operands[series.query].groups[series.group].tags
    }

    fn write_series(&self, all: &[Series], json: &mut JsonWriter) {
        let times = union_of_times(all);
        json.key("series");
        json.begin_array();
        for series in all {
            json.begin_object();
            json.key("group_tags");
            json.begin_array();
            self.tags(series).iter().for_each(|(key, value)| json.string(&format!("{key}:{value}")));
            json.end_array();
            json.key("query_index");
            json.with(|out| write_i64(series.query as i64, out));
            self.write_unit(series.query, json);
            json.end_object();
        }
        json.end_array();
        json.key("times");
        json.begin_array();
        times.iter().for_each(|time| json.with(|out| write_i64(time.saturating_mul(1000), out)));
        json.end_array();
        json.key("values");
        json.begin_array();
        for series in all {
            json.begin_array();
            let mut at = 0;
            for time in &times {
                let own = series.times.get(at) == Some(time);
                let value = if own { series.values[at] } else { f64::NAN };
                at += usize::from(own);
                json.with(|out| write_number(value, out));
            }
            json.end_array();
        }
        json.end_array();
    }

    fn write_columns(&self, all: &[Series], json: &mut JsonWriter) {
        let (mut keys, mut rows) = (SortedSet::new(), Vec::new());
        for series in all {
            keys.extend(self.tags(series).iter().map(|(key, _)| (key.clone(), ())));
            let tags = self.tags(series).to_vec();
            if !rows.contains(&tags) {
                rows.push(tags);
            }
        }
        json.key("columns");
        json.begin_array();
        for key in keys.keys() {
            self.write_column_begin(key, "group", json);
            for row in &rows {
                json.begin_array();
                row.iter().filter(|(own, _)| own == key).for_each(|(_, value)| json.string(value));
                json.end_array();
            }
            json.end_array();
            json.end_object();
        }
        for (query, name) in self.names.iter().enumerate() {
            self.write_column_begin(name, "number", json);
            let width = self.evaluation.outline.operands[query].grid.interval as f64;
            for row in &rows {
                let own = all.iter().find(|series| series.query == query && self.tags(series) == &**row);
                let value = own.map_or(f64::NAN, |series| self.aggregators[query].of(&series.values, width));
                json.with(|out| write_number(value, out));
            }
            json.end_array();
            json.key("meta");
            json.begin_object();
            self.write_unit(query, json);
            json.end_object();
            json.end_object();
        }
        json.end_array();
    }

    /// A column up to its values.
    fn write_column_begin(&self, name: &str, kind: &str, json: &mut JsonWriter) {
        json.begin_object();
        json.key("name");
        json.string(name);
        json.key("type");
        json.string(kind);
        json.key("values");
        json.begin_array();
    }
}

impl Aggregator {
    /// Of the values that are there; NaN of none.
    fn of(self, values: &[f64], width_secs: f64) -> f64 {
        let there: Vec<f64> = values.iter().copied().filter(|value| !value.is_nan()).collect();
        let Some(last) = there.last().copied() else { return f64::NAN };
        let sum = |value: &dyn Fn(f64) -> f64| {
            let mut sum = ExactSum::ZERO;
            there.iter().for_each(|own| sum.add(value(*own)));
            sum.round()
        };
        match self {
            Self::Avg => sum(&|value| value) / there.len() as f64,
            Self::Min => there.iter().copied().fold(f64::INFINITY, f64::min),
            Self::Max => there.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            Self::Sum => sum(&|value| value),
            Self::Last => last,
            Self::Norm => sum(&|value| value * value).sqrt(),
            Self::Area => sum(&|value| value) * width_secs,
            // The median: the request has no place for which.
            Self::Percentile => {
                let mut sorted = there.clone();
                crate::order::sort_by(&mut sorted, f64::total_cmp);
                sorted[(sorted.len() - 1) / 2]
            }
        }
    }
}

impl Exchange for Query {
    fn turn(&mut self, budget: Budget) -> Turn {
        if let Some(reply) = &mut self.reply {
            return reply.turn(budget);
        }
        let reply = match self.evaluation.step(budget) {
            Ok(Progress::Need(ranges)) => return Turn::Read(ranges),
            Ok(Progress::Yield) => return Turn::Yield,
            Ok(Progress::Done(_)) => error::json(200, self.write()),
            Err(error) => error::reply(&error),
        };
        self.reply.insert(reply).turn(budget)
    }

    fn supply(&mut self, bytes: Result<Vec<Bytes>, String>) {
        match bytes {
            Ok(bytes) => self.evaluation.supply(bytes),
            Err(why) => self.reply = Some(error::reply(&Error::new(500, why))),
        }
    }

    fn wrote(&mut self, _outcome: Result<Written, WriteError>, _snapshot: Snapshot) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_formulas_stand_for_queries() {
        let queries = [("a", "avg:m{*}"), ("query1", "sum:n{x:a}")].map(|(name, text)| Asked {
            name: name.to_owned(),
            text: text.to_owned(),
            aggregator: Aggregator::Avg,
        });
        let expanded = |formula: &str| expand(formula, &queries);
        assert_eq!(expanded("query1 * 2 + a"), ("(sum:n{x:a}) * 2 + (avg:m{*})".to_owned(), Some(1)));
        assert_eq!(expanded("abs(a) / 1e5").0, "abs((avg:m{*})) / 1e5");
        assert_eq!(expanded("top(a, 5, 'a', \"a\")").0, "top((avg:m{*}), 5, 'a', \"a\")");
    }

    #[test]
    fn aggregators_pass_over_what_is_missing() {
        let values = [3.0, f64::NAN, 4.0];
        let of = |name: &str| aggregator_named(name).unwrap().of(&values, 10.0);
        assert_eq!((of("avg"), of("l2norm"), of("area"), of("last")), (3.5, 5.0, 70.0, 4.0));
        assert!(Aggregator::Sum.of(&[], 1.0).is_nan());
    }
}
