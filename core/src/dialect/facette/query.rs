//! What requests of the library and the catalog have in common: parameters, and bodies of JSON.

use super::error::Error;
use super::graph::Object;
use crate::dialect::exchange::ApiRequest;
use crate::dialect::form;
use crate::limits::{Exceeded, Limits};
use serde_json::Value;
use std::ops::Range;

/// The parameters of a request; the first of repeated ones counts.
#[derive(Debug)]
pub(super) struct Query {
    pairs: Vec<(String, String)>,
}

impl Query {
    pub(super) fn new(request: &ApiRequest) -> Self {
        let pairs = form::pairs(request.query.as_bytes());
        Self { pairs: pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect() }
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A text that is not empty.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|text| !text.is_empty())
    }

    pub(super) fn flag(&self, name: &str) -> bool {
        matches!(self.get(name), Some("1" | "true"))
    }

    /// The parts of a list with commas; `None` when it is empty.
    pub(super) fn list(&self, name: &str) -> Option<Vec<&str>> {
        Some(self.text(name)?.split(',').map(str::trim).collect())
    }

    pub(super) fn page(&self) -> Result<Page, Error> {
        let number = |name| self.text(name).map_or(Ok(0), |text| text.parse().map_err(|_| Error::Parameter));
        Ok(Page { offset: number("offset")?, limit: number("limit")? })
    }
}

/// Which of many records are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Page {
    offset: usize,
    /// 0 is no limit.
    limit: usize,
}

impl Page {
    pub(super) fn of(self, records: usize) -> Range<usize> {
        let start = self.offset.min(records);
        let end = if self.limit == 0 { records } else { start.saturating_add(self.limit).min(records) };
        start..end
    }
}

/// The body, once its media type is JSON and it is not too long.
pub(super) fn body<'a>(request: &'a ApiRequest, limits: &Limits) -> Result<&'a [u8], Error> {
    let media = request.header("content-type").and_then(|media| media.split(';').next()).unwrap_or_default();
    if !media.trim().eq_ignore_ascii_case("application/json") {
        return Err(Error::ContentType);
    }
    let (asked, allowed) = (request.body.len() as u64, limits.query_text as u64);
    if asked > allowed {
        return Err(Exceeded { limit: "request-text", asked, allowed }.into());
    }
    Ok(&request.body)
}

/// The body as JSON; `wrong` where it is none.
pub(super) fn body_value(request: &ApiRequest, limits: &Limits, wrong: Error) -> Result<Value, Error> {
    serde_json::from_slice(body(request, limits)?).map_err(|_| wrong)
}

/// The body as an object; `null` is an empty one.
pub(super) fn body_object(request: &ApiRequest, limits: &Limits, wrong: Error) -> Result<Object, Error> {
    match body_value(request, limits, wrong.clone())? {
        Value::Object(object) => Ok(object),
        Value::Null => Ok(Object::new()),
        _ => Err(wrong),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &str) -> Query {
        Query {
            pairs: form::pairs(text.as_bytes()).map(|(name, value)| (name.into_owned(), value.into_owned())).collect(),
        }
    }

    #[test]
    fn pages_cut_records() {
        let page = |text: &str| query(text).page().map(|page| page.of(5));
        assert_eq!(page(""), Ok(0..5));
        assert_eq!(page("limit=2&offset=1&limit=9"), Ok(1..3));
        assert_eq!(page("offset=3"), Ok(3..5));
        assert_eq!(page("offset=9&limit=18446744073709551615"), Ok(5..5));
        for wrong in ["limit=-1", "offset=x", "limit=1.0", "limit=99999999999999999999"] {
            assert_eq!(page(wrong), Err(Error::Parameter), "{wrong}");
        }
    }

    #[test]
    fn lists_and_flags() {
        let query = query("fields=a,b.c, d&expand=true&sort=&other=yes");
        assert_eq!(query.list("fields"), Some(vec!["a", "b.c", "d"]));
        assert_eq!((query.list("sort"), query.list("none")), (None, None));
        assert!(query.flag("expand") && !query.flag("other"));
    }
}
