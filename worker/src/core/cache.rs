//! Cache policy: keys, lifetimes, and what a stored entry must look like to be served.
//!
//! A key holds the *version* of the user's data: the id of their newest transaction. Transactions are only ever added, so the
//! version changes in the same database transaction as the data, without a write of its own, and an entry under a version can
//! never become wrong. A read that began before a write stores under the old version, where nobody looks any more. Old
//! entries are not deleted; they expire.

use serde_json::value::RawValue;

use crate::core::config::{CACHE_TTL_MIN_SECONDS, Config};
use crate::core::decimal;
use crate::core::identity::Identity;

/// The longest entry that is taken, in bytes. The longest that is ever stored is some 15 kB: a dashboard with five descriptions of 500
/// characters that JSON escapes.
const ENTRY_MAX_BYTES: usize = 65_536;

/// What is cached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Totals and the latest transactions.
    Dashboard,
    /// Totals by month.
    Reports,
}

impl Kind {
    /// The first part of a key. The number is that of the body's form: a release that changes the form must raise it.
    fn prefix(self) -> &'static str {
        match self {
            Self::Dashboard => "dashboard:1:",
            Self::Reports => "reports:1:",
        }
    }

    /// How long an entry lives in KV, in seconds; never below KV's minimum.
    pub fn ttl_seconds(self, config: &Config) -> u64 {
        let configured = match self {
            Self::Dashboard => config.dashboard_ttl_seconds,
            Self::Reports => config.reports_ttl_seconds,
        };
        configured.max(CACHE_TTL_MIN_SECONDS)
    }

    /// How long an isolate's memory keeps a value, in seconds.
    pub fn memory_seconds(self, config: &Config) -> u64 {
        self.ttl_seconds(config).min(config.cache_ttl_seconds)
    }
}

/// The key of `user_id`'s value at `version`. Nothing of the request takes part, so no header or query makes another entry, and
/// the user's id is hashed, so that any id fits in KV's 512 bytes and no id can be written to look like another's key.
pub fn key(kind: Kind, user_id: &str, version: u64) -> String {
    let mut key = String::from(kind.prefix());
    key.push_str(&Identity::User(user_id.to_owned()).object_name()[1..]);
    key.push(':');
    decimal::push(&mut key, version);
    key
}

/// The JSON body held by a stored value, or `None` if the value is not one this code could have stored: then it is a miss.
pub fn usable(stored: &str) -> Option<&str> {
    if stored.len() > ENTRY_MAX_BYTES || !stored.starts_with("{\"data\":") {
        return None;
    }
    serde_json::from_str::<&RawValue>(stored)
        .ok()
        .map(RawValue::get)
}

#[cfg(test)]
mod tests {
    use super::{Kind, key, usable};
    use crate::core::config::Config;

    #[test]
    fn a_key_belongs_to_one_kind_user_and_version() {
        let one = key(Kind::Dashboard, "user-1", 7);
        assert!(one.starts_with("dashboard:1:") && one.ends_with(":7") && one.len() < 100);
        for other in [
            key(Kind::Reports, "user-1", 7),
            key(Kind::Dashboard, "user-2", 7),
            key(Kind::Dashboard, "user-1", 8),
        ] {
            assert_ne!(one, other);
        }
        assert_ne!(
            key(Kind::Dashboard, "a:1", 2),
            key(Kind::Dashboard, "a", 12)
        );
        assert!(key(Kind::Dashboard, &"é/".repeat(10_000), u64::MAX).len() <= 512);
    }

    #[test]
    fn zero_and_empty_values_are_values_and_damaged_ones_are_none() {
        for good in [
            r#"{"data":0}"#,
            r#"{"data":null}"#,
            r#"{"data":{}}"#,
            r#"{"data":{"transactionCount":0}}"#,
        ] {
            assert_eq!(usable(good), Some(good));
        }
        for damaged in [
            "",
            "null",
            "{}",
            "\u{0}",
            r#"{"data":"#,
            r#"{"data":{}} x"#,
            r#"["data"]"#,
            "<html>",
            r#"{"data":NaN}"#,
        ] {
            assert_eq!(usable(damaged), None, "{damaged}");
        }
        let long = |bytes: usize| format!("{{\"data\":\"{}\"}}", "x".repeat(bytes - 11));
        assert!(usable(&long(65_536)).is_some());
        assert_eq!(usable(&long(65_537)), None);
    }

    #[test]
    fn lifetimes_are_those_configured_and_never_below_60_seconds() {
        let mut config = Config::from_lookup(|_| None);
        assert_eq!(
            (
                Kind::Dashboard.ttl_seconds(&config),
                Kind::Reports.ttl_seconds(&config)
            ),
            (300, 600)
        );
        config.dashboard_ttl_seconds = 1;
        assert_eq!(Kind::Dashboard.ttl_seconds(&config), 60);
    }
}
