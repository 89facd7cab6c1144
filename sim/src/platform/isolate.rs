//! Isolates: which module memory a request uses.
//!
//! A PoP starts an isolate when none of its warm ones has room, up to a number; it evicts one that was idle for a while.
//! Module state (an [`IsolateLocal`](edgeproof_isolate::IsolateLocal)) lives and dies with its isolate, so state that a
//! Worker keeps there is neither shared between isolates nor kept for long. How production spreads requests over
//! isolates is not published: the numbers are [`Options`], and the seed decides which warm isolate takes a request.

use crate::kernel::seed::Stream;
use crate::kernel::time::Instant;
use crate::topology::Pop;
use edgeproof_isolate::IsolateId;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How a PoP runs isolates. Assumptions, all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Most isolates of the Worker in one PoP.
    pub per_pop: u32,
    /// Requests in flight in one isolate before the PoP starts another.
    pub concurrency: u32,
    /// How long a cold start takes.
    pub cold_start: Duration,
    /// Idle time after which an isolate is evicted.
    pub evict_after_idle: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            per_pop: 4,
            concurrency: 32,
            cold_start: Duration::from_millis(5),
            evict_after_idle: Duration::from_secs(60),
        }
    }
}

#[derive(Debug)]
struct Isolate {
    id: IsolateId,
    in_flight: u32,
    ready_at: Instant,
    /// `waitUntil` tasks and the like, which keep it from being idle.
    idle_since: Instant,
    /// A panic has ended its memory, and no event has come since.
    memory_lost: bool,
}

/// The isolate for a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// The isolate.
    pub isolate: IsolateId,
    /// Whether it has just been started.
    pub cold: bool,
    /// Whether the Worker's code starts in it now: with a new isolate, and with the first event after a panic.
    pub starts: bool,
    /// When its cold start is over; in the past for a warm one.
    pub ready_at: Instant,
    /// Isolates that were found idle too long and evicted.
    pub evicted: Vec<IsolateId>,
}

/// The isolates of all Workers of a world.
#[derive(Debug)]
pub struct Isolates {
    options: Options,
    first: IsolateId,
    /// PoPs of a world.
    pops: usize,
    /// By Worker, then by PoP.
    places: Vec<Vec<Isolate>>,
    /// Evicted by a fault while they worked: they take no more requests, and end with their last event.
    leaving: Vec<Isolate>,
    next: IsolateId,
    stream: Stream,
}

impl Isolates {
    /// No isolates yet, of `workers` Workers in `pops` PoPs. Numbers begin at `first`, so that no two worlds of a process
    /// share one.
    pub fn new(
        options: Options,
        workers: usize,
        pops: usize,
        first: IsolateId,
        stream: Stream,
    ) -> Self {
        Self {
            options,
            first,
            pops,
            places: (0..workers * pops).map(|_| Vec::new()).collect(),
            leaving: Vec::new(),
            next: first,
            stream,
        }
    }

    /// Gives a request to an isolate; [`release`](Self::release) must follow.
    pub fn assign(&mut self, now: Instant, worker: u16, pop: Pop) -> Assignment {
        let options = self.options;
        let place = self.place(worker, pop);
        let isolates = &mut self.places[place];
        let idle_too_long = |isolate: &Isolate| {
            isolate.in_flight == 0 && now.since(isolate.idle_since) >= options.evict_after_idle
        };
        let evicted: Vec<_> = isolates
            .iter()
            .filter(|i| idle_too_long(i))
            .map(|i| i.id)
            .collect();
        if !evicted.is_empty() {
            isolates.retain(|isolate| !evicted.contains(&isolate.id));
        }

        let roomy = isolates
            .iter()
            .filter(|isolate| isolate.in_flight < options.concurrency)
            .count();
        let chosen = if roomy > 0 {
            let nth = if roomy == 1 {
                0
            } else {
                self.stream.below(roomy as u64)
            };
            let mut candidates = isolates
                .iter_mut()
                .filter(|isolate| isolate.in_flight < options.concurrency);
            candidates.nth(usize::try_from(nth).expect("an index below a usize"))
        } else if isolates.len() < options.per_pop as usize {
            None
        } else {
            isolates.iter_mut().min_by_key(|isolate| isolate.in_flight)
        };
        if let Some(isolate) = chosen {
            isolate.in_flight += 1;
            return Assignment {
                isolate: isolate.id,
                cold: false,
                starts: std::mem::take(&mut isolate.memory_lost),
                ready_at: isolate.ready_at,
                evicted,
            };
        }
        let id = self.next;
        self.next += 1;
        let ready_at = now + options.cold_start;
        isolates.push(Isolate {
            id,
            in_flight: 1,
            ready_at,
            idle_since: now,
            memory_lost: false,
        });
        Assignment {
            isolate: id,
            cold: true,
            starts: true,
            ready_at,
            evicted,
        }
    }

    /// Another event (a `waitUntil` task) is in flight in an isolate.
    pub fn retain(&mut self, worker: u16, pop: Pop, id: IsolateId) {
        let place = self.place(worker, pop);
        let isolates = self.places[place].iter_mut().chain(&mut self.leaving);
        if let Some(isolate) = isolates.into_iter().find(|isolate| isolate.id == id) {
            isolate.in_flight += 1;
        }
    }

    /// An event in an isolate has ended. True if the isolate was evicted before and this was its last event.
    pub fn release(&mut self, now: Instant, worker: u16, pop: Pop, id: IsolateId) -> bool {
        let place = self.place(worker, pop);
        if let Some(isolate) = self.places[place]
            .iter_mut()
            .find(|isolate| isolate.id == id)
        {
            isolate.in_flight -= 1;
            isolate.idle_since = now;
            return false;
        }
        let Some(place) = self.leaving.iter().position(|isolate| isolate.id == id) else {
            return false;
        };
        self.leaving[place].in_flight -= 1;
        let last = self.leaving[place].in_flight == 0;
        if last {
            self.leaving.swap_remove(place);
        }
        last
    }

    /// A panic has ended an isolate's memory.
    pub fn lose_memory(&mut self, worker: u16, pop: Pop, id: IsolateId) {
        let place = self.place(worker, pop);
        // One that is evicted takes no more requests.
        if let Some(isolate) = self.places[place]
            .iter_mut()
            .find(|isolate| isolate.id == id)
        {
            isolate.memory_lost = true;
        }
    }

    /// Evicts every isolate of a Worker in a PoP, and returns those that are gone at once; requests in flight continue
    /// in memory that no later request sees (LIM: an isolate over its limit finishes what it has).
    pub fn evict_all(&mut self, worker: u16, pop: Pop) -> Vec<IsolateId> {
        let place = self.place(worker, pop);
        let isolates = std::mem::take(&mut self.places[place]);
        let (idle, busy): (Vec<_>, Vec<_>) = isolates
            .into_iter()
            .partition(|isolate| isolate.in_flight == 0);
        self.leaving.extend(busy);
        idle.into_iter().map(|isolate| isolate.id).collect()
    }

    fn place(&self, worker: u16, pop: Pop) -> usize {
        usize::from(worker) * self.pops + pop.index()
    }

    /// The first number.
    pub fn first(&self) -> IsolateId {
        self.first
    }

    /// A number for an isolate outside of the table: the one that hosts a PoP's objects.
    pub fn reserve(&mut self) -> IsolateId {
        let id = self.next;
        self.next += 1;
        id
    }
}
