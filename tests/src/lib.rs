//! One corpus, every host of the engine.
//!
//! A [`case::Suite`] is data: HTTP-shaped exchanges and what must come of them. [`run`] asks them of an
//! [`engines::Engine`] (in process, over a socket, in Node, or a real InfluxDB) and [`compare`] judges the answers.
//! Apart from these, [`memhost`] and [`simdisk`] are hosts of a store with a perfect and with a failing disk.

pub mod answer;
pub mod answers;
pub mod authority;
pub mod case;
pub mod compare;
pub mod datagen;
pub mod dump;
pub mod engines;
pub mod fuzz;
pub mod grafana;
pub mod http;
pub mod json;
pub mod memhost;
pub mod random_statements;
pub mod run;
pub mod simdisk;
pub mod waiting;
