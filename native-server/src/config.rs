//! What a server runs with. One list of settings serves flags, environment and file, in that order of precedence.

use crate::grafana::secrets::key_file;
use crate::tls::TlsFiles;
use isopoint_core::dialect::facette::Mapping;
use serde::Deserialize;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

/// Every setting of `isopoint serve`, each optional: a flag, else `ISOPOINT_…`, else the configuration file, else the
/// default.
#[derive(Clone, Debug, Default, clap::Args, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Settings {
    /// Address and port to serve all APIs and the dashboard on; port 0 picks a free one [default: 127.0.0.1:8086]
    #[arg(long, env = "ISOPOINT_LISTEN", value_name = "ADDR:PORT")]
    pub listen: Option<SocketAddr>,
    /// Folder for all data; made when missing [default: isopoint-data]
    #[arg(long, env = "ISOPOINT_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// When an acknowledged write is on disk: `always` before the answer, `interval` within a second, `never` when the
    /// system likes [default: always]
    #[arg(long, env = "ISOPOINT_FSYNC", value_name = "WHEN")]
    pub fsync: Option<Fsync>,
    /// Do not record this machine's own CPU, memory, disk, network and load in database _internal
    #[arg(long, env = "ISOPOINT_NO_SELF_METRICS")]
    pub no_self_metrics: bool,
    /// Ask every caller who he is; without it all may do everything
    #[arg(long, help_heading = "Security", env = "ISOPOINT_AUTH")]
    pub auth: bool,
    /// Secret that bearer tokens (JWT, HS256) are signed with; without it none is accepted
    #[arg(long, help_heading = "Security", env = "ISOPOINT_JWT_SECRET", value_name = "SECRET", hide_env_values = true)]
    pub jwt_secret: Option<String>,
    /// Password of the administrator `admin`, who is made when there is no such user; without it the first request must
    /// be CREATE USER … WITH ALL PRIVILEGES, as in InfluxDB
    #[arg(
        long,
        help_heading = "Security",
        env = "ISOPOINT_ADMIN_PASSWORD",
        value_name = "PASSWORD",
        hide_env_values = true
    )]
    pub admin_password: Option<String>,
    /// `HOST:PORT` that a Grafana data source may have; may be given several times [default: every address that is not
    /// link-local or a cloud's metadata service]
    #[arg(
        long,
        help_heading = "Data sources (Grafana)",
        env = "ISOPOINT_DATA_SOURCE_ALLOW",
        value_name = "HOST:PORT",
        value_delimiter = ' '
    )]
    pub data_source_allow: Vec<String>,
    /// Let data sources have link-local and metadata addresses (169.254.0.0/16, fe80::/10) too
    #[arg(long, help_heading = "Data sources (Grafana)", env = "ISOPOINT_DATA_SOURCE_LINK_LOCAL")]
    pub data_source_link_local: bool,
    /// Seconds a call to a data source may take when the data source does not say [default: 30]
    #[arg(long, help_heading = "Data sources (Grafana)", env = "ISOPOINT_DATA_SOURCE_TIMEOUT", value_name = "SECONDS")]
    pub data_source_timeout: Option<u64>,
    /// File or folder of data sources in Grafana's provisioning format, made at the start and not to be changed by
    /// requests
    #[arg(long, help_heading = "Data sources (Grafana)", env = "ISOPOINT_PROVISIONING", value_name = "PATH")]
    pub provisioning: Option<PathBuf>,
    /// File of the key that data sources' secrets are encrypted with; made when missing [default: secrets.key in the data
    /// folder]
    #[arg(long, help_heading = "Data sources (Grafana)", env = "ISOPOINT_SECRET_KEY_FILE", value_name = "FILE")]
    pub secret_key_file: Option<PathBuf>,
    /// Memory to plan with, such as 512MiB: half of it for points not yet in files, a quarter for any one query
    /// [default: 1GiB]
    #[arg(long, help_heading = "Limits", env = "ISOPOINT_MEMORY_LIMIT", value_name = "BYTES")]
    pub memory_limit: Option<ByteSize>,
    /// Largest request body as sent; unpacked from gzip it may be 256 MiB, or this if that is more [default: 25000000]
    #[arg(long, help_heading = "Limits", env = "ISOPOINT_MAX_BODY_SIZE", value_name = "BYTES")]
    pub max_body_size: Option<ByteSize>,
    /// InfluxDB queries answered at once, 0 for no limit [default: 0]
    #[arg(long, help_heading = "Limits", env = "ISOPOINT_MAX_CONCURRENT_QUERIES", value_name = "N")]
    pub max_concurrent_queries: Option<u64>,
    /// Rows an InfluxQL answer may have, 0 for no limit [default: 0]
    #[arg(long, help_heading = "Limits", env = "ISOPOINT_MAX_ROW_LIMIT", value_name = "N")]
    pub max_row_limit: Option<u64>,
    /// Series one SELECT may read, 0 for no limit [default: 0]
    #[arg(long, help_heading = "Limits", env = "ISOPOINT_MAX_SELECT_SERIES", value_name = "N")]
    pub max_select_series: Option<u64>,
    /// Buckets one SELECT may make, 0 for no limit [default: 0]
    #[arg(long, help_heading = "Limits", env = "ISOPOINT_MAX_SELECT_BUCKETS", value_name = "N")]
    pub max_select_buckets: Option<u64>,
    /// Points one SELECT may read, 0 for no limit [default: 0]
    #[arg(long, help_heading = "Limits", env = "ISOPOINT_MAX_SELECT_POINTS", value_name = "N")]
    pub max_select_points: Option<u64>,
    /// Seconds a request may take to arrive, and to be answered [default: 60]
    #[arg(long, help_heading = "Limits", env = "ISOPOINT_TIMEOUT", value_name = "SECONDS")]
    pub timeout: Option<u64>,
    /// Threads that queries share, 0 for one a core [default: 0]
    #[arg(long, env = "ISOPOINT_QUERY_THREADS", value_name = "N")]
    pub query_threads: Option<usize>,
    /// How Facette's sources and metrics are made of series, as JSON [default:
    /// {"source":["column:host"],"metric":["name","column:*"],"glue":"."}]
    #[arg(long, help_heading = "Facette and Datadog", env = "ISOPOINT_FACETTE_MAPPING", value_name = "JSON")]
    pub facette_mapping: Option<String>,
    /// Take DogStatsD datagrams here: ADDR:PORT for UDP, or the path of a Unix socket
    #[arg(long, help_heading = "Facette and Datadog", env = "ISOPOINT_DOGSTATSD", value_name = "ADDR")]
    pub dogstatsd: Option<String>,
    /// Seconds over which DogStatsD gathers before it stores [default: 10]
    #[arg(long, help_heading = "Facette and Datadog", env = "ISOPOINT_DOGSTATSD_INTERVAL", value_name = "SECONDS")]
    pub dogstatsd_interval: Option<u64>,
    /// Database of the Datadog API [default: datadog]
    #[arg(long, help_heading = "Facette and Datadog", env = "ISOPOINT_DATADOG_DATABASE", value_name = "NAME")]
    pub datadog_database: Option<String>,
    /// API key that Datadog's clients must send; may be given several times [default: any that is not empty]
    #[arg(
        long,
        help_heading = "Facette and Datadog",
        env = "ISOPOINT_DATADOG_API_KEY",
        value_name = "KEY",
        value_delimiter = ',',
        hide_env_values = true
    )]
    pub datadog_api_key: Vec<String>,
    /// Application key that Datadog's clients must send to read; may be given several times [default: any that is not
    /// empty]
    #[arg(
        long,
        help_heading = "Facette and Datadog",
        env = "ISOPOINT_DATADOG_APP_KEY",
        value_name = "KEY",
        value_delimiter = ',',
        hide_env_values = true
    )]
    pub datadog_app_key: Vec<String>,
    /// Queries an hour by the Datadog API, 0 for no limit [default: 0]
    #[arg(long, help_heading = "Facette and Datadog", env = "ISOPOINT_DATADOG_RATE_LIMIT", value_name = "N")]
    pub datadog_rate_limit: Option<u64>,
    /// Certificate chain in PEM: serve HTTPS (with HTTP/2) instead of HTTP; read again when the file changes
    #[arg(long, help_heading = "Security", env = "ISOPOINT_TLS_CERT", value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,
    /// Private key in PEM of --tls-cert
    #[arg(long, help_heading = "Security", env = "ISOPOINT_TLS_KEY", value_name = "FILE")]
    pub tls_key: Option<PathBuf>,
    /// Certificates in PEM of whom every client must have one from (mutual TLS)
    #[arg(long, help_heading = "Security", env = "ISOPOINT_TLS_CLIENT_CA", value_name = "FILE")]
    pub tls_client_ca: Option<PathBuf>,
    /// Let everybody on the network do everything; only needed without --auth, on an address others reach
    #[arg(long, help_heading = "Security", env = "ISOPOINT_INSECURE_NO_AUTH")]
    pub insecure_no_auth: bool,
    /// Send passwords and data unencrypted over the network; only needed without --tls-cert, on an address others reach
    #[arg(long, help_heading = "Security", env = "ISOPOINT_INSECURE_NO_TLS")]
    pub insecure_no_tls: bool,
    /// Origin of another site whose pages may call this server, such as `https://example.org`; may be given several times,
    /// `*` is all [default: none]
    #[arg(long, help_heading = "Security", env = "ISOPOINT_CORS_ORIGIN", value_name = "ORIGIN", value_delimiter = ' ')]
    pub cors_origin: Vec<String>,
    /// Name of this server that browsers may use besides localhost while it has no passwords; may be given several times
    #[arg(long, help_heading = "Security", env = "ISOPOINT_PUBLIC_HOST", value_name = "NAME", value_delimiter = ' ')]
    pub public_host: Vec<String>,
    /// File that administrative acts and failed logins are appended to, as JSON lines [default: audit.jsonl in the data
    /// folder]
    #[arg(long, help_heading = "Security", env = "ISOPOINT_AUDIT_LOG", value_name = "FILE")]
    pub audit_log: Option<PathBuf>,
    /// How the log on standard error is written [default: text]
    #[arg(long, help_heading = "Operation", env = "ISOPOINT_LOG_FORMAT", value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,
    /// What the log tells: error, warn, info, debug or trace, or directives such as info,hyper=debug [default: info]
    #[arg(long, help_heading = "Operation", env = "ISOPOINT_LOG", value_name = "LEVEL")]
    pub log_level: Option<String>,
    /// Seconds from which on a query is logged as slow, with its plan; 0 for never [default: 5]
    #[arg(long, help_heading = "Operation", env = "ISOPOINT_SLOW_QUERY", value_name = "SECONDS")]
    pub slow_query: Option<f64>,
    /// TOML file of checks that are evaluated on schedule; `isopoint check --help` shows one
    #[arg(long, help_heading = "Operation", env = "ISOPOINT_CHECKS", value_name = "FILE")]
    pub checks: Option<PathBuf>,
    /// Address that alerts are posted to, in the form of Alertmanager's webhooks
    #[arg(
        long,
        help_heading = "Operation",
        env = "ISOPOINT_ALERT_WEBHOOK",
        value_name = "URL",
        hide_env_values = true
    )]
    pub alert_webhook: Option<String>,
}

