// SPDX-License-Identifier: GPL-2.0

//! A slab of values with stable keys, in the order of their last use.

use core::iter;
use core::marker::PhantomData;
use core::ops::DerefMut;

/// Names a value in a [`Slab`]. The key of a removed value finds nothing, even after its slot is
/// in use again (until the slot was used anew 2^32 times).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Key {
    index: u32,
    generation: u32,
}

/// "No slot" in a link.
const NONE: u32 = u32::MAX;

/// The room for one value.
#[derive(Debug)]
pub(crate) struct Slot<T> {
    value: Option<T>,
    generation: u32,
    newer: u32,
    /// The next older value; in an empty slot, the next empty slot.
    older: u32,
}

impl<T> Slot<T> {
    /// An empty slot.
    pub(crate) const fn new() -> Slot<T> {
        Slot {
            value: None,
            generation: 0,
            newer: NONE,
            older: NONE,
        }
    }
}

/// A slab over slots that the caller owns: a slice, a boxed slice, a vector.
///
/// # Invariants
///
/// The slots below `used` that hold values form one list by `newer` and `older`, from `newest` to
/// `oldest`; those that are empty form one by `older`, from `free`. Slots from `used` on are empty.
#[derive(Debug)]
pub(crate) struct Slab<T, S> {
    slots: S,
    newest: u32,
    oldest: u32,
    free: u32,
    used: u32,
    len: usize,
    _values: PhantomData<T>,
}

impl<T, S: DerefMut<Target = [Slot<T>]>> Slab<T, S> {
    /// An empty slab over these slots; values in them are dropped.
    pub(crate) fn new(mut slots: S) -> Slab<T, S> {
        for slot in slots.iter_mut() {
            slot.value = None;
        }
        Slab {
            slots,
            newest: NONE,
            oldest: NONE,
            free: NONE,
            used: 0,
            len: 0,
            _values: PhantomData,
        }
    }

    /// Puts a value in front, as the one used last. When the slab is full the value comes back.
    pub(crate) fn insert(&mut self, value: T) -> Result<Key, T> {
        let index = if self.free == NONE {
            self.used
        } else {
            self.free
        };
        let Some(slot) = self.slot_mut(index) else {
            return Err(value);
        };
        let next_free = slot.older;
        slot.value = Some(value);
        let generation = slot.generation;
        if self.free == NONE {
            self.used = self.used.saturating_add(1);
        } else {
            self.free = next_free;
        }
        self.len = self.len.saturating_add(1);
        self.link(index);
        Ok(Key { index, generation })
    }

    /// Takes a value out.
    pub(crate) fn remove(&mut self, key: Key) -> Option<T> {
        let free = self.free;
        self.get(key)?;
        self.unlink(key.index);
        let slot = self.slot_mut(key.index)?;
        let value = slot.value.take();
        slot.generation = slot.generation.wrapping_add(1);
        slot.older = free;
        self.free = key.index;
        self.len = self.len.saturating_sub(1);
        value
    }

    /// The value of this key.
    pub(crate) fn get(&self, key: Key) -> Option<&T> {
        let slot = self.slot(key.index)?;
        slot.value
            .as_ref()
            .filter(|_| slot.generation == key.generation)
    }

    /// The value of this key, to change.
    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        let slot = self.slot_mut(key.index)?;
        slot.value
            .as_mut()
            .filter(|_| slot.generation == key.generation)
    }

    /// Makes a value the one used last. False when there is none of this key.
    pub(crate) fn touch(&mut self, key: Key) -> bool {
        if self.get(key).is_none() {
            return false;
        }
        if self.newest != key.index {
            self.unlink(key.index);
            self.link(key.index);
        }
        true
    }

    /// The key of the value that was not used for the longest time.
    pub(crate) fn oldest(&self) -> Option<Key> {
        self.key(self.oldest)
    }

    /// The key of the value that was used last.
    pub(crate) fn newest(&self) -> Option<Key> {
        self.key(self.newest)
    }

    /// The values with their keys, from the one used last to the oldest.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Key, &T)> {
        let keys = iter::successors(self.newest(), |key| self.key(self.slot(key.index)?.older));
        keys.filter_map(|key| Some((key, self.get(key)?)))
    }

    /// The same, from the oldest to the one used last.
    pub(crate) fn iter_oldest(&self) -> impl Iterator<Item = (Key, &T)> {
        let keys = iter::successors(self.oldest(), |key| self.key(self.slot(key.index)?.newer));
        keys.filter_map(|key| Some((key, self.get(key)?)))
    }

    /// How many values there are.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn slot(&self, index: u32) -> Option<&Slot<T>> {
        self.slots.get(index as usize)
    }

    fn slot_mut(&mut self, index: u32) -> Option<&mut Slot<T>> {
        self.slots.get_mut(index as usize)
    }

    fn key(&self, index: u32) -> Option<Key> {
        let slot = self.slot(index)?;
        slot.value.as_ref().map(|_| Key {
            index,
            generation: slot.generation,
        })
    }

    /// Puts an occupied slot that is in no list in front.
    fn link(&mut self, index: u32) {
        let older = self.newest;
        if let Some(slot) = self.slot_mut(index) {
            slot.newer = NONE;
            slot.older = older;
        }
        match self.slot_mut(older) {
            Some(next) => next.newer = index,
            None => self.oldest = index,
        }
        self.newest = index;
    }

    /// Takes an occupied slot out of the list.
    fn unlink(&mut self, index: u32) {
        let Some(slot) = self.slot(index) else {
            return;
        };
        let (newer, older) = (slot.newer, slot.older);
        match self.slot_mut(newer) {
            Some(slot) => slot.older = older,
            None => self.newest = older,
        }
        match self.slot_mut(older) {
            Some(slot) => slot.newer = newer,
            None => self.oldest = newer,
        }
    }
}
