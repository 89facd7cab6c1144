//! Reference traffic: who asks for what, where and when, as data and a generator.
//!
//! A day's requests are drawn at once and sorted by time. The counts of the mix are exact; everything else (which user, when,
//! from where) is drawn from streams of the seed, so the same seed gives the same day.
//!
//! Each request is on its own: its user is drawn by the user's weight, its instant by the hours of the user's home. Real people
//! come in sessions. Requests that come singly find less in the isolates' memory and wake more sleeping objects, so the
//! allowances are used up faster here.

use std::time::Duration;

use edgeproof_sim::kernel::seed::Stream;
use edgeproof_sim::topology::Pop;

/// How many users there are.
pub(crate) const USERS: usize = 500;

/// The exponent of Zipf's law: the user of rank k is active in proportion to 1 / k^1.1.
const ZIPF_EXPONENT: f64 = 1.1;

/// Where users live: the first is also where D1 is. Every PoP is home to as many of them.
#[rustfmt::skip] // By continent, a line each.
pub(crate) const POPS: [&str; 20] = [
    "IAD", "SJC", "ORD", "MEX",
    "BOG", "GRU", "EZE",
    "LHR", "FRA", "MAD", "WAW",
    "JNB", "LOS",
    "DXB", "BOM", "SIN", "HKG", "NRT",
    "SYD", "AKL",
];

/// How many of a user's 100 requests come in at another PoP than the one at home, as when routes change. The address stays.
const ELSEWHERE_PERCENT: u64 = 5;

/// How active people are in each hour of their own day: 1 + 0.8 cos(2π (hour + ½ - 14) / 24), in hundredths.
#[rustfmt::skip] // Half a day, a line.
const HOURS: [u64; 24] = [
    26, 21, 21, 26, 37, 51, 69, 90, 110, 131, 149, 163,
    174, 179, 179, 174, 163, 149, 131, 110, 90, 69, 51, 37,
];

/// Wrong passwords that one attacker tries, one after the other.
pub(crate) const GUESSES: u64 = 30;

/// How long an attacker takes for all of them.
const GUESSING: Duration = Duration::from_secs(30);

/// Requests of which a day must have a multiple, so that the mix comes out exactly.
pub(crate) const MIX_OF: u64 = 1_000;

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

/// Who sends a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Sender {
    /// A user, under the address that the user always has.
    User(usize),
    /// Somebody who guesses the password of `victim`; attackers are numbered within a day.
    Attacker {
        /// The attacker's number.
        number: usize,
        /// The user whose password is guessed.
        victim: usize,
    },
}

/// One request to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Planned {
    /// Time since 00:00 UTC.
    pub(crate) at: Duration,
    /// Where it comes in.
    pub(crate) pop: Pop,
    pub(crate) sender: Sender,
    pub(crate) kind: Kind,
    /// Chance for what the request says.
    pub(crate) draw: u64,
}

/// The users: how active each is, and where each lives.
#[derive(Debug)]
pub(crate) struct Traffic {
    seed: u64,
    /// Sums of the weights up to each user, in whole numbers: the last bits of a power differ between C libraries.
    weights: Vec<u64>,
    homes: Vec<Pop>,
    pops: Vec<Pop>,
}

impl Traffic {
    /// The users of a seed.
    pub(crate) fn reference(seed: u64) -> Self {
        let mut sum = 0;
        let weights = (1..=USERS).map(|rank| {
            sum += (1e9 / (rank as f64).powf(ZIPF_EXPONENT)).round() as u64;
            sum
        });
        let pops = POPS.map(|code| Pop::from_code(code).expect("a code of the simulator's table"));
        let mut homes: Vec<Pop> = (0..USERS).map(|user| pops[user % pops.len()]).collect();
        let mut stream = Stream::new(seed, "forecast/homes");
        for last in (1..homes.len()).rev() {
            homes.swap(last, stream.below(last as u64 + 1) as usize);
        }
        Self {
            seed,
            weights: weights.collect(),
            homes,
            pops: pops.to_vec(),
        }
    }

    /// The requests of a day, in order of time. `requests` is a multiple of [`MIX_OF`].
    pub(crate) fn day(&self, day: u32, requests: u64) -> Vec<Planned> {
        let mut planned = Vec::with_capacity(requests as usize);
        for (kind, share) in MIX {
            let mut stream = Stream::new(self.seed, &format!("forecast/{day}/{}", kind.name()));
            let number = requests / MIX_OF * share;
            if kind == Kind::Guess {
                self.guesses(number, &mut stream, &mut planned);
            } else {
                planned.extend((0..number).map(|_| self.request(kind, &mut stream)));
            }
        }
        // Stable: what comes at the same instant stays in the order of the mix.
        planned.sort_by_key(|planned| planned.at);
        planned
    }

    /// One request of some user.
    fn request(&self, kind: Kind, stream: &mut Stream) -> Planned {
        let user = self.user(stream);
        let home = self.homes[user];
        let pop = if stream.below(100) < ELSEWHERE_PERCENT {
            let others: Vec<Pop> = self
                .pops
                .iter()
                .copied()
                .filter(|&pop| pop != home)
                .collect();
            others[stream.below(others.len() as u64) as usize]
        } else {
            home
        };
        Planned {
            at: instant(home, stream),
            pop,
            sender: Sender::User(user),
            kind,
            draw: stream.next_u64(),
        }
    }

