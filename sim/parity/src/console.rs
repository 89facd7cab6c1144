//! `console_log!` and its sisters.

both! {
    fn lines(value: &str) {
        let _: Is<()> = of(worker::console_log!("plain"));
        let _: Is<()> = of(worker::console_debug!("{value}"));
        let _: Is<()> = of(worker::console_warn!("{} {value}", 1));
        let _: Is<()> = of(worker::console_error!("{:?} {name}", value, name = value));
    }
}
