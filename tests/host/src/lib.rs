// SPDX-License-Identifier: GPL-2.0

//! The pure core of resin.ko on the host: the same files, with nothing but `core` below them.
//!
//! What the kernel could not survive is forbidden here, so that `cargo clippy` finds it: code that
//! may panic, unchecked arithmetic, floats, `unsafe`.

#![forbid(unsafe_code)]
// Each part is there before all of what will use it.
#![allow(dead_code, unused_imports)]

/// The files of `src/`, at the paths that they have in the kernel: see the `use` below.
#[cfg_attr(
    not(test),
    warn(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::float_arithmetic,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::string_slice,
        clippy::todo,
        clippy::unimplemented,
        clippy::unreachable,
        clippy::unwrap_used
    )
)]
#[path = "../../../src"]
mod pure {
    pub(crate) mod bytes;
    pub(crate) mod cache;
    pub(crate) mod config;
    pub(crate) mod exchange;
    pub(crate) mod http;
    pub(crate) mod lb;
    pub(crate) mod log;
    pub(crate) mod probe;
    pub(crate) mod slab;
    pub(crate) mod srun;
    pub(crate) mod status;
    pub(crate) mod time;
}

use pure::{bytes, cache, config, exchange, http, lb, log, probe, slab, srun, status, time};

pub mod asked_grammar;
pub mod cache_grammar;
pub mod choosing;
pub mod chunked_grammar;
pub mod forward_grammar;
pub mod frames_grammar;
pub mod head_grammar;
pub mod log_grammar;
pub mod proc_grammar;
pub mod simulation;
pub mod status_sample;
pub mod sticky_grammar;

#[cfg(test)]
#[path = "../tests/mod.rs"]
mod tests;
