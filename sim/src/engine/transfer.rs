//! The body of a message under way: its sender makes the pieces, they travel, its receiver takes them.
//!
//! A body that is whole travels with the head of its message. The pieces of a stream are messages of their own: each is
//! made in the sender's scope, waits for the sender's output gate, arrives after the way that it travels and enters the
//! receiver through its input gate. The sender stops while the receiver has [`WINDOW_BYTES`] unread, and for good when
//! the receiver drops the body.

use super::Engine;
use super::scope::Scope;
use crate::exception::Exception;
use crate::http::Body;
use crate::kernel::time::Instant;
use crate::name;
use crate::platform::outbound::NETWORK_CONNECTION_LOST;
use crate::script::LocalBoxFuture;
use crate::topology::Pop;
use bytes::Bytes;
use futures_util::StreamExt;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

/// The unread bytes at which a sender stops. RFC 9113 section 6.9.2: the initial window of an HTTP/2 stream. That room
/// which the receiver makes is known to the sender at once is an assumption.
const WINDOW_BYTES: usize = 65_535;

/// The way that the pieces of a body go.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Path {
    /// It takes this many nanoseconds.
    Nanos(u64),
    /// From PoP to PoP.
    Between(Pop, Pop),
}

/// A piece; `None` for the end of the body.
type Message = Option<Result<Bytes, Exception>>;

/// What has been sent and not been taken.
#[derive(Default)]
struct Window {
    messages: VecDeque<(Instant, Message)>,
    unread: usize,
    last_arrival: Instant,
    /// The end, or an error, was sent.
    sent_all: bool,
    /// The receiver dropped the body.
    unwanted: bool,
    receiver: Option<Waker>,
    sender: Option<Waker>,
}

impl Engine {
    /// Sends a body that is a stream. The caller runs the returned future, which makes the pieces, in the scope of
    /// `sender`.
    ///
    /// An error of the sender's stays with the sender, who may log it: the receiver learns that the connection is lost.
    pub(crate) fn transfer(
        &self,
        body: Body,
        sender: Scope,
        path: Path,
    ) -> (Body, LocalBoxFuture<Result<(), Exception>>) {
        let window = Rc::new(RefCell::new(Window::default()));
        let sending = Sending {
            engine: self.clone(),
            window: Rc::clone(&window),
            path,
            nanos: match path {
                Path::Nanos(nanos) => nanos,
                Path::Between(from, to) => self.0.network.topology.one_way(from, to),
            },
        };
        let receiving = Receiving {
            engine: self.clone(),
            window,
        };
        let pieces = futures_util::stream::unfold(receiving, Receiving::next);
        (Body::stream(pieces), Box::pin(sending.run(body, sender)))
    }

    /// Sends a body that the test's own code makes.
    pub(crate) fn transfer_outside(&self, body: Body, path: Path) -> Body {
        if body.whole().is_some() {
            return body;
        }
        let (body, sending) = self.transfer(body, None, path);
        let sent = async move {
            // The receiver learns of a failure; the test's own code knows it.
            let _ = sending.await;
        };
        self.spawn_in(None, Box::pin(sent));
        body
    }
}

/// What a sender has to send.
enum Next {
    Made(Message),
    /// Nothing: the receiver wants no more.
    Unwanted,
}

/// The sender's end of a window. However it ends, the receiver is told.
struct Sending {
    engine: Engine,
    window: Rc<RefCell<Window>>,
    path: Path,
    /// How long the last message travels, in nanoseconds.
    nanos: u64,
}

