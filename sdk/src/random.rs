//! Random values: fast, and the same again with the same `--seed`.
//!
//! Each virtual user has a stream of its own. It is seeded by the runtime once per instance; from then on no call leaves
//! the module.
//!
//! ```
//! use flashcrowd::prelude::*;
//!
//! let user: u32 = random::range(1..=10_000);
//! let pause = random::range(1.0..3.0);
//! let size = random::choose(&["S", "M", "L"]);
//! assert!((1..=10_000).contains(&user) && (1.0..3.0).contains(&pause) && size.len() == 1);
//! ```

use std::cell::RefCell;
use std::convert::Infallible;

use rand::distr::uniform::{SampleRange, SampleUniform};
use rand::distr::{Alphanumeric, SampleString};
use rand::rngs::Xoshiro256PlusPlus;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, RngExt, SeedableRng, TryRng};
use rand_distr::{Distribution, Exp, Normal, Zipf};

use crate::host;

std::thread_local! {
    static STREAM: RefCell<Xoshiro256PlusPlus> = RefCell::new(seeded());
}

fn seeded() -> Xoshiro256PlusPlus {
    let mut seed = [0; 32];
    for word in seed.chunks_exact_mut(8) {
        word.copy_from_slice(&host::random::next_u64().to_le_bytes());
    }
    Xoshiro256PlusPlus::from_seed(seed)
}

/// This virtual user's stream, for the `rand` crate's own traits and for crates that take a generator.
///
/// ```
/// use flashcrowd::random;
/// use rand::RngExt;
///
/// let dice: u8 = random::rng().random_range(1..=6);
/// assert!((1..=6).contains(&dice));
/// ```
#[must_use]
pub fn rng() -> VuRng {
    VuRng(())
}

/// What [`rng`] gives.
#[derive(Clone, Copy, Debug)]
pub struct VuRng(());

impl TryRng for VuRng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(STREAM.with_borrow_mut(Rng::next_u32))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(STREAM.with_borrow_mut(Rng::next_u64))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        STREAM.with_borrow_mut(|stream| stream.fill_bytes(bytes));
        Ok(())
    }
}

/// A value from a range, each one as likely as any other: `1..=6`, `0..10`, `1.0..3.0`.
///
/// # Panics
/// If the range is empty.
#[must_use]
#[track_caller]
pub fn range<T: SampleUniform>(range: impl SampleRange<T>) -> T {
    rng().random_range(range)
}

/// A number from 0 up to, but not including, 1.
///
/// ```
/// assert!((0.0..1.0).contains(&flashcrowd::random::uniform()));
/// ```
#[must_use]
pub fn uniform() -> f64 {
    rng().random()
}

/// A number from the normal distribution with this mean and this standard deviation.
///
/// ```
/// let think_time = flashcrowd::random::normal(2.0, 0.5).max(0.0);
/// assert!(think_time < 20.0);
/// ```
///
/// # Panics
/// If the standard deviation is negative or not finite.
#[must_use]
#[track_caller]
pub fn normal(mean: f64, standard_deviation: f64) -> f64 {
    match Normal::new(mean, standard_deviation) {
        Ok(normal) if standard_deviation >= 0.0 => normal.sample(&mut rng()),
        _ => panic!("random::normal: {standard_deviation} is not a standard deviation; give a finite number from 0"),
    }
}

/// A number from the exponential distribution with this mean: the times between events that come independently.
///
/// ```
/// assert!(flashcrowd::random::exponential(1.5) >= 0.0);
/// ```
///
/// # Panics
/// If the mean is not a finite number above 0.
#[must_use]
#[track_caller]
pub fn exponential(mean: f64) -> f64 {
    match Exp::new(1.0 / mean) {
        Ok(exponential) if mean > 0.0 && mean.is_finite() => exponential.sample(&mut rng()),
        _ => panic!("random::exponential: {mean} is not a mean; give a finite number above 0"),
    }
}

/// A number from 1 to `n`, where the number `k` has a weight of `1 / k^s`: a few favourites and a long tail, like products
/// and pages. `s` is about 1 for most of what is popular; 0 makes all equal.
///
/// ```
/// let product = flashcrowd::random::zipf(1_000, 1.1);
/// assert!((1..=1_000).contains(&product));
/// ```
///
/// # Panics
/// If `n` is 0, or `s` is negative or not a number.
#[must_use]
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a whole number from 1 to n"
)]
#[track_caller]
pub fn zipf(n: u64, s: f64) -> u64 {
    match Zipf::new(n as f64, s) {
        Ok(zipf) if n > 0 => (zipf.sample(&mut rng()) as u64).clamp(1, n),
        _ => panic!("random::zipf: n is {n} and s is {s}; give an n from 1 and an s from 0"),
    }
}

