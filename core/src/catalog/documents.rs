//! Small documents that live beside the data: libraries of graphs, users, data sources.
//!
//! A space is one kind of document; what the bytes mean is its owner's affair. Every space counts its changes: whoever
//! decided something on what it saw names the revision it saw, and is refused if the space has moved on, so that a check
//! and the change that rests on it are one step.
//!
//! ```text
//! varint spaces, each:  text name, varint revision, varint documents, each: text key, bytes body (varint length first)
//! ```

use super::CatalogError;
use crate::codec::DecodeError;
use crate::codec::varint::{self, Reader};
use crate::sorted::SortedMap;
use bytes::Bytes;
use std::sync::Arc;

/// Every space, by name. A copy is cheap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Documents {
    spaces: SortedMap<String, Arc<Space>>,
}

/// The documents of one kind, by key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Space {
    /// One more with every change; 0 is a space that never had one.
    pub revision: u64,
    pub documents: SortedMap<String, Bytes>,
}

/// Changes of one space that come to be together or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentChanges {
    pub space: String,
    /// The revision on which the change was decided.
    pub revision: u64,
    /// A body puts a document, `None` takes it away. A key that is not there is passed over.
    pub changes: Vec<(String, Option<Bytes>)>,
}

impl Documents {
    pub fn is_empty(&self) -> bool {
        self.spaces.is_empty()
    }

    /// A space that never had a document is empty, at revision 0.
    pub fn space(&self, name: &str) -> Arc<Space> {
        self.spaces.get(name).cloned().unwrap_or_default()
    }

    /// `false` when there was nothing to change.
    pub fn apply(&mut self, wanted: &DocumentChanges) -> Result<bool, CatalogError> {
        let mut space = self.space(&wanted.space);
        if space.revision != wanted.revision {
            return Err(CatalogError::DocumentsChanged(wanted.space.clone()));
        }
        if wanted.changes.is_empty() {
            return Ok(false);
        }
        let changed = Arc::make_mut(&mut space);
        changed.revision += 1;
        for (key, body) in &wanted.changes {
            match body {
                Some(body) => drop(changed.documents.insert(key.clone(), body.clone())),
                None => drop(changed.documents.remove(key.as_str())),
            }
        }
        self.spaces.insert(wanted.space.clone(), space);
        Ok(true)
    }

    pub fn encode(&self, out: &mut Vec<u8>) {
        varint::write(self.spaces.len() as u64, out);
        for (name, space) in self.spaces.iter() {
            varint::write_bytes(name.as_bytes(), out);
            varint::write(space.revision, out);
            varint::write(space.documents.len() as u64, out);
            for (key, body) in space.documents.iter() {
                varint::write_bytes(key.as_bytes(), out);
                varint::write_bytes(body, out);
            }
        }
    }

    pub fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut documents = Self::default();
        for _ in 0..reader.length(reader.remaining(), "number of spaces")? {
            let name = reader.text("name of a space")?.to_owned();
            let mut space = Space { revision: reader.varint("revision")?, ..Space::default() };
            for _ in 0..reader.length(reader.remaining(), "number of documents")? {
                let key = reader.text("key of a document")?.to_owned();
                space.documents.insert(key, Bytes::copy_from_slice(reader.bytes("document")?));
            }
            documents.spaces.insert(name, Arc::new(space));
        }
        Ok(documents)
    }
}

impl DocumentChanges {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        varint::write_bytes(self.space.as_bytes(), out);
        varint::write(self.revision, out);
        varint::write(self.changes.len() as u64, out);
        for (key, body) in &self.changes {
            varint::write_bytes(key.as_bytes(), out);
            out.push(u8::from(body.is_some()));
            if let Some(body) = body {
                varint::write_bytes(body, out);
            }
        }
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let space = reader.text("name of a space")?.to_owned();
        let mut read = Self { space, revision: reader.varint("revision")?, changes: Vec::new() };
        for _ in 0..reader.length(reader.remaining(), "number of documents")? {
            let key = reader.text("key of a document")?.to_owned();
            let body = match reader.byte("flag")? {
                0 => None,
                1 => Some(Bytes::copy_from_slice(reader.bytes("document")?)),
                _ => return Err(reader.error("flag neither 0 nor 1")),
            };
            read.changes.push((key, body));
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(revision: u64, changes: &[(&str, Option<&str>)]) -> DocumentChanges {
        let changes = changes
            .iter()
            .map(|(key, body)| ((*key).to_owned(), body.map(|body| Bytes::copy_from_slice(body.as_bytes()))))
            .collect();
        DocumentChanges { space: "graphs".into(), revision, changes }
    }

    #[test]
    fn a_change_rests_on_the_revision_it_saw() {
        let mut documents = Documents::default();
        assert_eq!(documents.apply(&changes(0, &[("a", Some("1")), ("b", Some("2"))])), Ok(true));
        let refused = Err(CatalogError::DocumentsChanged("graphs".into()));
        assert_eq!(documents.apply(&changes(0, &[("c", Some("3"))])), refused);
        let seen = documents.space("graphs");
        assert_eq!(documents.apply(&changes(seen.revision, &[("a", None), ("b", Some("4")), ("x", None)])), Ok(true));
        let now = documents.space("graphs");
        assert_eq!(
            (now.revision, now.documents.len(), now.documents.get("b").map(|b| &b[..])),
            (2, 1, Some(&b"4"[..]))
        );
        assert_eq!(seen.documents.len(), 2, "what was seen stays as it was");
        assert_eq!(documents.apply(&changes(2, &[])), Ok(false));
    }

    #[test]
    fn documents_and_changes_come_back_and_cut_ones_are_refused() {
        let wanted = changes(0, &[("a", Some("1")), ("b", None)]);
        let mut documents = Documents::default();
        documents.apply(&wanted).unwrap();
        let mut bytes = Vec::new();
        documents.encode(&mut bytes);
        assert_eq!(Documents::decode(&mut Reader::new(&bytes)), Ok(documents));
        (0..bytes.len()).for_each(|len| assert!(Documents::decode(&mut Reader::new(&bytes[..len])).is_err()));
        bytes.clear();
        wanted.encode(&mut bytes);
        assert_eq!(DocumentChanges::decode(&mut Reader::new(&bytes)), Ok(wanted));
        (0..bytes.len()).for_each(|len| assert!(DocumentChanges::decode(&mut Reader::new(&bytes[..len])).is_err()));
    }
}