/// The settings in force.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub listen: SocketAddr,
    pub data_dir: PathBuf,
    pub fsync: Fsync,
    pub self_metrics: bool,
    pub auth: bool,
    pub jwt_secret: Secret,
    pub admin_password: Secret,
    pub data_source_allow: Vec<String>,
    pub data_source_link_local: bool,
    pub data_source_timeout: u64,
    pub provisioning: Option<PathBuf>,
    pub secret_key_file: PathBuf,
    pub memory_limit: u64,
    pub max_body_size: u64,
    pub max_concurrent_queries: u64,
    pub max_row_limit: u64,
    pub max_select_series: u64,
    pub max_select_buckets: u64,
    pub max_select_points: u64,
    pub timeout_secs: u64,
    pub query_threads: usize,
    pub facette_mapping: Mapping,
    pub dogstatsd: Option<String>,
    pub dogstatsd_interval_secs: u64,
    pub datadog_database: String,
    pub datadog_api_keys: Vec<String>,
    pub datadog_app_keys: Vec<String>,
    pub datadog_rate_limit: u64,
    /// HTTPS instead of HTTP.
    pub tls: Option<TlsFiles>,
    pub insecure_no_auth: bool,
    pub insecure_no_tls: bool,
    pub cors_origins: Vec<String>,
    pub public_hosts: Vec<String>,
    pub audit_log: PathBuf,
    pub log_format: LogFormat,
    pub log_level: String,
    /// Zero is never.
    pub slow_query: Duration,
    pub checks: Option<PathBuf>,
    pub alert_webhook: Option<String>,
}

