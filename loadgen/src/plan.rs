//! What is sent: one request, many times, by some clients in the name of some users. A plan is data.

use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, Method};

/// The request that is sent again and again.
#[derive(Clone)]
pub struct Template {
    /// The method.
    pub method: Method,
    /// Path and query, beginning with `/`.
    pub path_and_query: String,
    /// Headers without `Host`, framing, and (where [`Auth::PerUser`]) without `Authorization`.
    pub headers: HeaderMap,
    /// The body, the same every time.
    pub body: Bytes,
}

impl Template {
    /// The path without its query.
    pub fn path(&self) -> &str {
        self.path_and_query
            .split('?')
            .next()
            .expect("split yields at least one piece")
    }
}

impl fmt::Debug for Template {
    /// Headers and body may hold credentials, so only their sizes are shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} ({} headers, {} body bytes)",
            self.method,
            self.path(),
            self.headers.len(),
            self.body.len()
        )
    }
}

/// How the requests authenticate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Auth {
    /// Not at all: the limiter sees the client's address.
    None,
    /// The target adds a valid bearer token of each request's user.
    PerUser,
    /// The template carries one credential for all.
    Given,
}

/// Which identities the limiter can tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identities {
    /// Every user of the plan: by token, or (where the target can set it) by an address of its own.
    PerUser,
    /// One: all requests carry the same token, or come from the same address.
    One,
}

/// A whole burst.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What is sent.
    pub template: Template,
    /// How it authenticates.
    pub auth: Auth,
    /// Which identities the limiter can tell apart.
    pub identities: Identities,
    /// How many requests in all; at least 1.
    pub requests: u64,
    /// How many are outstanding at most; at least 1.
    pub clients: u32,
    /// How many users share them; at least 1.
    pub users: u32,
    /// Names of the PoPs at which the requests enter; empty: the target chooses.
    pub pops: Vec<String>,
    /// The seed of the simulated world. Nothing in the plan itself is random.
    pub seed: u64,
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn plan(requests: u64, users: u32) -> Plan {
        Plan {
            template: Template {
                method: Method::POST,
                path_and_query: "/items".into(),
                headers: HeaderMap::new(),
                body: Bytes::new(),
            },
            auth: Auth::PerUser,
            identities: Identities::PerUser,
            requests,
            clients: 1,
            users,
            pops: Vec::new(),
            seed: 0,
        }
    }

    #[test]
    fn a_template_debugs_without_headers_and_body() {
        let mut plan = plan(1, 1);
        plan.template
            .headers
            .insert("x-api-key", "planted".parse().expect("ascii"));
        plan.template.body = Bytes::from_static(b"planted");
        plan.template.path_and_query = "/a?token=planted".into();
        assert!(!format!("{plan:?}").contains("planted"));
    }
}
