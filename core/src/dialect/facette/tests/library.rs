//! The library beyond its corpus: collections, bulk, transfer, presets, providers, and changes that come between.

use super::Server;
use crate::dialect::exchange::{ApiRequest, Turn};
use crate::dialect::route;
use crate::exec::Budget;
use bytes::Bytes;
use serde_json::{Value, json};

const LIBRARY: &str = "/api/v1/library";

fn server() -> Server {
    Server::new("2017-06-07T12:29:08Z", false)
}

fn id(number: u32) -> String {
    format!("11b00001-0000-4000-8000-{number:012}")
}

#[track_caller]
fn done(server: &mut Server, method: &str, path: &str, body: &Value, status: u16) {
    let answer = server.json(method, &format!("{LIBRARY}/{path}"), body);
    assert_eq!(answer.head.status, status, "{method} {path} {body}: {}", answer.text);
}

#[track_caller]
fn found(server: &mut Server, path: &str) -> Value {
    let answer = server.get(&format!("{LIBRARY}/{path}"));
    assert_eq!(answer.head.status, 200, "{path}: {}", answer.text);
    answer.json()
}

/// A template, an instance, a collection of both below another one.
fn filled() -> Server {
    let mut server = server();
    for (kind, item) in [
        ("graphs", json!({ "id": id(1), "name": "t", "template": true, "options": { "title": "T {{ .h }}{{ .n }}" } })),
        ("graphs", json!({ "id": id(2), "name": "i", "link": id(1), "attributes": { "n": 2 } })),
        ("collections", json!({ "id": id(3), "name": "top", "alias": "top-alias", "options": { "title": "b10" } })),
        (
            "collections",
            json!({
                "id": id(4), "name": "page", "parent": id(3), "attributes": { "h": "web" },
                "entries": [{ "graph": id(1), "attributes": { "n": 1 } }, { "graph": id(2), "options": { "x": 1 } }],
            }),
        ),
        ("collections", json!({ "id": id(5), "name": "other", "options": { "title": "b9" } })),
        (
            "collections",
            json!({
                "id": id(6), "name": "ct", "template": true, "options": { "title": "C {{ .h }}" }, "attributes": { "h": "x" },
            }),
        ),
        (
            "collections",
            json!({ "id": id(7), "name": "ci", "link": id(6), "attributes": { "h": "a" }, "parent": id(3) }),
        ),
    ] {
        done(&mut server, "POST", kind, &item, 201);
    }
    server
}

#[test]
fn collections_hang_below_each_other() {
    let mut server = filled();
    let page = json!({ "id": id(4), "label": "page", "parent": id(3), "children": [] });
    let instance = json!({ "id": id(7), "label": "C a", "parent": id(3), "children": [] });
    let below = json!([instance, page]);
    assert_eq!(
        found(&mut server, "collections/tree"),
        json!([
            { "id": id(5), "label": "b9", "children": [] },
            { "id": id(3), "label": "b10", "children": below },
        ])
    );
    assert_eq!(found(&mut server, "collections/tree?parent=top-alias"), below);
    assert_eq!(found(&mut server, &format!("collections/tree?parent={}", id(9))), json!([]));
    assert_eq!(server.get(&format!("{LIBRARY}/collections/tree?parent=none")).head.status, 400);

    let shown = found(&mut server, &format!("collections/{}?expand=1&fields=entries", id(4)));
    assert_eq!(
        shown["entries"],
        json!([
            { "graph": id(1), "attributes": { "n": 1 }, "options": { "title": "T web1" } },
            { "graph": id(2), "options": { "x": 1, "title": "T web2" } },
        ])
    );
    let listed = found(&mut server, &format!("collections?parent={}&fields=name&sort=-name", id(3)));
    assert_eq!(listed, json!([{ "name": "page" }, { "name": "ci" }]));

    // A ring is no reason to go on forever.
    done(&mut server, "PATCH", &format!("collections/{}", id(3)), &json!({ "parent": id(4) }), 204);
    let ring = found(&mut server, "collections/tree?parent=top-alias");
    assert_eq!(ring[1]["children"][0]["children"], json!([]));
}