/// A text that is not printed.
#[derive(Clone)]
pub(crate) struct Secret(pub Option<String>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "set" } else { "not set" })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// A JSON object on each line.
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Fsync {
    Always,
    Interval,
    Never,
}

/// A number of bytes, as `1048576`, `1MiB` or `1MB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "ByteText")]
pub(crate) struct ByteSize(pub u64);

#[derive(Deserialize)]
#[serde(untagged)]
enum ByteText {
    Number(u64),
    Text(String),
}

impl TryFrom<ByteText> for ByteSize {
    type Error = String;

    fn try_from(text: ByteText) -> Result<Self, String> {
        match text {
            ByteText::Number(bytes) => Ok(Self(bytes)),
            ByteText::Text(text) => text.parse(),
        }
    }
}

impl FromStr for ByteSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let scale: u64 = match text[digits..].trim() {
            "" | "B" => 1,
            "kB" | "KB" => 1_000,
            "MB" => 1_000_000,
            "GB" => 1_000_000_000,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            other => return Err(format!("unknown unit {other:?}; use B, kB, MB, GB, KiB, MiB or GiB")),
        };
        let number: u64 = text[..digits].parse().map_err(|_| format!("{text:?} is not a number of bytes"))?;
        number.checked_mul(scale).map(Self).ok_or_else(|| format!("{text} is too large"))
    }
}

