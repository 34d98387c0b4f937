//! The log of slow queries: what was asked, how long it took, what it read, and the plan it ran by.

use crate::drive::Driver;
use crate::host::{Host, clock};
use crate::logs::redact;
use crate::who::Who;
use bytes::Bytes;
use isopoint_core::dialect::exchange::{ApiConfig, ApiRequest};
use isopoint_core::dialect::{form, route};
use isopoint_core::exec::QueryStats;
use std::sync::Arc;
use std::time::Duration;

/// Bytes of a query that are logged.
const LONGEST: usize = 4 << 10;

/// A query that is being answered, for the case that it is slow.
pub(crate) struct Note {
    pub who: Who,
    pub path: String,
    /// As asked: statements, a query, or the body that describes one.
    text: String,
    /// Of InfluxQL: its form, to ask for the plan with.
    statements: Option<(String, Option<String>)>,
}

impl Note {
    /// `None` for what is no query: other bodies may hold secrets.
    pub(crate) fn of(request: &ApiRequest, who: Who) -> Option<Self> {
        let in_form = |name: &str| {
            let body =
                matches!(request.header("content-type"), Some(kind) if kind.starts_with("application/x-www-form"));
            let body: &[u8] = if body { &request.body } else { b"" };
            let mut pairs = form::pairs(request.query.as_bytes()).chain(form::pairs(body));
            pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
        };
        let body = || String::from_utf8_lossy(&request.body[..request.body.len().min(LONGEST)]).into_owned();
        let (text, statements) = match request.path.as_str() {
            "/query" => {
                let text = in_form("q")?;
                (text.clone(), Some((text, in_form("db"))))
            }
            "/api/v1/query" => (in_form("query")?, None),
            "/api/v1/series/points" | "/api/ds/query" | "/api/v2/query/timeseries" | "/api/v2/query/scalar" => {
                (body(), None)
            }
            _ => return None,
        };
        let mut text = redact(&text).into_owned();
        if text.len() > LONGEST {
            let end = (0..=LONGEST).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
            text.truncate(end);
        }
        Some(Self { who, path: request.path.clone(), text, statements })
    }

    /// Logs it, with the plan if the engine tells one.
    pub(crate) async fn log(
        self,
        took: Duration,
        stats: QueryStats,
        driver: Driver,
        host: Arc<Host>,
        inside: Arc<ApiConfig>,
    ) {
        let plan = match &self.statements {
            Some((statements, database)) => explain(statements, database.as_deref(), &driver, &host, &inside).await,
            None => None,
        };
        tracing::warn!(
            path = self.path,
            query = self.text,
            user = self.who.name,
            address = %self.who.peer,
            trace = self.who.trace,
            millis = took.as_millis() as u64,
            series = stats.series,
            points = stats.points,
            blocks_decoded = stats.blocks_decoded,
            bytes = stats.bytes,
            rows = stats.rows_out,
            plan = plan.as_deref().unwrap_or("not told"),
            "slow query"
        );
    }
}

/// The plan of a SELECT, asked for as a client would, by one who may.
async fn explain(
    statements: &str,
    database: Option<&str>,
    driver: &Driver,
    host: &Host,
    inside: &Arc<ApiConfig>,
) -> Option<String> {
    let select = statements.trim_start().get(..6).is_some_and(|word| word.eq_ignore_ascii_case("select"));
    if !select || statements.to_ascii_lowercase().contains(" into ") {
        return None;
    }
    let mut query = String::from("q=EXPLAIN%20");
    query += &crate::import::escape(statements);
    if let Some(database) = database {
        query += "&db=";
        query += &crate::import::escape(database);
    }
    let request = ApiRequest {
        method: "GET".into(),
        path: "/query".into(),
        query,
        headers: Vec::new(),
        body: Bytes::new(),
        now: clock::now(),
        request_id: String::new(),
        entropy: clock::entropy(),
    };
    let answer = driver.answer(route::open(request, host.snapshot(), inside)).await?;
    let answer = answer.body.collect().await?;
    let document: serde_json::Value = serde_json::from_slice(&answer).ok()?;
    let rows = document.pointer("/results/0/series/0/values")?.as_array()?;
    let lines = rows.iter().filter_map(|row| row.get(0)?.as_str());
    Some(lines.collect::<Vec<_>>().join("\n"))
}
