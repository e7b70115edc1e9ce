//! Named yes-or-no observations: the `checks` metric.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::{host, tags};

/// Checks a value: each condition is one sample of `checks` under its name. A failed check does not end the iteration.
/// Gives `true` if all conditions hold.
///
/// ```
/// use flashcrowd::prelude::*;
///
/// let basket = vec!["tea", "milk"];
/// let fine = check!(basket,
///     "has items" => |b| !b.is_empty(),
///     "starts with tea" => |b| b[0] == "tea",
/// );
/// assert!(fine);
/// ```
///
/// Tags for these samples come first:
///
/// ```
/// use flashcrowd::prelude::*;
///
/// let stock = 3;
/// check!(stock, tags: [("coupon", "3")], "not oversold" => |s| *s >= 0);
/// ```
///
/// Names are constants. For a name made at run time there is the function [`check`](crate::check()).
#[macro_export]
macro_rules! check {
    ($value:expr, tags: $tags:expr, $($name:expr => $condition:expr),+ $(,)?) => {{
        let __tags = $crate::__private::intern_tags(&$tags);
        match &$value {
            __value => {
                let mut __passed = true;
                $({
                    static __CHECK: $crate::Check = $crate::Check::new($name);
                    __passed &= __CHECK.record_interned($crate::__private::condition(__value, $condition), __tags);
                })+
                __passed
            }
        }
    }};
    ($value:expr, $($name:expr => $condition:expr),+ $(,)?) => {
        match &$value {
            __value => {
                let mut __passed = true;
                $({
                    static __CHECK: $crate::Check = $crate::Check::new($name);
                    __passed &= __CHECK.record($crate::__private::condition(__value, $condition));
                })+
                __passed
            }
        }
    };
}

/// Records one sample of `checks` under this name, and gives the result back. For a constant name [`check!`](crate::check!)
/// is faster.
///
/// ```
/// use flashcrowd::prelude::*;
///
/// for seat in 1..=2 {
///     assert!(check(&format!("seat {seat} is free"), true));
/// }
/// ```
pub fn check(name: &str, passed: bool) -> bool {
    /// Names kept per instance.
    const KEPT: usize = 1024;

    std::thread_local! {
        static HANDLES: RefCell<BTreeMap<String, u32>> = const { RefCell::new(BTreeMap::new()) };
    }
    let handle = HANDLES.with_borrow_mut(|handles| match handles.get(name) {
        Some(handle) => *handle,
        None => {
            let handle = host::checks::intern(name);
            // Names without end are not kept without end.
            if handles.len() < KEPT {
                handles.insert(name.to_owned(), handle);
            }
            handle
        }
    });
    host::checks::add(handle, passed, 0);
    passed
}

/// A check as a constant, for use in several places.
///
/// ```
/// use flashcrowd::Check;
///
/// static IS_FREE: Check = Check::new("seat is free");
///
/// assert!(IS_FREE.record(true));
/// ```
#[derive(Debug)]
pub struct Check {
    name: &'static str,
    /// The handle plus one; 0 before the first use.
    handle: AtomicU32,
}

impl Check {
    /// A check of this name.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self { name, handle: AtomicU32::new(0) }
    }

    /// Records one result, and gives it back.
    pub fn record(&self, passed: bool) -> bool {
        self.record_interned(passed, 0)
    }

    /// Records one result with tags, and gives it back.
    pub fn record_with_tags(&self, passed: bool, tags: &[(&str, &str)]) -> bool {
        self.record_interned(passed, tags::intern(tags))
    }

    #[doc(hidden)]
    pub fn record_interned(&self, passed: bool, tags: u32) -> bool {
        host::checks::add(self.handle(), passed, tags);
        passed
    }

    fn handle(&self) -> u32 {
        match self.handle.load(Ordering::Relaxed) {
            0 => {
                let handle = host::checks::intern(self.name);
                self.handle.store(handle.wrapping_add(1), Ordering::Relaxed);
                handle
            }
            kept => kept - 1,
        }
    }
}
