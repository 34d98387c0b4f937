//! Calls to other servers: kept connections, deadlines that say where they struck, and addresses that may not be called.

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use hyper::{Request, Response, Uri};
use hyper_rustls::{FixedServerNameResolver, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use isopoint_core::dialect::errand::{Errand, ErrandError, HttpCall, HttpReply, Tls, Told};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use std::cell::Cell;
use std::error::Error;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tower_service::Service;

/// For a connection and its TLS handshake.
const CONNECT: Duration = Duration::from_secs(10);
/// A connection that nobody uses is closed after this.
const IDLE: Duration = Duration::from_secs(90);
const REDIRECTS: usize = 5;
/// Ways to trust (certificates and the like) whose connections are kept at once.
const TRUSTS: usize = 32;

pub(crate) type OutBody = BoxBody<Bytes, io::Error>;
type Connections = Client<Phased, OutBody>;

/// Which addresses may be called.
#[derive(Clone, Debug, Default)]
pub(crate) struct AddressRule {
    /// `host:port`; empty allows all.
    pub allowed: Vec<String>,
    /// Link-local and metadata addresses too.
    pub link_local: bool,
}

/// Makes calls. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Caller {
    rule: Arc<AddressRule>,
    max_answer: u64,
    /// Kept connections by how they trust, the latest last.
    kept: Arc<Mutex<Vec<(Tls, Connections)>>>,
}

tokio::task_local! {
    /// What the running call is at.
    static PHASE: Cell<&'static str>;
}

const CONNECTING: &str = "while connecting";
const SENDING: &str = "while sending the request";
const WAITING: &str = "while waiting for the response headers";
const READING: &str = "while reading the response";

impl Caller {
    pub(crate) fn new(rule: AddressRule, max_answer: u64) -> Self {
        Self { rule: Arc::new(rule), max_answer, kept: Arc::default() }
    }

    pub(crate) fn max_answer(&self) -> u64 {
        self.max_answer
    }

    /// Posts JSON; the status of the answer, or why there is none.
    pub(crate) async fn post_json(&self, url: &str, body: String, limit: Duration) -> Result<u16, String> {
        let call = HttpCall {
            method: "POST".to_owned(),
            url: url.to_owned(),
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body: body.into(),
            timeout_millis: u64::try_from(limit.as_millis()).unwrap_or(u64::MAX),
            follow: false,
            tls: Tls::default(),
        };
        self.whole(call).await.map(|answer| answer.status).map_err(|error| error.to_string())
    }

    /// Does an errand to its end.
    pub(crate) async fn run(&self, errand: Errand) -> Result<Told, ErrandError> {
        match errand {
            Errand::Wait { millis } => {
                tokio::time::sleep(Duration::from_millis(millis)).await;
                Ok(Told::Waited)
            }
            Errand::Http(call) => self.whole(*call).await.map(Told::Http),
        }
    }

    /// The whole answer, redirects followed, all within the call's time.
    async fn whole(&self, mut call: HttpCall) -> Result<HttpReply, ErrandError> {
        let began = Instant::now();
        let limit = Duration::from_millis(call.timeout_millis);
        let timeout = |phase| ErrandError::Timeout { phase, millis: call.timeout_millis };
        let late = timeout(READING);
        for _ in 0..=REDIRECTS {
            let body = Full::new(call.body.clone()).map_err(|never| match never {}).boxed();
            let left = limit.saturating_sub(began.elapsed());
            let response = self.begin(&call, body, left, None).await?;
            if call.follow
                && let Some(next) = redirect(&call, &response)
            {
                call = next;
                continue;
            }
            let (parts, body) = response.into_parts();
            let allowed = self.max_answer;
            let limited = Limited::new(body, usize::try_from(allowed).unwrap_or(usize::MAX)).collect();
            let body = match tokio::time::timeout(limit.saturating_sub(began.elapsed()), limited).await {
                Err(_) => return Err(late),
                Ok(Err(error)) if error.is::<LengthLimitError>() => return Err(ErrandError::TooLarge { allowed }),
                Ok(Err(_)) => return Err(ErrandError::Unreachable("the response broke off".to_owned())),
                Ok(Ok(body)) => body.to_bytes(),
            };
            return Ok(HttpReply { status: parts.status.as_u16(), headers: headers(&parts.headers), body });
        }
        Err(ErrandError::Unreachable(format!("more than {REDIRECTS} redirects")))
    }

