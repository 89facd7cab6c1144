//! A Worker that answers with what it was sent: the way to see what a server makes of a request.

use std::rc::Rc;

use edgeproof_sim::World;
use edgeproof_sim::http::Response;
use edgeproof_sim::script::{Event, Handled, ObjectClass, Reply, Script};
use edgeproof_sim::world::builder::Builder;
use serde_json::json;

struct Echo;

impl Script for Echo {
    fn handle(&self, event: Event) -> Handled {
        let Event::Fetch(request) = event else {
            return Box::pin(async { Ok(Reply::Done) });
        };
        let headers: Vec<_> = request
            .headers
            .iter()
            .map(|(name, value)| json!([name.as_str(), String::from_utf8_lossy(value.as_bytes())]))
            .collect();
        let seen = json!({
            "method": request.method.as_str(),
            "host": request.url.host_str(),
            "path": request.url.path(),
            "query": request.url.query(),
            "headers": headers,
            "pop": request.cf.as_ref().map(|cf| cf.colo.clone()),
            "bytes": request.body.whole().map(bytes::Bytes::len),
        });
        let mut response = Response::plain(200, seen.to_string());
        // Wrong on purpose: what the socket says of the length is the server's affair.
        response.headers.insert("content-length", 3.into());
        Box::pin(async move { Ok(response.into()) })
    }

    fn class(&self, _: &str) -> Option<Rc<dyn ObjectClass>> {
        None
    }
}

/// A world with nothing but that Worker.
pub(crate) fn echo() -> Builder {
    World::builder().script(Rc::new(Echo))
}
