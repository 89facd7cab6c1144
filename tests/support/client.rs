//! A client of HTTP/1.1 that sends exactly the bytes a test gives it and tells an answer from a lost connection.
//!
//! It blocks, knows nothing of hyper, and never waits longer than [`PATIENCE`].

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long anything may take before a test gives up on it.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The body of a login as the demo user.
pub const DEMO: &str = r#"{"username":"demo","password":"demo-pass-9137"}"#;

/// A transaction that keeps every rule.
pub const TEA: &str =
    r#"{"type":"expense","amount":12.34,"description":"tea","date":"2026-01-15"}"#;

/// One connection.
pub struct Connection {
    stream: BufReader<TcpStream>,
}

/// One answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The reason phrase of the status line.
    pub reason: String,
    /// By lower-case name.
    pub headers: BTreeMap<String, String>,
    /// The body, taken out of its chunks.
    pub body: Vec<u8>,
    /// From the request's first byte, or from the answer before, to the last byte of this one.
    pub took: Duration,
}

impl Connection {
    /// Connects to a server.
    pub fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect_timeout(&address, PATIENCE).expect("the server listens");
        stream
            .set_read_timeout(Some(PATIENCE))
            .expect("a positive time");
        stream
            .set_write_timeout(Some(PATIENCE))
            .expect("a positive time");
        stream.set_nodelay(true).expect("a connected socket");
        Self {
            stream: BufReader::new(stream),
        }
    }

    /// Writes bytes as they are.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream
            .get_mut()
            .write_all(bytes.as_ref())
            .expect("the connection is open");
    }

    /// Writes bytes that the server may not want to the end.
    pub fn send_if_open(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.get_mut().write_all(bytes.as_ref());
    }

    /// Says that nothing more will be sent; answers still arrive.
    pub fn finish(&mut self) {
        self.stream
            .get_mut()
            .shutdown(Shutdown::Write)
            .expect("the connection is open");
    }

    /// Sends a request and reads its answer.
    pub fn ask(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        self.send(request(method, path, headers, body));
        self.answer()
    }

    /// The next answer.
    ///
    /// # Panics
    /// If the connection ends or breaks instead.
    pub fn answer(&mut self) -> Answer {
        self.try_answer()
            .expect("an answer, and not the connection's end")
    }

    /// The next answer; `None` if the connection ends or breaks instead.
    pub fn try_answer(&mut self) -> Option<Answer> {
        self.read(true)
    }

    /// The next answer, which is one to HEAD; `None` if the connection ends or breaks instead.
    pub fn try_answer_to_head(&mut self) -> Option<Answer> {
        self.read(false)
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "how long a real server takes is the claim"
    )]
    fn read(&mut self, with_body: bool) -> Option<Answer> {
        let begin = Instant::now();
        let line = self.line()?;
        let status = line
            .strip_prefix("HTTP/1.")
            .and_then(|rest| rest.get(2..5))
            .and_then(|code| code.parse().ok());
        let status = status.unwrap_or_else(|| panic!("no status line: {line:?}"));
        let reason = line.get(13..).unwrap_or_default().to_owned();
        let mut headers = BTreeMap::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line
                .split_once(':')
                .unwrap_or_else(|| panic!("no header: {line:?}"));
            // RFC 9110 section 5.3: fields of one name are one list.
            headers
                .entry(name.to_ascii_lowercase())
                .and_modify(|list: &mut String| {
                    list.push_str(", ");
                    list.push_str(value.trim());
                })
                .or_insert_with(|| value.trim().to_owned());
        }
        let mut body = Vec::new();
        if !with_body {
            // An answer to HEAD has the length of a body, and no body.
        } else if let Some(length) = headers.get("content-length") {
            body.resize(length.parse().expect("a number"), 0);
            self.stream.read_exact(&mut body).ok()?;
        } else if headers.contains_key("transfer-encoding") {
            body = self.chunks()?;
        }
        Some(Answer {
            status,
            reason,
            headers,
            body,
            took: begin.elapsed(),
        })
    }

    /// Whether the server ends the connection without another byte.
    pub fn ends(&mut self) -> bool {
        match self.stream.read(&mut [0]) {
            Ok(read) => read == 0,
            Err(problem) => !matches!(problem.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
        }
    }

    /// A body in chunks (RFC 9112 section 7.1).
    fn chunks(&mut self) -> Option<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.line()?;
            let size = line.split(';').next().unwrap_or_default().trim();
            let size = usize::from_str_radix(size, 16).expect("a chunk begins with its size");
            let begin = body.len();
            body.resize(begin + size, 0);
            self.stream.read_exact(&mut body[begin..]).ok()?;
            // What ends the chunk; after the last one, whatever trails.
            while !self.line()?.is_empty() {}
            if size == 0 {
                return Some(body);
            }
        }
    }

    fn line(&mut self) -> Option<String> {
        let mut line = Vec::new();
        match self.stream.read_until(b'\n', &mut line) {
            Ok(0) => None,
            Ok(_) => {
                let line = String::from_utf8_lossy(&line);
                Some(line.trim_end_matches(['\r', '\n']).to_owned())
            }
            Err(problem)
                if matches!(problem.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
            {
                panic!("the server kept silent for {PATIENCE:?}")
            }
            Err(_) => None,
        }
    }
}

impl Answer {
    /// A header's value, or nothing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|problem| panic!("{problem}: {self:?}"))
    }
}

/// The bytes of a request; a body comes with its length and as JSON.
pub fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Vec<u8> {
    let mut text = format!("{method} {path} HTTP/1.1\r\nHost: worker.example\r\n");
    if !body.is_empty() {
        text += &format!(
            "Content-Type: application/json\r\nContent-Length: {}\r\n",
            body.len()
        );
    }
    for (name, value) in headers {
        text += &format!("{name}: {value}\r\n");
    }
    (text + "\r\n" + body).into_bytes()
}

/// Sends one request on a connection of its own.
pub fn ask(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    Connection::open(address).ask(method, path, headers, body)
}

/// Waits until a condition holds.
///
/// # Panics
/// If it does not within [`PATIENCE`].
#[expect(clippy::disallowed_methods, reason = "a real server is waited for")]
pub fn eventually<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(
            begin.elapsed() < PATIENCE,
            "not within {PATIENCE:?}: {what}"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}
