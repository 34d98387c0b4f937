//! hyper on one side, the engine's exchanges on the other: bodies in and out, gzip, limits, time-outs, and the few
//! paths that are the server's own (dashboard, `/metrics`, sync).

use crate::answer_hash::{self, Hash};
use crate::assets;
use crate::drive::{Answer, Driver};
use crate::facts::{Counters, Watch};
use crate::grafana::client::Caller;
use crate::grafana::proxy;
use crate::gzip;
use crate::host::{Host, clock};
use crate::metrics::Metrics;
use crate::rate_limit::{self, RateLimit};
use crate::sync;
use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use isopoint_core::auth::{LoginError, Rights};
use isopoint_core::dialect::exchange::{ApiConfig, ApiRequest, Exchange, Head};
use isopoint_core::dialect::grafana::proxy::is_proxy;
use isopoint_core::dialect::{form, route};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};

/// Seconds of a `/debug/requests`.
const LONGEST_WATCH: u64 = 6 * 3600;

/// An error breaks the connection off, so that nobody takes the answer for whole.
pub(crate) type Body = BoxBody<Bytes, io::Error>;

/// Everything a request may need.
pub(crate) struct Service {
    pub host: Arc<Host>,
    pub driver: Driver,
    pub api: Arc<ApiConfig>,
    pub metrics: Arc<Metrics>,
    pub max_body: u64,
    pub timeout: Duration,
    pub requests: AtomicU64,
    /// Datadog's, where one is set.
    pub rate_limit: Option<RateLimit>,
    /// Calls data sources.
    pub caller: Caller,
    pub counters: Arc<Counters>,
    pub watch: Watch,
}

impl Service {
    /// Answers one request; never fails: what goes wrong is an answer too.
    pub(crate) async fn answer(&self, request: Request<Incoming>, peer: SocketAddr) -> Response<Body> {
        let began = Instant::now();
        let (parts, body) = request.into_parts();
        let (method, path) = (parts.method.clone(), parts.uri.path().to_owned());
        self.counters.begin(&path);
        let response = match self.own(&parts.method, &parts.uri, &parts.headers).await {
            Some(response) => response,
            None if is_proxy(&path) => proxy::answer(self, parts, body, peer).await,
            None => self.exchange(parts, body, peer.ip()).await,
        };
        self.metrics.request(&path, response.status().as_u16(), began.elapsed());
        self.counters.end(&path, response.status().as_u16(), began.elapsed());
        tracing::debug!(%method, path, status = response.status().as_u16(), micros = began.elapsed().as_micros() as u64, "request");
        response
    }

    /// The server's own paths.
    async fn own(&self, method: &Method, uri: &hyper::Uri, headers: &HeaderMap) -> Option<Response<Body>> {
        let path = uri.path();
        if path.starts_with("/sync/") {
            if let Some(refusal) = self.refuse_sync(method, uri, headers).await {
                return Some(refusal);
            }
            return Some(sync::answer(&self.host, method, path, uri.query().unwrap_or_default(), headers).await);
        }
        if method != Method::GET && method != Method::HEAD {
            return None;
        }
        if path == "/metrics" {
            let text = self.metrics.text(&self.host);
            return Some(plain(StatusCode::OK, "text/plain; version=0.0.4", text));
        }
        if path == "/debug/requests" {
            let seconds = form::pairs(uri.query().unwrap_or_default().as_bytes()).find(|(name, _)| name == "seconds");
            let seconds = seconds.and_then(|(_, seconds)| seconds.parse().ok()).unwrap_or(10).min(LONGEST_WATCH);
            let text = self.watch.watch(Duration::from_secs(seconds)).await;
            return Some(plain(StatusCode::OK, "application/json", text));
        }
        if path == "/health"
            && let Some(why) = self.host.poisoned()
        {
            let body = serde_json::json!({ "checks": [], "message": why, "name": "influxdb", "status": "fail", "version": self.api.influx_version });
            return Some(plain(StatusCode::SERVICE_UNAVAILABLE, "application/json", body.to_string()));
        }
        // A client of InfluxDB that asks for `/` gets InfluxDB's answer, a browser the dashboard.
        let wants_page = headers
            .get(header::ACCEPT)
            .is_some_and(|accept| accept.as_bytes().windows(9).any(|part| part == b"text/html"));
        let asset = assets::find(path).filter(|_| path != "/" || wants_page)?;
        let mut response = Response::new(full(asset.body.clone()));
        let answer = response.headers_mut();
        answer.insert(header::CONTENT_TYPE, HeaderValue::from_static(asset.content_type));
        answer.insert(header::CACHE_CONTROL, HeaderValue::from_static(asset.cache_control));
        answer.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        answer.insert(
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static(
                "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; \
                 worker-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; frame-ancestors 'self'",
            ),
        );
        if asset.packed {
            if gzip::accepted(headers) {
                answer.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            } else {
                let plain = gzip::unpack(&asset.body, u64::MAX).unwrap_or_default();
                *response.body_mut() = full(Bytes::from(plain));
            }
            response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        }
        Some(response)
    }

