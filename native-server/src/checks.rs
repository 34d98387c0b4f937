//! Checks and alerts: rules in a file, asked on schedule as a panel would ask, states kept in the catalog, changes told
//! to a webhook.
//!
//! ```text
//! file ─ rules ─► a request of an API ─► the engine ─► its answer ─ read ─► readings ─ alert ─► states ─► webhook
//! ```
//!
//! What is compared is the last value that the panel's own request shows, and what is told is its digits. A state is kept
//! before anybody is told of it; who could not be told is told at the next evaluation.

mod alert;
mod notify;
mod read;
pub(crate) mod rules;

use crate::cli::Exit;
use crate::drive::Driver;
use crate::host::{Host, clock};
use crate::remote::{Client, RemoteArgs};
use alert::{Alert, Alerts, State, evaluate};
use bytes::Bytes;
use isopoint_core::catalog::{Command, DocumentChanges};
use isopoint_core::dialect::exchange::{ApiConfig, ApiRequest};
use isopoint_core::dialect::route;
use isopoint_core::time::Timestamp;
use rules::{Rule, Wire};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Where states are kept.
const SPACE: &str = "checks";
/// How often it is looked whether a check is due.
const TICK: Duration = Duration::from_millis(500);

/// The checks of a server and how they stand.
#[derive(Debug, Default)]
pub(crate) struct Checks {
    board: Mutex<Board>,
}

#[derive(Debug, Default)]
struct Board {
    rules: Vec<Rule>,
    alerts: Alerts,
    /// By check: when it was last evaluated, in nanoseconds, and why that failed.
    last: BTreeMap<String, (i64, Option<String>)>,
}

impl Checks {
    pub(crate) fn new(rules: Vec<Rule>) -> Self {
        Self { board: Mutex::new(Board { rules, ..Board::default() }) }
    }

    /// Other rules from now on; what is known of checks that stay is kept.
    pub(crate) fn replace(&self, rules: Vec<Rule>) {
        self.board().rules = rules;
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As `GET /isopoint/checks` tells it.
    pub(crate) fn report(&self) -> String {
        let board = self.board();
        let time = |nanos: i64| crate::admin::rfc3339(Timestamp::from_nanos(nanos));
        let checks = board.rules.iter().map(|rule| {
            let alerts = board.alerts.values().filter(|alert| alert.check == rule.name).map(|alert| {
                json!({ "labels": alert.labels, "state": alert.state, "since": time(alert.since), "value": alert.value })
            });
            let last = board.last.get(&rule.name);
            json!({
                "name": rule.name,
                "evaluated": last.map(|(at, _)| time(*at)),
                "error": last.and_then(|(_, error)| error.clone()),
                "alerts": alerts.collect::<Vec<_>>(),
            })
        });
        json!({ "checks": checks.collect::<Vec<_>>() }).to_string() + "\n"
    }

    /// Checks, those that failed at the last evaluation, and alerts that fire.
    pub(crate) fn counts(&self) -> (u64, u64, u64) {
        let board = self.board();
        let failed = board.last.values().filter(|(_, error)| error.is_some()).count();
        let firing = board.alerts.values().filter(|alert| alert.state == State::Firing).count();
        (board.rules.len() as u64, failed as u64, firing as u64)
    }

    /// The rule that is due, and it counts as evaluated from now on.
    fn due(&self, now: i64) -> Option<Rule> {
        let mut board = self.board();
        let every = |rule: &Rule| i64::try_from(rule.every.as_nanos()).unwrap_or(i64::MAX);
        let due = board.rules.iter().find(|rule| {
            board.last.get(&rule.name).is_none_or(|(at, _)| now.saturating_sub(*at) >= every(rule) || *at > now)
        });
        let due = due.cloned()?;
        board.last.entry(due.name.clone()).or_default().0 = now;
        Some(due)
    }
}

/// What evaluating needs.
pub(crate) struct Evaluator {
    pub checks: Arc<Checks>,
    pub host: Arc<Host>,
    pub driver: Driver,
    /// Everybody may everything.
    pub inside: Arc<ApiConfig>,
    pub webhook: Option<String>,
    pub caller: crate::grafana::client::Caller,
}

impl Evaluator {
    /// Runs until the task is aborted.
    pub(crate) async fn run(self) {
        self.checks.board().alerts = self.kept();
        loop {
            tokio::time::sleep(TICK).await;
            while let Some(rule) = self.checks.due(clock::now().nanos()) {
                self.evaluate(&rule).await;
            }
        }
    }

    async fn evaluate(&self, rule: &Rule) {
        let now = clock::now();
        let asked = self.ask(&rule.wire(now), now).await;
        let error = asked.as_ref().err().cloned();
        if let Some(error) = &error {
            tracing::warn!(check = rule.name, error, "a check cannot be evaluated; its alerts stay");
        }
        self.checks.board().last.insert(rule.name.clone(), (now.nanos(), error));
        let Ok(readings) = asked else { return };
        let before: Alerts = self.of(rule);
        let mut after = evaluate(rule, &readings, &before, now.nanos());
        if !self.keep(&before, &after).await {
            return;
        }
        self.show(&before, &after);
        let untold: Vec<&Alert> = after.values().filter(|alert| !alert.told).collect();
        if untold.is_empty() {
            return;
        }
        for alert in &untold {
            tracing::warn!(check = alert.check, labels = ?alert.labels, state = ?alert.state, value = alert.value, "alert");
        }
        let told = match &self.webhook {
            Some(webhook) => notify::post(&self.caller, webhook, rule, &untold).await,
            None => Ok(()),
        };
        match told {
            Ok(()) => {
                let before = after.clone();
                after.values_mut().for_each(|alert| alert.told = true);
                after.retain(|_, alert| alert.state != State::Resolved);
                self.keep(&before, &after).await;
                self.show(&before, &after);
            }
            Err(error) => tracing::warn!(check = rule.name, error, "an alert could not be told; tried again later"),
        }
    }

