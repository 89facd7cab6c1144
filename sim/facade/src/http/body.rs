//! [`Body`]: the body of a request or an answer, as [`http_body::Body`].

use crate::streams::ReadableStream;
use crate::wasm_bindgen::JsValue;
use crate::{Error, Result};
use bytes::Bytes;
use futures_util::{FutureExt, Stream, StreamExt, TryStream, TryStreamExt, stream};
use http_body::{Frame, SizeHint};
use std::any::Any;
use std::future::ready;
use std::pin::Pin;
use std::task::{Context, Poll, ready as poll_ready};

/// A body that is read once. Dropping it cancels what was not read.
#[derive(Debug, Default)]
pub struct Body {
    /// `None` stands for no body.
    stream: Option<ReadableStream>,
    /// Whether its end was read.
    ended: bool,
}

impl Body {
    /// The body that a stream gives.
    pub fn new(stream: ReadableStream) -> Self {
        Self {
            stream: Some(stream),
            ended: false,
        }
    }

    /// What was not read of it, as a stream; `None` when there is no body.
    pub fn into_inner(mut self) -> Option<ReadableStream> {
        self.stream.take().map(|stream| stream.rest())
    }

    /// No body.
    pub fn empty() -> Self {
        Self::default()
    }

    /// The body that a stream of the Worker's own gives. An error reaches the reader as its `Debug` text.
    ///
    /// # Errors
    /// Never; the type is upstream's.
    pub fn from_stream<S>(stream: S) -> Result<Self>
    where
        S: TryStream + 'static,
        S::Ok: Into<Vec<u8>>,
        S::Error: std::fmt::Debug,
    {
        let pieces = stream
            .map_ok(Into::<Vec<u8>>::into)
            .map_err(|error| JsValue::from(format!("{error:?}")));
        Ok(Self::new(ReadableStream::from_stream(pieces)))
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        if let Some(stream) = self.stream.take() {
            drop(stream.rest());
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>>>> {
        let this = self.get_mut();
        let Some(stream) = &mut this.stream else {
            return Poll::Ready(None);
        };
        let piece = poll_ready!(stream.poll_piece(context));
        this.ended = piece.is_none();
        Poll::Ready(piece.map(|piece| piece.map(Frame::data).map_err(Error::Internal)))
    }

    fn is_end_stream(&self) -> bool {
        self.stream.is_none() || self.ended
    }

    /// Nothing is known of a stream's length, also of one whose bytes are there, as upstream.
    fn size_hint(&self) -> SizeHint {
        match self.stream {
            Some(_) => SizeHint::default(),
            None => SizeHint::with_exact(0),
        }
    }
}

impl Stream for Body {
    type Item = Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        let frame = poll_ready!(http_body::Body::poll_frame(self, context));
        Poll::Ready(frame.map(|frame| {
            let frame = frame.map_err(|_| Error::from(UNREADABLE))?;
            Ok(frame.into_data().expect("a body has data and no trailers"))
        }))
    }
}

/// What upstream says of a body that fails.
const UNREADABLE: &str = "Error polling body";

/// The stream of any body; `None` when it has none. A body whose bytes are there already stays whole.
pub(super) fn stream_of<B>(mut body: B) -> Option<ReadableStream>
where
    B: http_body::Body<Data = Bytes> + 'static,
{
    if body.is_end_stream() {
        return None;
    }
    if let Some(own) = (&mut body as &mut dyn Any).downcast_mut::<Body>() {
        return std::mem::take(own).into_inner();
    }
    // A body that knows its length, such as a text of axum's, gives it at once and in one piece.
    let whole = body.size_hint().exact().is_some();
    let mut pieces = Pieces(Box::pin(body));
    let first = whole.then(|| pieces.next().now_or_never()).flatten();
    Some(match first {
        Some(None) => ReadableStream::from_bytes(Bytes::new()),
        Some(Some(Ok(bytes))) if pieces.0.is_end_stream() => ReadableStream::from_bytes(bytes),
        Some(Some(piece)) => ReadableStream::from_stream(stream::once(ready(piece)).chain(pieces)),
        None => ReadableStream::from_stream(pieces),
    })
}

/// The data of a body's frames. Trailers end it: JavaScript's streams have none.
struct Pieces<B>(Pin<Box<B>>);

impl<B: http_body::Body<Data = Bytes>> Stream for Pieces<B> {
    type Item = Result<Bytes, JsValue>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let frame = poll_ready!(self.0.as_mut().poll_frame(context));
        Poll::Ready(match frame {
            Some(Ok(frame)) => frame.into_data().ok().map(Ok),
            Some(Err(_)) => Some(Err(UNREADABLE.into())),
            None => None,
        })
    }
}