impl Settings {
    /// These settings, and where they are silent the others.
    fn or(self, other: Self) -> Self {
        Self {
            listen: self.listen.or(other.listen),
            data_dir: self.data_dir.or(other.data_dir),
            fsync: self.fsync.or(other.fsync),
            no_self_metrics: self.no_self_metrics || other.no_self_metrics,
            auth: self.auth || other.auth,
            jwt_secret: self.jwt_secret.or(other.jwt_secret),
            admin_password: self.admin_password.or(other.admin_password),
            data_source_allow: or_list(self.data_source_allow, other.data_source_allow),
            data_source_link_local: self.data_source_link_local || other.data_source_link_local,
            data_source_timeout: self.data_source_timeout.or(other.data_source_timeout),
            provisioning: self.provisioning.or(other.provisioning),
            secret_key_file: self.secret_key_file.or(other.secret_key_file),
            memory_limit: self.memory_limit.or(other.memory_limit),
            max_body_size: self.max_body_size.or(other.max_body_size),
            max_concurrent_queries: self.max_concurrent_queries.or(other.max_concurrent_queries),
            max_row_limit: self.max_row_limit.or(other.max_row_limit),
            max_select_series: self.max_select_series.or(other.max_select_series),
            max_select_buckets: self.max_select_buckets.or(other.max_select_buckets),
            max_select_points: self.max_select_points.or(other.max_select_points),
            timeout: self.timeout.or(other.timeout),
            query_threads: self.query_threads.or(other.query_threads),
            facette_mapping: self.facette_mapping.or(other.facette_mapping),
            dogstatsd: self.dogstatsd.or(other.dogstatsd),
            dogstatsd_interval: self.dogstatsd_interval.or(other.dogstatsd_interval),
            datadog_database: self.datadog_database.or(other.datadog_database),
            datadog_api_key: or_list(self.datadog_api_key, other.datadog_api_key),
            datadog_app_key: or_list(self.datadog_app_key, other.datadog_app_key),
            datadog_rate_limit: self.datadog_rate_limit.or(other.datadog_rate_limit),
            tls_cert: self.tls_cert.or(other.tls_cert),
            tls_key: self.tls_key.or(other.tls_key),
            tls_client_ca: self.tls_client_ca.or(other.tls_client_ca),
            insecure_no_auth: self.insecure_no_auth || other.insecure_no_auth,
            insecure_no_tls: self.insecure_no_tls || other.insecure_no_tls,
            cors_origin: or_list(self.cors_origin, other.cors_origin),
            public_host: or_list(self.public_host, other.public_host),
            audit_log: self.audit_log.or(other.audit_log),
            log_format: self.log_format.or(other.log_format),
            log_level: self.log_level.or(other.log_level),
            slow_query: self.slow_query.or(other.slow_query),
            checks: self.checks.or(other.checks),
            alert_webhook: self.alert_webhook.or(other.alert_webhook),
        }
    }

