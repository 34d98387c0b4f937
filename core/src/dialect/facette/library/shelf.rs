//! Where items are kept: one space of documents, with a way from names and aliases to identifiers.
//!
//! | key | document |
//! |---|---|
//! | `<kind>/<id>` | the item, as JSON, as it is shown |
//! | `<kind>:name/<name>` | the identifier of the item of that name |
//! | `<kind>:alias/<alias>` | the identifier of the item of that alias |

use super::super::encode::write_object;
use super::super::error::Error;
use super::super::graph::Object;
use super::item::{Kind, objects, text};
use crate::catalog::{Command, DocumentChanges, Documents, Space};
use crate::dialect::json::JsonWriter;
use crate::sorted::SortedSet;
use crate::store::Snapshot;
use bytes::Bytes;
use serde_json::Value;
use std::sync::Arc;

const SPACE: &str = "facette/library";

/// The library at one moment.
#[derive(Clone, Debug)]
pub(in crate::dialect::facette) struct Shelf {
    space: Arc<Space>,
}

impl Shelf {
    pub(in crate::dialect::facette) fn new(snapshot: &Snapshot) -> Self {
        Self { space: snapshot.documents.space(SPACE) }
    }

    /// The item as it is stored.
    pub(super) fn bytes(&self, kind: Kind, id: &str) -> Option<&Bytes> {
        self.space.documents.get(item_key(kind, id).as_str())
    }

    pub(super) fn has(&self, kind: Kind, id: &str) -> bool {
        self.bytes(kind, id).is_some()
    }

    pub(in crate::dialect::facette) fn item(&self, kind: Kind, id: &str) -> Option<Object> {
        self.bytes(kind, id).and_then(parse)
    }

    /// The identifier that is meant: what is not shaped as one is an alias.
    pub(in crate::dialect::facette) fn id<'a>(&'a self, kind: Kind, id_or_alias: &'a str) -> Option<&'a str> {
        if super::is_uuid(id_or_alias) || !kind.has_templates() {
            return self.has(kind, id_or_alias).then_some(id_or_alias);
        }
        self.aliased(kind, id_or_alias)
    }

    /// The identifier of the item of a name.
    pub(super) fn named(&self, kind: Kind, name: &str) -> Option<&str> {
        self.pointer(&pointer_key(kind, "name", name))
    }

    /// The identifier of the item of an alias.
    pub(super) fn aliased(&self, kind: Kind, alias: &str) -> Option<&str> {
        self.pointer(&pointer_key(kind, "alias", alias))
    }

    /// Every item of a kind, by identifier.
    pub(super) fn items(&self, kind: Kind) -> impl Iterator<Item = &Bytes> {
        let prefix = item_key(kind, "");
        self.space.documents.iter().filter(move |(key, _)| key.starts_with(&prefix)).map(|(_, item)| item)
    }

    pub(super) fn objects(&self, kind: Kind) -> impl Iterator<Item = Object> {
        self.items(kind).filter_map(parse)
    }

    pub(super) fn count(&self, kind: Kind) -> usize {
        self.items(kind).count()
    }

    /// The library as it will be.
    pub(super) fn after(&self, changes: &Changes) -> Result<Self, Error> {
        let mut documents = Documents::default();
        let all = self.space.documents.iter().map(|(key, document)| (key.clone(), Some(document.clone())));
        let mut wanted = DocumentChanges { space: SPACE.to_owned(), revision: 0, changes: all.collect() };
        wanted.changes.extend(changes.wanted.changes.iter().cloned());
        documents.apply(&wanted).map_err(|_| Error::Unhandled)?;
        Ok(Self { space: documents.space(SPACE) })
    }

    /// No changes yet, decided on what this shelf has.
    pub(super) fn changes(&self) -> Changes {
        Changes {
            wanted: DocumentChanges { space: SPACE.to_owned(), revision: self.space.revision, changes: Vec::new() },
        }
    }

    fn pointer(&self, key: &str) -> Option<&str> {
        std::str::from_utf8(self.space.documents.get(key)?).ok()
    }
}

/// What is to become of the library, all at once.
#[derive(Debug)]
pub(super) struct Changes {
    wanted: DocumentChanges,
}

