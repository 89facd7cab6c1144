//! Bodies at their edges: gates, resets, panics, and what is dropped in the middle.

use super::*;

/// What the one object of this name answers.
async fn named(name: &str, request: Request<Body>) -> Result<Response<Body>, Exception> {
    let bindings = Bindings::current();
    let Some(&Binding::Objects(class)) = bindings.binding("COUNT") else {
        panic!("no class")
    };
    let id = bindings.object_id_from_name(class, name);
    let stub = bindings.object_stub(class, id, None, None);
    bindings.object_call(stub, request).await
}

fn at_path(path: &str, body: impl Into<Body>) -> Request<Body> {
    let mut request = request(body);
    request.url.set_path(path);
    request
}

/// An object's stream writes after its last piece, and that write fails.
#[test]
fn the_end_of_a_body_waits_for_the_output_gate() {
    let world = with_object(
        |request| async move { Ok(object(*request).await?.into()) },
        |object, _| async move {
            let pieces = stream::unfold(0, move |step| async move {
                Bindings::current().sleep(TICK).await;
                if step == 1 {
                    let put = Bindings::current().storage_put(object, "k", "v".into());
                    put.expect("it is taken");
                    return None;
                }
                Some((Ok("a".into()), step + 1))
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
        assert_eq!(answer.body.next().await, Some(Ok("a".into())));
        let piece = world.elapsed();
        assert_eq!(answer.body.next().await, None);
        assert_eq!(world.elapsed() - piece, TICK + commit);
    });
}

/// The same, and the write fails: the client must not take the answer for complete.
#[test]
fn a_body_whose_last_write_fails_is_broken() {
    let world = with_object(
        |request| async move { Ok(object(*request).await?.into()) },
        |object, _| async move {
            let pieces = stream::unfold(0, move |step| async move {
                Bindings::current().sleep(TICK).await;
                if step == 1 {
                    let put = Bindings::current().storage_put(object, "k", "v".into());
                    put.expect("it is taken");
                    return None;
                }
                Some((Ok("a".into()), step + 1))
            });
            Ok(streamed(pieces).into())
        },
    );
    world.build().expect("builds").run(async |world| {
        world.inject(FaultKind::ObjectStorageFailing {
            class: "Count".to_owned(),
            for_ms: 60_000,
        });
        let answer = world.client("IAD").post("/").send().await;
        assert!(answer.broken, "{answer:?}");
    });
}

/// An object's fetch whose body's stream writes, and the write fails: the message is never sent.
#[test]
fn a_fetch_waits_for_what_was_written_while_its_body_was_made() {
    let world = with_object(
        |request| async move { Ok(object(*request).await?.into()) },
        |object, _| async move {
            let pieces = stream::once(async move {
                Bindings::current().sleep(TICK).await;
                Bindings::current().storage_put(object, "k", "v".into())?;
                Ok("written".into())
            });
            let url = Url::parse("https://origin.example/").expect("a URL");
            let message = Request::new(Method::POST, url).map_body(|()| Body::stream(pieces));
            Bindings::current().fetch(message).await?;
            text("")
        },
    );
    let origin = Origin::new().respond(|_| Response::plain(200, ""));
    let world = world.origin("origin.example", origin);
    let world = world.build().expect("builds");
    world.run(async |world| {
        world.inject(FaultKind::ObjectStorageFailing {
            class: "Count".to_owned(),
            for_ms: 60_000,
        });
        world.client("IAD").post("/").send().await;
        world.sleep(Duration::from_secs(1)).await;
        assert_eq!(
            world.received("origin.example").len(),
            0,
            "of a write that was undone"
        );
    });
}

/// The gate is asked before the body is read: an object that was reset meanwhile sends all the same.
#[test]
fn a_fetch_of_an_object_that_was_reset_is_not_sent() {
    let world = with_object(
        |request| async move { Ok(object(*request).await?.into()) },
        |_, asked: Asked| async move {
            Bindings::current().wait_until(Box::pin(async move {
                let url = Url::parse("https://origin.example/").expect("a URL");
                let message = Request::new(Method::POST, url).map_body(|()| asked.body);
                let _ = Bindings::current().fetch(message).await;
            }));
            text("")
        },
    );
    let origin = Origin::new().respond(|_| Response::plain(200, ""));
    let world = world.origin("origin.example", origin);
    let world = world.build().expect("builds");
    world.run(async |world| {
        let late = stream::once(async {
            Bindings::current().sleep(Duration::from_secs(1)).await;
            Ok("late".into())
        });
        world.client("IAD").open(request(Body::stream(late))).await;
        world.inject(FaultKind::ObjectReset {
            class: "Count".to_owned(),
        });
        world.sleep(Duration::from_secs(5)).await;
        assert_eq!(world.received("origin.example").len(), 0);
    });
}

/// A handler that waits while the body of its own call ends is told of a reset all the same.
#[test]
fn a_reset_reaches_a_handler_whose_call_has_sent_its_body() {
    let world = with_object(
        |request| async move { Ok(object(*request).await?.into()) },
        |_, asked: Asked| async move {
            if asked.url.path() == "/other" {
                // Answers at once and reads on.
                let body = asked.body;
                Bindings::current().wait_until(Box::pin(async move {
                    let _ = body.bytes().await;
                }));
                return text("");
            }
            let body = Body::stream(slowly(&["a", "b", "c", "d", "e", "f"]));
            named("other", at_path("/other", body)).await?;
            std::future::pending::<()>().await;
            text("")
        },
    );
    world.build().expect("builds").run(async |world| {
        let told = Rc::new(Cell::new(None));
        let tell = Rc::clone(&told);
        let client = world.client("IAD");
        // A task of its own: the test's would poll it whenever the test wakes.
        world.spawn(async move { tell.set(Some(client.open(request("")).await.status)) });
        world.sleep(Duration::from_secs(2)).await;
        assert_eq!(told.get(), None);
        world.inject(FaultKind::ObjectReset {
            class: "Count".to_owned(),
        });
        world.sleep(Duration::from_secs(60)).await;
        assert_eq!(told.get(), Some(500), "the Worker threw");
    });
}

/// As above, with the answer of the object: a reset breaks it at once.
#[test]
fn a_reset_breaks_an_answer_while_the_same_invocation_sends_a_request() {
    let world = with_object(
        |request| async move { Ok(object(*request).await?.into()) },
        |_, asked: Asked| async move {
            if asked.url.path() == "/other" {
                let body = asked.body;
                Bindings::current().wait_until(Box::pin(async move {
                    let _ = body.bytes().await;
                }));
                return text("");
            }
            let body = Body::stream(slowly(&["a", "b", "c", "d", "e", "f"]));
            named("other", at_path("/other", body)).await?;
            Ok(streamed(stream::once(async { Ok("head".into()) }).chain(stream::pending())).into())
        },
    );
    world.build().expect("builds").run(async |world| {
        let mut answer = world.client("IAD").open(request("")).await;
        assert_eq!(answer.body.next().await, Some(Ok("head".into())));
        world.sleep(Duration::from_secs(2)).await;
        world.inject(FaultKind::ObjectReset {
            class: "Count".to_owned(),
        });
        let end = answer.body.next().await;
        assert!(matches!(end, Some(Err(_))), "{end:?}");
    });
}

/// Counts exactly: the ghost end takes the place of the answer, so a fault that should lose the answer loses the request.
#[test]
fn the_end_of_a_dropped_stream_is_no_message() {
    let handled = Rc::new(Cell::new(0));
    let seen = Rc::clone(&handled);
    let world = with_object(
        |_| async move {
            drop(object(at_path("/stream", "")).await?);
            Bindings::current().sleep(Duration::from_millis(500)).await;
            Ok(object(at_path("/whole", "")).await?.into())
        },
        move |_, asked: Asked| {
            let seen = Rc::clone(&seen);
            async move {
                if asked.url.path() == "/stream" {
                    return Ok(streamed(stream::pending()).into());
                }
                seen.set(seen.get() + 1);
                text("here")
            }
        },
    );
    world.build().expect("builds").run(async |world| {
        world.inject(FaultKind::MessageDropped {
            from: "IAD".to_owned(),
            to: "IAD".to_owned(),
            // The request and the answer of the first call, and the request of the second.
            skip: 3,
            count: 1,
            for_ms: 60_000,
        });
        world.client("IAD").post("/").send().await;
    });
    assert_eq!(handled.get(), 1, "the answer is lost, not the request");
}

/// The answer of a second copy is thrown away and is no message.
#[test]
fn a_streamed_answer_of_a_copy_is_no_message() {
    let handled = Rc::new(Cell::new(0));
    let seen = Rc::clone(&handled);
    let world = with_object(
        |_| async move {
            object(at_path("/", "")).await?.body.bytes().await?;
            Bindings::current().sleep(Duration::from_millis(500)).await;
            Ok(object(at_path("/", "")).await?.into())
        },
        move |_, _| {
            let seen = Rc::clone(&seen);
            async move {
                seen.set(seen.get() + 1);
                Ok(streamed(slowly(&["a"])).into())
            }
        },
    );
    world.build().expect("builds").run(async |world| {
        let link = || ("IAD".to_owned(), "IAD".to_owned());
        let (from, to) = link();
        world.inject(FaultKind::MessageDuplicated {
            from,
            to,
            skip: 0,
            count: 1,
            for_ms: 60_000,
        });
        let (from, to) = link();
        // Request, head, "a", end; the request of the second call; its head is lost.
        world.inject(FaultKind::MessageDropped {
            from,
            to,
            skip: 5,
            count: 1,
            for_ms: 60_000,
        });
        world.client("IAD").post("/").send().await;
    });
    assert_eq!(handled.get(), 3, "two copies, and the second call");
}

/// The count without streams, as a control.
#[test]
fn a_whole_answer_of_a_copy_is_no_message() {
    let handled = Rc::new(Cell::new(0));
    let seen = Rc::clone(&handled);
    let world = with_object(
        |_| async move {
            object(at_path("/", "")).await?;
            Bindings::current().sleep(Duration::from_millis(500)).await;
            Ok(object(at_path("/", "")).await?.into())
        },
        move |_, _| {
            let seen = Rc::clone(&seen);
            async move {
                seen.set(seen.get() + 1);
                text("a")
            }
        },
    );
    world.build().expect("builds").run(async |world| {
        let link = || ("IAD".to_owned(), "IAD".to_owned());
        let (from, to) = link();
        world.inject(FaultKind::MessageDuplicated {
            from,
            to,
            skip: 0,
            count: 1,
            for_ms: 60_000,
        });
        let (from, to) = link();
        // Request, answer, request; the second answer is lost.
        world.inject(FaultKind::MessageDropped {
            from,
            to,
            skip: 3,
            count: 1,
            for_ms: 60_000,
        });
        let answer = world.client("IAD").post("/").send().await;
        assert_eq!(answer.status, 500);
    });
    assert_eq!(handled.get(), 3);
}

/// A stream that panics breaks as late as one that fails: the news travels.
#[test]
fn the_news_of_a_panic_travels_as_that_of_a_failure() {
    let broken_after = |panics: bool| {
        let world = worker(move |_| async move {
            let late = stream::once(async move {
                Bindings::current().sleep(Duration::from_millis(100)).await;
                assert!(!panics, "a panic");
                Err(Exception::error("a failure"))
            });
            Ok(streamed(late).into())
        });
        world.build().expect("builds").run(async |world| {
            let mut answer = world.client("IAD").open(request("")).await;
            assert!(answer.body.next().await.expect("told").is_err());
            world.elapsed()
        })
    };
    assert_eq!(broken_after(true), broken_after(false));
}

fn fingerprint_of(history: bool) -> edgeproof_sim::kernel::fingerprint::Fingerprint {
    let world = with_object(
        |request| async move { Ok(object(*request).await?.into()) },
        |object, request: Asked| async move {
            let louder = request.body.then(move |piece| async move {
                Bindings::current().storage_put(object, "k", "v".into())?;
                piece.map(|piece| piece.to_ascii_uppercase().into())
            });
            Ok(streamed(louder).into())
        },
    );
    let world = world.history(history).build().expect("builds");
    world.run(async |world| {
        world.inject(FaultKind::MessageDuplicated {
            from: "IAD".to_owned(),
            to: "IAD".to_owned(),
            skip: 0,
            count: 2,
            for_ms: 60_000,
        });
        for _ in 0..2 {
            let body = Body::stream(slowly(&["a", "", "b", "c"]));
            let answer = world.client("IAD").open(request(body)).await;
            let _ = answer.body.collect::<Vec<_>>().await;
        }
        world.sleep(Duration::from_secs(1)).await;
    });
    world.fingerprint()
}

#[test]
#[expect(clippy::disallowed_methods, reason = "each thread has a world")]
fn streams_run_alike_with_and_without_history_and_on_two_threads() {
    let one = std::thread::spawn(|| fingerprint_of(true));
    let two = std::thread::spawn(|| fingerprint_of(false));
    assert_eq!(one.join().expect("ran"), two.join().expect("ran"));
}

#[test]
fn an_echo_of_the_requests_own_body() {
    let world = worker(|request: Asked| async move {
        Ok(Response::new(200, HeaderMap::new(), request.body).into())
    });
    world.build().expect("builds").run(async |world| {
        let body = Body::stream(slowly(&["a", "", "b"]));
        let answer = world.client("IAD").open(request(body)).await;
        assert_eq!(answer.body.bytes().await, Ok("ab".into()));
    });
}

/// A body moves from task to task while it waits, and outlives its run.
#[test]
fn a_body_moves_between_tasks_and_runs() {
    let world = worker(|_| async { Ok(streamed(slowly(&["a", "b", "c", "d"])).into()) });
    let world = world.build().expect("builds");
    let mut body = world.run(async |world| {
        let mut body = world.client("IAD").open(request("")).await.body;
        assert_eq!(body.next().await, Some(Ok("a".into())));
        let (give, taken) = futures_channel(());
        world.spawn(async move {
            assert!(futures_util::poll!(body.next()).is_pending());
            give(body);
        });
        world.sleep(Duration::from_millis(1)).await;
        let mut body = taken.borrow_mut().take().expect("given");
        assert_eq!(body.next().await, Some(Ok("b".into())));
        assert!(futures_util::poll!(body.next()).is_pending());
        body
    });
    world.run(async |_| assert_eq!(body.next().await, Some(Ok("c".into()))));
    assert!(futures_util::FutureExt::now_or_never(body.next()).is_none());
    drop(world);
    drop(body);
}

fn futures_channel(_: ()) -> (impl FnOnce(Body), Rc<RefCell<Option<Body>>>) {
    let place = Rc::new(RefCell::new(None));
    let giving = Rc::clone(&place);
    (move |body| drop(giving.replace(Some(body))), place)
}

#[test]
fn deploy_and_eviction_mid_stream_let_a_worker_finish() {
    let world = worker(|_| async { Ok(streamed(slowly(&["a", "b", "c", "d"])).into()) });
    world.build().expect("builds").run(async |world| {
        let mut answer = world.client("IAD").open(request("")).await;
        assert_eq!(answer.body.next().await, Some(Ok("a".into())));
        world.inject(FaultKind::IsolateEvicted {
            pop: "IAD".to_owned(),
        });
        assert_eq!(answer.body.bytes().await, Ok("bcd".into()));
        world.sleep(Duration::from_secs(100)).await;
        assert_eq!(world.client("IAD").post("/").send().await.body, "abcd");
    });
}

#[test]
fn a_partition_breaks_a_stream() {
    let world = with_object(
        |request| async move { Ok(object(*request).await?.into()) },
        |_, _| async { Ok(streamed(slowly(&["a", "b", "c", "d"])).into()) },
    );
    world.build().expect("builds").run(async |world| {
        let mut answer = world.client("IAD").open(request("")).await;
        assert_eq!(answer.body.next().await, Some(Ok("a".into())));
        world.inject(FaultKind::Partition {
            a: "IAD".to_owned(),
            b: "IAD".to_owned(),
            for_ms: 15,
        });
        let rest = answer.body.collect::<Vec<_>>().await;
        assert!(rest.last().is_some_and(Result::is_err), "{rest:?}");
        assert_eq!(world.client("IAD").post("/").send().await.body, "abcd");
    });
}

/// A stream that is under way when its world ends is dropped with it, whoever makes it and whoever holds it.
#[test]
fn a_world_that_ends_drops_its_streams() {
    let holds: Vec<Held> = (0..4).map(|_| Held::default()).collect();
    let [worker, object_holds, origin, own] = &holds[..] else {
        unreachable!()
    };
    let (one, two, three) = (worker.clone(), object_holds.clone(), origin.clone());
    let world = with_object(
        move |request| {
            let answer = one.by(stream::pending());
            async move {
                match request.url.path() {
                    "/object" => Ok(object(*request).await?.into()),
                    "/origin" => {
                        let url = Url::parse("https://origin.example/").expect("a URL");
                        let request = Request::new(Method::GET, url);
                        Ok(Bindings::current().fetch(request).await?.into())
                    }
                    _ => Ok(answer.into()),
                }
            }
        },
        move |_, request: Asked| {
            let answer = two.by(request.body);
            async move { Ok(answer.into()) }
        },
    );
    let world = world.origin(
        "origin.example",
        Origin::new().respond(move |_| three.by(stream::pending())),
    );
    let world = world.build().expect("builds");
    let bodies = world.run(async |world| {
        let client = world.client("IAD");
        let mut bodies = Vec::new();
        for path in ["/", "/object", "/origin"] {
            let body = own.by(stream::pending()).body;
            bodies.push(client.open(at_path(path, body)).await.body);
        }
        bodies
    });
    drop(world);
    drop(bodies);
    let held: Vec<_> = holds.iter().map(Held::is_held).collect();
    assert_eq!(held, [false; 4]);
}

/// The same when the client leaves: the sender's own poll drops it.
#[test]
fn a_destructor_that_panics_when_the_client_leaves() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            if !std::thread::panicking() {
                panic!("in a destructor");
            }
        }
    }
    let world = worker(|_| async {
        let bomb = Bomb;
        let pieces = stream::once(async { Ok("head".into()) })
            .chain(stream::pending())
            .inspect(move |_| {
                let _ = &bomb;
            });
        Ok(streamed(pieces).into())
    });
    world.build().expect("builds").run(async |world| {
        drop(world.client("IAD").open(request("")).await);
        world.sleep(Duration::from_secs(1)).await;
        drop(world.client("IAD").open(request("")).await);
        world.sleep(Duration::from_secs(1)).await;
    });
}

