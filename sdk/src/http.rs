//! HTTP requests. Each one that is sent, and each redirect that is followed, is one sample of the `http_req_*` metrics.
//!
//! ```no_run
//! use flashcrowd::prelude::*;
//!
//! #[derive(Serialize)]
//! struct Order { id: u32 }
//! #[derive(Deserialize)]
//! struct Receipt { total: f64 }
//!
//! # fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let response = http::post("https://shop.test/orders")
//!     .header("Authorization", "Bearer 42")
//!     .json(&Order { id: 7 })
//!     .timeout(5)
//!     .send();
//! if response.ok() {
//!     let receipt: Receipt = response.json()?;
//!     log::info!("{} paid", receipt.total);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! A request that fails on the network is a [`Response`] with status 0 and an error, never a panic.

mod auth;
mod batch;
mod cookies;
mod events;
mod multipart;
mod params;
mod request;
mod response;
mod statuses;
mod streaming;
mod url;

pub use batch::batch;
pub use cookies::{Cookie, Cookies, cookies};
pub use events::{Event, Events, events};
pub use multipart::{Multipart, multipart};
pub(crate) use request::resolve;
pub use request::{Request, delete, get, head, options, patch, post, put, request};
pub use response::{JsonError, Response, Timings};
pub use statuses::{Statuses, set_expected_statuses};
pub use streaming::{Lines, StreamError, StreamingResponse};
pub use url::{Template, Url, UrlWriter};
