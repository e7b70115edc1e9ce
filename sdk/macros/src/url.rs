//! `url!`: a URL and the template that it was made from.

use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Error, Expr, Ident, LitStr, Result, Token};

struct Call {
    template: LitStr,
    values: Vec<Expr>,
}

impl Parse for Call {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let template = input.parse()?;
        let mut values = Vec::new();
        if input.parse::<Option<Token![,]>>()?.is_some() {
            values = Punctuated::<Expr, Token![,]>::parse_terminated(input)?.into_iter().collect();
        }
        Ok(Self { template, values })
    }
}

/// A stretch of a template.
#[derive(Debug, PartialEq)]
enum Part {
    Text(String),
    Placeholder(String),
}

pub(crate) fn expand(input: TokenStream) -> TokenStream {
    try_expand(input).unwrap_or_else(Error::into_compile_error)
}

fn try_expand(input: TokenStream) -> Result<TokenStream> {
    let Call { template, values } = syn::parse2(input)?;
    let error = |text: String| Error::new(template.span(), text);
    let parts = split(&template.value()).map_err(error)?;
    let names: Vec<&String> =
        parts.iter().filter_map(|part| if let Part::Placeholder(name) = part { Some(name) } else { None }).collect();
    if !values.is_empty() && values.len() != names.len() {
        return Err(error(format!(
            "the template has {} placeholder(s), but {} value(s) are given; give one for each, in order, or none to take the variables of the same name",
            names.len(),
            values.len()
        )));
    }
    let mut values = values.into_iter();
    let mut pushes = TokenStream::new();
    for (index, part) in parts.iter().enumerate() {
        pushes.extend(match part {
            Part::Text(text) => quote! { __url.text(#text); },
            Part::Placeholder(name) => {
                let value = match values.next() {
                    Some(value) => quote! { #value },
                    None => {
                        let variable: Ident = syn::parse_str::<Ident>(name)
                            .map(|ident| Ident::new(&ident.to_string(), template.span()))
                            .map_err(|_| {
                                error(format!(
                                    "`{{{name}}}` is not a variable's name; give its value after the template"
                                ))
                            })?;
                        quote! { #variable }
                    }
                };
                if index == 0 {
                    quote! { __url.raw(&#value); }
                } else {
                    quote! { __url.value(&#value); }
                }
            }
        });
    }
    // A base URL is not part of what groups requests: `{base}/users/{id}` is named `/users/{id}`.
    let name = match parts.split_first() {
        Some((Part::Placeholder(base), [_, ..])) => template.value().split_off(base.len() + 2),
        _ => template.value(),
    };
    Ok(quote! {{
        static __TEMPLATE: ::flashcrowd::http::Template = ::flashcrowd::http::Template::new(#name);
        let mut __url = ::flashcrowd::__private::UrlWriter::new();
        #pushes
        __url.finish(&__TEMPLATE)
    }})
}

fn split(template: &str) -> std::result::Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut rest = template;
    while let Some(at) = rest.find(['{', '}']) {
        if rest[at..].starts_with('}') {
            return Err("a `}` without its `{`".to_owned());
        }
        if at > 0 {
            parts.push(Part::Text(rest[..at].to_owned()));
        }
        let Some(end) = rest[at..].find('}') else {
            return Err("a `{` without its `}`".to_owned());
        };
        let name = rest[at + 1..at + end].trim();
        if name.is_empty() || name.contains('{') {
            return Err(format!(
                "`{}` is not a placeholder; write its name between the braces, as in `{{id}}`",
                &rest[at..=at + end]
            ));
        }
        parts.push(Part::Placeholder(name.to_owned()));
        rest = &rest[at + end + 1..];
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest.to_owned()));
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Part {
        Part::Text(text.to_owned())
    }

    fn placeholder(name: &str) -> Part {
        Part::Placeholder(name.to_owned())
    }

    #[test]
    fn a_template_is_split_at_its_placeholders() {
        assert_eq!(split("/users").unwrap(), [text("/users")]);
        assert_eq!(split("/users/{id}").unwrap(), [text("/users/"), placeholder("id")]);
        assert_eq!(
            split("{base}/a/{ b }/c").unwrap(),
            [placeholder("base"), text("/a/"), placeholder("b"), text("/c")]
        );
        assert_eq!(split("").unwrap(), []);
    }

    #[test]
    fn a_broken_template_is_refused() {
        assert_eq!(split("/users/{id").unwrap_err(), "a `{` without its `}`");
        assert_eq!(split("/users/id}").unwrap_err(), "a `}` without its `{`");
        assert!(split("/users/{}").unwrap_err().starts_with("`{}` is not a placeholder"));
        assert!(split("/users/{a{b}").unwrap_err().starts_with("`{a{b}` is not a placeholder"));
    }

    #[test]
    fn values_must_match_the_placeholders() {
        let message = |input: TokenStream| try_expand(input).unwrap_err().to_string();
        assert!(
            message(quote!("/{a}/{b}", 1)).starts_with("the template has 2 placeholder(s), but 1 value(s) are given")
        );
        assert!(message(quote!("/{0}")).contains("is not a variable's name"));
    }

    #[test]
    fn the_name_leaves_out_a_leading_base() {
        let expanded = |input| try_expand(input).unwrap().to_string();
        assert!(expanded(quote!("{base}/users/{id}")).contains("new (\"/users/{id}\")"));
        assert!(expanded(quote!("{base}")).contains("new (\"{base}\")"));
        assert!(expanded(quote!("/users/{id}")).contains("new (\"/users/{id}\")"));
    }
}