    /// A replica is as good as reading the database it is of, and block files are named by content: whoever asks for one
    /// must be somebody who may read something.
    async fn refuse_sync(&self, method: &Method, uri: &hyper::Uri, headers: &HeaderMap) -> Option<Response<Body>> {
        if !self.api.authentication {
            return None;
        }
        let request = self.request(method, uri, headers, Bytes::new());
        let (snapshot, api) = (self.host.snapshot(), Arc::clone(&self.api));
        let wanted = form::pairs(request.query.as_bytes()).find(|(name, _)| name == "db").map(|(_, name)| name.into());
        let may = tokio::task::spawn_blocking(move || {
            let principal = route::identify(request, snapshot.clone(), &api)?;
            let wanted: Option<String> = wanted;
            let mut databases = snapshot.databases.iter().filter(|database| match &wanted {
                Some(name) => database.name == *name,
                None => true,
            });
            Ok(databases.any(|database| principal.may(Rights::READ, database.id)))
        });
        let said = match may.await.unwrap_or(Err(LoginError::Missing)) {
            Ok(true) => return None,
            Ok(false) => (StatusCode::FORBIDDEN, "not authorized to read".to_owned()),
            Err(error) => (StatusCode::UNAUTHORIZED, error.to_string()),
        };
        let mut response = plain(said.0, "application/json", serde_json::json!({ "error": said.1 }).to_string());
        if said.0 == StatusCode::UNAUTHORIZED {
            let ask = HeaderValue::from_static("Basic realm=\"Isopoint\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, ask);
        }
        Some(response)
    }

    pub(crate) fn request(&self, method: &Method, uri: &hyper::Uri, headers: &HeaderMap, body: Bytes) -> ApiRequest {
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        ApiRequest {
            method: method.as_str().to_owned(),
            path: uri.path().to_owned(),
            query: uri.query().unwrap_or_default().to_owned(),
            headers: headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect(),
            body,
            now: clock::now(),
            request_id: self.request_id(),
            entropy: clock::entropy(),
        }
    }

    async fn exchange(&self, parts: hyper::http::request::Parts, body: Incoming, peer: IpAddr) -> Response<Body> {
        let limited = self.rate_limit.as_ref().filter(|_| rate_limit::counts(parts.uri.path()));
        let verdict = limited.map(|limit| limit.take(clock::now().nanos()));
        let mut response = match verdict {
            Some(verdict) if !verdict.allowed => {
                let request = self.request(&parts.method, &parts.uri, &parts.headers, Bytes::new());
                let why = "Too many requests".to_owned();
                self.run(route::refuse_body(request, self.host.snapshot(), &self.api, 429, why), &parts.headers).await
            }
            _ => self.answered(parts, body, peer).await,
        };
        if let Some(verdict) = verdict {
            verdict.write(response.headers_mut());
        }
        response
    }

    async fn answered(&self, parts: hyper::http::request::Parts, body: Incoming, peer: IpAddr) -> Response<Body> {
        let head = |body: Bytes| self.request(&parts.method, &parts.uri, &parts.headers, body);
        let body = match self.body(parts.uri.path(), &parts.headers, body).await {
            Ok(body) => body,
            Err(refusal) => {
                let request = head(Bytes::new());
                let exchange =
                    route::refuse_body(request, self.host.snapshot(), &self.api, refusal.status(), refusal.text());
                return self.run(exchange, &parts.headers).await;
            }
        };
        self.counters.body(parts.uri.path(), body.len());
        let request = head(body);
        self.watch.saw(&request, peer);
        self.run(route::open(request, self.host.snapshot(), &self.api), &parts.headers).await
    }

    pub(crate) async fn run(&self, exchange: Box<dyn Exchange>, headers: &HeaderMap) -> Response<Body> {
        let answer = self.driver.answer(exchange).await;
        match answer {
            Some(answer) => self.stream(answer, headers).await,
            None => plain(
                StatusCode::INTERNAL_SERVER_ERROR,
                "application/json",
                "{\"error\":\"the server gave up on this request; its log says why\"}\n",
            ),
        }
    }

    /// The whole body, unpacked, within the limit and in time.
    async fn body(&self, path: &str, headers: &HeaderMap, body: Incoming) -> Result<Bytes, BodyRefusal> {
        let declared = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        if declared.is_some_and(|length| length > self.max_body) {
            return Err(BodyRefusal::TooLarge);
        }
        let limit = usize::try_from(self.max_body).unwrap_or(usize::MAX);
        let collected = tokio::time::timeout(self.timeout, Limited::new(body, limit).collect()).await;
        let packed = match collected {
            Err(_) => return Err(BodyRefusal::TooSlow),
            Ok(Err(error)) if error.is::<LengthLimitError>() => return Err(BodyRefusal::TooLarge),
            Ok(Err(error)) => return Err(BodyRefusal::Broken(error.to_string())),
            Ok(Ok(body)) => body.to_bytes(),
        };
        let encoding = headers.get(header::CONTENT_ENCODING).and_then(|encoding| encoding.to_str().ok());
        let Some(encoding) = encoding.map(str::to_owned) else { return Ok(packed) };
        // Clients that pack say so of requests without a body too; only where points are due is that an error.
        if packed.is_empty() && !path.ends_with("/write") {
            return Ok(packed);
        }
        let limit = self.max_body.max(gzip::LARGEST_BODY);
        let unpacked = tokio::task::spawn_blocking(move || {
            // An encoding that is not known is the API's to refuse.
            gzip::unpack_as(&encoding, &packed, limit).map_or(Ok(packed), |plain| plain.map(Bytes::from))
        });
        match unpacked.await {
            Ok(Ok(plain)) => Ok(plain),
            Ok(Err(gzip::Refusal::TooLarge)) => Err(BodyRefusal::TooLarge),
            Ok(Err(gzip::Refusal::Broken(why))) => Err(BodyRefusal::Broken(why.into())),
            Err(_) => Err(BodyRefusal::Broken("unpacking failed".into())),
        }
    }

    async fn stream(&self, mut answer: Answer, headers: &HeaderMap) -> Response<Body> {
        let head = answer.head;
        if head.complete {
            let mut whole = Vec::new();
            while let Some(chunk) = answer.body.recv().await {
                whole.extend_from_slice(&chunk);
            }
            let hash = answer_hash::of(&whole);
            let mut response = self.send(head, full(Bytes::from(whole)));
            response.headers_mut().insert(answer_hash::NAME, hash);
            return response;
        }
        let answer_hash::Hashed { chunks, hash } = answer_hash::hashed(answer.body).await;
        let packed = head.status == 200 && gzip::accepted(headers);
        let chunks = if packed { gzip::pack_stream(chunks) } else { chunks };
        let (name, value, trailers) = match hash {
            Hash::Known(hash) => (answer_hash::NAME, hash, None),
            Hash::Due(due) => (header::TRAILER, HeaderValue::from_static("x-answer-hash"), Some(due)),
        };
        let mut response = self.send(head, BodyExt::boxed(StreamBody::new(Chunks { chunks, trailers })));
        response.headers_mut().insert(name, value);
        if packed {
            response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        response
    }

    fn send(&self, head: Head, body: Body) -> Response<Body> {
        let mut response = Response::new(body);
        *response.status_mut() = StatusCode::from_u16(head.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        set_headers(&mut response, head.headers);
        response
    }

    /// A version-1 UUID: the time and a count, as the original makes them.
    fn request_id(&self) -> String {
        let count = self.requests.fetch_add(1, Ordering::Relaxed);
        // 100-ns steps since 1582-10-15, RFC 4122's epoch.
        let time = (clock::now().nanos() / 100).wrapping_add(122_192_928_000_000_000) as u64;
        format!(
            "{:08x}-{:04x}-1{:03x}-{:04x}-{:012x}",
            time as u32,
            (time >> 32) as u16,
            (time >> 48) as u16 & 0x0fff,
            0x8000 | (count >> 32) as u16 & 0x3fff,
            count & 0xffff_ffff | u64::from(std::process::id()) << 32 & 0xffff_0000_0000,
        )
    }
}

/// Why a body was not taken.
enum BodyRefusal {
    TooLarge,
    TooSlow,
    Broken(String),
}

impl BodyRefusal {
    fn status(&self) -> u16 {
        match self {
            Self::TooLarge => 413,
            Self::TooSlow => 408,
            Self::Broken(_) => 400,
        }
    }

    fn text(&self) -> String {
        match self {
            Self::TooLarge => "Request Entity Too Large".into(),
            Self::TooSlow => "the request's body did not arrive in time".into(),
            Self::Broken(why) => why.clone(),
        }
    }
}

pub(crate) fn plain(status: StatusCode, content_type: &'static str, text: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(full(text.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// Headers that HTTP allows; others are left out.
pub(crate) fn set_headers(response: &mut Response<Body>, headers: Vec<(String, String)>) {
    for (name, value) in headers {
        // Raw UTF-8 in a header is what InfluxDB sends in X-Influxdb-Error.
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(value.as_bytes()))
        {
            response.headers_mut().append(name, value);
        }
    }
}

pub(crate) fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed()
}

pub(crate) fn stream_body(chunks: mpsc::Receiver<Bytes>) -> Body {
    BodyExt::boxed(StreamBody::new(Chunks { chunks, trailers: None }))
}

/// A receiver as a stream of body frames, and what comes after them.
struct Chunks {
    chunks: mpsc::Receiver<Bytes>,
    trailers: Option<oneshot::Receiver<HeaderMap>>,
}

impl futures_core::Stream for Chunks {
    type Item = Result<Frame<Bytes>, io::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(bytes) = ready!(self.chunks.poll_recv(context)) {
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        let Some(due) = &mut self.trailers else { return Poll::Ready(None) };
        let told = ready!(Pin::new(due).poll(context));
        self.trailers = None;
        Poll::Ready(told.ok().map(|trailers| Ok(Frame::trailers(trailers))))
    }
}
