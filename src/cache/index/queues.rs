// SPDX-License-Identifier: GPL-2.0

//! What each slot is used for: empty, being filled, or in one of two queues.

use core::ops::DerefMut;

use super::NONE;

/// How far the entry in a slot is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stage {
    /// There is none.
    Empty,
    /// It is being filled.
    Filling,
    /// It is in the queue of those that are new.
    Small,
    /// It is in the queue of those that have been asked for.
    Main,
}

/// What is noted of a slot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// What dropping the entry gives back, when it is in a queue.
    octets: u64,
    newer: u32,
    /// The next older one in its queue; of an empty slot, the next empty one.
    older: u32,
    stage: Stage,
}

impl Place {
    /// Of an empty slot.
    pub(crate) const EMPTY: Place = Place {
        octets: 0,
        newer: NONE,
        older: NONE,
        stage: Stage::Empty,
    };
}

/// By what queues are measured: what there is too little of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Measure {
    Entries,
    Octets,
}

/// A queue of slots, linked by `newer` and `older`.
#[derive(Clone, Copy, Debug)]
struct Fifo {
    newest: u32,
    oldest: u32,
    entries: usize,
    /// Of all entries in it.
    octets: u64,
}

impl Fifo {
    const EMPTY: Fifo = Fifo {
        newest: NONE,
        oldest: NONE,
        entries: 0,
        octets: 0,
    };

    fn size(&self, measure: Measure) -> u64 {
        match measure {
            // CAST: Not wider.
            Measure::Entries => self.entries as u64,
            Measure::Octets => self.octets,
        }
    }
}

/// The places of all slots, in room that the caller owns.
///
/// # Invariants
///
/// Those that are [`Stage::Small`] or [`Stage::Main`] form these queues; empty ones below `used` form a
/// list by `older`, from `free`, and all from `used` on are empty. As many as `filling` are
/// [`Stage::Filling`].
#[derive(Debug)]
pub(super) struct Queues<P> {
    places: P,
    slots: usize,
    small: Fifo,
    main: Fifo,
    filling: usize,
    free: u32,
    used: u32,
}

impl<P: DerefMut<Target = [Place]>> Queues<P> {
    /// So many slots, or as many as there are places, all of them empty.
    pub(super) fn new(mut places: P, slots: usize) -> Queues<P> {
        places.fill(Place::EMPTY);
        Queues {
            slots: slots.min(places.len()).min(NONE as usize),
            places,
            small: Fifo::EMPTY,
            main: Fifo::EMPTY,
            filling: 0,
            free: NONE,
            used: 0,
        }
    }

    /// How many slots there are.
    pub(super) fn slots(&self) -> usize {
        self.slots
    }

    /// How many are being filled.
    pub(super) fn filling(&self) -> usize {
        self.filling
    }

    /// How many are not empty.
    pub(super) fn entries(&self) -> usize {
        let whole = self.small.entries.saturating_add(self.main.entries);
        whole.saturating_add(self.filling)
    }

    /// Octets of those in the queues.
    pub(super) fn octets(&self) -> u64 {
        self.small.octets.saturating_add(self.main.octets)
    }

    /// How far what is in a slot is.
    pub(super) fn stage(&self, index: u32) -> Stage {
        self.place(index).map_or(Stage::Empty, |place| place.stage)
    }

    /// An empty slot.
    pub(super) fn empty(&self) -> Option<u32> {
        match self.free {
            NONE => ((self.used as usize) < self.slots).then_some(self.used),
            free => Some(free),
        }
    }

    /// Begins to fill the slot that [`empty`](Self::empty) has named.
    pub(super) fn fill(&mut self, index: u32) {
        let Some(place) = self.places.get_mut(index as usize) else {
            return;
        };
        match self.free {
            NONE => self.used = self.used.saturating_add(1),
            _ => self.free = place.older,
        }
        *place = Place {
            stage: Stage::Filling,
            ..Place::EMPTY
        };
        self.filling = self.filling.saturating_add(1);
    }

    /// Moves what is not empty to the front of a queue.
    pub(super) fn advance(&mut self, index: u32, to: Stage) {
        self.unlink(index);
        self.link(index, to);
    }

    /// Empties a slot.
    pub(super) fn clear(&mut self, index: u32) {
        self.unlink(index);
        let free = self.free;
        if let Some(place) = self.place_mut(index) {
            *place = Place {
                older: free,
                ..Place::EMPTY
            };
            self.free = index;
        }
    }

    /// Changes what an entry gives back.
    pub(super) fn set_octets(&mut self, index: u32, octets: u64) {
        let Some(place) = self.place_mut(index) else {
            return;
        };
        let before = core::mem::replace(&mut place.octets, octets);
        let stage = place.stage;
        if let Some(fifo) = self.fifo(stage) {
            fifo.octets = fifo.octets.saturating_sub(before).saturating_add(octets);
        }
    }

    /// The one whose turn it is: the oldest of the small queue if `main_share` times what that has is
    /// at least what the main one has, else the oldest of the main one.
    pub(super) fn next(&self, measure: Measure, main_share: u64) -> Option<(Stage, u32)> {
        let (small, main) = (self.small.size(measure), self.main.size(measure));
        let is_large = small.saturating_mul(main_share) >= main;
        match (self.small.oldest, self.main.oldest) {
            (NONE, NONE) => None,
            (small, main) if small != NONE && (is_large || main == NONE) => {
                Some((Stage::Small, small))
            }
            (_, main) => Some((Stage::Main, main)),
        }
    }

    /// Puts an entry that is in no queue at the front of one.
    fn link(&mut self, index: u32, stage: Stage) {
        let octets = self.place(index).map_or(0, |place| place.octets);
        let Some(fifo) = self.fifo(stage) else {
            return;
        };
        let older = fifo.newest;
        fifo.newest = index;
        fifo.entries = fifo.entries.saturating_add(1);
        fifo.octets = fifo.octets.saturating_add(octets);
        if older == NONE {
            fifo.oldest = index;
        }
        if let Some(place) = self.place_mut(older) {
            place.newer = index;
        }
        if let Some(place) = self.place_mut(index) {
            place.stage = stage;
            place.newer = NONE;
            place.older = older;
        }
    }

    /// Takes an entry out of the queue that it is in, or from those that are being filled.
    fn unlink(&mut self, index: u32) {
        let Some(place) = self.place(index).copied() else {
            return;
        };
        if place.stage == Stage::Filling {
            self.filling = self.filling.saturating_sub(1);
        }
        let Some(fifo) = self.fifo(place.stage) else {
            return;
        };
        fifo.entries = fifo.entries.saturating_sub(1);
        fifo.octets = fifo.octets.saturating_sub(place.octets);
        if place.newer == NONE {
            fifo.newest = place.older;
        }
        if place.older == NONE {
            fifo.oldest = place.newer;
        }
        if let Some(newer) = self.place_mut(place.newer) {
            newer.older = place.older;
        }
        if let Some(older) = self.place_mut(place.older) {
            older.newer = place.newer;
        }
    }

    fn fifo(&mut self, stage: Stage) -> Option<&mut Fifo> {
        match stage {
            Stage::Empty | Stage::Filling => None,
            Stage::Small => Some(&mut self.small),
            Stage::Main => Some(&mut self.main),
        }
    }

    fn place(&self, index: u32) -> Option<&Place> {
        self.places.get(index as usize)
    }

    fn place_mut(&mut self, index: u32) -> Option<&mut Place> {
        self.places.get_mut(index as usize)
    }
}
