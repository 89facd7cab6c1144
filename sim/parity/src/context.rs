//! `Context`.

both! {
    use serde::de::DeserializeOwned;
    use worker::{Context, Result};

    fn props<T: DeserializeOwned>(context: &Context) -> Result<T> {
        context.props::<T>()
    }

    fn wait_until<F: Future<Output = ()> + 'static>(context: &Context, future: F) {
        let _: Is<()> = of(context.wait_until(future));
    }

    fn traits() {
        debug::<Context>();
        send_sync::<Context>();
    }
}
