// SPDX-License-Identifier: GPL-2.0

//! The cache's store: keys, variants, ranges, the index, patterns of paths.

mod held;
mod key;
mod pattern;
mod range;
mod vary;
