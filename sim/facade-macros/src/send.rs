//! `#[send]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Error, ItemFn, Result};

pub(crate) fn expand(_attr: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let ItemFn {
        attrs,
        vis,
        sig,
        block,
    } = syn::parse2(item)?;
    if sig.asyncness.is_none() {
        let text = "#[send] is for async functions: others have no future to send";
        return Err(Error::new_spanned(&sig, text));
    }
    let statements = &block.stmts;
    Ok(quote! {
        #(#attrs)*
        #vis #sig {
            ::worker::send::SendFuture::new(async { #(#statements)* }).await
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_async_function_can_be_sent() {
        let refused = expand(
            quote!(),
            quote!(
                fn f() {}
            ),
        );
        let text = refused.expect_err("the macro refuses this").to_string();
        assert_eq!(
            text,
            "#[send] is for async functions: others have no future to send"
        );
    }

    #[test]
    fn the_body_is_wrapped_and_the_signature_kept() {
        let tokens = expand(
            quote!(),
            quote!(
                #[inline]
                pub async fn f(a: u8) -> u8 {
                    a
                }
            ),
        )
        .expect("the macro accepts an async function");
        let text = tokens.to_string();
        assert!(text.starts_with("# [inline] pub async fn f (a : u8) -> u8 {"));
        assert!(text.contains(":: worker :: send :: SendFuture :: new (async { a }) . await"));
    }
}
