//! Listening, answering, stopping.

use crate::access::AccessRules;
use crate::audit::Audit;
use crate::checks::{self, Checks, Evaluator};
use crate::cli::Exit;
use crate::config::Config;
use crate::connections;
use crate::continuous;
use crate::dogstatsd;
use crate::drive::Driver;
use crate::exposure;
use crate::facts::{Counters, Facts, Watch};
use crate::grafana::client::{AddressRule, Caller};
use crate::grafana::{provisioning, secrets};
use crate::host::{Host, HostConfig, clock};
use crate::http::Service;
use crate::login_limit::LoginLimit;
use crate::logs::{self, Level};
use crate::metrics::Metrics;
use crate::pool::Threads;
use crate::rate_limit::RateLimit;
use crate::self_metrics;
use crate::tls::Tls;
use crate::vault::HostVault;
use isopoint_core::auth::{User, Users, Vault};
use isopoint_core::dialect::datadog;
use isopoint_core::dialect::exchange::{ApiConfig, DataSourceConfig};
use isopoint_core::limits::Limits;
use isopoint_core::store::StoreConfig;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// Bytes of a thread's stack; what is not used takes no memory.
const STACK: usize = 16 << 20;

/// Settings as they are now in flags, environment and file: what a reload reads again.
pub(crate) type Again = Box<dyn Fn() -> Result<Config, String> + Send>;

/// Runs until told to stop. SIGHUP reads the settings `again`.
pub(crate) fn serve(config: Config, again: Again) -> Exit {
    let level = match logs::begin(config.log_format, &config.log_level) {
        Ok(level) => level,
        Err(error) => {
            eprintln!("isopoint: {error}");
            return Exit::Usage;
        }
    };
    // Parsers and plans go as deep as their limits allow, in builds that are not optimised too.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().thread_stack_size(STACK).build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("isopoint: cannot start: {error}");
            return Exit::Failed;
        }
    };
    runtime.block_on(run(config, level, again))
}

