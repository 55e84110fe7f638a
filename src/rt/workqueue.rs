// SPDX-License-Identifier: GPL-2.0

//! A workqueue of our own: works on a chosen CPU, at once or later.
//!
//! The works themselves are the kernel crate's: [`kernel::workqueue::Work`] and
//! [`DelayedWork`](kernel::workqueue::DelayedWork) fields in a type behind an [`Arc`], declared by
//! `impl_has_work!` and `impl_has_delayed_work!`. While a work waits, one reference is parked with
//! the kernel; `run` gets it. A work never runs on two CPUs at once, and one that is queued while
//! it runs will run again.
//!
//! C header: [`include/linux/workqueue.h`](srctree/include/linux/workqueue.h)

use crate::{
    sys::bindings,
    time::Duration, //
};
use core::ptr::NonNull;
use kernel::{
    container_of,
    prelude::*,
    sync::{
        Arc,
        ArcBorrow, //
    },
    time::{
        msecs_to_jiffies,
        Jiffies, //
    },
    workqueue::{
        HasDelayedWork,
        HasWork,
        RawWorkItem,
        Work,
        WorkItem, //
    },
};

/// A workqueue with workers on every CPU.
///
/// Queueing is allowed in any context, everything else in process context. Dropping waits for all
/// queued works, so a `Queue` must not be dropped by one of its own works: keep it outside of what
/// works hold references to. Delayed works must have been cancelled by then
/// ([`cancel_delayed_sync`]), as the kernel does not know which timers belong to a queue.
///
/// # Invariants
///
/// The pointer is to a workqueue that this value owns.
pub(crate) struct Queue(NonNull<bindings::workqueue_struct>);

// SAFETY: Workqueues may be used and destroyed by any thread.
unsafe impl Send for Queue {}
// SAFETY: The kernel's functions on workqueues do their own locking.
unsafe impl Sync for Queue {}

impl Queue {
    /// Makes a workqueue; its workers' names begin with `name`.
    pub(crate) fn new(name: &CStr) -> Result<Queue> {
        // SAFETY: The format takes one string, and `name` is one that outlives the call, which
        // copies it. A `max_active` of 0 is the default.
        let queue = unsafe {
            bindings::alloc_workqueue_noprof(
                c"%s".as_char_ptr(),
                bindings::wq_flags_WQ_PERCPU,
                0,
                name.as_char_ptr(),
            )
        };
        // INVARIANT: The workqueue was just made for us.
        NonNull::new(queue).map(Queue).ok_or(ENOMEM)
    }

    /// Queues `item` on CPU `cpu`, or on this CPU while that one is offline.
    ///
    /// Returns false if it waits already: then it runs once, after this call all the same. Since
    /// the caller has a reference besides the one that is parked, nothing is destroyed here.
    pub(crate) fn queue_on<T, const ID: u64>(&self, cpu: u32, item: ArcBorrow<'_, T>) -> bool
    where
        T: WorkItem<ID, Pointer = Arc<T>> + HasWork<T, ID> + Send + Sync + 'static,
    {
        let queue = self.0.as_ptr();
        // SAFETY: The closure returns false only if the work waits already or is being cancelled,
        // and then the kernel has kept no pointer to it. `Arc<T>` is `Send` and static.
        let queued = unsafe {
            RawWorkItem::<ID>::__enqueue(Arc::from(item), |work| {
                bindings::queue_work_online(cpu, queue, work)
            })
        };
        queued.is_ok()
    }

    /// Queues `item` on CPU `cpu` (as [`Queue::queue_on`]) after `delay`, rounded up to the
    /// kernel's ticks of some milliseconds.
    ///
    /// Returns false if it waits already, for whatever time: that time stays. So a work that
    /// watches a deadline which moves looks at it when it runs, and queues itself for the rest.
    pub(crate) fn queue_after<T, const ID: u64>(
        &self,
        cpu: u32,
        item: ArcBorrow<'_, T>,
        delay: Duration,
    ) -> bool
    where
        T: WorkItem<ID, Pointer = Arc<T>> + HasDelayedWork<T, ID> + Send + Sync + 'static,
    {
        let queue = self.0.as_ptr();
        let delay = jiffies(delay);
        // SAFETY: As in `queue_on`. The work is the `work` field of a `delayed_work` because `T`
        // implements `HasDelayedWork`.
        let queued = unsafe {
            RawWorkItem::<ID>::__enqueue(Arc::from(item), |work| {
                let work = container_of!(work, bindings::delayed_work, work);
                bindings::queue_delayed_work_online(cpu, queue, work, delay)
            })
        };
        queued.is_ok()
    }

    /// Waits until every work that was queued before this call has run.
    ///
    /// Delayed works whose time has not come are not waited for. Process context, not in a work
    /// of this queue.
    pub(crate) fn flush(&self) {
        // SAFETY: By the type invariants.
        unsafe { bindings::__flush_workqueue(self.0.as_ptr()) }
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: By the type invariants the workqueue is ours, and nobody can queue any more
        // except its own works, which `drain_workqueue()` waits for.
        unsafe {
            bindings::drain_workqueue(self.0.as_ptr());
            bindings::destroy_workqueue(self.0.as_ptr());
        }
    }
}

/// Makes sure that the delayed work of `item` neither waits nor runs, and drops the reference that
/// was parked for it. Returns whether it was waiting.
///
/// Who could queue it again must have been told not to. Process context; not in the work itself,
/// and no lock may be held that `run` takes.
pub(crate) fn cancel_delayed_sync<T, const ID: u64>(item: ArcBorrow<'_, T>) -> bool
where
    T: WorkItem<ID, Pointer = Arc<T>> + HasDelayedWork<T, ID> + Send + Sync + 'static,
{
    let item = Arc::from(item);
    let raw = Arc::as_ptr(&item);
    // SAFETY: `raw` points to a valid `T`; by `HasDelayedWork` its work is the `work` field of a
    // `delayed_work`.
    let waited = unsafe {
        let work = Work::raw_get(T::raw_get_work(raw.cast_mut()));
        bindings::cancel_delayed_work_sync(container_of!(work, bindings::delayed_work, work))
    };
    if waited {
        // SAFETY: `queue_after` parked a reference when it queued the work; as the work was taken
        // back before it ran, that reference is nobody's now.
        drop(unsafe { Arc::from_raw(raw) });
    }
    waited
}

/// The kernel's ticks that last at least `delay`.
fn jiffies(delay: Duration) -> Jiffies {
    let millis = delay.as_nanos().div_ceil(1_000_000);
    msecs_to_jiffies(u32::try_from(millis).unwrap_or(u32::MAX))
}
