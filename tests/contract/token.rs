//! Tokens, made here from the RFCs and not by the Worker's own code: right ones, and wrong ones of every kind.

use crate::clock::unix_seconds;
use crate::settings::jwt_secret;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

/// `text` in base64url.
pub(crate) fn base64url(text: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

/// A token with this header and these claims, signed with a secret (RFC 7515 section 3.1, RFC 7518 section 3.2).
pub(crate) fn signed(header: &Value, claims: &Value, secret: &str) -> String {
    let text = [base64url(header.to_string()), base64url(claims.to_string())].join(".");
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any length");
    mac.update(text.as_bytes());
    let signature = base64url(mac.finalize().into_bytes());
    [text, signature].join(".")
}

/// The header of a right token.
pub(crate) fn header() -> Value {
    json!({"alg": "HS256", "typ": "JWT"})
}

/// The claims of a right token, valid for an hour.
pub(crate) fn claims(id: &str, role: &str) -> Value {
    let now = unix_seconds();
    json!({"sub": id, "role": role, "iat": now, "exp": now + 3_600})
}

/// A right token.
pub(crate) fn valid(id: &str, role: &str) -> String {
    signed(&header(), &claims(id, role), &jwt_secret())
}

/// A valid token in which one claim is replaced.
pub(crate) fn with_claim(id: &str, name: &str, value: Value) -> String {
    let mut claims = claims(id, "user");
    claims[name] = value;
    signed(&header(), &claims, &jwt_secret())
}

/// A token that lacks one claim and is right otherwise.
pub(crate) fn without_claim(id: &str, name: &str) -> String {
    let mut claims = claims(id, "user");
    claims
        .as_object_mut()
        .expect("claims are an object")
        .remove(name);
    signed(&header(), &claims, &jwt_secret())
}
