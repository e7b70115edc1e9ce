//! How requests are sent and counted, interned once per instance: a scenario's requests use few combinations.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::host::http::Params;
use crate::tags::{self, Tag};

/// Combinations kept per instance; beyond it they are made anew for each request.
const KEPT: usize = 256;

/// What may be said about a request beyond the request itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spec<'a> {
    pub(crate) name: Option<Cow<'a, str>>,
    /// In nanoseconds; 0 for the default.
    pub(crate) timeout_ns: u64,
    pub(crate) tags: Vec<Tag<'a>>,
}

/// What a combination is told apart by. A set of tags has one handle.
#[derive(PartialEq)]
struct Key {
    name: Option<String>,
    timeout_ns: u64,
    tags: u32,
}

std::thread_local! {
    static KNOWN: RefCell<BTreeMap<u64, (Key, Params)>> = const { RefCell::new(BTreeMap::new()) };
}

impl Spec<'_> {
    pub(crate) fn is_default(&self) -> bool {
        self.name.is_none() && self.is_name_only()
    }

    pub(crate) fn is_name_only(&self) -> bool {
        self.timeout_ns == 0 && self.tags.is_empty()
    }

    /// Calls `use_params` with parameters that say this.
    pub(crate) fn with_params<R>(&self, use_params: impl FnOnce(&Params) -> R) -> R {
        let tags = tags::intern(&self.tags);
        let mut hasher = DefaultHasher::new();
        (&self.name, self.timeout_ns, tags).hash(&mut hasher);
        let hash = hasher.finish();
        KNOWN.with_borrow_mut(|known| {
            let is_same = |key: &Key| {
                key.name.as_deref() == self.name.as_deref() && key.timeout_ns == self.timeout_ns && key.tags == tags
            };
            if let Some((key, params)) = known.get(&hash)
                && is_same(key)
            {
                return use_params(params);
            }
            let params = self.make(tags);
            let returned = use_params(&params);
            if known.len() < KEPT {
                let key = Key { name: self.name.as_deref().map(str::to_owned), timeout_ns: self.timeout_ns, tags };
                known.insert(hash, (key, params));
            }
            returned
        })
    }

    fn make(&self, tags: u32) -> Params {
        let params = Params::new();
        if self.timeout_ns != 0 {
            params.set_timeout(self.timeout_ns);
        }
        if let Some(name) = &self.name {
            params.set_name(name);
        }
        if tags != 0 {
            params.set_tags(tags);
        }
        params
    }
}
