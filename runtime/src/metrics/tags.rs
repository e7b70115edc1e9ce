//! Sets of tags, interned: equal sets have one number, and the number of sets is limited.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

/// The value that stands for all further values of a tag which has too many.
pub const OVERFLOW_VALUE: &str = "(overflow)";

/// Of a tag with no more values than this it is never said that it has too many.
const INNOCENT_VALUES: usize = 64;

/// The names and values of a tag set, sorted by name.
pub type TagPairs = Arc<[(Arc<str>, Arc<str>)]>;

/// The number that stands for a set of tags within one [`Registry`](super::Registry).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TagSetId(pub(super) u32);

impl TagSetId {
    /// No tags.
    pub const EMPTY: Self = Self(0);
    /// No tags any more, because there were too many sets: see [`Interner`].
    pub(super) const LOST: Self = Self(1);
}

/// All tag sets of a run.
///
/// At the limit, a further set does not get a number of its own: the value of its tag that has most values is replaced by
/// [`OVERFLOW_VALUE`], then that of the second, and so on; a part of the room is kept for the sets that result. If even that is
/// full, the set becomes [`TagSetId::LOST`].
#[derive(Debug)]
pub(super) struct Interner {
    sets: Vec<TagPairs>,
    by_hash: HashMap<u64, Vec<TagSetId>>,
    hasher: RandomState,
    strings: HashSet<Arc<str>>,
    /// The values seen of each tag.
    values: HashMap<Arc<str>, HashSet<Arc<str>>>,
    bytes: usize,
    limits: Limits,
}

/// How much is kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Sets with numbers of their own, beside those that come of an overflow.
    pub(super) sets: usize,
    /// Bytes of names and values.
    pub(super) bytes: usize,
}

impl Limits {
    /// Room for what comes of an overflow. Each deeper form has some that the ones before cannot take.
    const fn reserve(self, depth: usize) -> Self {
        Self { sets: self.sets + self.sets / 8 + 64 * (depth + 1), bytes: self.bytes + self.bytes / 8 }
    }
}

impl Interner {
    pub(super) fn new(limits: Limits) -> Self {
        let mut interner = Self {
            sets: Vec::new(),
            by_hash: HashMap::new(),
            hasher: RandomState::new(),
            strings: HashSet::new(),
            values: HashMap::new(),
            bytes: 0,
            limits,
        };
        interner.add(&[]);
        interner.sets.push(Arc::from([]));
        interner
    }

    /// The set's number, if it has one. `tags` are sorted by name, each name once.
    pub(super) fn find(&self, tags: &[(&str, &str)]) -> Option<TagSetId> {
        self.by_hash.get(&self.hasher.hash_one(tags))?.iter().copied().find(|id| self.is(*id, tags))
    }

    /// The set's number, or that of what an overflow leaves of it. `tags` are sorted by name, each name once.
    pub(super) fn intern(&mut self, tags: &[(&str, &str)]) -> TagSetId {
        if let Some(id) = self.find(tags) {
            return id;
        }
        if self.has_room(tags, self.limits) {
            return self.add(tags);
        }
        self.collapse(tags, |_, _| true)
    }

    /// What an overflow leaves of a set: the first of its collapsed forms that has a number or may get one, and that `fits`
    /// (given the form's number and its place among the forms).
    pub(super) fn collapse(
        &mut self,
        tags: &[(&str, &str)],
        mut fits: impl FnMut(TagSetId, usize) -> bool,
    ) -> TagSetId {
        for (depth, form) in self.collapsed(tags).into_iter().enumerate() {
            let form: Vec<_> = form.iter().map(|(name, value)| (*name, *value)).collect();
            let id = match self.find(&form) {
                Some(id) => id,
                None if self.has_room(&form, self.limits.reserve(depth)) => self.add(&form),
                None => continue,
            };
            if fits(id, depth) {
                return id;
            }
        }
        TagSetId::LOST
    }

    pub(super) fn pairs(&self, id: TagSetId) -> TagPairs {
        Arc::clone(&self.sets[id.0 as usize])
    }

    /// How many sets have a number.
    pub(super) const fn count(&self) -> usize {
        self.sets.len()
    }

    /// How many different values a tag has had.
    pub(super) fn values_of(&self, tag: &str) -> usize {
        self.values.get(tag).map_or(0, HashSet::len)
    }

