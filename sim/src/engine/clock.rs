//! Virtual time: the loop that moves it, sleeping, and the fingerprint of what happened.

use super::ambient::{self, Ambient};
use super::scope::{self, Scope};
use super::{Engine, Operation};
use crate::kernel::exec::{BoxedTask, Executor};
use crate::kernel::fingerprint::{Fingerprint, Name, Step, Trace};
use crate::kernel::queue::{Event, Queue, TimerId};
use crate::kernel::time::Instant;
use crate::name;
use crate::script::LocalBoxFuture;
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// Time, what waits for it, and what happened in it.
pub(crate) struct Clock {
    start: Instant,
    now: Cell<Instant>,
    queue: RefCell<Queue>,
    pub(super) executor: Executor<Scope>,
    fingerprint: Cell<Fingerprint>,
    trace: Option<RefCell<Trace>>,
    events: Cell<u64>,
}

impl Clock {
    /// A clock that stands at `start`.
    pub(crate) fn new(start: Instant, trace: bool) -> Self {
        Self {
            start,
            now: Cell::new(start),
            queue: RefCell::new(Queue::default()),
            executor: Executor::default(),
            fingerprint: Cell::new(Fingerprint::default()),
            trace: trace.then(RefCell::default),
            events: Cell::new(0),
        }
    }

    pub(crate) fn start(&self) -> Instant {
        self.start
    }

    pub(crate) fn now(&self) -> Instant {
        self.now.get()
    }

    pub(crate) fn fingerprint(&self) -> Fingerprint {
        self.fingerprint.get()
    }

    pub(crate) fn trace(&self) -> Trace {
        let trace = self.trace.as_ref();
        trace
            .map(|trace| trace.borrow().clone())
            .unwrap_or_default()
    }

    /// Number of events so far.
    pub(crate) fn events(&self) -> u64 {
        self.events.get()
    }

    /// Number of tasks that have not ended.
    pub(crate) fn tasks(&self) -> usize {
        self.executor.len()
    }

    /// Drops every task.
    pub(crate) fn clear(&self) {
        self.executor.clear();
    }

    /// Adds something that happened now to the fingerprint: its name, a word that tells it from others of its name, and what
    /// `add` mixes in.
    #[inline]
    fn mix(&self, name: Name, word: u64, add: impl FnOnce(&mut Fingerprint)) {
        let mut fingerprint = self.fingerprint.get();
        fingerprint.mix_pair(self.now().0 ^ name.hash, word);
        add(&mut fingerprint);
        self.fingerprint.set(fingerprint);
        if let Some(trace) = &self.trace {
            self.keep(trace, name, fingerprint);
        }
    }

    #[cold]
    fn keep(&self, trace: &RefCell<Trace>, name: Name, fingerprint: Fingerprint) {
        trace.borrow_mut().push(Step {
            at: self.now(),
            event: name.text,
            fingerprint,
        });
    }
}

impl Engine {
    /// Runs `driver`, and everything else with it, until it returns.
    ///
    /// # Panics
    /// If the driver waits for something that can never happen; if a Worker asks the host for what no world has, such as CPU
    /// time.
    pub(crate) fn run<T>(&self, driver: impl Future<Output = T>) -> T {
        // First, so that the driver is dropped in the world as well.
        ambient::forget_leaks();
        let _ambient = edgeproof_interpose::enter(Rc::new(Ambient::jumping(self)));
        let mut future = pin!(driver);
        let mut result = None;
        let mut poll_driver = |waker: &Waker| {
            let polled = future.as_mut().poll(&mut Context::from_waker(waker));
            self.driver_polled();
            match polled {
                Poll::Ready(value) => {
                    result = Some(value);
                    true
                }
                Poll::Pending => false,
            }
        };
        self.0.clock.executor.wake_driver();
        while !self.turn(&mut poll_driver) {
            assert!(
                self.fire_next(Instant::NEVER),
                "nothing is left to happen, and the run still waits for something"
            );
        }
        result.expect("a turn ends early only when the driver has returned")
    }

    /// Runs everything that is due at `now` and returns the time of the next event; `outer` is woken when something
    /// becomes ready before then.
    pub(crate) fn drive(&self, now: Instant, outer: &Waker) -> Option<Instant> {
        let clock = &self.0.clock;
        let _ambient = edgeproof_interpose::enter(Rc::new(Ambient::by_the_wall(self)));
        clock.executor.set_outer_waker(outer);
        self.0.crons.borrow_mut().skip_missed(now);
        // Work that became ready since the last call counts as ready now, not then; but it may not overtake a timer.
        let next_at = self.next_at();
        let present = next_at.map_or(now, |next_at| now.min(next_at));
        clock.now.set(self.now().max(present));
        let no_driver = &mut |_: &Waker| false;
        self.turn(no_driver);
        while self.fire_next(now) {
            self.turn(no_driver);
        }
        clock.now.set(self.now().max(now));
        self.next_at()
    }

    /// When something is due next: a timer or a cron trigger.
    fn next_at(&self) -> Option<Instant> {
        let timer = self.0.clock.queue.borrow_mut().next_at();
        let cron = self.0.crons.borrow().next_at();
        timer.into_iter().chain(cron).min()
    }

