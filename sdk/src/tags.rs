//! Sets of tags, interned once per instance: the hot path carries integers.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::host;

/// One tag while a request or a sample is being built.
pub(crate) type Tag<'a> = (Cow<'a, str>, Cow<'a, str>);

/// Sets kept per instance. Beyond it sets are interned anew each time: tags with values without end are the only ones that
/// come here, and the runtime will refuse their series anyway.
const KEPT: usize = 1024;

/// A set as it is kept, with its handle.
type Known = (Vec<(String, String)>, u32);

std::thread_local! {
    static SETS: RefCell<BTreeMap<u64, Known>> = const { RefCell::new(BTreeMap::new()) };
}

/// The handle of a set of tags; 0 for the empty set.
pub(crate) fn intern<K: AsRef<str>, V: AsRef<str>>(tags: &[(K, V)]) -> u32 {
    if tags.is_empty() {
        return 0;
    }
    let key = hash(tags);
    SETS.with_borrow_mut(|sets| {
        let is_same = |known: &[(String, String)]| {
            known.len() == tags.len() && known.iter().zip(tags).all(|(a, b)| a.0 == b.0.as_ref() && a.1 == b.1.as_ref())
        };
        if let Some((known, handle)) = sets.get(&key)
            && is_same(known)
        {
            return *handle;
        }
        let borrowed: Vec<(&str, &str)> = tags.iter().map(|(name, value)| (name.as_ref(), value.as_ref())).collect();
        let handle = host::metrics::intern_tags(&borrowed);
        if sets.len() < KEPT {
            let owned = borrowed.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            sets.insert(key, (owned, handle));
        }
        handle
    })
}

fn hash<K: AsRef<str>, V: AsRef<str>>(tags: &[(K, V)]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for (name, value) in tags {
        name.as_ref().hash(&mut hasher);
        value.as_ref().hash(&mut hasher);
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_interned_once() {
        assert_eq!(intern::<&str, &str>(&[]), 0);
        let first = intern(&[("kind", "gift"), ("team", "shop")]);
        assert_ne!(first, 0);
        assert_eq!(intern(&[("kind".to_owned(), "gift"), ("team".to_owned(), "shop")]), first);
        for other in [
            [("kind", "gift"), ("team", "till")],
            [("team", "shop"), ("kind", "gift")],
            [("kind", "giftteam"), ("", "shop")],
        ] {
            assert_ne!(intern(&other), first, "{other:?}");
        }
    }

    #[test]
    fn what_is_kept_is_bounded() {
        for order in 0..KEPT + 100 {
            intern(&[("order", order.to_string())]);
        }
        assert_eq!(SETS.with_borrow(BTreeMap::len), KEPT);
        // Beyond the bound sets still work; they are only interned anew.
        let late = || intern(&[("order", (KEPT + 50).to_string())]);
        assert_ne!(late(), late());
    }
}
