//! Tasks on one thread: first woken, first polled.
//!
//! The executor holds the futures of a world. A task that is woken joins the end of one queue, as promise continuations
//! do in a JavaScript engine, so order never depends on the machine. Wakers are reusable and allocate once per slot.
//!
//! It has no clock and no I/O: the [queue](super::queue) wakes tasks, and so may a runtime around the world (see
//! [`set_outer_waker`](Executor::set_outer_waker)). Wakes from other threads have no effect: a world has one thread.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// A future that lives in the executor.
pub type BoxedTask = Pin<Box<dyn Future<Output = ()>>>;

thread_local! {
    /// Tasks to poll, oldest wake first; of the executor that is [entered](Executor::enter) on this thread.
    static READY: RefCell<VecDeque<u32>> = const { RefCell::new(VecDeque::new()) };
    /// Number of the executor that owns [`READY`], 0 for none.
    static OWNER: Cell<u64> = const { Cell::new(0) };
    /// Woken when a task becomes ready, where a runtime runs around the world.
    static OUTER: RefCell<Option<Waker>> = const { RefCell::new(None) };
}

/// Numbers the executors of the process; only ever compared for equality.
static NEXT_OWNER: AtomicU64 = AtomicU64::new(1);

#[derive(Debug)]
struct TaskWaker {
    owner: u64,
    task: u32,
    /// Set while the task is in the queue, so that many wakes make one poll.
    queued: std::sync::atomic::AtomicBool,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.queued.swap(true, Ordering::Relaxed) {
            return;
        }
        let owner = OWNER.try_with(Cell::get).unwrap_or(0);
        if owner != self.owner {
            // No code polls the tasks of a world that is not running now (or is being dropped), and a live world on
            // another thread must not be woken from here.
            self.queued.store(false, Ordering::Relaxed);
            return;
        }
        READY.with_borrow_mut(|ready| ready.push_back(self.task));
        wake_outer();
    }
}

fn wake_outer() {
    OUTER.with_borrow(|outer| {
        if let Some(outer) = outer {
            outer.wake_by_ref();
        }
    });
}

/// The slot of the driver: the future that the caller of the executor polls itself, so that it may borrow.
const DRIVER: u32 = 0;

struct Slot<S> {
    future: Option<BoxedTask>,
    scope: Option<S>,
    waker: Arc<TaskWaker>,
}

/// The tasks of one world; each carries a scope of type `S` that the caller makes current while it is polled.
pub struct Executor<S> {
    owner: u64,
    slots: RefCell<Vec<Slot<S>>>,
    free: RefCell<Vec<u32>>,
}

impl<S: Clone> Default for Executor<S> {
    fn default() -> Self {
        let owner = NEXT_OWNER.fetch_add(1, Ordering::Relaxed);
        let waker = Arc::new(TaskWaker {
            owner,
            task: DRIVER,
            queued: false.into(),
        });
        let driver = Slot {
            future: None,
            scope: None,
            waker,
        };
        Self {
            owner,
            slots: RefCell::new(vec![driver]),
            free: RefCell::default(),
        }
    }
}

impl<S: Clone> Executor<S> {
    /// Makes this the executor whose tasks can be woken on this thread, until [`leave`](Self::leave).
    ///
    /// # Panics
    /// If another executor is entered: one world runs on a thread at a time.
    pub fn enter(&self) {
        assert_eq!(OWNER.get(), 0, "one world runs on a thread at a time");
        OWNER.set(self.owner);
        // The queue is dropped with its earlier wakes, so every task is polled again.
        READY.with_borrow_mut(|ready| {
            ready.clear();
            for (task, slot) in self.slots.borrow().iter().enumerate() {
                slot.waker
                    .queued
                    .store(slot.future.is_some(), Ordering::Relaxed);
                if slot.future.is_some() {
                    ready.push_back(u32::try_from(task).expect("slots are numbered by u32"));
                }
            }
        });
    }

    /// Ends what [`enter`](Self::enter) began.
    pub fn leave(&self) {
        OWNER.set(0);
        OUTER.with_borrow_mut(|outer| *outer = None);
    }

