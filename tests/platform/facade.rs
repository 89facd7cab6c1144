//! Streams as a Worker's code meets them.

use edgeproof_sim::http::{Body, Response as Raw};
use edgeproof_sim::platform::outbound::Origin;
use futures_util::{FutureExt, StreamExt, stream};
use std::time::Duration;
use support::inside::{at, platform};
use worker::*;

fn slow_origin() -> Origin {
    Origin::new().respond(|_| {
        let pieces = stream::iter(["a", "b", "c"]).then(|piece| async move {
            edgeproof_sim::Bindings::current()
                .sleep(Duration::from_millis(100))
                .await;
            Ok(piece.into())
        });
        Raw::new(200, http::HeaderMap::new(), Body::stream(pieces))
    })
}

/// Fetch standard, "abort a fetch() call": the signal errors the response's body as well (workerd: the signal wraps the
/// whole exchange).
#[test]
fn an_abort_after_the_head_breaks_the_body() {
    let world = platform(&["FRA"]).origin("origin.example", slow_origin());
    let world = world.build().expect("builds");
    world.run(async |world| {
        let read = at(&world.client("FRA"), async |_, _| {
            let controller = AbortController::default();
            let url = "https://origin.example/".parse().expect("a URL");
            let mut answer = Fetch::Url(url)
                .send_with_signal(&controller.signal())
                .await?;
            controller.abort();
            Ok(answer.text().await.map_err(|error| error.to_string()))
        })
        .await;
        assert!(read.is_err(), "{read:?}");
    });
}

/// wasm-streams ends a stream after its error; here the Worker's own goes on.
#[test]
fn a_stream_of_the_workers_own_ends_with_its_error() {
    let pieces = [Ok(vec![1]), Err(Error::from("broken")), Ok(vec![2])];
    let mut answer = Response::from_stream(stream::iter(pieces)).expect("made");
    let read = answer.stream().expect("a stream");
    let read = read
        .collect::<Vec<_>>()
        .now_or_never()
        .expect("it is there");
    assert_eq!(read.len(), 2, "{read:?}");
}

/// And `None` stays `None`.
#[test]
fn a_stream_of_the_workers_own_may_be_asked_after_its_end() {
    let once = stream::unfold(true, |more| async move {
        more.then(|| (Ok::<_, Error>(vec![1]), false))
    });
    let mut answer = Response::from_stream(once).expect("made");
    let mut read = answer.stream().expect("a stream");
    let mut next = || {
        read.next()
            .now_or_never()
            .expect("it is there")
            .map(|piece| piece.expect("no error"))
    };
    assert_eq!((next(), next()), (Some(vec![1]), None));
    assert_eq!(next(), None);
}

#[test]
fn a_request_is_cloned_and_one_side_never_read() {
    let world = platform(&["FRA"]).origin("origin.example", slow_origin());
    let world = world.build().expect("builds");
    world.run(async |world| {
        let read = at(&world.client("FRA"), async |_, _| {
            let url = "https://origin.example/".parse().expect("a URL");
            let mut answer = Fetch::Url(url).send().await?;
            let unread = answer.cloned()?;
            let text = answer.text().await?;
            drop(unread);
            Ok(text)
        })
        .await;
        assert_eq!(read, "abc");
    });
}
