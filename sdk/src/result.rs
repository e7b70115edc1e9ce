//! Any error type, any return type: which trait fits is found where the type is known, in the macros' output.
//!
//! The macros call a method on a value behind several references. Method look-up tries the type with most references first,
//! so of the traits below the first one that fits is taken.
#![expect(missing_docs, reason = "for the macros' output only")]

/// What a scenario or teardown function may return.
#[diagnostic::on_unimplemented(
    message = "this function cannot return `{Self}`",
    note = "a scenario or teardown function returns nothing, or a `Result<(), E>` with any error type"
)]
pub trait Outcome {
    type Error;

    fn outcome(self) -> Result<(), Self::Error>;
}

impl Outcome for () {
    type Error = std::convert::Infallible;

    fn outcome(self) -> Result<(), Self::Error> {
        Ok(())
    }
}

impl<E> Outcome for Result<(), E> {
    type Error = E;

    fn outcome(self) -> Self {
        self
    }
}

/// A text for any error: with its causes where it has them, else `Display`, else `Debug`.
pub mod error_text {
    use std::error::Error;
    use std::fmt::{Debug, Display};

    pub struct Wrap<'a, E>(pub &'a E);

    /// Errors of the standard library's kind: with their causes.
    pub trait ViaError {
        fn error_text(&self) -> String;
    }

    impl<E: Error> ViaError for &&&Wrap<'_, E> {
        fn error_text(&self) -> String {
            with_causes(self.0.to_string(), self.0.source())
        }
    }

    /// Boxed errors and `anyhow::Error`: no `Error` themselves, but one inside.
    pub trait ViaDeref {
        fn error_text(&self) -> String;
    }

    impl<E: std::ops::Deref<Target: Error>> ViaDeref for &&Wrap<'_, E> {
        fn error_text(&self) -> String {
            with_causes((**self.0).to_string(), (**self.0).source())
        }
    }

    /// Texts and all else that can be shown.
    pub trait ViaDisplay {
        fn error_text(&self) -> String;
    }

    impl<E: Display> ViaDisplay for &Wrap<'_, E> {
        fn error_text(&self) -> String {
            format!("{:#}", self.0)
        }
    }

    pub trait ViaDebug {
        fn error_text(&self) -> String;
    }

    impl<E: Debug> ViaDebug for Wrap<'_, E> {
        fn error_text(&self) -> String {
            format!("{:?}", self.0)
        }
    }

    /// `outer: cause: cause of the cause`, leaving out a cause that the text before it already tells.
    fn with_causes(mut text: String, mut cause: Option<&(dyn Error + 'static)>) -> String {
        while let Some(error) = cause {
            let message = error.to_string();
            if !text.ends_with(&message) {
                text.push_str(": ");
                text.push_str(&message);
            }
            cause = error.source();
        }
        text
    }
}

/// `T` and `Result<T, E>` alike.
pub mod fallible {
    use std::cell::Cell;
    use std::convert::Infallible;

    pub struct Returned<T>(Cell<Option<T>>);

    impl<T> Returned<T> {
        pub const fn new(value: T) -> Self {
            Self(Cell::new(Some(value)))
        }

        fn take(&self) -> T {
            self.0.take().expect("the macros take a returned value once")
        }
    }

    pub trait ViaResult {
        type Result;
        fn take_result(&self) -> Self::Result;
    }

    impl<T, E> ViaResult for &Returned<Result<T, E>> {
        type Result = Result<T, E>;
        fn take_result(&self) -> Self::Result {
            self.take()
        }
    }

    pub trait ViaValue {
        type Result;
        fn take_result(&self) -> Self::Result;
    }

    impl<T> ViaValue for Returned<T> {
        type Result = Result<T, Infallible>;
        fn take_result(&self) -> Self::Result {
            Ok(self.take())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use super::error_text::*;
    use super::fallible::*;

    #[derive(Debug)]
    struct Silent;

    #[derive(Debug)]
    struct Outer(std::num::ParseIntError);

    impl std::fmt::Display for Outer {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("no number")
        }
    }

    impl Error for Outer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.0)
        }
    }

    macro_rules! text {
        ($error:expr) => {
            (&&&&Wrap(&$error)).error_text()
        };
    }

    #[test]
    fn every_kind_of_error_has_a_text() {
        let cause = || "x".parse::<u8>().unwrap_err();
        let boxed: Box<dyn Error> = Box::new(Outer(cause()));
        let shared: Box<dyn Error + Send + Sync> = Box::new(Outer(cause()));
        assert_eq!(text!("sold out"), "sold out");
        assert_eq!(text!(String::from("sold out")), "sold out");
        assert_eq!(text!(Silent), "Silent");
        assert_eq!(text!(cause()), "invalid digit found in string");
        assert_eq!(text!(Outer(cause())), "no number: invalid digit found in string");
        assert_eq!(text!(boxed), "no number: invalid digit found in string");
        assert_eq!(text!(shared), "no number: invalid digit found in string");
    }

    #[test]
    #[expect(clippy::needless_borrow, reason = "as the macros write it, for any type")]
    fn a_result_is_taken_apart_and_a_value_is_a_success() {
        let failed: Result<u8, &str> = (&&Returned::new(Err("no"))).take_result();
        assert_eq!(failed, Err("no"));
        assert_eq!((&&Returned::new(5)).take_result(), Ok(5));
        assert_eq!((&&Returned::new(())).take_result(), Ok(()));
    }
}
