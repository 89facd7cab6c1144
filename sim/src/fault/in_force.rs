//! The faults that are in force, as the engine asks about them.

use super::KvOperation;
use crate::kernel::time::Instant;
use crate::topology::Pop;
use std::time::Duration;

/// A fault whose names are resolved.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Effect {
    LinkLatency {
        link: (Pop, Pop),
        extra: Duration,
    },
    Partition {
        link: (Pop, Pop),
    },
    Dropped {
        way: (Pop, Pop),
        skip: u64,
        count: u64,
    },
    Duplicated {
        way: (Pop, Pop),
        skip: u64,
        count: u64,
    },
    KvDelay {
        pop: Pop,
        delay: Duration,
    },
    KvErrors {
        operation: KvOperation,
        status: u16,
        ratio: f64,
    },
    Unreachable(u16),
    Reset(u16),
    Overloaded(u16),
    StorageFailing(u16),
    StorageFull(u16),
    D1Slow {
        database: usize,
        factor: f64,
    },
    D1Failing(usize),
    IsolatesEvicted(Pop),
    OriginHanging(String),
}

/// The fate of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Delivered,
    Dropped,
    Duplicated,
}

/// The faults that are in force. Empty in a healthy world, where it costs nothing.
#[derive(Debug, Default)]
pub(crate) struct InForce {
    faults: Vec<(Instant, Effect)>,
}

impl InForce {
    /// A fault begins and lasts for `duration`.
    pub(crate) fn begin(&mut self, now: Instant, duration: Duration, effect: Effect) {
        self.faults.retain(|(until, _)| *until > now);
        self.faults.push((now + duration, effect));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.faults.is_empty()
    }

    fn now(&self, now: Instant) -> impl Iterator<Item = &Effect> {
        let faults = self.faults.iter();
        faults
            .filter(move |(until, _)| *until > now)
            .map(|(_, effect)| effect)
    }

    /// Extra time of a message between two PoPs.
    pub(crate) fn extra_latency(&self, now: Instant, from: Pop, to: Pop) -> Duration {
        let extra = |effect: &Effect| match effect {
            Effect::LinkLatency { link, extra } if joins(*link, from, to) => Some(*extra),
            _ => None,
        };
        self.now(now).filter_map(extra).sum()
    }

    /// Whether no message passes between two PoPs.
    pub(crate) fn partitioned(&self, now: Instant, from: Pop, to: Pop) -> bool {
        self.now(now)
            .any(|effect| matches!(effect, Effect::Partition { link } if joins(*link, from, to)))
    }

    /// The fate of the next message from one PoP to another. Each fault counts the messages on its way.
    pub(crate) fn fate(&mut self, now: Instant, from: Pop, to: Pop) -> Fate {
        let mut fate = Fate::Delivered;
        for (until, effect) in &mut self.faults {
            if *until <= now {
                continue;
            }
            let (way, skip, count, made) = match effect {
                Effect::Dropped { way, skip, count } => (way, skip, count, Fate::Dropped),
                Effect::Duplicated { way, skip, count } => (way, skip, count, Fate::Duplicated),
                _ => continue,
            };
            if *way != (from, to) {
                continue;
            }
            if *skip > 0 {
                *skip -= 1;
            } else if *count > 0 {
                *count -= 1;
                // A message that is lost cannot arrive twice.
                if fate != Fate::Dropped {
                    fate = made;
                }
            }
        }
        fate
    }

    /// How late the central KV store is, seen from a PoP.
    pub(crate) fn kv_delay(&self, now: Instant, from: Pop) -> Duration {
        let late = |effect: &Effect| match effect {
            Effect::KvDelay { pop, delay } if *pop == from => Some(*delay),
            _ => None,
        };
        self.now(now).filter_map(late).max().unwrap_or_default()
    }

    /// The statuses with which the central KV store may answer, each with the share of the calls it answers so.
    pub(crate) fn kv_errors(
        &self,
        now: Instant,
        wanted: KvOperation,
    ) -> impl Iterator<Item = (u16, f64)> {
        self.now(now).filter_map(move |effect| match effect {
            Effect::KvErrors {
                operation,
                status,
                ratio,
            } if *operation == wanted => Some((*status, *ratio)),
            _ => None,
        })
    }

    /// Whether objects of a class cannot be reached.
    pub(crate) fn object_unreachable(&self, now: Instant, class: u16) -> bool {
        self.now(now)
            .any(|effect| *effect == Effect::Unreachable(class))
    }

    /// Whether objects of a class refuse calls.
    pub(crate) fn object_overloaded(&self, now: Instant, class: u16) -> bool {
        self.now(now)
            .any(|effect| *effect == Effect::Overloaded(class))
    }

    /// Whether commits of objects of a class fail.
    pub(crate) fn object_storage_failing(&self, now: Instant, class: u16) -> bool {
        self.now(now)
            .any(|effect| *effect == Effect::StorageFailing(class))
    }

    /// Whether the storage of objects of a class is full.
    pub(crate) fn object_storage_full(&self, now: Instant, class: u16) -> bool {
        self.now(now)
            .any(|effect| *effect == Effect::StorageFull(class))
    }

    /// How many times as long a database works, and whether it fails.
    pub(crate) fn d1(&self, now: Instant, wanted: usize) -> (f64, bool) {
        let slow = self.now(now).filter_map(|effect| match effect {
            Effect::D1Slow { database, factor } if *database == wanted => Some(*factor),
            _ => None,
        });
        let slowdown = slow.fold(0.0, f64::max);
        let failing = self
            .now(now)
            .any(|effect| *effect == Effect::D1Failing(wanted));
        (slowdown, failing)
    }
}

fn joins((a, b): (Pop, Pop), from: Pop, to: Pop) -> bool {
    (a, b) == (from, to) || (a, b) == (to, from)
}
