//! The body of a message between a Worker and a peer: bytes that are all there, or a stream of pieces.

use crate::exception::Exception;
use crate::limits::workers;
use bytes::Bytes;
use futures_util::stream::LocalBoxStream;
use futures_util::{Stream, StreamExt};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

type Piece = Result<Bytes, Exception>;

/// A body, and the [`Stream`] of its pieces. After an error there are no more.
pub struct Body(Content);

enum Content {
    Whole(Bytes),
    Stream(LocalBoxStream<'static, Piece>),
}

/// How reading a body ended.
#[derive(Debug, Clone, PartialEq)]
pub enum End {
    /// All of it was read.
    Complete,
    /// It was longer than the reader wanted.
    TooLong,
    /// Its sender failed, or the connection broke.
    Broken(Exception),
}

impl Body {
    /// A body whose pieces come one after the other.
    ///
    /// ```
    /// # use edgeproof_sim::http::Body;
    /// # use futures_util::stream;
    /// let body = Body::stream(stream::iter([Ok("one ".into()), Ok("two".into())]));
    /// assert!(body.whole().is_none());
    /// ```
    pub fn stream(pieces: impl Stream<Item = Piece> + 'static) -> Self {
        Self(Content::Stream(pieces.boxed_local()))
    }

    /// All of it, unless it is a stream.
    pub fn whole(&self) -> Option<&Bytes> {
        match &self.0 {
            Content::Whole(bytes) => Some(bytes),
            Content::Stream(_) => None,
        }
    }

    /// Reads at most `most` bytes: what was read, and how it ended.
    pub async fn read(mut self, most: usize) -> (Bytes, End) {
        if let Content::Whole(bytes) = &mut self.0 {
            let end = if bytes.len() > most {
                End::TooLong
            } else {
                End::Complete
            };
            bytes.truncate(most);
            return (std::mem::take(bytes), end);
        }
        let mut read = Vec::new();
        loop {
            let end = match self.next().await {
                None => End::Complete,
                Some(Err(exception)) => End::Broken(exception),
                Some(Ok(piece)) => {
                    let room = most - read.len();
                    read.extend_from_slice(&piece[..piece.len().min(room)]);
                    if piece.len() <= room {
                        continue;
                    }
                    End::TooLong
                }
            };
            return (read.into(), end);
        }
    }

    /// Reads all of it into the memory of an isolate.
    ///
    /// # Errors
    /// The sender's; `TypeError` if it is larger than an isolate's memory.
    pub async fn bytes(self) -> Result<Bytes, Exception> {
        let most = usize::try_from(workers::ISOLATE_MEMORY_BYTES).unwrap_or(usize::MAX);
        match self.read(most).await {
            (bytes, End::Complete) => Ok(bytes),
            (_, End::Broken(exception)) => Err(exception),
            // Observed in workerd's source.
            (_, End::TooLong) => Err(Exception::type_error(workers::MEMORY_BEFORE_EOF)),
        }
    }

    /// A second body with the same content, which both can read at a pace of their own. What only one of them has read
    /// is kept for the other.
    #[must_use]
    pub fn tee(&mut self) -> Self {
        match &mut self.0 {
            Content::Whole(bytes) => Self(Content::Whole(bytes.clone())),
            Content::Stream(_) => {
                let (one, other) = tee(std::mem::take(self));
                *self = Self::stream(one);
                Self::stream(other)
            }
        }
    }
}

impl Default for Body {
    fn default() -> Self {
        Self(Content::Whole(Bytes::new()))
    }
}

impl<T: Into<Bytes>> From<T> for Body {
    fn from(bytes: T) -> Self {
        Self(Content::Whole(bytes.into()))
    }
}

impl std::fmt::Debug for Body {
    /// Prints its kind and not its content.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Content::Whole(bytes) => write!(f, "Body({} bytes)", bytes.len()),
            Content::Stream(_) => f.write_str("Body(a stream)"),
        }
    }
}

impl Stream for Body {
    type Item = Piece;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Piece>> {
        let this = self.get_mut();
        let piece = match &mut this.0 {
            Content::Whole(bytes) => {
                let bytes = std::mem::take(bytes);
                return Poll::Ready((!bytes.is_empty()).then_some(Ok(bytes)));
            }
            Content::Stream(pieces) => std::task::ready!(pieces.poll_next_unpin(context)),
        };
        if !matches!(piece, Some(Ok(_))) {
            *this = Self::default();
        }
        Poll::Ready(piece)
    }
}

/// Two streams with what `source` gives.
pub fn tee<T: Clone + 'static>(
    source: impl Stream<Item = T> + 'static,
) -> (impl Stream<Item = T>, impl Stream<Item = T>) {
    let source = Rc::new(RefCell::new(Source {
        pieces: Some(source.boxed_local()),
        unread: [Some(VecDeque::new()), Some(VecDeque::new())],
        readers: Arc::default(),
    }));
    let other = Rc::clone(&source);
    (
        Branch { source, side: 0 },
        Branch {
            source: other,
            side: 1,
        },
    )
}

struct Source<T> {
    /// `None` once it has ended.
    pieces: Option<LocalBoxStream<'static, T>>,
    /// What each side has not read yet; `None` for a side that was dropped.
    unread: [Option<VecDeque<T>>; 2],
    readers: Arc<Readers>,
}

