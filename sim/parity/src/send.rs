//! `send`. Upstream's public field `SendWrapper.0` is absent from the façade.

both! {
    use std::rc::Rc;
    use worker::send::{IntoSendFuture, SendFuture, SendWrapper};

    type NotSend = Rc<String>;

    const _: fn(NotSend) -> SendWrapper<NotSend> = SendWrapper::new;
    const _: fn(std::future::Ready<NotSend>) -> SendFuture<std::future::Ready<NotSend>> = SendFuture::new;

    /// Any future, also one that borrows.
    fn futures<'a, F: Future<Output = NotSend> + 'a>(future: F, again: F) {
        let _: Is<NotSend> = output(SendFuture::new(future));
        let _: Is<SendFuture<F>> = of(again.into_send());
    }

    fn wrapper(mut wrapper: SendWrapper<NotSend>) -> usize {
        *wrapper = Rc::default();
        wrapper.len()
    }

    fn traits() {
        send_sync::<SendFuture<std::future::Ready<NotSend>>>();
        send_sync::<SendWrapper<NotSend>>();
        debug::<SendFuture<std::future::Ready<NotSend>>>();
        debug::<SendWrapper<NotSend>>();
        display::<SendWrapper<NotSend>>();
        clone::<SendWrapper<NotSend>>();
        default::<SendWrapper<NotSend>>();
    }
}
