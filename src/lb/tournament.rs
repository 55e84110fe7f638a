// SPDX-License-Identifier: GPL-2.0

//! A tournament tree: the backend with the least key is known at once, and a key is changed in six
//! steps (Knuth, The Art of Computer Programming, volume 3, section 5.4.1).

use super::MAX_BACKENDS;

/// Takes no part.
pub(super) const OUT: u64 = u64::MAX;

/// The keys of all backends, and who wins each match between them.
///
/// # Invariants
///
/// Match `n` (from 1 on) is between the winners of `2n` and `2n + 1`; those from 64 on are the backends
/// themselves. The smaller key wins, then the smaller number.
pub(super) struct Tournament {
    keys: [u64; MAX_BACKENDS],
    winners: [u8; MAX_BACKENDS],
}

impl Tournament {
    /// Nobody takes part.
    pub(super) const EMPTY: Self = Self {
        keys: [OUT; MAX_BACKENDS],
        winners: [0; MAX_BACKENDS],
    };

    /// Changes a backend's key.
    pub(super) fn set(&mut self, slot: usize, key: u64) {
        let Some(old) = self.keys.get_mut(slot) else {
            return;
        };
        *old = key;
        let mut at = (slot | MAX_BACKENDS) >> 1;
        while at > 0 {
            let (left, right) = (self.winner(at << 1), self.winner((at << 1) | 1));
            let best = if self.key(right.into()) < self.key(left.into()) {
                right
            } else {
                left
            };
            if let Some(winner) = self.winners.get_mut(at) {
                *winner = best;
            }
            at >>= 1;
        }
    }

    /// The backend's key; [`OUT`] if it takes no part.
    pub(super) fn key(&self, slot: usize) -> u64 {
        self.keys.get(slot).copied().unwrap_or(OUT)
    }

    /// The backend with the least key, if any takes part.
    pub(super) fn least(&self) -> Option<usize> {
        let slot = usize::from(self.winner(1));
        (self.key(slot) != OUT).then_some(slot)
    }

    /// Who has won a match; from 64 on who it is about.
    fn winner(&self, at: usize) -> u8 {
        match self.winners.get(at) {
            Some(winner) => *winner,
            // CAST: Less than 128.
            None => at.saturating_sub(MAX_BACKENDS) as u8,
        }
    }
}
