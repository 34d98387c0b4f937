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
//! Graphs are given in the request. There is no library yet: no `id` is found, no graph can be linked to, and series of
//! source and metric groups vanish as those of unknown groups do. `error` owns every wording and status.

mod compile;
mod encode;
mod error;
mod graph;
mod mapping;
mod points;
mod range;
mod request;
mod summary;
mod template;

#[cfg(test)]
mod tests;

use super::exchange::{Exchange, Reply};
use super::route::{Call, Privilege, Route, Surface, by_header};

/// The paths of Facette 0.5.
pub static SURFACE: Surface = Surface {
    name: "facette",
    identify: by_header,
    refuse: error::refuse,
    routes: &[
        Route {
            name: "points",
            path: "/api/v1/series/points",
            methods: &["POST"],
            privilege: Privilege::ByContent,
            open: points::points,
        },
        Route {
            name: "points-options",
            path: "/api/v1/series/points",
            methods: &["OPTIONS"],
            privilege: Privilege::Open,
            open: post_only,
        },
        Route {
            name: "points-slash",
            path: "/api/v1/series/points/",
            methods: &["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"],
            privilege: Privilege::Open,
            open: without_slash,
        },
    ],
};

/// What may be done on a path that only takes POST.
fn post_only(_: Call) -> Box<dyn Exchange> {
    Box::new(Reply::new(204, vec![("Allow".to_owned(), "OPTIONS, POST".to_owned())], ""))
}

/// The path is meant without its slash: the client is to repeat the request there.
fn without_slash(call: Call) -> Box<dyn Exchange> {
    let mut location = call.request.path.trim_end_matches('/').to_owned();
    if !call.request.query.is_empty() {
        location.push('?');
        location.push_str(&call.request.query);
    }
    Box::new(Reply::new(308, vec![("Location".to_owned(), location)], ""))
}
