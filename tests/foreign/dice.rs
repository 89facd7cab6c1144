//! chrono, uuid, rand, `HashMap` and `Date`.

use edgeproof::prelude::*;
use edgeproof::sim::world::on_fresh_thread;
use serde_json::Value;

fn told(seed: u64) -> (Value, String) {
    on_fresh_thread(|| {
        let config = concat!(env!("CARGO_MANIFEST_DIR"), "/foreign/dice/wrangler.toml");
        let world = World::builder()
            .script(script("foreign-dice"))
            .wrangler(config, None)
            .expect("it is right")
            .seed(seed)
            .build()
            .expect("it builds");
        let answer = world.run(async |world| world.client("IAD").get("/").await);
        let told = answer.expect_status(200).json().expect("JSON");
        (told, world.fingerprint().to_string())
    })
}

extern crate foreign_dice as _;

#[test]
fn one_seed_tells_one_time_and_rolls_one_number() {
    assert_eq!(told(7), told(7));
}

#[test]
fn another_seed_rolls_otherwise() {
    let (one, other) = (told(7).0, told(8).0);
    assert_ne!(one["id"], other["id"]);
    assert_ne!(one["shuffled"], other["shuffled"]);
    let rolls: Vec<u64> = (0..20)
        .map(|seed| told(seed).0["roll"].as_u64().expect("a number"))
        .collect();
    assert!(rolls.iter().any(|roll| *roll != rolls[0]), "{rolls:?}");
}

#[test]
fn every_clock_is_the_worlds_and_stands_while_code_runs() {
    let told = told(1).0;
    assert_eq!(
        told["now_ms"],
        told["date_ms"].as_f64().expect("a number") as i64
    );
    assert_eq!(
        (&told["worked_ms"], &told["waited_ms"]),
        (&0.into(), &50.into())
    );
}
