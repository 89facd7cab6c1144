//! `#[event(...)]`.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote};
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::{Error, Ident, ItemFn, Result, ReturnType, Token};

/// The handlers that the simulator calls.
#[derive(Clone, Copy)]
enum Handler {
    Fetch,
    Scheduled,
    Start,
}

impl Handler {
    fn name(self) -> &'static str {
        match self {
            Self::Fetch => "fetch",
            Self::Scheduled => "scheduled",
            Self::Start => "start",
        }
    }

    /// Number of arguments, and whether the function is async.
    fn shape(self) -> (usize, bool) {
        match self {
            Self::Fetch | Self::Scheduled => (3, true),
            Self::Start => (0, false),
        }
    }
}

pub(crate) fn expand(attr: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let (handler, respond_with_errors) = parse_attributes(attr)?;
    let function: ItemFn = syn::parse2(item)?;
    check_signature(handler, &function)?;
    let registration = match handler {
        Handler::Fetch => fetch(&function, respond_with_errors),
        Handler::Scheduled => scheduled(&function),
        Handler::Start => start(&function),
    };
    Ok(quote! {
        #function
        #registration
    })
}

fn parse_attributes(attr: TokenStream) -> Result<(Handler, bool)> {
    let attributes = Punctuated::<Ident, Token![,]>::parse_terminated.parse2(attr)?;
    let mut handler = None;
    let mut respond_with_errors = false;
    for attribute in attributes {
        match attribute.to_string().as_str() {
            "respond_with_errors" => respond_with_errors = true,
            "fetch" => handler = Some(Handler::Fetch),
            "scheduled" => handler = Some(Handler::Scheduled),
            "start" => handler = Some(Handler::Start),
            event @ ("queue" | "email" | "connect") => {
                let text = format!(
                    "the `{event}` event is not simulated: build this handler for wasm only"
                );
                return Err(Error::new(attribute.span(), text));
            }
            other => {
                return Err(Error::new(
                    attribute.span(),
                    format!("Invalid attribute: {other}"),
                ));
            }
        }
    }
    let missing = "must have either 'fetch', 'scheduled', 'queue', 'email', 'connect', or 'start' \
                   attribute, e.g. #[event(fetch)]";
    let handler = handler.ok_or_else(|| Error::new(Span::call_site(), missing))?;
    Ok((handler, respond_with_errors))
}

fn check_signature(handler: Handler, function: &ItemFn) -> Result<()> {
    let (name, (arguments, is_async)) = (handler.name(), handler.shape());
    let signature = &function.sig;
    if is_async != signature.asyncness.is_some() {
        let not = if is_async { "" } else { " not" };
        let text = format!("the `{name}` handler must{not} be an async function");
        return Err(Error::new_spanned(signature, text));
    }
    let found = signature.inputs.len();
    if found != arguments {
        let text = format!(
            "the `{name}` handler should be a function with {arguments} arguments but found {found}"
        );
        return Err(Error::new_spanned(signature, text));
    }
    Ok(())
}

/// An entry of the registry, in a scope of its own. The empty module makes a second handler of the same
/// kind a compile error, as it is in a Worker.
fn register(handler: Handler, entry: &str, glue: &TokenStream) -> TokenStream {
    let once = format_ident!("_worker_{}", handler.name());
    let entry = submit(entry, glue, &TokenStream::new());
    quote! {
        #[doc(hidden)]
        mod #once {}

        #entry
    }
}

fn submit(entry: &str, glue: &TokenStream, more: &TokenStream) -> TokenStream {
    let entry = format_ident!("{entry}");
    quote! {
        const _: () = {
            #glue

            ::worker::__native::inventory::submit! {
                ::worker::__native::#entry {
                    package: ::core::env!("CARGO_PKG_NAME"),
                    handler: __handler,
                    #more
                }
            }
        };
    }
}

