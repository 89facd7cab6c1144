//! Section 4: quotas. What they are is read from the answers; every bound follows from it.

use crate::ask::Ask;
use crate::burst::Burst;
use crate::clock::{now, wait};
use crate::person::{Person, network, unique};
use crate::server::Server;
use serde_json::json;
use std::time::{Duration, Instant};
use support::client::{Answer, TEA};

/// The seed's own request: JSON, and no transaction.
const TEST_DATA: &str = r#"{"test":"data"}"#;

/// The clocks of the platform stand on whole milliseconds.
const TICK: Duration = Duration::from_millis(2);

/// A policy as an answer tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Policy {
    pub(crate) name: String,
    pub(crate) quota: usize,
    pub(crate) window: Duration,
}

/// `RateLimit-Policy: "write";q=50;w=10`
///
/// # Panics
/// If it is anything else.
pub(crate) fn policy(answer: &Answer) -> Policy {
    let (name, [quota, window]) = field(answer.header("ratelimit-policy"), ["q", "w"]);
    Policy {
        name,
        quota: usize::try_from(quota).expect("a quota"),
        window: Duration::from_secs(window),
    }
}

/// `RateLimit: "write";r=49;t=10`: policy, what is left, seconds.
pub(crate) fn left(answer: &Answer) -> (String, u64, u64) {
    let (name, [left, seconds]) = field(answer.header("ratelimit"), ["r", "t"]);
    (name, left, seconds)
}

fn field(text: &str, names: [&str; 2]) -> (String, [u64; 2]) {
    let parts: Vec<&str> = text.split(';').collect();
    let [name, one, two] = parts[..] else {
        panic!("{text:?}")
    };
    let name = name
        .strip_prefix('"')
        .and_then(|name| name.strip_suffix('"'));
    let number = |part: &str, name: &str| {
        let number = part
            .strip_prefix(name)
            .and_then(|rest| rest.strip_prefix('='));
        number
            .and_then(|number| number.parse().ok())
            .unwrap_or_else(|| panic!("{text:?}"))
    };
    (
        name.unwrap_or_else(|| panic!("{text:?}")).to_owned(),
        [number(one, names[0]), number(two, names[1])],
    )
}

/// `Retry-After`, whole seconds.
fn retry_after(answer: &Answer) -> Duration {
    let seconds = answer.header("retry-after").parse();
    Duration::from_secs(seconds.unwrap_or_else(|_| panic!("{answer:?}")))
}

/// A write that is charged and stores nothing.
fn write<'a>(server: &Server, person: &Person) -> Ask<'a> {
    server.post("/api/transactions").by(person).text(TEST_DATA)
}

fn read<'a>(server: &Server, person: &Person) -> Ask<'a> {
    server.get("/api/transactions").by(person)
}

/// Uses a quota up and gives the policy. `make` is charged to it and admitted.
fn used_up<'a>(server: &Server, make: impl Fn() -> Ask<'a> + Sync) -> Policy {
    let policy = policy(&make().send());
    let burst = Burst::send(server, policy.quota - 1, 32, |_| make());
    assert_eq!(
        burst.verdict(policy.window),
        (policy.quota - 1, 0),
        "{policy:?}"
    );
    policy
}

fn r1_each_route_is_charged_to_its_policy(server: &Server) {
    let (user, admin, stranger) = (
        Person::user("policy"),
        Person::admin("policy"),
        Person::stranger(),
    );
    for (name, asked) in [
        ("general", read(server, &user)),
        ("general", server.get("/api/dashboard").by(&user)),
        ("general", server.get("/api/reports").by(&user)),
        ("general", server.get("/api/admin/audit-logs").by(&admin)),
        ("general", server.get("/api/admin/metrics").by(&admin)),
        ("general", read(server, &stranger)),
        ("write", write(server, &user)),
        ("write", server.post("/api/admin/alerts/test").by(&admin)),
        ("auth", server.login(&stranger, "nobody", "wrong")),
    ] {
        let answer = asked.send();
        let policy = policy(&answer);
        assert_eq!(
            (policy.name.as_str(), left(&answer).0.as_str()),
            (name, name)
        );
        assert!(left(&answer).2 <= policy.window.as_secs(), "{answer:?}");
    }
}

