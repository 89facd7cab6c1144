//! Invocations of a Worker: `waitUntil`, limits, uncaught errors, isolates and their memory, promises that are never awaited.

use edgeproof_isolate::IsolateLocal;
use edgeproof_sim::fault::FaultKind;
use edgeproof_sim::history::Op;
use edgeproof_sim::limits::Plan;
use edgeproof_sim::platform::outbound::Origin;
use edgeproof_sim::world::World;
use edgeproof_sim::world::client::Client;
use futures_util::future::{Either, select};
use std::cell::{Cell, RefCell};
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;
use support::inside::{answer, at, failure, instant, message, pause, platform};
use worker::*;

async fn kv_get(client: &Client, key: &'static str) -> Option<String> {
    at(client, async move |env, _| {
        Ok(env.kv("KV")?.get(key).text().await?)
    })
    .await
}

#[test]
fn wait_until_goes_on_after_the_answer_and_is_cut_off_30_seconds_later() {
    let world = platform(&["IAD"])
        .options(instant())
        .build()
        .expect("builds");
    let done = Rc::new(RefCell::new(Vec::new()));
    let (short, long) = (Rc::clone(&done), Rc::clone(&done));
    world.run(async |world| {
        let client = world.client("IAD");
        let begin = world.now();
        at(&client, async move |env, context| {
            let kv = env.kv("KV")?;
            context.wait_until(async move {
                pause(34_900).await;
                short.borrow_mut().push("29.9 s after the answer");
                kv.put("done", "yes")
                    .expect("a value")
                    .execute()
                    .await
                    .expect("written");
            });
            context.wait_until(async move {
                pause(35_100).await;
                long.borrow_mut().push("30.1 s after the answer");
            });
            pause(5_000).await;
            Ok(())
        })
        .await;
        assert_eq!(
            world.now().since(begin),
            Duration::from_secs(5),
            "the answer does not wait for them"
        );
        world.sleep(Duration::from_secs(60)).await;
        assert_eq!(*done.borrow(), ["29.9 s after the answer"]);
        assert_eq!(kv_get(&client, "done").await.as_deref(), Some("yes"));
    });
}

/// How many of `calls` succeed in one invocation, and the text of the first that does not.
fn calls_until_refused(
    plan: Plan,
    most: u32,
    call: impl AsyncFn(&Env) -> Result<()> + 'static,
) -> (u32, Option<String>) {
    let world = platform(&["IAD"])
        .plan(plan)
        .origin("api.example", Origin::new())
        .history(false)
        .build()
        .expect("builds");
    world.run(async |world| {
        let client = world.client("IAD");
        at(&client, async move |env, _| {
            for number in 0..most {
                if let Err(error) = call(&env).await {
                    return Ok((number, Some(message(&error))));
                }
            }
            Ok((most, None))
        })
        .await
    })
}

async fn fetch_once(_: &Env) -> Result<()> {
    Fetch::Url(Url::parse("https://api.example/").expect("a URL"))
        .send()
        .await
        .map(drop)
}

async fn read_once(env: &Env) -> Result<()> {
    env.kv("KV")?.get("k").text().await?;
    Ok(())
}

#[test]
fn the_51st_fetch_of_an_invocation_is_refused_on_the_free_plan() {
    let text = "Too many subrequests by single Worker invocation.".to_owned();
    assert_eq!(
        calls_until_refused(Plan::Free, 60, fetch_once),
        (50, Some(text))
    );
    assert_eq!(calls_until_refused(Plan::Paid, 60, fetch_once), (60, None));
}

#[test]
fn the_1001st_kv_call_of_an_invocation_is_refused_on_the_free_plan() {
    let (calls, text) = calls_until_refused(Plan::Free, 1_100, read_once);
    assert_eq!(calls, 1_000);
    assert_eq!(
        text.as_deref(),
        Some(
            "Too many API requests by single Worker invocation. To configure this limit, refer to \
             https://developers.cloudflare.com/workers/wrangler/configuration/#limits"
        )
    );
}

