//! People: how active each is, where each lives, and at which hours.
//!
//! Everything is drawn from streams of a seed, so the same seed gives the same people. Each request is on its own: its user is
//! drawn by the user's weight, its instant by the hours of the user's home. Real people come in sessions. Requests that come
//! singly find less in the isolates' memory and wake more sleeping objects, so the allowances are used up faster here.

use std::time::Duration;

use edgeproof_sim::kernel::seed::Stream;
use edgeproof_sim::kernel::time::nanos;
use edgeproof_sim::topology::Pop;

use crate::traffic::{Planned, Sender};

/// The exponent of Zipf's law: the user of rank k is active in proportion to 1 / k^1.1.
const ZIPF_EXPONENT: f64 = 1.1;

/// How many of a user's 100 requests come in at another PoP than the one at home, as when routes change. The address stays.
const ELSEWHERE_PERCENT: u64 = 5;

/// A day.
pub const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How active people are in each hour of their own day, as weights.
pub type Hours = [u64; 24];

/// People who wake in the morning and sleep at night: 1 + 0.8 cos(2π (hour + ½ - 14) / 24), in hundredths.
#[rustfmt::skip] // Half a day, a line.
pub const DAYTIME: Hours = [
    26, 21, 21, 26, 37, 51, 69, 90, 110, 131, 149, 163,
    174, 179, 179, 174, 163, 149, 131, 110, 90, 69, 51, 37,
];

/// Where people live, unless something else is said: by continent, a line each.
#[rustfmt::skip]
pub const POPS: [&str; 20] = [
    "IAD", "SJC", "ORD", "MEX",
    "BOG", "GRU", "EZE",
    "LHR", "FRA", "MAD", "WAW",
    "JNB", "LOS",
    "DXB", "BOM", "SIN", "HKG", "NRT",
    "SYD", "AKL",
];

/// Users of a Worker.
#[derive(Debug)]
pub struct People {
    /// Sums of the weights up to each user, in whole numbers: the last bits of a power differ between C libraries.
    weights: Vec<u64>,
    homes: Vec<Pop>,
    pops: Vec<Pop>,
    hours: Hours,
}

impl People {
    /// So many users; every PoP is home to as many of them.
    ///
    /// # Panics
    /// Without a user, a PoP or an hour in which anybody is active.
    pub fn new(seed: u64, users: usize, pops: Vec<Pop>, hours: Hours) -> Self {
        assert!(users > 0 && !pops.is_empty(), "people live somewhere");
        assert!(hours.iter().sum::<u64>() > 0, "people are active sometimes");
        let mut sum = 0;
        let weights = (1..=users).map(|rank| {
            sum += (1e9 / (rank as f64).powf(ZIPF_EXPONENT)).round() as u64;
            sum
        });
        let mut homes: Vec<Pop> = (0..users).map(|user| pops[user % pops.len()]).collect();
        let mut stream = Stream::new(seed, "forecast/homes");
        for last in (1..homes.len()).rev() {
            homes.swap(last, stream.below(last as u64 + 1) as usize);
        }
        Self {
            weights: weights.collect(),
            homes,
            pops,
            hours,
        }
    }

    /// How many there are.
    pub fn number(&self) -> usize {
        self.homes.len()
    }

    /// The PoPs.
    pub fn pops(&self) -> &[Pop] {
        &self.pops
    }

    /// Where each user lives.
    pub fn homes(&self) -> &[Pop] {
        &self.homes
    }

    /// One request of some user.
    pub fn request(&self, kind: usize, stream: &mut Stream) -> Planned {
        let user = self.user(stream);
        let home = self.homes[user];
        // With one PoP there is no other; the draw is made all the same, so that the list of PoPs changes nothing else.
        let travels = stream.below(100) < ELSEWHERE_PERCENT;
        let pop = if travels && self.pops.len() > 1 {
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
            at: self.instant(home, stream),
            pop,
            sender: Sender::User(user),
            kind,
            draw: stream.next_u64(),
        }
    }

    /// A user, by weight.
    pub fn user(&self, stream: &mut Stream) -> usize {
        let all = self.weights.last().copied().unwrap_or(0);
        let drawn = stream.below(all);
        self.weights.partition_point(|&sum| sum <= drawn)
    }

    /// An instant of the UTC day, as likely as people at `home` are active then.
    fn instant(&self, home: Pop, stream: &mut Stream) -> Duration {
        let hour = Duration::from_secs(60 * 60);
        let drawn = stream.below(self.hours.iter().sum());
        let mut sum = 0;
        let local = self.hours.iter().position(|weight| {
            sum += weight;
            drawn < sum
        });
        let local = local.expect("the draw is below the sum") as i32;
        // Solar time: what clocks show differs from it by an hour or two, which does not matter here.
        let (_, longitude) = home.coordinates();
        let ahead = (longitude / 15.0).round() as i32;
        let utc = (local - ahead).rem_euclid(24) as u32;
        let at = hour * utc + Duration::from_nanos(stream.below(nanos(hour)));
        // Still answered on the day it was sent.
        at.min(DAY - Duration::from_secs(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn the_hours_are_the_curve_that_is_documented() {
        for (hour, &weight) in DAYTIME.iter().enumerate() {
            let angle = std::f64::consts::TAU * (hour as f64 + 0.5 - 14.0) / 24.0;
            let exact = 100.0 * (1.0 + 0.8 * angle.cos());
            assert!((weight as f64 - exact).abs() <= 0.5, "{hour}: {exact}");
        }
        // A user of Tokyo, nine hours ahead, is busiest at 05:00 UTC.
        let tokyo = Pop::from_code("NRT").expect("a PoP");
        let people = People::new(0, 1, vec![tokyo], DAYTIME);
        let mut stream = Stream::new(0, "test");
        let mut hours: BTreeMap<u64, u64> = BTreeMap::new();
        for _ in 0..50_000 {
            let hour = people.instant(tokyo, &mut stream).as_secs() / 3_600;
            *hours.entry(hour).or_insert(0) += 1;
        }
        let busiest = hours.iter().max_by_key(|(_, number)| **number);
        assert!(matches!(busiest, Some((4 | 5, _))), "{hours:?}");
    }

    #[test]
    fn people_with_one_pop_stay_there() {
        let tokyo = Pop::from_code("NRT").expect("a PoP");
        let people = People::new(0, 3, vec![tokyo], DAYTIME);
        let mut stream = Stream::new(0, "test");
        assert!((0..1_000).all(|_| people.request(0, &mut stream).pop == tokyo));
    }
}
