//! Clients: they send requests from a PoP and receive the answers.

use super::World;
use crate::engine::record::Author;
use crate::engine::scope::Cause;
use crate::engine::transfer::Path;
use crate::engine::{Engine, Operation, digest};
use crate::history::{Actor, Op, Outcome};
use crate::http::{Body, Cf, End, Request, Response};
use crate::kernel::time::nanos;
use crate::limits;
use crate::name;
use crate::nearest::nearest;
use crate::topology::Pop;
use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderName, HeaderValue, Method};
use std::future::{Future, IntoFuture};
use std::rc::Rc;
use url::Url;

/// Header in which the platform tells a Worker the client's address; it replaces any value that the client sends.
pub static CF_CONNECTING_IP: HeaderName = HeaderName::from_static("cf-connecting-ip");

/// A client attached to a PoP, with an address of its own.
#[derive(Debug, Clone)]
pub struct Client {
    engine: Engine,
    number: u32,
    pop: Pop,
    ip: HeaderValue,
    base: Url,
    cf: Rc<Cf>,
}

impl World {
    /// A new client at a PoP, with an address of its own from 198.18.0.0/15 (RFC 2544, for benchmarks).
    ///
    /// # Panics
    /// If the world was built without that PoP; the message names those that it has.
    #[track_caller]
    pub fn client(&self, pop: &str) -> Client {
        let found = self.pops().iter().find(|known| known.code() == pop);
        match found {
            Some(pop) => self.client_at(*pop),
            None => panic!("{}", self.no_such_pop(pop)),
        }
    }

    fn no_such_pop(&self, pop: &str) -> String {
        let codes = || self.pops().iter().map(|known| known.code());
        let help = match nearest(pop, codes()) {
            Some(code) => format!("did you mean {code}?"),
            None if Pop::from_code(pop).is_some() => "add it to Builder::pops.".to_owned(),
            None => "no PoP has that code.".to_owned(),
        };
        let codes = codes().collect::<Vec<_>>().join(", ");
        format!("this world was not built with a PoP {pop:?}: {help} It was built with {codes}")
    }

    /// A new client at a PoP.
    pub fn client_at(&self, pop: Pop) -> Client {
        let number = self.engine.0.next_client.get();
        self.engine.0.next_client.set(number + 1);
        let [_, b, c, d] = (number & 0x1_ffff).to_be_bytes();
        let ip =
            HeaderValue::from_str(&format!("198.{}.{c}.{d}", 18 + b)).expect("an address is ASCII");
        let base = Url::parse("https://worker.example/").expect("a constant");
        let cf = Rc::new(Cf::at(pop, "HTTP/2"));
        Client {
            engine: self.engine.clone(),
            number,
            pop,
            ip,
            base,
            cf,
        }
    }
}

impl Client {
    /// The same client with another address.
    ///
    /// # Panics
    /// If `ip` is not ASCII.
    #[must_use]
    pub fn with_ip(mut self, ip: &str) -> Self {
        self.ip = HeaderValue::from_str(ip).expect("an address is ASCII");
        self
    }

    /// The same client with another `request.cf`: `client.with_cf(|cf| cf.asn = Some(395_747))`.
    #[must_use]
    pub fn with_cf(mut self, change: impl FnOnce(&mut Cf)) -> Self {
        change(Rc::make_mut(&mut self.cf));
        self
    }

    /// Its address.
    pub fn ip(&self) -> &str {
        self.ip.to_str().expect("made of ASCII")
    }

    /// The PoP it is attached to.
    pub fn pop(&self) -> Pop {
        self.pop
    }

