//! The Durable Object that counts, its storage and its alarm.

// What `#[durable_object]` expands to for wasm has public functions without docs; all that is written here has them.
#![allow(missing_docs)]

use std::cell::{Cell, RefCell};
use std::rc::Rc;

// All of it: what the attribute of the object's class expands to needs names beyond those written here.
use worker::wasm_bindgen::JsValue;
use worker::*;

use super::charge::{CHARGE_HEADER, Charge};
use super::held::Held;
use crate::core::policy::{Policy, PolicyName};
use crate::core::time::DAY_MS;
use crate::isolate::{App, app, now_ms};

/// The distance from a lone admission to the alarm that holds it. A release that changes it reads the alarms set before as
/// admissions that are off by the difference.
pub(super) const ALARM_AFTER_MS: u64 = 7 * DAY_MS;

/// An alarm that holds no admission looks like one of so long ago that it matters in no window.
pub(super) const LONG_AGO_MS: u64 = 2 * DAY_MS;

/// The Durable Object that counts for one user or one client address.
#[durable_object(alarm)]
pub struct RateLimiter {
    storage: Storage,
    app: Rc<App>,
    /// By [`PolicyName::index`]; `None` is not read from storage yet.
    held: RefCell<[Option<Held>; 3]>,
    /// When the alarm comes; `None` is not read from storage yet. Whenever anything is stored there is one, because it is set
    /// before the first value is written.
    alarm_ms: Cell<Option<Option<u64>>>,
}

impl DurableObject for RateLimiter {
    fn new(state: State, env: Env) -> Self {
        Self {
            storage: state.storage(),
            app: app(&env),
            held: RefCell::default(),
            alarm_ms: Cell::default(),
        }
    }

    /// `/general`, `/auth`, `/write`: charges one request; `/usual/…` if that is the policy whose lone admissions are kept in the
    /// alarm. `/ping`: does nothing.
    async fn fetch(&self, request: Request) -> Result<Response> {
        let path = request.path();
        if path == "/ping" {
            return Response::empty();
        }
        let (usual, name) = match path.strip_prefix("/usual") {
            Some(rest) => (true, rest),
            None => (false, path.as_str()),
        };
        let Some(name) = name.strip_prefix('/').and_then(PolicyName::parse) else {
            return Response::error("no such policy", 404);
        };
        let charge = self
            .charge(self.app.config.policies.get(name), usual)
            .await?;
        let response = Response::empty()?;
        response.headers().set(CHARGE_HEADER, &charge.encode())?;
        Ok(response)
    }

    /// Removes everything once nothing of it matters; else comes again.
    async fn alarm(&self) -> Result<Response> {
        // What it held is a week old.
        self.alarm_ms.set(Some(None));
        let now_ms = now_ms();
        let mut matters = false;
        for policy in self.app.config.policies.iter() {
            self.load(policy.name, false).await?;
            if let Some(held) = &self.held.borrow()[policy.name.index()] {
                matters |= held.matters_until_ms(policy.quota, &self.app.config) > now_ms;
            }
        }
        if matters {
            self.set_alarm(now_ms - LONG_AGO_MS).await?;
        } else {
            self.storage.delete_all().await?;
            self.held.take();
        }
        Response::empty()
    }
}

/// What a charge changed, and where it is kept.
enum Change {
    Nothing,
    /// A lone admission, in the alarm.
    Lone(u64),
    /// Everything of the policy, under its key.
    Text(String),
}

impl RateLimiter {
    async fn charge(&self, policy: &Policy, usual: bool) -> Result<Charge> {
        self.load(policy.name, usual).await?;
        // From here to the write nothing is awaited, so no other request comes between.
        let now_ms = now_ms();
        let (charge, change) = {
            let mut held = self.held.borrow_mut();
            let held = held[policy.name.index()]
                .get_or_insert_with(|| Held::new(self.app.config.algorithm));
            let settled = held.settle(policy.quota, now_ms);
            let charge = held.charge(policy.quota, self.app.config.alert_dedupe_ms, now_ms);
            let admitted = charge.decision.allowed;
            let lone_ms = held
                .ledger
                .lone_ms()
                .filter(|_| usual && admitted && !settled);
            let change = match lone_ms {
                // What the alarm held until now is over, or it would not be the only one.
                Some(lone_ms) => Change::Lone(lone_ms),
                None if admitted || charge.alert || settled => Change::Text(held.encode()),
                None => Change::Nothing,
            };
            (charge, change)
        };
        if let Err(error) = self.keep(policy.name, usual, change, now_ms).await
            // A denial stands even if its mark could not be kept: the worst is a second alert.
            && charge.decision.allowed
        {
            // What was not stored must not be in memory either.
            self.held.borrow_mut()[policy.name.index()] = None;
            self.alarm_ms.set(None);
            return Err(error);
        }
        Ok(charge)
    }

    async fn load(&self, policy: PolicyName, usual: bool) -> Result<()> {
        let alarm_ms = match self.alarm_ms.get() {
            Some(alarm_ms) => alarm_ms,
            None => {
                let alarm_ms = self.storage.get_alarm().await?;
                let alarm_ms = alarm_ms.and_then(|ms| u64::try_from(ms).ok());
                self.alarm_ms.set(Some(alarm_ms));
                alarm_ms
            }
        };
        if self.held.borrow()[policy.index()].is_some() {
            return Ok(());
        }
        let stored: Option<String> = self.storage.get(policy.as_str()).await?;
        // Another request may have loaded it meanwhile and charged it since.
        self.held.borrow_mut()[policy.index()].get_or_insert_with(|| {
            let algorithm = self.app.config.algorithm;
            let mut held = stored
                .and_then(|text| Held::decode(algorithm, &text))
                .unwrap_or_else(|| Held::new(algorithm));
            let lone_ms = alarm_ms.and_then(|at| at.checked_sub(ALARM_AFTER_MS));
            if let Some(lone_ms) = lone_ms.filter(|_| usual) {
                held.ledger.recall(lone_ms);
            }
            held
        });
        Ok(())
    }

    async fn keep(
        &self,
        policy: PolicyName,
        usual: bool,
        change: Change,
        now_ms: u64,
    ) -> Result<()> {
        match change {
            Change::Nothing => Ok(()),
            Change::Lone(lone_ms) => self.set_alarm(lone_ms).await,
            Change::Text(text) => {
                if needs_alarm(self.alarm_ms.get().flatten(), usual, now_ms) {
                    self.set_alarm(now_ms - LONG_AGO_MS).await?;
                }
                self.storage.put(policy.as_str(), text).await
            }
        }
    }

    /// Sets the alarm that holds the admission at `lone_ms`.
    async fn set_alarm(&self, lone_ms: u64) -> Result<()> {
        let at_ms = lone_ms + ALARM_AFTER_MS;
        // Not by a distance from now, which another reading of the clock could make a little longer.
        let at = js_sys::Date::new(&JsValue::from_f64(at_ms as f64));
        self.storage.set_alarm(ScheduledTime::new(at)).await?;
        self.alarm_ms.set(Some(Some(at_ms)));
        Ok(())
    }
}

/// Whether an alarm must be set beside a policy's text: there is none, or one that holds an admission of the future, from before the
/// clock went back. The usual policy's text has that admission as it counts now; another one's has not, so then the alarm stays.
pub(super) fn needs_alarm(alarm_ms: Option<u64>, usual: bool, now_ms: u64) -> bool {
    alarm_ms.is_none_or(|at_ms| usual && at_ms > now_ms + ALARM_AFTER_MS)
}
