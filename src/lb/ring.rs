// SPDX-License-Identifier: GPL-2.0

//! Consistent hashing: keys and backends are points on a circle, and a key belongs to the next
//! backend (Karger et al., "Consistent Hashing and Random Trees", 1997). A backend that comes or goes
//! moves only the keys that are or were its own.

use super::Mask;
use super::MAX_BACKENDS;
use crate::bytes::sip::SipKey;

/// Points for each unit of weight, as long as [`MAX_POINTS`] allows: shares are even to some percents.
const POINTS_PER_WEIGHT: usize = 128;
/// The most points of all backends.
pub(crate) const MAX_POINTS: usize = 64 * MAX_BACKENDS;

/// The low bits of a point: whose it is.
const OWNER: u32 = MAX_BACKENDS as u32 - 1;

/// Points of a circle, in order; each is a hash whose lowest six bits are its backend's number.
#[derive(Clone, Copy)]
pub(crate) struct Ring<'a>(pub(crate) &'a [u32]);

/// Where each backend's points are; the same for everyone who has the same backends.
const KEY: SipKey = SipKey(0x7265_7369_6e2e_6b6f, 0x6c62_2e72_696e_6721);

impl Ring<'_> {
    /// How many points a backend of this `weight` gets where all have `total`.
    pub(crate) fn points(weight: u16, total: u32) -> usize {
        let most = (MAX_POINTS as u64)
            .checked_div(u64::from(total))
            .unwrap_or(0)
            .clamp(1, POINTS_PER_WEIGHT as u64);
        let points = u64::from(weight).saturating_mul(most);
        // CAST: 256 times 128 at most.
        (points as usize).min(MAX_POINTS)
    }

    /// A backend's point `number`: a backend is known by its `name`, wherever it is in the list.
    pub(crate) fn point(slot: usize, name: &[u8], number: usize) -> u32 {
        let hash = SipKey(KEY.0 ^ number as u64, KEY.1).hash(name);
        // CAST: The upper half is as good as the whole.
        ((hash >> 32) as u32 & !OWNER) | (slot as u32 & OWNER)
    }

    /// The backends from the key's place on, a point each: the first of `allowed` for which `fits`.
    pub(crate) fn find(
        &self,
        key: u64,
        allowed: Mask,
        mut fits: impl FnMut(usize) -> bool,
    ) -> Option<usize> {
        let place = (key >> 32) as u32;
        let start = self.0.partition_point(|point| *point < place);
        let (before, after) = self.0.split_at_checked(start)?;
        let mut seen: Mask = !allowed;
        for point in after.iter().chain(before) {
            let slot = (point & OWNER) as usize;
            let bit = super::only(slot);
            if seen & bit != 0 {
                continue;
            }
            if fits(slot) {
                return Some(slot);
            }
            seen |= bit;
            if seen == Mask::MAX {
                break;
            }
        }
        None
    }
}
