//! How much memory idle objects cost: a million of them must be affordable.

use edgeproof_sim::limits::Plan;
use futures_util::future::join_all;
use peak_alloc::PeakAlloc;
use std::time::Duration;
use support::inside::{Thing, at, platform, within};
use worker::*;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Objects of each kind. A million cost as much each: nothing grows faster than their number.
const OBJECTS: u64 = 100_000;

/// Bytes that one idle object costs, after having been called once; if `write`, it then holds one small value.
fn bytes_per_object(write: bool) -> u64 {
    let world = platform(&["IAD"])
        .plan(Plan::Paid)
        .history(false)
        .build()
        .expect("builds");
    let call = async |first: u64, count: u64| {
        let client = world.client("IAD");
        at(&client, async move |env, _| {
            let things = env.durable_object("THING")?;
            for chunk in (first..first + count).collect::<Vec<_>>().chunks(500) {
                let stubs = chunk
                    .iter()
                    .map(|number| things.get_by_name(&number.to_string()))
                    .collect::<Result<Vec<_>>>()?;
                let calls = stubs.iter().map(|stub| {
                    within(stub, async move |thing: &Thing| {
                        if write {
                            thing.state.storage().put("n", 1).await
                        } else {
                            Ok(())
                        }
                    })
                });
                join_all(calls).await.into_iter().collect::<Result<()>>()?;
            }
            Ok(())
        })
        .await;
        world.sleep(Duration::from_secs(30)).await;
    };
    world.run(async |_| {
        // What the world itself needs for as many events at a time.
        call(0, 5_000).await;
        let before = MEMORY.current_usage() as u64;
        for first in (5_000..5_000 + OBJECTS).step_by(5_000) {
            call(first, 5_000).await;
        }
        (MEMORY.current_usage() as u64).saturating_sub(before) / OBJECTS
    })
}

#[test]
fn an_idle_object_costs_less_than_a_kilobyte_half_without_storage() {
    let (empty, written) = (bytes_per_object(false), bytes_per_object(true));
    println!("{empty} bytes without storage, {written} with one value");
    assert!((100..512).contains(&empty), "{empty} bytes per idle object");
    assert!(
        (empty..1_024).contains(&written),
        "{written} bytes per idle object with one value"
    );
}
