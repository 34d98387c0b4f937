//! A server that others can reach: refused without credentials and TLS, secured by TLS, closed to other sites' pages, and
//! silent about secrets.

use isopoint_tests::answer::Answer;
use isopoint_tests::authority::Authority;
use isopoint_tests::case::{Profile, Request};
use isopoint_tests::engines::{Engine as _, Serve, data_folder, program};
use isopoint_tests::http::read_answer;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::fs;
use std::io::{BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How a server ends that is not to start.
fn refused(arguments: &[&str]) -> (Option<i32>, String) {
    let folder = data_folder();
    let mut command = Command::new(program());
    command.args(["serve", "--no-self-metrics", "--data-dir"]).arg(folder.path()).args(arguments);
    let output = command.output().expect("it ends by itself");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn an_address_that_others_reach_needs_credentials_and_tls() {
    let (code, said) = refused(&["--listen", "0.0.0.0:0"]);
    assert!(code == Some(2) && said.contains("--insecure-no-auth") && said.lines().count() == 1, "{said}");
    let (code, said) = refused(&["--listen", "0.0.0.0:0", "--auth", "--admin-password", "x"]);
    assert!(code == Some(2) && said.contains("--insecure-no-tls"), "{said}");
    let (code, said) = refused(&["--listen", "0.0.0.0:0", "--auth", "--insecure-no-tls"]);
    assert!(code == Some(2) && said.contains("administrator"), "{said}");
    let folder = data_folder();
    let flags = ["--listen", "0.0.0.0:0", "--insecure-no-auth", "--insecure-no-tls"];
    let mut command = Command::new(program());
    command.args(["serve", "--no-self-metrics", "--data-dir"]).arg(folder.path()).args(flags);
    let mut child = command.stdout(std::process::Stdio::piped()).spawn().expect("it starts");
    let mut line = String::new();
    let mut stdout = BufReader::new(child.stdout.take().expect("it is piped"));
    std::io::BufRead::read_line(&mut stdout, &mut line).expect("a line");
    let _ = child.kill();
    let _ = child.wait();
    assert!(line.starts_with("listening on http://0.0.0.0:"), "{line}");
}

fn text(path: &Path) -> &str {
    path.to_str().expect("temporary folders have plain names")
}

fn client(authority: &Authority, own: Option<&(String, String)>, alpn: &[&[u8]]) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).expect("PEM")).expect("a root");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions");
    let builder = builder.with_root_certificates(roots);
    let mut config = match own {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).expect("PEM");
            let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("PEM");
            builder.with_client_auth_cert(vec![certificate], key).expect("they belong together")
        }
    };
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    config
}

type Secured = StreamOwned<ClientConnection, TcpStream>;

fn connect(address: SocketAddr, config: ClientConfig) -> std::io::Result<Secured> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    let name = ServerName::try_from("127.0.0.1").expect("an address");
    let mut secured =
        StreamOwned::new(ClientConnection::new(Arc::new(config), name).map_err(std::io::Error::other)?, stream);
    while secured.conn.is_handshaking() {
        secured.conn.complete_io(&mut secured.sock)?;
    }
    Ok(secured)
}

fn ping(mut secured: Secured) -> std::io::Result<Answer> {
    secured.write_all(b"GET /ping HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")?;
    read_answer(&mut BufReader::new(secured), "GET").map(|(answer, _)| answer)
}

