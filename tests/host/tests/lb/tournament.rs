// SPDX-License-Identifier: GPL-2.0

//! Sets of backends.

use proptest::prelude::*;

use crate::lb::{nth, only, slots};

proptest! {
    #[test]
    fn members_are_found_by_their_place(mask: u64, index: u64) {
        let all: Vec<_> = (0..64).filter(|slot| mask & (1 << slot) != 0).collect();
        prop_assert_eq!(slots(mask).collect::<Vec<_>>(), all.clone());
        let right = all.get(index.checked_rem(all.len() as u64).unwrap_or(0) as usize);
        prop_assert_eq!(nth(mask, index), right.copied());
    }
}

#[test]
fn sets_of_one() {
    assert_eq!(only(0), 1);
    assert_eq!(only(63), 1 << 63);
    assert_eq!(only(64), 0);
}
