//! The server that the shipped scenarios attack: coupons, points and payments.
//!
//! [`app()`] is the whole of it as a service, usable without a socket; [`serve`](serve::serve) puts it on one;
//! [`run`](run::run) is what the binary does. Each domain (`coupon`, `points`, `payment`, `audit`, `seed`) holds its
//! calls and the trait behind which its strategies are; [`embedded`] is the strategy that needs nothing installed.

mod app;
pub mod audit;
pub mod cli;
pub mod coupon;
mod echo;
pub mod embedded;
mod error;
mod events;
mod extract;
pub mod grpc;
mod health;
mod ids;
pub mod knobs;
pub mod metrics;
pub mod payment;
pub mod points;
pub mod run;
pub mod seed;
pub mod serve;

pub use app::{App, BoxFuture, State, app};
pub use echo::Sockets;
pub use error::{ApiError, StoreError};
pub use ids::{BuyerId, CouponId, NotPositive, OrderId, UserId};
