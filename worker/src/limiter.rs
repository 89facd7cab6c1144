//! Charging a request to a quota: the Durable Object that counts, the call to it, and what serves when it is away.
//!
//! One object per identity ([`Identity::object_name`]) sees all requests of that identity one after the other, wherever they
//! come in, so its log is exact. The caller names a policy; how much that policy allows the object reads from its own
//! environment, so no request can bring its own quota.
//!
//! *Cost.* One call. An admitted request writes one row: all that is kept of one policy is one value under one key. A denied one
//! writes nothing, but for the mark of an alert, once per dedupe window. While the object is awake its state is in memory and
//! nothing is read. What the object has denied, an isolate denies by itself ([`Denials`]) for as long as the object would: an
//! attacker costs little. An alarm, set with the first write, removes everything once it no longer matters.
//!
//! *The alarm holds an admission.* Setting it costs a row, as storing a value does. A user who comes now and then has a log of a
//! single admission each time. It is kept as an alarm exactly a week later ([`ALARM_AFTER_MS`]): so such a request costs one row and
//! not two, and no alarm comes before its user has been away for a week. There is one alarm and there are several policies; it is
//! for the one that the identity is charged to most ([`PolicyName::usual`]), which the caller says.
//!
//! *Away.* If the binding is absent or the call fails, this isolate counts in its own memory: reads and writes stay open within
//! the quota per isolate; logins are refused (503), because guessing passwords is what an attacker would cause such a failure
//! for. Health says `degraded` and one alert is sent.

// What `#[durable_object]` expands to for wasm has public functions without docs; all that is written here has them.
#![allow(missing_docs)]

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

// All of it: what the attribute of the object's class expands to needs names beyond those written here.
use worker::wasm_bindgen::JsValue;
use worker::*;

use crate::core::alert::Severity;
use crate::core::config::Config;
use crate::core::decimal;
use crate::core::identity::Identity;
use crate::core::limiter::{Algorithm, Decision, Ledger};
use crate::core::policy::{Policy, PolicyName, Quota};
use crate::core::time::DAY_MS;
use crate::isolate::{App, app, now_ms, within};
use crate::routes::Call;
use crate::{alerts, metrics};

/// After this the object counts as away, in milliseconds: longer than a call around the world, shorter than a client's patience.
const CALL_TIMEOUT_MS: u64 = 3_000;

/// The header in which the object answers. A body would have to be read as a stream, which takes several turns of the event loop.
const CHARGE_HEADER: &str = "charge";

/// How many ledgers an isolate keeps while the object is away.
const LEDGERS_MAX: usize = 10_000;

/// How many denials an isolate remembers.
const DENIALS_MAX: usize = 10_000;

/// The distance from a lone admission to the alarm that holds it. A release that changes it reads the alarms set before as
/// admissions that are off by the difference.
const ALARM_AFTER_MS: u64 = 7 * DAY_MS;

/// An alarm that holds no admission looks like one of so long ago that it matters in no window.
const LONG_AGO_MS: u64 = 2 * DAY_MS;

/// What charging a request gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Charge {
    pub(crate) decision: Decision,
    /// The first denial of this identity and policy in one window: worth a row in the log.
    pub(crate) first_denial: bool,
    /// Nobody has been told in the dedupe window.
    pub(crate) alert: bool,
    /// For how long, in milliseconds, a further denial would be neither.
    pub(crate) quiet_ms: u64,
    /// This isolate decided by itself, from its memory: others may be about to tell the same.
    pub(crate) alone: bool,
}

impl Charge {
    /// Six numbers: allowed, remaining, milliseconds until it comes back, first denial, alert, quiet.
    fn encode(self) -> String {
        let mut text = String::with_capacity(32);
        let flags = [u64::from(self.first_denial), u64::from(self.alert)];
        for number in [
            u64::from(self.decision.allowed),
            self.decision.remaining.into(),
            self.decision.reset_ms,
        ]
        .into_iter()
        .chain(flags)
        .chain([self.quiet_ms])
        {
            decimal::push(&mut text, number);
            text.push(' ');
        }
        text
    }

    fn decode(text: &str) -> Option<Self> {
        let mut numbers = text.split_ascii_whitespace().map(decimal::parse);
        let mut next = || numbers.next().flatten();
        let (allowed, remaining, reset_ms) = (next()? == 1, next()?.try_into().ok()?, next()?);
        Some(Self {
            decision: if allowed {
                Decision::admitted(remaining, reset_ms)
            } else {
                Decision::denied(reset_ms)
            },
            first_denial: next()? == 1,
            alert: next()? == 1,
            quiet_ms: next()?,
            alone: false,
        })
    }
}

