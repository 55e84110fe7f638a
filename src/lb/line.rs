// SPDX-License-Identifier: GPL-2.0

//! Who waits for a place at a backend: first come, first served.

use core::ops::DerefMut;

use super::only;
use super::Cluster;
use super::Mask;
use super::Ticket;
use super::Tried;
use super::MAX_BACKENDS;
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
    pub(crate) tried: Tried,
    /// A body follows its request's head.
    pub(crate) uploads: bool,
}

/// A place for somebody who has waited.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Grant {
    pub(crate) waiter: Waiter,
    pub(crate) ticket: Ticket,
}

/// The waiting line, in places that the caller owns.
///
/// Who has the same owner may take a quarter of them: whom a session belongs to its client says, and
/// who has one backend's places taken must not keep others from waiting for theirs.
pub(crate) struct Line<P> {
    places: Slab<Waiter, P>,
    /// How many one owner's may be.
    share: u16,
    /// How many wait for each backend, and for which of them somebody does.
    of: [u16; MAX_BACKENDS],
    owners: Mask,
    /// How many wait for one backend alone.
    owned: usize,
    /// How many have been to a backend that has failed them.
    tried: usize,
}

impl<P: DerefMut<Target = [Slot<Waiter>]>> Line<P> {
    pub(crate) fn new(places: P) -> Self {
        let share = u16::try_from(places.len() / 4).unwrap_or(u16::MAX);
        Self {
            places: Slab::new(places),
            share: share.max(1),
            of: [0; MAX_BACKENDS],
            owners: 0,
            owned: 0,
            tried: 0,
        }
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    /// Joins the line; none if it is too long.
    pub(crate) fn join(&mut self, waiter: Waiter) -> Option<Key> {
        if self.waiting_for(waiter.owner)? >= self.share {
            return None;
        }
        let key = self.places.insert(waiter).ok()?;
        self.count(&waiter, 1);
        Some(key)
    }

    /// Leaves the line; false if that is too late: there has been a [`Grant`].
    pub(crate) fn leave(&mut self, place: Key) -> bool {
        self.remove(place).is_some()
    }

    fn remove(&mut self, place: Key) -> Option<Waiter> {
        let waiter = self.places.remove(place)?;
        self.count(&waiter, -1);
        Some(waiter)
    }

    /// How many wait for backend `slot` alone.
    pub(crate) fn waiting_at(&self, slot: usize) -> u16 {
        self.of.get(slot).copied().unwrap_or(0)
    }

    /// How many wait for this backend; none for any. None if there is no such backend.
    fn waiting_for(&self, owner: Option<u8>) -> Option<u16> {
        match owner {
            Some(slot) => self.of.get(usize::from(slot)).copied(),
            None => Some(0),
        }
    }

    /// One like this has joined the line, or left it.
    fn count(&mut self, waiter: &Waiter, change: i16) {
        if !waiter.tried.is_empty() {
            self.tried = self.tried.saturating_add_signed(change.into());
        }
        let Some(slot) = waiter.owner.map(usize::from) else {
            return;
        };
        if let Some(count) = self.of.get_mut(slot) {
            *count = count.saturating_add_signed(change);
            let is_wanted = if *count > 0 { only(slot) } else { 0 };
            self.owners = (self.owners & !only(slot)) | is_wanted;
            self.owned = self.owned.saturating_add_signed(change.into());
        }
    }

    /// Whether it is worth while to look at everybody: there is no place for most of the time.
    fn is_hopeless(&self, cluster: &Cluster) -> bool {
        let others = self.len() > self.owned;
        self.tried == 0 && !cluster.may_place(self.owners, others)
    }

    /// Gives a place that has become free to whoever has waited for it the longest. To be called after
    /// every change until there is none.
    pub(crate) fn serve(&mut self, now: Instant, cluster: &mut Cluster) -> Option<Grant> {
        if self.places.is_empty() || self.is_hopeless(cluster) {
            return None;
        }
        let mut waiting = self.places.iter_oldest();
        let (key, ticket) =
            waiting.find_map(|(key, waiter)| Some((key, cluster.place_for(now, waiter)?)))?;
        drop(waiting);
        let waiter = self.remove(key)?;
        Some(Grant { waiter, ticket })
    }
}
