//! Alarms: the timers and runs that an object's [`Alarm`](crate::platform::durable::alarm::Alarm) asks for.

use crate::bill::usage::Meter;
use crate::engine::Engine;
use crate::engine::record::{Author, failed};
use crate::history::{Op, Outcome};
use crate::kernel::time::Instant;
use crate::name;
use crate::platform::durable::Object;
use crate::platform::durable::alarm::{Action, Run};
use crate::script::Event;

impl Engine {
    /// Starts a timer for an object's alarm as it stands now, if it needs one.
    pub(crate) fn arm_alarm(&self, class: u16, index: u32) {
        let action = self.with(class, index, Object::alarm_set);
        self.start_alarm_timer(class, index, action);
    }

    /// Carries out [`Action::StartTimer`], in a task of its own.
    fn start_alarm_timer(&self, class: u16, index: u32, action: Action) {
        if let Action::StartTimer(timer_ms) = action {
            let engine = self.clone();
            self.spawn_in(
                None,
                Box::pin(async move { engine.alarm_timer(class, index, timer_ms).await }),
            );
        }
    }

    /// Waits for a timer, then carries out the alarm's actions until it asks for another timer or for nothing.
    async fn alarm_timer(&self, class: u16, index: u32, timer_ms: u64) {
        let at = Instant::from_unix_ms(timer_ms).max(self.now());
        self.sleep_until(at, name!("alarm"), u64::from(index)).await;
        let now = self.now();
        let mut action = self.with(class, index, |object| {
            object.alarm_timer_fired(timer_ms, now)
        });
        loop {
            action = match action {
                Action::Run(run) => {
                    let succeeded = self.run_alarm(class, index, run).await;
                    self.with(class, index, |object| {
                        object.alarm_ended(run, succeeded, || {
                            self.0.chance.alarms.borrow_mut().unit()
                        })
                    })
                }
                Action::RetryAfter(delay, run) => {
                    self.sleep_until(self.now() + delay, name!("alarm.retry"), u64::from(index))
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
        self.count(Meter::ObjectRequests, 1);
        let home = self.with(class, index, |object| object.home);
        let cause = self.alarm_cause(class, index);
        let begun = self.begin_as(
            || Author::platform(Some(home), cause),
            || {
                let retry = run.retry;
                let (class, id) = self.object_name(class, index);
                Op::Alarm { class, id, retry }
            },
        );
        let result = self
            .object_event(class, index, Event::Alarm, None, begun)
            .await;
        // The run counts as done only when its writes are durable (workerd actor-sqlite).
        let result = match self.durable(class, index).await {
            Ok(()) => result,
            Err(reset) => Err(reset),
        };
        self.mix(name!("alarm.ended"), |fingerprint| {
            fingerprint.mix(u64::from(class) << 32 | u64::from(index));
            match &result {
                Ok(_) => fingerprint.mix(0),
                Err(exception) => fingerprint.mix_bytes(exception.message.as_bytes()),
            }
        });
        self.finish(begun, || match &result {
            Ok(_) => Outcome::Done,
            Err(exception) => failed(exception),
        });
        result.is_ok()
    }
}
