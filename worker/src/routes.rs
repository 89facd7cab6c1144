//! One request from its arrival to its answer.
//!
//! The order is fixed: preflight, health, authenticate, charge, route, method, 401 and 403, then the handler, which checks media
//! type, size, JSON and schema. Authentication comes before the quota because the quota belongs to a user; the quota comes
//! before routing so that guessing paths is limited like anything else.

use std::cell::Cell;

use worker::{Context, Env, Request, Response, Result as WorkerResult, console_log};

use crate::auth::{self, Caller};
use crate::call::Call;
use crate::core::accept;
use crate::core::alert::{self, Channel, Severity};
use crate::core::cache::Kind;
use crate::core::identity::Identity;
use crate::core::jwt::Role;
use crate::core::policy::{PolicyName, charged_to};
use crate::core::route::{Access, Route, Verb};
use crate::headers::{Form, Reply, Sent, response};
use crate::isolate::{app, new_id, now_ms};
use crate::logs::Audit;
use crate::problem::{Failure, Problem};
use crate::{alerts, body, cache, health, limiter, logs, metrics, transactions};

/// How much of a method's name goes into logs and alerts: it is whatever a client sends, in ASCII (RFC 9110 section 9.1).
const METHOD_MAX_BYTES: usize = 32;

/// Serves one request. An error here means that not even an answer could be built.
pub(crate) async fn serve(
    request: Request,
    env: &Env,
    context: &Context,
) -> WorkerResult<Response> {
    let app = app(env);
    // The method as it was sent: workers-rs takes every one that it does not know for GET.
    let mut method = request.inner().method();
    let mut call = Call {
        request_id: new_id(),
        started_ms: now_ms(),
        verb: match method.as_str() {
            "GET" => Verb::Get,
            "POST" => Verb::Post,
            "OPTIONS" => Verb::Options,
            _ => {
                method.truncate(METHOD_MAX_BYTES);
                Verb::Other
            }
        },
        path: request.path(),
        app,
        request,
        context,
        method,
        body_read: false,
        identity: None,
        charge: Cell::new(None),
    };
    call.announce();
    let reply = match answer(&mut call).await {
        Ok(reply) => reply,
        Err(failure) => call.failed(failure),
    };
    if !call.body_read {
        body::drain(&mut call.request).await;
    }
    call.finish(reply)
}

// Health, login and the cached reads are boxed: their futures are large, and every request's future would have room for them.
async fn answer(call: &mut Call<'_>) -> Result<Reply, Failure> {
    let app = call.app.clone();
    let route = Route::of(&call.path);
    if call.verb == Verb::Options {
        return Ok(preflight(route));
    }
    if route == Some(Route::Health) && call.verb == Verb::Get {
        return Ok(Box::pin(health::report(&app)).await);
    }

    // A login is charged by address and needs no token, so none is looked at.
    let caller = match route {
        Some(Route::Login | Route::Health) => Caller::Unknown { had_token: false },
        _ => auth::authenticate(&app, &call.request, call.started_ms),
    };
    let identity = match &caller {
        Caller::Known(claims) => Identity::User(claims.sub.clone()),
        _ => Identity::Address(call.address()),
    };
    let charged = charged_to(route, call.verb, matches!(caller, Caller::Known(_)));
    call.identity = Some(identity);
    if let Some(name) = charged.filter(|_| app.config.rate_limiting) {
        charge(call, name).await?;
    }

    let Some(route) = route else {
        return Err(Problem::new(404, "There is nothing under this path.").into());
    };
    if !route.serves(call.verb) {
        return Err(Problem::new(405, "This path does not know the method.")
            .with_header("Allow", route.allow())
            .into());
    }
    let (user_id, role) = match (route.access(), caller) {
        (Access::Public, _) => return Box::pin(auth::login(call)).await,
        (_, Caller::Known(claims)) => (claims.sub, claims.role),
        (_, Caller::Unchecked) => {
            return Err(Problem::unavailable("Tokens cannot be checked at the moment.").into());
        }
        (_, Caller::Unknown { had_token }) => return Err(Problem::unauthorized(had_token).into()),
    };
    if route.access() == Access::Admin && role != Role::Admin {
        return Err(Problem::new(403, "Only an administrator may do this.").into());
    }
    match (route, call.verb) {
        (Route::Transactions, Verb::Post) => transactions::create(call, &user_id).await,
        (Route::Transactions, _) => transactions::list(call, &user_id).await,
        (Route::Transaction(id), _) => transactions::one(call, &user_id, id).await,
        (Route::Dashboard, _) => Box::pin(cache::read(call, Kind::Dashboard, &user_id)).await,
        (Route::Reports, _) => Box::pin(cache::read(call, Kind::Reports, &user_id)).await,
        (Route::AuditLogs, _) => logs::list_audit(call).await,
        (Route::ErrorLogs, _) => logs::list_errors(call).await,
        (Route::AlertTest, _) => Ok(call.test_alert()),
        (Route::Metrics, _) => Ok(call.metrics()),
        (Route::Health | Route::Login, _) => Err(Failure::Unexpected(
            "a public route came past its handler".to_owned(),
        )),
    }
}

/// 204 for every `OPTIONS`: no token, no quota. Which origin may go on is said by `Access-Control-Allow-Origin`, on it and on
/// every other answer alike.
fn preflight(route: Option<Route>) -> Reply {
    let methods = route.map_or("GET, POST, OPTIONS", Route::allow);
    Reply::empty(204)
        .with_header("Allow", methods)
        .with_header("Access-Control-Allow-Methods", methods)
        .with_header(
            "Access-Control-Allow-Headers",
            "Authorization, Content-Type",
        )
        .with_header("Access-Control-Max-Age", "600")
}

