//! Connections: taken, secured, served by HTTP/1 or HTTP/2, and let go when the server stops.

use crate::http::Service;
use crate::tls::Tls;
use hyper::body::Incoming;
use hyper::{Request, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};

/// How long a stopping server waits for answers in progress.
const GOODBYE: Duration = Duration::from_secs(10);
/// Connections at once; more wait in the system's queue.
const MAX_CONNECTIONS: usize = 4096;
/// When three quarters of them are taken, no address gets more than so many.
const OF_ONE_ADDRESS: u32 = 256;
/// For a client to finish its TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Requests at once on one connection of HTTP/2.
const STREAMS: u32 = 128;
/// Bytes of a request's headers.
const HEADERS: u32 = 64 << 10;

/// Serves until `stop` resolves.
pub(crate) async fn accept(
    listener: TcpListener,
    service: Arc<Service>,
    tls: Option<Arc<Tls>>,
    stop: impl Future<Output = ()>,
) {
    let graceful = GracefulShutdown::new();
    let places = Arc::new(tokio::sync::Semaphore::new(MAX_CONNECTIONS));
    let peers = Arc::new(Peers::default());
    let mut stop = std::pin::pin!(stop);
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
        let crowded = places.available_permits() < MAX_CONNECTIONS / 4;
        let Some(counted) = Counted::new(&peers, peer.ip(), crowded) else { continue };
        let _ = stream.set_nodelay(true);
        let (service, tls, watcher) = (Arc::clone(&service), tls.clone(), graceful.watcher());
        tokio::spawn(async move {
            match tls {
                None => http1(stream, peer, service, watcher).await,
                Some(tls) => secured(stream, peer, service, watcher, &tls).await,
            }
            drop((place, counted));
        });
    }
    tracing::info!("stopping");
    drop(listener);
    let _ = tokio::time::timeout(GOODBYE, graceful.shutdown()).await;
}

async fn secured(stream: TcpStream, peer: SocketAddr, service: Arc<Service>, watcher: Watcher, tls: &Tls) {
    match tokio::time::timeout(HANDSHAKE, tls.acceptor().accept(stream)).await {
        Ok(Ok(stream)) if stream.get_ref().1.alpn_protocol() == Some(b"h2") => {
            http2(stream, peer, service, watcher).await;
        }
        Ok(Ok(stream)) => http1(stream, peer, service, watcher).await,
        Ok(Err(error)) => tracing::debug!(%error, %peer, "no TLS connection came about"),
        Err(_) => tracing::debug!(%peer, "a TLS handshake took too long"),
    }
}

async fn http1<S>(stream: S, peer: SocketAddr, service: Arc<Service>, watcher: Watcher)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(service.timeout);
    let answer = service_fn(move |request: Request<Incoming>| {
        let service = Arc::clone(&service);
        async move { Ok::<_, Infallible>(service.answer(request, peer).await) }
    });
    if let Err(error) = watcher.watch(builder.serve_connection(TokioIo::new(stream), answer)).await {
        tracing::debug!(%error, "connection ended");
    }
}

async fn http2<S>(stream: S, peer: SocketAddr, service: Arc<Service>, watcher: Watcher)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(HEADERS)
        .keep_alive_interval(service.timeout);
    let answer = service_fn(move |request: Request<Incoming>| {
        let service = Arc::clone(&service);
        async move { Ok::<_, Infallible>(service.answer(request, peer).await) }
    });
    if let Err(error) = watcher.watch(builder.serve_connection(TokioIo::new(stream), answer)).await {
        tracing::debug!(%error, "connection ended");
    }
}

/// Connections by address.
#[derive(Debug, Default)]
struct Peers(Mutex<HashMap<IpAddr, u32>>);

/// A connection that is counted until this is dropped.
#[derive(Debug)]
struct Counted(Arc<Peers>, IpAddr);

impl Counted {
    /// `None`: the address has its share already.
    fn new(peers: &Arc<Peers>, address: IpAddr, crowded: bool) -> Option<Self> {
        let mut counts = peers.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(address).or_default();
        if crowded && *count >= OF_ONE_ADDRESS {
            return None;
        }
        *count += 1;
        Some(Self(Arc::clone(peers), address))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut counts = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.1) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_does_not_take_all_places() {
        let (peers, flooder): (Arc<Peers>, IpAddr) = (Arc::default(), "10.0.0.1".parse().unwrap());
        let mut held: Vec<_> = (0..OF_ONE_ADDRESS).map(|_| Counted::new(&peers, flooder, true).unwrap()).collect();
        assert!(Counted::new(&peers, flooder, true).is_none());
        assert!(Counted::new(&peers, "10.0.0.2".parse().unwrap(), true).is_some());
        assert!(Counted::new(&peers, flooder, false).is_some(), "there is room");
        held.pop();
        assert!(Counted::new(&peers, flooder, true).is_some());
        held.clear();
        assert!(peers.0.lock().unwrap().is_empty());
    }
}
