//! An answer of `/query` as it grows: statements, series, rows, in whatever format.
//!
//! [`Answer`] decides what goes into which document (one, or one a chunk), where a series or a result is `partial`, and
//! what the row limit cuts; an [`Encoder`] knows how a format writes each of these. Rows are encoded as they come, so
//! an answer is never in memory whole where its format allows that.

use super::encode_csv::Csv;
use super::encode_json::Json;
use super::encode_msgpack::MsgPack;
use crate::limits::Limits;
use crate::model::Column;
use crate::plan::Scalar;
use crate::time::{NANOS_PER_HOUR, NANOS_PER_MICRO, NANOS_PER_MILLI, NANOS_PER_MINUTE, NANOS_PER_SEC, Zone};
use crate::value::Value;
use std::sync::Arc;

/// Rows of one series.
#[derive(Clone, Debug, Default)]
pub(super) struct Part {
    /// Empty for a series without a name.
    pub(super) name: String,
    /// In key order.
    pub(super) tags: Vec<(String, String)>,
    /// The names of all columns, that of `times` first when there are times.
    pub(super) columns: Arc<[String]>,
    pub(super) times: Option<Vec<i64>>,
    /// Of equal length, and as long as `times`.
    pub(super) values: Vec<Column>,
    /// A last column whose cells are lists of texts.
    pub(super) lists: Option<Vec<Vec<String>>>,
    /// What is shown where a column of `values` has none; as long as `values`, or empty.
    pub(super) stand_ins: Arc<[Option<Scalar>]>,
}

impl Part {
    /// The values of a row. What is no number shows as nothing, and nothing stands in for it.
    pub(super) fn row(&self, row: usize) -> impl Iterator<Item = Option<Value<'_>>> {
        self.values.iter().enumerate().map(move |(at, column)| match column.get(row) {
            Some(Value::Float(value)) if value.is_nan() => None,
            None => self.stand_ins.get(at)?.as_ref().map(Scalar::as_value),
            value => value,
        })
    }

    pub(super) fn rows(&self) -> usize {
        match &self.times {
            Some(times) => times.len(),
            None => self.values.first().map_or(0, Column::len),
        }
    }
}

/// What of a statement's result makes a document of a chunked answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chunks {
    /// So many rows of a series.
    Rows,
    /// A series (`SHOW TAG KEYS`).
    Series,
    /// All of it.
    Whole,
}

/// How times print.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Epoch {
    Rfc3339,
    /// Whole units of so many nanoseconds, cut toward zero.
    Unit(i64),
}

impl Epoch {
    /// The parameter `epoch`: words that InfluxDB does not know mean nanoseconds.
    pub(super) fn from_parameter(text: &str) -> Self {
        match text {
            "" => Self::Rfc3339,
            "u" => Self::Unit(NANOS_PER_MICRO),
            "ms" => Self::Unit(NANOS_PER_MILLI),
            "s" => Self::Unit(NANOS_PER_SEC),
            "m" => Self::Unit(NANOS_PER_MINUTE),
            "h" => Self::Unit(NANOS_PER_HOUR),
            _ => Self::Unit(1),
        }
    }
}

/// The format of an answer, by the media type that asked for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    Csv(&'static str),
    MsgPack,
}

