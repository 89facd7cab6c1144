//! The calls of Cloudflare's REST API that wrangler makes for KV and D1.
//!
//! - [`call`]: what a request asks for, or the error that it gets: pure.
//! - `kv`, `d1`: a call carried out in the world.
//! - `transfer`: names that stand for the token: uploads of SQL to import, downloads of exports.
//! - `dump`: a database as SQL.
//! - `multipart`: the forms in which values come with metadata.
//! - `answer`: the envelope.
//!
//! Everything belongs to one account, whatever account the path names. Each call runs as an event of its own in the
//! world, at the wall clock's time, on the live state: it sees what a served Worker wrote, and the Worker sees what it
//! writes, through its PoP's cache as with any write from elsewhere.
//!
//! Every request needs the token, as `Authorization: Bearer …`; the paths of `transfer` have an unguessable name instead.
//!
//! Not supported: Time Travel, jurisdictions and location hints (accepted, without effect), everything but KV and D1.

mod answer;
pub mod call;
mod d1;
mod dump;
mod kv;
mod multipart;
mod transfer;

use super::body::{Unread, whole};
use super::socket::{Handler, Request, Response};
use crate::account::Account;
use crate::host::Secret;
use crate::limits::api::ApiError;
use crate::world::World;
use answer::Answer;
pub use call::BASE;
use call::Call;
use http::header::{AUTHORIZATION, EXPECT, HOST};
use hyper::body::{Body as _, Incoming};
use std::rc::Rc;
use subtle::ConstantTimeEq;
use transfer::Transfers;

/// Size of a request in bytes: that of a bulk write, and room around it. Imports of D1 may be larger in production (5 GB).
const BODY_BYTES: usize = crate::limits::api::BULK_BYTES + (8 << 20);

/// How much of a refused request's body is read and thrown away, in bytes, so that the refusal arrives.
const DRAIN_BYTES: usize = 8 << 20;

/// The API over one world.
struct Api {
    world: World,
    token: Secret,
    transfers: Rc<Transfers>,
}

/// Answers requests as Cloudflare's API does, if they carry the token.
pub fn handler(world: &World, token: Secret) -> Handler {
    let api = Rc::new(Api {
        world: world.clone(),
        token,
        transfers: Rc::default(),
    });
    Rc::new(move |_peer, request| {
        let api = Rc::clone(&api);
        Box::pin(async move { api.answer(request).await })
    })
}

impl Api {
    async fn answer(&self, request: Request) -> Response {
        let (head, mut body) = request.into_parts();
        let sends_body =
            !head.headers.contains_key(EXPECT) && body.size_hint().lower() <= DRAIN_BYTES as u64;
        let answered = match self.read(&head, &mut body).await {
            Ok((call, origin)) => self.run(call, origin).await,
            Err(error) => {
                if sends_body {
                    let _ = whole(body, DRAIN_BYTES).await;
                }
                Err(error)
            }
        };
        answered.map_or_else(answer::refusal, Answer::into_response)
    }

    /// Checks the caller's token and parses the request. Also gives where the server is, as the client sees it.
    async fn read(
        &self,
        head: &http::request::Parts,
        body: &mut Incoming,
    ) -> Result<(Call, String), ApiError> {
        let target = head
            .uri
            .path_and_query()
            .map_or("/", |target| target.as_str());
        if !call::is_transfer(target) {
            self.authenticate(&head.headers)?;
        } else if !self.transfers.know(self.world.now(), target) {
            // Without the token or a valid name the body is not even read.
            return Err(transfer::unknown());
        }
        let too_large = || {
            let limit = BODY_BYTES;
            ApiError::other(413, format!("the request is larger than {limit} bytes"))
        };
        let body = whole(body, BODY_BYTES)
            .await
            .map_err(|unread| match unread {
                Unread::TooLong(_) => too_large(),
                Unread::Broken => ApiError::other(400, "the request's body did not arrive whole"),
            })?;
        let call = call::parse(&head.method, target, &head.headers, body)?;
        let host = head
            .headers
            .get(HOST)
            .and_then(|host| host.to_str().ok())
            .filter(|host| !host.contains(['/', '?', '#', '@', '\\', ' ']));
        Ok((call, format!("http://{}", host.unwrap_or("127.0.0.1"))))
    }

    fn authenticate(&self, headers: &http::HeaderMap) -> Result<(), ApiError> {
        let Some(given) = headers.get(AUTHORIZATION) else {
            return Err(ApiError::authentication(401));
        };
        let given = given.as_bytes();
        let token = match given.split_at_checked(7) {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case(b"bearer ") => token,
            _ => return Err(ApiError::authentication(401)),
        };
        // Takes as long however much of the token is right.
        if bool::from(token.ct_eq(self.token.0.as_bytes())) {
            Ok(())
        } else {
            Err(ApiError::authentication(403))
        }
    }

    /// Runs a call as an event of the world.
    async fn run(&self, call: Call, origin: String) -> Result<Answer, ApiError> {
        let pop = self.world.pops()[0];
        let account = self.world.account();
        let transfers = Rc::clone(&self.transfers);
        let answered = self.world.bindings().guest(pop, async move {
            match call {
                Call::Kv(call) => kv::run(&account, call),
                Call::D1(call) => d1::run(&account, &transfers, &origin, call).await,
                Call::Transfer(call) => transfers.run(account.now(), call),
                Call::Settings { script } => settings(&account, &script),
            }
        });
        let answered = answered.await;
        answered.unwrap_or_else(|| Err(ApiError::other(503, "the server is stopping")))
    }
}

/// The bindings of the deployed Worker, among which wrangler looks for the namespace of a binding without an id.
fn settings(account: &Account, script: &str) -> Result<Answer, ApiError> {
    use crate::account::AccountKind;
    use serde_json::json;
    if *account.worker_name() != *script || script.is_empty() {
        return Err(ApiError::no_worker());
    }
    let bindings = account.account_bindings().into_iter();
    let bindings = bindings.map(|(name, kind, id)| match kind {
        AccountKind::Namespace => {
            json!({ "type": "kv_namespace", "name": &*name, "namespace_id": &*id })
        }
        AccountKind::Database => json!({ "type": "d1", "name": &*name, "id": &*id }),
    });
    Ok(Answer::result(
        json!({ "bindings": bindings.collect::<Vec<_>>() }),
    ))
}
