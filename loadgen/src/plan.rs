//! What is sent and when: one request, many times, by some clients in the name of some users.
//!
//! A plan is data. Request number *i* belongs to user `i mod users` and enters at PoP `(i / users) mod pops`, so that every
//! user passes every PoP; which client carries it is decided while it runs (closed loop: the next free one). The same
//! plan gives the same requests on any target.

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
    /// Headers and body may hold credentials: only their sizes are told.
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

/// Whom the limiter can tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identities {
    /// Every user of the plan: by token, or (where the target can set it) by an address of its own.
    PerUser,
    /// Everybody is the same: one token, or one address.
    One,
}

/// A whole burst.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What is sent.
    pub template: Template,
    /// How it authenticates.
    pub auth: Auth,
    /// Whom the limiter can tell apart.
    pub identities: Identities,
    /// How many requests in all; at least 1.
    pub requests: u64,
    /// How many are outstanding at most; at least 1.
    pub clients: u32,
    /// How many users share them; at least 1.
    pub users: u32,
    /// Names of the PoPs at which the requests enter; empty: wherever the target puts them.
    pub pops: Vec<String>,
    /// The seed of the simulated world. Nothing in the plan itself is random.
    pub seed: u64,
}

/// One request of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Planned {
    /// Its number, from 0.
    pub index: u64,
    /// The client that carries it, from 0.
    pub client: u32,
    /// The user in whose name it is sent, from 0 (user 1 of the report).
    pub user: u32,
    /// Index into [`Plan::pops`]; `None` if the plan names no PoP.
    pub pop: Option<u32>,
}

impl Plan {
    /// Request number `index` in the hands of `client`.
    pub fn request(&self, index: u64, client: u32) -> Planned {
        let users = u64::from(self.users);
        let pops = self.pops.len() as u64;
        // The remainders are smaller than their divisors, which fit.
        Planned {
            index,
            client,
            user: (index % users) as u32,
            pop: (pops > 0).then(|| (index / users % pops) as u32),
        }
    }

    /// Which of [`Plan::identity_count`] identities the limiter charges for a request.
    pub fn identity(&self, request: &Planned) -> usize {
        match self.identities {
            Identities::PerUser => request.user as usize,
            Identities::One => 0,
        }
    }

    /// How many identities the limiter can tell apart in this plan.
    pub fn identity_count(&self) -> usize {
        match self.identities {
            Identities::PerUser => self.users as usize,
            Identities::One => 1,
        }
    }

    /// How many of the plan's requests are charged to `identity`.
    pub fn requests_of(&self, identity: usize) -> u64 {
        match self.identities {
            Identities::PerUser => {
                let users = u64::from(self.users);
                self.requests / users + u64::from((identity as u64) < self.requests % users)
            }
            Identities::One => self.requests,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn plan(requests: u64, users: u32) -> Plan {
        Plan {
            template: Template {
                method: Method::POST,
                path_and_query: "/api/transactions".into(),
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
    fn the_requests_of_all_identities_are_those_of_the_plan() {
        for (requests, users) in [(150, 1), (150, 4), (3, 7), (200_000, 5_000)] {
            let plan = plan(requests, users);
            let mut seen = vec![0; plan.identity_count()];
            for index in 0..requests {
                seen[plan.identity(&plan.request(index, 0))] += 1;
            }
            let planned: Vec<u64> = (0..plan.identity_count())
                .map(|identity| plan.requests_of(identity))
                .collect();
            assert_eq!(seen, planned);
        }
    }

    #[test]
    fn every_user_passes_every_pop() {
        let mut plan = plan(16, 2);
        plan.pops = vec!["MEX".into(), "LHR".into()];
        let seen: std::collections::BTreeSet<_> = (0..16)
            .map(|index| plan.request(index, 0))
            .map(|request| (request.user, request.pop))
            .collect();
        assert_eq!(seen.len(), 4);
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