/// Charges the request; a denied one ends here, and changes nothing but the log.
async fn charge(call: &Call<'_>, name: PolicyName) -> Result<(), Failure> {
    let app = call.app.clone();
    let policy = app.config.policies.get(name);
    let Some(identity) = &call.identity else {
        return Ok(());
    };
    let Some(charge) = limiter::charge(call, policy, identity).await else {
        return Err(Problem::unavailable("Logging in is not possible at the moment.").into());
    };
    call.charge.set(Some((name, charge.decision)));
    if charge.decision.allowed {
        return Ok(());
    }
    metrics::count(&app.metrics.rate_limit_hits);
    if charge.first_denial {
        let audit = Audit {
            category: "security",
            action: "rate_limit_exceeded",
            user_id: identity.user_id().map(str::to_owned),
            metadata: call.metadata(&[
                ("policy", name.as_str().to_owned()),
                ("address", identity.address().unwrap_or("").to_owned()),
            ]),
        };
        call.after(logs::audit(app.clone(), audit));
    }
    if charge.alert {
        let severity = if name == PolicyName::Auth {
            Severity::High
        } else {
            Severity::Medium
        };
        let mut alert = call.alert(
            severity,
            ["The quota of the policy ", name.as_str(), " is used up."].concat(),
        );
        alert.channel = Channel::Security;
        alert.details.policy = Some(name.as_str());
        if charge.alone {
            // Not one of the keys by which the isolate itself remembers what it said.
            let key = ["agreed:", name.as_str(), ":", &identity.object_name()].concat();
            call.after(alerts::once(app.clone(), key, alert));
        } else {
            call.after(alerts::send(app.clone(), alert));
        }
    }
    Err(Problem::quota_exceeded(name.as_str()).into())
}

impl Call<'_> {
    /// Tells once per isolate what is absent although it is needed.
    fn announce(&self) {
        if self.app.announced.replace(true) {
            return;
        }
        let absent = health::absent(&self.app);
        if !absent.is_empty() {
            let message = format!(
                "Bindings or secrets are absent, fallbacks serve: {}.",
                absent.join(", ")
            );
            worker::console_error!("{message}");
            self.after(alerts::once(
                self.app.clone(),
                "absent",
                self.alert(Severity::Critical, message),
            ));
        }
    }

    /// `POST /api/admin/alerts/test`
    fn test_alert(&self) -> Reply {
        let configured = self.app.config.error_webhook.is_some();
        let alert = self.alert(
            Severity::Low,
            "This is a test; nothing is wrong.".to_owned(),
        );
        self.after(alerts::send(self.app.clone(), alert));
        Reply::json(
            202,
            format!("{{\"data\":{{\"channel\":\"error\",\"configured\":{configured}}}}}"),
        )
    }

    /// `GET /api/admin/metrics`
    fn metrics(&self) -> Reply {
        let accept = self
            .request
            .headers()
            .get("accept")
            .ok()
            .flatten()
            .unwrap_or_default();
        if accept::prefers_text(&accept) {
            return Reply {
                status: 200,
                form: Form::Text,
                body: self.app.metrics.prometheus().into_bytes(),
                headers: Vec::new(),
            };
        }
        Reply::json(200, self.app.metrics.json())
    }

    /// The answer to a failure; an unexpected one is logged and alerted.
    fn failed(&self, failure: Failure) -> Reply {
        let (problem, what, key, detail) = match failure {
            Failure::Refused(problem) => return problem.reply(&self.request_id),
            Failure::Store(detail) => {
                self.app.health.database.failed(self.started_ms);
                let problem = Problem::unavailable("The database is not available at the moment.");
                (problem, "database query failed", "database", detail)
            }
            Failure::Unexpected(detail) => (
                Problem::new(500, "Something went wrong here. It has been logged."),
                "unexpected failure",
                "unexpected",
                detail,
            ),
        };
        // An engine's text may be long; what matters stands at its beginning.
        let detail: String = detail.chars().take(500).collect();
        let user_id = self
            .identity
            .as_ref()
            .and_then(Identity::user_id)
            .unwrap_or("")
            .to_owned();
        let metadata = self.metadata(&[("detail", detail), ("userId", user_id)]);
        self.after(logs::error(self.app.clone(), what, metadata));
        let alert = self.alert(
            Severity::High,
            [&what[..1].to_uppercase(), &what[1..], "."].concat(),
        );
        self.after(alerts::once(self.app.clone(), key, alert));
        problem.reply(&self.request_id)
    }

    /// The response, with all its headers, counted.
    fn finish(&self, reply: Reply) -> WorkerResult<Response> {
        let took_ms = now_ms().saturating_sub(self.started_ms);
        self.app.metrics.answered(reply.status, took_ms);
        let config = &self.app.config;
        if config.debug_logs {
            console_log!(
                "{} {} {} {took_ms} ms {}",
                self.method,
                // Not the path as it was sent, which may hold anything.
                alert::endpoint(&self.path),
                reply.status,
                self.request_id
            );
        }
        let origin = match config.allowed_origins.is_empty() {
            true => None,
            false => self.request.headers().get("origin").ok().flatten(),
        };
        let sent = Sent {
            request_id: &self.request_id,
            origin: origin.as_deref().filter(|origin| {
                config
                    .allowed_origins
                    .iter()
                    .any(|allowed| allowed == origin)
            }),
            charge: self
                .charge
                .get()
                .map(|(name, decision)| (config.policies.get(name), decision)),
        };
        response(&self.app.prepared, reply, &sent)
    }
}