    /// A request to a path of the Worker.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = self
            .base
            .join(path)
            .unwrap_or_else(|problem| panic!("{path} is no path: {problem}"));
        RequestBuilder {
            client: self.clone(),
            request: Request::new(method, url),
        }
    }

    /// A GET request.
    pub fn get(&self, path: &str) -> RequestBuilder {
        self.request(Method::GET, path)
    }

    /// A POST request.
    pub fn post(&self, path: &str) -> RequestBuilder {
        self.request(Method::POST, path)
    }

    /// Sends a request and waits for the answer and the end of its body. A Worker that throws answers as the platform
    /// does (1101); if the body's sender fails, the answer is [broken](Response::broken).
    ///
    /// # Panics
    /// If the body is longer than [`BODY_BYTES_MAX`]: [`open`](Self::open) reads those.
    pub fn send(&self, request: Request) -> Operation<Response> {
        let opening = self.exchange(request.into());
        // One after the other in the same place: an async block would keep room for the exchange twice.
        Operation::new(opening.then(|(engine, begun, response)| async move {
            let response = whole(response).await;
            let status = response.status;
            engine.finish(begun, || match response.broken {
                false => Outcome::Status { status },
                true => Outcome::Broken { status },
            });
            response
        }))
    }

    /// Sends a request whose body may be a stream, and waits for the head of the answer. The answer's body comes as the
    /// Worker sends it; dropping it ends the connection.
    pub fn open(&self, request: Request<Body>) -> Operation<Response<Body>> {
        let opening = self.exchange(request);
        Operation::new(opening.map(|(engine, begun, response)| {
            engine.finish(begun, || Outcome::Status {
                status: response.status,
            });
            response
        }))
    }

    /// A request and the head of its answer, with the record that is open until the caller has what it waits for.
    fn exchange(
        &self,
        mut request: Request<Body>,
    ) -> impl Future<Output = (Engine, Cause, Response<Body>)> + 'static {
        let (engine, pop, number) = (self.engine.clone(), self.pop, self.number);
        request
            .headers
            .insert(CF_CONNECTING_IP.clone(), self.ip.clone());
        request.cf = Some(Rc::clone(&self.cf));
        let ip = self.ip.clone();
        // Boxed, because every enclosing future would reserve space for it.
        let mut request = Box::new(request);
        async move {
            let start = engine.now();
            engine.mix(name!("request.sent"), |fingerprint| {
                fingerprint.mix(u64::from(number) << 32 | pop.index() as u64);
                digest::request(fingerprint, &request);
            });
            let author = || Author {
                actor: Actor::Client(number),
                pop: Some(pop),
                isolate: None,
                cause: None,
            };
            let begun = engine.begin_as(author, || Op::Request {
                method: request.method.to_string(),
                path: request.url.path().to_owned(),
                ip: String::from_utf8_lossy(ip.as_bytes()).into_owned(),
            });
            let last_mile = nanos(engine.options().client_to_pop);
            let path = Path::Nanos(last_mile);
            let body = std::mem::take(&mut request.body);
            request.body = engine.transfer_outside(body, path);
            let arrives = start.after(last_mile);
            engine
                .sleep_until(arrives, name!("request"), u64::from(number))
                .await;
            let response = engine.invoke(pop, request, path, begun).await;
            engine.mix(name!("response.sent"), |fingerprint| {
                fingerprint.mix(u64::from(number));
                digest::response(fingerprint, &response);
            });
            let arrives = engine.now().after(last_mile);
            engine
                .sleep_until(arrives, name!("response"), u64::from(number))
                .await;
            (engine, begun, response)
        }
    }
}

/// The longest body that [`Client::send`] reads, in bytes. An isolate has no more memory, so a longer one is a stream.
pub const BODY_BYTES_MAX: u64 = limits::workers::ISOLATE_MEMORY_BYTES;

/// An answer with all of its body.
async fn whole(response: Response<Body>) -> Response {
    if let Some(bytes) = response.body.whole() {
        let bytes = bytes.clone();
        return response.map_body(|_| bytes);
    }
    let Response {
        status,
        headers,
        body,
        ..
    } = response;
    let most = usize::try_from(BODY_BYTES_MAX).unwrap_or(usize::MAX);
    let (body, end) = body.read(most).await;
    assert!(
        end != End::TooLong,
        "the answer is longer than {BODY_BYTES_MAX} bytes: read it with Client::open"
    );
    Response {
        status,
        headers,
        body,
        broken: end != End::Complete,
    }
}

impl IntoFuture for RequestBuilder {
    type Output = Response;
    type IntoFuture = Operation<Response>;

    /// As [`send`](Self::send): `client.get("/").await`.
    fn into_future(self) -> Self::IntoFuture {
        self.send()
    }
}

/// A request being put together.
#[derive(Debug, Clone)]
pub struct RequestBuilder {
    client: Client,
    request: Request,
}

impl RequestBuilder {
    /// Adds a header.
    ///
    /// # Panics
    /// If HTTP allows no such name or value.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a header's name");
        let value = HeaderValue::from_str(value).expect("a header's value");
        self.request.headers.append(name, value);
        self
    }

    /// Adds `Authorization: Bearer …`.
    #[must_use]
    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.request.body = body.into();
        self
    }

    /// Sets a JSON body and its media type.
    #[must_use]
    pub fn json(self, value: &serde_json::Value) -> Self {
        self.header("content-type", "application/json")
            .body(value.to_string())
    }

    /// The request, to be sent more than once.
    pub fn build(self) -> Request {
        self.request
    }

    /// Sends it and waits for the whole answer; see [`Client::send`].
    pub fn send(self) -> Operation<Response> {
        self.client.send(self.request)
    }

    /// Sends it and waits for the head of the answer; see [`Client::open`].
    pub fn open(self) -> Operation<Response<Body>> {
        self.client.open(self.request.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::Elsewhere;

    #[test]
    fn a_pop_that_was_not_built_lists_those_that_were() {
        let builder = World::builder().script(Rc::new(Elsewhere));
        let world = builder.pops(["MEX", "FRA"]).build().expect("builds");
        let wrong = |code: &str| {
            let client = std::panic::AssertUnwindSafe(|| world.client(code));
            let panic = std::panic::catch_unwind(client).expect_err("no such PoP");
            panic.downcast_ref::<String>().expect("a text").clone()
        };
        let begins = |code: &str| format!("this world was not built with a PoP {code:?}: ");
        let ends = " It was built with MEX, FRA";
        for (code, help) in [
            ("FRB", "did you mean FRA?"),
            ("fra", "did you mean FRA?"),
            ("SIN", "add it to Builder::pops."),
            ("QQQ", "no PoP has that code."),
        ] {
            assert_eq!(wrong(code), begins(code) + help + ends);
        }
    }
}
