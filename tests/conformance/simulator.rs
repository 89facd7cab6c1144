//! The simulator as an arm: one world per case, so that cases cannot see each other.

use crate::Arm;
use crate::case::{Case, Product, Step};
use edgeproof_sim::World;
use serde_json::{Value, json};
use std::time::Duration;

// Nothing here names a handler; without this they would not be linked.
extern crate edgeproof_conformance_worker as _;

const CONFIG: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/conformance/worker/wrangler.toml"
);

/// What passes after a call of KV. Production takes one write per second and key, Miniflare any number, so ordinary cases keep
/// away from the limit; that the two differ there has a case of its own ([`Case::hurries`]).
const BETWEEN_KV_CALLS: Duration = Duration::from_millis(1100);

/// The arm.
#[derive(Debug)]
pub(crate) struct Simulator;

impl Arm for Simulator {
    fn run(&mut self, case: &Case) -> Vec<Value> {
        let world = World::builder()
            .script(worker::native::script("edgeproof-conformance-worker"))
            .wrangler(CONFIG, None)
            .expect("the configuration is supported")
            .pops(["MEX"])
            .build()
            .expect("the world builds");
        world.run(async |world| {
            let client = world.client("MEX");
            let mut answers = Vec::new();
            for step in &case.steps {
                let (product, body) = match step {
                    Step::Wait { ms } => {
                        world.sleep(Duration::from_millis(*ms)).await;
                        continue;
                    }
                    Step::Call { product, body } => (*product, body),
                };
                let path = match product {
                    Product::Kv => "/kv",
                    Product::D1 => "/d1",
                    Product::Object => "/do/it",
                };
                let answer = client.post(path).json(body).send().await;
                let text = String::from_utf8_lossy(&answer.body);
                assert_ne!(answer.status, 400, "`{}`, {body}: {text}", case.name);
                answers.push(match answer.status {
                    200 => answer.json().expect("the Worker answers in JSON"),
                    // The Worker catches every error: this is a panic, or a limit of the platform.
                    status => json!({"status": status, "text": text}),
                });
                if product == Product::Kv && !case.hurries() {
                    world.sleep(BETWEEN_KV_CALLS).await;
                }
            }
            answers
        })
    }
}
