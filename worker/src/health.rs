//! `GET /api/health`: whether the parts answer, and what of the configuration was not taken.
//!
//! Free of charge and open to everybody, so it must not cost much: the parts are asked at most once in ten seconds and isolate;
//! in between the last answer is given, except that a failure met by a request counts at once. Nothing internal is shown.

pub(crate) mod state;

use futures_util::future::join3;
use serde::Serialize;

use crate::headers::Reply;
use crate::health::state::Part;
use crate::isolate::{App, now_ms, within};
use crate::{limiter, sql};

/// How long an answer of the parts is reused, in milliseconds.
const PROBE_REUSE_MS: u64 = 10_000;

/// How long a part may take to answer, in milliseconds.
const PROBE_TIMEOUT_MS: u64 = 1_000;

#[derive(Serialize)]
struct Body<'a> {
    status: &'static str,
    components: Components,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    warnings: &'a [Warning],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Components {
    database: &'static str,
    cache: &'static str,
    rate_limiter: &'static str,
    authentication: &'static str,
    error_alerts: &'static str,
    security_alerts: &'static str,
}

#[derive(Serialize)]
struct Warning {
    name: &'static str,
    reason: &'static str,
}

/// The answer: always 200, the state is in the body.
pub(crate) async fn report(app: &App) -> Reply {
    let now_ms = now_ms();
    let [database, cache, limiter] = probe(app, now_ms).await;
    let state =
        |present: bool, answers: bool, part: &Part| match (present, answers && !part.fails(now_ms))
        {
            (false, _) => "absent",
            (true, true) => "ok",
            (true, false) => "failing",
        };
    let present = |present: bool| if present { "ok" } else { "absent" };
    let alerts = |receiver: bool| match (receiver, app.config.webhook_key.is_some()) {
        (false, _) => "absent",
        (true, true) => "ok",
        (true, false) => "unsigned",
    };
    let components = Components {
        database: state(app.db.is_some(), database, &app.health.database),
        cache: state(app.kv.is_some(), cache, &app.health.cache),
        rate_limiter: if app.config.rate_limiting {
            state(app.namespace.is_some(), limiter, &app.health.limiter)
        } else {
            "off"
        },
        authentication: present(app.key.is_some()),
        error_alerts: alerts(app.config.error_webhook.is_some()),
        security_alerts: alerts(app.config.security_webhook.is_some()),
    };
    // Alerts are not among them: without a receiver the API serves as well as with one.
    let serving = [
        components.database,
        components.cache,
        components.rate_limiter,
        components.authentication,
    ];
    let degraded = serving
        .iter()
        .any(|state| matches!(*state, "absent" | "failing"));
    let configured = app.config.warnings.iter().map(|warning| Warning {
        name: warning.name,
        reason: warning.reason,
    });
    // What is used up comes back by itself, and nobody is served worse than more slowly.
    let used_up = app.memory.borrow().is_alone(now_ms).then_some(Warning {
        name: "CACHE_KV_WRITES_PER_DAY",
        reason: "used up at the moment; every isolate caches by itself",
    });
    let warnings: Vec<Warning> = configured.chain(used_up).collect();
    let body = Body {
        status: if degraded { "degraded" } else { "ok" },
        components,
        warnings: &warnings,
    };
    Reply::json(
        200,
        serde_json::to_vec(&body).expect("names are always JSON"),
    )
}

/// The names of bindings and secrets that are absent although a route needs them.
pub(crate) fn absent(app: &App) -> Vec<&'static str> {
    let limiter = app.namespace.is_some() || !app.config.rate_limiting;
    [
        (app.db.is_some(), "DB"),
        (app.kv.is_some(), "CACHE_KV"),
        (limiter, "RATE_LIMITER"),
        (app.key.is_some(), "AUTH_JWT_SECRET"),
    ]
    .into_iter()
    .filter_map(|(present, name)| (!present).then_some(name))
    .collect()
}

/// Whether database, cache and limiter answer.
async fn probe(app: &App, now_ms: u64) -> [bool; 3] {
    let probed = *app.health.probed.borrow();
    if let Some((at_ms, answers)) = probed
        && now_ms.saturating_sub(at_ms) < PROBE_REUSE_MS
    {
        return answers;
    }
    let database = async {
        match &app.db {
            Some(db) => db
                .prepare(sql::PING)
                .first::<u64>(Some("one"))
                .await
                .is_ok(),
            None => false,
        }
    };
    let cache = async {
        match &app.kv {
            // The key never exists: that it does not is an answer.
            Some(kv) => kv.get("health").text().await.is_ok(),
            None => false,
        }
    };
    let limiter = async { app.config.rate_limiting && limiter::ping(app).await.is_ok() };
    let (database, cache, limiter) = join3(
        within(PROBE_TIMEOUT_MS, database),
        within(PROBE_TIMEOUT_MS, cache),
        within(PROBE_TIMEOUT_MS, limiter),
    )
    .await;
    let answers = [database, cache, limiter].map(|answer| answer.unwrap_or(false));
    app.health.probed.replace(Some((now_ms, answers)));
    answers
}
