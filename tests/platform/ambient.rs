//! Crates that ask the operating system for time and random numbers get the world's, inside a Worker and in the test around it.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "foreign Workers use what is banned here"
)]

mod edges;

use edgeproof_sim::exception::Exception;
use edgeproof_sim::kernel::fingerprint::Fingerprint;
use edgeproof_sim::kernel::seed::Stream;
use edgeproof_sim::script::{self, Handled, ObjectClass, Script};
use edgeproof_sim::world::{World, as_host, on_fresh_thread};
use rand::TryRng as _;
use rand::rngs::SysRng;
use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::rc::Rc;
use std::task::Waker;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use support::inside::{Thing, answer, at, instant, pause, platform, within};
use worker::*;

/// What a Worker is told that asks in each way.
fn asks() -> String {
    let mut told = String::new();
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let _ = writeln!(told, "{:?}", since.expect("after 1970"));
    let _ = writeln!(told, "{}", chrono::Utc::now());
    let _ = writeln!(told, "{}", uuid::Uuid::new_v4());
    let map: HashMap<u32, ()> = (0..20).map(|key| (key, ())).collect();
    let _ = writeln!(told, "{:?}", map.keys());
    let _ = writeln!(told, "{}", rand::random::<u64>());
    told
}

fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    u64::try_from(since.expect("after 1970").as_millis()).expect("before the year 500 million")
}

/// A run in which a Worker, its `waitUntil` task, a constructor and an event of an object ask: all that they were told.
fn run(seed: u64) -> (Fingerprint, String) {
    let world = platform(&["FRA"]).seed(seed).build().expect("builds");
    let told = Rc::new(RefCell::new(String::new()));
    world.run(async |world| {
        let client = world.client("FRA");
        for _ in 0..2 {
            let later = Rc::clone(&told);
            let text = at(&client, async move |env, context| {
                let mut text = asks();
                let kv = env.kv("KV")?;
                kv.put("told", text.as_str())?.execute().await?;
                let stub = env.durable_object("THING")?.get_by_name("one")?;
                text += &within(&stub, async |_: &Thing| Ok(asks())).await?;
                context.wait_until(async move {
                    pause(7).await;
                    later.borrow_mut().push_str(&asks());
                });
                Ok(text)
            })
            .await;
            told.borrow_mut().push_str(&text);
            world.sleep(Duration::from_secs(1)).await;
        }
    });
    (world.fingerprint(), told.take())
}

#[test]
fn one_seed_tells_crates_one_thing() {
    let run = |seed| on_fresh_thread(move || run(seed));
    let (one, again, two) = (run(1), run(1), run(2));
    assert_eq!(one, again, "one seed");
    assert_ne!(one.0, two.0, "two seeds");
    let uuids = |told: &str| told.lines().filter(|line| line.len() == 36).count();
    assert_eq!(uuids(&one.1), 6, "{}", one.1);
    for (line, other) in one.1.lines().zip(two.1.lines()) {
        let time = line.contains("UTC") || line.ends_with('s');
        assert!(time || line != other, "the other seed told {line} as well");
    }
}

#[test]
fn a_used_thread_tells_the_same_but_for_kept_generators() {
    let told = || {
        let (_, told) = run(1);
        // The last of five lines is from the generator that rand keeps.
        let lines = told.lines().enumerate();
        let lines = lines.filter(|(number, _)| number % 5 != 4);
        lines.map(|(_, line)| line.to_owned()).collect::<Vec<_>>()
    };
    let _ = asks();
    assert_eq!(told(), told());
}

#[test]
fn clocks_of_crates_stand_still_until_something_arrives() {
    let world = platform(&["FRA"]).build().expect("builds");
    world.run(async |world| {
        let client = world.client("FRA");
        at(&client, async move |env, _| {
            let (begin, moment) = (Instant::now(), unix_ms());
            assert_eq!(moment, Date::now().as_millis());
            // A long computation takes no time.
            let mut sum = 0_u64;
            let host = as_host(Instant::now);
            while as_host(|| host.elapsed()) < Duration::from_millis(5) {
                sum = std::hint::black_box(sum.wrapping_add(1));
            }
            assert_eq!(begin.elapsed(), Duration::ZERO);
            env.kv("KV")?.get("key").text().await?;
            let passed = Date::now().as_millis() - moment;
            assert!(passed > 0, "the central store is far away");
            assert_eq!(unix_ms() - moment, passed);
            assert_eq!(begin.elapsed(), Duration::from_millis(passed));
            Ok(())
        })
        .await;
    });
}

#[test]
fn a_tests_own_code_is_in_the_world_while_it_runs() {
    let run = || {
        let world = platform(&["FRA"])
            .options(instant())
            .build()
            .expect("builds");
        world.run(async |world| {
            let begin = (Instant::now(), world.now());
            world.sleep(Duration::from_nanos(1_234_567)).await;
            assert_eq!(begin.0.elapsed(), world.now().since(begin.1));
            uuid::Uuid::new_v4()
        })
    };
    let before = SystemTime::now();
    assert_eq!(run(), run());
    assert!(
        SystemTime::now() >= before,
        "outside, the host's clock goes on"
    );
}