    /// Sends a call; its answer's body is still to come. `limit` is for the head, and with `upload` for each wait on
    /// the way there: it begins anew with everything that is sent.
    pub(crate) async fn begin(
        &self,
        call: &HttpCall,
        body: OutBody,
        limit: Duration,
        upload: Option<&Upload>,
    ) -> Result<Response<Incoming>, ErrandError> {
        let uri: Uri =
            call.url.parse().map_err(|_| ErrandError::Unreachable("the address does not parse".to_owned()))?;
        self.check(&uri)?;
        let connections = self.connections(&call.tls)?;
        let mut request = Request::builder().method(call.method.as_str()).uri(uri);
        for (name, value) in &call.headers {
            request = request.header(name.as_str(), value.as_bytes());
        }
        let request =
            request.body(body).map_err(|_| ErrandError::Unreachable("the request cannot be sent".to_owned()))?;
        let sent = PHASE.scope(Cell::new(WAITING), async {
            let mut answer = std::pin::pin!(connections.request(request));
            let mut since = Instant::now();
            loop {
                let deadline = tokio::time::Instant::from_std(since + limit);
                if let Ok(answer) = tokio::time::timeout_at(deadline, &mut answer).await {
                    return answer.map_err(|error| failure(&error));
                }
                match upload.and_then(Upload::last) {
                    Some(last) if last > since => since = last,
                    _ => break,
                }
            }
            let connecting = PHASE.with(Cell::get) == CONNECTING;
            let sending = upload.is_some_and(|upload| !upload.is_done());
            let phase = if connecting {
                CONNECTING
            } else if sending {
                SENDING
            } else {
                WAITING
            };
            Err(ErrandError::Timeout { phase, millis: call.timeout_millis })
        });
        sent.await
    }

    /// Refuses an address by what it says; names are looked at again when they are resolved.
    fn check(&self, uri: &Uri) -> Result<(), ErrandError> {
        let host = uri.host().unwrap_or_default();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let port = uri.port_u16().unwrap_or_else(|| if uri.scheme_str() == Some("https") { 443 } else { 80 });
        let target = format!("{bare}:{port}");
        if !self.rule.allowed.is_empty() && !self.rule.allowed.iter().any(|known| known.eq_ignore_ascii_case(&target)) {
            return Err(ErrandError::Forbidden(format!("{target} is not among the allowed addresses")));
        }
        if let Ok(address) = bare.parse()
            && !self.rule.link_local
            && is_link_local(address)
        {
            return Err(ErrandError::Forbidden(format!("{address} is a link-local or metadata address")));
        }
        Ok(())
    }

    fn connections(&self, tls: &Tls) -> Result<Connections, ErrandError> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = kept.iter().position(|(known, _)| known == tls) {
            let entry = kept.remove(at);
            let connections = entry.1.clone();
            kept.push(entry);
            return Ok(connections);
        }
        let mut http = HttpConnector::new_with_resolver(Resolver { link_local: self.rule.link_local });
        http.enforce_http(false);
        http.set_connect_timeout(Some(CONNECT));
        http.set_nodelay(true);
        let config = trust(tls).map_err(ErrandError::Tls)?;
        let builder = HttpsConnectorBuilder::new().with_tls_config(config).https_or_http();
        let https = match &tls.server_name {
            Some(name) => {
                let name =
                    ServerName::try_from(name.clone()).map_err(|_| ErrandError::Tls("bad server name".to_owned()))?;
                builder
                    .with_server_name_resolver(FixedServerNameResolver::new(name))
                    .enable_http1()
                    .wrap_connector(http)
            }
            None => builder.enable_http1().wrap_connector(http),
        };
        let connections = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .build(Phased(https));
        if kept.len() >= TRUSTS {
            kept.remove(0);
        }
        kept.push((tls.clone(), connections.clone()));
        Ok(connections)
    }
}

/// How far the body of a call has been sent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Upload(Arc<Mutex<Sent>>);

#[derive(Debug, Default)]
struct Sent {
    /// When the connection took the last part.
    last: Option<Instant>,
    done: bool,
}

impl Upload {
    fn last(&self) -> Option<Instant> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).last
    }

    fn is_done(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).done
    }
}