#[test]
fn https_serves_both_versions_and_takes_a_new_certificate() {
    let (folder, authority) = (data_folder(), Authority::new());
    let file = |name: &str, pem: &str| {
        let path = folder.path().join(name);
        fs::write(&path, pem).expect("a file");
        path
    };
    let (certificate, key) = authority.issue("first.example");
    let (cert_file, key_file, ca_file) =
        (file("cert.pem", &certificate), file("key.pem", &key), file("ca.pem", &authority.pem()));
    let data = folder.path().join("data");
    let server = Serve::start_with(&data, &["--tls-cert", text(&cert_file), "--tls-key", text(&key_file)]);
    let server = server.expect("it starts");
    let address = server.address();
    let answer = ping(connect(address, client(&authority, None, &[])).expect("a connection")).expect("an answer");
    assert_eq!(answer.status, 204);

    // HTTP/2: preface, empty SETTINGS, one HEADERS frame that asks for /ping.
    let mut secured = connect(address, client(&authority, None, &[b"h2"])).expect("a connection");
    assert_eq!(secured.conn.alpn_protocol(), Some(b"h2".as_slice()));
    let block = [b"\x82\x87\x04\x05/ping\x01\x09".as_slice(), b"127.0.0.1"].concat();
    let mut sent = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
    sent.extend([0, 0, u8::try_from(block.len()).expect("it is short"), 1, 5, 0, 0, 0, 1]);
    sent.extend(block);
    secured.write_all(&sent).expect("it is taken");
    let status = loop {
        let mut head = [0; 9];
        secured.read_exact(&mut head).expect("a frame");
        let mut payload = vec![0; usize::from(head[1]) << 8 | usize::from(head[2])];
        secured.read_exact(&mut payload).expect("a whole frame");
        if head[3] == 1 {
            break payload[0];
        }
    };
    assert_eq!(status, 0x89, ":status 204, in HPACK's table");

    // The program's own client trusts what it is told to.
    let host = format!("https://{address}");
    let query = |more: &[&str]| {
        let output =
            Command::new(program()).args(["query", "--host", &host, "-e", "SHOW DATABASES"]).args(more).output();
        output.expect("it runs").status.code()
    };
    assert_eq!(query(&["--ca-cert", text(&ca_file)]), Some(0));
    assert_eq!(query(&[]), Some(1), "an authority nobody knows");

    // Another authority's certificate, put in place while it runs.
    let other = Authority::new();
    let (certificate, key) = other.issue("second.example");
    file("cert.pem", &certificate);
    file("key.pem", &key);
    server.reload();
    let began = Instant::now();
    while connect(address, client(&other, None, &[])).is_err() {
        assert!(began.elapsed() < Duration::from_secs(15), "the new certificate was not taken: {}", server.log());
        std::thread::sleep(Duration::from_millis(100));
    }
    // One that cannot be used changes nothing.
    file("cert.pem", "no certificate");
    server.reload();
    std::thread::sleep(Duration::from_millis(300));
    assert!(connect(address, client(&other, None, &[])).is_ok());
    assert!(server.log().contains("the certificate in force stays"), "{}", server.log());
}

#[test]
fn clients_show_a_certificate_where_that_is_asked() {
    let (folder, authority, clients) = (data_folder(), Authority::new(), Authority::new());
    let file = |name: &str, pem: &str| {
        let path = folder.path().join(name);
        fs::write(&path, pem).expect("a file");
        text(&path).to_owned()
    };
    let (certificate, key) = authority.issue("server.example");
    let flags = [
        "--tls-cert".to_owned(),
        file("cert.pem", &certificate),
        "--tls-key".to_owned(),
        file("key.pem", &key),
        "--tls-client-ca".to_owned(),
        file("clients.pem", &clients.pem()),
    ];
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let server = Serve::start_with(&folder.path().join("data"), &flags).expect("it starts");
    let try_with =
        |own: Option<&(String, String)>| connect(server.address(), client(&authority, own, &[])).and_then(ping);
    assert_eq!(try_with(Some(&clients.issue("ann"))).expect("an answer").status, 204);
    assert!(try_with(None).is_err());
    assert!(try_with(Some(&authority.issue("mallory"))).is_err(), "of another authority");
}

