//! Guests: code that runs elsewhere, in a real workerd say, and uses this world's KV and D1 from one of its PoPs.

use super::World;
use crate::bill::usage::Meter;
use crate::topology::Pop;
use std::future::Future;
use std::rc::Rc;

impl World {
    /// Runs a task as an event of its own at a PoP: bindings work in it, and the limits of one invocation hold for it.
    ///
    /// Which calls of a guest belong to one invocation is not known, so each task counts for itself. The answer is `None` if
    /// the world ended first.
    pub fn guest<T: 'static>(
        &self,
        pop: Pop,
        task: impl Future<Output = T> + 'static,
    ) -> impl Future<Output = Option<T>> + 'static {
        let (sender, receiver) = futures_channel::oneshot::channel();
        let invocation = self.new_invocation(pop, 0, None);
        self.spawn_in(
            Some(invocation),
            Box::pin(async move {
                // Whoever asked may be gone by then; what was begun has been done all the same.
                let _ = sender.send(task.await);
            }),
        );
        async move { receiver.await.ok() }
    }

    /// Counts a request that a Worker elsewhere answers.
    pub fn count_guest_request(&self) {
        self.count(Meter::WorkersRequests, 1);
    }

    /// Asks the rate limiter of a PoP; see [`RateLimits::take`](crate::platform::rate_limit::RateLimits::take). No time passes:
    /// the binding answers from the machine it runs on (RL).
    pub fn rate_limit(
        &self,
        pop: Pop,
        namespace: &Rc<str>,
        key: &Rc<str>,
        limit: u64,
        period_seconds: u64,
    ) -> bool {
        let mut limits = self.0.rate_limits.borrow_mut();
        limits.take(self.now(), pop, namespace, key, limit, period_seconds)
    }
}
