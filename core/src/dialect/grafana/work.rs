//! What an answer waits for: queries of this engine and errands, until all are done.

use super::outcome::Fault;
use super::outgoing::credentials;
use super::record::Record;
use crate::auth::{Credentials, Principal};
use crate::dialect::errand::{Errand, ErrandError, HttpCall, Told};
use crate::dialect::exchange::Turn;
use crate::dialect::language::{Inquiry, InquiryTurn, Question, find};
use crate::dialect::route::{Call, login};
use crate::exec::Budget;
use crate::model::Frame;
use bytes::Bytes;

/// Values that the frames of one inquiry may hold together.
const MAX_VALUES: usize = 10_000_000;

/// Things to do; each has its place, and what came of it stands there.
#[derive(Default)]
pub(crate) struct Works {
    works: Vec<Work>,
    asked: bool,
    /// The place of the inquiry that waits for bytes.
    reading: Option<usize>,
}

enum Work {
    Inquiry { inquiry: Box<dyn Inquiry>, frames: Vec<Frame>, values: usize },
    Errand(Option<Errand>),
    Done(Raw),
    Taken,
}

/// What came of a work.
#[derive(Debug)]
pub(crate) enum Raw {
    /// Of an inquiry. The error is the language's own words.
    Frames(Result<Vec<Frame>, String>),
    Told(Result<Told, ErrandError>),
}

impl Works {
    /// Asks this engine; gives the place.
    pub(crate) fn inquire(&mut self, language: &str, question: &Question<'_>) -> usize {
        let begun = match find(language) {
            Some(ask) => ask(question),
            None => Err(format!("unknown query language {language}")),
        };
        self.push(match begun {
            Ok(inquiry) => Work::Inquiry { inquiry, frames: Vec::new(), values: 0 },
            Err(why) => Work::Done(Raw::Frames(Err(why))),
        })
    }

    pub(crate) fn call(&mut self, call: HttpCall) -> usize {
        self.push(Work::Errand(Some(Errand::Http(Box::new(call)))))
    }

    pub(crate) fn wait(&mut self, millis: u64) -> usize {
        self.push(Work::Errand(Some(Errand::Wait { millis })))
    }

    fn push(&mut self, work: Work) -> usize {
        self.works.push(work);
        self.works.len() - 1
    }

    /// The next thing for the host to do; `None`: all is done.
    pub(crate) fn turn(&mut self, budget: Budget) -> Option<Turn> {
        if !self.asked {
            self.asked = true;
            let mut errands = Vec::new();
            for work in &mut self.works {
                if let Work::Errand(errand) = work {
                    errands.extend(errand.take());
                }
            }
            if !errands.is_empty() {
                return Some(Turn::Ask(errands));
            }
        }
        for (place, work) in self.works.iter_mut().enumerate() {
            let Work::Inquiry { inquiry, frames, values } = work else { continue };
            let result = loop {
                match inquiry.turn(budget) {
                    InquiryTurn::Frame(frame) => {
                        *values = values.saturating_add((frame.columns.len() + 1) * frame.rows());
                        if *values > MAX_VALUES {
                            break Err(format!("the answer has more than {MAX_VALUES} values"));
                        }
                        frames.push(frame);
                    }
                    InquiryTurn::Read(ranges) => {
                        self.reading = Some(place);
                        return Some(Turn::Read(ranges));
                    }
                    InquiryTurn::Yield => return Some(Turn::Yield),
                    InquiryTurn::Failed(why) => break Err(why),
                    InquiryTurn::Done => break Ok(std::mem::take(frames)),
                }
            };
            *work = Work::Done(Raw::Frames(result));
        }
        None
    }

    pub(crate) fn supply(&mut self, bytes: Result<Vec<Bytes>, String>) {
        let Some(place) = self.reading.take() else { return };
        if let Some(Work::Inquiry { inquiry, .. }) = self.works.get_mut(place) {
            inquiry.supply(bytes);
        }
    }

    pub(crate) fn told(&mut self, outcomes: Vec<Result<Told, ErrandError>>) {
        let mut outcomes = outcomes.into_iter();
        for work in &mut self.works {
            if matches!(work, Work::Errand(None)) {
                let outcome = outcomes.next().unwrap_or(Err(ErrandError::Unsupported));
                *work = Work::Done(Raw::Told(outcome));
            }
        }
    }

    /// What came of the work at a place; once.
    pub(crate) fn take(&mut self, place: usize) -> Raw {
        match self.works.get_mut(place).map(|work| std::mem::replace(work, Work::Taken)) {
            Some(Work::Done(raw)) => raw,
            _ => Raw::Told(Err(ErrandError::Unsupported)),
        }
    }
}

/// A question to this engine. Whose rights it has is the data source's to say: see [`principal`].
pub(crate) fn question<'a>(call: &'a Call, text: &'a str, database: &'a str, principal: &'a Principal) -> Question<'a> {
    Question {
        text,
        database: if database.is_empty() { None } else { Some(database) },
        from_millis: 0,
        to_millis: 0,
        points: 0,
        snapshot: call.snapshot.clone(),
        now: call.request.now,
        config: &call.config,
        principal,
    }
}

/// Who this engine answers to through a data source: the user of the stored credentials, never the caller.
pub(crate) fn principal(call: &Call, record: &Record) -> Result<Principal, Fault> {
    if !call.config.authentication {
        return Ok(Principal::Everyone);
    }
    let stored = credentials(record, &call.config).map_err(|error| Fault::plugin(error.status, error.message))?;
    let stored = stored.map(|(user, password)| Credentials::Password { user, password });
    login(call, &stored.unwrap_or(Credentials::Missing))
        .map_err(|_| Fault::downstream(401, "InfluxDB returned error: authorization failed"))
}
