//! The engine in a page.

use wasm_bindgen::prelude::wasm_bindgen;

/// The engine's version, as in the workspace's `Cargo.toml`.
#[wasm_bindgen]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}
