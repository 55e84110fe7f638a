// SPDX-License-Identifier: GPL-2.0

//! Jobs that run in softirq, on the CPU that they were added on: soon, and without a thread to be
//! woken for them.
//!
//! A [`Job`] is a field of a type behind an [`Arc`] that [`impl_has_job!`] names. While it waits, one
//! reference is parked in its queue; [`Softly::run_softly`] gets it. A job that is added while it runs
//! will run again, perhaps at the same time on another CPU: what it does needs a lock.
//!
//! C header: [`include/linux/interrupt.h`](srctree/include/linux/interrupt.h) (tasklets)

use crate::sys::bindings;
use core::{
    marker::PhantomData,
    ptr::NonNull, //
};
use kernel::{
    prelude::*,
    sync::{
        Arc,
        ArcBorrow, //
    },
    types::Opaque, //
};

/// Whether this is run by a softirq, and not by a process with bottom halves off. Any context.
#[inline]
pub(crate) fn is_serving() -> bool {
    // SAFETY: No requirements.
    unsafe { bindings::softirq_is_serving() }
}

/// A type with a [`Job`] among its fields.
///
/// # Safety
///
/// Implemented by [`impl_has_job!`] only: `OFFSET` is that of a field of type `Job<Self>`.
pub(crate) unsafe trait HasJob: Sized {
    /// Where the field is, in octets from the beginning.
    const OFFSET: usize;
}

/// Says which field of a type is its [`Job`]: `impl_has_job! { Type, field }`.
macro_rules! impl_has_job {
    ($own:ty, $field:ident) => {
        const _: fn(&$own) -> &$crate::rt::softirq::Job<$own> = |own| &own.$field;
        // SAFETY: The field is there, and has that type: the line above names it.
        unsafe impl $crate::rt::softirq::HasJob for $own {
            const OFFSET: usize = ::core::mem::offset_of!($own, $field);
        }
    };
}
pub(crate) use impl_has_job;

/// What runs in softirq.
pub(crate) trait Softly: HasJob + Send + Sync + 'static {
    /// The job's turn has come. In softirq: nothing may sleep.
    fn run_softly(this: Arc<Self>);
}

/// A place in a queue of [`Jobs`].
#[pin_data]
#[repr(transparent)]
pub(crate) struct Job<T> {
    #[pin]
    raw: Opaque<bindings::resin_helper_job>,
    _type: PhantomData<Arc<T>>,
}

// SAFETY: The kernel's half is used by the functions that are meant for it only, which may be called
// on any CPU; what is parked is an `Arc<T>`.
unsafe impl<T: Send + Sync> Send for Job<T> {}
// SAFETY: As above.
unsafe impl<T: Send + Sync> Sync for Job<T> {}

impl<T: Softly> Job<T> {
    /// A job that does not wait.
    pub(crate) fn new() -> impl PinInit<Self> {
        let raw = bindings::resin_helper_job {
            run: Some(run::<T>),
            ..Default::default()
        };
        pin_init!(Self {
            raw: Opaque::new(raw),
            _type: PhantomData,
        })
    }
}

/// Runs a job.
///
/// # Safety
///
/// `job` is that of a `T`, of which one reference was parked for this call.
unsafe extern "C" fn run<T: Softly>(job: *mut bindings::resin_helper_job) {
    let own = job.cast::<u8>().wrapping_sub(T::OFFSET).cast::<T>();
    // SAFETY: By the requirements of this function; `add()` parked what `Arc::into_raw()` gave.
    T::run_softly(unsafe { Arc::from_raw(own) });
}

/// A queue of jobs for each CPU.
///
/// Made and dropped in process context.
///
/// # Invariants
///
/// The pointer is to what `resin_helper_jobs_alloc()` made for this value.
pub(crate) struct Jobs(NonNull<bindings::resin_helper_jobs>);

// SAFETY: Per-CPU memory is not bound to a thread.
unsafe impl Send for Jobs {}
// SAFETY: Each CPU adds to its own queue, with operations that interrupts may come between.
unsafe impl Sync for Jobs {}

impl Jobs {
    /// Queues without jobs.
    pub(crate) fn new() -> Result<Self> {
        // SAFETY: No requirements; process context by this type's contract.
        let jobs = unsafe { bindings::jobs_alloc() };
        // INVARIANT: Just made for us.
        NonNull::new(jobs).map(Self).ok_or(ENOMEM)
    }

    /// Lets the job of `item` run on this CPU. In softirq.
    ///
    /// If it waits already, wherever, it runs once, after this call all the same.
    pub(crate) fn add<T: Softly>(&self, item: ArcBorrow<'_, T>) {
        let raw = Arc::into_raw(Arc::from(item));
        let job = raw.cast::<u8>().wrapping_add(T::OFFSET);
        // SAFETY: By `HasJob` there is a `Job<T>` at that place, which is the kernel's half;
        // `raw` keeps it alive until it has run. By the type invariants for the queues; in softirq, by
        // this function's contract, nothing moves this to another CPU.
        if !unsafe { bindings::jobs_add(self.0.as_ptr(), job.cast_mut().cast()) } {
            // SAFETY: It was not parked.
            drop(unsafe { Arc::from_raw(raw) });
        }
    }

    /// Waits until all jobs that were added have run. Process context, when nobody adds any more.
    pub(crate) fn wait(&self) {
        // SAFETY: By the type invariants.
        unsafe { bindings::jobs_wait(self.0.as_ptr()) }
    }
}

impl Drop for Jobs {
    fn drop(&mut self) {
        self.wait();
        // SAFETY: By the type invariants; nobody adds to it any more, and its tasklets have ended.
        unsafe { bindings::jobs_free(self.0.as_ptr()) }
    }
}
