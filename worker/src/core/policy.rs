//! The three policies: which quota a request is charged to.

use crate::core::decimal;
use crate::core::identity::Identity;
use crate::core::route::{Route, Verb};

/// Name of a quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyName {
    /// Reads, and everything that has no quota of its own.
    General,
    /// Login, by client address.
    Auth,
    /// Writes.
    Write,
}

impl PolicyName {
    /// All of them, in the order of [`index`](Self::index).
    pub const ALL: [Self; 3] = [Self::General, Self::Auth, Self::Write];

    /// The name as it stands in the `RateLimit` fields, in logs and in storage.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::General => "general",
            Self::Auth => "auth",
            Self::Write => "write",
        }
    }

    /// The policy of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|policy| policy.as_str() == name)
    }

    /// The policy that an identity of that kind is charged to most: reads for users, logins for addresses.
    pub fn usual(identity: &Identity) -> Self {
        match identity {
            Identity::User(_) => Self::General,
            Identity::Address(_) => Self::Auth,
        }
    }

    /// 0, 1 or 2: for tables with one entry per policy.
    pub fn index(self) -> usize {
        self as usize
    }
}

/// How much is admitted in which time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Requests of one identifier in one window; at least 1.
    pub limit: u32,
    /// Length of the window in milliseconds; at least 1,000 and whole seconds.
    pub window_ms: u64,
}

/// One policy as configured.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Its name.
    pub name: PolicyName,
    /// Its quota.
    pub quota: Quota,
    /// The value of the `RateLimit-Policy` field: `"write";q=50;w=60` (draft-ietf-httpapi-ratelimit-headers-10).
    pub field: String,
}

impl Policy {
    /// The policy `name` with `quota`.
    pub fn new(name: PolicyName, quota: Quota) -> Self {
        let mut field = String::from("\"");
        field.push_str(name.as_str());
        field.push_str("\";q=");
        decimal::push(&mut field, quota.limit.into());
        field.push_str(";w=");
        decimal::push(&mut field, quota.window_ms / 1_000);
        Self { name, quota, field }
    }
}

/// The policies of one configuration, found by name.
#[derive(Debug, Clone)]
pub struct Policies([Policy; 3]);

impl Policies {
    /// Three quotas with one window.
    pub fn new(general: u32, auth: u32, write: u32, window_ms: u64) -> Self {
        let limits = [general, auth, write];
        Self(PolicyName::ALL.map(|name| {
            Policy::new(
                name,
                Quota {
                    limit: limits[name.index()],
                    window_ms,
                },
            )
        }))
    }

    /// The policy of that name.
    pub fn get(&self, name: PolicyName) -> &Policy {
        &self.0[name.index()]
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Policy> {
        self.0.iter()
    }
}

/// Which policy a request is charged to. `authenticated`: it came with a valid token.
///
/// `None` is free of charge: health, and preflights, which never get this far. A login is charged by address and to `auth` even
/// with a token. A write without a token cannot write anything, so it is charged like any other unknown caller's request.
pub fn charged_to(route: Option<Route>, verb: Verb, authenticated: bool) -> Option<PolicyName> {
    match (route, verb) {
        (Some(Route::Health), _) => None,
        (Some(Route::Login), Verb::Post) => Some(PolicyName::Auth),
        (Some(Route::Transactions | Route::AlertTest), Verb::Post) if authenticated => {
            Some(PolicyName::Write)
        }
        _ => Some(PolicyName::General),
    }
}

#[cfg(test)]
mod tests {
    use super::{Policies, PolicyName, charged_to};
    use crate::core::route::{Route, Verb};

    #[test]
    fn the_field_names_quota_and_window() {
        let policies = Policies::new(100, 5, 50, 60_000);
        assert_eq!(policies.get(PolicyName::Write).field, "\"write\";q=50;w=60");
        assert_eq!(
            policies.get(PolicyName::General).field,
            "\"general\";q=100;w=60"
        );
        assert_eq!(policies.get(PolicyName::Auth).quota.limit, 5);
    }

    #[test]
    fn reads_never_consume_the_quota_of_writes() {
        for route in [
            Route::Transactions,
            Route::Dashboard,
            Route::Reports,
            Route::AuditLogs,
            Route::ErrorLogs,
            Route::Metrics,
        ] {
            assert_eq!(
                charged_to(Some(route), Verb::Get, true),
                Some(PolicyName::General)
            );
        }
        assert_eq!(
            charged_to(Some(Route::Transactions), Verb::Post, true),
            Some(PolicyName::Write)
        );
        assert_eq!(
            charged_to(Some(Route::Transactions), Verb::Other, true),
            Some(PolicyName::General)
        );
    }

    #[test]
    fn callers_without_a_token_are_charged_to_general_and_logins_to_auth() {
        assert_eq!(
            charged_to(Some(Route::Transactions), Verb::Post, false),
            Some(PolicyName::General)
        );
        assert_eq!(
            charged_to(None, Verb::Get, false),
            Some(PolicyName::General)
        );
        assert_eq!(
            charged_to(Some(Route::Login), Verb::Post, true),
            Some(PolicyName::Auth)
        );
        assert_eq!(charged_to(Some(Route::Health), Verb::Get, false), None);
    }

    #[test]
    fn names_read_back() {
        for name in PolicyName::ALL {
            assert_eq!(PolicyName::parse(name.as_str()), Some(name));
        }
        assert_eq!(PolicyName::parse("Write"), None);
    }
}
