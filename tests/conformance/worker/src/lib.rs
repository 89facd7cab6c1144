//! The platform's storage as plain HTTP: whoever can send JSON can ask KV, an object's storage or D1 anything that
//! workers-rs can ask, and gets the platform's own answer.
//!
//! | request | what it does |
//! |---|---|
//! | `POST /kv` | one call of the namespace bound as the header `x-kv` says, [`kv::Call`] |
//! | `POST /d1` | one call of the database bound as the header `x-d1` says, [`d1::Call`] |
//! | `POST /do/<name>` | one event of the object of that name, [`object::Step`], or several, [`events::Events`] |
//!
//! Every answer is 200 with `{"ok": …}` or `{"error": …}` ([`answer`]); a request that is none of these is a mistake of the
//! script, 400 with the reason.

pub mod answer;
pub mod d1;
pub mod events;
pub mod kv;
pub mod object;
pub mod value;

use serde::de::DeserializeOwned;
use serde_json::Value;
use worker::{Context, Env, Request, Response, Result, event};

/// The binding of the objects.
pub const OBJECTS: &str = "OBJECT";

#[event(fetch)]
async fn fetch(mut request: Request, env: Env, _: Context) -> Result<Response> {
    let binding = |header: &str, usual: &str| {
        let named = request.headers().get(header)?;
        Ok::<_, worker::Error>(named.unwrap_or_else(|| usual.to_owned()))
    };
    let (kv, d1) = (binding("x-kv", "KV")?, binding("x-d1", "DB")?);
    let path = request.path();
    let body = request.text().await?;
    let answer = match path.as_str() {
        "/kv" => match read(&body) {
            Ok(call) => answer::of(kv::run(&env.kv(&kv)?, call).await),
            Err(mistake) => return Response::error(mistake, 400),
        },
        "/d1" => match read(&body) {
            Ok(call) => answer::of(d1::run(&env.d1(&d1)?, call).await),
            Err(mistake) => return Response::error(mistake, 400),
        },
        _ => match path.strip_prefix("/do/") {
            Some(name) => match events::run(&env.durable_object(OBJECTS)?, name, &body).await {
                Ok(answer) => answer,
                Err(mistake) => return Response::error(mistake, 400),
            },
            None => return Response::error("there is only /kv, /d1 and /do/<name>", 404),
        },
    };
    Response::from_json(&answer)
}

/// Reads a step of a script.
///
/// # Errors
/// What is wrong with it.
fn read<T: DeserializeOwned>(text: &str) -> std::result::Result<T, String> {
    serde_json::from_str(text).map_err(|problem| format!("{problem} in {text}"))
}

/// What a call gives if it succeeds.
pub type Answer = Result<Value>;