#[test]
fn entropy_is_the_worlds_stream_from_its_beginning() {
    let world = platform(&["FRA"]).seed(7).build().expect("builds");
    let drawn = world.run(async |world| {
        let client = world.client("FRA");
        let draw = async |_, _| {
            let mut bytes = [0; 20];
            SysRng.try_fill_bytes(&mut bytes).expect("it is there");
            Ok(bytes)
        };
        at(&client, draw).await
    });
    let mut bytes = [0; 20];
    Stream::new(7, "entropy").fill(&mut bytes);
    assert_eq!(drawn, bytes);
}

#[test]
fn a_tests_draws_change_no_workers() {
    let told = |draws: usize| {
        let world = platform(&["FRA"]).build().expect("builds");
        world.run(async |world| {
            let _: Vec<_> = (0..draws).map(|_| uuid::Uuid::new_v4()).collect();
            let client = world.client("FRA");
            at(&client, async |_, _| Ok(uuid::Uuid::new_v4())).await
        })
    };
    assert_eq!(told(0), told(9));
}

#[test]
#[should_panic(expected = "it wanted a second thread, asked for at")]
fn a_worker_that_starts_a_thread_ends_the_run() {
    let world = platform(&["FRA"]).build().expect("builds");
    world.run(async |world: &World| {
        let client = world.client("FRA");
        let _ = answer(&client, async |_, _| {
            let thread = std::thread::Builder::new().spawn(|| ());
            Response::ok(format!("{}", thread.is_ok()))
        })
        .await;
    });
}

#[test]
fn a_tests_own_code_may_start_threads() {
    let world = platform(&["FRA"]).build().expect("builds");
    let text = world.run(async |_| std::thread::spawn(|| "from there").join().expect("it runs"));
    assert_eq!(text, "from there");
}

/// Under the wall clock: what a Worker and a task beside it see, and a UUID that the Worker made.
fn served() -> (u64, u64, SystemTime, uuid::Uuid) {
    let world = platform(&["FRA"])
        .options(instant())
        .build()
        .expect("builds");
    let _entered = world.enter();
    let seen = Rc::new(RefCell::new(None));
    let client = world.client("FRA");
    let told = Rc::clone(&seen);
    world.spawn(async move {
        let inside = at(&client, async move |_, _| {
            Ok((unix_ms(), Date::now().as_millis(), uuid::Uuid::new_v4()))
        });
        let (unix_ms, date_ms, id) = inside.await;
        told.replace(Some((unix_ms, date_ms, SystemTime::now(), id)));
    });
    world.drive(world.now() + Duration::from_secs(1), Waker::noop());
    seen.take().expect("a second is enough")
}

#[test]
fn a_served_world_freezes_a_workers_clock_and_nothing_else() {
    let host = SystemTime::now();
    let (one, two) = (served(), served());
    assert_eq!(one.0, one.1, "the clock of Date.now()");
    assert!(
        one.2 >= host && SystemTime::now() >= one.2,
        "tasks of the server"
    );
    assert_ne!(one.3, two.3, "one seed, and yet no UUID twice");
}

/// A Worker that asks when its isolate starts, and handles nothing.
#[derive(Default)]
struct Starts(RefCell<Vec<(Duration, [u8; 8])>>);

impl Script for Starts {
    fn start(&self) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let mut bytes = [0; 8];
        SysRng.try_fill_bytes(&mut bytes).expect("it is there");
        let told = (now.expect("after 1970"), bytes);
        self.0.borrow_mut().push(told);
    }

    fn handle(&self, _: script::Event) -> Handled {
        Box::pin(async { Err(Exception::error("There is no handler.")) })
    }

    fn class(&self, _: &str) -> Option<Rc<dyn ObjectClass>> {
        None
    }
}

#[test]
fn the_start_of_an_isolate_is_a_workers_code_too() {
    let script = Rc::new(Starts::default());
    let world = || {
        let builder = World::builder()
            .script(Rc::clone(&script) as Rc<dyn Script>)
            .options(instant());
        builder.pops(["FRA"]).seed(7).build().expect("builds")
    };
    let jumping = world();
    jumping.run(async |world| {
        world.sleep(Duration::from_nanos(1)).await;
        world.client("FRA").get("/").send().await
    });
    let by_the_wall = world();
    let _entered = by_the_wall.enter();
    let request = by_the_wall.client("FRA").get("/").send();
    by_the_wall.spawn(async move { drop(request.await) });
    by_the_wall.drive(by_the_wall.now() + Duration::from_secs(1), Waker::noop());

    let told = script.0.borrow();
    assert_eq!(told.len(), 2);
    let mut bytes = [0; 8];
    Stream::new(7, "entropy").fill(&mut bytes);
    assert_eq!(told[0].1, bytes);
    assert_ne!(told[1].1, bytes, "the host's entropy");
    for (now, _) in told.iter() {
        assert_eq!(now.subsec_nanos() % 1_000_000, 0, "whole milliseconds");
        assert!(
            now.as_nanos() <= u128::from(by_the_wall.now().0),
            "the world's clock"
        );
    }
}
