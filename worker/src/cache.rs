//! Reading through the cache: version from D1, value from memory, else from KV, else computed.
//!
//! The version is part of the key ([`core::cache`](crate::core::cache)), so a copy can only be missing, never wrong, however old it
//! is and whoever holds it. That is why the first level, the isolate's own memory, may keep a value as long as the configuration
//! says. It also hands a value that is being computed to requests that wait for it. KV, the second level, hands values to other
//! isolates and other PoPs; it takes few writes on the free plan, so isolates agree through the database on how often they write
//! ([`Pace`]). When nothing may be written for a while, each isolate caches by itself. A failing KV is a miss.

pub(crate) mod memory;

use std::rc::Rc;
use std::time::Duration;

use worker::wasm_bindgen::JsValue;
use worker::{D1Database, Delay, console_error};

use self::memory::{Slot, WAIT_MAX_MS};
use crate::call::Call;
use crate::core::alert::Severity;
use crate::core::cache::{Kind, key, usable};
use crate::core::pace::Pace;
use crate::headers::Reply;
use crate::isolate::{App, now_ms, within};
use crate::problem::Failure;
use crate::{alerts, metrics, sql, transactions};

/// How often a request looks that waits for another one's value, in milliseconds.
const WAIT_STEP_MS: u64 = 10;

/// After this a read of KV counts as failed, in milliseconds.
const KV_TIMEOUT_MS: u64 = 2_000;

/// Takes back "somebody computes it" if the computing ends without a value, so that nobody waits for nothing.
struct Computing {
    app: Rc<App>,
    key: String,
}

impl Drop for Computing {
    fn drop(&mut self) {
        let memory = &mut self.app.memory.borrow_mut().slots;
        if matches!(memory.get(&self.key), Some(Slot::Computing(_))) {
            memory.remove(&self.key);
        }
    }
}

/// `GET /api/dashboard`, `GET /api/reports`.
pub(crate) async fn read(call: &mut Call<'_>, kind: Kind, user_id: &str) -> Result<Reply, Failure> {
    let app = call.app.clone();
    let db = call.db()?;
    let version = transactions::version(db, user_id).await?;
    let wanted = key(kind, user_id, version);

    if let Some(body) = from_memory(&app, &wanted).await {
        return Ok(hit(&app, &body));
    }
    let _computing = Computing {
        app: app.clone(),
        key: wanted.clone(),
    };
    let now = now_ms();
    app.memory
        .borrow_mut()
        .put(wanted.clone(), Slot::Computing(now), now);

    if let Some(body) = from_kv(call, &wanted).await {
        remember(&app, kind, wanted, Rc::from(body.as_str()));
        return Ok(hit(&app, &body));
    }
    let (version, body) = transactions::compute(db, kind, user_id).await?;
    metrics::count(&app.metrics.cache_misses);
    // Under the version that was computed, which a write in between may have made newer than the one asked for.
    let computed = key(kind, user_id, version);
    remember(&app, kind, computed.clone(), Rc::from(body.as_str()));
    if app.kv.is_some() && !app.memory.borrow().is_alone(now_ms()) {
        call.after(put(app.clone(), kind, computed, body.clone()));
    }
    Ok(Reply::json(200, body).with_header("X-Cache", "MISS"))
}

fn hit(app: &App, body: &str) -> Reply {
    metrics::count(&app.metrics.cache_hits);
    Reply::json(200, body).with_header("X-Cache", "HIT")
}

/// The value in memory; waits for one that is being computed. Plain data is handed over and no future is shared: the platform
/// forbids one request to wait for another's I/O.
async fn from_memory(app: &App, key: &str) -> Option<Rc<str>> {
    for _ in 0..=WAIT_MAX_MS / WAIT_STEP_MS {
        let slot = app.memory.borrow().get(key, now_ms());
        match slot? {
            Slot::Ready { body, .. } => return Some(body),
            Slot::Computing(_) => Delay::from(Duration::from_millis(WAIT_STEP_MS)).await,
        }
    }
    None
}

fn remember(app: &App, kind: Kind, key: String, body: Rc<str>) {
    let now = now_ms();
    let until_ms = now + kind.memory_seconds(&app.config) * 1_000;
    let slot = Slot::Ready { body, until_ms };
    app.memory.borrow_mut().put(key, slot, now);
}

async fn from_kv(call: &Call<'_>, key: &str) -> Option<String> {
    let kv = call.app.kv.as_ref()?;
    let read = within(KV_TIMEOUT_MS, kv.get(key).text()).await;
    let failed = match read {
        Some(Ok(stored)) => {
            call.app.health.cache.works();
            // A damaged entry is overwritten by the value computed next.
            return stored.filter(|stored| usable(stored).is_some());
        }
        Some(Err(error)) => error.to_string(),
        None => "no answer in time".to_owned(),
    };
    call.app.health.cache.failed(call.started_ms);
    console_error!("cache read: {failed}");
    let alert = call.alert(
        Severity::Medium,
        "The cache cannot be read; every value is computed.".to_owned(),
    );
    call.after(alerts::once(call.app.clone(), "cache", alert));
    None
}

/// Puts a value into KV, if the allowance has a write left.
async fn put(app: Rc<App>, kind: Kind, key: String, body: String) {
    let (Some(kv), Some(db)) = (&app.kv, &app.db) else {
        return;
    };
    match take(db, app.config.kv_writes).await {
        Ok(true) => {}
        Ok(false) => {
            app.memory.borrow_mut().no_put_before_ms = now_ms() + app.config.kv_writes.every_ms;
            return;
        }
        Err(error) => return console_error!("cache write not paced, so left out: {error}"),
    }
    let put = async {
        kv.put(&key, body.as_str())?
            .expiration_ttl(kind.ttl_seconds(&app.config))
            .execute()
            .await
    }
    .await;
    if let Err(error) = put {
        // Somebody else may have put the same value within the second that KV allows one write per key: no harm done.
        console_error!("cache write: {error}");
    }
}

/// Takes one write of KV from the allowance that all isolates share; false if none is left at the moment.
async fn take(db: &D1Database, pace: Pace) -> worker::Result<bool> {
    let number = |value: u64| JsValue::from_f64(value as f64);
    let values = [
        "kv.writes".into(),
        number(now_ms()),
        number(pace.every_ms),
        number(pace.saved_ms),
    ];
    let taken = db.prepare(sql::TAKE_ALLOWANCE).bind(&values)?.run().await?;
    Ok(taken.meta()?.and_then(|meta| meta.changes) != Some(0))
}
