// SPDX-License-Identifier: GPL-2.0

//! How long things took: how many of them within which time, and all of it together.

use crate::time::Duration;

/// Upper bounds of the buckets, as spans and as seconds in text.
pub(crate) const BOUNDS: [(Duration, &str); 11] = [
    (Duration::from_micros(100), "0.0001"),
    (Duration::from_micros(500), "0.0005"),
    (Duration::from_millis(1), "0.001"),
    (Duration::from_millis(5), "0.005"),
    (Duration::from_millis(10), "0.01"),
    (Duration::from_millis(50), "0.05"),
    (Duration::from_millis(100), "0.1"),
    (Duration::from_millis(500), "0.5"),
    (Duration::from_secs(1), "1.0"),
    (Duration::from_secs(5), "5.0"),
    (Duration::MAX, "+Inf"),
];

/// Numbers of a histogram: the buckets, each for what the ones before it do not hold; last the sum
/// in microseconds (nanoseconds of many connections would overflow within days).
pub(crate) const SLOTS: usize = BOUNDS.len() + 1;

/// Where the sum is.
pub(crate) const SUM: usize = BOUNDS.len();

/// The bucket of a span.
pub(crate) fn bucket(span: Duration) -> usize {
    BOUNDS.iter().filter(|(bound, _)| span > *bound).count()
}

/// What is added to the sum for a span: microseconds, rounded.
pub(crate) const fn micros(span: Duration) -> u64 {
    span.saturating_add(Duration::from_nanos(500)).as_nanos() / 1000
}

/// A histogram's numbers, which are [`SLOTS`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Histogram<'a>(pub(crate) &'a [u64]);

impl Histogram<'_> {
    /// How many there were within each bound, in text; the last one is all of them.
    pub(super) fn buckets(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        let mut sum = 0u64;
        BOUNDS.iter().zip(self.0).map(move |((_, text), number)| {
            sum = sum.saturating_add(*number);
            (*text, sum)
        })
    }

    /// How many there were.
    pub(super) fn count(&self) -> u64 {
        let numbers = self.0.iter().take(BOUNDS.len());
        numbers.fold(0, |sum, number| sum.saturating_add(*number))
    }

    /// How long all of them took together, in microseconds.
    pub(super) fn sum(&self) -> u64 {
        self.0.get(SUM).copied().unwrap_or(0)
    }

    /// How long they took on average, in microseconds; none if there was none.
    pub(super) fn mean(&self) -> Option<u64> {
        self.sum().checked_div(self.count())
    }
}
