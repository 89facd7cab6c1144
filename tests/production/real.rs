//! The real arms: the Worker's wasm bundle on workerd, once under Miniflare with its own KV, D1 and objects (no code of ours), once
//! under `sim workerd` with the simulator's KV and D1.

use crate::arm::{VARS, secrets, users};
use crate::command::{sim, sim_command, tools};
use crate::receiver::Receiver;
use crate::wire::Wire;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Runs a program until the input ends, whoever closes it: so nothing is left running when a test is cut off in the middle.
const GUARD: &str = r#""$@" & cat > /dev/null; kill $! 2> /dev/null; wait"#;

/// A running server. It ends when this is dropped, or with this process.
pub(crate) struct Server {
    guard: Child,
    // Kept open: who prints into a closed pipe is ended by it.
    output: BufReader<ChildStdout>,
    // Removed after the process has ended.
    _folder: tempfile::TempDir,
}

impl Server {
    fn start(command: &Command, folder: tempfile::TempDir) -> Self {
        let mut guard = Command::new("sh")
            .args(["-c", GUARD, "sh"])
            .arg(command.get_program())
            .args(command.get_args())
            .current_dir(ROOT)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("there is a shell");
        let output = guard.stdout.take().expect("it was asked for");
        Self {
            guard,
            output: BufReader::new(output),
            _folder: folder,
        }
    }

    /// What it prints next.
    ///
    /// # Panics
    /// If it ended instead.
    fn line(&mut self) -> String {
        let mut line = String::new();
        let read = self.output.read_line(&mut line);
        read.expect("a server prints text");
        assert!(
            !line.is_empty(),
            "the server ended at once; what it said stands above"
        );
        line
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        let _ = self.output.read_to_end(&mut Vec::new());
        let _ = self.guard.wait();
    }
}

/// Miniflare from npm.
pub(crate) fn miniflare() -> (Wire, Server) {
    let tools = tools();
    let tool = |name: &str| {
        tools[name]
            .as_str()
            .expect("`sim tools` names it")
            .to_owned()
    };
    let receiver = Receiver::start();
    let folder = folder();
    let configuration = read("worker/wrangler.toml");
    let vars = configured(&configuration).into_iter();
    let vars: BTreeMap<String, String> = vars
        .chain(VARS.map(|(name, value)| (name.to_owned(), value.to_owned())))
        .chain(secrets(&receiver.url()).map(|(name, value)| (name.to_owned(), value)))
        .collect();
    let settings = folder.path().join("settings.json");
    let text = json!({
        "folder": folder.path(),
        "vars": vars,
        "compatibilityDate": compatibility_date(&configuration),
        "sql": statements(&(read("worker/migrations/0001_initial.sql") + &users())),
    });
    std::fs::write(&settings, text.to_string()).expect("a folder of our own");
    let mut command = Command::new(tool("node"));
    command
        .arg(Path::new(ROOT).join("tests/production/miniflare.mjs"))
        .arg(tool("npm_folder"))
        .arg(settings);
    let mut server = Server::start(&command, folder);
    let ready: Value = serde_json::from_str(&server.line()).expect("it prints JSON");
    let port = ready["port"]
        .as_u64()
        .and_then(|port| u16::try_from(port).ok());
    let address = ([127, 0, 0, 1], port.expect("it tells its port")).into();
    (Wire::to(address, receiver), server)
}

/// workerd with the simulator behind it.
pub(crate) fn workerd() -> (Wire, Server) {
    let receiver = Receiver::start();
    let folder = folder();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("wrangler.toml"), read("worker/wrangler.toml"))
        .expect("a folder of our own");
    for name in ["migrations", "seeds"] {
        std::fs::create_dir(path(name)).expect("a folder of our own");
    }
    std::fs::write(
        path("migrations/0001_initial.sql"),
        read("worker/migrations/0001_initial.sql"),
    )
    .expect("a folder of our own");
    // In development it runs the seeds beside the configuration: here the users of the sequences.
    std::fs::write(path("seeds/development.sql"), users()).expect("a folder of our own");
    let mut command = sim_command();
    command.args(["workerd", "--pops", "IAD", "--port", "0", "--script"]);
    command.arg(folder.path());
    for (name, value) in VARS {
        command.arg("--var").arg(format!("{name}={value}"));
    }
    for (name, value) in secrets(&receiver.url()) {
        command.arg("--secret").arg(format!("{name}={value}"));
    }
    let mut server = Server::start(&command, folder);
    let line = server.line();
    let address = line
        .trim()
        .strip_prefix("IAD on http://")
        .and_then(|address| address.parse().ok())
        .unwrap_or_else(|| panic!("not the address of a PoP: {line}"));
    (Wire::to(address, receiver), server)
}

/// A folder with the Worker's modules, wrapped so that answers wait for what follows them.
fn folder() -> tempfile::TempDir {
    sim(&["build", "--yes"]);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let bundle = Path::new(ROOT).join("worker/build");
    for (from, to) in [
        (bundle.join("index.js"), "bundle.js"),
        (bundle.join("index_bg.wasm"), "index_bg.wasm"),
        (
            Path::new(ROOT).join("tests/production/entry.js"),
            "index.js",
        ),
    ] {
        std::fs::copy(&from, folder.path().join(to))
            .unwrap_or_else(|problem| panic!("{}: {problem}", from.display()));
    }
    folder
}

fn read(name: &str) -> String {
    let path: PathBuf = Path::new(ROOT).join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|problem| panic!("{}: {problem}", path.display()))
}

/// The variables of the configuration's first table `[vars]`.
fn configured(configuration: &str) -> Vec<(String, String)> {
    let lines = configuration
        .lines()
        .skip_while(|line| *line != "[vars]")
        .skip(1);
    let lines = lines.take_while(|line| !line.starts_with('['));
    lines
        .filter_map(|line| line.split_once(" = "))
        .map(|(name, value)| (name.to_owned(), value.trim().trim_matches('"').to_owned()))
        .collect()
}

fn compatibility_date(configuration: &str) -> String {
    let mut lines = configuration.lines();
    let line = lines.find_map(|line| line.strip_prefix("compatibility_date = "));
    line.expect("the configuration has one")
        .trim_matches('"')
        .to_owned()
}

/// The statements of SQL in which each ends at the end of a line.
fn statements(sql: &str) -> Vec<String> {
    let lines = sql
        .lines()
        .filter(|line| !line.trim_start().starts_with("--"));
    let mut statements = Vec::new();
    let mut statement = String::new();
    for line in lines {
        statement += line;
        statement.push('\n');
        if line.ends_with(';') {
            statements.push(std::mem::take(&mut statement));
        }
    }
    assert!(
        statement.trim().is_empty(),
        "the last statement has no end: {statement}"
    );
    statements
}
