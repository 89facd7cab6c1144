//! Sequences of requests from a seed.
//!
//! Every sequence has a *mood*: what most of its requests are about. So some use a quota up, some read the cache again and again,
//! and some only try doors.

use crate::bodies::{self, Body};
use crate::dice::Dice;
use crate::people::{People, USERS};
use crate::step::{Credential, Step, Target};

/// Seeds of the recorded sequences.
pub(crate) const SEEDS: std::ops::Range<u64> = 0..200;

/// Requests of a sequence.
pub(crate) const LENGTH: usize = 30;

/// The one origin that may read answers.
pub(crate) const ALLOWED_ORIGIN: &str = "https://app.example.com";

/// Paths that exist.
pub(crate) const PATHS: [&str; 10] = [
    "/api/health",
    "/api/auth/login",
    "/api/transactions",
    "/api/transactions/1",
    "/api/dashboard",
    "/api/reports",
    "/api/admin/audit-logs",
    "/api/admin/error-logs",
    "/api/admin/alerts/test",
    "/api/admin/metrics",
];

/// Methods that HTTP clients send and some route may refuse.
pub(crate) const METHODS: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];

/// Methods that workerd lets through. workers-rs knows `REPORT`; of the others it makes a GET, and so the Worker serves them as one.
/// What workerd does not know (`BREW`, `get`) it answers with a 501 of its own: that never comes to the Worker and is no matter of
/// this suite.
const RARE_METHODS: [&str; 4] = ["PROPFIND", "PURGE", "QUERY", "REPORT"];

/// Paths that do not exist, or only nearly.
const UNKNOWN_PATHS: [&str; 19] = [
    "/",
    "/api",
    "/api/",
    "/favicon.ico",
    "/api/health/",
    "/API/health",
    "//api/health",
    "/api//health",
    "/api/%68ealth",
    "/api/transactions/",
    "/api/transactions/0",
    "/api/transactions/007",
    "/api/transactions/-1",
    "/api/transactions/1/2",
    "/api/transactions/9007199254740992",
    "/api/transactions/99999999999999999999999",
    "/api/admin",
    "/api/d%C3%A4shboard?x=1",
    "/api/health%00",
];

/// Paths that a URL parser makes a known path of.
const ROUNDABOUT_PATHS: [&str; 6] = [
    "/api/../api/health",
    "/./api/dashboard",
    "/api/admin/../reports",
    "/api/%2e%2e/api/transactions",
    "/api/dashboard?",
    "/api/reports?token=x&access_token=y",
];

#[derive(Debug, Clone, Copy)]
enum Kind {
    Login,
    BadLogin,
    Post,
    BadPost,
    List,
    One,
    Dashboard,
    Reports,
    Audit,
    Errors,
    Alert,
    Metrics,
    AnyMethod,
    UnknownPath,
    Preflight,
    Health,
}

use Kind::*;

/// What a sequence is mostly about.
const MOODS: [&[(usize, Kind)]; 7] = [
    // Somebody who works.
    &[
        (6, Login),
        (20, Post),
        (10, BadPost),
        (15, List),
        (10, One),
        (20, Dashboard),
        (15, Reports),
        (4, Health),
    ],
    // Somebody who writes more than they may.
    &[(60, Post), (20, BadPost), (10, List), (10, Dashboard)],
    // Somebody who reads the same again and again.
    &[
        (10, Post),
        (5, List),
        (40, Dashboard),
        (40, Reports),
        (5, Preflight),
    ],
    // Somebody who guesses passwords.
    &[
        (15, Login),
        (50, BadLogin),
        (10, Audit),
        (10, List),
        (10, AnyMethod),
        (5, Health),
    ],
    // An administrator.
    &[
        (8, Login),
        (5, BadLogin),
        (15, Post),
        (30, Audit),
        (12, Errors),
        (8, Alert),
        (15, Metrics),
        (7, Dashboard),
    ],
    // A scanner.
    &[
        (30, AnyMethod),
        (30, UnknownPath),
        (15, Preflight),
        (10, Health),
        (15, BadPost),
    ],
    // A little of everything.
    &[
        (5, Login),
        (5, BadLogin),
        (12, Post),
        (8, BadPost),
        (8, List),
        (8, One),
        (10, Dashboard),
        (8, Reports),
        (6, Audit),
        (4, Errors),
        (3, Alert),
        (4, Metrics),
        (8, AnyMethod),
        (6, UnknownPath),
        (5, Preflight),
        (4, Health),
    ],
];

