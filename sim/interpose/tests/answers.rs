//! Real crates ask; the world of the thread answers.

#![cfg(all(target_os = "linux", target_env = "gnu"))]
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "what is banned elsewhere is asked here"
)]

use edgeproof_interpose::{Reading, Source, as_host, enter, on_fresh_thread};
use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// 2026-01-02 03:04:05 UTC.
const MOMENT: u64 = 1_767_323_045;

/// A small world: a clock that is set by hand, and a stream of a seed.
struct World {
    unix_nanos: Cell<u64>,
    state: Cell<u64>,
    map_keys: Cell<[u64; 2]>,
    drawn: RefCell<Vec<usize>>,
}

impl World {
    fn new(seed: u64) -> Rc<Self> {
        Rc::new(Self {
            unix_nanos: Cell::new(MOMENT * 1_000_000_000),
            state: Cell::new(seed),
            map_keys: Cell::new([seed, !seed]),
            drawn: RefCell::default(),
        })
    }
}

impl Source for World {
    fn now(&self) -> Option<Reading> {
        let unix_nanos = self.unix_nanos.get();
        Some(Reading {
            unix_nanos,
            monotonic_nanos: unix_nanos,
        })
    }

    fn fill(&self, bytes: &mut [u8]) -> bool {
        self.drawn.borrow_mut().push(bytes.len());
        for byte in bytes {
            let next = self
                .state
                .get()
                .wrapping_mul(0x5851_f42d_4c95_7f2d)
                .wrapping_add(1);
            self.state.set(next);
            *byte = next.to_be_bytes()[0];
        }
        true
    }

    fn map_keys(&self) -> Option<&Cell<[u64; 2]>> {
        Some(&self.map_keys)
    }
}

/// Runs `act` in a world with this seed, on this thread.
fn in_world<T>(seed: u64, act: impl FnOnce() -> T) -> T {
    let _entered = enter(World::new(seed));
    act()
}

/// Checks that what `ask` gets depends on the seed alone, on this thread, and that it is the host's outside.
fn depends_on_the_seed<T: Eq + std::fmt::Debug>(ask: impl Fn() -> T) {
    let before = ask();
    let (one, again, two) = (in_world(1, &ask), in_world(1, &ask), in_world(2, &ask));
    assert_eq!(one, again, "one seed");
    assert_ne!(one, two, "two seeds");
    let after = ask();
    assert!(before != after && after != one, "the host's again");
}

/// As [`depends_on_the_seed`], for generators that a thread keeps.
fn depends_on_the_seed_on_fresh_threads<T: Eq + std::fmt::Debug + Send>(
    ask: impl Fn() -> T + Sync,
) {
    let _ = ask();
    let run = |seed| on_fresh_thread(|| in_world(seed, &ask));
    let (one, again, two) = (run(1), run(1), run(2));
    assert_eq!(one, again, "one seed");
    assert_ne!(one, two, "two seeds");
}

#[test]
fn clocks_show_the_worlds_time_until_it_is_left() {
    let world = World::new(1);
    let (host, host_instant) = (SystemTime::now(), Instant::now());
    {
        let _entered = enter(Rc::clone(&world) as Rc<dyn Source>);
        let now = || {
            SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .expect("after 1970")
        };
        assert_eq!(now(), Duration::from_secs(MOMENT));
        assert_eq!(chrono::Utc::now().to_rfc3339(), "2026-01-02T03:04:05+00:00");
        let begin = Instant::now();
        assert_eq!(begin.elapsed(), Duration::ZERO, "it stands still");
        world.unix_nanos.set(world.unix_nanos.get() + 1_500_000_000);
        assert_eq!(begin.elapsed(), Duration::from_millis(1_500));
        assert_eq!(now(), Duration::from_millis(MOMENT * 1_000 + 1_500));
        // The host's is there for who asks for it by name.
        assert!(as_host(SystemTime::now) >= host);
        assert_eq!(now(), Duration::from_millis(MOMENT * 1_000 + 1_500));
    }
    assert!(SystemTime::now() >= host && Instant::now() >= host_instant);
}

#[test]
fn other_threads_keep_the_hosts_clock() {
    let _entered = enter(World::new(1));
    let elsewhere = std::thread::spawn(SystemTime::now).join().expect("it runs");
    assert_ne!(elsewhere, SystemTime::now());
}

#[test]
fn c_functions_answer_as_the_clock_does() {
    let _entered = enter(World::new(1));
    // SQLite's own clock, and C code in general, asks in these ways.
    let (time, of_day) = c_time();
    assert_eq!((time, of_day), (MOMENT, (MOMENT, 0)));
}

#[test]
fn entropy_comes_from_the_seed_with_each_getrandom() {
    depends_on_the_seed(|| {
        let mut bytes = [0_u8; 24];
        getrandom_02::getrandom(&mut bytes).expect("0.2 fills");
        bytes
    });
    depends_on_the_seed(|| {
        let mut bytes = [0_u8; 24];
        getrandom_03::fill(&mut bytes).expect("0.3 fills");
        bytes
    });
    depends_on_the_seed(|| {
        let mut bytes = [0_u8; 24];
        getrandom::fill(&mut bytes).expect("0.4 fills");
        bytes
    });
}

#[test]
fn the_systems_generators_of_rand_come_from_the_seed() {
    use rand_08::RngCore as _;
    use rand_09::TryRngCore as _;
    depends_on_the_seed(|| rand_08::rngs::OsRng.next_u64());
    depends_on_the_seed(|| rand_09::rngs::OsRng.try_next_u64().expect("it draws"));
    depends_on_the_seed(sys_rng);
}

