//! A server over HTTP/1.1 as a target: hyper on a single thread, TLS by rustls with Mozilla's roots.
//!
//! Every client keeps one connection, made before the burst begins, so that set-up is not measured as latency. A
//! connection that the server has closed between two requests is made again, counted, and part of that request's
//! latency. Nothing is sent twice: when a connection breaks after the request was written, that is a reset.
//!
//! Only loopback is reached unless [`host::admit`] is given the host's name. Redirects are answers like any other. HTTP/2,
//! proxies and compressed bodies are deliberately absent.

#![expect(
    clippy::disallowed_methods,
    reason = "a real server is waited for under the wall clock"
)]

mod exchange;
pub mod host;
mod login;
mod server;

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, HOST, HeaderName, HeaderValue};
use http::{HeaderMap, Method, Request, Uri};
use http_body_util::Full;
use hyper::client::conn::http1::SendRequest;
use url::Url;

use self::exchange::{Failed, answer};
use self::login::log_in;
use self::server::Server;
use super::Measured;
use crate::answer::{Answer, SendError};
use crate::clock::Stopwatch;
use crate::contract::Contract;
use crate::driver::{Burst, Target};
use crate::observe::{Checks, Stop, Tally};
use crate::plan::Plan;
use crate::schedule::Planned;
use crate::secret::Secret;

/// The header by which the simulator's server chooses the PoP of a request.
const X_SIM_POP: HeaderName = HeaderName::from_static("x-sim-pop");

/// How to reach a server, and as which user.
#[derive(Debug, Clone)]
pub struct Options {
    /// Scheme, host and port; the path comes from the plan.
    pub origin: Url,
    /// User and password to fetch a token with, before the burst.
    pub login: Option<(String, Secret)>,
    /// How long to wait for a connection, and for an answer.
    pub timeout: Duration,
}

/// Runs `plan` against a server. `progress` is called now and then with the number of requests sent.
pub fn run(
    contract: Rc<dyn Contract>,
    plan: &Plan,
    options: &Options,
    progress: &dyn Fn(u64),
) -> io::Result<Measured> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    Ok(runtime.block_on(measure(contract, plan.clone(), options, progress)))
}

async fn measure(
    contract: Rc<dyn Contract>,
    mut plan: Plan,
    options: &Options,
    progress: &dyn Fn(u64),
) -> Measured {
    let charge = contract.charge(&plan);
    let checks = Checks::new(Rc::clone(&contract), &plan, charge, None).require_fields();
    let unused = Checks::new(Rc::clone(&contract), &plan, charge, None);
    let mut measured = Measured {
        tally: Tally::new(unused),
        charge,
        configured: None,
        fresh: false,
        trouble: Vec::new(),
        notes: Vec::new(),
        reconnects: 0,
        wall_seconds: 0.0,
        platform: None,
        secrets: Vec::new(),
    };
    let server = match Server::new(&options.origin, options.timeout) {
        Ok(server) => server,
        Err(error) => {
            measured.trouble.push(error.to_string());
            return measured;
        }
    };
    if let Some((user, password)) = &options.login {
        match log_in(&server, &*contract, user, password).await {
            Ok(token) => {
                let mut value = match HeaderValue::from_str(&format!("Bearer {}", token.expose())) {
                    Ok(value) => value,
                    Err(_) => {
                        measured
                            .trouble
                            .push("the login gave a token that no header can hold".into());
                        return measured;
                    }
                };
                value.set_sensitive(true);
                plan.template.headers.insert(AUTHORIZATION, value);
                measured.secrets.push(token);
                measured.notes.push(format!(
                    "1 more request logged in as {user} before the burst"
                ));
            }
            Err(why) => {
                measured.trouble.push(why);
                return measured;
            }
        }
    }
    let http = match Http::connect(&plan, server).await {
        Ok(http) => http,
        Err(error) => {
            measured.trouble.push(error.to_string());
            return measured;
        }
    };
    let burst = Burst::new(&plan, http, checks, progress);
    tokio::select! {
        () = burst.run() => {}
        _ = tokio::signal::ctrl_c() => burst.stop(Stop::Interrupted),
    }
    let (tally, http) = burst.finish();
    measured.wall_seconds = http.clock.elapsed().as_secs_f64();
    measured.reconnects = http.reconnects.get();
    measured.tally = tally;
    measured
}

/// One connection per client, and the request ready to be sent.
struct Http {
    server: Server,
    connections: Vec<RefCell<Option<SendRequest<Full<Bytes>>>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
    pops: Vec<HeaderValue>,
    clock: Stopwatch,
    reconnects: Cell<u64>,
}

impl Http {
    async fn connect(plan: &Plan, server: Server) -> Result<Self, SendError> {
        let uri: Uri = plan
            .template
            .path_and_query
            .parse()
            .map_err(|_| SendError::Connect("the path cannot be sent".into()))?;
        let mut headers = plan.template.headers.clone();
        headers
            .entry(HOST)
            .or_insert_with(|| server.authority.clone());
        let pops = plan.pops.iter().map(|pop| {
            HeaderValue::from_str(pop)
                .map_err(|_| SendError::Connect("a PoP's name is no header value".into()))
        });
        let pops = pops.collect::<Result<_, _>>()?;
        let mut connections = Vec::new();
        for _ in 0..u64::from(plan.clients).min(plan.requests) {
            connections.push(RefCell::new(Some(server.connect().await?)));
        }
        Ok(Self {
            server,
            connections,
            method: plan.template.method.clone(),
            uri,
            headers,
            body: plan.template.body.clone(),
            pops,
            clock: Stopwatch::start(),
            reconnects: Cell::new(0),
        })
    }

    fn request(&self, planned: &Planned) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(self.body.clone()));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        if let Some(pop) = planned.pop.and_then(|pop| self.pops.get(pop as usize)) {
            request.headers_mut().insert(X_SIM_POP, pop.clone());
        }
        request
    }
}

impl Target for Http {
    async fn send(&self, planned: &Planned) -> Result<Answer, SendError> {
        let Some(slot) = self.connections.get(planned.client as usize) else {
            return Err(SendError::Connect("a client without a connection".into()));
        };
        let mut request = self.request(planned);
        // At most one fresh connection: a request that fails on that too was not sent, and is an error.
        for fresh in [false, true] {
            let mut kept = if fresh { None } else { slot.take() };
            if let Some(connection) = &mut kept
                && connection.ready().await.is_err()
            {
                kept = None;
            }
            let mut connection = match kept {
                Some(kept) => kept,
                None => {
                    self.reconnects.set(self.reconnects.get() + 1);
                    self.server.connect().await?
                }
            };
            let sent = connection.try_send_request(request);
            match answer(self.server.timeout, sent).await {
                Ok(answer) => {
                    slot.replace(Some(connection));
                    return Ok(answer);
                }
                // hyper gives the request back only if none of it was written.
                Err(Failed {
                    error: _,
                    unsent: Some(unsent),
                }) if !fresh => request = *unsent,
                Err(failed) => return Err(failed.error),
            }
        }
        unreachable!("the second round returns")
    }

    fn now(&self) -> Duration {
        self.clock.elapsed()
    }
}
