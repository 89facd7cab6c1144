//! Two PoPs and one limiter: wherever a user's requests come in, one object counts them.

use edgeproof_sim::World;
use edgeproof_sim::fault::FaultKind;
use edgeproof_sim::history::Op;
use edgeproof_sim::http::Response;
use support::production::*;

/// 75 requests from Mexico City and 75 from Frankfurt, in turns.
fn interleaved(world: &World, in_flight: usize) -> Vec<Response> {
    world.run(async |world| {
        let clients = [world.client("MEX"), world.client("FRA")];
        let requests = (0..150).map(|number| {
            let client = clients[number % 2].clone();
            let request = post(&client, "user-1");
            (client, request)
        });
        in_parallel(in_flight, requests).await
    })
}

#[test]
fn of_75_requests_from_each_of_two_pops_exactly_50_are_admitted() {
    for in_flight in [1, 2, 64, 150] {
        let world = production(&["MEX", "FRA"]).build().expect("builds");
        let answers = interleaved(&world, in_flight);
        assert!(world.elapsed() < WINDOW);
        assert_eq!(
            statuses(&answers),
            [(201, 50), (429, 100)],
            "{in_flight} in flight"
        );
        assert_eq!(rows_in(&world, "transactions", "1"), 50);
    }
}

#[test]
fn one_object_counts_for_both_pops() {
    let world = production(&["MEX", "FRA"]).build().expect("builds");
    interleaved(&world, 64);
    let calls = records(&world, |op| matches!(op, Op::ObjectCall { .. }));
    let mut ids: Vec<String> = calls
        .iter()
        .map(|record| match &record.op {
            Op::ObjectCall { id, .. } => id.clone(),
            _ => unreachable!("only calls were picked"),
        })
        .collect();
    ids.dedup();
    assert_eq!(ids.len(), 1);
    for pop in ["MEX", "FRA"] {
        // What it has denied, the isolates there deny by themselves.
        let asked = calls.iter().filter(|record| record.pop == pop).count();
        assert!((25..75).contains(&asked), "{asked} from {pop}");
    }
}

#[test]
fn a_user_on_five_continents_has_one_budget() {
    let pops = ["MEX", "FRA", "NRT", "SYD", "JNB"];
    let world = production(&pops).build().expect("builds");
    let answers = world.run(async |world| {
        let clients = pops.map(|pop| world.client(pop));
        let requests = (0..150).map(|number| {
            (
                clients[number % 5].clone(),
                post(&clients[number % 5], "user-1"),
            )
        });
        in_parallel(64, requests).await
    });
    assert_eq!(statuses(&answers), [(201, 50), (429, 100)]);
}

#[test]
fn retry_after_from_one_pop_is_honest_in_the_other() {
    let world = production(&["MEX", "FRA"]).build().expect("builds");
    world.run(async |world| {
        let (mexico, frankfurt) = (world.client("MEX"), world.client("FRA"));
        one_by_one(&mexico, 50, || post(&mexico, "user-1")).await;
        let denied = frankfurt.send(post(&frankfurt, "user-1")).await;
        assert_eq!(denied.status, 429);
        sleep(world, retry_after(&denied) as f64).await;
        assert_eq!(mexico.send(post(&mexico, "user-1")).await.status, 201);
    });
}

#[test]
fn a_slow_link_delays_answers_and_lets_nobody_through() {
    let world = production(&["MEX", "FRA"]).build().expect("builds");
    world.run(async |world| {
        world.inject(FaultKind::LinkLatency {
            a: "MEX".into(),
            b: "FRA".into(),
            extra_ms: 700,
            for_ms: 600_000,
        })
    });
    assert_eq!(statuses(&interleaved(&world, 150)), [(201, 50), (429, 100)]);
}

#[test]
fn cut_off_from_the_object_a_pop_counts_by_itself_and_never_fails() {
    let world = production(&["MEX", "FRA"]).build().expect("builds");
    world.run(async |world| {
        let (mexico, frankfurt) = (world.client("MEX"), world.client("FRA"));
        // The object is in Mexico, near its first caller; the database is there too, so reads that need neither are sent.
        one_by_one(&mexico, 1, || get(&mexico, "user-1", TRANSACTIONS)).await;
        world.inject(FaultKind::Partition {
            a: "MEX".into(),
            b: "FRA".into(),
            for_ms: 20_000,
        });
        let cut_off = one_by_one(&frankfurt, 120, || {
            frankfurt
                .get("/api/nothing")
                .bearer(&token("user-1"))
                .build()
        })
        .await;
        assert_eq!(
            statuses(&cut_off),
            [(404, 100), (429, 20)],
            "one isolate's own budget"
        );
        let here = one_by_one(&mexico, 1, || get(&mexico, "user-1", TRANSACTIONS)).await;
        assert_eq!(
            rate_limit(&here[0]).1,
            98,
            "the object has not heard of them"
        );
        sleep(world, 20.0).await;
        // Healed: the object counts again for both.
        let healed = frankfurt
            .send(
                frankfurt
                    .get("/api/nothing")
                    .bearer(&token("user-1"))
                    .build(),
            )
            .await;
        assert_eq!(rate_limit(&healed).1, 97);
    });
}