impl Changes {
    /// Puts an item, over the one that there was.
    pub(super) fn put(&mut self, kind: Kind, before: Option<&Object>, item: &Object) {
        for pointer in ["name", "alias"] {
            let (old, new) = (before.map_or("", |before| text(before, pointer)), text(item, pointer));
            if !old.is_empty() && old != new {
                self.set(pointer_key(kind, pointer, old), None);
            }
            if !new.is_empty() {
                let id = Bytes::copy_from_slice(text(item, "id").as_bytes());
                self.set(pointer_key(kind, pointer, new), Some(id));
            }
        }
        self.set(item_key(kind, text(item, "id")), Some(to_text(item).into()));
    }

    /// Lets go of the name and the alias of an item that is to be put anew.
    pub(super) fn forget(&mut self, kind: Kind, item: &Object) {
        for pointer in ["name", "alias"].into_iter().filter(|pointer| !text(item, pointer).is_empty()) {
            self.set(pointer_key(kind, pointer, text(item, pointer)), None);
        }
    }

    /// Takes one item away, and nothing that rests on it.
    pub(super) fn take(&mut self, kind: Kind, item: &Object) {
        self.forget(kind, item);
        self.set(item_key(kind, text(item, "id")), None);
    }

    /// Takes items away, with the instances of those that are templates. What refers to any of them otherwise stays,
    /// without its reference.
    pub(super) fn remove(&mut self, kind: Kind, ids: &mut dyn Iterator<Item = &str>, shelf: &Shelf) {
        let mut gone: SortedSet<String> = ids.map(|id| (id.to_owned(), ())).collect();
        let own: Vec<Object> = shelf.objects(kind).collect();
        let mut found = !gone.is_empty();
        while std::mem::take(&mut found) {
            for item in &own {
                if gone.contains_key(text(item, "link")) && !gone.contains_key(text(item, "id")) {
                    gone.insert(text(item, "id").to_owned(), ());
                    found = true;
                }
            }
        }
        for item in own {
            if !gone.contains_key(text(&item, "id")) {
                if gone.contains_key(text(&item, "parent")) {
                    let mut orphan = item.clone();
                    orphan.shift_remove("parent");
                    self.put(kind, Some(&item), &orphan);
                }
                continue;
            }
            self.take(kind, &item);
        }
        if kind == Kind::Graphs {
            self.remove_entries(&gone, shelf);
        }
    }

    pub(super) fn command(self) -> Command {
        Command::Documents(self.wanted)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.wanted.changes.is_empty()
    }

    /// Takes the entries of graphs out of all collections.
    fn remove_entries(&mut self, graphs: &SortedSet<String>, shelf: &Shelf) {
        for mut collection in shelf.objects(Kind::Collections) {
            if !objects(&collection, "entries").any(|entry| graphs.contains_key(text(entry, "graph"))) {
                continue;
            }
            let before = collection.clone();
            if let Some(Value::Array(entries)) = collection.get_mut("entries") {
                entries
                    .retain(|entry| entry.as_object().is_some_and(|entry| !graphs.contains_key(text(entry, "graph"))));
                if entries.is_empty() {
                    collection.shift_remove("entries");
                }
            }
            self.put(Kind::Collections, Some(&before), &collection);
        }
    }

    fn set(&mut self, key: String, document: Option<Bytes>) {
        self.wanted.changes.push((key, document));
    }
}

/// JSON on one line, without a line feed.
pub(super) fn to_text(object: &Object) -> String {
    let mut json = JsonWriter::new(false);
    write_object(object, &mut json);
    String::from_utf8(json.take()).expect("JSON of texts is text")
}

fn parse(bytes: &Bytes) -> Option<Object> {
    match serde_json::from_slice(bytes) {
        Ok(Value::Object(object)) => Some(object),
        _ => None,
    }
}

fn item_key(kind: Kind, id: &str) -> String {
    [kind.name(), "/", id].concat()
}

fn pointer_key(kind: Kind, pointer: &str, value: &str) -> String {
    [kind.name(), ":", pointer, "/", value].concat()
}
