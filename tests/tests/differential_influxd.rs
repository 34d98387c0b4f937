//! The recorded answers are those of a real InfluxDB, where there is one.

use isopoint_tests::case::{Profile, suites};
use isopoint_tests::engines::{Core, Influxd, influxd_program, required};
use isopoint_tests::random_statements;
use isopoint_tests::run::{Outcome, run};
use isopoint_tests::waiting::say;

#[test]
fn influxd_still_answers_as_recorded() {
    let program = influxd_program();
    if !required("influxd", program.is_some()) {
        return;
    }
    let program = program.expect("it was found");
    let suites = suites();
    let mut passed = 0;
    for profile in Profile::ALL {
        let mut server = Influxd::start(&program, profile).expect("influxd starts");
        for suite in suites.iter().filter(|suite| suite.profile == profile && suite.name.starts_with("influx/")) {
            for (case, outcome) in suite.cases.iter().zip(run(suite, &mut server)) {
                assert_eq!(outcome, Outcome::Passed, "{}: {}", suite.name, case.name);
                passed += 1;
            }
        }
    }
    say(&format!("influxd: {passed} cases as recorded"));
}

/// Random requests: `cargo xtask differential` asks more of them.
#[test]
fn random_statements_are_answered_alike() {
    let program = influxd_program();
    if !required("influxd", program.is_some()) {
        return;
    }
    let program = program.expect("it was found");
    let mut theirs = Influxd::start(&program, Profile::Default).expect("influxd starts");
    let mut ours = Core::new(Profile::Default);
    let mut tell = |difference: &random_statements::Difference| say(&difference.to_string());
    let found = random_statements::search(7, 500, &mut theirs, &mut ours, &mut tell).expect("both answer");
    say(&format!("influxd: {} random requests, {} left out", found.asked, found.known));
    assert!(found.differences.is_empty(), "{} differ", found.differences.len());
}
