//! Facette's data points: a graph in, its series sampled for drawing out.
//!
//! ```text
//!  POST /api/v1/series/points ─► request ─► graph ─► template ─┐
//!                                   └─► range ─► window ───────┴► compile ─► Plan ─► Frames ─► points ─► encode
//!                                                                    └ mapping        summary ┘
//! ```
//!
//! The algorithm: every series' points in the window are counted, `sample` is lowered to the most that any has, each
//! series is cut into that many buckets, groups are folded by their operator, and buckets that no series has a value in
//! are taken out. Raw groups (no operator, not normalised) keep their points.
//!
//! A graph is given in the request or kept in the `library`, which the rest of the API reads and writes. Names of
//! sources and metrics are looked up in the index (`mapping`), and the `catalog` is a view of it. `error` owns every
//! wording and status.

mod bulk;
mod catalog;
mod compile;
mod encode;
mod error;
mod expand;
mod gather;
mod graph;
mod info;
mod inquiry;
mod library;
mod link;
mod mapping;
mod points;
mod providers;
mod query;
mod range;
mod request;
mod summary;
mod template;

#[cfg(test)]
mod tests;

pub use inquiry::ask;
pub use mapping::Mapping;

use super::exchange::{Exchange, Reply};
use super::route::{Call, Privilege, Refusal, Route, Surface, by_header};

const GET: &[&str] = &["GET", "HEAD"];
const POST: &[&str] = &["POST"];

/// The paths of Facette 0.5, and three of our own: `/library/export`, `/library/import`, `/library/presets`.
pub static SURFACE: Surface = Surface {
    name: "facette",
    identify: by_header,
    refuse: error::refuse,
    routes: &[
        route("points", "/api/v1/series/points", POST, points::points),
        route("expand", "/api/v1/series/expand", POST, expand::expand),
        route("library", "/api/v1/library", GET, library::count),
        route("library-items", library::ITEMS, GET, library::items),
        route("library-create", library::ITEMS, POST, library::create),
        route("library-delete-all", library::ITEMS, &["DELETE"], library::delete_all),
        route("library-item", library::ITEM, GET, library::get),
        route("library-replace", library::ITEM, &["PATCH", "PUT"], library::replace),
        route("library-delete", library::ITEM, &["DELETE"], library::delete),
        route("library-tree", "/api/v1/library/collections/tree", GET, library::tree),
        route("library-search", "/api/v1/library/search", POST, library::search),
        route("library-parse", "/api/v1/library/parse", POST, library::parse),
        route("library-export", "/api/v1/library/export", GET, library::export),
        route("library-import", "/api/v1/library/import", POST, library::import),
        route("library-presets", "/api/v1/library/presets", POST, library::presets),
        route("catalog", "/api/v1/catalog", GET, catalog::summary),
        route("catalog-names", catalog::LIST, GET, catalog::list),
        route("catalog-name", catalog::ENTRY, GET, catalog::entry),
        route("providers", "/api/v1/providers", GET, providers::list),
        route("providers-refuse", "/api/v1/providers", &["DELETE", "POST"], providers::refuse),
        route("provider", providers::ONE, GET, providers::get),
        route("provider-refuse", providers::ONE, &["DELETE", "PATCH", "PUT"], providers::refuse),
        route("provider-refresh", providers::REFRESH, POST, providers::refresh),
        route("bulk", bulk::PATH, POST, bulk::bulk),
        Route { privilege: Privilege::Open, ..route("version", "/api/v1/version", GET, info::version) },
        Route { privilege: Privilege::Open, ..route("info", ROOT, &["OPTIONS"], info::options) },
        Route {
            privilege: Privilege::Open,
            ..route("rest", "/api/v1/{*rest}", &["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"], rest)
        },
    ],
};

const ROOT: &str = "/api/v1";

const fn route(
    name: &'static str,
    path: &'static str,
    methods: &'static [&'static str],
    open: fn(Call) -> Box<dyn Exchange>,
) -> Route {
    Route { name, path, methods, privilege: Privilege::ByContent, open }
}

/// What no other pattern takes: a path with a slash that it is meant without, and the client is to repeat its request
/// there; or none at all.
fn rest(call: Call) -> Box<dyn Exchange> {
    let path = call.request.path.trim_end_matches('/');
    if path == call.request.path || !SURFACE.routes.iter().any(|route| route.fits(path) && !route.path.contains('*')) {
        return error::refuse(&call, Refusal::UnknownPath);
    }
    let mut location = path.to_owned();
    if !call.request.query.is_empty() {
        location.push('?');
        location.push_str(&call.request.query);
    }
    Box::new(Reply::new(308, vec![("Location".to_owned(), location)], ""))
}