/// The tasks of both sides. Whichever polled last, a new piece concerns both.
#[derive(Default)]
struct Readers([Mutex<Option<Waker>>; 2]);

impl Readers {
    fn set(&self, side: usize, waker: Option<&Waker>) {
        let mut known = self.0[side].lock().unwrap_or_else(PoisonError::into_inner);
        *known = waker.cloned();
    }
}

impl Wake for Readers {
    fn wake(self: Arc<Self>) {
        for reader in &self.0 {
            let waker = reader.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }
}

struct Branch<T> {
    source: Rc<RefCell<Source<T>>>,
    side: usize,
}

impl<T: Clone> Stream for Branch<T> {
    type Item = T;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        let source = &mut *self.source.borrow_mut();
        let unread = source.unread[self.side].as_mut();
        if let Some(piece) = unread.and_then(VecDeque::pop_front) {
            return Poll::Ready(Some(piece));
        }
        let Some(pieces) = &mut source.pieces else {
            return Poll::Ready(None);
        };
        source.readers.set(self.side, Some(context.waker()));
        let both = Waker::from(Arc::clone(&source.readers));
        let piece = std::task::ready!(pieces.poll_next_unpin(&mut Context::from_waker(&both)));
        match &piece {
            None => source.pieces = None,
            Some(piece) => {
                if let Some(unread) = &mut source.unread[1 - self.side] {
                    unread.push_back(piece.clone());
                }
            }
        }
        source.readers.set(self.side, None);
        // The other side has a piece, or the end, to take.
        Arc::clone(&source.readers).wake();
        Poll::Ready(piece)
    }
}

impl<T> Drop for Branch<T> {
    fn drop(&mut self) {
        let mut source = self.source.borrow_mut();
        source.unread[self.side] = None;
        source.readers.set(self.side, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::{FutureExt, stream};

    fn pieces(pieces: &'static [&'static str]) -> Body {
        Body::stream(stream::iter(pieces).map(|piece| Ok(Bytes::from(*piece))))
    }

    fn now<T>(future: impl Future<Output = T>) -> T {
        future.now_or_never().expect("nothing to wait for")
    }

    #[test]
    fn whole_bodies_and_streams_read_alike() {
        for body in [|| Body::from("abcde"), || pieces(&["ab", "", "cde"])] {
            assert_eq!(now(body().read(5)), ("abcde".into(), End::Complete));
            assert_eq!(now(body().read(4)), ("abcd".into(), End::TooLong));
            assert_eq!(now(body().bytes()), Ok("abcde".into()));
        }
        assert_eq!(now(Body::default().read(0)), (Bytes::new(), End::Complete));
    }

    #[test]
    fn nothing_comes_after_an_error() {
        let broken = Exception::error("broken");
        let items = [Ok("a".into()), Err(broken.clone()), Ok("b".into())];
        let (read, end) = now(Body::stream(stream::iter(items.clone())).read(9));
        assert_eq!((read, end), ("a".into(), End::Broken(broken.clone())));
        let all: Vec<_> = now(Body::stream(stream::iter(items)).collect::<Vec<_>>());
        assert_eq!(all, [Ok("a".into()), Err(broken)]);
    }

    #[test]
    fn both_sides_of_a_tee_read_everything_at_their_own_pace() {
        let mut one = pieces(&["a", "b", "c"]);
        let mut other = one.tee();
        assert_eq!(now(one.next()), Some(Ok("a".into())));
        assert_eq!(now(one.next()), Some(Ok("b".into())));
        assert_eq!(now(other.next()), Some(Ok("a".into())));
        assert_eq!(now(one.bytes()), Ok("c".into()));
        assert_eq!(now(other.bytes()), Ok("bc".into()));
    }

    #[test]
    fn a_source_ends_with_its_last_reader() {
        let alive = Rc::new(());
        let held = Rc::clone(&alive);
        let mut one = Body::stream(stream::repeat_with(move || {
            let _ = &held;
            Ok("a".into())
        }));
        let mut other = one.tee();
        drop(one);
        assert_eq!(now(other.next()), Some(Ok("a".into())));
        assert_eq!(Rc::strong_count(&alive), 2);
        drop(other);
        assert_eq!(Rc::strong_count(&alive), 1);
    }

    #[test]
    fn a_new_piece_wakes_both_sides_of_a_tee() {
        let (mut sender, receiver) = futures_channel::mpsc::channel::<u32>(1);
        let (mut one, mut other) = tee(receiver);
        let woken = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&woken));
        let mut context = Context::from_waker(&waker);
        assert!(one.poll_next_unpin(&mut context).is_pending());
        // The side that polled last may never look again.
        assert!(other.poll_next_unpin(&mut context).is_pending());
        sender.try_send(7).expect("there is room");
        assert_eq!(woken.0.load(std::sync::atomic::Ordering::Relaxed), 2);
        assert_eq!(now(one.next()), Some(7));
        assert_eq!(now(other.next()), Some(7));
    }

    #[derive(Default)]
    struct Count(std::sync::atomic::AtomicU32);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
    }
}
