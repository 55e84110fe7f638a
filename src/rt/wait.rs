// SPDX-License-Identifier: GPL-2.0

//! Processes that wait for news: those that sleep in `read()`, and those that poll.
//!
//! # How they hear of them
//!
//! Who has news must not pay for every piece. So who is about to wait calls [`Waiters::arm`] and
//! then looks once more whether there are news; who has stored some asks [`Waiters::disarm`], which
//! says yes once, and then sees to it that [`Waiters::wake`] is called before long. Between the
//! storing and the asking, and between the arming and the looking, there is a full barrier: one of
//! the two sees the other.
//!
//! # How they go
//!
//! A wait queue must not be freed while somebody is in it, and a file of ours can go while it is
//! open and polled: the kernel's poll tables keep the `struct file`, not what its `poll` named. So
//! [`Waiters::expel`] has epoll, io_uring and aio let go of the queue (`POLLFREE`), wakes those who
//! sleep in `poll()` or `select()`, who ask again, hear that it is over and leave, and waits until
//! they have. That is done while they can ask, and once more when no call can come any more. Should
//! one of them get no processor for that long, the queue's few octets are left to it for good:
//! nothing in them leads back into the module (but, with lockdep, the names of the lock).
//!
//! C headers: [`include/linux/wait.h`](srctree/include/linux/wait.h),
//! [`include/linux/poll.h`](srctree/include/linux/poll.h)

use super::{
    clock,
    sync::{
        full_barrier,
        synchronize_rcu, //
    },
};
use crate::{
    sys::bindings,
    time::Duration, //
};
use core::ptr::NonNull;
use kernel::{
    error::to_result,
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    },
    types::Opaque,
};

/// How a wait queue is kept.
type Queue = Opaque<bindings::wait_queue_head>;

/// Those who wait for the same news.
///
/// # Invariants
///
/// `queue` is an initialised wait queue that came from a [`KBox`] and is ours.
pub(crate) struct Waiters {
    queue: NonNull<bindings::wait_queue_head>,
    /// Not zero: somebody wants to hear of news.
    armed: Atomic<u32>,
    /// Not zero: nobody is to wait any more.
    closed: Atomic<u32>,
    /// Not zero: somebody has polled.
    polled: Atomic<u32>,
}

// SAFETY: Wait queues do their own locking and are not bound to a thread.
unsafe impl Send for Waiters {}
// SAFETY: As above.
unsafe impl Sync for Waiters {}

/// How long [`Waiters::expel`] waits for those who were woken to get a processor.
const PATIENCE: Duration = Duration::from_secs(2);

impl Waiters {
    /// Nobody waits yet. Process context.
    pub(crate) fn new() -> Result<Self> {
        // INVARIANT: The queue was just made so.
        Ok(Self {
            queue: new_queue()?,
            armed: Atomic::new(0),
            closed: Atomic::new(0),
            polled: Atomic::new(0),
        })
    }

    /// Asks to be told: to be called before the last look for news. Any context.
    pub(super) fn arm(&self) {
        if self.armed.load(Relaxed) == 0 {
            self.armed.store(1, Relaxed);
        }
        full_barrier();
    }

    /// Whether somebody wants to hear of the news that were stored before this call. Who hears yes
    /// has to have [`Waiters::wake`] called; all others hear no, until somebody asks anew. Any
    /// context.
    #[inline]
    pub(crate) fn disarm(&self) -> bool {
        full_barrier();
        self.armed.load(Relaxed) != 0 && self.armed.xchg(0, Relaxed) != 0
    }

    /// Tells everybody that there are news. Any context.
    pub(crate) fn wake(&self) {
        // SAFETY: By the type invariants.
        unsafe { bindings::wait_wake(self.queue.as_ptr()) };
    }

    /// Lets nobody wait any more, and wakes those who do. Any context.
    pub(super) fn close(&self) {
        self.closed.store(1, Relaxed);
        full_barrier();
        self.wake();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Relaxed) != 0
    }

    /// Sleeps until `ready` is true, which must not sleep; or a signal comes: `ERESTARTSYS`.
    pub(super) fn wait_until<F: Fn() -> bool>(&self, ready: F) -> Result {
        /// # Safety
        ///
        /// `ready` points to an `F`.
        unsafe extern "C" fn call<F: Fn() -> bool>(ready: *const c_void) -> bool {
            // SAFETY: By the function's requirements.
            unsafe { (*ready.cast::<F>())() }
        }
        let data = (&raw const ready).cast();
        // SAFETY: The queue is valid by the type invariants, and `data` points to an `F` that lives
        // longer than the call.
        to_result(unsafe { bindings::wait_until(self.queue.as_ptr(), Some(call::<F>), data) })
    }

    /// Puts a poller of `file` into the queue.
    ///
    /// # Safety
    ///
    /// `file` and `table` are what the kernel gave to `poll`. Whoever calls this has it over
    /// before [`Waiters::expel`] is called for the last time.
    pub(super) unsafe fn register(
        &self,
        file: *mut bindings::file,
        table: *mut bindings::poll_table_struct,
    ) {
        self.polled.store(1, Relaxed);
        // SAFETY: By the function's requirements, and the type invariants; `expel` empties the
        // queue before it is freed.
        unsafe { bindings::wait_register(file, self.queue.as_ptr(), table) };
    }

    /// Has everybody leave the queue who is in it, after [`Self::close`]. To be called once more when
    /// no call that could enter it is running and none will come. Process context; sleeps until they
    /// have gone, some seconds at most.
    pub(super) fn expel(&self) {
        if self.polled.load(Relaxed) == 0 {
            return;
        }
        // SAFETY: By the type invariants. Those who are told to forget the queue look at it under
        // RCU, which is waited for.
        unsafe { bindings::wait_expel(self.queue.as_ptr()) };
        synchronize_rcu();
        let end = clock::now() + PATIENCE;
        while !self.is_empty() && clock::now() < end {
            // SAFETY: Process context.
            unsafe { bindings::msleep(1) };
        }
    }

    fn is_empty(&self) -> bool {
        // SAFETY: By the type invariants.
        unsafe { bindings::wait_is_empty(self.queue.as_ptr()) }
    }
}

impl Drop for Waiters {
    fn drop(&mut self) {
        if !self.is_empty() {
            pr_warn!("a process does not stop polling: its wait queue is left to it\n");
            return;
        }
        // SAFETY: By the type invariants it came from a `KBox`. Nobody is in it, and after the last
        // `expel` nobody looks at it; before, nobody ever did.
        drop(unsafe { KBox::from_raw(self.queue.as_ptr().cast::<Queue>()) });
    }
}

/// An empty wait queue in a [`KBox`] that was given up.
fn new_queue() -> Result<NonNull<bindings::wait_queue_head>> {
    let queue = KBox::into_raw(KBox::new(Queue::uninit(), GFP_KERNEL)?).cast();
    // SAFETY: `queue` is valid for writes.
    unsafe { bindings::wait_init(queue) };
    NonNull::new(queue).ok_or(ENOMEM)
}
