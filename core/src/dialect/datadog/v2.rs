//! `POST /api/v2/query/timeseries` and `/scalar`: the same expressions, asked and answered in other shapes. Times are
//! milliseconds both ways.
//!
//! A formula's names stand for the queries of those names. A limit is a rank by mean. A scalar request makes one value of
//! each query first, by the query's own aggregator, and then computes with these: `a / b` is a ratio of sums where both
//! have the aggregator `sum`. What looks along time, such as `ewma_5(a)`, sees the series; what it gives is then one
//! value, by the aggregator of the first query in it.

use super::ast::{Argument, Expr, Kind};
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
use crate::number::write_i64;
use crate::plan::Measure;
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
    evaluation: Box<Evaluation>,
    reply: Option<Box<dyn Exchange>>,
}

/// A query of a request.
struct Asked {
    name: String,
    expr: Expr,
    aggregator: Measure,
}

/// What stands in a formula's text for query 3 is the metric `isopoint.formula.3`.
const PLACE: &str = "isopoint.formula.";

/// Functions that a formula over scalars computes with scalars.
const OF_VALUES: [&str; 16] = [
    "abs",
    "log2",
    "log10",
    "ceil",
    "floor",
    "round",
    "clamp_min",
    "clamp_max",
    "cutoff_min",
    "cutoff_max",
    "min",
    "max",
    "minimum",
    "maximum",
    "exclude_null",
    "top",
];

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
    let (scalar, depth) = (kind == "scalar_request", call.config.limits.parser_depth);
    let mut queries: Vec<Asked> = Vec::with_capacity(asked.len());
    for (at, query) in asked.iter().enumerate() {
        let text = |name: &str| query.get(name).and_then(Value::as_str);
        if text("data_source").is_some_and(|source| source != "metrics") {
            return Err(invalid("only the data source \"metrics\" is there"));
        }
        let expr = one(text("query").ok_or_else(|| invalid("a query has no text"))?, depth)?;
        let name = text("name").map_or_else(|| format!("query{}", at + 1), str::to_owned);
        let aggregator = aggregator_named(text("aggregator").unwrap_or("avg"))?;
        queries.push(Asked { name, expr, aggregator });
    }
    let (names, expressions) = computed(attributes, queries, scalar, depth)?;
    let request = Request { snapshot: &call.snapshot, database: &call.config.datadog.database, from, to, interval };
    let evaluation = Box::new(Evaluation::new(&expressions, request, &call.config.limits)?);
    Ok(Query { scalar, names, evaluation, reply: None })
}

/// The one expression of a text.
fn one(text: &str, depth: u32) -> Result<Expr, Error> {
    let mut parsed = parse(text, depth)?;
    match (parsed.pop(), parsed.is_empty()) {
        (Some(expr), true) => Ok(expr),
        _ => Err(invalid("a query or formula is one expression")),
    }
}

fn aggregator_named(name: &str) -> Result<Measure, Error> {
    Ok(match name {
        "avg" | "mean" => Measure::Mean,
        "min" => Measure::Min,
        "max" => Measure::Max,
        "sum" => Measure::Sum,
        "last" => Measure::Last,
        "l2norm" => Measure::Norm,
        "area" => Measure::Area,
        // The median: the request has no place for which.
        "percentile" => Measure::Median,
        _ => return Err(invalid(&format!("there is no aggregator {name:?}"))),
    })
}

/// What is to be computed, and how it is called: every formula, or without any every query.
fn computed(
    attributes: &Map<String, Value>,
    queries: Vec<Asked>,
    scalar: bool,
    depth: u32,
) -> Result<(Vec<String>, Vec<Expr>), Error> {
    let formulas = attributes.get("formulas").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if formulas.is_empty() {
        let whole = |query: Asked| {
            let expr = if scalar { measured(query.expr, query.aggregator) } else { query.expr };
            (query.name, expr)
        };
        return Ok(queries.into_iter().map(whole).unzip());
    }
    let (mut names, mut expressions) = (Vec::with_capacity(formulas.len()), Vec::with_capacity(formulas.len()));
    for formula in formulas {
        let text = formula.get("formula").and_then(Value::as_str).ok_or_else(|| invalid("a formula has no text"))?;
        let mut expr = filled(one(&with_places(text, &queries), depth)?, &queries, scalar);
        if let Some(limit) = formula.get("limit").and_then(Value::as_object)
            && let Some(count) = limit.get("count").and_then(Value::as_u64)
        {
            let order = limit.get("order").and_then(Value::as_str).unwrap_or("desc");
            let count = Expr { at: 0, kind: Kind::Number(count as f64) };
            let words = ["mean", order].map(|word| Argument::Text(word.to_owned()));
            let arguments = [Argument::Expr(expr), Argument::Expr(count)].into_iter().chain(words).collect();
            expr = Expr { at: 0, kind: Kind::Call { name: "top".to_owned(), arguments } };
        }
        names.push(text.to_owned());
        expressions.push(expr);
    }
    Ok((names, expressions))
}

fn measured(of: Expr, measure: Measure) -> Expr {
    Expr { at: of.at, kind: Kind::Measured { measure, of: Box::new(of) } }
}

/// Which query stands in a place of a formula.
fn named<'a>(expr: &Expr, queries: &'a [Asked]) -> Option<&'a Asked> {
    let Kind::Query(query) = &expr.kind else { return None };
    queries.get(query.metric.strip_prefix(PLACE)?.parse::<usize>().ok()?)
}

