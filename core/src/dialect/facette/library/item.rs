//! What an item of the library holds: the members of each kind, how they are read, and when an item may be saved.
//!
//! An item is a JSON object whose members stand in the order of the tables here. It is stored as it is shown.

use super::super::error::Error;
use super::super::graph::{Mistyped, Object};
use super::super::range::Instant;
use super::super::template;
use super::patterns::Pattern;
use super::shelf::Shelf;
use serde_json::Value;

/// One kind of item, a collection of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::dialect::facette) enum Kind {
    Collections,
    Graphs,
    SourceGroups,
    MetricGroups,
}

/// A member of an item.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) name: &'static str,
    form: Form,
}

/// The type of a member, what stands for absence, and what `null` does to a stored one.
#[derive(Debug)]
enum Form {
    /// `""` for absent; `null` changes nothing.
    Text,
    /// Absent and `""` are `null`.
    Description,
    /// The server's own. Checked where it is given, and passed over.
    Time,
    /// `false` for absent; `null` changes nothing.
    Flag,
    /// 0 for absent; `null` changes nothing.
    Whole,
    /// An identifier or a name: left out where empty.
    Optional,
    /// Left out where empty. Merged with the stored one, key by key.
    Object,
    /// Texts; absent is empty.
    Texts,
    /// Left out where empty.
    Items(&'static [Member]),
    /// `null` for absent.
    Always(&'static [Member]),
}

const fn member(name: &'static str, form: Form) -> Member {
    Member { name, form }
}

const SERIES: &[Member] = &[
    member("name", Form::Text),
    member("origin", Form::Text),
    member("source", Form::Text),
    member("metric", Form::Text),
    member("options", Form::Object),
];
const GROUP: &[Member] = &[
    member("name", Form::Text),
    member("operator", Form::Whole),
    member("consolidate", Form::Whole),
    member("series", Form::Always(SERIES)),
    member("options", Form::Object),
];
const ENTRY: &[Member] =
    &[member("graph", Form::Text), member("attributes", Form::Object), member("options", Form::Object)];
const GRAPHS: &[Member] = &[
    member("id", Form::Text),
    member("name", Form::Text),
    member("description", Form::Description),
    member("created", Form::Time),
    member("modified", Form::Time),
    member("groups", Form::Items(GROUP)),
    member("link", Form::Optional),
    member("attributes", Form::Object),
    member("alias", Form::Optional),
    member("options", Form::Object),
    member("template", Form::Flag),
];
const COLLECTIONS: &[Member] = &[
    member("id", Form::Text),
    member("name", Form::Text),
    member("description", Form::Description),
    member("created", Form::Time),
    member("modified", Form::Time),
    member("entries", Form::Items(ENTRY)),
    member("link", Form::Optional),
    member("attributes", Form::Object),
    member("alias", Form::Optional),
    member("options", Form::Object),
    member("parent", Form::Optional),
    member("template", Form::Flag),
];
const GROUPS: &[Member] = &[
    member("id", Form::Text),
    member("name", Form::Text),
    member("description", Form::Description),
    member("created", Form::Time),
    member("modified", Form::Time),
    member("patterns", Form::Texts),
];

impl Kind {
    /// In the order in which a search lists them, and of names that refer to each other the referred ones last.
    pub(in crate::dialect::facette) const ALL: [Self; 4] =
        [Self::Collections, Self::Graphs, Self::SourceGroups, Self::MetricGroups];

    pub(in crate::dialect::facette) const fn name(self) -> &'static str {
        match self {
            Self::Collections => "collections",
            Self::Graphs => "graphs",
            Self::SourceGroups => "sourcegroups",
            Self::MetricGroups => "metricgroups",
        }
    }

    pub(in crate::dialect::facette) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    pub(super) const fn members(self) -> &'static [Member] {
        match self {
            Self::Collections => COLLECTIONS,
            Self::Graphs => GRAPHS,
            Self::SourceGroups | Self::MetricGroups => GROUPS,
        }
    }

    /// Whether its items have aliases, templates and instances.
    pub(super) const fn has_templates(self) -> bool {
        matches!(self, Self::Collections | Self::Graphs)
    }
}

impl Form {
    const fn null_clears(&self) -> bool {
        !matches!(self, Self::Text | Self::Time | Self::Flag | Self::Whole)
    }

