//! Turns an `async fn(&World)` into a test that runs it in one world for each seed.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;
use syn::meta::ParseNestedMeta;
use syn::parse::Parser;
use syn::{Error, Expr, ItemFn, LitStr, Path, Result};

/// What the attribute's arguments say.
#[derive(Default)]
struct Arguments {
    pops: Option<Expr>,
    seeds: Option<Expr>,
    setup: Option<Path>,
    config: Option<LitStr>,
    environment: Option<LitStr>,
    package: Option<LitStr>,
    library: Option<Ident>,
}

impl Arguments {
    fn parse(attribute: TokenStream) -> Result<Self> {
        let mut arguments = Self::default();
        syn::meta::parser(|meta| arguments.one(&meta)).parse2(attribute)?;
        Ok(arguments)
    }

    fn one(&mut self, meta: &ParseNestedMeta<'_>) -> Result<()> {
        let name = meta.path.get_ident().map(ToString::to_string);
        match name.as_deref() {
            Some("pops") => set(&mut self.pops, meta),
            Some("seeds") => set(&mut self.seeds, meta),
            Some("setup") => set(&mut self.setup, meta),
            Some("config") => set(&mut self.config, meta),
            Some("env") => set(&mut self.environment, meta),
            Some("package") => set(&mut self.package, meta),
            Some("library") => set(&mut self.library, meta),
            _ => Err(meta.error(
                "not an argument of #[edgeproof::test]: there are pops, seeds, setup, config, env, package and library",
            )),
        }
    }
}

fn set<T: syn::parse::Parse>(place: &mut Option<T>, meta: &ParseNestedMeta<'_>) -> Result<()> {
    if place.is_some() {
        return Err(meta.error("said twice"));
    }
    *place = Some(meta.value()?.parse()?);
    Ok(())
}

pub(crate) fn expand(attribute: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let arguments = Arguments::parse(attribute)?;
    let mut function: ItemFn = syn::parse2(item)?;
    check(&function)?;
    let attributes = std::mem::take(&mut function.attrs);
    let (visibility, name) = (function.vis.clone(), function.sig.ident.clone());
    let module = quote!(::core::module_path!());

    // Names of ours that the user's expressions and functions do not meet.
    let [test, builder, world] =
        ["test", "builder", "world"].map(|name| Ident::new(name, Span::mixed_site()));
    let link = link(&arguments);
    let package = arguments.package.map_or_else(
        || quote!(::core::env!("CARGO_PKG_NAME")),
        |package| quote!(#package),
    );
    let config = option(arguments.config.map(|config| quote!(#config)));
    let environment = option(
        arguments
            .environment
            .map(|environment| quote!(#environment)),
    );
    let pops = arguments
        .pops
        .map(|pops| quote!(let #builder = #builder.pops(#pops);));
    let setup = arguments
        .setup
        .map(|setup| quote!(let #builder = #setup(#builder);));
    let seeds = arguments
        .seeds
        .map_or_else(|| quote!([0]), |seeds| quote!(#seeds));
    Ok(quote! {
        #(#attributes)*
        #[::core::prelude::v1::test]
        #visibility fn #name() {
            #link
            #function
            let #test = ::edgeproof::testing::Test {
                package: ::core::env!("CARGO_PKG_NAME"),
                target: ::core::env!("CARGO_CRATE_NAME"),
                is_outside: ::core::option_env!("CARGO_TARGET_TMPDIR").is_some(),
                module: #module,
                name: ::core::stringify!(#name),
            };
            let #builder = || {
                let #builder = ::edgeproof::testing::builder(
                    #package,
                    ::core::env!("CARGO_MANIFEST_DIR"),
                    #config,
                    #environment,
                );
                #pops
                #setup
                #builder
            };
            ::edgeproof::testing::run(&#test, #builder, #seeds, async |#world| #name(#world).await);
        }
    })
}

fn check(function: &ItemFn) -> Result<()> {
    let signature = &function.sig;
    if signature.asyncness.is_none() {
        return Err(Error::new_spanned(
            signature.fn_token,
            "a test of a Worker is an `async fn(world: &World)`",
        ));
    }
    if signature.inputs.len() != 1 {
        return Err(Error::new_spanned(
            &signature.ident,
            "a test of a Worker takes one parameter: `world: &World`",
        ));
    }
    Ok(())
}

/// Without a use of it, the linker would drop the Worker's library with its handlers; a test inside that library needs none.
fn link(arguments: &Arguments) -> TokenStream {
    let library = match &arguments.library {
        Some(library) => library.clone(),
        None if arguments.package.is_some() => return TokenStream::new(),
        None => {
            let package = std::env::var("CARGO_PKG_NAME").unwrap_or_default();
            let library = package.replace('-', "_");
            // Cargo sets it for what is in tests/ and benches/ alone; a file there may have the library's name.
            let is_outside = std::env::var_os("CARGO_TARGET_TMPDIR").is_some();
            let own = std::env::var("CARGO_CRATE_NAME").unwrap_or_default();
            if library.is_empty() || (own == library && !is_outside) {
                return TokenStream::new();
            }
            Ident::new(&library, Span::call_site())
        }
    };
    quote!(extern crate #library as _;)
}

fn option(value: Option<TokenStream>) -> TokenStream {
    value.map_or_else(
        || quote!(::core::option::Option::None),
        |value| quote!(::core::option::Option::Some(#value)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(attribute: TokenStream, item: TokenStream) -> String {
        let refused = expand(attribute, item);
        refused.expect_err("it is wrong").to_string()
    }

    #[test]
    fn what_is_no_test_of_a_worker_is_refused_with_what_to_write() {
        let right = || {
            quote!(
                async fn it(world: &World) {}
            )
        };
        let unknown = refused(quote!(pop = ["MEX"]), right());
        assert!(
            unknown.contains("there are pops, seeds, setup"),
            "{unknown}"
        );
        assert_eq!(
            refused(quote!(seeds = 0..1, seeds = 0..2), right()),
            "said twice"
        );
        let plain = refused(
            quote!(),
            quote!(
                fn it(world: &World) {}
            ),
        );
        assert_eq!(plain, "a test of a Worker is an `async fn(world: &World)`");
        let lonely = refused(
            quote!(),
            quote!(
                async fn it() {}
            ),
        );
        assert!(lonely.contains("one parameter"), "{lonely}");
    }

    #[test]
    fn attributes_of_the_test_stay_with_it() {
        let item = quote!(
            #[ignore]
            async fn it(world: &World) {}
        );
        let text = expand(quote!(), item).expect("it is right").to_string();
        assert!(text.starts_with("# [ignore]"), "{text}");
    }
}
