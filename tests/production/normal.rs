//! Answers without what may differ: ids, dates, clocks. Everything else stays, byte for byte.
//!
//! Nothing is thrown away that can be understood instead: a request's id becomes the number of the request that was answered
//! with it, a time stamp the number of the request during which the arm's clock showed it, wherever they turn up later. An id or
//! a time that belongs to no request stays as it is, and differs. Replacements are as long as what they replace, so lengths are
//! compared too.

use crate::arm::{Alert, Answer, Header, WEBHOOK_KEY, WINDOW_SECONDS};
use crate::people::JWT_SECRET;
use crate::step::Request;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use edgeproof_worker::core::jwt::Key;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Length of a request's id, and of a time stamp in RFC 3339 with milliseconds.
const PLACE: usize = 24;

/// Headers of one connection between two parties (RFC 9110 §7.6.1, RFC 9112 §6) and the clock of the server's socket: the
/// simulator has whole messages and no sockets. That `Content-Length`, where it is, is the body's is checked all the same.
const OF_THE_CONNECTION: [&str; 5] = [
    "connection",
    "content-length",
    "date",
    "keep-alive",
    "transfer-encoding",
];

/// Headers of an alert that are not the Worker's: where the receiver is differs, and `CF-Worker` names the zone that a Worker
/// belongs to. Cloudflare adds it to what Workers fetch, and so does Miniflare; the simulator has no zones.
const OF_THE_WAY: [&str; 2] = ["cf-worker", "host"];

/// What an answer says, comparable between arms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Normal {
    pub(crate) status: u16,
    pub(crate) headers: Vec<Header>,
    pub(crate) body: Vec<u8>,
    pub(crate) alerts: Vec<Alert>,
    /// What is against the rules in this answer alone, whatever another arm says.
    pub(crate) faults: Vec<String>,
    /// Seconds that a client has to wait: they depend on how fast the arm is. See [`Normal::agrees`].
    pub(crate) waits: Vec<u64>,
    /// How long the sequence had taken by then, in milliseconds.
    pub(crate) elapsed_ms: u64,
}

impl Normal {
    /// Whether two answers are the same. A wait is stated in whole seconds from the oldest request in the window, so it may
    /// differ by the time that the sequence took on either arm, and by one for the rounding.
    pub(crate) fn agrees(&self, other: &Self) -> bool {
        let tolerance = self.elapsed_ms.max(other.elapsed_ms).div_ceil(1_000) + 1;
        let near = |(a, b): (&u64, &u64)| a.abs_diff(*b) <= tolerance;
        self.status == other.status
            && self.headers == other.headers
            && self.body == other.body
            && self.alerts == other.alerts
            && self.faults == other.faults
            && self.waits.len() == other.waits.len()
            && self.waits.iter().zip(&other.waits).all(near)
    }
}

/// Makes the answers of one arm comparable, in the order in which they came.
#[derive(Debug, Default)]
pub(crate) struct Normaliser {
    /// The request that was answered with this id.
    requests: BTreeMap<String, usize>,
    /// When each request began and ended.
    times: Vec<(u64, u64)>,
    sequence_began_ms: u64,
}

impl Normaliser {
    /// The answers of a sequence.
    pub(crate) fn sequence(&mut self, answers: &[(Request, Answer)]) -> Vec<Normal> {
        self.sequence_began_ms = answers.first().map_or(0, |(_, answer)| answer.began_ms);
        answers
            .iter()
            .map(|(request, answer)| self.answer(request, answer))
            .collect()
    }

    fn answer(&mut self, request: &Request, answer: &Answer) -> Normal {
        let number = self.times.len();
        self.times.push((answer.began_ms, answer.ended_ms));
        let mut faults = Vec::new();
        let id = answer.header("x-request-id").unwrap_or_default();
        let id = String::from_utf8_lossy(id).into_owned();
        // The Worker makes its own; one that the client brought is never taken over.
        let is_ours = id.len() == PLACE
            && id
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let brought = request
            .headers
            .iter()
            .any(|(_, value)| *value == id.as_bytes());
        if !is_ours || brought || self.requests.insert(id.clone(), number).is_some() {
            faults.push(format!("X-Request-Id is not a new id: {id:?}"));
        }
        let mut waits = Vec::new();
        let headers = self.headers(answer, &mut waits, &mut faults);
        Normal {
            status: answer.status,
            headers,
            body: self.body(&answer.body),
            alerts: answer
                .alerts
                .iter()
                .map(|alert| self.alert(alert))
                .collect(),
            faults,
            waits,
            elapsed_ms: answer.ended_ms.saturating_sub(self.sequence_began_ms),
        }
    }

