//! Tag sets that the hot path needs again and again, found by small keys instead of by their text.

use std::net::IpAddr;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::http::{Target, TargetError};
use crate::metrics::{Registry, SystemTag, TagSetId};

/// Each table is emptied when it is full: a module with a million URLs costs time then, and no memory.
const MAX_ENTRIES: usize = 4_096;

/// The number of a text that was seen before: a URL, a request's name, a check's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Symbol(u32);

/// A shard's cache.
#[derive(Debug, Default)]
pub(crate) struct SeriesCache {
    targets: FxHashMap<Box<str>, (Arc<Target>, Symbol)>,
    symbols: Symbols,
    requests: FxHashMap<(TagSetId, Symbol, bool, TagSetId), TagSetId>,
    checks: FxHashMap<(TagSetId, Symbol, TagSetId), TagSetId>,
    merged: FxHashMap<(TagSetId, TagSetId), TagSetId>,
    groups: FxHashMap<(TagSetId, Symbol), TagSetId>,
    addresses: FxHashMap<(TagSetId, IpAddr), TagSetId>,
}

#[derive(Debug, Default)]
struct Symbols {
    by_text: FxHashMap<Arc<str>, Symbol>,
    next: u32,
}

impl Symbols {
    /// Numbers are never given twice, so a table of symbols may be emptied at any time.
    fn symbol(&mut self, text: &str) -> Symbol {
        if let Some(symbol) = self.by_text.get(text) {
            return *symbol;
        }
        if self.by_text.len() >= MAX_ENTRIES {
            self.by_text.clear();
        }
        let symbol = Symbol(self.next);
        self.next = self.next.wrapping_add(1);
        self.by_text.insert(text.into(), symbol);
        symbol
    }
}

impl SeriesCache {
    /// The number of a text.
    pub(super) fn symbol(&mut self, text: &str) -> Symbol {
        self.symbols.symbol(text)
    }

    /// The parsed URL, and its number.
    pub(super) fn target(&mut self, url: &str) -> Result<(Arc<Target>, Symbol), TargetError> {
        if let Some((target, symbol)) = self.targets.get(url) {
            return Ok((Arc::clone(target), *symbol));
        }
        let target = Arc::new(Target::parse(url)?);
        let symbol = self.symbols.symbol(url);
        if self.targets.len() >= MAX_ENTRIES {
            self.targets.clear();
        }
        self.targets.insert(url.into(), (Arc::clone(&target), symbol));
        Ok((target, symbol))
    }

    /// The tags of a request: where the virtual user is, the request's name or URL, and its own tags.
    pub(super) fn request(
        &mut self,
        registry: &Registry,
        base: TagSetId,
        label: &RequestLabel<'_>,
        own: TagSetId,
    ) -> TagSetId {
        let (symbol, named) = match *label {
            RequestLabel::Name(_, symbol) => (symbol, true),
            RequestLabel::Url(_, symbol) => (symbol, false),
        };
        bounded(&mut self.requests, (base, symbol, named, own), || {
            let labelled = match *label {
                RequestLabel::Name(name, _) => extend(registry, base, &[(SystemTag::Name, name)]),
                RequestLabel::Url(url, _) => extend(registry, base, &[(SystemTag::Name, url), (SystemTag::Url, url)]),
            };
            merge(registry, labelled, own)
        })
    }

    /// The tags of a check.
    pub(super) fn check(
        &mut self,
        registry: &Registry,
        base: TagSetId,
        (name, symbol): (&str, Symbol),
        own: TagSetId,
    ) -> TagSetId {
        bounded(&mut self.checks, (base, symbol, own), || {
            merge(registry, extend(registry, base, &[(SystemTag::Check, name)]), own)
        })
    }

    /// `base` with the tags of `own` over it.
    pub(super) fn merge(&mut self, registry: &Registry, base: TagSetId, own: TagSetId) -> TagSetId {
        if own == TagSetId::EMPTY {
            return base;
        }
        bounded(&mut self.merged, (base, own), || merge(registry, base, own))
    }

    /// `base` at this server's address, where the run keeps that tag.
    pub(super) fn ip(&mut self, registry: &Registry, base: TagSetId, address: IpAddr) -> TagSetId {
        bounded(&mut self.addresses, (base, address), || {
            extend(registry, base, &[(SystemTag::Ip, &address.to_string())])
        })
    }

    /// `base` inside the group of this path.
    pub(super) fn group(&mut self, registry: &Registry, base: TagSetId, path: &str) -> TagSetId {
        let symbol = self.symbols.symbol(path);
        bounded(&mut self.groups, (base, symbol), || extend(registry, base, &[(SystemTag::Group, path)]))
    }
}

/// What a request is called.
pub(super) enum RequestLabel<'a> {
    /// By its `name`: the URL is no tag then.
    Name(&'a str, Symbol),
    /// By its URL.
    Url(&'a str, Symbol),
}

fn bounded<K: std::hash::Hash + Eq>(
    table: &mut FxHashMap<K, TagSetId>,
    key: K,
    make: impl FnOnce() -> TagSetId,
) -> TagSetId {
    if let Some(found) = table.get(&key) {
        return *found;
    }
    if table.len() >= MAX_ENTRIES {
        table.clear();
    }
    let made = make();
    table.insert(key, made);
    made
}

/// `base` with those of these tags that the run keeps.
pub(super) fn extend(registry: &Registry, base: TagSetId, tags: &[(SystemTag, &str)]) -> TagSetId {
    let kept = registry.system_tags();
    let tags: Vec<(&str, &str)> =
        tags.iter().filter(|(tag, _)| kept.contains(*tag)).map(|(tag, value)| (tag.name(), *value)).collect();
    registry.extend(base, &tags)
}

fn merge(registry: &Registry, base: TagSetId, own: TagSetId) -> TagSetId {
    if own == TagSetId::EMPTY {
        return base;
    }
    let own = registry.tags(own);
    let own: Vec<(&str, &str)> = own.iter().map(|(name, value)| (&**name, &**value)).collect();
    registry.extend(base, &own)
}
