//! What each route costs in platform operations, held as a table in `docs/COSTS.md`: a change that makes a route dearer or cheaper
//! changes that file, and is seen.
//!
//! Every row is a world of its own: something is prepared, everything that follows from it is waited for, and then one act is
//! measured, with what follows after its answer.
//!
//! ```text
//! EDGEPROOF_REFRESH=1 cargo test --test worker costs     # writes the table anew
//! ```

use std::fmt::Write as _;

use edgeproof_sim::World;
use edgeproof_sim::bill::usage::{Meter, Usage};
use edgeproof_sim::http::Response;
use edgeproof_sim::platform::outbound::Origin;
use edgeproof_sim::world::client::Client;
use http::Method;
use serde_json::json;
use support::production::*;

/// The document, and where the table stands in it.
const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/COSTS.md");
const BEGIN: &str = "<!-- Written by tests/worker/costs.rs. -->\n";
const END: &str = "<!-- End of what is written by tests/worker/costs.rs. -->\n";
const REFRESH: &str =
    "if that is meant, write the table anew: EDGEPROOF_REFRESH=1 cargo test --test worker costs";

/// The columns, in the order of the table.
const METERS: [(Meter, &str); 9] = [
    (Meter::WorkersRequests, "requests"),
    (Meter::ObjectRequests, "DO requests"),
    (Meter::ObjectRowsRead, "DO rows read"),
    (Meter::ObjectRowsWritten, "DO rows written"),
    (Meter::KvReads, "KV reads"),
    (Meter::KvWrites, "KV writes"),
    (Meter::D1RowsRead, "D1 rows read"),
    (Meter::D1RowsWritten, "D1 rows written"),
    (Meter::Subrequests, "fetches"),
];

/// Meters that are free, or no count of operations.
const NOT_SHOWN: [Meter; 3] = [
    // Depends on assumed latencies; the forecast has it.
    Meter::ObjectDurationNanos,
    Meter::IsolateStarts,
    Meter::WorkersCpuNanos,
];

/// Has a hundred transactions in one month from the beginning.
const SAVER: &str = "user-saver";

/// Has none.
const NEWCOMER: &str = "user-newcomer";

/// The world of a row: two places, D1 in the first, a receiver of alerts, and a user with a hundred transactions.
fn a_world() -> World {
    let rows: Vec<String> = (0..100)
        .map(|row| {
            format!(
                "('{SAVER}', 'expense', {row} + 1, 'tea', '2026-01-15', '2026-01-15T12:00:00.000Z')"
            )
        })
        .collect();
    let sql = format!(
        "INSERT INTO transactions (user_id, type, amount_cents, description, date, created_at) VALUES {}",
        rows.join(", ")
    );
    production(&["MEX", "FRA"])
        .seed_sql("DB", "the saver's transactions", &sql)
        .secret("SECURITY_ALERT_WEBHOOK", "https://alerts.example/")
        .secret("ERROR_ALERT_WEBHOOK", "https://alerts.example/")
        .origin("alerts.example", Origin::new())
        .history(false)
        .build()
        .expect("the world builds")
}

/// A world at work: a client near the database, and one far from it.
struct Stage {
    world: World,
    near: Client,
    far: Client,
}

impl Stage {
    /// Sends from near the database.
    async fn send(&self, request: edgeproof_sim::http::Request, status: u16) -> Response {
        let answer = self.near.send(request).await;
        assert_eq!(answer.status, status, "{:?}", answer.body);
        answer
    }

    async fn get(&self, user: &str, path: &str) -> Response {
        self.send(get(&self.near, user, path), 200).await
    }

    /// Reads through the cache, which must say `expected`.
    async fn cached(&self, client: &Client, user: &str, path: &str, expected: &str) {
        let answer = client.send(get(client, user, path)).await;
        assert_eq!(answer.header("x-cache"), Some(expected), "{path}");
    }

    async fn admin(&self, path: &str) -> Response {
        let request = self.near.get(path).bearer(&token_of("user-admin", "admin"));
        self.send(request.build(), 200).await
    }

