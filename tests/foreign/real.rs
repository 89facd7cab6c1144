//! The same Workers as wasm on workerd: they answer what they answer in the simulator.

use edgeproof::prelude::*;
use serde_json::Value;
use std::net::SocketAddr;
use support::client::ask;
use support::command::{sim, sim_command};
use support::process::Process;

/// A request, and how long to wait before it.
struct Step {
    after: Duration,
    method: &'static str,
    path: &'static str,
    /// JSON, or nothing.
    body: &'static str,
}

const fn step(after: Duration, method: &'static str, path: &'static str) -> Step {
    Step {
        after,
        method,
        path,
        body: "",
    }
}

const fn post(path: &'static str, body: &'static str) -> Step {
    Step {
        after: NOW,
        method: "POST",
        path,
        body,
    }
}

const NOW: Duration = Duration::ZERO;

/// A foreign Worker on workerd.
struct Real {
    _process: Process,
    address: SocketAddr,
}

impl Real {
    fn start(name: &str) -> Self {
        let folder = format!("tests/foreign/{name}");
        sim(&["build", "--yes", "--dev", "--crate", &folder]);
        let mut command = sim_command();
        let (build, config) = (format!("{folder}/build"), format!("{folder}/wrangler.toml"));
        command.args([
            "workerd", "--port", "0", "--script", &build, "--config", &config,
        ]);
        let mut process = Process::start(&command);
        let address = loop {
            let line = process.line();
            if let Some(address) = line.trim_end().strip_prefix("IAD on http://") {
                break address.parse().expect("an address");
            }
        };
        while !process.line().starts_with("Ctrl-C ends") {}
        Self {
            _process: process,
            address,
        }
    }

    #[expect(clippy::disallowed_methods, reason = "workerd runs by the wall clock")]
    fn ask(&self, step: &Step) -> (u16, String) {
        std::thread::sleep(step.after);
        let answer = ask(self.address, step.method, step.path, &[], step.body);
        (answer.status, answer.text())
    }
}

fn simulated(name: &str, steps: &[Step]) -> Vec<(u16, String)> {
    let config = format!(
        "{}/foreign/{name}/wrangler.toml",
        env!("CARGO_MANIFEST_DIR")
    );
    let world = World::builder()
        .script(script(&format!("foreign-{name}")))
        .wrangler(config, None)
        .expect("it is right")
        .build()
        .expect("it builds");
    world.run(async |world| {
        let client = world.client("IAD");
        let mut answers = Vec::new();
        for step in steps {
            world.sleep(step.after).await;
            let method = step.method.parse().expect("a method");
            let mut request = client.request(method, step.path);
            if !step.body.is_empty() {
                request = request.header("content-type", "application/json");
            }
            let answer = request.body(step.body).await;
            answers.push((answer.status, answer.text()));
        }
        answers
    })
}

fn compare(name: &str, steps: &[Step]) {
    let real = Real::start(name);
    let answers: Vec<_> = steps.iter().map(|step| real.ask(step)).collect();
    assert_eq!(simulated(name, steps), answers);
}

#[test]
fn visits_are_counted_alike() {
    compare(
        "visits",
        &[
            step(NOW, "GET", "/count"),
            step(NOW, "POST", "/count"),
            // What this PoP read a moment ago is in its cache.
            step(NOW, "GET", "/count"),
            step(NOW, "DELETE", "/count"),
            step(NOW, "GET", "/other"),
        ],
    );
}

#[test]
fn reminders_ring_alike() {
    let soon = Duration::from_secs(3);
    compare(
        "reminders",
        &[
            step(NOW, "GET", "/reminders/tea"),
            step(NOW, "POST", "/reminders/tea"),
            step(NOW, "POST", "/reminders/tea?in=1"),
            step(NOW, "GET", "/reminders/tea"),
            step(soon, "GET", "/reminders/tea"),
            step(NOW, "GET", "/elsewhere"),
        ],
    );
}

#[test]
fn dice_are_rolled_alike() {
    let steps = [step(NOW, "GET", "/")];
    let real = Real::start("dice").ask(&steps[0]);
    for (status, body) in [real, simulated("dice", &steps).remove(0)] {
        assert_eq!(status, 200, "{body}");
        let told: Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!(told["worked_ms"], 0, "the clock stands while code runs");
        let waited = told["waited_ms"].as_u64().expect("a number");
        assert!((50..500).contains(&waited), "{waited} ms");
        assert_eq!(told["now_ms"].as_f64(), told["date_ms"].as_f64());
        let id = told["id"].as_str().expect("a text");
        assert_eq!((id.len(), &id[14..15]), (36, "4"), "{id}");
    }
}

#[test]
fn a_shelf_answers_alike() {
    compare(
        "shelf",
        &[
            step(NOW, "GET", "/"),
            step(NOW, "GET", "/books"),
            post("/books", r#"{ "title": "Momo", "author": "Michael Ende" }"#),
            post("/books", r#"{ "title": "Beowulf" }"#),
            post("/books", r#"{ "author": "nobody" }"#),
            post("/books", "{"),
            step(NOW, "GET", "/books"),
            step(NOW, "GET", "/books/1"),
            step(NOW, "GET", "/books/3"),
            step(NOW, "GET", "/books/three"),
            step(NOW, "PUT", "/books"),
            step(NOW, "GET", "/nowhere"),
            step(NOW, "GET", "/where"),
            post("/echo", "as it is"),
        ],
    );
}
