// SPDX-License-Identifier: GPL-2.0

//! What the cache gives back when the machine lacks memory.

use kernel::page::PAGE_SIZE;

use crate::rt::shrinker::Shrink;
use crate::server::Engine;

impl Shrink for Engine {
    fn spare(&self) -> usize {
        self.cache().map_or(0, |cache| pages(cache.spare()))
    }

    fn shrink(&self, wanted: usize) -> usize {
        let Some(cache) = self.cache() else {
            return 0;
        };
        let before = cache.spare();
        let given = || pages(before.saturating_sub(cache.spare()));
        while given() < wanted {
            match cache.evict() {
                Some(evicted) => drop(evicted),
                None => break,
            }
        }
        given()
    }
}

/// How many pages so many octets are.
fn pages(octets: u64) -> usize {
    // CAST: Wider.
    let pages = octets.checked_div(PAGE_SIZE as u64).unwrap_or(0);
    usize::try_from(pages).unwrap_or(usize::MAX)
}