#[test]
fn uuids_come_from_the_world() {
    depends_on_the_seed(uuid::Uuid::new_v4);
    let id = in_world(1, uuid::Uuid::now_v7);
    let timestamp = id.get_timestamp().expect("a v7 has one");
    assert_eq!(timestamp.to_unix().0, MOMENT);
}

#[test]
fn generators_that_a_thread_keeps_need_a_fresh_thread() {
    depends_on_the_seed_on_fresh_threads(rand_08::random::<u64>);
    depends_on_the_seed_on_fresh_threads(rand_09::random::<u64>);
    depends_on_the_seed_on_fresh_threads(rand::random::<u64>);
    // What `found_draws` is for: on one thread the second world goes on with the first one's generator.
    on_fresh_thread(|| {
        let first = enter(World::new(1));
        assert!(!first.found_draws());
        let one = rand::random::<u64>();
        drop(first);
        let second = enter(World::new(1));
        assert!(second.found_draws());
        assert_ne!(one, rand::random::<u64>());
    });
}

/// In which order a map and a set give what was put in.
fn orders() -> (Vec<u32>, Vec<u32>) {
    let map: HashMap<u32, ()> = (0..50).map(|key| (key, ())).collect();
    let set: HashSet<u32> = (0..50).collect();
    (map.into_keys().collect(), set.into_iter().collect())
}

#[test]
fn maps_have_the_order_of_the_seed_on_any_thread() {
    // This thread has made maps before; a fresh one has not.
    depends_on_the_seed(orders);
    assert_eq!(in_world(3, orders), on_fresh_thread(|| in_world(3, orders)));
}

#[test]
fn seeds_of_maps_cost_the_world_no_entropy() {
    for run in [on_fresh_thread, |act: fn() -> Vec<usize>| {
        orders();
        act()
    }] as [fn(fn() -> Vec<usize>) -> Vec<usize>; 2]
    {
        let drawn = run(|| {
            let world = World::new(1);
            let _entered = enter(Rc::clone(&world) as Rc<dyn Source>);
            orders();
            world.drawn.take()
        });
        assert_eq!(drawn, []);
    }
}

#[test]
fn a_world_that_is_entered_again_goes_on() {
    let (once, twice) = (World::new(1), World::new(1));
    let parts = |world: &Rc<World>| {
        let _entered = enter(Rc::clone(world) as Rc<dyn Source>);
        orders()
    };
    let whole = {
        let _entered = enter(once);
        (orders(), orders())
    };
    let first = parts(&twice);
    orders();
    assert_eq!((first, parts(&twice)), whole);
}

#[test]
fn worlds_nest() {
    let outer = World::new(1);
    outer.unix_nanos.set(5);
    let _outer = enter(outer);
    assert_ne!(in_world(2, SystemTime::now), SystemTime::now());
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970");
    assert_eq!(now, Duration::from_nanos(5));
}

/// A source that gives every question back.
struct Absent;

impl Source for Absent {
    fn now(&self) -> Option<Reading> {
        None
    }
    fn fill(&self, _: &mut [u8]) -> bool {
        false
    }
}

#[test]
fn the_host_answers_what_a_source_does_not() {
    let before = SystemTime::now();
    let _entered = enter(Rc::new(Absent));
    assert!(SystemTime::now() >= before);
    assert_ne!(uuid::Uuid::new_v4(), uuid::Uuid::new_v4());
}

/// A source that asks itself, borrows what is borrowed, and panics.
struct Careless;

impl Source for Careless {
    fn now(&self) -> Option<Reading> {
        // Answered by the host: otherwise this would never end.
        let _ = SystemTime::now();
        panic!("a source must not do this");
    }
    fn fill(&self, _: &mut [u8]) -> bool {
        false
    }
}

#[test]
fn a_source_that_panics_is_noted_and_the_host_answers() {
    let before = SystemTime::now();
    let _entered = enter(Rc::new(Careless));
    assert!(SystemTime::now() >= before);
    let leaks = edgeproof_interpose::take_leaks();
    assert_eq!(leaks.len(), 1);
    assert_eq!(
        leaks[0].question,
        edgeproof_interpose::Question::SourcePanicked
    );
}

#[test]
fn a_guard_that_is_never_dropped_does_no_harm() {
    let thread = std::thread::spawn(|| {
        thread_local!(static LAST: AtTheEnd = const { AtTheEnd });
        LAST.with(|_| ());
        std::mem::forget(enter(World::new(1)));
        // Both are torn down now, in either order.
    });
    thread.join().expect("it ends");
}

/// Looks at the clock when its thread ends.
struct AtTheEnd;

impl Drop for AtTheEnd {
    fn drop(&mut self) {
        let _ = (SystemTime::now(), uuid::Uuid::new_v4());
    }
}

fn sys_rng() -> u64 {
    use rand::TryRng as _;
    rand::rngs::SysRng.try_next_u64().expect("it draws")
}

#[expect(unsafe_code, reason = "calls the C library as C code would")]
fn c_time() -> (u64, (u64, i64)) {
    let mut of_day = libc::timeval {
        tv_sec: 0,
        tv_usec: 0,
    };
    // SAFETY: a null pointer is allowed for `time`; the other one is valid.
    let time = unsafe {
        assert_eq!(libc::gettimeofday(&raw mut of_day, std::ptr::null_mut()), 0);
        libc::time(std::ptr::null_mut())
    };
    let unsigned = |seconds: i64| u64::try_from(seconds).expect("after 1970");
    (unsigned(time), (unsigned(of_day.tv_sec), of_day.tv_usec))
}
