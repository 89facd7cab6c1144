//! Workers, objects and clients that do with streams what comes to the seed's mind, under faults.

use super::*;
use edgeproof_sim::kernel::fingerprint::Fingerprint;
use edgeproof_sim::kernel::seed::Stream as Dice;
use futures_util::future::{Either, join_all, select};
use std::pin::pin;

async fn named(name: &str, request: Request<Body>) -> Result<Response<Body>, Exception> {
    let bindings = Bindings::current();
    let Some(&Binding::Objects(class)) = bindings.binding("COUNT") else {
        panic!("no class")
    };
    let id = bindings.object_id_from_name(class, name);
    let stub = bindings.object_stub(class, id, None, None);
    bindings.object_call(stub, request).await
}

fn to(path: String, body: impl Into<Body>) -> Request<Body> {
    let mut request = request(body);
    request.url.set_path(&path);
    request
}

/// Digits of a path: what each that it comes to does.
fn digits(asked: &Request<Body>) -> (u64, u64, u64) {
    let path = asked.url.path().trim_matches('/').to_owned();
    let number: u64 = path.parse().expect("a number");
    (number % 16, number / 16 % 16, number / 256)
}

fn made(seed: u64, breaks: u64) -> impl Stream<Item = Result<Bytes, Exception>> + 'static {
    let dice = Dice::new(seed, "made");
    stream::unfold((dice, 0), move |(mut dice, step)| async move {
        if step == 5 {
            return None;
        }
        if dice.chance(0.7) {
            Bindings::current()
                .sleep(Duration::from_millis(dice.below(30)))
                .await;
        }
        let piece: Bytes = match dice.below(5) {
            0 => Bytes::new(),
            1 => vec![7; 100_000].into(),
            2 => vec![7; 40_000].into(),
            _ => "small".into(),
        };
        if step == 2 && breaks == 1 {
            return Some((Err(Exception::error("it fails")), (dice, 9)));
        }
        assert!(step != 2 || breaks != 2, "it panics");
        Some((Ok(piece), (dice, step + 1)))
    })
}

fn writing(
    object: ObjectRef,
    pieces: impl Stream<Item = Result<Bytes, Exception>> + 'static,
) -> impl Stream<Item = Result<Bytes, Exception>> + 'static {
    pieces.map(move |piece| {
        Bindings::current().storage_put(object, "k", "v".into())?;
        piece
    })
}

async fn worker_does(mut asked: Asked) -> Result<Reply, Exception> {
    let (what, then, seed) = digits(&asked);
    let next = format!("/{}", then + 16 * (seed % 16) + 256 * seed);
    let name = if seed % 2 == 0 { "one" } else { "two" };
    let body = std::mem::take(&mut asked.body);
    Ok(match what {
        0 => Response::new(200, HeaderMap::new(), body).into(),
        1 | 2 | 12 | 13 | 14 => named(name, to(next, body)).await?.into(),
        3 => {
            let mut body = body;
            let other = body.tee();
            Bindings::current().wait_until(Box::pin(async move {
                let _ = other.bytes().await;
            }));
            named(name, to(next, body)).await?.into()
        }
        4 => {
            drop(named(name, to(next, body)).await?);
            text("dropped")?
        }
        5 => {
            let mut body = body;
            let _ = body.next().await;
            drop(body);
            streamed(made(seed, 0)).into()
        }
        6 => streamed(made(seed, 1)).into(),
        7 => streamed(made(seed, 2)).into(),
        8 => {
            let url = Url::parse("https://origin.example/").expect("a URL");
            let message = Request::new(Method::POST, url).map_body(|()| body);
            Bindings::current().fetch(message).await?.into()
        }
        9 => {
            Bindings::current().wait_until(Box::pin(async move {
                let _ = body.bytes().await;
                Bindings::current().sleep(Duration::from_secs(3)).await;
            }));
            streamed(made(seed, 0)).into()
        }
        10 => {
            let mut body = body;
            let other = body.tee();
            let (one, two) = futures_util::future::join(
                named("one", to(next.clone(), body)),
                named("two", to(next, other)),
            )
            .await;
            let (one, two) = (one?, two?);
            streamed(stream::select(one.body, two.body)).into()
        }
        11 => {
            let mut answer = named(name, to(next, body)).await?;
            let kept = answer.body.tee();
            let _ = answer.body.next().await;
            drop(answer);
            streamed(kept).into()
        }
        _ => text("whole")?,
    })
}

