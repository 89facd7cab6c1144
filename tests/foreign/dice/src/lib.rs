//! Tells the time and rolls dice with the crates that most Workers use for it.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a Worker that knows nothing of the world asks the system"
)]

use rand::Rng;
use uuid::Uuid;
use worker::*;

#[event(fetch)]
async fn fetch(_request: Request, _env: Env, _context: Context) -> Result<Response> {
    let begun = chrono::Utc::now();
    let by_date = js_sys::Date::now();
    let worked = chrono::Utc::now() - begun;
    Delay::from(std::time::Duration::from_millis(50)).await;
    let waited = chrono::Utc::now() - begun;
    Response::from_json(&serde_json::json!({
        "now": begun.to_rfc3339(),
        "now_ms": begun.timestamp_millis(),
        "date_ms": by_date,
        "worked_ms": worked.num_milliseconds(),
        "waited_ms": waited.num_milliseconds(),
        "id": Uuid::new_v4().to_string(),
        "roll": rand::thread_rng().gen_range(1..=6),
        "shuffled": shuffled(),
    }))
}

/// Numbers in the order in which a map of std holds them.
fn shuffled() -> Vec<u32> {
    let numbers: std::collections::HashMap<u32, ()> = (0..16).map(|number| (number, ())).collect();
    numbers.into_keys().collect()
}
