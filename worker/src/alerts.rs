//! Sending alerts: webhooks after the answer, never on the request's path.
//!
//! Everything here runs in `wait_until`. A receiver that hangs, fails or is slow costs the client nothing; the platform gives
//! such work 30 s after the answer, and three tries end before that. An alert that nobody took is a row in the error log.
//! There is no queue: an isolate that dies in between loses the alert.

use std::rc::Rc;
use std::time::Duration;

use worker::wasm_bindgen::JsValue;
use worker::{
    AbortController, Delay, Fetch, Headers, Method, Request, RequestInit, RequestRedirect, Result,
};

use crate::core::alert::{self, Alert, Channel};
use crate::isolate::{App, new_id, now_ms, within};
use crate::{logs, metrics, sql};

/// Sends `alert` unless one of the same `key` was sent in the dedupe window, by this isolate or any other.
pub(crate) async fn once(app: Rc<App>, key: impl AsRef<str>, alert: Alert) {
    let (key, now_ms) = (key.as_ref(), now_ms());
    let window_ms = app.config.alert_dedupe_ms;
    if !app.said.borrow_mut().claim(key, now_ms, window_ms) {
        return;
    }
    // Isolates agree through the database. If that is away too, each of them speaks: rather twice than not at all.
    if claim(&app, key, now_ms, window_ms).await.unwrap_or(true) {
        send(app, alert).await;
    }
}

async fn claim(app: &App, key: &str, now_ms: u64, window_ms: u64) -> Result<bool> {
    let Some(db) = &app.db else { return Ok(true) };
    let values = [
        JsValue::from_str(key),
        JsValue::from_f64(now_ms as f64),
        JsValue::from_f64(window_ms as f64),
    ];
    let claimed = db.prepare(sql::CLAIM_ALERT).bind(&values)?.run().await?;
    Ok(claimed.meta()?.and_then(|meta| meta.changes) != Some(0))
}

/// Sends `alert` to its receiver, with retries; logs it if nobody took it. Does nothing where no receiver is configured.
pub(crate) async fn send(app: Rc<App>, alert: Alert) {
    let receiver = match alert.channel {
        Channel::Error => &app.config.error_webhook,
        Channel::Security => &app.config.security_webhook,
    };
    let Some(receiver) = receiver else { return };
    let id = ["msg_", &new_id()].concat();
    let body = alert.body(app.config.environment.as_str(), now_ms());
    let mut last_status = None;
    for pause_ms in alert::RETRY_PAUSES_MS.into_iter().map(Some).chain([None]) {
        match within(
            alert::TRY_TIMEOUT_MS,
            try_once(&app, receiver.expose(), &id, &body),
        )
        .await
        {
            Some(Ok(200..=299)) => return metrics::count(&app.metrics.alerts_sent),
            Some(Ok(status)) => {
                last_status = Some(status);
                if !alert::worth_a_retry(status) {
                    break;
                }
            }
            // Not reached, or no answer in time.
            Some(Err(_)) | None => last_status = None,
        }
        if let Some(pause_ms) = pause_ms {
            Delay::from(Duration::from_millis(pause_ms)).await;
        }
    }
    metrics::count(&app.metrics.alerts_failed);
    // The receiver's address stays out: it may hold a secret, and so may the receiver's own error text.
    let metadata = serde_json::json!({ "channel": alert.channel.as_str(), "webhookId": id, "lastStatus": last_status });
    logs::error(app, "webhook delivery failed", metadata.to_string()).await;
}

/// One try. Dropped when its time is over, it aborts the request, so that no connection stays open.
async fn try_once(app: &App, receiver: &str, id: &str, body: &str) -> Result<u16> {
    let timestamp_seconds = now_ms() / 1_000;
    let headers = Headers::new();
    headers.set("content-type", "application/json")?;
    headers.set("webhook-id", id)?;
    headers.set("webhook-timestamp", &timestamp_seconds.to_string())?;
    if let Some(key) = &app.config.webhook_key {
        headers.set(
            "webhook-signature",
            &alert::signature(key, id, timestamp_seconds, body),
        )?;
    }
    let mut init = RequestInit::new();
    init.with_method(Method::Post)
        .with_headers(headers)
        .with_body(Some(JsValue::from_str(body)));
    // A redirect would carry the alert to somebody else, and count as one more subrequest.
    init.with_redirect(RequestRedirect::Manual);
    let request = Request::new_with_init(receiver, &init)?;
    let controller = AbortController::default();
    let signal = controller.signal();
    let _abort = AbortOnDrop(Some(controller));
    let response = Fetch::Request(request).send_with_signal(&signal).await?;
    Ok(response.status_code())
}

/// Aborts when dropped; after the answer has come that only frees what is left of it.
struct AbortOnDrop(Option<AbortController>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        if let Some(controller) = self.0.take() {
            controller.abort();
        }
    }
}