async fn run(config: Config, level: Level, again: Again) -> Exit {
    // Bound first: a taken port is found before any data is touched.
    let (listener, address) = match bind(config.listen).await {
        Ok(bound) => bound,
        Err(error) => {
            eprintln!("isopoint: cannot listen on {}: {error}; choose another address with --listen", config.listen);
            return Exit::Failed;
        }
    };
    // Before anything is opened; whether there is an administrator is known later.
    if let Err(error) = exposure::check(&config, address, true) {
        eprintln!("isopoint: {error}");
        return Exit::Usage;
    }
    let tls = match config.tls.clone().map(Tls::open).transpose() {
        Ok(tls) => tls.map(Arc::new),
        Err(error) => {
            eprintln!("isopoint: {error}");
            return Exit::Usage;
        }
    };
    let rules = match config.checks.as_deref().map(checks::rules::load).transpose() {
        Ok(rules) => rules.unwrap_or_default(),
        Err(error) => {
            eprintln!("isopoint: {error}");
            return Exit::Usage;
        }
    };
    let datagrams = match &config.dogstatsd {
        None => None,
        Some(address) => match dogstatsd::Socket::bind(address).await {
            Ok(socket) => Some(socket),
            Err(error) => {
                eprintln!(
                    "isopoint: cannot take DogStatsD on {address}: {error}; choose another address with --dogstatsd"
                );
                return Exit::Failed;
            }
        },
    };
    let limits = limits(&config);
    let store = StoreConfig {
        limits: limits.clone(),
        // What a log may hold is read again after a crash before anybody is answered: some two million values, in
        // about a tenth of a second.
        flush_bytes: (config.memory_limit / 8).clamp(1 << 20, 16 << 20),
        max_memtable_bytes: (config.memory_limit / 2).max(2 << 20),
        ..StoreConfig::default()
    };
    let host_config = HostConfig { fsync: config.fsync, store };
    let (host, report) = match Host::open(&config.data_dir, host_config) {
        Ok(opened) => opened,
        Err(error) => {
            eprintln!("isopoint: {error}");
            return Exit::DataFolder;
        }
    };
    tracing::info!(
        data = %config.data_dir.display(),
        files = report.files,
        log_points = report.points,
        torn_bytes = report.torn_bytes,
        "recovered"
    );
    let host = Arc::new(host);
    let metrics = Arc::new(Metrics::new());
    let timeout = Duration::from_secs(config.timeout_secs);
    let vault = Arc::new(HostVault::new(config.jwt_secret.0.as_deref()));
    if let Some(password) = &config.admin_password.0
        && let Err(error) = make_admin(&host, &vault, password).await
    {
        eprintln!("isopoint: cannot make the administrator: {error}");
        return Exit::Failed;
    }
    let has_admin = Users::of(&host.snapshot().documents).has_admin();
    if let Err(error) = exposure::check(&config, address, has_admin) {
        eprintln!("isopoint: {error}");
        return Exit::Usage;
    }
    let audit = match Audit::open(&config.audit_log) {
        Ok(audit) => Arc::new(audit),
        Err(error) => {
            eprintln!("isopoint: {error}");
            return Exit::Failed;
        }
    };
    let sealer = match secrets::open(&config.secret_key_file, &host).await {
        Ok(sealer) => Arc::new(sealer),
        Err(error) => {
            eprintln!("isopoint: {error}");
            return Exit::Failed;
        }
    };
    if let Some(path) = &config.provisioning
        && let Err(error) = provisioning::apply(path, &host, &*sealer).await
    {
        eprintln!("isopoint: cannot provision data sources: {error}");
        return Exit::Usage;
    }
    let data_sources = DataSourceConfig {
        own_addresses: own_addresses(address),
        allowed: config.data_source_allow.clone(),
        timeout_secs: config.data_source_timeout,
        ..DataSourceConfig::default()
    };
    let rule = AddressRule { allowed: data_sources.allowed.clone(), link_local: config.data_source_link_local };
    let caller = Caller::new(rule, data_sources.max_answer);
    let counters = Arc::new(Counters::default());
    let facts = Facts::new(Arc::clone(&host), Arc::clone(&counters), address.to_string());
    let api = Arc::new(ApiConfig {
        limits,
        authentication: config.auth,
        vault: Some(Arc::clone(&vault) as Arc<dyn Vault>),
        datadog: datadog::Settings {
            database: config.datadog_database.clone(),
            api_keys: config.datadog_api_keys.clone(),
            app_keys: config.datadog_app_keys.clone(),
        },
        sealer: Some(sealer),
        data_sources,
        facette: config.facette_mapping.clone(),
        facts: Some(Arc::new(facts)),
        ..ApiConfig::default()
    });
    let inside = Arc::new(ApiConfig {
        authentication: false,
        datadog: datadog::Settings { api_keys: Vec::new(), app_keys: Vec::new(), ..api.datadog.clone() },
        ..ApiConfig::clone(&api)
    });
    let threads = match Threads::start(config.query_threads) {
        Ok(threads) => threads,
        Err(error) => {
            eprintln!("isopoint: cannot start the threads of queries: {error}");
            return Exit::Failed;
        }
    };
    let driver = Driver::new(Arc::clone(&host), caller.clone(), Arc::clone(&counters), timeout)
        .audited(Arc::clone(&audit))
        .sharing(threads);
    let checks = Arc::new(Checks::new(rules));
    let evaluator = Evaluator {
        checks: Arc::clone(&checks),
        host: Arc::clone(&host),
        driver: driver.clone(),
        inside: Arc::clone(&inside),
        webhook: config.alert_webhook.clone(),
        caller: Caller::new(AddressRule::default(), 1 << 20),
    };
    let evaluator = tokio::spawn(evaluator.run());
    let scheduler = continuous::run(Arc::clone(&host), driver.clone(), Arc::clone(&api), Arc::clone(&counters));
    let scheduler = tokio::spawn(scheduler);
    let service = Arc::new(Service {
        host: Arc::clone(&host),
        driver,
        caller,
        api,
        metrics,
        counters,
        watch: Watch::default(),
        max_body: config.max_body_size,
        timeout,
        requests: AtomicU64::new(0),
        inside,
        vault,
        login_limit: LoginLimit::default(),
        audit,
        rules: RwLock::new(Arc::new(access_rules(&config, address))),
        secure: tls.is_some(),
        slow_millis: AtomicU64::new(slow_millis(&config)),
        bodies: Arc::new(Semaphore::new(
            usize::try_from(config.memory_limit / 4 / 1024).unwrap_or(1 << 20).max(1 << 18),
        )),
        checks,
        data_dir: config.data_dir.clone(),
        rate_limit: Some(config.datadog_rate_limit).filter(|limit| *limit > 0).map(RateLimit::new),
    });
    let collector = config.self_metrics.then(|| tokio::spawn(self_metrics::collect(Arc::clone(&host))));
    let emitted = datagrams.map(|socket| {
        let every = Duration::from_secs(config.dogstatsd_interval_secs);
        tokio::spawn(dogstatsd::collect(socket, Arc::clone(&host), config.datadog_database.clone(), every))
    });
    let watcher = tls.clone().map(|tls| tokio::spawn(async move { tls.watch().await }));
    let reloader = tokio::spawn(reload_on_signal(config, address, Arc::clone(&service), tls.clone(), level, again));
    println!("listening on http{}://{address}", if tls.is_some() { "s" } else { "" });
    connections::accept(listener, service, tls, stop_signal()).await;
    scheduler.abort();
    evaluator.abort();
    reloader.abort();
    watcher.inspect(|watcher| watcher.abort());
    for collector in [collector, emitted].into_iter().flatten() {
        collector.abort();
    }
    tracing::info!("flushing");
    let stopped = tokio::task::spawn_blocking(move || host.shut_down()).await;
    if stopped.is_err() { Exit::Failed } else { Exit::Done }
}

