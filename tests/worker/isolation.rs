//! Whose budget a request is charged to: users and addresses share nothing, and nothing that a client writes changes who it is.

use edgeproof_sim::World;
use edgeproof_sim::http::Response;
use edgeproof_sim::world::client::Client;
use support::production::*;

/// Uses up a user's quota of reads.
async fn use_up(client: &Client, user: &str) {
    let answers = in_parallel(64, times(101, client, || get(client, user, TRANSACTIONS))).await;
    assert_eq!(statuses(&answers), [(200, 100), (429, 1)], "{user}");
}

/// Uses up the budget of a client's address.
async fn use_up_address(client: &Client) {
    let answers = in_parallel(64, times(101, client, || anonymous(client))).await;
    assert_eq!(
        statuses(&answers),
        [(401, 100), (429, 1)],
        "{}",
        client.ip()
    );
}

fn anonymous(client: &Client) -> edgeproof_sim::http::Request {
    client.get(TRANSACTIONS).build()
}

/// What is left of a user's quota of reads after one more of them.
async fn left(client: &Client, user: &str) -> u64 {
    rate_limit(&client.send(get(client, user, TRANSACTIONS)).await).1
}

#[test]
fn two_users_never_share_a_budget_not_even_behind_one_address() {
    world().run(async |world| {
        let client = world.client("MEX");
        let alone = in_parallel(64, times(150, &client, || post(&client, "user-1"))).await;
        let other = in_parallel(64, times(150, &client, || post(&client, "user-2"))).await;
        assert_eq!(statuses(&alone), [(201, 50), (429, 100)]);
        assert_eq!(statuses(&other), [(201, 50), (429, 100)]);
    });
}

#[test]
fn users_who_burst_at_the_same_time_get_their_quota_each() {
    let world = world();
    world.run(async |world| {
        let client = world.client("MEX");
        let requests = (0..600).map(|number| {
            (
                client.clone(),
                post(&client, &format!("user-{}", number % 4)),
            )
        });
        assert_eq!(
            statuses(&in_parallel(64, requests).await),
            [(201, 200), (429, 400)]
        );
    });
    let per_user = rows(
        &world,
        "SELECT user_id, count(*) FROM transactions GROUP BY 1 ORDER BY 1",
    );
    let expected = [0, 1, 2, 3].map(|number| vec![format!("user-{number}"), "50".to_owned()]);
    assert_eq!(per_user, expected);
}

#[test]
fn two_tokens_of_one_user_share_one_budget_also_from_two_addresses() {
    world().run(async |world| {
        let (home, work) = (world.client("MEX"), world.client("MEX"));
        let (one, two) = (
            token("user-1"),
            edgeproof_worker::core::jwt::mint(
                JWT_SECRET,
                "user-1",
                "user",
                START_SECONDS - 60,
                9_999,
            ),
        );
        assert_ne!(one, two);
        let send = |number: usize| match number % 2 {
            0 => (
                home.clone(),
                home.post(TRANSACTIONS)
                    .bearer(&one)
                    .json(&transaction())
                    .build(),
            ),
            _ => (
                work.clone(),
                work.post(TRANSACTIONS)
                    .bearer(&two)
                    .json(&transaction())
                    .build(),
            ),
        };
        assert_eq!(
            statuses(&in_parallel(64, (0..150).map(send)).await),
            [(201, 50), (429, 100)]
        );
    });
}

#[test]
fn reads_and_writes_of_a_user_have_budgets_of_their_own() {
    world().run(async |world| {
        let client = world.client("MEX");
        use_up(&client, "user-1").await;
        let writes = one_by_one(&client, 51, || post(&client, "user-1")).await;
        assert_eq!(statuses(&writes), [(201, 50), (429, 1)]);
    });
}

#[test]
fn a_user_who_is_called_like_an_address_shares_nothing_with_it() {
    world().run(async |world| {
        let client = world.client("MEX").with_ip("203.0.113.7");
        use_up_address(&client).await;
        for user in [
            "203.0.113.7",
            "ip:203.0.113.7",
            "a:203.0.113.7",
            "a203.0.113.7",
            "unknown",
        ] {
            assert_eq!(left(&client, user).await, 99, "{user}");
        }
        // And the other way round.
        use_up(&client, "198.51.100.9").await;
        let other = client.clone().with_ip("198.51.100.9");
        assert_eq!(other.send(anonymous(&other)).await.status, 401);
    });
}

#[test]
fn any_id_of_a_user_has_a_budget_of_its_own() {
    let long = "x".repeat(5_000);
    let longer = "x".repeat(5_001);
    let ids = [
        "a",
        "A",
        "a ",
        "a/b",
        "a:b",
        "a/b:c",
        "Ünïcødé 🚨",
        "Ünïcødé 🔒",
        "../a",
        "' OR 1=1 --",
        &long,
        &longer,
    ];
    world().run(async |world| {
        let client = world.client("MEX");
        for id in ids {
            assert_eq!(left(&client, id).await, 99, "{id:.20}");
            let rest =
                in_parallel(64, times(100, &client, || get(&client, id, TRANSACTIONS))).await;
            assert_eq!(statuses(&rest), [(200, 99), (429, 1)], "{id:.20}");
        }
    });
}

