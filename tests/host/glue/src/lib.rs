// SPDX-License-Identifier: GPL-2.0

//! The cache's glue (`src/server/cache`) on the host: the same files, over the pure core and a
//! stand-in for the kernel, with clients and an origin whose every octet a test has in hand.

#![cfg(test)]
#![forbid(unsafe_code)]
// A part of the core is used here, and a part of the stand-in by each test.
#![allow(dead_code, unused_imports)]

/// The files of `src/`, at the paths that they have in the kernel: see the `use` below.
#[path = "../../../../src"]
mod pure {
    pub(crate) mod bytes;
    pub(crate) mod cache;
    pub(crate) mod config;
    pub(crate) mod exchange;
    pub(crate) mod http;
    pub(crate) mod lb;
    pub(crate) mod log;
    pub(crate) mod slab;
    pub(crate) mod srun;
    pub(crate) mod status;
    pub(crate) mod time;
}

use pure::{bytes, cache, config, exchange, http, lb, log, slab, srun, status, time};

mod reply;
mod rig;
mod rt;
mod server;
mod world;

mod tests;