    /// A given value, of the right type throughout. Objects are put over the one that is kept.
    fn read(&self, given: Value, kept: Option<Value>) -> Result<Value, Mistyped> {
        match (self, given) {
            (Self::Text | Self::Optional | Self::Description, Value::String(text)) => Ok(Value::String(text)),
            (Self::Flag, Value::Bool(flag)) => Ok(Value::Bool(flag)),
            (Self::Whole, Value::Number(number)) if number.is_i64() => Ok(Value::Number(number)),
            (Self::Time, Value::String(text)) => match Instant::parse(&text) {
                Some(_) => Ok(kept.unwrap_or_default()),
                None => Err(Mistyped),
            },
            (Self::Object, Value::Object(given)) => match kept {
                Some(Value::Object(mut kept)) => {
                    kept.extend(given);
                    Ok(Value::Object(kept))
                }
                _ => Ok(Value::Object(given)),
            },
            (Self::Texts, Value::Array(texts)) => {
                if texts.iter().all(Value::is_string) {
                    Ok(Value::Array(texts))
                } else {
                    Err(Mistyped)
                }
            }
            (Self::Items(members) | Self::Always(members), Value::Array(items)) => {
                let mut read_items = Vec::with_capacity(items.len());
                for item in items {
                    let Value::Object(item) = item else { return Err(Mistyped) };
                    read_items.push(Value::Object(read(members, Object::new(), item)?));
                }
                Ok(Value::Array(read_items))
            }
            _ => Err(Mistyped),
        }
    }

    /// What is written for a value; `None` leaves the member out.
    fn stored(&self, value: Option<Value>) -> Option<Value> {
        let empty = match &value {
            None | Some(Value::Null) => true,
            Some(Value::String(text)) => text.is_empty(),
            Some(Value::Array(items)) => items.is_empty() && !matches!(self, Self::Always(_)),
            Some(Value::Object(object)) => object.is_empty(),
            Some(_) => false,
        };
        if !empty {
            return value;
        }
        match self {
            Self::Text => Some(Value::String(String::new())),
            Self::Description | Self::Time | Self::Always(_) => Some(Value::Null),
            Self::Flag => Some(Value::Bool(false)),
            Self::Whole => Some(Value::from(0)),
            Self::Texts => Some(Value::Array(Vec::new())),
            Self::Optional | Self::Object | Self::Items(_) => None,
        }
    }
}

/// An object of these members: what is given over what is kept. Members it does not know are dropped.
fn read(members: &[Member], mut kept: Object, mut given: Object) -> Result<Object, Mistyped> {
    let mut out = Object::new();
    for Member { name, form } in members {
        let kept = kept.swap_remove(*name);
        let value = match given.swap_remove(*name) {
            None => kept,
            Some(Value::Null) if form.null_clears() => None,
            Some(Value::Null) => kept,
            Some(value) => Some(form.read(value, kept)?),
        };
        if let Some(value) = form.stored(value) {
            out.insert((*name).to_owned(), value);
        }
    }
    Ok(out)
}

/// An item as a body describes it, over one that is kept (empty for none). `Mistyped` where any member, at any depth, is
/// not of its type.
pub(super) fn item(kind: Kind, kept: Object, given: Object) -> Result<Object, Mistyped> {
    read(kind.members(), kept, given)
}

/// A series entry of a request, in the form in which it is shown.
pub(in crate::dialect::facette) fn series(given: Object) -> Result<Object, Mistyped> {
    read(SERIES, Object::new(), given)
}

/// A member that is a text; empty where absent.
pub(super) fn text<'a>(item: &'a Object, name: &str) -> &'a str {
    item.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// The objects of a member that is a list of them.
pub(super) fn objects<'a>(item: &'a Object, name: &str) -> impl Iterator<Item = &'a Object> {
    item.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object)
}

/// 8-4-4-4-12 hexadecimal digits.
pub(in crate::dialect::facette) fn is_uuid(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() == 36
        && bytes.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// A random (version 4) identifier of 16 random bytes.
pub(super) fn uuid(mut bytes: [u8; 16]) -> String {
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut text = String::with_capacity(36);
    for (at, byte) in bytes.into_iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from_digit(digit.into(), 16).expect("four bits are a digit"));
        }
    }
    text
}

/// Letters and digits of ASCII at both ends; also `.`, `_` and `-` between.
pub(super) fn is_name(text: &str) -> bool {
    let bytes = text.as_bytes();
    let ends = bytes.first().zip(bytes.last());
    ends.is_some_and(|(first, last)| first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric())
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(byte))
}

/// Facette's checks of an item that is about to be saved, in their order. `is_new`: it must not be there yet.
pub(super) fn check(kind: Kind, item: &Object, is_new: bool, shelf: &Shelf) -> Result<(), Error> {
    let (id, name, alias) = (text(item, "id"), text(item, "name"), text(item, "alias"));
    if !is_uuid(id) {
        return Err(Error::Identifier);
    }
    if !is_name(name) {
        return Err(Error::Name);
    }
    if !alias.is_empty() && !is_name(alias) {
        return Err(Error::Alias);
    }
    check_patterns(kind, item)?;
    let known = |kind: Kind, wanted: &str| wanted.is_empty() || wanted == id || shelf.has(kind, wanted);
    let entries = objects(item, "entries").all(|entry| shelf.has(Kind::Graphs, text(entry, "graph")));
    if !known(kind, text(item, "link")) || !known(kind, text(item, "parent")) || !entries {
        return Err(Error::Reference);
    }
    let other = |taken: Option<&str>| taken.is_some_and(|owner| owner != id);
    let taken = other(shelf.named(kind, name)) || !alias.is_empty() && other(shelf.aliased(kind, alias));
    if taken || is_new && shelf.has(kind, id) { Err(Error::Conflict) } else { Ok(()) }
}

