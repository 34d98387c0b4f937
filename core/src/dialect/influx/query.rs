//! `/query`: InfluxQL in, results out.
//!
//! All statements are parsed before the first runs; then they run one after another, and their rows are encoded as they
//! come. The head is sent before any of them, so what fails then is an error inside a result. A statement that changes
//! something goes to the store through the host, and those after it see what it did.

use super::answer::{Answer, Chunks, Epoch, Format, Part};
use super::ast::{Select, Statement};
use super::compile::{self, Compiled};
use super::error::{RequestError, StatementError, refusal};
use super::into::Into;
use super::params::Params;
use super::{admin, authorize, continuous, counters, delete, head, parse, show, subscriptions, users};
use crate::auth::Principal;
use crate::catalog::{CatalogError, Command, Rename};
use crate::dialect::exchange::{ApiConfig, ApiRequest, Exchange, Head, Turn};
use crate::dialect::form;
use crate::dialect::route::Call;
use crate::dialect::running::Ticket;
use crate::exec::{Budget, QueryStats, QueryTask, Step};
use crate::limits::Limits;
use crate::model::Column;
use crate::plan::{self, Scalar};
use crate::store::{Snapshot, WriteError, Written};
use crate::time::Timestamp;
use crate::value::{FieldType, Value};
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::Arc;

/// Bytes of an answer that leave together.
const CHUNK_BYTES: usize = 64 << 10;
/// Rows of a chunk when the request does not say.
const CHUNK_ROWS: usize = 10_000;

/// `GET` and `POST /query`
pub(super) fn query(call: Call) -> Box<dyn Exchange> {
    let parameters = Parameters::read(&call.request);
    let format = Format::negotiate(call.request.header("accept").unwrap_or_default());
    let statements = parameters.statements(&call.config.limits).and_then(|statements| {
        let database = parameters.database.as_deref().filter(|name| !name.is_empty());
        authorize::statements(&statements, &call.principal, database, &call.snapshot).map(|()| statements)
    });
    match statements {
        Ok(statements) => Box::new(Query::new(call, parameters, statements, format)),
        Err(error) => {
            let mut encoder = format.encoder(Epoch::Rfc3339, parameters.pretty, &call.config.limits);
            encoder.error_document(&error.to_string());
            head::error_with(&call, &error, format.content_type(), encoder.take())
        }
    }
}

/// Runs a statement of the engine's own: nobody is asked who he is.
pub(super) fn silent(
    request: ApiRequest,
    snapshot: Snapshot,
    config: &Arc<ApiConfig>,
    database: &str,
    statement: Statement,
) -> Box<dyn Exchange> {
    let parameters = Parameters { database: Some(database.to_owned()), ..Parameters::default() };
    let call = Call { request, snapshot, config: Arc::clone(config), principal: Principal::Everyone };
    Box::new(Query::new(call, parameters, vec![statement], Format::Json))
}

/// What a statement is compiled against.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) snapshot: &'a Snapshot,
    /// The parameters `db` and `rp`.
    pub(super) database: Option<&'a str>,
    pub(super) policy: Option<&'a str>,
    pub(super) now: Timestamp,
    pub(super) limits: &'a Limits,
    pub(super) principal: &'a Principal,
    /// `None`: statements of a host that only takes frames, which knows nothing of itself.
    pub(super) config: Option<&'a ApiConfig>,
    /// Random bytes of the request's.
    pub(super) entropy: [u8; 32],
}

/// What a statement comes to.
#[derive(Debug)]
pub(super) enum Work {
    /// The whole result, and what of it makes a document when chunked.
    Parts {
        parts: Vec<Part>,
        chunks: Chunks,
    },
    Select(Box<Compiled>),
    Command(Command),
}

impl Work {
    /// Done, with nothing to show.
    pub(super) const fn nothing() -> Self {
        Self::Parts { parts: Vec::new(), chunks: Chunks::Whole }
    }

    /// One series, rows or none.
    pub(super) fn series(part: Part) -> Self {
        Self::Parts { parts: vec![part], chunks: Chunks::Whole }
    }
}

