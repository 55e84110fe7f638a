// SPDX-License-Identifier: GPL-2.0

//! Memory: how much the machine has, octets for buffers, and copies of what is too large for the stack.
//!
//! C header: [`include/linux/mm.h`](srctree/include/linux/mm.h)

use crate::sys::bindings;
use core::ops::{
    Deref,
    DerefMut, //
};
use kernel::{
    alloc::flags::__GFP_ZERO,
    prelude::*,
    sync::UniqueArc, //
};

/// Octets of memory that the kernel has to give, in all. Any context.
pub(crate) fn total() -> usize {
    // SAFETY: No requirements.
    unsafe { bindings::memory_total() }
}

/// A copy of `source` that is never on the stack. Process context.
pub(crate) fn duplicate<T: Copy>(source: &T) -> Result<UniqueArc<T>> {
    let mut copy = UniqueArc::<T>::new_uninit(GFP_KERNEL)?;
    // SAFETY: `source` is valid for reads, the new allocation for writes of one `T`, and they are
    // apart.
    unsafe { copy.as_mut_ptr().copy_from_nonoverlapping(source, 1) };
    // SAFETY: It was just filled with a valid value, and a `Copy` type may be duplicated so.
    Ok(unsafe { copy.assume_init() })
}

/// Octets that are zero until they are written to, of which some are in use.
///
/// # Invariants
///
/// All of the vector's capacity is initialised.
pub(crate) struct Octets(KVec<u8>);

impl Octets {
    /// No octets, and no memory.
    pub(crate) const fn none() -> Self {
        // INVARIANT: There is no capacity.
        Self(KVec::new())
    }

    /// Room for `capacity` octets, none of which is in use. It does not sleep, and leaves the kernel's
    /// reserves alone. Any context.
    pub(crate) fn with_capacity(capacity: usize) -> Result<Self> {
        // INVARIANT: The allocator fills it with zeros: faster than a loop, and it does so anyway where
        // the kernel is set to (`INIT_ON_ALLOC`).
        Ok(Self(KVec::with_capacity(
            capacity,
            GFP_NOWAIT | __GFP_ZERO,
        )?))
    }

    /// How many can be in use.
    pub(crate) fn capacity(&self) -> usize {
        self.0.capacity()
    }

    /// Uses the first `len` octets at least, or as many as there are.
    pub(crate) fn use_first(&mut self, len: usize) {
        let more = len.min(self.0.capacity()).saturating_sub(self.0.len());
        // SAFETY: So many are behind those in use, and initialised by the type invariants.
        unsafe { self.0.inc_len(more) };
    }
}

impl Deref for Octets {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl DerefMut for Octets {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}
