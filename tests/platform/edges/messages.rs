//! Messages: which ones are sent and counted, and what a second copy of one leaves in the history.

use super::*;
use edgeproof_sim::check::bill_check::{self, Drained};
use edgeproof_sim::host::KvListOptions;
use edgeproof_sim::platform::d1::{Call, Statement};
use futures_util::future::join;

fn dropped(from: &str, to: &str, skip: u64) -> FaultKind {
    FaultKind::MessageDropped {
        from: from.into(),
        to: to.into(),
        skip,
        count: 1,
        for_ms: 600_000,
    }
}

fn at_start(kinds: impl IntoIterator<Item = FaultKind>) -> impl IntoIterator<Item = Fault> {
    kinds.into_iter().map(|kind| Fault { at_ms: 0, kind })
}

/// A world with clients in FRA and SIN, and KV's central store in AMS.
fn with_faults(
    fetch: Act,
    object: InObject,
    kinds: impl IntoIterator<Item = FaultKind>,
) -> Builder {
    world(fetch, object)
        .pops(["FRA", "SIN"])
        .faults(at_start(kinds))
}

/// Answers of a client in SIN, one request a second from the first second on, and how long each took in milliseconds.
fn answers(world: &World, requests: usize) -> Vec<(String, u128)> {
    world.run(async |world| {
        let mut answers = Vec::new();
        for _ in 0..requests {
            world.sleep(Duration::from_secs(1)).await;
            let begin = world.now();
            let answer = get(world, "SIN", "https://one.example/").await;
            answers.push((answer, world.now().since(begin).as_millis()));
        }
        world.sleep(Duration::from_secs(60)).await;
        answers
    })
}

fn texts(answers: &[(String, u128)]) -> Vec<&str> {
    answers.iter().map(|(text, _)| text.as_str()).collect()
}

// --- second copies --------------------------------------------------------------------------------------------------

/// The records of one operation and of its second copy.
fn pair(history: &History, wanted: impl Fn(&Op) -> bool) -> [Record; 2] {
    let records = history.records().iter();
    let mut found: Vec<_> = records.filter(|r| wanted(&r.op)).cloned().collect();
    found.sort_by_key(|record| record.copy);
    let [first, second] = found.try_into().expect("the first copy and the second");
    assert_eq!((first.copy, second.copy), (false, true));
    assert_eq!(second.cause, Some(first.number));
    assert_eq!(second.op, first.op);
    assert_eq!((&second.actor, second.pop.as_str()), (&Actor::Platform, ""));
    [first, second]
}

fn is_billed_as_recorded(world: &World) {
    let history = world.history();
    let violations = bill_check::check(history.records(), &world.usage(), Drained::Yes);
    assert!(violations.is_empty(), "{violations:#?}");
}

#[test]
fn the_copy_of_a_write_has_a_record() {
    let (world, answer) = doubled_put(1, vec![]);
    assert_eq!(answer, "Ok(())");
    let [first, second] = pair(&world.history(), |op| matches!(op, Op::KvPut { .. }));
    let is_refused = |outcome: &Outcome| matches!(outcome, Outcome::Error { message } if message == "KV PUT failed: 429 Too Many Requests");
    assert!(matches!(first.outcome, Outcome::KvWritten { .. }));
    assert!(is_refused(&second.outcome), "{second:?}");
    is_billed_as_recorded(&world);
}

#[test]
fn the_copy_of_a_query_has_a_record() {
    let act = fetch(|| async {
        let bindings = Bindings::current();
        let Some(&Binding::D1(database)) = bindings.binding("DB") else {
            return text("no DB");
        };
        let call = Call::Query(Statement {
            sql: "INSERT INTO t VALUES (1), (2)".into(),
            parameters: Vec::new(),
        });
        let done = bindings.d1_call(database, call).await?;
        text(done.len().to_string())
    });
    let world = with_faults(act, nothing(), [doubled("SIN", "FRA")])
        .seed_sql("DB", "t.sql", "CREATE TABLE t(v)")
        .build()
        .expect("builds");
    assert_eq!(texts(&answers(&world, 1)), ["1"]);
    let records = pair(&world.history(), |op| matches!(op, Op::D1 { .. }));
    for record in &records {
        let wrote = matches!(
            record.outcome,
            Outcome::D1 {
                rows_written: 2,
                ..
            }
        );
        assert!(wrote, "{record:?}");
    }
    let [first, second] = records;
    assert!(second.start == first.start && second.end > second.start);
    is_billed_as_recorded(&world);
}

/// An object that writes, in FRA.
fn writing() -> InObject {
    object(|own| async move {
        Bindings::current().storage_put(own, "n", Bytes::from_static(b"1"))?;
        text("written")
    })
}

/// Gives the object its home in FRA.
fn settle(world: &World) {
    world.run(async |world| get(world, "FRA", "https://one.example/").await);
}

