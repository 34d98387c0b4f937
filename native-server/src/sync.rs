//! What a page's replica asks for: the manifest, parts of block files, and the tail. Formats: `isopoint_core::sync`.

use crate::drive::Piece;
use crate::host::{Host, News, clock};
use crate::http::{Body, full, plain, stream_body};
use hyper::header::{self, HeaderValue};
use hyper::{HeaderMap, Method, Response, StatusCode};
use isopoint_core::dialect::form;
use isopoint_core::store::FileName;
use isopoint_core::sync::server::{manifest, memtable_frames};
use isopoint_core::sync::wire::{TailFrame, write_frame};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;

/// A quiet tail says what time it is this often, so that a page can tell silence from a dead connection.
const CLOCK_EVERY: Duration = Duration::from_secs(2);

pub(crate) async fn answer(
    host: &Arc<Host>,
    method: &Method,
    path: &str,
    query: &str,
    headers: &HeaderMap,
) -> Response<Body> {
    if method != Method::GET && method != Method::HEAD {
        let mut response = error(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD");
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    if let Some(name) = path.strip_prefix("/sync/file/") {
        return file(host, name, headers);
    }
    let database = form::pairs(query.as_bytes()).find(|(name, _)| name == "db").map(|(_, value)| value.into_owned());
    match (path, database) {
        ("/sync/manifest" | "/sync/tail", None) => error(StatusCode::BAD_REQUEST, "database is required"),
        ("/sync/manifest", Some(database)) => match host.database(&database) {
            Some((view, first)) => {
                no_cache(plain(StatusCode::OK, "application/json", manifest(&view, first).to_json()))
            }
            None => no_database(&database),
        },
        ("/sync/tail", Some(database)) => tail(host, &database).await,
        _ => error(StatusCode::NOT_FOUND, "there is /sync/manifest, /sync/file/… and /sync/tail"),
    }
}

/// Part of a block file. Names hold the content's hash: what is cached stays true.
fn file(host: &Host, name: &str, headers: &HeaderMap) -> Response<Body> {
    let name = FileName::new(name);
    let snapshot = host.snapshot();
    let live = snapshot.databases.iter().any(|database| {
        let shards = database.policies.iter().flat_map(|policy| &policy.shards);
        shards.flat_map(|shard| &shard.files).any(|file| file.name == name)
    });
    let whole = match live.then(|| host.file(&name)) {
        Some(Ok(bytes)) => bytes,
        Some(Err(problem)) => return error(StatusCode::INTERNAL_SERVER_ERROR, &format!("{name}: {problem}")),
        None => return error(StatusCode::NOT_FOUND, "no such file is live"),
    };
    let range =
        headers.get(header::RANGE).map(|range| range.to_str().ok().and_then(|text| byte_range(text, whole.len())));
    let mut response = match range {
        None => Response::new(full(whole.clone())),
        Some(Some((start, end))) => {
            let mut part = Response::new(full(whole.slice(start..end)));
            *part.status_mut() = StatusCode::PARTIAL_CONTENT;
            let shown = format!("bytes {start}-{}/{}", end - 1, whole.len());
            if let Ok(shown) = HeaderValue::from_str(&shown) {
                part.headers_mut().insert(header::CONTENT_RANGE, shown);
            }
            part
        }
        Some(None) => {
            let mut refusal = error(StatusCode::RANGE_NOT_SATISFIABLE, "the file has no such range");
            if let Ok(shown) = HeaderValue::from_str(&format!("bytes */{}", whole.len())) {
                refusal.headers_mut().insert(header::CONTENT_RANGE, shown);
            }
            return refusal;
        }
    };
    let answer = response.headers_mut();
    answer.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    answer.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    answer.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, max-age=31536000, immutable"));
    response
}

/// `bytes=a-b`, `bytes=a-` or `bytes=-n` as start and end in a file of `len` bytes.
fn byte_range(text: &str, len: usize) -> Option<(usize, usize)> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    let (start, end) = match (first, last) {
        ("", count) => (len.saturating_sub(count.parse().ok()?), len),
        (start, "") => (start.parse().ok()?, len),
        (start, last) => (start.parse().ok()?, last.parse::<usize>().ok()?.saturating_add(1).min(len)),
    };
    (start < end).then_some((start, end))
}

async fn tail(host: &Arc<Host>, database: &str) -> Response<Body> {
    let Some((view, first, mut news)) = host.follow(database) else { return no_database(database) };
    let (sender, body) = mpsc::channel::<Piece>(16);
    let (host, database) = (Arc::clone(host), database.to_owned());
    tokio::spawn(async move {
        let send = async |frame: &TailFrame<'_>| {
            let mut out = Vec::new();
            write_frame(frame, &mut out);
            sender.send(Piece::Bytes(out.into())).await.is_ok()
        };
        let mut told = manifest(&view, first);
        let mut alive = send(&TailFrame::Manifest(told.clone())).await;
        // Encoded on a thread that may be busy; the channel's bound keeps a slow page from filling memory.
        let begun = sender.clone();
        let encoded = tokio::task::spawn_blocking(move || {
            memtable_frames(&view, |frame| {
                let _ = begun.blocking_send(Piece::Bytes(frame.into()));
            });
        });
        alive &= encoded.await.is_ok() && send(&TailFrame::Clock(clock::now().nanos())).await;
        while alive {
            let heard = tokio::select! {
                heard = tokio::time::timeout(CLOCK_EVERY, news.recv()) => heard,
                // The page has gone.
                () = sender.closed() => return,
            };
            alive = match heard {
                Err(_) => send(&TailFrame::Clock(clock::now().nanos())).await,
                Ok(Ok(News::Points { database: of, policy, memtable, points })) => {
                    *of != *database
                        || send(&TailFrame::Points { generation: memtable, policy: &policy, batch: &points }).await
                }
                // It begins again, without them.
                Ok(Ok(News::Deleted { database: of })) => *of != *database,
                Ok(Ok(News::Files)) => match host.database(&database) {
                    Some((view, first)) => {
                        let now = manifest(&view, first);
                        let same = now == told;
                        told = now;
                        same || send(&TailFrame::Manifest(told.clone())).await
                    }
                    // Dropped.
                    None => false,
                },
                // Too slow: the page begins again, from files and the memtable.
                Ok(Err(RecvError::Lagged(_) | RecvError::Closed)) => false,
            };
        }
        let _ = sender.send(Piece::End).await;
    });
    let mut response = no_cache(Response::new(stream_body(body)));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    response
}

fn no_cache(mut response: Response<Body>) -> Response<Body> {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn no_database(database: &str) -> Response<Body> {
    error(StatusCode::NOT_FOUND, &format!("database not found: {database}"))
}

fn error(status: StatusCode, message: &str) -> Response<Body> {
    let body = serde_json::json!({ "error": message }).to_string() + "\n";
    no_cache(plain(status, "application/json", body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_stay_inside_the_file() {
        assert_eq!(byte_range("bytes=0-9", 100), Some((0, 10)));
        assert_eq!(byte_range("bytes=90-200", 100), Some((90, 100)));
        assert_eq!(byte_range("bytes=-10", 100), Some((90, 100)));
        assert_eq!(byte_range("bytes=5-", 100), Some((5, 100)));
        for bad in ["bytes=100-", "bytes=9-3", "bytes=x-1", "items=0-1", "bytes=0-1,3-4", "bytes=-0"] {
            assert_eq!(byte_range(bad, 100), None, "{bad}");
        }
    }
}
