//! InfluxDB 1.x: line protocol in, InfluxQL to plans, answers in its own shapes and words.

pub mod ast;
pub mod lexer;
pub mod line_protocol;
pub mod params;
pub mod parse;
