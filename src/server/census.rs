// SPDX-License-Identifier: GPL-2.0

//! How many connections there are, in all and from each client, and how many there may be.
//!
//! A client is an IPv4 address or an IPv6 /64, which is what one customer of a provider has at
//! least: whoever has one may use any address in it.
//!
//! # Locking
//!
//! Each shard's lock is a leaf. What is counted in one is bounded by the number of connections, and
//! by the order of a tree: addresses that are chosen for it do not make it slow.

use core::net::IpAddr;
use core::net::Ipv6Addr;
use kernel::prelude::*;
use kernel::rbtree::Entry;
use kernel::rbtree::RBTree;
use kernel::rbtree::RBTreeNodeReservation;
use kernel::sync::atomic::Atomic;
use kernel::sync::atomic::Relaxed;
use kernel::sync::Arc;

use crate::config::Settings;
use crate::rt::percpu::PerCpu;
use crate::rt::sync::new_spinlock_bh;
use crate::rt::sync::SpinLockBh;
use crate::server::Engine;

/// Why a connection does not get a [`Seat`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denied {
    /// `max-connections` are open.
    Full,
    /// This client has `connections-per-client`.
    Share,
    /// There is no memory to count with.
    NoMemory,
}

/// Connections by client, for those that have any.
type Counts = RBTree<u128, usize>;

/// The connections of one engine, counted.
pub(crate) struct Census {
    total: Atomic<usize>,
    /// A client is in the shard that its key says, which has nothing to do with a CPU: there are as
    /// many so that CPUs seldom meet.
    shards: PerCpu<SpinLockBh<Counts>>,
}

impl Census {
    /// A census that has counted nobody, made in its place. Process context.
    pub(crate) fn new() -> impl Init<Self, Error> {
        try_init!(Self {
            total: Atomic::new(0),
            shards: shards()?,
        }? Error)
    }

    /// Counts one more in all, unless `limit` are counted.
    fn enter(&self, limit: usize) -> bool {
        let before = self.total.fetch_add(1, Relaxed);
        if before >= limit {
            self.total.fetch_sub(1, Relaxed);
        }
        before < limit
    }

    fn leave(&self) {
        self.total.fetch_sub(1, Relaxed);
    }

    /// Counts one more of a client, unless it has `limit`. Process context.
    fn enter_client(&self, client: u128, limit: usize) -> Result<(), Denied> {
        let shard = self.shard(client);
        if let Some(count) = shard.lock().get_mut(&client) {
            return raise(count, limit);
        }
        // Not under the lock: it may sleep.
        let node = RBTreeNodeReservation::new(GFP_KERNEL).map_err(|_| Denied::NoMemory)?;
        let mut counts = shard.lock();
        match counts.entry(client) {
            Entry::Vacant(entry) => {
                entry.insert(1, node);
                Ok(())
            }
            // Another connection of it came in between; `node` is freed after the lock.
            Entry::Occupied(mut entry) => raise(entry.get_mut(), limit),
        }
    }

    /// Any context.
    fn leave_client(&self, client: u128) {
        let mut counts = self.shard(client).lock();
        let Some(count) = counts.get_mut(&client) else {
            return;
        };
        *count = count.saturating_sub(1);
        if *count == 0 {
            let node = counts.remove_node(&client);
            drop(counts);
            drop(node);
        }
    }

    fn shard(&self, client: u128) -> &SpinLockBh<Counts> {
        // Multiplying moves every bit up, so the upper half depends on all of them.
        let folded = (client as u64) ^ ((client >> 64) as u64);
        let mixed = folded.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.shards.get((mixed >> 32) as u32)
    }
}

fn shards() -> Result<PerCpu<SpinLockBh<Counts>>> {
    PerCpu::try_new(|_| new_spinlock_bh!(RBTree::new()))
}

fn raise(count: &mut usize, limit: usize) -> Result<(), Denied> {
    if *count >= limit {
        return Err(Denied::Share);
    }
    *count = count.saturating_add(1);
    Ok(())
}

/// What a client is counted by: its IPv4 address, mapped into IPv6, or the first half of an IPv6
/// address. The two do not meet: the first half of a mapped address is zero, and the second is not.
fn key(ip: IpAddr) -> u128 {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().to_bits(),
        IpAddr::V6(ip) => Ipv6Addr::to_bits(ip) >> 64 << 64,
    }
}

/// The place of one connection: as long as it is there, the connection is counted.
pub(crate) struct Seat {
    engine: Arc<Engine>,
    client: u128,
}

impl Seat {
    /// Takes a place for a connection from `ip`, if the settings leave one. Process context.
    pub(crate) fn take(
        engine: &Arc<Engine>,
        ip: IpAddr,
        settings: &Settings,
    ) -> Result<Self, Denied> {
        let census = engine.census();
        if !census.enter(settings.max_connections) {
            return Err(Denied::Full);
        }
        let limit = match settings.connections_per_client {
            0 => usize::MAX,
            limit => limit,
        };
        let client = key(ip);
        census
            .enter_client(client, limit)
            .inspect_err(|_| census.leave())?;
        Ok(Self {
            engine: engine.clone(),
            client,
        })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let census = self.engine.census();
        census.leave_client(self.client);
        census.leave();
    }
}
