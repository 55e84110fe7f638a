// SPDX-License-Identifier: GPL-2.0

//! What the cache does, from a client's end and the origin's.

mod basic;
mod crossing;
mod limits;
mod model;
mod page;
mod parts;
mod together;
