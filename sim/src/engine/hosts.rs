//! The isolates that host objects, one for each Worker and PoP, and when their memory ends.
//!
//! A host is left when its Worker gets new code or when code in it panics; objects that start later get a new one. Code that
//! still runs in a host that was left keeps its memory, which is dropped when the last invocation in it has ended.

use crate::topology::Pop;
use edgeproof_isolate::IsolateId;
use std::cell::RefCell;
use std::rc::Rc;

/// An isolate that hosts objects. Every invocation in it holds it.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) isolate: IsolateId,
    /// Where it reports its end.
    ended: Rc<RefCell<Vec<IsolateId>>>,
}

impl Drop for Host {
    /// This may happen anywhere. What lives in the memory has destructors of its own, so it is dropped at the end of the turn.
    fn drop(&mut self) {
        self.ended.borrow_mut().push(self.isolate);
    }
}

/// The hosts that take objects, and those that have ended.
pub(crate) struct Hosts {
    /// By Worker, then by PoP.
    present: RefCell<Vec<Option<Rc<Host>>>>,
    ended: Rc<RefCell<Vec<IsolateId>>>,
}

impl Hosts {
    /// None yet, of this many Workers.
    pub(crate) fn new(workers: usize) -> Self {
        Self {
            present: RefCell::new(vec![None; workers * Pop::COUNT]),
            ended: Rc::default(),
        }
    }

    /// The host that takes objects of a Worker in a PoP, if one does.
    pub(crate) fn present(&self, deployment: u16, pop: Pop) -> Option<Rc<Host>> {
        self.present.borrow()[place(deployment, pop)].clone()
    }

    /// Objects of a Worker in a PoP start in this isolate from now on.
    pub(crate) fn begin(&self, deployment: u16, pop: Pop, isolate: IsolateId) -> Rc<Host> {
        let host = Rc::new(Host {
            isolate,
            ended: Rc::clone(&self.ended),
        });
        self.present.borrow_mut()[place(deployment, pop)] = Some(Rc::clone(&host));
        host
    }

    /// The next object of a Worker in a PoP starts in a new host.
    pub(crate) fn leave(&self, deployment: u16, pop: Pop) {
        self.present.borrow_mut()[place(deployment, pop)] = None;
    }

    /// Takes out the hosts that have ended.
    pub(crate) fn take_ended(&self) -> Vec<IsolateId> {
        std::mem::take(&mut *self.ended.borrow_mut())
    }
}

fn place(deployment: u16, pop: Pop) -> usize {
    usize::from(deployment) * Pop::COUNT + pop.index()
}
