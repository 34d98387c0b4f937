//! What is asked for: the body of a request for points, its defaults, its checks in Facette's order.

use super::error::Error;
use super::graph::{Graph, Members, Mistyped, Object};
use super::library::{Kind, Shelf};
use super::link;
use super::query;
use super::range::Instant;
use super::template::Attributes;
use crate::dialect::exchange::ApiRequest;
use crate::limits::Limits;
use crate::time::Timestamp;
use serde_json::Value;

/// `sample` when none is given.
const SAMPLE: i64 = 400;
/// The range when neither the request nor the graph has one.
pub(super) const RANGE: &str = "-1h";

/// A request that may be compiled: a graph with its templates filled in, over a window.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) graph: Graph,
    pub(super) window: Window,
    /// Buckets, before they are lowered to the points there are. Above zero.
    pub(super) sample: u64,
    /// Bucket groups without an operator too.
    pub(super) normalize: bool,
}

/// `[start, end)`, and how it is shown.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub(super) start: Instant,
    /// Not before `start`.
    pub(super) end: Instant,
}

/// What a request has that does not say it itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Given<'a> {
    pub(super) window: Window,
    pub(super) sample: u64,
    pub(super) origin: &'a str,
}

impl Request {
    pub(super) fn read(request: &ApiRequest, shelf: &Shelf, limits: &Limits) -> Result<Self, Error> {
        let body = Body::read(query::body(request, limits)?).map_err(|Mistyped| Error::Parameter)?;
        Self::of(body, shelf, limits, request.now)
    }

    /// The same body as a text of a query language; what it leaves out is `given`.
    pub(super) fn within(
        text: &[u8],
        given: &Given<'_>,
        shelf: &Shelf,
        limits: &Limits,
        now: Timestamp,
    ) -> Result<Self, Error> {
        let mut body = Body::read(text).map_err(|Mistyped| Error::Parameter)?;
        if body.span.is_absent() {
            (body.span.start, body.span.end) = (Some(given.window.start), Some(given.window.end));
        }
        if body.sample == 0 {
            body.sample = given.sample.min(limits.max_sample) as i64;
        }
        let mut request = Self::of(body, shelf, limits, now)?;
        let series = request.graph.groups.iter_mut().flat_map(|group| &mut group.series);
        series.filter(|series| series.origin.is_empty()).for_each(|series| given.origin.clone_into(&mut series.origin));
        Ok(request)
    }

    fn of(body: Body, shelf: &Shelf, limits: &Limits, now: Timestamp) -> Result<Self, Error> {
        let sample = match body.sample {
            0 => SAMPLE,
            sample => sample,
        };
        let sample = u64::try_from(sample).map_err(|_| Error::Parameter)?;
        if sample > limits.max_sample {
            return Err(Error::Parameter);
        }
        let mut graph = match shelf.id(Kind::Graphs, &body.id) {
            Some(id) => link::read(shelf.item(Kind::Graphs, id).ok_or(Error::NotFound)?)?,
            None if body.id.is_empty() => body.graph.ok_or(Error::Parameter)?,
            None => return Err(Error::NotFound),
        };
        graph.attributes.extend(body.attributes);
        let mut graph = link::linked(graph, shelf)?;
        Attributes::new(&graph.attributes, limits).fill_in(&mut graph.options, &mut graph.groups)?;
        let window = body.span.window(graph.options.get("range").and_then(Value::as_str), now)?;
        Ok(Self { graph, window, sample, normalize: body.normalize })
    }
}

/// The body, checked by type. Members it does not know are passed over.
#[derive(Debug)]
struct Body {
    id: String,
    graph: Option<Graph>,
    span: Span,
    sample: i64,
    attributes: Object,
    normalize: bool,
}

impl Body {
    fn read(text: &[u8]) -> Result<Self, Mistyped> {
        let Ok(Value::Object(object)) = serde_json::from_slice(text) else { return Err(Mistyped) };
        let mut members = Members(object);
        Ok(Self {
            id: members.string("id")?,
            graph: members.object("graph")?.map(Graph::read).transpose()?,
            span: Span {
                time: members.instant("time")?,
                range: members.string("range")?,
                start: members.instant("start_time")?,
                end: members.instant("end_time")?,
            },
            sample: members.integer("sample")?,
            attributes: members.object("attributes")?.unwrap_or_default(),
            normalize: members.boolean("normalize")?,
        })
    }
}

/// How a request says which time it wants.
#[derive(Debug)]
struct Span {
    time: Option<Instant>,
    range: String,
    start: Option<Instant>,
    end: Option<Instant>,
}

impl Span {
    fn is_absent(&self) -> bool {
        self.time.is_none() && self.range.is_empty() && self.start.is_none() && self.end.is_none()
    }

    /// `of_graph` is the range that the graph's options have. It counts even when it is empty.
    fn window(&self, of_graph: Option<&str>, now: Timestamp) -> Result<Window, Error> {
        let window = match (self.start, self.end) {
            (None, None) => {
                let time = self.time.or_else(|| Instant::new(now.nanos(), 0)).ok_or(Error::Parameter)?;
                let range = if self.range.is_empty() { of_graph.unwrap_or(RANGE) } else { &self.range };
                let moved = time.moved(range).ok_or(Error::Parameter)?;
                let (start, end) = if range.starts_with('-') { (moved, time) } else { (time, moved) };
                Window { start, end }
            }
            (Some(start), Some(end)) if self.range.is_empty() => Window { start, end },
            _ => return Err(Error::TimeRange),
        };
        if window.start.nanos > window.end.nanos { Err(Error::TimeRange) } else { Ok(window) }
    }
}
