//! Small objects and lists for JavaScript.

use bytes::Bytes;
use isopoint_core::store::{ByteRange, Snapshot};
use js_sys::{Array, Reflect, Uint8Array};
use std::sync::Arc;
use wasm_bindgen::{JsCast as _, JsValue};

/// A plain object in the making.
pub(crate) struct Object(js_sys::Object);

impl Object {
    pub(crate) fn new() -> Self {
        Self(js_sys::Object::new())
    }

    pub(crate) fn value(self, name: &str, value: &JsValue) -> Self {
        // Setting a property of a plain object cannot fail.
        let _ = Reflect::set(&self.0, &JsValue::from_str(name), value);
        self
    }

    pub(crate) fn text(self, name: &str, value: &str) -> Self {
        self.value(name, &JsValue::from_str(value))
    }

    pub(crate) fn number(self, name: &str, value: f64) -> Self {
        self.value(name, &JsValue::from_f64(value))
    }

    pub(crate) fn flag(self, name: &str, value: bool) -> Self {
        self.value(name, &JsValue::from_bool(value))
    }
}

impl From<Object> for JsValue {
    fn from(object: Object) -> Self {
        object.0.into()
    }
}

pub(crate) fn ranges<'a>(ranges: impl Iterator<Item = &'a ByteRange>) -> Array {
    ranges
        .map(|range| -> JsValue {
            Object::new()
                .text("file", range.file.as_str())
                .number("offset", range.offset as f64)
                .number("len", f64::from(range.len))
                .into()
        })
        .collect()
}

/// The bytes of a list of `Uint8Array`s.
pub(crate) fn bytes_list(parts: &Array) -> Vec<Bytes> {
    parts.iter().map(|part| Bytes::from(part.unchecked_into::<Uint8Array>().to_vec())).collect()
}

pub(crate) fn pairs(pairs: &[(String, String)]) -> JsValue {
    let pair = |(name, value): &(String, String)| Array::of2(&JsValue::from_str(name), &JsValue::from_str(value));
    pairs.iter().map(pair).collect::<Array>().into()
}

pub(crate) fn names(names: &[&str]) -> JsValue {
    names.iter().map(|name| JsValue::from_str(name)).collect::<Array>().into()
}

/// The databases of both, of two with one name the first; the documents of the second, which the page may change.
pub(crate) fn both(first: &Snapshot, second: &Snapshot) -> Snapshot {
    let mut databases = Vec::clone(&first.databases);
    databases.extend(second.databases.iter().filter(|database| first.database(&database.name).is_none()).cloned());
    Snapshot { databases: Arc::new(databases), documents: Arc::clone(&second.documents) }
}
