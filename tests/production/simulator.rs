//! The simulator as an arm: one world, in virtual time.
//!
//! Everything that follows an answer has ended before the next request begins: virtual time moves on by [`SETTLED`], and
//! [`Simulator::finish`] makes sure from the world's history that no operation lasted longer.

use crate::arm::{Alert, Answer, Arm, VARS, secrets, sorted, users};
use crate::step::Request;
use edgeproof_sim::World;
use edgeproof_sim::history::{Actor, Op, Record};
use edgeproof_sim::http::Response;
use edgeproof_sim::platform::outbound::Origin;
use edgeproof_sim::world::options::Options;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

// Nothing here names a handler; without this they would not be linked.
extern crate edgeproof_worker as _;

const WRANGLER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../worker/wrangler.toml");

/// Host that receives alerts.
const RECEIVER: &str = "alerts.example";

/// What passes after each answer. An alert, the longest thing that follows one, takes less.
const SETTLED: Duration = Duration::from_millis(60);

/// The arm.
pub(crate) struct Simulator {
    world: World,
    /// Alerts that have arrived and were not handed out yet.
    alerts: Rc<RefCell<Vec<Alert>>>,
}

impl Simulator {
    pub(crate) fn start() -> Self {
        let mut options = Options::default();
        // One isolate, as on the other arms, and for as long as the run lasts: its memory and its counters are compared.
        options.isolates.per_pop = 1;
        options.isolates.concurrency = u32::MAX;
        options.isolates.evict_after_idle = Duration::from_secs(86_400);
        let alerts: Rc<RefCell<Vec<Alert>>> = Rc::default();
        let arrived = Rc::clone(&alerts);
        let receiver = Origin::new().respond(move |request| {
            arrived.borrow_mut().push(Alert {
                path: request.url.path().to_owned(),
                headers: sorted(&request.headers),
                body: request.body.to_vec(),
            });
            Response::plain(204, "")
        });
        let mut builder = World::builder()
            .script(worker::native::script("edgeproof-worker"))
            .wrangler(WRANGLER, None)
            .expect("the Worker's own configuration is supported")
            .pops(["IAD"])
            // workerd, the other arm, fires none.
            .crons(false)
            .options(options)
            .origin(RECEIVER, receiver)
            .seed_sql("DB", "users of the sequences", &users())
            .history(true);
        for (name, value) in VARS {
            builder = builder.var(name, value);
        }
        for (name, value) in secrets(&format!("https://{RECEIVER}")) {
            builder = builder.secret(name, &value);
        }
        Self {
            world: builder.build().expect("the world builds"),
            alerts,
        }
    }

    /// Ends the run.
    ///
    /// # Panics
    /// If anything that a request began was still going on when the next one came.
    pub(crate) fn finish(self) {
        let history = self.world.history();
        let begins: Vec<_> = history
            .records()
            .iter()
            .filter(|record| matches!(record.op, Op::Request { .. }))
            .map(|record| record.start)
            .collect();
        // What objects do by themselves, when an alarm comes minutes later, is not a request's.
        let of_a_request = |record: &Record| {
            matches!(record.actor, Actor::Invocation(_)) && !matches!(record.op, Op::Alarm { .. })
        };
        for record in history
            .records()
            .iter()
            .filter(|record| of_a_request(record))
        {
            let next = begins.partition_point(|begin| *begin <= record.start);
            if let Some(begin) = begins.get(next) {
                assert!(
                    record.end < *begin,
                    "it was not over when the next request came: {record:?}"
                );
            }
        }
    }
}

impl Arm for Simulator {
    fn send(&mut self, request: &Request) -> Answer {
        let message = message(request);
        let (response, began_ms, ended_ms) = self.world.run(async |world| {
            let client = world.client("IAD").with_ip(&request.address);
            let began_ms = world.now().unix_ms();
            let response = client.send(message).await;
            world.sleep(SETTLED).await;
            let ended_ms = world.now().unix_ms();
            // The next request begins in another millisecond.
            world.sleep(Duration::from_millis(1)).await;
            (response, began_ms, ended_ms)
        });
        Answer {
            status: response.status,
            headers: sorted(&response.headers),
            // What HTTP does with the answer to HEAD, here too: the world's clients get whole messages.
            body: if request.method == "HEAD" {
                Vec::new()
            } else {
                response.body.to_vec()
            },
            alerts: self.alerts.take(),
            began_ms,
            ended_ms,
        }
    }
}

/// The request as the platform would have it read off the wire.
fn message(request: &Request) -> edgeproof_sim::http::Request {
    // The host counts for nothing; the path is the target's alone, also if it begins with two slashes.
    let url = url::Url::parse(&format!("http://worker.example{}", request.target));
    let method = request.method.parse().expect("a method");
    let mut message = edgeproof_sim::http::Request::new(method, url.expect("a target"));
    for (name, value) in &request.headers {
        let value = http::HeaderValue::from_bytes(value).expect("a header's value");
        message.headers.append(*name, value);
    }
    if !request.chunked && sends_length(request) {
        message
            .headers
            .insert(http::header::CONTENT_LENGTH, request.body.len().into());
    }
    message.body = request.body.clone().into();
    message
}

/// Whether a client says how long the body is: always if there is one, and of none where one is expected (RFC 9110 §8.6).
pub(crate) fn sends_length(request: &Request) -> bool {
    !request.body.is_empty() || matches!(request.method, "POST" | "PUT" | "PATCH")
}
