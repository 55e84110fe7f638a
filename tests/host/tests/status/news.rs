// SPDX-License-Identifier: GPL-2.0

//! What the kernel log is told of backends.

use crate::lb::{Condition, Why};
use crate::status::{News, State};

#[test]
fn what_has_changed_is_said_in_one_line() {
    for (condition, why, said) in [
        (Condition::Up, None, "is ok again"),
        (Condition::Up, Some(Why::Refused), "is ok again"),
        (Condition::Warming, Some(Why::Errors), "is ok again"),
        (Condition::Paused, None, "is paused"),
        (Condition::Paused, Some(Why::Errors), "is paused"),
        (
            Condition::Failed,
            Some(Why::Refused),
            "is failing: refused connections",
        ),
        (
            Condition::Due,
            Some(Why::Probes),
            "is failing: probes failed",
        ),
        (
            Condition::Tried,
            Some(Why::Errors),
            "is failing: errors on end",
        ),
    ] {
        let news = News {
            slot: 3,
            addr: ([10, 1, 2, 3], 6802).into(),
            state: State::of(condition),
            why,
        };
        assert_eq!(news.to_string(), format!("srun-3 (10.1.2.3:6802) {said}"));
    }
}
