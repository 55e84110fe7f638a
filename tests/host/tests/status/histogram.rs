// SPDX-License-Identifier: GPL-2.0

//! How long things took: the buckets, what is told of them, and how true percentiles are.

use proptest::prelude::*;

use crate::status::histogram::{self, bucket, edge, BOUNDS, BUCKETS, SLOTS, SUM};
use crate::status::Histogram;
use crate::status_sample::spent;
use crate::tests::cases;
use crate::time::Duration;

const PERCENTS: [u64; 4] = [1, 50, 90, 99];

#[test]
fn a_bucket_holds_what_is_over_its_edge_up_to_the_next() {
    assert_eq!(bucket(Duration::ZERO), 0);
    assert_eq!(bucket(Duration::from_nanos(1)), 0);
    for index in 1..BUCKETS {
        let begins = Duration::from_micros(edge(index));
        assert_eq!(bucket(begins), index - 1, "{begins}");
        let just_over = begins.saturating_add(Duration::from_nanos(1));
        assert_eq!(bucket(just_over), index, "{begins}");
    }
    assert_eq!(bucket(Duration::MAX), BUCKETS - 1);
    assert_eq!((SUM, SLOTS), (BUCKETS, BUCKETS + 1));
}

#[test]
fn no_bucket_is_wider_than_a_quarter_of_where_it_begins() {
    assert_eq!(edge(0), 0);
    for index in 0..BUCKETS - 1 {
        let width = edge(index + 1) - edge(index);
        assert!(width == 25 || width * 4 <= edge(index), "{index}: {width}");
        assert!(width < 1 << 25, "{index}: {width}");
    }
    assert_eq!(edge(4), 100);
    assert_eq!(edge(BUCKETS - 1), 100_000_000);
}

/// Else what scrapers are told would not be true.
#[test]
fn bounds_are_edges() {
    for (bound, text) in BOUNDS {
        if text == "+Inf" {
            assert_eq!(bound, Duration::MAX);
            continue;
        }
        assert_eq!(
            Duration::from_micros(edge(bucket(bound) + 1)),
            bound,
            "{text}"
        );
        let seconds: f64 = text.parse().expect("a number");
        assert_eq!((seconds * 1e9).round() as u64, bound.as_nanos(), "{text}");
    }
    assert_eq!(BOUNDS.last(), Some(&(Duration::MAX, "+Inf")));
}

#[test]
fn bounds_are_told_with_all_that_is_below_them() {
    let numbers = spent(&[
        (100, 1),
        (101, 2),
        (5_000, 4),
        (5_001, 8),
        (200_000_000, 16),
    ]);
    let told: Vec<_> = Histogram(&numbers).buckets().collect();
    assert_eq!(
        told,
        [
            ("0.0001", 1),
            ("0.0005", 3),
            ("0.001", 3),
            ("0.005", 7),
            ("0.01", 15),
            ("0.05", 15),
            ("0.1", 15),
            ("0.5", 15),
            ("1.0", 15),
            ("5.0", 15),
            ("+Inf", 31)
        ]
    );
    assert_eq!(Histogram(&numbers).count(), 31);
}

#[test]
fn the_sum_of_spans_is_in_rounded_microseconds() {
    for (nanos, micros) in [
        (0, 0),
        (499, 0),
        (500, 1),
        (1499, 1),
        (1500, 2),
        (1_000_000, 1000),
    ] {
        assert_eq!(histogram::micros(Duration::from_nanos(nanos)), micros);
    }
    assert_eq!(histogram::micros(Duration::MAX), u64::MAX / 1000);
}

#[test]
fn percentiles_are_those_of_the_spans() {
    let of = |spans: &[(u64, u64)], percent| Histogram(&spent(spans)).percentile(percent);
    assert_eq!(of(&[], 50), None);
    assert_eq!(Histogram(&[]).percentile(50), None);
    // One of them is all of them; an edge belongs to what is below it.
    for percent in PERCENTS {
        assert_eq!(of(&[(100, 1)], percent), Some(100));
    }
    // Half of them fast, half slow: the middle is the slowest of the fast ones.
    let halves = [(100, 50), (1_000, 50)];
    assert_eq!(of(&halves, 50), Some(100));
    assert_eq!(of(&halves, 51), Some(804));
    assert_eq!(of(&halves, 100), Some(1_000));
    // One in a hundred is slow: the 99th does not show it, what is above does.
    let rare = [(100, 990), (4_000_000, 10)];
    assert_eq!(of(&rare, 99), Some(100));
    assert_eq!(of(&rare, 100), Some(4_000_000));
    // As long as they are not more than 100 s.
    assert_eq!(of(&[(300_000_000, 3)], 50), Some(100_000_000));
}

#[test]
fn huge_numbers_are_no_trouble() {
    for number in [1 << 31, 1 << 32, 1 << 40, u64::MAX] {
        let mut numbers = vec![0; SLOTS];
        numbers[BUCKETS - 2] = number;
        let middle = Histogram(&numbers).percentile(50).expect("there are some");
        assert!(middle.abs_diff(90_000_000) < 10, "{number}: {middle}");
    }
    let numbers = vec![u64::MAX; SLOTS];
    for percent in PERCENTS {
        assert!(Histogram(&numbers).percentile(percent).is_some());
    }
}

proptest! {
    #![proptest_config(cases(300))]

    /// Wrong by less than a quarter, or 25 µs.
    #[test]
    fn percentiles_are_true_enough(
        spans in proptest::collection::vec((0u32..27, 0u64..1 << 27), 1..200),
        percent in 1u64..=100,
    ) {
        let mut spans: Vec<_> = spans.iter().map(|(bits, span)| span >> bits).collect();
        spans.retain(|span| *span < 100_000_000);
        prop_assume!(!spans.is_empty());
        let numbers = spent(&spans.iter().map(|span| (*span, 1)).collect::<Vec<_>>());
        spans.sort_unstable();
        let rank = (spans.len() as u64 * percent).div_ceil(100);
        let right = spans[rank as usize - 1];
        let told = Histogram(&numbers).percentile(percent).expect("there are some");
        prop_assert!(told.abs_diff(right) <= (right / 4).max(25), "{told} for {right}");
    }
}
