//! Results, `errno` and odd arguments are those of the C library, in a world and outside.

#![cfg(all(target_os = "linux", target_env = "gnu"))]
#![expect(unsafe_code, reason = "calls the C library as C code would")]

use edgeproof_interpose::{Reading, Source, enter};
use std::io::Error;
use std::ptr::{dangling_mut, null_mut};
use std::rc::Rc;

struct World;

impl Source for World {
    fn now(&self) -> Option<Reading> {
        Some(Reading {
            unix_nanos: 1_999_999_999,
            monotonic_nanos: 3_000_000_001,
        })
    }
    fn fill(&self, bytes: &mut [u8]) -> bool {
        bytes.fill(9);
        true
    }
}

fn errno() -> Option<i32> {
    Error::last_os_error().raw_os_error()
}

fn conventions() {
    let mut time = libc::timespec {
        tv_sec: -1,
        tv_nsec: -1,
    };
    // SAFETY: every pointer is valid for the sizes given, or is one that the call must refuse.
    unsafe {
        assert_eq!(libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time), 0);
        assert!(time.tv_sec > 0 && (0..1_000_000_000).contains(&time.tv_nsec));
        assert_eq!(libc::clock_gettime(9_999, &raw mut time), -1);
        assert_eq!(errno(), Some(libc::EINVAL));

        assert_eq!(
            libc::getrandom(dangling_mut(), 0, 0),
            0,
            "how getrandom 0.3 tries it"
        );
        assert_eq!(
            libc::syscall(libc::SYS_getrandom, dangling_mut::<u8>(), 0, 0),
            0
        );
        let mut bytes = [0_u8; 300];
        assert_eq!(
            libc::getrandom(bytes.as_mut_ptr().cast(), 300, libc::GRND_NONBLOCK),
            300
        );
        assert_eq!(libc::getentropy(bytes.as_mut_ptr().cast(), 256), 0);
        assert_eq!(libc::getentropy(bytes.as_mut_ptr().cast(), 257), -1);
        assert_eq!(errno(), Some(libc::EIO));

        let mut seconds = 0;
        assert_eq!(libc::time(&raw mut seconds), seconds);
        assert_eq!(libc::gettimeofday(null_mut(), null_mut()), 0);

        assert_eq!(libc::syscall(libc::SYS_getpid), i64::from(libc::getpid()));
        assert_eq!(libc::syscall(libc::SYS_close, -1), -1);
        assert_eq!(errno(), Some(libc::EBADF));
        assert_eq!(libc::open(c"/nowhere/at/all".as_ptr(), libc::O_RDONLY), -1);
        assert_eq!(errno(), Some(libc::ENOENT));
    }
}

#[test]
fn outside_of_a_world() {
    conventions();
}

#[test]
fn in_a_world() {
    let _entered = enter(Rc::new(World));
    conventions();
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    let mut day = libc::timeval {
        tv_sec: 0,
        tv_usec: 0,
    };
    // SAFETY: both pointers are valid.
    unsafe {
        libc::syscall(libc::SYS_clock_gettime, libc::CLOCK_BOOTTIME, &raw mut time);
        assert_eq!((time.tv_sec, time.tv_nsec), (3, 1));
        libc::gettimeofday(&raw mut day, null_mut());
        assert_eq!((day.tv_sec, day.tv_usec), (1, 999_999));
    }
}

#[test]
fn files_open_with_their_mode() {
    use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
    let path = std::env::temp_dir().join(format!("edgeproof-interpose-{}", std::process::id()));
    let mut options = std::fs::OpenOptions::new();
    let file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)
        .expect("opens");
    let mode = file.metadata().expect("is there").permissions().mode() & 0o777;
    std::fs::remove_file(&path).expect("is there");
    assert_eq!(mode, 0o600);
}
