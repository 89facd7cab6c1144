//! Events of an object, sent from outside of it.

use crate::answer;
use futures_util::future::join_all;
use serde::Deserialize;
use serde_json::{Value, json};
use worker::{Method, ObjectNamespace, Request, RequestInit, Result, Stub};

/// Several events.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Events {
    /// What each one does: an [`object::Step`](crate::object::Step).
    events: Vec<Value>,
    /// All are sent before the first is answered; else each is sent when the one before it is answered.
    #[serde(default)]
    at_once: bool,
    /// The answers are put in order: events through several stubs arrive in any.
    #[serde(default)]
    sorted: bool,
    /// All go through one stub; else each has its own.
    #[serde(default)]
    one_stub: bool,
}

/// Sends one event, or several, and gives what came of it.
///
/// # Errors
/// What is wrong with the script.
pub async fn run(
    objects: &ObjectNamespace,
    name: &str,
    body: &str,
) -> std::result::Result<Value, String> {
    let said: Value = crate::read(body)?;
    if said.get("events").is_none() {
        return send(objects.get_by_name(name), &said).await;
    }
    let Events {
        events,
        at_once,
        sorted,
        one_stub,
    } = crate::read(body)?;
    let shared = objects
        .get_by_name(name)
        .map_err(|error| error.to_string())?;
    let send_one = async |event: &Value| {
        if one_stub {
            send_through(&shared, event).await
        } else {
            send(objects.get_by_name(name), event).await
        }
    };
    let answers = if at_once {
        join_all(events.iter().map(send_one)).await
    } else {
        let mut answers = Vec::new();
        for event in &events {
            answers.push(send_one(event).await);
        }
        answers
    };
    let mut answers = answers
        .into_iter()
        .collect::<std::result::Result<Vec<_>, _>>()?;
    if sorted {
        answers.sort_by_key(Value::to_string);
    }
    Ok(json!({"ok": answers}))
}

async fn send(stub: Result<Stub>, event: &Value) -> std::result::Result<Value, String> {
    match stub {
        Ok(stub) => send_through(&stub, event).await,
        Err(error) => Ok(answer::of(Err(error))),
    }
}

async fn send_through(stub: &Stub, event: &Value) -> std::result::Result<Value, String> {
    let exchange = async {
        let mut init = RequestInit::new();
        init.with_method(Method::Post)
            .with_body(Some(event.to_string().into()));
        let request = Request::new_with_init("https://object/", &init)?;
        let mut answered = stub.fetch_with_request(request).await?;
        Ok((answered.status_code(), answered.text().await?))
    };
    match exchange.await {
        Ok((200, text)) => crate::read(&text),
        Ok((_, mistake)) => Err(mistake),
        Err(error) => Ok(answer::of(Err(error))),
    }
}
