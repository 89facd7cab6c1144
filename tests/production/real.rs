//! The real arms: the Worker's wasm bundle on workerd, once under Miniflare with its own KV, D1 and objects, once
//! under `sim workerd` with the simulator's KV and D1.

use crate::arm::{VARS, secrets, users};
use crate::receiver::Receiver;
use crate::wire::Wire;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::ROOT;
use support::command::{sim, sim_command, tools};
use support::process::Process;

/// A running server, and the folder it needs, which goes after it.
pub(crate) struct Server {
    _process: Process,
    _folder: tempfile::TempDir,
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
        "sql": statements(&(migrations().into_iter().map(|(_, sql)| sql).collect::<String>() + &users())),
    });
    std::fs::write(&settings, text.to_string()).expect("a folder of our own");
    let mut command = Command::new(tool("node"));
    command
        .arg(Path::new(ROOT).join("tests/production/miniflare.mjs"))
        .arg(tool("npm_folder"))
        .arg(settings);
    let mut process = Process::start(&command);
    let ready: Value = serde_json::from_str(&process.line()).expect("it prints JSON");
    let port = ready["port"]
        .as_u64()
        .and_then(|port| u16::try_from(port).ok());
    let address = ([127, 0, 0, 1], port.expect("it tells its port")).into();
    let server = Server {
        _process: process,
        _folder: folder,
    };
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
    for (name, sql) in migrations() {
        std::fs::write(path("migrations").join(name), sql).expect("a folder of our own");
    }
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
    let mut process = Process::start(&command);
    let line = process.line();
    let address = line
        .trim()
        .strip_prefix("IAD on http://")
        .and_then(|address| address.parse().ok())
        .unwrap_or_else(|| panic!("not the address of a PoP: {line}"));
    let server = Server {
        _process: process,
        _folder: folder,
    };
    (Wire::to(address, receiver), server)
}

/// A folder with the Worker's modules, wrapped so that answers wait for what follows them.
fn folder() -> tempfile::TempDir {
    sim(&["build", "--yes"]);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let bundle = Path::new(ROOT).join("worker/build");
    for (from, to) in [
        (bundle.join("index.js"), "bundle.js"),
        (bundle.join("glue.js"), "glue.js"),
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

/// The migrations in their order: names and texts.
fn migrations() -> Vec<(String, String)> {
    let folder = Path::new(ROOT).join("worker/migrations");
    let files = std::fs::read_dir(folder).expect("the Worker has migrations");
    let mut files: Vec<(String, String)> = files
        .map(|file| {
            let file = file.expect("a folder that can be read");
            let sql = std::fs::read_to_string(file.path()).expect("a migration is text");
            (file.file_name().to_string_lossy().into_owned(), sql)
        })
        .collect();
    files.sort();
    files
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