async fn object_does(object: ObjectRef, mut asked: Asked) -> Result<Reply, Exception> {
    let (what, then, seed) = digits(&asked);
    let body = std::mem::take(&mut asked.body);
    let next = format!("/{}", then % 5 + 256 * seed);
    Ok(match what {
        0 => streamed(body).into(),
        1 => streamed(writing(object, body)).into(),
        2 => streamed(writing(object, made(seed, 0))).into(),
        3 => text(body.bytes().await?)?,
        4 => text("dropped")?,
        5 => streamed(writing(object, made(seed, 1))).into(),
        6 => streamed(made(seed, 2)).into(),
        7 => {
            Bindings::current().storage_put(object, "k", "v".into())?;
            named("three", to(next, body)).await?.into()
        }
        8 => {
            let mut body = body;
            let other = body.tee();
            let section = Box::pin(async move {
                let _ = other.bytes().await?;
                Bindings::current().sleep(TICK).await;
                Ok(())
            });
            let kind = CriticalSection::BlockConcurrency;
            Bindings::current()
                .critical_section(object, kind, section)
                .await?;
            streamed(body).into()
        }
        9 => {
            let answer = named("three", to(next, body)).await?;
            streamed(writing(object, answer.body.chain(made(seed, 0)))).into()
        }
        10 => {
            Bindings::current().wait_until(Box::pin(async move {
                let _ = body.bytes().await;
            }));
            text("later")?
        }
        11 => {
            let url = Url::parse("https://origin.example/").expect("a URL");
            let message = Request::new(Method::POST, url).map_body(|()| body);
            Bindings::current().fetch(message).await?.into()
        }
        12 => {
            let kind = CriticalSection::Transaction;
            let section = Box::pin(async move {
                Bindings::current().storage_put(object, "k", "v".into())?;
                named("three", to(next, body)).await
            });
            Bindings::current()
                .critical_section(object, kind, section)
                .await?
                .into()
        }
        _ => text("whole")?,
    })
}

fn fault(dice: &mut Dice) -> FaultKind {
    let pop =
        |dice: &mut Dice| ["IAD", "FRA"][usize::try_from(dice.below(2)).expect("small")].to_owned();
    let class = "Count".to_owned();
    let (a, b) = (pop(dice), pop(dice));
    match dice.below(8) {
        0 => FaultKind::ObjectReset { class },
        1 => FaultKind::ObjectStorageFailing { class, for_ms: 20 },
        2 => FaultKind::MessageDropped {
            from: a,
            to: b,
            skip: dice.below(4),
            count: 1,
            for_ms: 500,
        },
        3 | 4 => FaultKind::MessageDuplicated {
            from: a,
            to: b,
            skip: dice.below(3),
            count: 1,
            for_ms: 500,
        },
        5 => FaultKind::Partition { a, b, for_ms: 30 },
        6 => FaultKind::IsolateEvicted { pop: a },
        _ => FaultKind::LinkLatency {
            a,
            b,
            extra_ms: 20,
            for_ms: 100,
        },
    }
}

struct Ran {
    fingerprint: Fingerprint,
    /// Told how each request ended.
    ends: String,
    stuck: Vec<String>,
    tasks: usize,
    started: [usize; 2],
}

