// SPDX-License-Identifier: GPL-2.0

//! Who waits for a place at a backend: first come, first served.

use core::ops::DerefMut;

use super::Cluster;
use super::Mask;
use super::Ticket;
use crate::slab::Key;
use crate::slab::Slab;
use crate::slab::Slot;
use crate::time::Instant;

/// Somebody who waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Waiter {
    /// Who it is: the number of a client, and the processor that looks after it.
    pub(crate) who: u64,
    pub(crate) cpu: u32,
    /// The only backend that will do, as long as it is fit.
    pub(crate) owner: Option<u8>,
    /// The backends that have failed it.
    pub(crate) tried: Mask,
}

/// A place for somebody who has waited.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Grant {
    pub(crate) waiter: Waiter,
    pub(crate) ticket: Ticket,
}

/// The waiting line, in places that the caller owns.
pub(crate) struct Line<P>(Slab<Waiter, P>);

impl<P: DerefMut<Target = [Slot<Waiter>]>> Line<P> {
    pub(crate) fn new(places: P) -> Self {
        Self(Slab::new(places))
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Joins the line; none if it is too long.
    pub(crate) fn join(&mut self, waiter: Waiter) -> Option<Key> {
        self.0.insert(waiter).ok()
    }

    /// Leaves the line; false if that is too late: there has been a [`Grant`].
    pub(crate) fn leave(&mut self, place: Key) -> bool {
        self.0.remove(place).is_some()
    }

    /// Gives a place that has become free to whoever has waited for it the longest. To be called after
    /// every change until there is none.
    pub(crate) fn serve(&mut self, now: Instant, cluster: &mut Cluster) -> Option<Grant> {
        if self.0.is_empty() {
            return None;
        }
        let mut waiting = self.0.iter_oldest();
        let (key, ticket) = waiting.find_map(|(key, waiter)| {
            Some((key, cluster.place_for(now, waiter.owner, waiter.tried)?))
        })?;
        drop(waiting);
        let waiter = self.0.remove(key)?;
        Some(Grant { waiter, ticket })
    }
}
