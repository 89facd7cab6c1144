//! The seeds of `HashMap`: a pair of numbers per thread.
//!
//! [`RandomState::new`] copies the pair and adds one to its first number. The thread draws the pair when its first map is made,
//! and never again. To give a world seeds of its own on any thread, the pair has to be overwritten, and the standard library has
//! no call for it. The pair stands in the thread-local memory of the program, though, and two states tell its value: so it is
//! searched for there, once per process, and believed only if it is found in exactly one place and if the next state has
//! the numbers that were written. Where that fails, a thread without a pair still takes the first one from here.

#![expect(unsafe_code, reason = "the pair is the standard library's")]
#![expect(clippy::disallowed_types, reason = "its seed is the matter here")]

use std::cell::Cell;
use std::hash::RandomState;

thread_local! {
    /// What the thread's first draw of 16 bytes takes, while a pair is being given.
    static OFFERED: Cell<Option<[u64; 2]>> = const { Cell::new(None) };
}

/// The seeds that are offered to the thread's first map, once.
pub(crate) fn take_offered() -> Option<[u64; 2]> {
    OFFERED.take()
}

/// Gives the next map of this thread the seeds `new`, and returns those that it would have had. `None` if they are not known;
/// then a thread that has made maps before keeps its seeds.
pub(crate) fn replace(new: [u64; 2]) -> Option<[u64; 2]> {
    OFFERED.set(Some(new));
    let old = draw();
    let had_keys = OFFERED.take().is_some();
    let place = place::of_this_thread()?;
    place.write(new);
    if had_keys {
        old
    } else {
        // The thread had none: it shall draw from the host again.
        host_keys()
    }
}

/// The seeds of a new map; the next one has others.
#[inline(never)]
fn draw() -> Option<[u64; 2]> {
    let state = RandomState::new();
    if size_of::<RandomState>() != size_of::<[u64; 2]>() {
        return None;
    }
    // SAFETY: the sizes are equal, so all of the state is its two 64-bit numbers, in some order, without padding. Any bits
    // are a valid `u64`.
    Some(unsafe {
        std::ptr::from_ref(&state)
            .cast::<[u64; 2]>()
            .read_unaligned()
    })
}

fn host_keys() -> Option<[u64; 2]> {
    #[cfg(interposed)]
    {
        let mut bytes = [0; 16];
        crate::host::fill(&mut bytes).then(|| {
            let (first, second) = bytes.split_at(8);
            [first, second].map(|half| u64::from_ne_bytes(half.try_into().expect("8 bytes")))
        })
    }
    #[cfg(not(interposed))]
    None
}

/// Where the pair of a thread stands.
#[cfg(all(interposed, target_os = "linux"))]
mod place {
    use super::draw;
    use std::cell::Cell;
    use std::ffi::{c_int, c_void};
    use std::ops::Range;
    use std::sync::atomic::{AtomicIsize, Ordering};

    thread_local! {
        /// In the same block as the pair, at a distance that is the same on all threads.
        static ANCHOR: Cell<u64> = const { Cell::new(0) };
    }

    /// Twice the distance from the anchor in bytes, plus one if the two numbers stand the other way round than in a state.
    static DISTANCE: AtomicIsize = AtomicIsize::new(UNKNOWN);
    const UNKNOWN: isize = isize::MIN;
    const NOT_FOUND: isize = isize::MIN + 1;

    pub(super) struct Place {
        pair: *mut [u64; 2],
        reversed: bool,
    }

    impl Place {
        /// Writes the seeds of the next map.
        pub(super) fn write(&self, mut keys: [u64; 2]) {
            if self.reversed {
                keys.reverse();
            }
            // SAFETY: `find` has seen that the pair of this thread stands there. It is a `Cell`, so it may change whenever no
            // method of it runs, and none does: this thread is here.
            unsafe { self.pair.write_volatile(keys) };
        }
    }

    fn anchor() -> *mut u8 {
        ANCHOR.with(|anchor| anchor.as_ptr().cast())
    }

    /// The place, after a first map was made on this thread.
    pub(super) fn of_this_thread() -> Option<Place> {
        // Threads that search at the same time find the same.
        if DISTANCE.load(Ordering::Relaxed) == UNKNOWN {
            DISTANCE.store(find().unwrap_or(NOT_FOUND), Ordering::Relaxed);
        }
        match DISTANCE.load(Ordering::Relaxed) {
            NOT_FOUND => None,
            distance => Some(at(distance)),
        }
    }

    fn at(distance: isize) -> Place {
        Place {
            pair: anchor().wrapping_byte_offset(distance >> 1).cast(),
            reversed: distance & 1 == 1,
        }
    }

