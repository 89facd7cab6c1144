//! Workers KV, as a Worker meets it: eventual consistency, expiry, limits, lists.

#[path = "support/inside.rs"]
mod inside;

use edgeproof_sim::check::staleness::{self, measure};
use edgeproof_sim::history::{Op, Outcome, Record};
use edgeproof_sim::world::World;
use edgeproof_sim::world::client::Client;
use inside::{at, failure, instant, message, platform};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use worker::*;

async fn put(client: &Client, key: &'static str, value: &'static str) {
    at(client, async move |env, _| Ok(env.kv("KV")?.put(key, value)?.execute().await?)).await;
}

async fn get(client: &Client, key: &'static str) -> Option<String> {
    at(client, async move |env, _| Ok(env.kv("KV")?.get(key).text().await?)).await
}

/// A value written in FRA while SIN holds the one before, read in both until SIN has it too.
fn two_pops() -> World {
    let world = platform(&["FRA", "SIN"]).build().expect("builds");
    world.run(async |world| {
        let (fra, sin) = (world.client("FRA"), world.client("SIN"));
        put(&fra, "k", "old").await;
        assert_eq!(get(&sin, "k").await.as_deref(), Some("old"));
        let cached_at = world.now();
        world.sleep(Duration::from_secs(2)).await;
        put(&fra, "k", "new").await;
        assert_eq!(get(&fra, "k").await.as_deref(), Some("new"), "at once where it was written");
        for second in 4..=58 {
            world.sleep((cached_at + Duration::from_secs(second)).since(world.now())).await;
            assert_eq!(get(&sin, "k").await.as_deref(), Some("old"), "{second} s after it was cached");
        }
        world.sleep((cached_at + Duration::from_secs(60)).since(world.now())).await;
        assert_eq!(get(&sin, "k").await.as_deref(), Some("new"), "when the cached entry has become too old");
    });
    world
}

#[test]
fn another_pop_reads_the_old_value_until_its_cached_entry_is_60_seconds_old() {
    let world = two_pops();
    let history = world.history();
    assert_eq!(staleness::check(history.records(), &staleness::Options::default()), []);
    let staleness = measure(history.records());
    assert_eq!((staleness.reads, staleness.stale_reads), (58, 55));
    assert!((55.0..57.0).contains(&staleness.max_stale_seconds), "{staleness:?}");
    assert!((27.0..29.0).contains(&staleness.median_stale_seconds), "{staleness:?}");
}
