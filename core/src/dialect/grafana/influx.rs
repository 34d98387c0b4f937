//! InfluxQL data sources: a query model to a statement, an answer to frames. The same for this very engine and for others.

mod builder;
mod macros;
mod response;

use super::errand_fault;
use super::frame::DataFrame;
use super::json::Json;
use super::outcome::{Fault, Outcome};
use super::outgoing::Outgoing;
use super::record::Record;
use super::times::Range;
use super::url::{Url, form};
use crate::dialect::errand::{ErrandError, HttpCall, Told};
use crate::dialect::exchange::ApiConfig;
pub(crate) use response::Series;

/// A statement to run, and how its answer becomes frames.
#[derive(Clone, Debug)]
pub(crate) struct Statement {
    pub(crate) text: String,
    pub(crate) database: String,
    policy: String,
    format: Format,
    alias: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    TimeSeries,
    Table,
    Logs,
}

/// What a statement is made with besides its model.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context {
    pub(crate) range: Range,
    pub(crate) interval_millis: i64,
}

impl Statement {
    pub(crate) fn read(record: &Record, model: &Json, context: Context) -> Result<Self, Fault> {
        match record.json_data.text_of("version") {
            "" | "InfluxQL" => {}
            other => return Err(Fault::plugin(400, format!("query language {other} is not supported, only InfluxQL"))),
        }
        let raw = model.get("rawQuery").and_then(Json::bool).unwrap_or(false);
        let text = match model.text_of("query") {
            text if raw && !text.is_empty() => text.to_owned(),
            _ => builder::render(model).map_err(|why| Fault::plugin(400, why))?,
        };
        let interval = macros::interval(model.text_of("interval"), record.json_data.text_of("timeInterval"), context);
        let format = match model.text_of("resultFormat") {
            "table" => Format::Table,
            "logs" => Format::Logs,
            _ => Format::TimeSeries,
        };
        Ok(Self {
            text: macros::replace(&text, context.range, interval),
            database: database(record),
            policy: Some(model.text_of("policy")).filter(|policy| *policy != "default").unwrap_or_default().to_owned(),
            format,
            alias: macros::replace_interval(model.text_of("alias"), interval),
        })
    }

    pub(crate) fn call(&self, record: &Record, outgoing: &Outgoing) -> Result<HttpCall, Fault> {
        let mut parameters = vec![("db", self.database.as_str()), ("epoch", "ms")];
        if !self.policy.is_empty() {
            parameters.push(("rp", &self.policy));
        }
        call(record, outgoing, parameters, &self.text)
    }

    pub(crate) fn frames(&self, series: Vec<Series>) -> Vec<DataFrame> {
        let mut frames = match self.format {
            Format::TimeSeries => response::time_series(series, &self.alias),
            Format::Table => response::table(series, "table"),
            Format::Logs => response::table(series, "logs"),
        };
        if let Some(meta) = frames.first_mut().and_then(|frame| frame.meta.as_mut()) {
            meta.executed.clone_from(&self.text);
        }
        frames
    }

    pub(crate) fn outcome(&self, told: Result<Told, ErrandError>) -> Outcome {
        match answer(told) {
            Ok(series) => self.frames(series).into(),
            Err(fault) => fault.into(),
        }
    }
}

fn call<'a>(
    record: &Record,
    outgoing: &Outgoing,
    mut parameters: Vec<(&'a str, &'a str)>,
    statement: &'a str,
) -> Result<HttpCall, Fault> {
    match record.json_data.text_of("httpMode") {
        "" | "GET" => {
            parameters.push(("q", statement));
            Ok(outgoing.call("GET", "query", &form(&parameters), None))
        }
        "POST" => Ok(outgoing.call("POST", "query", &form(&parameters), Some(form(&[("q", statement)])))),
        _ => Err(Fault::plugin(400, "'httpMode' should be either 'GET' or 'POST'")),
    }
}

/// The database of a record.
pub(crate) fn database(record: &Record) -> String {
    match record.json_data.text_of("dbName") {
        "" => record.database.clone(),
        name => name.to_owned(),
    }
}

/// Whether the data source is this very engine.
pub(crate) fn is_local(record: &Record, config: &ApiConfig) -> bool {
    if record.kind != "influxdb" {
        return false;
    }
    if record.json_data.text_of("engine") == "local" || record.url.starts_with("local://") {
        return true;
    }
    let Some(url) = Url::of_record(&record.url) else { return false };
    let address = format!("{}:{}", url.host, url.port_or_default());
    let plain = url.scheme == "http" && matches!(url.path.as_str(), "" | "/");
    plain && config.data_sources.own_addresses.iter().any(|own| own.eq_ignore_ascii_case(&address))
}

/// The series of the first statement of an answer.
pub(crate) fn answer(told: Result<Told, ErrandError>) -> Result<Vec<Series>, Fault> {
    let reply = match told {
        Ok(Told::Http(reply)) => reply,
        Ok(Told::Waited) => return Ok(Vec::new()),
        Err(error) => return Err(errand_fault(&error)),
    };
    response::read(&reply)
}

pub(crate) const HEALTH_STATEMENT: &str = "SHOW measurements";

pub(crate) fn health_call(record: &Record, outgoing: &Outgoing) -> Result<HttpCall, Fault> {
    call(record, outgoing, vec![("db", &database(record)), ("epoch", "ms")], HEALTH_STATEMENT)
}

/// The message of a check: how many rows the first series has, or what failed.
pub(crate) fn health(series: Result<Vec<Series>, Fault>) -> Result<String, String> {
    match series {
        Ok(series) => {
            let count = series.first().map_or(0, Series::rows);
            Ok(format!("datasource is working. {count} measurements found"))
        }
        Err(fault) if matches!(fault.status, 502 | 504) => {
            Err(format!("{}: error performing influxQL query", fault.message))
        }
        Err(fault) => Err(format!("{}: error reading influxDB", fault.message)),
    }
}

#[cfg(test)]
mod tests;
