//! The library: graphs, collections of them, groups of sources and of metrics, kept as documents of the catalog.
//!
//! ```text
//!  GET ─► shelf ─► list | item | tree | search | parse ─► JSON
//!  POST, PUT, PATCH, DELETE ─► item (types, checks) ─► shelf's changes ─► Command::Documents ─► decided again if refused
//! ```
//!
//! All kinds share one space of documents, so that a deletion and what it takes along are one step.

mod change;
mod item;
mod list;
mod patterns;
mod preset;
mod read;
mod shelf;
mod transfer;
mod tree;

pub(super) use change::{ITEM, ITEMS, create, delete, delete_all, replace};
pub(super) use item::{Kind, is_uuid, series};
pub(super) use list::{List, shown_fields};
pub(super) use patterns::Pattern;
pub(super) use preset::{named_uuid, presets};
pub(super) use read::{count, get, items, parse, records, search};
pub(super) use shelf::Shelf;
pub(super) use transfer::{export, import};
pub(super) use tree::tree;