    /// Sets the waker of the runtime around the world; it is woken whenever a task becomes ready.
    pub fn set_outer_waker(&self, waker: &Waker) {
        OUTER.with_borrow_mut(|outer| match outer {
            Some(outer) => outer.clone_from(waker),
            None => *outer = Some(waker.clone()),
        });
    }

    /// Adds a task; it is polled for the first time after the tasks that are ready now.
    pub fn spawn(&self, scope: S, future: BoxedTask) {
        let mut slots = self.slots.borrow_mut();
        let task = self.free.borrow_mut().pop().unwrap_or_else(|| {
            let task = u32::try_from(slots.len()).expect("fewer than 2^32 tasks");
            let waker = Arc::new(TaskWaker {
                owner: self.owner,
                task,
                queued: false.into(),
            });
            slots.push(Slot {
                future: None,
                scope: None,
                waker,
            });
            task
        });
        let slot = &mut slots[task as usize];
        slot.future = Some(future);
        slot.scope = Some(scope);
        // A waker of the slot's last task may still exist: a spurious poll is harmless.
        slot.waker.queued.store(true, Ordering::Relaxed);
        // Not entered: the task is polled when it is.
        if OWNER.get() == self.owner {
            READY.with_borrow_mut(|ready| ready.push_back(task));
            wake_outer();
        }
    }

    /// Queues a poll of the driver.
    pub fn wake_driver(&self) {
        let waker = Arc::clone(&self.slots.borrow()[DRIVER as usize].waker);
        waker.wake();
    }

    /// Polls ready tasks until none is ready. `scoped` makes a task's scope current around its poll; `driver` polls the
    /// driver and says whether it is done.
    ///
    /// Returns true early, with tasks still ready, once the driver is done.
    pub fn run_ready(
        &self,
        scoped: impl Fn(&S, &mut dyn FnMut()),
        driver: &mut dyn FnMut(&Waker) -> bool,
    ) -> bool {
        while let Some(task) = READY.with_borrow_mut(VecDeque::pop_front) {
            if task == DRIVER {
                let waker = Arc::clone(&self.slots.borrow()[DRIVER as usize].waker);
                waker.queued.store(false, Ordering::Relaxed);
                if driver(&Waker::from(waker)) {
                    return true;
                }
                continue;
            }
            let (mut future, scope, waker) = {
                let mut slots = self.slots.borrow_mut();
                let slot = &mut slots[task as usize];
                slot.waker.queued.store(false, Ordering::Relaxed);
                let Some(future) = slot.future.take() else {
                    continue;
                };
                let scope = slot.scope.clone().expect("a task has a scope");
                (future, scope, Arc::clone(&slot.waker))
            };
            let waker = Waker::from(waker);
            let mut done = false;
            scoped(&scope, &mut || {
                done = future.as_mut().poll(&mut Context::from_waker(&waker)) == Poll::Ready(());
            });
            if done {
                // Dropped in its own scope, because destructors may read the world.
                let mut future = Some(future);
                scoped(&scope, &mut || drop(future.take()));
                self.slots.borrow_mut()[task as usize].scope = None;
                self.free.borrow_mut().push(task);
            } else {
                self.slots.borrow_mut()[task as usize].future = Some(future);
            }
        }
        false
    }

    /// Number of tasks that have not ended.
    pub fn len(&self) -> usize {
        self.slots.borrow().len() - self.free.borrow().len() - 1
    }

    /// Whether every task has ended.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Drops every task. Destructors may spawn; those tasks are dropped too.
    pub fn clear(&self) {
        loop {
            let futures: Vec<_> = self
                .slots
                .borrow_mut()
                .iter_mut()
                .filter_map(|slot| slot.future.take())
                .collect();
            if futures.is_empty() {
                return;
            }
        }
    }
}

impl<S> std::fmt::Debug for Executor<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Executor")
            .field("owner", &self.owner)
            .finish_non_exhaustive()
    }
}
