// SPDX-License-Identifier: GPL-2.0

//! Whose turn it is to go: the two queues of S3-FIFO (Yang et al., "FIFO queues are all you need for
//! cache eviction", SOSP 2023).
//!
//! What is new goes into a small queue of a tenth of all. Who was asked for twice until he comes to its
//! end goes into the main queue; the others are evicted, and remembered as ghosts. Who comes back while
//! his ghost is there goes into the main queue at once. At the end of that an entry goes round again
//! as often as it was asked for, three times at most. So what is asked for once only, however much of
//! it there is, drives nothing out of the main queue; and a hit changes no queue.

use core::ops::Deref;
use core::ops::DerefMut;
use core::sync::atomic::Ordering;

use super::ledger::Crowd;
use super::ledger::Stage;
use super::Budget;
use super::Ghost;
use super::Ledger;
use super::Place;
use super::Slot;
use super::Store;
use super::Table;
use super::NONE;

/// A queue of slots, linked by `newer` and `older`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fifo {
    newest: u32,
    oldest: u32,
    entries: u64,
    /// Of all entries in it.
    pub(super) octets: u64,
}

impl Fifo {
    pub(super) const EMPTY: Fifo = Fifo {
        newest: NONE,
        oldest: NONE,
        entries: 0,
        octets: 0,
    };
}

/// The main queue has nine times as much as the small one before anything of it goes: the small one
/// has a tenth of all. (The paper, section 4.1.)
const MAIN_SHARE: u64 = 9;

/// Who was hit as often as this in the small queue goes on to the main queue (the paper, algorithm 1).
const WANTED: u8 = 2;

/// How many entries are looked at for one to evict: a caller that must not wait is not kept waiting.
const STEPS: usize = 64;

/// By what the queues are measured: what there is too little of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Measure {
    Entries,
    Octets,
}

/// What became of the wish for room.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Room<E> {
    /// There is room, as long as nobody else takes it.
    Ready,
    /// This was evicted: drop it, and ask again.
    Evicted(E),
    /// Whose turn it is was not found in a bounded number of steps: ask again, as often as this is
    /// the answer. Each time brings the search on.
    Again,
    /// Nothing was evicted, since even without all that can be there would be too little: too much is
    /// being filled, or read by those who are slow. Do without.
    Busy,
    /// There never is: it is larger than everything together may be.
    Never,
}