fn check_patterns(kind: Kind, item: &Object) -> Result<(), Error> {
    let Some(Value::Array(patterns)) = item.get("patterns") else { return Ok(()) };
    for pattern in patterns {
        Pattern::of_group(pattern.as_str().unwrap_or_default()).map_err(|_| Error::Pattern)?;
    }
    if patterns.is_empty() && kind == Kind::SourceGroups { Err(Error::EmptyGroup) } else { Ok(()) }
}

/// A template must parse, wherever in it the text stands.
pub(super) fn check_template(item: &Object) -> Result<(), Error> {
    match item.get("template") {
        Some(Value::Bool(true)) => template::keys(&super::shelf::to_text(item)).map(drop),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(value: Value) -> Object {
        let Value::Object(object) = value else { panic!("no object") };
        object
    }

    #[test]
    fn an_item_is_stored_as_it_is_shown() {
        let given = json!({
            "template": null, "options": {}, "name": "n", "unknown": 1, "description": "", "link": "",
            "groups": [{ "series": [{ "metric": "m", "options": { "x": null } }], "operator": 2 }, {}],
        });
        let stored = item(Kind::Graphs, Object::new(), object(given)).unwrap();
        let series = json!({ "name": "", "origin": "", "source": "", "metric": "m", "options": { "x": null } });
        let expected = json!({
            "id": "", "name": "n", "description": null, "created": null, "modified": null,
            "groups": [
                { "name": "", "operator": 2, "consolidate": 0, "series": [series] },
                { "name": "", "operator": 0, "consolidate": 0, "series": null },
            ],
            "template": false,
        });
        assert_eq!(super::super::shelf::to_text(&stored), super::super::shelf::to_text(&object(expected)));
    }

    #[test]
    fn a_patch_goes_over_what_is_kept() {
        let kept = json!({
            "id": "i", "name": "n", "description": "d", "attributes": { "a": 1, "b": 2 }, "options": { "o": 1 },
            "groups": [{ "name": "g" }], "alias": "x", "template": true,
        });
        let given = json!({
            "name": null, "description": null, "attributes": { "b": null, "c": 3 }, "options": null,
            "groups": [{ "name": "h" }, { "name": "i" }], "alias": "", "template": null,
        });
        let merged = item(Kind::Graphs, object(kept), object(given)).unwrap();
        assert_eq!((text(&merged, "name"), &merged["description"]), ("n", &Value::Null));
        assert_eq!(merged["attributes"], json!({ "a": 1, "b": null, "c": 3 }));
        assert_eq!((merged.get("options"), merged.get("alias")), (None, None));
        assert_eq!((objects(&merged, "groups").count(), &merged["template"]), (2, &json!(true)));
    }

    #[test]
    fn types_are_checked_throughout() {
        for wrong in [
            json!({ "name": 1 }),
            json!({ "created": "yesterday" }),
            json!({ "template": 1 }),
            json!({ "groups": { "a": 1 } }),
            json!({ "groups": [null] }),
            json!({ "groups": [{ "operator": 1.0 }] }),
            json!({ "groups": [{ "series": [{ "options": [] }] }] }),
            json!({ "alias": {} }),
            json!({ "attributes": "x" }),
        ] {
            assert_eq!(item(Kind::Graphs, Object::new(), object(wrong.clone())), Err(Mistyped), "{wrong}");
        }
        let wrong = object(json!({ "patterns": ["a", 1] }));
        assert_eq!(item(Kind::SourceGroups, Object::new(), wrong), Err(Mistyped));
    }

    #[test]
    fn names_and_identifiers() {
        for name in ["a", "a.b", "A_1-2.z", "0"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", "-a", "a.", "a b", "é", "a/b", "_"] {
            assert!(!is_name(name), "{name}");
        }
        assert!(is_uuid("11B00001-0000-4000-8000-00000000000a") && is_uuid(&uuid([7; 16])));
        assert_eq!(uuid([0xff; 16]), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        for id in ["", "11b00001-0000-4000-8000-00000000000", "11b00001-0000-4000-8000-00000000000g"] {
            assert!(!is_uuid(id), "{id}");
        }
        assert!(!is_uuid("11b000010-000-4000-8000-000000000001"));
    }
}