impl Format {
    /// The best of the formats that an `Accept` header lists: by weight, then in the order listed; JSON when none is
    /// known.
    pub(super) fn negotiate(accept: &str) -> Self {
        const OFFERS: [(&str, Format); 4] = [
            ("application/json", Format::Json),
            ("application/csv", Format::Csv("application/csv")),
            ("text/csv", Format::Csv("text/csv")),
            ("application/x-msgpack", Format::MsgPack),
        ];
        let mut best: Option<(f64, Self)> = None;
        for range in accept.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let media = parts.next().unwrap_or_default();
            let (kind, subkind) = media.split_once('/').unwrap_or((media, "*"));
            let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1.0), |text| {
                crate::number::parse_f64(text.as_bytes()).filter(|weight| (0.0..=1.0).contains(weight))
            });
            let Some(weight) = weight.filter(|weight| *weight > 0.0) else { continue };
            let matching = OFFERS.iter().find(|(offer, _)| {
                let (offer_kind, offer_subkind) = offer.split_once('/').unwrap_or((offer, ""));
                (kind == "*" || kind.eq_ignore_ascii_case(offer_kind))
                    && (subkind == "*" || subkind.eq_ignore_ascii_case(offer_subkind))
            });
            if let Some((_, format)) = matching
                && best.is_none_or(|(known, _)| weight > known)
            {
                best = Some((weight, *format));
            }
        }
        best.map_or(Self::Json, |(_, format)| format)
    }

    pub(super) const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Csv(media) => media,
            Self::MsgPack => "application/x-msgpack",
        }
    }

    pub(super) fn encoder(self, epoch: Epoch, pretty: bool, limits: &Limits) -> Box<dyn Encoder> {
        match self {
            Self::Json => Box::new(Json::new(epoch, pretty)),
            Self::Csv(_) => Box::new(Csv::new(epoch)),
            Self::MsgPack => Box::new(MsgPack::new(epoch, limits.query_memory)),
        }
    }
}

/// Writes the pieces of an answer in one format. Calls come nested: document > result > series > row.
pub(super) trait Encoder: Send + std::fmt::Debug {
    /// A document without any result is `{}` in JSON.
    fn begin_document(&mut self);
    fn begin_result(&mut self, statement: usize, messages: &[String]);
    fn begin_series(&mut self, part: &Part);
    fn row(&mut self, part: &Part, row: usize);
    fn end_series(&mut self, partial: bool);
    fn end_result(&mut self, partial: bool, error: Option<&str>);
    fn end_document(&mut self);
    /// A whole document that says only this.
    fn error_document(&mut self, text: &str);
    /// Bytes that are final.
    fn len(&self) -> usize;
    fn take(&mut self) -> Vec<u8>;
    /// Forgets what was not taken, finished or not. Only a whole document may follow.
    fn discard(&mut self);
    /// Times print in this zone from here on; `None` is UTC. Formats whose times are numbers have no zones.
    fn in_zone(&mut self, _zone: Option<Arc<Zone>>) {}
    /// What was met that the format cannot say; a document that holds it should not be sent.
    fn unprintable(&self) -> Option<&'static str> {
        None
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Answer {
    encoder: Box<dyn Encoder>,
    /// Rows of a document of a chunked answer.
    chunk: Option<usize>,
    /// 0: none. Holds for unchunked answers only.
    row_limit: u64,
    rows: u64,
    statement: usize,
    messages: Vec<String>,
    document: bool,
    result: bool,
    /// The series whose rows are being written: name and tags.
    series: Option<(String, Vec<(String, String)>)>,
    chunk_rows: usize,
    chunks: Chunks,
    full: bool,
}

impl Answer {
    pub(super) fn new(encoder: Box<dyn Encoder>, chunk: Option<usize>, row_limit: u64) -> Self {
        Self {
            encoder,
            chunk,
            row_limit: if chunk.is_some() { 0 } else { row_limit },
            rows: 0,
            statement: 0,
            messages: Vec::new(),
            document: false,
            result: false,
            series: None,
            chunk_rows: 0,
            chunks: Chunks::Rows,
            full: false,
        }
    }

    /// A statement's result begins.
    pub(super) fn begin(&mut self, statement: usize, messages: Vec<String>) {
        self.statement = statement;
        self.messages = messages;
        self.encoder.in_zone(None);
        self.chunks = Chunks::Rows;
    }

    /// Times of the statement print in this zone; `None` is UTC.
    pub(super) fn in_zone(&mut self, zone: Option<Arc<Zone>>) {
        self.encoder.in_zone(zone);
    }

    /// What of the statement's result makes a document when chunked.
    pub(super) fn chunk_by(&mut self, chunks: Chunks) {
        self.chunks = chunks;
    }

