//! DogStatsD's sockets: datagrams by UDP or by a Unix socket, gathered and stored every so often.

use crate::host::{Host, clock};
use isopoint_core::catalog::{CatalogError, Command};
use isopoint_core::dialect::datadog::dogstatsd::{Flush, Gathered};
use isopoint_core::store::WriteError;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::time::{MissedTickBehavior, interval};

/// The largest datagram there is.
const DATAGRAM: usize = 65_535;

/// Where datagrams come in.
pub(crate) enum Socket {
    Udp(UdpSocket),
    #[cfg(unix)]
    Unix(tokio::net::UnixDatagram),
}

impl Socket {
    /// `host:port`, or a path, with or without `unix://` before it. A socket file left by another run is replaced.
    pub(crate) async fn bind(address: &str) -> std::io::Result<Self> {
        match path_of(address) {
            None => {
                let socket = UdpSocket::bind(address).await?;
                tracing::info!(address = %socket.local_addr()?, "DogStatsD by UDP");
                Ok(Self::Udp(socket))
            }
            #[cfg(unix)]
            Some(path) => {
                use std::os::unix::fs::FileTypeExt as _;
                if std::fs::metadata(&path).is_ok_and(|found| found.file_type().is_socket()) {
                    std::fs::remove_file(&path)?;
                }
                let socket = tokio::net::UnixDatagram::bind(&path)?;
                tracing::info!(path = %path.display(), "DogStatsD by a Unix socket");
                Ok(Self::Unix(socket))
            }
            #[cfg(not(unix))]
            Some(_) => Err(std::io::Error::other("there are no Unix sockets here")),
        }
    }

    async fn receive(&self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::Udp(socket) => socket.recv(buffer).await,
            #[cfg(unix)]
            Self::Unix(socket) => socket.recv(buffer).await,
        }
    }
}

fn path_of(address: &str) -> Option<PathBuf> {
    let path = address.strip_prefix("unix://").unwrap_or(address);
    (path.len() < address.len() || Path::new(address).is_absolute()).then(|| PathBuf::from(path))
}

/// Gathers and stores until the task is aborted.
pub(crate) async fn collect(socket: Socket, host: Arc<Host>, database: String, every: Duration) {
    let mut gathered = Gathered::default();
    let mut buffer = vec![0; DATAGRAM];
    let mut tick = interval(every);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    tick.tick().await;
    let mut refused = 0;
    loop {
        tokio::select! {
            received = socket.receive(&mut buffer) => match received {
                Ok(len) => gathered.take(&buffer[..len]),
                Err(error) => {
                    tracing::warn!(%error, "DogStatsD: cannot receive");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
            _ = tick.tick() => {
                let [a, b, c, d, e, f, g, h, ..] = clock::entropy();
                let seed = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
                let secs = i64::try_from(every.as_secs()).unwrap_or(i64::MAX);
                if let Some(flush) = gathered.flush(clock::now(), secs, seed)
                    && let Err(error) = store(&host, &database, flush).await
                {
                    tracing::warn!(%error, "DogStatsD: points are lost");
                }
                if gathered.stats.refused > refused {
                    tracing::warn!(lines = gathered.stats.refused - refused, "DogStatsD: no such lines");
                    refused = gathered.stats.refused;
                }
            }
        }
    }
}

async fn store(host: &Host, database: &str, flush: Flush) -> Result<(), WriteError> {
    if host.snapshot().database(database).is_none() {
        host.command(Command::CreateDatabase { name: database.to_owned(), policy: None }).await?;
    }
    while let Some(changes) = flush.documents(&host.snapshot()) {
        match host.command(Command::Documents(changes)).await {
            // Somebody else was quicker: decide again.
            Ok(_) | Err(WriteError::Catalog(CatalogError::DocumentsChanged(_))) => {}
            Err(error) => return Err(error),
        }
    }
    host.write(database.to_owned(), None, Box::new(flush.into_batch())).await.map(drop)
}
