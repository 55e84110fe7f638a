// SPDX-License-Identifier: GPL-2.0

//! The cache of responses (RFC 9111): what may be kept, for whom, for how long, and where it is.
//!
//! Here is no memory: whoever uses it owns the slots, and what is in them.

pub(crate) mod index;
pub(crate) mod key;
pub(crate) mod pattern;
pub(crate) mod range;
pub(crate) mod vary;
