//! The clock and the entropy of a thread, answered by a simulated world instead of the host.
//!
//! Rust's standard library and the crates on it ask the C library for the time and for random numbers. A program that links
//! this crate has functions of the same names ([`symbols`]), and the linker prefers them. While a [`Source`] is entered on a
//! thread, they ask it; otherwise they call the C library's own ([`host`]), and nothing changes but a nanosecond or two.
//!
//! ```
//! use edgeproof_interpose::{Reading, Source};
//! use std::rc::Rc;
//! use std::time::{SystemTime, UNIX_EPOCH};
//!
//! struct Epoch;
//! impl Source for Epoch {
//!     fn now(&self) -> Option<Reading> {
//!         Some(Reading { unix_nanos: 7_000_000_000, monotonic_nanos: 0 })
//!     }
//!     fn fill(&self, bytes: &mut [u8]) -> bool {
//!         bytes.fill(42);
//!         true
//!     }
//! }
//!
//! if edgeproof_interpose::SUPPORTED {
//!     let entered = edgeproof_interpose::enter(Rc::new(Epoch));
//!     assert_eq!(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs(), 7);
//!     drop(entered);
//!     assert_ne!(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs(), 7);
//! }
//! ```
//!
//! # What is answered
//!
//! | who asks | how it reaches the system | answered on Linux | on macOS |
//! |---|---|---|---|
//! | `SystemTime::now`, `Instant::now`, chrono | `clock_gettime` | yes | yes |
//! | C code: `gettimeofday`, `time` | by name | yes | yes |
//! | getrandom 0.3 and 0.4: rand 0.9 and 0.10, uuid | `getrandom`, by `dlsym`; macOS: `getentropy` | yes | yes |
//! | getrandom 0.2: rand 0.8 | `syscall(SYS_getrandom)`; macOS: `getentropy` | yes | yes |
//! | seeds of `HashMap` (`RandomState`) | `getrandom`, once per thread; macOS: `CCRandomGenerateBytes` | yes, on any thread | on a fresh thread |
//! | generators that a thread keeps: `rand::rng()`, `rand::thread_rng()` | seeded once per thread, then never again | on a fresh thread | on a fresh thread |
//!
//! *Linux* is glibc on x86-64 and arm64, where the tests of this crate run. The code for macOS has been compiled and never run.
//! Elsewhere nothing is answered: see [`SUPPORTED`]. Link-time optimisation changes nothing. With `-C prefer-dynamic` the seeds of
//! `HashMap` need a fresh thread, as on macOS.
//!
//! # Fresh threads
//!
//! A generator that was seeded on a thread before the world began goes on with its old seed, and asks nobody. It lives on the
//! heap behind a private thread-local, so it cannot be found and replaced. [`on_fresh_thread`] runs a world on a thread that has
//! none yet; [`Guard::found_draws`] says whether a thread may have one. Where a world must share its thread, a program can
//! call `rand::rng().reseed()` (rand 0.9 and 0.10) or `fastrand::seed(…)` when the world begins; rand 0.8 has no such call.
//!
//! The seeds of `HashMap` are in the thread-local itself, where they can be found: a world begins with [seeds of its
//! own](Source::map_keys) on every thread, and its thread gets the old ones back afterwards.
//!
//! # What is noticed
//!
//! Some questions have no answer in a world: CPU time, `/dev/urandom`, a second thread. While [the source
//! watches](Source::watches), each leaves a [`Leak`] with the backtrace of who asked.
//!
//! # What is neither answered nor noticed
//!
//! - System calls without the C library: rustix's backend `linux_raw`, getrandom's opt-in backends `linux_raw` and `rdrand`,
//!   inline assembly, the instructions `rdtsc` and `rdrand`, the vDSO called directly.
//! - The C library's calls of its own functions, such as `timespec_get` and `arc4random`: they do not go through a name that
//!   a program can take.
//! - Addresses as entropy: `foldhash`, hashbrown's default hasher, seeds itself from where things lie in memory. Do not iterate
//!   its maps.
//! - What a process keeps: `ahash` draws its seeds once per process, from whichever thread is first.
//! - The host's time zone, which `chrono::Local` reads from `TZ` or `/etc/localtime`. Workers are in UTC.
//! - Numbers of threads: `fastrand` seeds itself from `Instant::now` and `ThreadId`, and the process counts its threads.

#![cfg_attr(not(interposed), allow(dead_code, reason = "nothing is asked there"))]

mod fresh;
mod leak;
mod listening;
mod map_keys;
mod source;

#[cfg(interposed)]
mod host;
#[cfg(interposed)]
mod symbols;

pub use fresh::on_fresh_thread;
pub use leak::{Leak, Question, take_leaks};
pub use listening::as_host;
pub use source::{Guard, Reading, Source};

use std::rc::Rc;

/// Lets `source` answer on this thread.
pub fn enter(source: Rc<dyn Source>) -> Guard {
    #[cfg(interposed)]
    symbols::link();
    source::enter(source)
}

/// Whether this build answers at all: Linux with glibc, or macOS, on x86-64 or arm64.
pub const SUPPORTED: bool = cfg!(interposed);