/// Charges a request. `None`: nobody can count and the request must not go through (a login).
pub(crate) async fn charge(
    call: &Call<'_>,
    policy: &Policy,
    identity: &Identity,
) -> Option<Charge> {
    let app = &call.app;
    let name = identity.object_name();
    if let Some(decision) = app.denials.borrow().get(policy.name, &name, now_ms()) {
        return Some(Charge {
            decision,
            first_denial: false,
            alert: false,
            quiet_ms: 0,
            alone: false,
        });
    }
    let asked_ms = now_ms();
    let usual = policy.name == PolicyName::usual(identity);
    match ask(app, &name, policy.name, usual).await {
        Ok(charge) => {
            app.health.limiter.works();
            if !charge.decision.allowed {
                let denial = Denial::new(asked_ms, now_ms(), charge);
                app.denials.borrow_mut().put(policy.name, name, denial);
            }
            Some(charge)
        }
        Err(error) => {
            metrics::count(&app.metrics.rate_limit_fallbacks);
            // An absent binding has been told already, once for the isolate.
            if app.namespace.is_some() {
                app.health.limiter.failed(call.started_ms);
                console_error!("the rate limiter's object is away: {error}");
                let alert = call.alert(Severity::Critical, "The rate limiter's object cannot be reached; limits are kept per isolate and logins are refused.".to_owned());
                call.after(alerts::once(app.clone(), "limiter", alert));
            }
            (policy.name != PolicyName::Auth)
                .then(|| from_memory(app, &name, policy, call.started_ms))
        }
    }
}

/// Asks the object.
async fn ask(app: &App, name: &str, policy: PolicyName, usual: bool) -> Result<Charge> {
    let what = [if usual { "usual/" } else { "" }, policy.as_str()].concat();
    let text = within(CALL_TIMEOUT_MS, call(app, name, &what)).await;
    let text = text.ok_or_else(|| Error::RustError("no answer in time".into()))??;
    Charge::decode(&text).ok_or_else(|| Error::RustError("an answer that is no charge".into()))
}

/// Whether some object answers, without charging anybody.
pub(crate) async fn ping(app: &App) -> Result<()> {
    call(app, "ping", "ping").await.map(drop)
}

async fn call(app: &App, name: &str, what: &str) -> Result<String> {
    let namespace = app
        .namespace
        .as_ref()
        .ok_or_else(|| Error::BindingError("RATE_LIMITER".into()))?;
    // Nothing is looked up by this name: a stub's requests go to the object whatever the host.
    let mut url = String::from("https://rate-limiter/");
    url.push_str(what);
    let response = namespace.get_by_name(name)?.fetch_with_str(&url).await?;
    if response.status_code() != 200 {
        return Err(Error::RustError("the object refused".into()));
    }
    Ok(response.headers().get(CHARGE_HEADER)?.unwrap_or_default())
}

/// A denial as one isolate may repeat it without asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Denial {
    answered_ms: u64,
    reset_ms: u64,
    /// Up to here the object would certainly deny as well, and would not say that somebody should be told.
    holds_until_ms: u64,
}

impl Denial {
    /// The object decided at some instant between question and answer. So its wait is over, at the earliest, counted from the
    /// question.
    fn new(asked_ms: u64, answered_ms: u64, charge: Charge) -> Self {
        let reset_ms = charge.decision.reset_ms;
        Self {
            answered_ms,
            reset_ms,
            // The clock may have gone back meanwhile.
            holds_until_ms: asked_ms.min(answered_ms) + reset_ms.min(charge.quiet_ms),
        }
    }

    /// The denial at `now_ms`, while it holds. A clock that went back says nothing about how long that is: then the object is asked.
    fn at(&self, now_ms: u64) -> Option<Decision> {
        let since_ms = now_ms.checked_sub(self.answered_ms)?;
        // Counted from the answer, so never too early.
        (now_ms < self.holds_until_ms).then(|| Decision::denied(self.reset_ms - since_ms))
    }
}

/// What objects have denied lately.
#[derive(Debug, Default)]
pub(crate) struct Denials([BTreeMap<String, Denial>; 3]);

