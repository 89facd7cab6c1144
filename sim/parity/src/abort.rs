//! `AbortController`, `AbortSignal`.

both! {
    use worker::wasm_bindgen::JsValue;
    use worker::{AbortController, AbortSignal};

    const _: fn(&AbortController) -> AbortSignal = AbortController::signal;
    const _: fn(AbortController) = AbortController::abort;
    const _: fn(&AbortSignal) -> bool = AbortSignal::aborted;
    const _: fn(&AbortSignal) -> Option<JsValue> = AbortSignal::reason;
    const _: fn() -> AbortSignal = AbortSignal::abort;

    fn reasons<T: Into<JsValue>>(controller: AbortController, reason: T, again: T) {
        let _: Is<()> = of(controller.abort_with_reason(reason));
        let _: Is<AbortSignal> = of(AbortSignal::abort_with_reason(again));
    }

    fn traits() {
        default::<AbortController>();
        debug::<AbortController>();
        debug::<AbortSignal>();
        clone::<AbortSignal>();
        send_sync::<AbortSignal>();
    }
}
