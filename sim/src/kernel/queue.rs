//! Timers, in order of (instant, sequence number): time jumps from one to the next and never ticks.
//!
//! A timer that is dropped before it fires leaves its entry in the heap, which is skipped when its turn comes; that is
//! cheaper than searching for it, and a heap entry is 24 bytes.

use super::fingerprint::Name;
use super::time::Instant;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::task::Waker;

/// A started timer: its slot in the table and the number of the slot's use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimerId {
    slot: u32,
    generation: u32,
}

/// What a timer adds to the fingerprint.
#[derive(Debug, Clone, Copy)]
pub struct Event {
    /// Its kind.
    pub name: Name,
    /// A number that tells this event from others of its name: an id, a key's hash.
    pub detail: u64,
}

#[derive(Debug)]
enum State {
    Free,
    Waiting { event: Event, waker: Option<Waker> },
    Fired,
}

#[derive(Debug)]
struct Slot {
    generation: u32,
    state: State,
}

/// The timers of one world.
#[derive(Debug, Default)]
pub struct Queue {
    heap: BinaryHeap<Reverse<(Instant, u64, TimerId)>>,
    slots: Vec<Slot>,
    free: Vec<u32>,
    next_sequence: u64,
}

impl Queue {
    /// Starts a timer. Two timers of one instant fire in the order in which they were started.
    pub fn start(&mut self, at: Instant, event: Event) -> TimerId {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot {
                generation: 0,
                state: State::Free,
            });
            u32::try_from(self.slots.len() - 1).expect("fewer than 2^32 timers are in flight")
        });
        let entry = &mut self.slots[slot as usize];
        entry.state = State::Waiting { event, waker: None };
        let id = TimerId {
            slot,
            generation: entry.generation,
        };
        self.heap.push(Reverse((at, self.next_sequence, id)));
        self.next_sequence += 1;
        id
    }

    /// Whether the timer has fired; if not, `waker` is woken when it does.
    pub fn poll(&mut self, id: TimerId, waker: &Waker) -> bool {
        let entry = &mut self.slots[id.slot as usize];
        assert_eq!(
            entry.generation, id.generation,
            "a timer's future outlives its timer"
        );
        match &mut entry.state {
            State::Fired => true,
            State::Waiting { waker: kept, .. } => {
                match kept {
                    Some(kept) => kept.clone_from(waker),
                    None => *kept = Some(waker.clone()),
                }
                false
            }
            State::Free => unreachable!("a free slot has another generation"),
        }
    }

    /// Forgets a timer, fired or not.
    pub fn stop(&mut self, id: TimerId) {
        let entry = &mut self.slots[id.slot as usize];
        if entry.generation == id.generation {
            entry.generation = entry.generation.wrapping_add(1);
            entry.state = State::Free;
            self.free.push(id.slot);
        }
    }

    /// When the next timer fires.
    pub fn next_at(&mut self) -> Option<Instant> {
        loop {
            let Reverse((at, _, id)) = *self.heap.peek()?;
            if self.slots[id.slot as usize].generation == id.generation {
                return Some(at);
            }
            self.heap.pop(); // dropped before its time
        }
    }

    /// How many timers were started so far.
    pub fn started(&self) -> u64 {
        self.next_sequence
    }

    /// Whether one of the first `started` timers has still to fire. It looks at every entry.
    pub fn holds_one_of(&self, started: u64) -> bool {
        self.heap.iter().any(|Reverse((_, sequence, id))| {
            *sequence < started && self.slots[id.slot as usize].generation == id.generation
        })
    }

    /// Fires the next timer: returns its instant, what it adds to the fingerprint, and the waker to wake.
    pub fn fire(&mut self) -> Option<(Instant, Event, Option<Waker>)> {
        loop {
            let Reverse((at, _, id)) = self.heap.pop()?;
            let entry = &mut self.slots[id.slot as usize];
            if entry.generation != id.generation {
                continue;
            }
            let State::Waiting { event, waker } = std::mem::replace(&mut entry.state, State::Fired)
            else {
                unreachable!("a timer stands in the heap once, and waits until it is popped")
            };
            return Some((at, event, waker));
        }
    }
}
