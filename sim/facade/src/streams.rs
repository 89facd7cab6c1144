//! Bodies as streams: [`ReadableStream`], [`ByteStream`] and [`FixedLengthStream`].
//!
//! A received body comes in pieces, whether its sender still makes it or all of it is there already. So code that takes
//! the first piece for the whole body fails in tests, as it does on the platform. A stream that a Worker makes itself
//! ([`crate::Response::from_stream`]) is polled when its response has left the Worker.
//!
//! [`ReadableStream`] replaces upstream's `web_sys` type of that name, without its methods. Locks are not
//! modelled: a stream that was read, or whose reader was dropped, is at its end.

use crate::error::Error;
use crate::wasm_bindgen::JsValue;
use crate::{AbortSignal, Result, js};
use bytes::Bytes;
use edgeproof_sim::http::{Body, tee};
use edgeproof_sim::limits::workers;
use futures_util::stream::LocalBoxStream;
use futures_util::{Stream, StreamExt, stream};
use send_wrapper::SendWrapper;
use std::cell::RefCell;
use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

/// The largest piece a reader gets at once (workerd api/streams/common.h,
/// `DEFAULT_AUTO_ALLOCATE_CHUNK_SIZE`, 2026-08-22).
pub(crate) const PIECE_BYTES: usize = 4096;

/// A body that can be read once. Clones are handles onto the same stream.
#[derive(Clone)]
pub struct ReadableStream {
    source: SendWrapper<Rc<RefCell<Source>>>,
}

struct Source {
    content: Content,
    /// Whether any of it was read, or all of it was handed on.
    disturbed: bool,
}

enum Content {
    /// Bytes that are there.
    Bytes(Bytes),
    /// Pieces that are still being made.
    Live(LocalBoxStream<'static, Result<Bytes, JsValue>>),
}

impl Content {
    /// What is left of a stream that was cancelled, or handed on.
    const NOTHING: Self = Self::Bytes(Bytes::new());
}

impl ReadableStream {
    /// A stream over bytes that are there already.
    pub(crate) fn from_bytes(bytes: Bytes) -> Self {
        Self::new(Content::Bytes(bytes))
    }

    /// A stream the Worker makes.
    pub(crate) fn from_stream<P: Into<Bytes>>(
        stream: impl Stream<Item = Result<P, JsValue>> + 'static,
    ) -> Self {
        let pieces = stream.map(|piece| piece.map(Into::into));
        Self::new(Content::Live(pieces.boxed_local()))
    }

    /// The body of a message that reached the Worker.
    pub(crate) fn from_body(body: Body) -> Self {
        let bytes = body.whole().cloned();
        bytes.map_or_else(
            || {
                let pieces = body.map(|piece| piece.map_err(js::thrown));
                Self::new(Content::Live(pieces.boxed_local()))
            },
            Self::from_bytes,
        )
    }

    /// The body of a message that leaves the Worker. This handle and its clones have nothing more to read.
    ///
    /// # Errors
    /// `TypeError` when it was read before.
    pub(crate) fn into_body(self) -> Result<Body> {
        Ok(match self.hand_on().ok_or_else(disturbed)? {
            Content::Bytes(bytes) => bytes.into(),
            Content::Live(pieces) => Body::stream(
                pieces.map(|piece| piece.map_err(|error| js::exception(&Error::from(error)))),
            ),
        })
    }

    /// The same stream behind a handle of its own; `None` when it was read before. The others have nothing more to read.
    pub(crate) fn moved(&self) -> Option<Self> {
        self.hand_on().map(Self::new)
    }

    /// A second stream with the same content; `None` when it was read before.
    pub(crate) fn tee(&self) -> Option<Self> {
        if self.is_disturbed() {
            return None;
        }
        let source = &mut *self.source.borrow_mut();
        let (one, other) = match std::mem::replace(&mut source.content, Content::NOTHING) {
            Content::Bytes(bytes) => (Content::Bytes(bytes.clone()), Content::Bytes(bytes)),
            Content::Live(pieces) => {
                let (one, other) = tee(pieces);
                (
                    Content::Live(one.boxed_local()),
                    Content::Live(other.boxed_local()),
                )
            }
        };
        source.content = one;
        Some(Self::new(other))
    }

