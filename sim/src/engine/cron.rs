//! Cron triggers that fire by themselves, and what a test may run by hand.
//!
//! Every trigger of every Worker whose code runs here fires at its minutes, in the first PoP of the world. The timetable is
//! not made of timers and tasks, so it neither keeps a run going nor counts as unfinished work.

use super::Engine;
use super::deployment::Deployment;
use crate::kernel::time::Instant;
use crate::name;
use crate::nearest::nearest;
use crate::platform::cron::{Expression, Triggers};
use std::rc::Rc;

/// How often triggers may fire while the driver of a run is not polled and no timer is left that it can have waited for.
/// Then it is taken to wait for ever. Ten weeks of a trigger that fires every minute.
const FIRINGS_ALONE_MAX: u32 = 100_000;

/// The triggers that fire by themselves.
#[derive(Default)]
pub(crate) struct Crons {
    triggers: Triggers,
    /// Of each trigger: its Worker, and the expression as the configuration has it.
    owners: Vec<(u16, Rc<str>)>,
    /// Firings since the driver was polled.
    firings: u32,
    /// The timers that had been started by then.
    timers: u64,
}

impl Crons {
    /// The triggers of these Workers, in a world that begins at `start`.
    pub(crate) fn of(workers: &[Deployment], start: Instant) -> Self {
        let mut crons = Self::default();
        for (number, worker) in (0_u16..).zip(workers) {
            if worker.script.borrow().runs_elsewhere() {
                continue;
            }
            for cron in worker.crons.iter().flatten() {
                let expression = cron.parse().expect("the configuration was checked");
                crons.triggers.add(expression, start);
                crons.owners.push((number, Rc::clone(cron)));
            }
        }
        crons
    }

    /// When a trigger is due next.
    pub(crate) fn next_at(&self) -> Option<Instant> {
        self.triggers.next_at()
    }

    /// Leaves out the runs that the wall clock has passed by.
    pub(crate) fn skip_missed(&mut self, now: Instant) {
        self.triggers.skip_missed(now);
    }

    /// The driver of a run was polled when so many timers had been started.
    pub(crate) fn driver_polled(&mut self, timers: u64) {
        (self.firings, self.timers) = (0, timers);
    }
}

impl Engine {
    /// Fires the trigger that is due next.
    ///
    /// # Panics
    /// If the driver of the run waits for something that can never happen, so that triggers alone would go on for ever.
    pub(crate) fn fire_cron(&self) {
        let mut crons = self.0.crons.borrow_mut();
        crons.firings += 1;
        if crons.firings > FIRINGS_ALONE_MAX {
            assert!(
                self.waits_for_one_of(crons.timers),
                "nothing but cron triggers is left to happen, and the run still waits for something"
            );
            crons.firings = 0;
        }
        let (number, minute) = crons.triggers.take().expect("a trigger is due");
        let (deployment, cron) = crons.owners[number].clone();
        drop(crons);
        self.happen(minute, name!("cron"), number as u64);
        let engine = self.clone();
        let run = async move {
            let delay = engine.options().cron_delay;
            if !delay.is_zero() {
                let at = minute + delay;
                engine
                    .sleep_until(at, name!("cron.delay"), number as u64)
                    .await;
            }
            // The console has the failure, and no one waits for it.
            let _ = engine.scheduled(deployment, &cron, minute).await;
        };
        self.spawn_in(None, Box::pin(run));
    }

    /// Why a test may not run an expression by hand; `None` if it may.
    pub(crate) fn refused_cron(&self, deployment: u16, cron: &str) -> Option<String> {
        let worker = self.0.deployments.get(deployment);
        let Some(crons) = &worker.crons else {
            // Without a configuration any expression may be meant.
            let error = cron.parse::<Expression>().err()?;
            return Some(format!("{cron:?} is no cron expression: {error}"));
        };
        if crons.iter().any(|known| **known == *cron) {
            return None;
        }
        let known = || crons.iter().map(|known| &**known);
        let name = &worker.name;
        let help = match nearest(cron, known()) {
            Some(near) => format!("did you mean {near:?}? "),
            None => String::new(),
        };
        Some(if crons.is_empty() {
            format!(
                "the configuration of the Worker {name:?} has no cron triggers, so none is {cron:?}"
            )
        } else {
            let known: Vec<_> = known().map(|known| format!("{known:?}")).collect();
            format!(
                "the configuration of the Worker {name:?} has no cron trigger {cron:?}: {help}it has {}",
                known.join(", ")
            )
        })
    }
}
