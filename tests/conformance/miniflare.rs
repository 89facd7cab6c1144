//! The oracle: Miniflare, from npm, with its own KV, D1 and Durable Objects, on a free port of the loopback interface.

use crate::case::{Topic, folder};
use crate::served::Served;
use crate::tools::Tools;
use serde_json::{Map, Value};
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

/// A running Miniflare. It ends when this is dropped, and also when this process ends without dropping anything: it reads its
/// standard input to the end.
pub(crate) struct Miniflare {
    process: Child,
    address: SocketAddr,
    versions: Map<String, Value>,
}

impl Miniflare {
    /// Starts it with the Worker and so many namespaces and databases.
    pub(crate) fn start(cases: usize) -> Self {
        let tools = Tools::provide();
        let mut process = Command::new(tools.path("node"))
            .arg(folder().join("miniflare.mjs"))
            .arg(tools.path("npm_folder"))
            .arg(&tools.bundle)
            .arg(cases.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node runs");
        let output = process.stdout.take().expect("it was asked for");
        let mut line = String::new();
        BufReader::new(output)
            .read_line(&mut line)
            .expect("node prints text");
        let ready: Map<String, Value> = serde_json::from_str(&line)
            .unwrap_or_else(|error| panic!("Miniflare did not start ({error}): {line}"));
        let port = ready["port"]
            .as_u64()
            .and_then(|port| u16::try_from(port).ok());
        let Some(Value::Object(mut versions)) = ready.get("versions").cloned() else {
            panic!("Miniflare tells its versions: {line}")
        };
        versions.insert("workers-rs".to_owned(), workers_rs().into());
        Self {
            process,
            address: ([127, 0, 0, 1], port.expect("it tells its port")).into(),
            versions,
        }
    }

    /// Date and versions, for the record.
    pub(crate) fn versions(&self) -> &Map<String, Value> {
        &self.versions
    }

    /// A way to it.
    pub(crate) fn arm(&self, topics: &[Topic]) -> Served {
        Served::at(self.address, topics)
    }
}

impl Drop for Miniflare {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        // It ends by itself once its input has ended; that it has is all there is to know.
        let _ = self.process.wait();
    }
}

/// The version of workers-rs that the bundle was built with.
fn workers_rs() -> String {
    let lock = include_str!("../../Cargo.lock");
    let package = lock.split("[[package]]");
    let package = package.filter_map(|package| {
        package
            .trim()
            .strip_prefix("name = \"worker\"\nversion = \"")
    });
    let version = package.filter_map(|rest| rest.split_once('"')).next();
    version
        .expect("the lock file names workers-rs")
        .0
        .to_owned()
}
