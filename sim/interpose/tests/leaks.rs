//! What a watched world cannot be given is noted, with the backtrace of who asked.

#![cfg(all(target_os = "linux", target_env = "gnu"))]
#![expect(clippy::disallowed_methods, reason = "starts threads")]
#![expect(unsafe_code, reason = "calls the C library as C code would")]

use edgeproof_interpose::{Question, Reading, Source, enter, take_leaks};
use std::rc::Rc;

/// A world whose Worker runs, or does not.
struct World {
    watches: bool,
}

impl Source for World {
    fn now(&self) -> Option<Reading> {
        Some(Reading {
            unix_nanos: 0,
            monotonic_nanos: 0,
        })
    }
    fn fill(&self, _: &mut [u8]) -> bool {
        true
    }
    fn watches(&self) -> bool {
        self.watches
    }
}

fn leaks_of(watches: bool, act: fn()) -> Vec<(Question, String)> {
    let _entered = enter(Rc::new(World { watches }));
    act();
    let leaks = take_leaks();
    let told = |leak: &edgeproof_interpose::Leak| (leak.question.clone(), leak.to_string());
    leaks.iter().map(told).collect()
}

#[inline(never)]
fn asks_for_cpu_time() {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the pointer is valid.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    assert_eq!(result, 0);
}

#[inline(never)]
fn opens_a_device() {
    use std::io::Read;
    let mut byte = [0];
    let device = std::fs::File::open("/dev/urandom");
    device
        .and_then(|mut device| device.read_exact(&mut byte))
        .expect("Linux has it");
}

#[inline(never)]
fn starts_a_thread() {
    let _ = std::thread::Builder::new().spawn(|| ());
}

#[test]
fn each_question_is_noted_with_who_asked() {
    for (act, question, who) in [
        (
            asks_for_cpu_time as fn(),
            Question::Clock(2),
            "asks_for_cpu_time",
        ),
        (
            opens_a_device,
            Question::Device("/dev/urandom".into()),
            "opens_a_device",
        ),
        (starts_a_thread, Question::Thread, "starts_a_thread"),
    ] {
        assert_eq!(leaks_of(false, act), [], "only a watched world is noted");
        let leaks = leaks_of(true, act);
        assert_eq!(leaks.len(), 1, "{leaks:?}");
        assert_eq!(leaks[0].0, question);
        assert!(leaks[0].1.contains(who), "{}", leaks[0].1);
    }
}

#[test]
fn a_watched_world_gets_no_second_thread() {
    let _entered = enter(Rc::new(World { watches: true }));
    let thread = std::thread::Builder::new().spawn(|| ());
    assert_eq!(
        thread.map(|_| ()).map_err(|error| error.raw_os_error()),
        Err(Some(libc::EAGAIN))
    );
    assert_eq!(take_leaks().len(), 1);
}

#[test]
fn a_loop_fills_no_memory() {
    let leaks = leaks_of(true, || (0..100).for_each(|_| asks_for_cpu_time()));
    assert_eq!(leaks.len(), 8);
}
