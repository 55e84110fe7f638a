// SPDX-License-Identifier: GPL-2.0

//! Memory that may not be there.

use core::ops::{Deref, DerefMut};
use core::pin::Pin;
use std::mem::{size_of, ManuallyDrop};

use crate::init::Init;
use crate::prelude::Result;
use crate::trial;

/// There is no memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AllocError;

/// How to allocate.
#[derive(Clone, Copy)]
pub struct Flags(bool);

impl Flags {
    pub(crate) fn sleeps(self) -> bool {
        self.0
    }
}

/// It may sleep.
pub const GFP_KERNEL: Flags = Flags(true);
/// It may sleep, and is charged.
pub const GFP_KERNEL_ACCOUNT: Flags = Flags(true);
/// It never sleeps.
pub const GFP_NOWAIT: Flags = Flags(false);

/// A vector that grows as the kernel's does.
pub struct KVec<T>(Vec<T>);

/// The same: on the host there is no other memory.
pub type KVVec<T> = KVec<T>;

impl<T> KVec<T> {
    /// No memory.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Room for so many.
    pub fn with_capacity(count: usize, flags: Flags) -> Result<Self, AllocError> {
        let mut vec = Self::new();
        vec.grow(count, flags)?;
        Ok(vec)
    }

    /// How many there is room for.
    pub fn capacity(&self) -> usize {
        self.0.capacity()
    }

    fn grow(&mut self, capacity: usize, flags: Flags) -> Result<(), AllocError> {
        let before = self.0.capacity();
        if capacity > before {
            trial::allocate(capacity * size_of::<T>(), flags)?;
            self.0.reserve_exact(capacity - self.0.len());
            assert_eq!(self.0.capacity(), capacity);
            trial::exchange(before * size_of::<T>());
        }
        Ok(())
    }

    fn reserve(&mut self, more: usize, flags: Flags) -> Result<(), AllocError> {
        let wanted = self.0.len() + more;
        match wanted > self.0.capacity() {
            true => self.grow(wanted.max(self.0.capacity() * 2), flags),
            false => Ok(()),
        }
    }

    /// Adds one.
    pub fn push(&mut self, value: T, flags: Flags) -> Result<(), AllocError> {
        self.reserve(1, flags)?;
        self.0.push(value);
        Ok(())
    }

    /// Drops those behind so many.
    pub fn truncate(&mut self, len: usize) {
        self.0.truncate(len);
    }

    /// Its memory.
    pub fn into_raw_parts(self) -> (*mut T, usize, usize) {
        let mut this = ManuallyDrop::new(self);
        (this.0.as_mut_ptr(), this.0.len(), this.0.capacity())
    }

    /// A vector of memory that another one had.
    ///
    /// # Safety
    ///
    /// As the kernel's.
    pub unsafe fn from_raw_parts(ptr: *mut T, len: usize, capacity: usize) -> Self {
        // SAFETY: By the caller.
        Self(unsafe { Vec::from_raw_parts(ptr, len, capacity) })
    }
}

impl<T: Clone> KVec<T> {
    /// So many of one.
    pub fn from_elem(value: T, count: usize, flags: Flags) -> Result<Self, AllocError> {
        let mut vec = Self::with_capacity(count, flags)?;
        vec.0.resize(count, value);
        Ok(vec)
    }

    /// Adds these.
    pub fn extend_from_slice(&mut self, other: &[T], flags: Flags) -> Result<(), AllocError> {
        self.reserve(other.len(), flags)?;
        self.0.extend_from_slice(other);
        Ok(())
    }
}

impl<T> Default for KVec<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Deref for KVec<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T> DerefMut for KVec<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.0
    }
}

impl<T> Drop for KVec<T> {
    fn drop(&mut self) {
        trial::free(self.0.capacity() * size_of::<T>());
    }
}

impl<T> IntoIterator for KVec<T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(mut self) -> Self::IntoIter {
        let vec = core::mem::take(&mut self.0);
        trial::free(vec.capacity() * size_of::<T>());
        vec.into_iter()
    }
}

/// A value in memory of its own.
pub struct KBox<T>(Box<T>);

impl<T> KBox<T> {
    /// Puts it there.
    pub fn new(value: T, flags: Flags) -> Result<Self, AllocError> {
        trial::allocate(size_of::<T>(), flags)?;
        Ok(Self(Box::new(value)))
    }

    /// Makes it there.
    pub fn pin_init(init: Init<T>, flags: Flags) -> Result<Pin<Self>>
    where
        T: Unpin,
    {
        Ok(Pin::new(Self::new(init.0?, flags)?))
    }
}

impl<T> Deref for KBox<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for KBox<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T> Drop for KBox<T> {
    fn drop(&mut self) {
        trial::free(size_of::<T>());
    }
}
