//! Outbound fetch: simulated origins, by host name.
//!
//! A test scripts an origin: how long it takes, and whether it answers, hangs or breaks the connection. The test can
//! read the requests that the origin received. A host without a script does not resolve: the platform answers `530`
//! with `error code: 1016` (Workers known issues, "Fetch API in CNAME setup"; error-1016 page, 2025-08).

use crate::exception::Exception;
use crate::http::{Body, Request, Response};
use crate::kernel::time::Instant;
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

/// What a test scripted an origin to answer.
type Respond = Rc<dyn Fn(&Request) -> Response<Body>>;

/// What an origin does with a request.
#[derive(Clone)]
pub enum Behaviour {
    /// Answers with this status and an empty body.
    Status(u16),
    /// Answers with what the function makes.
    Respond(Respond),
    /// Takes the request and never answers.
    Hang,
    /// Closes the connection without an answer.
    Fail,
}

impl fmt::Debug for Behaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "Status({status})"),
            Self::Respond(_) => f.write_str("Respond(..)"),
            Self::Hang => f.write_str("Hang"),
            Self::Fail => f.write_str("Fail"),
        }
    }
}

/// A simulated origin server.
#[derive(Debug, Clone)]
pub struct Origin {
    latency: Duration,
    /// The behaviour for the first requests, in order.
    first: Vec<Behaviour>,
    /// The behaviour for all others.
    then: Behaviour,
}

impl Default for Origin {
    fn default() -> Self {
        Self::new()
    }
}

impl Origin {
    /// An origin that answers 200 after 20 ms (an assumption; see [`latency`](Self::latency)).
    pub fn new() -> Self {
        Self {
            latency: Duration::from_millis(20),
            first: Vec::new(),
            then: Behaviour::Status(200),
        }
    }

    /// Time from the request's leaving the PoP to the answer's arrival there.
    #[must_use]
    pub fn latency(mut self, latency: Duration) -> Self {
        self.latency = latency;
        self
    }

    /// Answers with this status.
    #[must_use]
    pub fn status(self, status: u16) -> Self {
        self.behaviour(Behaviour::Status(status))
    }

    /// Answers with what `respond` makes: a whole response, or one whose body is a stream.
    #[must_use]
    pub fn respond<R: Into<Response<Body>>>(
        self,
        respond: impl Fn(&Request) -> R + 'static,
    ) -> Self {
        self.behaviour(Behaviour::Respond(Rc::new(move |request| {
            respond(request).into()
        })))
    }

    /// Never answers.
    #[must_use]
    pub fn hang(self) -> Self {
        self.behaviour(Behaviour::Hang)
    }

    /// Breaks every connection.
    #[must_use]
    pub fn fail(self) -> Self {
        self.behaviour(Behaviour::Fail)
    }

    /// A scripted answer serves one request; the next one takes the following answer.
    #[must_use]
    pub fn once(mut self) -> Self {
        self.first.push(self.then.clone());
        self
    }

    fn behaviour(mut self, behaviour: Behaviour) -> Self {
        self.then = behaviour;
        self
    }
}

/// A request that an origin received.
#[derive(Debug, Clone)]
pub struct Received {
    /// When it left the PoP.
    pub at: Instant,
    /// The request.
    pub request: Request,
}

#[derive(Debug)]
struct Host {
    origin: Origin,
    served: usize,
    received: Vec<Received>,
}

/// All origins of a world.
#[derive(Debug, Default)]
pub struct Outbound {
    hosts: BTreeMap<String, Host>,
    /// Hosts that a fault makes hang until the instant.
    hanging: BTreeMap<String, Instant>,
}

/// The result of a fetch.
pub enum Answer {
    /// This response, after this time.
    Response(Duration, Response<Body>),
    /// What this makes of the request, after this time.
    Respond(Duration, Respond),
    /// This exception, after this time.
    Failure(Duration, Exception),
    /// Nothing, ever.
    Never,
    /// No origin of that name.
    Unknown,
}

impl Answer {
    /// Lets the test's own code answer, if the origin was scripted that way.
    pub fn respond(self, request: &Request) -> Self {
        match self {
            Self::Respond(latency, respond) => Self::Response(latency, respond(request)),
            other => other,
        }
    }
}

/// Text of a fetch whose connection broke (observed on workerd).
pub const NETWORK_CONNECTION_LOST: &str = "Network connection lost.";

impl Outbound {
    /// Adds or replaces an origin.
    pub fn set(&mut self, host: &str, origin: Origin) {
        let received = self
            .hosts
            .remove(host)
            .map(|host| host.received)
            .unwrap_or_default();
        self.hosts.insert(
            host.to_owned(),
            Host {
                origin,
                served: 0,
                received,
            },
        );
    }

    /// The hosts that are simulated, in order.
    pub fn hosts(&self) -> impl Iterator<Item = &str> {
        self.hosts.keys().map(String::as_str)
    }

    /// What an origin received, in order.
    pub fn received(&self, host: &str) -> &[Received] {
        self.hosts.get(host).map_or(&[], |host| &host.received)
    }

    /// Lets a host hang until `until`, whatever its script says.
    pub fn hang(&mut self, host: &str, until: Instant) {
        let hanging = self.hanging.entry(host.to_owned()).or_insert(until);
        *hanging = until.max(*hanging);
    }

    /// Sends a request at `now`.
    pub fn fetch(&mut self, now: Instant, request: &Request) -> Answer {
        let name = request.url.host_str().unwrap_or_default();
        let Some(host) = self.hosts.get_mut(name) else {
            return Answer::Unknown;
        };
        host.received.push(Received {
            at: now,
            request: request.clone(),
        });
        if self.hanging.get(name).is_some_and(|until| now < *until) {
            return Answer::Never;
        }
        let behaviour = host
            .origin
            .first
            .get(host.served)
            .unwrap_or(&host.origin.then)
            .clone();
        host.served += 1;
        let latency = host.origin.latency;
        match behaviour {
            Behaviour::Status(status) => {
                Answer::Response(latency, Response::plain(status, "").into())
            }
            Behaviour::Respond(respond) => Answer::Respond(latency, respond),
            Behaviour::Fail => Answer::Failure(
                latency,
                Exception::error(NETWORK_CONNECTION_LOST).retryable(),
            ),
            Behaviour::Hang => Answer::Never,
        }
    }
}

/// What the platform answers for a host name that does not resolve.
pub fn unresolved() -> Response {
    Response::plain(530, "error code: 1016")
}
