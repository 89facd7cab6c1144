//! Many requests at once, over connections that are used again.

use crate::ask::Ask;
use crate::clock::now;
use crate::server::Server;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use support::client::{Answer, Connection};

/// The answers, in no order, and how long all of it took.
#[derive(Debug)]
pub(crate) struct Burst {
    pub(crate) answers: Vec<Answer>,
    pub(crate) took: Duration,
}

impl Burst {
    /// Sends `requests` of them over `connections`; `make` gets a number.
    ///
    /// # Panics
    /// If a connection is dropped.
    pub(crate) fn send<'a>(
        server: &Server,
        requests: usize,
        connections: usize,
        make: impl Fn(usize) -> Ask<'a> + Sync,
    ) -> Self {
        let (begin, sent) = (now(), AtomicUsize::new(0));
        let answers = Mutex::new(Vec::with_capacity(requests));
        std::thread::scope(|scope| {
            for _ in 0..connections {
                scope.spawn(|| {
                    let mut connection: Option<Connection> = None;
                    loop {
                        let number = sent.fetch_add(1, Ordering::Relaxed);
                        if number >= requests {
                            break;
                        }
                        let used = connection.get_or_insert_with(|| server.connect());
                        let answer = make(number).on(used);
                        if answer.header("connection").eq_ignore_ascii_case("close") {
                            connection = None;
                        }
                        answers.lock().expect("no client panicked").push(answer);
                    }
                });
            }
        });
        Self {
            answers: answers.into_inner().expect("no client panicked"),
            took: begin.elapsed(),
        }
    }

    /// How many answers have each status.
    pub(crate) fn statuses(&self) -> BTreeMap<u16, usize> {
        let mut counts = BTreeMap::new();
        for answer in &self.answers {
            *counts.entry(answer.status).or_insert(0) += 1;
        }
        counts
    }

    /// The answers with a status.
    pub(crate) fn with(&self, status: u16) -> Vec<&Answer> {
        self.answers
            .iter()
            .filter(|answer| answer.status == status)
            .collect()
    }

    /// How many were admitted and how many denied.
    ///
    /// # Panics
    /// If the burst took longer than a window, which leaves nothing to say.
    pub(crate) fn verdict(&self, window: Duration) -> (usize, usize) {
        assert!(
            self.took < window,
            "{:?} is too slow for a burst within {window:?}: nothing can be said of it",
            self.took
        );
        let denied = self.with(429).len();
        (self.answers.len() - denied, denied)
    }
}
