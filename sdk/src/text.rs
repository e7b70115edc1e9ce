//! What the builders take: texts, bytes, numbers.

use std::borrow::Cow;

/// What can stand as a header's value, a tag's value or a query parameter: texts, numbers, `bool` and `char`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a text, a number, a `bool` or a `char`",
    note = "call `.to_string()` on it"
)]
pub trait Text<'a> {
    /// The text; borrowed where it can be.
    fn into_text(self) -> Cow<'a, str>;
}

impl<'a> Text<'a> for &'a str {
    fn into_text(self) -> Cow<'a, str> {
        Cow::Borrowed(self)
    }
}

impl<'a> Text<'a> for &'a String {
    fn into_text(self) -> Cow<'a, str> {
        Cow::Borrowed(self)
    }
}

impl<'a> Text<'a> for String {
    fn into_text(self) -> Cow<'a, str> {
        Cow::Owned(self)
    }
}

impl<'a> Text<'a> for Cow<'a, str> {
    fn into_text(self) -> Self {
        self
    }
}

macro_rules! shown {
    ($($ty:ty)*) => {$(
        impl<'a> Text<'a> for $ty {
            fn into_text(self) -> Cow<'a, str> {
                Cow::Owned(self.to_string())
            }
        }
    )*};
}

shown!(u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize f32 f64 char);

impl<'a> Text<'a> for bool {
    fn into_text(self) -> Cow<'a, str> {
        Cow::Borrowed(if self { "true" } else { "false" })
    }
}

/// What can be a body: bytes and texts, borrowed or owned.
pub trait Bytes<'a> {
    /// The bytes; borrowed where they can be.
    fn into_bytes(self) -> Cow<'a, [u8]>;
}

impl<'a> Bytes<'a> for &'a [u8] {
    fn into_bytes(self) -> Cow<'a, [u8]> {
        Cow::Borrowed(self)
    }
}

impl<'a, const N: usize> Bytes<'a> for &'a [u8; N] {
    fn into_bytes(self) -> Cow<'a, [u8]> {
        Cow::Borrowed(self)
    }
}

impl<'a> Bytes<'a> for &'a Vec<u8> {
    fn into_bytes(self) -> Cow<'a, [u8]> {
        Cow::Borrowed(self)
    }
}

impl<'a> Bytes<'a> for Vec<u8> {
    fn into_bytes(self) -> Cow<'a, [u8]> {
        Cow::Owned(self)
    }
}

impl<'a> Bytes<'a> for &'a str {
    fn into_bytes(self) -> Cow<'a, [u8]> {
        Cow::Borrowed(self.as_bytes())
    }
}

impl<'a> Bytes<'a> for &'a String {
    fn into_bytes(self) -> Cow<'a, [u8]> {
        Cow::Borrowed(self.as_bytes())
    }
}

impl<'a> Bytes<'a> for String {
    fn into_bytes(self) -> Cow<'a, [u8]> {
        Cow::Owned(self.into_bytes())
    }
}

impl<'a> Bytes<'a> for Cow<'a, [u8]> {
    fn into_bytes(self) -> Self {
        self
    }
}

/// What a metric's sample can be: any number, or `bool` for 1 and 0. A [`std::time::Duration`] counts as milliseconds.
#[diagnostic::on_unimplemented(message = "`{Self}` is not a sample's value: use a number, a `bool` or a `Duration`")]
pub trait Sample {
    /// The value as the runtime takes it.
    fn value(self) -> f64;
}

macro_rules! numbers {
    ($($ty:ty)*) => {$(
        impl Sample for $ty {
            #[allow(clippy::cast_lossless, clippy::cast_precision_loss, reason = "samples are floating point numbers")]
            fn value(self) -> f64 {
                self as f64
            }
        }
    )*};
}

numbers!(u8 u16 u32 u64 usize i8 i16 i32 i64 isize f32 f64);

impl Sample for bool {
    fn value(self) -> f64 {
        f64::from(u8::from(self))
    }
}

impl Sample for std::time::Duration {
    fn value(self) -> f64 {
        self.as_secs_f64() * 1e3
    }
}

/// A length of time: a [`std::time::Duration`], or a number of seconds.
#[diagnostic::on_unimplemented(message = "`{Self}` is not a length of time: use a `Duration` or a number of seconds")]
pub trait Seconds {
    /// The time in nanoseconds; 0 for what is negative or not a number.
    fn nanoseconds(self) -> u64;
}

impl Seconds for std::time::Duration {
    fn nanoseconds(self) -> u64 {
        u64::try_from(self.as_nanos()).unwrap_or(u64::MAX)
    }
}

macro_rules! whole_seconds {
    ($($ty:ty)*) => {$(
        impl Seconds for $ty {
            fn nanoseconds(self) -> u64 {
                u64::try_from(self).unwrap_or(0).saturating_mul(1_000_000_000)
            }
        }
    )*};
}

whole_seconds!(u8 u16 u32 u64 usize i8 i16 i32 i64 isize);

macro_rules! fractional_seconds {
    ($($ty:ty)*) => {$(
        impl Seconds for $ty {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the conversion saturates: below 0 and not a number are 0")]
            fn nanoseconds(self) -> u64 {
                (f64::from(self) * 1e9) as u64
            }
        }
    )*};
}

fractional_seconds!(f32 f64);

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn seconds_saturate() {
        assert_eq!(1.5.nanoseconds(), 1_500_000_000);
        assert_eq!(2.nanoseconds(), 2_000_000_000);
        assert_eq!(Duration::from_millis(3).nanoseconds(), 3_000_000);
        assert_eq!((-1).nanoseconds(), 0);
        assert_eq!((-0.5).nanoseconds(), 0);
        assert_eq!(f64::NAN.nanoseconds(), 0);
        assert_eq!(f64::INFINITY.nanoseconds(), u64::MAX);
        assert_eq!(u64::MAX.nanoseconds(), u64::MAX);
        assert_eq!(Duration::MAX.nanoseconds(), u64::MAX);
    }

    #[test]
    fn samples_are_numbers() {
        assert_eq!(true.value(), 1.0);
        assert_eq!(7_u64.value(), 7.0);
        assert_eq!(Duration::from_micros(1500).value(), 1.5);
    }
}
