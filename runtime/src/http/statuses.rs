//! Which statuses count as a success.

use std::ops::RangeInclusive;
use std::sync::Arc;

/// What counts as a success where nobody says otherwise: k6's default.
const USUAL: RangeInclusive<u16> = 200..=399;

/// Ranges that one request, virtual user or scenario may name.
const MAX_RANGES: usize = 100;

/// Statuses that somebody expects, as ranges. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statuses(Arc<[(u16, u16)]>);

impl Statuses {
    /// The statuses from the first to the last of each range, both included.
    ///
    /// # Errors
    /// A range that is empty, or more ranges than there are statuses to tell apart.
    pub fn new(ranges: &[(u16, u16)]) -> Result<Self, String> {
        if ranges.len() > MAX_RANGES {
            return Err(format!("{} ranges of expected statuses; give at most {MAX_RANGES}", ranges.len()));
        }
        match ranges.iter().find(|(first, last)| first > last || *first < 100 || *last > 999) {
            None => Ok(Self(ranges.into())),
            Some((first, last)) => {
                Err(format!("{first}-{last} is no range of statuses; give first and last, from 100 to 999"))
            }
        }
    }

    /// As options write them.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        self.0.iter().map(|(first, last)| format!("{first}-{last}")).collect()
    }

    /// Whether a status counts as a success, `None` being what everybody expects. No answer (0) never does.
    #[must_use]
    pub fn expect(these: Option<&Self>, status: u16) -> bool {
        match these {
            None => USUAL.contains(&status),
            Some(Self(ranges)) => ranges.iter().any(|(first, last)| (*first..=*last).contains(&status)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_have_both_their_ends() {
        let statuses = Statuses::new(&[(200, 204), (404, 404)]).unwrap();
        let expected: Vec<u16> = (0..=999).filter(|status| Statuses::expect(Some(&statuses), *status)).collect();
        assert_eq!(expected, [200, 201, 202, 203, 204, 404]);
        assert!(Statuses::expect(None, 200) && Statuses::expect(None, 399));
        assert!(!Statuses::expect(None, 199) && !Statuses::expect(None, 400) && !Statuses::expect(None, 0));
        assert!(!Statuses::expect(Some(&Statuses::new(&[]).unwrap()), 200));
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for (first, last) in [(300, 200), (0, 200), (200, 1000)] {
            assert!(Statuses::new(&[(first, last)]).unwrap_err().contains("is no range of statuses"));
        }
        assert!(Statuses::new(&[(200, 200); 101]).unwrap_err().contains("at most 100"));
    }
}
