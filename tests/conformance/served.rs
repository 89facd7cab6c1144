//! The Worker behind a base URL as an arm: Miniflare, workerd, whatever speaks HTTP.

use crate::Arm;
use crate::case::{Case, Product, Step, Topic};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// A call that is not answered within this never will be: the slowest step of all takes half a second, and a machine that is
/// busy with other things a few.
const PATIENCE: Duration = Duration::from_secs(20);

/// A good second.
const WRITE_INTERVAL: Duration = Duration::from_millis(1100);

/// How fast calls follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// As fast as they are answered.
    AtOnce,
    /// A key is written again a good second after the last time: this KV takes no more, as production's.
    OneWriteASecond,
}

/// The arm. Every case has an object, a namespace (`KV_<n>`) and a database (`DB_<n>`) of its own.
pub(crate) struct Served {
    address: SocketAddr,
    connection: Option<BufReader<TcpStream>>,
    numbers: BTreeMap<String, usize>,
    pace: Pace,
}

impl Served {
    /// Talks to the Worker at this address.
    pub(crate) fn at(address: SocketAddr, topics: &[Topic], pace: Pace) -> Self {
        let cases = topics.iter().flat_map(|topic| &topic.cases);
        let names = cases.map(|case| case.name.clone());
        Self {
            address,
            connection: None,
            numbers: names.zip(0..).collect(),
            pace,
        }
    }

    /// The status and body that answer a request.
    fn ask(&mut self, request: &[u8]) -> std::io::Result<(u16, Vec<u8>)> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                let stream = TcpStream::connect_timeout(&self.address, PATIENCE)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_nodelay(true)?;
                BufReader::new(stream)
            }
        };
        connection.get_mut().write_all(request)?;
        let answer = read_answer(&mut connection)?;
        self.connection = Some(connection);
        Ok(answer)
    }
}

impl Arm for Served {
    fn run(&mut self, case: &Case) -> Vec<Value> {
        let number = self.numbers[&case.name];
        let mut answers = Vec::new();
        let mut written = BTreeMap::new();
        let paced = self.pace == Pace::OneWriteASecond && !case.hurries();
        for step in &case.steps {
            if paced && let Some(key) = step.written_key() {
                let now = now();
                let last = written.insert(key.to_owned(), now);
                let since = last.map(|last| now.duration_since(last));
                if let Some(early) = since.and_then(|since| WRITE_INTERVAL.checked_sub(since)) {
                    pause(early);
                    written.insert(key.to_owned(), now + early);
                }
            }
            let (product, body) = match step {
                Step::Wait { ms } => {
                    pause(Duration::from_millis(*ms));
                    continue;
                }
                Step::Call { product, body } => (*product, body.to_string()),
            };
            let path = match product {
                Product::Kv => "/kv".to_owned(),
                Product::D1 => "/d1".to_owned(),
                Product::Object => format!("/do/case-{number}"),
            };
            let request = format!(
                "POST {path} HTTP/1.1\r\nHost: {}\r\nx-kv: KV_{number}\r\nx-d1: DB_{number}\r\nContent-Length: {}\r\n\r\n{body}",
                self.address,
                body.len()
            );
            answers.push(match self.ask(request.as_bytes()) {
                Ok((200, answer)) => {
                    serde_json::from_slice(&answer).expect("the Worker answers in JSON")
                }
                Ok((status, answer)) => {
                    let text = String::from_utf8_lossy(&answer);
                    panic!("`{}`, {body}: {status} {text}", case.name)
                }
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
                {
                    json!({"silence": true})
                }
                Err(error) => panic!("`{}`, {body}: {error}", case.name),
            });
        }
        answers
    }
}

fn read_answer(connection: &mut BufReader<TcpStream>) -> std::io::Result<(u16, Vec<u8>)> {
    let mut line = || {
        let mut line = String::new();
        match connection.read_line(&mut line)? {
            0 => Err(std::io::Error::from(ErrorKind::UnexpectedEof)),
            _ => Ok(line.trim_end().to_owned()),
        }
    };
    let broken = || std::io::Error::from(ErrorKind::InvalidData);
    let status = line()?;
    let status = status.split(' ').nth(1).and_then(|code| code.parse().ok());
    let status = status.ok_or_else(broken)?;
    let mut length = None;
    loop {
        let header = line()?.to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse::<usize>().ok();
        }
    }
    let mut body = Vec::new();
    match length {
        Some(length) => {
            body.resize(length, 0);
            connection.read_exact(&mut body)?;
        }
        // In chunks, each after its length.
        None => loop {
            let mut size = String::new();
            connection.read_line(&mut size)?;
            let size = usize::from_str_radix(size.trim(), 16).map_err(|_| broken())?;
            let start = body.len();
            body.resize(start + size + 2, 0);
            connection.read_exact(&mut body[start..])?;
            body.truncate(start + size);
            if size == 0 {
                break;
            }
        },
    }
    Ok((status, body))
}

#[expect(
    clippy::disallowed_methods,
    reason = "a real runtime waits in real time"
)]
fn pause(duration: Duration) {
    std::thread::sleep(duration);
}

#[expect(clippy::disallowed_methods, reason = "a real KV counts real seconds")]
fn now() -> Instant {
    Instant::now()
}
