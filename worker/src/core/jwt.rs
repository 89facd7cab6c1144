//! Bearer tokens: JSON Web Tokens signed with HS256 (RFC 7519, RFC 8725).
//!
//! One algorithm, chosen by the server: whatever a token's header says, the signature is checked with HMAC-SHA-256 first, in
//! constant time, and only then is anything of the token parsed. A token must carry `sub`, `role` and `exp`; `nbf` is
//! honoured; no leeway is given, for the clock is the platform's own. There is no revocation and no key rotation: a new
//! `AUTH_JWT_SECRET` makes every token invalid.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// `{"alg":"HS256","typ":"JWT"}` in base64url: the header of every token made here.
const HEADER: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9";

/// Longer tokens are refused unread. Request headers end at 128 KB (LIM 2026-07-28); a token of ours has about 200 bytes.
const TOKEN_MAX_BYTES: usize = 16_384;

/// What a user may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Their own transactions, dashboard and reports.
    User,
    /// Also the logs, the metrics and the alert test.
    Admin,
}

impl Role {
    /// The role of a `role` claim. Only the exact word `admin` makes an administrator.
    pub fn from_claim(claim: &str) -> Self {
        if claim == "admin" {
            Self::Admin
        } else {
            Self::User
        }
    }
}

/// Who a valid token speaks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// The user's id: never empty, otherwise any text.
    pub sub: String,
    /// The user's role.
    pub role: Role,
}

/// Why a token is refused. Told to logs and tests; the client learns only that its token is invalid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rejection {
    /// Not three parts of base64url, or not the JSON that a token must hold.
    Malformed,
    /// Signed with another key or another algorithm, or not at all.
    Forged,
    /// `exp` has passed.
    Expired,
    /// `nbf` is still to come.
    NotYetValid,
}

/// A signing key with the key's two hash blocks already done, so that a check costs only the token's own blocks.
#[derive(Clone)]
pub struct Key(Hmac<Sha256>);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(hidden)")
    }
}

#[derive(Deserialize)]
struct HeaderIn<'a> {
    #[serde(borrow)]
    alg: Cow<'a, str>,
    /// RFC 7515 §4.1.11: a header with critical extensions that are not understood must be refused, and none is.
    #[serde(default, borrow)]
    crit: Option<&'a serde_json::value::RawValue>,
}

#[derive(Deserialize)]
struct ClaimsIn<'a> {
    sub: String,
    #[serde(borrow)]
    role: Cow<'a, str>,
    /// RFC 7519 §2: a NumericDate may have a fraction.
    exp: f64,
    #[serde(default)]
    nbf: Option<f64>,
}

#[derive(Serialize)]
struct ClaimsOut<'a> {
    sub: &'a str,
    role: &'a str,
    iat: u64,
    exp: u64,
}

impl Key {
    /// The key made of the bytes of `secret`; any length is accepted, 32 bytes or more are needed for safety (RFC 7518 §3.2).
    pub fn new(secret: &str) -> Self {
        Self(Hmac::new_from_slice(secret.as_bytes()).expect("HMAC takes a key of any length"))
    }

    /// A token for `sub` with `role`, valid from `issued_at` (Unix seconds) for `ttl` seconds.
    pub fn mint(&self, sub: &str, role: &str, issued_at: u64, ttl: u64) -> String {
        let claims = ClaimsOut {
            sub,
            role,
            iat: issued_at,
            exp: issued_at.saturating_add(ttl),
        };
        let claims = serde_json::to_vec(&claims).expect("text and whole numbers are always JSON");
        let mut token = String::with_capacity(HEADER.len() + 46 + claims.len() * 4 / 3);
        token.push_str(HEADER);
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(&claims, &mut token);
        let mut mac = self.0.clone();
        mac.update(token.as_bytes());
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(mac.finalize().into_bytes(), &mut token);
        token
    }

