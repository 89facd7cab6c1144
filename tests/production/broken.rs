//! Tests of the comparison: each arm here is the simulator with one defect, which the comparison must report.

use crate::arm::Answer;
use crate::difference::{self, Difference};
use crate::{Run, differences, simulated};
use std::collections::BTreeSet;

/// How many sequences are enough for this.
const SEQUENCES: usize = 14;

/// The differences of an arm that answers as the simulator, but for what `breakage` does to the first answer that it can be done
/// to; with the place of that answer. `None` if there is none.
fn broken(breakage: impl Fn(&mut Answer) -> bool) -> Option<(u64, usize, Vec<Difference>)> {
    simulated()[..SEQUENCES].iter().find_map(|ours| {
        let mut theirs = ours.repeated();
        let mut answers = theirs.exchanges.iter_mut().map(|(_, answer)| answer);
        let place = answers.position(&breakage)?;
        let (ours, theirs) = (std::slice::from_ref(ours), std::slice::from_ref(&theirs));
        Some((
            ours[0].seed,
            place,
            differences("a broken arm", ours, theirs),
        ))
    })
}

/// # Panics
/// If the breakage cannot be done, or is not noticed where it was done.
fn must_be_noticed(what: &str, breakage: impl Fn(&mut Answer) -> bool) {
    let (seed, place, found) =
        broken(breakage).unwrap_or_else(|| panic!("{what}: no answer to break"));
    let noticed = found
        .iter()
        .any(|difference| (difference.seed, difference.place) == (seed, place));
    assert!(
        noticed,
        "not noticed: {what}, seed {seed}, request {}",
        place + 1
    );
    assert!(
        difference::verdict(&found, &BTreeSet::new(), false).is_err(),
        "{what}"
    );
}

/// Names of the headers that answers have, except those of the connection.
fn names() -> BTreeSet<String> {
    let runs = simulated()[..SEQUENCES].iter();
    let answers = runs.flat_map(|run| &run.exchanges);
    let headers = answers.flat_map(|(_, answer)| &answer.headers);
    headers
        .map(|(name, _)| name.clone())
        .filter(|name| name != "content-length")
        .collect()
}

#[test]
fn an_arm_that_repeats_the_simulator_is_not_different() {
    let ours = &simulated()[..SEQUENCES];
    let theirs: Vec<Run> = ours.iter().map(Run::repeated).collect();
    assert!(differences("the same", ours, &theirs).is_empty());
}

#[test]
fn a_header_that_is_missing_or_different_or_too_many_is_noticed() {
    let names = names();
    assert!(names.len() > 20, "{names:?}");
    for name in names {
        let place = |answer: &Answer| answer.headers.iter().position(|(known, _)| *known == name);
        must_be_noticed(&format!("{name} is missing"), |answer| {
            match place(answer) {
                Some(place) => {
                    answer.headers.remove(place);
                    true
                }
                None => false,
            }
        });
        must_be_noticed(&format!("{name} says more"), |answer| match place(answer) {
            Some(place) => {
                answer.headers[place].1.push(b'0');
                true
            }
            None => false,
        });
        must_be_noticed(&format!("{name} is there twice"), |answer| {
            match place(answer) {
                Some(place) => {
                    let header = answer.headers[place].clone();
                    answer.headers.insert(place, header);
                    true
                }
                None => false,
            }
        });
        must_be_noticed(&format!("{name} is there too"), |answer| {
            match place(answer) {
                None => {
                    answer.headers.push((name.clone(), b"1".to_vec()));
                    answer.headers.sort();
                    true
                }
                // Where all answers have it, one more is the case above.
                Some(_) if SAME_EVERYWHERE.contains(&name.as_str()) => {
                    answer
                        .headers
                        .push(("x-powered-by".to_owned(), b"1".to_vec()));
                    true
                }
                Some(_) => false,
            }
        });
    }
}

