//! Who may do what: every path of every API is walked without credentials, with those of somebody who may nothing, and
//! with tokens. `isopoint routes` is the list; what is open is named here, and nothing else may be.

use isopoint_tests::answer::Answer;
use isopoint_tests::case::Request;
use isopoint_tests::engines::{Engine as _, Serve, data_folder, program};
use isopoint_tests::json::Value;
use std::process::Command;
use tempfile::TempDir;

/// Open on purpose: liveness, versions, preflights, a fixed refusal, the login itself.
const OPEN: &[&str] = &[
    "GET /ping",
    "HEAD /ping",
    "GET /status",
    "HEAD /status",
    "GET /health",
    "OPTIONS /query",
    "OPTIONS /write",
    "POST /api/v2/query",
    "GET /api/v1/version",
    "HEAD /api/v1/version",
    "OPTIONS /api/v1",
    "GET /api/health",
    "HEAD /api/health",
    "GET /ready",
    "HEAD /ready",
    "GET /isopoint/session",
    "POST /isopoint/session",
    "DELETE /isopoint/session",
];

struct Route {
    method: String,
    pattern: String,
    needs: String,
}

fn routes() -> Vec<Route> {
    let output = Command::new(program()).args(["routes", "--json"]).output().expect("the program is built");
    assert!(output.status.success());
    let list = Value::parse(&String::from_utf8(output.stdout).expect("UTF-8")).expect("JSON");
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_text).expect("a text").to_owned();
    let mut routes = Vec::new();
    for route in list.as_list().expect("a list") {
        for method in route.get("methods").and_then(Value::as_list).expect("methods") {
            let method = method.as_text().expect("a text").to_owned();
            routes.push(Route { method, pattern: text(route, "path"), needs: text(route, "needs") });
        }
    }
    routes
}

/// A path of the pattern.
fn filled(pattern: &str) -> String {
    let segment = |segment: &str| if segment.starts_with('{') { "planted".to_owned() } else { segment.to_owned() };
    pattern.split('/').map(segment).collect::<Vec<_>>().join("/")
}

fn request(route: &Route) -> Request {
    let path = filled(&route.pattern);
    let query = match path.as_str() {
        "/query" => "db=planted_db&q=SELECT+*+FROM+/.*/".to_owned(),
        _ => "db=planted_db&bucket=planted_db&query=avg:planted_measurement{*}&from=0&to=1000".to_owned(),
    };
    let body = match path.as_str() {
        "/write" | "/api/v2/write" => "planted_measurement intruded=1 1",
        _ if ["POST", "PUT", "PATCH"].contains(&route.method.as_str()) => "{}",
        _ => "",
    };
    let mut request = Request::post(&path, &[], body.as_bytes().to_vec());
    (request.method, request.query) = (route.method.clone(), query);
    request
}

const ADMIN: (&str, &str) = ("admin", "admin-password-1");

fn basic((user, password): (&str, &str)) -> String {
    use base64::Engine as _;
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}")))
}

/// A server with users, and data that only the administrator may see.
fn serve() -> (TempDir, Serve) {
    let folder = data_folder();
    let mut server =
        Serve::start_with(folder.path(), &["--auth", "--admin-password", ADMIN.1]).expect("the server starts");
    for statement in
        ["CREATE DATABASE planted_db", "CREATE DATABASE other_db", "CREATE USER nobody WITH PASSWORD 'nobody-password'"]
    {
        assert_eq!(as_admin(&mut server, Request::statement(statement)).status, 200);
    }
    let point = Request::post("/write", &[("db", "planted_db")], "planted_measurement,planted_tag=planted_value v=1 1");
    assert_eq!(as_admin(&mut server, point).status, 204);
    let point = Request::post("/write", &[("db", "other_db")], "m v=1 1");
    assert_eq!(as_admin(&mut server, point).status, 204);
    (folder, server)
}

fn ask(server: &mut Serve, request: Request) -> Answer {
    server.answer(&request, None).expect("it answers")
}

fn as_admin(server: &mut Serve, request: Request) -> Answer {
    ask(server, request.with("Authorization", &basic(ADMIN)))
}

