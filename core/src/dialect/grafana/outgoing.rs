//! What goes out to a data source: its address, the stored credentials, how to trust it.

use super::base64;
use super::error::ApiError;
use super::json::Json;
use super::record::Record;
use super::url::Url;
use crate::dialect::errand::{HttpCall, Tls};
use crate::dialect::exchange::ApiConfig;
use bytes::Bytes;

/// Custom headers of a record, at most.
const MAX_HEADERS: usize = 64;

/// Everything but what is asked.
#[derive(Clone)]
pub(crate) struct Outgoing {
    pub(crate) url: Url,
    /// Credentials and custom headers, each once.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) tls: Tls,
    pub(crate) timeout_millis: u64,
}

impl Outgoing {
    /// Of a record that has an address.
    pub(crate) fn of(record: &Record, config: &ApiConfig) -> Result<Self, ApiError> {
        let no_url = || ApiError::new(500, "", "Failed creating data source proxy");
        let url = Url::of_record(&record.url).filter(|url| !record.url.is_empty() && !url.host.is_empty());
        let url = url.filter(|url| matches!(url.scheme.as_str(), "http" | "https")).ok_or_else(no_url)?;
        let allowed = &config.data_sources.allowed;
        let target = format!("{}:{}", url.host, url.port_or_default());
        if !allowed.is_empty() && !allowed.iter().any(|known| known.eq_ignore_ascii_case(&target)) {
            return Err(ApiError::new(403, "", "Data proxy hostname and ip are not included in whitelist"));
        }
        let data = &record.json_data;
        let timeout = data.get("timeout").and_then(|_| data.int_of("timeout")).filter(|secs| *secs > 0);
        let timeout_secs = timeout.map_or(config.data_sources.timeout_secs, |secs| secs.min(86_400) as u64);
        Ok(Self {
            headers: headers(record, &url, config)?,
            tls: tls(record, config)?,
            url,
            timeout_millis: timeout_secs * 1000,
        })
    }

    /// A call to a path below the data source's own, with a query string already encoded.
    pub(crate) fn call(&self, method: &str, path: &str, query: &str, form: Option<String>) -> HttpCall {
        let url = self.url.join(path).unwrap_or_else(|| self.url.with_path(&self.url.path));
        let mark = if query.is_empty() { "" } else { "?" };
        let mut headers = self.headers.clone();
        if form.is_some() {
            set_header(&mut headers, "content-type", "application/x-www-form-urlencoded");
        }
        set_header(&mut headers, "accept", "application/json");
        HttpCall {
            method: method.to_owned(),
            url: format!("{url}{mark}{query}"),
            headers,
            body: form.map(Bytes::from).unwrap_or_default(),
            timeout_millis: self.timeout_millis,
            follow: true,
            tls: self.tls.clone(),
        }
    }
}

/// Sets a header in place of others of its name.
pub(crate) fn set_header(headers: &mut Vec<(String, String)>, name: &str, value: &str) {
    headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
    headers.push((name.to_owned(), value.to_owned()));
}

pub(crate) fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", base64::encode(format!("{user}:{password}").as_bytes()))
}

/// The user and password that a data source of InfluxDB acts with; `None`: it has none.
pub(crate) fn credentials(record: &Record, config: &ApiConfig) -> Result<Option<(String, String)>, ApiError> {
    let sealer = config.sealer.as_deref();
    if record.basic_auth {
        return Ok(Some((record.basic_auth_user.clone(), record.secret("basicAuthPassword", sealer)?)));
    }
    if record.kind == "influxdb" || !record.user.is_empty() {
        return Ok(Some((record.user.clone(), record.secret("password", sealer)?)));
    }
    Ok(None)
}

fn headers(record: &Record, url: &Url, config: &ApiConfig) -> Result<Vec<(String, String)>, ApiError> {
    let mut headers = Vec::new();
    if let Some((user, password)) = &url.user {
        set_header(&mut headers, "authorization", &basic(user, password));
    }
    if let Some((user, password)) = credentials(record, config)? {
        set_header(&mut headers, "authorization", &basic(&user, &password));
    }
    for number in 1..=MAX_HEADERS {
        let name = record.json_data.text_of(&format!("httpHeaderName{number}"));
        if name.is_empty() {
            break;
        }
        let value = record.secret(&format!("httpHeaderValue{number}"), config.sealer.as_deref())?;
        if is_header_name(name) && !value.contains(['\r', '\n', '\0']) {
            set_header(&mut headers, &name.to_ascii_lowercase(), &value);
        }
    }
    Ok(headers)
}

fn is_header_name(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

fn tls(record: &Record, config: &ApiConfig) -> Result<Tls, ApiError> {
    let flag = |name: &str| record.json_data.get(name).and_then(Json::bool).unwrap_or(false);
    let sealer = config.sealer.as_deref();
    let ca = if flag("tlsAuthWithCACert") { Some(record.secret("tlsCACert", sealer)?) } else { None };
    let client = if flag("tlsAuth") {
        Some((record.secret("tlsClientCert", sealer)?, record.secret("tlsClientKey", sealer)?))
    } else {
        None
    };
    let server_name = record.json_data.text_of("serverName");
    let server_name = if server_name.is_empty() { None } else { Some(server_name.to_owned()) };
    Ok(Tls { skip_verify: flag("tlsSkipVerify"), server_name, ca, client })
}
