//! The Isopoint engine: a time-series store, a query executor and the words of four HTTP APIs, without any IO.
//!
//! ```text
//!  bytes in ─► dialect ─► WriteBatch ─► store ─► Action (append, sync, put file …) ─► host
//!  request ──► dialect ─► Plan ───────► exec  ◄─ Snapshot ◄─ store
//!                │                       │  ▲
//!                │                       │  └── the byte ranges a query asked for ◄─ host
//!                └──────◄── Frames ◄─────┘
//! ```
//!
//! Nothing here reads a clock, a file, a socket, the environment or a random source: `now`, bytes and seeds are
//! arguments. Equal points, request, `now` and configuration give equal answers, byte for byte, on every platform.
//!
//! Where to look: [`model`] the words (series, columns, batches, frames); [`store`] the write path, a state machine
//! that emits actions; [`codec`] how columns become bytes; [`plan`] what a query is; [`exec`] how it runs;
//! [`sample`] fewer points for a graph; [`dialect`] the four APIs; [`sync`] how a page holds a replica.

#![forbid(unsafe_code)]

pub mod auth;
pub mod catalog;
pub mod codec;
pub mod dialect;
pub mod exec;
pub mod extent;
pub mod hash;
pub mod index;
pub mod limits;
pub mod memo;
pub mod model;
pub mod number;
pub mod order;
pub mod pattern;
pub mod plan;
pub mod sample;
pub mod sorted;
pub mod store;
pub mod sync;
pub mod time;
pub mod value;
