//! One request, as the bytes that a client sends, and its answer, held against what holds for every answer.

use crate::every;
use crate::person::Person;
use serde_json::Value;
use std::net::SocketAddr;
use support::client::{Answer, Connection};

/// A request.
#[derive(Debug, Clone)]
pub(crate) struct Ask<'a> {
    to: SocketAddr,
    method: &'a str,
    target: &'a str,
    headers: Vec<(String, Vec<u8>)>,
    body: Body,
}

#[derive(Debug, Clone)]
enum Body {
    None,
    Whole(Vec<u8>),
    Chunks(Vec<Vec<u8>>),
}

impl<'a> Ask<'a> {
    pub(crate) fn new(to: SocketAddr, method: &'a str, target: &'a str) -> Self {
        Self {
            to,
            method,
            target,
            headers: Vec::new(),
            body: Body::None,
        }
    }

    /// With a person's address, and their token if they have one.
    pub(crate) fn by(self, person: &Person) -> Self {
        let asked = self.header("CF-Connecting-IP", &person.address);
        match &person.token {
            Some(token) => asked.header("Authorization", format!("Bearer {token}")),
            None => asked,
        }
    }

    /// With one more header; one of the same name may be there already.
    pub(crate) fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers
            .push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// With a JSON body.
    pub(crate) fn json(self, body: &Value) -> Self {
        self.text(body.to_string())
    }

    /// With bytes that are said to be JSON.
    pub(crate) fn text(self, body: impl Into<Vec<u8>>) -> Self {
        self.header("Content-Type", "application/json").bytes(body)
    }

    /// With bytes that are not said to be anything.
    pub(crate) fn bytes(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Body::Whole(body.into());
        self
    }

    /// With the body cut into chunks of this many bytes, and no length told in advance.
    pub(crate) fn in_chunks(mut self, bytes: usize) -> Self {
        if let Body::Whole(body) = self.body {
            self.body = Body::Chunks(body.chunks(bytes).map(<[u8]>::to_vec).collect());
        }
        self
    }

    /// Sends it on a connection of its own.
    pub(crate) fn send(&self) -> Answer {
        self.on(&mut Connection::open(self.to))
    }

    /// Sends it on a connection.
    ///
    /// # Panics
    /// If the connection is dropped, or the answer breaks a rule of every answer.
    pub(crate) fn on(&self, connection: &mut Connection) -> Answer {
        connection.send(self.encoded());
        let answer = match self.method {
            "HEAD" => connection.try_answer_to_head(),
            _ => connection.try_answer(),
        };
        let answer =
            answer.unwrap_or_else(|| panic!("the connection was dropped: {}", self.line()));
        every::answer(self.method, self.target, &answer);
        answer
    }

    fn encoded(&self) -> Vec<u8> {
        let mut bytes = format!(
            "{} {} HTTP/1.1\r\nHost: {}\r\n",
            self.method, self.target, self.to
        )
        .into_bytes();
        for (name, value) in &self.headers {
            bytes.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
        }
        match &self.body {
            Body::None => bytes.extend(b"\r\n"),
            Body::Whole(body) => {
                bytes.extend(format!("Content-Length: {}\r\n\r\n", body.len()).bytes());
                bytes.extend(body);
            }
            Body::Chunks(chunks) => {
                bytes.extend(b"Transfer-Encoding: chunked\r\n\r\n");
                for chunk in chunks {
                    bytes.extend(format!("{:x}\r\n", chunk.len()).bytes());
                    bytes.extend([chunk, b"\r\n".as_slice()].concat());
                }
                bytes.extend(b"0\r\n\r\n");
            }
        }
        bytes
    }

    fn line(&self) -> String {
        let target: String = self.target.chars().take(200).collect();
        format!("{} {target}", self.method)
    }
}