    fn of(&self, rule: &Rule) -> Alerts {
        let board = self.checks.board();
        board.alerts.iter().filter(|(_, alert)| alert.check == rule.name).map(|(k, a)| (k.clone(), a.clone())).collect()
    }

    fn show(&self, before: &Alerts, after: &Alerts) {
        let mut board = self.checks.board();
        board.alerts.retain(|key, _| !before.contains_key(key));
        board.alerts.extend(after.clone());
    }

    async fn ask(&self, wire: &Wire, now: Timestamp) -> Result<Vec<read::Reading>, String> {
        let mut headers = vec![("dd-api-key".to_owned(), "inside".to_owned())];
        headers.push(("dd-application-key".to_owned(), "inside".to_owned()));
        headers.extend(wire.content_type.map(|kind| ("content-type".to_owned(), kind.to_owned())));
        let request = ApiRequest {
            method: wire.method.clone(),
            path: wire.path.clone(),
            query: wire.query.clone(),
            headers,
            body: Bytes::from(wire.body.clone()),
            now,
            request_id: String::new(),
            entropy: clock::entropy(),
        };
        let answer = self.driver.answer(route::open(request, self.host.snapshot(), &self.inside)).await;
        let gave_up = || "the engine gave up".to_owned();
        let answer = answer.ok_or_else(gave_up)?;
        let status = answer.head.status;
        read::readings(&wire.path, status, &answer.body.collect().await.ok_or_else(gave_up)?)
    }

    /// States that outlived the last run.
    fn kept(&self) -> Alerts {
        let space = self.host.snapshot().documents.space(SPACE);
        let read =
            space.documents.iter().filter_map(|(key, body)| Some((key.clone(), serde_json::from_slice(body).ok()?)));
        read.collect()
    }

    /// Makes the changes durable. Values that move while a state stays are not worth a write.
    async fn keep(&self, before: &Alerts, after: &Alerts) -> bool {
        let same = |a: &Alert, b: &Alert| (a.state, a.since, a.told) == (b.state, b.since, b.told);
        let mut changes = Vec::new();
        for (key, alert) in after {
            if !before.get(key).is_some_and(|old| same(old, alert)) {
                let body = serde_json::to_vec(alert).expect("an alert is plain data");
                changes.push((key.clone(), Some(Bytes::from(body))));
            }
        }
        changes.extend(before.keys().filter(|key| !after.contains_key(*key)).map(|key| (key.clone(), None)));
        if changes.is_empty() {
            return true;
        }
        let revision = self.host.snapshot().documents.space(SPACE).revision;
        let wanted = Command::Documents(DocumentChanges { space: SPACE.to_owned(), revision, changes });
        let kept = self.host.command(wanted).await;
        if let Err(error) = &kept {
            tracing::warn!(%error, "the states of alerts could not be kept; evaluated again later");
        }
        kept.is_ok()
    }
}

/// What `isopoint check` is asked.
#[derive(Clone, Debug, clap::Args)]
#[command(after_long_help = rules::EXAMPLE)]
pub(crate) struct CheckArgs {
    /// TOML file of checks
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Only read the file and say what is wrong with it
    #[arg(long)]
    syntax: bool,
    #[command(flatten)]
    remote: RemoteArgs,
}

/// Evaluates every check once against a server, whatever `for` says, and prints how each series stands.
pub(crate) fn run(args: &CheckArgs) -> Exit {
    let rules = match rules::load(&args.file) {
        Ok(rules) => rules,
        Err(error) => {
            eprintln!("isopoint: {error}");
            return Exit::Usage;
        }
    };
    if args.syntax {
        println!("{}: {} checks", args.file.display(), rules.len());
        return Exit::Done;
    }
    let client = match Client::new(&args.remote) {
        Ok(client) => client,
        Err(error) => {
            eprintln!("isopoint: {error}");
            return Exit::Failed;
        }
    };
    let mut wrong = 0;
    for rule in &rules {
        let wire = rule.wire(clock::now());
        let asked = client.send_wire(&wire).and_then(|(status, body)| read::readings(&wire.path, status, &body));
        match asked {
            Err(error) => {
                wrong += 1;
                println!("error   {}: {error}", rule.name);
            }
            Ok(readings) => {
                // As if it had been so for long enough.
                let at_once = Rule { hold: Duration::ZERO, ..rule.clone() };
                let alerts = evaluate(&at_once, &readings, &Alerts::new(), 0);
                wrong += alerts.len();
                if readings.is_empty() && alerts.is_empty() {
                    println!("ok      {}: no series", rule.name);
                }
                let key = |reading: &read::Reading| alert::key(&rule.name, &reading.labels);
                for reading in &readings {
                    let word = if alerts.contains_key(&key(reading)) { "firing " } else { "ok     " };
                    let labels = reading.labels.iter().map(|(name, value)| format!(" {name}={value}"));
                    println!("{word} {}: {}{}", rule.name, reading.text, labels.collect::<String>());
                }
                let shown: Vec<String> = readings.iter().map(key).collect();
                for alert in alerts.iter().filter(|(key, _)| !shown.contains(key)).map(|(_, alert)| alert) {
                    println!("firing  {}: {}", rule.name, alert.value);
                }
            }
        }
    }
    if wrong == 0 { Exit::Done } else { Exit::Failed }
}