fn run(seed: u64, history: bool, faults: bool) -> Ran {
    let origin = Origin::new().respond(move |_| streamed(made(seed, seed % 3 % 2)));
    let world = with_object(worker_does, object_does)
        .pops(["IAD", "FRA"])
        .seed(seed)
        .history(history)
        .origin("origin.example", origin)
        .build()
        .expect("builds");
    let (ends, stuck) = world.run(async |world| {
        let mut dice = Dice::new(seed, "chaos");
        let clients: Vec<_> = (0..6).map(|_| dice.next_u64()).collect();
        let ends = Rc::new(RefCell::new(String::new()));
        let told = &ends;
        let stuck = RefCell::new(Vec::new());
        let stuck_ones = &stuck;
        let acts = clients.into_iter().map(|number| async move {
            let mut dice = Dice::new(number, "client");
            let client =
                world.client(["IAD", "FRA"][usize::try_from(dice.below(2)).expect("small")]);
            for _ in 0..4 {
                world.sleep(Duration::from_millis(dice.below(200))).await;
                let path = format!("/{}", dice.below(16 * 16 * 1000));
                let body = match dice.below(4) {
                    0 => Body::default(),
                    1 => Body::from("whole"),
                    2 => Body::stream(made(dice.next_u64(), 1)),
                    _ => Body::stream(made(dice.next_u64(), 0)),
                };
                let reads = dice.below(4);
                let sent = Box::pin(async {
                    let mut answer = client.open(to(path.clone(), body)).await;
                    match reads {
                        0 => drop(answer),
                        1 => drop(answer.body.next().await),
                        _ => {
                            let status = answer.status;
                            let (read, end) = answer.body.read(usize::MAX).await;
                            use std::fmt::Write as _;
                            let mut told = told.borrow_mut();
                            let _ = writeln!(told, "{path} {status} {} {end:?}", read.len());
                        }
                    }
                });
                let late = pin!(world.sleep(Duration::from_secs(120)));
                if let Either::Right(_) = select(sent, late).await {
                    stuck_ones.borrow_mut().push(path.clone());
                }
            }
        });
        let mut breaking = Dice::new(seed, "faults");
        let breaks = async {
            for _ in 0..if faults { 12 } else { 0 } {
                world
                    .sleep(Duration::from_millis(breaking.below(150)))
                    .await;
                if breaking.chance(0.1) {
                    let code = Code {
                        fetch: Rc::new(|request| Box::pin(worker_does(request))),
                        object: Rc::new(|object, request| Box::pin(object_does(object, request))),
                    };
                    let code: Rc<dyn Script> = Rc::new(code);
                    world.deploy("one", &code).expect("deployed");
                    continue;
                }
                world.inject(fault(&mut breaking));
            }
        };
        futures_util::future::join(join_all(acts), breaks).await;
        world.sleep(Duration::from_secs(300)).await;
        (ends.take(), stuck.take())
    });
    let tasks = world.tasks();
    // Idle isolates end when the next request comes.
    world.run(async |world| {
        for pop in ["IAD", "FRA"] {
            world.client(pop).open(to("/15".to_owned(), "")).await;
        }
    });
    let history = world.history();
    let count = |is: fn(&Op) -> bool| history.records().iter().filter(|r| is(&r.op)).count();
    let objects = count(|op| matches!(op, Op::ObjectStart { .. }))
        - count(|op| matches!(op, Op::ObjectStop { .. }));
    let isolates = count(|op| matches!(op, Op::IsolateStart))
        .wrapping_sub(count(|op| matches!(op, Op::IsolateStop)));
    Ran {
        fingerprint: world.fingerprint(),
        ends,
        stuck,
        tasks,
        started: [objects, isolates],
    }
}

fn chaos(seeds: std::ops::Range<u64>, faults: bool) {
    let mut bad = Vec::new();
    std::panic::set_hook(Box::new(|info| {
        let text = info.to_string();
        if !text.contains("it panics") {
            eprintln!("{text}");
        }
    }));
    for seed in seeds {
        let one = std::panic::catch_unwind(|| run(seed, true, faults));
        let two = std::panic::catch_unwind(|| run(seed, false, faults));
        let (Ok(one), Ok(two)) = (one, two) else {
            bad.push(format!("{seed}: panicked"));
            continue;
        };
        if one.fingerprint != two.fingerprint || one.ends != two.ends {
            bad.push(format!("{seed}: observed, it ran otherwise"));
        }
        if !one.stuck.is_empty() {
            bad.push(format!("{seed}: stuck {:?}", one.stuck));
        }
        if one.tasks != 0 {
            bad.push(format!("{seed}: {} tasks", one.tasks));
        }
        if one.started != [0, 2] {
            bad.push(format!("{seed}: still there {:?}", one.started));
        }
    }
    assert!(bad.is_empty(), "{} bad:\n{}", bad.len(), bad.join("\n"));
}

#[test]
fn without_faults() {
    chaos(0..150, false);
}

#[test]
fn with_faults() {
    chaos(0..300, true);
}