impl<S, T, P, G> Ledger<T, P, G>
where
    S: Store,
    T: Deref<Target = Table<S>>,
    P: DerefMut<Target = [Place]>,
    G: DerefMut<Target = [Ghost]>,
{
    /// Makes room for a new entry of a key and so many octets, one eviction at a time. A key that
    /// has [`MAX_VARIANTS`](super::MAX_VARIANTS) loses the one that is wanted least.
    pub(crate) fn room_to_insert(
        &mut self,
        budget: &Budget,
        key: u64,
        octets: u64,
    ) -> Room<S::Entry> {
        if let Some(refusal) = self.refusal(budget, octets) {
            return refusal;
        }
        match self.crowd(key) {
            Crowd::Full => Room::Busy,
            Crowd::Least(index) => self.expel(index),
            Crowd::None if !self.has_slot() => self.evict_by(Measure::Entries),
            Crowd::None => self.room_within(budget, octets),
        }
    }

    /// Makes room for so many octets of an entry that is being filled, one eviction at a time.
    pub(crate) fn room_to_grow(&mut self, budget: &Budget, octets: u64) -> Room<S::Entry> {
        match self.refusal(budget, octets) {
            Some(refusal) => refusal,
            None => self.room_within(budget, octets),
        }
    }

    /// Evicts somebody, for whoever wants memory back: never [`Room::Ready`], and [`Room::Busy`] if
    /// there is nobody.
    pub(crate) fn evict(&mut self) -> Room<S::Entry> {
        self.evict_by(Measure::Octets)
    }

    /// Why evicting does not help, if it does not.
    fn refusal(&self, budget: &Budget, octets: u64) -> Option<Room<S::Entry>> {
        let (held, limit) = (budget.held(), budget.limit());
        if octets > limit.saturating_sub(self.fixed) {
            return Some(Room::Never);
        }
        let kept = held.saturating_sub(self.counts().octets);
        let sum = kept.checked_add(octets);
        sum.is_none_or(|sum| sum > limit).then_some(Room::Busy)
    }

    fn room_within(&mut self, budget: &Budget, octets: u64) -> Room<S::Entry> {
        if budget.has_room(octets) {
            Room::Ready
        } else {
            self.evict_by(Measure::Octets)
        }
    }

    /// Evicts the one whose turn it is.
    ///
    /// A search that comes to wanted ones only has brought those of the small queue on to the main
    /// queue, of which there is an end. Those of the main queue could go round for ever, as fast as
    /// they are asked for: there the one goes that is wanted least.
    fn evict_by(&mut self, measure: Measure) -> Room<S::Entry> {
        let mut least: Option<(u8, u32)> = None;
        for _ in 0..STEPS {
            let stage = self.next_queue(measure);
            let index = self.fifo(stage).map_or(NONE, |fifo| fifo.oldest);
            let Some(frequency) = self.table.slot(index).map(Slot::frequency) else {
                return Room::Busy;
            };
            match stage {
                Stage::Small if frequency < WANTED => return self.expel(index),
                Stage::Small => self.advance(index, 0),
                _ if frequency == 0 => return self.expel(index),
                _ => {
                    if least.is_none_or(|(least, _)| frequency < least) {
                        least = Some((frequency, index));
                    }
                    self.advance(index, frequency.saturating_sub(1));
                }
            }
        }
        least.map_or(Room::Again, |(_, index)| self.expel(index))
    }

    /// The queue whose oldest is looked at next.
    fn next_queue(&self, measure: Measure) -> Stage {
        let (small, main) = match measure {
            Measure::Entries => (self.small.entries, self.main.entries),
            Measure::Octets => (self.small.octets, self.main.octets),
        };
        let is_large = small.saturating_mul(MAIN_SHARE) >= main;
        match (self.small.oldest, self.main.oldest) {
            (NONE, _) => Stage::Main,
            (_, NONE) => Stage::Small,
            _ if is_large => Stage::Small,
            _ => Stage::Main,
        }
    }

    /// Moves an entry to the front of the main queue.
    fn advance(&mut self, index: u32, frequency: u8) {
        if let Some(slot) = self.table.slot(index) {
            slot.frequency.store(frequency, Ordering::Relaxed);
        }
        self.unlink(index);
        self.link(index, Stage::Main);
    }

    /// Kills this one to make room.
    fn expel(&mut self, index: u32) -> Room<S::Entry> {
        let is_new = self
            .place(index)
            .is_some_and(|place| place.stage == Stage::Small);
        if let Some(slot) = self.table.slot(index).filter(|_| is_new) {
            self.ghosts.remember(slot.ghost());
        }
        match self.id_at(index).and_then(|id| self.kill(id)) {
            Some(entry) => {
                self.evictions = self.evictions.saturating_add(1);
                Room::Evicted(entry)
            }
            None => Room::Busy,
        }
    }

    fn fifo(&mut self, stage: Stage) -> Option<&mut Fifo> {
        match stage {
            Stage::Empty | Stage::Filling => None,
            Stage::Small => Some(&mut self.small),
            Stage::Main => Some(&mut self.main),
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

    /// Puts an entry that is in no queue at the front of one.
    pub(super) fn link(&mut self, index: u32, stage: Stage) {
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

    /// Takes an entry out of the queue that it is in.
    pub(super) fn unlink(&mut self, index: u32) {
        let Some(place) = self.place(index).copied() else {
            return;
        };
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
}
