//! What the person running the server may do to its behaviour: added latency, errors, and a limit on concurrency.

mod gate;
mod latency;
mod time;

pub use gate::{Shape, ShapeError};
pub(crate) use gate::{Watched, observe};
pub use latency::{Latency, LatencyError};
pub use time::{DurationError, parse_duration};