#[test]
fn the_copy_of_a_call_has_a_record_and_effects_of_its_own() {
    let world = with_faults(call(), writing(), [doubled("SIN", "FRA")])
        .build()
        .expect("builds");
    settle(&world);
    assert_eq!(texts(&answers(&world, 1)), ["written"]);
    let history = world.history();
    let from_sin = history
        .records()
        .iter()
        .find(|r| matches!(r.op, Op::ObjectCall { .. }) && r.pop == "SIN");
    let from_sin = from_sin.expect("a call").number;
    let of_sin = |record: &&Record| record.number == from_sin || record.cause == Some(from_sin);
    let calls: History = history.records().iter().filter(of_sin).cloned().collect();
    let calls = pair(&calls, |op| matches!(op, Op::ObjectCall { .. }));
    for call in calls {
        assert_eq!(call.outcome, Outcome::Status { status: 200 });
        let puts = history.records().iter().filter(|record| {
            record.cause == Some(call.number) && matches!(record.op, Op::Storage { .. })
        });
        assert_eq!(puts.count(), 1, "each copy writes once");
    }
    is_billed_as_recorded(&world);
}

#[test]
fn the_copy_of_a_call_does_not_overtake_an_earlier_call() {
    let act = fetch(|| async {
        let bindings = Bindings::current();
        let Some(&Binding::Objects(class)) = bindings.binding("COUNT") else {
            return text("none");
        };
        let id = bindings.object_id_from_name(class, "one");
        let stub = bindings.object_stub(class, id, None, None);
        let call = |path: &'static str| {
            let url = Url::parse("https://object/").expect("a URL");
            let url = url.join(path).expect("a path");
            let request = edgeproof_sim::http::Request::new(Method::GET, url);
            Bindings::current().object_call(stub.clone(), request)
        };
        let later = async {
            bindings.sleep(Duration::from_millis(1_500)).await;
            call("later").await
        };
        let (first, later) = join(call("first"), later).await;
        text(format!("{} {}", first?.status, later?.status))
    });
    // The first call is sent while the link is slow, the later one when it is quick again.
    let slow = FaultKind::LinkLatency {
        a: "SIN".into(),
        b: "FRA".into(),
        extra_ms: 4_000,
        for_ms: 3_500,
    };
    let second = FaultKind::MessageDuplicated {
        from: "SIN".into(),
        to: "FRA".into(),
        skip: 1,
        count: 1,
        for_ms: 600_000,
    };
    let world = with_faults(act, writing(), [slow, second])
        .build()
        .expect("builds");
    settle(&world);
    assert_eq!(texts(&answers(&world, 1)), ["200 200"]);
    let history = world.history();
    let records = history.records().iter();
    let paths = records.clone().filter_map(|record| match record.op {
        Op::Storage { .. } => {
            let call = records
                .clone()
                .find(|call| Some(call.number) == record.cause);
            match &call?.op {
                Op::ObjectCall { path, .. } => Some(path.as_str()),
                _ => None,
            }
        }
        _ => None,
    });
    // The first two are those of FRA.
    let paths: Vec<_> = paths.skip(2).collect();
    assert_eq!(paths, ["/first", "/later", "/later"]);
}

// --- bulk reads -----------------------------------------------------------------------------------------------------

/// Reads four keys at once, one of them twice.
fn bulk() -> Act {
    fetch(|| async {
        let bindings = Bindings::current();
        let keys = ["a", "b", "c", "d", "b"].map(Into::into).to_vec();
        let read = bindings.kv_get_bulk(kv(), keys, None).await;
        text(match read {
            Ok(reads) => {
                let found = reads.iter().map(|(key, read)| {
                    let value = read
                        .as_ref()
                        .map(|read| String::from_utf8_lossy(&read.value));
                    format!("{key}={}", value.unwrap_or("-".into()))
                });
                found.collect::<Vec<_>>().join(" ")
            }
            Err(failure) => failure.message,
        })
    })
}

const NONE: &str = "a=- b=- c=- d=- b=-";

#[test]
fn a_bulk_read_is_one_message_each_way() {
    let after = |from: &str, to: &str| {
        let act = Rc::new(Cell::new(0));
        let reads = [bulk(), get_one("x"), bulk()];
        let act: Act = Rc::new(move || {
            act.set(act.get() + 1);
            reads[act.get() - 1]()
        });
        // The second message is lost: the read of one key.
        let world = with_faults(act, nothing(), [dropped(from, to, 1)]);
        let world = world.build().expect("builds");
        answers(&world, 3)
    };
    for (from, to) in [("SIN", "AMS"), ("AMS", "SIN")] {
        let answers = after(from, to);
        let lost = "KV GET failed: 503 Service Unavailable";
        assert_eq!(texts(&answers), [NONE, lost, NONE], "{from} to {to}");
    }
    let world = with_faults(bulk(), nothing(), [dropped("SIN", "AMS", 0)]);
    let answers = answers(&world.build().expect("builds"), 2);
    let lost = "KV GET_BULK failed: 503 Service Unavailable";
    assert_eq!(texts(&answers), [lost, NONE]);
}

