//! Metric queries for those who do not know the language: a text over a window, a frame a series.

use super::compile::Request;
use super::evaluate::{Evaluation, Outline, Progress, Series};
use super::parse::parse;
use super::query::FARTHEST;
use crate::auth::Rights;
use crate::dialect::language::{Inquiry, InquiryTurn, Question};
use crate::exec::Budget;
use crate::model::column::Values;
use crate::model::frame::FrameColumn;
use crate::model::{Bitmap, Column, Frame};
use crate::time::NANOS_PER_SEC;
use bytes::Bytes;
use std::vec::IntoIter;

enum Metrics {
    Computing(Box<Evaluation>),
    Computed(Outline, IntoIter<Series>),
    Failed(String),
}

/// Answers a metric query over the range of the question; its ends count as whole seconds.
pub fn ask(question: &Question<'_>) -> Result<Box<dyn Inquiry>, String> {
    let database = question.database.unwrap_or_default();
    if let Some(known) = question.snapshot.database(database)
        && !question.principal.may(Rights::READ, known.id)
    {
        return Err(format!("not allowed to read database {database}"));
    }
    let secs = |millis: i64| millis.div_euclid(1000).clamp(-FARTHEST, FARTHEST);
    let (from, to) = (secs(question.from_millis), secs(question.to_millis));
    if from >= to {
        return Err(format!("the range must begin ({from}) before it ends ({to})"));
    }
    let begun = parse(question.text, question.config.limits.parser_depth).and_then(|expressions| {
        let request = Request { snapshot: &question.snapshot, database, from, to, interval: None };
        Evaluation::new(&expressions, request, &question.config.limits)
    });
    Ok(Box::new(Metrics::Computing(Box::new(begun.map_err(|error| error.text)?))))
}

impl Inquiry for Metrics {
    fn turn(&mut self, budget: Budget) -> InquiryTurn {
        match self {
            Self::Computing(evaluation) => match evaluation.step(budget) {
                Ok(Progress::Need(ranges)) => InquiryTurn::Read(ranges),
                Ok(Progress::Yield) => InquiryTurn::Yield,
                Ok(Progress::Done(_)) => {
                    let series = evaluation.finish().into_iter();
                    let none = Outline { operands: Vec::new(), missing: Vec::new() };
                    *self = Self::Computed(std::mem::replace(&mut evaluation.outline, none), series);
                    InquiryTurn::Yield
                }
                Err(error) => InquiryTurn::Failed(error.text),
            },
            Self::Computed(outline, series) => {
                series.next().map_or(InquiryTurn::Done, |series| InquiryTurn::Frame(frame(outline, series)))
            }
            Self::Failed(why) => InquiryTurn::Failed(std::mem::take(why)),
        }
    }

    fn supply(&mut self, bytes: Result<Vec<Bytes>, String>) {
        match (&mut *self, bytes) {
            (Self::Computing(evaluation), Ok(bytes)) => evaluation.supply(bytes),
            (_, Ok(_)) => {}
            (_, Err(why)) => *self = Self::Failed(why),
        }
    }
}

/// Named by its expression, its values by what is shown for it. Where a time has no value, there is none.
fn frame(outline: &Outline, series: Series) -> Frame {
    let operand = &outline.operands[series.query];
    let group = &operand.groups[series.group];
    let present = series.values.iter().any(|value| value.is_nan()).then(|| {
        let mut present = Bitmap::default();
        series.values.iter().for_each(|value| present.push(!value.is_nan()));
        present
    });
    let column = Column { values: Values::Float(series.values), present };
    Frame {
        name: group.expression.clone(),
        input: series.query,
        tags: group.tags.clone(),
        times: series.times.iter().map(|secs| secs.saturating_mul(NANOS_PER_SEC)).collect(),
        columns: vec![FrameColumn { name: operand.label.clone(), column }],
        more: false,
        notices: Vec::new(),
    }
}
