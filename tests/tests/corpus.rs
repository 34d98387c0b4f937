//! Every case of the corpus, in this process and over a socket.

use isopoint_tests::case::{Profile, suites};
use isopoint_tests::engines::{Core, Serve, data_folder};
use isopoint_tests::run::{Outcome, run};
use isopoint_tests::waiting::Report;

#[test]
fn in_process() {
    let mut report = Report::new("core");
    for suite in suites() {
        report.add(&suite, &run(&suite, &mut Core::new(suite.profile)));
    }
    report.finish();
}

#[test]
fn over_a_socket() {
    let mut report = Report::new("http");
    let suites = suites();
    for profile in Profile::ALL {
        let folder = data_folder();
        let mut server = Serve::start(folder.path(), profile);
        for suite in suites.iter().filter(|suite| suite.profile == profile) {
            let outcomes = match &mut server {
                Ok(server) => run(suite, server),
                Err(why) => vec![Outcome::Failed(why.clone()); suite.cases.len()],
            };
            report.add(suite, &outcomes);
        }
    }
    report.finish();
}
