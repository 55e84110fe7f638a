// SPDX-License-Identifier: GPL-2.0

//! How long a peer may still be waited for.

use crate::time::Duration;

/// A bucket of time that leaks while a peer is waited for, and that what the peer does fills up.
///
/// So a peer may pause for as long as the whole bucket, but not again and again, if a rate is asked
/// of it.
#[derive(Clone, Copy)]
pub(super) struct Pace {
    left: Duration,
    /// What the peer had done when this was last looked at: octets, or any other count that grows.
    seen: u64,
}

impl Pace {
    /// A full bucket. The peer has done `seen` until now.
    pub(super) const fn new(limit: Duration, seen: u64) -> Self {
        Self { left: limit, seen }
    }

    /// How long the peer can still be waited for.
    pub(super) fn left(&self) -> Duration {
        self.left
    }

    /// The peer was waited for so long, and has done `seen` in all until now.
    ///
    /// The bucket holds `limit`. Each unit done fills it by the time that one of `rate` units in a
    /// second takes; with a `rate` of 0 it fills it up.
    pub(super) fn settle(&mut self, waited: Duration, seen: u64, limit: Duration, rate: u64) {
        let done = seen.saturating_sub(self.seen);
        self.seen = seen;
        let gained = match done.saturating_mul(NANOS).checked_div(rate) {
            Some(nanos) => Duration::from_nanos(nanos),
            None if done > 0 => limit,
            None => Duration::ZERO,
        };
        self.left = self.left.saturating_sub(waited);
        self.left = self.left.saturating_add(gained).min(limit);
    }
}

/// Nanoseconds in a second.
const NANOS: u64 = 1_000_000_000;
