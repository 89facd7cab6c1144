//! Drives a plan against a target as a closed loop, and folds every answer into counters and histograms.
//!
//! Each of the plan's clients takes the next request when its last one has been answered; nothing is sent twice. The loop
//! knows neither sockets nor the simulator: a [`Target`] sends and tells the time, so that the same code runs on virtual
//! and on real time, on any single-threaded executor. Memory does not grow with the number of requests.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use hdrhistogram::Histogram;
use http::HeaderMap;
use thiserror::Error;

use crate::check::{Checks, Class, Platform429};
use crate::plan::{Plan, Planned};

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

/// A complete answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its whole body.
    pub body: Bytes,
}

/// Why there was no answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SendError {
    /// No connection could be made.
    #[error("cannot connect: {0}")]
    Connect(String),
    /// The connection ended between the request and the end of its answer.
    #[error("the connection was reset")]
    Reset,
    /// No complete answer within the time-out.
    #[error("timed out")]
    TimedOut,
    /// An answer that is not HTTP, or larger than an answer of an API may be.
    #[error("{0}")]
    Protocol(String),
}

/// What a run amounted to.
#[derive(Debug)]
pub struct Tally {
    /// Requests that were sent (or tried to be).
    pub sent: u64,
    /// Answers the limiter let through: any but 429, 3xx and 5xx.
    pub admitted: u64,
    /// 429s that carry the Worker's own mark.
    pub denied: u64,
    /// 429s that do not.
    pub foreign: u64,
    /// Answers with a status from 500.
    pub server_errors: u64,
    /// Answers with a status below 200 or from 300 to 399.
    pub redirects: u64,
    /// Connections that ended before the answer did.
    pub resets: u64,
    /// Requests without an answer in time.
    pub timeouts: u64,
    /// Connections that could not be made.
    pub connect_failures: u64,
    /// Answers that were not HTTP.
    pub protocol_errors: u64,
    /// The first failed connection or unreadable answer, in words.
    pub first_error: Option<String>,
    /// Answers by status.
    by_status: Vec<u64>,
    /// Latency of the admitted, in nanoseconds.
    pub admitted_ns: Histogram<u64>,
    /// Latency of the denied, in nanoseconds.
    pub denied_ns: Histogram<u64>,
    /// Why the loop stopped before the plan's end.
    pub stopped: Option<Stop>,
    /// The checks that saw every answer.
    pub checks: Checks,
    /// When the first request was sent and when the last answer came.
    span: Option<(Duration, Duration)>,
}

/// Why a run stopped before the plan's end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// The platform itself refuses; every further request is wasted.
    Platform(Platform429),
    /// No connection can be made.
    Unreachable,
    /// The user interrupted it.
    Interrupted,
}

/// Latencies above this are recorded as this.
const LONGEST_LATENCY: Duration = Duration::from_secs(24 * 3600);

fn histogram() -> Histogram<u64> {
    Histogram::new_with_max(LONGEST_LATENCY.as_nanos() as u64, 3)
        .expect("the bounds are valid: 1 < max, 3 digits")
}

impl Tally {
    /// An empty tally whose checks are `checks`.
    pub fn new(checks: Checks) -> Self {
        Self {
            sent: 0,
            admitted: 0,
            denied: 0,
            foreign: 0,
            server_errors: 0,
            redirects: 0,
            resets: 0,
            timeouts: 0,
            connect_failures: 0,
            protocol_errors: 0,
            first_error: None,
            by_status: vec![0; 1000],
            admitted_ns: histogram(),
            denied_ns: histogram(),
            stopped: None,
            checks,
            span: None,
        }
    }

    /// Answers by status, smallest first.
    pub fn by_status(&self) -> impl Iterator<Item = (u16, u64)> + '_ {
        self.by_status
            .iter()
            .enumerate()
            .filter(|(_, count)| **count > 0)
            .map(|(status, count)| (status as u16, *count))
    }

    /// Requests that were neither admitted nor denied: without an answer, or with one that says neither.
    pub fn errors(&self) -> u64 {
        self.sent - self.admitted - self.denied
    }

    /// From the first request's start to the last answer.
    pub fn duration(&self) -> Duration {
        self.span
            .map_or(Duration::ZERO, |(first, last)| last.saturating_sub(first))
    }

    /// Folds one outcome in; `sent_at` and `answered_at` are the target's time.
    pub fn record(
        &mut self,
        plan: &Plan,
        request: &Planned,
        outcome: &Result<Answer, SendError>,
        sent_at: Duration,
        answered_at: Duration,
    ) {
        match &mut self.span {
            Some((first, last)) => {
                *first = sent_at.min(*first);
                *last = answered_at.max(*last);
            }
            None => self.span = Some((sent_at, answered_at)),
        }
        let answer = match outcome {
            Ok(answer) => answer,
            Err(error) => return self.record_error(error),
        };
        self.by_status[usize::from(answer.status.min(999))] += 1;
        let latency = answered_at.saturating_sub(sent_at).as_nanos() as u64;
        match self.checks.observe(plan, request, answer) {
            Class::Admitted => {
                self.admitted += 1;
                self.admitted_ns.saturating_record(latency);
            }
            Class::Denied => {
                self.denied += 1;
                self.denied_ns.saturating_record(latency);
            }
            Class::Foreign(platform) => {
                self.foreign += 1;
                if let Some(platform) = platform {
                    self.stopped.get_or_insert(Stop::Platform(platform));
                }
            }
            Class::ServerError => self.server_errors += 1,
            Class::Redirect => self.redirects += 1,
        }
    }

    fn record_error(&mut self, error: &SendError) {
        match error {
            SendError::Connect(_) => {
                self.connect_failures += 1;
                self.stopped.get_or_insert(Stop::Unreachable);
            }
            SendError::Reset => self.resets += 1,
            SendError::TimedOut => self.timeouts += 1,
            SendError::Protocol(_) => self.protocol_errors += 1,
        }
        if matches!(error, SendError::Connect(_) | SendError::Protocol(_)) {
            self.first_error.get_or_insert_with(|| error.to_string());
        }
    }
}

/// A plan on its way through a target.
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
    /// Prepares a burst; nothing is sent yet. `progress` is told now and then how many requests were sent.
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

    /// What the run amounted to. Requests whose client was dropped on the way count as sent.
    pub fn finish(self) -> (Tally, T) {
        let mut tally = self.tally.into_inner();
        tally.sent = self.next.get();
        (tally, self.target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expect::Charge;
    use crate::plan::tests::plan;

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
            Checks::new(&plan, Charge::Free, None),
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
