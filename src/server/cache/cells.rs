// SPDX-License-Identifier: GPL-2.0

//! The memory of the index.
//!
//! # Locking
//!
//! Each of `cells` protects what is in the cells of some slots. It is taken with the ledger's lock held
//! and without; nothing is taken or dropped under it.

use kernel::alloc::KVVec;
use kernel::alloc::KVec;
use kernel::prelude::*;
use kernel::sync::Arc;

use super::entry::Entry;
use crate::cache::index::Bucket;
use crate::cache::index::Ghost;
use crate::cache::index::Place;
use crate::cache::index::Slot;
use crate::cache::index::Store;
use crate::rt::sync::new_spinlock_bh;
use crate::rt::sync::SpinLockBh;

/// Locks that the cells share: so many readers of different entries hardly ever meet.
const LOCKS: usize = 64;

/// Slots, buckets and cells.
pub(super) struct Cells {
    slots: KVVec<Slot>,
    buckets: KVVec<Bucket>,
    /// The cell of slot `n` is in the list `n % LOCKS`, at `n / LOCKS`.
    cells: KVec<Pin<KBox<SpinLockBh<List>>>>,
}

type List = KVVec<Option<Arc<Entry>>>;

impl Cells {
    /// Empty ones for so many entries. Process context.
    pub(super) fn new(entries: usize) -> Result<Self> {
        let mut cells = KVec::with_capacity(LOCKS, GFP_KERNEL_ACCOUNT)?;
        for _ in 0..LOCKS {
            let list = filled(entries.div_ceil(LOCKS), || None)?;
            let list = KBox::pin_init(new_spinlock_bh!(list), GFP_KERNEL_ACCOUNT)?;
            cells.push(list, GFP_KERNEL_ACCOUNT)?;
        }
        Ok(Self {
            slots: filled(entries, Slot::new)?,
            buckets: filled(entries, Bucket::new)?,
            cells,
        })
    }

    fn cell<T>(
        &self,
        slot: usize,
        look: impl FnOnce(&mut Option<Arc<Entry>>) -> Option<T>,
    ) -> Option<T> {
        let mut list = self.cells.get(slot % LOCKS)?.lock();
        look(list.get_mut(slot / LOCKS)?)
    }
}

impl Store for Cells {
    type Entry = Arc<Entry>;

    fn slots(&self) -> &[Slot] {
        &self.slots
    }

    fn buckets(&self) -> &[Bucket] {
        &self.buckets
    }

    fn get(&self, slot: usize) -> Option<Arc<Entry>> {
        self.cell(slot, |cell| cell.clone())
    }

    fn put(&self, slot: usize, entry: Option<Arc<Entry>>) -> Option<Arc<Entry>> {
        self.cell(slot, |cell| core::mem::replace(cell, entry))
    }
}

/// Octets that the index takes for each entry.
pub(super) const COST: u64 = (size_of::<Slot>()
    + size_of::<Bucket>()
    + size_of::<Option<Arc<Entry>>>()
    + size_of::<Place>()
    + size_of::<Ghost>()) as u64;

/// So many new things. Process context.
pub(super) fn filled<T>(count: usize, new: impl Fn() -> T) -> Result<KVVec<T>> {
    let mut list = KVVec::with_capacity(count, GFP_KERNEL_ACCOUNT)?;
    for _ in 0..count {
        list.push(new(), GFP_KERNEL_ACCOUNT)?;
    }
    Ok(list)
}
