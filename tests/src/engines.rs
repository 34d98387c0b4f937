//! What answers requests: the engine in its homes, and the original it is compared with.

mod core;
mod http;
mod influxd;
mod prometheus;
mod wasm;

pub use self::core::{Core, NOW};
pub(crate) use http::first_column;
pub use http::{Http, Serve, data_folder, program};
pub use influxd::{Influxd, influxd_program};
pub use prometheus::{Prometheus, prometheus_program};
pub use wasm::Wasm;

use crate::answer::Answer;
use crate::case::Request;

/// One server's worth of state.
pub trait Engine {
    /// Answers one request. `now` is what the clock shall say; an engine that has a clock of its own ignores it (see
    /// [`Engine::has_clock`]). `Err` is a broken connection, a crash or a hang, never a status.
    fn answer(&mut self, request: &Request, now: Option<i64>) -> Result<Answer, String>;

    /// Forgets every database and document.
    fn empty(&mut self) -> Result<(), String>;

    /// The time is the engine's own, so a case that depends on it cannot be asked.
    fn has_clock(&self) -> bool;

    /// Headers that this engine's host does not make.
    fn foreign_headers(&self) -> &[&str] {
        &[]
    }
}

/// Whether a test that needs `what` can run. Without it the test says so and passes, unless `ISOPOINT_REQUIRE` (names,
/// with commas) has it: then that panics.
pub fn required(what: &str, there: bool) -> bool {
    let required = std::env::var("ISOPOINT_REQUIRE").is_ok_and(|names| names.split(',').any(|name| name == what));
    assert!(there || !required, "{what} is required and is not there");
    if !there {
        crate::waiting::say(&format!("skipped: there is no {what}"));
    }
    there
}
