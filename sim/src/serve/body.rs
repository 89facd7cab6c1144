//! Bodies of messages on real sockets: read whole, but never without a bound, or passed on as they come.

use crate::exception::Exception;
use crate::limits::workers;
use crate::world::World;
use bytes::Bytes;
use futures_util::StreamExt;
use http_body_util::Full;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::sync::mpsc;

/// The longest request that the platform takes, as a length in memory.
pub(super) const REQUEST_BYTES_MAX: usize = {
    assert!(workers::REQUEST_BODY_BYTES <= usize::MAX as u64);
    workers::REQUEST_BODY_BYTES as usize
};

/// The answer to a request over [`REQUEST_BYTES_MAX`].
pub(super) const TOO_LARGE: &str = "the body is larger than 100 MB\n";
/// The answer to a request whose connection ended before its body did.
pub(super) const BROKEN: &str = "the body did not arrive whole\n";

/// How much of a body over its limit is read and thrown away, the part within the limit included, in bytes. An isolate has no
/// more memory than this, so a Worker sends a longer body only as a stream, which may have no end.
const DRAIN_BYTES_MAX: u64 = workers::ISOLATE_MEMORY_BYTES;

/// The body of an answer.
#[derive(Debug)]
pub enum Body {
    /// Bytes in memory.
    Whole(Full<Bytes>),
    /// Another server's answer. Only as much of it is read as the client takes, so it may be of any length.
    Passing(Incoming),
    /// What a simulated Worker or origin sends, as it comes.
    Sent(mpsc::Receiver<Result<Bytes, Exception>>),
}