#[test]
fn what_is_deleted_takes_along_what_rests_on_it() {
    let mut server = filled();
    done(&mut server, "DELETE", &format!("graphs/{}", id(1)), &json!(null), 204);
    assert_eq!(found(&mut server, "graphs"), json!([]), "the instance goes with its template");
    assert_eq!(found(&mut server, &format!("collections/{}", id(4))).get("entries"), None);
    done(&mut server, "DELETE", &format!("collections/{}", id(3)), &json!(null), 204);
    assert_eq!(found(&mut server, &format!("collections/{}", id(4))).get("parent"), None);
    // Names and aliases are free again.
    done(&mut server, "POST", "collections", &json!({ "name": "top", "alias": "top-alias" }), 201);
}

#[test]
fn an_item_is_checked_before_it_is_saved() {
    let mut server = filled();
    let mut refused = |method: &str, path: &str, body: Value, message: &str| {
        let answer = server.json(method, &format!("{LIBRARY}/{path}"), &body);
        assert_eq!(answer.json()["message"], message, "{method} {path} {body}");
    };
    let other = format!("graphs/{}", id(2));
    refused("PUT", &other, json!({ "name": "i", "id": id(1) }), "invalid identifier");
    refused("PATCH", &other, json!({ "name": "t" }), "item conflict");
    refused("PATCH", &other, json!({ "options": [] }), "invalid JSON data");
    refused("PATCH", &format!("graphs/{}", id(9)), json!([]), "item not found");
    refused("POST", "graphs?inherit=none", json!({ "name": "x" }), "item not found");
    refused("POST", "collections", json!({ "name": "x", "parent": id(9) }), "unknown reference");
    refused("POST", "collections", json!({ "name": "x", "entries": [{ "graph": id(3) }] }), "unknown reference");
    refused("POST", "collections", json!({ "name": "x", "entries": [{}] }), "unknown reference");
    refused("POST", "metricgroups", json!({ "name": "x", "patterns": ["a", "regexp:("] }), "invalid pattern");
    refused("POST", "graphs", json!(null), "invalid name");
    // What was replaced keeps when it was made, and the name it had is free.
    server.now = crate::time::Timestamp::from_nanos(server.now.nanos() + 1_500_000_000);
    done(&mut server, "PUT", &format!("graphs/{}", id(2)), &json!({ "name": "renamed" }), 204);
    let item = found(&mut server, &format!("graphs/{}", id(2)));
    assert_eq!((&item["created"], &item["modified"]), (&json!("2017-06-07T12:29:08Z"), &json!("2017-06-07T12:29:09Z")));
    done(&mut server, "POST", "graphs", &json!({ "name": "i" }), 201);
}

