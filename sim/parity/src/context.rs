//! `Context`.

both! {
    use worker::Context;

    fn wait_until<F: Future<Output = ()> + 'static>(context: &Context, future: F) {
        let _: Is<()> = of(context.wait_until(future));
    }

    fn traits() {
        debug::<Context>();
        send_sync::<Context>();
    }
}
