// SPDX-License-Identifier: GPL-2.0

//! How many octets everything may take together that the cache holds.

use core::ops::Deref;
use core::sync::atomic::AtomicU64;
use core::sync::atomic::Ordering;

use crate::bytes::Full;

/// A hard limit, and what is held of it: the tables, the entries in the index, and those that are no
/// longer there but still being read.
#[derive(Debug)]
pub(crate) struct Budget {
    held: AtomicU64,
    limit: AtomicU64,
}

impl Budget {
    /// Nothing is held of so many octets.
    pub(crate) const fn new(limit: u64) -> Budget {
        Budget {
            held: AtomicU64::new(0),
            limit: AtomicU64::new(limit),
        }
    }

    /// Octets that are held.
    pub(crate) fn held(&self) -> u64 {
        self.held.load(Ordering::Relaxed)
    }

    /// How many may be.
    pub(crate) fn limit(&self) -> u64 {
        self.limit.load(Ordering::Relaxed)
    }

    /// Changes that. If more are held, nothing is charged until enough was given back.
    pub(crate) fn set_limit(&self, octets: u64) {
        self.limit.store(octets, Ordering::Relaxed);
    }

    /// Whether so many octets more are within the limit.
    pub(crate) fn has_room(&self, octets: u64) -> bool {
        self.sum(self.held(), octets).is_some()
    }

    /// Holds so many octets more, or none if that is over the limit.
    fn charge(&self, octets: u64) -> Result<(), Full> {
        let more = |held| self.sum(held, octets);
        let charged = self
            .held
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        charged.map(drop).map_err(|_| Full)
    }

    fn release(&self, octets: u64) {
        let less = |held: u64| Some(held.saturating_sub(octets));
        // It never fails: there always is some.
        let _ = self
            .held
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }

    fn sum(&self, held: u64, octets: u64) -> Option<u64> {
        let sum = held.checked_add(octets);
        sum.filter(|sum| *sum <= self.limit())
    }
}

/// Octets of a budget that somebody holds until he is dropped.
#[derive(Debug)]
pub(crate) struct Charge<B: Deref<Target = Budget>> {
    budget: B,
    octets: u64,
}

impl<B: Deref<Target = Budget>> Charge<B> {
    /// Holds so many octets, if they are within the limit.
    pub(crate) fn new(budget: B, octets: u64) -> Result<Charge<B>, Full> {
        budget.charge(octets)?;
        Ok(Charge { budget, octets })
    }

    /// How many it holds.
    pub(crate) fn octets(&self) -> u64 {
        self.octets
    }

    /// Holds so many more; if that is over the limit it holds what it did.
    pub(crate) fn grow(&mut self, octets: u64) -> Result<(), Full> {
        let sum = self.octets.checked_add(octets).ok_or(Full)?;
        self.budget.charge(octets)?;
        self.octets = sum;
        Ok(())
    }
}

impl<B: Deref<Target = Budget>> Drop for Charge<B> {
    fn drop(&mut self) {
        self.budget.release(self.octets);
    }
}
