//! The users, tokens and addresses of a sequence: its own, so that sequences do not meet in a quota or a list.

use crate::dice::Dice;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use edgeproof_worker::core::jwt::Key;
use edgeproof_worker::core::password;
use hmac::{Hmac, Mac as _};
use serde_json::json;
use sha2::Sha256;
use std::fmt::Write as _;

/// Signs tokens, on every arm.
pub(crate) const JWT_SECRET: &str = "a secret for tests, 32 bytes or more";

/// 2026-01-01 and 2100-01-01: tokens of the generator are valid whatever the arm's clock says, and the same bytes on every arm.
const ISSUED: u64 = 1_767_225_600;
const VALID_FOR: u64 = 4_102_444_800 - ISSUED;

/// Password of every user who can log in.
pub(crate) const PASSWORD: &str = "pass-Ünïcødé-7 'quoted'";

/// Rounds of the stored passwords: few, because what is compared is the answer and not the work.
const ITERATIONS: u32 = 500;

/// Normal users of a sequence.
pub(crate) const USERS: usize = 3;

/// What ids of users look like, behind the sequence's own beginning.
const IDS: [&str; 6] = [
    "ana",
    "ip:203.0.113.7",
    "b/o?b=1",
    "Zoë 🚨",
    "o'brien\"; --",
    "long-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
];

/// Who takes part in a sequence.
pub(crate) struct People {
    seed: u64,
    key: Key,
}

impl People {
    pub(crate) fn of(seed: u64) -> Self {
        Self {
            seed,
            key: Key::new(JWT_SECRET),
        }
    }

    /// The id of one of the normal users.
    pub(crate) fn user(&self, number: usize) -> String {
        let kind = (self.seed as usize * USERS + number) % IDS.len();
        format!("s{}.{number}-{}", self.seed, IDS[kind])
    }

    /// The id of the administrator.
    pub(crate) fn admin(&self) -> String {
        format!("s{}-admin", self.seed)
    }

    /// The name under which a user logs in: 0 is a normal user, 1 the administrator.
    pub(crate) fn username(&self, number: usize) -> String {
        format!("{}{}", ["useř-", "admin-"][number], self.seed)
    }

    /// SQL that makes those who can log in.
    pub(crate) fn sql(&self) -> String {
        let mut sql = String::new();
        for (number, (id, role)) in [(self.user(0), "user"), (self.admin(), "admin")]
            .into_iter()
            .enumerate()
        {
            let salt = format!("salt of {id}");
            let hash = password::hash(PASSWORD, salt.as_bytes(), ITERATIONS);
            writeln!(
                sql,
                "INSERT INTO users (id, username, password_hash, role) VALUES ('{}', '{}', '{hash}', '{role}');",
                id.replace('\'', "''"),
                self.username(number)
            )
            .expect("a String takes anything");
        }
        sql
    }

    /// One of the sequence's few client addresses, in one of its spellings.
    pub(crate) fn address(&self, dice: &mut Dice) -> String {
        let (high, low) = (self.seed >> 8 & 0x3f, self.seed & 0xff);
        let [a, b] = [dice.below(0xffff), dice.below(0xffff)];
        match dice.below(8) {
            0..=2 => format!("100.{}.{low}.1", 64 + high),
            3..=4 => format!("100.{}.{low}.2", 64 + high),
            // The same client as the first.
            5 => format!("::ffff:100.{}.{low}.1", 64 + high),
            // One network, whatever the rest.
            6 => format!("2001:db8:{:x}:1:{a:x}:{b:x}::7", self.seed),
            _ => format!("2001:DB8:{:X}:1::{a:X}", self.seed),
        }
    }

    /// `Authorization` with a good token of a user.
    pub(crate) fn bearer(&self, number: usize, dice: &mut Dice) -> Vec<u8> {
        self.scheme(
            &self.key.mint(&self.user(number), "user", ISSUED, VALID_FOR),
            dice,
        )
    }

    /// `Authorization` with a good token of the administrator.
    pub(crate) fn admin_bearer(&self, dice: &mut Dice) -> Vec<u8> {
        self.scheme(
            &self.key.mint(&self.admin(), "admin", ISSUED, VALID_FOR),
            dice,
        )
    }

