// SPDX-License-Identifier: GPL-2.0

//! The spinlock that process context and softirq may share, barriers, and waiting for RCU readers.
//!
//! C headers: [`include/linux/spinlock.h`](srctree/include/linux/spinlock.h),
//! [`include/asm-generic/barrier.h`](srctree/include/asm-generic/barrier.h),
//! [`include/linux/rcupdate.h`](srctree/include/linux/rcupdate.h)

use crate::sys::bindings;
use kernel::{
    ffi::c_char,
    sync::lock::{
        Backend,
        Lock, //
    },
};

/// Waits until every RCU reader that is at work now has ended. Process context; sleeps.
pub(crate) fn synchronize_rcu() {
    // SAFETY: It may be called wherever sleeping is allowed.
    unsafe { bindings::synchronize_rcu() };
}

/// Loads and stores before this are done before those after it, on whatever CPU one looks. Any
/// context, like those below.
#[inline]
pub(crate) fn full_barrier() {
    // SAFETY: It may be called anywhere.
    unsafe { bindings::smp_mb() };
}

/// Loads before this are done before loads after it.
#[inline]
pub(crate) fn read_barrier() {
    // SAFETY: It may be called anywhere.
    unsafe { bindings::smp_rmb() };
}

/// Stores before this are done before stores after it.
#[inline]
pub(crate) fn write_barrier() {
    // SAFETY: It may be called anywhere.
    unsafe { bindings::smp_wmb() };
}

/// A spinlock held with bottom halves off: for data that process context and softirq share.
///
/// The kernel crate's `SpinLock` leaves bottom halves on: a softirq that interrupts its holder on
/// the same CPU and wants the same lock would spin for ever.
///
/// Locking is allowed in process context and in softirq, not in hard interrupts. While a guard
/// lives nothing may sleep. Make one with [`new_spinlock_bh!`].
pub(crate) type SpinLockBh<T> = Lock<T, SpinLockBhBackend>;

/// A pin-initialiser of a [`SpinLockBh`] with a lock class (of lockdep) of its own per place of
/// use, and a name if one is given.
macro_rules! new_spinlock_bh {
    ($inner:expr $(, $name:literal)? $(,)?) => {
        $crate::rt::sync::SpinLockBh::new(
            $inner,
            ::kernel::optional_name!($($name)?),
            ::kernel::static_lock_class!(),
        )
    };
}
pub(crate) use new_spinlock_bh;

/// A `spinlock_t` taken by `spin_lock_bh()`.
pub(crate) struct SpinLockBhBackend;

// SAFETY: `spinlock_t` ensures mutual exclusion; `relock` is the default one, which locks in the
// same way again.
unsafe impl Backend for SpinLockBhBackend {
    type State = bindings::spinlock_t;
    type GuardState = ();

    #[inline]
    unsafe fn init(ptr: *mut Self::State, name: *const c_char, key: *mut bindings::lock_class_key) {
        // SAFETY: By the function's requirements `ptr` is valid for writes, `name` and `key` are
        // valid for ever.
        unsafe { bindings::__spin_lock_init(ptr, name, key) }
    }

    #[inline]
    unsafe fn lock(ptr: *mut Self::State) -> Self::GuardState {
        // SAFETY: By the function's requirements `ptr` is an initialised spinlock.
        unsafe { bindings::spin_lock_bh(ptr) }
    }

    #[inline]
    unsafe fn try_lock(ptr: *mut Self::State) -> Option<Self::GuardState> {
        // SAFETY: By the function's requirements `ptr` is an initialised spinlock.
        unsafe { bindings::spin_trylock_bh(ptr) }.then_some(())
    }

    #[inline]
    unsafe fn unlock(ptr: *mut Self::State, _guard_state: &Self::GuardState) {
        // SAFETY: By the function's requirements `ptr` is a spinlock that the caller holds.
        unsafe { bindings::spin_unlock_bh(ptr) }
    }

    #[inline]
    unsafe fn assert_is_held(ptr: *mut Self::State) {
        // SAFETY: By the function's requirements `ptr` is an initialised spinlock.
        unsafe { bindings::spin_assert_is_held(ptr) }
    }
}
