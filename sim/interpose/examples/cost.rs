//! What it costs that functions of the C library are stood in for, where no world runs: each call through this crate beside the
//! same call straight into the C library, in turns.
//!
//! `cargo run --release -p edgeproof-interpose --example cost`

#![expect(
    unsafe_code,
    reason = "calls the C library's own functions by their addresses"
)]
#![expect(clippy::disallowed_methods, reason = "measures the host")]

#[cfg(target_os = "linux")]
fn main() {
    use edgeproof_interpose::{Reading, Source, enter, on_fresh_thread};
    use std::cell::Cell;
    use std::hint::black_box;
    use std::rc::Rc;
    use std::time::{Duration, Instant};

    struct World(Cell<[u64; 2]>);
    impl Source for World {
        fn now(&self) -> Option<Reading> {
            None
        }
        fn fill(&self, _: &mut [u8]) -> bool {
            false
        }
        fn map_keys(&self) -> Option<&Cell<[u64; 2]>> {
            Some(&self.0)
        }
    }
    let world: Rc<dyn Source> = Rc::new(World(Cell::new([1, 2])));

    type ClockGettime = unsafe extern "C" fn(libc::clockid_t, *mut libc::timespec) -> libc::c_int;
    type Getrandom = unsafe extern "C" fn(*mut u8, usize, u32) -> isize;

    fn own(name: &std::ffi::CStr) -> *mut libc::c_void {
        // SAFETY: the name ends with a zero.
        let address = unsafe { libc::dlsym(libc::RTLD_NEXT, name.as_ptr()) };
        assert!(!address.is_null(), "the C library has {name:?}");
        address
    }

    /// The shortest of many turns of each: what is slower than that was somebody else's work.
    fn compare(name: &str, calls: u32, mut through: impl FnMut(), mut straight: impl FnMut()) {
        let turn = |act: &mut dyn FnMut()| {
            let begin = Instant::now();
            (0..calls).for_each(|_| act());
            begin.elapsed()
        };
        let mut best = [Duration::MAX; 2];
        for _ in 0..400 {
            best[0] = best[0].min(turn(&mut through));
            best[1] = best[1].min(turn(&mut straight));
        }
        let [through, straight] = best.map(|time| time.as_secs_f64() * 1e9 / f64::from(calls));
        println!(
            "{name}: {through:.1} ns, {straight:.1} ns without: {:.3}",
            through / straight
        );
    }

    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the C library has functions of these types under these names.
    let (clock_gettime, getrandom) = unsafe {
        (
            std::mem::transmute::<*mut libc::c_void, ClockGettime>(own(c"clock_gettime")),
            std::mem::transmute::<*mut libc::c_void, Getrandom>(own(c"getrandom")),
        )
    };
    // So that this crate is linked.
    drop(enter(Rc::clone(&world)));
    let mut again = time;
    compare(
        "clock_gettime",
        5_000,
        // SAFETY: the pointer is valid.
        || unsafe {
            libc::clock_gettime(libc::CLOCK_MONOTONIC, black_box(&raw mut time));
        },
        // SAFETY: the pointer is valid.
        || unsafe {
            clock_gettime(libc::CLOCK_MONOTONIC, black_box(&raw mut again));
        },
    );
    let (mut bytes, mut others) = ([0_u8; 16], [0_u8; 16]);
    compare(
        "getrandom, 16 bytes",
        2_000,
        // SAFETY: the pointer is valid.
        || unsafe {
            libc::getrandom(black_box(bytes.as_mut_ptr()).cast(), 16, 0);
        },
        // SAFETY: the pointer is valid.
        || unsafe {
            getrandom(black_box(others.as_mut_ptr()), 16, 0);
        },
    );
    let measure = |name: &str, count: u32, act: &mut dyn FnMut()| {
        let begin = Instant::now();
        (0..count).for_each(|_| act());
        let each = begin.elapsed().as_secs_f64() * 1e6 / f64::from(count);
        println!("{name}: {each:.3} µs");
    };
    measure("entering and leaving a world", 100_000, &mut || {
        drop(black_box(enter(Rc::clone(&world))));
    });
    measure("a fresh thread", 2_000, &mut || on_fresh_thread(|| ()));
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("measured on Linux only");
}
