//! Data sources made by hand, and servers for them that do with a connection as told.

use crate::answer::Answer;
use crate::case::Request;
use crate::engines::{Engine, Serve};
use crate::json::Value;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

/// Posts JSON.
pub fn post(server: &mut Serve, path: &str, body: &str) -> Answer {
    let request = Request::post(path, &[], body).with("Content-Type", "application/json");
    server.answer(&request, None).expect("an answer")
}

pub fn get(server: &mut Serve, path: &str) -> Answer {
    server.answer(&Request::get(path, &[]), None).expect("an answer")
}

/// Makes a data source; gives its uid.
pub fn make(server: &mut Serve, body: &str) -> String {
    let answer = post(server, "/api/datasources", body);
    let document = Value::parse(&answer.text()).unwrap_or(Value::Null);
    let uid = document.get("datasource").and_then(|made| made.get("uid")?.as_text());
    uid.unwrap_or_else(|| panic!("{}", answer.text())).to_owned()
}

/// The body of a new data source; `rest` is more members, with a comma before.
pub fn record(name: &str, kind: &str, url: &str, rest: &str) -> String {
    format!(r#"{{"name":"{name}","type":"{kind}","access":"proxy","url":"{url}"{rest}}}"#)
}

/// Listens and does with each connection as told, until the process ends; gives `127.0.0.1:port`.
pub fn listen(act: impl Fn(TcpStream) + Clone + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it is bound").to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let act = act.clone();
            std::thread::spawn(move || act(stream));
        }
    });
    address
}

/// Reads what comes at once and answers with these bytes.
pub fn tell(mut stream: TcpStream, answer: &[u8]) {
    let _ = stream.read(&mut [0; 65_536]);
    let _ = stream.write_all(answer);
}