    /// Rows of a series, beginning with `from`: of the last one when name and tags are the same, else of another. Stops
    /// when `enough` bytes wait to be taken, and answers which row is next.
    pub(super) fn part(&mut self, part: &Part, from: usize, enough: usize) -> usize {
        if self.full {
            return part.rows();
        }
        let same = self.series.as_ref().is_some_and(|(name, tags)| *name == part.name && *tags == part.tags);
        if !same {
            self.close_series(false);
            if self.chunk.is_some() && self.result && self.chunks != Chunks::Whole {
                self.close_result(self.chunks == Chunks::Rows, None);
            }
            self.open_result();
            self.open_series(part);
        }
        for row in from..part.rows() {
            if self.row_limit > 0 && self.rows == self.row_limit {
                self.close_series(true);
                self.full = true;
                return part.rows();
            }
            if self.encoder.len() >= enough {
                return row;
            }
            if self.chunk.is_some_and(|size| self.chunk_rows == size && self.chunks == Chunks::Rows) {
                self.close_series(true);
                self.close_result(true, None);
                self.open_result();
                self.open_series(part);
            }
            self.encoder.row(part, row);
            self.rows += 1;
            self.chunk_rows += 1;
        }
        part.rows()
    }

    /// The statement's result ends.
    pub(super) fn end(&mut self, error: Option<&str>) {
        self.close_series(false);
        if self.chunk.is_some() && self.result && error.is_some() {
            self.close_result(false, None);
        }
        if error.is_some() && !self.result {
            // What failed is not warned about.
            self.messages.clear();
        }
        self.open_result();
        self.close_result(false, error);
        if self.row_limit > 0 && self.rows == self.row_limit {
            self.full = true;
        }
    }

    /// Whether the row limit is reached: what would come after is dropped.
    pub(super) const fn is_full(&self) -> bool {
        self.full
    }

    pub(super) const fn is_chunked(&self) -> bool {
        self.chunk.is_some()
    }

    /// Says only this instead of all that was not taken yet.
    pub(super) fn replace(&mut self, error: &str) {
        self.encoder.discard();
        self.encoder.error_document(error);
    }

    /// The answer ends.
    pub(super) fn finish(&mut self) {
        if self.chunk.is_some() && self.document {
            return;
        }
        if !self.document {
            self.encoder.begin_document();
        }
        self.encoder.end_document();
        self.document = true;
    }

    pub(super) fn len(&self) -> usize {
        self.encoder.len()
    }

    pub(super) fn take(&mut self) -> Vec<u8> {
        self.encoder.take()
    }

    pub(super) fn unprintable(&self) -> Option<&'static str> {
        self.encoder.unprintable()
    }

    fn open_result(&mut self) {
        if self.result {
            return;
        }
        if !self.document || self.chunk.is_some() {
            self.encoder.begin_document();
            self.document = true;
        }
        self.encoder.begin_result(self.statement, &std::mem::take(&mut self.messages));
        self.result = true;
        self.chunk_rows = 0;
    }

    fn close_result(&mut self, partial: bool, error: Option<&str>) {
        self.encoder.end_result(partial, error);
        self.result = false;
        if self.chunk.is_some() {
            self.encoder.end_document();
        }
    }

    fn open_series(&mut self, part: &Part) {
        self.encoder.begin_series(part);
        self.series = Some((part.name.clone(), part.tags.clone()));
    }

    fn close_series(&mut self, partial: bool) {
        if self.series.take().is_some() {
            self.encoder.end_series(partial);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accept_lists_are_weighed() {
        let check = |accept: &str, expected: &str| assert_eq!(Format::negotiate(accept).content_type(), expected);
        check("", "application/json");
        check("text/html", "application/json");
        check("*/*", "application/json");
        check("text/*", "text/csv");
        check("application/csv", "application/csv");
        check("text/html, text/csv;q=0.8, application/json;q=0.5", "text/csv");
        check("text/csv;q=0.5, application/x-msgpack ; q=0.9", "application/x-msgpack");
        check("application/json; charset=utf-8", "application/json");
    }
}
