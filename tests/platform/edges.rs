//! Edges: worlds side by side, code that is replaced under way, doubled messages under other faults, names used twice.

use bytes::Bytes;
use edgeproof_isolate::IsolateLocal;
use edgeproof_sim::exception::Exception;
use edgeproof_sim::fault::{Fault, FaultKind, KvOperation};
use edgeproof_sim::history::{Actor, History, Op, Outcome, Record, StorageCall};
use edgeproof_sim::host::{Binding, KvPutOptions};
use edgeproof_sim::http::Response;
use edgeproof_sim::platform::durable::ObjectRef;
use edgeproof_sim::script::{Event, Handled, ObjectClass, ObjectInstance, Reply, Script};
use edgeproof_sim::wrangler::WorkerConfig;
use edgeproof_sim::{Bindings, Builder, Deployment, World};
use http::Method;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;
use url::Url;

mod kept;
mod memory;
mod messages;
mod shared;

type Act = Rc<dyn Fn() -> Handled>;
type InObject = Rc<dyn Fn(ObjectRef) -> Handled>;

#[derive(Clone)]
struct Code {
    fetch: Act,
    object: InObject,
}

impl Script for Code {
    fn handle(&self, event: Event) -> Handled {
        match event {
            Event::Fetch(_) => (self.fetch)(),
            _ => Box::pin(async { Ok(Reply::Done) }),
        }
    }
    fn class(&self, name: &str) -> Option<Rc<dyn ObjectClass>> {
        (name == "Count").then(|| Rc::new(self.clone()) as Rc<dyn ObjectClass>)
    }
}

impl ObjectClass for Code {
    fn construct(&self, object: ObjectRef) -> Rc<dyn ObjectInstance> {
        Rc::new(Instance(self.object.clone(), object))
    }
}

struct Instance(InObject, ObjectRef);

impl ObjectInstance for Instance {
    fn handle(self: Rc<Self>, event: Event) -> Handled {
        match event {
            Event::Fetch(_) => (self.0)(self.1),
            _ => Box::pin(async { Ok(Reply::Done) }),
        }
    }
}

fn text(text: impl Into<String>) -> Result<Reply, Exception> {
    Ok(Response::plain(200, text.into()).into())
}

