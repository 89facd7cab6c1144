//! KV, D1, the rate limiter and outbound fetches for a Worker that runs in a real workerd.
//!
//! workerd reaches each of them through an `external` service of its configuration: plain HTTP/1.1. Nothing in such a request
//! says which namespace or database it is for, or where the Worker runs; so the configuration injects a header for each:
//!
//! | header | value |
//! |---|---|
//! | [`POP_HEADER`] | IATA code of the PoP whose view of KV this is |
//! | [`NAMESPACE_HEADER`] | binding of a KV namespace: [`kv`] answers |
//! | [`DATABASE_HEADER`] | binding of a D1 database: [`d1`] answers |
//! | [`RATE_LIMIT_HEADER`] | `namespace_id` of a rate limiter: [`rate_limit`] answers |
//! | [`OUTBOUND_HEADER`] | anything: [`outbound`] sends it on |
//!
//! The parsers of the wire formats are pure functions of what arrived (`parse` in each file), so that they can be
//! fuzzed. A malformed request is refused, and workerd turns the refusal into an error of the binding.
//!
//! [`front`] stands before workerd: clients connect to it.

pub mod d1;
pub mod front;
mod headers;
pub mod kv;
pub mod outbound;
pub mod rate_limit;
mod refusal;

pub use super::http::POP_HEADER;
use super::socket::Handler;
use crate::topology::Pop;
use crate::world::World;
use headers::header;
pub use headers::{DATABASE_HEADER, NAMESPACE_HEADER, OUTBOUND_HEADER, RATE_LIMIT_HEADER};
use http::StatusCode;
use refusal::refusal;
use std::rc::Rc;

/// Answers workerd's calls of its bindings with the KV, D1 and limiters of this world.
pub fn handler(world: &World) -> Handler {
    let world = world.clone();
    Rc::new(move |_, request| {
        let world = world.clone();
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let Some(pop) = header(&head.headers, POP_HEADER).and_then(Pop::from_code) else {
                return refusal(StatusCode::BAD_REQUEST, "x-sim-pop names no known PoP");
            };
            // First, because headers that the Worker itself put on a fetch must not turn it into another call.
            if head.headers.contains_key(OUTBOUND_HEADER) {
                outbound::answer(&world, pop, head, body).await
            } else if let Some(binding) = header(&head.headers, NAMESPACE_HEADER) {
                kv::answer(&world, pop, binding, &head, body).await
            } else if let Some(binding) = header(&head.headers, DATABASE_HEADER) {
                d1::answer(&world, pop, binding, &head, body).await
            } else if let Some(id) = header(&head.headers, RATE_LIMIT_HEADER) {
                rate_limit::answer(&world, pop, id, &head, body).await
            } else {
                refusal(
                    StatusCode::BAD_REQUEST,
                    "no header says which binding this is for",
                )
            }
        })
    })
}
