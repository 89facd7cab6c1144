//! Traffic that a TOML file describes, for any Worker.

use std::ops::Range;
use std::path::Path;

use edgeproof_sim::Builder;
use edgeproof_sim::World;
use edgeproof_sim::bill::usage::UtcDay;
use edgeproof_sim::http::Request;
use edgeproof_sim::kernel::seed::Stream;
use edgeproof_sim::topology::Pop;
use edgeproof_sim::world::client::Client;
use edgeproof_sim::wrangler::file;
use http::{HeaderName, HeaderValue, Method};
use miette::{IntoDiagnostic as _, Result, WrapErr as _};
use serde::Deserialize;
use toml::Spanned;

use super::REQUESTS_MAX;
use super::people::{DAYTIME, Hours, POPS, People};
use super::traffic::{Planned, Sender, Senders, Traffic};

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

/// Longest file in bytes: some thousands of routes have room in it.
const BYTES_MAX: u64 = 1 << 20;

/// Most users; each has an address.
const USERS_MAX: usize = 100_000;

/// A path, a header's value or a body in which this stands gets the user's number.
const USER: &str = "{user}";

/// The same for a number that each request draws.
const RANDOM: &str = "{random}";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    requests_per_day: Option<Spanned<u64>>,
    users: Option<Spanned<usize>>,
    pops: Option<Spanned<Vec<Spanned<String>>>>,
    day: Option<Spanned<Shape>>,
    #[serde(default)]
    routes: Vec<Spanned<RouteText>>,
}

#[derive(Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "expected \"daytime\", \"flat\" or a list of 24 weights"
)]
enum Shape {
    Named(String),
    Hours(Vec<u32>),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RouteText {
    name: Option<String>,
    method: Option<Spanned<String>>,
    path: Spanned<String>,
    weight: Option<Spanned<u32>>,
    #[serde(default)]
    headers: std::collections::BTreeMap<Spanned<String>, Spanned<String>>,
    body: Option<String>,
}

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

/// A place of the file and what is wrong there.
type Problem = (Range<usize>, String);

impl FileTraffic {
    /// # Errors
    /// The file cannot be read, or holds what is no traffic; with the line.
    pub(super) fn read(path: &Path, seed: u64) -> Result<Self> {
        let text = file::text(path, BYTES_MAX)
            .into_diagnostic()
            .wrap_err_with(|| format!("{} cannot be read", path.display()))?;
        Self::parse(path, &text, seed)
    }

    pub(super) fn parse(path: &Path, text: &str, seed: u64) -> Result<Self> {
        let at = |(span, message): Problem| {
            let line = text[..span.start.min(text.len())].matches('\n').count() + 1;
            miette::miette!(
                help = "`forecast --help` shows what stands in such a file",
                "{}:{line}: {message}",
                path.display()
            )
        };
        let file: File = toml::from_str(text).map_err(|error| {
            let message = error.message().trim_end().replace('\n', ": ");
            at((error.span().unwrap_or(0..0), message))
        })?;
        let name = path.file_stem().unwrap_or(path.as_os_str());
        Self::new(name.to_string_lossy().into_owned(), file, text.len(), seed).map_err(at)
    }

    fn new(name: String, file: File, end: usize, seed: u64) -> Result<Self, Problem> {
        let requests = within(file.requests_per_day, 100_000, REQUESTS_MAX)?;
        let users = within(file.users, 500, USERS_MAX)?;
        let pops = pops(file.pops)?;
        let (shape, hours) = hours(file.day)?;
        if file.routes.is_empty() {
            return Err((end..end, "there is no [[routes]]".to_owned()));
        }
        let mut traffic = Self {
            name,
            seed,
            requests,
            people: People::new(seed, users, pops, hours),
            shape,
            kinds: Vec::new(),
            routes: Vec::new(),
            weights: Vec::new(),
        };
        for route in file.routes {
            traffic.add(route)?;
        }
        if traffic.weights.iter().sum::<u64>() == 0 {
            return Err((end..end, "every route has the weight 0".to_owned()));
        }
        Ok(traffic)
    }