impl Denials {
    fn get(&self, policy: PolicyName, name: &str, now_ms: u64) -> Option<Decision> {
        self.0[policy.index()].get(name)?.at(now_ms)
    }

    fn put(&mut self, policy: PolicyName, name: String, denial: Denial) {
        let denials = &mut self.0[policy.index()];
        if denials.len() >= DENIALS_MAX {
            denials.retain(|_, old| old.holds_until_ms > denial.answered_ms);
            if denials.len() >= DENIALS_MAX {
                denials.pop_first();
            }
        }
        denials.insert(name, denial);
    }
}

/// The ledgers of an isolate, for as long as the object is away.
#[derive(Debug, Default)]
pub(crate) struct Ledgers(BTreeMap<String, Ledger>);

fn from_memory(app: &App, name: &str, policy: &Policy, now_ms: u64) -> Charge {
    let key = [policy.name.as_str(), ":", name].concat();
    let ledgers = &mut app.ledgers.borrow_mut().0;
    if ledgers.len() >= LEDGERS_MAX && !ledgers.contains_key(&key) {
        ledgers.retain(|_, ledger| ledger.expires_at_ms(policy.quota) > now_ms);
        if ledgers.len() >= LEDGERS_MAX {
            ledgers.pop_first();
        }
    }
    let ledger = ledgers
        .entry(key)
        .or_insert_with_key(|_| Ledger::new(app.config.algorithm));
    let decision = ledger.charge(policy.quota, now_ms);
    let mut said = app.said.borrow_mut();
    let mut claim = |what: &str, window_ms| {
        !decision.allowed
            && said.claim(
                &[what, policy.name.as_str(), ":", name].concat(),
                now_ms,
                window_ms,
            )
    };
    Charge {
        decision,
        first_denial: claim("denied:", policy.quota.window_ms),
        alert: claim("alerted:", app.config.alert_dedupe_ms),
        quiet_ms: 0,
        alone: true,
    }
}

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
fn needs_alarm(alarm_ms: Option<u64>, usual: bool, now_ms: u64) -> bool {
    alarm_ms.is_none_or(|at_ms| usual && at_ms > now_ms + ALARM_AFTER_MS)
}

/// What an object keeps for one policy.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Held {
    ledger: Ledger,
    /// When the last alert was claimed; 0 is never.
    alerted_ms: u64,
    /// When the last denial was claimed for the log; 0 is never. Stored with the next write only: losing it costs a row at most.
    denied_ms: u64,
}

impl Held {
    fn new(algorithm: Algorithm) -> Self {
        Self {
            ledger: Ledger::new(algorithm),
            alerted_ms: 0,
            denied_ms: 0,
        }
    }

    /// Takes what would lie in the future as just now, if the clock went back; true if there was any. Then it must be stored even
    /// if the request is denied, or it would be settled anew whenever it is read.
    fn settle(&mut self, quota: Quota, now_ms: u64) -> bool {
        let ahead = self.alerted_ms > now_ms || self.denied_ms > now_ms;
        self.alerted_ms = self.alerted_ms.min(now_ms);
        self.denied_ms = self.denied_ms.min(now_ms);
        self.ledger.settle(quota, now_ms) | ahead
    }

    /// After [`settle`](Self::settle).
    fn charge(&mut self, quota: Quota, dedupe_ms: u64, now_ms: u64) -> Charge {
        let decision = self.ledger.charge(quota, now_ms);
        let claim = |mark_ms: &mut u64, window_ms: u64| {
            let free = !decision.allowed
                && (*mark_ms == 0 || now_ms.saturating_sub(*mark_ms) >= window_ms);
            if free {
                *mark_ms = now_ms;
            }
            free
        };
        let first_denial = claim(&mut self.denied_ms, quota.window_ms);
        let alert = claim(&mut self.alerted_ms, dedupe_ms);
        let quiet_until_ms = (self.denied_ms + quota.window_ms).min(self.alerted_ms + dedupe_ms);
        Charge {
            decision,
            first_denial,
            alert,
            quiet_ms: quiet_until_ms.saturating_sub(now_ms),
            alone: false,
        }
    }

    fn matters_until_ms(&self, quota: Quota, config: &Config) -> u64 {
        let alerted = if self.alerted_ms == 0 {
            0
        } else {
            self.alerted_ms + config.alert_dedupe_ms
        };
        self.ledger.expires_at_ms(quota).max(alerted)
    }

