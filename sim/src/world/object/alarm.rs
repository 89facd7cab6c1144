//! Alarms: the timers and runs that an object's [`Alarm`](crate::platform::durable::alarm::Alarm) asks for.

use crate::bill::usage::Meter;
use crate::exception::Exception;
use crate::history::{Actor, Op, Outcome, Record};
use crate::http::Response;
use crate::kernel::time::Instant;
use crate::platform::durable::alarm::{Action, Run};
use crate::platform::durable::{Object, ObjectRef};
use crate::world::World;

impl World {
    /// Starts a timer for an object's alarm as it stands now, if it needs one.
    pub(in crate::world) fn arm_alarm(&self, class: u16, index: u32) {
        let action = self.with(class, index, Object::alarm_set);
        self.start_alarm_timer(class, index, action);
    }

    /// Carries out [`Action::StartTimer`], in a task of its own.
    fn start_alarm_timer(&self, class: u16, index: u32, action: Action) {
        if let Action::StartTimer(timer_ms) = action {
            let world = self.handle();
            self.spawn_in(
                None,
                Box::pin(async move { world.alarm_timer(class, index, timer_ms).await }),
            );
        }
    }

    /// Waits for a timer, and then does what the alarm asks for until it asks for another timer or for nothing.
    async fn alarm_timer(&self, class: u16, index: u32, timer_ms: u64) {
        let at = Instant::from_unix_ms(timer_ms).max(self.now());
        self.sleep_until(at, "alarm", u64::from(index)).await;
        let now = self.now();
        let mut action = self.with(class, index, |object| {
            object.alarm_timer_fired(timer_ms, now)
        });
        loop {
            action = match action {
                Action::Run(run) => {
                    let succeeded = self.run_alarm(class, index, run).await;
                    self.with(class, index, |object| {
                        object.alarm_ended(run, succeeded, || self.0.alarms.borrow_mut().unit())
                    })
                }
                Action::RetryAfter(delay, run) => {
                    self.sleep_until(self.now() + delay, "alarm.retry", u64::from(index))
                        .await;
                    self.with(class, index, |object| object.alarm_retry_due(run))
                }
                Action::StartTimer(_) | Action::Nothing => {
                    return self.start_alarm_timer(class, index, action);
                }
            };
        }
    }

    /// Runs the handler once. True if it succeeded.
    async fn run_alarm(&self, class: u16, index: u32, run: Run) -> bool {
        let start = self.now();
        self.count(Meter::ObjectRequests, 1);
        let result = self.object_event(class, index, None).await;
        // It has run only when what it wrote is durable (workerd actor-sqlite).
        let result = match self.durable(class, index).await {
            Ok(()) => result,
            Err(reset) => Err(reset),
        };
        self.record_alarm(start, class, index, run, &result);
        result.is_ok()
    }

    fn record_alarm(
        &self,
        start: Instant,
        class: u16,
        index: u32,
        run: Run,
        result: &Result<Response, Exception>,
    ) {
        let Some(history) = &self.0.history else {
            return;
        };
        let home = self.with(class, index, |object| object.home);
        let host = self.0.object_hosts.borrow()[home.index()];
        let (class, id) = self.object_name(ObjectRef {
            class,
            index,
            generation: 0,
        });
        let outcome = match result {
            Ok(_) => Outcome::Done,
            Err(exception) => Outcome::Error {
                message: exception.message.clone(),
            },
        };
        // Not by way of an invocation: those are numbered, and a history must not change the numbers.
        self.push_record(
            history,
            Record {
                start: start.0,
                end: self.now().0,
                pop: home.code().to_owned(),
                isolate: host.and_then(|host| self.isolate_number(host)),
                actor: Actor::Object {
                    class: class.clone(),
                    id: id.clone(),
                },
                op: Op::Alarm {
                    class,
                    id,
                    retry: run.retry,
                },
                outcome,
            },
        );
    }
}
