//! Counters and queues of one thread: nobody else is there to share them with.

use std::cell::RefCell;
use std::collections::VecDeque;

type Named<T> = RefCell<Vec<(String, T)>>;

std::thread_local! {
    static COUNTERS: Named<i64> = const { RefCell::new(Vec::new()) };
    static QUEUES: Named<VecDeque<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

#[expect(clippy::unnecessary_wraps, reason = "as in the contract")]
fn intern<T: Default>(all: &Named<T>, name: &str) -> Result<u32, String> {
    let mut all = all.borrow_mut();
    let at = all.iter().position(|(known, _)| known == name).unwrap_or_else(|| {
        all.push((name.to_owned(), T::default()));
        all.len() - 1
    });
    Ok(u32::try_from(at).unwrap_or(u32::MAX))
}

pub(crate) fn counter(name: &str) -> Result<u32, String> {
    COUNTERS.with(|all| intern(all, name))
}

pub(crate) fn add(counter: u32, delta: i64) -> i64 {
    COUNTERS.with_borrow_mut(|all| {
        let value = &mut all[counter as usize].1;
        *value = value.wrapping_add(delta);
        *value
    })
}

pub(crate) fn value(counter: u32) -> i64 {
    add(counter, 0)
}

pub(crate) fn queue(name: &str) -> Result<u32, String> {
    QUEUES.with(|all| intern(all, name))
}

#[expect(clippy::unnecessary_wraps, reason = "as in the contract")]
pub(crate) fn push(queue: u32, item: &[u8]) -> Result<(), String> {
    QUEUES.with_borrow_mut(|all| all[queue as usize].1.push_back(item.to_vec()));
    Ok(())
}

pub(crate) fn pop(queue: u32) -> Option<Vec<u8>> {
    QUEUES.with_borrow_mut(|all| all[queue as usize].1.pop_front())
}

/// Waiting is in vain, as nobody else is there to push.
pub(crate) fn pop_within(queue: u32, _nanoseconds: u64) -> Option<Vec<u8>> {
    pop(queue)
}

pub(crate) fn len(queue: u32) -> u64 {
    QUEUES.with_borrow(|all| all[queue as usize].1.len() as u64)
}
