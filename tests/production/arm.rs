//! What an arm is, and what all arms have in common: settings, users, the form of an answer.

use crate::generate::{ALLOWED_ORIGIN, SEEDS};
use crate::people::{JWT_SECRET, People};
use crate::step::{Known, Request, Step};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The window of every quota, in seconds.
pub(crate) const WINDOW_SECONDS: u64 = 60;

/// Variables, over those of `wrangler.toml`: quotas low enough to be used up within one sequence.
pub(crate) const VARS: [(&str, &str); 8] = [
    ("ENVIRONMENT", "development"),
    ("RATE_LIMIT_REQUESTS_PER_MINUTE", "12"),
    ("RATE_LIMIT_AUTH_REQUESTS", "4"),
    ("RATE_LIMIT_WRITE_REQUESTS", "5"),
    ("RATE_LIMIT_WINDOW_SECONDS", "60"),
    ("RATE_LIMIT_ALGORITHM", "sliding-log"),
    // Never used up: from then on it would depend on the number of isolates which reads are hits.
    ("CACHE_KV_WRITES_PER_DAY", "1000000"),
    ("ALLOWED_ORIGINS", ALLOWED_ORIGIN),
];

/// What alerts are signed with.
pub(crate) const WEBHOOK_KEY: &[u8] = b"thirty-two bytes of a signer's key";

/// The secrets, given where alerts go: `receiver` is the beginning of a URL.
pub(crate) fn secrets(receiver: &str) -> [(&'static str, String); 4] {
    [
        ("AUTH_JWT_SECRET", JWT_SECRET.to_owned()),
        ("ERROR_ALERT_WEBHOOK", format!("{receiver}/error")),
        ("SECURITY_ALERT_WEBHOOK", format!("{receiver}/security")),
        (
            "WEBHOOK_SECRET",
            format!("whsec_{}", STANDARD.encode(WEBHOOK_KEY)),
        ),
    ]
}

/// SQL that makes the users of all sequences.
pub(crate) fn users() -> String {
    SEEDS.map(|seed| People::of(seed).sql()).collect()
}

/// A header, its name in lower case. Values are bytes.
pub(crate) type Header = (String, Vec<u8>);

/// An alert as its receiver got it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Alert {
    pub(crate) path: String,
    pub(crate) headers: Vec<Header>,
    pub(crate) body: Vec<u8>,
}

/// An answer, and what else the request brought about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    /// 0 if the connection was lost instead.
    pub(crate) status: u16,
    /// Sorted by name; those of one name in order.
    pub(crate) headers: Vec<Header>,
    pub(crate) body: Vec<u8>,
    /// Alerts that arrived because of the request.
    pub(crate) alerts: Vec<Alert>,
    /// Between which instants of the arm's clock everything happened, in Unix milliseconds. No other request happened in them.
    pub(crate) began_ms: u64,
    pub(crate) ended_ms: u64,
}

impl Answer {
    /// The first value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&[u8]> {
        let mut named = self.headers.iter().filter(|(known, _)| known == name);
        named.next().map(|(_, value)| value.as_slice())
    }
}

/// Somewhere the Worker runs.
pub(crate) trait Arm {
    /// Sends a request, and waits for the answer and for all that goes on after it (`waitUntil`).
    fn send(&mut self, request: &Request) -> Answer;

    /// The answers to a sequence, and the requests that they answer.
    fn run(&mut self, steps: &[Step]) -> Vec<(Request, Answer)> {
        let mut known = Known::default();
        steps
            .iter()
            .map(|step| {
                let request = step.request(&known);
                let answer = self.send(&request);
                learn(&mut known, &answer);
                (request, answer)
            })
            .collect()
    }
}

/// Takes out of an answer what later requests may need.
fn learn(known: &mut Known, answer: &Answer) {
    if answer.status == 201
        && let Some(location) = answer.header("location")
    {
        known.location = Some(String::from_utf8_lossy(location).into_owned());
    }
    if answer.status == 200
        && let Ok(body) = serde_json::from_slice::<serde_json::Value>(&answer.body)
        && let Some(token) = body["token"].as_str()
    {
        known.token = Some(token.to_owned());
    }
}

/// Headers in the order that [`Answer::headers`] has.
pub(crate) fn sorted(headers: &http::HeaderMap) -> Vec<Header> {
    let headers = headers.iter();
    let mut headers: Vec<Header> = headers
        .map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()))
        .collect();
    headers.sort_by(|(a, _), (b, _)| a.cmp(b));
    headers
}