    /// The forms of a set in an overflow, from the one that keeps most. The set itself comes first if none of its tags is to
    /// blame; otherwise those with most values lose theirs together (a request's `name` and `url`, say), then one more at a
    /// time.
    fn collapsed<'a>(&self, tags: &[(&'a str, &'a str)]) -> Vec<Vec<(&'a str, &'a str)>> {
        let mut by_blame: Vec<(usize, usize)> =
            tags.iter().enumerate().map(|(place, (name, _))| (self.values_of(name), place)).collect();
        by_blame.sort_by_key(|(values, _)| std::cmp::Reverse(*values));
        let most = by_blame.first().map_or(0, |(values, _)| *values);
        let mut form = tags.to_vec();
        let mut forms = Vec::with_capacity(tags.len() + 1);
        if most <= INNOCENT_VALUES {
            forms.push(form.clone());
        }
        for (number, (_, place)) in by_blame.iter().enumerate() {
            form[*place].1 = OVERFLOW_VALUE;
            let next_as_bad =
                by_blame.get(number + 1).is_some_and(|(values, _)| *values > INNOCENT_VALUES.max(most / 10));
            if !next_as_bad {
                forms.push(form.clone());
            }
        }
        forms
    }

    fn has_room(&self, tags: &[(&str, &str)], limits: Limits) -> bool {
        self.sets.len() < limits.sets && self.bytes + weight(tags) <= limits.bytes
    }

    /// Adds a set that has no number yet, whatever the limits.
    pub(super) fn add(&mut self, tags: &[(&str, &str)]) -> TagSetId {
        let pairs: TagPairs = tags
            .iter()
            .map(|(name, value)| {
                let pair = (self.string(name), self.string(value));
                self.values.entry(Arc::clone(&pair.0)).or_default().insert(Arc::clone(&pair.1));
                pair
            })
            .collect();
        let id = TagSetId(u32::try_from(self.sets.len()).unwrap_or(TagSetId::LOST.0));
        self.bytes += weight(tags);
        self.sets.push(pairs);
        self.by_hash.entry(self.hasher.hash_one(tags)).or_default().push(id);
        id
    }

    fn string(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.strings.get(text) {
            return Arc::clone(known);
        }
        let new: Arc<str> = Arc::from(text);
        self.strings.insert(Arc::clone(&new));
        new
    }

    fn is(&self, id: TagSetId, tags: &[(&str, &str)]) -> bool {
        let pairs = &self.sets[id.0 as usize];
        pairs.len() == tags.len() && pairs.iter().zip(tags).all(|(pair, tag)| (&*pair.0, &*pair.1) == *tag)
    }
}

/// Bytes that a set may need: its text, and what keeps it.
fn weight(tags: &[(&str, &str)]) -> usize {
    tags.iter().map(|(name, value)| name.len() + value.len() + 2 * size_of::<Arc<str>>()).sum()
}

/// Sorts by name; of equal names the later wins; an empty value takes the tag away.
pub(super) fn normalise<'a>(tags: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<(&'a str, &'a str)> {
    let mut sorted: Vec<(&str, &str)> = tags.collect();
    // The sort is stable, and `dedup_by` keeps the first of equals: so the order is turned round before.
    sorted.reverse();
    sorted.sort_by_key(|(name, _)| *name);
    sorted.dedup_by_key(|(name, _)| *name);
    sorted.retain(|(_, value)| !value.is_empty());
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small() -> Interner {
        Interner::new(Limits { sets: 200, bytes: 1 << 20 })
    }

    #[test]
    fn later_wins_and_empty_takes_away() {
        let tags = normalise([("b", "1"), ("a", "2"), ("b", "3"), ("c", "4"), ("c", "")].into_iter());
        assert_eq!(tags, [("a", "2"), ("b", "3")]);
    }

    #[test]
    fn the_tag_with_most_values_is_the_one_that_overflows() {
        let mut interner = small();
        let ids: HashSet<_> =
            (0..5_000).map(|user| interner.intern(&[("scenario", "buy"), ("user", &user.to_string())])).collect();
        assert!(ids.len() <= 201, "{}", ids.len());
        let last = interner.intern(&[("scenario", "buy"), ("user", "another")]);
        let pairs = interner.pairs(last);
        assert_eq!(&*pairs[0].1, "buy");
        assert_eq!(&*pairs[1].1, OVERFLOW_VALUE);
    }

    #[test]
    fn tags_that_grow_together_overflow_together() {
        let mut interner = small();
        for user in 0..10_000 {
            let url = format!("/users/{user}");
            let id = interner.intern(&[("name", &url), ("scenario", "buy"), ("url", &url)]);
            assert_eq!(&*interner.pairs(id)[1].1, "buy", "at {user}");
        }
    }

    #[test]
    fn an_innocent_set_keeps_its_values_after_an_overflow() {
        let mut interner = small();
        for user in 0..1_000 {
            interner.intern(&[("user", &user.to_string())]);
        }
        let id = interner.intern(&[("check", "status is 200")]);
        assert_eq!(&*interner.pairs(id)[0].1, "status is 200");
    }

    #[test]
    fn whatever_a_hostile_module_does_memory_is_bounded() {
        let mut interner = Interner::new(Limits { sets: 100, bytes: 100_000 });
        for round in 0..3_000 {
            let name = format!("name{round}");
            let long = round.to_string().repeat(5_000);
            interner.intern(&[(&name, "x")]);
            interner.intern(&[("long", &long)]);
        }
        assert!(interner.sets.len() <= 100 + 100 / 8 + 3 * 64 + 1, "{}", interner.sets.len());
        assert!(interner.bytes <= 112_500, "{}", interner.bytes);
        assert_eq!(interner.intern(&[("yet", "1"), ("more", "2")]), TagSetId::LOST);
    }
}
