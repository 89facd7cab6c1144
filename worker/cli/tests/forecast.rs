//! `sim forecast`, as a program: days that are small enough for a test, and what it refuses.

use std::path::Path;
use std::process::{Command, Output};

use edgeproof_sim::bill::prices;
use edgeproof_sim::limits::Plan;
use serde_json::{Value, json};

fn forecast(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sim"))
        .arg("forecast")
        .args(arguments)
        .output()
        .expect("the command starts")
}

/// The JSON of a forecast of the reference traffic, which must succeed and print nothing else.
fn reference(arguments: &[&str]) -> Value {
    let output = forecast(&[&["--traffic", "reference", "--json", "-"], arguments].concat());
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    assert_eq!(errors, "");
    serde_json::from_slice(&output.stdout).expect("nothing but JSON is printed")
}

/// How many answers of a kind had each status.
fn mix<'a>(report: &'a Value, kind: &str) -> &'a Value {
    &report["mix"][kind]
}

#[test]
fn a_day_has_the_mix_and_each_request_gets_the_answer_that_it_deserves() {
    let report = reference(&["--requests", "5000"]);
    assert_eq!(report["traffic"], "reference");
    assert_eq!(report["plan"], "free");
    assert_eq!(report["requests"], 5000);
    for (kind, answers) in [
        ("dashboard", json!({"200": 2250})),
        ("reports", json!({"200": 750})),
        ("list", json!({"200": 1000})),
        ("create", json!({"201": 750})),
        ("login", json!({"200": 150})),
        // Two attackers with thirty tries each; the Worker lets five of each through, to be told that they are wrong.
        ("guess", json!({"401": 10, "429": 50})),
        ("no_token", json!({"401": 10})),
        ("forged_token", json!({"401": 10})),
        ("unknown_path", json!({"404": 5})),
        ("broken_body", json!({"422": 10})),
        ("wrong_media_type", json!({"415": 5})),
    ] {
        assert_eq!(*mix(&report, kind), answers, "{kind}");
    }
    assert_eq!(
        report["statuses"],
        json!({"200": 4150, "201": 750, "401": 30, "404": 5, "415": 5, "422": 10, "429": 50})
    );
    // The daily trigger is a request as well.
    assert_eq!(report["usage"]["workers.requests"], 5001.0);
    let cache = |value: &str| report["x_cache"][value].as_u64().expect("both occur");
    assert_eq!(cache("HIT") + cache("MISS"), 3000);
}

/// The whole day takes a minute without optimisation, so this is a fifth of it. Little is used less than in proportion by fewer
/// requests: objects sleep more often, less is found in memory, and every user still comes for the first time.
#[test]
fn a_fifth_of_the_day_uses_at_most_a_fifth_of_any_free_allowance() {
    let report = reference(&["--requests", "20000"]);
    for row in report["budget"].as_array().expect("a list") {
        let share = row["share"].as_f64().expect("a number");
        let most = match row["allowance"].as_str().expect("a name") {
            // Paced by the day, however few requests there are.
            "kv.writes" => 1.0,
            // The daily trigger is a request as well, however few there are.
            "workers.requests" => 0.200_01,
            _ => 0.2,
        };
        assert!(share <= most, "{row}");
    }
}

#[test]
fn a_seed_has_one_forecast() {
    let (one, again) = (
        reference(&["--requests", "1000"]),
        reference(&["--requests", "1000"]),
    );
    assert_eq!(one, again);
    let other = reference(&["--requests", "1000", "--seed", "1"]);
    assert_ne!(one["fingerprint"], other["fingerprint"]);
    assert_ne!(one["usage"], other["usage"]);
}

#[test]
fn the_budget_is_the_usage_beside_the_price_table() {
    let report = reference(&["--requests", "1000"]);
    let budget = report["budget"].as_array().expect("a list");
    let table: Vec<_> = prices::of_plan(Plan::Free).collect();
    assert_eq!(budget.len(), table.len());
    for (row, price) in budget.iter().zip(table) {
        let name = row["allowance"].as_str().expect("a name");
        assert_eq!(name, price.meter.name());
        assert_eq!(row["used"], report["usage"][name], "{name}");
        assert_eq!(row["per_day"], json!(price.included as f64), "{name}");
        let number = |member: &str| row[member].as_f64().expect("a number");
        let share = number("used") / number("per_day");
        assert!((number("share") - share).abs() < 1e-12, "{name}");
    }
}

#[test]
fn without_an_end_the_largest_share_ends_first() {
    let report = reference(&["--requests", "1000"]);
    let rows = report["budget"].as_array().expect("a list");
    let share = |row: &Value| row["share"].as_f64().expect("a number");
    let largest = rows
        .iter()
        .filter(|row| {
            !row["allowance"]
                .as_str()
                .expect("a name")
                .ends_with("_bytes")
        })
        .max_by(|a, b| share(a).total_cmp(&share(b)))
        .expect("there are rows");
    assert_eq!(report["first_to_end"], largest["allowance"]);
    assert!(share(largest) < 1.0);
    assert_eq!(report["first_to_end_at_seconds"], Value::Null);
    assert_eq!(report["used_up_at_seconds"], json!({}));
}

/// Without a pace, KV is written to with every value that is computed.
const NO_PACE: [&str; 4] = [
    "--requests",
    "3000",
    "--var",
    "CACHE_KV_WRITES_PER_DAY=86400000",
];

