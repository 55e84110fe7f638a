// SPDX-License-Identifier: GPL-2.0

//! Numbers that nobody can guess.
//!
//! C header: [`include/linux/random.h`](srctree/include/linux/random.h)

use crate::sys::bindings;

/// Any number. Any context.
pub(crate) fn number() -> u64 {
    // SAFETY: It may be called anywhere.
    unsafe { bindings::get_random_u64() }
}