/// All that an intruder could have changed.
fn state(server: &mut Serve) -> String {
    let asked = [
        Request::statement("SHOW DATABASES; SHOW USERS; SHOW CONTINUOUS QUERIES"),
        Request::get("/query", &[("db", "planted_db"), ("q", "SELECT * FROM /.*/")]),
        Request::get("/query", &[("db", "other_db"), ("q", "SELECT * FROM /.*/")]),
        Request::get("/api/v1/library", &[]),
        Request::get("/api/datasources", &[]),
        Request::get("/isopoint/tokens", &[]),
    ];
    asked.into_iter().map(|request| as_admin(server, request).text()).collect()
}

#[test]
fn no_path_is_open_by_accident() {
    let (_folder, mut server) = serve();
    let before = state(&mut server);
    let routes = routes();
    assert!(routes.len() > 100, "{}", routes.len());
    for route in &routes {
        let answer = ask(&mut server, request(route));
        let name = format!("{} {}", route.method, route.pattern);
        assert!(!answer.text().contains("planted_"), "{name}: {}", answer.text());
        let rest = ["/api/{*rest}", "/api/v1/{*rest}", "/api/v2/{*rest}"].contains(&route.pattern.as_str());
        if OPEN.contains(&name.as_str()) || rest {
            assert_eq!(route.needs, "nothing", "{name}");
            assert!(!rest || answer.status == 404, "{name}: {}", answer.status);
        } else {
            assert_ne!(route.needs, "nothing", "{name} is open, and not on the list of what is meant to be");
            assert!(matches!(answer.status, 401 | 403), "{name}: {} {}", answer.status, answer.text());
        }
    }
    for open in OPEN {
        assert!(routes.iter().any(|route| format!("{} {}", route.method, route.pattern) == *open), "{open} is no path");
    }
    assert_eq!(state(&mut server), before);
}

#[test]
fn somebody_without_rights_sees_and_changes_nothing() {
    let (_folder, mut server) = serve();
    let before = state(&mut server);
    let nobody = basic(("nobody", "nobody-password"));
    for route in routes() {
        let answer = ask(&mut server, request(&route).with("Authorization", &nobody));
        let name = format!("{} {}", route.method, route.pattern);
        // An answer may repeat what was asked for.
        let text = answer.text().replace("planted_db", "").replace("avg:planted_measurement{*}", "");
        assert!(!text.contains("planted_"), "{name}: {text}");
        if route.needs == "admin" {
            assert_eq!(answer.status, 403, "{name}");
        }
    }
    assert_eq!(state(&mut server), before);
}

fn make_token(server: &mut Serve, wanted: &str) -> String {
    let answer = as_admin(server, Request::post("/isopoint/tokens", &[], wanted));
    assert_eq!(answer.status, 201, "{}", answer.text());
    let document = Value::parse(&answer.text()).expect("JSON");
    document.get("token").and_then(Value::as_text).expect("a token").to_owned()
}

