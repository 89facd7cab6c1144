//! Traffic that a TOML file describes, for any Worker. `read` takes the file apart.

mod read;

use edgeproof_sim::Builder;
use edgeproof_sim::World;
use edgeproof_sim::bill::usage::UtcDay;
use edgeproof_sim::http::Request;
use edgeproof_sim::kernel::seed::Stream;
use edgeproof_sim::topology::Pop;
use edgeproof_sim::world::client::Client;
use http::Method;

use super::people::People;
use crate::traffic::{Planned, Sender, Senders, Traffic};

/// The help's text about the file.
pub(super) const FORMAT: &str = r#"A file of traffic; only [[routes]] with a path must be there, the other values are what is taken without them:

  requests_per_day = 100000
  users = 500                    # the user of rank k is active in proportion to 1 / k^1.1
  pops = ["IAD", "FRA"]          # homes of as many users each; D1 is at the first [20 PoPs of all continents]
  day = "daytime"                # how active users are in the hours of their own day: "daytime", "flat", or 24 weights

  [[routes]]
  name = "POST /notes"           # in the report
  method = "POST"                # [GET]
  path = "/notes"
  weight = 1                     # its share of the requests is this by the sum of all weights
  headers = { content-type = "application/json" }
  body = '{"from": "{user}", "number": {random}}'

In a path, the values of headers and a body, {user} is the user's number from 1 and {random} a number below 2^32.

Exit codes: 0 done, 1 the forecast could not be made, 2 usage."#;

/// A path, a header's value or a body in which this stands gets the user's number.
const USER: &str = "{user}";

/// The same for a number that each request draws.
const RANDOM: &str = "{random}";

/// Requests of one kind.
#[derive(Debug)]
struct Route {
    method: Method,
    path: String,
    headers: Vec<(String, String)>,
    body: Option<String>,
}

/// The traffic of a file, with a seed.
#[derive(Debug)]
pub(super) struct FileTraffic {
    name: String,
    seed: u64,
    requests: u64,
    people: People,
    shape: String,
    kinds: Vec<String>,
    routes: Vec<Route>,
    weights: Vec<u64>,
}

impl Traffic for FileTraffic {
    fn name(&self) -> &str {
        &self.name
    }

    fn kinds(&self) -> &[String] {
        &self.kinds
    }

    fn users(&self) -> usize {
        self.people.number()
    }

    fn pops(&self) -> &[Pop] {
        self.people.pops()
    }

    fn requests(&self) -> u64 {
        self.requests
    }

    fn multiple(&self) -> u64 {
        1
    }

    fn assumed(&self) -> String {
        format!(
            "\
assumed  Users in proportion to 1 / rank^1.1; homes spread evenly over the PoPs; 5 % of a user's requests come in
         at another PoP, under the same address.
         Activity follows the hours of the home, by solar time: {}. Each request comes on its own and not
         in sessions, so it wakes more objects and finds less in memory.
         The first day begins with nothing stored but what migrations write. No host outside is reached.
         Latencies and the number of isolates are the simulator's assumptions. CPU time is not simulated and not in the figures.",
            self.shape
        )
    }

    fn furnish(&self, builder: Builder) -> Builder {
        builder
    }

    fn enter(&self, world: &World) -> Box<dyn Senders + '_> {
        let address = |_| world.client_at(world.pops()[0]).ip().to_owned();
        Box::new(Users {
            world: world.clone(),
            routes: &self.routes,
            addresses: (0..self.people.number()).map(address).collect(),
        })
    }

    /// The number of each kind is exact, up to the rounding of its share.
    fn day(&self, day: u32, requests: u64) -> Vec<Planned> {
        let all: u64 = self.weights.iter().sum();
        // At most 2^20 by 2^52, which a u128 holds.
        let up_to = |sum: u64| (u128::from(requests) * u128::from(sum) / u128::from(all)) as u64;
        let mut planned = Vec::with_capacity(requests as usize);
        let mut sum = 0;
        for (kind, weight) in self.weights.iter().enumerate() {
            let name = format!("forecast/{day}/{}", self.kinds[kind]);
            let mut stream = Stream::new(self.seed, &name);
            let number = up_to(sum + weight) - up_to(sum);
            sum += weight;
            planned.extend((0..number).map(|_| self.people.request(kind, &mut stream)));
        }
        // Stable: what comes at the same instant stays in the order of the routes.
        planned.sort_by_key(|planned| planned.at);
        planned
    }
}

/// The users in a world.
struct Users<'a> {
    world: World,
    routes: &'a [Route],
    addresses: Vec<String>,
}

impl Senders for Users<'_> {
    fn request(&self, planned: &Planned, _: UtcDay) -> (Client, Request) {
        let (Sender::User(user) | Sender::Attacker { victim: user, .. }) = planned.sender;
        let client = self.world.client_at(planned.pop);
        let client = client.with_ip(&self.addresses[user]);
        let route = &self.routes[planned.kind];
        let filled = |text: &str| {
            // Most texts have neither.
            text.replace(USER, &(user + 1).to_string())
                .replace(RANDOM, &(planned.draw as u32).to_string())
        };
        let mut request = client.request(route.method.clone(), &filled(&route.path));
        for (name, value) in &route.headers {
            request = request.header(name, &filled(value));
        }
        if let Some(body) = &route.body {
            request = request.body(filled(body));
        }
        (client, request.build())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<FileTraffic, String> {
        let traffic = FileTraffic::parse("day.toml".as_ref(), text, 0);
        traffic.map_err(|problem| problem.to_string())
    }

    #[test]
    fn the_mix_of_a_day_is_that_of_the_weights() {
        let text = "[[routes]]\npath = '/'\nweight = 2\n[[routes]]\npath = '/b'\n[[routes]]\npath = '/c'\nweight = 0";
        let traffic = parse(text).expect("it is right");
        for (requests, mix) in [
            (3_000, [2_000, 1_000, 0]),
            (100, [66, 34, 0]),
            (1, [0, 1, 0]),
        ] {
            let day = traffic.day(0, requests);
            let number = |kind| day.iter().filter(|planned| planned.kind == kind).count();
            assert_eq!([0, 1, 2].map(number), mix, "{requests}");
            assert!(day.is_sorted_by_key(|planned| planned.at));
        }
        assert_eq!(traffic.day(0, 50), traffic.day(0, 50));
        assert_ne!(traffic.day(0, 50), traffic.day(1, 50));
    }

    #[test]
    fn what_the_help_shows_is_traffic() {
        let example: Vec<&str> = FORMAT
            .lines()
            .filter_map(|line| line.strip_prefix("  "))
            .collect();
        let traffic = parse(&example.join("\n")).expect("the example is right");
        assert_eq!(traffic.kinds, ["POST /notes"]);
        assert_eq!(traffic.requests, 100_000);
    }
}
