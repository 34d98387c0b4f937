//! Graphs for those who do not know Facette: the body of a request for points over a window, a frame a series.

use super::error::Error;
use super::gather::{Gathered, Gathering};
use super::library::Shelf;
use super::range::Instant;
use super::request::{Given, Request, Window};
use crate::dialect::language::{Inquiry, InquiryTurn, Question};
use crate::dialect::route::readable;
use crate::exec::Budget;
use crate::model::column::Values;
use crate::model::frame::FrameColumn;
use crate::model::{Bitmap, Column, Frame};
use crate::time::NANOS_PER_SEC;
use bytes::Bytes;
use std::vec::IntoIter;

const NANOS_PER_MILLI: i64 = 1_000_000;

enum Graph {
    Gathering(Box<Gathering>),
    Gathered(IntoIter<Frame>),
    Failed(String),
}

/// Answers the body of a request for points. Where it names no time, no sample or no origin, they are the question's:
/// its range, which ends before its last millisecond, its points, its database.
pub fn ask(question: &Question<'_>) -> Result<Box<dyn Inquiry>, String> {
    let gathering = begin(question).map_err(|error| error.to_string())?;
    Ok(Box::new(Graph::Gathering(Box::new(gathering))))
}

fn begin(question: &Question<'_>) -> Result<Gathering, Error> {
    let instant = |millis: i64| Instant::new(millis.saturating_mul(NANOS_PER_MILLI), 0).ok_or(Error::TimeRange);
    let window = Window { start: instant(question.from_millis)?, end: instant(question.to_millis)? };
    let given = Given { window, sample: question.points, origin: question.database.unwrap_or_default() };
    let snapshot = readable(&question.snapshot, question.principal);
    let shelf = Shelf::new(&snapshot);
    let limits = &question.config.limits;
    let request = Request::within(question.text.as_bytes(), &given, &shelf, limits, question.now)?;
    Gathering::new(request, snapshot, &shelf, question.config).map(|(gathering, _)| gathering)
}

impl Inquiry for Graph {
    fn turn(&mut self, budget: Budget) -> InquiryTurn {
        match std::mem::replace(self, Self::Gathered(Vec::new().into_iter())) {
            Self::Gathering(mut gathering) => {
                let turn = match gathering.step(budget) {
                    Ok(Gathered::Need(ranges)) => InquiryTurn::Read(ranges),
                    Ok(Gathered::Yield) => InquiryTurn::Yield,
                    Ok(Gathered::Done(_)) => {
                        let series = gathering.into_answer().into_series();
                        let frames: Vec<Frame> =
                            series.map(|(name, times, values)| frame(name, &times, values)).collect();
                        *self = Self::Gathered(frames.into_iter());
                        return InquiryTurn::Yield;
                    }
                    Err(error) => return InquiryTurn::Failed(error.to_string()),
                };
                *self = Self::Gathering(gathering);
                turn
            }
            Self::Gathered(mut frames) => {
                let turn = frames.next().map_or(InquiryTurn::Done, InquiryTurn::Frame);
                *self = Self::Gathered(frames);
                turn
            }
            Self::Failed(why) => InquiryTurn::Failed(why),
        }
    }

    fn supply(&mut self, bytes: Result<Vec<Bytes>, String>) {
        match (&mut *self, bytes) {
            (Self::Gathering(gathering), Ok(bytes)) => gathering.supply(bytes),
            (_, Ok(_)) => {}
            (_, Err(_)) => *self = Self::Failed(Error::Unhandled.to_string()),
        }
    }
}

/// The frame and its one column have the series' name.
fn frame(name: String, times: &[i64], values: Vec<f64>) -> Frame {
    let present = values.iter().any(|value| value.is_nan()).then(|| {
        let mut present = Bitmap::default();
        values.iter().for_each(|value| present.push(!value.is_nan()));
        present
    });
    let column = Column { values: Values::Float(values), present };
    Frame {
        name: name.clone(),
        times: times.iter().map(|secs| secs.saturating_mul(NANOS_PER_SEC)).collect(),
        columns: vec![FrameColumn { name, column }],
        ..Frame::default()
    }
}