/// A body of at most so many bytes whose way is watched.
pub(crate) struct Watched<B> {
    body: B,
    left: u64,
    allowed: u64,
    upload: Upload,
}

impl<B: HttpBody<Data = Bytes> + Unpin> Watched<B> {
    pub(crate) fn new(body: B, allowed: u64) -> (Self, Upload) {
        let upload = Upload::default();
        upload.0.lock().unwrap_or_else(PoisonError::into_inner).done = body.is_end_stream();
        (Self { body, left: allowed, allowed, upload: upload.clone() }, upload)
    }
}

impl<B: HttpBody<Data = Bytes> + Unpin> HttpBody for Watched<B>
where
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let frame = match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(None) => None,
            Poll::Ready(Some(Err(error))) => Some(Err(io::Error::other(error))),
            Poll::Ready(Some(Ok(frame))) => {
                let len = frame.data_ref().map_or(0, Bytes::len) as u64;
                Some(match self.left.checked_sub(len) {
                    Some(left) => {
                        self.left = left;
                        Ok(frame)
                    }
                    None => Err(io::Error::other(ErrandError::BodyTooLarge { allowed: self.allowed })),
                })
            }
        };
        let mut sent = self.upload.0.lock().unwrap_or_else(PoisonError::into_inner);
        *sent = Sent { last: Some(Instant::now()), done: frame.is_none() || self.body.is_end_stream() };
        drop(sent);
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

pub(crate) fn headers(map: &hyper::HeaderMap) -> Vec<(String, String)> {
    let text = |value: &hyper::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    map.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect()
}

/// The call that a redirect asks for; credentials stay with the server they are for.
fn redirect(call: &HttpCall, response: &Response<Incoming>) -> Option<HttpCall> {
    let status = response.status().as_u16();
    if !matches!(status, 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let location = response.headers().get(hyper::header::LOCATION)?.to_str().ok()?;
    let from: Uri = call.url.parse().ok()?;
    let (scheme, authority) = (from.scheme_str()?, from.authority()?.as_str());
    let url = match location {
        location if location.starts_with("//") => format!("{scheme}:{location}"),
        location if location.starts_with('/') => format!("{scheme}://{authority}{location}"),
        location if location.starts_with("http://") || location.starts_with("https://") => location.to_owned(),
        _ => return None,
    };
    let to: Uri = url.parse().ok()?;
    let mut next = HttpCall { url, ..call.clone() };
    if to.authority() != from.authority() || to.scheme() != from.scheme() {
        next.headers.retain(|(name, _)| matches!(name.as_str(), "accept" | "content-type"));
    }
    if status < 307 && call.method != "HEAD" {
        next.method = "GET".to_owned();
        next.body = Bytes::new();
        next.headers.retain(|(name, _)| name != "content-type");
    }
    Some(next)
}

/// Why a call failed, in words without what was sent.
fn failure(error: &hyper_util::client::legacy::Error) -> ErrandError {
    let mut deepest: &dyn Error = error;
    let mut sources = vec![error.to_string()];
    while let Some(source) = deepest.source() {
        if let Some(error) = source.downcast_ref::<ErrandError>() {
            return error.clone();
        }
        if let Some(io) = source.downcast_ref::<io::Error>()
            && let Some(error) = io.get_ref().and_then(|inner| inner.downcast_ref::<ErrandError>())
        {
            return error.clone();
        }
        sources.push(source.to_string());
        deepest = source;
    }
    // The outermost says only that something failed.
    let told = sources.iter().skip(usize::from(sources.len() > 1)).map(String::as_str).collect::<Vec<_>>();
    ErrandError::Unreachable(told.join(": "))
}

/// 169.254.0.0/16 and fe80::/10, which includes the metadata services of clouds, and their IPv6 address fd00:ec2::254.
fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local() || address.octets() == [100, 100, 100, 200],
        IpAddr::V6(address) => match address.to_ipv4() {
            Some(inner) if !address.is_loopback() && !address.is_unspecified() => is_link_local(IpAddr::V4(inner)),
            _ => {
                let metadata = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
                address.segments()[0] & 0xffc0 == 0xfe80 || address == metadata
            }
        },
    }
}