fn access_rules(config: &Config, address: SocketAddr) -> AccessRules {
    AccessRules::new(&config.cors_origins, &config.public_hosts, address, config.auth)
}

fn slow_millis(config: &Config) -> u64 {
    u64::try_from(config.slow_query.as_millis()).unwrap_or(u64::MAX)
}

/// At each SIGHUP: certificate, checks, log level, origins, names and what is slow are in force at once; of the rest it
/// is said that it needs a restart. Wrong settings change nothing.
async fn reload_on_signal(
    mut config: Config,
    address: SocketAddr,
    service: Arc<Service>,
    tls: Option<Arc<Tls>>,
    level: Level,
    again: Again,
) {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let Ok(mut hangup) = signal(SignalKind::hangup()) else { return };
        while hangup.recv().await.is_some() {
            if let Some(tls) = &tls {
                tls.reload();
            }
            match again().and_then(|new| apply(&config, new, address, &service, &level)) {
                Ok(new) => config = new,
                Err(error) => tracing::error!(error, "the settings in force stay"),
            }
        }
    }
    #[cfg(not(unix))]
    {
        let _ = (&mut config, address, service, tls, level, again);
    }
}

#[cfg(unix)]
fn apply(old: &Config, new: Config, address: SocketAddr, service: &Service, level: &Level) -> Result<Config, String> {
    let rules = new.checks.as_deref().map(checks::rules::load).transpose()?.unwrap_or_default();
    level.set(&new.log_level)?;
    service.checks.replace(rules);
    *service.rules.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(access_rules(&new, address));
    service.slow_millis.store(slow_millis(&new), Ordering::Relaxed);
    let waiting = crate::config::needs_restart(old, &new);
    if waiting.is_empty() {
        tracing::info!("read the settings again");
    } else {
        tracing::warn!(settings = waiting.join(", "), "read the settings again; these need a restart");
    }
    Ok(new)
}

/// Makes the administrator `admin` unless there is such a user, whose password is then his own affair.
async fn make_admin(host: &Host, vault: &Arc<HostVault>, password: &str) -> Result<(), String> {
    let users = Users::of(&host.snapshot().documents);
    if users.find("admin").is_some() {
        return Ok(());
    }
    let [salt @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = clock::entropy();
    let admin = User::new("admin", true, vault.hash_password(password, salt));
    host.command(users.put(&admin)).await.map(drop).map_err(|error| error.to_string())
}

/// `host:port` under which clients on this machine reach an address.
fn own_addresses(address: SocketAddr) -> Vec<String> {
    let port = address.port();
    let mut own = vec![format!("{}:{port}", address.ip())];
    if address.ip().is_unspecified() || address.ip().is_loopback() {
        own.extend(["127.0.0.1", "localhost", "::1"].map(|host| format!("{host}:{port}")));
    }
    own
}

/// Puts the secrets of data sources under a new key, of a server that does not run.
pub(crate) fn rotate_key(config: &Config) -> Exit {
    let host_config = HostConfig { fsync: config.fsync, store: StoreConfig::default() };
    let (host, _) = match Host::open(&config.data_dir, host_config) {
        Ok(opened) => opened,
        Err(error) => {
            eprintln!("isopoint: {error}");
            return Exit::DataFolder;
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let rotated = match &runtime {
        Ok(runtime) => runtime.block_on(secrets::rotate(&config.secret_key_file, &host)),
        Err(error) => Err(error.to_string()),
    };
    host.shut_down();
    match rotated {
        Ok(count) => {
            println!("new key in {}; data sources sealed anew: {count}", config.secret_key_file.display());
            Exit::Done
        }
        Err(error) => {
            eprintln!("isopoint: {error}");
            Exit::Failed
        }
    }
}

async fn bind(address: SocketAddr) -> std::io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

fn limits(config: &Config) -> Limits {
    Limits {
        query_memory: config.memory_limit / 4,
        max_concurrent_queries: config.max_concurrent_queries,
        max_row_limit: config.max_row_limit,
        max_select_series: config.max_select_series,
        max_select_buckets: config.max_select_buckets,
        max_select_points: config.max_select_points,
        ..Limits::default()
    }
}

async fn stop_signal() {
    let interrupt = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let Ok(mut terminate) = signal(SignalKind::terminate()) else {
            let _ = interrupt.await;
            return;
        };
        tokio::select! {
            _ = interrupt => {}
            _ = terminate.recv() => {}
        }
    }
    #[cfg(not(unix))]
    {
        let _ = interrupt.await;
    }
}
