//! Servers behind data sources: how they are trusted, how much and how long, and those that are slow, huge, broken and
//! hostile.

use isopoint_tests::authority::Authority;
use isopoint_tests::case::Request;
use isopoint_tests::engines::{Engine as _, Serve, data_folder};
use isopoint_tests::grafana::Upstream;
use isopoint_tests::grafana::sources::{get, listen, make, post, record, tell};
use isopoint_tests::http::{gzip, read_answer};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use std::fs;
use std::io::{BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

#[test]
fn bad_data_sources_are_errors_of_their_queries() {
    let folder = data_folder();
    let mut server = Serve::start_with(folder.path(), &[]).expect("it starts");
    let cases: [(&str, fn(TcpStream), &str); 9] = [
        (
            "slow",
            |stream| {
                std::thread::sleep(Duration::from_secs(9));
                drop(stream);
            },
            "timeout while waiting for the response headers",
        ),
        (
            "stalled",
            |mut stream| {
                let _ = stream.read(&mut [0; 65_536]);
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc");
                std::thread::sleep(Duration::from_secs(9));
            },
            "timeout while reading the response",
        ),
        (
            "huge",
            |mut stream| {
                let _ = stream.read(&mut [0; 65_536]);
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
                let block = [b"100000\r\n".as_slice(), &[b'x'; 1 << 20], b"\r\n"].concat();
                while stream.write_all(&block).is_ok() {}
            },
            "the answer is larger than",
        ),
        (
            "headers",
            |mut stream| {
                let _ = stream.read(&mut [0; 65_536]);
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n");
                while stream.write_all(&[b"X-More: ".as_slice(), &[b'x'; 4096], b"\r\n"].concat()).is_ok() {}
            },
            "message head is too large",
        ),
        ("cut", |stream| tell(stream, b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc"), "the response broke off"),
        ("garbage", |stream| tell(stream, b"\0\xff\r\n\r\n"), "invalid HTTP"),
        (
            "redirect",
            |stream| tell(stream, b"HTTP/1.1 302 F\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n"),
            "link-local",
        ),
        // What a resolver takes for the same address.
        (
            "disguised",
            |stream| tell(stream, b"HTTP/1.1 302 F\r\nLocation: http://2852039166/\r\nContent-Length: 0\r\n\r\n"),
            "link-local",
        ),
        (
            "circle",
            |stream| {
                tell(stream, b"HTTP/1.1 307 F\r\nLocation: /again\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            },
            "more than 5 redirects",
        ),
    ];
    for (name, act, said) in cases {
        let slow = matches!(name, "slow" | "stalled");
        let more = format!(r#","jsonData":{{"timeout":{}}}"#, if slow { 1 } else { 20 });
        let uid = make(&mut server, &record(name, "prometheus", &format!("http://{}", listen(act)), &more));
        let query = format!(r#"{{"from":"0","to":"1","queries":[{{"datasource":"{uid}","expr":"up"}}]}}"#);
        let began = Instant::now();
        let answer = post(&mut server, "/api/ds/query", &query);
        assert!(answer.status == 400 && answer.text().contains(said), "{name}: {}", answer.text());
        assert!(!slow || began.elapsed().as_secs() < 8, "{name}");
        let health = get(&mut server, &format!("/api/datasources/uid/{uid}/health"));
        assert!(health.status == 400 && health.text().contains(said), "{name}: {}", health.text());
    }
}

/// Bytes of memory that a process had at most.
fn most_memory(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("it is there");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") << 10
}

#[test]
fn a_packed_answer_is_not_unpacked() {
    let folder = data_folder();
    let mut server = Serve::start_with(folder.path(), &[]).expect("it starts");
    // 256 MiB in a few hundred KiB, for those who unpack without being asked.
    let blank = gzip(&vec![b' '; 256 << 20]);
    let length = blank.len();
    let bomb = listen(move |stream| {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {length}\r\n\r\n");
        tell(stream, &[head.as_bytes(), &blank].concat());
    });
    let before = most_memory(server.id());
    for kind in ["prometheus", "influxdb", "graphite"] {
        let uid = make(&mut server, &record(kind, kind, &format!("http://{bomb}"), ""));
        let query = format!(
            r#"{{"from":"0","to":"1","queries":[{{"datasource":"{uid}","expr":"up","target":"x","rawQuery":true,"query":"SELECT v FROM m"}}]}}"#
        );
        let answer = post(&mut server, "/api/ds/query", &query);
        assert_eq!(answer.status, 400, "{kind}: {}", answer.text());
        let passed = get(&mut server, &format!("/api/datasources/proxy/uid/{uid}/x"));
        assert_eq!((passed.header("Content-Encoding").as_deref(), passed.body.len()), (Some("gzip"), length), "{kind}");
    }
    let more = most_memory(server.id()) - before;
    assert!(more < 100 << 20, "{more} bytes more");
}

#[test]
fn the_proxy_hands_on_what_is_broken_and_opens_nothing_inside() {
    let folder = data_folder();
    let mut server = Serve::start_with(folder.path(), &[]).expect("it starts");
    let cut = listen(|stream| tell(stream, b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc"));
    let uid = make(&mut server, &record("cut", "x", &format!("http://{cut}"), ""));
    let path = format!("/api/datasources/proxy/uid/{uid}/a");
    assert!(server.answer(&Request::get(&path, &[]), None).is_err(), "nobody takes a part for the whole");

    let away = listen(|stream| {
        tell(stream, b"HTTP/1.1 302 F\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n")
    });
    let uid = make(&mut server, &record("away", "x", &format!("http://{away}"), ""));
    let answer = get(&mut server, &format!("/api/datasources/proxy/uid/{uid}/a"));
    assert_eq!((answer.status, answer.header("Location").as_deref()), (302, Some("http://169.254.169.254/")));

    for address in ["169.254.169.254", "2852039166", "0xa9fea9fe", "[fe80::1]", "[::ffff:169.254.169.254]"] {
        let uid = make(&mut server, &record(address, "x", &format!("http://{address}/"), ""));
        let answer = get(&mut server, &format!("/api/datasources/proxy/uid/{uid}/latest/meta-data"));
        assert!(answer.status == 403 && answer.text().contains("link-local"), "{address}: {}", answer.text());
    }
}

/// Sends the head of a request by hand.
fn begin(server: &Serve, uid: &str, path: &str, framing: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.address()).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a time-out");
    let head = format!("POST /api/datasources/proxy/uid/{uid}/{path} HTTP/1.1\r\nHost: x\r\n{framing}\r\n\r\n");
    stream.write_all(head.as_bytes()).expect("it is taken");
    stream
}

fn answer(stream: TcpStream) -> (u16, String) {
    let (answer, _) = read_answer(&mut BufReader::new(stream), "POST").expect("an answer");
    (answer.status, answer.text())
}

#[test]
fn the_proxy_passes_on_at_once_and_holds_back_who_is_too_fast() {
    let folder = data_folder();
    let mut server = Serve::start_with(folder.path(), &[]).expect("it starts");
    // One line, and the next when somebody says so: the first does not wait for it.
    let (go, gone) = mpsc::channel();
    let gone = Arc::new(Mutex::new(gone));
    let lines = listen(move |stream| {
        tell(stream.try_clone().expect("a handle"), b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nline\n");
        let _ = gone.lock().expect("nobody panics with it").recv_timeout(Duration::from_secs(20));
        let _ = (&stream).write_all(b"last\n");
    });
    let uid = make(&mut server, &record("lines", "x", &format!("http://{lines}"), ""));
    let mut stream = begin(&server, &uid, "a", "Content-Length: 0");
    let mut seen = Vec::new();
    while !seen.ends_with(b"line\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("the first line comes while the second is not there");
        seen.extend(byte);
    }
    go.send(()).expect("it waits");
    let mut rest = [0; 5];
    stream.read_exact(&mut rest).expect("the rest");
    assert_eq!(&rest, b"last\n");

    // Who has no reader is not read: neither side's bytes are piled up in the server.
    let sent = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&sent);
    let flood = listen(move |mut stream| {
        let _ = stream.read(&mut [0; 65_536]);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 67000000\r\n\r\n");
        let block = vec![b'x'; 1 << 16];
        while stream.write_all(&block).is_ok() {
            counted.fetch_add(block.len() as u64, Ordering::Relaxed);
        }
    });
    let uid = make(&mut server, &record("flood", "x", &format!("http://{flood}"), ""));
    let before = most_memory(server.id());
    let stream = begin(&server, &uid, "a", "Content-Length: 0");
    std::thread::sleep(Duration::from_millis(1500));
    let taken = sent.load(Ordering::Relaxed);
    assert!(taken > 0 && taken < 40 << 20, "{taken} bytes went out with nobody to read them");
    let more = most_memory(server.id()) - before;
    assert!(more < 16 << 20, "{more} bytes more");
    drop(stream);
}

/// A server that reads all it gets, as long as it gets something, and then has answered.
fn sink() -> String {
    listen(|mut stream| {
        let mut buffer = vec![0; 1 << 20];
        while stream.read(&mut buffer).is_ok_and(|read| read > 0) {}
    })
}

#[test]
fn a_body_over_the_limit_is_413() {
    let folder = data_folder();
    let mut server = Serve::start_with(folder.path(), &[]).expect("it starts");
    let uid = make(&mut server, &record("sink", "x", &format!("http://{}", sink()), ""));
    let said = "the request body is larger than 67108864 bytes";
    // By what it says of itself, before any of it has come.
    let (status, text) = answer(begin(&server, &uid, "a", "Content-Length: 67108865"));
    assert!(status == 413 && text.contains(said), "{status} {text}");
    // By what has come.
    let mut stream = begin(&server, &uid, "a", "Transfer-Encoding: chunked");
    let block = [b"100000\r\n".as_slice(), &[b'x'; 1 << 20], b"\r\n"].concat();
    for _ in 0..64 {
        stream.write_all(&block).expect("it is taken");
    }
    stream.write_all(b"1\r\nx\r\n").expect("it is taken");
    let (status, text) = answer(stream);
    assert!(status == 413 && text.contains(said), "{status} {text}");
}

#[test]
fn a_time_out_names_its_phase() {
    let folder = data_folder();
    let mut server = Serve::start_with(folder.path(), &[]).expect("it starts");
    let silent = || {
        listen(|stream| {
            std::thread::sleep(Duration::from_secs(20));
            drop(stream);
        })
    };
    let second = r#","jsonData":{"timeout":1}"#;
    let mut source = |name: &str, url: String| make(&mut server, &record(name, "x", &url, second));
    let handshake = source("handshake", format!("https://{}", silent()));
    let waiting = source("waiting", format!("http://{}", silent()));
    let echo = source("echo", Upstream::start().base);
    for (uid, phase) in [(&handshake, "while connecting"), (&waiting, "while waiting for the response headers")] {
        let (status, text) = answer(begin(&server, uid, "a", "Content-Length: 0"));
        assert!(status == 504 && text.contains(&format!("timeout {phase} after 1000 ms")), "{status} {text}");
    }
    // More than the buffers on the way hold, and nobody who reads it.
    let stream = begin(&server, &waiting, "a", "Content-Length: 60000000");
    let mut sending = stream.try_clone().expect("a handle");
    std::thread::spawn(move || sending.write_all(&vec![0; 60_000_000]));
    let (status, text) = answer(stream);
    assert!(status == 504 && text.contains("timeout while sending the request after 1000 ms"), "{status} {text}");
    // A body that keeps coming is waited for.
    let mut stream = begin(&server, &echo, "echo", "Transfer-Encoding: chunked");
    for _ in 0..5 {
        std::thread::sleep(Duration::from_millis(400));
        stream.write_all(b"4\r\npart\r\n").expect("it is taken");
    }
    stream.write_all(b"0\r\n\r\n").expect("it is taken");
    let (status, text) = answer(stream);
    assert!(status == 200 && text.contains("partpartpartpartpart"), "{status} {text}");
}

/// A Prometheus of one answer that shows a certificate and may want one.
fn secured(shown: &(String, String), of_callers: Option<&Authority>) -> String {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
    let builder = builder.with_safe_default_protocol_versions().expect("versions");
    let builder = match of_callers {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).expect("PEM")).expect("a root");
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(verifier.expect("a verifier"))
        }
    };
    let certificate = CertificateDer::from_pem_slice(shown.0.as_bytes()).expect("PEM");
    let key = PrivateKeyDer::from_pem_slice(shown.1.as_bytes()).expect("PEM");
    let config = Arc::new(builder.with_single_cert(vec![certificate], key).expect("they belong together"));
    let address = listen(move |stream| {
        let mut secured = StreamOwned::new(ServerConnection::new(Arc::clone(&config)).expect("a connection"), stream);
        let (mut seen, mut buffer) = (Vec::new(), [0; 4096]);
        while !seen.windows(4).any(|end| end == b"\r\n\r\n") {
            match secured.read(&mut buffer) {
                Ok(read @ 1..) => seen.extend_from_slice(&buffer[..read]),
                _ => return,
            }
        }
        let body = r#"{"status":"success","data":{"resultType":"scalar","result":[1600000000,"2"]}}"#;
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
        let _ = secured.write_all(format!("{head}{body}").as_bytes());
        secured.conn.send_close_notify();
        let _ = secured.flush();
    });
    format!("https://{address}")
}

fn quoted(pem: &str) -> String {
    format!("\"{}\"", pem.replace('\n', "\\n"))
}

#[test]
fn every_way_of_trust_is_kept_to() {
    let folder = data_folder();
    let mut server = Serve::start_with(folder.path(), &[]).expect("it starts");
    let (authority, callers) = (Authority::new(), Authority::new());
    let plain = secured(&authority.issue("upstream.example"), None);
    let named = secured(&authority.issue_for(&["upstream.example"]), None);
    let mutual = secured(&authority.issue("upstream.example"), Some(&callers));
    let ca = format!(r#""tlsCACert":{}"#, quoted(&authority.pem()));
    let client = |(certificate, key): &(String, String)| {
        format!(r#""tlsClientCert":{},"tlsClientKey":{}"#, quoted(certificate), quoted(key))
    };
    let (known, stranger) = (client(&callers.issue("caller")), client(&authority.issue("stranger")));
    let trusts = r#""tlsAuthWithCACert":true"#;
    let both = r#""tlsAuthWithCACert":true,"tlsAuth":true"#;
    // Name, address, jsonData, secureJsonData, status, and what is said.
    let cases = [
        ("unknown authority", &plain, String::new(), String::new(), 502, "UnknownIssuer"),
        ("no check", &plain, r#""tlsSkipVerify":true"#.to_owned(), String::new(), 200, "success"),
        ("own authority", &plain, trusts.to_owned(), ca.clone(), 200, "success"),
        ("other name", &named, trusts.to_owned(), ca.clone(), 502, "not valid for name"),
        ("the name", &named, format!(r#"{trusts},"serverName":"upstream.example""#), ca.clone(), 200, "success"),
        (
            "a wrong name",
            &named,
            format!(r#"{trusts},"serverName":"other.example""#),
            ca.clone(),
            502,
            "not valid for name",
        ),
        ("no certificate", &mutual, trusts.to_owned(), ca.clone(), 502, ""),
        ("the certificate", &mutual, both.to_owned(), format!("{ca},{known}"), 200, "success"),
        ("of another authority", &mutual, both.to_owned(), format!("{ca},{stranger}"), 502, ""),
        (
            "no PEM",
            &plain,
            trusts.to_owned(),
            r#""tlsCACert":"none""#.to_owned(),
            400,
            "Unable to load TLS certificate",
        ),
        (
            "no key",
            &mutual,
            both.to_owned(),
            format!(r#"{ca},"tlsClientCert":"none""#),
            400,
            "Unable to load TLS certificate",
        ),
    ];
    for (name, url, json, secure, status, said) in cases {
        let more = format!(r#","jsonData":{{{json}}},"secureJsonData":{{{secure}}}"#);
        let uid = make(&mut server, &record(name, "prometheus", url, &more));
        let answer = get(&mut server, &format!("/api/datasources/proxy/uid/{uid}/api/v1/query?query=1%2B1"));
        assert!(answer.status == status && answer.text().contains(said), "{name}: {} {}", answer.status, answer.text());
        let health = get(&mut server, &format!("/api/datasources/uid/{uid}/health"));
        assert_eq!(health.status, if status == 200 { 200 } else { 400 }, "{name}: {}", health.text());
        let query =
            format!(r#"{{"from":"0","to":"60000","queries":[{{"datasource":"{uid}","expr":"2","instant":true}}]}}"#);
        let answer = post(&mut server, "/api/ds/query", &query);
        assert_eq!(answer.status, if status == 200 { 200 } else { 400 }, "{name}: {}", answer.text());
    }
    // A change is followed at once: kept connections do not outlive the trust they were made with.
    let uid = make(&mut server, &record("changes", "prometheus", &plain, r#","jsonData":{"tlsSkipVerify":true}"#));
    let path = format!("/api/datasources/proxy/uid/{uid}/api/v1/query");
    assert_eq!(get(&mut server, &path).status, 200);
    let body = record("changes", "prometheus", &plain, "");
    let change = Request { method: "PUT".into(), ..Request::post(&format!("/api/datasources/uid/{uid}"), &[], body) };
    assert_eq!(server.answer(&change, None).expect("an answer").status, 200);
    assert_eq!(get(&mut server, &path).status, 502);
}
