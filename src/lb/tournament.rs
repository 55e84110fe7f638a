// SPDX-License-Identifier: GPL-2.0

//! A tournament tree: the backend with the least key is known at once, and a key is changed in six
//! steps (Knuth, The Art of Computer Programming, volume 3, section 5.4.1).

use super::MAX_BACKENDS;

/// Keys are less than this.
pub(super) const KEYS: u64 = 1 << (64 - NUMBER);

/// Bits of a backend's number.
const NUMBER: u32 = MAX_BACKENDS.ilog2();

/// A backend's number in a node.
const NUMBERS: u64 = (1 << NUMBER) - 1;

/// Takes no part.
const OUT: u64 = u64::MAX;

/// Matches and backends together.
const NODES: usize = 2 * MAX_BACKENDS;

/// Who wins the matches between backends: the smaller key, then the smaller number.
///
/// # Invariants
///
/// A node is a key with the backend's number in the lowest bits, or [`OUT`]. Match `n` (from 1 on) has
/// the smaller one of `2n` and `2n + 1`; those from 64 on are the backends themselves.
pub(super) struct Tournament([u64; NODES]);

impl Tournament {
    /// Nobody takes part.
    pub(super) const EMPTY: Self = Self([OUT; NODES]);

    /// Changes a backend's key; with none it takes no part.
    pub(super) fn set(&mut self, slot: usize, key: Option<u64>) {
        let node = key.map_or(OUT, |key| {
            (key.min(KEYS - 2) << NUMBER) | (slot as u64 & NUMBERS)
        });
        let mut at = slot | MAX_BACKENDS;
        let Some(old) = self.0.get_mut(at) else {
            return;
        };
        if *old == node {
            return;
        }
        *old = node;
        let mut best = node;
        while at > 1 {
            best = best.min(self.node(at ^ 1));
            at >>= 1;
            if let Some(place) = self.0.get_mut(at) {
                *place = best;
            }
        }
    }

    /// The backend with the least key, if any takes part.
    pub(super) fn least(&self) -> Option<usize> {
        let best = self.node(1);
        // CAST: Less than 64.
        (best != OUT).then_some((best & NUMBERS) as usize)
    }

    fn node(&self, at: usize) -> u64 {
        self.0.get(at).copied().unwrap_or(OUT)
    }
}
