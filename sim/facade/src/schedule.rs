//! Cron triggers: what `#[event(scheduled)]` is given.

use edgeproof_sim::Bindings;

/// A run of a cron trigger.
#[derive(Debug, Clone)]
pub struct ScheduledEvent {
    cron: String,
    scheduled_time: f64,
    ty: String,
}

impl ScheduledEvent {
    pub(crate) fn new(cron: &str, scheduled_ms: u64) -> Self {
        #[expect(
            clippy::cast_precision_loss,
            reason = "milliseconds since 1970 stay below 2^53"
        )]
        let scheduled_time = scheduled_ms as f64;
        Self {
            cron: cron.to_owned(),
            scheduled_time,
            ty: "scheduled".to_owned(),
        }
    }

    /// The trigger's cron expression.
    pub fn cron(&self) -> String {
        self.cron.clone()
    }

    /// Always `scheduled`.
    pub fn ty(&self) -> String {
        self.ty.clone()
    }

    /// When it was to run, in milliseconds since the Unix epoch.
    pub fn schedule(&self) -> f64 {
        self.scheduled_time
    }
}

/// The context of a run of a cron trigger.
#[derive(Debug, Clone)]
pub struct ScheduleContext {
    _private: (),
}

impl ScheduleContext {
    pub(crate) fn new() -> Self {
        Self { _private: () }
    }

    /// Keeps `handler` running after the event's handler has ended.
    pub fn wait_until<T>(&self, handler: T)
    where
        T: Future<Output = ()> + 'static,
    {
        Bindings::current().wait_until(Box::pin(handler));
    }
}
