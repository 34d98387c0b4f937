//! hyper on one side, the engine's exchanges on the other: bodies in and out, gzip, limits, time-outs, and the few
//! paths that are the server's own (dashboard, `/metrics`, sync).

use crate::access::{self, AccessRules, Verdict};
use crate::answer_hash::{self, Hash};
use crate::assets;
use crate::audit::Audit;
use crate::checks::Checks;
use crate::drive::{Answer, AnswerBody, Driver, Lane, Order, Piece};
use crate::facts::{Counters, Watch, add};
use crate::grafana::client::Caller;
use crate::grafana::{arrow, proxy};
use crate::gzip;
use crate::host::{Host, clock};
use crate::login_limit::LoginLimit;
use crate::metrics::Metrics;
use crate::own;
use crate::rate_limit::{self, RateLimit};
use crate::slow::Note;
use crate::vault::HostVault;
use crate::who::{self, Who};
use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use isopoint_core::auth::{Credentials, Users, tokens};
use isopoint_core::dialect::exchange::{ApiConfig, ApiRequest, Exchange, Head};
use isopoint_core::dialect::grafana::proxy::is_proxy;
use isopoint_core::dialect::route;
use isopoint_core::exec::QueryStats;
use isopoint_core::time::Timestamp;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

/// How long a body waits for room before its request is refused.
const FOR_ROOM: Duration = Duration::from_secs(2);

/// An error breaks the connection off, so that nobody takes the answer for whole.
pub(crate) type Body = BoxBody<Bytes, io::Error>;

/// Everything a request may need.
pub(crate) struct Service {
    pub host: Arc<Host>,
    pub driver: Driver,
    pub api: Arc<ApiConfig>,
    /// The same for what the server asks itself: everybody may everything.
    pub inside: Arc<ApiConfig>,
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
    pub vault: Arc<HostVault>,
    pub login_limit: LoginLimit,
    pub audit: Arc<Audit>,
    /// Which sites' pages may call.
    pub rules: RwLock<Arc<AccessRules>>,
    /// Served by HTTPS.
    pub secure: bool,
    /// Milliseconds from which on a query is slow; 0 for never.
    pub slow_millis: AtomicU64,
    /// KiB that bodies may take together.
    pub bodies: Arc<Semaphore>,
    pub checks: Arc<Checks>,
    pub data_dir: PathBuf,
}

