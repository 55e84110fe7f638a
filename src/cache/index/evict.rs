// SPDX-License-Identifier: GPL-2.0

//! Whose turn it is to go: the two queues of S3-FIFO (Yang et al., "FIFO queues are all you need for
//! cache eviction", SOSP 2023).
//!
//! What is new goes into a small queue of a tenth of all. Who was asked for twice until he comes to its
//! end goes into the main queue; the others are evicted, and remembered as ghosts. Who comes back while
//! his ghost is there goes into the main queue at once. At the end of that an entry goes round again
//! as often as it was asked for, three times at most. So what is asked for once only, however much of
//! it there is, drives nothing out of the main queue; and a hit changes no queue.
//!
//! What is being filled is in no queue, and it is nobody's turn until he is whole. So that those who
//! fill slowly, or never come to an end, do not drive out everything else, there are bounds of their
//! own: the others make room for what cannot be evicted, which is this and what was evicted but is
//! read on, only until it has half of all octets, and for what is being filled only until it has half
//! of all slots, or of the variants that one key may have. Who comes then is not stored.

use core::ops::Deref;
use core::ops::DerefMut;
use core::sync::atomic::Ordering;

use super::queues::Measure;
use super::queues::Stage;
use super::Budget;
use super::Ghost;
use super::Ledger;
use super::Place;
use super::Slot;
use super::Store;
use super::Table;
use super::MAX_CHAIN;
use super::MAX_VARIANTS;

/// The main queue has nine times as much as the small one before anything of it goes: the small one
/// has a tenth of all. (The paper, section 4.1.)
const MAIN_SHARE: u64 = 9;

/// Who was hit as often as this in the small queue goes on to the main queue (the paper, algorithm 1).
const WANTED: u8 = 2;

/// How many entries are looked at for one to evict: a caller that must not wait is not kept waiting.
const STEPS: usize = 64;

/// What became of the wish for room.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Room<E> {
    /// There is room, as long as nobody else takes it.
    Ready,
    /// This was evicted: drop it when the lock is free, and ask again.
    ///
    /// Its octets count as held until it is dropped, and by its readers too. Whoever asks meanwhile on
    /// another processor may evict one more than would have been needed, or hear [`Room::Busy`]
    /// although there soon is room: one entry too much or too little for each who asks at a time.
    Evicted(E),
    /// Whose turn it is was not found in a bounded number of steps: ask again, as often as this is
    /// the answer. Each time brings the search on.
    Again,
    /// Nothing was evicted, since it would not do, or others would have to give way to more than half
    /// of all that is being filled, or read by those who are slow. Do without.
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
    /// has [`MAX_VARIANTS`] loses the one that is wanted least.
    ///
    /// Whoever has let go of the lock to drop what was evicted has to [find](Table::find) again: what
    /// he is about to insert may have been inserted by another.
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
            Crowd::None if self.queues.empty().is_some() => self.room_within(budget, octets),
            Crowd::None if self.queues.filling() < self.queues.slots().div_ceil(2) => {
                self.evict_by(Measure::Entries)
            }
            Crowd::None => Room::Busy,
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

    /// Why nobody is evicted for so many octets, if there are not as many already.
    fn refusal(&self, budget: &Budget, octets: u64) -> Option<Room<S::Entry>> {
        if budget.has_room(octets) {
            return None;
        }
        let (held, limit) = (budget.held(), budget.limit());
        let all = limit.saturating_sub(self.fixed);
        if octets > all {
            return Some(Room::Never);
        }
        // What evictions do not give back.
        let kept = held.saturating_sub(self.queues.octets());
        let most = self.fixed.min(limit).saturating_add(all / 2);
        let sum = kept.checked_add(octets);
        sum.is_none_or(|sum| sum > most).then_some(Room::Busy)
    }

    fn room_within(&mut self, budget: &Budget, octets: u64) -> Room<S::Entry> {
        if budget.has_room(octets) {
            Room::Ready
        } else {
            self.evict_by(Measure::Octets)
        }
    }

    /// Who has to go before an entry of a key can come, however much memory there is: one of the key's
    /// or of its chain's, if there are too many.
    pub(super) fn crowd(&self, key: u64) -> Crowd {
        let (mut of_key, mut of_chain) = (Tally::EMPTY, Tally::EMPTY);
        for (index, slot) in self.table.chain(key) {
            let is_filling = self.queues.stage(index) == Stage::Filling;
            let frequency = (!is_filling).then(|| slot.frequency());
            of_chain.add(index, frequency);
            if slot.key() == key {
                of_key.add(index, frequency);
            }
        }
        match of_key.crowd(MAX_VARIANTS) {
            Crowd::None => of_chain.crowd(MAX_CHAIN),
            crowd => crowd,
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
            let Some((stage, index)) = self.queues.next(measure, MAIN_SHARE) else {
                return Room::Busy;
            };
            let frequency = self.table.slot(index).map_or(0, Slot::frequency);
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

    /// Moves an entry to the front of the main queue.
    fn advance(&mut self, index: u32, frequency: u8) {
        if let Some(slot) = self.table.slot(index) {
            slot.frequency.store(frequency, Ordering::Relaxed);
        }
        self.queues.advance(index, Stage::Main);
    }

    /// Kills this one to make room.
    fn expel(&mut self, index: u32) -> Room<S::Entry> {
        let is_new = self.queues.stage(index) == Stage::Small;
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
}

/// Who has to go before an entry of a key can come, however much memory there is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Crowd {
    /// Nobody.
    None,
    /// This one.
    Least(u32),
    /// Nobody can: too many are being filled.
    Full,
}

/// Entries that have something in common, from that which was inserted last.
struct Tally {
    len: usize,
    filling: usize,
    /// The whole one that is wanted least, of equal ones that which was inserted first, with its
    /// frequency.
    least: Option<(u8, u32)>,
}

impl Tally {
    const EMPTY: Tally = Tally {
        len: 0,
        filling: 0,
        least: None,
    };

    /// Counts one, with its frequency if it is whole.
    fn add(&mut self, index: u32, frequency: Option<u8>) {
        self.len = self.len.saturating_add(1);
        let Some(frequency) = frequency else {
            self.filling = self.filling.saturating_add(1);
            return;
        };
        if self.least.is_none_or(|(least, _)| frequency <= least) {
            self.least = Some((frequency, index));
        }
    }

    /// Who goes so that there is one fewer than so many. For one more than half as many that are
    /// being filled nobody does: else all that is whole would.
    fn crowd(&self, most: usize) -> Crowd {
        if self.filling >= most / 2 {
            return Crowd::Full;
        }
        match self.least {
            Some((_, index)) if self.len >= most => Crowd::Least(index),
            _ => Crowd::None,
        }
    }
}
