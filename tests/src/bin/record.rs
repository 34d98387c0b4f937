//! Asks a real InfluxDB (`ISOPOINT_INFLUXD`, else `influxd` on the path) the cases that are compared with one and keeps
//! its answers. One that still says the same, by the rules of its case, is left as it is.

use isopoint_tests::answer::Answer;
use isopoint_tests::answers;
use isopoint_tests::case::{Expect, Profile, suites};
use isopoint_tests::engines::{Influxd, influxd_program};
use isopoint_tests::run::{Outcome, run_with};

fn main() {
    let program = influxd_program().expect("the comparison needs `influxd` 1.x on PATH, or ISOPOINT_INFLUXD");
    let suites = suites();
    for profile in Profile::ALL {
        let mut server = Influxd::start(&program, profile).expect("influxd starts");
        for suite in suites.iter().filter(|suite| suite.profile == profile && suite.name.starts_with("influx/")) {
            let mut kept: Vec<Vec<Option<Answer>>> = vec![Vec::new(); suite.cases.len()];
            let outcomes = run_with(suite, &mut server, &mut |at, step, answer, _| {
                kept[at].push(match &step.expect {
                    Expect::Reference(Some(before)) if step.rules.same(before, answer).is_ok() => Some(before.clone()),
                    Expect::Reference(_) => Some(answer.clone()),
                    Expect::Fixed(_) => None,
                });
                Ok(())
            });
            for (case, outcome) in suite.cases.iter().zip(outcomes) {
                if let Outcome::Failed(why) | Outcome::Broken(why) = outcome {
                    panic!("{}: {}: {why}", suite.name, case.name);
                }
            }
            answers::store(suite, &kept).expect("the corpus can be written");
            println!("{}: {} cases", suite.name, suite.cases.len());
        }
    }
}