fn r1_reads_never_use_up_writes_nor_writes_more_than_their_own(server: &Server) {
    let user = Person::user("apart");
    let general = used_up(server, || read(server, &user));
    assert_eq!(read(server, &user).send().status, 429);
    let writes = used_up(server, || write(server, &user));
    assert_eq!(write(server, &user).send().status, 429);
    assert!(general.quota > writes.quota);

    let user = Person::user("apart");
    used_up(server, || write(server, &user));
    assert_eq!(write(server, &user).send().status, 429);
    assert_eq!(read(server, &user).send().status, 200);
}

fn r2_no_window_admits_more_than_the_quota_and_all_of_it_can_be_used(server: &Server) {
    let user = Person::user("sliding");
    let begin = now();
    let policy = policy(&write(server, &user).send());
    // One after the other, so that their order is known: each was decided between its two instants.
    let mut admitted: Vec<(Instant, Instant)> = vec![(begin, now())];
    let mut connection = server.connect();
    while begin.elapsed() < policy.window * 5 / 2 {
        let sent = now();
        let answer = write(server, &user).on(&mut connection);
        if answer.status == 429 {
            assert!(retry_after(&answer) <= policy.window, "{answer:?}");
            wait(Duration::from_millis(10));
        } else {
            admitted.push((sent, now()));
        }
    }
    let intervals = admitted.iter().zip(admitted.iter().skip(policy.quota));
    for ((sent, _), (_, received)) in intervals {
        let apart = *received - *sent;
        assert!(
            apart + TICK >= policy.window,
            "{} in {apart:?}",
            policy.quota + 1
        );
    }
    // At the beginning, after one window and after two of them the quota is there again.
    assert!(admitted.len() >= 2 * policy.quota, "{}", admitted.len());
}

fn r2_the_end_of_one_window_and_the_begin_of_the_next_are_one_interval(server: &Server) {
    let user = Person::user("boundary");
    let first = write(server, &user).send();
    let policy = policy(&first);
    let begin = now();
    // All but one late in the window.
    wait(policy.window.mul_f64(0.8));
    let late = Burst::send(server, policy.quota - 1, 32, |_| write(server, &user));
    assert_eq!(late.with(429).len(), 0);
    let left = (policy.window + TICK * 50).saturating_sub(begin.elapsed());
    assert!(!left.is_zero(), "too slow to be judged");
    wait(left);
    let next = Burst::send(server, policy.quota, 32, |_| write(server, &user));
    assert!(
        begin.elapsed() < policy.window.mul_f64(1.7),
        "too slow to be judged"
    );
    assert_eq!(
        next.answers.len() - next.with(429).len(),
        1,
        "only the first one's place is free again"
    );
}

fn r3_of_150_writes_exactly_the_quota_is_admitted_one_by_one(server: &Server) {
    for body in [TEST_DATA, TEA] {
        let user = Person::user("one-by-one");
        let burst = Burst::send(server, 150, 1, |_| {
            server.post("/api/transactions").by(&user).text(body)
        });
        holds(&burst);
    }
}

fn r3_of_150_writes_exactly_the_quota_is_admitted_in_parallel(server: &Server) {
    for body in [TEST_DATA, TEA] {
        let user = Person::user("parallel");
        let burst = Burst::send(server, 150, 64, |_| {
            server.post("/api/transactions").by(&user).text(body)
        });
        holds(&burst);
        let admitted = burst
            .answers
            .iter()
            .find(|answer| answer.status != 429)
            .expect("some are");
        if body == TEA {
            assert_eq!(admitted.status, 201);
            let stored = server.rows(&user, "/api/transactions?limit=100");
            assert_eq!(
                stored.len(),
                policy(admitted).quota,
                "what was denied is not stored"
            );
        }
    }
}

fn r3_the_quota_is_the_same_whatever_the_body(server: &Server) {
    let user = Person::user("any-body");
    let burst = Burst::send(server, 150, 64, |number| {
        let asked = server.post("/api/transactions").by(&user);
        match number % 5 {
            0 => asked.text(vec![b'x'; 70_000]),
            1 => asked.bytes("no media type"),
            2 => asked.text("{"),
            3 => asked.text(TEA),
            _ => asked,
        }
    });
    let policy = policy(&burst.answers[0]);
    assert_eq!(
        burst.verdict(policy.window),
        (policy.quota, 150 - policy.quota)
    );
}

