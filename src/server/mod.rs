// SPDX-License-Identifier: GPL-2.0

//! The glue: runs the pure machines on the kernel's objects. No `unsafe`, no bindings.
//!
//! [`Instance`] is what one network namespace has: a configuration, a port, an [`Engine`]. The
//! engine owns what all connections share. A [`Listener`](listener::Listener) accepts and makes
//! [`Client`](client::Client)s; each drives one [`Exchange`](crate::exchange::Exchange) in a work
//! item on the CPU that its packets come to, and borrows
//! [`Upstream`](upstream::Upstream) connections from its backend's pools.

pub(crate) mod backend;
pub(crate) mod balancer;
pub(crate) mod cache;
pub(crate) mod census;
pub(crate) mod client;
pub(crate) mod engine;
pub(crate) mod instance;
pub(crate) mod journal;
pub(crate) mod listener;
pub(crate) mod log;
pub(crate) mod mappings;
pub(crate) mod memory;
pub(crate) mod pressure;
pub(crate) mod prober;
pub(crate) mod stats;
pub(crate) mod status;
pub(crate) mod sweep;
pub(crate) mod upstream;

pub(crate) use engine::Engine;
pub(crate) use instance::Instance;
