//! Which cases an engine does not pass yet.
//!
//! `corpus/waiting/<engine>.json` is an object from a suite's name to names of its cases. It is neither optimistic nor
//! stale: a case that fails must be in it, and one that is in it must fail. No list excuses an engine that gives no
//! answer at all. `UPDATE_WAITING=1` writes the file anew.

use crate::case::{Suite, corpus};
use crate::json::Value;
use crate::run::Outcome;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

/// What became of the suites on one engine.
#[derive(Debug)]
pub struct Report {
    engine: &'static str,
    waiting: BTreeMap<String, BTreeSet<String>>,
    failed: BTreeMap<String, BTreeSet<String>>,
    table: String,
    total: [usize; 4],
    troubles: Vec<String>,
}

impl Report {
    pub fn new(engine: &'static str) -> Self {
        let text = fs::read_to_string(file(engine)).unwrap_or_else(|_| "{}".to_owned());
        let lists = Value::parse(&text).unwrap_or_else(|why| panic!("{engine}.json: {why}"));
        let names = |list: &Value| {
            list.as_list().unwrap_or_default().iter().filter_map(Value::as_text).map(str::to_owned).collect()
        };
        let lists = lists.as_object().unwrap_or_default().iter();
        Self {
            engine,
            waiting: lists.map(|(suite, list)| (suite.clone(), names(list))).collect(),
            failed: BTreeMap::new(),
            table: format!("{:<28} {:>7} {:>7} {:>7} {:>7}\n", engine, "passed", "waiting", "failed", "skipped"),
            total: [0; 4],
            troubles: Vec::new(),
        }
    }

    /// Counts a suite and notes what is not as the list says.
    pub fn add(&mut self, suite: &Suite, outcomes: &[Outcome]) {
        let waiting = self.waiting.remove(&suite.name).unwrap_or_default();
        let mut unknown = waiting.clone();
        let mut counts = [0; 4];
        for (case, outcome) in suite.cases.iter().zip(outcomes) {
            let waits = waiting.contains(&case.name);
            unknown.remove(&case.name);
            let mut trouble = |why: &str| self.troubles.push(format!("{}: {}: {why}", suite.name, case.name));
            match outcome {
                Outcome::Passed if waits => trouble("passes, so it does not wait any more"),
                Outcome::Failed(why) if !waits => trouble(why),
                Outcome::Broken(why) => trouble(why),
                _ => {}
            }
            if matches!(outcome, Outcome::Failed(_)) {
                self.failed.entry(suite.name.clone()).or_default().insert(case.name.clone());
            }
            counts[match outcome {
                Outcome::Passed => 0,
                Outcome::Failed(_) if waits => 1,
                Outcome::Failed(_) | Outcome::Broken(_) => 2,
                Outcome::Skipped => 3,
            }] += 1;
        }
        self.troubles.extend(unknown.iter().map(|name| format!("{}: no case is called {name:?}", suite.name)));
        self.row(&suite.name, counts);
        self.total.iter_mut().zip(counts).for_each(|(total, count)| *total += count);
    }

    fn row(&mut self, name: &str, [passed, waiting, failed, skipped]: [usize; 4]) {
        let _ = writeln!(self.table, "{name:<28} {passed:>7} {waiting:>7} {failed:>7} {skipped:>7}");
    }

    /// Panics with everything that is not as the list says, or writes the list if asked to.
    pub fn finish(mut self) {
        self.row("all", self.total);
        say(&self.table);
        self.troubles.extend(self.waiting.keys().map(|suite| format!("no suite is called {suite:?}")));
        if std::env::var_os("UPDATE_WAITING").is_some() {
            let text = |name: &String| Value::Text(name.clone()).to_string();
            let list = |(suite, names): (&String, &BTreeSet<String>)| {
                format!(" {}: [\n  {}\n ]", text(suite), names.iter().map(text).collect::<Vec<_>>().join(",\n  "))
            };
            let lists = format!("{{\n{}\n}}\n", self.failed.iter().map(list).collect::<Vec<_>>().join(",\n"));
            fs::create_dir_all(file(self.engine).parent().expect("it has a folder"))
                .expect("the corpus can be written");
            fs::write(file(self.engine), lists).expect("the corpus can be written");
            return;
        }
        assert!(self.troubles.is_empty(), "{} on {}:\n{}", self.troubles.len(), self.engine, self.troubles.join("\n"));
    }
}

fn file(engine: &str) -> PathBuf {
    corpus().join("waiting").join(format!("{engine}.json"))
}

/// Prints past the capture of the test harness: figures that a person wants of a run that passed.
pub fn say(text: &str) {
    use std::io::Write as _;
    let _ = std::io::stderr().write_all(format!("{}\n", text.trim_end()).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::{Case, Isolation, Profile};

    fn report(waiting: &[&str], outcomes: &[Outcome]) -> Vec<String> {
        let case = |at: usize| Case {
            name: format!("case {at}"),
            now: None,
            isolation: Isolation::Shared,
            setup: vec![],
            steps: vec![],
        };
        let cases = (0..outcomes.len()).map(case).collect();
        let suite = Suite { name: "s".into(), profile: Profile::Default, setup: vec![], teardown: vec![], cases };
        let mut report = Report::new("none");
        report.waiting.insert("s".into(), waiting.iter().map(|name| (*name).to_owned()).collect());
        report.add(&suite, outcomes);
        report.troubles
    }

    #[test]
    fn the_list_is_neither_optimistic_nor_stale() {
        let failed = || Outcome::Failed("differs".into());
        assert_eq!(report(&["case 1"], &[Outcome::Passed, failed(), Outcome::Skipped]), Vec::<String>::new());
        assert_eq!(report(&[], &[failed()]), ["s: case 0: differs"]);
        assert_eq!(report(&["case 0"], &[Outcome::Passed]), ["s: case 0: passes, so it does not wait any more"]);
        assert_eq!(report(&["case 0"], &[Outcome::Broken("crash".into())]), ["s: case 0: crash"]);
        assert_eq!(report(&["case 7"], &[Outcome::Passed]), ["s: no case is called \"case 7\""]);
    }
}
