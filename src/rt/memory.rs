// SPDX-License-Identifier: GPL-2.0

//! Memory: how much the machine has, octets for buffers, and copies of what is too large for the stack.
//!
//! C header: [`include/linux/mm.h`](srctree/include/linux/mm.h)

use crate::sys::bindings;
use core::{
    alloc::Layout,
    mem::ManuallyDrop,
    ops::{
        Deref,
        DerefMut, //
    },
    ptr::NonNull,
};
use kernel::{
    alloc::{
        allocator::Kmalloc,
        flags::__GFP_ZERO,
        AllocError,
        Allocator,
        Flags,
        NumaNode, //
    },
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

/// Octets for a buffer, of which some are in use. What is in them before they are written to is zero, or
/// what another buffer had. Made and dropped in any context.
///
/// # Invariants
///
/// All of the vector's capacity is initialised.
pub(crate) struct Octets(ManuallyDrop<KVec<u8>>);

impl Octets {
    /// No octets, and no memory.
    pub(crate) const fn none() -> Self {
        // INVARIANT: There is no capacity.
        Self(ManuallyDrop::new(KVec::new()))
    }

    /// Room for `capacity` octets, none of which is in use. It does not sleep, and leaves the kernel's
    /// reserves alone.
    pub(crate) fn with_capacity(capacity: usize) -> Result<Self> {
        if let Some((size, _)) = kept(capacity) {
            // SAFETY: There is such a size.
            let spare = unsafe { bindings::spare_take(size) };
            if !spare.is_null() {
                // SAFETY: `drop` has put it there: the memory of a vector of that capacity, which it has
                // given up. INVARIANT: It was initialised.
                let octets = unsafe { KVec::from_raw_parts(spare.cast(), 0, capacity) };
                return Ok(Self(ManuallyDrop::new(octets)));
            }
        }
        let flags = GFP_NOWAIT | __GFP_ZERO;
        // INVARIANT: The allocator fills it with zeros: faster than a loop, and it does so anyway where
        // the kernel is set to (`INIT_ON_ALLOC`).
        let octets = KVec::with_capacity(capacity, flags)?;
        Ok(Self(ManuallyDrop::new(octets)))
    }

    /// How many can be in use.
    pub(crate) fn capacity(&self) -> usize {
        self.0.capacity()
    }

    /// Uses the first `len` octets at least, or as many as there are.
    pub(crate) fn use_first(&mut self, len: usize) {
        let more = len.min(self.0.capacity()).saturating_sub(self.0.len());
        // SAFETY: So many are behind those in use, and initialised by the type invariants.
        unsafe { self.0.inc_len(more) };
    }
}

impl Drop for Octets {
    /// Keeps the memory for the next one, if there is a place for it.
    fn drop(&mut self) {
        let capacity = self.0.capacity();
        if capacity == 0 {
            // The kernel would be asked to free nothing.
            return;
        }
        let octets = self.0.as_mut_ptr();
        if let Some((size, most)) = kept(capacity) {
            // SAFETY: There is such a size; what is kept of it are vectors of this capacity, whose memory
            // is given up here.
            if unsafe { bindings::spare_put(size, octets.cast(), most) } {
                return;
            }
        }
        // SAFETY: Nobody has it, and it is not used any more.
        unsafe { ManuallyDrop::drop(&mut self.0) };
    }
}

/// The place of memory of so many octets among that which each CPU keeps, and how often it keeps it: as
/// many requests may be on their way at a time on a busy CPU. With what [`Spares`] keep that is 336 KiB at
/// most.
fn kept(capacity: usize) -> Option<(u32, u32)> {
    Some(match capacity {
        512 => (0, bindings::RESIN_HELPER_SPARE_MOST),
        1024 => (1, bindings::RESIN_HELPER_SPARE_MOST),
        2048 => (2, bindings::RESIN_HELPER_SPARE_MOST),
        4096 => (3, bindings::RESIN_HELPER_SPARE_MOST),
        16384 => (4, 2),
        _ => return None,
    })
}

/// The place of what [`Spares`] keep.
const BOXES: u32 = 5;

const _: () = assert!(bindings::RESIN_HELPER_SPARE_SIZES == 6);

/// A `T` in memory of which each CPU keeps some: for what comes and goes with every connection. Made and
/// dropped in any context.
pub(crate) type Spared<T> = kernel::alloc::Box<T, Spares>;

/// Gives memory for [`Spared`], [`Self::SIZE`] octets at a time.
///
/// # Invariants
///
/// What is kept in [`BOXES`] is memory of [`Kmalloc`] for [`Self::WHOLE`] that nobody uses.
pub(crate) struct Spares;

impl Spares {
    /// Octets that one takes.
    pub(crate) const SIZE: usize = 2048;

    /// The same for all: one is as good as the other.
    const WHOLE: Layout = Layout::new::<Whole>();

    /// Memory for what is laid out so. It sleeps only if nothing is kept and the flags allow that.
    fn take(layout: Layout, flags: Flags, nid: NumaNode) -> Result<NonNull<u8>, AllocError> {
        if layout.size() > Self::WHOLE.size() {
            return Err(AllocError);
        }
        if !flags.contains(__GFP_ZERO) {
            // SAFETY: There is such a place.
            let spare = unsafe { bindings::spare_take(BOXES) };
            if let Some(spare) = NonNull::new(spare.cast()) {
                return Ok(spare);
            }
        }
        Ok(Kmalloc::alloc(Self::WHOLE, flags, nid)?.cast())
    }

    /// Keeps memory for the next one, if there is a place for it.
    ///
    /// # Safety
    ///
    /// [`Self::take`] has given it, and nobody uses it any more.
    unsafe fn give(old: NonNull<u8>) {
        // SAFETY: There is such a place. INVARIANT: By the function's safety requirements.
        let is_kept = unsafe {
            bindings::spare_put(
                BOXES,
                old.as_ptr().cast(),
                bindings::RESIN_HELPER_SPARE_MOST,
            )
        };
        if !is_kept {
            // SAFETY: It was allocated for that layout, and nobody uses it.
            unsafe { Kmalloc::free(old, Self::WHOLE) };
        }
    }
}

/// As much as [`Spares`] give.
#[repr(align(64))]
struct Whole {
    _octets: [u8; Spares::SIZE],
}

// SAFETY: What is given is memory of `Kmalloc`, valid until it is given back, which is large and aligned
// enough for what was asked for; where zeros are asked for, it is what `Kmalloc` has just given. It is
// never changed in size, and so nothing has to be preserved.
unsafe impl Allocator for Spares {
    const MIN_ALIGN: usize = Self::WHOLE.align();

    /// Fails where memory in use is to be of another size.
    unsafe fn realloc(
        ptr: Option<NonNull<u8>>,
        layout: Layout,
        old_layout: Layout,
        flags: Flags,
        nid: NumaNode,
    ) -> Result<NonNull<[u8]>, AllocError> {
        if layout.align() > Self::WHOLE.align() {
            return Err(AllocError);
        }
        let given = match (ptr.filter(|_| old_layout.size() != 0), layout.size()) {
            (None, 1..) => Self::take(layout, flags, nid)?,
            (Some(_), 1..) => return Err(AllocError),
            (in_use, 0) => {
                if let Some(old) = in_use {
                    // SAFETY: `take` has given it, and the caller gives it up.
                    unsafe { Self::give(old) };
                }
                NonNull::<Whole>::dangling().cast()
            }
        };
        Ok(NonNull::slice_from_raw_parts(given, layout.size()))
    }
}

/// The memory that CPUs keep. Dropped in process context, when nobody has [`Octets`] or [`Spared`] any more,
/// it is given back.
pub(crate) struct Spare(());

impl Spare {
    /// Once for the module, before anybody has [`Octets`] or [`Spared`]. Process context.
    pub(crate) fn new() -> Result<Self> {
        // SAFETY: Nobody takes any yet.
        match unsafe { bindings::spare_alloc() } {
            true => Ok(Self(())),
            false => Err(ENOMEM),
        }
    }
}

impl Drop for Spare {
    fn drop(&mut self) {
        // SAFETY: No requirements but that nobody puts anything there.
        unsafe { bindings::spare_free() }
    }
}

impl Deref for Octets {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl DerefMut for Octets {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}
