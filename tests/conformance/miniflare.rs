//! The oracle: Miniflare, from npm, with its own KV, D1 and Durable Objects, on a free port of the loopback interface.

use crate::bundle::bundle;
use crate::case::{Topic, folder};
use crate::served::{Pace, Served};
use serde_json::{Map, Value};
use std::net::SocketAddr;
use std::process::Command;
use support::command::tools;
use support::process::Process;

/// A running Miniflare.
pub(crate) struct Miniflare {
    _server: Process,
    address: SocketAddr,
    versions: Map<String, Value>,
}

impl Miniflare {
    /// Starts it with the Worker and so many namespaces and databases.
    pub(crate) fn start(cases: usize) -> Self {
        let (tools, bundle) = (tools(), bundle());
        let tool = |name: &str| tools[name].as_str().expect("`sim tools` names it");
        let mut command = Command::new(tool("node"));
        command
            .arg(folder().join("miniflare.mjs"))
            .arg(tool("npm_folder"))
            .arg(bundle)
            .arg(cases.to_string());
        let mut server = Process::start(&command);
        let line = server.line();
        let ready: Map<String, Value> = serde_json::from_str(&line)
            .unwrap_or_else(|error| panic!("Miniflare did not start ({error}): {line}"));
        let port = ready["port"].as_u64();
        let port = port.and_then(|port| u16::try_from(port).ok());
        let Some(Value::Object(mut versions)) = ready.get("versions").cloned() else {
            panic!("Miniflare tells its versions: {line}")
        };
        versions.insert("workers-rs".to_owned(), workers_rs().into());
        Self {
            _server: server,
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
        Served::at(self.address, topics, Pace::AtOnce)
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