    async fn login(&self, name: &str, password: &str, status: u16) {
        self.send(login(&self.near, name, password), status).await;
    }

    /// Sends `number` requests one after the other, so that one isolate serves all of them.
    async fn series(
        &self,
        number: usize,
        client: &Client,
        make: impl Fn() -> edgeproof_sim::http::Request,
    ) {
        one_by_one(client, number, make).await;
    }

    /// Sends `number` requests at once.
    async fn burst(
        &self,
        number: usize,
        client: &Client,
        make: impl Fn() -> edgeproof_sim::http::Request,
    ) {
        in_parallel(number, times(number, client, make)).await;
    }

    /// An object of which nothing is heard for so long sleeps.
    async fn until_objects_sleep(&self) {
        sleep(&self.world, 15.0).await;
    }
}

/// How long is waited for what follows an act, in seconds: shorter than an object stays awake.
const AFTERMATH: f64 = 5.0;

/// The rows.
#[derive(Default)]
struct Table {
    text: String,
    /// What each row used of each meter, by route and case.
    rows: Vec<(String, Vec<u64>)>,
}

impl Table {
    fn heading(&mut self, title: &str) {
        let columns: Vec<&str> = METERS.iter().map(|(_, name)| *name).collect();
        let rule = "|---".to_owned() + &"|--:".repeat(METERS.len()) + "|";
        write!(
            self.text,
            "\n### {title}\n\n| | {} |\n{rule}\n",
            columns.join(" | ")
        )
        .expect("a String takes anything");
    }

    /// Prepares, and measures an act.
    fn row(
        &mut self,
        name: &str,
        prepare: impl AsyncFnOnce(&Stage),
        act: impl AsyncFnOnce(&Stage),
    ) {
        let (before, after) = a_world().run(async |world| {
            let stage = Stage {
                world: world.clone(),
                near: world.client("MEX"),
                far: world.client("FRA"),
            };
            prepare(&stage).await;
            sleep(world, AFTERMATH).await;
            let before = world.usage();
            act(&stage).await;
            sleep(world, AFTERMATH).await;
            (before, world.usage())
        });
        let used = |meter| difference(&before, &after, meter);
        for meter in Meter::all().filter(|meter| !meter.is_gauge()) {
            let shown = METERS.iter().any(|(shown, _)| *shown == meter);
            assert!(
                shown || NOT_SHOWN.contains(&meter) || used(meter) == 0,
                "{name} uses {}, which is no column of the table",
                meter.name()
            );
        }
        let amounts: Vec<u64> = METERS.iter().map(|(meter, _)| used(*meter)).collect();
        let cells: Vec<String> = amounts
            .iter()
            .map(|amount| match amount {
                0 => "·".to_owned(),
                amount => amount.to_string(),
            })
            .collect();
        writeln!(self.text, "| {name} | {} |", cells.join(" | ")).expect("a String takes anything");
        self.rows.push((name.to_owned(), amounts));
    }

    /// What a row used of a meter.
    fn used(&self, name: &str, meter: Meter) -> u64 {
        let column = METERS.iter().position(|(shown, _)| *shown == meter);
        let (_, amounts) = self
            .rows
            .iter()
            .find(|(row, _)| row == name)
            .unwrap_or_else(|| panic!("no row {name}"));
        amounts[column.expect("a column")]
    }
}

fn difference(before: &Usage, after: &Usage, meter: Meter) -> u64 {
    after.total(meter) - before.total(meter)
}

async fn nothing(_: &Stage) {}