    /// Attackers, each at one PoP, at any time of the day, with [`GUESSES`] tries; the last may have fewer.
    fn guesses(&self, number: u64, stream: &mut Stream, planned: &mut Vec<Planned>) {
        let step = GUESSING / GUESSES as u32;
        let mut left = number;
        for attacker in 0.. {
            if left == 0 {
                break;
            }
            let pop = self.pops[stream.below(self.pops.len() as u64) as usize];
            let victim = self.user(stream);
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
                    kind: Kind::Guess,
                    draw: stream.next_u64(),
                });
            }
            left -= tries;
        }
    }

    /// A user, by weight.
    fn user(&self, stream: &mut Stream) -> usize {
        let all = self.weights.last().copied().unwrap_or(0);
        let drawn = stream.below(all);
        self.weights.partition_point(|&sum| sum <= drawn)
    }
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn nanos(duration: Duration) -> u64 {
    edgeproof_sim::kernel::time::nanos(duration)
}

/// An instant of the UTC day, as likely as people at `home` are active then.
fn instant(home: Pop, stream: &mut Stream) -> Duration {
    let hour = Duration::from_secs(60 * 60);
    let drawn = stream.below(HOURS.iter().sum());
    let mut sum = 0;
    let local = HOURS.iter().position(|weight| {
        sum += weight;
        drawn < sum
    });
    let local = local.expect("the draw is below the sum") as i32;
    // Solar time: what clocks show differs from it by an hour or two, which matters to nobody here.
    let (_, longitude) = home.coordinates();
    let ahead = (longitude / 15.0).round() as i32;
    let utc = (local - ahead).rem_euclid(24) as u32;
    let at = hour * utc + Duration::from_nanos(stream.below(nanos(hour)));
    // Still answered on the day it was sent.
    at.min(DAY - Duration::from_secs(1))
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
        let day = Traffic::reference(0).day(0, 100_000);
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
            counted(day.iter().map(|planned| planned.kind)),
            expected.into()
        );
        assert!(day.is_sorted_by_key(|planned| planned.at));
        assert!(day.iter().all(|planned| planned.at < DAY));
    }

    #[test]
    fn a_seed_has_one_day_and_every_day_is_another() {
        let day = |seed, day| Traffic::reference(seed).day(day, 1_000);
        assert_eq!(day(3, 0), day(3, 0));
        assert_ne!(day(3, 0), day(4, 0));
        assert_ne!(day(3, 0), day(3, 1));
    }

    #[test]
    fn users_are_as_active_as_zipf_says() {
        let day = Traffic::reference(1).day(0, 100_000);
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
        let traffic = Traffic::reference(2);
        let homes = counted(traffic.homes.iter().map(|home| home.code()));
        assert_eq!(homes.len(), 20);
        assert!(homes.values().all(|&users| users == 25));
        let day = traffic.day(0, 100_000);
        let elsewhere = day.iter().filter(|planned| match planned.sender {
            Sender::User(user) => planned.pop != traffic.homes[user],
            Sender::Attacker { .. } => false,
        });
        // A twentieth of 98,800, and five standard deviations.
        let elsewhere = elsewhere.count();
        assert!((4_600..5_290).contains(&elsewhere), "{elsewhere}");
    }

    #[test]
    fn attackers_try_thirty_passwords_within_half_a_minute() {
        let day = Traffic::reference(0).day(0, 100_000);
        let mut tries: BTreeMap<usize, Vec<Duration>> = BTreeMap::new();
        for planned in &day {
            if let Sender::Attacker { number, .. } = planned.sender {
                assert_eq!(planned.kind, Kind::Guess);
                tries.entry(number).or_default().push(planned.at);
            }
        }
        assert_eq!(tries.len(), 40);
        for at in tries.values() {
            assert_eq!(at.len(), 30);
            assert!(at[29] - at[0] <= GUESSING);
        }
        // The rest of a small day is one short series.
        let small = Traffic::reference(0).day(0, 3_000);
        let guesses = counted(small.iter().filter_map(|planned| match planned.sender {
            Sender::Attacker { number, .. } => Some(number),
            _ => None,
        }));
        assert_eq!(guesses, [(0, 30), (1, 6)].into());
    }

    #[test]
    fn the_hours_are_the_curve_that_is_documented() {
        for (hour, &weight) in HOURS.iter().enumerate() {
            let angle = std::f64::consts::TAU * (hour as f64 + 0.5 - 14.0) / 24.0;
            let exact = 100.0 * (1.0 + 0.8 * angle.cos());
            assert!((weight as f64 - exact).abs() <= 0.5, "{hour}: {exact}");
        }
        // A user of Tokyo, nine hours ahead, is busiest at 05:00 UTC.
        let tokyo = Pop::from_code("NRT").expect("a PoP");
        let mut stream = Stream::new(0, "test");
        let hours = counted((0..50_000).map(|_| instant(tokyo, &mut stream).as_secs() / 3_600));
        let busiest = hours.iter().max_by_key(|(_, number)| **number);
        assert!(matches!(busiest, Some((4 | 5, _))), "{hours:?}");
    }
}
