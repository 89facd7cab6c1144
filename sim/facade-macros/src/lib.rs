//! The attribute macros of workers-rs: `#[event]`, `#[durable_object]` and `#[send]`.
//!
//! In a Worker these macros export functions to JavaScript. Here they register what they annotate with
//! `inventory`, under the name of the package they are used in, and the simulator looks it up there. The
//! annotated item itself stays as it is and can be called.
//!
//! They accept what version 0.8.7 accepts and refuse with its words what it refuses. Events that the
//! simulator does not know (`queue`, `email`, `connect`, WebSockets) are compile errors. The generated
//! code names the façade by the path `::worker`.

mod durable_object;
mod event;
mod send;

use proc_macro::TokenStream;

/// Registers a handler of the Worker.
///
/// - `#[event(fetch)] async fn(Request, Env, Context) -> Result<Response, E>` answers requests. It takes any type that is
///   `FromRequest` and answers any that is `IntoResponse`, such as those of the crate `http`. As with workers-rs an error is logged and answered with a 500, whose body says `INTERNAL SERVER ERROR` or,
///   with `#[event(fetch, respond_with_errors)]`, what the error says.
/// - `#[event(scheduled)] async fn(ScheduledEvent, Env, ScheduleContext)` is called by cron triggers.
/// - `#[event(start)] fn()` runs once for every isolate, before anything else.
#[proc_macro_attribute]
pub fn event(attr: TokenStream, item: TokenStream) -> TokenStream {
    event::expand(attr.into(), item.into())
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}

/// Registers a struct as a class of Durable Objects; it has to implement `DurableObject`.
///
/// `#[durable_object(fetch)]` and `#[durable_object(alarm)]` are accepted and mean the same as no argument:
/// in a Worker they only make the exported code smaller.
#[proc_macro_attribute]
pub fn durable_object(attr: TokenStream, item: TokenStream) -> TokenStream {
    durable_object::expand(attr.into(), item.into())
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}

/// Makes the future of an async function `Send`, for frameworks that ask for it.
#[proc_macro_attribute]
pub fn send(attr: TokenStream, item: TokenStream) -> TokenStream {
    send::expand(attr.into(), item.into())
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}