fn table() -> Table {
    let mut table = Table::default();
    table.heading("Reads");
    let list = TRANSACTIONS;
    table.row("`GET /api/transactions`, no rows", nothing, async |stage| {
        stage.get(NEWCOMER, list).await;
    });
    table.row(
        "`GET /api/transactions`, 50 of 100 rows",
        nothing,
        async |stage| {
            stage.get(SAVER, list).await;
        },
    );
    table.row(
        "`GET /api/transactions`, the user's object still awake",
        async |stage| drop(stage.get(SAVER, list).await),
        async |stage| drop(stage.get(SAVER, list).await),
    );
    table.row("`GET /api/transactions/{id}`", nothing, async |stage| {
        stage.get(SAVER, "/api/transactions/100").await;
    });
    for path in [DASHBOARD, REPORTS] {
        table.row(
            &format!("`GET {path}`, MISS, no rows"),
            nothing,
            async |stage| stage.cached(&stage.near, NEWCOMER, path, "MISS").await,
        );
        table.row(
            &format!("`GET {path}`, MISS, 100 rows of one month"),
            nothing,
            async |stage| stage.cached(&stage.near, SAVER, path, "MISS").await,
        );
        table.row(
            &format!("`GET {path}`, HIT from memory"),
            async |stage| stage.cached(&stage.near, SAVER, path, "MISS").await,
            async |stage| stage.cached(&stage.near, SAVER, path, "HIT").await,
        );
        table.row(
            &format!("`GET {path}`, HIT from KV, in another PoP"),
            async |stage| stage.cached(&stage.near, SAVER, path, "MISS").await,
            async |stage| stage.cached(&stage.far, SAVER, path, "HIT").await,
        );
        table.row(
            &format!("`GET {path}`, MISS after a write"),
            async |stage| {
                stage.cached(&stage.near, SAVER, path, "MISS").await;
                stage.send(post(&stage.near, SAVER), 201).await;
            },
            async |stage| stage.cached(&stage.near, SAVER, path, "MISS").await,
        );
    }
    table.row(
        "`GET /api/dashboard`, MISS, KV's writes of the day used up",
        async |stage| {
            // Each of these users' values is computed and stored, until no more may be.
            for user in 0..300 {
                let user = format!("user-{user}");
                stage.cached(&stage.near, &user, DASHBOARD, "MISS").await;
            }
        },
        async |stage| stage.cached(&stage.near, SAVER, DASHBOARD, "MISS").await,
    );

    table.heading("Writes");
    table.row(
        "`POST /api/transactions`, a user's first request",
        nothing,
        async |stage| {
            stage.send(post(&stage.near, NEWCOMER), 201).await;
        },
    );
    table.row(
        "`POST /api/transactions`, the user's object still awake",
        async |stage| drop(stage.send(post(&stage.near, NEWCOMER), 201).await),
        async |stage| drop(stage.send(post(&stage.near, NEWCOMER), 201).await),
    );
    table.row(
        "`POST /api/transactions`, the user's object asleep",
        async |stage| {
            stage.send(post(&stage.near, NEWCOMER), 201).await;
            stage.until_objects_sleep().await;
        },
        async |stage| drop(stage.send(post(&stage.near, NEWCOMER), 201).await),
    );
    table.row("`POST /api/transactions`, 422", nothing, async |stage| {
        stage.send(post_test_data(&stage.near, NEWCOMER), 422).await;
    });
    table.row("`POST /api/transactions`, 415", nothing, async |stage| {
        let request = stage.near.post(TRANSACTIONS).bearer(&token(NEWCOMER));
        let request = request.header("content-type", "text/plain").body("tea");
        stage.send(request.build(), 415).await;
    });
    let fifty = async |stage: &Stage| {
        stage
            .series(50, &stage.near, || post(&stage.near, NEWCOMER))
            .await;
    };
    table.row(
        "`POST /api/transactions`, the first that is denied",
        fifty,
        async |stage| {
            stage.send(post(&stage.near, NEWCOMER), 429).await;
        },
    );
    table.row(
        "`POST /api/transactions`, the next that is denied",
        async |stage| {
            fifty(stage).await;
            stage.send(post(&stage.near, NEWCOMER), 429).await;
        },
        async |stage| drop(stage.send(post(&stage.near, NEWCOMER), 429).await),
    );
    table.row(
        "`POST /api/transactions`, the next that is denied, in another PoP",
        async |stage| {
            fifty(stage).await;
            stage.send(post(&stage.near, NEWCOMER), 429).await;
        },
        async |stage| {
            let answer = stage.far.send(post(&stage.far, NEWCOMER)).await;
            assert_eq!(answer.status, 429);
        },
    );

    table.heading("Logins");
    let (name, password) = ("demo", "demo-pass-9137");
    table.row("`POST /api/auth/login`, right", nothing, async |stage| {
        stage.login(name, password, 200).await;
    });
    table.row(
        "`POST /api/auth/login`, wrong password",
        nothing,
        async |stage| {
            stage.login(name, "a guess", 401).await;
        },
    );
    table.row(
        "`POST /api/auth/login`, unknown name",
        nothing,
        async |stage| {
            stage.login("nobody", "a guess", 401).await;
        },
    );
    let five = async |stage: &Stage| {
        stage
            .series(5, &stage.near, || login(&stage.near, name, "a guess"))
            .await;
    };
    table.row(
        "`POST /api/auth/login`, the first that is denied",
        five,
        async |stage| {
            stage.login(name, "a guess", 429).await;
        },
    );
    table.row(
        "`POST /api/auth/login`, the next that is denied",
        async |stage| {
            five(stage).await;
            stage.login(name, "a guess", 429).await;
        },
        async |stage| stage.login(name, "a guess", 429).await,
    );

    table.heading("Refusals and what is free of charge");
    table.row("an unknown path, with a token", nothing, async |stage| {
        stage
            .send(get(&stage.near, NEWCOMER, "/api/accounts"), 404)
            .await;
    });
    table.row("a known path, another method", nothing, async |stage| {
        let request = stage
            .near
            .request(Method::DELETE, DASHBOARD)
            .bearer(&token(NEWCOMER));
        stage.send(request.build(), 405).await;
    });
    table.row("no token, 401", nothing, async |stage| {
        stage.send(stage.near.get(DASHBOARD).build(), 401).await;
    });
    table.row("a forged token, 401", nothing, async |stage| {
        let request = stage
            .near
            .get(DASHBOARD)
            .bearer(&format!("{}x", token(NEWCOMER)));
        stage.send(request.build(), 401).await;
    });
    table.row("no administrator, 403", nothing, async |stage| {
        stage
            .send(get(&stage.near, NEWCOMER, "/api/admin/audit-logs"), 403)
            .await;
    });
    table.row("a preflight", nothing, async |stage| {
        stage
            .send(stage.near.request(Method::OPTIONS, DASHBOARD).build(), 204)
            .await;
    });
    table.row("`GET /api/health`", nothing, async |stage| {
        stage.send(stage.near.get(HEALTH).build(), 200).await;
    });
    table.row(
        "`GET /api/health`, again within 10 s in the same isolate",
        async |stage| drop(stage.send(stage.near.get(HEALTH).build(), 200).await),
        async |stage| drop(stage.send(stage.near.get(HEALTH).build(), 200).await),
    );

    table.heading("Administration");
    // Sixty transactions of two users, and ten failed logins of two addresses.
    let logs = async |stage: &Stage| {
        for user in ["user-1", "user-2"] {
            stage
                .series(30, &stage.near, || post(&stage.near, user))
                .await;
        }
        for client in [&stage.near, &stage.far] {
            stage
                .burst(5, client, || login(client, name, "a guess"))
                .await;
        }
    };
    for (query, what) in [
        ("", "50 of 70 rows"),
        ("?category=auth", "10 rows"),
        ("?category=security", "no rows"),
        ("?category=transaction", "50 of 60 rows"),
        ("?action=login_failure", "10 rows"),
        ("?user_id=user-1", "30 rows"),
    ] {
        table.row(
            &format!("`GET /api/admin/audit-logs{query}`, {what}"),
            logs,
            async |stage| {
                let answer = stage.admin(&format!("/api/admin/audit-logs{query}")).await;
                let rows = json_of(&answer)["data"].as_array().map_or(0, Vec::len);
                let words: Vec<&str> = what.split(' ').collect();
                assert_eq!(
                    words[0],
                    if rows == 0 {
                        "no".to_owned()
                    } else {
                        rows.to_string()
                    }
                );
            },
        );
    }
    table.row(
        "`GET /api/admin/error-logs`, no rows",
        nothing,
        async |stage| {
            stage.admin("/api/admin/error-logs").await;
        },
    );
    table.row("`GET /api/admin/metrics`", nothing, async |stage| {
        stage.admin("/api/admin/metrics").await;
    });
    table.row("`POST /api/admin/alerts/test`", nothing, async |stage| {
        let request = stage.near.post("/api/admin/alerts/test").json(&json!({}));
        let request = request.bearer(&token_of("user-admin", "admin"));
        stage.send(request.build(), 202).await;
    });

    table.heading("What comes by itself");
    let a_week = 7.0 * 86_400.0 + 60.0;
    table.row(
        "the week after a user's only request",
        async |stage| drop(stage.get(NEWCOMER, list).await),
        async |stage| sleep(&stage.world, a_week).await,
    );
    table.row(
        "the week after a user's last of ten requests at once",
        async |stage| {
            stage
                .burst(10, &stage.near, || get(&stage.near, NEWCOMER, list))
                .await
        },
        async |stage| sleep(&stage.world, a_week).await,
    );
    table.row(
        "the daily trigger, nothing old enough to go",
        logs,
        async |stage| {
            stage
                .world
                .scheduled("17 3 * * *")
                .await
                .expect("it succeeds");
        },
    );
    table.row(
        "the daily trigger, 70 rows too old",
        async |stage| {
            logs(stage).await;
            sleep(&stage.world, 91.0 * 86_400.0).await;
        },
        async |stage| {
            stage
                .world
                .scheduled("17 3 * * *")
                .await
                .expect("it succeeds");
            assert_eq!(rows_in(&stage.world, "audit_logs", "1"), 0);
        },
    );
    table
}

