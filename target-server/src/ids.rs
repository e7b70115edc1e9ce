//! The identifiers that cross the API: positive 63-bit integers, one type for each kind.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::ApiError;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "i64", into = "i64")]
        pub struct $name(i64);

        impl $name {
            /// The number itself, 1 or more.
            #[must_use]
            pub const fn get(self) -> i64 {
                self.0
            }

            /// Reads an identifier from a path segment, query or header called `field`.
            ///
            /// # Errors
            /// 400 naming the field and the value when it is not a positive 63-bit integer.
            pub fn parse(field: &'static str, text: &str) -> Result<Self, ApiError> {
                text.parse::<i64>()
                    .ok()
                    .and_then(|number| Self::try_from(number).ok())
                    .ok_or_else(|| ApiError::invalid_field(field, format!("{text:?} is not a positive integer")))
            }
        }

        impl TryFrom<i64> for $name {
            type Error = NotPositive;

            fn try_from(number: i64) -> Result<Self, NotPositive> {
                if number > 0 { Ok(Self(number)) } else { Err(NotPositive(number)) }
            }
        }

        impl From<$name> for i64 {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id! {
    /// A coupon event: a stock that many users want.
    CouponId
}
id! {
    /// A user who asks for a coupon.
    UserId
}
id! {
    /// A buyer with a point balance.
    BuyerId
}
id! {
    /// An order that waits for its payment.
    OrderId
}

/// A number that cannot be an identifier.
#[derive(Debug, thiserror::Error)]
#[error("{0} is not a positive integer")]
pub struct NotPositive(i64);
