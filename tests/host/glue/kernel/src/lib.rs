// SPDX-License-Identifier: GPL-2.0

//! A stand-in for the kernel crate on the host: as much of it as the cache's glue uses, under the same
//! names.
//!
//! It is stricter than the kernel where the kernel would only go wrong now and then: see [`trial`].

extern crate self as kernel;

pub mod alloc;
pub mod init;
pub mod pages;
pub mod sync;
pub mod trial;

pub use macros;

/// The kernel's pages.
pub mod page {
    /// Octets of a page.
    pub const PAGE_SIZE: usize = 4096;
}

/// What everybody uses.
pub mod prelude {
    pub use crate::alloc::{AllocError, KBox, KVec};
    pub use crate::alloc::{GFP_KERNEL, GFP_KERNEL_ACCOUNT, GFP_NOWAIT};
    pub use crate::{init, pin_init, try_pin_init};
    pub use core::pin::Pin;
    pub use macros::pin_data;

    /// An error number.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Error(i32);

    /// What may fail.
    pub type Result<T = (), E = Error> = core::result::Result<T, E>;

    /// Out of memory.
    pub const ENOMEM: Error = Error(-12);
    /// What should be there is not.
    pub const EINVAL: Error = Error(-22);
    /// Somebody else is at it.
    pub const EBUSY: Error = Error(-16);

    impl From<AllocError> for Error {
        fn from(_: AllocError) -> Self {
            ENOMEM
        }
    }
}

/// Where [`pages`] looks for the kernel's functions.
mod sys {
    pub(crate) mod bindings {
        use crate::alloc::GFP_NOWAIT;
        use crate::page::PAGE_SIZE;
        use crate::trial;
        use core::ffi::c_void;

        type Page = [u8; PAGE_SIZE];

        /// A page with rubbish in it, or null.
        pub(crate) unsafe fn page_alloc() -> *mut c_void {
            match trial::allocate(PAGE_SIZE, GFP_NOWAIT) {
                Ok(()) => Box::into_raw(Box::<Page>::new([b'?'; PAGE_SIZE])).cast(),
                Err(_) => core::ptr::null_mut(),
            }
        }

        pub(crate) unsafe fn page_free(page: *mut c_void) {
            trial::free(PAGE_SIZE);
            // SAFETY: By the caller it is from `page_alloc()`.
            let mut page = unsafe { Box::from_raw(page.cast::<Page>()) };
            // Who reads on sees that it is gone.
            page.fill(b'!');
        }
    }
}
