//! Reading through the cache: version from D1, value from KV, else computed and put there after the answer.
//!
//! The version is part of the key ([`core::cache`](crate::core::cache)), so a location's stale copy can only be missing, never
//! wrong. In front of KV the isolate's own memory holds a value for a few seconds: it hands a value that is being computed to
//! requests that wait for it, and bridges the time until the put has arrived. Where KV is absent, that memory is the cache.
//! A failing KV is a miss.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use worker::{Delay, console_error};

use crate::core::alert::Severity;
use crate::core::cache::{Kind, key, usable};
use crate::headers::Reply;
use crate::isolate::{App, now_ms, within};
use crate::problem::Failure;
use crate::routes::Call;
use crate::{alerts, metrics, transactions};

/// How long memory serves a value that KV has as well, in milliseconds.
const MEMORY_MS: u64 = 5_000;

/// How many values an isolate keeps.
const MEMORY_MAX: usize = 512;

/// How long a request waits for another that computes the same value, in milliseconds, and how often it looks.
const WAIT_MAX_MS: u64 = 2_000;
const WAIT_STEP_MS: u64 = 10;

/// After this a read of KV counts as failed, in milliseconds.
const KV_TIMEOUT_MS: u64 = 2_000;

/// Values in this isolate's memory.
#[derive(Debug, Default)]
pub(crate) struct Memory(BTreeMap<String, Slot>);

#[derive(Debug, Clone)]
enum Slot {
    /// Somebody computes it, since this instant.
    Computing(u64),
    Ready {
        body: Rc<str>,
        until_ms: u64,
    },
}

impl Memory {
    fn get(&self, key: &str, now_ms: u64) -> Option<Slot> {
        self.0.get(key).filter(|slot| slot.lives(now_ms)).cloned()
    }

    fn put(&mut self, key: String, slot: Slot, now_ms: u64) {
        if self.0.len() >= MEMORY_MAX {
            self.0.retain(|_, slot| slot.lives(now_ms));
            if self.0.len() >= MEMORY_MAX {
                self.0.pop_first();
            }
        }
        self.0.insert(key, slot);
    }
}

impl Slot {
    fn lives(&self, now_ms: u64) -> bool {
        match self {
            Self::Computing(since_ms) => now_ms < since_ms + WAIT_MAX_MS,
            Self::Ready { until_ms, .. } => now_ms < *until_ms,
        }
    }
}

/// Takes back "somebody computes it" if the computing ends without a value, so that nobody waits for nothing.
struct Computing {
    app: Rc<App>,
    key: String,
}

impl Drop for Computing {
    fn drop(&mut self) {
        let memory = &mut self.app.memory.borrow_mut().0;
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
    if app.kv.is_some() {
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
    let lifetime_ms = if app.kv.is_some() {
        MEMORY_MS
    } else {
        kind.ttl_seconds(&app.config)
            .min(app.config.cache_ttl_seconds)
            * 1_000
    };
    app.memory.borrow_mut().put(
        key,
        Slot::Ready {
            body,
            until_ms: now + lifetime_ms,
        },
        now,
    );
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

async fn put(app: Rc<App>, kind: Kind, key: String, body: String) {
    let Some(kv) = &app.kv else { return };
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