fn fetch(function: &ItemFn, respond_with_errors: bool) -> TokenStream {
    let name = &function.sig.ident;
    let body = if respond_with_errors {
        quote! { ::std::string::ToString::to_string(&error) }
    } else {
        quote! { "INTERNAL SERVER ERROR" }
    };
    // What cannot be converted is told in upstream's words.
    let failed = |text: &str| {
        quote! {{
            let error: ::std::boxed::Box<dyn ::std::error::Error> =
                ::core::convert::Into::into(error);
            ::worker::console_error!(#text, &error);
            ::worker::Response::error(#body, 500)
        }}
    };
    let not_answered = failed("{}");
    let no_response = failed("Error converting response: {}");
    let no_request = failed("Error converting request: {}");
    let glue = quote! {
        fn __handler(
            request: ::std::boxed::Box<::worker::__native::RawRequest>,
            env: ::worker::Env,
            context: ::worker::Context,
        ) -> ::worker::__native::Handled {
            ::std::boxed::Box::pin(async move {
                let answer = match ::worker::FromRequest::from_raw(*request) {
                    ::core::result::Result::Ok(request) => match #name(request, env, context).await {
                        ::core::result::Result::Ok(response) => {
                            match ::worker::IntoResponse::into_raw(response) {
                                ::core::result::Result::Ok(response) => {
                                    ::core::result::Result::Ok(response)
                                }
                                ::core::result::Result::Err(error) => #no_response,
                            }
                        }
                        ::core::result::Result::Err(error) => #not_answered,
                    },
                    ::core::result::Result::Err(error) => #no_request,
                };
                ::worker::__native::finish(answer)
            })
        }
    };
    register(Handler::Fetch, "FetchEntry", &glue)
}

fn scheduled(function: &ItemFn) -> TokenStream {
    let name = &function.sig.ident;
    let glue = quote! {
        fn __handler(
            event: ::worker::ScheduledEvent,
            env: ::worker::Env,
            context: ::worker::ScheduleContext,
        ) -> ::worker::__native::LocalBoxFuture<()> {
            ::std::boxed::Box::pin(async move {
                // What it answers is dropped, as in a Worker.
                let _ = #name(event, env, context).await;
            })
        }
    };
    register(Handler::Scheduled, "ScheduledEntry", &glue)
}

fn start(function: &ItemFn) -> TokenStream {
    let name = &function.sig.ident;
    let call = match function.sig.output {
        ReturnType::Default => quote! { #name() },
        // wasm-bindgen throws the error of a start function.
        ReturnType::Type(..) => quote! {
            ::worker::wasm_bindgen::UnwrapThrowExt::unwrap_throw(#name())
        },
    };
    let glue = quote! {
        fn __handler() {
            #call
        }
    };
    // A Worker may have several.
    let place = quote! { place: (::core::file!(), ::core::line!(), ::core::column!()), };
    submit("StartEntry", &glue, &place)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(attr: TokenStream, item: TokenStream) -> String {
        expand(attr, item)
            .expect_err("the macro refuses this")
            .to_string()
    }

    fn generated(attr: TokenStream, item: TokenStream) -> String {
        let tokens = expand(attr, item).expect("the macro accepts this");
        syn::parse2::<syn::File>(tokens.clone()).expect("what the macro writes parses");
        tokens.to_string()
    }

    #[test]
    fn a_handler_has_the_signature_that_a_worker_asks_for() {
        for (attr, item, text) in [
            (
                quote!(fetch),
                quote!(
                    fn f(a: A, b: B, c: C) -> D {}
                ),
                "the `fetch` handler must be an async function",
            ),
            (
                quote!(fetch),
                quote!(
                    async fn f(a: A) -> D {}
                ),
                "the `fetch` handler should be a function with 3 arguments but found 1",
            ),
            (
                quote!(scheduled),
                quote!(
                    fn f(a: A, b: B, c: C) {}
                ),
                "the `scheduled` handler must be an async function",
            ),
            (
                quote!(scheduled),
                quote!(
                    async fn f() {}
                ),
                "the `scheduled` handler should be a function with 3 arguments but found 0",
            ),
            (
                quote!(start),
                quote!(
                    async fn f() {}
                ),
                "the `start` handler must not be an async function",
            ),
            (
                quote!(start),
                quote!(
                    fn f(a: A) {}
                ),
                "the `start` handler should be a function with 0 arguments but found 1",
            ),
        ] {
            assert_eq!(refusal(attr, item), text);
        }
    }

    #[test]
    fn events_that_are_not_simulated_do_not_compile_and_say_so() {
        for event in ["queue", "email", "connect"] {
            let attr = format_ident!("{event}");
            let text = refusal(
                quote!(#attr),
                quote!(
                    async fn f(a: A, b: B, c: C) {}
                ),
            );
            assert_eq!(
                text,
                format!("the `{event}` event is not simulated: build this handler for wasm only")
            );
        }
    }

    #[test]
    fn an_event_has_to_be_named_and_known() {
        let item = quote!(
            async fn f(a: A, b: B, c: C) {}
        );
        assert!(refusal(quote!(), item.clone()).starts_with("must have either 'fetch'"));
        assert!(refusal(quote!(respond_with_errors), item.clone()).starts_with("must have either"));
        assert_eq!(
            refusal(quote!(fetsh), item.clone()),
            "Invalid attribute: fetsh"
        );
        assert!(expand(quote!(fetch = 1), item).is_err());
        assert!(
            expand(
                quote!(fetch),
                quote!(
                    struct NoFunction;
                )
            )
            .is_err()
        );
    }

    #[test]
    fn the_function_stays_as_it_was() {
        let item = quote!(
            #[doc = "Mine."]
            pub(crate) async fn main(req: Request, _: Env, _: Context) -> Result<Response> {
                answer(req)
            }
        );
        for attr in [
            quote!(fetch),
            quote!(fetch, respond_with_errors,),
            quote!(scheduled),
        ] {
            assert!(generated(attr, item.clone()).starts_with(&item.to_string()));
        }
    }

    #[test]
    fn errors_are_shown_to_the_client_only_where_asked_for() {
        let item = quote!(
            async fn main(a: A, b: B, c: C) -> D {}
        );
        let quiet = generated(quote!(fetch), item.clone());
        assert!(quiet.contains("\"INTERNAL SERVER ERROR\""));
        assert!(!quiet.contains("to_string"));
        let open = generated(quote!(fetch, respond_with_errors), item);
        assert!(!open.contains("INTERNAL SERVER ERROR"));
        assert!(open.contains("to_string"));
    }
}
