// SPDX-License-Identifier: GPL-2.0

//! Memory: how much the machine has, and copies of what is too large for the stack.
//!
//! C header: [`include/linux/mm.h`](srctree/include/linux/mm.h)

use crate::sys::bindings;
use kernel::{
    prelude::*,
    sync::UniqueArc, //
};

/// Octets of memory that the kernel has to give, in all. Any context.
pub(crate) fn total() -> usize {
    // SAFETY: No requirements.
    unsafe { bindings::memory_total() }
}

/// A copy of `source` that is never on the stack. Process context.
pub(crate) fn duplicate<T: Copy>(source: &T) -> Result<UniqueArc<T>> {
    let mut copy = UniqueArc::<T>::new_uninit(GFP_KERNEL)?;
    // SAFETY: `source` is valid for reads, the new allocation for writes of one `T`, and they are
    // apart.
    unsafe { copy.as_mut_ptr().copy_from_nonoverlapping(source, 1) };
    // SAFETY: It was just filled with a valid value, and a `Copy` type may be duplicated so.
    Ok(unsafe { copy.assume_init() })
}
