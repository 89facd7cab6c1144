//! Memory of isolates: when it begins, when it ends, and the records of both.

use super::*;
use edgeproof_sim::host::CriticalSection;

/// What led to the stops of objects, in order.
fn stop_causes(world: &World) -> Vec<Option<Op>> {
    let history = world.history();
    let records = history.records();
    let stops = records
        .iter()
        .filter(|record| matches!(record.op, Op::ObjectStop { .. }));
    let of = |number: u64| records.iter().find(|record| record.number == number);
    stops
        .map(|stop| Some(of(stop.cause?)?.op.clone()))
        .collect()
}

#[test]
fn the_stop_of_an_object_names_the_deployment_or_the_fault() {
    let in_object = || object(|_| async { text("") });
    let world = world(call(), in_object())
        .faults([Fault {
            at_ms: 1_000,
            kind: FaultKind::ObjectReset {
                class: "Count".into(),
            },
        }])
        .build()
        .expect("builds");
    let new: Rc<dyn Script> = Rc::new(Code {
        fetch: call(),
        object: in_object(),
    });
    world.run(async |world| {
        get(world, "IAD", "https://one.example/").await;
        world.sleep(Duration::from_secs(2)).await;
        get(world, "IAD", "https://one.example/").await;
        world.deploy("one", &new).expect("deploys");
    });
    let causes = stop_causes(&world);
    assert!(
        matches!(
            causes[..],
            [
                Some(Op::Fault { .. }),
                Some(Op::Deploy {
                    code_version: 2,
                    ..
                })
            ]
        ),
        "{causes:?}"
    );
}

#[test]
fn the_stop_of_an_object_names_the_call_that_ended_it() {
    let in_object = object(|_| async { panic!("boom") });
    let world = world(call(), in_object).build().expect("builds");
    world.run(async |world| get(world, "IAD", "https://one.example/").await);
    let causes = stop_causes(&world);
    assert!(
        matches!(causes[..], [Some(Op::ObjectCall { .. })]),
        "{causes:?}"
    );
}

/// Starts of the Worker's code, by isolate.
fn starts() -> u32 {
    STARTS.get()
}

thread_local! { static STARTS: Cell<u32> = const { Cell::new(0) }; }

/// Counts its starts, and sets the memory to 100 with each.
struct Starting(Code);

impl Script for Starting {
    fn start(&self) {
        STARTS.set(STARTS.get() + 1);
        MEMORY.with(|memory| memory.0.set(100));
    }
    fn handle(&self, event: Event) -> Handled {
        self.0.handle(event)
    }
    fn class(&self, name: &str) -> Option<Rc<dyn ObjectClass>> {
        self.0.class(name)
    }
}

fn starting(fetch: Act, object: InObject) -> Builder {
    STARTS.set(0);
    DROPS.set(0);
    World::builder()
        .script(Rc::new(Starting(Code { fetch, object })))
        .config(config("one"))
        .history(true)
}

/// Panics with the calls of this number, and else tells the memory after one more event.
fn panics_at(calls: &'static [u32]) -> impl AsyncFn() -> Result<Reply, Exception> + Clone {
    let call = Rc::new(Cell::new(0));
    async move || {
        call.set(call.get() + 1);
        let n = bump();
        assert!(!calls.contains(&call.get()), "boom");
        text(n.to_string())
    }
}

#[test]
fn a_warm_isolate_starts_again_after_a_panic() {
    let code = panics_at(&[3]);
    let act = fetch(move || {
        let code = code.clone();
        async move { code().await }
    });
    let world = starting(act, nothing()).build().expect("builds");
    let answers = world.run(async |world| {
        let mut answers = Vec::new();
        for _ in 0..5 {
            answers.push(get(world, "IAD", "https://one.example/").await);
        }
        answers
    });
    assert_eq!(answers, ["101", "102", "error code: 1101", "101", "102"]);
    assert_eq!((starts(), DROPS.get()), (2, 1));
    // It is the same isolate: only its wasm is new.
    let history = world.history();
    let mut records = history.records().iter();
    assert_eq!(
        records
            .by_ref()
            .filter(|r| r.op == Op::IsolateStart)
            .count(),
        1
    );
}