    /// The same stream, which fails as soon as `signal` is aborted.
    pub(crate) fn until_aborted(self, signal: AbortSignal) -> Self {
        {
            let source = &mut *self.source.borrow_mut();
            let content = std::mem::replace(&mut source.content, Content::NOTHING);
            source.content = match content {
                bytes @ Content::Bytes(_) => bytes,
                Content::Live(mut pieces) => {
                    let mut aborted =
                        Box::pin(async move { Some(Err(signal.wait_for_abort().await)) });
                    let pieces =
                        stream::poll_fn(move |context| match aborted.as_mut().poll(context) {
                            Poll::Ready(reason) => Poll::Ready(reason),
                            Poll::Pending => pieces.poll_next_unpin(context),
                        });
                    Content::Live(pieces.boxed_local())
                }
            };
        }
        self
    }

    /// Whether any of it was read.
    pub(crate) fn is_disturbed(&self) -> bool {
        self.source.borrow().disturbed
    }

    /// Reads what is left.
    ///
    /// # Errors
    /// What its sender throws; `TypeError` when it does not fit in the memory of an isolate.
    pub(crate) async fn read(self) -> Result<Bytes> {
        let content = {
            let source = &mut *self.source.borrow_mut();
            source.disturbed = true;
            std::mem::replace(&mut source.content, Content::NOTHING)
        };
        let mut pieces = match content {
            Content::Bytes(bytes) => return Ok(bytes),
            Content::Live(pieces) => pieces,
        };
        let mut whole = Vec::new();
        while let Some(piece) = pieces.next().await {
            whole.extend_from_slice(&piece?);
            if whole.len() as u64 > workers::ISOLATE_MEMORY_BYTES {
                return Err(js::type_error(workers::MEMORY_BEFORE_EOF));
            }
        }
        Ok(whole.into())
    }

    /// The next piece, or what the sender threw.
    pub(crate) fn poll_piece(
        &self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, JsValue>>> {
        let source = &mut *self.source.borrow_mut();
        source.disturbed = true;
        match &mut source.content {
            Content::Bytes(bytes) => {
                let piece = bytes.split_to(bytes.len().min(PIECE_BYTES));
                Poll::Ready((!piece.is_empty()).then_some(Ok(piece)))
            }
            Content::Live(pieces) => {
                let piece = ready!(pieces.poll_next_unpin(context));
                if !matches!(piece, Some(Ok(_))) {
                    // After the end or an error there is nothing, whatever the Worker's own stream would say.
                    source.content = Content::NOTHING;
                }
                Poll::Ready(piece)
            }
        }
    }

    /// What was not read, behind a handle of its own. The others have nothing more to read.
    pub(crate) fn rest(&self) -> Self {
        let source = &mut *self.source.borrow_mut();
        source.disturbed = true;
        Self::new(std::mem::replace(&mut source.content, Content::NOTHING))
    }

    fn hand_on(&self) -> Option<Content> {
        let source = &mut *self.source.borrow_mut();
        let content = std::mem::replace(&mut source.content, Content::NOTHING);
        (!std::mem::replace(&mut source.disturbed, true)).then_some(content)
    }

    fn new(content: Content) -> Self {
        let source = Source {
            content,
            disturbed: false,
        };
        Self {
            source: SendWrapper::new(Rc::new(RefCell::new(source))),
        }
    }
}

/// What the platform throws when a stream that was read becomes a body (workerd api/http.c++, 2026-08-22).
pub(crate) fn disturbed() -> Error {
    js::type_error(
        "This ReadableStream is disturbed (has already been read from), and cannot be used as a body.",
    )
}

impl fmt::Debug for ReadableStream {
    /// Prints how far it was read and not its content.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = self.source.borrow();
        let read = if source.disturbed { ", read from" } else { "" };
        match &source.content {
            Content::Bytes(bytes) => write!(f, "ReadableStream({} bytes{read})", bytes.len()),
            Content::Live(_) => write!(f, "ReadableStream(being made{read})"),
        }
    }
}

/// The pieces of a body. Dropping it cancels the rest.
#[derive(Debug)]
pub struct ByteStream {
    inner: ReadableStream,
    /// Upstream's is neither `Send` nor `Sync`, so a Worker that needs either must not compile here alone.
    thread: PhantomData<Rc<()>>,
}

impl From<ReadableStream> for ByteStream {
    fn from(inner: ReadableStream) -> Self {
        Self {
            inner,
            thread: PhantomData,
        }
    }
}

impl Stream for ByteStream {
    type Item = Result<Vec<u8>>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.inner
            .poll_piece(context)
            .map(|piece| piece.map(|piece| piece.map(Vec::from).map_err(Error::from)))
    }
}

impl Drop for ByteStream {
    fn drop(&mut self) {
        drop(self.inner.rest());
    }
}

/// A stream that answers an error unless it gives exactly as many bytes as announced.
pub struct FixedLengthStream {
    length_bytes: u64,
    read_bytes: u64,
    inner: LocalBoxStream<'static, Result<Vec<u8>>>,
}