/// `true` with this probability, from 0 to 1.
///
/// ```
/// if flashcrowd::random::chance(0.3) {
///     // three in ten look at the ranking
/// }
/// ```
///
/// # Panics
/// If the probability is not from 0 to 1.
#[must_use]
#[track_caller]
pub fn chance(probability: f64) -> bool {
    assert!(
        (0.0..=1.0).contains(&probability),
        "random::chance: {probability} is not a probability; give a number from 0 to 1"
    );
    rng().random_bool(probability)
}

/// `true` or `false`, each as likely.
///
/// ```
/// let _heads = flashcrowd::random::bool();
/// ```
#[must_use]
pub fn bool() -> bool {
    rng().random()
}

/// One of these.
///
/// ```
/// let seat = flashcrowd::random::choose(&["A1", "A2", "B1"]);
/// assert_eq!(seat.len(), 2);
/// ```
///
/// # Panics
/// If there are none.
#[must_use]
#[track_caller]
pub fn choose<T>(items: &[T]) -> &T {
    match items.choose(&mut rng()) {
        Some(item) => item,
        None => panic!("random::choose: there is nothing to choose from"),
    }
}

/// Puts these into a random order.
///
/// ```
/// let mut seats = [1, 2, 3];
/// flashcrowd::random::shuffle(&mut seats);
/// seats.sort();
/// assert_eq!(seats, [1, 2, 3]);
/// ```
pub fn shuffle<T>(items: &mut [T]) {
    items.shuffle(&mut rng());
}

/// So many characters from `A-Z`, `a-z` and `0-9`.
///
/// ```
/// assert_eq!(flashcrowd::random::string(12).len(), 12);
/// ```
#[must_use]
pub fn string(length: usize) -> String {
    Alphanumeric.sample_string(&mut rng(), length)
}

/// So many bytes.
///
/// ```
/// assert_eq!(flashcrowd::random::bytes(16).len(), 16);
/// ```
#[must_use]
pub fn bytes(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    rng().fill_bytes(&mut bytes);
    bytes
}

/// A random UUID (version 4, RFC 9562) in its usual writing.
///
/// ```
/// let key = flashcrowd::random::uuid();
/// assert_eq!((key.len(), &key[14..15]), (36, "4"));
/// ```
#[must_use]
pub fn uuid() -> String {
    let random = u128::from(rng().next_u64()) << 64 | u128::from(rng().next_u64());
    // Version 4 in bits 48 to 51 and variant 10 in bits 64 and 65, counted from the left.
    let bits = random & !(0xf << 76) & !(0x3 << 62) | 0x4 << 76 | 0x2 << 62;
    let hex = format!("{bits:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_has_its_version_and_variant() {
        for _ in 0..1000 {
            let uuid = uuid();
            let fields: Vec<&str> = uuid.split('-').collect();
            assert_eq!(fields.iter().map(|field| field.len()).collect::<Vec<_>>(), [8, 4, 4, 4, 12], "{uuid}");
            assert!(fields[2].starts_with('4'), "{uuid}");
            assert!(fields[3].starts_with(['8', '9', 'a', 'b']), "{uuid}");
        }
    }

    #[test]
    fn zipf_prefers_small_numbers_and_stays_in_range() {
        let draws: Vec<u64> = (0..10_000).map(|_| zipf(100, 1.0)).collect();
        assert!(draws.iter().all(|draw| (1..=100).contains(draw)));
        let ones = draws.iter().filter(|draw| **draw == 1).count();
        // The weight of 1 among 100 with s = 1 is 1 / H(100) = 0.193.
        assert!((1_600..2_300).contains(&ones), "{ones}");
        assert_eq!(zipf(1, 0.0), 1);
    }

    #[test]
    fn means_are_what_was_asked() {
        let mean = |draw: fn() -> f64| (0..20_000).map(|_| draw()).sum::<f64>() / 20_000.0;
        assert!((mean(|| exponential(2.0)) - 2.0).abs() < 0.1);
        assert!((mean(|| normal(5.0, 1.0)) - 5.0).abs() < 0.05);
        assert!((mean(uniform) - 0.5).abs() < 0.02);
    }

    #[test]
    #[should_panic(expected = "random::normal: -1 is not a standard deviation")]
    fn a_negative_deviation_is_refused() {
        let _ = normal(0.0, -1.0);
    }

    #[test]
    #[should_panic(expected = "random::exponential: 0 is not a mean")]
    fn a_mean_of_zero_is_refused() {
        let _ = exponential(0.0);
    }

    #[test]
    #[should_panic(expected = "random::choose: there is nothing to choose from")]
    fn nothing_cannot_be_chosen_from() {
        let _ = choose::<u8>(&[]);
    }
}
