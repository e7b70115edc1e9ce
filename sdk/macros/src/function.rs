//! What the attributes accept: a plain function, and how its argument and its result are read.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Error, FnArg, ItemFn, Result, ReturnType, Type};

/// How a function takes its data.
pub(crate) enum Data {
    /// It takes none.
    None,
    /// `&T`: made once per virtual user. The type is the owned one.
    Borrowed(Type),
    /// `T`: made afresh for each call.
    Owned(Type),
}

/// A function fit for an attribute.
pub(crate) struct Function {
    pub(crate) item: ItemFn,
    pub(crate) data: Data,
}

impl Function {
    /// Parses a function for the attribute of this name, which may take `data`, or nothing where `data` is `None`.
    pub(crate) fn parse(item: TokenStream, attribute: &str, data: Option<&str>) -> Result<Self> {
        let item: ItemFn = syn::parse2(item)
            .map_err(|error| Error::new(error.span(), format!("#[{attribute}] stands on a function: {error}")))?;
        let signature = &item.sig;
        if let Some(token) = &signature.asyncness {
            return Err(Error::new(
                token.span(),
                format!(
                    "#[{attribute}] functions are not async: a call that waits suspends only its own virtual user; remove `async`"
                ),
            ));
        }
        if let Some(token) = &signature.unsafety {
            return Err(Error::new(
                token.span(),
                format!("#[{attribute}] functions are safe functions; remove `unsafe`"),
            ));
        }
        if !signature.generics.params.is_empty() {
            return Err(Error::new(
                signature.generics.span(),
                format!("#[{attribute}] functions have no generic parameters: the runtime could not choose them"),
            ));
        }
        let mut arguments = signature.inputs.iter();
        let first = arguments.next();
        if let Some(extra) = arguments.next() {
            return Err(Error::new(extra.span(), format!("#[{attribute}] functions take at most one argument")));
        }
        let data = match (first, data) {
            (None, _) => Data::None,
            (Some(argument), None) => {
                return Err(Error::new(argument.span(), format!("#[{attribute}] functions take no argument")));
            }
            (Some(FnArg::Receiver(receiver)), Some(_)) => {
                return Err(Error::new(
                    receiver.span(),
                    format!("#[{attribute}] stands on a free function, not on a method"),
                ));
            }
            (Some(FnArg::Typed(argument)), Some(what)) => argument_type(&argument.ty, attribute, what)?,
        };
        Ok(Self { item, data })
    }

    /// Calls the function with `arguments` and turns what it returns into `Result<(), String>`.
    pub(crate) fn call_for_unit(&self, arguments: &TokenStream) -> TokenStream {
        let name = &self.item.sig.ident;
        match &self.item.sig.output {
            ReturnType::Default => quote! {{ #name(#arguments); ::core::result::Result::Ok(()) }},
            ReturnType::Type(_, ty) if is_unit(ty) => quote! {{ #name(#arguments); ::core::result::Result::Ok(()) }},
            ReturnType::Type(_, ty) if matches!(**ty, Type::Never(_)) => quote! { #name(#arguments) },
            ReturnType::Type(_, ty) => quote_spanned! {ty.span()=>
                match ::flashcrowd::__private::Outcome::outcome(#name(#arguments)) {
                    ::core::result::Result::Ok(()) => ::core::result::Result::Ok(()),
                    ::core::result::Result::Err(__error) => {
                        #[allow(unused_imports, reason = "one of them fits the error type")]
                        use ::flashcrowd::__private::error_text::{ViaDebug as _, ViaDeref as _, ViaDisplay as _, ViaError as _};
                        ::core::result::Result::Err((&&&&::flashcrowd::__private::error_text::Wrap(&__error)).error_text())
                    }
                }
            },
        }
    }
}

fn argument_type(ty: &Type, attribute: &str, what: &str) -> Result<Data> {
    let Type::Reference(reference) = ty else {
        return Ok(Data::Owned(ty.clone()));
    };
    if let Some(token) = &reference.mutability {
        return Err(Error::new(
            token.span(),
            format!(
                "{what} is the same for every call of a #[{attribute}] function; take it by value to change a copy of it"
            ),
        ));
    }
    Ok(Data::Borrowed(match &*reference.elem {
        Type::Slice(slice) => {
            let element = &slice.elem;
            syn::parse_quote!(::std::vec::Vec<#element>)
        }
        Type::Path(path) if path.path.is_ident("str") => syn::parse_quote!(::std::string::String),
        other => other.clone(),
    }))
}

fn is_unit(ty: &Type) -> bool {
    matches!(ty, Type::Tuple(tuple) if tuple.elems.is_empty())
}
