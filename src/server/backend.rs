// SPDX-License-Identifier: GPL-2.0

//! A backend and its idle connections.
//!
//! # Locking
//!
//! `idle` of each CPU protects that CPU's stack of idle connections. It is taken in a client's
//! step, under the client's state lock, and in process context; no other lock is taken under it.
//! Connections are closed only after it was let go: that sleeps.
//!
//! An idle connection refers to its backend, so a backend is freed only after
//! [`Backend::retire`] has emptied the stacks for good.

use core::fmt::Write as _;
use core::net::SocketAddr;
use kernel::alloc::KVec;
use kernel::prelude::*;
use kernel::sync::atomic::Acquire;
use kernel::sync::atomic::Atomic;
use kernel::sync::atomic::Relaxed;
use kernel::sync::atomic::Release;
use kernel::sync::Arc;

use crate::bytes::Writer;
use crate::config::Protocol;
use crate::http::Version;
use crate::rt::percpu::Counter;
use crate::rt::percpu::PerCpu;
use crate::rt::socket::State;
use crate::rt::sync::new_spinlock_bh;
use crate::rt::sync::SpinLockBh;
use crate::server::stats::Timing;
use crate::server::upstream::Link;
use crate::status;
use crate::time::Duration;
use crate::time::Instant;

/// A server that requests go to, as long as it is configured in whatever way.
pub(crate) struct Backend {
    addr: SocketAddr,
    protocol: Protocol,
    /// `ADDRESS:PORT`, for requests that name no host.
    authority: KVec<u8>,
    /// Idle connections by CPU, the one used last on top.
    idle: PerCpu<SpinLockBh<KVec<Link>>>,
    /// No connection is to become idle any more.
    retired: Atomic<bool>,
    /// Exchanges and connection attempts under way.
    pub(crate) active: Counter,
    /// Exchanges begun.
    pub(crate) requests: Counter,
    /// Connections that could not be made.
    pub(crate) failures: Counter,
    /// Exchanges that another one was given after this one had failed them.
    pub(crate) retries: Counter,
    /// Connections begun.
    pub(crate) connects: Counter,
    /// Times that it was asked how it is, and those of them in which it did not say that it is well.
    pub(crate) probes: Counter,
    pub(crate) probe_failures: Counter,
    /// Exchanges that used a kept connection.
    pub(crate) reuses: Counter,
    /// Octets sent to it.
    pub(crate) sent: Counter,
    /// Octets received from it.
    pub(crate) received: Counter,
    /// How long it took to accept connections.
    pub(crate) connecting: Timing,
    /// How long it took from when it began to get a request to the first octet of the response.
    pub(crate) responding: Timing,
    /// When something came from it, in nanoseconds of the monotonic clock.
    heard: Atomic<u64>,
    /// What tells a client that it belongs here.
    stamp: Atomic<u64>,
    /// The highest minor version of HTTP that a response of it had, and one; 0 before the first.
    version: Atomic<u32>,
    /// The [`status::State`] that the kernel log was told last.
    told: Atomic<u32>,
}

