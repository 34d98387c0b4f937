//! The Grafana cases over a socket, with the server that their data sources point at, and those without one in process.

use isopoint_tests::case::{Profile, Request};
use isopoint_tests::engines::{Core, Engine as _, Serve, data_folder};
use isopoint_tests::grafana::{Upstream, World, cases, id, run, runs_in};
use std::fs;

const PROVISIONED: &str = "datasources:\n- name: provisioned\n  type: graphite\n  uid: fixed\n  url: http://127.0.0.1:1\n";

fn finish(failed: &[String], passed: usize, least: usize) {
    assert!(failed.is_empty(), "{} failed, {passed} passed:\n{}", failed.len(), failed.join("\n"));
    assert!(passed >= least, "only {passed} cases were run");
}

#[test]
fn over_a_socket() {
    let folder = data_folder();
    let provisioning = folder.path().join("sources.yaml");
    fs::write(&provisioning, PROVISIONED).unwrap();
    let provisioning = provisioning.to_str().unwrap();
    let arguments = ["--auth", "--admin-password", "admin", "--provisioning", provisioning];
    let mut server = Serve::start_with(&folder.path().join("data"), &arguments).unwrap();
    let make_viewer = Request::statement("CREATE USER viewer WITH PASSWORD 'viewer'");
    let made = server.answer(&make_viewer.with("Authorization", "Basic YWRtaW46YWRtaW4="), None).unwrap();
    assert_eq!(made.status, 200, "{}", made.text());
    let upstream = Upstream::start();
    let world = World {
        base: format!("http://{}", server.address()),
        upstream: Some(upstream.base.clone()),
        user: ["admin".into(), "admin".into()],
        viewer: Some("viewer:viewer".into()),
        token: None,
        readonly_uid: Some("fixed".into()),
    };
    let (mut failed, mut passed) = (Vec::new(), 0);
    for case in cases().iter().filter(|case| runs_in(case, &world)) {
        match run(case, &world, Some(&upstream), &mut |request| server.answer(request, None)) {
            Ok(()) => passed += 1,
            Err(why) => failed.push(format!("{}: {why}", id(case))),
        }
    }
    finish(&failed, passed, 118);
}

#[test]
fn in_process() {
    let world = World {
        base: "http://127.0.0.1:1".into(),
        upstream: None,
        user: ["admin".into(), "admin".into()],
        viewer: None,
        token: None,
        readonly_uid: None,
    };
    // Who asks is asked over a socket only; these need another server, or the clock.
    let outside = ["auth-", "-unauthenticated", "health-influx-down", "proxy-", "query-csv-relative", "local-influx"];
    let mut core = Core::new(Profile::Default);
    let (mut failed, mut passed) = (Vec::new(), 0);
    for case in cases().iter().filter(|case| runs_in(case, &world)) {
        if outside.iter().any(|part| id(case).contains(part)) || case.to_string().contains("secureJsonData") {
            continue;
        }
        match run(case, &world, None, &mut |request| core.answer(request, None)) {
            Ok(()) => passed += 1,
            Err(why) => failed.push(format!("{}: {why}", id(case))),
        }
    }
    finish(&failed, passed, 50);
}