#[test]
fn a_panic_in_the_background_ends_the_memory_too() {
    let act = fetch(|| async {
        Bindings::current().wait_until(Box::pin(async { panic!("boom") }));
        text(bump().to_string())
    });
    let world = starting(act, nothing()).build().expect("builds");
    let answers = world.run(async |world| {
        let mut answers = Vec::new();
        for _ in 0..2 {
            answers.push(get(world, "IAD", "https://one.example/").await);
            world.sleep(Duration::from_secs(1)).await;
        }
        answers
    });
    assert_eq!(answers, ["101", "101"]);
    assert_eq!(starts(), 2);
}

thread_local! { static ORDER: Cell<(&'static str, bool)> = const { Cell::new(("", false)) }; }

/// Calls an object; one that is to panic does so in the way of `panic`.
async fn ask(world: &World, name: &'static str, panics: bool) -> String {
    ORDER.set((name, panics));
    get(world, "IAD", "https://one.example/").await
}

fn call_ordered() -> Act {
    fetch(|| async {
        let bindings = Bindings::current();
        let Some(&Binding::Objects(class)) = bindings.binding("COUNT") else {
            return text("none");
        };
        let id = bindings.object_id_from_name(class, ORDER.get().0);
        let stub = bindings.object_stub(class, id, None, None);
        let url = Url::parse("https://object/").expect("a URL");
        let request = edgeproof_sim::http::Request::new(Method::GET, url);
        let answer = bindings.object_call(stub, request).await;
        match answer {
            Ok(answer) => text(String::from_utf8_lossy(&answer.body.bytes().await?).into_owned()),
            Err(failure) => text(failure.message),
        }
    })
}

/// What two objects in one host answer before and after one of them panics in the way of `panic`.
fn around_a_panic(panic: impl Fn(ObjectRef) -> Handled + 'static) -> (World, Vec<String>) {
    let panic = Rc::new(panic);
    let in_object = object(move |own| {
        let panic = Rc::clone(&panic);
        async move {
            let n = bump();
            if ORDER.get().1 {
                return panic(own).await;
            }
            text(n.to_string())
        }
    });
    let world = starting(call_ordered(), in_object).build().expect("builds");
    let answers = world.run(async |world| {
        let mut answers = Vec::new();
        for (name, panics) in [
            ("a", false),
            ("b", false),
            ("a", true),
            ("b", false),
            ("a", false),
        ] {
            answers.push(ask(world, name, panics).await);
            world.sleep(Duration::from_millis(100)).await;
        }
        answers
    });
    (world, answers)
}

#[test]
fn a_panic_of_an_object_ends_the_memory_of_its_host() {
    let (world, answers) = around_a_panic(|_| Box::pin(async { panic!("boom") }));
    assert_eq!(answers, ["101", "102", "unreachable", "101", "102"]);
    // One start of the Worker's isolate, and one of each host.
    assert_eq!((starts(), DROPS.get()), (3, 1));
    // The other object lived in the same memory.
    let history = world.history();
    let stops = history
        .records()
        .iter()
        .filter_map(|record| match &record.op {
            Op::ObjectStop { reason, .. } => Some(reason.as_str()),
            _ => None,
        });
    assert_eq!(stops.collect::<Vec<_>>(), ["unreachable", "unreachable"]);
}

#[test]
fn a_panic_in_a_critical_section_ends_the_memory_too() {
    let section = |own| -> Handled {
        Box::pin(async move {
            let kind = CriticalSection::BlockConcurrency;
            let section = Box::pin(async { panic!("boom") });
            Bindings::current()
                .critical_section::<()>(own, kind, section)
                .await?;
            text("unreached")
        })
    };
    let (_world, answers) = around_a_panic(section);
    assert_eq!(answers, ["101", "102", "unreachable", "101", "102"]);
    assert_eq!((starts(), DROPS.get()), (3, 1));
}

#[test]
fn a_panic_in_an_objects_background_ends_the_memory_too() {
    let background = |_| -> Handled {
        Box::pin(async {
            Bindings::current().wait_until(Box::pin(async {
                Bindings::current().sleep(Duration::from_millis(50)).await;
                panic!("boom")
            }));
            text("answered")
        })
    };
    let (_world, answers) = around_a_panic(background);
    assert_eq!(answers, ["101", "102", "answered", "101", "102"]);
    assert_eq!((starts(), DROPS.get()), (3, 1));
}

#[test]
fn a_panic_of_a_constructor_ends_the_memory_too() {
    struct Building(Code);
    impl Script for Building {
        fn start(&self) {
            MEMORY.with(|memory| memory.0.set(100));
        }
        fn handle(&self, event: Event) -> Handled {
            self.0.handle(event)
        }
        fn class(&self, _: &str) -> Option<Rc<dyn ObjectClass>> {
            Some(Rc::new(Building(self.0.clone())))
        }
    }
    impl ObjectClass for Building {
        fn construct(&self, object: ObjectRef) -> Rc<dyn ObjectInstance> {
            bump();
            assert!(!ORDER.get().1, "boom");
            self.0.construct(object)
        }
    }
    let code = Code {
        fetch: call_ordered(),
        object: object(|_| async { text(bump().to_string()) }),
    };
    DROPS.set(0);
    let world = World::builder()
        .script(Rc::new(Building(code)))
        .config(config("one"));
    let world = world.build().expect("builds");
    let answers = world.run(async |world| {
        [
            ask(world, "a", false).await,
            ask(world, "b", true).await,
            ask(world, "a", false).await,
        ]
    });
    assert_eq!(answers, ["102", "unreachable", "102"]);
    assert_eq!(DROPS.get(), 1);
}

#[test]
fn the_memory_of_old_objects_ends_with_the_last_of_their_code() {
    thread_local! { static LATE: Cell<u32> = const { Cell::new(0) }; }
    let in_object = || {
        object(|_| async {
            Bindings::current().wait_until(Box::pin(async {
                Bindings::current().sleep(Duration::from_secs(10)).await;
                LATE.set(LATE.get() + bump());
            }));
            text(bump().to_string())
        })
    };
    DROPS.set(0);
    let world = world(call(), in_object()).build().expect("builds");
    let (answers, meanwhile) = world.run(async |world| {
        let mut answers = Vec::new();
        let mut meanwhile = 0;
        for _ in 0..3 {
            answers.push(get(world, "IAD", "https://one.example/").await);
            let new: Rc<dyn Script> = Rc::new(Code {
                fetch: call(),
                object: in_object(),
            });
            world.deploy("one", &new).expect("deploys");
            world.sleep(Duration::from_secs(5)).await;
            meanwhile += DROPS.get();
            world.sleep(Duration::from_secs(6)).await;
        }
        (answers, meanwhile)
    });
    assert_eq!(answers, ["1", "1", "1"]);
    assert_eq!(LATE.get(), 6, "each task saw the memory of its object");
    assert_eq!(meanwhile, 1 + 2, "no memory ends before its last task");
    assert_eq!(DROPS.get(), 3, "none waits for the end of the world");
}

#[test]
fn the_memory_of_old_objects_ends_with_a_deployment_that_finds_them_idle() {
    let in_object = || object(|_| async { text(bump().to_string()) });
    DROPS.set(0);
    let world = world(call(), in_object()).build().expect("builds");
    world.run(async |world| {
        get(world, "IAD", "https://one.example/").await;
        let new: Rc<dyn Script> = Rc::new(Code {
            fetch: call(),
            object: in_object(),
        });
        world.deploy("one", &new).expect("deploys");
        assert_eq!(DROPS.get(), 0, "it ends with the turn");
        world.sleep(Duration::from_millis(1)).await;
        assert_eq!(DROPS.get(), 1);
    });
}
