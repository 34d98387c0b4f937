//! Copies of what is written, for the subscriptions of its retention policy.
//!
//! A subscription's destinations each have a queue of a fixed number of batches; what finds it full is dropped and
//! counted, so a subscriber that is slow or gone costs the writers nothing. With mode ANY there is one queue for all
//! destinations, and each batch goes to the next of them that takes it. A destination of `https` is trusted by the
//! system's certificates, or those of the file that `SSL_CERT_FILE` names.

use crate::facts::{Counters, add};
use crate::grafana::client::trust;
use crate::ops::base64;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::header::AUTHORIZATION;
use hyper::{Request, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use isopoint_core::dialect::errand::Tls;
use isopoint_core::dialect::influx::{self, Subscription};
use isopoint_core::model::WriteBatch;
use isopoint_core::store::Snapshot;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;

/// Batches that may wait for one destination.
const QUEUE: usize = 256;
/// A destination nobody writes to for so long is forgotten.
const IDLE: Duration = Duration::from_secs(60);
/// How long a subscriber may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of a datagram, unless a single line is longer.
const DATAGRAM: usize = 1400;

/// The queues of all destinations in use.
pub(crate) struct Subscribers {
    queues: Mutex<HashMap<Vec<String>, mpsc::Sender<Copy>>>,
    counters: Arc<Counters>,
}

/// A batch on its way to subscribers, made before the store takes it.
pub(crate) struct Copies {
    subscriptions: Vec<Subscription>,
    copy: Copy,
}

#[derive(Clone)]
struct Copy {
    /// Of a write request.
    query: Arc<str>,
    lines: Bytes,
}

impl Copies {
    /// `None` when nobody subscribes to the policy.
    pub(crate) fn of(snapshot: &Snapshot, database: &str, policy: Option<&str>, batch: &WriteBatch) -> Option<Self> {
        let subscriptions = influx::subscriptions(snapshot, database, policy);
        if subscriptions.is_empty() {
            return None;
        }
        let policy = policy.or_else(|| Some(snapshot.database(database)?.default_policy.as_str()));
        let escape = crate::import::escape;
        let query = format!("db={}&rp={}&precision=ns&consistency=any", escape(database), escape(policy?));
        Some(Self { subscriptions, copy: Copy { query: query.into(), lines: influx::lines(batch).into() } })
    }
}

impl Subscribers {
    pub(crate) fn new(counters: Arc<Counters>) -> Arc<Self> {
        Arc::new(Self { queues: Mutex::default(), counters })
    }

    /// Never waits.
    pub(crate) fn send(self: &Arc<Self>, copies: &Copies) {
        for subscription in &copies.subscriptions {
            if subscription.any {
                self.enqueue(subscription.destinations.clone(), copies.copy.clone());
            } else {
                for destination in &subscription.destinations {
                    self.enqueue(vec![destination.clone()], copies.copy.clone());
                }
            }
        }
    }

    fn enqueue(self: &Arc<Self>, destinations: Vec<String>, copy: Copy) {
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        let queue = queues.entry(destinations.clone()).or_insert_with(|| {
            let (sender, copies) = mpsc::channel(QUEUE);
            tokio::spawn(Arc::clone(self).deliver(destinations, copies));
            sender
        });
        if queue.try_send(copy).is_err() {
            add(&self.counters.copies_dropped, 1);
        }
    }

    /// Empties one queue until it was idle for a while.
    async fn deliver(self: Arc<Self>, destinations: Vec<String>, mut copies: mpsc::Receiver<Copy>) {
        let client = connections();
        let mut turn = 0;
        loop {
            let Ok(Some(copy)) = tokio::time::timeout(IDLE, copies.recv()).await else {
                let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
                // Nothing can arrive while the lock is held; what did meanwhile is still to be delivered.
                if copies.is_empty() {
                    queues.remove(&destinations);
                    return;
                }
                continue;
            };
            let mut why = String::new();
            let mut taken = false;
            for at in 0..destinations.len() {
                let destination = &destinations[(turn + at) % destinations.len()];
                let sent = match &client {
                    Ok(client) => send(client, destination, &copy).await,
                    Err(why) => Err(why.clone()),
                };
                match sent {
                    Ok(()) => {
                        taken = true;
                        break;
                    }
                    Err(error) => why = format!("{}: {error}", without_credentials(destination)),
                }
            }
            turn += 1;
            if taken {
                add(&self.counters.copies_sent, 1);
            } else {
                add(&self.counters.copies_failed, 1);
                tracing::debug!(%why, "a subscriber did not take a batch");
            }
        }
    }
}

type Connections = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// What plain and secured requests go out by. The error is why TLS cannot be used.
fn connections() -> Result<Connections, String> {
    let builder = HttpsConnectorBuilder::new().with_tls_config(trust(&Tls::default())?);
    Ok(Client::builder(TokioExecutor::new()).build(builder.https_or_http().enable_http1().build()))
}

async fn send(client: &Connections, destination: &str, copy: &Copy) -> Result<(), String> {
    match destination.split_once("://") {
        Some(("udp", address)) => datagrams(address, &copy.lines).await.map_err(|error| error.to_string()),
        Some((scheme @ ("http" | "https"), rest)) => {
            let (credentials, place) = rest.rsplit_once('@').map_or((None, rest), |(who, place)| (Some(who), place));
            let uri = format!("{scheme}://{}/write?{}", place.trim_end_matches('/'), copy.query);
            let uri: Uri = uri.parse().map_err(|_| "no usable address".to_owned())?;
            let mut request = Request::post(uri);
            if let Some(credentials) = credentials {
                request = request.header(AUTHORIZATION, basic(credentials));
            }
            let request = request.body(Full::new(copy.lines.clone())).map_err(|error| error.to_string())?;
            let answer = tokio::time::timeout(PATIENCE, client.request(request)).await;
            let answer = answer.map_err(|_| "no answer in time".to_owned())?.map_err(|error| error.to_string())?;
            let status = answer.status();
            // Read to its end, so that the connection serves again.
            let _ = tokio::time::timeout(PATIENCE, answer.into_body().collect()).await;
            if status.is_success() { Ok(()) } else { Err(format!("status {status}")) }
        }
        _ => Err("only http, https and udp can be sent to".to_owned()),
    }
}

/// A destination as it may stand in a log.
fn without_credentials(destination: &str) -> &str {
    destination.rsplit_once('@').map_or(destination, |(_, place)| place)
}

/// The header for `user:password` of an address, where characters may be percent-encoded.
fn basic(credentials: &str) -> String {
    let mut header = "Basic ".to_owned();
    base64(&percent_decode(credentials.as_bytes()), &mut header);
    header
}

fn percent_decode(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        let hex = |at: usize| char::from(*after.get(at)?).to_digit(16);
        match (first, hex(0), hex(1)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                rest = &after[2..];
            }
            _ => {
                out.push(*first);
                rest = after;
            }
        }
    }
    out
}