/// R3 and R5 for 150 writes of one user.
fn holds(burst: &Burst) {
    let policy = policy(&burst.answers[0]);
    assert_eq!(
        burst.verdict(policy.window),
        (policy.quota, 150 - policy.quota)
    );
    let admitted: Vec<&Answer> = burst
        .answers
        .iter()
        .filter(|answer| answer.status != 429)
        .collect();
    let first = admitted[0].status;
    assert!([201, 400, 422].contains(&first), "{first}");
    assert!(
        admitted.iter().all(|answer| answer.status == first),
        "{:?}",
        burst.statuses()
    );
    let mut rests: Vec<u64> = admitted.iter().map(|answer| left(answer).1).collect();
    rests.sort_unstable();
    let expected: Vec<u64> = (0..policy.quota as u64).collect();
    assert_eq!(rests, expected, "what is left falls by one with each");
    for denied in burst.with(429) {
        is_denial(denied, &policy);
    }
}

/// R5.
fn is_denial(answer: &Answer, policy: &Policy) {
    assert_eq!(answer.status, 429);
    let seconds = retry_after(answer);
    assert!(
        (Duration::from_secs(1)..=policy.window).contains(&seconds),
        "{answer:?}"
    );
    assert_eq!(left(answer), (policy.name.clone(), 0, seconds.as_secs()));
    assert_eq!(
        answer.json()["type"],
        "https://iana.org/assignments/http-problem-types#quota-exceeded"
    );
    assert_eq!(answer.json()["violated-policies"], json!([policy.name]));
}

fn r4_a_denial_changes_nothing_and_does_not_prolong_the_block(server: &Server) {
    let user = Person::user("denied");
    let begin = now();
    let first = server.post("/api/transactions").by(&user).text(TEA).send();
    assert_eq!(first.status, 201);
    let policy = policy(&first);
    let before = left(&read(server, &user).send()).1;
    let rest = Burst::send(server, policy.quota - 1, 32, |_| write(server, &user));
    assert_eq!(rest.verdict(policy.window), (policy.quota - 1, 0));
    let filled = now();
    // Denied without a pause for the greater part of the window.
    let mut connection = server.connect();
    let mut denied = 0;
    while begin.elapsed() < policy.window.mul_f64(0.6) {
        let answer = server
            .post("/api/transactions")
            .by(&user)
            .text(TEA)
            .on(&mut connection);
        is_denial(&answer, &policy);
        denied += 1;
    }
    assert!(denied > 10, "{denied}");
    let after = read(server, &user).send();
    assert_eq!(
        left(&after).1 + 1,
        before,
        "no quota of another policy was used"
    );
    assert_eq!(
        after.json()["data"].as_array().map(Vec::len),
        Some(1),
        "nothing was stored"
    );
    wait((policy.window + Duration::from_millis(100)).saturating_sub(filled.elapsed()));
    let again = Burst::send(server, policy.quota, 16, |_| write(server, &user));
    assert_eq!(
        again.verdict(policy.window),
        (policy.quota, 0),
        "the whole quota is there again"
    );
}

fn r5_after_the_time_in_retry_after_a_request_passes(server: &Server) {
    let from = Person::stranger();
    let login = || server.login(&from, "nobody", "wrong");
    // The quota's last part comes later than the first, so that the wait is shorter than a window.
    let first = login().send();
    let policy = policy(&first);
    assert_eq!(
        left(&first),
        ("auth".to_owned(), policy.quota as u64 - 1, left(&first).2)
    );
    wait(policy.window.mul_f64(0.45));
    for _ in 1..policy.quota {
        assert_eq!(login().send().status, 401);
    }
    let denied = login().send();
    is_denial(&denied, &policy);
    let seconds = retry_after(&denied);
    assert!(
        seconds < policy.window,
        "{seconds:?} for a place that is free sooner"
    );
    wait(seconds);
    assert_eq!(login().send().status, 401, "it passes after {seconds:?}");
    assert_eq!(login().send().status, 429, "one place was free");
}