    fn find() -> Option<isize> {
        let (first, second) = (draw()?, draw()?);
        let counts = |index: usize| {
            second[index] == first[index].wrapping_add(1) && second[1 - index] == first[1 - index]
        };
        let counter = (0..2).find(|index| counts(*index))?;
        let mut next = second;
        next[counter] = next[counter].wrapping_add(1);
        let next_reversed = [next[1], next[0]];

        let block = block()?;
        let words = block.start.next_multiple_of(align_of::<u64>())..block.end;
        let mut found = None;
        for address in words.step_by(size_of::<u64>()) {
            if address + size_of::<[u64; 2]>() > block.end {
                break;
            }
            let pair = std::ptr::with_exposed_provenance::<[u64; 2]>(address);
            // SAFETY: aligned, and inside the thread-local memory of this thread, which nothing else writes meanwhile.
            let pair = unsafe { pair.read_volatile() };
            if pair == next || pair == next_reversed {
                if found.is_some() {
                    return None;
                }
                let distance = address.cast_signed() - anchor().expose_provenance().cast_signed();
                found = Some(distance << 1 | isize::from(pair == next_reversed));
            }
        }
        // A copy of the pair could stand there too: only the true one decides what the next state is.
        let proof = [0x5ee_d0f_a11, 0x7e57];
        at(found?).write(proof);
        let believed = draw()? == proof;
        at(found?).write(next);
        found.filter(|_| believed)
    }

    /// The thread-local memory of this thread that the program or library around this code has.
    fn block() -> Option<Range<usize>> {
        struct Search {
            inside: usize,
            block: Option<Range<usize>>,
        }
        unsafe extern "C" fn look(
            module: *mut libc::dl_phdr_info,
            _size: usize,
            search: *mut c_void,
        ) -> c_int {
            // SAFETY: `dl_iterate_phdr` passes a valid description and the pointer that it was given.
            let (module, search) = unsafe { (&*module, &mut *search.cast::<Search>()) };
            if module.dlpi_tls_data.is_null() {
                return 0;
            }
            // SAFETY: the module has so many program headers there.
            let headers = unsafe {
                std::slice::from_raw_parts(module.dlpi_phdr, usize::from(module.dlpi_phnum))
            };
            let start = module.dlpi_tls_data.expose_provenance();
            for header in headers
                .iter()
                .filter(|header| header.p_type == libc::PT_TLS)
            {
                let block = start..start + usize::try_from(header.p_memsz).unwrap_or(0);
                if block.contains(&search.inside) {
                    search.block = Some(block);
                    return 1;
                }
            }
            0
        }
        let mut search = Search {
            inside: anchor().expose_provenance(),
            block: None,
        };
        // SAFETY: `look` has the type that is asked for, and `search` outlives the call.
        unsafe { libc::dl_iterate_phdr(Some(look), (&raw mut search).cast()) };
        search.block
    }
}

/// Elsewhere the thread-local memory has no bounds that can be asked for.
#[cfg(not(all(interposed, target_os = "linux")))]
mod place {
    pub(super) enum Place {}

    impl Place {
        pub(super) fn write(&self, _: [u64; 2]) {
            match *self {}
        }
    }

    pub(super) fn of_this_thread() -> Option<Place> {
        None
    }
}

#[cfg(all(test, interposed))]
mod tests {
    use super::*;
    use crate::on_fresh_thread;

    #[test]
    fn a_thread_without_seeds_takes_what_is_offered_once() {
        let draws = on_fresh_thread(|| {
            OFFERED.set(Some([5, 7]));
            (draw(), OFFERED.get(), draw())
        });
        assert_eq!(draws, (Some([5, 7]), None, Some([6, 7])));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn seeds_are_replaced_and_given_back_on_a_used_thread() {
        let before = draw().expect("the state is two numbers");
        let next = replace([5, 7]).expect("they are found");
        assert_eq!(next, [before[0].wrapping_add(1), before[1]]);
        assert_eq!((draw(), draw()), (Some([5, 7]), Some([6, 7])));
        assert_eq!(replace(next), Some([7, 7]));
        assert_eq!(draw(), Some(next));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_fresh_thread_is_left_with_seeds_of_the_hosts() {
        let seeds = || {
            on_fresh_thread(|| {
                let host = replace([5, 7]).expect("they are found");
                let world = draw();
                replace(host);
                (world, draw())
            })
        };
        let (one, two) = (seeds(), seeds());
        assert_eq!((one.0, two.0), (Some([5, 7]), Some([5, 7])));
        assert_ne!(one.1, two.1);
    }
}
