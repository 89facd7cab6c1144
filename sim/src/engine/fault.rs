//! Starts the faults of a world's list, each at its time.

use super::Engine;
use super::record::Author;
use crate::fault::{Effect, Fault, FaultKind, Space, UnknownName};
use crate::history::{Op, Outcome};
use crate::kernel::time::MILLISECOND;
use crate::limits;
use crate::name;
use std::time::Duration;

impl Engine {
    /// The names that a fault can use here.
    pub(crate) fn space(&self) -> Space {
        let pops = self.0.network.pops.iter();
        let deployments = &self.0.deployments.list;
        let classes = self.0.classes.borrow();
        let namespaces = self.0.namespaces.borrow();
        let databases = self.0.databases.borrow();
        let outbound = self.0.outbound.borrow();
        Space {
            pops: pops.map(|pop| pop.code().to_owned()).collect(),
            workers: texts(deployments.iter().map(|one| &*one.name)),
            classes: texts(classes.iter().map(|class| &*class.name)),
            namespaces: texts(namespaces.iter().map(|one| &*one.binding)),
            databases: texts(databases.iter().map(|one| &*one.binding)),
            hosts: texts(outbound.hosts()),
            routes: deployments
                .iter()
                .flat_map(|one| one.hosts.clone())
                .collect(),
        }
    }

    /// Starts a timer for every fault of the list.
    ///
    /// # Errors
    /// A fault names something that does not exist.
    pub(crate) fn plan_faults(&self, faults: Vec<Fault>) -> Result<(), UnknownName> {
        if faults.is_empty() {
            return Ok(());
        }
        let space = self.space();
        for (number, fault) in (0..).zip(faults) {
            let effect = space.resolve(&fault.kind)?;
            self.expect_fault(&effect);
            let engine = self.clone();
            let start = self.0.clock.start();
            let at = start.after(fault.at_ms.saturating_mul(MILLISECOND));
            self.spawn_in(
                None,
                Box::pin(async move {
                    engine.sleep_until(at, name!("fault"), number).await;
                    engine.begin_fault(&fault.kind, effect);
                }),
            );
        }
        Ok(())
    }

    /// Starts a fault now.
    ///
    /// # Errors
    /// The fault names something that does not exist.
    pub(crate) fn inject(&self, kind: &FaultKind) -> Result<(), UnknownName> {
        let effect = self.space().resolve(kind)?;
        self.expect_fault(&effect);
        self.begin_fault(kind, effect);
        Ok(())
    }

    /// Versions that a delayed PoP will ask for must not be forgotten before it asks.
    fn expect_fault(&self, effect: &Effect) {
        if let Effect::KvDelay { delay, .. } = effect {
            for namespace in self.0.namespaces.borrow_mut().iter_mut() {
                namespace.keep_history(*delay);
            }
        }
    }

    fn begin_fault(&self, kind: &FaultKind, effect: Effect) {
        self.mix(name!("fault.begin"), |fingerprint| {
            fingerprint.mix_bytes(kind.to_string().as_bytes());
        });
        let cause = self.note(
            || Author::platform(None, None),
            || {
                let kind = kind.to_string();
                (Op::Fault { kind }, Outcome::Done)
            },
        );
        let duration = kind.duration().unwrap_or(Duration::ZERO);
        match effect {
            Effect::Reset(class) => {
                self.reset_class(class, limits::durable::RESET_CODE_UPDATED, cause);
            }
            Effect::IsolatesEvicted(pop) => {
                for worker in 0..self.0.deployments.list.len() {
                    let worker = u16::try_from(worker).expect("fewer than 2^16 Workers");
                    let evicted = self.0.isolates.borrow_mut().evict_all(worker, pop);
                    self.forget_isolates(pop, &evicted, cause);
                }
            }
            Effect::OriginHanging(host) => {
                let until = self.now() + duration;
                self.0.outbound.borrow_mut().hang(&host, until);
            }
            lasting => {
                let now = self.now();
                self.0.faults.borrow_mut().begin(now, duration, lasting);
            }
        }
    }
}

fn texts<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    names.map(str::to_owned).collect()
}
