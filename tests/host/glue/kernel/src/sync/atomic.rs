// SPDX-License-Identifier: GPL-2.0

//! Atomic values as the kernel crate has them.

use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use crate::trial;

/// A value that several may change.
#[repr(transparent)]
pub struct Atomic<T>(UnsafeCell<T>);

// SAFETY: It is used as an atomic one only.
unsafe impl<T: Kind> Sync for Atomic<T> {}
// SAFETY: Likewise.
unsafe impl<T: Kind> Send for Atomic<T> {}

/// What there are atomics of.
pub trait Kind: Copy {
    /// # Safety
    ///
    /// `at` is the place of an [`Atomic`], as below.
    unsafe fn load(at: *mut Self, order: Ordering) -> Self;
    /// # Safety
    ///
    /// See above.
    unsafe fn store(at: *mut Self, value: Self, order: Ordering);
    /// # Safety
    ///
    /// See above.
    unsafe fn xchg(at: *mut Self, value: Self, order: Ordering) -> Self;
}

macro_rules! kind {
    ([$($param:ident)?] $type:ty, $atomic:ty) => {
        impl$(<$param>)? Kind for $type {
            unsafe fn load(at: *mut Self, order: Ordering) -> Self {
                // SAFETY: By the caller.
                unsafe { <$atomic>::from_ptr(at) }.load(order)
            }
            unsafe fn store(at: *mut Self, value: Self, order: Ordering) {
                // SAFETY: By the caller.
                unsafe { <$atomic>::from_ptr(at) }.store(value, order);
            }
            unsafe fn xchg(at: *mut Self, value: Self, order: Ordering) -> Self {
                // SAFETY: By the caller.
                unsafe { <$atomic>::from_ptr(at) }.swap(value, order)
            }
        }
    };
}

kind!([] bool, AtomicBool);
kind!([] u32, AtomicU32);
kind!([] u64, AtomicU64);
kind!([] usize, AtomicUsize);
kind!([P] *mut P, AtomicPtr<P>);

/// An order.
pub trait Order {
    /// The same as the standard library has it.
    const ORDER: Ordering;
}

/// As the kernel's, like the others.
pub struct Relaxed;
/// See above.
pub struct Acquire;
/// See above.
pub struct Release;
/// See above.
pub struct Full;

impl Order for Relaxed {
    const ORDER: Ordering = Ordering::Relaxed;
}
impl Order for Acquire {
    const ORDER: Ordering = Ordering::Acquire;
}
impl Order for Release {
    const ORDER: Ordering = Ordering::Release;
}
impl Order for Full {
    const ORDER: Ordering = Ordering::SeqCst;
}

impl<T: Kind> Atomic<T> {
    /// One with this value.
    pub const fn new(value: T) -> Self {
        Self(UnsafeCell::new(value))
    }

    /// The value.
    pub fn load<O: Order>(&self, _: O) -> T {
        // SAFETY: It is our own place.
        let value = unsafe { T::load(self.0.get(), O::ORDER) };
        trial::moment();
        value
    }

    /// Changes it.
    pub fn store<O: Order>(&self, value: T, _: O) {
        // SAFETY: Likewise.
        unsafe { T::store(self.0.get(), value, O::ORDER) }
    }

    /// Changes it, and gives what it was.
    pub fn xchg<O: Order>(&self, value: T, _: O) -> T {
        // SAFETY: Likewise.
        unsafe { T::xchg(self.0.get(), value, O::ORDER) }
    }
}
