//! An error about one named value: where it stands, what it is, what is wrong with it, and what to write instead.
//!
//! Options, scenarios and flags share it, so that every message reads alike:
//! ``scenarios.warmup.rate: -5 is not a positive integer; give the number of iterations started per timeUnit``.

use std::fmt;

use serde_json::Value;

/// Values longer than this many characters are cut in messages.
const SHOWN_VALUE_CHARS: usize = 80;

/// How alike two names must be, from 0 to 1, before one is offered for the other (Jaro-Winkler).
const ALIKE: f64 = 0.8;

/// What is wrong with one value, and the remedy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// Where the value stands: `scenarios.warmup.rate`, `--vus`, `K6_VUS`. Empty for the root.
    pub path: String,
    /// The value as it was written, cut when long. Empty when there is none, as for a missing or an unknown key.
    pub value: String,
    /// What is wrong, as words that continue the value, and the remedy after a semicolon.
    pub problem: String,
}

impl FieldError {
    /// An error about the value at `path`; `problem` continues the sentence that the value begins.
    pub fn new(path: impl Into<String>, value: impl fmt::Display, problem: impl Into<String>) -> Self {
        Self { path: path.into(), value: cut(&value.to_string()), problem: problem.into() }
    }

    /// An error about a JSON value: text is shown in quotes, as it stands in the file.
    pub fn json(path: impl Into<String>, value: &Value, problem: impl Into<String>) -> Self {
        Self::new(path, value, problem)
    }

    /// An error that no single value causes.
    pub fn bare(path: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { path: path.into(), value: String::new(), problem: problem.into() }
    }

    /// A key that must be there and is not; `remedy` says what to give.
    pub fn missing(path: impl Into<String>, remedy: impl fmt::Display) -> Self {
        Self::bare(path, format!("is missing; {remedy}"))
    }

    /// A key that nobody knows, with the nearest of the known ones, or all of them when none is near.
    pub fn unknown_key<'a>(path: impl Into<String>, key: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        Self::bare(path, format!("unknown key; {}", did_you_mean(key, known)))
    }

    /// The same error, seen from outside: `rate` within `scenarios.warmup` is `scenarios.warmup.rate`.
    #[must_use]
    pub fn within(mut self, outer: &str) -> Self {
        self.path = match (outer.is_empty(), self.path.is_empty()) {
            (true, _) => self.path,
            (false, true) => outer.to_owned(),
            (false, false) if self.path.starts_with('[') => format!("{outer}{}", self.path),
            (false, false) => format!("{outer}.{}", self.path),
        };
        self
    }
}

impl FieldError {
    /// The same error, in a file or another source: `options.json: vus: …`.
    #[must_use]
    pub fn of(mut self, source: &str) -> Self {
        self.path = if self.path.is_empty() { source.to_owned() } else { format!("{source}: {}", self.path) };
        self
    }

    /// The same error with the beginning of its path, the option `from`, under the name by which the user gave it:
    /// `stages[0]` from `K6_STAGES` is `K6_STAGES[0]`.
    #[must_use]
    pub fn renamed(mut self, from: &str, to: &str) -> Self {
        let rest = self.path.strip_prefix(from).filter(|rest| rest.is_empty() || rest.starts_with(['.', '[']));
        self.path = match rest {
            Some(rest) => format!("{to}{rest}"),
            None if self.path.is_empty() => to.to_owned(),
            None => format!("{to}: {}", self.path),
        };
        self
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        if !self.value.is_empty() {
            write!(f, "{} ", self.value)?;
        }
        f.write_str(&self.problem)
    }
}

impl std::error::Error for FieldError {}

/// The known name that was probably meant, if any is near enough. Case, `-` and `_` do not count.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |text: &str| text.replace(['-', '_'], "").to_lowercase();
    let wanted = plain(name);
    let known: Vec<&'a str> = known.into_iter().collect();
    let mut best: Option<(f64, &'a str)> = None;
    for candidate in known.iter().copied() {
        let alike = strsim::jaro_winkler(&wanted, &plain(candidate));
        if alike >= ALIKE && best.is_none_or(|(so_far, _)| alike > so_far) {
            best = Some((alike, candidate));
        }
    }
    best.map(|(_, candidate)| candidate).or_else(|| {
        // Letters that changed places, in a name too short for the measure above.
        let near = |candidate: &&str| wanted.len() > 2 && strsim::osa_distance(&wanted, &plain(candidate)) <= 1;
        known.iter().copied().find(near)
    })
}

/// The remedy for an unknown name: the nearest known one, or else the list of them.
pub fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    if let Some(candidate) = nearest(name, known.iter().copied()) {
        return format!("did you mean `{candidate}`?");
    }
    if known.is_empty() {
        return "there is none to choose from".to_owned();
    }
    let all: Vec<String> = known.iter().map(|candidate| format!("`{candidate}`")).collect();
    format!("known are {}", all.join(", "))
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(SHOWN_VALUE_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_error_names_place_value_problem_and_remedy() {
        let error = FieldError::json("rate", &json!(-5), "is not a positive integer; give the number of iterations");
        assert_eq!(
            error.within("warmup").within("scenarios").to_string(),
            "scenarios.warmup.rate: -5 is not a positive integer; give the number of iterations"
        );
    }

    #[test]
    fn an_index_needs_no_dot() {
        assert_eq!(FieldError::missing("[2].target", "give it").within("stages").path, "stages[2].target");
        assert_eq!(FieldError::missing("", "give it").within("stages").path, "stages");
        assert_eq!(FieldError::missing("stages", "give it").within("").path, "stages");
    }

    #[test]
    fn an_unknown_key_comes_with_the_nearest_known_one() {
        let known = ["preAllocatedVUs", "maxVUs", "rate"];
        assert_eq!(
            FieldError::unknown_key("preallocatedVU", "preallocatedVU", known).to_string(),
            "preallocatedVU: unknown key; did you mean `preAllocatedVUs`?"
        );
        assert_eq!(
            FieldError::unknown_key("zzz", "zzz", known).to_string(),
            "zzz: unknown key; known are `preAllocatedVUs`, `maxVUs`, `rate`"
        );
        assert_eq!(
            FieldError::unknown_key("zzz", "zzz", []).to_string(),
            "zzz: unknown key; there is none to choose from"
        );
    }

    #[test]
    fn a_long_value_is_cut_between_characters() {
        let error = FieldError::new("name", "쿠폰".repeat(100), "is too long");
        assert_eq!(error.value.chars().count(), SHOWN_VALUE_CHARS + 1);
        assert!(error.value.ends_with('…'));
    }

    #[test]
    fn case_and_separators_do_not_make_names_differ() {
        assert_eq!(nearest("constant_vus", ["constant-vus", "ramping-vus"]), Some("constant-vus"));
        assert_eq!(nearest("issueCoupon", ["issue_coupon", "charge"]), Some("issue_coupon"));
        assert_eq!(nearest("", ["a"]), None);
        assert_eq!(nearest("vsu", ["duration", "vus"]), Some("vus"));
    }
}
