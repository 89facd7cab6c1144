//! Who is charged: a user or an address, and the name of the object that keeps their log.

use sha2::{Digest, Sha256};

/// Who a request is charged to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// The `sub` of a valid token.
    User(String),
    /// A client address as [`address::client`](crate::core::address::client) names it.
    Address(String),
}

impl Identity {
    /// The user's id, where there is a user.
    pub fn user_id(&self) -> Option<&str> {
        match self {
            Self::User(id) => Some(id),
            Self::Address(_) => None,
        }
    }

    /// The client's address, where there is no user.
    pub fn address(&self) -> Option<&str> {
        match self {
            Self::User(_) => None,
            Self::Address(address) => Some(address),
        }
    }

    /// Name of the Durable Object that counts for this identity: `u` or `a`, then 64 hexadecimal digits of SHA-256.
    ///
    /// Users and addresses are two key spaces because the letter differs, whatever the id says. Hashed, because an id may be of
    /// any length and hold any character, and because a name may show up in the platform's logs and metrics.
    pub fn object_name(&self) -> String {
        let (space, id) = match self {
            Self::User(id) => ('u', id),
            Self::Address(address) => ('a', address),
        };
        let mut name = String::with_capacity(65);
        name.push(space);
        push_hex(&mut name, &Sha256::digest(id.as_bytes()));
        name
    }
}

/// Appends two lower-case hexadecimal digits for each byte.
pub fn push_hex(text: &mut String, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
}

#[cfg(test)]
mod tests {
    use super::Identity;

    #[test]
    fn a_user_named_like_an_address_shares_nothing_with_it() {
        let address = Identity::Address("203.0.113.7".to_owned()).object_name();
        for id in ["203.0.113.7", "ip:203.0.113.7", "a203.0.113.7"] {
            assert_ne!(Identity::User(id.to_owned()).object_name(), address);
        }
    }

    #[test]
    fn any_id_makes_a_short_plain_name() {
        for id in ["", "user-demo", "a/b:c", "Ünïcødé 🚨", &"x".repeat(100_000)] {
            let name = Identity::User(id.to_owned()).object_name();
            assert_eq!(name.len(), 65);
            assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        }
    }

    #[test]
    fn the_name_is_the_published_digest() {
        // SHA-256 of "abc", FIPS 180-2 appendix B.1.
        assert_eq!(
            Identity::User("abc".to_owned()).object_name(),
            "uba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
