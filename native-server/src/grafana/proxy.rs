//! The data source proxy with bodies that stream both ways: what one side does not take, the other is not asked for.

use super::client::{Watched, headers};
use crate::http::{Body, Service, full, set_headers};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::{Body as _, Incoming};
use hyper::{Response, StatusCode};
use isopoint_core::dialect::errand::ErrandError;
use isopoint_core::dialect::exchange::Exchange;
use isopoint_core::dialect::grafana::proxy;
use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

/// Bytes that a request may send through.
const MAX_REQUEST: u64 = 64 << 20;

/// Answers a request for the proxy.
pub(crate) async fn answer(
    service: &Service,
    parts: hyper::http::request::Parts,
    body: Incoming,
    peer: SocketAddr,
) -> Response<Body> {
    let request = service.request(&parts.method, &parts.uri, &parts.headers, Bytes::new());
    let (snapshot, api) = (service.host.snapshot(), std::sync::Arc::clone(&service.api));
    let peer = peer.ip().to_string();
    // A password's hash takes a while.
    let prepared = tokio::task::spawn_blocking(move || proxy::stream(request, snapshot, &api, &peer)).await;
    let call = match prepared {
        Ok(Ok(call)) => call,
        Ok(Err(refusal)) => return service.run(refusal, &parts.headers).await,
        Err(_) => return service.run(gave_up(), &parts.headers).await,
    };
    if body.size_hint().lower() > MAX_REQUEST {
        let refusal = proxy::failed(&ErrandError::BodyTooLarge { allowed: MAX_REQUEST });
        return service.run(refusal, &parts.headers).await;
    }
    let (out, upload) = Watched::new(body, MAX_REQUEST);
    let limit = Duration::from_millis(call.timeout_millis);
    match service.caller.begin(&call, out.boxed(), limit, Some(&upload)).await {
        Err(error) => service.run(proxy::failed(&error), &parts.headers).await,
        Ok(response) => {
            let (head, body) = response.into_parts();
            let (status, passed, replaced) = proxy::answer_head(head.status.as_u16(), &headers(&head.headers));
            let body: Body = match replaced {
                Some(text) => full(text),
                None => {
                    let limit = usize::try_from(service.caller.max_answer()).unwrap_or(usize::MAX);
                    Limited::new(body, limit).map_err(broken).boxed()
                }
            };
            let mut answer = Response::new(body);
            *answer.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
            set_headers(&mut answer, passed);
            answer
        }
    }
}

/// A body that breaks off breaks the connection, so that nobody takes it for whole.
fn broken(error: Box<dyn Error + Send + Sync>) -> io::Error {
    io::Error::other(error)
}

fn gave_up() -> Box<dyn Exchange> {
    proxy::failed(&ErrandError::Unreachable("the request could not be prepared".to_owned()))
}