#[test]
fn points_of_an_instance_are_those_of_its_template() {
    let mut server = server();
    server.write("d", "m,host=a v=1 1496838488000000000\nm,host=b v=2 1496838488000000000");
    let series = json!([{ "name": "{{ .h }}", "origin": "d", "source": "{{ .h }}", "metric": "m.{{ .f }}" }]);
    done(&mut server, "POST", "graphs", &json!({ "id": id(1), "name": "t", "groups": [{ "series": series }] }), 201);
    let mut ask = |graph: Value, attributes: Value| {
        server.points(
            &json!({ "graph": graph, "attributes": attributes, "time": "2017-06-07T12:29:08Z", "range": "-1m" }),
        )
    };
    let inline = json!({ "name": "lost", "link": id(1), "attributes": { "h": "b", "f": "x" } });
    let answer = ask(inline.clone(), json!({ "f": "v" }));
    assert_eq!(
        (&answer.json()["series"][0]["points"], &answer.json()["options"]),
        (&json!([[1496838488, 2]]), &json!({ "title": "t" }))
    );
    assert_eq!(answer.header("X-Unknown-Series"), None);
    let answer = ask(inline, json!({ "f": "é" }));
    assert_eq!(answer.header("X-Unknown-Series"), Some(r#"[["d","b","m.\u00e9"]]"#));
    assert_eq!(answer.header("X-Unknown-Series-Count"), Some("1"));
    let answer = ask(json!({ "link": id(2) }), json!({}));
    assert_eq!((answer.head.status, answer.json()), (400, json!({ "message": "unknown reference" })));
}

#[test]
fn groups_expand_over_what_the_catalog_has() {
    let mut server = server();
    server.write("d", "m,host=a v=1 1\nm,host=b w=2 1\nn v=3 1\nm,host=c s=\"text\" 1");
    server.write("e", "m,host=z v=1 1");
    done(&mut server, "POST", "sourcegroups", &json!({ "id": id(1), "name": "all", "patterns": ["glob:*", "a"] }), 201);
    done(&mut server, "POST", "metricgroups", &json!({ "id": id(2), "name": "all", "patterns": ["regexp:."] }), 201);
    let mut expand = |origin: &str, source: &str, metric: &str| {
        let body =
            json!([{ "name": "n", "origin": origin, "source": source, "metric": metric, "options": { "o": 1 } }]);
        let answer = server.json("POST", "/api/v1/series/expand", &body).json();
        let names = answer[0].as_array().unwrap().iter().map(|series| series["name"].as_str().unwrap().to_owned());
        names.collect::<Vec<_>>().join(", ")
    };
    let (sources, metrics) = (format!("group:{}", id(1)), format!("group:{}", id(2)));
    assert_eq!(expand("d", &sources, "m.v"), "- (m.v), a (m.v), b (m.v)");
    assert_eq!(expand("d", "a", &metrics), "a (m.v), a (m.w), a (n.v)", "all metrics of the origin");
    assert_eq!(expand("e", &sources, &metrics), "z (m.v)");
    assert_eq!(expand("", &sources, "m.v"), "- (m.v), a (m.v), b (m.v), z (m.v)");
    assert_eq!(expand("none", &sources, "m.v"), "");
    // A graph has only those of the source.
    let series = json!([{ "origin": "d", "source": "a", "metric": metrics }]);
    let answer = server.points(&json!({ "graph": { "groups": [{ "series": series }] } })).json();
    assert_eq!((answer["series"].as_array().unwrap().len(), &answer["series"][0]["name"]), (1, &json!("a (m.v)")));
}

#[test]
fn requests_in_bulk_see_what_those_before_did() {
    let mut server = server();
    let answer = server.json("POST", "/api/v1/bulk", &json!([
        { "endpoint": "library/graphs", "method": "POST", "data": { "name": "a" } },
        { "endpoint": "/library/graphs/", "method": "POST", "data": { "name": "b" } },
        { "endpoint": "library/graphs", "method": "POST", "data": { "name": "b&c" } },
        { "endpoint": "library/graphs?fields=name", "params": { "sort": "-name", "limit": 1.0, "filter": "glob:*" } },
        { "endpoint": "library/graphs", "method": "POST", "data": { "name": "b" } },
        { "endpoint": "library/graphs", "params": { "fields": "name" } },
        { "endpoint": "bulk", "method": "POST", "data": [] },
        { "endpoint": "../query" },
        { "endpoint": "series/points", "method": "POST", "data": { "graph": {} } },
        { "endpoint": "library/graphs", "method": "POST" },
        { "endpoint": "library/graphs", "method": "HEAD" },
    ]));
    let entries = answer.json();
    let short: Vec<_> = entries
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (entry["status"].as_u64().unwrap(), entry["data"].clone()))
        .collect();
    let unknown = json!({ "message": "unknown endpoint" });
    assert_eq!(
        short[..8],
        [
            (201, json!(null)),
            (308, json!(null)),
            (400, json!({ "message": "invalid name" })),
            (200, json!([{ "name": "a" }])),
            (201, json!(null)),
            (200, json!([{ "name": "a" }, { "name": "b" }])),
            (404, unknown.clone()),
            (404, unknown),
        ]
    );
    assert_eq!(short[8].1["series"], json!([]));
    assert_eq!(short[9], (400, json!({ "message": "invalid JSON data" })));
    assert_eq!((&short[10], &entries[10]["headers"]["X-Total-Records"]), (&(200, json!(null)), &json!(["2"])));
    assert_ne!(entries[0]["headers"]["Location"], entries[4]["headers"]["Location"]);
    assert_eq!(entries[3]["headers"]["X-Total-Records"], json!(["1"]));
    for wrong in [json!([null]), json!([{ "endpoint": 1 }]), json!([{ "params": [] }])] {
        assert_eq!(server.json("POST", "/api/v1/bulk", &wrong).head.status, 400, "{wrong}");
    }
    assert_eq!(server.json("POST", "/api/v1/bulk", &json!([])).text, "[]\n");
}

#[test]
fn a_library_moves_as_one_file() {
    let mut server = filled();
    let file = server.get(&format!("{LIBRARY}/export")).json();
    assert_eq!((&file["format"], file["collections"].as_array().unwrap().len()), (&json!(1), 5));
    let mut other = Server::new("2020-01-01T00:00:00Z", false);
    done(&mut other, "POST", "graphs", &json!({ "name": "own" }), 201);
    let answer = other.json("POST", &format!("{LIBRARY}/import"), &file);
    let counts = json!({ "collections": 5, "graphs": 2, "sourcegroups": 0, "metricgroups": 0 });
    assert_eq!((answer.head.status, answer.json()), (200, counts));
    assert_eq!(found(&mut other, "graphs").as_array().unwrap().len(), 3);
    // Again, and with two names that change places.
    let mut changed = file.clone();
    changed["graphs"][0]["name"] = json!("i");
    changed["graphs"][1]["name"] = json!("t");
    done(&mut other, "POST", "import", &changed, 200);
    assert_eq!(found(&mut other, "graphs?fields=name"), json!([{ "name": "i" }, { "name": "own" }, { "name": "t" }]));
    assert_eq!(found(&mut other, &format!("graphs/{}?fields=name", id(1))), json!({ "name": "i" }));
    // All or nothing.
    changed["graphs"][1]["name"] = json!("own");
    done(&mut other, "POST", "import", &changed, 409);
    changed["graphs"][1]["name"] = json!("i");
    done(&mut other, "POST", "import", &changed, 409);
    changed["graphs"][1] = changed["graphs"][0].clone();
    done(&mut other, "POST", "import", &changed, 409);
    changed["graphs"] = json!([]);
    done(&mut other, "POST", "import?replace=1", &changed, 400);
    done(&mut other, "POST", "import", &json!({ "graphs": [] }), 400);
    done(&mut other, "POST", "import?replace=1", &file, 200);
    assert_eq!(other.get(&format!("{LIBRARY}/export")).json(), file);
}

#[test]
fn presets_make_a_page_for_every_host() {
    let mut server = server();
    let lines = "cpu,host=web1 idle=1,user=2 1496838488000000000\ncpu,host=web2 idle=3 1496838488000000000\n\
                 disk,host=web1,path=/ used=4 1496838488000000000";
    server.write("telegraf", lines);
    for _ in 0..2 {
        let answer = server.json("POST", &format!("{LIBRARY}/presets"), &json!({ "origin": "telegraf" })).json();
        assert_eq!(answer, json!({ "collections": 3, "graphs": 2, "sourcegroups": 0, "metricgroups": 0 }));
    }
    let tree = found(&mut server, "collections/tree");
    assert_eq!((&tree[0]["label"], &tree[0]["children"][1]["label"]), (&json!("telegraf"), &json!("web2")));
    let page = tree[0]["children"][0]["id"].as_str().unwrap();
    let page = found(&mut server, &format!("collections/{page}?expand=1"));
    let titles: Vec<_> = page["entries"].as_array().unwrap().iter().map(|entry| &entry["options"]["title"]).collect();
    assert_eq!(titles, [&json!("web1 cpu"), &json!("web1 disk./")]);
    let entry = &page["entries"][0];
    let body = json!({ "id": entry["graph"], "attributes": entry["attributes"], "time": "2017-06-07T12:29:08Z" });
    let answer = server.points(&body).json();
    assert_eq!((&answer["series"][1]["name"], &answer["series"][1]["points"][0][1]), (&json!("user"), &json!(2)));
}

#[test]
fn every_database_has_a_provider_that_stays_as_it_is() {
    let mut server = server();
    server.write("a", "m v=1 1");
    server.write("b", "m v=1 1");
    let listed = server.get("/api/v1/providers?sort=-name&limit=1");
    assert_eq!(listed.header("X-Total-Records"), Some("2"));
    let provider = &listed.json()[0];
    assert_eq!((&provider["name"], &provider["enabled"], &provider["error"]), (&json!("b"), &json!(true), &json!("")));
    let path = format!("/api/v1/providers/{}", provider["id"].as_str().unwrap());
    let one = server.get(&path).json();
    assert_eq!((&one["connector"], &one["settings"]["mapping"]["glue"]), (&json!("influxdb"), &json!(".")));
    assert_eq!(server.json("POST", &format!("{path}/refresh"), &json!({})).head.status, 204);
    for method in ["PUT", "PATCH", "DELETE"] {
        let answer = server.json(method, &path, &json!({}));
        assert_eq!((answer.head.status, answer.json()), (403, json!({ "message": "read-only instance" })));
    }
    assert_eq!(server.get(&format!("/api/v1/providers/{}", id(1))).head.status, 404);
    let found = server.json("POST", &format!("{LIBRARY}/search"), &json!({ "terms": { "name": "regexp:^A$" } })).json();
    assert_eq!((&found[0]["type"], &found[0]["name"]), (&json!("providers"), &json!("a")));
}

#[test]
fn the_service_says_what_it_is() {
    let mut server = server();
    assert!(server.get("/api/v1/version").json()["version"].as_str().unwrap().starts_with("0.5.1"));
    let options = server.send("OPTIONS", "/api/v1", "", &[], "");
    assert_eq!((options.head.status, &options.json()["defaults"]), (200, &json!({ "time_range": "-1h" })));
    let answer = server.send("OPTIONS", "/api/v1/library/graphs", "", &[], "");
    assert_eq!((answer.head.status, answer.header("Allow")), (204, Some("DELETE, GET, HEAD, OPTIONS, POST")));
    for (path, location) in [("library/graphs/", "library/graphs"), ("catalog/", "catalog"), ("", "")] {
        let answer = server.get(&format!("/api/v1/{path}"));
        let location = format!("/api/v1/{location}");
        assert_eq!((answer.head.status, answer.header("Location")), (308, Some(location.trim_end_matches('/'))));
    }
    assert_eq!(server.get("/api/v1/nope/").head.status, 404);
    assert_eq!(server.get("/api/v1/catalog/metrics/a%2Fb/").head.status, 404);
}

#[test]
fn a_change_is_decided_again_when_another_came_between() {
    let mut server = server();
    let request = |name: &str| ApiRequest {
        method: "POST".to_owned(),
        path: format!("{LIBRARY}/graphs"),
        query: String::new(),
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body: Bytes::from(json!({ "name": name }).to_string()),
        now: server.now,
        request_id: String::new(),
        entropy: [9; 32],
    };
    let snapshot = server.store.snapshot();
    let mut exchanges = ["same", "other"].map(|name| route::open(request(name), snapshot.clone(), &server.config));
    done(&mut server, "POST", "graphs", &json!({ "name": "same" }), 201);
    let statuses = exchanges.each_mut().map(|exchange| {
        loop {
            match exchange.turn(Budget::SLICE) {
                Turn::Command(command) => {
                    let write = server.store.command(server.now, command);
                    server.settle(write, &mut **exchange);
                }
                Turn::Head(head) => break head.status,
                _ => {}
            }
        }
    });
    assert_eq!(statuses, [409, 201]);
    assert_eq!(found(&mut server, "graphs?fields=name"), json!([{ "name": "other" }, { "name": "same" }]));
}
