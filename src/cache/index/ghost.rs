// SPDX-License-Identifier: GPL-2.0

//! Who was evicted lately: S3-FIFO's ghost queue, as a table.

use core::ops::DerefMut;

/// The room for one ghost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ghost {
    /// Half of the hash of who it was.
    tag: u32,
    /// How many ghosts had been put in when this one was; zero: none is here.
    born: u32,
}

impl Ghost {
    /// Nobody.
    pub(crate) const NONE: Ghost = Ghost { tag: 0, born: 0 };
}

/// Ghosts of one part of the table; each part is a queue of its own.
const WAYS: usize = 4;

/// The ghosts, in room that the caller owns. A hash has four places where its ghost may be, of which
/// the oldest makes room; a ghost is forgotten, too, when as many came after it as there are places.
/// So it costs the same however many there are, and one in 2^30 or so is taken for another: that
/// makes an eviction a little worse and nothing else.
#[derive(Debug)]
pub(super) struct Ghosts<G> {
    places: G,
    /// How many were put in, modulo 2^32 without zero.
    births: u32,
}

impl<G: DerefMut<Target = [Ghost]>> Ghosts<G> {
    /// No ghosts.
    pub(super) fn new(mut places: G) -> Ghosts<G> {
        places.fill(Ghost::NONE);
        Ghosts { places, births: 0 }
    }

    /// Remembers that somebody was evicted.
    pub(super) fn remember(&mut self, hash: u64) {
        self.births = self.births.wrapping_add(1).max(1);
        let births = self.births;
        let oldest = self
            .part(hash)
            .iter_mut()
            .max_by_key(|ghost| match ghost.born {
                0 => u32::MAX,
                born => births.wrapping_sub(born),
            });
        if let Some(ghost) = oldest {
            // CAST: The half that does not choose the part.
            *ghost = Ghost {
                tag: hash as u32,
                born: births,
            };
        }
    }

    /// Whether somebody was evicted lately, whose ghost goes.
    pub(super) fn recall(&mut self, hash: u64) -> bool {
        let births = self.births;
        let places = self.places.len();
        let mut part = self.part(hash).iter_mut();
        // CAST: As above.
        let Some(ghost) = part.find(|ghost| ghost.born != 0 && ghost.tag == hash as u32) else {
            return false;
        };
        let is_recent = (births.wrapping_sub(ghost.born) as usize) < places;
        *ghost = Ghost::NONE;
        is_recent
    }

    /// The places of a hash.
    fn part(&mut self, hash: u64) -> &mut [Ghost] {
        let start = super::scale(hash, self.places.len() / WAYS).saturating_mul(WAYS);
        let end = start.saturating_add(WAYS);
        self.places.get_mut(start..end).unwrap_or_default()
    }
}
