// SPDX-License-Identifier: GPL-2.0

//! What there is of the kernel in `src/rt`, as the cache uses it.

pub(crate) mod clock {
    use crate::time::{Instant, UnixTime};
    use kernel::trial;

    pub(crate) fn now() -> Instant {
        boot_now()
    }

    pub(crate) fn boot_now() -> Instant {
        Instant::from_nanos(trial::boot())
    }

    pub(crate) fn unix_now() -> UnixTime {
        UnixTime::from_secs(trial::wall())
    }
}

pub(crate) mod random {
    pub(crate) fn number() -> u64 {
        kernel::trial::random()
    }
}

pub(crate) mod pages {
    pub(crate) use kernel::pages::{Pages, Runs};
}

/// A lock that complains of what a spinlock would hang for.
pub(crate) mod sync {
    use std::ops::{Deref, DerefMut};
    use std::sync::{Mutex, MutexGuard};
    use std::thread::{self, ThreadId};

    use kernel::trial;

    #[derive(Default)]
    pub(crate) struct SpinLockBh<T> {
        value: Mutex<T>,
        holder: Mutex<Option<ThreadId>>,
    }

    pub(crate) struct Guard<'l, T> {
        lock: &'l SpinLockBh<T>,
        value: MutexGuard<'l, T>,
        // Dropped behind the value.
        _left: Left,
    }

    /// Others may do what they like once the lock is free.
    struct Left;

    impl Drop for Left {
        fn drop(&mut self) {
            trial::moment();
        }
    }

    impl<T> SpinLockBh<T> {
        pub(crate) fn new(value: T) -> Self {
            Self {
                value: Mutex::new(value),
                holder: Mutex::new(None),
            }
        }

        pub(crate) fn lock(&self) -> Guard<'_, T> {
            let me = Some(thread::current().id());
            assert!(*self.holder.lock().unwrap() != me, "it is locked twice");
            let value = self.value.lock().unwrap();
            *self.holder.lock().unwrap() = me;
            trial::locked();
            Guard {
                lock: self,
                value,
                _left: Left,
            }
        }
    }

    impl<T> Deref for Guard<'_, T> {
        type Target = T;

        fn deref(&self) -> &T {
            &self.value
        }
    }

    impl<T> DerefMut for Guard<'_, T> {
        fn deref_mut(&mut self) -> &mut T {
            &mut self.value
        }
    }

    impl<T> Drop for Guard<'_, T> {
        fn drop(&mut self) {
            trial::unlocked();
            if let Ok(mut holder) = self.lock.holder.lock() {
                *holder = None;
            }
        }
    }

    macro_rules! new_spinlock_bh {
        ($inner:expr $(,)?) => {
            kernel::init::Init(Ok($crate::rt::sync::SpinLockBh::new($inner)))
        };
    }
    pub(crate) use new_spinlock_bh;
}
