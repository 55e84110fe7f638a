// SPDX-License-Identifier: GPL-2.0

//! Memory of connections: a bound on all of it together, one on each namespace's, and buffers that
//! keep to them.
//!
//! None of it is charged to whoever causes it: the kernel's own accounting sees a worker of ours.
//! Clients that are many, send or read slowly must not be able to take all memory, and the users of
//! other namespaces, which any user can make, not what the initial one's connections need. So the
//! ceiling is a part of the machine's memory; all other namespaces together have half of it, each
//! of them a quarter.

use core::ops::Deref;
use core::ops::DerefMut;
use kernel::prelude::*;
use kernel::sync::atomic::Atomic;
use kernel::sync::atomic::Relaxed;
use kernel::sync::Arc;

use crate::bytes::Buffer;
use crate::exchange::Buffers;
use crate::exchange::Store;
use crate::rt::memory;
use crate::rt::memory::Octets;

/// One part in so many of the machine's memory is the ceiling.
const SHARE: usize = 8;

/// How many octets all connections hold, and how many they may.
pub(crate) fn held() -> (usize, usize) {
    (ALL.held.load(Relaxed), memory::total() / SHARE)
}

/// What all namespaces hold.
static ALL: Budget = Budget::new(WHOLE, None);
/// What others than the initial one hold.
static OTHERS: Budget = Budget::new(2, Some(&ALL));

/// Quarters of a bound that connections may take: the rest is left to the buffers of those that were
/// admitted.
const ADMISSION: usize = 3;
/// And quarters of it up to which caches are made: the rest is for connections.
const CACHES: usize = 1;
const WHOLE: usize = 4;

/// About what the kernel keeps for one TCP socket of ours besides the octets in its queues, which it
/// bounds itself (`tcp_mem`): a `struct tcp_sock`, an inode, timers.
pub(crate) const SOCKET: usize = 4 << 10;

/// Octets that somebody holds, and how many that may be.
pub(crate) struct Budget {
    held: Atomic<usize>,
    /// The bound, in quarters of the ceiling.
    quarters: usize,
    /// Where they count too.
    above: Option<&'static Budget>,
}

impl Budget {
    const fn new(quarters: usize, above: Option<&'static Budget>) -> Self {
        Self {
            held: Atomic::new(0),
            quarters,
            above,
        }
    }

    /// Counts `more` here and above, up to `reach` quarters of each bound; false, and nothing is
    /// changed, if that would be too much. It calls itself twice at most.
    fn take(&self, more: usize, reach: usize) -> bool {
        let bound = (memory::total() / (SHARE * WHOLE * WHOLE))
            .saturating_mul(self.quarters)
            .saturating_mul(reach);
        let held = self.held.fetch_add(more, Relaxed).saturating_add(more);
        let fits = held <= bound && self.above.is_none_or(|above| above.take(more, reach));
        if !fits {
            self.held.fetch_sub(more, Relaxed);
        }
        fits
    }

    /// Counts `less` no longer, here and above.
    fn give(&self, less: usize) {
        let mut next = Some(self);
        while let Some(budget) = next {
            budget.held.fetch_sub(less, Relaxed);
            next = budget.above;
        }
    }
}

/// To whom memory is charged: a namespace.
#[derive(Clone)]
pub(crate) enum Account {
    /// The initial namespace, which may take whatever is left.
    Initial,
    /// Another one.
    Other(Arc<Budget>),
}

impl Account {
    /// An account that holds nothing. Process context.
    pub(crate) fn new(initial: bool) -> Result<Self> {
        Ok(if initial {
            Self::Initial
        } else {
            Self::Other(Arc::new(Budget::new(1, Some(&OTHERS)), GFP_KERNEL)?)
        })
    }

    /// Charges for a connection, of a client or to a backend, that takes so many octets without its
    /// buffers. Any context.
    ///
    /// # Errors
    ///
    /// `ENOMEM` if there are too many already.
    pub(crate) fn admit(&self, octets: usize) -> Result<Charge> {
        self.charge_within(octets, ADMISSION)
    }

    /// Charges for what a connection that was admitted takes as long as something goes on. Any context.
    ///
    /// # Errors
    ///
    /// `ENOMEM` if that would be too much.
    pub(crate) fn charge(&self, octets: usize) -> Result<Charge> {
        self.charge_within(octets, WHOLE)
    }

    fn charge_within(&self, octets: usize, reach: usize) -> Result<Charge> {
        let mut charge = Charge::none(self.clone());
        match charge.add(octets, reach) {
            true => Ok(charge),
            false => Err(ENOMEM),
        }
    }