    fn headers(
        &self,
        answer: &Answer,
        waits: &mut Vec<u64>,
        faults: &mut Vec<String>,
    ) -> Vec<Header> {
        let mut headers = Vec::new();
        for (name, value) in &answer.headers {
            let text = String::from_utf8_lossy(value);
            if name == "content-length"
                && answer.body.len().to_string() != text
                && !answer.body.is_empty()
            {
                faults.push(format!(
                    "Content-Length is {text} and the body has {} bytes",
                    answer.body.len()
                ));
            }
            if OF_THE_CONNECTION.contains(&name.as_str()) {
                continue;
            }
            let value = match name.as_str() {
                "x-request-id" => self
                    .id(&text)
                    .unwrap_or_else(|| text.into_owned())
                    .into_bytes(),
                // What remains of the window depends on the arm's speed, all else does not.
                "ratelimit" => match text.rsplit_once(";t=") {
                    Some((rest, wait)) => {
                        waits.extend(seconds(wait, name, faults));
                        format!("{rest};t=*").into_bytes()
                    }
                    None => value.clone(),
                },
                "retry-after" if answer.status == 429 => {
                    let wait = seconds(&text, name, faults);
                    // Both are the same time, told twice.
                    if wait.as_ref() != waits.first() {
                        faults.push(format!("Retry-After is {text}, RateLimit says {waits:?}"));
                    }
                    waits.extend(wait);
                    b"*".to_vec()
                }
                _ => value.clone(),
            };
            headers.push((name.clone(), value));
        }
        headers
    }

    /// A body without ids, times and tokens.
    fn body(&self, body: &[u8]) -> Vec<u8> {
        let Ok(text) = std::str::from_utf8(body) else {
            return body.to_vec();
        };
        if text.starts_with("# HELP edgeproof_") {
            return prometheus(text).into_bytes();
        }
        let mut normal = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, string, after)) = next_string(rest) {
            normal += before;
            match self.string(string) {
                Some(replaced) => normal += &replaced,
                None => normal += string,
            }
            // The closing quote, or it would open the next string.
            normal.push('"');
            rest = &after[1..];
        }
        normal += rest;
        measured(normal).into_bytes()
    }

    /// What stands for the contents of a JSON string, if it is one of those that differ.
    fn string(&self, string: &str) -> Option<String> {
        self.id(string)
            .or_else(|| self.time(string))
            .or_else(|| self.token(string))
    }

    /// The request that this is the id of.
    fn id(&self, text: &str) -> Option<String> {
        let number = self.requests.get(text)?;
        Some(format!("{:*<PLACE$}", format!("id of request {number} ")))
    }

    /// The request during which the arm's clock showed this time.
    fn time(&self, text: &str) -> Option<String> {
        let number = self.during(unix_ms(text)?)?;
        Some(format!("{:*<PLACE$}", format!("time of request {number} ")))
    }

    fn during(&self, ms: u64) -> Option<usize> {
        let number = self
            .times
            .partition_point(|(began, _)| *began <= ms)
            .checked_sub(1)?;
        (ms <= self.times[number].1).then_some(number)
    }

    /// A token's claims, with `iat` and `exp` replaced by the request of the login and the time of validity. Its signature is
    /// checked, and its length kept.
    fn token(&self, text: &str) -> Option<String> {
        let mut parts = text.split('.');
        let (header, payload) = (parts.next()?, parts.next()?);
        let decoded = |part| String::from_utf8(URL_SAFE_NO_PAD.decode(part).ok()?).ok();
        let (header, payload) = (decoded(header)?, decoded(payload)?);
        let claims: serde_json::Value = serde_json::from_str(&payload).ok()?;
        let (issued, expires) = (claims["iat"].as_u64()?, claims["exp"].as_u64()?);
        Key::new(JWT_SECRET).verify(text, issued).ok()?;
        // A second begins before the request does, or in it.
        let (began, ended) = *self.times.last()?;
        let in_time = (began / 1_000..=ended / 1_000).contains(&issued);
        let payload = payload
            .replace(
                &issued.to_string(),
                if in_time { "now" } else { "at another time" },
            )
            .replace(
                &expires.to_string(),
                &format!("{} s later", expires - issued),
            );
        Some(format!("{header} {payload} {} bytes", text.len()))
    }

    fn alert(&self, alert: &Alert) -> Alert {
        let header = |name: &str| {
            let mut named = alert.headers.iter().filter(|(known, _)| known == name);
            named
                .next()
                .map_or("", |(_, value)| std::str::from_utf8(value).unwrap_or(""))
        };
        let (id, timestamp) = (header("webhook-id"), header("webhook-timestamp"));
        let mut signed = Hmac::<Sha256>::new_from_slice(WEBHOOK_KEY).expect("any length");
        signed.update(format!("{id}.{timestamp}.").as_bytes());
        signed.update(&alert.body);
        let signature = format!("v1,{}", STANDARD.encode(signed.finalize().into_bytes()));
        let told = |name: &str| !OF_THE_CONNECTION.contains(&name) && !OF_THE_WAY.contains(&name);
        let headers = alert.headers.iter().filter(|(name, _)| told(name));
        let headers = headers.map(|(name, value)| {
            let value = match name.as_str() {
                // A new one for every alert.
                "webhook-id" if id.len() == "msg_".len() + PLACE => b"msg_*".to_vec(),
                "webhook-timestamp" => {
                    let (began, ended) = *self.times.last().expect("a request caused it");
                    let seconds: Option<u64> = timestamp.parse().ok();
                    let now = seconds
                        .is_some_and(|seconds| (began / 1_000..=ended / 1_000).contains(&seconds));
                    if now { b"now".to_vec() } else { value.clone() }
                }
                // It is made of the two above.
                "webhook-signature" if *value == signature.as_bytes() => b"right".to_vec(),
                _ => value.clone(),
            };
            (name.clone(), value)
        });
        Alert {
            path: alert.path.clone(),
            headers: headers.collect(),
            body: self.body(&alert.body),
        }
    }
}

