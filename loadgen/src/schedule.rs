//! Assigns each request of a plan to a user, a client and a PoP.
//!
//! Request number *i* belongs to user `i mod users` and enters at PoP `(i / users) mod pops`, so that every user uses
//! every PoP. The client is decided during the run (closed loop: the next free one). The same plan gives the same
//! requests on any target.

use crate::plan::{Identities, Plan};

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
    /// Request number `index`, sent by `client`.
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
mod tests {
    use crate::plan::tests::plan;

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
}
