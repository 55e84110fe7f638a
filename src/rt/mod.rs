// SPDX-License-Identifier: GPL-2.0

//! The safe layer over the kernel. All `unsafe` of resin is here and in [`crate::sys`].
//!
//! One file per kernel concept. Each type owns what it wraps and gives it back when it is dropped;
//! its documentation says in which context it may be used and dropped:
//!
//! * *process context*: may sleep (works, system calls, module start and stop);
//! * *softirq*: must not sleep; also what runs with bottom halves off, such as a guard of
//!   [`sync::SpinLockBh`] or a socket's callback.
//!
//! Nothing here knows HTTP. Of the pure core only [`crate::time`] is used.

pub(crate) mod clock;
pub(crate) mod errno;
pub(crate) mod memory;
pub(crate) mod net;
pub(crate) mod pages;
pub(crate) mod percpu;
pub(crate) mod proc;
pub(crate) mod random;
pub(crate) mod shrinker;
pub(crate) mod socket;
pub(crate) mod softirq;
pub(crate) mod sync;
pub(crate) mod wait;
pub(crate) mod words;
pub(crate) mod workqueue;
