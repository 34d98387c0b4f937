//! InfluxQL into frames rather than text: for hosts that take columns as they are.

use super::ast::Statement;
use super::authorize;
use super::error::{RequestError, StatementError};
use super::params::Params;
use super::parse;
use super::query::{Context, Work, compile, plain};
use crate::auth::Principal;
use crate::catalog::Command;
use crate::exec::{Budget, QueryError, QueryStats, QueryTask, Step, needs};
use crate::extent::FULL;
use crate::limits::Limits;
use crate::model::Frame;
use crate::model::frame::FrameColumn;
use crate::store::{ByteRange, Snapshot, WriteError, Written};
use crate::time::Timestamp;
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::Arc;
use thiserror::Error;

/// Statements that run one after another; what one of them fails with is its own, and the next ones run.
pub struct FrameQuery {
    statements: Vec<Statement>,
    database: Option<String>,
    snapshot: Snapshot,
    now: Timestamp,
    limits: Limits,
    /// The statement that runs, or is next.
    at: usize,
    /// Frames of the statement that need no running.
    ready: VecDeque<Frame>,
    running: Option<Running>,
    /// Why the statement before the next has failed outside a turn.
    refused: Option<StatementError>,
    stats: QueryStats,
}

struct Running {
    task: Box<QueryTask>,
    /// Names of the columns, the time's first.
    columns: Arc<[String]>,
}

/// What a turn came to.
#[derive(Debug)]
pub enum FrameTurn {
    Frame {
        statement: usize,
        frame: Frame,
    },
    /// The statement has no more than what came before.
    Failed {
        statement: usize,
        error: String,
    },
    Read(Vec<ByteRange>),
    Command(Command),
    Yield,
    /// This engine is not [`FULL`]: the full one can do it, or knows the words for what is wrong.
    Beyond,
    Done(QueryStats),
}

/// Why there is nothing to run.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refused {
    /// InfluxDB's text for the request.
    #[error("{0}")]
    Words(String),
    /// See [`FrameTurn::Beyond`].
    #[error("this takes the full engine")]
    Beyond,
}

/// Parses all statements.
///
/// # Errors
/// What is wrong with the text.
pub fn open(
    text: &str,
    database: Option<String>,
    snapshot: Snapshot,
    now: Timestamp,
    limits: &Limits,
) -> Result<FrameQuery, Refused> {
    let statements = parse::parse_query(text.trim(), &Params::default(), limits);
    let statements = statements.map_err(|error| match FULL {
        true => Refused::Words(RequestError::from(error).to_string()),
        false => Refused::Beyond,
    })?;
    Ok(FrameQuery {
        statements,
        database: database.filter(|name| !name.is_empty()),
        snapshot,
        now,
        limits: limits.clone(),
        at: 0,
        ready: VecDeque::new(),
        running: None,
        refused: None,
        stats: QueryStats::default(),
    })
}

impl FrameQuery {
    pub fn turn(&mut self, budget: Budget) -> FrameTurn {
        loop {
            if let Some(frame) = self.ready.pop_front() {
                return FrameTurn::Frame { statement: self.at - 1, frame };
            }
            let Some(running) = &mut self.running else {
                match self.begin() {
                    Some(turn) => return turn,
                    None => continue,
                }
            };
            let turn = match running.task.step(budget) {
                Ok(Step::Need(ranges)) => FrameTurn::Read(ranges),
                Ok(Step::Yield) => FrameTurn::Yield,
                Ok(Step::Frame(mut frame)) => {
                    for (column, name) in frame.columns.iter_mut().zip(running.columns.iter().skip(1)) {
                        column.name.clone_from(name);
                        column.column.blank_nan();
                    }
                    FrameTurn::Frame { statement: self.at - 1, frame }
                }
                Ok(Step::Done(stats)) => {
                    self.stats.add(&stats);
                    self.running = None;
                    continue;
                }
                Err(error) => return self.failed(error.into()),
            };
            return turn;
        }
    }