/// Text before the table, the table, text after it.
fn parts(document: &str) -> (&str, &str, &str) {
    let begin = document.find(BEGIN).map(|at| at + BEGIN.len());
    let end = document.find(END);
    let (Some(begin), Some(end)) = (begin, end) else {
        panic!("{DOCUMENT} has lost the marks between which the table stands")
    };
    (&document[..begin], &document[begin..end], &document[end..])
}

#[test]
fn the_table_of_costs_is_what_the_routes_cost() {
    let table = table();
    // What must hold whatever the table says.
    for (row, amounts) in &table.rows {
        // On the free plan an object's requests and rows are as many as the Worker's requests: nothing may cost two of them.
        let requests = amounts[0];
        if requests > 0 {
            assert_eq!(requests, 1, "{row} is one request");
            for meter in [Meter::ObjectRequests, Meter::KvReads] {
                assert!(table.used(row, meter) <= 1, "{row}: {}", meter.name());
            }
        }
    }
    for free in [
        "`POST /api/transactions`, the next that is denied",
        "`POST /api/auth/login`, the next that is denied",
        "a preflight",
    ] {
        for (meter, _) in METERS.iter().skip(1) {
            assert_eq!(table.used(free, *meter), 0, "{free}: {}", meter.name());
        }
    }

    let document =
        std::fs::read_to_string(DOCUMENT).unwrap_or_else(|problem| panic!("{DOCUMENT}: {problem}"));
    let (before, held, after) = parts(&document);
    let computed = format!("{}\n", table.text);
    if std::env::var_os("EDGEPROOF_REFRESH").is_some() {
        let new = format!("{DOCUMENT}.new");
        std::fs::write(&new, [before, &computed, after].concat()).expect("the folder is ours");
        std::fs::rename(&new, DOCUMENT).expect("the folder is ours");
        return;
    }
    let only_in = |one: &str, other: &str| -> Vec<String> {
        let lines = one
            .lines()
            .filter(|line| !other.lines().any(|o| o == *line));
        lines.map(str::to_owned).collect()
    };
    assert!(
        held == computed,
        "docs/COSTS.md has other costs than the Worker; {REFRESH}\nheld: {:#?}\nmeasured: {:#?}",
        only_in(held, &computed),
        only_in(&computed, held),
    );
}
