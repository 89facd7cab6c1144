//! Bodies that are still being made: when their pieces arrive, who waits for whom, and how they end.

mod chaos;
mod edges;

use bytes::Bytes;
use edgeproof_sim::exception::Exception;
use edgeproof_sim::fault::FaultKind;
use edgeproof_sim::history::{History, Op};
use edgeproof_sim::host::{Binding, CriticalSection};
use edgeproof_sim::http::{Body, Request, Response};
use edgeproof_sim::platform::durable::ObjectRef;
use edgeproof_sim::platform::outbound::Origin;
use edgeproof_sim::script::{Event, Handled, ObjectClass, ObjectInstance, Reply, Script};
use edgeproof_sim::world::options::Options;
use edgeproof_sim::wrangler::WorkerConfig;
use edgeproof_sim::{Bindings, Builder, World};
use futures_util::{Stream, StreamExt, stream};
use http::{HeaderMap, Method};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;
use url::Url;

type Asked = Box<Request<Body>>;

/// A Worker whose handler, and whose objects' handler, are closures.
#[derive(Clone)]
struct Code {
    fetch: Rc<dyn Fn(Asked) -> Handled>,
    object: Rc<dyn Fn(ObjectRef, Asked) -> Handled>,
}

impl Script for Code {
    fn handle(&self, event: Event) -> Handled {
        match event {
            Event::Fetch(request) => (self.fetch)(request),
            _ => Box::pin(async { Ok(Reply::Done) }),
        }
    }

    fn class(&self, name: &str) -> Option<Rc<dyn ObjectClass>> {
        (name == "Count").then(|| Rc::new(self.clone()) as Rc<dyn ObjectClass>)
    }
}

impl ObjectClass for Code {
    fn construct(&self, object: ObjectRef) -> Rc<dyn ObjectInstance> {
        Rc::new(Instance(self.clone(), object))
    }
}

struct Instance(Code, ObjectRef);

impl ObjectInstance for Instance {
    fn handle(self: Rc<Self>, event: Event) -> Handled {
        match event {
            Event::Fetch(request) => (self.0.object)(self.1, request),
            _ => Box::pin(async { Ok(Reply::Done) }),
        }
    }
}

const CONFIG: &str = "name = 'one'\ncompatibility_date = '2026-08-20'\n\
    [[migrations]]\ntag = 'v1'\nnew_sqlite_classes = ['Count']\n\
    [[durable_objects.bindings]]\nname = 'COUNT'\nclass_name = 'Count'";

/// A world with a Worker that does this.
fn worker<F>(fetch: impl Fn(Asked) -> F + 'static) -> Builder
where
    F: Future<Output = Result<Reply, Exception>> + 'static,
{
    with_object(fetch, |_, _| async { text("") })
}

fn with_object<F, O>(
    fetch: impl Fn(Asked) -> F + 'static,
    handler: impl Fn(ObjectRef, Asked) -> O + 'static,
) -> Builder
where
    F: Future<Output = Result<Reply, Exception>> + 'static,
    O: Future<Output = Result<Reply, Exception>> + 'static,
{
    let code = Code {
        fetch: Rc::new(move |request| Box::pin(fetch(request))),
        object: Rc::new(move |object, request| Box::pin(handler(object, request))),
    };
    let config = WorkerConfig::parse(CONFIG, "wrangler.toml", None).expect("it is right");
    World::builder()
        .script(Rc::new(code))
        .config(config)
        .history(true)
}

fn text(text: impl Into<Bytes>) -> Result<Reply, Exception> {
    Ok(Response::plain(200, text.into()).into())
}

fn streamed(pieces: impl Stream<Item = Result<Bytes, Exception>> + 'static) -> Response<Body> {
    Response::new(200, HeaderMap::new(), Body::stream(pieces))
}

fn request(body: impl Into<Body>) -> Request<Body> {
    let url = Url::parse("https://a.example/").expect("a URL");
    Request::new(Method::POST, url).map_body(|()| body.into())
}

const TICK: Duration = Duration::from_millis(10);

/// Pieces that take 10 ms each to make.
fn slowly(pieces: &'static [&'static str]) -> impl Stream<Item = Result<Bytes, Exception>> {
    stream::iter(pieces).then(|piece| async move {
        Bindings::current().sleep(TICK).await;
        Ok(Bytes::from(*piece))
    })
}