/// A SELECT that writes nothing.
pub(super) fn plain(select: &Select, context: &Context<'_>) -> Result<Work, StatementError> {
    let compiled = compile::select(select, context)?;
    Ok(compiled.map_or_else(Work::nothing, |compiled| Work::Select(Box::new(compiled))))
}

pub(super) fn compile(statement: &Statement, context: &Context<'_>) -> Result<Work, StatementError> {
    match statement {
        Statement::Select(select) if select.target.is_none() => plain(select, context),
        Statement::Select(select) => Ok(match compile::select(select, context)? {
            Some(compiled) => Work::Select(Box::new(compiled)),
            None => Work::Parts { parts: vec![written(0)], chunks: Chunks::Whole },
        }),
        Statement::Explain { select, analyze } => explain(select, *analyze, context),
        Statement::Delete { .. }
        | Statement::DeleteFields { .. }
        | Statement::DropSeries { .. }
        | Statement::DropMeasurement { .. } => {
            let command = delete::delete(statement, context)?;
            Ok(command.map_or_else(Work::nothing, Work::Command))
        }
        Statement::Rename(name) => {
            let database = show::find(None, context)?.name.clone();
            Ok(Work::Command(Command::Rename(Rename { database, name: name.clone() })))
        }
        other => {
            if let Some(command) = admin::command(other)? {
                return Ok(Work::Command(command));
            }
            for compile in [users::compile, continuous::compile, subscriptions::compile, counters::compile] {
                if let Some(work) = compile(other, context)? {
                    return Ok(work);
                }
            }
            show::show(other, context)
        }
    }
}

fn explain(select: &Select, analyze: bool, context: &Context<'_>) -> Result<Work, StatementError> {
    let compiled = compile::select(select, context)?;
    Ok(match compiled {
        Some(compiled) if analyze => Work::Select(Box::new(Compiled { analyze, into: None, ..compiled })),
        Some(compiled) => {
            Work::Parts { parts: vec![lines("QUERY PLAN", &plan::explain(&compiled.plan))], chunks: Chunks::Whole }
        }
        None => Work::Parts { parts: vec![lines("QUERY PLAN", "nothing that it reads exists")], chunks: Chunks::Whole },
    })
}

/// What INTO answers.
fn written(rows: u64) -> Part {
    let mut count = Column::new(FieldType::Integer);
    count.push(Some(Value::Integer(i64::try_from(rows).unwrap_or(i64::MAX))));
    Part {
        name: "result".to_owned(),
        columns: Arc::from(["time".to_owned(), "written".to_owned()]),
        times: Some(vec![0]),
        values: vec![count],
        ..Part::default()
    }
}

/// A text as a series of one column, a row a line.
fn lines(column: &str, text: &str) -> Part {
    let mut values = Column::new(FieldType::String);
    text.lines().for_each(|line| values.push(Some(Value::String(line))));
    Part { columns: Arc::from([column.to_owned()]), values: vec![values], ..Part::default() }
}

/// The parameters of a request. A form body comes before the query string, a multipart one after it, and the first of
/// repeated values counts.
#[derive(Debug, Default)]
struct Parameters {
    q: Option<String>,
    /// A file part named `q`, which counts when there is no text.
    file: Option<String>,
    database: Option<String>,
    policy: Option<String>,
    epoch: Option<String>,
    chunked: Option<String>,
    chunk_size: Option<String>,
    params: Option<String>,
    r#async: Option<String>,
    pretty: bool,
}

impl Parameters {
    fn read(request: &ApiRequest) -> Self {
        let mut read = Self::default();
        let content_type = request.header("content-type").unwrap_or_default();
        let media = content_type.split(';').next().unwrap_or_default().trim();
        let body_is = |wanted| request.method == "POST" && media.eq_ignore_ascii_case(wanted);
        if body_is("application/x-www-form-urlencoded") {
            read.take(&request.body);
        }
        read.take(request.query.as_bytes());
        if body_is("multipart/form-data") {
            for part in form::multipart(content_type, &request.body) {
                let text = || String::from_utf8_lossy(part.content).into_owned();
                if !part.file {
                    read.set(&part.name, text);
                } else if part.name == "q" {
                    read.file.get_or_insert_with(text);
                }
            }
        }
        let pretty = form::pairs(request.query.as_bytes()).find(|(name, _)| name == "pretty");
        read.pretty = pretty.is_some_and(|(_, value)| value == "true");
        read
    }

