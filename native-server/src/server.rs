//! Listening, answering, stopping.

use crate::cli::Exit;
use crate::config::Config;
use crate::continuous;
use crate::dogstatsd;
use crate::drive::Driver;
use crate::facts::{Counters, Facts, Watch};
use crate::grafana::client::{AddressRule, Caller};
use crate::grafana::{provisioning, secrets};
use crate::host::{Host, HostConfig, clock};
use crate::http::Service;
use crate::metrics::Metrics;
use crate::rate_limit::RateLimit;
use crate::self_metrics;
use crate::vault::HostVault;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use isopoint_core::auth::{User, Users, Vault as _};
use isopoint_core::dialect::datadog;
use isopoint_core::dialect::exchange::{ApiConfig, DataSourceConfig};
use isopoint_core::limits::Limits;
use isopoint_core::store::StoreConfig;
use std::convert::Infallible;
use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;
use tokio::net::TcpListener;

/// How long a stopping server waits for answers in progress.
const GOODBYE: Duration = Duration::from_secs(10);
/// Connections at once; more wait in the system's queue.
const MAX_CONNECTIONS: usize = 4096;

/// Runs until told to stop.
pub(crate) fn serve(config: Config) -> Exit {
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_env("ISOPOINT_LOG")
                .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info")),
        )
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .init();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("isopoint: cannot start: {error}");
            return Exit::Failed;
        }
    };
    runtime.block_on(run(config))
}

async fn run(config: Config) -> Exit {
    // Bound first: a taken port is found before any data is touched.
    let (listener, address) = match bind(config.listen).await {
        Ok(bound) => bound,
        Err(error) => {
            eprintln!("isopoint: cannot listen on {}: {error}; choose another address with --listen", config.listen);
            return Exit::Failed;
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
        flush_bytes: (config.memory_limit / 8).clamp(1 << 20, 64 << 20),
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
        vault: Some(vault),
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
    let driver = Driver::new(Arc::clone(&host), caller.clone(), Arc::clone(&counters), timeout);
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
        rate_limit: Some(config.datadog_rate_limit).filter(|limit| *limit > 0).map(RateLimit::new),
    });
    let collector = config.self_metrics.then(|| tokio::spawn(self_metrics::collect(Arc::clone(&host))));
    let emitted = datagrams.map(|socket| {
        let every = Duration::from_secs(config.dogstatsd_interval_secs);
        tokio::spawn(dogstatsd::collect(socket, Arc::clone(&host), config.datadog_database.clone(), every))
    });
    println!("listening on http://{address}");
    accept(listener, service).await;
    scheduler.abort();
    for collector in [collector, emitted].into_iter().flatten() {
        collector.abort();
    }
    tracing::info!("flushing");
    let stopped = tokio::task::spawn_blocking(move || host.shut_down()).await;
    if stopped.is_err() { Exit::Failed } else { Exit::Done }
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

async fn accept(listener: TcpListener, service: Arc<Service>) {
    let graceful = GracefulShutdown::new();
    let places = Arc::new(tokio::sync::Semaphore::new(MAX_CONNECTIONS));
    let mut stop = std::pin::pin!(stop_signal());
    loop {
        let place = tokio::select! {
            place = Arc::clone(&places).acquire_owned() => place,
            () = &mut stop => break,
        };
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of file descriptors, mostly: wait for some to close.
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
            () = &mut stop => break,
        };
        let _ = stream.set_nodelay(true);
        let service = Arc::clone(&service);
        let mut builder = hyper::server::conn::http1::Builder::new();
        builder.timer(TokioTimer::new()).header_read_timeout(service.timeout).half_close(true);
        let answer = service_fn(move |request| {
            let service = Arc::clone(&service);
            async move { Ok::<_, Infallible>(service.answer(request, peer).await) }
        });
        let connection = graceful.watch(builder.serve_connection(TokioIo::new(stream), answer));
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "connection ended");
            }
            drop(place);
        });
    }
    tracing::info!("stopping");
    drop(listener);
    let _ = tokio::time::timeout(GOODBYE, graceful.shutdown()).await;
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
