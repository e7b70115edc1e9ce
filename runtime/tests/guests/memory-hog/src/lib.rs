//! Every iteration keeps another stretch of memory until there is none left. With HOG_VU only that virtual user does.

use std::cell::RefCell;

use flashcrowd::prelude::*;

/// A step is a mebibyte.
const STEP: usize = 1 << 20;

std::thread_local! {
    static KEPT: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

#[flashcrowd::options]
fn options() -> Options {
    Options::new().env_var(
        EnvVar::optional("HOG_VU").help("the number of the only virtual user that allocates; all do without it"),
    )
}

#[flashcrowd::scenario]
fn iterate() {
    if env_parse("HOG_VU").is_none_or(|hog: u64| hog == exec::vu()) {
        loop {
            KEPT.with_borrow_mut(|kept| kept.push(vec![1; STEP]));
        }
    }
    check("the others work", true);
    sleep(millis(10));
}
