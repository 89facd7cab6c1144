//! [`SendFuture`] and [`SendWrapper`]: values of one thread where an API asks for `Send`.
//!
//! The platform has one thread, so upstream asserts `Send` for any type. A native program has several threads,
//! so both wrappers remember theirs and panic when they are used or dropped on another.
//! `SendWrapper`'s public field `.0` is absent, because it would bypass that check.

use std::fmt;
use std::future::Future;
use std::ops::{Deref, DerefMut};
use std::pin::Pin;
use std::task::{Context, Poll};

/// A future that is `Send`, whatever it holds.
#[derive(Debug)]
pub struct SendFuture<F> {
    // Boxed, because a pinned field of a wrapper cannot be reached in safe code.
    inner: send_wrapper::SendWrapper<Pin<Box<F>>>,
}

impl<F> SendFuture<F> {
    /// Wraps a future.
    pub fn new(inner: F) -> Self {
        Self {
            inner: send_wrapper::SendWrapper::new(Box::pin(inner)),
        }
    }
}

impl<F: Future> Future for SendFuture<F> {
    type Output = F::Output;

    /// # Panics
    /// On another thread than the one it was made on.
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.get_mut().inner.as_mut().poll(context)
    }
}

/// Wraps a future at the end of a chain of calls.
pub trait IntoSendFuture {
    /// What the future answers.
    type Output;

    /// Wraps this future.
    fn into_send(self) -> SendFuture<Self>
    where
        Self: Sized;
}

impl<F, T> IntoSendFuture for F
where
    F: Future<Output = T>,
{
    type Output = T;

    fn into_send(self) -> SendFuture<Self> {
        SendFuture::new(self)
    }
}

/// A value that is `Send` and `Sync`, whatever it holds.
pub struct SendWrapper<T>(send_wrapper::SendWrapper<T>);

impl<T> SendWrapper<T> {
    /// Wraps a value.
    pub fn new(inner: T) -> Self {
        Self(send_wrapper::SendWrapper::new(inner))
    }
}

impl<T> Deref for SendWrapper<T> {
    type Target = T;

    /// # Panics
    /// On another thread than the one it was made on.
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for SendWrapper<T> {
    /// # Panics
    /// On another thread than the one it was made on.
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T: fmt::Debug> fmt::Debug for SendWrapper<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SendWrapper({:?})", **self)
    }
}

impl<T: fmt::Display> fmt::Display for SendWrapper<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SendWrapper({})", **self)
    }
}

impl<T: Clone> Clone for SendWrapper<T> {
    fn clone(&self) -> Self {
        Self::new((**self).clone())
    }
}

impl<T: Default> Default for SendWrapper<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use std::cell::Cell;
    use std::rc::Rc;

    #[test]
    fn a_wrapped_value_works_on_its_thread() {
        let mut wrapped = SendWrapper::new(Rc::new(1));
        *wrapped = Rc::new(2);
        assert_eq!(**wrapped.clone(), 2);
        assert_eq!(
            format!("{wrapped:?} {wrapped}"),
            "SendWrapper(2) SendWrapper(2)"
        );
        let shared = Rc::new(3);
        assert_eq!(async move { *shared }.into_send().now_or_never(), Some(3));
    }

    #[test]
    #[expect(
        clippy::disallowed_methods,
        reason = "another thread is what the wrapper must notice"
    )]
    fn another_thread_panics_instead_of_touching_the_value() {
        let wrapped = SendWrapper::new(Cell::new(0));
        let touched = std::thread::scope(|scope| scope.spawn(|| wrapped.set(1)).join());
        assert!(touched.is_err());
        assert_eq!(wrapped.get(), 0);
    }
}