/// The sequence of a seed.
pub(crate) fn sequence(seed: u64) -> Vec<Step> {
    let people = People::of(seed);
    let mut dice = Dice::new(seed);
    let mood = MOODS[(seed as usize) % MOODS.len()];
    // Who is mostly meant: quotas end for them first.
    let favourite = dice.below(USERS);
    (0..LENGTH)
        .map(|_| {
            let kind = dice.weighted(mood);
            Maker {
                people: &people,
                dice: &mut dice,
                favourite,
            }
            .step(kind)
        })
        .collect()
}

struct Maker<'a> {
    people: &'a People,
    dice: &'a mut Dice,
    favourite: usize,
}

impl Maker<'_> {
    fn step(&mut self, kind: Kind) -> Step {
        let mut step = match kind {
            Login => {
                let number = self.dice.below(2);
                let body = bodies::login(self.people, number);
                self.with_body("/api/auth/login", body)
            }
            BadLogin => {
                let body = bodies::bad_login(self.people, self.dice);
                self.with_body("/api/auth/login", body)
            }
            Post => {
                let body = bodies::good_transaction(self.dice);
                let step = self.with_body("/api/transactions", body);
                self.by_user(step)
            }
            BadPost => {
                let body = bodies::bad_transaction(self.dice);
                let step = self.with_body("/api/transactions", body);
                self.by_user(step)
            }
            List => {
                let query = self.limit();
                let step = self.get(format!("/api/transactions{query}"));
                self.by_user(step)
            }
            One => {
                let mut step = self.get(String::new());
                step.target = match self.dice.below(4) {
                    0..=1 => Target::Created,
                    2 => Target::Fixed(format!("/api/transactions/{}", 1 + self.dice.below(40))),
                    _ => Target::Fixed(self.dice.one_of(&UNKNOWN_PATHS[9..16]).to_owned()),
                };
                let step = self.by_user(step);
                // Whose it probably is.
                if step.target == Target::Created && self.dice.percent(50) {
                    let credential =
                        Credential::Fixed(self.people.bearer(self.favourite, self.dice));
                    Step {
                        credential,
                        label: String::new(),
                        ..step
                    }
                } else {
                    step
                }
            }
            Dashboard => self.cached("/api/dashboard"),
            Reports => self.cached("/api/reports"),
            Audit => {
                let query = self.filters();
                let step = self.get(format!("/api/admin/audit-logs{query}"));
                self.by_admin(step)
            }
            Errors => {
                let query = self.dice.one_of(&[
                    "",
                    "?level=error",
                    "?level=warn",
                    "?limit=1",
                    "?limit=0",
                    "?level=error&limit=100",
                    "?level=' OR 1=1 --",
                ]);
                let step = self.get(format!(
                    "/api/admin/error-logs{}",
                    query.replace(' ', "%20")
                ));
                self.by_admin(step)
            }
            Alert => {
                let mut step = self.get("/api/admin/alerts/test".to_owned());
                step.method = "POST";
                if self.dice.percent(30) {
                    step.body = br#"{"ignored":true}"#.to_vec();
                }
                self.by_admin(step)
            }
            Metrics => {
                let mut step = self.get("/api/admin/metrics".to_owned());
                if self.dice.percent(50) {
                    let accept = self.dice.one_of(&[
                        "text/plain",
                        "text/plain; version=0.0.4, */*;q=0.1",
                        "application/json",
                        "*/*",
                    ]);
                    step.headers.push(("accept", accept.into()));
                }
                self.by_admin(step)
            }
            AnyMethod => {
                let path = self.dice.one_of(&PATHS);
                let mut step = self.get(path.to_owned());
                step.method = if self.dice.percent(10) {
                    self.dice.one_of(&RARE_METHODS)
                } else {
                    self.dice.one_of(&METHODS)
                };
                if !matches!(step.method, "GET" | "HEAD") && self.dice.percent(50) {
                    step.body = vec![b'x'; self.dice.one_of(&[1, 100, 65_537])];
                    step.chunked = self.dice.percent(30);
                }
                if self.dice.percent(30) {
                    self.by_admin(step)
                } else {
                    self.by_user(step)
                }
            }
            UnknownPath => {
                let path = if self.dice.percent(25) {
                    self.dice.one_of(&ROUNDABOUT_PATHS)
                } else {
                    self.dice.one_of(&UNKNOWN_PATHS)
                };
                let mut step = self.get(path.to_owned());
                step.method =
                    self.dice
                        .weighted(&[(6, "GET"), (2, "POST"), (1, "DELETE"), (1, "HEAD")]);
                self.by_user(step)
            }
            Preflight => {
                let path = if self.dice.percent(80) {
                    self.dice.one_of(&PATHS)
                } else {
                    self.dice.one_of(&UNKNOWN_PATHS)
                };
                let mut step = self.get(path.to_owned());
                step.method = "OPTIONS";
                step.headers.push((
                    "access-control-request-method",
                    self.dice.one_of(&["GET", "POST", "DELETE"]).into(),
                ));
                step.headers.push((
                    "access-control-request-headers",
                    b"authorization,content-type".to_vec(),
                ));
                step
            }
            Health => self.get("/api/health".to_owned()),
        };
        step.label = format!("{kind:?}{}", step.label);
        self.decorate(&mut step);
        step
    }

    /// A GET without anything.
    fn get(&mut self, target: String) -> Step {
        Step {
            label: String::new(),
            peculiarity: None,
            method: "GET",
            target: Target::Fixed(target),
            credential: Credential::None,
            address: self.people.address(self.dice),
            headers: Vec::new(),
            body: Vec::new(),
            chunked: false,
        }
    }

    fn with_body(&mut self, path: &str, body: Body) -> Step {
        let mut step = self.get(path.to_owned());
        step.method = "POST";
        step.label = format!(": {}", body.label);
        if let Some(media_type) = body.media_type {
            step.headers.push(("content-type", media_type.into()));
        }
        step.body = body.bytes;
        step.chunked = body.chunked;
        step
    }

    fn cached(&mut self, path: &str) -> Step {
        let query = self
            .dice
            .weighted(&[(8, ""), (1, "?fresh=1"), (1, "?limit=nonsense")]);
        let step = self.get(format!("{path}{query}"));
        self.by_user(step)
    }

    /// With the token of a user, mostly a good one.
    fn by_user(&mut self, mut step: Step) -> Step {
        step.credential = match self.dice.below(20) {
            0..=9 => Credential::Fixed(self.people.bearer(self.favourite, self.dice)),
            10..=14 => {
                let other = self.dice.below(USERS);
                Credential::Fixed(self.people.bearer(other, self.dice))
            }
            15 => Credential::Fixed(self.people.admin_bearer(self.dice)),
            16 => Credential::Issued,
            17 => Credential::None,
            _ => return self.badly(step),
        };
        step
    }

    /// With the token of the administrator, mostly.
    fn by_admin(&mut self, mut step: Step) -> Step {
        step.credential = match self.dice.below(20) {
            0..=13 => Credential::Fixed(self.people.admin_bearer(self.dice)),
            14..=16 => Credential::Fixed(self.people.bearer(self.favourite, self.dice)),
            17 => Credential::Issued,
            18 => Credential::None,
            _ => return self.badly(step),
        };
        step
    }

    fn badly(&mut self, mut step: Step) -> Step {
        let (label, value) = self.people.bad_bearer(self.dice);
        step.label += &format!(", token: {label}");
        step.credential = Credential::Fixed(value);
        step
    }

    /// `?limit=…`, or nothing.
    fn limit(&mut self) -> &'static str {
        self.dice.weighted(&[
            (6, ""),
            (2, "?limit=1"),
            (2, "?limit=2"),
            (1, "?limit=100"),
            (1, "?limit=101"),
            (1, "?limit=0"),
            (1, "?limit=-1"),
            (1, "?limit="),
            (1, "?limit=1e1"),
            (1, "?limit=+5"),
            (1, "?limit=%35"),
            (1, "?%6Cimit=3"),
            (1, "?limit=2&limit=x"),
            (1, "?limit=x&limit=2"),
            (1, "?Limit=x"),
            (1, "?limit=%zz"),
            (1, "?limit=99999999999999999999"),
            (1, "?limit=5%00"),
            (1, "?limit"),
            (1, "?=1&&&limit=3"),
        ])
    }

    /// Filters of the audit log.
    fn filters(&mut self) -> String {
        let user = |id: String| percent_encoded(&id);
        let mut parts = Vec::new();
        if self.dice.percent(60) {
            let number = self.dice.below(USERS);
            let id = self.dice.one_of(&[
                self.people.user(0),
                self.people.user(number),
                self.people.admin(),
            ]);
            parts.push(format!("user_id={}", user(id)));
        }
        if self.dice.percent(40) {
            let category = self.dice.one_of(&[
                "auth",
                "transaction",
                "security",
                "Security",
                "x' OR '1'='1",
                "",
            ]);
            parts.push(format!("category={}", user(category.to_owned())));
        }
        if self.dice.percent(30) {
            let action = self.dice.one_of(&[
                "login_success",
                "login_failure",
                "create",
                "rate_limit_exceeded",
                "nonsense",
            ]);
            parts.push(format!("action={action}"));
        }
        if self.dice.percent(50) {
            parts.push(self.limit().trim_start_matches('?').to_owned());
        }
        parts.retain(|part| !part.is_empty());
        if parts.is_empty() {
            String::new()
        } else {
            format!("?{}", parts.join("&"))
        }
    }

    /// What any request may have besides.
    fn decorate(&mut self, step: &mut Step) {
        if self.dice.percent(25) {
            let origin = self.dice.one_of(&[
                ALLOWED_ORIGIN,
                ALLOWED_ORIGIN,
                ALLOWED_ORIGIN,
                "https://app.example.com.evil.example",
                "https://evil.example",
                "http://app.example.com",
                "https://app.example.com:443",
                "https://APP.example.com",
                "null",
                "*",
                "",
            ]);
            step.headers.push(("origin", origin.into()));
        }
        if self.dice.percent(15) {
            let long = "x".repeat(65);
            let id = self.dice.one_of(&[
                "client-id.1_A",
                "0123456789abcdef01234567",
                "two words",
                "<script>",
                &long,
                "",
            ]);
            step.headers.push(("x-request-id", id.into()));
        }
        if self.dice.percent(15) {
            let name = self.dice.one_of(&[
                "x-forwarded-for",
                "x-real-ip",
                "true-client-ip",
                "forwarded",
            ]);
            step.headers.push((name, b"192.0.2.1".to_vec()));
        }
        if self.dice.percent(5) {
            step.headers
                .push(("cookie", b"token=abc; session=1".to_vec()));
        }
        if self.dice.percent(4) {
            // The same header once more: the Worker sees both as one, with a comma between.
            let (name, value) = self.dice.one_of(&[
                ("authorization", "Bearer a.b.c"),
                ("content-type", "text/plain"),
                ("content-type", "application/json"),
                ("origin", ALLOWED_ORIGIN),
                ("accept", "text/plain"),
            ]);
            step.label += &format!(", one more {name}");
            if step.headers.contains(&(name, Vec::new())) {
                step.peculiarity = Some("a header after an empty one of the same name");
            }
            step.headers.push((name, value.into()));
        }
        if self.dice.percent(3) {
            let name = self
                .dice
                .one_of(&["origin", "content-type", "accept", "x-request-id"]);
            step.label += &format!(", {name} not ASCII");
            step.headers
                .push((name, b"https://\xc3\xa4pp.example \xff\xfe".to_vec()));
        }
        if self.dice.percent(5) {
            let name = self.dice.one_of(&[
                "if-none-match",
                "cache-control",
                "range",
                "x-http-method-override",
            ]);
            let value = match name {
                "range" => "bytes=0-3",
                "x-http-method-override" => "DELETE",
                "cache-control" => "no-cache",
                _ => "*",
            };
            step.headers.push((name, value.into()));
        }
    }
}

fn percent_encoded(text: &str) -> String {
    let bytes = text.bytes();
    bytes
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}
