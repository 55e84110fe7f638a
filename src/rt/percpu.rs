// SPDX-License-Identifier: GPL-2.0

//! Data of which every CPU has its own copy, so that CPUs do not fight for cache lines.
//!
//! C headers: [`include/linux/percpu.h`](srctree/include/linux/percpu.h),
//! [`include/linux/cpumask.h`](srctree/include/linux/cpumask.h)

use crate::sys::bindings;
use core::ptr::NonNull;
use kernel::{
    cpu::{
        nr_cpu_ids,
        CpuId, //
    },
    prelude::*,
};

/// How many CPUs are running now: at least one. Any context.
pub(crate) fn online() -> usize {
    // SAFETY: No requirements.
    let count = unsafe { bindings::cpus_online() };
    // CAST: There are fewer CPUs than that.
    (count as usize).max(1)
}

/// One pinned `T` for every possible CPU, each in cache lines of its own.
///
/// Nothing ties the caller to the CPU whose slot it uses: what is in `T` must be safe to share
/// (atomics, a [`SpinLockBh`](super::sync::SpinLockBh)), the CPU's number only makes it likely
/// that nobody else wants it.
///
/// Made and dropped in process context, used in any.
///
/// # Invariants
///
/// There is at least one slot; slot `n` belongs to CPU `n`.
pub(crate) struct PerCpu<T> {
    slots: KVec<Pin<KBox<Slot<T>>>>,
}

/// A value alone in its cache lines (64 octets on every x86-64 processor).
#[pin_data]
#[repr(align(64))]
struct Slot<T> {
    #[pin]
    value: T,
}

impl<T> PerCpu<T> {
    /// Makes a slot for each possible CPU, calling `init` with the CPU's number.
    pub(crate) fn try_new<I, E>(mut init: impl FnMut(u32) -> I) -> Result<Self>
    where
        I: PinInit<T, E>,
        Error: From<E>,
    {
        let cpus = nr_cpu_ids().max(1);
        let mut slots = KVec::with_capacity(cpus as usize, GFP_KERNEL_ACCOUNT)?;
        for cpu in 0..cpus {
            let value = init(cpu);
            let slot = try_pin_init!(Slot { value <- value }? E);
            slots.push(
                KBox::pin_init(slot, GFP_KERNEL_ACCOUNT)?,
                GFP_KERNEL_ACCOUNT,
            )?;
        }
        // INVARIANT: One slot was pushed per CPU number from 0, and there is at least one CPU.
        Ok(Self { slots })
    }

    /// The slot of CPU `cpu`; a number that no CPU has is taken modulo the number of slots.
    #[inline]
    pub(crate) fn get(&self, cpu: u32) -> &T {
        let len = self.slots.len();
        let mut index = cpu as usize;
        if index >= len {
            index = index.checked_rem(len).unwrap_or(0);
        }
        // SAFETY: By the type invariants `len` is not zero, so `index < len`.
        let slot = unsafe { self.slots.get_unchecked(index) };
        &slot.value
    }

    /// The number of the CPU that runs this code, and its slot.
    ///
    /// In process context the caller may be on another CPU before it looks at the answer.
    #[inline]
    pub(crate) fn current(&self) -> (u32, &T) {
        let cpu = CpuId::current().as_u32();
        (cpu, self.get(cpu))
    }

    /// All slots, in order of their CPUs' numbers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.slots.iter().map(|slot| &slot.value)
    }
}

/// A number that all CPUs add to at full speed, and that somebody reads now and then.
///
/// Made and dropped in process context, used in any. It wraps at 2^64.
pub(crate) struct Counter(Counters<1>);

impl Counter {
    /// A counter that stands at zero.
    pub(crate) fn new() -> Result<Self> {
        Counters::new().map(Self)
    }

    /// Adds `n`.
    #[inline]
    pub(crate) fn add(&self, n: u64) {
        self.0.add(0, n);
    }

    /// Takes `n` away, for numbers that go up and down.
    #[inline]
    pub(crate) fn sub(&self, n: u64) {
        self.add(n.wrapping_neg());
    }

    /// What all CPUs have added so far: see [`Counters::sum`].
    pub(crate) fn sum(&self) -> u64 {
        self.0.sum(0)
    }

    /// The sum, of a number that goes up and down: see [`Counters::level`].
    pub(crate) fn level(&self) -> u64 {
        self.0.level(0)
    }
}

/// `N` numbers like a [`Counter`] in one piece of memory, each with its index.
///
/// # Invariants
///
/// The pointer is to a `u64 [N] __percpu` that this value owns.
pub(crate) struct Counters<const N: usize>(NonNull<u64>);

// SAFETY: The numbers are per-CPU memory, which is not bound to a thread.
unsafe impl<const N: usize> Send for Counters<N> {}
// SAFETY: Adding is one instruction on the own CPU's copy; reading tolerates concurrent adding.
unsafe impl<const N: usize> Sync for Counters<N> {}

impl<const N: usize> Counters<N> {
    /// Counters that stand at zero.
    pub(crate) fn new() -> Result<Self> {
        const { assert!(N > 0 && N <= 1024) };
        // SAFETY: No requirements; process context by this type's contract.
        let counters = unsafe { bindings::counters_alloc(N) };
        // INVARIANT: The memory was just allocated for us.
        NonNull::new(counters).map(Self).ok_or(ENOMEM)
    }

    /// The number of that index, which is there for all CPUs; none if it is not below `N`.
    #[inline]
    fn get(&self, index: usize) -> Option<*mut u64> {
        // Not `add`: a pointer to per-CPU memory is a pointer only once a CPU's offset is added.
        (index < N).then(|| self.0.as_ptr().wrapping_add(index))
    }

    /// Adds `n` to a number. An index that is not below `N` is ignored.
    #[inline]
    pub(crate) fn add(&self, index: usize, n: u64) {
        if let Some(counter) = self.get(index) {
            // SAFETY: By the type invariants, and `get()` stays within the memory.
            unsafe { bindings::counter_add(counter, n) }
        }
    }

    /// Takes `n` away from a number that goes up and down.
    #[inline]
    pub(crate) fn sub(&self, index: usize, n: u64) {
        self.add(index, n.wrapping_neg());
    }

    /// What all CPUs have added to a number so far. Adding that happens meanwhile may be in it or
    /// not: for a number that goes up and down see [`Counters::level`].
    pub(crate) fn sum(&self, index: usize) -> u64 {
        self.get(index).map_or(0, |counter| {
            // SAFETY: By the type invariants, and `get()` stays within the memory.
            unsafe { bindings::counter_sum(counter) }
        })
    }

    /// The sum, of a number that goes up and down and is never less than zero.
    ///
    /// If a step down is seen and the step up before it, on another CPU, is not, then the sum is
    /// less than zero: that counts as zero.
    pub(crate) fn level(&self, index: usize) -> u64 {
        // CAST: Wrapped around below zero it is the negative number that is meant.
        let sum = self.sum(index) as i64;
        sum.max(0).unsigned_abs()
    }
}

impl<const N: usize> Drop for Counters<N> {
    fn drop(&mut self) {
        // SAFETY: By the type invariants the memory is ours, and nobody uses it after this.
        unsafe { bindings::counters_free(self.0.as_ptr()) }
    }
}