/// A time to wait: whole seconds, at least one, and not longer than the window.
fn seconds(text: &str, name: &str, faults: &mut Vec<String>) -> Option<u64> {
    let seconds = text
        .parse()
        .ok()
        .filter(|seconds: &u64| seconds.to_string() == text);
    if !seconds.is_some_and(|seconds| (1..=WINDOW_SECONDS).contains(&seconds)) {
        faults.push(format!(
            "{name} is not 1 to {WINDOW_SECONDS} whole seconds: {text:?}"
        ));
    }
    seconds
}

/// Splits JSON at its next string: what comes before its contents, the contents as they are written, and the rest, which begins
/// with the closing quote.
fn next_string(text: &str) -> Option<(&str, &str, &str)> {
    let begin = text.find('"')? + 1;
    let mut escaped = false;
    let length = text[begin..].find(|character| {
        let ends = character == '"' && !escaped;
        escaped = character == '\\' && !escaped;
        ends
    })?;
    let end = begin + length;
    Some((&text[..begin], &text[begin..end], &text[end..]))
}

/// Unix milliseconds of `2026-11-23T21:24:05.123Z`.
fn unix_ms(text: &str) -> Option<u64> {
    let shaped = text.len() == PLACE
        && text
            .bytes()
            .zip("0000-00-00T00:00:00.000Z".bytes())
            .all(|(byte, shape)| {
                if shape == b'0' {
                    byte.is_ascii_digit()
                } else {
                    byte == shape
                }
            });
    if !shaped {
        return None;
    }
    let number = |range: std::ops::Range<usize>| text[range].parse::<i64>().ok();
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    // Days before a year's 1 March, of a calendar whose years begin there.
    let (years, months) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let days = 365 * years + years.div_euclid(4) - years.div_euclid(100)
        + years.div_euclid(400)
        + (153 * months + 2) / 5
        + day
        - 1
        - 719_468;
    let of_day = (number(11..13)? * 60 + number(14..16)?) * 60 + number(17..19)?;
    u64::try_from((days * 86_400 + of_day) * 1_000 + number(20..23)?).ok()
}