fn r6_no_header_but_the_platforms_changes_the_address(server: &Server) {
    let from = Person::stranger();
    let login = || server.login(&from, "nobody", "wrong");
    let policy = policy(&login().send());
    for number in 1..policy.quota {
        let answer = login()
            .header("X-Forwarded-For", format!("198.51.100.{number}"))
            .header("X-Real-IP", format!("198.51.100.{number}"))
            .send();
        assert_eq!(left(&answer).1 as usize, policy.quota - 1 - number);
    }
    for (name, value) in [
        ("X-Forwarded-For", "198.51.100.1"),
        ("X-Forwarded-For", "198.51.100.1, 198.51.100.2"),
        ("X-Real-IP", "198.51.100.1"),
        ("Forwarded", "for=198.51.100.1"),
        ("True-Client-IP", "198.51.100.1"),
        ("X-Client-IP", "198.51.100.1"),
        ("X-Cluster-Client-IP", "198.51.100.1"),
        ("Fastly-Client-IP", "198.51.100.1"),
        ("CF-Connecting-IPv6", "2001:db8::1"),
        ("CF-Pseudo-IPv4", "240.0.0.1"),
        ("Via", "1.1 198.51.100.1"),
    ] {
        assert_eq!(login().header(name, value).send().status, 429, "{name}");
    }
    // Nor does it give one away: the address in the header is charged nothing.
    let named = Person::stranger();
    for _ in 0..policy.quota + 2 {
        login().header("X-Forwarded-For", &named.address).send();
    }
    assert_eq!(
        left(&server.login(&named, "nobody", "wrong").send()).1 as usize,
        policy.quota - 1
    );
}

fn r6_ipv6_addresses_of_one_network_share_a_budget(server: &Server) {
    let (one, other) = (network(), network());
    let ask = |address: String| {
        server
            .login(&Person::at(&address), "nobody", "wrong")
            .send()
    };
    let policy = policy(&ask(format!("{one}::1")));
    for host in 2..=policy.quota {
        let answer = ask(format!("{one}:ffff:{host:x}::{host:x}"));
        assert_eq!(left(&answer).1 as usize, policy.quota - host);
    }
    assert_eq!(ask(format!("{one}:1:2:3:4")).status, 429);
    assert_eq!(ask(one.to_ascii_uppercase() + "::9").status, 429);
    assert_eq!(ask(format!("{other}::1")).status, 401, "another network");
    let v4 = Person::stranger().address;
    for _ in 0..policy.quota {
        assert_eq!(ask(v4.clone()).status, 401);
    }
    assert_eq!(
        ask(format!("::ffff:{v4}")).status,
        429,
        "IPv4 written as IPv6 is the same address"
    );
}

fn r7_users_and_addresses_are_apart_and_any_id_works(server: &Server) {
    let from = Person::stranger();
    let policy = used_up(server, || read(server, &from));
    assert_eq!(read(server, &from).send().status, 429);
    for id in [
        from.address.clone(),
        format!("ip:{}", from.address),
        format!("address:{}", from.address),
        format!("a{}", from.address),
        format!("{}:general", from.address),
    ] {
        let answer = read(server, &Person::named(&id, "user")).send();
        assert_eq!(
            (answer.status, left(&answer).1 as usize),
            (200, policy.quota - 1),
            "{id}"
        );
    }
    let base = unique("id");
    let ids = [
        format!("{base}:write"),
        format!("{base}/../{base}"),
        format!("{base} with spaces "),
        format!("{base}-ünïcødé-🚨"),
        format!("{base}\u{0}nul"),
        format!("{base}'; DROP TABLE transactions; --"),
        format!("{base}%00%2f"),
        base.repeat(200),
        format!("{}!", base.repeat(200)),
        base.clone(),
    ];
    for id in ids {
        let person = Person::named(&id, "user");
        let answer = read(server, &person).send();
        assert_eq!(
            (answer.status, left(&answer).1 as usize),
            (200, policy.quota - 1),
            "{id}"
        );
        let created = server
            .post("/api/transactions")
            .by(&person)
            .text(TEA)
            .send();
        assert_eq!(created.status, 201, "{id}");
        assert_eq!(server.rows(&person, "/api/transactions").len(), 1, "{id}");
        assert_eq!(
            server.get("/api/dashboard").by(&person).send().status,
            200,
            "{id}"
        );
    }
}