#[test]
fn a_token_may_what_it_was_made_for_until_it_ends_or_is_revoked() {
    let (folder, mut server) = serve();
    let reader = make_token(&mut server, r#"{"name": "reader", "read": ["planted_db"]}"#);
    let select = |database: &str| Request::get("/query", &[("db", database), ("q", "SELECT v FROM /.*/")]);
    let write = || Request::post("/write", &[("db", "planted_db")], "m v=1 1");
    // Every place where clients can put one.
    let offers: [(&str, String); 4] = [
        ("Authorization", format!("Bearer {reader}")),
        ("Authorization", format!("Token {reader}")),
        ("Authorization", basic(("any", &reader))),
        ("Cookie", format!("isopoint_session={reader}")),
    ];
    for (header, value) in &offers {
        let answer = ask(&mut server, select("planted_db").with(header, value));
        assert!(answer.status == 200 && answer.text().contains("planted_measurement"), "{value}: {}", answer.text());
        let answer = ask(&mut server, select("other_db").with(header, value));
        assert!(answer.text().contains("not authorized"), "{value}: {}", answer.text());
        assert_eq!(ask(&mut server, write().with(header, value)).status, 403, "{value}");
    }
    let by_parameters =
        Request::get("/query", &[("db", "planted_db"), ("q", "SELECT v FROM /.*/"), ("u", "any"), ("p", &reader)]);
    assert!(ask(&mut server, by_parameters).text().contains("planted_measurement"));

    // Datadog's and Grafana's and Facette's clients.
    let bearer = format!("Bearer {reader}");
    assert_eq!(
        ask(&mut server, Request::get("/api/v1/metrics", &[("from", "0")]).with("DD-API-KEY", &reader)).status,
        200
    );
    let series = r#"{"series": [{"metric": "x", "points": [[1700000000, 1]]}]}"#;
    let submitted = ask(&mut server, Request::post("/api/v1/series", &[], series).with("DD-API-KEY", &reader));
    assert_eq!(submitted.status, 403, "{}", submitted.text());
    assert_eq!(ask(&mut server, Request::get("/api/user", &[]).with("Authorization", &bearer)).status, 200);
    assert_eq!(ask(&mut server, Request::get("/api/v1/catalog", &[]).with("Authorization", &bearer)).status, 200);

    let writer = make_token(&mut server, r#"{"name": "writer", "write_all": true, "expires_secs": 3}"#);
    let bearer = format!("Bearer {writer}");
    assert_eq!(ask(&mut server, write().with("Authorization", &bearer)).status, 204);
    assert!(ask(&mut server, select("planted_db").with("Authorization", &bearer)).text().contains("not authorized"));
    // Of the store nothing but the hash: neither the folder nor a list has the text.
    let listed = as_admin(&mut server, Request::get("/isopoint/tokens", &[])).text();
    let secret = reader.rsplit('_').next().expect("a secret");
    assert!(!listed.contains(secret) && listed.contains("\"reader\""), "{listed}");
    assert!(!folder_holds(folder.path(), secret));
    // It is still good after a restart, and an administrator's token is an administrator's.
    let admin = make_token(&mut server, r#"{"name": "admin", "admin": true}"#);
    server.kill();
    let mut server = Serve::start_with(folder.path(), &["--auth"]).expect("it starts");
    let users = Request::statement("SHOW USERS").with("Authorization", &format!("Bearer {admin}"));
    assert!(ask(&mut server, users).text().contains("nobody"));
    std::thread::sleep(std::time::Duration::from_millis(3100));
    let expired = ask(&mut server, write().with("Authorization", &bearer));
    assert!(expired.status == 401 && expired.text().contains("expired"), "{}", expired.text());
    let id = reader.split('_').nth(1).expect("an id");
    let revoke = Request { method: "DELETE".into(), path: format!("/isopoint/tokens/{id}"), ..Request::default() };
    assert_eq!(as_admin(&mut server, revoke.clone()).status, 204);
    assert_eq!(as_admin(&mut server, revoke).status, 404);
    let gone = ask(&mut server, select("planted_db").with("Authorization", &format!("Bearer {reader}")));
    assert_eq!(gone.status, 401, "{}", gone.text());
    let guessed = format!("Bearer isp_{id}_{}", "0".repeat(40));
    assert_eq!(ask(&mut server, select("planted_db").with("Authorization", &guessed)).status, 401);
}

fn folder_holds(folder: &std::path::Path, text: &str) -> bool {
    std::fs::read_dir(folder).expect("it is there").flatten().any(|entry| {
        let path = entry.path();
        if path.is_dir() {
            return folder_holds(&path, text);
        }
        let bytes = std::fs::read(&path).unwrap_or_default();
        bytes.windows(text.len()).any(|part| part == text.as_bytes())
    })
}

#[test]
fn a_session_is_a_cookie_that_no_other_site_can_use() {
    let (_folder, mut server) = serve();
    let login = |password: &str| {
        Request::post("/isopoint/session", &[], format!(r#"{{"username": "admin", "password": "{password}"}}"#))
    };
    assert_eq!(ask(&mut server, login("wrong")).status, 401);
    let answer = ask(&mut server, login(ADMIN.1));
    assert_eq!(answer.status, 204, "{}", answer.text());
    let cookie = answer.header("Set-Cookie").expect("a cookie");
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    let cookie = cookie.split(';').next().expect("a pair").to_owned();
    let users = || Request::statement("SHOW USERS").with("Cookie", &cookie);
    assert!(ask(&mut server, users()).text().contains("nobody"));
    let who = ask(&mut server, Request::get("/isopoint/session", &[]).with("Cookie", &cookie)).text();
    assert!(who.contains("\"user\":\"admin\"") && who.contains("\"admin\":true"), "{who}");
    assert_eq!(ask(&mut server, users().with("Sec-Fetch-Site", "cross-site")).status, 403);
    // Another password ends it.
    let changed = Request::statement("SET PASSWORD FOR admin = 'admin-password-2'");
    assert_eq!(as_admin(&mut server, changed).status, 200);
    assert_eq!(ask(&mut server, users()).status, 401);
}

#[test]
fn guessing_passwords_is_slowed_and_locks_nobody_out() {
    let (_folder, mut server) = serve();
    let users = |password: &str| Request::statement("SHOW USERS").with("Authorization", &basic(("admin", password)));
    assert_eq!(ask(&mut server, users(ADMIN.1)).status, 200);
    let mut statuses = Vec::new();
    // One is forgiven every three seconds, which a slow machine needs for some hashes.
    while statuses.len() < 200 && statuses.last() != Some(&429) {
        statuses.push(ask(&mut server, users(&format!("guess{}", statuses.len()))).status);
    }
    assert!(statuses.len() > 9 && statuses.last() == Some(&429), "{statuses:?}");
    let answer = ask(&mut server, users("guess"));
    assert!(answer.status == 429 && answer.header("Retry-After").is_some());
    // Who was let in before, and tokens, are let in still.
    assert_eq!(ask(&mut server, users(ADMIN.1)).status, 200);
    let token = make_token(&mut server, r#"{"name": "t", "read_all": true}"#);
    let select = Request::get("/query", &[("db", "other_db"), ("q", "SELECT v FROM m")]);
    assert_eq!(ask(&mut server, select.with("Authorization", &format!("Bearer {token}"))).status, 200);
}

#[test]
fn the_command_line_makes_users_and_tokens() {
    let folder = data_folder();
    let server = Serve::start_with(folder.path(), &["--auth"]).expect("it starts");
    let host = format!("http://{}", server.address());
    let run = |arguments: &[&str], environment: &[(&str, &str)]| {
        let mut command = Command::new(program());
        command.args(arguments).env("ISOPOINT_HOST", &host).envs(environment.iter().copied());
        let output = command.output().expect("it runs");
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        (output.status.code(), said.trim().to_owned())
    };
    // The first one needs nobody's leave, as in InfluxDB.
    let (code, password) = run(&["user", "create", "root", "--admin"], &[]);
    assert_eq!(code, Some(0), "{password}");
    let root = [("ISOPOINT_USERNAME", "root"), ("ISOPOINT_PASSWORD", password.as_str())];
    assert_eq!(run(&["query", "-e", "CREATE DATABASE d"], &root).0, Some(0));
    assert_eq!(run(&["user", "create", "ann"], &root).0, Some(0));
    assert_eq!(run(&["user", "grant", "ann", "read", "d"], &root).0, Some(0));
    let (_, listed) = run(&["user", "list"], &root);
    assert!(listed.contains("root\tadministrator") && listed.contains("ann\tREAD on d"), "{listed}");
    let (code, token) = run(&["token", "create", "shipper", "--write", "d", "--expires", "1h"], &root);
    assert_eq!(code, Some(0), "{token}");
    let (_, listed) = run(&["token", "list"], &root);
    assert!(listed.contains("shipper\twrite d") && listed.contains("by root"), "{listed}");
    let file = folder.path().join("points.lp");
    std::fs::write(&file, "m v=1 1\n").expect("a file");
    let path = file.to_str().expect("a plain name");
    let (code, said) = run(&["query", "-d", "d", "-e", "SELECT * FROM m"], &[("ISOPOINT_TOKEN", token.as_str())]);
    assert!(code == Some(1) && said.contains("not authorized"), "{said}");
    assert_eq!(run(&["user", "list"], &[]).0, Some(1), "without credentials");
    let id = token.split('_').nth(1).expect("an id");
    assert_eq!(run(&["token", "revoke", id], &root).0, Some(0));
    assert_eq!(run(&["import", path, "-d", "d"], &[("ISOPOINT_TOKEN", token.as_str())]).0, Some(1));
    assert_eq!(run(&["user", "delete", "ann"], &root).0, Some(0));
}
