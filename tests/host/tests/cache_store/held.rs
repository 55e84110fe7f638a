// SPDX-License-Identifier: GPL-2.0

//! Stored parts that are combined (RFC 9111 section 3.4).

use proptest::prelude::*;

use super::range::{range, show, validators, LAST_MODIFIED, MAX, MODIFIED_AT, TAG, WEAK_TAG};
use crate::cache::range::{ByteRange, Held, Refused};

/// RFC 9110 section 15.3.7.3.
#[test]
fn parts_with_the_same_strong_validator_are_combined() {
    let late = MODIFIED_AT + 10;
    let combine = |one: (&str, i64), other: (&str, i64)| {
        let (one, other) = (validators(one.0, one.1), validators(other.0, other.1));
        let allowed = one.allow_combining_with(&other);
        assert_eq!(allowed, other.allow_combining_with(&one));
        allowed
    };
    let both = [TAG, LAST_MODIFIED].concat();
    let weak = [WEAK_TAG, LAST_MODIFIED].concat();
    let (none, other_tag) = ("", "ETag: \"b\"\r\n");
    assert!(combine((TAG, 0), (TAG, 0)));
    assert!(combine((&both, 0), (TAG, 0)));
    assert!(!combine((TAG, 0), (other_tag, 0)));
    assert!(!combine((&weak, late), (&weak, late)));
    assert!(!combine((&both, late), (LAST_MODIFIED, late)));
    assert!(combine((LAST_MODIFIED, late), (LAST_MODIFIED, late + 5)));
    assert!(!combine(
        (LAST_MODIFIED, late),
        (LAST_MODIFIED, MODIFIED_AT)
    ));
    assert!(!combine((none, late), (none, late)));
}

#[test]
fn held_parts_become_the_whole() {
    let mut held = Held::new(vec![ByteRange::FIRST; 3]);
    assert!(!held.is_whole());
    assert_eq!(held.missing(range(0, 9)), Some(range(0, 9)));
    held.add(range(10, 19), None).unwrap();
    held.add(range(40, 49), Some(60)).unwrap();
    assert_eq!(held.complete(), Some(60));
    held.add(range(0, 5), Some(60)).unwrap();
    assert_eq!(show(held.ranges()), "0-5,10-19,40-49");
    assert_eq!(held.add(range(30, 30), None), Err(Refused::Gaps));
    assert_eq!(held.add(range(30, 30), Some(61)), Err(Refused::Length));
    assert_eq!(held.add(range(50, 60), None), Err(Refused::Length));
    assert!(held.contains(range(12, 19)) && !held.contains(range(12, 20)));
    assert!(!held.contains(range(6, 6)) && !held.contains(range(50, 50)));
    assert_eq!(held.missing(range(3, 14)), Some(range(6, 9)));
    assert_eq!(held.missing(range(12, 59)), Some(range(20, 39)));
    assert_eq!(held.missing(range(12, 19)), None);
    assert_eq!(held.missing(range(45, 59)), Some(range(50, 59)));
    held.add(range(6, 39), Some(60)).unwrap();
    assert_eq!(show(held.ranges()), "0-49");
    assert!(!held.is_whole());
    held.add(range(50, 59), None).unwrap();
    assert!(held.is_whole());
    assert_eq!(held.missing(range(0, 59)), None);
    // A length that is told late and is too small.
    let mut held = Held::new(vec![ByteRange::FIRST; 1]);
    held.add(range(5, 9), None).unwrap();
    assert_eq!(held.add(range(0, 4), Some(9)), Err(Refused::Length));
    assert_eq!(held.complete(), None);
    assert!(!held.is_whole());
    held.add(range(0, 4), Some(10)).unwrap();
    assert!(held.is_whole());
    // Room for nothing, and the largest there is.
    let mut none = Held::new(vec![]);
    assert_eq!(none.add(range(0, 0), None), Err(Refused::Gaps));
    let mut most = Held::new(vec![ByteRange::FIRST; 1]);
    most.add(range(0, MAX - 1), Some(MAX)).unwrap();
    assert!(most.is_whole() && most.missing(range(0, MAX - 1)).is_none());
}

proptest! {
    #![proptest_config(super::super::cases(2048))]

    /// Against the set of all octets that were added.
    #[test]
    fn held_parts_are_a_set_of_octets(
        parts in proptest::collection::vec((0u64..30, 0u64..8), 0..20),
        asked in (0u64..30, 0u64..30),
        room in 0usize..6,
    ) {
        let mut held = Held::new(vec![ByteRange::FIRST; room]);
        let mut octets = std::collections::BTreeSet::new();
        for (first, more) in parts {
            let part = range(first, first + more);
            let mut after = octets.clone();
            after.extend(part.first()..part.end());
            let gaps = after.iter().filter(|at| **at == 0 || !after.contains(&(**at - 1))).count();
            match held.add(part, None) {
                Ok(()) => {
                    prop_assert!(gaps <= room);
                    octets = after;
                }
                Err(refused) => prop_assert!(refused == Refused::Gaps && gaps > room),
            }
            let now: Vec<u64> = held.ranges().iter().flat_map(|held| held.first()..held.end()).collect();
            prop_assert_eq!(now, octets.iter().copied().collect::<Vec<_>>());
        }
        let asked = range(asked.0.min(asked.1), asked.0.max(asked.1));
        let lacking = (asked.first()..asked.end()).filter(|at| !octets.contains(at));
        let lacking: Vec<u64> = lacking.collect();
        prop_assert_eq!(held.contains(asked), lacking.is_empty());
        let missing = held.missing(asked);
        prop_assert_eq!(missing.map(|missing| missing.first()), lacking.first().copied());
        if let Some(missing) = missing {
            let run: Vec<u64> = (missing.first()..missing.end()).collect();
            prop_assert!(lacking.starts_with(&run));
            prop_assert!(!lacking.contains(&missing.end()));
        }
    }
}