impl Service {
    /// Answers one request; never fails: what goes wrong is an answer too.
    pub(crate) async fn answer(&self, request: Request<Incoming>, peer: SocketAddr) -> Response<Body> {
        let began = Instant::now();
        let (mut parts, body) = request.into_parts();
        self.complete(&mut parts);
        let (method, path) = (parts.method.clone(), parts.uri.path().to_owned());
        let trace = access::text(&parts.headers, "traceparent").and_then(who::trace_id).map(str::to_owned);
        let origin = access::text(&parts.headers, "origin").map(str::to_owned);
        self.counters.begin(&path);
        let rules = Arc::clone(&self.rules.read().unwrap_or_else(PoisonError::into_inner));
        let mut response = self.admitted(&rules, parts, body, peer).await;
        rules.dress(response.headers_mut(), origin.as_deref());
        let status = response.status().as_u16();
        if matches!(status, 429 | 503) && !response.headers().contains_key(header::RETRY_AFTER) {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        self.metrics.request(&path, status, began.elapsed());
        self.counters.end(&path, status, began.elapsed());
        let micros = began.elapsed().as_micros() as u64;
        tracing::debug!(%method, path, status, micros, trace = trace.as_deref().unwrap_or("-"), "request");
        response
    }

    /// What HTTP/2 and browsers say in other ways: the host as `Host`, a session as `Authorization`.
    fn complete(&self, parts: &mut Parts) {
        if let Some(authority) = parts.uri.authority()
            && !parts.headers.contains_key(header::HOST)
            && let Ok(host) = HeaderValue::from_str(authority.as_str())
        {
            parts.headers.insert(header::HOST, host);
        }
        let cookies = access::text(&parts.headers, "cookie").unwrap_or_default();
        let Some(session) = who::session_cookie(cookies) else { return };
        let bearer = HeaderValue::from_str(&format!("Bearer {session}"));
        // The session goes nowhere else, such as to a data source behind the proxy.
        let others =
            cookies.split(';').filter(|pair| who::session_cookie(pair).is_none()).collect::<Vec<_>>().join(";");
        if parts.uri.path() != "/isopoint/session" {
            parts.headers.remove(header::COOKIE);
            if let (false, Ok(others)) = (others.is_empty(), HeaderValue::from_str(others.trim_start())) {
                parts.headers.insert(header::COOKIE, others);
            }
        }
        if let (true, false, Ok(bearer)) =
            (self.api.authentication, parts.headers.contains_key(header::AUTHORIZATION), bearer)
        {
            parts.headers.insert(header::AUTHORIZATION, bearer);
        }
    }

    async fn admitted(&self, rules: &AccessRules, parts: Parts, body: Incoming, peer: SocketAddr) -> Response<Body> {
        let page = assets::find(parts.uri.path()).is_some();
        if let Verdict::Answer(refusal) = rules.judge(&parts.method, &parts.uri, &parts.headers, page) {
            return *refusal;
        }
        if parts.uri.path() == "/health"
            && let Some(why) = self.host.poisoned()
        {
            let body = serde_json::json!({ "checks": [], "message": why, "name": "influxdb", "status": "fail", "version": self.api.influx_version });
            return plain(StatusCode::SERVICE_UNAVAILABLE, "application/json", body.to_string());
        }
        let body = match self.own(&parts, body, peer.ip()).await {
            Ok(answer) => return answer,
            Err(body) => body,
        };
        if is_proxy(parts.uri.path()) {
            let request = self.request(&parts.method, &parts.uri, &parts.headers, Bytes::new());
            if let Some(seconds) = self.must_wait(&request, peer.ip()) {
                return own::too_many(seconds);
            }
            return proxy::answer(self, parts, body, peer).await;
        }
        self.exchange(parts, body, peer.ip()).await
    }

    /// Seconds that a caller with a password not known to be right has to wait before it is looked at.
    pub(crate) fn must_wait(&self, request: &ApiRequest, peer: IpAddr) -> Option<u64> {
        self.unproven(request)?;
        self.login_limit.wait(peer, Instant::now())
    }

    /// Who a password is offered for, unless it was right before. Tokens cannot be guessed.
    fn unproven(&self, request: &ApiRequest) -> Option<String> {
        if !self.api.authentication {
            return None;
        }
        match who::offered(request) {
            Credentials::Password { user, password } if tokens::id_of(&password).is_none() => {
                let found = Users::of(&self.host.snapshot().documents).find(&user);
                let proven = found.is_some_and(|found| self.vault.remembers(&password, &found.hash));
                (!proven).then_some(user)
            }
            _ => None,
        }
    }

    /// Counts and tells of a login that failed, if this was one.
    pub(crate) fn login_failed(&self, request: &ApiRequest, peer: IpAddr) {
        if let Some(user) = self.unproven(request) {
            self.login_limit.wrong(peer, Instant::now());
            self.audit.login_failed(&user, peer, &request.path);
        } else if self.api.authentication && matches!(who::offered(request), Credentials::Token(_)) {
            let name = who::name(&who::offered(request), &self.host.snapshot().documents);
            self.audit.login_failed(&name, peer, &request.path);
        }
    }

    pub(crate) fn who(&self, request: &ApiRequest, peer: IpAddr) -> Who {
        let name = if self.api.authentication {
            who::name(&who::offered(request), &self.host.snapshot().documents)
        } else {
            "-".to_owned()
        };
        let given = request.header("traceparent").and_then(who::trace_id).or_else(|| request.header("x-request-id"));
        Who { name, peer, trace: given.unwrap_or(&request.request_id).chars().take(64).collect() }
    }

    pub(crate) fn request(&self, method: &Method, uri: &hyper::Uri, headers: &HeaderMap, body: Bytes) -> ApiRequest {
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        ApiRequest {
            method: method.as_str().to_owned(),
            path: uri.path().to_owned(),
            query: uri.query().unwrap_or_default().to_owned(),
            headers: headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect(),
            body,
            now: now_of(headers),
            request_id: self.request_id(),
            entropy: clock::entropy(),
        }
    }

    async fn exchange(&self, parts: Parts, body: Incoming, peer: IpAddr) -> Response<Body> {
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

    async fn answered(&self, parts: Parts, body: Incoming, peer: IpAddr) -> Response<Body> {
        let path = parts.uri.path();
        let lane = lane(path);
        let head = |body: Bytes| self.request(&parts.method, &parts.uri, &parts.headers, body);
        let refused = |refusal: &BodyRefusal| {
            route::refuse_body(head(Bytes::new()), self.host.snapshot(), &self.api, refusal.status(), refusal.text())
        };
        let unread = head(Bytes::new());
        if let Some(seconds) = self.must_wait(&unread, peer) {
            let why = "too many wrong passwords from this address; try again later".to_owned();
            let mut answer =
                self.run(route::refuse_body(unread, self.host.snapshot(), &self.api, 429, why), &parts.headers).await;
            answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            return answer;
        }
        let taken = match self.driver.is_full(lane) {
            true => Err(BodyRefusal::Busy),
            false => self.body(path, &parts.headers, body).await,
        };
        // What a body takes is given back when the answer has begun: by then it is stored or understood.
        let (body, _held) = match taken {
            Ok(taken) => taken,
            Err(refusal) => {
                if matches!(refusal, BodyRefusal::Busy) {
                    add(&self.counters.shed, 1);
                }
                return self.run(refused(&refusal), &parts.headers).await;
            }
        };
        self.counters.body(path, body.len());
        let request = head(body);
        self.watch.saw(&request, peer);
        let who = self.who(&request, peer);
        let done = (lane == Lane::Query).then(|| self.slow_note(&request, who.clone())).flatten();
        let order = Order { lane, who: Some(who), done };
        let as_arrow = path == "/api/ds/query" && arrow::is_wanted(&parts.headers);
        let exchange = route::open(request, self.host.snapshot(), &self.api);
        // A fault that tests inject: what a mistake in a handler would do.
        #[cfg(debug_assertions)]
        let exchange: Box<dyn Exchange> = match parts.headers.contains_key("x-isopoint-test-panic") {
            true => Box::new(Panics),
            false => exchange,
        };
        let response = match as_arrow {
            true => self.run_as_arrow(exchange, &parts.headers, order).await,
            false => self.run_for(exchange, &parts.headers, order).await,
        };
        if self.api.authentication && matches!(response.status().as_u16(), 401 | 403) {
            self.login_failed(&unread, peer);
        }
        response
    }

    /// What is to be done when a query is complete, if slow ones are logged.
    fn slow_note(&self, request: &ApiRequest, who: Who) -> Option<Box<dyn FnOnce(Duration, QueryStats) + Send>> {
        let slow = Duration::from_millis(self.slow_millis.load(Ordering::Relaxed));
        if slow.is_zero() {
            return None;
        }
        let note = Note::of(request, who)?;
        let (driver, host, inside) = (self.driver.clone(), Arc::clone(&self.host), Arc::clone(&self.inside));
        let counters = Arc::clone(&self.counters);
        Some(Box::new(move |took, stats| {
            if took >= slow {
                add(&counters.slow_queries, 1);
                tokio::spawn(note.log(took, stats, driver, host, inside));
            }
        }))
    }

    pub(crate) async fn run(&self, exchange: Box<dyn Exchange>, headers: &HeaderMap) -> Response<Body> {
        self.run_for(exchange, headers, Order::OWN).await
    }

    async fn run_for(&self, exchange: Box<dyn Exchange>, headers: &HeaderMap, order: Order) -> Response<Body> {
        let answer = self.driver.answer_to(exchange, order).await;
        match answer {
            Some(answer) => self.stream(answer, headers).await,
            None => gave_up(),
        }
    }

    /// The same with frames as Arrow. An answer that holds no frames stays as it is.
    async fn run_as_arrow(&self, exchange: Box<dyn Exchange>, headers: &HeaderMap, order: Order) -> Response<Body> {
        let Some(Answer { mut head, body }) = self.driver.answer_to(exchange, order).await else { return gave_up() };
        let Some(json) = body.collect().await else { return gave_up() };
        let body = match tokio::task::block_in_place(|| arrow::encode(&json)) {
            Some(streams) => {
                head.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("content-type"));
                head.headers.push(("Content-Type".to_owned(), arrow::TYPE.to_owned()));
                streams.into()
            }
            None => json,
        };
        self.stream(Answer { head, body: AnswerBody::Whole(body) }, headers).await
    }

    /// The whole body, unpacked, within the limit and in time, and the room that is held for it.
    async fn body(
        &self,
        path: &str,
        headers: &HeaderMap,
        body: Incoming,
    ) -> Result<(Bytes, Option<OwnedSemaphorePermit>), BodyRefusal> {
        let declared = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        if declared.is_some_and(|length| length > self.max_body) {
            return Err(BodyRefusal::TooLarge);
        }
        let collected = tokio::time::timeout(self.timeout, self.collect(body)).await;
        let (packed, mut held) = collected.unwrap_or(Err(BodyRefusal::TooSlow))?;
        let encoding = headers.get(header::CONTENT_ENCODING).and_then(|encoding| encoding.to_str().ok());
        let Some(encoding) = encoding.map(str::to_owned) else { return Ok((packed, held)) };
        // Clients that pack say so of requests without a body too; only where points are due is that an error.
        if packed.is_empty() && !path.ends_with("/write") {
            return Ok((packed, held));
        }
        let limit = self.max_body.max(gzip::LARGEST_BODY);
        let unpacked = tokio::task::spawn_blocking(move || {
            // An encoding that is not known is the API's to refuse.
            gzip::unpack_as(&encoding, &packed, limit).map_or(Ok(packed), |plain| plain.map(Bytes::from))
        });
        match unpacked.await {
            Ok(Ok(plain)) => {
                self.hold(plain.len(), &mut held).await?;
                Ok((plain, held))
            }
            Ok(Err(gzip::Refusal::TooLarge)) => Err(BodyRefusal::TooLarge),
            Ok(Err(gzip::Refusal::Broken(why))) => Err(BodyRefusal::Broken(why.into())),
            Err(_) => Err(BodyRefusal::Broken("unpacking failed".into())),
        }
    }

    /// The bytes as they come. Room is taken for what has come, so that a slow client holds no more than it sent.
    async fn collect(&self, mut body: Incoming) -> Result<(Bytes, Option<OwnedSemaphorePermit>), BodyRefusal> {
        let (mut held, mut parts, mut len) = (None, Vec::<Bytes>::new(), 0_u64);
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| BodyRefusal::Broken(error.to_string()))?;
            let Ok(data) = frame.into_data() else { continue };
            len += data.len() as u64;
            if len > self.max_body {
                return Err(BodyRefusal::TooLarge);
            }
            self.hold(data.len(), &mut held).await?;
            parts.push(data);
        }
        let whole = if parts.len() == 1 { parts.remove(0) } else { Bytes::from(parts.concat()) };
        Ok((whole, held))
    }

    /// Takes room for some bytes more, or refuses when there is none for a while.
    async fn hold(&self, bytes: usize, held: &mut Option<OwnedSemaphorePermit>) -> Result<(), BodyRefusal> {
        let kib = u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.bodies).acquire_many_owned(kib);
        let Ok(Ok(room)) = tokio::time::timeout(FOR_ROOM, room).await else { return Err(BodyRefusal::Busy) };
        match held {
            Some(held) => held.merge(room),
            None => *held = Some(room),
        }
        Ok(())
    }

    async fn stream(&self, answer: Answer, headers: &HeaderMap) -> Response<Body> {
        let head = answer.head.clone();
        if head.complete {
            let Some(whole) = answer.body.collect().await else { return gave_up() };
            let hash = answer_hash::of(&whole);
            let mut response = self.send(head, full(whole));
            response.headers_mut().insert(answer_hash::NAME, hash);
            return response;
        }
        let answer_hash::Hashed { body, hash } = answer_hash::hashed(answer.body).await;
        let packed = head.status == 200 && gzip::accepted(headers);
        let body = if packed { gzip::pack(body) } else { body };
        let (name, value, trailers) = match hash {
            Hash::Known(hash) => (answer_hash::NAME, hash, None),
            Hash::Due(due) => (header::TRAILER, HeaderValue::from_static("x-answer-hash"), Some(due)),
        };
        let body = match body {
            // InfluxDB's answers come in chunks, however short they are.
            AnswerBody::Whole(whole) => BodyExt::boxed(StreamBody::new(Once(Some(whole)))),
            AnswerBody::Pieces(pieces) => BodyExt::boxed(StreamBody::new(Chunks { pieces, trailers, ended: false })),
        };
        let mut response = self.send(head, body);
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

/// When a request came. Tests whose answers depend on it say so themselves, to a build that has such means.
fn now_of(headers: &HeaderMap) -> Timestamp {
    #[cfg(debug_assertions)]
    if let Some(nanos) = headers.get("x-isopoint-test-now").and_then(|nanos| nanos.to_str().ok()?.parse().ok()) {
        return Timestamp::from_nanos(nanos);
    }
    let _ = headers;
    clock::now()
}

/// An exchange with a mistake in it.
#[cfg(debug_assertions)]
struct Panics;

#[cfg(debug_assertions)]
impl Exchange for Panics {
    fn turn(&mut self, _: isopoint_core::exec::Budget) -> isopoint_core::dialect::exchange::Turn {
        panic!("a panic that a test asked for")
    }

    fn supply(&mut self, _: Result<Vec<Bytes>, String>) {}

    fn wrote(
        &mut self,
        _: Result<isopoint_core::store::Written, isopoint_core::store::WriteError>,
        _: isopoint_core::store::Snapshot,
    ) {
    }
}

/// Writes have places of their own.
fn lane(path: &str) -> Lane {
    match path {
        "/write"
        | "/api/v2/write"
        | "/api/v1/series"
        | "/api/v2/series"
        | "/api/v1/distribution_points"
        | "/api/beta/sketches" => Lane::Write,
        _ => Lane::Query,
    }
}

/// Why a body was not taken.
enum BodyRefusal {
    /// There is no room, or too many wait already.
    Busy,
    TooLarge,
    TooSlow,
    Broken(String),
}

impl BodyRefusal {
    fn status(&self) -> u16 {
        match self {
            Self::Busy => 503,
            Self::TooLarge => 413,
            Self::TooSlow => 408,
            Self::Broken(_) => 400,
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Busy => "the server is busy; try again in a second".into(),
            Self::TooLarge => "Request Entity Too Large".into(),
            Self::TooSlow => "the request's body did not arrive in time".into(),
            Self::Broken(why) => why.clone(),
        }
    }
}

fn gave_up() -> Response<Body> {
    plain(
        StatusCode::INTERNAL_SERVER_ERROR,
        "application/json",
        "{\"error\":\"the server gave up on this request; its log says why\"}\n",
    )
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

pub(crate) fn stream_body(pieces: mpsc::Receiver<Piece>) -> Body {
    BodyExt::boxed(StreamBody::new(Chunks { pieces, trailers: None, ended: false }))
}

/// A body of one chunk, without a length.
struct Once(Option<Bytes>);

impl futures_core::Stream for Once {
    type Item = Result<Frame<Bytes>, io::Error>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.0.take().map(|bytes| Ok(Frame::data(bytes))))
    }
}

/// A receiver as a stream of body frames, and what comes after them.
struct Chunks {
    pieces: mpsc::Receiver<Piece>,
    trailers: Option<oneshot::Receiver<HeaderMap>>,
    ended: bool,
}

impl futures_core::Stream for Chunks {
    type Item = Result<Frame<Bytes>, io::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if !self.ended {
            match ready!(self.pieces.poll_recv(context)) {
                Some(Piece::Bytes(bytes)) => return Poll::Ready(Some(Ok(Frame::data(bytes)))),
                Some(Piece::End) => self.ended = true,
                // The connection ends without the last chunk: no client takes a part for the whole.
                None => return Poll::Ready(Some(Err(io::Error::other("the answer was cut off")))),
            }
        }
        let Some(due) = &mut self.trailers else { return Poll::Ready(None) };
        let told = ready!(Pin::new(due).poll(context));
        self.trailers = None;
        Poll::Ready(told.ok().map(|trailers| Ok(Frame::trailers(trailers))))
    }
}