/// A client that gives up in the middle of `send`.
#[test]
fn a_send_that_is_dropped_reads_on() {
    let held = Held::default();
    let holds = held.clone();
    let world = worker(move |_| {
        let answer = holds.by(slowly(&["a", "b", "c"]));
        async move { Ok(answer.into()) }
    });
    world.build().expect("builds").run(async |world| {
        let sent = Box::pin(world.client("IAD").post("/").send());
        let late = Box::pin(world.sleep(Duration::from_millis(22)));
        assert!(matches!(
            futures_util::future::select(sent, late).await,
            futures_util::future::Either::Right(_)
        ));
        assert!(held.is_held());
        world.sleep(Duration::from_secs(1)).await;
        assert!(!held.is_held());
        assert_eq!(world.tasks(), 0);
    });
}

/// What the test's own code asserts in an origin is the test's, as it is in an origin's stream.
#[test]
#[should_panic(expected = "the test's own")]
fn an_origin_that_panics_fails_the_test() {
    let world = worker(|_| async {
        let url = Url::parse("https://origin.example/").expect("a URL");
        let request = Request::new(Method::GET, url);
        Ok(Bindings::current().fetch(request).await?.into())
    });
    let origin = Origin::new().respond(|_| -> Response { panic!("the test's own") });
    let world = world.origin("origin.example", origin);
    let world = world.build().expect("builds");
    world.run(async |world| world.client("IAD").post("/").send().await);
}

