//! Several Workers in one world: addresses, classes of another Worker, and code that is updated under way.

use bytes::Bytes;
use edgeproof_sim::exception::Exception;
use edgeproof_sim::fault::{Fault, FaultKind};
use edgeproof_sim::history::{Op, Outcome};
use edgeproof_sim::host::Binding;
use edgeproof_sim::http::{Body, Request, Response};
use edgeproof_sim::platform::durable::ObjectRef;
use edgeproof_sim::script::{Event, Handled, ObjectClass, ObjectInstance, Reply, Script};
use edgeproof_sim::world::builder::BuildError;
use edgeproof_sim::wrangler::WorkerConfig;
use edgeproof_sim::{Bindings, Builder, Deployment, World};
use http::Method;
use std::rc::Rc;
use std::time::Duration;
use url::Url;

/// A Worker that counts in an object and answers its own version and the count.
#[derive(Clone, Copy)]
struct Counter(&'static str);

impl Script for Counter {
    fn handle(&self, event: Event) -> Handled {
        let version = self.0;
        Box::pin(async move {
            match event {
                Event::Fetch(request) => {
                    let count = count(*request).await?;
                    let text = format!("{version} {}", String::from_utf8_lossy(&count));
                    Ok(Response::plain(200, text).into())
                }
                _ => Err(Exception::type_error("no handler")),
            }
        })
    }

    fn class(&self, name: &str) -> Option<Rc<dyn ObjectClass>> {
        (name == "Count").then(|| Rc::new(*self) as Rc<dyn ObjectClass>)
    }
}

async fn count(request: Request<Body>) -> Result<Bytes, Exception> {
    let bindings = Bindings::current();
    let Some(Binding::Objects(class)) = bindings.binding("COUNT") else {
        return Err(Exception::error("COUNT is not bound"));
    };
    let id = bindings.object_id_from_name(*class, "one");
    let stub = bindings.object_stub(*class, id, None, None);
    let answer = bindings.object_call(stub, request).await?;
    answer.body.bytes().await
}

impl ObjectClass for Counter {
    fn construct(&self, object: ObjectRef) -> Rc<dyn ObjectInstance> {
        Rc::new(Instance(self.0, object))
    }
}

struct Instance(&'static str, ObjectRef);

impl ObjectInstance for Instance {
    fn handle(self: Rc<Self>, event: Event) -> Handled {
        Box::pin(async move {
            let Event::Fetch(_) = event else {
                return Ok(Reply::Done);
            };
            let bindings = Bindings::current();
            let stored = bindings.storage_get(self.1, "n")?;
            let n = stored.map_or(0, |stored| stored[0]) + 1;
            bindings.storage_put(self.1, "n", Bytes::from(vec![n]))?;
            // In flight for a while, so that something can happen meanwhile.
            bindings.sleep(Duration::from_millis(50)).await;
            let text = format!("{}:{n}", self.0);
            Ok(Response::plain(200, text).into())
        })
    }
}

fn config(name: &str, rest: &str) -> WorkerConfig {
    let text = format!("name = '{name}'\ncompatibility_date = '2026-08-20'\n{rest}");
    WorkerConfig::parse(&text, "wrangler.toml", None).expect("it is right")
}

const OWN: &str = "[[migrations]]\ntag = 'v1'\nnew_sqlite_classes = ['Count']\n\
                   [[durable_objects.bindings]]\nname = 'COUNT'\nclass_name = 'Count'";
const FOREIGN: &str =
    "[[durable_objects.bindings]]\nname = 'COUNT'\nclass_name = 'Count'\nscript_name = 'one'";

/// The Worker `one`, which answers everywhere.
fn one() -> Builder {
    World::builder()
        .script(Rc::new(Counter("one")))
        .config(config("one", OWN))
        .history(true)
}

fn other(rest: &str) -> Deployment {
    Deployment::new(Rc::new(Counter("other")))
        .config(config("other", rest))
        .host("other.example")
}

async fn get(world: &World, url: &str) -> String {
    let url = Url::parse(url).expect("a URL");
    let answer = world
        .client("IAD")
        .send(Request::new(Method::GET, url))
        .await;
    String::from_utf8_lossy(&answer.body).into_owned()
}

#[test]
fn a_request_goes_to_the_worker_of_its_host() {
    let world = one().worker(other(OWN)).build().expect("builds");
    let answers = world.run(async |world| {
        [
            get(world, "https://anything.example/").await,
            get(world, "https://other.example/").await,
            get(world, "https://other.example/").await,
        ]
    });
    // Each has objects of its own, though class and name are the same.
    assert_eq!(answers, ["one one:1", "other other:1", "other other:2"]);
}

#[test]
fn an_id_of_another_workers_class_is_refused() {
    let world = one().worker(other(OWN)).build().expect("builds");
    world.run(async |world| {
        let bindings = world.bindings();
        let id = bindings.object_id_from_name(0, "one").to_hex();
        assert!(bindings.object_id_from_string(0, &id).is_ok());
        assert!(bindings.object_id_from_string(1, &id).is_err());
    });
}

#[test]
fn a_class_of_another_worker_runs_that_workers_code() {
    let world = one().worker(other(FOREIGN)).build().expect("builds");
    let answers = world.run(async |world| {
        [
            get(world, "https://anything.example/").await,
            get(world, "https://other.example/").await,
        ]
    });
    assert_eq!(answers, ["one one:1", "other one:2"]);
}

#[test]
fn a_class_of_a_worker_that_is_not_there_is_refused() {
    let alone = World::builder()
        .script(Rc::new(Counter("other")))
        .config(config("other", FOREIGN));
    let refused = alone.build().expect_err("the Worker one is not there");
    assert!(
        matches!(&refused, BuildError::NoWorker { worker, .. } if worker == "one"),
        "{refused}"
    );
    let twice = one().worker(Deployment::new(Rc::new(Counter("x"))).config(config("one", "")));
    let refused = twice.build().expect_err("two are called one");
    assert!(matches!(refused, BuildError::TwoOfAName(_)), "{refused}");
}

#[test]
fn new_code_takes_over_and_resets_its_objects() {
    let world = one().worker(other(OWN)).build().expect("builds");
    let (before, cut_off, after, untouched) = world.run(async |world| {
        let before = get(world, "https://one.example/").await;
        assert_eq!(get(world, "https://other.example/").await, "other other:1");
        let in_flight = get(world, "https://one.example/");
        let update = async {
            world.sleep(Duration::from_millis(40)).await;
            let new: Rc<dyn Script> = Rc::new(Counter("new"));
            assert_eq!(world.deploy("one", &new), Ok(2));
        };
        let (cut_off, ()) = futures_util::future::join(in_flight, update).await;
        let after = get(world, "https://one.example/").await;
        (
            before,
            cut_off,
            after,
            get(world, "https://other.example/").await,
        )
    });
    assert_eq!(before, "one one:1");
    // Its object was reset while it worked, and it does not catch that.
    assert_eq!(cut_off, "error code: 1101");
    // Storage survives; a write that was durable before the reset stays.
    assert_eq!(after, "new new:3");
    assert_eq!(untouched, "other other:2");
    let history = world.history();
    let stopped =
        |record: &&edgeproof_sim::history::Record| matches!(record.op, Op::ObjectStop { .. });
    let stops = history.records().iter().filter(stopped).count();
    assert_eq!(stops, 1, "the other Worker's object is not reset");
    let deployed = |record: &&edgeproof_sim::history::Record| matches!(&record.op, Op::Deploy { worker, code_version: 2 } if worker == "one");
    assert_eq!(history.records().iter().filter(deployed).count(), 1);
}

#[test]
fn a_deployment_without_a_class_that_is_bound_is_refused() {
    struct Bare;
    impl Script for Bare {
        fn handle(&self, _: Event) -> Handled {
            Box::pin(async { Ok(Reply::Done) })
        }
        fn class(&self, _: &str) -> Option<Rc<dyn ObjectClass>> {
            None
        }
    }
    let world = one().build().expect("builds");
    let bare: Rc<dyn Script> = Rc::new(Bare);
    let refused = world.deploy("one", &bare).expect_err("Count is bound");
    assert!(refused.to_string().contains("Count"), "{refused}");
    let refused = world.deploy("two", &bare).expect_err("there is no two");
    assert!(
        refused.to_string().contains("this world has one"),
        "{refused}"
    );
}

// --- messages that are lost or doubled ------------------------------------------------------------------------------

/// What two requests are answered, when something happens to the first message between FRA, where the client is, and IAD,
/// where the object is.
fn with_fault(kind: FaultKind) -> [String; 2] {
    let world = one()
        .pops(["IAD", "FRA"])
        .faults([Fault { at_ms: 1_000, kind }])
        .build()
        .expect("builds");
    world.run(async |world| {
        assert_eq!(get(world, "https://one.example/").await, "one one:1");
        world.sleep(Duration::from_secs(2)).await;
        let mut answers = Vec::new();
        for _ in 0..2 {
            let answer = world.client("FRA").get("/").send().await;
            answers.push(String::from_utf8_lossy(&answer.body).into_owned());
            world.sleep(Duration::from_secs(1)).await;
        }
        answers.try_into().expect("two answers")
    })
}

fn dropped(from: &str, to: &str) -> FaultKind {
    FaultKind::MessageDropped {
        from: from.into(),
        to: to.into(),
        skip: 0,
        count: 1,
        for_ms: 60_000,
    }
}

#[test]
fn a_lost_request_has_no_effect_and_a_lost_answer_has() {
    let failed = "error code: 1101";
    assert_eq!(with_fault(dropped("FRA", "IAD")), [failed, "one one:2"]);
    assert_eq!(with_fault(dropped("IAD", "FRA")), [failed, "one one:3"]);
}

#[test]
fn a_doubled_request_is_done_twice() {
    let doubled = FaultKind::MessageDuplicated {
        from: "FRA".into(),
        to: "IAD".into(),
        skip: 1,
        count: 1,
        for_ms: 60_000,
    };
    // The second message is the doubled one; its copy may arrive first, and then the first answer counts it already.
    let [first, second] = with_fault(doubled);
    assert_eq!(first, "one one:2");
    assert!(["one one:3", "one one:4"].contains(&&*second), "{second}");
}

#[test]
fn a_doubled_request_is_billed_twice() {
    let calls = |count| {
        let world = one()
            .pops(["IAD", "FRA"])
            .faults([Fault {
                at_ms: 0,
                kind: FaultKind::MessageDuplicated {
                    from: "IAD".into(),
                    to: "IAD".into(),
                    skip: 0,
                    count,
                    for_ms: 60_000,
                },
            }])
            .build()
            .expect("builds");
        world.run(async |world| {
            world.sleep(Duration::from_secs(1)).await;
            get(world, "https://one.example/").await;
            world.sleep(Duration::from_secs(1)).await;
        });
        let starts = world.history();
        let starts = starts.records().iter();
        let starts = starts.filter(|record| {
            matches!(record.op, Op::ObjectStart { .. }) && record.outcome == Outcome::Done
        });
        assert_eq!(starts.count(), 1, "one instance serves both");
        world
            .usage()
            .total(edgeproof_sim::bill::usage::Meter::ObjectRequests)
    };
    assert_eq!([calls(0), calls(1)], [1, 2]);
}
