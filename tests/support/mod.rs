//! What the suites share: the production Worker in a world, and its users.

use edgeproof_sim::World;
use edgeproof_sim::http::{Request, Response};
use edgeproof_sim::world::builder::Builder;
use edgeproof_sim::world::client::Client;
use edgeproof_worker::core::jwt;
use serde_json::json;

// Nothing here names a handler; without this they would not be linked.
extern crate edgeproof_worker as _;

/// The Worker's configuration, as it deploys.
pub const WRANGLER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/worker/wrangler.toml");

/// A secret of the tests' own.
pub const JWT_SECRET: &str = "a secret for tests, 32 bytes or more";

/// A transaction that keeps every rule.
pub fn transaction() -> serde_json::Value {
    json!({"type": "expense", "amount": 12.34, "description": "tea", "date": "2026-01-15"})
}

/// The production Worker at these PoPs, with a history.
pub fn production(pops: &[&str]) -> Builder {
    World::builder()
        .script(worker::native::script("edgeproof-worker"))
        .wrangler(WRANGLER, None)
        .expect("the Worker's own configuration is supported")
        .pops(pops.iter().copied())
        .secret("AUTH_JWT_SECRET", JWT_SECRET)
        .history(true)
}

/// A token of a user, valid for the day in which worlds begin.
pub fn token(user: &str) -> String {
    token_of(user, "user")
}

/// A token with a role.
pub fn token_of(user: &str, role: &str) -> String {
    jwt::mint(JWT_SECRET, user, role, 1_767_225_600, 86_400)
}

/// A POST of a transaction.
pub fn post(client: &Client, user: &str) -> Request {
    client.post("/api/transactions").bearer(&token(user)).json(&transaction()).build()
}

/// How many of the answers have this status.
pub fn count(answers: &[Response], status: u16) -> usize {
    answers.iter().filter(|answer| answer.status == status).count()
}
