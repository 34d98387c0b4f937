//! What a real InfluxDB answered to the cases that are compared with one, kept beside them.
//!
//! `corpus/influx/answers/<suite>.json` is an object from a case's name to a list of answers, one a step (null where the
//! step has an expectation of its own), each with `status`, the `headers` that are compared, those of them whose values
//! do not matter in `present`, and the `body` as text, or as Base64 in `body_b64`. `cargo run -p isopoint-tests --bin
//! record` writes them.

use crate::answer::Answer;
use crate::case::{Case, Expect, Suite, corpus};
use crate::compare::Rules;
use crate::json::Value;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fs;
use std::path::PathBuf;

/// Of a suite such as `influx/show`.
fn file(suite: &str) -> Option<PathBuf> {
    Some(corpus().join("influx/answers").join(format!("{}.json", suite.strip_prefix("influx/")?)))
}

/// Gives every step that is compared with InfluxDB its recorded answer, if there is one.
pub fn attach(suite: &mut Suite) {
    let Some(text) = file(&suite.name).and_then(|file| fs::read_to_string(file).ok()) else { return };
    let recorded = Value::parse(&text).unwrap_or_else(|why| panic!("answers of {}: {why}", suite.name));
    for case in &mut suite.cases {
        let answers = recorded.get(&case.name).and_then(Value::as_list).unwrap_or_default();
        for (step, answer) in case.steps.iter_mut().zip(answers) {
            if let Expect::Reference(reference) = &mut step.expect {
                *reference = read(answer);
            }
        }
    }
}

/// Stores answers: of each case, one a step.
pub fn store(suite: &Suite, answers: &[Vec<Option<Answer>>]) -> std::io::Result<()> {
    let mut text = "{".to_owned();
    for (at, (case, answers)) in suite.cases.iter().zip(answers).enumerate() {
        text += if at == 0 { "\n" } else { ",\n" };
        text += &format!("{}: {}", Value::Text(case.name.clone()), of_case(case, answers));
    }
    text += "\n}\n";
    let file = file(&suite.name).expect("it is one of InfluxDB's");
    fs::create_dir_all(file.parent().expect("it has a folder"))?;
    fs::write(file, text)
}

fn of_case(case: &Case, answers: &[Option<Answer>]) -> Value {
    let answer = |(step, answer): (&crate::case::Step, &Option<Answer>)| match answer {
        Some(answer) => written(answer, &step.rules),
        None => Value::Null,
    };
    Value::List(case.steps.iter().zip(answers).map(answer).collect())
}

fn written(answer: &Answer, rules: &Rules) -> Value {
    let text = |text: String| Value::Text(text);
    let headers = rules.headers.iter().filter_map(|name| Some((name.clone(), text(answer.header(name)?))));
    let present = rules.presence.iter().filter(|name| answer.header(name).is_some());
    let body = match std::str::from_utf8(&answer.body) {
        Ok(body) => ("body".to_owned(), text(body.to_owned())),
        Err(_) => ("body_b64".to_owned(), text(STANDARD.encode(&answer.body))),
    };
    Value::Object(vec![
        ("status".to_owned(), Value::number(answer.status)),
        ("headers".to_owned(), Value::Object(headers.collect())),
        ("present".to_owned(), Value::List(present.cloned().map(text).collect())),
        body,
    ])
}

fn read(answer: &Value) -> Option<Answer> {
    let headers = answer.get("headers")?.as_object()?.iter();
    let headers = headers.map(|(name, value)| Some((name.clone(), value.as_text()?.to_owned())));
    let mut headers = headers.collect::<Option<Vec<_>>>()?;
    for name in answer.get("present")?.as_list()?.iter().filter_map(Value::as_text) {
        if !headers.iter().any(|(known, _)| known == name) {
            headers.push((name.to_owned(), String::new()));
        }
    }
    let body = match (answer.get("body").and_then(Value::as_text), answer.get("body_b64").and_then(Value::as_text)) {
        (Some(text), _) => text.as_bytes().to_vec(),
        (None, encoded) => STANDARD.decode(encoded?).ok()?,
    };
    Some(Answer { status: answer.get("status")?.as_f64()? as u16, headers, body })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::suites;

    #[test]
    fn an_answer_is_read_as_it_was_written() {
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        for body in [b"{\"a\":\"\n\"}".to_vec(), vec![0x81, 0xff]] {
            let answer = Answer { status: 404, headers: vec![header("Content-Type", "text/csv")], body };
            let mut sent = answer.clone();
            sent.headers.extend([header("Date", "today"), header("Request-Id", "17")]);
            let text = written(&sent, &Rules::default()).to_string();
            let kept = read(&Value::parse(&text).unwrap()).unwrap();
            assert_eq!((kept.status, &kept.body, kept.header("date")), (404, &answer.body, None));
            assert_eq!(kept.header("Request-Id").as_deref(), Some(""));
            assert_eq!(Rules::default().same(&kept, &sent), Ok(()));
            assert!(Rules::default().same(&kept, &answer).is_err());
        }
    }

    #[test]
    fn every_step_that_is_compared_with_influxdb_has_an_answer() {
        for suite in suites() {
            for case in &suite.cases {
                for step in &case.steps {
                    let missing = matches!(step.expect, Expect::Reference(None));
                    assert!(!missing, "{}: {}: run the program `record`", suite.name, case.name);
                }
            }
        }
    }
}