    /// The bytes asked for, in their order.
    pub fn supply(&mut self, bytes: Result<Vec<Bytes>, String>) {
        let Some(running) = &mut self.running else { return };
        match bytes {
            Ok(bytes) => running.task.supply(bytes),
            Err(why) => {
                self.running = None;
                self.refused = Some(QueryError::Host(why).into());
            }
        }
    }

    /// How a command went, and the store as it is now.
    pub fn wrote(&mut self, outcome: Result<Written, WriteError>, snapshot: Snapshot) {
        self.snapshot = snapshot;
        if let Err(error) = outcome {
            self.refused = Some(StatementError::Write(error));
        }
    }

    /// Whether somebody may run all statements; the error is InfluxDB's text.
    pub(super) fn authorize(&self, principal: &Principal) -> Result<(), String> {
        let allowed = authorize::statements(&self.statements, principal, self.database.as_deref(), &self.snapshot);
        allowed.map_err(|error| error.to_string())
    }

    /// The bytes that the statements' scans cover: see [`needs`]. Statements that fail need none.
    pub fn needs(&self) -> Result<Vec<ByteRange>, QueryError> {
        let mut needed = Vec::new();
        for statement in &self.statements {
            match self.compile(statement) {
                Ok(Work::Select(compiled)) => {
                    needed.extend(needs(&compiled.plan, &self.snapshot, &self.limits)?);
                }
                Err(_) if !FULL => return Err(QueryError::Beyond),
                _ => {}
            }
        }
        Ok(needed)
    }

    fn compile(&self, statement: &Statement) -> Result<Work, StatementError> {
        match statement {
            _ if FULL => compile(statement, &self.context()),
            Statement::Select(select) if select.target.is_none() => plain(select, &self.context()),
            _ => Err(QueryError::Beyond.into()),
        }
    }

    fn context(&self) -> Context<'_> {
        Context {
            snapshot: &self.snapshot,
            database: self.database.as_deref(),
            policy: None,
            now: self.now,
            limits: &self.limits,
            principal: &Principal::Everyone,
            config: None,
            entropy: [0; 32],
        }
    }

    fn begin(&mut self) -> Option<FrameTurn> {
        if let Some(error) = self.refused.take() {
            return Some(self.failed(error));
        }
        let Some(statement) = self.statements.get(self.at) else { return Some(FrameTurn::Done(self.stats)) };
        let work = self.compile(statement);
        self.at += 1;
        match work {
            Ok(Work::Parts { parts, .. }) => {
                self.ready = parts
                    .into_iter()
                    .map(|part| {
                        let names = part.columns.iter().skip(usize::from(part.times.is_some()));
                        let columns =
                            names.cloned().zip(part.values).map(|(name, column)| FrameColumn { name, column });
                        Frame {
                            name: part.name,
                            tags: part.tags,
                            times: part.times.unwrap_or_default(),
                            columns: columns.collect(),
                            ..Frame::default()
                        }
                    })
                    .collect();
                None
            }
            Ok(Work::Select(compiled)) => match QueryTask::new(compiled.plan, self.snapshot.clone(), &self.limits) {
                Ok(task) => {
                    self.running = Some(Running { task: Box::new(task), columns: compiled.columns });
                    None
                }
                Err(error) => Some(self.failed(error.into())),
            },
            Ok(Work::Command(command)) => Some(FrameTurn::Command(command)),
            Err(error) => Some(self.failed(error)),
        }
    }

    fn failed(&mut self, error: StatementError) -> FrameTurn {
        self.running = None;
        if !FULL {
            return match error {
                StatementError::Query(QueryError::Host(why)) => {
                    FrameTurn::Failed { statement: self.at - 1, error: why }
                }
                _ => FrameTurn::Beyond,
            };
        }
        FrameTurn::Failed { statement: self.at - 1, error: error.to_string() }
    }
}
