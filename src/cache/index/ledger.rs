// SPDX-License-Identifier: GPL-2.0

//! The part of the index that changes it.

use core::ops::Deref;
use core::ops::DerefMut;
use core::sync::atomic::Ordering;

use super::evict::Fifo;
use super::ghost::Ghosts;
use super::Ghost;
use super::Id;
use super::Store;
use super::Table;
use super::Wanted;
use super::MAX_CHAIN;
use super::MAX_VARIANTS;
use super::NONE;

/// How far the entry in a slot is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stage {
    /// There is none.
    Empty,
    /// It is being filled, and not evicted.
    Filling,
    /// It is in the queue of those that are new.
    Small,
    /// It is in the queue of those that have been asked for.
    Main,
}

/// What the ledger notes of a slot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// What dropping the entry gives back, when it is in a queue.
    pub(super) octets: u64,
    pub(super) newer: u32,
    /// The next older one in its queue; of an empty slot, the next empty one.
    pub(super) older: u32,
    pub(super) stage: Stage,
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

/// How much there is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Counts {
    /// Entries that can be found.
    pub(crate) entries: usize,
    /// Octets of those of them that can be evicted.
    pub(crate) octets: u64,
    /// How many were ever evicted. Hits and misses are for the caller to count, for each processor
    /// apart.
    pub(crate) evictions: u64,
}

/// The entry was killed meanwhile.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Gone;

/// Who has to go before an entry of a key can come, however much memory there is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Crowd {
    /// Nobody.
    None,
    /// This one.
    Least(u32),
    /// Somebody, but they are all being filled.
    Full,
}

/// The ledger of a table, over places and ghosts that the caller owns. The places are as many as the
/// table's slots.
///
/// # Invariants
///
/// A slot is in the chain of its key's bucket from `insert` until it is killed, and its place says
/// that it is not [`Stage::Empty`]. Those that are [`Stage::Small`] or [`Stage::Main`] form these
/// queues; empty ones below `used` form a list by `older`, from `free`. No chain has more than
/// [`MAX_CHAIN`] slots, no key more than [`MAX_VARIANTS`] entries.
#[derive(Debug)]
pub(crate) struct Ledger<T, P, G> {
    pub(super) table: T,
    places: P,
    pub(super) ghosts: Ghosts<G>,
    pub(super) small: Fifo,
    pub(super) main: Fifo,
    free: u32,
    used: u32,
    pub(super) fixed: u64,
    entries: usize,
    pub(super) evictions: u64,
}