fn fetch<F>(act: impl Fn() -> F + 'static) -> Act
where
    F: Future<Output = Result<Reply, Exception>> + 'static,
{
    Rc::new(move || Box::pin(act()))
}

fn object<F>(act: impl Fn(ObjectRef) -> F + 'static) -> InObject
where
    F: Future<Output = Result<Reply, Exception>> + 'static,
{
    Rc::new(move |object| Box::pin(act(object)))
}

fn call() -> Act {
    fetch(|| async {
        let bindings = Bindings::current();
        let Some(&Binding::Objects(class)) = bindings.binding("COUNT") else {
            return text("none");
        };
        let id = bindings.object_id_from_name(class, "one");
        let stub = bindings.object_stub(class, id, None, None);
        let url = Url::parse("https://object/").expect("a URL");
        let request = edgeproof_sim::http::Request::new(Method::GET, url);
        let answer = bindings.object_call(stub, request).await?;
        text(String::from_utf8_lossy(&answer.body.bytes().await?).into_owned())
    })
}

const BOUND: &str = "[[kv_namespaces]]\nbinding = 'KV'\n\
    [[d1_databases]]\nbinding = 'DB'\n\
    [[migrations]]\ntag = 'v1'\nnew_sqlite_classes = ['Count']\n\
    [[durable_objects.bindings]]\nname = 'COUNT'\nclass_name = 'Count'";

fn config(name: &str) -> WorkerConfig {
    let text = format!("name = '{name}'\ncompatibility_date = '2026-08-20'\n{BOUND}");
    WorkerConfig::parse(&text, "wrangler.toml", None).expect("it is right")
}

fn world(fetch: Act, object: InObject) -> Builder {
    World::builder()
        .script(Rc::new(Code { fetch, object }))
        .config(config("one"))
        .history(true)
}

fn nothing() -> InObject {
    object(|_| async { text("") })
}

async fn get(world: &World, pop: &str, url: &str) -> String {
    let url = Url::parse(url).expect("a URL");
    let request = edgeproof_sim::http::Request::new(Method::GET, url);
    let answer = world.client(pop).send(request).await;
    String::from_utf8_lossy(&answer.body).into_owned()
}

fn kv() -> u32 {
    let bindings = Bindings::current();
    let Some(&Binding::Kv(number)) = bindings.binding("KV") else {
        panic!("no KV")
    };
    number
}

fn put() -> Act {
    fetch(|| async {
        let done = Bindings::current()
            .kv_put(
                kv(),
                "k".into(),
                Bytes::from_static(b"v"),
                KvPutOptions::default(),
            )
            .await;
        text(format!("{done:?}"))
    })
}

fn doubled(from: &str, to: &str) -> FaultKind {
    FaultKind::MessageDuplicated {
        from: from.into(),
        to: to.into(),
        skip: 0,
        count: 1,
        for_ms: 600_000,
    }
}

/// KV's central store of a world with PoPs SIN and FRA.
fn doubled_put(seed: u64, more: Vec<FaultKind>) -> (World, String) {
    let mut kinds = vec![doubled("SIN", "AMS")];
    kinds.extend(more);
    let world = world(put(), nothing())
        .pops(["FRA", "SIN"])
        .seed(seed)
        .faults(kinds.into_iter().map(|kind| Fault { at_ms: 0, kind }))
        .build()
        .expect("builds");
    let answer = world.run(async |world| {
        world.sleep(Duration::from_secs(1)).await;
        let answer = get(world, "SIN", "https://one.example/").await;
        world.sleep(Duration::from_secs(20)).await;
        answer
    });
    (world, answer)
}

#[test]
fn the_sender_of_a_doubled_write_sees_the_first_answer() {
    let answers: Vec<_> = (0..8).map(|seed| doubled_put(seed, vec![]).1).collect();
    assert!(
        answers.iter().all(|answer| answer == "Ok(())"),
        "{answers:#?}"
    );
}

#[test]
fn the_copy_of_a_message_is_as_slow_as_its_link() {
    let slow = FaultKind::LinkLatency {
        a: "SIN".into(),
        b: "AMS".into(),
        extra_ms: 3_000,
        for_ms: 600_000,
    };
    let (world, answer) = doubled_put(1, vec![slow]);
    let writes = world
        .usage()
        .total(edgeproof_sim::bill::usage::Meter::KvWrites);
    assert_eq!(writes, 1, "{answer}");
}

#[test]
fn a_failing_store_refuses_the_copy_too() {
    let errors = FaultKind::KvErrors {
        operation: KvOperation::Put,
        status: 503,
        ratio: 1.0,
        for_ms: 600_000,
    };
    let (world, answer) = doubled_put(1, vec![errors]);
    assert!(answer.contains("503 Service Unavailable"), "{answer}");
    let writes = world
        .usage()
        .total(edgeproof_sim::bill::usage::Meter::KvWrites);
    assert_eq!(writes, 0);
}

#[test]
fn a_write_that_a_reset_held_back_has_failed_in_the_history() {
    let in_object = object(|object| async move {
        let bindings = Bindings::current();
        bindings.storage_put(object, "n", Bytes::from_static(b"1"))?;
        bindings
            .kv_put(
                kv(),
                "k".into(),
                Bytes::from_static(b"v"),
                KvPutOptions::default(),
            )
            .await?;
        text("done")
    });
    let world = world(call(), in_object).build().expect("builds");
    world.run(async |world| {
        let request = get(world, "IAD", "https://one.example/");
        let reset = async {
            for _ in 0..400 {
                world.sleep(Duration::from_micros(100)).await;
                let history = world.history();
                if history
                    .records()
                    .iter()
                    .any(|r| matches!(r.op, Op::KvPut { .. }))
                {
                    world.inject(FaultKind::ObjectReset {
                        class: "Count".into(),
                    });
                    break;
                }
            }
        };
        futures_util::future::join(request, reset).await;
        world.sleep(Duration::from_secs(60)).await;
    });
    let history = world.history();
    let put: Vec<_> = history
        .records()
        .iter()
        .filter(|r| matches!(r.op, Op::KvPut { .. }))
        .collect();
    assert!(put.iter().all(|r| r.outcome != Outcome::Unfinished));
}

#[test]
fn stores_that_two_workers_call_alike_are_judged_apart() {
    let act = || {
        fetch(|| async {
            let bindings = Bindings::current();
            let read = bindings.kv_get(kv(), "k".into(), None).await?;
            if read.is_none() {
                bindings
                    .kv_put(
                        kv(),
                        "k".into(),
                        Bytes::from_static(b"v"),
                        KvPutOptions::default(),
                    )
                    .await?;
            }
            text("")
        })
    };
    let other = Deployment::new(Rc::new(Code {
        fetch: act(),
        object: nothing(),
    }))
    .config(config("other"))
    .host("other.example");
    let world = world(act(), nothing())
        .worker(other)
        .build()
        .expect("builds");
    world.run(async |world| {
        for _ in 0..3 {
            get(world, "IAD", "https://one.example/").await;
            world.sleep(Duration::from_secs(100)).await;
        }
        get(world, "IAD", "https://other.example/").await;
        world.sleep(Duration::from_secs(100)).await;
        get(world, "IAD", "https://other.example/").await;
        get(world, "IAD", "https://one.example/").await;
    });
    let history = world.history();
    let found = edgeproof_sim::check::staleness::check(history.records(), &Default::default());
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn a_fault_can_name_either_of_two_classes_of_one_name() {
    let other = Deployment::new(Rc::new(Code {
        fetch: call(),
        object: object(|_| async { text("ok") }),
    }))
    .config(config("other"))
    .host("other.example");
    let world = world(call(), object(|_| async { text("ok") }))
        .worker(other)
        .build()
        .expect("builds");
    let space = world.space();
    assert_eq!(space.classes, ["Count", "other/Count"]);
    assert_eq!(space.databases, ["DB", "other/DB"]);
    world.run(async |world| {
        let class = "other/Count".into();
        world.inject(FaultKind::ObjectUnreachable {
            class,
            for_ms: 60_000,
        });
        assert_eq!(get(world, "IAD", "https://one.example/").await, "ok");
        assert_eq!(
            get(world, "IAD", "https://other.example/").await,
            "error code: 1101"
        );
    });
}

#[test]
fn a_world_that_ends_leaves_no_task_in_another() {
    // The request itself is a task of `a`; it holds begun operations.
    let a = world(put(), nothing()).build().expect("builds");
    a.run(async |world| {
        let client = world.client("IAD");
        world.spawn(async move {
            client.get("/").send().await;
        });
        world.sleep(Duration::from_millis(9)).await;
    });
    let b = world(put(), nothing()).build().expect("builds");
    b.run(async |b| {
        let before = b.tasks();
        drop(a);
        assert_eq!(b.tasks(), before);
    });
}

#[test]
fn every_operation_is_read_back_as_it_was_printed() {
    let digest = edgeproof_sim::kernel::fingerprint::Fingerprint::of(b"x");
    let s = || "s".to_owned();
    let call = edgeproof_sim::history::SqlCall {
        sql: s(),
        parameters: vec![serde_json::json!({"blob": "00"})],
    };
    let storage = |call| Op::Storage {
        class: s(),
        id: s(),
        call,
    };
    let ops = vec![
        Op::Request {
            method: s(),
            path: s(),
            ip: s(),
        },
        Op::KvGet {
            namespace: s(),
            key: s(),
            cache_ttl_seconds: 1,
        },
        Op::KvPut {
            namespace: s(),
            key: s(),
            bytes: 1,
            value_digest: digest,
            expiration_seconds: Some(3),
        },
        Op::KvPut {
            namespace: s(),
            key: s(),
            bytes: 1,
            value_digest: digest,
            expiration_seconds: None,
        },
        Op::KvDelete {
            namespace: s(),
            key: s(),
        },
        Op::KvList {
            namespace: s(),
            prefix: s(),
        },
        Op::ObjectCall {
            class: s(),
            id: s(),
            path: s(),
        },
        Op::ObjectStart {
            class: s(),
            id: s(),
        },
        Op::ObjectStop {
            class: s(),
            id: s(),
            reason: s(),
        },
        Op::Alarm {
            class: s(),
            id: s(),
            retry: 1,
        },
        storage(StorageCall::Get { key: s() }),
        storage(StorageCall::Put {
            key: s(),
            bytes: 1,
            value_digest: digest,
        }),
        storage(StorageCall::Delete { key: s() }),
        storage(StorageCall::DeleteAll),
        storage(StorageCall::List { prefix: s() }),
        storage(StorageCall::Sql { call }),
        storage(StorageCall::GetAlarm),
        storage(StorageCall::SetAlarm { alarm_ms: None }),
        storage(StorageCall::SetAlarm { alarm_ms: Some(4) }),
        storage(StorageCall::Begin),
        storage(StorageCall::End { keep: true }),
        Op::D1 {
            database: s(),
            sql: vec![s()],
            parameters: vec![vec![1.into()]],
        },
        Op::Fetch {
            method: s(),
            host: s(),
        },
        Op::RateLimit {
            limiter: s(),
            key: s(),
        },
        Op::Scheduled { cron: s() },
        Op::Deploy {
            worker: s(),
            code_version: 3,
        },
        Op::IsolateStart,
        Op::IsolateStop,
        Op::Fault { kind: s() },
        Op::Console {
            level: s(),
            text: s(),
        },
    ];
    let rows = edgeproof_sim::history::SqlRows {
        columns: vec![s()],
        rows: vec![vec![1.into()]],
        changes: 2,
    };
    let outcomes = vec![
        Outcome::Done,
        Outcome::Unfinished,
        Outcome::Status { status: 200 },
        Outcome::KvRead {
            version: None,
            fetched_at: 1,
            cached: true,
            digest: None,
        },
        Outcome::KvRead {
            version: Some(2),
            fetched_at: 1,
            cached: true,
            digest: Some(digest),
        },
        Outcome::KvListed {
            keys: vec![s()],
            complete: false,
        },
        Outcome::RateLimited { within: true },
        Outcome::KvWritten {
            version: 9,
            committed_at: 4,
        },
        Outcome::D1 {
            rows_read: 1,
            rows_written: 2,
            results: vec![rows.clone()],
        },
        Outcome::Stored {
            value: Some(digest),
            entries: vec![(s(), digest)],
            rows: Some(rows),
            rows_read: 1,
            rows_written: 2,
        },
        Outcome::Stored {
            value: None,
            entries: vec![],
            rows: None,
            rows_read: 1,
            rows_written: 2,
        },
        Outcome::Error { message: s() },
    ];
    let mut wrong = Vec::new();
    for op in &ops {
        for outcome in &outcomes {
            let record = Record {
                number: 1,
                cause: Some(8),
                copy: true,
                start: 1,
                end: 2,
                pop: "FRA".into(),
                isolate: None,
                actor: Actor::Object {
                    class: s(),
                    id: s(),
                },
                op: op.clone(),
                outcome: outcome.clone(),
            };
            let history: History = [record].into_iter().collect();
            match History::from_json_lines(&history.to_json_lines()) {
                Ok(again) if again == history => {}
                other => wrong.push(format!("{} -> {other:?}", history.to_json_lines())),
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong: {wrong:#?}", wrong.len());
}

#[test]
fn injecting_a_fault_with_wrong_figures_panics() {
    let world = world(put(), nothing()).build().expect("builds");
    let refused = catch_unwind(AssertUnwindSafe(|| {
        world.run(async |world| {
            world.inject(FaultKind::D1Slow {
                binding: "DB".into(),
                factor: -1.0,
                for_ms: 1,
            });
        });
    }));
    assert!(refused.is_err(), "accepted");
}

#[test]
fn an_object_that_resets_itself_at_once_answers() {
    let in_object = object(|_| async {
        World::current().inject(FaultKind::ObjectReset {
            class: "Count".into(),
        });
        std::future::pending::<()>().await;
        text("never")
    });
    let world = world(call(), in_object).build().expect("builds");
    let answer = world.run(async |world| {
        let request = get(world, "IAD", "https://one.example/");
        let limit = world.sleep(Duration::from_secs(100));
        match futures_util::future::select(std::pin::pin!(request), limit).await {
            futures_util::future::Either::Left((answer, _)) => answer,
            futures_util::future::Either::Right(_) => "hangs".into(),
        }
    });
    assert_eq!(answer, "error code: 1101");
}

#[test]
fn an_object_can_deploy_its_own_worker_twice() {
    let in_object = object(|_| async {
        let new: Rc<dyn Script> = Rc::new(Code {
            fetch: call(),
            object: object(|_| async { text("new") }),
        });
        World::current().deploy("one", &new).expect("deploys");
        World::current().deploy("one", &new).expect("deploys");
        Bindings::current().sleep(Duration::from_millis(5)).await;
        text("old")
    });
    let world = world(call(), in_object).build().expect("builds");
    let answers = world.run(async |world| {
        [
            get(world, "IAD", "https://one.example/").await,
            get(world, "IAD", "https://one.example/").await,
        ]
    });
    assert_eq!(answers, ["error code: 1101", "new"]);
}

#[test]
fn a_run_that_panicked_leaves_no_invocation_behind() {
    let act = fetch(|| async {
        Bindings::current().spawn(async { panic!("in a task") });
        Bindings::current().sleep(Duration::from_millis(5)).await;
        text("done")
    });
    let broken = world(act, nothing()).build().expect("builds");
    let ended = catch_unwind(AssertUnwindSafe(|| {
        broken.run(async |world| get(world, "IAD", "https://one.example/").await)
    }));
    assert!(ended.is_err(), "the run fails with its task");
    drop(broken);
    let next = world(put(), nothing()).build().expect("builds");
    next.run(async |world| {
        let refused = world.bindings().kv_get(0, "k".into(), None).await;
        assert!(refused.is_err(), "the driver is no invocation: {refused:?}");
    });
}

#[test]
fn a_host_is_the_same_in_capitals() {
    let other = Deployment::new(Rc::new(Code {
        fetch: fetch(|| async { text("other") }),
        object: nothing(),
    }))
    .host("Other.Example");
    let other = other.config(
        WorkerConfig::parse(
            "name = 'other'\ncompatibility_date = '2026-08-20'",
            "w.toml",
            None,
        )
        .expect("right"),
    );
    let world = world(fetch(|| async { text("one") }), nothing())
        .worker(other)
        .build()
        .expect("builds");
    let answer = world.run(async |world| get(world, "IAD", "https://Other.Example/").await);
    assert_eq!(answer, "other");
}

#[test]
fn two_workers_that_answer_one_host_are_refused() {
    let other = |name: &str| {
        Deployment::new(Rc::new(Code {
            fetch: put(),
            object: nothing(),
        }))
        .config(config(name))
        .host("other.example")
    };
    let built = world(put(), nothing())
        .worker(other("two"))
        .worker(other("three"))
        .build();
    let refused = built.expect_err("both answer other.example").to_string();
    assert!(refused.contains("\"other.example\""), "{refused}");
}

#[test]
fn a_seed_may_use_the_second_binding_of_a_database() {
    let twice = "[[d1_databases]]\nbinding = 'A'\ndatabase_id = 'x'\n\
                 [[d1_databases]]\nbinding = 'B'\ndatabase_id = 'x'";
    let text = format!("name = 'one'\ncompatibility_date = '2026-08-20'\n{twice}");
    let config = WorkerConfig::parse(&text, "wrangler.toml", None).expect("it is right");
    let code = Code {
        fetch: put(),
        object: nothing(),
    };
    let world = World::builder()
        .script(Rc::new(code))
        .config(config)
        .seed_sql("A", "seed.sql", "CREATE TABLE t(v)")
        .seed_sql("B", "seed.sql", "CREATE TABLE t(v)");
    let world = world.build().expect("both names are bound");
    assert_eq!(world.space().databases, ["A"]);
}

#[test]
fn a_seed_of_an_unknown_database_is_refused() {
    let built = world(put(), nothing())
        .seed_sql("BD", "seed.sql", "CREATE TABLE t(v)")
        .build();
    let refused = built.expect_err("no database is called BD").to_string();
    assert!(
        refused.contains("seed.sql is for the database \"BD\""),
        "{refused}"
    );
}

#[test]
fn an_uncaught_panic_is_logged_by_the_object() {
    let in_object = object(|_| async { panic!("boom") });
    let world = world(call(), in_object).build().expect("builds");
    world.run(async |world| get(world, "IAD", "https://one.example/").await);
    let history = world.history();
    let console: Vec<_> = history
        .records()
        .iter()
        .filter(|r| matches!(&r.op, Op::Console { .. }))
        .collect();
    assert!(
        matches!(console[0].actor, Actor::Object { .. }),
        "{:?}",
        console[0].actor
    );
}

thread_local! { static DROPS: Cell<u32> = const { Cell::new(0) }; }
struct Memory(Cell<u32>);
impl Drop for Memory {
    fn drop(&mut self) {
        DROPS.with(|drops| drops.set(drops.get() + 1));
    }
}
static MEMORY: IsolateLocal<Memory> = IsolateLocal::new(|| Memory(Cell::new(0)));

fn bump() -> u32 {
    MEMORY.with(|memory| {
        memory.0.set(memory.0.get() + 1);
        memory.0.get()
    })
}

#[test]
fn old_code_keeps_its_memory_until_it_has_ended() {
    thread_local! { static LATE: Cell<u32> = const { Cell::new(0) }; }
    let old = fetch(|| async {
        bump();
        Bindings::current().wait_until(Box::pin(async {
            Bindings::current().sleep(Duration::from_secs(10)).await;
            LATE.set(bump());
        }));
        Bindings::current().sleep(Duration::from_secs(1)).await;
        let n = bump();
        text(format!("old {n}"))
    });
    let world = world(old, nothing()).build().expect("builds");
    let new: Rc<dyn Script> = Rc::new(Code {
        fetch: fetch(|| async { text(format!("new {}", bump())) }),
        object: nothing(),
    });
    DROPS.set(0);
    let (a, b, mid) = world.run(async |world| {
        let first = get(world, "IAD", "https://one.example/");
        let update = async {
            world.sleep(Duration::from_millis(500)).await;
            world.deploy("one", &new).expect("deploys");
            get(world, "IAD", "https://one.example/").await
        };
        let (a, b) = futures_util::future::join(first, update).await;
        let mid = DROPS.get();
        world.sleep(Duration::from_secs(20)).await;
        (a, b, mid)
    });
    assert_eq!(
        (a.as_str(), b.as_str(), mid, LATE.get(), DROPS.get()),
        ("old 2", "new 1", 0, 3, 1)
    );
    assert_eq!(world.tasks(), 0);
    let history = world.history();
    let stops = history
        .records()
        .iter()
        .filter(|r| r.op == Op::IsolateStop)
        .count();
    assert_eq!(stops, 1);
}

#[test]
fn objects_of_new_code_have_new_memory() {
    let in_object = || object(|_| async { text(format!("{}", bump())) });
    let world = world(call(), in_object()).build().expect("builds");
    let new: Rc<dyn Script> = Rc::new(Code {
        fetch: call(),
        object: in_object(),
    });
    let answers = world.run(async |world| {
        let mut answers = Vec::new();
        for _ in 0..3 {
            answers.push(get(world, "IAD", "https://one.example/").await);
            answers.push(get(world, "IAD", "https://one.example/").await);
            world.deploy("one", &new).expect("deploys");
        }
        world.sleep(Duration::from_secs(100)).await;
        answers
    });
    assert_eq!(answers, ["1", "2", "1", "2", "1", "2"]);
}

#[test]
fn an_alarm_that_is_pending_runs_in_new_code() {
    struct A(&'static str);
    thread_local! { static RAN: Cell<&'static str> = const { Cell::new("") }; }
    struct I(&'static str, ObjectRef);
    impl Script for A {
        fn handle(&self, _: Event) -> Handled {
            (call())()
        }
        fn class(&self, _: &str) -> Option<Rc<dyn ObjectClass>> {
            Some(Rc::new(A(self.0)))
        }
    }
    impl ObjectClass for A {
        fn construct(&self, object: ObjectRef) -> Rc<dyn ObjectInstance> {
            Rc::new(I(self.0, object))
        }
    }
    impl ObjectInstance for I {
        fn handle(self: Rc<Self>, event: Event) -> Handled {
            Box::pin(async move {
                match event {
                    Event::Fetch(_) => {
                        let ms = Bindings::current().now().unix_ms() + 5_000;
                        Bindings::current().storage_set_alarm(self.1, Some(ms))?;
                        text("set")
                    }
                    _ => {
                        RAN.set(self.0);
                        Ok(Reply::Done)
                    }
                }
            })
        }
    }
    let world = World::builder()
        .script(Rc::new(A("old")))
        .config(config("one"))
        .history(true)
        .build()
        .expect("builds");
    world.run(async |world| {
        get(world, "IAD", "https://one.example/").await;
        world.sleep(Duration::from_secs(1)).await;
        let new: Rc<dyn Script> = Rc::new(A("new"));
        world.deploy("one", &new).expect("deploys");
        world.sleep(Duration::from_secs(30)).await;
    });
    assert_eq!(RAN.get(), "new");
    let history = world.history();
    assert_eq!(
        history
            .records()
            .iter()
            .filter(|r| matches!(r.op, Op::Alarm { .. }))
            .count(),
        1
    );
}

fn busy(seed: u64) -> Builder {
    let act = || {
        fetch(|| async {
            let bindings = Bindings::current();
            bump();
            let read = bindings.kv_get(kv(), "k".into(), None);
            let write = bindings.kv_put(
                kv(),
                "k".into(),
                Bytes::from_static(b"v"),
                KvPutOptions::default(),
            );
            let _ = futures_util::future::select(read, write).await;
            let Some(&Binding::D1(db)) = bindings.binding("DB") else {
                panic!("no DB")
            };
            let statement = edgeproof_sim::platform::d1::Statement {
                sql: "SELECT random(), hex(randomblob(4))".into(),
                parameters: vec![],
            };
            let _ = bindings
                .d1_call(db, edgeproof_sim::platform::d1::Call::Query(statement))
                .await;
            bindings.wait_until(Box::pin(async {
                Bindings::current().sleep(Duration::from_secs(3)).await;
                if bump().is_multiple_of(5) {
                    panic!("now and then")
                }
            }));
            if bindings.random() < 0.2 {
                panic!("at random")
            }
            let answer = (call())().await;
            if bindings.random() < 0.3 {
                return Err(Exception::error("thrown"));
            }
            answer
        })
    };
    let in_object = || {
        object(|object| async move {
            let bindings = Bindings::current();
            bindings.storage_put(object, "n", Bytes::from(vec![1]))?;
            bindings.storage_set_alarm(object, Some(bindings.now().unix_ms() + 700))?;
            bindings.sleep(Duration::from_millis(20)).await;
            if bindings.random() < 0.1 {
                panic!("in the object")
            }
            text("ok")
        })
    };
    let mut kinds = vec![];
    for (from, to) in [
        ("SIN", "AMS"),
        ("SIN", "IAD"),
        ("AMS", "SIN"),
        ("IAD", "SIN"),
        ("IAD", "IAD"),
    ] {
        let (from, to) = (|| from.to_owned(), || to.to_owned());
        kinds.push(FaultKind::MessageDuplicated {
            from: from(),
            to: to(),
            skip: 2,
            count: 5,
            for_ms: 60_000,
        });
        kinds.push(FaultKind::MessageDropped {
            from: from(),
            to: to(),
            skip: 4,
            count: 3,
            for_ms: 60_000,
        });
    }
    kinds.push(FaultKind::ObjectUnreachable {
        class: "Count".into(),
        for_ms: 50,
    });
    kinds.push(FaultKind::ObjectStorageFailing {
        class: "other/Count".into(),
        for_ms: 3_000,
    });
    let faults = (1..).zip(kinds).map(|(n, kind)| Fault {
        at_ms: 300 * n,
        kind,
    });
    let other = Deployment::new(Rc::new(Code {
        fetch: act(),
        object: in_object(),
    }))
    .config(config("other"))
    .host("other.example");
    world(act(), in_object())
        .worker(other)
        .pops(["IAD", "SIN"])
        .seed(seed)
        .faults(faults)
        .trace(true)
}

async fn drive_busy(world: &World) {
    for n in 0..60_u64 {
        let pop = if n % 3 == 0 { "IAD" } else { "SIN" };
        let host = if n % 4 == 0 {
            "https://other.example/"
        } else {
            "https://one.example/"
        };
        let client = world.client(pop);
        let request =
            edgeproof_sim::http::Request::new(Method::GET, Url::parse(host).expect("url"));
        world.spawn(async move {
            client.send(request).await;
        });
        if n % 20 == 10 {
            world.inject(FaultKind::ObjectReset {
                class: "Count".into(),
            });
        }
        if n % 20 == 15 {
            world.inject(FaultKind::IsolateEvicted { pop: "SIN".into() });
        }
        if n % 25 == 24 {
            let new: Rc<dyn Script> = Rc::new(Code {
                fetch: call(),
                object: object(|_| async { text("new") }),
            });
            world
                .deploy(if n % 2 == 0 { "one" } else { "other" }, &new)
                .expect("deploys");
        }
        world.sleep(Duration::from_millis(97)).await;
    }
    world.sleep(Duration::from_secs(200)).await;
}

#[test]
fn faults_panics_and_deployments_repeat_with_their_seed() {
    let run = |seed| {
        let world = busy(seed).build().expect("builds");
        world.run(drive_busy);
        (
            world.fingerprint(),
            world.history().to_json_lines(),
            world.events(),
            world.tasks(),
        )
    };
    for seed in 0..6 {
        let (one, other) = (run(seed), run(seed));
        assert!(one == other, "seed {seed}");
        // Other worlds of this thread, kept alive.
        let kept: Vec<_> = (0..3)
            .map(|n| {
                let w = busy(90 + n).build().expect("builds");
                w.run(async |w| w.sleep(Duration::from_millis(10 * n)).await);
                w
            })
            .collect();
        assert!(run(seed) == one, "seed {seed} beside others");
        drop(kept);
        assert_eq!(one.3, 0, "everything has ended");
        let unfinished = one.1.lines().filter(|line| line.contains("unfinished"));
        assert_eq!(unfinished.count(), 0);
    }
}

#[test]
fn a_cron_run_that_is_not_awaited_ends() {
    struct Cron;
    thread_local! { static ENDED: Cell<bool> = const { Cell::new(false) }; }
    impl Script for Cron {
        fn handle(&self, _: Event) -> Handled {
            Box::pin(async {
                Bindings::current().sleep(Duration::from_secs(5)).await;
                ENDED.set(true);
                Ok(Reply::Done)
            })
        }
        fn class(&self, _: &str) -> Option<Rc<dyn ObjectClass>> {
            None
        }
    }
    let world = World::builder()
        .script(Rc::new(Cron))
        .history(true)
        .build()
        .expect("builds");
    world.run(async |world| {
        {
            let cron = std::pin::pin!(world.scheduled("* * * * *"));
            let _ = futures_util::future::select(cron, world.sleep(Duration::from_secs(1))).await;
        }
        world.sleep(Duration::from_secs(30)).await;
    });
    assert!(ENDED.get());
    assert!(
        world
            .history()
            .records()
            .iter()
            .all(|r| r.outcome != Outcome::Unfinished)
    );
}

#[test]
fn workers_share_a_store_by_id_and_an_object_has_its_owners() {
    let shared = "[[kv_namespaces]]\nbinding = 'KV'\nid = '0123456789abcdef0123456789abcdef'\n";
    let cfg = |name: &str, rest: &str| {
        WorkerConfig::parse(
            &format!("name = '{name}'\ncompatibility_date = '2026-08-20'\n{rest}"),
            "w.toml",
            None,
        )
        .expect("right")
    };
    let foreign = format!(
        "{shared}[[durable_objects.bindings]]\nname = 'COUNT'\nclass_name = 'Count'\nscript_name = 'one'\n[vars]\nWHO = 'other'"
    );
    let own = format!(
        "{shared}[[migrations]]\ntag = 'v1'\nnew_sqlite_classes = ['Count']\n[[durable_objects.bindings]]\nname = 'COUNT'\nclass_name = 'Count'\n[vars]\nWHO = 'one'"
    );
    let in_object = || {
        object(|_| async {
            let bindings = Bindings::current();
            let Some(Binding::Var(who)) = bindings.binding("WHO") else {
                return text("nobody");
            };
            let read = bindings.kv_get(kv(), "k".into(), None).await?;
            text(format!("{who} {}", read.is_some()))
        })
    };
    let other = Deployment::new(Rc::new(Code {
        fetch: call(),
        object: nothing(),
    }))
    .config(cfg("other", &foreign))
    .host("other.example");
    let world = World::builder()
        .script(Rc::new(Code {
            fetch: put(),
            object: in_object(),
        }))
        .config(cfg("one", &own))
        .worker(other)
        .build()
        .expect("builds");
    let answers = world.run(async |world| {
        [
            get(world, "IAD", "https://one.example/").await,
            get(world, "IAD", "https://other.example/").await,
        ]
    });
    assert_eq!(answers, ["Ok(())", "one true"]);
    assert_eq!(world.space().namespaces, ["KV"]);
}

#[test]
fn a_request_without_a_response_is_an_exception_of_the_worker() {
    let text = "TypeError: Incorrect type for Promise: the Promise did not resolve to 'Response'.";
    let done = || fetch(|| async { Ok(Reply::Done) });
    let world = world(done(), nothing()).build().expect("builds");
    let answer = world.run(async |world| get(world, "IAD", "https://one.example/").await);
    assert_eq!(answer, "error code: 1101");
    let said = format!("Uncaught {text}");
    let history = world.history();
    let mut records = history.records().iter();
    assert!(
        records.any(|record| matches!(&record.op, Op::Console { text, .. } if *text == said)),
        "{history:#?}"
    );
}

#[test]
fn a_call_without_a_response_is_an_exception_of_the_object() {
    let in_object = object(|_| async { Ok(Reply::Done) });
    let world = world(call(), in_object).build().expect("builds");
    let answer = world.run(async |world| get(world, "IAD", "https://one.example/").await);
    assert_eq!(answer, "error code: 1101");
    let failed = "Incorrect type for Promise: the Promise did not resolve to 'Response'.";
    let history = world.history();
    let mut records = history.records().iter();
    assert!(
        records.any(
            |record| matches!(&record.outcome, Outcome::Error { message } if message == failed)
        ),
        "{history:#?}"
    );
}