#[test]
fn an_unknown_host_answers_530_and_a_broken_connection_is_an_error() {
    let world = platform(&["IAD"])
        .origin("broken.example", Origin::new().fail())
        .build()
        .expect("builds");
    world.run(async |world| {
        let client = world.client("IAD");
        at(&client, async |_, _| {
            let url = |host: &str| Url::parse(&format!("https://{host}/")).expect("a URL");
            let mut answer = Fetch::Url(url("nowhere.example")).send().await?;
            assert_eq!(
                (answer.status_code(), answer.text().await?.as_str()),
                (530, "error code: 1016")
            );
            assert_eq!(
                failure(Fetch::Url(url("broken.example")).send().await),
                "Network connection lost."
            );
            Ok(())
        })
        .await;
    });
}

#[test]
fn a_handler_that_fails_answers_500_and_one_that_panics_answers_1101() {
    let world = platform(&["IAD"]).build().expect("builds");
    world.run(async |world| {
        let client = world.client("IAD");
        let (failed, _) = answer(&client, async |_, _| Err::<(), _>("no".into())).await;
        let (panicked, _) = answer(&client, async |_, _| -> Result<()> {
            panic!("a bug in the Worker")
        })
        .await;
        // The event macro answers an error itself; after a panic nothing is left that could answer.
        assert_eq!(
            (failed.status, &failed.body[..]),
            (500, &b"INTERNAL SERVER ERROR"[..])
        );
        assert_eq!(
            (panicked.status, &panicked.body[..]),
            (500, &b"error code: 1101"[..])
        );
    });
    let logged: Vec<_> = world
        .history()
        .records()
        .iter()
        .filter_map(|record| match &record.op {
            Op::Console { text, .. } => Some(text.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(
        logged,
        [
            "no",
            "Uncaught RuntimeError: unreachable (panic: a bug in the Worker)"
        ]
    );
}

// --- isolates -------------------------------------------------------------------------------------------------------

static HITS: IsolateLocal<Cell<u32>> = IsolateLocal::new(|| Cell::new(0));

/// Counts a request in the isolate's memory, which then has seen so many.
async fn hit(client: &Client) -> u32 {
    at(client, async |_, _| Ok(count())).await
}

fn count() -> u32 {
    HITS.with(|hits| {
        hits.set(hits.get() + 1);
        hits.get()
    })
}

/// A world with one isolate per PoP.
fn one_isolate(pops: &[&str]) -> World {
    let mut options = instant();
    options.isolates.per_pop = 1;
    platform(pops).options(options).build().expect("builds")
}

#[test]
fn memory_is_one_per_isolate_and_lost_after_60_seconds_without_a_request() {
    one_isolate(&["FRA", "SIN"]).run(async |world| {
        let (fra, sin) = (world.client("FRA"), world.client("SIN"));
        assert_eq!(
            (hit(&fra).await, hit(&fra).await, hit(&sin).await),
            (1, 2, 1)
        );
        world.sleep(Duration::from_secs(59)).await;
        assert_eq!(hit(&fra).await, 3);
        world.sleep(Duration::from_secs(59)).await;
        assert_eq!(hit(&fra).await, 4, "idle since the last request");
        assert_eq!(hit(&sin).await, 1, "118 s without one");
    });
}

#[test]
fn memory_is_lost_with_a_panic_and_not_with_an_error() {
    one_isolate(&["FRA"]).run(async |world| {
        let client = world.client("FRA");
        assert_eq!(hit(&client).await, 1);
        answer(&client, async |_, _| Err::<(), _>("no".into())).await;
        assert_eq!(hit(&client).await, 2);
        answer(&client, async |_, _| -> Result<()> {
            panic!("a bug in the Worker")
        })
        .await;
        assert_eq!(hit(&client).await, 1);
    });
}

#[test]
fn a_pop_starts_more_isolates_when_one_has_too_many_requests_in_flight() {
    let mut options = instant();
    options.isolates.concurrency = 2;
    options.isolates.per_pop = 3;
    let world = platform(&["FRA"]).options(options).build().expect("builds");
    world.run(async |world| {
        let client = world.client("FRA");
        let slow = (0..6).map(|_| {
            at(&client, async |_, _| {
                pause(100).await;
                Ok(count())
            })
        });
        let mut seen = futures_util::future::join_all(slow).await;
        seen.sort_unstable();
        assert_eq!(seen, [1, 1, 1, 2, 2, 2]);
    });
    let starts = world
        .history()
        .records()
        .iter()
        .filter(|record| record.op == Op::IsolateStart)
        .count();
    assert_eq!(starts, 3);
}

#[test]
fn a_request_in_flight_keeps_the_memory_of_its_evicted_isolate() {
    let world = one_isolate(&["FRA"]);
    world.run(async |world| {
        let client = world.client("FRA");
        assert_eq!(hit(&client).await, 1);
        let slow = at(&client, async |_, _| {
            pause(100).await;
            Ok(count())
        });
        let evicted = async {
            world.sleep(Duration::from_millis(50)).await;
            world.inject(FaultKind::IsolateEvicted { pop: "FRA".into() });
            hit(&client).await
        };
        let (old, new) = futures_util::join!(slow, evicted);
        assert_eq!((old, new), (2, 1));
        assert_eq!(hit(&client).await, 2);
    });
    let stops = world
        .history()
        .records()
        .iter()
        .filter(|record| record.op == Op::IsolateStop)
        .count();
    assert_eq!(stops, 1);
}

// --- promises -------------------------------------------------------------------------------------------------------

#[test]
fn a_write_that_nobody_waits_for_any_more_still_happens() {
    let world = platform(&["SIN"]).build().expect("builds");
    world.run(async |world| {
        let client = world.client("SIN");
        at(&client, async |env, _| {
            // SIN is far from the central store: the timer wins.
            let kv = env.kv("KV")?;
            {
                let put = pin!(kv.put("begun", "yes")?.execute());
                let timer = pin!(pause(1));
                let first = select(put, timer).await;
                assert!(matches!(first, Either::Right(_)), "the timer is first");
            }
            let _never_polled = kv.put("never begun", "yes")?.execute();
            Ok(())
        })
        .await;
        world.sleep(Duration::from_secs(1)).await;
        assert_eq!(kv_get(&client, "begun").await.as_deref(), Some("yes"));
        assert_eq!(
            kv_get(&client, "never begun").await,
            None,
            "a future that was never polled has not begun"
        );
    });
}

#[test]
fn what_a_cut_off_task_had_begun_still_happens() {
    let world = platform(&["SIN"]).build().expect("builds");
    world.run(async |world| {
        let client = world.client("SIN");
        at(&client, async |env, context| {
            let kv = env.kv("KV")?;
            context.wait_until(async move {
                pause(29_950).await; // the answer leaves at once, so the put is on its way when the 30 s are over
                kv.put("begun", "yes")
                    .expect("a value")
                    .execute()
                    .await
                    .expect("nobody sees this");
                kv.put("later", "yes")
                    .expect("a value")
                    .execute()
                    .await
                    .expect("nor this");
            });
            Ok(())
        })
        .await;
        world.sleep(Duration::from_secs(60)).await;
        assert_eq!(kv_get(&client, "begun").await.as_deref(), Some("yes"));
        assert_eq!(kv_get(&client, "later").await, None);
    });
}

#[test]
fn what_fails_in_upstreams_glue_fails_the_request_and_names_the_call() {
    for (call, expected) in [
        (
            0,
            "getAll() can only be used with the header name \"Set-Cookie\".",
        ),
        (1, "worker::signal::is_near_cpu_limit() was asked"),
    ] {
        let world = platform(&["MEX"]).build().expect("builds");
        let (answer, result) = world.run(async |world| {
            let client = world.client("MEX");
            answer(&client, async move |_, _| {
                if call == 0 {
                    worker::Headers::new().get_all("vary")?;
                }
                while !worker::signal::is_near_cpu_limit() {}
                Ok(())
            })
            .await
        });
        assert!(result.is_none(), "the handler did not end");
        assert_eq!(
            (answer.status, &answer.body[..]),
            (500, &b"error code: 1101"[..])
        );
        let history = world.history();
        let logged = history.records().iter().any(
            |record| matches!(&record.op, Op::Console { text, .. } if text.contains(expected)),
        );
        assert!(logged, "{expected}");
    }
}

thread_local! {
    /// The start functions that ran on this thread.
    static STARTED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

#[event(start)]
fn begin_at_last() {
    STARTED.with_borrow_mut(|started| started.push(1));
}

#[event(start)]
fn and_first_by_name() {
    STARTED.with_borrow_mut(|started| started.push(2));
}

#[test]
fn every_start_function_runs_once_per_isolate_in_order_of_the_source() {
    let world = platform(&["MEX"]).build().expect("builds");
    world.run(async |world| {
        let client = world.client("MEX");
        at(&client, async |_, _| Ok(())).await;
        at(&client, async |_, _| Ok(())).await;
    });
    assert_eq!(STARTED.take(), [1, 2]);
}
