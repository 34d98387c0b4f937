//! The dashboard, kept in the binary as gzip.

use crate::gzip;
use crate::http::{Body, full};
use bytes::Bytes;
use hyper::header::{self, HeaderValue};
use hyper::{HeaderMap, Response};

/// What the page may do: its own scripts and no inline one, its own server, nothing of others.
const POLICY: &str = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; \
                      worker-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; \
                      frame-ancestors 'self'";

/// Path below the root, gzip bytes.
static FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/assets.rs"));

const NOT_BUILT: &str = "<!doctype html><meta charset=utf-8><title>Isopoint</title>\
<p>This binary was built without the dashboard. <code>cargo xtask demo</code> builds both; the APIs work as they are.</p>";

pub(crate) struct Asset {
    pub content_type: &'static str,
    pub cache_control: &'static str,
    /// Gzip, if `packed`.
    pub body: Bytes,
    pub packed: bool,
}

/// The file a browser asks for with `path` (`/` is the page).
pub(crate) fn find(path: &str) -> Option<Asset> {
    let name = match path.strip_prefix('/')? {
        "" => "index.html",
        name => name,
    };
    if FILES.is_empty() && name == "index.html" {
        return Some(Asset {
            content_type: "text/html; charset=utf-8",
            cache_control: "no-cache",
            body: Bytes::from_static(NOT_BUILT.as_bytes()),
            packed: false,
        });
    }
    let (_, body) = FILES.iter().find(|(file, _)| *file == name)?;
    // The build puts a content hash into the names below assets/.
    let cache_control = if name.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    Some(Asset { content_type: content_type(name), cache_control, body: Bytes::from_static(body), packed: true })
}

/// The answer to a browser.
pub(crate) fn answer(asset: Asset, headers: &HeaderMap) -> Response<Body> {
    let mut response = Response::new(full(asset.body.clone()));
    let answer = response.headers_mut();
    answer.insert(header::CONTENT_TYPE, HeaderValue::from_static(asset.content_type));
    answer.insert(header::CACHE_CONTROL, HeaderValue::from_static(asset.cache_control));
    answer.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    answer.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    if asset.packed {
        if gzip::accepted(headers) {
            answer.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        } else {
            let plain = gzip::unpack(&asset.body, u64::MAX).unwrap_or_default();
            *response.body_mut() = full(Bytes::from(plain));
        }
        response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    }
    response
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "wasm" => "application/wasm",
        "json" | "map" => "application/json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        _ => "application/octet-stream",
    }
}
