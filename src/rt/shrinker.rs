// SPDX-License-Identifier: GPL-2.0

//! Gives memory back when the machine lacks it.
//!
//! C header: [`include/linux/shrinker.h`](srctree/include/linux/shrinker.h)

use crate::sys::bindings;
use core::ptr::NonNull;
use kernel::{
    ffi::c_ulong,
    prelude::*,
    sync::Arc, //
};

/// Who has memory that others may need more.
///
/// Both are called within an allocation of whoever it is, who may hold any lock with which memory is
/// allocated that can be waited for. So they take no such lock, and allocate nothing of the kind.
/// Process context.
pub(crate) trait Shrink: Send + Sync + 'static {
    /// How many pages could be given back now.
    fn spare(&self) -> usize;

    /// Gives back so many pages, or as many as can be; says how many.
    fn shrink(&self, pages: usize) -> usize;
}

/// The promise that `T` is asked for memory. Made and dropped in process context; dropping it waits for
/// who is asking.
///
/// # Invariants
///
/// The pointer is to a registered shrinker that this value owns. Its data is what `owner` refers to, and
/// its callbacks are those of `Shrinker<T>`.
pub(crate) struct Shrinker<T: Shrink> {
    shrinker: NonNull<bindings::shrinker>,
    /// Dropped after `drop` has seen to it that nobody asks any more.
    _owner: Arc<T>,
}

// SAFETY: A shrinker may be freed by any thread, and `Arc<T>` is `Send` as `T` is `Send` and `Sync`.
unsafe impl<T: Shrink> Send for Shrinker<T> {}
// SAFETY: Nothing can be done with a shared one.
unsafe impl<T: Shrink> Sync for Shrinker<T> {}

impl<T: Shrink> Shrinker<T> {
    /// From now on `owner` is asked.
    ///
    /// # Errors
    ///
    /// `ENOMEM`
    pub(crate) fn new(name: &CStr, owner: Arc<T>) -> Result<Self> {
        // SAFETY: The format takes one string, and `name` is one that outlives the call, which copies it.
        let shrinker =
            unsafe { bindings::shrinker_alloc(0, c"%s".as_char_ptr(), name.as_char_ptr()) };
        let shrinker = NonNull::new(shrinker).ok_or(ENOMEM)?;
        let data = Arc::as_ptr(&owner).cast_mut().cast();
        // SAFETY: The shrinker was just made for us, and nobody knows it before it is registered. What
        // `data` points to lives until after `drop` has freed it, and the callbacks take it for that.
        unsafe {
            bindings::shrinker_set(shrinker.as_ptr(), Some(Self::count), Some(Self::scan), data);
            bindings::shrinker_register(shrinker.as_ptr());
        }
        // INVARIANT: Just registered with this owner.
        Ok(Self {
            shrinker,
            _owner: owner,
        })
    }

    /// Says how many pages could be given back.
    ///
    /// # Safety
    ///
    /// To be called by the kernel as `count_objects` of a registered shrinker whose data is a `T`.
    unsafe extern "C" fn count(
        shrinker: *mut bindings::shrinker,
        _control: *mut bindings::shrink_control,
    ) -> c_ulong {
        // SAFETY: By the requirement of this function; it lives until the shrinker is free, for which
        // whoever frees it waits until this has returned.
        let owner = unsafe { &*bindings::shrinker_data(shrinker).cast::<T>() };
        match owner.spare() {
            0 => EMPTY,
            // CAST: Of the same size.
            pages => pages as c_ulong,
        }
    }

    /// Gives back pages.
    ///
    /// # Safety
    ///
    /// As for [`Self::count`]; `control` is valid.
    unsafe extern "C" fn scan(
        shrinker: *mut bindings::shrinker,
        control: *mut bindings::shrink_control,
    ) -> c_ulong {
        // SAFETY: As in `count`.
        let owner = unsafe { &*bindings::shrinker_data(shrinker).cast::<T>() };
        // SAFETY: By the requirement of this function.
        let wanted = unsafe { bindings::shrink_wanted(control) };
        match owner.shrink(wanted) {
            0 => STOP,
            // CAST: Of the same size.
            pages => pages as c_ulong,
        }
    }
}

/// `SHRINK_STOP`: nothing more can be had now.
const STOP: c_ulong = c_ulong::MAX;
/// `SHRINK_EMPTY`: there is nothing.
const EMPTY: c_ulong = c_ulong::MAX - 1;

impl<T: Shrink> Drop for Shrinker<T> {
    fn drop(&mut self) {
        // SAFETY: By the type invariants it is ours and registered. When this returns no callback runs,
        // and none will.
        unsafe { bindings::shrinker_free(self.shrinker.as_ptr()) }
    }
}
