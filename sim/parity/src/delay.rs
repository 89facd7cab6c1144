//! `Delay`.

both! {
    use std::time::Duration;
    use worker::Delay;

    /// A future itself, not only something that can be awaited.
    fn is_a_future(delay: Delay) {
        let _: Is<()> = output(delay);
    }

    fn traits() {
        from::<Duration, Delay>();
        debug::<Delay>();
    }
}