impl FixedLengthStream {
    /// Counts the bytes of `stream`, which should be `length`.
    pub fn wrap(stream: impl Stream<Item = Result<Vec<u8>>> + 'static, length: u64) -> Self {
        Self {
            length_bytes: length,
            read_bytes: 0,
            inner: stream.boxed_local(),
        }
    }

    fn wrong_length(&self) -> Error {
        Error::RustError(format!(
            "fixed length stream had different length than expected (expected {}, got {})",
            self.length_bytes, self.read_bytes
        ))
    }
}

impl Stream for FixedLengthStream {
    type Item = Result<Vec<u8>>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        this.inner
            .poll_next_unpin(context)
            .map(|piece| match piece {
                Some(Ok(piece)) => {
                    this.read_bytes += piece.len() as u64;
                    Some(if this.read_bytes > this.length_bytes {
                        Err(this.wrong_length())
                    } else {
                        Ok(piece)
                    })
                }
                Some(Err(error)) => Some(Err(error)),
                None => (this.read_bytes != this.length_bytes).then(|| Err(this.wrong_length())),
            })
    }
}

impl fmt::Debug for FixedLengthStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FixedLengthStream")
            .field("length", &self.length_bytes)
            .field("bytes_read", &self.read_bytes)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::{FutureExt, TryStreamExt};

    fn read(stream: ReadableStream) -> Vec<usize> {
        ByteStream::from(stream)
            .map_ok(|piece| piece.len())
            .try_collect()
            .now_or_never()
            .unwrap()
            .unwrap()
    }

    #[test]
    fn a_body_comes_in_pieces_and_only_once() {
        let stream = ReadableStream::from_bytes(vec![7; PIECE_BYTES + 1].into());
        assert_eq!(read(stream.clone()), [PIECE_BYTES, 1]);
        assert!(read(stream.clone()).is_empty());
        let error = stream.into_body().unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("TypeError: This ReadableStream is disturbed"),
            "{error}"
        );
    }

    #[test]
    fn dropping_a_reader_cancels_the_rest() {
        let stream = ReadableStream::from_bytes(vec![7; PIECE_BYTES + 1].into());
        let mut reader = ByteStream::from(stream.clone());
        assert!(reader.next().now_or_never().unwrap().is_some());
        drop(reader);
        assert!(read(stream).is_empty());
    }

    fn made(pieces: [Result<Vec<u8>, JsValue>; 2]) -> ReadableStream {
        ReadableStream::from_stream(stream::iter(pieces))
    }

    #[test]
    fn a_stream_of_the_workers_own_is_read_or_fails() {
        let good = made([Ok(vec![1, 2]), Ok(vec![3])]);
        let read = good.read().now_or_never().unwrap();
        assert_eq!(read.unwrap(), [1, 2, 3].as_slice());
        let bad = made([Ok(vec![1]), Err("broken".into())]);
        let read = bad.read().now_or_never().unwrap();
        assert_eq!(read.unwrap_err().to_string(), "broken");
    }

    #[test]
    fn a_stream_crosses_the_border_with_its_errors() {
        let body = made([Ok(vec![1]), Err("broken".into())]).into_body();
        let pieces: Vec<_> = body.unwrap().collect().now_or_never().unwrap();
        let [Ok(first), Err(exception)] = &pieces[..] else {
            panic!("{pieces:?}")
        };
        assert_eq!(first, &[1].as_slice());
        assert_eq!(exception.message, "broken");
    }

    #[test]
    fn a_stream_that_is_handed_on_cannot_be_read_or_copied_here() {
        let stream = made([Ok(vec![1]), Ok(vec![2])]);
        assert!(!stream.is_disturbed());
        let moved = stream.moved().unwrap();
        assert!(stream.is_disturbed() && stream.tee().is_none() && stream.moved().is_none());
        assert!(read(stream).is_empty());
        let copy = moved.tee().unwrap();
        assert_eq!(read(moved), [1, 1]);
        assert_eq!(read(copy), [1, 1]);
    }

    #[test]
    fn a_fixed_length_stream_tells_when_the_length_is_wrong() {
        let run = |length| {
            let pieces = stream::iter([Ok(vec![1, 2]), Ok(vec![3])]);
            FixedLengthStream::wrap(pieces, length)
                .try_concat()
                .now_or_never()
                .unwrap()
        };
        assert_eq!(run(3).unwrap(), [1, 2, 3]);
        for (length, got) in [(2, 3), (4, 3)] {
            assert_eq!(
                run(length).unwrap_err().to_string(),
                format!(
                    "fixed length stream had different length than expected (expected {length}, got {got})"
                )
            );
        }
    }
}
