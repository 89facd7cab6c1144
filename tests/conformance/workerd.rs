//! workerd with the simulator behind it: `sim workerd` runs the same bundle, the objects are workerd's own, and KV and D1 are the
//! simulator's, over the wire.

use crate::bundle::bundle;
use crate::case::Topic;
use crate::served::{Pace, Served};
use std::fmt::Write as _;
use support::command::sim_command;
use support::process::Process;

/// A running `sim workerd`.
pub(crate) struct Workerd {
    _server: Process,
    arm: Served,
    // Removed after the process has ended.
    _folder: tempfile::TempDir,
}

impl Workerd {
    /// Starts it with the Worker and so many namespaces and databases.
    pub(crate) fn start(topics: &[Topic]) -> Self {
        let cases: usize = topics.iter().map(|topic| topic.cases.len()).sum();
        let mut config = include_str!("worker/wrangler.toml").to_owned();
        for number in 0..cases {
            write!(
                config,
                "\n[[kv_namespaces]]\nbinding = \"KV_{number}\"\n\n[[d1_databases]]\nbinding = \"DB_{number}\"\ndatabase_name = \"db-{number}\"\n"
            )
            .expect("a String takes anything");
        }
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("wrangler.toml");
        std::fs::write(&file, config).expect("a folder of our own");
        let mut command = sim_command();
        command.args(["workerd", "--pops", "MEX", "--port", "0", "--script"]);
        command.arg(bundle()).arg("--config").arg(file);
        let mut server = Process::start(&command);
        let line = server.line();
        let address = line.trim().strip_prefix("MEX on http://");
        let address = address.and_then(|address| address.parse().ok());
        let address = address.unwrap_or_else(|| panic!("not the address of a PoP: {line}"));
        Self {
            _server: server,
            arm: Served::at(address, topics, Pace::OneWriteASecond),
            _folder: folder,
        }
    }

    /// The way to it.
    pub(crate) fn arm(&mut self) -> &mut Served {
        &mut self.arm
    }
}
