//! `ScheduledEvent`, `ScheduleContext`.

both! {
    use worker::{ScheduleContext, ScheduledEvent};

    const _: fn(&ScheduledEvent) -> String = ScheduledEvent::cron;
    const _: fn(&ScheduledEvent) -> String = ScheduledEvent::ty;
    const _: fn(&ScheduledEvent) -> f64 = ScheduledEvent::schedule;

    fn wait_until<F: Future<Output = ()> + 'static>(context: &ScheduleContext, future: F) {
        let _: Is<()> = of(context.wait_until(future));
    }

    fn traits() {
        clone::<ScheduledEvent>();
        debug::<ScheduledEvent>();
        clone::<ScheduleContext>();
        debug::<ScheduleContext>();
    }
}
