//! The book's commands work: every frame marked `sh` of a page is run, in order, against a fresh server.
//!
//! A page may say `<!-- server: FLAGS -->` on its first line. `127.0.0.1:8086` stands for the server's address.

use isopoint_tests::engines::{Serve, data_folder, program};
use isopoint_tests::json::Value;
use isopoint_tests::waiting::say;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn book() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs")
}

fn pages(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the book").flatten() {
        let path = entry.path();
        if path.is_dir() {
            pages(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
    found.sort();
}

/// The contents of the frames marked `sh`.
fn commands(text: &str) -> Vec<String> {
    let mut commands = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim() == "```sh" {
            let block: Vec<&str> = lines.by_ref().take_while(|line| line.trim() != "```").collect();
            commands.push(block.join("\n"));
        }
    }
    commands
}

#[test]
fn every_command_of_the_book_works() {
    let mut found = Vec::new();
    pages(&book().join("src"), &mut found);
    let folder = program().parent().expect("a program lies in a folder").to_owned();
    let mut run = 0;
    for page in found {
        let text = fs::read_to_string(&page).expect("a page");
        let commands = commands(&text);
        if commands.is_empty() {
            continue;
        }
        let flags = text.lines().next().and_then(|line| line.strip_prefix("<!-- server:")?.strip_suffix("-->"));
        let flags: Vec<&str> = flags.unwrap_or_default().split_whitespace().collect();
        let place = data_folder();
        let server = Serve::start_with(&place.path().join("data"), &flags).expect("the server starts");
        let address = server.address().to_string();
        let script = commands.join("\n").replace("127.0.0.1:8086", &address);
        let path = std::env::var("PATH").unwrap_or_default();
        let output = Command::new("bash")
            .args(["-euo", "pipefail", "-c", &script])
            .current_dir(place.path())
            .env("PATH", format!("{}:{path}", folder.display()))
            .env("ISOPOINT_HOST", format!("http://{address}"))
            .output()
            .expect("bash runs");
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{}: {said}\n{script}", page.display());
        run += commands.len();
    }
    say(&format!("docs: {run} frames of commands run"));
    assert!(run > 15);
}

/// Links lead somewhere, and every page is in the contents.
#[test]
fn every_page_is_in_the_contents() {
    let source = book().join("src");
    let contents = fs::read_to_string(source.join("SUMMARY.md")).expect("the contents");
    let mut found = Vec::new();
    pages(&source, &mut found);
    for page in found {
        let name = page.strip_prefix(&source).expect("below it").to_string_lossy().into_owned();
        assert!(name == "SUMMARY.md" || contents.contains(&format!("({name})")), "{name} is not in SUMMARY.md");
    }
    for link in contents.split('(').skip(1).filter_map(|rest| rest.split(')').next()) {
        let generated = link.contains("generated-");
        assert!(generated || source.join(link).exists(), "{link} leads nowhere");
    }
}

/// The dashboard and the alert rules name counters that there are.
#[test]
fn the_dashboard_and_the_rules_name_real_counters() {
    let folder = data_folder();
    let server = Serve::start_with(folder.path(), &[]).expect("it starts");
    let mut client = server.client();
    let ask = |client: &mut isopoint_tests::http::Client, path: &str| {
        client.send(&isopoint_tests::case::Request::get(path, &[])).expect("it answers").text()
    };
    let _ = ask(&mut client, "/ping");
    let counters = ask(&mut client, "/metrics");
    let dashboard = fs::read_to_string(book().join("grafana-dashboard.json")).expect("the dashboard");
    Value::parse(&dashboard).expect("it is JSON");
    let rules = fs::read_to_string(book().join("alert-rules.yml")).expect("the rules");
    let mut named = 0;
    for text in [&dashboard, &rules] {
        for (at, _) in text.match_indices("isopoint_") {
            let name: String =
                text[at..].chars().take_while(|letter| letter.is_ascii_alphanumeric() || *letter == '_').collect();
            assert!(counters.contains(&name), "there is no counter {name}");
            named += 1;
        }
    }
    assert!(named > 10);
}
