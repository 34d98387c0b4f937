//! The graph object: what is drawn, as JSON.

use super::range::Instant;
use serde_json::{Map, Value};

/// A JSON object; keys keep their order.
pub(super) type Object = Map<String, Value>;

/// A definition of a graph, checked by type throughout. Texts may hold templates.
#[derive(Clone, Debug, Default)]
pub(super) struct Graph {
    pub(super) name: String,
    /// The template it is an instance of; empty for none.
    pub(super) link: String,
    pub(super) groups: Vec<Group>,
    pub(super) attributes: Object,
    pub(super) options: Object,
}

#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) name: String,
    pub(super) operator: i64,
    pub(super) consolidate: i64,
    pub(super) series: Vec<Series>,
    pub(super) options: Object,
}

#[derive(Clone, Debug)]
pub(super) struct Series {
    pub(super) name: String,
    pub(super) origin: String,
    pub(super) source: String,
    pub(super) metric: String,
    /// Kept apart from `{}`, since it is shown as it came.
    pub(super) options: Option<Object>,
}

/// A JSON value is not of the type it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mistyped;

impl Graph {
    pub(super) fn read(object: Object) -> Result<Self, Mistyped> {
        let mut members = Members(object);
        for unused in ["id", "description", "alias"] {
            members.string(unused)?;
        }
        for unused in ["created", "modified"] {
            members.instant(unused)?;
        }
        members.boolean("template")?;
        Ok(Self {
            name: members.string("name")?,
            link: members.string("link")?,
            groups: members.objects("groups")?.into_iter().map(Group::read).collect::<Result<_, _>>()?,
            attributes: members.object("attributes")?.unwrap_or_default(),
            options: members.object("options")?.unwrap_or_default(),
        })
    }
}

impl Group {
    fn read(object: Object) -> Result<Self, Mistyped> {
        let mut members = Members(object);
        Ok(Self {
            name: members.string("name")?,
            operator: members.integer("operator")?,
            consolidate: members.integer("consolidate")?,
            series: members.objects("series")?.into_iter().map(Series::read).collect::<Result<_, _>>()?,
            options: members.object("options")?.unwrap_or_default(),
        })
    }
}

impl Series {
    /// As it is stored: without options where they are empty.
    pub(super) fn into_object(self) -> Object {
        let mut object = Object::new();
        for (name, text) in
            [("name", self.name), ("origin", self.origin), ("source", self.source), ("metric", self.metric)]
        {
            object.insert(name.to_owned(), Value::String(text));
        }
        if let Some(options) = self.options.filter(|options| !options.is_empty()) {
            object.insert("options".to_owned(), Value::Object(options));
        }
        object
    }

    pub(super) fn read(object: Object) -> Result<Self, Mistyped> {
        let mut members = Members(object);
        Ok(Self {
            name: members.string("name")?,
            origin: members.string("origin")?,
            source: members.string("source")?,
            metric: members.string("metric")?,
            options: members.object("options")?,
        })
    }
}

/// The members of an object, to be taken out by name and type. Absent and `null` are the same: empty, zero, false.
#[derive(Debug)]
pub(super) struct Members(pub(super) Object);

impl Members {
    fn take(&mut self, name: &str) -> Option<Value> {
        self.0.swap_remove(name).filter(|value| !value.is_null())
    }

    pub(super) fn string(&mut self, name: &str) -> Result<String, Mistyped> {
        match self.take(name) {
            None => Ok(String::new()),
            Some(Value::String(text)) => Ok(text),
            Some(_) => Err(Mistyped),
        }
    }

    /// A whole number written without point or exponent, of 64 bits.
    pub(super) fn integer(&mut self, name: &str) -> Result<i64, Mistyped> {
        self.take(name).map_or(Ok(0), |value| value.as_i64().ok_or(Mistyped))
    }

    pub(super) fn boolean(&mut self, name: &str) -> Result<bool, Mistyped> {
        self.take(name).map_or(Ok(false), |value| value.as_bool().ok_or(Mistyped))
    }

    pub(super) fn object(&mut self, name: &str) -> Result<Option<Object>, Mistyped> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Object(object)) => Ok(Some(object)),
            Some(_) => Err(Mistyped),
        }
    }

    /// An array of objects, none of them `null`.
    fn objects(&mut self, name: &str) -> Result<Vec<Object>, Mistyped> {
        let values = match self.take(name) {
            None => return Ok(Vec::new()),
            Some(Value::Array(values)) => values,
            Some(_) => return Err(Mistyped),
        };
        let object = |value| if let Value::Object(object) = value { Ok(object) } else { Err(Mistyped) };
        values.into_iter().map(object).collect()
    }

    /// An array of texts.
    pub(super) fn texts(&mut self, name: &str) -> Result<Option<Vec<String>>, Mistyped> {
        let values = match self.take(name) {
            None => return Ok(None),
            Some(Value::Array(values)) => values,
            Some(_) => return Err(Mistyped),
        };
        let text = |value| if let Value::String(text) = value { Ok(text) } else { Err(Mistyped) };
        values.into_iter().map(text).collect::<Result<_, _>>().map(Some)
    }

    /// RFC 3339; Go's zero time counts as absent.
    pub(super) fn instant(&mut self, name: &str) -> Result<Option<Instant>, Mistyped> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Instant::parse(&text).ok_or(Mistyped),
            Some(_) => Err(Mistyped),
        }
    }
}
