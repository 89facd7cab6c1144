//! The attribute `#[edgeproof::test]`. Its documentation is where users meet it, in the crate `edgeproof`.

mod test;

use proc_macro::TokenStream;

#[expect(missing_docs, reason = "the crate edgeproof documents it")]
#[proc_macro_attribute]
pub fn test(attribute: TokenStream, item: TokenStream) -> TokenStream {
    test::expand(attribute.into(), item.into())
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}
