//! Bodies as streams: [`ReadableStream`], [`ByteStream`] and [`FixedLengthStream`].
//!
//! A message inside the simulator is whole when it is delivered, so a received body is a stream
//! over bytes that are there already. It still comes in pieces, as on the platform, so that code
//! which takes the first piece for the whole body fails in tests. A stream a Worker makes itself
//! ([`crate::Response::from_stream`]) is polled when its response leaves the Worker.
//!
//! [`ReadableStream`] replaces upstream's `web_sys` type of that name, without its methods. Locks are not
//! modelled: a stream that was read, or whose reader was dropped, is at its end.

use crate::error::Error;
use crate::wasm_bindgen::JsValue;
use crate::{Result, js};
use bytes::Bytes;
use futures_util::stream::LocalBoxStream;
use futures_util::{Stream, StreamExt};
use send_wrapper::SendWrapper;
use std::cell::RefCell;
use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

/// The largest piece a reader gets at once (workerd api/streams/common.h,
/// `DEFAULT_AUTO_ALLOCATE_CHUNK_SIZE`, 2026-08-22).
pub(crate) const PIECE_BYTES: usize = 4096;

/// A body that can be read once. Clones are handles onto the same stream.
#[derive(Clone)]
pub struct ReadableStream {
    source: SendWrapper<Rc<RefCell<Source>>>,
}

enum Source {
    /// All of it, unread.
    Whole(Bytes),
    /// A reader took it.
    Rest(Bytes),
    /// Made by the Worker, piece by piece.
    Live(LocalBoxStream<'static, Result<Vec<u8>, JsValue>>),
    /// A reader holds it.
    Taken,
}

impl ReadableStream {
    /// A stream over bytes that are there already.
    pub(crate) fn from_bytes(bytes: Bytes) -> Self {
        Self::new(Source::Whole(bytes))
    }

    /// A stream the Worker makes.
    pub(crate) fn from_stream(
        stream: impl Stream<Item = Result<Vec<u8>, JsValue>> + 'static,
    ) -> Self {
        Self::new(Source::Live(stream.boxed_local()))
    }

    /// Reads all of it, for a message that leaves the Worker.
    ///
    /// # Errors
    /// `TypeError` when it was read before, or the error of the Worker's own stream.
    pub(crate) async fn collect(self) -> Result<Bytes> {
        let source = self.source.replace(Source::Taken);
        match source {
            Source::Whole(bytes) => Ok(bytes),
            Source::Rest(_) | Source::Taken => Err(disturbed()),
            Source::Live(mut stream) => {
                let mut whole = Vec::new();
                while let Some(piece) = stream.next().await {
                    whole.extend(piece?);
                }
                Ok(whole.into())
            }
        }
    }

    /// The unread bytes, for a copy; the stream stays as it is.
    ///
    /// # Errors
    /// `TypeError` when it was read before. A stream the Worker makes cannot be copied here.
    pub(crate) fn peek(&self) -> Result<Bytes> {
        match &*self.source.borrow() {
            Source::Whole(bytes) => Ok(bytes.clone()),
            Source::Rest(_) | Source::Taken => Err(disturbed()),
            Source::Live(_) => Err(
                "the simulator cannot copy a response whose body is a stream made by the Worker"
                    .into(),
            ),
        }
    }

    fn new(source: Source) -> Self {
        Self {
            source: SendWrapper::new(Rc::new(RefCell::new(source))),
        }
    }
}

/// What the platform throws when a stream that was read becomes a body (workerd api/http.c++, 2026-08-22).
fn disturbed() -> Error {
    js::type_error(
        "This ReadableStream is disturbed (has already been read from), and cannot be used as a body.",
    )
}

impl fmt::Debug for ReadableStream {
    /// Prints how far it was read and not its content.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &*self.source.borrow() {
            Source::Whole(bytes) => format!("{} bytes", bytes.len()),
            Source::Rest(bytes) => format!("{} bytes left", bytes.len()),
            Source::Live(_) => "made by the Worker".to_owned(),
            Source::Taken => "read".to_owned(),
        };
        write!(f, "ReadableStream({state})")
    }
}

/// The pieces of a body. Dropping it cancels the rest.
#[derive(Debug)]
pub struct ByteStream {
    inner: ReadableStream,
}

impl From<ReadableStream> for ByteStream {
    fn from(inner: ReadableStream) -> Self {
        Self { inner }
    }
}

impl Stream for ByteStream {
    type Item = Result<Vec<u8>>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut source = self.inner.source.borrow_mut();
        match &mut *source {
            Source::Whole(bytes) | Source::Rest(bytes) => {
                let piece = bytes.split_to(bytes.len().min(PIECE_BYTES));
                let rest = std::mem::take(bytes);
                *source = Source::Rest(rest);
                Poll::Ready((!piece.is_empty()).then(|| Ok(piece.into())))
            }
            Source::Live(stream) => stream
                .poll_next_unpin(context)
                .map(|piece| piece.map(|piece| piece.map_err(Error::from))),
            Source::Taken => Poll::Ready(None),
        }
    }
}

impl Drop for ByteStream {
    fn drop(&mut self) {
        *self.inner.source.borrow_mut() = Source::Taken;
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
    use futures_util::{FutureExt, TryStreamExt, stream};

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
        let error = stream.collect().now_or_never().unwrap().unwrap_err();
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

    #[test]
    fn a_stream_of_the_workers_own_is_collected_or_fails() {
        let good = ReadableStream::from_stream(stream::iter([Ok(vec![1, 2]), Ok(vec![3])]));
        assert_eq!(
            good.collect().now_or_never().unwrap().unwrap(),
            [1, 2, 3].as_slice()
        );
        let bad = ReadableStream::from_stream(stream::iter([Ok(vec![1]), Err("broken".into())]));
        assert_eq!(
            bad.collect()
                .now_or_never()
                .unwrap()
                .unwrap_err()
                .to_string(),
            "broken"
        );
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