fn r8_who_has_no_right_token_is_charged_by_address(server: &Server) {
    let from = Person::stranger();
    let wrong = from.with_token("wrong");
    let policy = policy(&read(server, &from).send());
    assert_eq!(policy.name, "general");
    let burst = Burst::send(server, policy.quota + 20, 32, |number| match number % 4 {
        0 => read(server, &from),
        1 => read(server, &wrong),
        2 => server.post("/api/transactions").by(&wrong).text(TEA),
        _ => server.get("/api/admin/metrics").by(&from),
    });
    assert_eq!(burst.verdict(policy.window), (policy.quota - 1, 21));
    assert_eq!(burst.with(401).len(), policy.quota - 1);
    assert_eq!(
        read(server, &from.elsewhere()).send().status,
        401,
        "another address"
    );
    let user = Person {
        address: from.address,
        ..Person::user("same-address")
    };
    assert_eq!(
        read(server, &user).send().status,
        200,
        "a user at that address"
    );
}

fn r9_two_tokens_of_a_user_share_a_budget_and_two_users_do_not(server: &Server) {
    let user = Person::user("shared");
    let other = user
        .with_token(&crate::token::with_claim(&user.id, "nbf", json!(1)))
        .elsewhere();
    assert_ne!(user.token, other.token);
    let policy = policy(&write(server, &user).send());
    let burst = Burst::send(server, policy.quota - 1, 32, |number| {
        write(server, if number % 2 == 0 { &user } else { &other })
    });
    assert_eq!(burst.verdict(policy.window), (policy.quota - 1, 0));
    for token in [&user, &other] {
        assert_eq!(write(server, token).send().status, 429);
    }
    let another = Person {
        address: user.address,
        ..Person::user("shared")
    };
    assert_eq!(
        left(&write(server, &another).send()).1 as usize,
        policy.quota - 1
    );
}

fn r9_health_and_preflights_are_free(server: &Server) {
    let from = Person::stranger();
    let burst = Burst::send(server, 300, 32, |number| match number % 3 {
        0 => server.get("/api/health").by(&from),
        1 => server.ask("OPTIONS", "/api/auth/login").by(&from),
        _ => server.ask("OPTIONS", "/api/transactions").by(&from),
    });
    assert!(burst.with(429).is_empty(), "{:?}", burst.statuses());
    assert!(
        burst
            .answers
            .iter()
            .all(|answer| !answer.headers.contains_key("ratelimit"))
    );
    let answer = read(server, &from).send();
    assert_eq!(
        left(&answer).1 as usize,
        policy(&answer).quota - 1,
        "nothing was charged"
    );
    // Who is denied everything else gets both all the same.
    let denied = Person::stranger();
    used_up(server, || read(server, &denied));
    assert_eq!(read(server, &denied).send().status, 429);
    assert_eq!(server.get("/api/health").by(&denied).send().status, 200);
    assert_eq!(
        server
            .ask("OPTIONS", "/api/reports")
            .by(&denied)
            .send()
            .status,
        204
    );
}

on_every_arm!(
    r1_each_route_is_charged_to_its_policy,
    r1_reads_never_use_up_writes_nor_writes_more_than_their_own,
    r2_no_window_admits_more_than_the_quota_and_all_of_it_can_be_used,
    r2_the_end_of_one_window_and_the_begin_of_the_next_are_one_interval,
    r3_of_150_writes_exactly_the_quota_is_admitted_in_parallel,
    r3_of_150_writes_exactly_the_quota_is_admitted_one_by_one,
    r3_the_quota_is_the_same_whatever_the_body,
    r4_a_denial_changes_nothing_and_does_not_prolong_the_block,
    r5_after_the_time_in_retry_after_a_request_passes,
    r6_ipv6_addresses_of_one_network_share_a_budget,
    r6_no_header_but_the_platforms_changes_the_address,
    r7_users_and_addresses_are_apart_and_any_id_works,
    r8_who_has_no_right_token_is_charged_by_address,
    r9_health_and_preflights_are_free,
    r9_two_tokens_of_a_user_share_a_budget_and_two_users_do_not,
);
