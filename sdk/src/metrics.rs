//! A scenario's own metrics, as constants.
//!
//! ```
//! use flashcrowd::prelude::*;
//!
//! static ISSUED: Counter = Counter::new("coupons_issued");
//! static STOCK: Gauge = Gauge::new("coupons_left");
//! static SOLD_OUT: Rate = Rate::new("sold_out");
//! static LOCK_TIME: Trend = Trend::time("lock_acquisition_time");
//!
//! ISSUED.add(1);
//! STOCK.set(99);
//! SOLD_OUT.add(false);
//! LOCK_TIME.add(millis(12));
//! LOCK_TIME.add_with_tags(12.5, &[("lock", "coupon:1")]);
//! ```
//!
//! A name must match `^[a-zA-Z_][a-zA-Z0-9_]{1,128}$`; another one does not compile:
//!
//! ```compile_fail
//! use flashcrowd::Counter;
//!
//! static ORDERS: Counter = Counter::new("orders-made");
//! ```

use std::sync::atomic::{AtomicU32, Ordering};

use crate::host::metrics::{self as host, Contains, Kind};
use crate::tags;
use crate::text::Sample;

/// What the four kinds have in common: a name, and the handle that it is interned to at the first use.
#[derive(Debug)]
struct Metric {
    name: &'static str,
    contains: What,
    /// The handle plus one; 0 before the first use.
    handle: AtomicU32,
}

/// [`Contains`], which is not made for constants.
#[derive(Clone, Copy, Debug)]
enum What {
    Numbers,
    Milliseconds,
    Bytes,
}

impl Metric {
    const fn new(name: &'static str, contains: What) -> Self {
        assert!(
            is_name(name),
            "a metric's name has 2 to 129 characters: letters, digits and `_`, not beginning with a digit"
        );
        Self { name, contains, handle: AtomicU32::new(0) }
    }

    #[track_caller]
    fn add(&self, kind: Kind, value: f64, tags: u32) {
        host::add(self.handle(kind), value, tags);
    }

    #[track_caller]
    fn handle(&self, kind: Kind) -> u32 {
        match self.handle.load(Ordering::Relaxed) {
            0 => {
                let contains = match self.contains {
                    What::Numbers => Contains::Default,
                    What::Milliseconds => Contains::Time,
                    What::Bytes => Contains::Data,
                };
                match host::register(self.name, kind, contains) {
                    Ok(handle) => {
                        self.handle.store(handle.wrapping_add(1), Ordering::Relaxed);
                        handle
                    }
                    Err(error) => panic!("the metric {:?} cannot be used: {error}", self.name),
                }
            }
            kept => kept - 1,
        }
    }
}

/// `^[a-zA-Z_][a-zA-Z0-9_]{1,128}$`, k6's rule.
const fn is_name(name: &str) -> bool {
    let bytes = name.as_bytes();
    if bytes.len() < 2 || bytes.len() > 129 || bytes[0].is_ascii_digit() {
        return false;
    }
    let mut at = 0;
    while at < bytes.len() {
        if !bytes[at].is_ascii_alphanumeric() && bytes[at] != b'_' {
            return false;
        }
        at += 1;
    }
    true
}

macro_rules! kind {
    ($(#[$doc:meta])* $name:ident { $($(#[$of:meta])* $new:ident: $contains:ident),* }) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name(Metric);

        impl $name {
            $(
                $(#[$of])*
                ///
                /// # Panics
                /// At compile time (where it stands in a `static`), if the name does not match `^[a-zA-Z_][a-zA-Z0-9_]{1,128}$`.
                #[must_use]
                pub const fn $new(name: &'static str) -> Self {
                    Self(Metric::new(name, What::$contains))
                }
            )*

            /// Adds one sample.
            ///
            /// # Panics
            /// If another metric of this name has another kind.
            #[track_caller]
            pub fn add(&self, value: impl Sample) {
                self.0.add(Kind::$name, value.value(), 0);
            }

            /// Adds one sample with tags.
            ///
            /// # Panics
            /// If another metric of this name has another kind.
            #[track_caller]
            pub fn add_with_tags(&self, value: impl Sample, tags: &[(&str, &str)]) {
                self.0.add(Kind::$name, value.value(), tags::intern(tags));
            }
        }
    };
}

kind! {
    /// A sum: samples are added up.
    Counter {
        /// A counter of plain numbers.
        new: Numbers,
        /// A counter of bytes.
        data: Bytes
    }
}

kind! {
    /// The last value, with the least and the greatest.
    Gauge {
        /// A gauge of plain numbers.
        new: Numbers,
        /// A gauge of milliseconds.
        time: Milliseconds,
        /// A gauge of bytes.
        data: Bytes
    }
}

impl Gauge {
    /// Sets the value: another word for [`add`](Self::add).
    #[track_caller]
    pub fn set(&self, value: impl Sample) {
        self.add(value);
    }
}

kind! {
    /// The share of samples that are not 0, or `true`.
    Rate {
        /// A rate.
        new: Numbers
    }
}

kind! {
    /// A distribution: `avg`, `min`, `med`, `max`, `p(N)`.
    Trend {
        /// A trend of plain numbers.
        new: Numbers,
        /// A trend of times. Numbers are milliseconds; a [`Duration`](std::time::Duration) is turned into them.
        time: Milliseconds,
        /// A trend of bytes.
        data: Bytes
    }
}

impl Trend {
    /// Runs `section`, adds the time that it took in milliseconds, and gives back what it returns.
    ///
    /// ```
    /// use flashcrowd::Trend;
    ///
    /// static LOCK_TIME: Trend = Trend::time("lock_acquisition_time");
    ///
    /// assert_eq!(LOCK_TIME.measure(|| 5), 5);
    /// ```
    pub fn measure<R>(&self, section: impl FnOnce() -> R) -> R {
        let start = std::time::Instant::now();
        let returned = section();
        self.add(start.elapsed());
        returned
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_rule() {
        for good in ["ab", "_1", "http_reqs", "A9"] {
            assert!(is_name(good), "{good}");
        }
        let longest = "a".repeat(129);
        assert!(is_name(&longest));
        for bad in ["", "a", "1a", "a-b", "a.b", "é_", &format!("{longest}a")] {
            assert!(!is_name(bad), "{bad}");
        }
    }
}
