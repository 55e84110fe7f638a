// SPDX-License-Identifier: GPL-2.0

//! How much memory the machine has.
//!
//! C header: [`include/linux/mm.h`](srctree/include/linux/mm.h)

use crate::sys::bindings;

/// Octets of memory that the kernel has to give, in all. Any context.
pub(crate) fn total() -> usize {
    // SAFETY: No requirements.
    unsafe { bindings::memory_total() }
}