    /// Who `token` speaks for at `now_seconds` (Unix seconds).
    pub fn verify(&self, token: &str, now_seconds: u64) -> Result<Claims, Rejection> {
        if token.len() > TOKEN_MAX_BYTES {
            return Err(Rejection::Malformed);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(Rejection::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(Rejection::Malformed)?;
        if payload.contains('.') {
            return Err(Rejection::Malformed);
        }
        // 33 bytes: one more than a signature has, so that a longer one is seen to be longer.
        let mut given = [0u8; 33];
        let given_bytes = URL_SAFE_NO_PAD
            .decode_slice(signature, &mut given)
            .map_err(|_| Rejection::Malformed)?;
        let mut mac = self.0.clone();
        mac.update(signed.as_bytes());
        mac.verify_slice(&given[..given_bytes])
            .map_err(|_| Rejection::Forged)?;

        if header != HEADER {
            let header = URL_SAFE_NO_PAD
                .decode(header)
                .map_err(|_| Rejection::Malformed)?;
            let header: HeaderIn<'_> =
                serde_json::from_slice(&header).map_err(|_| Rejection::Malformed)?;
            if header.alg != "HS256" {
                return Err(Rejection::Forged);
            }
            if header.crit.is_some() {
                return Err(Rejection::Malformed);
            }
        }
        let payload = URL_SAFE_NO_PAD
            .decode(payload)
            .map_err(|_| Rejection::Malformed)?;
        // An array would be read as the members in order, and no issuer writes tokens so.
        if payload.first() != Some(&b'{') {
            return Err(Rejection::Malformed);
        }
        let claims: ClaimsIn<'_> =
            serde_json::from_slice(&payload).map_err(|_| Rejection::Malformed)?;
        if claims.sub.is_empty() {
            return Err(Rejection::Malformed);
        }
        let now = now_seconds as f64;
        if claims.exp <= now {
            return Err(Rejection::Expired);
        }
        if claims.nbf.is_some_and(|nbf| nbf > now) {
            return Err(Rejection::NotYetValid);
        }
        Ok(Claims {
            role: Role::from_claim(&claims.role),
            sub: claims.sub,
        })
    }
}

/// A token signed with `secret` for `sub` with `role` (`"user"` or `"admin"`), issued at `issued_at` (Unix seconds) and valid
/// for `ttl` seconds: [`Key::mint`] for tools that need one token only.
///
/// ```
/// use edgeproof_worker::core::jwt::{Key, Role, mint};
/// let token = mint("a secret of at least thirty-two bytes", "user-1", "user", 1_000, 60);
/// let claims = Key::new("a secret of at least thirty-two bytes").verify(&token, 1_059).unwrap();
/// assert_eq!((claims.sub.as_str(), claims.role), ("user-1", Role::User));
/// ```
pub fn mint(secret: &str, sub: &str, role: &str, issued_at: u64, ttl: u64) -> String {
    Key::new(secret).mint(sub, role, issued_at, ttl)
}

#[cfg(test)]
mod tests {
    use super::{Claims, HEADER, Key, Rejection, Role, mint};
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use hmac::Mac as _;
    use proptest::prelude::*;

    const SECRET: &str = "test-secret-with-more-than-32-bytes!";
    const NOW: u64 = 1_765_000_000;

    fn signed(header: &str, payload: &str) -> String {
        let text = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header),
            URL_SAFE_NO_PAD.encode(payload)
        );
        let mut mac = Key::new(SECRET).0;
        mac.update(text.as_bytes());
        format!(
            "{text}.{}",
            URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
        )
    }

