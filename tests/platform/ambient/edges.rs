//! Worlds that alternate, end in a panic or are nested: none answers for another, and none when it does not run.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "foreign Workers use what is banned here"
)]

use edgeproof_sim::world::World;
use std::cell::RefCell;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use support::inside::{at, platform};

fn order() -> Vec<u32> {
    let map: HashMap<u32, ()> = (0..20).map(|key| (key, ())).collect();
    map.into_keys().collect()
}

/// What one world's Worker asked is not held against the next world of the thread.
#[test]
fn a_leak_of_a_run_that_panicked_is_not_the_next_worlds() {
    let world = platform(&["FRA"]).build().expect("builds");
    let ran = catch_unwind(AssertUnwindSafe(|| {
        world.run(async |world| {
            let told = Rc::new(RefCell::new(None));
            let (tell, told) = (Rc::clone(&told), told);
            let (sender, receiver) = futures_util::future::AbortHandle::new_pair();
            let waits =
                futures_util::future::Abortable::new(std::future::pending::<()>(), receiver);
            let client = world.client("FRA");
            let asks = at(&client, async move |_, _| {
                let device = std::fs::read("/dev/urandom-is-not-here");
                tell.replace(Some(device.is_ok()));
                let _ = std::thread::Builder::new().spawn(|| ());
                // The test goes on in the same turn.
                sender.abort();
                Ok(())
            });
            let goes_on = async {
                let _ = waits.await;
                panic!("the test's own: {told:?}");
            };
            futures_util::future::join(asks, goes_on).await;
        });
    }));
    assert!(ran.is_err());
    drop(world);
    let next = platform(&["FRA"]).build().expect("builds");
    next.run(async |world| at(&world.client("FRA"), async |_, _| Ok(())).await);
}

#[test]
fn two_worlds_alternate_on_a_thread_as_if_alone() {
    let alone = |seed| {
        let world = platform(&["FRA"]).seed(seed).build().expect("builds");
        let one = world.run(async |world| at(&world.client("FRA"), async |_, _| Ok(order())).await);
        let two = world.run(async |world| at(&world.client("FRA"), async |_, _| Ok(order())).await);
        (one, two)
    };
    let (one, other) = (alone(1), alone(2));
    let ask = |world: &World| {
        world.run(async |world| at(&world.client("FRA"), async |_, _| Ok(order())).await)
    };
    let build = |seed| platform(&["FRA"]).seed(seed).build().expect("builds");
    let (a, b) = (build(1), build(2));
    let host = order();
    let (a1, b1) = (ask(&a), ask(&b));
    let _ = order();
    let (a2, b2) = (ask(&a), ask(&b));
    assert_eq!(((a1, a2), (b1, b2)), (one, other));
    assert_eq!(host.len(), 20);
}

#[test]
fn nothing_is_answered_between_runs_or_after_a_panic_or_a_nested_world() {
    let since = || {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("after 1970")
    };
    let world = platform(&["FRA"]).build().expect("builds");
    let host = || {
        let (before, clock) = (since(), Instant::now());
        std::thread::sleep(Duration::from_millis(2));
        assert!(since() > before && clock.elapsed() >= Duration::from_millis(2));
    };
    host();
    world.run(async |world| world.sleep(Duration::from_secs(1)).await);
    host();
    let ran = catch_unwind(AssertUnwindSafe(|| {
        world.run(async |_| panic!("a test fails"))
    }));
    assert!(ran.is_err());
    host();
    world.run(async |world| {
        let inner = platform(&["FRA"]).build().expect("builds inside");
        let nested = catch_unwind(AssertUnwindSafe(|| inner.run(async |_| ())));
        assert!(nested.is_err(), "one world runs on a thread at a time");
        let before = Instant::now();
        world.sleep(Duration::from_secs(1)).await;
        assert_eq!(before.elapsed(), Duration::from_secs(1));
        at(&world.client("FRA"), async |_, _| Ok(())).await;
        drop(inner);
        at(&world.client("FRA"), async |_, _| Ok(())).await;
    });
    host();
}

#[test]
fn a_worker_that_spawns_a_thread_is_told() {
    let world = platform(&["FRA"]).build().expect("builds");
    let ran = catch_unwind(AssertUnwindSafe(|| {
        world.run(async |world| {
            at(&world.client("FRA"), async |_, _| {
                let _ = std::thread::Builder::new().spawn(|| ());
                Ok(())
            })
            .await;
        });
    }));
    let panic = ran.expect_err("told");
    let text = panic.downcast_ref::<String>().expect("a text");
    assert!(text.contains("a second thread"), "{text}");
}

#[test]
fn observation_changes_no_map() {
    let told = |history| {
        let world = platform(&["FRA"]).seed(1).history(history).console(history);
        let world = world.build().expect("builds");
        world.run(async |world| {
            let client = world.client("FRA");
            let one = at(&client, async |_, _| {
                worker::console_log!("a line");
                Ok(order())
            })
            .await;
            (one, at(&client, async |_, _| Ok(order())).await)
        })
    };
    assert_eq!(told(true), told(false));
}