#[test]
fn what_a_client_writes_about_its_address_changes_nothing() {
    let names = [
        "X-Forwarded-For",
        "X-Real-IP",
        "Forwarded",
        "True-Client-IP",
        "X-Client-IP",
        "X-Cluster-Client-IP",
        "Fastly-Client-IP",
        "CF-Connecting-IP",
        "CF-Connecting-IPv6",
        "CF-Pseudo-IPv4",
        "Via",
    ];
    world().run(async |world| {
        let client = world.client("MEX");
        let forged = |number: usize| {
            let address = format!("192.0.2.{}", number % 250);
            names
                .iter()
                .fold(client.get(TRANSACTIONS), |request, name| {
                    request.header(name, &address)
                })
                .build()
        };
        let answers =
            in_parallel(64, (0..150).map(|number| (client.clone(), forged(number)))).await;
        assert_eq!(statuses(&answers), [(401, 100), (429, 50)]);
        // Nor is anybody else's budget touched.
        let victim = client.clone().with_ip("192.0.2.1");
        assert_eq!(rate_limit(&victim.send(anonymous(&victim)).await).1, 99);
    });
}

#[test]
fn of_an_ipv6_address_the_network_is_charged() {
    world().run(async |world| {
        let client = world.client("MEX");
        let at = |ip: String| client.clone().with_ip(&ip);
        let hosts = (0..150).map(|number| {
            let host = at(format!("2001:db8:1:2::{number:x}"));
            let request = anonymous(&host);
            (host, request)
        });
        assert_eq!(
            statuses(&in_parallel(64, hosts).await),
            [(401, 100), (429, 50)]
        );
        let neighbour = at("2001:db8:1:3::1".to_owned());
        assert_eq!(
            rate_limit(&neighbour.send(anonymous(&neighbour)).await).1,
            99
        );
    });
}

#[test]
fn two_addresses_never_share_a_budget() {
    world().run(async |world| {
        let (one, two) = (world.client("MEX"), world.client("MEX"));
        use_up_address(&one).await;
        assert_eq!(rate_limit(&two.send(anonymous(&two)).await).1, 99);
    });
}

#[test]
fn requests_without_a_valid_token_are_charged_to_the_address() {
    world().run(async |world| {
        let client = world.client("MEX");
        let requests = [
            anonymous(&client),
            client.post(TRANSACTIONS).json(&transaction()).build(),
            client.get(DASHBOARD).bearer("no.token.atall").build(),
            client
                .get("/api/admin/audit-logs")
                .bearer(&token("user-1")[1..])
                .build(),
            client
                .get("/api/reports")
                .header("authorization", "Basic dXNlcjpwYXNz")
                .build(),
        ];
        let answers: Vec<Response> = in_parallel(
            1,
            (0..150).map(|number| (client.clone(), requests[number % 5].clone())),
        )
        .await;
        for (number, answer) in answers.iter().enumerate() {
            let (policy, remaining, _) = rate_limit(answer);
            assert_eq!(
                (policy.as_str(), remaining),
                ("general", 99u64.saturating_sub(number as u64))
            );
            assert_eq!(
                answer.status,
                if number < 100 { 401 } else { 429 },
                "request {number}"
            );
        }
        // A user behind that address goes on.
        assert_eq!(left(&client, "user-1").await, 99);
    });
}

#[test]
fn guessing_paths_is_charged_like_anything_else() {
    world().run(async |world| {
        let client = world.client("MEX");
        let paths = (0..150).map(|number| {
            (
                client.clone(),
                client.get(&format!("/wp-admin/{number}")).build(),
            )
        });
        assert_eq!(
            statuses(&in_parallel(1, paths).await),
            [(404, 100), (429, 50)]
        );
    });
}

async fn five_logins(world: &World, password: &str, status: u16) {
    let client = world.client("MEX");
    let answers = one_by_one(&client, 7, || login(&client, "demo", password)).await;
    let seen: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(seen, [status, status, status, status, status, 429, 429]);
    assert_eq!(rate_limit(&answers[0]), ("auth".to_owned(), 4, 60));
    // A token makes no difference: who logs in is an address.
    let with_token = client
        .post(LOGIN)
        .bearer(&token("user-1"))
        .json(&serde_json::json!({"username": "demo", "password": password}));
    assert_eq!(with_token.send().await.status, 429);
    let elsewhere = world.client("MEX");
    assert_eq!(
        elsewhere
            .send(login(&elsewhere, "demo", password))
            .await
            .status,
        status
    );
}

#[test]
fn five_logins_of_an_address_pass_in_a_window_right_or_wrong() {
    world().run(async |world| {
        five_logins(world, "demo-pass-9137", 200).await;
        five_logins(world, "wrong", 401).await;
    });
}

#[test]
fn logins_do_not_consume_the_general_quota_of_the_address() {
    world().run(async |world| {
        let client = world.client("MEX");
        one_by_one(&client, 7, || login(&client, "demo", "wrong")).await;
        assert_eq!(
            rate_limit(&client.send(anonymous(&client)).await),
            ("general".to_owned(), 99, 60)
        );
    });
}

#[test]
fn health_and_preflights_are_free_of_charge() {
    world().run(async |world| {
        let client = world.client("MEX");
        let health = one_by_one(&client, 150, || client.get(HEALTH).build()).await;
        assert_eq!(statuses(&health), [(200, 150)]);
        let preflight = || {
            client
                .request(http::Method::OPTIONS, TRANSACTIONS)
                .header("origin", "https://a.example")
                .build()
        };
        assert_eq!(
            statuses(&one_by_one(&client, 150, preflight).await),
            [(204, 150)]
        );
        assert!(
            health
                .iter()
                .all(|answer| answer.header("ratelimit").is_none())
        );
        assert_eq!(rate_limit(&client.send(anonymous(&client)).await).1, 99);
    });
}
