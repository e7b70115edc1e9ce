//! Groups and their checks, as a tree.

use md5::{Digest, Md5};
use serde::Serialize;

use super::breakdown::tag;
use crate::metrics::{Aggregate, TagPairs, Totals, builtin};

/// A group, the root included, whose name and path are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Group {
    /// The name.
    pub name: String,
    /// The path, such as `::outer::inner`.
    pub path: String,
    /// The MD5 sum of the path in hexadecimal digits, as k6 identifies groups.
    pub id: String,
    /// Groups inside this one.
    pub groups: Vec<Self>,
    /// Checks made in this group itself.
    pub checks: Vec<Check>,
}

/// A check and its results.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Check {
    /// The name.
    pub name: String,
    /// The group's path, `::` and the name.
    pub path: String,
    /// The MD5 sum of the path in hexadecimal digits.
    pub id: String,
    /// How often it passed.
    pub passes: u64,
    /// How often it failed.
    pub fails: u64,
}

impl Group {
    /// The tree of all groups and checks that the totals know, in the order in which they appeared.
    pub(super) fn root(totals: &Totals) -> Self {
        Self::root_of(totals, |_| true)
    }

    /// The tree of those whose samples have tags that are `wanted`.
    pub(super) fn root_of(totals: &Totals, wanted: impl Fn(&TagPairs) -> bool) -> Self {
        let mut root = Self::new("", String::new());
        let tags = |(id, aggregate)| (totals.registry().tags(id), aggregate);
        for (pairs, _) in totals.series(builtin::GROUP_DURATION).map(tags).filter(|(pairs, _)| wanted(pairs)) {
            root.at(tag(&pairs, "group"));
        }
        for (pairs, aggregate) in totals.series(builtin::CHECKS).map(tags).filter(|(pairs, _)| wanted(pairs)) {
            let Aggregate::Rate { passes, total } = aggregate else { continue };
            root.at(tag(&pairs, "group")).check(tag(&pairs, "check"), *passes, total - passes);
        }
        root
    }

    /// All checks of this group and of those inside.
    pub fn all_checks(&self) -> Vec<&Check> {
        let mut all: Vec<&Check> = self.checks.iter().collect();
        self.groups.iter().for_each(|group| all.extend(group.all_checks()));
        all
    }

    /// This group and all inside, outer ones first.
    pub fn all_groups(&self) -> Vec<&Self> {
        let mut all = vec![self];
        self.groups.iter().for_each(|group| all.extend(group.all_groups()));
        all
    }

    fn new(name: &str, path: String) -> Self {
        Self { name: name.to_owned(), id: md5(&path), path, ..Self::default() }
    }

    /// The group with this path; made if new.
    fn at(&mut self, path: &str) -> &mut Self {
        let mut group = self;
        for name in path.split("::").filter(|name| !name.is_empty()) {
            let place = group.groups.iter().position(|inner| inner.name == name).unwrap_or_else(|| {
                group.groups.push(Self::new(name, format!("{}::{name}", group.path)));
                group.groups.len() - 1
            });
            group = &mut group.groups[place];
        }
        group
    }

    fn check(&mut self, name: &str, passes: u64, fails: u64) {
        if let Some(check) = self.checks.iter_mut().find(|check| check.name == name) {
            check.passes += passes;
            check.fails += fails;
            return;
        }
        let path = format!("{}::{name}", self.path);
        self.checks.push(Check { name: name.to_owned(), id: md5(&path), path, passes, fails });
    }
}

fn md5(text: &str) -> String {
    Md5::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_md5_sums_of_paths() {
        let mut root = Group::new("", String::new());
        root.check("status is 200", 3, 1);
        root.at("::outer::inner").check("status is 200", 1, 0);
        root.at("::outer::inner").check("status is 200", 0, 2);
        assert_eq!(root.id, "d41d8cd98f00b204e9800998ecf8427e");
        assert_eq!(root.checks[0].path, "::status is 200");
        assert_eq!(root.checks[0].id, "6210a8cd14cd70477eba5c5e4cb3fb5f");
        let inner = &root.groups[0].groups[0];
        assert_eq!((inner.name.as_str(), inner.path.as_str()), ("inner", "::outer::inner"));
        assert_eq!((inner.checks[0].passes, inner.checks[0].fails), (1, 2));
        assert_eq!(inner.checks[0].path, "::outer::inner::status is 200");
        assert_eq!(root.all_checks().len(), 2);
    }
}