impl Backend {
    /// A backend without connections. Process context.
    pub(crate) fn new(addr: SocketAddr, protocol: Protocol) -> Result<Arc<Self>> {
        let mut authority = KVec::from_elem(0, 64, GFP_KERNEL_ACCOUNT)?;
        let mut writer = Writer::new(&mut authority);
        write!(writer, "{addr}").map_err(|_| EINVAL)?;
        let len = writer.len();
        authority.truncate(len);
        let backend = try_init!(Self {
            addr,
            protocol,
            authority,
            idle: PerCpu::try_new(|_| new_spinlock_bh!(KVec::new()))?,
            retired: Atomic::new(false),
            active: Counter::new()?,
            requests: Counter::new()?,
            failures: Counter::new()?,
            retries: Counter::new()?,
            connects: Counter::new()?,
            reuses: Counter::new()?,
            probes: Counter::new()?,
            probe_failures: Counter::new()?,
            sent: Counter::new()?,
            received: Counter::new()?,
            connecting: Timing::new()?,
            responding: Timing::new()?,
            heard: Atomic::new(0),
            stamp: Atomic::new(0),
            version: Atomic::new(0),
            told: Atomic::new(status::State::Ok as u32),
        });
        Arc::pin_init(backend, GFP_KERNEL_ACCOUNT)
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    pub(crate) fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// `ADDRESS:PORT`.
    pub(crate) fn authority(&self) -> &[u8] {
        &self.authority
    }

    /// A connection was made, which took so long.
    pub(crate) fn connected(&self, took: Duration) {
        self.connecting.add(took);
    }

    /// Octets have come from it.
    pub(crate) fn hear(&self, now: Instant, octets: u64) {
        self.received.add(octets);
        self.heard.store(now.as_nanos(), Relaxed);
    }

    /// When something came from it.
    pub(crate) fn heard(&self) -> Instant {
        Instant::from_nanos(self.heard.load(Relaxed))
    }

    /// The highest version of HTTP that a response of it had; none before the first.
    pub(crate) fn version(&self) -> Option<Version> {
        match self.version.load(Relaxed) {
            0 => None,
            1 => Some(Version::Http10),
            _ => Some(Version::Http11),
        }
    }

    pub(crate) fn set_version(&self, version: Version) {
        let number = match version {
            Version::Http10 => 1,
            Version::Http11 => 2,
        };
        // Once or twice: all CPUs read it. Who has answered in HTTP/1.1 knows that, whatever some
        // script of his says later. Of two at the same time one may be lost, but not for long.
        if self.version.load(Relaxed) < number {
            self.version.store(number, Relaxed);
        }
    }

    /// Notes how it is, and returns whether that has changed since.
    pub(crate) fn note(&self, state: status::State) -> bool {
        self.told.xchg(state as u32, Relaxed) != state as u32
    }

    pub(crate) fn stamp(&self) -> u64 {
        self.stamp.load(Relaxed)
    }

    pub(crate) fn set_stamp(&self, stamp: u64) {
        self.stamp.store(stamp, Relaxed);
    }

    /// Takes an idle connection that is still good, from this CPU's stack or else from another's.
    ///
    /// The ones found dead on the way stay where they are, for the sweep to close.
    pub(crate) fn take(&self) -> Option<Link> {
        let (cpu, own) = self.idle.current();
        let mut others = (0..)
            .zip(self.idle.iter())
            .filter(|(index, _)| *index != cpu);
        pop(own).or_else(|| others.find_map(|(_, other)| pop(other)))
    }

    /// Keeps a connection for later, at most `most` on this CPU; gives it back if it may not stay.
    pub(crate) fn put(&self, link: Link, most: usize, now: Instant) -> Result<(), Link> {
        link.owner().rest(now);
        let (_, idle) = self.idle.current();
        let mut links = idle.lock();
        let full = self.retired.load(Acquire) || links.len() >= most;
        // What of an exchange is not acknowledged yet would look like a part of the next one.
        if full || !is_good(&link) || link.unacked() > 0 {
            return Err(link);
        }
        if links.reserve(1, GFP_NOWAIT).is_err() {
            return Err(link);
        }
        links
            .push_within_capacity(link)
            .map_err(|refused| refused.0)
    }

    /// Closes idle connections that have died or have been idle for longer than `limit`.
    ///
    /// Returns whether any are left. Process context.
    pub(crate) fn sweep(&self, now: Instant, limit: Duration) -> bool {
        let mut left = false;
        for idle in self.idle.iter() {
            loop {
                let mut links = idle.lock();
                let over = links.iter().position(|link| {
                    !is_good(link) || now.since(link.owner().idle_since()) >= limit
                });
                left |= over.is_none() && !links.is_empty();
                let Some(link) = over.and_then(|index| links.remove(index).ok()) else {
                    break;
                };
                drop(links);
                drop(link);
            }
        }
        left
    }

    /// Closes all idle connections, and every one that is given back from now on.
    ///
    /// Process context.
    pub(crate) fn retire(&self) {
        self.retired.store(true, Release);
        for idle in self.idle.iter() {
            let links = core::mem::take(&mut *idle.lock());
            drop(links);
        }
    }

    /// How many connections are idle.
    pub(crate) fn pooled(&self) -> usize {
        self.idle.iter().map(|idle| idle.lock().len()).sum()
    }
}

/// The good connection that was used last.
fn pop(idle: &SpinLockBh<KVec<Link>>) -> Option<Link> {
    let mut links = idle.lock();
    let good = links.iter().rposition(is_good)?;
    links.remove(good).ok()
}

/// Up, and nothing has come that nobody asked for.
fn is_good(link: &Link) -> bool {
    !link.owner().is_stale() && link.state() == State::Established && !link.readable()
}
