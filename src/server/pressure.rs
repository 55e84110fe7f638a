// SPDX-License-Identifier: GPL-2.0

//! What the cache gives back when the machine lacks memory.
//!
//! # Locking
//!
//! Somebody who allocates is in here, perhaps one of us, with the lock of an [`Instance`](super::Instance)
//! in his hand. Only the engine's `config` and the locks of the cache are taken, under which nothing waits
//! for memory.

use kernel::page::PAGE_SIZE;

use crate::rt::shrinker::Shrink;
use crate::server::Engine;

impl Shrink for Engine {
    fn spare(&self) -> usize {
        self.cache().map_or(0, |cache| pages(cache.spare()))
    }

    fn shrink(&self, wanted: usize) -> usize {
        // CAST: Wider.
        let octets = (wanted as u64).saturating_mul(PAGE_SIZE as u64);
        self.cache()
            .map_or(0, |cache| pages(cache.give_back(octets)))
    }
}

/// How many pages so many octets are.
fn pages(octets: u64) -> usize {
    // CAST: Wider.
    let pages = octets.checked_div(PAGE_SIZE as u64).unwrap_or(0);
    usize::try_from(pages).unwrap_or(usize::MAX)
}