    fn take(&mut self, form: &[u8]) {
        for (name, value) in form::pairs(form) {
            self.set(&name, || value.into_owned());
        }
    }

    /// The first of repeated values counts.
    fn set(&mut self, name: &str, value: impl FnOnce() -> String) {
        let slot = match name {
            "q" => &mut self.q,
            "db" => &mut self.database,
            "rp" => &mut self.policy,
            "epoch" => &mut self.epoch,
            "chunked" => &mut self.chunked,
            "chunk_size" => &mut self.chunk_size,
            "params" => &mut self.params,
            "async" => &mut self.r#async,
            _ => return,
        };
        slot.get_or_insert_with(value);
    }

    fn statements(&self, limits: &Limits) -> Result<Vec<Statement>, RequestError> {
        // A file may be empty: then there is nothing to do.
        let text = self.q.as_deref().map(str::trim).filter(|text| !text.is_empty());
        let text = text.or(self.file.as_deref()).ok_or(RequestError::MissingQuery)?;
        let params = match self.params.as_deref().filter(|params| !params.is_empty()) {
            Some(json) => Params::from_json(json)?,
            None => Params::default(),
        };
        Ok(parse::parse_query(text, &params, limits)?)
    }

    fn chunk_rows(&self) -> Option<usize> {
        (self.chunked.as_deref() == Some("true")).then(|| {
            let asked = self.chunk_size.as_deref().and_then(|text| text.parse().ok());
            asked.filter(|rows| *rows > 0).unwrap_or(CHUNK_ROWS)
        })
    }
}

/// A request whose statements run.
struct Query {
    call: Call,
    database: Option<String>,
    policy: Option<String>,
    statements: Vec<Statement>,
    /// The statement that runs, or is next.
    at: usize,
    answer: Answer,
    /// Rows on their way into the answer, and the next of the first.
    queue: VecDeque<Part>,
    row: usize,
    head: Option<Head>,
    /// `async=true`: everything runs, nothing is told.
    silent: bool,
    /// Bytes were handed out: the answer can no longer be replaced.
    sent: bool,
    state: State,
    stats: QueryStats,
    /// Its place among the running queries, or how many run when there is none left.
    ticket: Result<Ticket, u64>,
    /// The host's patience has ended.
    expired: bool,
}

enum State {
    /// Begin statement `at`.
    Next,
    Running(Box<Running>),
    /// Points of the statement's INTO are with the store.
    Writing(Box<Running>),
    /// All rows of the statement are in the queue.
    Shown,
    /// A command is with the store.
    Waiting,
    /// What the command was decided on has changed: do statement `at` again.
    Again,
    /// All is in the answer but what is left of it to send.
    Finished,
}

/// A SELECT at work.
struct Running {
    task: QueryTask,
    columns: Arc<[String]>,
    stand_ins: Arc<[Option<Scalar>]>,
    sink: Sink,
    /// All rows are there.
    done: bool,
}

/// Where its rows go.
enum Sink {
    Answer,
    Into(Box<Into>),
    /// Nowhere: the plan is shown, and what running it took.
    Analyze(String),
}

impl Running {
    /// What is told once all rows are there, instead of them.
    fn told(&mut self, stats: &QueryStats) -> Option<Part> {
        match &mut self.sink {
            Sink::Answer => None,
            Sink::Into(into) => Some(written(into.rows)),
            Sink::Analyze(plan) => {
                let QueryStats { series, blocks_from_header, blocks_decoded, blocks_pruned, points, bytes, rows_out } =
                    stats;
                plan.push_str(&format!(
                    "series: {series}\nblocks answered by their header: {blocks_from_header}\nblocks decoded: \
                     {blocks_decoded}\nblocks left out by time: {blocks_pruned}\nrows looked at: {points}\nbytes of \
                     files: {bytes}\nrows of the answer: {rows_out}\n"
                ));
                Some(lines("EXPLAIN ANALYZE", plan))
            }
        }
    }
}