    fn encode(&self) -> String {
        let mut text = String::with_capacity(256);
        decimal::push(&mut text, self.alerted_ms);
        text.push(' ');
        decimal::push(&mut text, self.denied_ms);
        text.push(' ');
        self.ledger.encode(&mut text);
        text
    }

    fn decode(algorithm: Algorithm, text: &str) -> Option<Self> {
        let (alerted, rest) = text.split_once(' ')?;
        let (denied, ledger) = rest.split_once(' ')?;
        let mark = |text| decimal::parse(text).filter(|mark_ms| *mark_ms < 1 << 60);
        Some(Self {
            ledger: Ledger::decode(algorithm, ledger)?,
            alerted_ms: mark(alerted)?,
            denied_ms: mark(denied)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{
        ALARM_AFTER_MS, Charge, DENIALS_MAX, Denial, Denials, Held, LONG_AGO_MS, needs_alarm,
    };
    use crate::core::limiter::{Algorithm, Decision};
    use crate::core::policy::{PolicyName, Quota};

    const START: u64 = 1_765_000_000_000;
    const QUOTA: Quota = Quota {
        limit: 2,
        window_ms: 60_000,
    };
    const DEDUPE_MS: u64 = 300_000;

    #[test]
    fn a_charge_reads_back_as_it_was_written() {
        for (allowed, first_denial, alert) in [
            (true, false, false),
            (false, true, true),
            (false, true, false),
            (false, false, false),
        ] {
            let decision = if allowed {
                Decision::admitted(49, 59_001)
            } else {
                Decision::denied(59_001)
            };
            let charge = Charge {
                decision,
                first_denial,
                alert,
                quiet_ms: 7,
                alone: false,
            };
            assert_eq!(Charge::decode(&charge.encode()), Some(charge));
        }
        for wrong in ["", "1", "1 2 3 4 5", "yes no", "1 -1 2 0 0 0"] {
            assert_eq!(Charge::decode(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn of_many_denials_one_is_logged_per_window_and_one_alerted_per_dedupe_window() {
        let mut held = Held::new(Algorithm::SlidingLog);
        let (mut logged, mut alerted) = (Vec::new(), Vec::new());
        for second in 0..400 {
            for _ in 0..3 {
                let charge = held.charge(QUOTA, DEDUPE_MS, START + second * 1_000);
                if charge.first_denial {
                    logged.push(second);
                }
                if charge.alert {
                    alerted.push(second);
                }
            }
        }
        assert_eq!(logged, [0, 60, 120, 180, 240, 300, 360]);
        assert_eq!(alerted, [0, 300]);
    }

    #[test]
    fn an_admitted_request_is_neither_logged_nor_alerted() {
        let mut held = Held::new(Algorithm::SlidingLog);
        let charge = held.charge(QUOTA, DEDUPE_MS, START);
        assert!(charge.decision.allowed && !charge.first_denial && !charge.alert);
    }

    #[test]
    fn the_mark_of_an_alert_outlives_the_memory() {
        let mut held = Held::new(Algorithm::SlidingLog);
        for _ in 0..2 {
            held.charge(QUOTA, DEDUPE_MS, START);
        }
        assert!(held.charge(QUOTA, DEDUPE_MS, START).alert);
        let mut restored = Held::decode(Algorithm::SlidingLog, &held.encode()).unwrap();
        assert_eq!(restored, held);
        let again = restored.charge(QUOTA, DEDUPE_MS, START + 20_000);
        assert!(!again.decision.allowed && !again.alert && !again.first_denial);
    }

    #[test]
    fn a_change_of_algorithm_starts_afresh() {
        let held = Held::new(Algorithm::SlidingLog);
        assert_eq!(Held::decode(Algorithm::TokenBucket, &held.encode()), None);
    }

    /// An object that decides at `decided_ms`, asked and heard by an isolate around that.
    fn heard(held: &mut Held, decided_ms: u64, dedupe_ms: u64) -> Denial {
        let charge = held.charge(QUOTA, dedupe_ms, decided_ms);
        assert!(!charge.decision.allowed);
        Denial::new(decided_ms - 40, decided_ms + 60, charge)
    }

    /// An object with its quota used up at once.
    fn full() -> Held {
        let mut held = Held::new(Algorithm::SlidingLog);
        for _ in 0..QUOTA.limit {
            held.charge(QUOTA, DEDUPE_MS, START);
        }
        held
    }

    #[test]
    fn an_isolate_repeats_a_denial_only_while_the_object_would_deny_and_its_retry_after_is_honest()
    {
        let mut held = Held::new(Algorithm::SlidingLog);
        held.charge(QUOTA, DEDUPE_MS, START);
        held.charge(QUOTA, DEDUPE_MS, START + 700);
        let mut repeated = 0;
        for decided_ms in (START + 701..START + 60_000).step_by(977) {
            let denial = heard(&mut held.clone(), decided_ms, DEDUPE_MS);
            for now_ms in (decided_ms + 60..decided_ms + 61_000).step_by(101) {
                let asked = held.clone().charge(QUOTA, DEDUPE_MS, now_ms).decision;
                let Some(decision) = denial.at(now_ms) else {
                    continue;
                };
                repeated += 1;
                assert!(
                    !asked.allowed,
                    "denied at {decided_ms}, repeated at {now_ms}"
                );
                assert!((1..=60).contains(&decision.reset_seconds));
                let retried_ms = now_ms + decision.reset_seconds * 1_000;
                assert!(
                    held.clone()
                        .charge(QUOTA, DEDUPE_MS, retried_ms)
                        .decision
                        .allowed
                );
            }
        }
        assert!(repeated > 10_000, "{repeated}");
    }

    #[test]
    fn a_repeated_denial_never_swallows_an_alert_or_a_row_that_is_due() {
        let mut held = full();
        let denial = heard(&mut held, START + 1_000, 10_000);
        assert!(denial.at(START + 10_900).is_some());
        assert_eq!(denial.at(START + 11_000), None);
        // Counted from the last alert, not from this denial.
        let denial = heard(&mut held, START + 9_000, 10_000);
        assert!(denial.at(START + 10_900).is_some());
        assert_eq!(denial.at(START + 11_000), None);
        // The first denial of the next window.
        let mut held = full();
        heard(&mut held, START + 1_000, DEDUPE_MS);
        for _ in 0..QUOTA.limit {
            assert!(
                held.charge(QUOTA, DEDUPE_MS, START + 60_000)
                    .decision
                    .allowed
            );
        }
        let denial = heard(&mut held, START + 60_500, DEDUPE_MS);
        assert!(denial.at(START + 60_900).is_some());
        assert_eq!(denial.at(START + 61_000), None);
    }

    #[test]
    fn a_clock_that_went_back_makes_the_isolate_ask() {
        let denial = heard(&mut full(), START + 1_000, DEDUPE_MS);
        assert_eq!(denial.at(START), None);
        // Between question and answer: it holds no longer than the answer says.
        let charge = full().charge(QUOTA, DEDUPE_MS, START + 1_000);
        let denial = Denial::new(START + 1_000, START - 2_000, charge);
        for now_ms in (START - 2_000..START + 120_000).step_by(500) {
            if let Some(decision) = denial.at(now_ms) {
                assert!((1..=60).contains(&decision.reset_seconds), "{decision:?}");
            }
        }
    }

    #[test]
    fn an_alarm_of_before_the_clock_went_back_is_replaced_only_beside_the_text_that_has_its_admission()
     {
        let held_since = |lone_ms: u64| Some(lone_ms + ALARM_AFTER_MS);
        for usual in [true, false] {
            assert!(needs_alarm(None, usual, START));
            assert!(!needs_alarm(held_since(START), usual, START));
            assert!(!needs_alarm(held_since(START - LONG_AGO_MS), usual, START));
        }
        assert!(needs_alarm(held_since(START + 1), true, START));
        assert!(!needs_alarm(held_since(START + 1), false, START));
    }

    #[test]
    fn denials_are_kept_apart_by_policy_and_name_and_their_number_is_bounded() {
        let mut held = full();
        let mut denials = Denials::default();
        for number in 0..DENIALS_MAX + 5 {
            let denial = heard(&mut held, START + 1_000, DEDUPE_MS);
            denials.put(PolicyName::Write, format!("u{number:06}"), denial);
        }
        assert_eq!(denials.0[PolicyName::Write.index()].len(), DENIALS_MAX);
        let now_ms = START + 2_000;
        assert!(denials.get(PolicyName::Write, "u010004", now_ms).is_some());
        assert!(
            denials
                .get(PolicyName::General, "u010004", now_ms)
                .is_none()
        );
        assert!(denials.get(PolicyName::Write, "u010005", now_ms).is_none());
    }
}
