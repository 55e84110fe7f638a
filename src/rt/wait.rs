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
//! before the file goes [`Waiters::expel`] has epoll, io_uring and aio let go of the queue
//! (`POLLFREE`), wakes those who sleep in `poll()` or `select()`, who ask again, hear that it is
//! over and leave, and gives them some time for that: later nobody could tell them.
//!
//! Somebody may leave late, or never: who polls several files keeps his places in all their queues
//! while one of them is asked, and that may be a FUSE server's, which does not answer. Any user can
//! bring that about, as often as he likes. So all who are waited for share one [`Patience`], and a
//! queue that somebody is still in when its owner goes is left to him. It is freed when somebody
//! looks and he has gone ([`tidy`]), or never if the module goes before him ([`Remains`]): that is
//! some octets, from which nothing leads back into the module, but on kernels that trace locks the
//! name of one.
//!
//! # Locking
//!
//! None but the kernel's own in each queue. Queues that were left are in a list from which one takes
//! all or nothing.
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
    time::{
        Duration,
        Instant, //
    }, //
};
use core::ptr::{
    null_mut,
    NonNull, //
};
use kernel::{
    error::to_result,
    prelude::*,
    sync::atomic::{
        Atomic,
        Full,
        Relaxed, //
    },
    types::Opaque,
};

/// A wait queue in memory of its own.
///
/// # Invariants
///
/// `queue` is initialised and stays where it is.
#[repr(C)] // An address of the whole, which kmemleak knows, is one of the queue.
struct Block {
    queue: Opaque<bindings::wait_queue_head>,
    /// The next one of those that were left.
    next: *mut Block,
}

