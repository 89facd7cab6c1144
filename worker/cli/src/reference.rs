//! Reference traffic: who asks for what, where and when, as data and a generator.
//!
//! A day's requests are drawn at once and sorted by time. The counts of the mix are exact; everything else (which user, when,
//! from where) is drawn from streams of the seed, so the same seed gives the same day.

mod senders;

use std::rc::Rc;
use std::time::Duration;

use edgeproof_cli::Named;
use edgeproof_cli::forecast::people::{DAY, DAYTIME, POPS, People};
use edgeproof_cli::traffic::{Planned, Sender, Senders, Traffic};
use edgeproof_sim::kernel::seed::Stream;
use edgeproof_sim::kernel::time::nanos;
use edgeproof_sim::topology::Pop;
use edgeproof_sim::{Builder, World};

/// The traffic, as `forecast` knows it.
pub const REFERENCE: Named = Named {
    name: "reference",
    help: "500 users at 20 PoPs: 45 % dashboard, 15 % reports, 20 % transactions, 15 % new transactions, 3 % logins, \
           2 % refused.",
    of_seed: |seed| Rc::new(Reference::new(seed)),
};

/// How many users there are.
pub(crate) const USERS: usize = 500;

/// Requests of a day.
const REQUESTS: u64 = 100_000;

/// Wrong passwords that one attacker tries, one after the other.
pub(crate) const GUESSES: u64 = 30;

/// How long an attacker takes for all of them.
const GUESSING: Duration = Duration::from_secs(30);

/// Requests of which a day must have a multiple, so that the mix comes out exactly.
pub(crate) const MIX_OF: u64 = 1_000;

/// What a reader must know to trust the figures as far as they go.
const ASSUMED: &str = "\
assumed  Users in proportion to 1 / rank^1.1; homes spread evenly over the PoPs; 5 % of a user's requests come in
         at another PoP, under the same address.
         Activity follows the hours of the home, by solar time: 1 + 0.8 cos, highest at 14:00. Each request comes on its own and not
         in sessions, so it wakes more objects and finds less in memory.
         2 % refused: 1.2 % are wrong passwords, 30 tries in half a minute from one address; 0.8 % are invalid.
         The first day begins with users and nothing else stored. A receiver of alerts is configured.
         Latencies and the number of isolates are the simulator's assumptions. CPU time is not simulated and not in the figures.";

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// `GET /api/dashboard`
    Dashboard,
    /// `GET /api/reports`
    Reports,
    /// `GET /api/transactions`
    List,
    /// `POST /api/transactions`, a valid one.
    Create,
    /// `POST /api/auth/login` with the right password.
    Login,
    /// `POST /api/auth/login` with a wrong password, one of a series.
    Guess,
    /// A read without a token.
    NoToken,
    /// A read with a token that somebody else signed.
    ForgedToken,
    /// A path that does not exist, with a valid token.
    UnknownPath,
    /// `POST /api/transactions` with a body that breaks the schema.
    BrokenBody,
    /// `POST /api/transactions` with a body that is not JSON by its media type.
    WrongMediaType,
}

/// How many of 1,000 requests are of each kind.
pub(crate) const MIX: [(Kind, u64); 11] = [
    (Kind::Dashboard, 450),
    (Kind::Reports, 150),
    (Kind::List, 200),
    (Kind::Create, 150),
    (Kind::Login, 30),
    (Kind::Guess, 12),
    (Kind::NoToken, 2),
    (Kind::ForgedToken, 2),
    (Kind::UnknownPath, 1),
    (Kind::BrokenBody, 2),
    (Kind::WrongMediaType, 1),
];

impl Kind {
    /// The kind at a place of the mix.
    pub(crate) const fn at(place: usize) -> Self {
        MIX[place].0
    }

    /// The name in reports.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Dashboard => "dashboard",
            Self::Reports => "reports",
            Self::List => "list",
            Self::Create => "create",
            Self::Login => "login",
            Self::Guess => "guess",
            Self::NoToken => "no_token",
            Self::ForgedToken => "forged_token",
            Self::UnknownPath => "unknown_path",
            Self::BrokenBody => "broken_body",
            Self::WrongMediaType => "wrong_media_type",
        }
    }
}

/// The traffic of a seed.
#[derive(Debug)]
pub(crate) struct Reference {
    seed: u64,
    people: People,
    kinds: Vec<String>,
}

impl Reference {
    pub(crate) fn new(seed: u64) -> Self {
        let pops = POPS.map(|code| Pop::from_code(code).expect("a code of the simulator's table"));
        Self {
            seed,
            people: People::new(seed, USERS, pops.to_vec(), DAYTIME),
            kinds: MIX.map(|(kind, _)| kind.name().to_owned()).to_vec(),
        }
    }

    /// Attackers, each at one PoP, at any time of the day, with [`GUESSES`] tries; the last may have fewer.
    fn guesses(&self, kind: usize, number: u64, stream: &mut Stream, planned: &mut Vec<Planned>) {
        let step = GUESSING / GUESSES as u32;
        let pops = self.people.pops();
        let mut left = number;
        for attacker in 0.. {
            if left == 0 {
                break;
            }
            let pop = pops[stream.below(pops.len() as u64) as usize];
            let victim = self.people.user(stream);
            let start = Duration::from_nanos(stream.below(nanos(DAY - GUESSING)));
            let tries = left.min(GUESSES);
            for try_number in 0..tries {
                let late = Duration::from_nanos(stream.below(nanos(step)));
                planned.push(Planned {
                    at: start + step * try_number as u32 + late,
                    pop,
                    sender: Sender::Attacker {
                        number: attacker,
                        victim,
                    },
                    kind,
                    draw: stream.next_u64(),
                });
            }
            left -= tries;
        }
    }
}