#[test]
fn what_is_used_up_within_the_day_is_named_with_its_instant() {
    let report = reference(&NO_PACE);
    let used = report["usage"]["kv.writes"].as_f64().expect("a number");
    assert!(used > 1_000.0, "{used}");
    assert_eq!(report["first_to_end"], "kv.writes");
    let at = report["first_to_end_at_seconds"]
        .as_f64()
        .expect("an instant");
    // Nearly as many values are computed in every hour.
    let even = 86_400.0 * 1_000.0 / used;
    assert!((at - even).abs() < 3.0 * 3_600.0, "{at}, not about {even}");
    assert_eq!(report["used_up_at_seconds"], json!({"kv.writes": at}));
    let text = forecast(&[&["--traffic", "reference"], &NO_PACE[..]].concat());
    let text = String::from_utf8(text.stdout).expect("text");
    assert!(
        text.contains("The first allowance to end is kv.writes (KV writes), at "),
        "{text}"
    );
}

#[test]
fn days_follow_each_other_and_the_worst_comes_first() {
    let report = reference(&["--requests", "1000", "--days", "3"]);
    let days = report["days"].as_array().expect("a list");
    let dates: Vec<_> = days.iter().map(|day| &day["date"]).collect();
    assert_eq!(dates, ["2026-01-01", "2026-01-02", "2026-01-03"]);
    let of = |day: &Value, meter: &str| day["usage"][meter].as_f64().expect("a number");
    for day in days {
        assert_eq!(of(day, "workers.requests"), 1001.0);
        assert_eq!(day["mix"]["create"], json!({"201": 150}));
    }
    // What was stored stays stored.
    assert!(of(&days[2], "d1.stored_bytes") > of(&days[0], "d1.stored_bytes"));
    assert!(of(&days[2], "d1.rows_read") > of(&days[0], "d1.rows_read"));
    let largest = |day: &Value| {
        let rows = day["budget"].as_array().expect("a list").iter();
        let shares = rows.map(|row| row["share"].as_f64().expect("a number"));
        shares.fold(0.0, f64::max)
    };
    let worst = days.iter().find(|day| day["date"] == report["worst_day"]);
    let worst = worst.expect("the worst day is one of them");
    assert!(days.iter().all(|day| largest(day) <= largest(worst)));
    for member in ["date", "usage", "budget", "first_to_end", "statuses"] {
        assert_eq!(report[member], worst[member], "{member}");
    }
}

#[test]
fn only_the_paid_plan_costs_money() {
    let free = reference(&["--requests", "1000"]);
    assert_eq!(free.get("monthly_cost"), None);
    let paid = reference(&["--requests", "1000", "--plan", "paid"]);
    assert_eq!(paid["monthly_cost"]["total"], 5.0);
    // A month's amounts are compared by the day.
    let requests = &paid["budget"][0];
    assert_eq!(requests["allowance"], "workers.requests");
    assert_eq!(requests["per_day"], json!(10_000_000.0 / 30.0));
}

#[test]
fn a_wrong_usage_is_refused_with_what_would_be_right() {
    for (arguments, said) in [
        (
            &["--traffic", "real"][..],
            "[possible values: reference, a file]",
        ),
        (&[], "--traffic <NAME|FILE>"),
        (
            &["--traffic", "reference", "--plan", "pro"],
            "[possible values: free, paid]",
        ),
        (
            &["--traffic", "reference", "--requests", "1500"],
            "a multiple of 1000",
        ),
        (
            &["--traffic", "reference", "--requests", "0"],
            "a multiple of 1000",
        ),
        (&["--traffic", "reference", "--days", "0"], "1..=366"),
        (
            &["--traffic", "reference", "--var", "NAME"],
            "expected KEY=VALUE",
        ),
    ] {
        let output = forecast(arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {errors}");
        assert!(errors.contains(said), "{arguments:?}: {errors}");
    }
}

fn files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    names
        .map(|name| name.to_string_lossy().into_owned())
        .collect()
}

#[test]
fn the_json_goes_to_a_file_as_a_whole_and_the_table_is_printed() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("forecast.json");
    std::fs::write(&file, "the old one").expect("a file");
    let path = file.to_string_lossy().into_owned();
    let small = ["--traffic", "reference", "--requests", "1000", "--json"];
    let output = forecast(&[&small, &[path.as_str()][..]].concat());
    assert!(output.status.success(), "{output:?}");
    let written = std::fs::read(&file).expect("the file");
    let written: Value = serde_json::from_slice(&written).expect("JSON");
    assert_eq!(written, reference(&["--requests", "1000"]));
    assert_eq!(files(folder.path()), ["forecast.json"]);
    let text = String::from_utf8(output.stdout).expect("text");
    for said in [
        "reference traffic on 2026-01-01: 1,000 requests of 500 users at 20 PoPs, free plan",
        "│ workers.requests ",
        "assumed",
        "CPU time is not simulated",
        written["fingerprint"].as_str().expect("a text"),
    ] {
        assert!(text.contains(said), "{said:?} is missing in {text}");
    }

    let nowhere = folder.path().join("no/such/folder.json");
    let output = forecast(&[&small, &[nowhere.to_string_lossy().as_ref()][..]].concat());
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.contains("could not be written"), "{errors}");
}

#[test]
fn a_variable_that_is_a_binding_or_given_twice_is_refused() {
    for (vars, said) in [
        (&["--var", "DB=x"][..], "the name of a binding"),
        (&["--var", "A=1", "--var", "A=2"], "given twice"),
    ] {
        let output = forecast(&[&["--traffic", "reference", "--requests", "1000"], vars].concat());
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{vars:?}: {errors}");
        assert!(errors.contains(said), "{vars:?}: {errors}");
    }
}
