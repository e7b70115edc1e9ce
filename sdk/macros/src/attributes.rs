//! One function per attribute: from a function to itself and its registration.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote};
use syn::{Error, Ident, LitStr, Result, Token};

use crate::function::{Data, Function};

pub(crate) fn scenario(arguments: TokenStream, item: TokenStream) -> TokenStream {
    finish(item.clone(), try_scenario(arguments, item))
}

pub(crate) fn options(arguments: TokenStream, item: TokenStream) -> TokenStream {
    finish(item.clone(), try_options(arguments, item))
}

pub(crate) fn setup(arguments: TokenStream, item: TokenStream) -> TokenStream {
    finish(item.clone(), try_setup(arguments, item))
}

pub(crate) fn vu_init(arguments: TokenStream, item: TokenStream) -> TokenStream {
    finish(item.clone(), try_vu_init(arguments, item))
}

pub(crate) fn teardown(arguments: TokenStream, item: TokenStream) -> TokenStream {
    finish(item.clone(), try_teardown(arguments, item))
}

pub(crate) fn handle_summary(arguments: TokenStream, item: TokenStream) -> TokenStream {
    finish(item.clone(), try_handle_summary(arguments, item))
}

/// The function stays even where the attribute is wrong, so that one mistake gives one error.
fn finish(item: TokenStream, expanded: Result<TokenStream>) -> TokenStream {
    expanded.unwrap_or_else(|error| {
        let error = error.into_compile_error();
        quote! { #item #error }
    })
}

fn try_scenario(arguments: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let name = scenario_name(arguments)?;
    let function = Function::parse(item, "scenario", Some("setup's data"))?;
    let item = &function.item;
    let ident = item.sig.ident.to_string();
    let renamed = name.is_some();
    let once = name
        .as_ref()
        .map(|name| only_one(&format!("scenario_is_named_{}", name.value().replace('-', "_dash_")), name.span()));
    let name = name.map_or(ident, |name| name.value());
    let run = unit_thunk(&function);
    Ok(quote! {
        #item
        #once
        const _: () = {
            #run
            ::flashcrowd::__private::inventory::submit! {
                ::flashcrowd::__private::ScenarioFunction {
                    name: #name,
                    renamed: #renamed,
                    at: ::flashcrowd::__private::at!(),
                    package: ::flashcrowd::__private::package!(),
                    run: __flashcrowd_thunk,
                }
            }
        };
    })
}

fn try_options(arguments: TokenStream, item: TokenStream) -> Result<TokenStream> {
    no_arguments("options", &arguments)?;
    let function = Function::parse(item, "options", None)?;
    let item = &function.item;
    let name = &item.sig.ident;
    let once = only_one("options_function", name.span());
    Ok(quote! {
        #item
        #once
        const _: () = {
            fn __flashcrowd_thunk() -> ::flashcrowd::Options { #name() }
            ::flashcrowd::__private::inventory::submit! {
                ::flashcrowd::__private::OptionsFunction {
                    at: ::flashcrowd::__private::at!(),
                    package: ::flashcrowd::__private::package!(),
                    make: __flashcrowd_thunk,
                }
            }
        };
    })
}

fn try_setup(arguments: TokenStream, item: TokenStream) -> Result<TokenStream> {
    no_arguments("setup", &arguments)?;
    let function = Function::parse(item, "setup", None)?;
    let item = &function.item;
    let name = &item.sig.ident;
    let once = only_one("setup_function", name.span());
    Ok(quote! {
        #item
        #once
        const _: () = {
            fn __flashcrowd_thunk() -> ::core::result::Result<::core::option::Option<::std::vec::Vec<u8>>, ::std::string::String> {
                #[allow(unused_imports, reason = "one of them fits the type")]
                use ::flashcrowd::__private::error_text::{ViaDebug as _, ViaDeref as _, ViaDisplay as _, ViaError as _};
                #[allow(clippy::let_unit_value, reason = "setup may return nothing")]
                let __returned = #name();
                let __returned = {
                    #[allow(unused_imports, reason = "one of them fits the type")]
                    use ::flashcrowd::__private::fallible::{ViaResult as _, ViaValue as _};
                    (&&::flashcrowd::__private::fallible::Returned::new(__returned)).take_result()
                };
                match __returned {
                    ::core::result::Result::Ok(__data) => ::flashcrowd::__private::encode_data(&__data),
                    ::core::result::Result::Err(__error) => ::core::result::Result::Err((&&&&::flashcrowd::__private::error_text::Wrap(&__error)).error_text()),
                }
            }
            ::flashcrowd::__private::inventory::submit! {
                ::flashcrowd::__private::SetupFunction { at: ::flashcrowd::__private::at!(), run: __flashcrowd_thunk }
            }
        };
    })
}

fn try_vu_init(arguments: TokenStream, item: TokenStream) -> Result<TokenStream> {
    unit_stage("vu_init", "VuInitFunction", arguments, item)
}

fn try_teardown(arguments: TokenStream, item: TokenStream) -> Result<TokenStream> {
    unit_stage("teardown", "TeardownFunction", arguments, item)
}

/// A function that may take setup's data and returns nothing, of which a module has one at most.
fn unit_stage(attribute: &str, registered: &str, arguments: TokenStream, item: TokenStream) -> Result<TokenStream> {
    no_arguments(attribute, &arguments)?;
    let function = Function::parse(item, attribute, Some("setup's data"))?;
    let item = &function.item;
    let once = only_one(&format!("{attribute}_function"), item.sig.ident.span());
    let run = unit_thunk(&function);
    let registered = format_ident!("{registered}");
    Ok(quote! {
        #item
        #once
        const _: () = {
            #run
            ::flashcrowd::__private::inventory::submit! {
                ::flashcrowd::__private::#registered { at: ::flashcrowd::__private::at!(), run: __flashcrowd_thunk }
            }
        };
    })
}

fn try_handle_summary(arguments: TokenStream, item: TokenStream) -> Result<TokenStream> {
    no_arguments("handle_summary", &arguments)?;
    let function = Function::parse(item, "handle_summary", Some("the summary's data"))?;
    let item = &function.item;
    let name = &item.sig.ident;
    let once = only_one("handle_summary_function", name.span());
    let call = match &function.data {
        Data::None => quote! { #name() },
        Data::Borrowed(ty) => quote! {{
            let __data: #ty = ::flashcrowd::__private::summary_data(__data)?;
            #name(&__data)
        }},
        Data::Owned(ty) => quote! { #name(::flashcrowd::__private::summary_data::<#ty>(__data)?) },
    };
    Ok(quote! {
        #item
        #once
        const _: () = {
            fn __flashcrowd_thunk(
                #[allow(unused_variables, reason = "the function may take nothing")] __data: &str,
            ) -> ::core::result::Result<
                ::core::option::Option<::std::vec::Vec<(::std::string::String, ::std::vec::Vec<u8>)>>,
                ::std::string::String,
            > {
                #[allow(unused_imports, reason = "one of them fits the type")]
                use ::flashcrowd::__private::error_text::{ViaDebug as _, ViaDeref as _, ViaDisplay as _, ViaError as _};
                let __returned = #call;
                let __returned = {
                    #[allow(unused_imports, reason = "one of them fits the type")]
                    use ::flashcrowd::__private::fallible::{ViaResult as _, ViaValue as _};
                    (&&::flashcrowd::__private::fallible::Returned::new(__returned)).take_result()
                };
                match __returned {
                    ::core::result::Result::Ok(__summary) => ::core::result::Result::Ok(::flashcrowd::__private::into_files(__summary)),
                    ::core::result::Result::Err(__error) => ::core::result::Result::Err((&&&&::flashcrowd::__private::error_text::Wrap(&__error)).error_text()),
                }
            }
            ::flashcrowd::__private::inventory::submit! {
                ::flashcrowd::__private::HandleSummaryFunction { at: ::flashcrowd::__private::at!(), run: __flashcrowd_thunk }
            }
        };
    })
}

/// `fn __flashcrowd_thunk() -> Result<(), String>` for a function that may take setup's data.
fn unit_thunk(function: &Function) -> TokenStream {
    let name = function.item.sig.ident.to_string();
    let body = match &function.data {
        Data::None => function.call_for_unit(&TokenStream::new()),
        Data::Borrowed(ty) => {
            let call = function.call_for_unit(&quote! { __data });
            quote! {
                ::std::thread_local! {
                    static __DATA: ::core::cell::OnceCell<#ty> = const { ::core::cell::OnceCell::new() };
                }
                ::flashcrowd::__private::with_data(#name, &__DATA, |__data| #call)
            }
        }
        Data::Owned(ty) => {
            let call = function.call_for_unit(&quote! { __data });
            quote! {
                let __data: #ty = ::flashcrowd::__private::owned_data(#name)?;
                #call
            }
        }
    };
    quote! {
        #[allow(unreachable_code, reason = "the function may never return")]
        fn __flashcrowd_thunk() -> ::core::result::Result<(), ::std::string::String> { #body }
    }
}

/// A type whose second definition in one Rust module is an error that tells what is there twice.
fn only_one(what: &str, span: Span) -> TokenStream {
    let ident = Ident::new(&format!("__flashcrowd_only_one_{what}"), span);
    quote! {
        #[doc(hidden)]
        #[allow(non_camel_case_types, dead_code, reason = "exists to be unique")]
        enum #ident {}
    }
}

fn no_arguments(attribute: &str, arguments: &TokenStream) -> Result<()> {
    if arguments.is_empty() {
        return Ok(());
    }
    Err(Error::new_spanned(arguments, format!("#[{attribute}] takes no arguments")))
}

/// The name in `#[scenario(name = "…")]`.
fn scenario_name(arguments: TokenStream) -> Result<Option<LitStr>> {
    if arguments.is_empty() {
        return Ok(None);
    }
    let name: LitStr = syn::parse::Parser::parse2(
        |input: syn::parse::ParseStream<'_>| {
            let key: Ident = input.parse()?;
            if key != format_ident!("name") {
                return Err(Error::new(
                    key.span(),
                    format!("`{key}` is not an argument of #[scenario]; there is only `name = \"…\"`"),
                ));
            }
            input.parse::<Token![=]>()?;
            let name = input.parse()?;
            input.parse::<Option<Token![,]>>()?;
            Ok(name)
        },
        arguments,
    )?;
    let value = name.value();
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if value.is_empty() || !value.chars().all(allowed) {
        return Err(Error::new(name.span(), format!("{value:?} cannot be a name: use letters, digits, `_` and `-`")));
    }
    Ok(Some(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    type Attribute = fn(TokenStream, TokenStream) -> Result<TokenStream>;

    fn refusal(attribute: Attribute, arguments: TokenStream, item: TokenStream) -> String {
        attribute(arguments, item).expect_err("this must be refused").to_string()
    }

    #[test]
    fn what_a_scenario_function_cannot_be_is_refused() {
        let refused = |item| refusal(try_scenario, quote!(), item);
        assert_eq!(
            refused(quote!(
                async fn pay() {}
            )),
            "#[scenario] functions are not async: a call that waits suspends only its own virtual user; remove `async`"
        );
        assert_eq!(
            refused(quote!(
                unsafe fn pay() {}
            )),
            "#[scenario] functions are safe functions; remove `unsafe`"
        );
        assert_eq!(
            refused(quote!(
                fn pay<T>(data: T) {}
            )),
            "#[scenario] functions have no generic parameters: the runtime could not choose them"
        );
        assert_eq!(
            refused(quote!(
                fn pay(a: A, b: B) {}
            )),
            "#[scenario] functions take at most one argument"
        );
        assert_eq!(
            refused(quote!(
                fn pay(&self) {}
            )),
            "#[scenario] stands on a free function, not on a method"
        );
        assert_eq!(
            refused(quote!(
                fn pay(data: &mut Data) {}
            )),
            "setup's data is the same for every call of a #[scenario] function; take it by value to change a copy of it"
        );
        assert!(
            refused(quote!(
                struct Pay;
            ))
            .starts_with("#[scenario] stands on a function")
        );
    }

    #[test]
    fn what_a_name_cannot_be_is_refused() {
        let refused = |arguments| {
            refusal(
                try_scenario,
                arguments,
                quote!(
                    fn pay() {}
                ),
            )
        };
        assert_eq!(
            refused(quote!(name = "pay by card")),
            "\"pay by card\" cannot be a name: use letters, digits, `_` and `-`"
        );
        assert_eq!(refused(quote!(name = "")), "\"\" cannot be a name: use letters, digits, `_` and `-`");
        assert_eq!(
            refused(quote!(exec = "pay")),
            "`exec` is not an argument of #[scenario]; there is only `name = \"…\"`"
        );
        assert!(
            try_scenario(
                quote!(name = "pay-by-card"),
                quote!(
                    fn pay() {}
                )
            )
            .is_ok()
        );
    }

    #[test]
    fn the_other_attributes_take_no_arguments() {
        let others: [(Attribute, &str); 5] = [
            (try_options, "options"),
            (try_setup, "setup"),
            (try_vu_init, "vu_init"),
            (try_teardown, "teardown"),
            (try_handle_summary, "handle_summary"),
        ];
        for (attribute, name) in others {
            assert_eq!(
                refusal(
                    attribute,
                    quote!(name = "x"),
                    quote!(
                        fn f() {}
                    )
                ),
                format!("#[{name}] takes no arguments")
            );
        }
        assert_eq!(
            refusal(
                try_options,
                quote!(),
                quote!(
                    fn f(data: u8) {}
                )
            ),
            "#[options] functions take no argument"
        );
        assert_eq!(
            refusal(
                try_setup,
                quote!(),
                quote!(
                    fn f(data: u8) {}
                )
            ),
            "#[setup] functions take no argument"
        );
    }

    #[test]
    fn a_refused_function_stays() {
        let expanded = scenario(
            quote!(),
            quote!(
                async fn pay() {}
            ),
        )
        .to_string();
        assert!(expanded.starts_with("async fn pay () { }") && expanded.contains("compile_error"), "{expanded}");
    }
}