/// Why a body ends before its end: the client sees its connection break.
#[derive(Debug, thiserror::Error)]
pub enum Ended {
    /// The connection to the other server broke.
    #[error(transparent)]
    Connection(#[from] hyper::Error),
    /// The sender failed.
    #[error("the body's sender failed: {0}")]
    Sender(Exception),
}

impl Body {
    /// A body that crosses the border of the world: it is read as fast as the client takes it, and dropped with the
    /// client's connection.
    pub(super) fn leaving(world: &World, body: crate::http::Body) -> Self {
        let mut body = match body.whole() {
            Some(bytes) => return Self::from(bytes.clone()),
            None => body,
        };
        let (sender, receiver) = mpsc::channel(1);
        world.spawn(async move {
            loop {
                let piece = tokio::select! {
                    biased;
                    () = sender.closed() => return,
                    piece = body.next() => piece,
                };
                let Some(piece) = piece else { return };
                if sender.send(piece).await.is_err() {
                    return;
                }
            }
        });
        Self::Sent(receiver)
    }
}

impl Default for Body {
    fn default() -> Self {
        Self::Whole(Full::default())
    }
}

impl<T: Into<Bytes>> From<T> for Body {
    fn from(bytes: T) -> Self {
        Self::Whole(Full::new(bytes.into()))
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = Ended;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Ended>>> {
        match self.get_mut() {
            Self::Whole(bytes) => {
                let frame = ready!(Pin::new(bytes).poll_frame(context));
                Poll::Ready(frame.map(|frame| frame.map_err(|never| match never {})))
            }
            Self::Passing(body) => {
                let frame = ready!(Pin::new(body).poll_frame(context));
                Poll::Ready(frame.map(|frame| frame.map_err(Ended::from)))
            }
            Self::Sent(pieces) => {
                let piece = ready!(pieces.poll_recv(context));
                Poll::Ready(piece.map(|piece| piece.map(Frame::data).map_err(Ended::Sender)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_end_stream(),
            Self::Passing(body) => body.is_end_stream(),
            Self::Sent(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => bytes.size_hint(),
            Self::Passing(body) => body.size_hint(),
            Self::Sent(_) => SizeHint::default(),
        }
    }
}

/// Why a body was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unread {
    /// It is longer than its limit: its length in bytes, or how much of it had come when reading stopped.
    TooLong(u64),
    /// The connection ended before the body did.
    Broken,
}

/// Reads a body of at most `limit` bytes. A longer body is not read at all if it declares its length beforehand, and
/// otherwise only up to the limit.
///
/// # Errors
/// The body is longer, or did not arrive whole.
pub(super) async fn whole<B>(body: B, limit: usize) -> Result<Bytes, Unread>
where
    B: HttpBody<Data = Bytes> + Unpin,
{
    read(body, limit, limit as u64).await
}

/// Reads a body of at most `limit` bytes for a peer that takes an answer only when it has sent everything, as workerd
/// does: a longer body is read to its end, unless it is longer than any value a Worker can hold.
///
/// # Errors
/// The body is longer, or did not arrive whole.
pub(super) async fn drained<B>(body: B, limit: usize) -> Result<Bytes, Unread>
where
    B: HttpBody<Data = Bytes> + Unpin,
{
    read(body, limit, DRAIN_BYTES_MAX.max(limit as u64)).await
}

/// Keeps up to `limit` bytes and reads up to `drain` bytes; `drain` is at least `limit`.
async fn read<B>(mut body: B, limit: usize, drain: u64) -> Result<Bytes, Unread>
where
    B: HttpBody<Data = Bytes> + Unpin,
{
    use http_body_util::BodyExt;
    let limit_bytes = limit as u64;
    let announced = body.size_hint().lower();
    if announced > drain {
        return Err(Unread::TooLong(announced));
    }
    let room = if announced <= limit_bytes {
        announced
    } else {
        0
    };
    let mut bytes = Vec::with_capacity(usize::try_from(room).unwrap_or(0));
    let mut length = 0_u64;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Unread::Broken)?;
        let Some(data) = frame.data_ref() else {
            continue;
        };
        length += data.len() as u64;
        if length <= limit_bytes {
            bytes.extend_from_slice(data);
        } else if length > drain {
            break;
        }
    }
    if length > limit_bytes {
        return Err(Unread::TooLong(length));
    }
    Ok(bytes.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use std::cell::Cell;

    /// A body without an end that counts the bytes taken from it.
    struct Endless<'a>(&'a Cell<u64>);

    const FRAME: usize = 1 << 20;

    impl HttpBody for Endless<'_> {
        type Data = Bytes;
        type Error = std::convert::Infallible;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
            self.0.set(self.0.get() + FRAME as u64);
            assert!(
                self.0.get() < 4 * DRAIN_BYTES_MAX,
                "more is read than was ever wanted"
            );
            Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[0; FRAME])))))
        }
    }

    #[test]
    fn a_body_without_an_end_is_read_no_further_than_its_limit() {
        let taken = Cell::new(0);
        let read = whole(Endless(&taken), 3 * FRAME);
        let read = read.now_or_never().expect("every frame is ready");
        assert_eq!(read, Err(Unread::TooLong(4 * FRAME as u64)));
        assert_eq!(taken.get(), 4 * FRAME as u64);
    }

    #[test]
    fn a_body_without_an_end_is_drained_up_to_an_isolates_memory() {
        let taken = Cell::new(0);
        let read = drained(Endless(&taken), 3 * FRAME);
        let read = read.now_or_never().expect("every frame is ready");
        assert_eq!(read, Err(Unread::TooLong(taken.get())));
        let beyond = taken.get() - DRAIN_BYTES_MAX;
        assert!(beyond <= FRAME as u64, "{beyond} bytes more than that");
    }

    #[test]
    fn a_body_at_its_limit_is_read_and_one_byte_more_is_told() {
        let read = |bytes: usize, limit| {
            let body = Full::new(Bytes::from(vec![7; bytes]));
            drained(body, limit).now_or_never().expect("it is there")
        };
        assert_eq!(read(10, 10).map(|bytes| bytes.len()), Ok(10));
        assert_eq!(read(11, 10), Err(Unread::TooLong(11)));
        assert_eq!(read(0, 0).map(|bytes| bytes.len()), Ok(0));
    }
}