/// The answer of the one object.
async fn object(request: Request<Body>) -> Result<Response<Body>, Exception> {
    let bindings = Bindings::current();
    let Some(&Binding::Objects(class)) = bindings.binding("COUNT") else {
        panic!("no class")
    };
    let id = bindings.object_id_from_name(class, "one");
    let stub = bindings.object_stub(class, id, None, None);
    bindings.object_call(stub, request).await
}

fn console(history: &History) -> Vec<String> {
    let lines = history
        .records()
        .iter()
        .filter_map(|record| match &record.op {
            Op::Console { text, .. } => Some(text.clone()),
            _ => None,
        });
    lines.collect()
}

/// Whether a stream is there: it was made and is not dropped.
#[derive(Clone, Default)]
struct Held(Rc<Cell<bool>>);

/// What the stream holds.
struct Holding(Rc<Cell<bool>>);

impl Held {
    fn by(&self, pieces: impl Stream<Item = Result<Bytes, Exception>> + 'static) -> Response<Body> {
        self.0.set(true);
        let holding = Holding(Rc::clone(&self.0));
        streamed(pieces.inspect(move |_| {
            let _ = &holding;
        }))
    }

    fn is_held(&self) -> bool {
        self.0.get()
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

#[test]
fn pieces_arrive_as_the_worker_makes_them() {
    let world = worker(|_| async { Ok(streamed(slowly(&["a", "b", "c"])).into()) });
    let world = world.build().expect("builds");
    world.run(async |world| {
        let mut answer = world.client("IAD").open(request("")).await;
        let head = world.elapsed();
        let mut seen = Vec::new();
        while let Some(piece) = answer.body.next().await {
            seen.push((piece.expect("no error"), world.elapsed() - head));
        }
        let expected = [("a", TICK), ("b", 2 * TICK), ("c", 3 * TICK)];
        assert_eq!(seen, expected.map(|(piece, at)| (piece.into(), at)));
        let whole = world.client("IAD").post("/").send().await;
        assert_eq!((whole.body, whole.broken), ("abc".into(), false));
    });
}

#[test]
fn an_invocation_ends_with_its_body() {
    let ticks = Rc::new(Cell::new(0));
    let counted = Rc::clone(&ticks);
    let world = worker(move |_| {
        let ticks = Rc::clone(&counted);
        async move {
            Bindings::current().wait_until(Box::pin(async move {
                loop {
                    Bindings::current().sleep(Duration::from_secs(1)).await;
                    ticks.set(ticks.get() + 1);
                }
            }));
            let late = stream::once(async {
                Bindings::current().sleep(Duration::from_secs(100)).await;
                Ok("late".into())
            });
            Ok(streamed(late).into())
        }
    });
    world.build().expect("builds").run(async |world| {
        let answer = world.client("IAD").post("/").send().await;
        assert_eq!(answer.body, "late");
        world.sleep(Duration::from_secs(200)).await;
    });
    // 100 s of the body, and 30 s after it.
    assert!((129..=130).contains(&ticks.get()), "{} s", ticks.get());
}

#[test]
fn a_client_that_leaves_ends_the_stream() {
    let held = Held::default();
    let made = Rc::new(Cell::new(0));
    let (holds, counted) = (held.clone(), Rc::clone(&made));
    let world = worker(move |_| {
        let made = Rc::clone(&counted);
        let ticks = stream::unfold((), move |()| {
            let made = Rc::clone(&made);
            async move {
                Bindings::current().sleep(TICK).await;
                made.set(made.get() + 1);
                Some((Ok("tick".into()), ()))
            }
        });
        let answer = holds.by(ticks);
        async move { Ok(answer.into()) }
    });
    world.build().expect("builds").run(async |world| {
        let mut answer = world.client("IAD").open(request("")).await;
        assert_eq!(answer.body.next().await, Some(Ok("tick".into())));
        assert!(held.is_held());
        drop(answer);
        world.sleep(Duration::from_millis(1)).await;
        assert!(!held.is_held());
        let then = made.get();
        world.sleep(Duration::from_secs(1)).await;
        assert_eq!(made.get(), then);
    });
}

#[test]
fn a_worker_makes_no_more_than_its_reader_takes() {
    let made = Rc::new(Cell::new(0_u64));
    let counted = Rc::clone(&made);
    let world = worker(move |_| {
        let made = Rc::clone(&counted);
        let pieces = stream::repeat_with(move || {
            made.set(made.get() + 1000);
            Ok(Bytes::from_static(&[b'a'; 1000]))
        });
        async move { Ok(streamed(pieces).into()) }
    });
    world.build().expect("builds").run(async |world| {
        let mut answer = world.client("IAD").open(request("")).await;
        world.sleep(Duration::from_secs(60)).await;
        // RFC 9113: the initial window of a stream.
        assert_eq!(made.get(), 66_000);
        let before = world.elapsed();
        let mut read = 0;
        while read < 1_000_000 {
            let piece = answer.body.next().await.expect("no end");
            read += piece.expect("no error").len();
        }
        // One window a trip of 5 ms, and no faster.
        assert!(world.elapsed() - before >= Duration::from_millis(5 * 1_000 / 66));
        assert!(made.get() < 1_070_000, "{} bytes", made.get());
    });
}

#[test]
fn a_stream_that_fails_breaks_the_answer() {
    let fails = || {
        stream::iter([
            Ok("beginning".into()),
            Err(Exception::error("disk on fire")),
        ])
    };
    let world = worker(move |_| async move { Ok(streamed(fails()).into()) });
    let world = world.build().expect("builds");
    let answer = world.run(async |world| world.client("IAD").post("/").send().await);
    assert_eq!(
        (answer.status, answer.body, answer.broken),
        (200, "beginning".into(), true)
    );
    // The client does not learn why; the log does.
    assert_eq!(console(&world.history()), ["Uncaught Error: disk on fire"]);
}

#[test]
fn a_stream_that_panics_breaks_the_answer_and_no_other() {
    let world = worker(|request: Asked| async move {
        let pieces = stream::once(async move {
            let body = request.body.bytes().await?;
            assert!(!body.is_empty(), "an empty body");
            Ok(body)
        });
        Ok(streamed(pieces).into())
    });
    let world = world.build().expect("builds");
    world.run(async |world| {
        let client = world.client("IAD");
        assert!(client.post("/").send().await.broken);
        let answer = client.post("/").body("text").send().await;
        assert_eq!((answer.body, answer.broken), ("text".into(), false));
    });
    let lines = console(&world.history());
    assert!(lines[0].contains("panic: an empty body"), "{lines:?}");
}

#[test]
fn a_worker_reads_a_request_while_it_is_sent() {
    let seen = Rc::new(RefCell::new(Vec::new()));
    let notes = Rc::clone(&seen);
    let world = worker(move |mut request: Asked| {
        let seen = Rc::clone(&notes);
        async move {
            while let Some(piece) = request.body.next().await {
                seen.borrow_mut().push((piece?, Bindings::current().now()));
            }
            text("read")
        }
    });
    world.build().expect("builds").run(async |world| {
        let body = Body::stream(slowly(&["a", "b"]));
        let start = world.now();
        let answer = world.client("IAD").open(request(body)).await;
        assert_eq!(answer.body.whole(), Some(&"read".into()));
        let way = Duration::from_millis(5);
        let expected = [("a", TICK + way), ("b", 2 * TICK + way)];
        let seen: Vec<_> = seen
            .borrow()
            .iter()
            .map(|(piece, at)| (piece.clone(), *at - start))
            .collect();
        assert_eq!(seen, expected.map(|(piece, at)| (piece.into(), at)));
    });
}

#[test]
fn bodies_stream_through_a_worker_to_an_object_and_back() {
    let world = with_object(
        |request| async move { Ok(object(*request).await?.into()) },
        |_, request: Asked| async move {
            let louder = request
                .body
                .map(|piece| piece.map(|piece| piece.to_ascii_uppercase().into()));
            Ok(streamed(louder).into())
        },
    );
    world.build().expect("builds").run(async |world| {
        let body = Body::stream(slowly(&["a", "b", "c"]));
        let mut answer = world.client("IAD").open(request(body)).await;
        let mut seen = Vec::new();
        while let Some(piece) = answer.body.next().await {
            seen.push((piece.expect("no error"), world.elapsed()));
        }
        let pieces: Vec<_> = seen.iter().map(|(piece, _)| piece.clone()).collect();
        assert_eq!(pieces, ["A", "B", "C"]);
        // Up to the jitter of the network.
        let apart = TICK * 9 / 10;
        assert!(seen[1].1 - seen[0].1 > apart && seen[2].1 - seen[1].1 > apart);
    });
}

#[test]
fn an_object_stays_while_it_answers() {
    let instances = Rc::new(Cell::new(0));
    let seen = Rc::clone(&instances);
    let world = with_object(
        |request| async move { Ok(object(*request).await?.into()) },
        move |object, _| {
            seen.set(object.generation);
            let late = stream::once(async {
                Bindings::current().sleep(Duration::from_secs(60)).await;
                Ok("late".into())
            });
            async move { Ok(streamed(late).into()) }
        },
    );
    let world = world.build().expect("builds");
    world.run(async |world| {
        let client = world.client("IAD");
        let answer = client.open(request("")).await;
        let first = instances.get();
        // An idle object is evicted after 10 s.
        world.sleep(Duration::from_secs(30)).await;
        drop(client.open(request("")).await);
        assert_eq!(instances.get(), first);
        assert_eq!(answer.body.bytes().await, Ok("late".into()));
        world.sleep(Duration::from_secs(30)).await;
        drop(client.open(request("")).await);
        assert_ne!(instances.get(), first);
    });
}

#[test]
fn a_reset_breaks_the_answers_of_an_object() {
    let world = with_object(
        |request| async move { Ok(object(*request).await?.into()) },
        |_, _| async { Ok(streamed(slowly(&["a", "b", "c", "d"])).into()) },
    );
    world.build().expect("builds").run(async |world| {
        let mut answer = world.client("IAD").open(request("")).await;
        assert_eq!(answer.body.next().await, Some(Ok("a".into())));
        world.inject(FaultKind::ObjectReset {
            class: "Count".to_owned(),
        });
        let rest = answer.body.collect::<Vec<_>>().await;
        let (last, before) = rest.split_last().expect("an end that is told");
        assert!(last.is_err() && before.len() < 3, "{rest:?}");
    });
}

#[test]
fn a_piece_leaves_an_object_when_its_writes_are_durable() {
    let world = with_object(
        |request| async move { Ok(object(*request).await?.into()) },
        |object, _| async move {
            let pieces = stream::iter(["one", "two"]).then(move |piece| async move {
                Bindings::current().sleep(TICK).await;
                if piece == "two" {
                    Bindings::current().storage_put(object, "k", piece.into())?;
                }
                Ok(piece.into())
            });
            Ok(streamed(pieces).into())
        },
    );
    let commit = Duration::from_millis(7);
    let world = world.options(Options {
        object_commit: commit,
        network_jitter: 0.0,
        ..Options::default()
    });
    world.build().expect("builds").run(async |world| {
        let mut answer = world.client("IAD").open(request("")).await;
        let mut arrivals = Vec::new();
        while let Some(piece) = answer.body.next().await {
            piece.expect("no error");
            arrivals.push(world.elapsed());
        }
        assert_eq!(arrivals[1] - arrivals[0], TICK + commit);
    });
}

#[test]
fn a_critical_section_holds_back_the_pieces_for_its_object() {
    let seen = Rc::new(RefCell::new(Vec::new()));
    let notes = Rc::clone(&seen);
    let section = Duration::from_millis(500);
    let world = with_object(
        |request| async move { Ok(object(*request).await?.into()) },
        move |object, mut request: Asked| {
            let seen = Rc::clone(&notes);
            async move {
                let bindings = Bindings::current();
                while let Some(piece) = request.body.next().await {
                    seen.borrow_mut().push((piece?, bindings.now()));
                }
                if request.url.path() == "/lock" {
                    let sleeps = Box::pin(async move {
                        Bindings::current().sleep(section).await;
                        Ok(())
                    });
                    let kind = CriticalSection::BlockConcurrency;
                    bindings.critical_section(object, kind, sleeps).await?;
                }
                text("")
            }
        },
    );
    world.build().expect("builds").run(async |world| {
        let body = Body::stream(slowly(&["a", "b", "c", "d"]));
        let reading = world.client("IAD").open(request(body));
        let locking = world.client("IAD").post("/lock").send();
        futures_util::future::join(reading, locking).await;
        let seen = seen.borrow();
        let between: Vec<_> = seen.windows(2).map(|two| two[1].1 - two[0].1).collect();
        let held = between.iter().filter(|between| **between > section / 2);
        assert!(seen.len() == 4 && held.count() <= 1, "{seen:?}");
        assert!(seen[3].1 - world.start() > section, "{seen:?}");
    });
}

#[test]
fn both_copies_of_a_doubled_message_have_the_whole_body() {
    let bodies = Rc::new(RefCell::new(Vec::new()));
    let seen = Rc::clone(&bodies);
    let world = with_object(
        |request| async move { Ok(object(*request).await?.into()) },
        move |_, request: Asked| {
            let seen = Rc::clone(&seen);
            async move {
                let body = request.body.bytes().await?;
                seen.borrow_mut().push(body);
                text("")
            }
        },
    );
    world.build().expect("builds").run(async |world| {
        let client = world.client("IAD");
        client.post("/").send().await;
        bodies.borrow_mut().clear();
        world.inject(FaultKind::MessageDuplicated {
            from: "IAD".to_owned(),
            to: "IAD".to_owned(),
            skip: 0,
            count: 1,
            for_ms: 1000,
        });
        client
            .open(request(Body::stream(slowly(&["a", "b"]))))
            .await;
        world.sleep(Duration::from_secs(1)).await;
        assert_eq!(*bodies.borrow(), ["ab", "ab"]);
    });
}

#[test]
fn an_origin_answers_piece_by_piece_through_a_worker() {
    let world = worker(|_| async {
        let url = Url::parse("https://origin.example/").expect("a URL");
        let answer = Bindings::current()
            .fetch(Request::new(Method::GET, url))
            .await?;
        Ok(answer.into())
    });
    let origin = Origin::new().respond(|_| streamed(slowly(&["a", "b"])));
    let world = world
        .origin("origin.example", origin)
        .build()
        .expect("builds");
    world.run(async |world| {
        let mut answer = world.client("IAD").open(request("")).await;
        let mut arrivals = Vec::new();
        while let Some(piece) = answer.body.next().await {
            arrivals.push((piece.expect("no error"), world.elapsed()));
        }
        assert_eq!(arrivals.len(), 2);
        assert_eq!(arrivals[1].1 - arrivals[0].1, TICK);
    });
}

#[test]
fn one_byte_of_a_stream_changes_the_fingerprint() {
    let after = |piece: &'static str| {
        let world = worker(move |_| async move {
            Ok(streamed(stream::iter([Ok("a".into()), Ok(piece.into())])).into())
        });
        let world = world.build().expect("builds");
        world.run(async |world| world.client("IAD").post("/").send().await);
        world.fingerprint()
    };
    assert_eq!(after("b"), after("b"));
    assert_ne!(after("b"), after("c"));
}