#[test]
fn a_bulk_read_asks_only_for_what_the_cache_does_not_know() {
    let reads = [get_one("a"), get_one("b"), bulk(), bulk()];
    let next = Cell::new(0);
    let act: Act = Rc::new(move || {
        next.set(next.get() + 1);
        reads[next.get() - 1]()
    });
    let world = with_faults(act, nothing(), []).build().expect("builds");
    let answers = answers(&world, 4);
    assert_eq!(texts(&answers), ["-", "-", NONE, NONE]);
    let [one, _, some, none] = [0, 1, 2, 3].map(|nth| answers[nth].1);
    assert!(some >= one - 20 && none < one / 5, "{answers:?}");
    let history = world.history();
    let cached = history.records().iter().filter_map(|r| match &r.outcome {
        Outcome::KvRead { cached, .. } => Some(*cached),
        _ => None,
    });
    let mut cached = cached.collect::<Vec<_>>();
    // Those of one bulk read, in order of their end: what the cache knows is there first.
    assert_eq!(
        cached.drain(2..7).collect::<Vec<_>>(),
        [true, true, true, false, false]
    );
    assert_eq!(cached, [false, false, true, true, true, true, true]);
    is_billed_as_recorded(&world);
}

#[test]
fn a_bulk_read_meets_a_share_of_errors_once() {
    let half = FaultKind::KvErrors {
        operation: KvOperation::Get,
        status: 500,
        ratio: 0.5,
        for_ms: 600_000,
    };
    let failures = (0..60).filter(|seed| {
        let world = with_faults(bulk(), nothing(), [half.clone()]).seed(*seed);
        let answers = answers(&world.build().expect("builds"), 1);
        let failed = texts(&answers) == ["KV GET_BULK failed: 500 Internal Server Error"];
        assert!(failed || texts(&answers) == [NONE], "{answers:?}");
        failed
    });
    let failures = failures.count();
    // With a die for each of four keys, 56 of 60 fail.
    assert!((18..42).contains(&failures), "{failures}");
}

// --- answers of errors ----------------------------------------------------------------------------------------------

fn get_one(key: &'static str) -> Act {
    fetch(move || async move {
        let read = Bindings::current().kv_get(kv(), key.into(), None).await;
        text(match read {
            Ok(Some(read)) => String::from_utf8_lossy(&read.value).into_owned(),
            Ok(None) => "-".into(),
            Err(failure) => failure.message,
        })
    })
}

fn list() -> Act {
    fetch(|| async {
        let listed = Bindings::current()
            .kv_list(kv(), KvListOptions::default())
            .await;
        text(match listed {
            Ok(_) => "listed".into(),
            Err(failure) => failure.message,
        })
    })
}

fn put_one() -> Act {
    fetch(|| async {
        let value = Bytes::from_static(b"v");
        let options = KvPutOptions::default();
        let put = Bindings::current().kv_put(kv(), "k".into(), value, options);
        text(
            put.await
                .map_or_else(|failure| failure.message, |()| "put".into()),
        )
    })
}

#[test]
fn an_error_of_kv_is_a_message_and_travels_back() {
    for (act, verb, good) in [
        (get_one("k"), "GET", "-"),
        (list(), "GET", "listed"),
        (put_one(), "PUT", "put"),
    ] {
        let operation = if verb == "PUT" {
            KvOperation::Put
        } else {
            KvOperation::Get
        };
        let failing = FaultKind::KvErrors {
            operation,
            status: 500,
            ratio: 1.0,
            for_ms: 1_800,
        };
        // The answers of the first request and of the second: the error is the first of them.
        let world = with_faults(act, nothing(), [failing, dropped("AMS", "SIN", 1)]);
        let world = world.build().expect("builds");
        let answers = answers(&world, 3);
        let refused = format!("KV {verb} failed: 500 Internal Server Error");
        let lost = format!("KV {verb} failed: 503 Service Unavailable");
        assert_eq!(texts(&answers), [&refused, &lost, good]);
        let (error, success) = (answers[0].1, answers[2].1);
        assert!(error.abs_diff(success) < success / 5, "{answers:?}");
    }
}

/// Calls the object, and answers the failure's text.
fn call_or_failure() -> Act {
    let call = call();
    Rc::new(move || {
        let call = call();
        Box::pin(async move {
            match call.await {
                Ok(reply) => Ok(reply),
                Err(failure) => text(failure.message),
            }
        })
    })
}

#[test]
fn an_unreachable_object_sends_no_answer() {
    let unreachable = FaultKind::ObjectUnreachable {
        class: "Count".into(),
        for_ms: 1_800,
    };
    let around = |lost: FaultKind| {
        let world = with_faults(call_or_failure(), writing(), [unreachable.clone(), lost]);
        let world = world.build().expect("builds");
        settle(&world);
        answers(&world, 3)
    };
    let lost = "Network connection lost.";
    // Its first answer is that to the second call.
    let first_answer = around(dropped("FRA", "SIN", 0));
    assert_eq!(texts(&first_answer), [lost, lost, "written"]);
    // The call itself is sent.
    let second_call = around(dropped("SIN", "FRA", 1));
    assert_eq!(texts(&second_call), [lost, lost, "written"]);
    // The caller has to wait for the loss as long as for an answer.
    let (lost, answered) = (first_answer[0].1, first_answer[2].1);
    assert!(lost.abs_diff(answered) < answered / 5, "{first_answer:?}");
}
