//! The words of four HTTP APIs. A dialect parses, compiles to a plan and encodes frames; no dialect knows another, and
//! nothing below knows a dialect.

pub mod influx;
