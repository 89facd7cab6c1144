//! The isolate of an object: it starts with the first object in it, and a panic ends it.

use crate::engine::Engine;
use crate::engine::hosts::Host;
use crate::engine::scope::Invocation;
use crate::topology::Pop;
use std::rc::Rc;

impl Engine {
    /// The host of a Worker's objects in a PoP; it starts with the first of them.
    pub(super) fn host(&self, deployment: u16, pop: Pop) -> Rc<Host> {
        let hosts = &self.0.hosts;
        hosts.present(deployment, pop).unwrap_or_else(|| {
            let isolate = self.0.isolates.borrow_mut().reserve();
            let host = hosts.begin(deployment, pop, isolate);
            let script = Rc::clone(&self.0.deployments.get(deployment).script.borrow());
            let before = edgeproof_isolate::enter(isolate);
            script.start();
            edgeproof_isolate::enter(before);
            host
        })
    }

    /// Code of an object panicked: the memory of its host is gone, and every object in it is reset.
    ///
    /// So it is with workers-rs 0.8.7: after a panic its glue (`shim.js`) makes a new wasm instance, and makes each object
    /// anew there when it is called next. What the old instance was still doing never ends there; here calls in flight fail
    /// with `reason`, and `waitUntil` tasks go on in the old memory.
    pub(crate) fn host_panicked(&self, invocation: &Invocation, reason: &str) {
        let (deployment, pop) = (invocation.deployment, invocation.pop);
        let present = self.0.hosts.present(deployment, pop);
        let is_present = match (&present, &invocation.host) {
            (Some(present), Some(own)) => Rc::ptr_eq(present, own),
            _ => false,
        };
        // The objects of a host that was left were reset when it was.
        if !is_present {
            return;
        }
        self.0.hosts.leave(deployment, pop);
        let classes = (0_u16..).zip(&self.0.deployments.classes);
        for (class, _) in classes.filter(|(_, class)| class.deployment == deployment) {
            self.reset_class_in(class, Some(pop), reason, invocation.cause);
        }
    }

    /// Drops the memory of hosts that have ended. True if there were any.
    pub(crate) fn drop_ended_hosts(&self) -> bool {
        let ended = self.0.hosts.take_ended();
        for isolate in &ended {
            edgeproof_isolate::evict(*isolate);
        }
        !ended.is_empty()
    }
}