    /// Polls what is ready, then ends the turn: what it wrote is committed. True once the driver is done.
    fn turn(&self, driver: &mut dyn FnMut(&Waker) -> bool) -> bool {
        loop {
            let done = self.0.clock.executor.run_ready(scope::within, driver);
            ambient::refuse_leaks();
            let woken = self.commit_turn() | self.drop_ended_hosts();
            if done {
                return true;
            }
            if !woken {
                return false;
            }
        }
    }

    /// Moves time to the next timer or cron trigger at or before `until`, and fires it. Of one instant, the trigger comes
    /// first, because it was known since the world began.
    fn fire_next(&self, until: Instant) -> bool {
        let Some(next_at) = self.next_at().filter(|at| *at <= until) else {
            return false;
        };
        if self.0.crons.borrow().next_at() == Some(next_at) {
            self.fire_cron();
            return true;
        }
        let fired = self.0.clock.queue.borrow_mut().fire();
        let (at, event, waker) = fired.expect("a next timer was seen");
        self.happen(at, event.name, event.detail);
        if let Some(waker) = waker {
            waker.wake();
        }
        true
    }

    /// An event: time moves to it, and it counts.
    pub(super) fn happen(&self, at: Instant, name: Name, detail: u64) {
        let clock = &self.0.clock;
        clock.now.set(self.now().max(at));
        clock.events.set(clock.events.get() + 1);
        clock.mix(name, detail, |_| ());
    }

    /// Notes which timers there are after the driver was polled, because it may wait for any of them.
    fn driver_polled(&self) {
        let timers = self.0.clock.queue.borrow().started();
        self.0.crons.borrow_mut().driver_polled(timers);
    }

    /// Whether one of the first `started` timers has still to fire.
    pub(super) fn waits_for_one_of(&self, started: u64) -> bool {
        self.0.clock.queue.borrow().holds_one_of(started)
    }

    /// Adds an operation to the fingerprint: its name, and what `add` mixes in of its input and its outcome. This does
    /// not depend on whether the run is observed.
    #[inline]
    pub(crate) fn mix(&self, name: Name, add: impl FnOnce(&mut Fingerprint)) {
        self.0.clock.mix(name, 0, add);
    }

    /// Sleeps until an instant; the instant's arrival is an event of the fingerprint.
    pub(crate) fn sleep_until(&self, at: Instant, name: Name, detail: u64) -> Sleep {
        Sleep {
            engine: self.clone(),
            at,
            event: Event { name, detail },
            timer: None,
        }
    }

    /// Sleeps for a while. Inside an object the wake-up waits for the input gate.
    pub(crate) fn sleep(&self, duration: Duration) -> Operation<()> {
        let engine = self.clone();
        let at = self.now() + duration;
        Operation::new(async move {
            engine.sleep_until(at, name!("timer"), 0).await;
            engine.deliver().await;
        })
    }

    /// A timer that stops when it is dropped, as `clearTimeout` does.
    pub(crate) fn timer(&self, duration: Duration) -> LocalBoxFuture<()> {
        let engine = self.clone();
        let at = self.now() + duration;
        Box::pin(async move {
            engine.sleep_until(at, name!("timeout"), 0).await;
            engine.deliver().await;
        })
    }

    /// Adds a task that runs in the scope of its spawner.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        self.spawn_in(scope::current(), Box::pin(task));
    }

    pub(crate) fn spawn_in(&self, scope: Scope, task: BoxedTask) {
        self.0.clock.executor.spawn(scope, task);
    }
}

/// See [`Engine::sleep_until`].
pub(crate) struct Sleep {
    engine: Engine,
    at: Instant,
    event: Event,
    timer: Option<TimerId>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let mut queue = this.engine.0.clock.queue.borrow_mut();
        let timer = *this
            .timer
            .get_or_insert_with(|| queue.start(this.at, this.event));
        if queue.poll(timer, context.waker()) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(timer) = self.timer.take() {
            self.engine.0.clock.queue.borrow_mut().stop(timer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::Elsewhere;
    use crate::world::World;

    #[test]
    fn two_names_of_one_length_and_beginning_are_two_events() {
        let after = |name| {
            let builder = World::builder().script(Rc::new(Elsewhere));
            let world = builder.build().expect("builds");
            world.bindings().0.mix(name, |_| ());
            world.fingerprint()
        };
        assert_eq!(after(name!("kv.get")), after(name!("kv.get")));
        assert_ne!(after(name!("kv.get")), after(name!("kv.put")));
    }

    #[test]
    fn name_and_detail_of_a_timer_count() {
        let after = |name, detail| {
            let builder = World::builder().script(Rc::new(Elsewhere));
            let world = builder.build().expect("builds");
            world.run(async |world| {
                let at = world.now() + Duration::from_secs(1);
                world.bindings().0.sleep_until(at, name, detail).await;
            });
            world.fingerprint()
        };
        assert_eq!(after(name!("one"), 1), after(name!("one"), 1));
        assert_ne!(after(name!("one"), 1), after(name!("one"), 2));
        assert_ne!(after(name!("one"), 1), after(name!("two"), 1));
    }
}