/// Those who wait for the same news.
///
/// Dropped in process context, when no call that could enter it is running and none will come;
/// sleeps.
///
/// # Invariants
///
/// `block` is a valid [`Block`] that came from a [`KBox`] and is ours.
pub(crate) struct Waiters {
    block: NonNull<Block>,
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

impl Waiters {
    /// Nobody waits yet. Process context.
    pub(crate) fn new() -> Result<Self> {
        // INVARIANT: The block was just made so.
        Ok(Self {
            block: Block::new()?,
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
        unsafe { bindings::wait_wake(self.queue()) };
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
        to_result(unsafe { bindings::wait_until(self.queue(), Some(call::<F>), data) })
    }

    /// Puts a poller of `file` into the queue.
    ///
    /// # Safety
    ///
    /// `file` and `table` are what the kernel gave to `poll`. Whoever calls this has it over
    /// before the waiters are dropped.
    pub(super) unsafe fn register(
        &self,
        file: *mut bindings::file,
        table: *mut bindings::poll_table_struct,
    ) {
        self.polled.store(1, Relaxed);
        // SAFETY: By the function's requirements, and the type invariants; the queue is not freed
        // while somebody is in it.
        unsafe { bindings::wait_register(file, self.queue(), table) };
    }

    /// Has everybody leave the queue who is in it, after [`Self::close`], and waits until they have,
    /// as long as there is patience. Process context.
    pub(super) fn expel(&self) {
        if self.polled.load(Relaxed) == 0 {
            return;
        }
        self.dismiss();
        if PATIENCE.wait_until(|| self.is_empty()) == Waited::InVain {
            pr_warn!("a process does not stop polling\n");
        }
    }

    /// Tells everybody who is in the queue to leave it; epoll and its like have when this returns.
    fn dismiss(&self) {
        // SAFETY: By the type invariants.
        unsafe { bindings::wait_expel(self.queue()) };
    }

    fn is_empty(&self) -> bool {
        // SAFETY: By the type invariants.
        unsafe { self.block.as_ref() }.is_empty()
    }

    fn queue(&self) -> *mut bindings::wait_queue_head {
        // SAFETY: By the type invariants.
        unsafe { self.block.as_ref() }.queue.get()
    }
}

impl Drop for Waiters {
    fn drop(&mut self) {
        if self.polled.load(Relaxed) != 0 {
            // Those who came when it was closed just then.
            self.dismiss();
            // Who is told to forget the queue looks at it under RCU.
            synchronize_rcu();
        }
        // SAFETY: By the type invariants it came from a `KBox` and is ours. Nobody can enter it, and
        // nobody who has been told to forget it looks at it any more.
        unsafe { Block::give_up(self.block) };
        tidy();
    }
}

impl Block {
    /// An empty queue in a [`KBox`] that was given up. Process context.
    fn new() -> Result<NonNull<Block>> {
        let block = Block {
            queue: Opaque::uninit(),
            next: null_mut(),
        };
        let block = KBox::into_raw(KBox::new(block, GFP_KERNEL)?);
        // SAFETY: The block is valid, and nobody else knows it.
        unsafe { bindings::wait_init((*block).queue.get()) };
        // INVARIANT: Just initialised; a `KBox` does not move.
        NonNull::new(block).ok_or(ENOMEM)
    }

    fn is_empty(&self) -> bool {
        // SAFETY: By the type invariants.
        unsafe { bindings::wait_is_empty(self.queue.get()) }
    }

    /// Frees a block, or leaves it to those who are in the queue.
    ///
    /// # Safety
    ///
    /// The block came from [`Block::new`] and is the caller's, who gives it up. Nobody can enter the
    /// queue; and all who are in it look at it no more once they have left, which they do under its
    /// lock.
    unsafe fn give_up(block: NonNull<Block>) {
        // SAFETY: By the function's requirements.
        if unsafe { block.as_ref() }.is_empty() {
            // SAFETY: It came from a `KBox`, and by the function's requirements nobody has it.
            drop(unsafe { KBox::from_raw(block.as_ptr()) });
            return;
        }
        let mut next = LEFT.load(Relaxed);
        loop {
            // SAFETY: By the function's requirements the block is ours: it is in no list yet.
            unsafe { (*block.as_ptr()).next = next };
            match LEFT.cmpxchg(next, block.as_ptr(), Full) {
                Ok(_) => return,
                Err(other) => next = other,
            }
        }
    }
}

/// The first of the blocks that were left to those who are in their queues: each meets the
/// requirements of [`Block::give_up`], and whoever takes one out has it.
static LEFT: Atomic<*mut Block> = Atomic::new(null_mut());

/// Frees the queues that were left to somebody who has gone since. Returns whether there are others.
/// Any number of calls at once; process context.
fn tidy() -> bool {
    if LEFT.load(Relaxed).is_null() {
        return false;
    }
    let mut next = LEFT.xchg(null_mut(), Full);
    while let Some(block) = NonNull::new(next) {
        // SAFETY: It was taken out of the list, so it is ours.
        next = unsafe { block.as_ref() }.next;
        // SAFETY: As what is in the list is.
        unsafe { Block::give_up(block) };
    }
    !LEFT.load(Relaxed).is_null()
}

/// What is left of wait queues: to be dropped as the last thing when the module goes, in process
/// context.
pub(crate) struct Remains(());

impl Remains {
    /// Of everything that is made after this.
    pub(crate) fn new() -> Self {
        Self(())
    }
}

impl Drop for Remains {
    fn drop(&mut self) {
        PATIENCE.wait_until(|| !tidy());
        let mut count = 0_u32;
        let mut next = LEFT.xchg(null_mut(), Full);
        while let Some(block) = NonNull::new(next) {
            // SAFETY: It was taken out of the list, so it is ours.
            next = unsafe { block.as_ref() }.next;
            // SAFETY: As above. It is not freed from here on.
            unsafe { bindings::wait_leave(block.as_ref().queue.get()) };
            count = count.saturating_add(1);
        }
        if count > 0 {
            pr_warn!(
                "{} wait queues are left to who does not stop polling\n",
                count
            );
        }
    }
}

/// How long those who were woken may be waited for, all of them together.
///
/// Who gets a processor needs some milliseconds to leave, so that it suffices for hundreds of
/// queues; and those who never leave make no end last longer than this.
struct Patience {
    /// When the present period began, in nanoseconds of the monotonic clock.
    since: Atomic<u64>,
    /// Nanoseconds that were waited in it.
    used: Atomic<u64>,
}

static PATIENCE: Patience = Patience {
    since: Atomic::new(0),
    used: Atomic::new(0),
};

/// How waiting has ended.
#[derive(PartialEq, Eq)]
enum Waited {
    /// With what was waited for; or there was no patience to begin with.
    Enough,
    /// The patience came to its end.
    InVain,
}

impl Patience {
    /// So long...
    const TIME: Duration = Duration::from_secs(2);
    /// ...in this time.
    const PERIOD: Duration = Duration::from_secs(60);

    /// Sleeps until `done` is true, or the patience is over. Process context.
    fn wait_until(&self, done: impl Fn() -> bool) -> Waited {
        let begun = clock::now();
        let left = self.left(begun);
        let end = begun + left;
        let mut now = begun;
        let mut is_done = done();
        while !is_done && now < end {
            // SAFETY: Process context.
            unsafe { bindings::msleep(1) };
            now = clock::now();
            is_done = done();
        }
        self.used.fetch_add(now.since(begun).as_nanos(), Relaxed);
        if is_done || left.is_zero() {
            Waited::Enough
        } else {
            Waited::InVain
        }
    }

    /// How much there is now.
    fn left(&self, now: Instant) -> Duration {
        let since = self.since.load(Relaxed);
        // Who changes it begins the period.
        if now.since(Instant::from_nanos(since)) >= Self::PERIOD
            && self.since.cmpxchg(since, now.as_nanos(), Relaxed).is_ok()
        {
            self.used.store(0, Relaxed);
        }
        Self::TIME.saturating_sub(Duration::from_nanos(self.used.load(Relaxed)))
    }
}