/// The system's resolver, without addresses that may not be called.
#[derive(Clone)]
struct Resolver {
    link_local: bool,
}

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let link_local = self.link_local;
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            if !link_local && let Some(address) = found.iter().find(|address| is_link_local(address.ip())) {
                let why = format!("{} resolves to {}, a link-local or metadata address", name.as_str(), address.ip());
                return Err(io::Error::other(ErrandError::Forbidden(why)));
            }
            Ok(found.into_iter())
        })
    }
}

/// A connector that says when a call is at connecting, and bounds how long it is.
#[derive(Clone)]
struct Phased(HttpsConnector<HttpConnector<Resolver>>);

impl Service<Uri> for Phased {
    type Response = <HttpsConnector<HttpConnector<Resolver>> as Service<Uri>>::Response;
    type Error = Box<dyn Error + Send + Sync>;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = self.0.call(uri);
        Box::pin(async move {
            // A connection that is made for later belongs to no call.
            let _ = PHASE.try_with(|phase| phase.set(CONNECTING));
            let connected = tokio::time::timeout(CONNECT, connecting).await;
            let _ = PHASE.try_with(|phase| phase.set(WAITING));
            match connected {
                Ok(connected) => connected,
                Err(_) => Err(ErrandError::Timeout { phase: CONNECTING, millis: CONNECT.as_millis() as u64 }.into()),
            }
        })
    }
}

/// The error is what is wrong with a certificate or key; it holds nothing of them.
pub(crate) fn trust(tls: &Tls) -> Result<ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| error.to_string())?;
    let builder = if tls.skip_verify {
        builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
    } else {
        let roots = match &tls.ca {
            Some(pem) => {
                let mut roots = RootCertStore::empty();
                for certificate in certificates(pem)? {
                    roots.add(certificate).map_err(|error| error.to_string())?;
                }
                Arc::new(roots)
            }
            None => Arc::clone(system_roots()),
        };
        builder.with_root_certificates(roots)
    };
    match &tls.client {
        None => Ok(builder.with_no_client_auth()),
        Some((certificate, key)) => {
            let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|_| "no private key".to_owned())?;
            builder.with_client_auth_cert(certificates(certificate)?, key).map_err(|error| error.to_string())
        }
    }
}

fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    match read {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err("no certificate".to_owned()),
    }
}

fn system_roots() -> &'static Arc<RootCertStore> {
    static ROOTS: OnceLock<Arc<RootCertStore>> = OnceLock::new();
    ROOTS.get_or_init(|| {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Arc::new(roots)
    })
}

/// Takes every certificate: `tlsSkipVerify`.
#[derive(Debug)]
struct AnyCertificate(Arc<rustls::crypto::CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn link_local_and_metadata_addresses_are_known() {
        for text in ["169.254.169.254", "fe80::1", "::ffff:169.254.169.254", "fd00:ec2::254", "100.100.100.200"] {
            assert!(is_link_local(text.parse().unwrap()), "{text}");
        }
        for text in ["127.0.0.1", "::1", "10.0.0.1", "192.168.1.1", "fd00::1", "8.8.8.8"] {
            assert!(!is_link_local(text.parse().unwrap()), "{text}");
        }
    }

    #[tokio::test]
    async fn a_body_over_the_limit_breaks_and_says_so() {
        let (body, upload) = Watched::new(Full::new(Bytes::from_static(b"1234")), 3);
        assert!(!upload.is_done() && upload.last().is_none());
        let error = body.collect().await.unwrap_err();
        assert!(error.to_string().contains("larger than 3 bytes") && upload.last().is_some(), "{error}");
        let (body, upload) = Watched::new(Full::new(Bytes::from_static(b"123")), 3);
        assert_eq!(body.collect().await.unwrap().to_bytes(), "123");
        assert!(upload.is_done());
    }

    #[test]
    fn addresses_outside_the_list_are_refused() {
        let caller = |allowed: &[&str]| {
            let allowed = allowed.iter().map(|text| (*text).to_owned()).collect();
            Caller::new(AddressRule { allowed, link_local: false }, 1)
        };
        let check = |caller: &Caller, url: &str| caller.check(&url.parse().unwrap()).is_ok();
        let all = caller(&[]);
        assert!(
            check(&all, "http://h/") && !check(&all, "http://[fe80::1]:80/") && !check(&all, "http://169.254.169.254/")
        );
        let one = caller(&["h:443"]);
        assert!(check(&one, "https://H/x") && !check(&one, "http://h/x"));
    }
}
