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
/// What is allocated is counted in [`HELD`].
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

impl Memory {
    /// Other memory of `size` octets with the same ones in it, and zeros up to `capacity`.
    fn larger(&self, size: usize, capacity: usize) -> Result<KVec<u8>> {
        let mut octets = KVec::with_capacity(size, GFP_NOWAIT)?;
        octets.extend_from_slice(&self.0, GFP_NOWAIT)?;
        octets.resize(capacity, 0, GFP_NOWAIT)?;
        Ok(octets)
    }

    /// Puts `octets`, which are counted, in the place of what there was.
    fn give_back(&mut self, octets: KVec<u8>) {
        let old = core::mem::replace(&mut self.0, octets);
        let size = old.capacity();
        drop(old);
        HELD.fetch_sub(size, Relaxed);
    }
}

impl Store for Memory {
    fn reserve(&mut self, capacity: usize) -> bool {
        if capacity <= self.0.len() {
            return true;
        }
        if capacity <= self.0.capacity() {
            return self.0.resize(capacity, 0, GFP_NOWAIT).is_ok();
        }
        // What the kernel would round it up to anyway.
        let Some(size) = capacity.checked_next_power_of_two() else {
            return false;
        };
        // For a moment there are both, the old one and the new one.
        let held = HELD.fetch_add(size, Relaxed);
        if held.saturating_add(size) <= memory::total() / SHARE {
            if let Ok(octets) = self.larger(size, capacity) {
                self.give_back(octets);
                return true;
            }
        }
        HELD.fetch_sub(size, Relaxed);
        false
    }

    fn release(&mut self) {
        self.give_back(KVec::new());
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.release();
    }
}
