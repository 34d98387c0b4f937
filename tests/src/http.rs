//! A small HTTP/1.1 client: what a test sends is what goes over the wire, and nothing is added.

use crate::answer::{Answer, latin1};
use crate::case::{BOUNDARY, Body, Request, multipart};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::{self, BufRead as _, BufReader, Read, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// One connection, kept open between requests and opened again when the server closed it.
#[derive(Debug)]
pub struct Client {
    address: SocketAddr,
    connection: Option<BufReader<TcpStream>>,
}

const PATIENCE: Duration = Duration::from_secs(30);

impl Client {
    pub fn new(address: SocketAddr) -> Self {
        Self { address, connection: None }
    }

    /// Sends and waits for the whole answer, 30 seconds at most for each part of it.
    pub fn send(&mut self, request: &Request) -> io::Result<Answer> {
        let bytes = packed(request, &self.address.to_string());
        let kept = self.connection.take();
        let reused = kept.is_some();
        let connection = kept.map_or_else(|| connect(self.address), Ok)?;
        match self.talk(connection, &bytes, &request.method) {
            // A connection may be closed between two requests; a new one may not.
            Err(_) if reused => self.talk(connect(self.address)?, &bytes, &request.method),
            outcome => outcome,
        }
    }

    fn talk(&mut self, mut connection: BufReader<TcpStream>, bytes: &[u8], method: &str) -> io::Result<Answer> {
        connection.get_mut().write_all(bytes)?;
        let (answer, open) = read_answer(&mut connection, method)?;
        self.connection = open.then_some(connection);
        Ok(answer)
    }
}

fn connect(address: SocketAddr) -> io::Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(BufReader::new(stream))
}

/// The bytes of a request.
fn packed(request: &Request, host: &str) -> Vec<u8> {
    let mut headers = request.headers.clone();
    let has = |headers: &[(String, String)], name: &str| headers.iter().any(|(key, _)| key.eq_ignore_ascii_case(name));
    let body = match &request.body {
        Body::None => None,
        Body::Plain(bytes) => Some(bytes.clone()),
        Body::Gzip(bytes) => {
            if !has(&headers, "Content-Encoding") {
                headers.push(("Content-Encoding".into(), "gzip".into()));
            }
            Some(gzip(bytes))
        }
        Body::Multipart(parts) => {
            headers.push(("Content-Type".into(), format!("multipart/form-data; boundary={BOUNDARY}")));
            Some(multipart(parts))
        }
    };
    let target = if request.query.is_empty() { String::new() } else { format!("?{}", request.query) };
    let mut head = format!("{} {}{target} HTTP/1.1\r\nHost: {host}\r\n", request.method, request.path);
    for (name, value) in &headers {
        head += &format!("{name}: {value}\r\n");
    }
    let posts = ["POST", "PUT", "PATCH"].contains(&request.method.as_str());
    if (body.is_some() || posts) && !has(&headers, "Content-Length") {
        head += &format!("Content-Length: {}\r\n", body.as_ref().map_or(0, Vec::len));
    }
    [head.as_bytes(), b"\r\n", &body.unwrap_or_default()].concat()
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("a vector takes everything")
}

/// The answer, and whether the connection can be used again.
pub fn read_answer(connection: &mut BufReader<impl Read>, method: &str) -> io::Result<(Answer, bool)> {
    loop {
        let status_line = line(connection)?;
        let status = status_line.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status: u16 = status.ok_or_else(|| broken(&format!("no status in {status_line:?}")))?;
        let mut answer = Answer { status, ..Answer::default() };
        loop {
            let line = line(connection)?;
            let Some((name, value)) = line.split_once(':') else { break };
            answer.headers.push((name.to_owned(), value.trim().to_owned()));
        }
        if status == 100 {
            continue;
        }
        let mut open = !answer.header("Connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        let length = answer.header("Content-Length");
        if method == "HEAD" || status == 204 || status == 304 {
        } else if answer.header("Transfer-Encoding").is_some() {
            chunks(connection, &mut answer.body)?;
        } else if let Some(length) = length {
            let length: u64 = length.parse().map_err(|_| broken("Content-Length is no number"))?;
            exactly(connection, length, &mut answer.body)?;
        } else {
            open = false;
            connection.read_to_end(&mut answer.body)?;
        }
        return Ok((answer, open));
    }
}

fn chunks(connection: &mut BufReader<impl Read>, body: &mut Vec<u8>) -> io::Result<()> {
    loop {
        let size = line(connection)?;
        let size = u64::from_str_radix(size.split(';').next().unwrap_or_default().trim(), 16);
        let size = size.map_err(|_| broken("no size of a chunk"))?;
        exactly(connection, size, body)?;
        // After the last chunk: trailers, which end with an empty line as a chunk does.
        while !line(connection)?.is_empty() {}
        if size == 0 {
            return Ok(());
        }
    }
}

fn exactly(connection: &mut BufReader<impl Read>, length: u64, body: &mut Vec<u8>) -> io::Result<()> {
    let read = connection.by_ref().take(length).read_to_end(body)?;
    if read as u64 == length { Ok(()) } else { Err(broken("the body ends early")) }
}

fn line(connection: &mut BufReader<impl Read>) -> io::Result<String> {
    let mut bytes = Vec::new();
    connection.by_ref().take(1 << 20).read_until(b'\n', &mut bytes)?;
    match bytes.strip_suffix(b"\n") {
        Some(line) => Ok(latin1(line.strip_suffix(b"\r").unwrap_or(line))),
        None => Err(broken("the head ends early")),
    }
}

fn broken(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &str) -> io::Result<(Answer, bool)> {
        read_answer(&mut BufReader::new(bytes.as_bytes()), "GET")
    }

    #[test]
    fn bodies_end_by_length_by_chunks_and_by_closing() {
        let (answer, open) = read("HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 2\r\n\r\nokrest").unwrap();
        assert_eq!(
            (answer.status, answer.header("a").as_deref(), answer.text().as_str(), open),
            (200, Some("b"), "ok", true)
        );
        let (answer, open) =
            read("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n1;x\r\n!\r\n0\r\n\r\n").unwrap();
        assert_eq!((answer.text().as_str(), open), ("ok!", true));
        let (answer, open) = read("HTTP/1.1 400 Bad\r\n\r\nall of it").unwrap();
        assert_eq!((answer.status, answer.text().as_str(), open), (400, "all of it", false));
        assert_eq!(read("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No\r\n\r\n").unwrap().0.status, 204);
    }

    #[test]
    fn an_answer_that_breaks_off_is_an_error() {
        let whole = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
        for end in 0..whole.len() {
            assert!(read(&whole[..end]).is_err(), "{end}");
        }
        assert!(read("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok").is_err());
    }
}
