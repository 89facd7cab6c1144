//! `send`, and which types are `Send` and `Sync`. Upstream's public field `SendWrapper.0` is absent from the façade.
//!
//! A Worker leans on `Send` and `Sync` without naming them: `?` into `anyhow::Error`, the state of an axum router, the source of
//! an error. So each public type of the façade must have both or lack both where upstream's does.

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

/// Whether `T` is `Send` and `Sync`. An associated constant of the type itself wins over one of a trait.
struct Crosses<T>(std::marker::PhantomData<T>);

trait Otherwise {
    const SEND: bool = false;
    const SYNC: bool = false;
}

impl<T> Otherwise for Crosses<T> {}

impl<T: Send> Crosses<T> {
    const SEND: bool = true;
}

impl<T: Sync> Crosses<T> {
    const SYNC: bool = true;
}

/// Compares the same types of both crates.
macro_rules! crosses_alike {
    ($($real:path, $native:path: $($type:ident $(<$($argument:tt),*>)?)*;)*) => {$($(
        const _: () = {
            use $native as native;
            use $real as real;
            type Real = Crosses<real::$type$(<$($argument),*>)?>;
            type Native = Crosses<native::$type$(<$($argument),*>)?>;
            assert!(
                Real::SEND == Native::SEND,
                concat!(stringify!($type), " is Send in one crate alone"),
            );
            assert!(
                Real::SYNC == Native::SYNC,
                concat!(stringify!($type), " is Sync in one crate alone"),
            );
        };
    )*)*};
}

crosses_alike! {
    ::real, ::native: AbortController AbortSignal AnalyticsEngineDataset BlobType Body BotManagement Bucket ByteStream CacheMode Cf CfProperties
        CfResponseProperties Conditional Context Cors D1Database D1PreparedStatement D1Result
        Date DateInit Delay EncodeBody Env Error Fetch Fetcher File FixedLengthStream FormData FormEntry Headers KvError KvStore
        HttpMetadata Include JsDetection Method MinifyConfig MultipartUpload Object Objects ObjectNamespace PolishConfig Range Request RequestInit RequestRedirect ResizeBorder
        ResizeCompression ResizeConfig ResizeDraw ResizeDrawRepeat ResizeFit ResizeFlip ResizeFormat ResizeGravity
        ResizeGravitySide ResizeMetadata ResizeOnerror ResizeOriginAuth ResizeQuality ResizeQualityLiteral ResizeTrim
        Response ResponseBody ResponseBuilder RouteContext<()> RouteParams Router<'static, ()> ScheduleContext
        ScheduledEvent Secret SecretStore SqlCursor SqlCursorIterator<()> SqlCursorRawIterator SqlStorage SqlStorageValue State
        Storage Stub TlsClientAuth Transaction UploadedPart Var;
    ::real::d1, ::native::d1: D1Error D1PreparedArgument<'static> D1ResultMeta D1Type<'static>;
    ::real::durable, ::native::durable: GetAlarmOptions ListOptions<'static> ObjectId<'static> ScheduledTime SetAlarmOptions;
    ::real::kv, ::native::kv: GetBulkOptionsBuilder GetOptionsBuilder Key ListOptionsBuilder ListResponse PutOptionsBuilder;
    ::real::js_sys, ::native::js_sys: Array ArrayBuffer ArrayIntoIter Boolean Date Error EvalError IntoIter Iterator JsString Map Number Object
        RangeError ReferenceError SyntaxError TypeError Uint8Array UriError;
    ::real::wasm_bindgen, ::native::wasm_bindgen: JsError JsValue;
}
