//! Runs suites on an engine.

use crate::answer::Answer;
use crate::case::{Body, Case, Expect, Fixed, FixedBody, Isolation, Must, Prepare, Request, Step, Suite};
use crate::engines::Engine;
use crate::json::Value;

/// What became of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Passed,
    /// The answer is another one.
    Failed(String),
    /// There was no answer: the engine crashed, hung or closed the connection.
    Broken(String),
    /// It depends on the clock, and the engine has its own.
    Skipped,
}

/// Every case in order, each compared with what it expects.
pub fn run(suite: &Suite, engine: &mut dyn Engine) -> Vec<Outcome> {
    run_with(suite, engine, &mut |_, step, answer, engine| {
        let mut rules = step.rules.clone();
        rules.ignore(&engine.foreign_headers().iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        match &step.expect {
            Expect::Reference(Some(want)) => rules.same(want, answer),
            Expect::Reference(None) => Err("InfluxDB's answer is not recorded".into()),
            Expect::Fixed(want) => rules.meets(want, answer),
        }
    })
}

/// Every case in order; `judge` gets its number, the step and the answer.
pub fn run_with(
    suite: &Suite,
    engine: &mut dyn Engine,
    judge: &mut dyn FnMut(usize, &Step, &Answer, &mut dyn Engine) -> Result<(), String>,
) -> Vec<Outcome> {
    let ready = prepare(&suite.setup, engine, None);
    let case = |(at, case): (usize, &Case)| {
        if case.now.is_some() && engine.has_clock() {
            return Outcome::Skipped;
        }
        let judge = &mut |step: &Step, answer: &Answer, engine: &mut dyn Engine| judge(at, step, answer, engine);
        ready.clone().and_then(|()| run_case(case, suite, engine, judge)).err().unwrap_or(Outcome::Passed)
    };
    let outcomes = suite.cases.iter().enumerate().map(case).collect();
    // What a suite leaves behind is no case of it.
    let _ = prepare(&suite.teardown, engine, None);
    outcomes
}

fn run_case(
    case: &Case,
    suite: &Suite,
    engine: &mut dyn Engine,
    judge: &mut dyn FnMut(&Step, &Answer, &mut dyn Engine) -> Result<(), String>,
) -> Result<(), Outcome> {
    match case.isolation {
        Isolation::Shared => {}
        Isolation::Fresh => prepare(&suite.setup, engine, case.now)?,
        Isolation::Empty => engine.empty().map_err(Outcome::Broken)?,
    }
    prepare(&case.setup, engine, case.now)?;
    let mut saved: Vec<(String, String)> = Vec::new();
    for (at, step) in case.steps.iter().enumerate() {
        let step = filled(step, &saved);
        let answer = engine.answer(&step.request, case.now).map_err(Outcome::Broken)?;
        if let (Some(name), Some(location)) = (&step.save_location_as, answer.header("Location")) {
            let id = location.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
            saved.push((format!("${{{name}}}"), id.to_owned()));
        }
        match judge(&step, &answer, engine) {
            Err(why) if !step.optional => {
                let which = if case.steps.len() > 1 { format!("step {}: ", at + 1) } else { String::new() };
                return Err(Outcome::Failed(format!("{which}{}: {why}", step.request.brief())));
            }
            _ => {}
        }
    }
    Ok(())
}

/// The step with the names that earlier answers gave.
fn filled(step: &Step, saved: &[(String, String)]) -> Step {
    let fill = |text: &str| saved.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value));
    let mut step = step.clone();
    step.request.path = fill(&step.request.path);
    if let Body::Plain(body) = &mut step.request.body {
        if let Ok(text) = std::str::from_utf8(body) {
            *body = fill(text).into_bytes();
        }
    }
    if let Expect::Fixed(Fixed { body: Some(FixedBody::Json(documents)), .. }) = &mut step.expect {
        for document in documents {
            *document = Value::parse(&fill(&document.to_string())).expect("an identifier needs no escape");
        }
    }
    step
}

fn prepare(steps: &[Prepare], engine: &mut dyn Engine, now: Option<i64>) -> Result<(), Outcome> {
    for step in steps {
        match step {
            Prepare::Send { request, must } => {
                let answer = engine.answer(request, now).map_err(Outcome::Broken)?;
                let why = |why| Outcome::Failed(format!("setup: {}: {why}", request.brief()));
                done(*must, &answer).map_err(why)?;
            }
            Prepare::DropUsers { admin } => drop_users(admin, engine)?,
        }
    }
    Ok(())
}

fn done(must: Must, answer: &Answer) -> Result<(), String> {
    let said = || crate::json::brief(answer.text().trim(), 200);
    match must {
        Must::Answer => Ok(()),
        Must::Status(status) if status == answer.status => Ok(()),
        Must::Status(status) => Err(format!("status {}, expected {status}: {}", answer.status, said())),
        Must::Succeed if answer.status != 200 => Err(format!("status {}: {}", answer.status, said())),
        Must::Succeed => match error_of(answer)? {
            Some(error) => Err(error),
            None => Ok(()),
        },
    }
}

/// The first error that an InfluxDB answer carries.
fn error_of(answer: &Answer) -> Result<Option<String>, String> {
    let documents = Value::parse_all(&answer.text())?;
    let results =
        documents.iter().flat_map(|document| document.get("results").and_then(Value::as_list).unwrap_or_default());
    let mut errors = documents.iter().chain(results).filter_map(|value| value.get("error"));
    Ok(errors.next().map(ToString::to_string))
}

fn drop_users(admin: &[String; 2], engine: &mut dyn Engine) -> Result<(), Outcome> {
    use base64::Engine as _;
    let token = base64::engine::general_purpose::STANDARD.encode(admin.join(":"));
    let ask = |statement: &str| Request::statement(statement).with("Authorization", &format!("Basic {token}"));
    let answer = engine.answer(&ask("SHOW USERS"), None).map_err(Outcome::Broken)?;
    if answer.status != 200 || error_of(&answer) != Ok(None) {
        return Ok(());
    }
    let document = Value::parse(&answer.text()).map_err(Outcome::Failed)?;
    let mut users: Vec<&str> = crate::engines::first_column(&document).collect();
    users.sort_by_key(|user| (*user == admin[0], *user));
    for user in users {
        engine.answer(&ask(&format!("DROP USER \"{user}\"")), None).map_err(Outcome::Broken)?;
    }
    Ok(())
}