/// Headers that no answer is without.
const SAME_EVERYWHERE: [&str; 12] = [
    "cache-control",
    "content-security-policy",
    "cross-origin-opener-policy",
    "cross-origin-resource-policy",
    "permissions-policy",
    "referrer-policy",
    "strict-transport-security",
    "vary",
    "x-content-type-options",
    "x-frame-options",
    "x-permitted-cross-domain-policies",
    "x-request-id",
];

#[test]
fn another_status_is_noticed() {
    for status in [200, 201, 204, 400, 401, 403, 404, 405, 413, 415, 422, 429] {
        must_be_noticed(&format!("{status} becomes {}", status + 1), |answer| {
            let it_is = answer.status == status;
            answer.status += u16::from(it_is);
            it_is
        });
    }
}

#[test]
fn a_byte_that_differs_anywhere_in_a_body_is_noticed() {
    // A digit of a time stamp may change within the request that it belongs to; metrics tell how long answers took.
    let fixed = |body: &[u8]| {
        let text = String::from_utf8_lossy(body);
        !text.contains("Z\"") && !text.contains("responseTime") && !text.starts_with("# HELP")
    };
    let runs = simulated()[..SEQUENCES].iter();
    let bodies: BTreeSet<&[u8]> = runs
        .flat_map(|run| {
            run.exchanges
                .iter()
                .map(|(_, answer)| answer.body.as_slice())
        })
        .filter(|body| !body.is_empty() && fixed(body))
        .collect();
    assert!(bodies.len() > 50, "{}", bodies.len());
    for (number, body) in bodies.iter().enumerate() {
        let at = number * 37 % body.len();
        must_be_noticed(
            &format!("byte {at} of {}", String::from_utf8_lossy(body)),
            |answer| {
                let it_is = answer.body == *body;
                if it_is {
                    answer.body[at] ^= 1;
                }
                it_is
            },
        );
    }
}

/// Replaces text in a body, once.
fn reword(answer: &mut Answer, from: &str, to: &str) -> bool {
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    let there = text.contains(from);
    if there {
        answer.body = text.replacen(from, to, 1).into_bytes();
    }
    there
}

#[test]
fn the_same_json_in_another_order_or_spelling_is_noticed() {
    must_be_noticed("members in another order", |answer| {
        reword(
            answer,
            "\"income\":0.00,\"expense\":0.00",
            "\"expense\":0.00,\"income\":0.00",
        )
    });
    must_be_noticed("a number spelled otherwise", |answer| {
        reword(answer, "\"income\":0.00", "\"income\":0.0")
    });
    must_be_noticed("a space", |answer| {
        reword(answer, "\"data\":[", "\"data\": [")
    });
}

#[test]
fn an_id_or_a_time_of_another_request_is_noticed() {
    let stamp = |answer: &Answer| {
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        let at = text.find("Z\"").filter(|at| *at >= 23)? - 23;
        Some(text[at..at + 24].to_owned())
    };
    for (what, range, digit) in [
        ("a minute", 14..16, "59"),
        ("a year", 0..4, "2031"),
        ("the form", 19..20, ","),
    ] {
        must_be_noticed(&format!("{what} of a time stamp"), |answer| {
            match stamp(answer) {
                Some(old) => {
                    let mut new = old.clone();
                    new.replace_range(range.clone(), digit);
                    reword(answer, &old, &new)
                }
                None => false,
            }
        });
    }
    let first = simulated()[0].exchanges[0]
        .1
        .header("x-request-id")
        .expect("it has one")
        .to_vec();
    must_be_noticed("an id that was given before", |answer| {
        let mut ids = answer
            .headers
            .iter_mut()
            .filter(|(name, _)| name == "x-request-id");
        let (_, id) = ids.next().expect("every answer has one");
        let another = *id != first;
        if another {
            id.clone_from(&first);
        }
        another
    });
    must_be_noticed("an id of no request", |answer| {
        reword(
            answer,
            "\"requestId\":\"",
            "\"requestId\":\"0123456789abcdef01234567\",\"was\":\"",
        )
    });
    must_be_noticed("a row id", |answer| {
        reword(answer, "\"data\":{\"id\":", "\"data\":{\"id\":1")
    });
}