#[test]
#[should_panic(expected = "the test's own")]
fn an_origins_stream_that_panics_fails_the_test() {
    let world = worker(|_| async {
        let url = Url::parse("https://origin.example/").expect("a URL");
        let request = Request::new(Method::GET, url);
        Ok(Bindings::current().fetch(request).await?.into())
    });
    let origin =
        Origin::new().respond(|_| streamed(stream::once(async { panic!("the test's own") })));
    let world = world.origin("origin.example", origin);
    let world = world.build().expect("builds");
    world.run(async |world| world.client("IAD").post("/").send().await);
}

/// A broken answer stands in the history as a complete one does: no check can tell them apart.
#[test]
fn the_history_tells_a_broken_answer_from_a_complete_one() {
    let outcome = |fails: bool| {
        let world = worker(move |_| async move {
            let end = fails.then(|| Err(Exception::error("disk on fire")));
            Ok(streamed(stream::iter([Ok("a".into())]).chain(stream::iter(end))).into())
        });
        let world = world.build().expect("builds");
        world.run(async |world| world.client("IAD").post("/").send().await);
        let history = world.history();
        let records = history.records().iter();
        let mut asked = records.filter(|record| matches!(record.op, Op::Request { .. }));
        format!("{:?}", asked.next().expect("a request").outcome)
    };
    assert_ne!(outcome(true), outcome(false));
}
