//! The results of a run: counters and histograms of its answers. Memory does not grow with the number of requests.

use std::time::Duration;

use hdrhistogram::Histogram;

use super::checks::Checks;
use super::class::Class;
use crate::answer::{Answer, SendError};
use crate::plan::Plan;
use crate::refusal::Platform429;
use crate::schedule::Planned;

/// The results of a run.
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

    /// Requests that were neither admitted nor denied: without an answer, or with one that shows neither.
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
