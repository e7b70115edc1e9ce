//! Things by name, found by number afterwards without a lock.

use std::collections::HashMap;
use std::sync::{Mutex, OnceLock, PoisonError};

/// So many things at most. Once made, a thing stays.
#[derive(Debug)]
pub(super) struct Named<T> {
    numbers: Mutex<HashMap<Box<str>, u32>>,
    /// Made when the first thing is.
    slots: OnceLock<Box<[OnceLock<T>]>>,
    most: usize,
}

impl<T> Named<T> {
    pub(super) fn new(most: usize) -> Self {
        Self { numbers: Mutex::default(), slots: OnceLock::new(), most }
    }

    /// The number of the thing of this name; `None` when there are too many.
    pub(super) fn intern(&self, name: &str, make: impl FnOnce() -> T) -> Option<u32> {
        let mut numbers = self.numbers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(number) = numbers.get(name) {
            return Some(*number);
        }
        let slots = self.slots.get_or_init(|| (0..self.most).map(|_| OnceLock::new()).collect());
        let slot = slots.get(numbers.len())?;
        let number = u32::try_from(numbers.len()).ok()?;
        slot.get_or_init(make);
        numbers.insert(name.into(), number);
        Some(number)
    }

    pub(super) fn get(&self, number: u32) -> Option<&T> {
        self.slots.get()?.get(usize::try_from(number).ok()?)?.get()
    }
}
