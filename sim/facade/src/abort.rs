//! [`AbortController`] and [`AbortSignal`]: calling off a [`crate::Fetch`].
//!
//! A signal is one shared state of its thread: the reason, once there is one, and the tasks waiting
//! for it. `Send` and `Sync` are upstream's promise; a signal that is used on another thread panics
//! instead of being unsound.
//!
//! Absent: the `web_sys` object behind a signal, its events, `AbortSignal.timeout` and `any`, which
//! upstream does not wrap either.

use crate::js;
use crate::wasm_bindgen::JsValue;
use send_wrapper::SendWrapper;
use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

/// Aborts whatever uses its signal.
#[derive(Debug)]
pub struct AbortController {
    signal: AbortSignal,
}

impl AbortController {
    /// The signal to hand to what may be aborted.
    pub fn signal(&self) -> AbortSignal {
        self.signal.clone()
    }

    /// Aborts with the platform's own reason, an `AbortError`.
    pub fn abort(self) {
        self.signal.state.abort(js::abort_error());
    }

    /// Aborts with a reason; `undefined` stands for the platform's own.
    pub fn abort_with_reason(self, reason: impl Into<JsValue>) {
        self.signal.state.abort(given_or_own(reason.into()));
    }
}

impl Default for AbortController {
    fn default() -> Self {
        Self {
            signal: AbortSignal::new(None),
        }
    }
}

/// Tells whether, and why, an operation was aborted.
#[derive(Debug, Clone)]
pub struct AbortSignal {
    state: SendWrapper<Rc<State>>,
}

#[derive(Debug)]
struct State {
    reason: RefCell<Option<JsValue>>,
    waiting: RefCell<Vec<Waker>>,
}

impl AbortSignal {
    /// Whether it was aborted.
    pub fn aborted(&self) -> bool {
        self.state.reason.borrow().is_some()
    }

    /// Why it was aborted, if it was.
    pub fn reason(&self) -> Option<JsValue> {
        self.state.reason.borrow().clone()
    }

    /// A signal that is aborted already, with the platform's own reason.
    pub fn abort() -> Self {
        Self::new(Some(js::abort_error()))
    }

    /// A signal that is aborted already; `undefined` stands for the platform's own reason.
    pub fn abort_with_reason(reason: impl Into<JsValue>) -> Self {
        Self::new(Some(given_or_own(reason.into())))
    }

    /// Waits for the abort and answers its reason.
    #[doc(hidden)]
    pub async fn wait_for_abort(&self) -> JsValue {
        poll_fn(|context| match self.reason() {
            Some(reason) => Poll::Ready(reason),
            None => {
                let mut waiting = self.state.waiting.borrow_mut();
                if !waiting.iter().any(|waker| waker.will_wake(context.waker())) {
                    waiting.push(context.waker().clone());
                }
                Poll::Pending
            }
        })
        .await
    }

    fn new(reason: Option<JsValue>) -> Self {
        let state = State {
            reason: RefCell::new(reason),
            waiting: RefCell::default(),
        };
        Self {
            state: SendWrapper::new(Rc::new(state)),
        }
    }
}

impl State {
    fn abort(&self, reason: JsValue) {
        // The first abort decides; a controller is consumed by it, so there is no second.
        self.reason.replace(Some(reason));
        for waker in self.waiting.take() {
            waker.wake();
        }
    }
}

fn given_or_own(reason: JsValue) -> JsValue {
    if reason.is_undefined() {
        js::abort_error()
    } else {
        reason
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;
    use std::pin::pin;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Context;

    #[test]
    fn an_abort_reaches_every_clone_with_the_platforms_reason() {
        let controller = AbortController::default();
        let signal = controller.signal();
        let clone = signal.clone();
        assert!(!signal.aborted());
        assert!(signal.reason().is_none());
        controller.abort();
        assert!(clone.aborted());
        let reason = Error::from(clone.reason().unwrap());
        assert_eq!(reason.to_string(), "AbortError: The operation was aborted");
    }

    #[test]
    fn a_reason_is_passed_on_as_it_is() {
        let controller = AbortController::default();
        let signal = controller.signal();
        controller.abort_with_reason("too slow");
        assert_eq!(
            signal.reason().unwrap().as_string().as_deref(),
            Some("too slow")
        );
        assert_eq!(
            AbortSignal::abort_with_reason(7).reason().unwrap().as_f64(),
            Some(7.0)
        );
        assert!(AbortSignal::abort().aborted());
    }

    #[test]
    fn waiting_ends_with_the_abort_and_not_before() {
        struct Woken(AtomicUsize);
        impl std::task::Wake for Woken {
            fn wake(self: Arc<Self>) {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
        let woken = Arc::new(Woken(AtomicUsize::new(0)));
        let waker = Waker::from(Arc::clone(&woken));
        let mut context = Context::from_waker(&waker);
        let controller = AbortController::default();
        let signal = controller.signal();
        let mut waiting = pin!(signal.wait_for_abort());
        for _ in 0..2 {
            assert!(waiting.as_mut().poll(&mut context).is_pending());
        }
        assert_eq!(woken.0.load(Ordering::Relaxed), 0);
        controller.abort_with_reason("now");
        assert_eq!(woken.0.load(Ordering::Relaxed), 1);
        let Poll::Ready(reason) = waiting.as_mut().poll(&mut context) else {
            panic!("still waiting")
        };
        assert_eq!(reason.as_string().as_deref(), Some("now"));
    }
}