impl Traffic for Reference {
    fn name(&self) -> &str {
        REFERENCE.name
    }

    fn kinds(&self) -> &[String] {
        &self.kinds
    }

    fn users(&self) -> usize {
        USERS
    }

    fn pops(&self) -> &[Pop] {
        self.people.pops()
    }

    fn requests(&self) -> u64 {
        REQUESTS
    }

    fn multiple(&self) -> u64 {
        MIX_OF
    }

    fn assumed(&self) -> String {
        ASSUMED.to_owned()
    }

    fn furnish(&self, builder: Builder) -> Builder {
        senders::furnish(builder)
    }

    fn enter(&self, world: &World) -> Box<dyn Senders> {
        Box::new(senders::Users::new(world))
    }

    fn day(&self, day: u32, requests: u64) -> Vec<Planned> {
        let mut planned = Vec::with_capacity(requests as usize);
        for (place, (kind, share)) in MIX.into_iter().enumerate() {
            let mut stream = Stream::new(self.seed, &format!("forecast/{day}/{}", kind.name()));
            let number = requests / MIX_OF * share;
            if kind == Kind::Guess {
                self.guesses(place, number, &mut stream, &mut planned);
            } else {
                planned.extend((0..number).map(|_| self.people.request(place, &mut stream)));
            }
        }
        // Stable: what comes at the same instant stays in the order of the mix.
        planned.sort_by_key(|planned| planned.at);
        planned
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn counted<K: Ord>(keys: impl IntoIterator<Item = K>) -> BTreeMap<K, u64> {
        let mut counts = BTreeMap::new();
        for key in keys {
            *counts.entry(key).or_insert(0) += 1;
        }
        counts
    }

    #[test]
    fn the_mix_of_a_day_is_exact() {
        let day = Reference::new(0).day(0, 100_000);
        let expected = [
            (Kind::Dashboard, 45_000),
            (Kind::Reports, 15_000),
            (Kind::List, 20_000),
            (Kind::Create, 15_000),
            (Kind::Login, 3_000),
            (Kind::Guess, 1_200),
            (Kind::NoToken, 200),
            (Kind::ForgedToken, 200),
            (Kind::UnknownPath, 100),
            (Kind::BrokenBody, 200),
            (Kind::WrongMediaType, 100),
        ];
        assert_eq!(day.len(), 100_000);
        assert_eq!(
            counted(day.iter().map(|planned| Kind::at(planned.kind))),
            expected.into()
        );
        assert!(day.is_sorted_by_key(|planned| planned.at));
        assert!(day.iter().all(|planned| planned.at < DAY));
    }

    #[test]
    fn a_seed_has_one_day_and_every_day_is_another() {
        let day = |seed, day| Reference::new(seed).day(day, 1_000);
        assert_eq!(day(3, 0), day(3, 0));
        assert_ne!(day(3, 0), day(4, 0));
        assert_ne!(day(3, 0), day(3, 1));
    }

    #[test]
    fn users_are_as_active_as_zipf_says() {
        let day = Reference::new(1).day(0, 100_000);
        let users = counted(day.iter().filter_map(|planned| match planned.sender {
            Sender::User(user) => Some(user),
            Sender::Attacker { .. } => None,
        }));
        let all: f64 = (1..=USERS).map(|rank| (rank as f64).powf(-1.1)).sum();
        for rank in [1, 2, 10, 100] {
            let expected = 98_800.0 * (rank as f64).powf(-1.1) / all;
            let off = (users[&(rank - 1)] as f64 - expected).abs();
            // Five standard deviations of a Poisson draw.
            assert!(
                off < 5.0 * expected.sqrt(),
                "rank {rank}: {} and not {expected}",
                users[&(rank - 1)]
            );
        }
        assert!(users.len() > 490, "only {} users came", users.len());
    }

    #[test]
    fn one_person_in_twenty_travels_and_homes_are_spread_evenly() {
        let traffic = Reference::new(2);
        let homes = counted(traffic.people.homes().iter().map(|home| home.code()));
        assert_eq!(homes.len(), 20);
        assert!(homes.values().all(|&users| users == 25));
        let day = traffic.day(0, 100_000);
        let elsewhere = day.iter().filter(|planned| match planned.sender {
            Sender::User(user) => planned.pop != traffic.people.homes()[user],
            Sender::Attacker { .. } => false,
        });
        // A twentieth of 98,800, and five standard deviations.
        let elsewhere = elsewhere.count();
        assert!((4_600..5_290).contains(&elsewhere), "{elsewhere}");
    }

    #[test]
    fn attackers_try_thirty_passwords_within_half_a_minute() {
        let day = Reference::new(0).day(0, 100_000);
        let mut tries: BTreeMap<usize, Vec<Duration>> = BTreeMap::new();
        for planned in &day {
            if let Sender::Attacker { number, .. } = planned.sender {
                assert_eq!(Kind::at(planned.kind), Kind::Guess);
                tries.entry(number).or_default().push(planned.at);
            }
        }
        assert_eq!(tries.len(), 40);
        for at in tries.values() {
            assert_eq!(at.len(), 30);
            assert!(at[29] - at[0] <= GUESSING);
        }
        // The rest of a small day is one short series.
        let small = Reference::new(0).day(0, 3_000);
        let guesses = counted(small.iter().filter_map(|planned| match planned.sender {
            Sender::Attacker { number, .. } => Some(number),
            _ => None,
        }));
        assert_eq!(guesses, [(0, 30), (1, 6)].into());
    }
}