    fn add(&mut self, route: Spanned<RouteText>) -> Result<(), Problem> {
        let span = route.span();
        let route = route.into_inner();
        let method = match &route.method {
            None => Method::GET,
            Some(given) => {
                let method = Method::from_bytes(given.get_ref().as_bytes());
                let method = method.ok().filter(|method| method != Method::CONNECT);
                method.ok_or_else(|| {
                    let message = format!("{:?} is no method of a request", given.get_ref());
                    (given.span(), message)
                })?
            }
        };
        let path = route.path.get_ref();
        let is_path = path.starts_with('/')
            && path
                .chars()
                .all(|c| !c.is_whitespace() && !c.is_control() && c != '#');
        if !is_path {
            return Err((
                route.path.span(),
                format!("{path:?} is no path: it begins with / and has no spaces"),
            ));
        }
        let mut headers = Vec::new();
        for (name, value) in &route.headers {
            if HeaderName::from_bytes(name.get_ref().as_bytes()).is_err() {
                return Err((name.span(), format!("{:?} is no header", name.get_ref())));
            }
            if HeaderValue::from_str(value.get_ref()).is_err() {
                return Err((value.span(), "no header can have this value".to_owned()));
            }
            headers.push((name.get_ref().clone(), value.get_ref().clone()));
        }
        let kind = route.name.unwrap_or_else(|| format!("{method} {path}"));
        if self.kinds.contains(&kind) {
            return Err((
                span,
                format!("another route is called {kind:?} already: give this one a name"),
            ));
        }
        self.kinds.push(kind);
        let weight = route.weight.map_or(1, Spanned::into_inner);
        self.weights.push(u64::from(weight));
        self.routes.push(Route {
            method,
            path: path.clone(),
            headers,
            body: route.body,
        });
        Ok(())
    }
}

/// A number from 1 to `most`, or what is taken without it.
fn within<N: Copy + PartialOrd + From<u8> + std::fmt::Display>(
    given: Option<Spanned<N>>,
    default: N,
    most: N,
) -> Result<N, Problem> {
    let Some(given) = given else {
        return Ok(default);
    };
    let number = *given.get_ref();
    if N::from(1) <= number && number <= most {
        return Ok(number);
    }
    Err((given.span(), format!("{number} is not from 1 to {most}")))
}

fn pops(given: Option<Spanned<Vec<Spanned<String>>>>) -> Result<Vec<Pop>, Problem> {
    let Some(given) = given else {
        let pops = POPS.iter().map(|code| Pop::from_code(code));
        return Ok(pops
            .map(|pop| pop.expect("a code of the simulator's table"))
            .collect());
    };
    let span = given.span();
    let mut pops = Vec::new();
    for code in given.into_inner() {
        let pop = Pop::from_code(code.get_ref()).ok_or_else(|| {
            let known: Vec<&str> = Pop::all().map(Pop::code).collect();
            let message = format!(
                "no PoP has the code {:?}; the known ones are {}",
                code.get_ref(),
                known.join(" ")
            );
            (code.span(), message)
        })?;
        if pops.contains(&pop) {
            return Err((code.span(), format!("{} is named twice", code.get_ref())));
        }
        pops.push(pop);
    }
    if pops.is_empty() {
        return Err((span, "a list of PoPs has one at least".to_owned()));
    }
    Ok(pops)
}

/// The hours, and what a report says of them.
fn hours(given: Option<Spanned<Shape>>) -> Result<(String, Hours), Problem> {
    let daytime = "1 + 0.8 cos, highest at 14:00";
    let Some(given) = given else {
        return Ok((daytime.to_owned(), DAYTIME));
    };
    let span = given.span();
    match given.into_inner() {
        Shape::Named(name) => match name.as_str() {
            "daytime" => Ok((daytime.to_owned(), DAYTIME)),
            "flat" => Ok(("the same in every hour".to_owned(), [1; 24])),
            _ => Err((
                span,
                format!("no day has the name {name:?}; the known ones are daytime and flat"),
            )),
        },
        Shape::Hours(weights) => {
            let number = weights.len();
            let weights: Vec<u64> = weights.into_iter().map(u64::from).collect();
            let hours = Hours::try_from(weights)
                .map_err(|_| (span.clone(), format!("a day has 24 hours, not {number}")))?;
            if hours.iter().sum::<u64>() == 0 {
                return Err((span, "nobody is active at any hour".to_owned()));
            }
            Ok(("24 weights of the file".to_owned(), hours))
        }
    }
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
    fn a_wrong_file_is_refused_with_line_and_reason() {
        let route = "[[routes]]\npath = '/'\n";
        for (text, said) in [
            ("", "day.toml:1: there is no [[routes]]"),
            ("users = 1\nuser = 2\n", "day.toml:2: unknown field `user`"),
            ("users =\n", "day.toml:1: "),
            (
                "[[routes]]\nmethod = 'GET'\n",
                "day.toml:1: missing field `path`",
            ),
            ("[[routes]]\npath = 'a'\n", "day.toml:2: \"a\" is no path"),
            (
                "[[routes]]\npath = '/'\nmethod = 'G T'",
                "day.toml:3: \"G T\" is no method",
            ),
            ("[[routes]]\npath = '/'\nweight = -1", "day.toml:3: "),
            (
                "[[routes]]\npath = '/'\nweight = 0\n",
                "every route has the weight 0",
            ),
            (
                "[[routes]]\npath = '/'\n\n[[routes]]\npath = '/'\n",
                "day.toml:4: another route is called \"GET /\" already",
            ),
            (
                "[[routes]]\npath = '/'\nheaders = { 'a b' = 'c' }\n",
                "day.toml:3: \"a b\" is no header",
            ),
            (
                "[[routes]]\npath = '/'\nheaders = { a = \"b\\nc\" }\n",
                "day.toml:3: no header can have this value",
            ),
            (
                &format!("\npops = [\"XXX\"]\n{route}"),
                "day.toml:2: no PoP has the code \"XXX\"",
            ),
            (
                &format!("pops = ['IAD', 'IAD']\n{route}"),
                "day.toml:1: IAD is named twice",
            ),
            (&format!("pops = []\n{route}"), "one at least"),
            (
                &format!("users = 0\n{route}"),
                "day.toml:1: 0 is not from 1 to 100000",
            ),
            (
                &format!("requests_per_day = 1000001\n{route}"),
                "is not from 1 to 1000000",
            ),
            (
                &format!("day = 'night'\n{route}"),
                "no day has the name \"night\"",
            ),
            (
                &format!("day = [1, 2]\n{route}"),
                "a day has 24 hours, not 2",
            ),
            (
                &format!("day = 3\n{route}"),
                "expected \"daytime\", \"flat\" or a list of 24",
            ),
            (
                &format!("day = [{}]\n{route}", "0, ".repeat(24)),
                "nobody is active at any hour",
            ),
        ] {
            let problem = parse(text).expect_err(text);
            assert!(problem.contains(said), "{text:?}: {problem}");
            assert!(problem.starts_with("day.toml:"), "{text:?}: {problem}");
        }
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