    fn from_file(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        toml::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
    }
}

/// The first list, unless it is empty.
fn or_list(list: Vec<String>, other: Vec<String>) -> Vec<String> {
    if list.is_empty() { other } else { list }
}

impl Config {
    /// Flags and environment are in `settings`; the file fills what they leave open.
    pub(crate) fn resolve(settings: Settings, file: Option<&Path>) -> Result<Self, String> {
        let settings = match file {
            Some(path) => settings.or(Settings::from_file(path)?),
            None => settings,
        };
        let data_dir = settings.data_dir.unwrap_or_else(|| PathBuf::from("isopoint-data"));
        let tls = match (settings.tls_cert, settings.tls_key) {
            (Some(certificate), Some(key)) => Some(TlsFiles { certificate, key, client_ca: settings.tls_client_ca }),
            (None, None) if settings.tls_client_ca.is_some() => return Err("tls-client-ca needs tls-cert".to_owned()),
            (None, None) => None,
            (Some(_), None) => return Err("tls-cert needs tls-key, the private key to it".to_owned()),
            (None, Some(_)) => return Err("tls-key needs tls-cert, the certificate to it".to_owned()),
        };
        let slow_query = Duration::try_from_secs_f64(settings.slow_query.unwrap_or(5.0))
            .map_err(|_| "slow-query: not a number of seconds".to_owned())?;
        Ok(Self {
            tls,
            insecure_no_auth: settings.insecure_no_auth,
            insecure_no_tls: settings.insecure_no_tls,
            cors_origins: settings.cors_origin,
            public_hosts: settings.public_host,
            audit_log: settings.audit_log.unwrap_or_else(|| data_dir.join("audit.jsonl")),
            log_format: settings.log_format.unwrap_or(LogFormat::Text),
            log_level: settings.log_level.unwrap_or_else(|| "info".to_owned()),
            slow_query,
            checks: settings.checks,
            alert_webhook: settings.alert_webhook,
            secret_key_file: settings.secret_key_file.unwrap_or_else(|| key_file(&data_dir)),
            data_source_allow: settings.data_source_allow,
            data_source_link_local: settings.data_source_link_local,
            data_source_timeout: settings.data_source_timeout.unwrap_or(30),
            provisioning: settings.provisioning,
            listen: settings.listen.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 8086))),
            data_dir,
            fsync: settings.fsync.unwrap_or(Fsync::Always),
            self_metrics: !settings.no_self_metrics,
            auth: settings.auth,
            jwt_secret: Secret(settings.jwt_secret.filter(|secret| !secret.is_empty())),
            admin_password: Secret(settings.admin_password.filter(|password| !password.is_empty())),
            memory_limit: settings.memory_limit.map_or(1 << 30, |size| size.0),
            max_body_size: settings.max_body_size.map_or(25_000_000, |size| size.0),
            max_concurrent_queries: settings.max_concurrent_queries.unwrap_or(0),
            max_row_limit: settings.max_row_limit.unwrap_or(0),
            max_select_series: settings.max_select_series.unwrap_or(0),
            max_select_buckets: settings.max_select_buckets.unwrap_or(0),
            max_select_points: settings.max_select_points.unwrap_or(0),
            timeout_secs: settings.timeout.unwrap_or(60),
            query_threads: settings.query_threads.unwrap_or(0),
            facette_mapping: match settings.facette_mapping {
                Some(text) => {
                    Mapping::from_json(&text).ok_or_else(|| format!("facette-mapping: not a mapping: {text}"))?
                }
                None => Mapping::default(),
            },
            dogstatsd: settings.dogstatsd,
            dogstatsd_interval_secs: settings.dogstatsd_interval.unwrap_or(10).max(1),
            datadog_database: settings.datadog_database.unwrap_or_else(|| "datadog".to_owned()),
            datadog_api_keys: settings.datadog_api_key,
            datadog_app_keys: settings.datadog_app_key,
            datadog_rate_limit: settings.datadog_rate_limit.unwrap_or(0),
        })
    }
}