impl<S, T, P, G> Ledger<T, P, G>
where
    S: Store,
    T: Deref<Target = Table<S>>,
    P: DerefMut<Target = [Place]>,
    G: DerefMut<Target = [Ghost]>,
{
    /// The ledger of an empty table. `fixed` octets of the budget are held by what the index itself
    /// consists of, and can not be given back.
    pub(crate) fn new(table: T, mut places: P, ghosts: G, fixed: u64) -> Self {
        places.fill(Place::EMPTY);
        Self {
            table,
            places,
            ghosts: Ghosts::new(ghosts),
            small: Fifo::EMPTY,
            main: Fifo::EMPTY,
            free: NONE,
            used: 0,
            fixed,
            entries: 0,
            evictions: 0,
        }
    }

    /// How much there is.
    pub(crate) fn counts(&self) -> Counts {
        Counts {
            entries: self.entries,
            octets: self.small.octets.saturating_add(self.main.octets),
            evictions: self.evictions,
        }
    }

    /// As [`Table::find`], but none is none.
    pub(crate) fn find<W>(&self, key: u64, wanted: &mut W) -> Option<(Id, S::Entry)>
    where
        W: Wanted<S::Entry>,
    {
        self.table.find(key, wanted)
    }

    /// All entries under the hash of a key, from that which was inserted last: at most
    /// [`MAX_VARIANTS`].
    pub(crate) fn variants<'a>(
        &'a self,
        key: u64,
    ) -> impl Iterator<Item = (Id, S::Entry)> + use<'a, S, T, P, G>
    where
        S: 'a,
    {
        let slots = self.table.chain_of(key);
        slots.filter_map(|(index, _)| self.table.entry_at(index))
    }

    /// Puts an entry in that is being filled, under the hash of its key. It comes back if there is no
    /// room: [make some](Self::room_to_insert) before.
    pub(crate) fn insert(&mut self, key: u64, entry: S::Entry) -> Result<Id, S::Entry> {
        if self.crowd(key) != Crowd::None || !self.has_slot() {
            return Err(entry);
        }
        let index = match self.free {
            NONE => self.used,
            free => free,
        };
        let id = self.table.fill(index, key, entry)?;
        let next_free = self.place(index).map_or(NONE, |place| place.older);
        match self.free {
            NONE => self.used = self.used.saturating_add(1),
            _ => self.free = next_free,
        }
        if let Some(place) = self.place_mut(index) {
            place.stage = Stage::Filling;
        }
        self.entries = self.entries.saturating_add(1);
        Ok(id)
    }

    /// Says that all of an entry is there, what it is known by among the variants of its key, and how
    /// many octets come back when it goes. Another that it `replaces` is killed, and comes back; its
    /// hits are the new one's, and so is its queue: what is fetched anew as often as it grows stale
    /// is as much in use as before.
    pub(crate) fn finish(
        &mut self,
        id: Id,
        variant: u64,
        octets: u64,
        replaces: Option<Id>,
    ) -> Result<Option<S::Entry>, Gone> {
        if self.stage(id) != Stage::Filling {
            return Err(Gone);
        }
        let slot = self.table.slot(id.index).ok_or(Gone)?;
        slot.variant.store(variant, Ordering::Relaxed);
        let ghost = slot.ghost();
        let replaces = replaces.filter(|old| *old != id);
        let was_main = replaces.is_some_and(|old| self.stage(old) == Stage::Main);
        let is_back = self.ghosts.recall(ghost);
        let replaced = replaces.and_then(|old| self.replace(old, id));
        let stage = match was_main || is_back {
            true => Stage::Main,
            false => Stage::Small,
        };
        self.link(id.index, stage);
        self.set_octets(id.index, octets);
        Ok(replaced)
    }

    /// Kills one, and gives another what it was asked for.
    fn replace(&mut self, old: Id, new: Id) -> Option<S::Entry> {
        let (from, to) = (self.table.slot_of(old)?, self.table.slot_of(new)?);
        to.hit(from.hits.load(Ordering::Relaxed), from.frequency());
        self.kill(old)
    }

    /// Puts another in the place of a whole entry, of the same key and variant, and gives that; it comes
    /// back itself if that is gone. Those who look find one or the other.
    pub(crate) fn update(
        &mut self,
        id: Id,
        entry: S::Entry,
        octets: u64,
    ) -> Result<Option<S::Entry>, S::Entry> {
        if !matches!(self.stage(id), Stage::Small | Stage::Main) {
            return Err(entry);
        }
        self.set_octets(id.index, octets);
        Ok(self.table.store.put(id.index as usize, Some(entry)))
    }

    /// Takes an entry out of the index: from now on nobody finds it. None if it is gone.
    pub(crate) fn kill(&mut self, id: Id) -> Option<S::Entry> {
        if self.stage(id) == Stage::Empty {
            return None;
        }
        self.unlink(id.index);
        let entry = self.table.empty(id.index);
        let free = self.free;
        if let Some(place) = self.place_mut(id.index) {
            *place = Place {
                older: free,
                ..Place::EMPTY
            };
            self.free = id.index;
        }
        self.entries = self.entries.saturating_sub(1);
        entry
    }

    /// Kills one of the entries under the hash of a key that are `condemned`; none if there is none.
    /// To clear a key, ask until then, and drop each when the lock is free.
    pub(crate) fn kill_of<F>(&mut self, key: u64, mut condemned: F) -> Option<S::Entry>
    where
        F: FnMut(&S::Entry) -> bool,
    {
        let mut variants = self.variants(key);
        let (id, _) = variants.find(|(_, entry)| condemned(entry))?;
        drop(variants);
        self.kill(id)
    }

    /// Who has to go before an entry of a key can come: the one that is wanted least of the key's or
    /// of its chain's, if there are too many; of equal ones that which was inserted first.
    pub(super) fn crowd(&self, key: u64) -> Crowd {
        let (mut of_key, mut of_chain) = (Tally::EMPTY, Tally::EMPTY);
        for (index, slot) in self.table.chain(key) {
            let place = self.place(index);
            let is_whole = place.is_some_and(|place| place.stage != Stage::Filling);
            let frequency = is_whole.then(|| slot.frequency());
            of_chain.add(index, frequency);
            if slot.key() == key {
                of_key.add(index, frequency);
            }
        }
        if of_key.len >= MAX_VARIANTS {
            of_key.crowd()
        } else if of_chain.len >= MAX_CHAIN {
            of_chain.crowd()
        } else {
            Crowd::None
        }
    }

    /// Whether a slot is empty.
    pub(super) fn has_slot(&self) -> bool {
        let places = self.places.len().min(self.table.store.slots().len());
        self.free != NONE || (self.used as usize) < places.min(NONE as usize)
    }

    /// The name of what is in a slot.
    pub(super) fn id_at(&self, index: u32) -> Option<Id> {
        let slot = self.table.slot(index)?;
        let generation = slot.generation.load(Ordering::Relaxed);
        Some(Id { index, generation })
    }

    fn stage(&self, id: Id) -> Stage {
        let slot = self.table.slot_of(id);
        let place = slot.and_then(|_| self.place(id.index));
        place.map_or(Stage::Empty, |place| place.stage)
    }

    pub(super) fn place(&self, index: u32) -> Option<&Place> {
        self.places.get(index as usize)
    }

    pub(super) fn place_mut(&mut self, index: u32) -> Option<&mut Place> {
        self.places.get_mut(index as usize)
    }
}

/// Entries that have something in common.
struct Tally {
    len: usize,
    /// The whole one that is wanted least, with its frequency.
    least: Option<(u8, u32)>,
}

impl Tally {
    const EMPTY: Tally = Tally {
        len: 0,
        least: None,
    };

    /// Counts one, with its frequency if it is whole.
    fn add(&mut self, index: u32, frequency: Option<u8>) {
        self.len = self.len.saturating_add(1);
        let Some(frequency) = frequency else {
            return;
        };
        if self.least.is_none_or(|(least, _)| frequency <= least) {
            self.least = Some((frequency, index));
        }
    }

    fn crowd(&self) -> Crowd {
        match self.least {
            Some((_, index)) => Crowd::Least(index),
            None => Crowd::Full,
        }
    }
}
