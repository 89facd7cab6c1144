//! The rate limiting binding, as a Worker calls it.

use std::time::Duration;

use edgeproof_sim::history::{Op, Outcome};
use edgeproof_sim::world::client::Client;
use edgeproof_sim::wrangler::WorkerConfig;
use edgeproof_sim::{Builder, World};
use support::inside::{at, failure, instant, pause, platform};

fn limited(pops: &[&str]) -> Builder {
    let text = "name = 'limited'\ncompatibility_date = '2026-08-20'\n\
        [vars]\nTEXT = 'text'\n\
        [[ratelimits]]\nname = 'LIMITER'\nnamespace_id = '1001'\n\
        simple = { limit = 2, period = 60 }\n\
        [[ratelimits]]\nname = 'STRICTER'\nnamespace_id = '1001'\n\
        simple = { limit = 1, period = 60 }";
    let config = WorkerConfig::parse(text, "wrangler.toml", None).expect("it is right");
    platform(pops).config(config).options(instant())
}

async fn ask(client: &Client, limiter: &'static str, key: &'static str) -> bool {
    let asked = at(client, async move |env, _| {
        env.rate_limiter(limiter)?.limit(key.to_owned()).await
    });
    asked.await.success
}

#[test]
fn a_limiter_admits_its_limit_in_each_location_and_window() {
    let world = limited(&["MEX", "FRA"]).build().expect("builds");
    world.run(async |world| {
        let (mex, fra) = (world.client("MEX"), world.client("FRA"));
        for expected in [true, true, false] {
            assert_eq!(ask(&mex, "LIMITER", "u").await, expected);
        }
        assert!(ask(&mex, "LIMITER", "v").await, "another key");
        assert!(ask(&fra, "LIMITER", "u").await, "another location");
        assert!(
            !ask(&fra, "STRICTER", "u").await,
            "one namespace, one counter"
        );
        world.sleep(Duration::from_secs(60)).await;
        assert!(ask(&mex, "LIMITER", "u").await, "the next window");
    });
}

#[test]
fn every_call_is_in_the_history_and_the_fingerprint() {
    let run = |key: &'static str| {
        let world = limited(&["MEX"]).build().expect("builds");
        world.run(async |world| {
            let client = world.client("MEX");
            ask(&client, "STRICTER", key).await;
            ask(&client, "STRICTER", key).await;
        });
        world
    };
    let world = run("u");
    let history = world.history();
    let calls: Vec<_> = history
        .records()
        .iter()
        .filter(|record| matches!(record.op, Op::RateLimit { .. }))
        .map(|record| (&record.op, &record.outcome, &*record.pop))
        .collect();
    let op = Op::RateLimit {
        limiter: "STRICTER".into(),
        key: "u".into(),
    };
    let expected = [true, false].map(|within| Outcome::RateLimited { within });
    assert_eq!(
        calls,
        [(&op, &expected[0], "MEX"), (&op, &expected[1], "MEX")]
    );
    assert_eq!(world.fingerprint(), run("u").fingerprint());
    assert_ne!(world.fingerprint(), run("v").fingerprint());
}

/// How many of these simultaneous requests a limiter of two admits in one PoP with an isolate for each.
fn admitted(lag: Duration) -> usize {
    let mut options = instant();
    options.unsettled.rate_limit_lag = lag;
    options.isolates.concurrency = 1;
    let world: World = limited(&["MEX"]).options(options).build().expect("builds");
    let answers = world.run(async |world| {
        let client = world.client("MEX");
        let requests = (0..6).map(|_| {
            at(&client, async move |env, _| {
                // Busy at the same time, so that each has an isolate of its own.
                pause(10).await;
                let answer = env.rate_limiter("LIMITER")?.limit("u".to_owned()).await?;
                pause(10).await;
                Ok(answer.success)
            })
        });
        futures_util::future::join_all(requests).await
    });
    answers.into_iter().filter(|within| *within).count()
}

#[test]
fn with_lag_isolates_admit_more_than_the_limit_together() {
    assert_eq!(admitted(Duration::ZERO), 2);
    let more = admitted(Duration::from_secs(1));
    assert!(more > 2, "{more} admitted");
}

#[test]
fn what_is_no_limiter_is_refused_as_upstream_does() {
    let world = limited(&["MEX"]).build().expect("builds");
    world.run(async |world| {
        let client = world.client("MEX");
        let texts = at(&client, async |env, _| {
            let refused = |name: &str| failure(env.rate_limiter(name));
            Ok([refused("TEXT"), refused("NONE")])
        });
        let [text, none] = texts.await;
        assert_eq!(
            text,
            "Binding cannot be cast to the type Ratelimit from String"
        );
        assert_eq!(none, "Binding `NONE` is undefined.");
    });
}
