// SPDX-License-Identifier: GPL-2.0

//! The part of the index that changes it.

use core::ops::Deref;
use core::ops::DerefMut;
use core::sync::atomic::Ordering;

use super::evict::Crowd;
use super::ghost::Ghosts;
use super::queues::Queues;
use super::queues::Stage;
use super::Ghost;
use super::Id;
use super::Place;
use super::Store;
use super::Table;

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

/// The ledger of a table, over places and ghosts that the caller owns. The places are as many as the
/// table's slots.
///
/// # Invariants
///
/// A slot is in the chain of its key's bucket from `insert` until it is killed, and so long it is not
/// [`Stage::Empty`]. No chain has more than [`MAX_CHAIN`](super::MAX_CHAIN) slots, no key more than
/// [`MAX_VARIANTS`](super::MAX_VARIANTS) entries.
#[derive(Debug)]
pub(crate) struct Ledger<T, P, G> {
    pub(super) table: T,
    pub(super) queues: Queues<P>,
    pub(super) ghosts: Ghosts<G>,
    pub(super) fixed: u64,
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
    pub(crate) fn new(table: T, places: P, ghosts: G, fixed: u64) -> Self {
        Self {
            queues: Queues::new(places, table.store.slots().len()),
            table,
            ghosts: Ghosts::new(ghosts),
            fixed,
            evictions: 0,
        }
    }

    /// How much there is.
    pub(crate) fn counts(&self) -> Counts {
        Counts {
            entries: self.queues.entries(),
            octets: self.queues.octets(),
            evictions: self.evictions,
        }
    }

    /// All entries under the hash of a key, from that which was inserted last: at most
    /// [`MAX_VARIANTS`](super::MAX_VARIANTS).
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
    /// room: [make some](Self::room_to_insert) before, and [look](Table::find) whether somebody else
    /// has inserted it, both since the lock was taken last. Whoever has put it in must
    /// [finish](Self::finish) it or [kill](Self::kill) it: until then nobody can evict it.
    pub(crate) fn insert(&mut self, key: u64, entry: S::Entry) -> Result<Id, S::Entry> {
        let Some(index) = self.queues.empty() else {
            return Err(entry);
        };
        if self.crowd(key) != Crowd::None {
            return Err(entry);
        }
        let id = self.table.fill(index, key, entry)?;
        self.queues.fill(index);
        Ok(id)
    }

    /// Says that all of an entry is there, what it is known by among the variants of its key, and how
    /// many octets come back when it goes. Another that it `replaces` is killed, and comes back; its
    /// hits are the new one's, and so is its queue: what is fetched anew as often as it grows stale
    /// is as much in use as before. `variant` is not zero.
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
        self.queues.advance(id.index, stage);
        self.queues.set_octets(id.index, octets);
        Ok(replaced)
    }

    /// Kills one, and gives another what it was asked for.
    fn replace(&mut self, old: Id, new: Id) -> Option<S::Entry> {
        let (from, to) = (self.table.slot_of(old)?, self.table.slot_of(new)?);
        to.hit(from.hits.load(Ordering::Relaxed), from.frequency());
        self.kill(old)
    }

    /// Puts another in the place of a whole entry, of the same key and variant, and gives that; it comes
    /// back itself if that is gone, or is not the `expected` one, which was updated meanwhile. Those who
    /// look find one or the other.
    pub(crate) fn update(
        &mut self,
        id: Id,
        entry: S::Entry,
        octets: u64,
        expected: impl FnOnce(&S::Entry) -> bool,
    ) -> Result<Option<S::Entry>, S::Entry> {
        let is_whole = matches!(self.stage(id), Stage::Small | Stage::Main);
        let old = self.table.store.get(id.index as usize);
        if !is_whole || !old.as_ref().is_some_and(expected) {
            return Err(entry);
        }
        self.queues.set_octets(id.index, octets);
        Ok(self.table.store.put(id.index as usize, Some(entry)))
    }

    /// Takes an entry out of the index: from now on nobody finds it. None if it is gone.
    pub(crate) fn kill(&mut self, id: Id) -> Option<S::Entry> {
        if self.stage(id) == Stage::Empty {
            return None;
        }
        self.queues.clear(id.index);
        self.table.empty(id.index)
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

    /// The name of what is in a slot.
    pub(super) fn id_at(&self, index: u32) -> Option<Id> {
        let slot = self.table.slot(index)?;
        let generation = slot.generation.load(Ordering::Relaxed);
        Some(Id { index, generation })
    }

    fn stage(&self, id: Id) -> Stage {
        let slot = self.table.slot_of(id);
        slot.map_or(Stage::Empty, |_| self.queues.stage(id.index))
    }
}