    /// How many octets a cache may have at most. The initial namespace's has as many as it is set to,
    /// beside what connections may take; that of another has a part of those.
    pub(crate) fn most_cache(&self) -> u64 {
        match self {
            Self::Initial => u64::MAX,
            // CAST: Wider.
            Self::Other(_) => (memory::total() / (SHARE * WHOLE * WHOLE)) as u64,
        }
    }

    /// How many octets a cache may have that wants so many, and a charge for them. `replaces`: it takes
    /// the place of another one, which is there until the last request that uses it is over. Process
    /// context.
    ///
    /// # Errors
    ///
    /// `ENOMEM` if connections and other caches have too much already.
    pub(crate) fn admit_cache(&self, wanted: u64, replaces: bool) -> Result<(u64, Option<Charge>)> {
        let Self::Other(_) = self else {
            return Ok((u64::MAX, None));
        };
        let octets = usize::try_from(wanted.min(self.most_cache())).unwrap_or(usize::MAX);
        let mut charge = Charge::none(self.clone());
        let reach = CACHES.saturating_add(usize::from(replaces));
        match charge.add(octets, reach) {
            // CAST: Wider.
            true => Ok((octets as u64, Some(charge))),
            false => Err(ENOMEM),
        }
    }

    /// Buffers without memory that will be charged here, made in their place. Any context.
    pub(crate) fn buffers(&self) -> impl Init<Buffers<Memory>> + '_ {
        init!(Buffers {
            request: self.buffer(),
            to_upstream: self.buffer(),
            response: self.buffer(),
            to_client: self.buffer(),
            captured: self.buffer(),
        })
    }

    fn buffer(&self) -> Buffer<Memory> {
        Buffer::new(Memory {
            octets: Octets::none(),
            charge: Charge::none(self.clone()),
        })
    }

    fn budget(&self) -> &Budget {
        match self {
            Self::Initial => &ALL,
            Self::Other(own) => own,
        }
    }
}

/// Octets that are charged to an account; given back when dropped. Any context.
///
/// # Invariants
///
/// `octets` are counted in the account's budget.
pub(crate) struct Charge {
    account: Account,
    octets: usize,
}

impl Charge {
    fn none(account: Account) -> Self {
        // INVARIANT: Nothing is counted.
        Self { account, octets: 0 }
    }

    /// Charges more; false, and nothing is changed, if that would be too much.
    fn add(&mut self, more: usize, reach: usize) -> bool {
        let fits = self.account.budget().take(more, reach);
        if fits {
            // INVARIANT: Just counted.
            self.octets = self.octets.saturating_add(more);
        }
        fits
    }

    /// Gives back so many octets, or all.
    fn sub(&mut self, less: usize) {
        let less = less.min(self.octets);
        if less == 0 {
            return;
        }
        // INVARIANT: No longer counted.
        self.octets = self.octets.saturating_sub(less);
        self.account.budget().give(less);
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.sub(self.octets);
    }
}

/// Memory of one buffer. It never sleeps and leaves the kernel's reserves alone: usable in softirq.
///
/// # Invariants
///
/// What is allocated is charged.
pub(crate) struct Memory {
    octets: Octets,
    charge: Charge,
}

impl Deref for Memory {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.octets
    }
}

impl DerefMut for Memory {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.octets
    }
}

impl Memory {
    /// Other memory of `size` octets with the same ones in it.
    fn larger(&self, size: usize) -> Result<Octets> {
        let mut octets = Octets::with_capacity(size)?;
        octets.use_first(self.octets.len());
        octets.copy_from_slice(&self.octets);
        Ok(octets)
    }

    /// Puts `octets`, which are charged, in the place of what there was.
    fn give_back(&mut self, octets: Octets) {
        let old = core::mem::replace(&mut self.octets, octets);
        let size = old.capacity();
        drop(old);
        self.charge.sub(size);
    }
}

impl Store for Memory {
    fn reserve(&mut self, capacity: usize) -> bool {
        if capacity <= self.octets.capacity() {
            self.octets.use_first(capacity);
            return true;
        }
        // What the kernel would round it up to anyway.
        let Some(size) = capacity.checked_next_power_of_two() else {
            return false;
        };
        // For a moment there are both, the old one and the new one.
        if !self.charge.add(size, WHOLE) {
            return false;
        }
        let Ok(mut octets) = self.larger(size) else {
            self.charge.sub(size);
            return false;
        };
        octets.use_first(capacity);
        self.give_back(octets);
        true
    }

    fn release(&mut self) {
        self.give_back(Octets::none());
    }
}
