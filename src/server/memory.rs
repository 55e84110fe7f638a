// SPDX-License-Identifier: GPL-2.0

//! Buffer memory: atomic allocations that may fail.

use core::ops::Deref;
use core::ops::DerefMut;
use kernel::alloc::KVec;
use kernel::prelude::*;

use crate::exchange::Store;

/// Memory of one buffer. Allocated with `GFP_ATOMIC`: usable in softirq.
#[derive(Default)]
pub(crate) struct Memory(KVec<u8>);

impl Deref for Memory {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl DerefMut for Memory {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

impl Store for Memory {
    fn reserve(&mut self, capacity: usize) -> bool {
        capacity <= self.0.len()
            || self
                .0
                .resize(capacity, 0, GFP_ATOMIC | __GFP_NOWARN)
                .is_ok()
    }

    fn release(&mut self) {
        self.0 = KVec::new();
    }
}
