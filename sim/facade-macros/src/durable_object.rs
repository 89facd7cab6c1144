//! `#[durable_object]`.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{Error, Ident, ItemImpl, ItemStruct, Result};

pub(crate) fn expand(attr: TokenStream, item: TokenStream) -> Result<TokenStream> {
    if syn::parse2::<ItemImpl>(item.clone()).is_ok() {
        let text = "The #[durable_object] macro is no longer required for `impl` blocks, and can be removed";
        return Err(Error::new(Span::call_site(), text));
    }
    let class: ItemStruct = syn::parse2(item)?;
    check_argument(attr)?;
    if !class.generics.params.is_empty() {
        let text = "structs with #[durable_object] cannot have lifetime or type parameters";
        return Err(Error::new_spanned(&class.generics, text));
    }
    let name = &class.ident;
    Ok(quote! {
        #class

        impl ::worker::durable::has_durable_object_attribute for #name {}

        const _: () = {
            fn __construct(
                state: ::worker::State,
                env: ::worker::Env,
            ) -> ::std::rc::Rc<dyn ::worker::__native::ErasedObject> {
                ::std::rc::Rc::new(<#name as ::worker::DurableObject>::new(state, env))
            }

            ::worker::__native::inventory::submit! {
                ::worker::__native::ClassEntry {
                    package: ::core::env!("CARGO_PKG_NAME"),
                    class: ::core::stringify!(#name),
                    construct: __construct,
                }
            }
        };
    })
}

/// The argument names the events that are exported; without one all are.
fn check_argument(attr: TokenStream) -> Result<()> {
    if attr.is_empty() {
        return Ok(());
    }
    let event: Ident = syn::parse2(attr)?;
    let text = match event.to_string().as_str() {
        "fetch" | "alarm" => return Ok(()),
        event @ ("websocket" | "connect") => {
            format!("the `{event}` events of a Durable Object are not simulated")
        }
        _ => "must have either 'fetch', 'alarm', 'websocket' or 'connect' attribute, \
              e.g. #[durable_object(websocket)]"
            .to_owned(),
    };
    Err(Error::new(event.span(), text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(attr: TokenStream, item: TokenStream) -> String {
        expand(attr, item)
            .expect_err("the macro refuses this")
            .to_string()
    }

    #[test]
    fn a_class_is_a_struct_without_parameters() {
        assert_eq!(
            refusal(quote!(), quote!(impl DurableObject for Limiter {})),
            "The #[durable_object] macro is no longer required for `impl` blocks, and can be removed"
        );
        assert_eq!(
            refusal(
                quote!(),
                quote!(
                    struct Limiter<T>(T);
                )
            ),
            "structs with #[durable_object] cannot have lifetime or type parameters"
        );
        assert!(
            expand(
                quote!(),
                quote!(
                    fn limiter() {}
                )
            )
            .is_err()
        );
    }

    #[test]
    fn the_events_of_a_class_are_known_or_refused() {
        let class = quote!(
            pub struct Limiter;
        );
        assert!(expand(quote!(fetch), class.clone()).is_ok());
        assert!(expand(quote!(alarm), class.clone()).is_ok());
        assert_eq!(
            refusal(quote!(websocket), class.clone()),
            "the `websocket` events of a Durable Object are not simulated"
        );
        assert_eq!(
            refusal(quote!(connect), class.clone()),
            "the `connect` events of a Durable Object are not simulated"
        );
        assert!(refusal(quote!(alarms), class.clone()).starts_with("must have either 'fetch'"));
        assert!(expand(quote!(fetch, alarm), class).is_err());
    }

    #[test]
    fn the_struct_stays_as_it_was_and_gives_its_name_to_the_class() {
        let class = quote!(
            #[derive(Debug)]
            pub struct Limiter {
                state: State,
            }
        );
        let tokens = expand(quote!(), class.clone()).expect("the macro accepts a struct");
        syn::parse2::<syn::File>(tokens.clone()).expect("what the macro writes parses");
        let text = tokens.to_string();
        assert!(text.starts_with(&class.to_string()));
        assert!(text.contains("stringify ! (Limiter)"));
    }
}
