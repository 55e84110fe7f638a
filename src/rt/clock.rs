// SPDX-License-Identifier: GPL-2.0

//! Reading the clocks. Any context.
//!
//! C header: [`include/linux/timekeeping.h`](srctree/include/linux/timekeeping.h)

use crate::{
    sys::bindings,
    time::{
        Instant,
        UnixTime, //
    },
};

/// Now on the monotonic clock, to the nanosecond.
#[inline]
pub(crate) fn now() -> Instant {
    // SAFETY: `ktime_get()` may be called in any context once timekeeping runs, which it does
    // before modules load.
    let nanos = unsafe { bindings::ktime_get() };
    // The monotonic clock starts at zero at boot.
    Instant::from_nanos(u64::try_from(nanos).unwrap_or(0))
}

/// Now on the clock that goes on while the machine is suspended, to the nanosecond.
#[inline]
pub(crate) fn boot_now() -> Instant {
    // SAFETY: As in `now`.
    let nanos = unsafe { bindings::ktime_get_boottime() };
    // It starts at zero at boot, too.
    Instant::from_nanos(u64::try_from(nanos).unwrap_or(0))
}

/// Now on the wall clock, to the second: cheaper than [`now`].
#[inline]
pub(crate) fn unix_now() -> UnixTime {
    // SAFETY: `ktime_get_real_seconds()` may be called in any context.
    UnixTime::from_secs(unsafe { bindings::ktime_get_real_seconds() })
}