/// The metrics without how long answers took.
fn measured(body: String) -> String {
    let name = "\"responseTimeMs\":{";
    let (Some(begin), true) = (body.find(name), body.starts_with("{\"data\":{\"scope\":")) else {
        return body;
    };
    let times = &body[begin + name.len() - 1..body.len() - 2];
    let Ok(times) = serde_json::from_str::<serde_json::Value>(times) else {
        return body;
    };
    let buckets: Vec<serde_json::Value> = times["buckets"].as_array().cloned().unwrap_or_default();
    let ends: Vec<String> = buckets.iter().map(|bucket| bucket[0].to_string()).collect();
    let sum: u64 = buckets.iter().filter_map(|bucket| bucket[1].as_u64()).sum();
    format!(
        "{}count {}, buckets to {} ms with {sum} in all",
        &body[..begin + name.len()],
        times["count"],
        ends.join(", ")
    )
}

/// The metrics as Prometheus text, without how long answers took.
fn prometheus(text: &str) -> String {
    let mut normal = String::new();
    for line in text.split_inclusive('\n') {
        let timed = line.starts_with("edgeproof_response_time_seconds_bucket")
            && !line.contains("+Inf")
            || line.starts_with("edgeproof_response_time_seconds_sum");
        match line.rsplit_once(' ') {
            Some((name, _)) if timed => {
                writeln!(normal, "{name} *").expect("a String takes anything")
            }
            _ => normal += line,
        }
    }
    normal
}

#[cfg(test)]
mod tests {
    use super::{Normaliser, measured, next_string, prometheus, unix_ms};

    #[test]
    fn a_time_stamp_is_read_as_the_worker_writes_it() {
        for ms in [
            0,
            951_782_399_999,
            951_868_800_000,
            1_767_225_600_001,
            4_102_444_799_999,
        ] {
            assert_eq!(
                unix_ms(&edgeproof_worker::core::time::rfc3339(ms)),
                Some(ms)
            );
        }
        for wrong in [
            "2026-01-15",
            "2026-01-15T00:00:00Z",
            "2026-01-15 00:00:00.000Z",
            "2026-01-15T00:00:00.000+",
        ] {
            assert_eq!(unix_ms(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_time_belongs_to_the_request_during_which_it_was() {
        let normaliser = Normaliser {
            times: vec![(10, 20), (21, 21), (30, 40)],
            ..Normaliser::default()
        };
        for (ms, number) in [
            (9, None),
            (10, Some(0)),
            (20, Some(0)),
            (21, Some(1)),
            (25, None),
            (40, Some(2)),
            (41, None),
        ] {
            assert_eq!(normaliser.during(ms), number, "{ms}");
        }
    }

    #[test]
    fn strings_end_where_json_says() {
        assert_eq!(
            next_string(r#"{"a\"b\\":1}"#),
            Some((r#"{""#, r#"a\"b\\"#, r#"":1}"#))
        );
        assert_eq!(next_string("{}"), None);
        // Text that is no id, time or token stays, byte for byte.
        let body = r#"{"a\"b\\":"\u00e9","":"2026-01-15T00:00:00.000Z"} x"#;
        assert_eq!(Normaliser::default().body(body.as_bytes()), body.as_bytes());
    }

    #[test]
    fn of_the_metrics_only_the_times_are_left_out() {
        let json = r#"{"data":{"scope":"isolate","requests":3,"responseTimeMs":{"count":3,"sum":9,"mean":3.0,"buckets":[[5,2],[null,1]]}}}"#;
        let normal = measured(json.to_owned());
        assert!(
            normal.contains("\"requests\":3")
                && normal.contains("count 3")
                && normal.contains("5, null ms with 3"),
            "{normal}"
        );
        let text = "# HELP edgeproof_x y\nedgeproof_x 7\nedgeproof_response_time_seconds_bucket{le=\"0.005\"} 2\nedgeproof_response_time_seconds_bucket{le=\"+Inf\"} 3\nedgeproof_response_time_seconds_sum 0.009\nedgeproof_response_time_seconds_count 3\n";
        let left_out = text
            .replace("{le=\"0.005\"} 2", "{le=\"0.005\"} *")
            .replace("0.009", "*");
        assert_eq!(prometheus(text), left_out);
    }
}