/// A formula with queries in their places, and as much of it over scalars as there is no need of series for.
fn filled(expr: Expr, queries: &[Asked], scalar: bool) -> Expr {
    let at = expr.at;
    if let Some(query) = named(&expr, queries) {
        return if scalar { measured(query.expr.clone(), query.aggregator) } else { query.expr.clone() };
    }
    let inside = |expr: Expr, scalar: bool| filled(expr, queries, scalar);
    match expr.kind {
        Kind::Binary { op, left, right } => {
            let (left, right) = (Box::new(inside(*left, scalar)), Box::new(inside(*right, scalar)));
            Expr { at, kind: Kind::Binary { op, left, right } }
        }
        Kind::Call { name, arguments } => {
            let ranks = name.starts_with("top") || name.starts_with("bottom");
            let of_values = scalar && (ranks || OF_VALUES.contains(&&*name));
            let aggregator = arguments.iter().find_map(|argument| first(argument, queries)).unwrap_or(Measure::Mean);
            let fill = |argument: Argument| match argument {
                Argument::Expr(expr) => Argument::Expr(inside(expr, of_values)),
                other => other,
            };
            let arguments = arguments.into_iter().map(fill).collect();
            let call = Expr { at, kind: Kind::Call { name, arguments } };
            if scalar && !of_values { measured(call, aggregator) } else { call }
        }
        kind @ Kind::Query(_) if scalar => measured(Expr { at, kind }, Measure::Mean),
        kind => Expr { at, kind },
    }
}

/// The aggregator of the first query named in an argument.
fn first(argument: &Argument, queries: &[Asked]) -> Option<Measure> {
    fn within(expr: &Expr, queries: &[Asked]) -> Option<Measure> {
        match &expr.kind {
            Kind::Binary { left, right, .. } => within(left, queries).or_else(|| within(right, queries)),
            Kind::Call { arguments, .. } => arguments.iter().find_map(|argument| first(argument, queries)),
            _ => named(expr, queries).map(|query| query.aggregator),
        }
    }
    match argument {
        Argument::Expr(expr) => within(expr, queries),
        _ => None,
    }
}

/// A formula's text with places for the queries that it names.
fn with_places(formula: &str, queries: &[Asked]) -> String {
    let part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let (mut out, mut rest, mut quote) = (String::new(), formula, None);
    while let Some(c) = rest.chars().next() {
        if quote.is_none() && (c.is_ascii_alphabetic() || c == '_') {
            let end = rest.find(|c| !part(c)).unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            let called = after.trim_start().starts_with(['(', '{', ':']);
            match queries.iter().position(|query| query.name == word && !called) {
                Some(at) => out += &format!("{PLACE}{at}{{*}}"),
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
    out
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
            for row in &rows {
                let own = all.iter().find(|series| series.query == query && self.tags(series) == &**row);
                let value = own.and_then(|series| series.values.first().copied()).unwrap_or(f64::NAN);
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

    fn queries() -> [Asked; 2] {
        let asked = |name: &str, text: &str, aggregator| Asked {
            name: name.to_owned(),
            expr: one(text, 100).unwrap_or_else(|error| panic!("{}", error.text)),
            aggregator,
        };
        [asked("a", "avg:m{*}", Measure::Sum), asked("query1", "sum:n{x:a}", Measure::Last)]
    }

    #[test]
    fn names_in_formulas_are_told_from_other_words() {
        let queries = queries();
        let placed = |formula: &str| with_places(formula, &queries);
        assert_eq!(placed("query1 * 2 + a"), "isopoint.formula.1{*} * 2 + isopoint.formula.0{*}");
        assert_eq!(placed("abs(a) / 1e5"), "abs(isopoint.formula.0{*}) / 1e5");
        assert_eq!(placed("top(a, 5, 'a', \"a\")"), "top(isopoint.formula.0{*}, 5, 'a', \"a\")");
    }

    #[test]
    fn scalars_are_computed_with_where_no_series_is_needed() {
        let queries = queries();
        let text = |expr: &Expr| shown(expr);
        let of = |formula: &str, scalar: bool| {
            let expr = one(&with_places(formula, &queries), 100).unwrap_or_else(|error| panic!("{}", error.text));
            text(&filled(expr, &queries, scalar))
        };
        assert_eq!(of("a / query1", false), "(m / n)");
        assert_eq!(of("a / query1", true), "(Sum[m] / Last[n])");
        assert_eq!(of("abs(a) * 2", true), "(abs(Sum[m]) * 2)");
        assert_eq!(of("ewma_5(query1 + a) - a", true), "(Last[ewma_5((n + m))] - Sum[m])");
        assert_eq!(of("top(diff(a), 1, 'max', 'asc')", true), "top(Sum[diff(m)], 1)");
    }

    fn shown(expr: &Expr) -> String {
        match &expr.kind {
            Kind::Number(number) => number.to_string(),
            Kind::Query(query) => query.metric.clone(),
            Kind::Binary { op, left, right } => format!("({} {} {})", shown(left), op.symbol(), shown(right)),
            Kind::Call { name, arguments } => {
                let shown = arguments.iter().filter_map(|argument| match argument {
                    Argument::Expr(expr) => Some(shown(expr)),
                    _ => None,
                });
                format!("{name}({})", shown.collect::<Vec<_>>().join(", "))
            }
            Kind::Measured { measure, of } => format!("{measure:?}[{}]", shown(of)),
        }
    }
}
