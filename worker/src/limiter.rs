//! Charging a request to a quota: the Durable Object that counts, the call to it, and what serves when it is away.
//!
//! One object per identity ([`Identity::object_name`]) sees all requests of that identity one after the other, wherever they
//! come in, so its log is exact. The caller names a policy; how much that policy allows the object reads from its own
//! environment, so no request can bring its own quota.
//!
//! *Cost.* One call. An admitted request writes one row: all that is kept of one policy is one value under one key. A denied one
//! writes nothing, but for the mark of an alert, once per dedupe window. While the object is awake its state is in memory and
//! nothing is read. What the object has denied, an isolate denies by itself ([`denials`]) for as long as the object would: an
//! attacker costs little. An alarm, set with the first write, removes everything once it no longer matters.
//!
//! *The alarm holds an admission.* Setting it costs a row, as storing a value does. A user who comes now and then has a log of a
//! single admission each time. It is kept as an alarm exactly a week later (`ALARM_AFTER_MS`): so such a request costs one row and
//! not two, and no alarm comes before its user has been away for a week. There is one alarm and there are several policies; it is
//! for the one that the identity is charged to most ([`PolicyName::usual`]), which the caller says.
//!
//! *Away.* If the binding is absent or the call fails, this isolate counts in its own memory: reads and writes stay open within
//! the quota per isolate; logins are refused (503), because guessing passwords is what an attacker would cause such a failure
//! for. Health says `degraded` and one alert is sent.

mod charge;
pub(crate) mod denials;
mod held;
pub(crate) mod ledgers;
mod object;

#[cfg(test)]
mod tests;

use worker::{Error, Result, console_error};

pub(crate) use charge::Charge;
pub use object::RateLimiter;

use crate::call::Call;
use crate::core::alert::Severity;
use crate::core::identity::Identity;
use crate::core::policy::{Policy, PolicyName};
use crate::isolate::{App, now_ms, within};
use crate::{alerts, metrics};
use charge::CHARGE_HEADER;
use denials::Denial;

/// After this the object counts as away, in milliseconds: longer than a call around the world, shorter than a client's patience.
const CALL_TIMEOUT_MS: u64 = 3_000;

/// Charges a request. `None`: nothing can count it, and it must not go through uncounted (a login).
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

/// Counts in this isolate's own memory.
fn from_memory(app: &App, name: &str, policy: &Policy, now_ms: u64) -> Charge {
    let mut ledgers = app.ledgers.borrow_mut();
    let decision = ledgers.charge(app.config.algorithm, policy, name, now_ms);
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
