// SPDX-License-Identifier: GPL-2.0

//! How long things took: how many of them within which time, and all of it together.
//!
//! What is kept is log-linear: 100 µs to 100 s in six decades of 13 buckets each, of which none is
//! wider than a quarter of where it begins: 1, 1.25, 1.5, 1.75, 2, 2.5, 3, 3.5, 4, 5, 6, 7, 8. The
//! decades are decimal so that bounds which people write, such as 0.005 s, are edges too. Below are
//! four of 25 µs, above is one for all the rest.
//!
//! A histogram takes 672 octets per CPU, and a backend has two: 64 backends take 84 KiB per CPU.

use crate::time::Duration;

/// Upper bounds that scrapers are told, as spans and as seconds in text. Each is an edge.
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

/// The finest step, in microseconds: a quarter of where the first decade begins.
const STEP: u64 = 25;

/// Decades, and buckets of each.
const DECADES: usize = 6;
const OF_DECADE: usize = 13;

/// Buckets in all.
pub(crate) const BUCKETS: usize = 4 + DECADES * OF_DECADE + 1;

/// Numbers of a histogram: the buckets, each for what the ones before it do not hold; last the sum
/// in microseconds (nanoseconds of many connections would overflow within days).
pub(crate) const SLOTS: usize = BUCKETS + 1;

/// Where the sum is.
pub(crate) const SUM: usize = BUCKETS;

/// The bucket of a span. A bound belongs to the bucket below it.
pub(crate) fn bucket(span: Duration) -> usize {
    let mut steps = span.as_nanos().saturating_sub(1) / (STEP * 1000);
    let mut first = 0usize;
    while steps >= 40 && first < DECADES * OF_DECADE {
        steps /= 10;
        first = first.saturating_add(OF_DECADE);
    }
    // Four buckets for each doubling, of which the last one in a decade is cut short. What is below
    // four steps is below all decades.
    let doublings = (steps | 4).ilog2().saturating_sub(2);
    let within = (steps >> doublings).saturating_add(u64::from(doublings.saturating_mul(4)));
    // CAST: The same on 64 bits.
    first.saturating_add(within as usize).min(BUCKETS - 1)
}

/// Where a bucket begins, in microseconds.
pub(crate) fn edge(bucket: usize) -> u64 {
    // CAST: Small numbers, all of them.
    let Some(above) = bucket.checked_sub(4) else {
        return STEP.saturating_mul(bucket as u64);
    };
    let (decade, within) = ((above / OF_DECADE) as u32, (above % OF_DECADE) as u32);
    let quarters = u64::from(within % 4).saturating_add(4);
    let steps = quarters.checked_shl(within / 4).unwrap_or(u64::MAX);
    let step = STEP.saturating_mul(10u64.saturating_pow(decade));
    step.saturating_mul(steps)
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
    pub(crate) fn buckets(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        let (mut sum, mut done) = (0, 0);
        BOUNDS.iter().map(move |(bound, text)| {
            let end = bucket(*bound).saturating_add(1);
            let numbers = self.0.iter().take(end).skip(done);
            sum = numbers.fold(sum, |sum: u64, number| sum.saturating_add(*number));
            done = end;
            (*text, sum)
        })
    }

    /// How many there were.
    pub(crate) fn count(&self) -> u64 {
        let numbers = self.0.iter().take(BUCKETS);
        numbers.fold(0, |sum, number| sum.saturating_add(*number))
    }

    /// How long all of them took together, in microseconds.
    pub(crate) fn sum(&self) -> u64 {
        self.0.get(SUM).copied().unwrap_or(0)
    }

    /// What `percent` of them took at most, in microseconds; none if there was none.
    ///
    /// The true span is in the same bucket, so this is wrong by less than the bucket's width: a
    /// quarter of the span, or 25 µs below 100 µs. Of what took longer than 100 s only that is known.
    #[inline(never)] // Keeps its frame out of its caller's.
    pub(crate) fn percentile(&self, percent: u64) -> Option<u64> {
        let count = self.count();
        let rest = (count % 100).saturating_mul(percent).div_ceil(100);
        let rank = (count / 100).saturating_mul(percent).saturating_add(rest);
        let mut before = 0u64;
        for (bucket, number) in self.0.iter().take(BUCKETS).enumerate() {
            let up_to = before.saturating_add(*number);
            if *number > 0 && up_to >= rank {
                return Some(within(bucket, rank.saturating_sub(before), *number));
            }
            before = up_to;
        }
        None
    }
}

/// The span of the `rank`th of `number` that are spread evenly over a bucket, in microseconds.
fn within(bucket: usize, rank: u64, number: u64) -> u64 {
    let edge_at = edge(bucket);
    if bucket >= BUCKETS - 1 {
        return edge_at;
    }
    let width = edge(bucket.saturating_add(1)).saturating_sub(edge_at);
    // No bucket is wider than 2^25 µs: the product has room if these have 32 bits.
    let excess = 32u32.saturating_sub(number.leading_zeros());
    let part = width.saturating_mul(rank >> excess);
    edge_at.saturating_add(part.checked_div(number >> excess).unwrap_or(0))
}
