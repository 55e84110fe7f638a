// SPDX-License-Identifier: GPL-2.0

//! The cache's store: keys, variants, ranges, the index, patterns of paths.

mod astray;
mod clear;
mod evict;
mod index;
mod key;
mod mapping;
mod mappings;
mod model;
mod part;
mod pattern;
mod random;
mod range;
mod regexp;
mod rig;
mod slow;
mod threads;
mod vary;
