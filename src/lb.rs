// SPDX-License-Identifier: GPL-2.0

//! Choosing a backend for a request, and knowing which of them are fit for one.
//!
//! Backends are numbered as their files `srun-N` are. [`Cluster`] is the whole of it: who may get new
//! sessions, who only those he has, whose turn it is, who waits for a free place. What it costs does
//! not depend on how many there are.

mod cluster;
mod health;
mod line;
mod ring;
mod sticky;
mod tournament;

pub(crate) use crate::bytes::sip::SipKey;
pub(crate) use cluster::Ask;
pub(crate) use cluster::Balance;
pub(crate) use cluster::Choice;
pub(crate) use cluster::Cluster;
pub(crate) use cluster::Member;
pub(crate) use cluster::Ticket;
pub(crate) use cluster::View;
pub(crate) use health::Condition;
pub(crate) use health::Probed;
pub(crate) use health::Rules;
pub(crate) use health::Verdict;
pub(crate) use health::Why;
pub(crate) use line::Grant;
pub(crate) use line::Line;
pub(crate) use line::Waiter;
pub(crate) use ring::Ring;
pub(crate) use sticky::Claim;
pub(crate) use sticky::Homes;
pub(crate) use sticky::Names;
pub(crate) use sticky::Session;
pub(crate) use sticky::{route, stamp, write_stamp, STAMP};

/// The most backends there can be.
pub(crate) const MAX_BACKENDS: usize = 64;

/// A set of backends: bit N is backend N.
pub(crate) type Mask = u64;

/// The backends that have failed a request, as they were numbered in an [`era`](Cluster::era).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tried {
    mask: Mask,
    era: u32,
}

impl Tried {
    /// Nobody.
    pub(crate) const NONE: Self = Self { mask: 0, era: 0 };

    /// One more has failed it.
    pub(crate) fn add(&mut self, slot: usize, era: u32) {
        *self = Self {
            mask: self.among(era) | only(slot),
            era,
        };
    }

    /// Which of the present backends they are. Numbers of another era may be others' by now: whoever
    /// has one may be asked.
    fn among(self, era: u32) -> Mask {
        if self.era == era {
            self.mask
        } else {
            0
        }
    }

    /// Whether nobody was tried.
    fn is_empty(self) -> bool {
        self.mask == 0
    }
}

/// The set of one; no backend has a number that is too large.
pub(crate) fn only(slot: usize) -> Mask {
    u32::try_from(slot).map_or(0, |slot| 1u64.checked_shl(slot).unwrap_or(0))
}

/// The numbers in a set, in their order.
pub(crate) fn slots(mut mask: Mask) -> impl Iterator<Item = usize> {
    core::iter::from_fn(move || {
        let slot = mask.trailing_zeros() as usize;
        mask &= mask.checked_sub(1)?;
        Some(slot)
    })
}

/// Member number `index` of a set, counted round and round; none of an empty one.
pub(crate) fn nth(mask: Mask, index: u64) -> Option<usize> {
    let mut left = index.checked_rem(u64::from(mask.count_ones()))? as u32;
    // Halves the set until the one bit is left.
    let (mut mask, mut width, mut slot) = (mask, 32u32, 0u32);
    while width > 0 {
        let low = mask & (1u64 << width).wrapping_sub(1);
        let count = low.count_ones();
        if left < count {
            mask = low;
        } else {
            left = left.saturating_sub(count);
            mask >>= width;
            slot = slot.saturating_add(width);
        }
        width /= 2;
    }
    Some(slot as usize)
}

/// Any two members of a set, drawn by lot, all pairs as likely; of a set of one it is the second one
/// that is missing.
pub(crate) fn two(mask: Mask, random: u64) -> (Option<usize>, Option<usize>) {
    let width = u64::from(u64::BITS.saturating_sub(mask.leading_zeros()));
    // Sets are mostly without gaps, so that a number below the highest one's is a member.
    let (one, other) = (random >> 32, random & 0xffff_ffff);
    let below = |most: u64, lot: u64| lot.saturating_mul(most) >> 32;
    let member = |set: Mask, slot: u64, lot: u64| {
        // CAST: Less than 64.
        let slot = slot as usize;
        if set & only(slot) != 0 {
            Some(slot)
        } else {
            nth(set, lot)
        }
    };
    let Some(first) = member(mask, below(width, one), one) else {
        return (None, None);
    };
    // So many places further on, round and round.
    let step = below(width.saturating_sub(1), other).saturating_add(1);
    let next = (first as u64).saturating_add(step);
    let next = next.checked_sub(width).unwrap_or(next);
    (Some(first), member(mask & !only(first), next, other))
}