/// As a configuration file: what `isopoint config` prints is what `--config` reads.
impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fsync = match self.fsync {
            Fsync::Always => "always",
            Fsync::Interval => "interval",
            Fsync::Never => "never",
        };
        writeln!(f, "listen = {:?}", self.listen.to_string())?;
        writeln!(f, "data-dir = {:?}", self.data_dir.display().to_string())?;
        writeln!(f, "fsync = {fsync:?}")?;
        writeln!(f, "no-self-metrics = {}", !self.self_metrics)?;
        writeln!(f, "auth = {}", self.auth)?;
        // Secrets are not shown, only that they are set.
        for (name, secret) in [("jwt-secret", &self.jwt_secret), ("admin-password", &self.admin_password)] {
            if secret.0.is_some() {
                writeln!(f, "# {name} is set")?;
            }
        }
        writeln!(f, "data-source-allow = {:?}", self.data_source_allow)?;
        writeln!(f, "data-source-link-local = {}", self.data_source_link_local)?;
        writeln!(f, "data-source-timeout = {}", self.data_source_timeout)?;
        if let Some(path) = &self.provisioning {
            writeln!(f, "provisioning = {:?}", path.display().to_string())?;
        }
        writeln!(f, "secret-key-file = {:?}", self.secret_key_file.display().to_string())?;
        writeln!(f, "memory-limit = {}", self.memory_limit)?;
        writeln!(f, "max-body-size = {}", self.max_body_size)?;
        writeln!(f, "max-concurrent-queries = {}", self.max_concurrent_queries)?;
        writeln!(f, "max-row-limit = {}", self.max_row_limit)?;
        writeln!(f, "max-select-series = {}", self.max_select_series)?;
        writeln!(f, "max-select-buckets = {}", self.max_select_buckets)?;
        writeln!(f, "max-select-points = {}", self.max_select_points)?;
        writeln!(f, "timeout = {}", self.timeout_secs)?;
        writeln!(f, "query-threads = {}", self.query_threads)?;
        writeln!(f, "facette-mapping = {:?}", self.facette_mapping.to_string())?;
        if let Some(address) = &self.dogstatsd {
            writeln!(f, "dogstatsd = {address:?}")?;
        }
        writeln!(f, "dogstatsd-interval = {}", self.dogstatsd_interval_secs)?;
        writeln!(f, "datadog-database = {:?}", self.datadog_database)?;
        for (name, keys) in [("datadog-api-key", &self.datadog_api_keys), ("datadog-app-key", &self.datadog_app_keys)] {
            if !keys.is_empty() {
                writeln!(f, "# {name} is set")?;
            }
        }
        writeln!(f, "datadog-rate-limit = {}", self.datadog_rate_limit)?;
        if let Some(TlsFiles { certificate, key, client_ca }) = &self.tls {
            writeln!(f, "tls-cert = {:?}", certificate.display().to_string())?;
            writeln!(f, "tls-key = {:?}", key.display().to_string())?;
            if let Some(client_ca) = client_ca {
                writeln!(f, "tls-client-ca = {:?}", client_ca.display().to_string())?;
            }
        }
        writeln!(f, "insecure-no-auth = {}", self.insecure_no_auth)?;
        writeln!(f, "insecure-no-tls = {}", self.insecure_no_tls)?;
        writeln!(f, "cors-origin = {:?}", self.cors_origins)?;
        writeln!(f, "public-host = {:?}", self.public_hosts)?;
        writeln!(f, "audit-log = {:?}", self.audit_log.display().to_string())?;
        let format = if self.log_format == LogFormat::Json { "json" } else { "text" };
        writeln!(f, "log-format = {format:?}")?;
        writeln!(f, "log-level = {:?}", self.log_level)?;
        writeln!(f, "slow-query = {:?}", self.slow_query.as_secs_f64())?;
        if let Some(path) = &self.checks {
            writeln!(f, "checks = {:?}", path.display().to_string())?;
        }
        // An address may carry a password.
        if self.alert_webhook.is_some() {
            writeln!(f, "# alert-webhook is set")?;
        }
        Ok(())
    }
}