impl Query {
    fn new(call: Call, parameters: Parameters, statements: Vec<Statement>, format: Format) -> Self {
        let chunk = parameters.chunk_rows();
        let epoch = Epoch::from_parameter(parameters.epoch.as_deref().unwrap_or_default());
        let limits = &call.config.limits;
        let answer = Answer::new(format.encoder(epoch, parameters.pretty, limits), chunk, limits.max_row_limit);
        let silent = parameters.r#async.as_deref() == Some("true");
        let (status, content_type) = if silent { (204, head::JSON) } else { (200, format.content_type()) };
        let head = Head { status, headers: head::headers(&call, content_type), complete: silent };
        let named = |name: Option<String>| name.filter(|name| !name.is_empty());
        let (config, began) = (&call.config, call.request.now);
        let texts: Vec<String> = statements.iter().map(ToString::to_string).collect();
        let database = parameters.database.clone().unwrap_or_default();
        let ticket = config.queries.begin(texts.join(";\n"), database, began, limits.max_concurrent_queries);
        Self {
            ticket,
            expired: false,
            head: Some(head),
            database: named(parameters.database),
            policy: named(parameters.policy),
            call,
            statements,
            at: 0,
            answer,
            queue: VecDeque::new(),
            row: 0,
            silent,
            sent: false,
            state: State::Next,
            stats: QueryStats::default(),
        }
    }

    fn begin_statement(&mut self) -> Option<Turn> {
        let Some(statement) = self.statements.get(self.at).filter(|_| !self.answer.is_full()) else {
            self.answer.finish();
            self.state = State::Finished;
            return None;
        };
        let deprecated = self.call.request.method == "GET" && changes_by_get(statement);
        let context = self.context();
        let warnings = deprecated.then(|| warning(statement, &context)).into_iter().collect();
        self.answer.begin(self.at, warnings);
        self.execute()
    }

    /// Why nothing more is to be done.
    fn interruption(&self) -> Option<StatementError> {
        let allowed = self.call.config.limits.max_concurrent_queries;
        match &self.ticket {
            Err(running) => Some(StatementError::TooManyQueries { running: *running, allowed }),
            Ok(ticket) if ticket.is_killed() => Some(StatementError::Interrupted),
            Ok(_) => self.expired.then_some(StatementError::TimedOut),
        }
    }

