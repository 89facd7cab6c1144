//! Drives a plan against a target as a closed loop.
//!
//! Each of the plan's clients takes the next request when its last one has been answered; nothing is sent twice. The
//! loop knows neither sockets nor the simulator: a [`Target`] sends requests and tells the time, so the same code runs
//! on virtual and on real time, on any single-threaded executor. Every answer goes to the [`Tally`].

use std::cell::{Cell, RefCell};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;

use crate::answer::{Answer, SendError};
use crate::observe::{Checks, Stop, Tally};
use crate::plan::Plan;
use crate::schedule::Planned;

/// Something that answers requests: the embedded simulator, or a server over HTTP.
#[allow(
    async_fn_in_trait,
    reason = "everything runs on one thread; no future of ours has to be Send"
)]
pub trait Target {
    /// Sends one request and waits for its answer. Never tries twice.
    async fn send(&self, request: &Planned) -> Result<Answer, SendError>;

    /// Time since the start of the run: virtual in the simulator, real elsewhere.
    fn now(&self) -> Duration;
}

/// A plan being sent to a target.
///
/// [`Burst::run`] drives all clients as one future. Where every client should be a task of its own (in a simulated
/// world, say), share the burst in an `Rc` and spawn one [`Burst::client`] for each.
pub struct Burst<'p, T> {
    target: T,
    plan: &'p Plan,
    next: Cell<u64>,
    tally: RefCell<Tally>,
    progress: &'p dyn Fn(u64),
}

/// How many requests pass between two calls of the progress function.
const PROGRESS_STRIDE: u64 = 256;

impl<'p, T: Target> Burst<'p, T> {
    /// Prepares a burst; nothing is sent yet. `progress` is called now and then with the number of requests sent.
    pub fn new(plan: &'p Plan, target: T, checks: Checks, progress: &'p dyn Fn(u64)) -> Self {
        Self {
            target,
            plan,
            next: Cell::new(0),
            tally: RefCell::new(Tally::new(checks)),
            progress,
        }
    }

    /// One client: takes the next request until none is left.
    pub async fn client(&self, client: u32) {
        loop {
            let index = self.next.get();
            if index >= self.plan.requests || self.tally.borrow().stopped.is_some() {
                return;
            }
            self.next.set(index + 1);
            if index.is_multiple_of(PROGRESS_STRIDE) {
                (self.progress)(index);
            }
            let request = self.plan.request(index, client);
            let sent_at = self.target.now();
            let outcome = self.target.send(&request).await;
            let answered_at = self.target.now();
            self.tally
                .borrow_mut()
                .record(self.plan, &request, &outcome, sent_at, answered_at);
        }
    }

    /// All clients at once.
    pub async fn run(&self) {
        if self.plan.clients == 1 {
            return self.client(0).await;
        }
        let mut clients: FuturesUnordered<_> = (0..self.plan.clients)
            .map(|client| self.client(client))
            .collect();
        while clients.next().await.is_some() {}
    }

    /// Ends the burst: clients stop before their next request.
    pub fn stop(&self, why: Stop) {
        self.tally.borrow_mut().stopped.get_or_insert(why);
    }

    /// The target.
    pub fn target(&self) -> &T {
        &self.target
    }

    /// The results of the run. Requests whose client was dropped on the way count as sent.
    pub fn finish(self) -> (Tally, T) {
        let mut tally = self.tally.into_inner();
        tally.sent = self.next.get();
        (tally, self.target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::Charge;
    use crate::contract::generic::Generic;
    use crate::plan::tests::plan;
    use bytes::Bytes;
    use http::HeaderMap;
    use std::rc::Rc;

    /// Answers in virtual time; request 7 is reset, request 9 times out.
    struct Virtual {
        now: Cell<u64>,
        in_flight: Cell<u32>,
        most_in_flight: Cell<u32>,
        seen: RefCell<Vec<u64>>,
    }

    impl Target for Virtual {
        async fn send(&self, request: &Planned) -> Result<Answer, SendError> {
            self.in_flight.set(self.in_flight.get() + 1);
            self.most_in_flight
                .set(self.most_in_flight.get().max(self.in_flight.get()));
            self.seen.borrow_mut().push(request.index);
            let mut yielded = false;
            std::future::poll_fn(|context| {
                if std::mem::replace(&mut yielded, true) {
                    return std::task::Poll::Ready(());
                }
                context.waker().wake_by_ref();
                std::task::Poll::Pending
            })
            .await;
            self.now.set(self.now.get() + 1_000_000);
            self.in_flight.set(self.in_flight.get() - 1);
            match request.index {
                7 => Err(SendError::Reset),
                9 => Err(SendError::TimedOut),
                _ => Ok(Answer {
                    status: 201,
                    headers: HeaderMap::new(),
                    body: Bytes::new(),
                }),
            }
        }

        fn now(&self) -> Duration {
            Duration::from_nanos(self.now.get())
        }
    }

    fn drive(clients: u32) -> (Tally, Virtual) {
        let mut plan = plan(100, 1);
        plan.clients = clients;
        let target = Virtual {
            now: Cell::new(0),
            in_flight: Cell::new(0),
            most_in_flight: Cell::new(0),
            seen: RefCell::default(),
        };
        let burst = Burst::new(
            &plan,
            target,
            Checks::new(Rc::new(Generic), &plan, Charge::Free, None),
            &|_| {},
        );
        tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("a runtime")
            .block_on(burst.run());
        burst.finish()
    }

    #[test]
    fn every_request_is_sent_once_and_never_again() {
        for clients in [1, 8, 100] {
            let (tally, target) = drive(clients);
            let mut seen = target.seen.into_inner();
            seen.sort_unstable();
            assert_eq!(seen, (0..100).collect::<Vec<_>>());
            assert_eq!((tally.sent, tally.admitted, tally.errors()), (100, 98, 2));
            assert_eq!((tally.resets, tally.timeouts), (1, 1));
        }
    }

    #[test]
    fn each_client_has_one_request_outstanding() {
        assert_eq!(drive(1).1.most_in_flight.get(), 1);
        assert_eq!(drive(8).1.most_in_flight.get(), 8);
    }

    #[test]
    fn latency_and_duration_are_the_targets_time() {
        let (tally, _) = drive(1);
        assert_eq!(tally.duration(), Duration::from_millis(100));
        assert!((999_000..=1_001_000).contains(&tally.admitted_ns.value_at_quantile(0.5)));
    }
}
