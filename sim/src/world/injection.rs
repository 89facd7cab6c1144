//! Faults beginning, as the list says.

use super::World;
use crate::fault::{Fault, FaultKind};
use crate::history::{Op, Outcome};
use crate::kernel::time::MILLISECOND;
use crate::limits;
use crate::topology::Pop;
use std::time::Duration;

impl World {
    /// Starts a timer for every fault of the list.
    pub(super) fn plan_faults(&self, faults: Vec<Fault>) {
        for (number, fault) in (0..).zip(faults) {
            self.expect_fault(&fault.kind);
            let world = self.handle();
            let at = self.start().after(fault.at_ms.saturating_mul(MILLISECOND));
            self.spawn_in(
                None,
                Box::pin(async move {
                    world.sleep_until(at, "fault", number).await;
                    world.inject(fault.kind);
                }),
            );
        }
    }

    /// Versions that a delayed PoP will ask for must not be forgotten before it asks.
    fn expect_fault(&self, kind: &FaultKind) {
        if let FaultKind::KvPropagationDelay { delay_ms, .. } = kind {
            for namespace in self.0.namespaces.borrow_mut().iter_mut() {
                namespace.keep_history(Duration::from_millis(*delay_ms));
            }
        }
    }

    /// Lets something go wrong now.
    ///
    /// A propagation delay that was not in the world's list cannot bring back versions that were overwritten before.
    pub fn inject(&self, kind: FaultKind) {
        self.expect_fault(&kind);
        self.record(self.now(), &None, || {
            (
                Op::Fault {
                    kind: kind.to_string(),
                },
                Outcome::Done,
            )
        });
        match &kind {
            FaultKind::ObjectReset { class } => {
                self.reset_class(class, limits::durable::RESET_CODE_UPDATED)
            }
            FaultKind::IsolateEvicted { pop } => {
                if let Some(pop) = Pop::from_code(pop) {
                    let evicted = self.0.isolates.borrow_mut().evict_all(pop);
                    self.forget_isolates(pop, &evicted);
                }
            }
            FaultKind::OriginHanging { host, for_ms } => {
                let until = self.now().after(for_ms.saturating_mul(MILLISECOND));
                self.0.outbound.borrow_mut().hang(host, until);
            }
            _ => {}
        }
        self.0.faults.borrow_mut().begin(self.now(), kind);
    }
}
