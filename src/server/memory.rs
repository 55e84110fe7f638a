// SPDX-License-Identifier: GPL-2.0

//! Buffer memory: allocations that may fail, and a bound on all of them together.

use core::ops::Deref;
use core::ops::DerefMut;
use kernel::alloc::KVec;
use kernel::prelude::*;
use kernel::sync::atomic::Atomic;
use kernel::sync::atomic::Relaxed;

use crate::exchange::Store;
use crate::rt::memory;

/// Octets that all buffers of all namespaces hold.
static HELD: Atomic<usize> = Atomic::new(0);

/// Buffers may hold one part in so many of the machine's memory: clients that send or read slowly
/// must not be able to take all of it.
const SHARE: usize = 8;

/// How many octets all buffers hold, and how many they may.
pub(crate) fn held() -> (usize, usize) {
    (HELD.load(Relaxed), memory::total() / SHARE)
}

/// Memory of one buffer. It never sleeps and leaves the kernel's reserves alone: usable in softirq.
///
/// # Invariants
///
/// Its length is counted in [`HELD`].
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
        let Some(more) = capacity.checked_sub(self.0.len()) else {
            return true;
        };
        let held = HELD.fetch_add(more, Relaxed);
        let fits = held.saturating_add(more) <= memory::total() / SHARE;
        if fits && self.0.resize(capacity, 0, GFP_NOWAIT).is_ok() {
            return true;
        }
        HELD.fetch_sub(more, Relaxed);
        false
    }

    fn release(&mut self) {
        let memory = core::mem::take(&mut self.0);
        HELD.fetch_sub(memory.len(), Relaxed);
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.release();
    }
}
