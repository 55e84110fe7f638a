// SPDX-License-Identifier: GPL-2.0

//! A slab of values with stable keys, in the order of their last use.

use core::marker::PhantomData;
use core::ops::DerefMut;

/// Names a value in a [`Slab`]. A key of a removed value finds nothing, even after its slot is in
/// use again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Key {
    index: u32,
    generation: u32,
}

/// The room for one value.
#[derive(Debug)]
pub(crate) struct Slot<T> {
    value: Option<T>,
    generation: u32,
    newer: u32,
    older: u32,
}

impl<T> Slot<T> {
    /// An empty slot.
    pub(crate) const fn new() -> Slot<T> {
        Slot { value: None, generation: 0, newer: 0, older: 0 }
    }
}

/// A slab over slots that the caller owns: a slice, a boxed slice, a vector.
#[derive(Debug)]
pub(crate) struct Slab<T, S> {
    slots: S,
    _values: PhantomData<T>,
}

impl<T, S: DerefMut<Target = [Slot<T>]>> Slab<T, S> {
    /// An empty slab over these slots; values in them are dropped.
    pub(crate) fn new(slots: S) -> Slab<T, S> {
        Slab { slots, _values: PhantomData }
    }

    /// Puts a value in front, as the one used last. None (and the value is dropped) when full.
    pub(crate) fn insert(&mut self, value: T) -> Option<Key> {
        let _ = (value, &mut self.slots);
        todo!()
    }

    /// Takes a value out.
    pub(crate) fn remove(&mut self, key: Key) -> Option<T> {
        let _ = (key.index, key.generation);
        todo!()
    }

    /// The value of this key.
    pub(crate) fn get(&self, key: Key) -> Option<&T> {
        let _ = key;
        todo!()
    }

    /// The value of this key, to change.
    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        let _ = key;
        todo!()
    }

    /// Makes a value the one used last. False when there is none of this key.
    pub(crate) fn touch(&mut self, key: Key) -> bool {
        let _ = key;
        todo!()
    }

    /// The key of the value that was not used for the longest time.
    pub(crate) fn oldest(&self) -> Option<Key> {
        todo!()
    }

    /// The key of the value that was used last.
    pub(crate) fn newest(&self) -> Option<Key> {
        todo!()
    }

    /// How many values there are.
    pub(crate) fn len(&self) -> usize {
        todo!()
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