#[test]
fn subscribers_get_what_is_written_by_https() {
    let (folder, authority) = (data_folder(), Authority::new());
    let file = |name: &str, pem: &str| {
        let path = folder.path().join(name);
        fs::write(&path, pem).expect("a file");
        path
    };
    let (certificate, key) = authority.issue("server.example");
    let (certificate, key) = (file("cert.pem", &certificate), file("key.pem", &key));
    let flags = ["--tls-cert", text(&certificate), "--tls-key", text(&key), "--auth"];
    let subscriber = Serve::start_with(&folder.path().join("subscriber"), &flags).expect("it starts");
    let ask = |q: &str| {
        let mut secured = connect(subscriber.address(), client(&authority, None, &[])).expect("a connection");
        let head = "POST /query HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded";
        let login = "Authorization: Token ann:p@ss";
        let body = format!("epoch=s&q={}", q.replace(' ', "+"));
        let request = format!("{head}\r\n{login}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        secured.write_all(request.as_bytes()).expect("it is taken");
        read_answer(&mut BufReader::new(secured), "POST").expect("an answer").0.text()
    };
    ask("CREATE USER ann WITH PASSWORD 'p@ss' WITH ALL PRIVILEGES");
    ask("CREATE DATABASE db");

    let publisher = Serve::start_trusting(&folder.path().join("publisher"), &file("ca.pem", &authority.pem()));
    let mut publisher = publisher.expect("it starts");
    let mut run = |request: Request| publisher.answer(&request, None).expect("an answer");
    run(Request::statement("CREATE DATABASE db"));
    let destination = format!("https://ann:p%40ss@{}", subscriber.address());
    let subscribe = format!("CREATE SUBSCRIPTION s ON db.autogen DESTINATIONS ALL '{destination}'");
    let answer = run(Request::statement(&subscribe));
    assert!(!answer.text().contains("error"), "{}", answer.text());
    assert_eq!(run(Request::post("/write", &[("db", "db")], "m v=7 5000000000")).status, 204);
    let began = Instant::now();
    while !ask("SELECT v FROM db..m").contains("[5,7]") {
        assert!(began.elapsed() < Duration::from_secs(15), "nothing came: {}", publisher.log());
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn pages_of_other_sites_are_kept_out() {
    let folder = data_folder();
    let flags = ["--cors-origin", "https://good.example"];
    let mut server = Serve::start_with(folder.path(), &flags).expect("it starts");
    let mut ask = |request: Request| server.answer(&request, None).expect("it answers");
    let from = |site: &str, origin: &str| {
        Request::statement("CREATE DATABASE forged").with("Sec-Fetch-Site", site).with("Origin", origin)
    };
    assert_eq!(ask(from("cross-site", "https://evil.example")).status, 403);
    assert_eq!(ask(from("same-site", "http://127.0.0.1:3000")).status, 403);
    assert!(!ask(Request::statement("SHOW DATABASES")).text().contains("forged"));
    let answer = ask(from("cross-site", "https://good.example"));
    assert_eq!(
        (answer.status, answer.header("Access-Control-Allow-Origin")),
        (200, Some("https://good.example".into()))
    );
    let preflight = Request { method: "OPTIONS".into(), path: "/api/ds/query".into(), ..Request::default() };
    let preflight = preflight.with("Origin", "https://good.example").with("Access-Control-Request-Method", "POST");
    assert_eq!(ask(preflight).status, 204);
    // A stranger's name for this machine.
    let rebound = Request { method: "GET".into(), path: "/ping".into(), ..Request::default() };
    let address = server.address();
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.write_all(b"GET /ping HTTP/1.1\r\nHost: rebound.example\r\nConnection: close\r\n\r\n").expect("it is taken");
    let (answer, _) = read_answer(&mut BufReader::new(stream), &rebound.method).expect("an answer");
    assert_eq!(answer.status, 421, "{}", answer.text());
}

#[test]
fn the_dashboard_has_no_inline_script() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../www/index.html");
    let page = fs::read_to_string(page).expect("the page");
    for part in page.split("<script").skip(1) {
        let (tag, after) = part.split_once('>').expect("a whole tag");
        assert!(tag.contains("src=") && after.starts_with("</script>"), "<script{tag}>");
    }
    let handlers = ["onclick=", "onload=", "onerror=", "javascript:"];
    assert!(!handlers.iter().any(|handler| page.contains(handler)));
    let folder = data_folder();
    let mut server = Serve::start(folder.path(), Profile::Default).expect("it starts");
    let answer = server.answer(&Request::get("/", &[]).with("Accept", "text/html"), None).expect("it answers");
    let policy = answer.header("Content-Security-Policy").expect("a policy");
    let scripts = policy.split(';').find(|part| part.trim().starts_with("script-src")).expect("of scripts");
    assert!(
        !scripts.contains("unsafe-inline") && !scripts.contains("unsafe-eval'") || scripts.contains("wasm-unsafe-eval")
    );
    assert!(!scripts.contains("'unsafe-inline'"), "{policy}");
}

#[test]
fn no_log_holds_a_secret() {
    let folder = data_folder();
    let planted = [
        "planted-admin-password",
        "planted-user-password",
        "planted-new-password",
        "planted-wrong-password",
        "planted-jwt-secret",
        "planted-api-key",
        "planted-app-key",
        "planted-data-source-secret",
        "planted-webhook",
    ];
    let [admin, user, new, wrong, jwt, api, app, source, webhook] = planted;
    let hook = format!("http://{webhook}:x@127.0.0.1:9/");
    let mut server = Serve::start_with(
        folder.path(),
        &[
            "--auth",
            "--admin-password",
            admin,
            "--jwt-secret",
            jwt,
            "--datadog-api-key",
            api,
            "--datadog-app-key",
            app,
            "--alert-webhook",
            &hook,
            "--log-level",
            "trace",
            "--slow-query",
            "0.001",
        ],
    )
    .expect("it starts");
    let mut ask = |request: Request| server.answer(&request, None).expect("it answers");
    let as_admin = |request: Request| {
        let mut request = request;
        let login = format!("u=admin&p={admin}");
        request.query = if request.query.is_empty() { login } else { format!("{}&{login}", request.query) };
        request
    };
    for statement in [
        format!("CREATE DATABASE d; CREATE USER ann WITH PASSWORD '{user}'"),
        format!("SET PASSWORD FOR ann = '{new}'"),
        format!("CREATE USER ann WITH PASSWORD '{wrong}' nonsense"),
    ] {
        ask(as_admin(Request::statement(&statement)));
        ask(as_admin(Request::get("/query", &[("q", &statement)])));
    }
    use base64::Engine as _;
    let pair = base64::engine::general_purpose::STANDARD.encode(format!("ann:{wrong}"));
    ask(Request::statement("SHOW DATABASES").with("Authorization", &format!("Basic {pair}")));
    ask(Request::statement("SHOW DATABASES").with("Authorization", &format!("Token ann:{wrong}")));
    ask(Request::get(
        "/api/v1/query",
        &[("query", "avg:x{*}"), ("from", "0"), ("to", "60"), ("api_key", api), ("application_key", app)],
    ));
    ask(Request::get("/api/v1/validate", &[]).with("DD-API-KEY", api));
    let made = ask(as_admin(
        Request::post(
            "/api/datasources",
            &[],
            format!(
                r#"{{"name": "s", "type": "prometheus", "url": "http://127.0.0.1:9", "access": "proxy",
                 "secureJsonData": {{"basicAuthPassword": "{source}"}}}}"#
            ),
        )
        .with(
            "Authorization",
            &format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("admin:{admin}"))),
        ),
    ));
    assert_eq!(made.status, 200, "{}", made.text());
    let token = ask(as_admin(Request::post("/isopoint/tokens", &[], r#"{"name": "t", "read_all": true}"#))).text();
    let token = token.split("isp_").nth(1).expect("a token").split('"').next().expect("its text").to_owned();
    let secret = token.split('_').nth(1).expect("a secret").to_owned();
    ask(Request::statement("SHOW DATABASES").with("Authorization", &format!("Bearer isp_{token}")));
    let lines: String = (0..20_000).map(|at| format!("m,h=h{} v={at} {at}\n", at % 100)).collect();
    ask(as_admin(Request::post("/write", &[("db", "d")], lines)));
    let slow = "SELECT percentile(v, 50), count(v) FROM m WHERE h != 'password ' GROUP BY h";
    ask(as_admin(Request::get("/query", &[("db", "d"), ("q", slow)])));
    std::thread::sleep(Duration::from_millis(500));
    let (log, audit) = (server.log(), fs::read_to_string(folder.path().join("audit.jsonl")).expect("an audit log"));
    assert_eq!(server.stop(), Ok(Some(0)));
    assert!(log.contains("slow query") && log.contains("a login failed"), "{log}");
    for act in ["created database", "users: put", "grafana/datasources: put", "made token", "login failed"] {
        assert!(audit.contains(act), "{act}: {audit}");
    }
    for secret in planted.iter().copied().chain([secret.as_str(), pair.as_str()]) {
        for (name, text) in [("log", &log), ("audit log", &audit)] {
            let at = text.find(secret);
            assert!(at.is_none(), "{name} holds {secret}: {}", &text[at.unwrap_or(0).saturating_sub(300)..][..400]);
        }
    }
}