    fn with_payload(payload: &str) -> Result<Claims, Rejection> {
        Key::new(SECRET).verify(&signed(r#"{"alg":"HS256","typ":"JWT"}"#, payload), NOW)
    }

    #[test]
    fn a_token_of_ours_says_who_and_in_which_role() {
        let key = Key::new(SECRET);
        for id in [
            "user-demo",
            "ip:203.0.113.7",
            "a/b?c=d",
            "Ünïcødé 🚨 \"quoted\"",
            &"x".repeat(4_000),
        ] {
            let token = key.mint(id, "user", NOW, 3_600);
            assert_eq!(
                key.verify(&token, NOW),
                Ok(Claims {
                    sub: id.to_owned(),
                    role: Role::User
                })
            );
        }
        assert_eq!(
            key.verify(&mint(SECRET, "a", "admin", NOW, 1), NOW)
                .map(|claims| claims.role),
            Ok(Role::Admin)
        );
    }

    #[test]
    fn the_signature_is_that_of_rfc_7515() {
        // RFC 7515 appendix A.1: the key is binary, so the check goes through the same HMAC without `Key::new`.
        let key = URL_SAFE_NO_PAD
            .decode("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow")
            .unwrap();
        let key = Key(hmac::Hmac::new_from_slice(&key).unwrap());
        let token = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.\
                     eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.\
                     dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        // The signature holds; the token is refused because it has no `sub`.
        assert_eq!(key.verify(token, 0), Err(Rejection::Malformed));
        assert_eq!(Key::new(SECRET).verify(token, 0), Err(Rejection::Forged));
    }

    #[test]
    fn another_algorithm_is_refused_even_with_the_right_signature() {
        let payload = format!(r#"{{"sub":"a","role":"user","exp":{}}}"#, NOW + 60);
        for header in [
            r#"{"alg":"none"}"#,
            r#"{"alg":"None"}"#,
            r#"{"alg":"hs256"}"#,
            r#"{"alg":"HS512"}"#,
            r#"{"alg":"RS256"}"#,
            r#"{"typ":"JWT"}"#,
            r#"{"alg":"HS256","crit":["b64"],"b64":false}"#,
            r#"{"alg":"HS256","alg":"none"}"#,
            "{}",
            "null",
            "",
        ] {
            assert!(
                Key::new(SECRET)
                    .verify(&signed(header, &payload), NOW)
                    .is_err(),
                "{header}"
            );
        }
        assert!(
            Key::new(SECRET)
                .verify(
                    &signed(r#"{"typ":"JWT","alg":"HS256","kid":"1"}"#, &payload),
                    NOW
                )
                .is_ok()
        );
    }

    #[test]
    fn an_unsigned_token_is_refused() {
        let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
        let payload = URL_SAFE_NO_PAD.encode(format!(
            r#"{{"sub":"a","role":"admin","exp":{}}}"#,
            NOW + 60
        ));
        for token in [
            format!("{none}.{payload}."),
            format!("{none}.{payload}"),
            format!("{HEADER}.{payload}."),
            format!("{HEADER}.{payload}.AA"),
        ] {
            assert!(Key::new(SECRET).verify(&token, NOW).is_err(), "{token}");
        }
    }

    #[test]
    fn every_changed_character_is_noticed() {
        let token = mint(SECRET, "user-1", "user", NOW, 60);
        for at in 0..token.len() {
            let mut forged = token.clone().into_bytes();
            forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
            let forged = String::from_utf8(forged).unwrap();
            assert!(
                Key::new(SECRET).verify(&forged, NOW).is_err(),
                "changed at {at}"
            );
        }
        assert!(
            Key::new("another secret, also of some length")
                .verify(&token, NOW)
                .is_err()
        );
        assert!(Key::new(SECRET).verify(&format!("{token}="), NOW).is_err());
        assert!(Key::new(SECRET).verify(&format!("{token}.x"), NOW).is_err());
    }

    #[test]
    fn a_shortened_or_lengthened_signature_is_refused() {
        let token = mint(SECRET, "user-1", "admin", NOW, 60);
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let bytes = URL_SAFE_NO_PAD.decode(signature).unwrap();
        for length in 0..bytes.len() {
            let shortened = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(&bytes[..length]));
            assert!(
                Key::new(SECRET).verify(&shortened, NOW).is_err(),
                "{length} bytes"
            );
        }
        for more in [1, 2, 100] {
            let longer = format!(
                "{signed}.{}",
                URL_SAFE_NO_PAD.encode([&bytes[..], &vec![0; more]].concat())
            );
            assert!(
                Key::new(SECRET).verify(&longer, NOW).is_err(),
                "{more} bytes more"
            );
        }
    }

    #[test]
    fn a_token_is_valid_from_nbf_until_before_exp() {
        let token = mint(SECRET, "a", "user", NOW, 60);
        assert!(Key::new(SECRET).verify(&token, NOW + 59).is_ok());
        assert_eq!(
            Key::new(SECRET).verify(&token, NOW + 60),
            Err(Rejection::Expired)
        );
        let nbf = |nbf: u64| {
            with_payload(&format!(
                r#"{{"sub":"a","role":"user","exp":{},"nbf":{nbf}}}"#,
                NOW + 99
            ))
        };
        assert!(nbf(NOW).is_ok());
        assert_eq!(nbf(NOW + 1), Err(Rejection::NotYetValid));
    }

    #[test]
    fn claims_that_are_missing_or_of_another_kind_are_refused() {
        let exp = NOW + 60;
        for payload in [
            r#"{"sub":"a","role":"user"}"#.to_owned(),
            format!(r#"{{"role":"user","exp":{exp}}}"#),
            format!(r#"{{"sub":"a","exp":{exp}}}"#),
            format!(r#"{{"sub":"","role":"user","exp":{exp}}}"#),
            format!(r#"{{"sub":7,"role":"user","exp":{exp}}}"#),
            format!(r#"{{"sub":"a","role":["admin"],"exp":{exp}}}"#),
            format!(r#"{{"sub":"a","role":"user","exp":"{exp}"}}"#),
            r#"{"sub":"a","role":"user","exp":null}"#.to_owned(),
            r#"{"sub":"a","role":"user","exp":1e999}"#.to_owned(),
            r#"{"sub":"a","role":"user","exp":-1}"#.to_owned(),
            format!(r#"{{"sub":"a","sub":"b","role":"user","exp":{exp}}}"#),
            format!(r#"["a","admin",{exp}]"#),
            "{".to_owned(),
        ] {
            assert!(with_payload(&payload).is_err(), "{payload}");
        }
    }

    #[test]
    fn only_the_exact_word_makes_an_administrator() {
        for role in ["Admin", "ADMIN", " admin", "administrator", "root", ""] {
            let claims = with_payload(&format!(
                r#"{{"sub":"a","role":"{role}","exp":{}}}"#,
                NOW + 60
            ))
            .unwrap();
            assert_eq!(claims.role, Role::User, "{role:?}");
        }
    }

    #[test]
    fn a_key_does_not_show_its_secret() {
        assert_eq!(format!("{:?}", Key::new(SECRET)), "Key(hidden)");
    }

    proptest! {
        #[test]
        fn no_text_is_accepted_or_panics(token in "\\PC{0,80}", dots in "[A-Za-z0-9_-]{0,40}\\.[A-Za-z0-9_-]{0,40}\\.[A-Za-z0-9_-]{0,50}") {
            prop_assert!(Key::new(SECRET).verify(&token, NOW).is_err());
            prop_assert!(Key::new(SECRET).verify(&dots, NOW).is_err());
        }
    }
}
