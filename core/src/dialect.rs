//! The words of four HTTP APIs. A dialect parses, compiles to a plan and encodes frames; no dialect knows another, and
//! nothing below knows a dialect.
//!
//! [`exchange`] holds the shapes every host speaks: a request, and a conversation that ends in status, headers and a
//! streamed body.

pub mod datadog;
pub mod errand;
pub mod exchange;
pub mod facette;
pub mod form;
pub mod grafana;
pub mod influx;
pub mod json;
pub mod language;
pub mod route;
pub mod running;
pub mod sealer;
