// SPDX-License-Identifier: GPL-2.0

//! The host tests, one module for each part of the core.

mod body;
mod bytes;
mod config;
mod date;
mod encode;
mod head;
mod slab;
mod split;
mod time;
