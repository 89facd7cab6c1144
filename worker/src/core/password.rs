//! Password hashes: PBKDF2 with HMAC-SHA-256 (RFC 8018), the parameters inside the stored string.
//!
//! Stored form: `pbkdf2-sha256$<iterations>$<salt>$<hash>`, salt and hash in unpadded base64url. Iterations are read from the
//! string, so raising [`ITERATIONS`] leaves old hashes valid. Making users is not part of the API; [`hash`] is here for
//! seeds, tests and tools, which bring their own salt.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

/// Iterations of a new hash.
///
/// A request on the free plan has 10 ms of CPU in all (LIM 2026-07-28). SHA-256 in wasm needs roughly 0.4 µs a block and an
/// iteration is two blocks, so 5,000 iterations take about 4 ms and leave room for the rest of a login. That is far below
/// the 600,000 that OWASP's password storage cheat sheet asks for: what guards the passwords online is the `auth` quota, and
/// whoever has the paid plan (30 s of CPU) should store hashes with more.
pub const ITERATIONS: u32 = 5_000;

/// A stored string may not ask for more work than this, or a single bad row could use up a request's CPU.
const ITERATIONS_MAX: u32 = 2_000_000;

const HASH_BYTES: usize = 32;
const NAME: &str = "pbkdf2-sha256";

/// The string to store for `password`.
pub fn hash(password: &str, salt: &[u8], iterations: u32) -> String {
    let derived = derive(password, salt, iterations);
    format!(
        "{NAME}${iterations}${}${}",
        URL_SAFE_NO_PAD.encode(salt),
        URL_SAFE_NO_PAD.encode(derived)
    )
}

/// Whether `password` is the one that `stored` was made of. A string that is not of the stored form fits no password.
pub fn verify(stored: &str, password: &str) -> bool {
    let Some((iterations, salt, expected)) = parse(stored) else {
        return false;
    };
    derive(password, &salt, iterations).ct_eq(&expected).into()
}

/// Does the work of one [`verify`] and throws it away: for user names that do not exist, so that the time of an answer
/// does not tell which names do.
pub fn verify_nobody(password: &str) {
    std::hint::black_box(derive(password, b"nobody has this salt", ITERATIONS));
}

fn derive(password: &str, salt: &[u8], iterations: u32) -> [u8; HASH_BYTES] {
    pbkdf2::pbkdf2_hmac_array::<Sha256, HASH_BYTES>(password.as_bytes(), salt, iterations)
}

fn parse(stored: &str) -> Option<(u32, Vec<u8>, [u8; HASH_BYTES])> {
    let mut parts = stored.split('$');
    if parts.next()? != NAME {
        return None;
    }
    let iterations = parts
        .next()?
        .parse()
        .ok()
        .filter(|count| (1..=ITERATIONS_MAX).contains(count))?;
    let salt = URL_SAFE_NO_PAD.decode(parts.next()?).ok()?;
    let expected = URL_SAFE_NO_PAD
        .decode(parts.next()?)
        .ok()?
        .try_into()
        .ok()?;
    parts
        .next()
        .is_none()
        .then_some((iterations, salt, expected))
}

#[cfg(test)]
mod tests {
    use super::{ITERATIONS, derive, hash, verify};

    #[test]
    fn the_derivation_gives_the_published_vectors() {
        // RFC 7914 section 11, first 32 bytes.
        let mut hex = String::new();
        crate::core::identity::push_hex(&mut hex, &derive("passwd", b"salt", 1));
        assert_eq!(
            hex,
            "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"
        );
        hex.clear();
        crate::core::identity::push_hex(&mut hex, &derive("Password", b"NaCl", 80_000));
        assert_eq!(
            hex,
            "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56"
        );
    }

    #[test]
    fn only_the_right_password_fits() {
        let stored = hash("correct horse", b"some salt", 10);
        assert!(verify(&stored, "correct horse"));
        assert!(!verify(&stored, "correct horsf"));
        assert!(!verify(&stored, ""));
    }

    #[test]
    fn a_damaged_string_fits_no_password() {
        let stored = hash("secret", b"salt", 10);
        for damaged in [
            "",
            "secret",
            "$$$",
            "plain$10$c2FsdA$c2VjcmV0",
            "pbkdf2-sha256$0$c2FsdA$AAAA",
            "pbkdf2-sha256$-1$c2FsdA$AAAA",
            "pbkdf2-sha256$4000000000$c2FsdA$AAAA",
            &stored[..stored.len() - 2],
            &format!("{stored}$"),
            &stored.replace("$10$", "$11$"),
        ] {
            assert!(!verify(damaged, "secret"), "{damaged}");
        }
    }

    #[test]
    fn the_seed_of_the_environment_development_has_the_documented_passwords() {
        let seed = include_str!("../../seeds/development.sql");
        for (user, password) in [
            ("user-demo", "demo-pass-9137"),
            ("user-admin", "admin-pass-4821"),
        ] {
            let row = seed
                .lines()
                .find(|line| line.contains(user))
                .expect("the seed has a row for the user");
            let stored = row
                .split('\'')
                .find(|part| part.starts_with("pbkdf2-sha256$"))
                .expect("the row has a hash");
            assert!(verify(stored, password), "{user}");
            assert!(stored.contains(&format!("${ITERATIONS}$")), "{user}");
        }
    }
}