    fn scheme(&self, token: &str, dice: &mut Dice) -> Vec<u8> {
        let scheme = dice.weighted(&[(8, "Bearer "), (1, "bearer "), (1, "BEARER   ")]);
        format!("{scheme}{token}").into_bytes()
    }

    /// `Authorization` that is no good, and what is wrong with it.
    pub(crate) fn bad_bearer(&self, dice: &mut Dice) -> (&'static str, Vec<u8>) {
        let user = self.user(dice.below(USERS));
        let good = self.key.mint(&user, "user", ISSUED, VALID_FOR);
        let (signed, signature) = good.rsplit_once('.').expect("three parts");
        let hs256 = r#"{"alg":"HS256","typ":"JWT"}"#;
        let exp = ISSUED + VALID_FOR;
        let payload = |value: serde_json::Value| self.signed(hs256, &value.to_string());
        let alg = |header: &str| {
            self.signed(
                header,
                &json!({"sub": user, "role": "admin", "exp": exp}).to_string(),
            )
        };
        let token = |text: String| format!("Bearer {text}").into_bytes();
        match dice.below(24) {
            0 => (
                "expired",
                token(self.key.mint(&user, "user", 1_577_836_800, 86_400)),
            ),
            1 => (
                "forged",
                token(
                    Key::new("another secret, also of some length")
                        .mint(&user, "admin", ISSUED, VALID_FOR),
                ),
            ),
            2 => ("alg none", token(alg(r#"{"alg":"none"}"#))),
            3 => (
                "alg none, unsigned",
                token(format!(
                    "{}.{}.",
                    URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#),
                    URL_SAFE_NO_PAD
                        .encode(json!({"sub": user, "role": "admin", "exp": exp}).to_string())
                )),
            ),
            4 => ("alg HS512", token(alg(r#"{"alg":"HS512","typ":"JWT"}"#))),
            5 => (
                "crit",
                token(alg(r#"{"alg":"HS256","crit":["b64"],"b64":false}"#)),
            ),
            6 => (
                "not yet valid",
                token(payload(
                    json!({"sub": user, "role": "user", "exp": exp, "nbf": exp - 1}),
                )),
            ),
            7 => (
                "no exp",
                token(payload(json!({"sub": user, "role": "user"}))),
            ),
            8 => (
                "exp is text",
                token(payload(
                    json!({"sub": user, "role": "user", "exp": exp.to_string()}),
                )),
            ),
            9 => (
                "no sub",
                token(payload(json!({"role": "user", "exp": exp}))),
            ),
            10 => (
                "empty sub",
                token(payload(json!({"sub": "", "role": "user", "exp": exp}))),
            ),
            11 => ("no role", token(payload(json!({"sub": user, "exp": exp})))),
            12 => (
                "an array",
                token(self.signed(hs256, &json!([user, "admin", exp]).to_string())),
            ),
            13 => ("no signature", token(signed.to_owned())),
            14 => (
                "short signature",
                token(format!("{signed}.{}", &signature[..20])),
            ),
            15 => ("padded", token(format!("{good}="))),
            16 => ("four parts", token(format!("{good}.{signature}"))),
            17 => (
                "not base64",
                token(format!("{}.!.{signature}", &signed[..10])),
            ),
            18 => ("no token", b"Bearer ".to_vec()),
            19 => ("another scheme", b"Basic dXNlcjpwYXNz".to_vec()),
            20 => ("no scheme", good.into_bytes()),
            21 => ("a tab", format!("Bearer\t{good}").into_bytes()),
            22 => (
                "not ASCII",
                [b"Bearer \xc3\xa4\xff.".as_slice(), signature.as_bytes()].concat(),
            ),
            _ => ("very long", token("x".repeat(3_000))),
        }
    }

    /// A token with any header and payload and the right signature.
    fn signed(&self, header: &str, payload: &str) -> String {
        let text = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header),
            URL_SAFE_NO_PAD.encode(payload)
        );
        let mut mac = Hmac::<Sha256>::new_from_slice(JWT_SECRET.as_bytes()).expect("any length");
        mac.update(text.as_bytes());
        format!(
            "{text}.{}",
            URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
        )
    }
}
