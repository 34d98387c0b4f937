//! InfluxQL for those who do not know it: the first statement, reading only.

use super::frames::{FrameQuery, FrameTurn, open};
use crate::dialect::language::{Inquiry, InquiryTurn, Question};
use crate::exec::Budget;
use bytes::Bytes;

struct FirstStatement(FrameQuery);

/// Answers the first statement of a text.
pub fn ask(question: &Question<'_>) -> Result<Box<dyn Inquiry>, String> {
    let database = question.database.map(str::to_owned);
    let query = open(question.text, database, question.snapshot.clone(), question.now, &question.config.limits);
    let query = query.map_err(|refused| refused.to_string())?;
    query.authorize(question.principal)?;
    Ok(Box::new(FirstStatement(query)))
}

impl Inquiry for FirstStatement {
    fn turn(&mut self, budget: Budget) -> InquiryTurn {
        match self.0.turn(budget) {
            FrameTurn::Frame { statement: 0, frame } => InquiryTurn::Frame(frame),
            FrameTurn::Failed { statement: 0, error } => InquiryTurn::Failed(error),
            FrameTurn::Read(ranges) => InquiryTurn::Read(ranges),
            FrameTurn::Command(_) => {
                InquiryTurn::Failed("statements that change something are not run here".to_owned())
            }
            FrameTurn::Yield => InquiryTurn::Yield,
            FrameTurn::Frame { .. } | FrameTurn::Failed { .. } | FrameTurn::Beyond | FrameTurn::Done(_) => {
                InquiryTurn::Done
            }
        }
    }

    fn supply(&mut self, bytes: Result<Vec<Bytes>, String>) {
        self.0.supply(bytes);
    }
}