/// Settings that change only what a reload can put in force.
const RELOADED: &[&str] = &["checks", "cors-origin", "log-level", "public-host", "slow-query"];

/// The names of settings that differ and that a running server cannot take on.
#[cfg(unix)]
pub(crate) fn needs_restart(old: &Config, new: &Config) -> Vec<String> {
    let (old, new) = (old.to_string(), new.to_string());
    let gone = old.lines().filter(|line| !new.lines().any(|other| other == *line));
    let come = new.lines().filter(|line| !old.lines().any(|other| other == *line));
    let names = gone.chain(come).map(|line| line.trim_start_matches("# ").split(' ').next().unwrap_or(line).to_owned());
    let mut names: Vec<String> = names.filter(|name| !RELOADED.contains(&name.as_str())).collect();
    names.sort();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_win_over_the_file_and_the_print_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("isopoint.toml");
        std::fs::write(&file, "listen = \"0.0.0.0:1\"\nmemory-limit = \"2MiB\"\nfsync = \"never\"\n").unwrap();
        let mapping = Some(r#"{"source":["column:node"]}"#.to_owned());
        let listen = Some("127.0.0.1:9".parse().unwrap());
        let flags = Settings { listen, facette_mapping: mapping, ..Settings::default() };
        let config = Config::resolve(flags, Some(&file)).unwrap();
        assert_eq!((config.listen.port(), config.memory_limit, config.fsync), (9, 2 << 20, Fsync::Never));
        std::fs::write(&file, config.to_string()).unwrap();
        assert_eq!(Config::resolve(Settings::default(), Some(&file)).unwrap().to_string(), config.to_string());
    }

    #[test]
    fn an_unknown_setting_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("isopoint.toml");
        std::fs::write(&file, "listne = \"0.0.0.0:1\"\n").unwrap();
        assert!(Config::resolve(Settings::default(), Some(&file)).unwrap_err().contains("listne"));
        assert_eq!("3 GiB".parse(), Ok(ByteSize(3 << 30)));
        assert!("3 fathoms".parse::<ByteSize>().is_err());
        let settings = Settings { facette_mapping: Some("host".to_owned()), ..Settings::default() };
        assert!(Config::resolve(settings, None).unwrap_err().contains("facette-mapping"));
    }
}