/// Whole lines, as many as fit in a datagram.
async fn datagrams(address: &str, lines: &[u8]) -> std::io::Result<()> {
    let socket = UdpSocket::bind("0.0.0.0:0").await?;
    socket.connect(address).await?;
    let mut packet = Vec::new();
    for line in whole_lines(lines) {
        if !packet.is_empty() && packet.len() + line.len() > DATAGRAM {
            socket.send(&packet).await?;
            packet.clear();
        }
        packet.extend_from_slice(line);
    }
    if !packet.is_empty() {
        socket.send(&packet).await?;
    }
    Ok(())
}

/// Lines with their line feeds; one inside a string ends none.
fn whole_lines(text: &[u8]) -> Vec<&[u8]> {
    let (mut lines, mut start, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (at, byte) in text.iter().enumerate() {
        match byte {
            b'\n' if !quoted => {
                lines.push(&text[start..=at]);
                start = at + 1;
            }
            b'"' if !escaped => quoted = !quoted,
            _ => {}
        }
        escaped = *byte == b'\\' && !escaped;
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_of_an_address_become_a_header() {
        assert_eq!(basic("user:p%40ss%2"), "Basic dXNlcjpwQHNzJTI=");
    }

    #[test]
    fn a_line_feed_in_a_string_ends_no_line() {
        let text = b"m s=\"a\nb\\\"\n\" 1\nm v=2 2\n";
        assert_eq!(whole_lines(text), [&b"m s=\"a\nb\\\"\n\" 1\n"[..], b"m v=2 2\n"]);
    }
}
