//! Who is asking: bearer tokens, and the login that gives them out.

use serde::Deserialize;
use worker::Request;
use worker::wasm_bindgen::JsValue;

use crate::call::Call;
use crate::core::jwt::Claims;
use crate::core::{password, validate};
use crate::headers::Reply;
use crate::isolate::App;
use crate::logs::{self, Audit};
use crate::problem::{Failure, Problem};
use crate::{metrics, sql};

/// How long a token of ours is valid, in seconds.
const TOKEN_TTL_SECONDS: u64 = 3_600;

/// What the `Authorization` header says.
pub(crate) enum Caller {
    /// A valid token.
    Known(Claims),
    /// No token; or `had_token`, one that is not valid.
    Unknown { had_token: bool },
    /// There is no key to check tokens with.
    Unchecked,
}

/// Reads the bearer token (RFC 6750), from the header alone: never from a query, a cookie or another header.
pub(crate) fn authenticate(app: &App, request: &Request, now_ms: u64) -> Caller {
    let Some(key) = &app.key else {
        return Caller::Unchecked;
    };
    let Ok(Some(header)) = request.headers().get("authorization") else {
        return Caller::Unknown { had_token: false };
    };
    let token = bearer(&header);
    match token.and_then(|token| key.verify(token, now_ms / 1_000).ok()) {
        Some(claims) => Caller::Known(claims),
        None => {
            metrics::count(&app.metrics.tokens_rejected);
            Caller::Unknown {
                had_token: token.is_some(),
            }
        }
    }
}

/// The token of `Bearer <token>`, whatever the case of the scheme.
fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

#[derive(Deserialize)]
struct User {
    id: String,
    password_hash: String,
    role: String,
}

/// `POST /api/auth/login`. An unknown name and a wrong password get the same answer after the same work.
pub(crate) async fn login(call: &mut Call<'_>) -> Result<Reply, Failure> {
    let body = call.json_body().await?;
    let given = validate::credentials(&body)?;
    let app = call.app.clone();
    let (Some(key), Some(db)) = (&app.key, &app.db) else {
        return Err(Problem::unavailable("Logging in is not possible at the moment.").into());
    };
    let user: Option<User> = db
        .prepare(sql::USER_BY_NAME)
        .bind(&[JsValue::from_str(&given.username)])?
        .first(None)
        .await?;
    let fits = match &user {
        Some(user) => password::verify(&user.password_hash, &given.password),
        None => {
            password::verify_nobody(&given.password);
            false
        }
    };
    // The name that was tried is not logged: people type passwords into the wrong field.
    let audit = Audit {
        category: "auth",
        action: if fits {
            "login_success"
        } else {
            "login_failure"
        },
        user_id: user.as_ref().map(|user| user.id.clone()),
        metadata: call.metadata(&[("address", call.address())]),
    };
    call.after(logs::audit(app.clone(), audit));
    match user.filter(|_| fits) {
        Some(user) => {
            let token = key.mint(
                &user.id,
                &user.role,
                call.started_ms / 1_000,
                TOKEN_TTL_SECONDS,
            );
            Ok(Reply::json(
                200,
                format!(
                    "{{\"token\":\"{token}\",\"tokenType\":\"Bearer\",\"expiresIn\":{TOKEN_TTL_SECONDS}}}"
                ),
            ))
        }
        None => {
            metrics::count(&app.metrics.logins_failed);
            Err(Problem::new(401, "The user name or the password is wrong.")
                .with_header("WWW-Authenticate", "Bearer realm=\"edgeproof\"")
                .into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::bearer;

    #[test]
    fn the_scheme_has_any_case_and_the_token_is_all_that_follows() {
        for header in ["Bearer abc", "bearer abc", "BEARER  abc "] {
            assert_eq!(bearer(header), Some("abc"), "{header:?}");
        }
        for wrong in [
            "abc",
            "Bearer",
            "Bearer ",
            "Bearer\tabc",
            "Basic abc",
            "Bearerabc",
            "",
        ] {
            assert_eq!(bearer(wrong), None, "{wrong:?}");
        }
        // Two headers arrive joined; that is no token.
        assert_eq!(
            bearer("Bearer a.b.c, Bearer d.e.f"),
            Some("a.b.c, Bearer d.e.f")
        );
    }
}