impl Sending {
    async fn run(mut self, mut body: Body, sender: Scope) -> Result<(), Exception> {
        loop {
            let next = self.next(&mut body).await;
            if matches!(&next, Next::Made(Some(Ok(piece))) if piece.is_empty()) {
                continue;
            }
            let Next::Made(made) = next else {
                return Ok(());
            };
            // The end is a message as well: it tells that everything is done.
            if let Some(invocation) = &sender {
                self.engine.output_gate(invocation).await?;
            }
            if self.window.borrow().unwanted {
                return Ok(());
            }
            match made {
                Some(Ok(piece)) => {
                    if !self.send(Some(Ok(piece))) {
                        return Ok(());
                    }
                }
                Some(Err(exception)) => {
                    self.send(Some(Err(lost())));
                    return Err(exception);
                }
                None => {
                    self.send(None);
                    return Ok(());
                }
            }
        }
    }

    /// The next piece or the end, when there is room for it.
    async fn next(&self, body: &mut Body) -> Next {
        poll_fn(|context| {
            let mut window = self.window.borrow_mut();
            if window.unwanted {
                return Poll::Ready(Next::Unwanted);
            }
            window.sender = Some(context.waker().clone());
            if window.unread >= WINDOW_BYTES {
                return Poll::Pending;
            }
            drop(window);
            body.poll_next_unpin(context).map(Next::Made)
        })
        .await
    }

    /// Sends a piece or the end. False if it is lost on its way: then the connection is.
    fn send(&mut self, message: Message) -> bool {
        let engine = &self.engine;
        engine.mix(name!("body.sent"), |fingerprint| match &message {
            None => fingerprint.mix(0),
            Some(Ok(piece)) => fingerprint.mix_bytes(piece),
            Some(Err(exception)) => fingerprint.mix_bytes(exception.message.as_bytes()),
        });
        let travel = match self.path {
            Path::Nanos(nanos) => Ok(nanos),
            Path::Between(from, to) => engine.travel(from, to),
        };
        match travel {
            Ok(nanos) => {
                self.nanos = nanos;
                self.push(message);
                true
            }
            Err(lost) => {
                self.push(Some(Err(lost)));
                false
            }
        }
    }

    fn push(&self, message: Message) {
        let mut window = self.window.borrow_mut();
        // Messages arrive in the order in which they were sent.
        let arrives = window.last_arrival.max(self.engine.now().after(self.nanos));
        window.last_arrival = arrives;
        match &message {
            Some(Ok(piece)) => window.unread += piece.len(),
            Some(Err(_)) | None => window.sent_all = true,
        }
        window.messages.push_back((arrives, message));
        wake(&mut window.receiver);
    }
}

impl Drop for Sending {
    /// One that was stopped in the middle, by a reset of its object say, has sent no end.
    fn drop(&mut self) {
        let open = {
            let window = self.window.borrow();
            !window.sent_all && !window.unwanted
        };
        if open {
            self.push(Some(Err(lost())));
        }
    }
}

/// The receiver's end of a window.
struct Receiving {
    engine: Engine,
    window: Rc<RefCell<Window>>,
}

impl Receiving {
    /// The next piece, when it has arrived and may be delivered.
    async fn next(self) -> Option<(Result<Bytes, Exception>, Self)> {
        let at = poll_fn(|context| {
            let mut window = self.window.borrow_mut();
            match window.messages.front() {
                Some((at, _)) => Poll::Ready(*at),
                None => {
                    window.receiver = Some(context.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await;
        self.engine.sleep_until(at, name!("body.piece"), 0).await;
        let message = {
            let mut window = self.window.borrow_mut();
            let (_, message) = window.messages.pop_front()?;
            if let Some(Ok(piece)) = &message {
                window.unread -= piece.len();
            }
            wake(&mut window.sender);
            message
        };
        self.engine.deliver().await;
        message.map(|piece| (piece, self))
    }
}

impl Drop for Receiving {
    fn drop(&mut self) {
        let mut window = self.window.borrow_mut();
        window.unwanted = true;
        window.messages.clear();
        wake(&mut window.sender);
    }
}

fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}

fn lost() -> Exception {
    Exception::error(NETWORK_CONNECTION_LOST).retryable()
}
