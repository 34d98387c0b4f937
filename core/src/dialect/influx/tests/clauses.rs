//! Subqueries, `INTO`, `tz()` and EXPLAIN over the points of [`Server::with_points`], from memory and from block files.

use super::{Server, check, series};

#[test]
fn a_subquery_is_read_like_a_measurement() {
    let one = |column: &str, values: &str| series(&format!("\"time\",\"{column}\""), values);
    check(&[
        ("SELECT f FROM (SELECT f FROM m WHERE k = 'b')", &one("f", "[61,2.5],[181,-2]")),
        ("SELECT max(a) FROM (SELECT mean(f) AS a FROM m GROUP BY k)", &one("max", "[0,8]")),
        ("SELECT sum(c) FROM (SELECT count(f) AS c FROM m GROUP BY time(2m)) WHERE time < 300s", &one("sum", "[0,5]")),
        // Its times and tags are those of the query around it.
        ("SELECT f FROM (SELECT f, k FROM m) WHERE time > 100s AND time < 200s AND k = 'a'", &one("f", "[121,4]")),
        ("SELECT mean(d) FROM (SELECT difference(f) AS d FROM m WHERE k = 'b')", &one("mean", "[0,-4.5]")),
        ("SELECT x FROM (SELECT f FROM m)", ""),
        ("SELECT f FROM (SELECT f FROM nothing)", ""),
    ]);
}

#[test]
fn a_bucket_inside_that_begins_before_the_range_is_kept() {
    let max = |values: &str| series("\"time\",\"max\"", values);
    let rows = |inner: &str, range: &str, outer: &str| {
        let inner = format!("SELECT mean(f) AS a FROM m GROUP BY time({inner})");
        format!("SELECT max(a) FROM ({inner}) WHERE time >= {range} AND time < 241s GROUP BY {outer}")
    };
    let cases = [
        (rows("2m", "61s", "time(1m) fill(none)"), max("[0,2.5],[120,1]")),
        (rows("2m", "61s", "time(1m) fill(none) tz('Asia/Kolkata')"), max("[0,2.5],[120,1]")),
        (rows("4m", "121s", "time(1m) fill(none) tz('Asia/Kolkata')"), max("[0,1]")),
        // It takes the place of the first bucket of the range; descending, all down to it are made.
        (rows("2m", "61s", "time(1m) fill(9)"), max("[0,2.5],[120,1],[180,9],[240,9]")),
        (rows("2m", "61s", "time(1m) fill(9) tz('Asia/Kolkata')"), max("[0,2.5],[120,1],[180,9],[240,9]")),
        (rows("4m", "121s", "time(1m) fill(9) ORDER BY time DESC"), max("[240,9],[180,9],[120,9],[60,9],[0,1]")),
    ];
    let cases: Vec<(&str, &str)> = cases.iter().map(|(asked, answer)| (asked.as_str(), answer.as_str())).collect();
    check(&cases);
}

#[test]
fn into_writes_what_is_selected() {
    for flushing in [false, true] {
        let mut server = Server::with_points(flushing);
        let into =
            |server: &mut Server, statement: &str| server.post("/query", &format!("db=d&q={statement}"), "").text();
        let answer = into(&mut server, "SELECT f INTO c FROM m GROUP BY *");
        assert!(answer.contains("[\"1970-01-01T00:00:00Z\",5]"), "{answer}");
        assert!(
            server.ask("SELECT f FROM c WHERE k = 'b'").contains("[[61,2.5],[181,-2]]"),
            "tags stay with GROUP BY *"
        );
        let answer = into(&mut server, "SELECT max(f) INTO c2 FROM m WHERE time < 4m GROUP BY time(2m)");
        assert!(answer.contains(",2]"), "{answer}");
        assert!(server.ask("SELECT * FROM c2").contains("[[0,2.5],[120,4]]"));
        let answer = into(&mut server, "SELECT f INTO nowhere..c FROM m");
        assert!(answer.contains("\"error\":\"database not found: nowhere\""), "{answer}");
        let answer = into(&mut server, "SELECT f INTO d.autogen.:MEASUREMENT FROM nothing");
        assert!(answer.contains(",0]"), "nothing is written: {answer}");
    }
}

#[test]
fn days_begin_where_the_zone_has_midnight() {
    let count = |values: &str| series("\"time\",\"count\"", values);
    check(&[
        (
            "SELECT count(f) FROM m WHERE time >= 0s AND time < 300s GROUP BY time(1d) tz('Europe/Berlin')",
            &count("[-3600,5]"),
        ),
        (
            "SELECT count(f) FROM m WHERE time >= 0s AND time < 300s GROUP BY time(1d) tz('America/New_York')",
            &count("[-68400,5]"),
        ),
        ("SELECT count(f) FROM m WHERE time >= 0s AND time < 300s GROUP BY time(1d)", &count("[0,5]")),
    ]);
    let mut server = Server::with_points(false);
    let answer = server.get("/query", "db=d&q=SELECT f FROM m LIMIT 1 tz('Asia/Kolkata')").text();
    assert!(answer.contains("\"1970-01-01T05:30:01+05:30\""), "{answer}");
    assert!(server.ask("SELECT f FROM m tz('Nowhere')").contains("unable to find time zone Nowhere"));
}

#[test]
fn a_plan_is_told_and_with_analyze_what_it_cost() {
    for flushing in [false, true] {
        let mut server = Server::with_points(flushing);
        let plan = server.ask("EXPLAIN SELECT mean(f) FROM m WHERE k = 'a' GROUP BY time(1m)");
        for part in ["\"QUERY PLAN\"", "mean", "f"] {
            assert!(plan.contains(part), "{part}: {plan}");
        }
        let analyzed = server.ask("EXPLAIN ANALYZE SELECT mean(f) FROM m");
        assert!(analyzed.len() > server.ask("EXPLAIN SELECT mean(f) FROM m").len(), "{analyzed}");
        // Nothing is written by a plan.
        server.ask("EXPLAIN ANALYZE SELECT f INTO c FROM m");
        assert_eq!(server.ask("SELECT f FROM c"), "");
        assert!(server.ask("EXPLAIN SELECT mean(f) FROM nothing").contains("nothing that it reads exists"));
    }
}