    /// What a statement sees.
    fn context(&self) -> Context<'_> {
        Context {
            snapshot: &self.call.snapshot,
            database: self.database.as_deref(),
            policy: self.policy.as_deref(),
            now: self.call.request.now,
            limits: &self.call.config.limits,
            principal: &self.call.principal,
            config: Some(&self.call.config),
            entropy: self.call.request.entropy,
        }
    }

    /// Does statement `at`, whose result is open.
    fn execute(&mut self) -> Option<Turn> {
        if let Some(error) = self.interruption() {
            self.end_statement(Some(error));
            return None;
        }
        let statement = self.statements.get(self.at)?;
        let work = compile(statement, &self.context());
        match work {
            Ok(Work::Parts { parts, chunks }) => {
                self.answer.chunk_by(chunks);
                self.queue.extend(parts);
                self.state = State::Shown;
            }
            Ok(Work::Select(compiled)) => {
                let sink = match compiled.into {
                    _ if compiled.analyze => Sink::Analyze(plan::explain(&compiled.plan)),
                    Some(into) => Sink::Into(into),
                    None => Sink::Answer,
                };
                match QueryTask::new(compiled.plan, self.call.snapshot.clone(), &self.call.config.limits) {
                    Ok(task) => {
                        let (columns, stand_ins) = (compiled.columns, compiled.stand_ins);
                        self.answer.in_zone(compiled.zone);
                        self.state = State::Running(Box::new(Running { task, columns, stand_ins, sink, done: false }));
                    }
                    Err(error) => self.end_statement(Some(error.into())),
                }
            }
            Ok(Work::Command(command)) => {
                self.state = State::Waiting;
                return Some(Turn::Command(command));
            }
            Err(error) => self.end_statement(Some(error)),
        }
        None
    }

    /// Ends the statement's result. After a failure the rest does not run, and InfluxDB says so in its own way: for
    /// every statement but the last, beginning with the failed one, whose own error an unchunked answer then loses.
    fn end_statement(&mut self, error: Option<StatementError>) {
        self.state = State::Next;
        let Some(error) = error else {
            self.answer.end(None);
            self.at += 1;
            return;
        };
        let not_executed = StatementError::NotExecuted.to_string();
        let last = self.at + 1 == self.statements.len();
        if last || self.answer.is_chunked() {
            self.answer.end(Some(&error.to_string()));
        } else {
            self.answer.end(Some(&not_executed));
            self.at += 1;
        }
        for at in self.at..self.statements.len() - 1 {
            self.answer.begin(at, Vec::new());
            self.answer.end(Some(&not_executed));
        }
        self.at = self.statements.len();
    }

    /// Encodes rows until a chunk is full.
    fn encode(&mut self) {
        while let Some(part) = self.queue.front() {
            self.row = self.answer.part(part, self.row, CHUNK_BYTES);
            if self.row < part.rows() {
                return;
            }
            self.queue.pop_front();
            self.row = 0;
        }
        if self.answer.is_full() {
            self.end_statement(None);
        }
    }

    fn run(&mut self, budget: Budget) -> Option<Turn> {
        if let Some(error) = self.interruption() {
            self.end_statement(Some(error));
            return None;
        }
        let State::Running(running) = &mut self.state else { return None };
        if let Sink::Into(into) = &mut running.sink
            && (into.is_full() || running.done && !into.batch.is_empty())
        {
            let (database, policy) = (into.database.clone(), into.policy.clone());
            let batch = std::mem::take(&mut into.batch);
            if let State::Running(running) = std::mem::replace(&mut self.state, State::Waiting) {
                self.state = State::Writing(running);
            }
            return Some(Turn::Write { database, policy, batch });
        }
        if running.done {
            let stats = running.task.stats();
            let told = running.told(&stats);
            self.stats.add(&stats);
            self.queue.extend(told);
            self.state = State::Shown;
            return None;
        }
        match running.task.step(budget) {
            Ok(Step::Need(ranges)) => return Some(Turn::Read(ranges)),
            Ok(Step::Yield) => return Some(Turn::Yield),
            Ok(Step::Frame(frame)) => match &mut running.sink {
                Sink::Answer => self.queue.push_back(Part {
                    name: frame.name,
                    tags: frame.tags,
                    columns: Arc::clone(&running.columns),
                    times: Some(frame.times),
                    values: frame.columns.into_iter().map(|column| column.column).collect(),
                    lists: None,
                    stand_ins: Arc::clone(&running.stand_ins),
                }),
                Sink::Into(into) => into.take(&frame, &running.columns),
                Sink::Analyze(_) => {}
            },
            Ok(Step::Done(_)) => running.done = true,
            Err(error) => self.end_statement(Some(error.into())),
        }
        None
    }

    /// An answer that holds what JSON has no number for becomes an error, unless some of it has left.
    fn check_printable(&mut self) {
        if let Some(number) = self.answer.unprintable()
            && !self.sent
        {
            self.queue.clear();
            self.answer.replace(&RequestError::Unprintable(number).to_string());
            self.state = State::Finished;
        }
    }
}

impl Exchange for Query {
    fn turn(&mut self, budget: Budget) -> Turn {
        if let Some(head) = self.head.take() {
            return Turn::Head(head);
        }
        loop {
            let finished = matches!(self.state, State::Finished);
            if self.answer.len() >= CHUNK_BYTES || finished {
                let bytes = self.answer.take();
                if !bytes.is_empty() && !self.silent {
                    self.sent = true;
                    return Turn::Chunk(bytes.into());
                }
            }
            let turn = match &self.state {
                _ if !self.queue.is_empty() => {
                    self.encode();
                    None
                }
                State::Shown => {
                    self.end_statement(None);
                    None
                }
                State::Next => self.begin_statement(),
                State::Again => self.execute(),
                State::Running(_) => self.run(budget),
                State::Waiting | State::Writing(_) => Some(Turn::Yield),
                State::Finished => Some(Turn::Done(self.stats)),
            };
            self.check_printable();
            if let Some(turn) = turn {
                return turn;
            }
        }
    }

