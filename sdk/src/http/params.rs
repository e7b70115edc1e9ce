//! How requests are sent and counted, interned once per instance: a scenario's requests use few combinations.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::statuses::{Statuses, pairs};
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
    pub(crate) rare: Option<Box<Rare>>,
}

/// What few requests say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Rare {
    pub(crate) redirects: Option<u32>,
    pub(crate) expected: Vec<Statuses>,
    pub(crate) discard: Option<bool>,
    /// In nanoseconds; 0 for the default.
    pub(crate) connect_timeout_ns: u64,
    /// User and password.
    pub(crate) digest: Option<(String, String)>,
    pub(crate) compression: Vec<String>,
    pub(crate) chunked: bool,
    pub(crate) http_version: Option<String>,
}

/// What a combination is told apart by. A set of tags has one handle.
#[derive(PartialEq)]
struct Key {
    name: Option<String>,
    timeout_ns: u64,
    tags: u32,
    rare: Option<Box<Rare>>,
}

std::thread_local! {
    static KNOWN: RefCell<BTreeMap<u64, (Key, Params)>> = const { RefCell::new(BTreeMap::new()) };
}

impl Spec<'_> {
    pub(crate) fn is_default(&self) -> bool {
        self.name.is_none() && self.is_name_only()
    }

    pub(crate) fn is_name_only(&self) -> bool {
        self.timeout_ns == 0 && self.tags.is_empty() && self.rare.is_none()
    }

    pub(crate) fn rarely(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// Calls `use_params` with parameters that say this.
    pub(crate) fn with_params<R>(&self, use_params: impl FnOnce(&Params) -> R) -> R {
        let tags = tags::intern(&self.tags);
        let mut hasher = DefaultHasher::new();
        (&self.name, self.timeout_ns, tags, &self.rare).hash(&mut hasher);
        let hash = hasher.finish();
        KNOWN.with_borrow_mut(|known| {
            let is_same = |key: &Key| {
                key.name.as_deref() == self.name.as_deref()
                    && key.timeout_ns == self.timeout_ns
                    && key.tags == tags
                    && key.rare == self.rare
            };
            if let Some((key, params)) = known.get(&hash)
                && is_same(key)
            {
                return use_params(params);
            }
            let params = self.make(tags);
            let returned = use_params(&params);
            if known.len() < KEPT {
                let name = self.name.as_deref().map(str::to_owned);
                let key = Key { name, timeout_ns: self.timeout_ns, tags, rare: self.rare.clone() };
                known.insert(hash, (key, params));
            }
            returned
        })
    }

    /// Parameters that say this and belong to nobody else.
    pub(crate) fn make_own(&self) -> Params {
        self.make(tags::intern(&self.tags))
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
        if let Some(rare) = &self.rare {
            rare.say(&params);
        }
        params
    }
}

impl Rare {
    fn say(&self, params: &Params) {
        if let Some(most) = self.redirects {
            params.set_redirects(most);
        }
        if !self.expected.is_empty() {
            params.set_expected_statuses(&pairs(self.expected.iter().copied()));
        }
        if let Some(discard) = self.discard {
            params.set_discard_body(discard);
        }
        if self.connect_timeout_ns != 0 {
            params.set_connect_timeout(self.connect_timeout_ns);
        }
        if let Some((user, password)) = &self.digest {
            params.set_digest(user, password);
        }
        let codings: Vec<&str> = self.compression.iter().map(String::as_str).collect();
        if !codings.is_empty()
            && let Err(error) = params.set_compression(&codings)
        {
            panic!("{error}");
        }
        if self.chunked {
            params.set_chunked(true);
        }
        if let Some(version) = &self.http_version
            && let Err(error) = params.set_http_version(version)
        {
            panic!("{error}");
        }
    }
}