#[test]
fn a_token_that_says_something_else_is_noticed() {
    must_be_noticed("a signature", |answer| {
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        let is_login = text.starts_with("{\"token\":\"");
        if is_login {
            let at = text.find("\",\"tokenType").expect("it follows the token") - 20;
            answer.body[at] = if answer.body[at] == b'A' { b'B' } else { b'A' };
        }
        is_login
    });
    must_be_noticed("another token", |answer| {
        let other = edgeproof_worker::core::jwt::mint(
            crate::people::JWT_SECRET,
            "somebody",
            "user",
            answer.began_ms / 1_000,
            3_600,
        );
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        let Some(rest) = text.strip_prefix("{\"token\":\"") else {
            return false;
        };
        let end = rest.find('"').expect("the token ends");
        answer.body = format!("{{\"token\":\"{other}{}", &rest[end..]).into_bytes();
        true
    });
}

#[test]
fn a_wait_that_is_no_time_to_wait_is_noticed() {
    let set = |answer: &mut Answer, name: &str, value: &str| {
        let mut named = answer.headers.iter_mut().filter(|(known, _)| known == name);
        match named.next() {
            Some((_, old)) => {
                *old = value.as_bytes().to_vec();
                true
            }
            None => false,
        }
    };
    for wrong in ["0", "61", "1.5", "-1", "060", "soon", "", "30"] {
        must_be_noticed(&format!("Retry-After: {wrong}"), |answer| {
            set(answer, "retry-after", wrong)
        });
    }
    for wrong in ["0", "61", "1.5", "", "30"] {
        must_be_noticed(&format!("t={wrong}"), |answer| {
            set(answer, "ratelimit", &format!("\"general\";r=11;t={wrong}"))
        });
    }
}

#[test]
fn an_alert_that_is_lost_doubled_or_wrong_is_noticed() {
    let any = |answer: &mut Answer| !answer.alerts.is_empty();
    must_be_noticed("a lost alert", |answer| {
        any(answer) && answer.alerts.pop().is_some()
    });
    must_be_noticed("a doubled alert", |answer| {
        let again = answer.alerts.first().cloned();
        answer.alerts.extend(again);
        any(answer)
    });
    must_be_noticed("another receiver", |answer| {
        any(answer) && {
            answer.alerts[0].path += "/";
            true
        }
    });
    must_be_noticed("a changed alert", |answer| {
        any(answer) && {
            answer.alerts[0].body[2] ^= 1;
            true
        }
    });
    must_be_noticed("an unsigned alert", |answer| {
        any(answer) && {
            answer.alerts[0]
                .headers
                .retain(|(name, _)| name != "webhook-signature");
            true
        }
    });
}

#[test]
fn a_lost_connection_is_noticed() {
    must_be_noticed("a lost connection", |answer| {
        answer.status = 0;
        answer.headers.clear();
        answer.body = b"no answer".to_vec();
        true
    });
}

#[test]
fn the_list_of_differences_must_be_exact() {
    let (_, _, found) =
        broken(|answer| reword(answer, "\"data\":", "\"date\":")).expect("there is data");
    let name = found[0].name();
    let page = |name: &str| {
        format!(
            "| request | real runtime | simulator | reason |\n|---|---|---|---|\n| `{name}` | a | b | c |\n\n| x |\n"
        )
    };
    let listed = difference::listed(&page(&name));
    assert_eq!(listed, BTreeSet::from([name.clone()]));
    assert_eq!(difference::verdict(&found, &listed, true), Ok(()));
    let settled = difference::verdict(&[], &listed, true).expect_err("it is none any more");
    assert!(settled.contains(&name), "{settled}");
    let unlisted = difference::verdict(&found, &difference::listed(&page("another")), false)
        .expect_err("it is not listed");
    for part in [
        &name,
        "EDGEPROOF_SEED=",
        "curl ",
        "simulator: ",
        "a broken arm: ",
    ] {
        assert!(unlisted.contains(part), "{part}: {unlisted}");
    }
}