    fn supply(&mut self, bytes: Result<Vec<Bytes>, String>) {
        let State::Running(running) = &mut self.state else { return };
        match bytes {
            Ok(bytes) => running.task.supply(bytes),
            Err(why) => self.end_statement(Some(StatementError::Query(crate::exec::QueryError::Host(why)))),
        }
    }

    fn expire(&mut self) {
        self.expired = true;
    }

    fn wrote(&mut self, outcome: Result<Written, WriteError>, snapshot: Snapshot) {
        self.call.snapshot = snapshot;
        if let State::Writing(running) = std::mem::replace(&mut self.state, State::Waiting) {
            match outcome {
                Ok(Written { refusal: None, .. }) => self.state = State::Running(running),
                Ok(Written { refusal: Some(why), dropped, .. }) => {
                    let text = format!("partial write: {} dropped={dropped}", refusal(&why));
                    self.end_statement(Some(StatementError::Words(text)));
                }
                Err(WriteError::DatabaseNotFound(name)) => {
                    self.end_statement(Some(StatementError::DatabaseNotFound(name)));
                }
                Err(error) => self.end_statement(Some(StatementError::Write(error))),
            }
            return;
        }
        match outcome {
            Err(WriteError::Catalog(CatalogError::DocumentsChanged(_))) => self.state = State::Again,
            outcome => self.end_statement(outcome.err().map(StatementError::Write)),
        }
    }
}

/// Databases and policies are filled in, as InfluxDB does before it warns.
fn warning(statement: &Statement, context: &Context<'_>) -> String {
    let mut statement = statement.clone();
    if let Statement::Select(select) = &mut statement {
        let filled = select.qualify::<()>(&mut |database, policy| {
            let own = database.is_none();
            let name = database.get_or_insert_with(|| context.database.unwrap_or_default().to_owned());
            if policy.is_none() {
                let given = context.policy.filter(|_| own).map(str::to_owned);
                *policy = given.or_else(|| Some(context.snapshot.database(name)?.default_policy.clone()));
            }
            Ok(())
        });
        debug_assert!(filled.is_ok(), "nothing is refused");
    }
    format!("deprecated use of '{statement}' in a read only context, please use a POST request instead")
}

/// Whether InfluxDB warns when this comes by GET.
fn changes_by_get(statement: &Statement) -> bool {
    match statement {
        Statement::Select(select) => select.target.is_some(),
        Statement::AlterRetentionPolicy { .. }
        | Statement::CreateContinuousQuery(_)
        | Statement::CreateDatabase { .. }
        | Statement::CreateRetentionPolicy { .. }
        | Statement::CreateSubscription { .. }
        | Statement::CreateUser { .. }
        | Statement::SetPassword { .. }
        | Statement::DropContinuousQuery { .. }
        | Statement::DropDatabase { .. }
        | Statement::DropMeasurement { .. }
        | Statement::DeleteFields { .. }
        | Statement::Rename(_)
        | Statement::DropRetentionPolicy { .. }
        | Statement::DropSeries { .. }
        | Statement::DropShard { .. }
        | Statement::DropSubscription { .. }
        | Statement::DropUser { .. }
        | Statement::Grant { .. }
        | Statement::GrantAdmin { .. }
        | Statement::Revoke { .. }
        | Statement::RevokeAdmin { .. } => true,
        Statement::Explain { .. }
        | Statement::Delete { .. }
        | Statement::KillQuery { .. }
        | Statement::ShowContinuousQueries
        | Statement::ShowDatabases
        | Statement::ShowDiagnostics { .. }
        | Statement::ShowGrants { .. }
        | Statement::ShowQueries
        | Statement::ShowRetentionPolicies { .. }
        | Statement::ShowSchema(_)
        | Statement::ShowShardGroups
        | Statement::ShowShards
        | Statement::ShowStats { .. }
        | Statement::ShowSubscriptions
        | Statement::ShowUsers => false,
    }
}
