// SPDX-License-Identifier: GPL-2.0

//! Sockets that tell an object what happens to them.

use super::{
    locked,
    Callbacks,
    Io,
    Options,
    RawAddr,
    Socket,
    State, //
};
use crate::{
    rt::{
        pages::Runs,
        sync::synchronize_rcu, //
    },
    sys::bindings, //
};
use core::{
    marker::PhantomData,
    mem::align_of,
    net::SocketAddr,
    ptr::{
        self,
        NonNull, //
    },
};
use kernel::{
    error::to_result,
    ffi::c_int,
    prelude::*,
    sync::{
        atomic::Atomic,
        Arc,
        ArcBorrow, //
    },
};

/// What happened to a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// There is something to read, or on a listening socket something to accept.
    Readable,
    /// There is room for sending again, after a send that gave [`Io::Wait`] or was short.
    Writable,
    /// The connection was made, or the peer finished, or it is over: see [`Attached::state`].
    StateChanged,
}

/// An object that is told what happens to the sockets that are [`Attached`] to it.
pub(crate) trait Events: Send + Sync + 'static {
    /// Something happened to a socket.
    ///
    /// In softirq, or in process context with bottom halves off; with the socket's lock and its
    /// `sk_callback_lock` held. So it may only use atomics, take a
    /// [`SpinLockBh`](crate::rt::sync::SpinLockBh) under which no socket is used, and queue works.
    /// It must not sleep, and not use the socket. Events may come when nothing changed, and one
    /// event may stand for several: look at what is there.
    fn on_event(this: ArcBorrow<'_, Self>, event: Event);
}

/// A socket that reports to a `T`, of which it holds a reference.
///
/// Dropped in process context: it stops reporting, closes the socket, and gives the reference up, in
/// this order. For a listening socket it waits for an RCU grace period in between.
///
/// If the `T` keeps the `Attached`, which is usual, the two keep each other alive: take it out to
/// end that.
///
/// # Invariants
///
/// The socket's callbacks are [`Hooks<T>`]'s, and `owner` is parked in it. The same goes for its
/// children that are not accepted yet, if it is a listener.
pub(crate) struct Attached<T: Events> {
    // Dropped in this order.
    pub(super) socket: Socket,
    owner: Parked<T>,
    listening: bool,
}

impl<T: Events> Attached<T> {
    /// Makes `socket`, an accepted or outgoing one, report to `owner`. Process context.
    ///
    /// Octets and even FIN may have come before, which is not reported: after this, behave as if
    /// every [`Event`] had come once.
    pub(crate) fn attach(socket: Socket, owner: Arc<T>) -> Attached<T> {
        Self::new(socket, owner, false)
    }

    /// Makes `socket`, which was made by [`Socket::bind`], listen and report to `owner`. Process
    /// context.
    ///
    /// Up to `backlog` connections wait to be accepted; the sysctl `somaxconn` does not bound it. What
    /// the first octets of a connection are answered with acknowledges them, too, if it is sent soon: see
    /// [`Self::acknowledge`].
    pub(crate) fn listen(socket: Socket, owner: Arc<T>, backlog: i32) -> Result<Attached<T>> {
        let this = Self::new(socket, owner, true);
        // SAFETY: The socket is valid by its invariants.
        to_result(unsafe { bindings::kernel_listen(this.socket.sock(), backlog) })?;
        // Children inherit it. SAFETY: As above; process context without a socket's lock held.
        unsafe { bindings::tcp_sock_set_quickack(this.socket.sk(), 0) };
        Ok(this)
    }

    /// Takes a connection that waits to be accepted, if there is one. Process context.
    ///
    /// The new socket has the settings of [`Socket::bind`] and the kernel's own callbacks. After
    /// [`Event::Readable`] call this until it gives `None`. After an error (`ENFILE`, `ENOMEM`: call
    /// again a little later; `EINVAL`: the socket does not listen) no event comes for what still
    /// waits.
    pub(crate) fn accept(&self) -> Result<Option<Socket>> {
        // SAFETY: The socket is valid by its invariants. This spares making a socket in vain.
        if !unsafe { bindings::sk_accept_pending(self.socket.sk()) } {
            return Ok(None);
        }
        let mut sock = ptr::null_mut();
        // SAFETY: The socket is valid by its invariants, `sock` is valid for writes.
        let errno = unsafe {
            bindings::kernel_accept(self.socket.sock(), &mut sock, bindings::O_NONBLOCK as c_int)
        };
        match to_result(errno) {
            Err(EAGAIN) => return Ok(None),
            other => other?,
        }
        let sock = NonNull::new(sock).ok_or(EINVAL)?;
        // SAFETY: An accepted socket has a `sk`.
        let sk = unsafe { NonNull::new_unchecked((*sock.as_ptr()).sk) };
        // INVARIANT: `kernel_accept()` gave us a socket of our own. `sk_clone()` copied the settings
        // from the listening one, which has those of `Socket`, and with them what was parked in it,
        // so that nobody has parked anything else and changed the callbacks since. The kernel gives
        // them to the sockets of one family all alike, so the listener's originals are the child's.
        let child = Socket {
            sock,
            sk,
            originals: self.socket.originals,
            owed: Atomic::new(0),
        };
        // `sk_clone()` copied the callbacks too. They must not outlive the module, nor what is
        // parked its owner, which `self` has kept so far.
        child.restore_callbacks();
        Ok(Some(child))
    }

    /// Begins to connect to `addr`. Process context; does not wait.
    ///
    /// [`Event::StateChanged`] comes when it has come to a result: see [`Self::state`]. To be called
    /// once.
    pub(crate) fn connect(&self, addr: SocketAddr) -> Result {
        let mut raw = RawAddr::new(addr);
        // SAFETY: The socket is valid by its invariants, the address for its length.
        let errno = unsafe {
            bindings::kernel_connect(
                self.socket.sock(),
                raw.as_mut_ptr(),
                raw.len(),
                bindings::O_NONBLOCK as c_int,
            )
        };
        if errno == -(bindings::EINPROGRESS as c_int) {
            return Ok(());
        }
        to_result(errno)
    }

    /// Our own address. `None` before connecting. Any context.
    pub(crate) fn local(&self) -> Option<SocketAddr> {
        self.socket.local()
    }

    /// Reads into `buf` what has been received, as much as fits.
    ///
    /// What was received before a reset can still be read; then the reset's error comes once, and
    /// from then on `ENOTCONN`. Octets that the peer marked as urgent are read in their place, like
    /// all others. An empty `buf` is `EINVAL`.
    ///
    /// Any context but hard interrupts, without a socket's lock held. Does not sleep.
    pub(crate) fn recv(&self, buf: &mut [u8]) -> Result<Io> {
        if buf.is_empty() {
            return Err(EINVAL);
        }
        match self.socket.try_lock() {
            Some(mut locked) => locked.read(buf),
            None => Ok(Io::Retry),
        }
    }

    /// Queues for sending the octets of `parts[0]` and then of `parts[1]`, copying as many as there
    /// is room for.
    ///
    /// With `more` the end of them is not sent as a small segment but waits, up to 200 ms, for what
    /// the caller is about to send, be it FIN. Before the connection is made it gives [`Io::Wait`]; before
    /// [`Self::connect`] and when the connection is over or was shut down an error (`EPIPE`,
    /// `ECONNRESET`, `ETIMEDOUT`...). Nothing to send is `EINVAL`.
    ///
    /// Any context but hard interrupts, without a socket's lock held. Does not sleep.
    pub(crate) fn send(&self, parts: [&[u8]; 3], more: bool) -> Result<Io> {
        if parts.iter().all(|part| part.is_empty()) {
            return Err(EINVAL);
        }
        match self.socket.try_lock() {
            Some(mut locked) => locked.write(parts, more),
            None => Ok(Io::Retry),
        }
    }

    /// Queues `head` and `runs` for sending, in this order, without a copy of the runs: otherwise as
    /// [`Self::send`].
    pub(crate) fn send_runs(&self, head: &[u8], runs: &Runs<'_>, more: bool) -> Result<Io> {
        if head.is_empty() && runs.len() == 0 {
            return Err(EINVAL);
        }
        match self.socket.try_lock() {
            Some(mut locked) => locked.write_runs(head, runs, more),
            None => Ok(Io::Retry),
        }
    }

    /// Throws away what has been received, up to `max` octets, more than none: otherwise as
    /// [`Self::recv`].
    pub(crate) fn discard(&self, max: usize) -> Result<Io> {
        match self.socket.try_lock() {
            Some(mut locked) => locked.discard(max),
            None => Ok(Io::Retry),
        }
    }

    /// Acknowledges what the peer has sent, for it may be waiting for that with what is missing (RFC 896).
    /// Only the first octets of a connection are not acknowledged soon enough.
    ///
    /// Any context but hard interrupts, without a socket's lock held. Does not sleep.
    pub(crate) fn acknowledge(&self) {
        if let Some(mut locked) = self.socket.try_lock() {
            locked.acknowledge();
        }
    }

    /// Sends FIN after all that is queued. Receiving goes on. Says whether it could be done: if not,
    /// a process owns the socket, so try again a little later. Once done or without a connection it
    /// does nothing more.
    ///
    /// Any context but hard interrupts, without a socket's lock held. Does not sleep.
    pub(crate) fn shutdown_send(&self) -> bool {
        match self.socket.try_lock() {
            Some(mut locked) => {
                locked.shutdown_send();
                true
            }
            None => false,
        }
    }

    /// How far the connection is: a snapshot. Any context.
    pub(crate) fn state(&self) -> State {
        // SAFETY: By the type invariants of `Socket` it is valid.
        unsafe { locked::state(self.socket.sk()) }
    }

    /// Whether it listens, as after [`Self::listen`] unless it was destroyed (`ss -K`): a snapshot.
    /// Any context.
    pub(crate) fn listens(&self) -> bool {
        // SAFETY: The socket is valid by its invariants.
        let state = unsafe { bindings::sk_state(self.socket.sk()) };
        state as c_uint == bindings::TCP_LISTEN
    }

    /// Octets of ours that the peer has acknowledged so far: a snapshot. Any context.
    pub(crate) fn acked(&self) -> u64 {
        // SAFETY: The socket is valid by its invariants.
        unsafe { bindings::tcp_acked(self.socket.sk()) }
    }

    /// Octets that were given to the socket, a FIN among them, and that the peer has not acknowledged
    /// yet: a snapshot. Any context.
    pub(crate) fn unacked(&self) -> u64 {
        // SAFETY: The socket is valid by its invariants.
        unsafe { bindings::tcp_unacked(self.socket.sk()) }.into()
    }

    /// Whether a receive would give something other than [`Io::Wait`]: a snapshot. Any context.
    pub(crate) fn readable(&self) -> bool {
        // SAFETY: The socket is valid by its invariants.
        unsafe { bindings::sk_readable(self.socket.sk()) }
    }

    /// Whether the connection was reset, has timed out or was killed, and no call has said so yet: a
    /// snapshot. Any context.
    pub(crate) fn failed(&self) -> bool {
        // SAFETY: The socket is valid by its invariants.
        unsafe { bindings::sk_failed(self.socket.sk()) }
    }

    /// Makes the coming close send RST at once and forget what is queued. Process context.
    pub(crate) fn abort(&self) {
        // SAFETY: The socket is valid by its invariants.
        unsafe { bindings::sock_no_linger(self.socket.sk()) }
    }

    /// Sets options of the socket, as [`Socket::configure`]. Process context.
    pub(crate) fn configure(&self, options: &Options) -> Result {
        self.socket.configure(options)
    }

    /// Whom the socket reports to. Any context.
    pub(crate) fn owner(&self) -> &T {
        self.owner.get()
    }

    /// Parks `owner` in the socket and sets the callbacks.
    fn new(socket: Socket, owner: Arc<T>, listening: bool) -> Self {
        let owner = Parked::new(owner);
        // SAFETY: The callbacks are code of this module. They are taken out again, and waited for,
        // before the module goes and before the reference is given up: when the value made here is
        // dropped. What is parked is what they expect.
        unsafe { socket.set_callbacks(owner.0.as_ptr().cast(), &Hooks::<T>::CALLBACKS) };
        // INVARIANT: Just set.
        Self {
            socket,
            owner,
            listening,
        }
    }
}

impl<T: Events> Drop for Attached<T> {
    fn drop(&mut self) {
        self.socket.restore_callbacks();
        if self.listening {
            // Our `sk_data_ready` may have been loaded by somebody who has yet to call it, and
            // children with our callbacks and the pointer to `owner` may be on their way to the
            // queue. What is in the queue by then is ended by the release, child by child, each
            // under its lock.
            synchronize_rcu();
        }
    }
}

/// A reference to a `T` in the form in which it is parked in a socket.
///
/// # Invariants
///
/// The pointer came from [`Arc::into_raw`], and this value owns the reference. Its three lowest bits
/// are zero (the kernel keeps flags there).
struct Parked<T>(NonNull<T>);

// SAFETY: It is an `Arc<T>` in another form.
unsafe impl<T: Send + Sync> Send for Parked<T> {}
// SAFETY: As above.
unsafe impl<T: Send + Sync> Sync for Parked<T> {}

impl<T> Parked<T> {
    /// Takes over the reference.
    fn new(owner: Arc<T>) -> Self {
        const {
            assert!(align_of::<T>() >= 8, "flags of sk_user_data are in the way");
        }
        // SAFETY: Pointers of an `Arc` are not null.
        // INVARIANT: The alignment was checked.
        Self(unsafe { NonNull::new_unchecked(Arc::into_raw(owner).cast_mut()) })
    }

    /// What the reference is to.
    fn get(&self) -> &T {
        // SAFETY: By the type invariants the reference that this value owns keeps it alive, and
        // nobody has more than shared access to what is in an `Arc`.
        unsafe { self.0.as_ref() }
    }
}

impl<T> Drop for Parked<T> {
    fn drop(&mut self) {
        // SAFETY: By the type invariants.
        drop(unsafe { Arc::from_raw(self.0.as_ptr()) });
    }
}

/// The callbacks of sockets that report to a `T`.
struct Hooks<T: Events>(PhantomData<T>);

impl<T: Events> Hooks<T> {
    /// What is set in such a socket.
    const CALLBACKS: Callbacks = Callbacks {
        data_ready: Some(Self::data_ready),
        write_space: Some(Self::write_space),
        state_change: Some(Self::state_change),
    };

    /// `sk_data_ready`.
    ///
    /// # Safety
    ///
    /// To be called by the kernel on a socket whose callback it is.
    unsafe extern "C" fn data_ready(sk: *mut bindings::sock) {
        // SAFETY: By the requirements of this function.
        unsafe { Self::report(sk, Event::Readable) }
    }

    /// `sk_write_space`.
    ///
    /// # Safety
    ///
    /// To be called by the kernel on a socket whose callback it is.
    unsafe extern "C" fn write_space(sk: *mut bindings::sock) {
        // SAFETY: By the requirements of this function `sk` is valid, and the kernel holds its lock.
        if unsafe { bindings::sk_take_write_space(sk) } {
            // SAFETY: By the requirements of this function.
            unsafe { Self::report(sk, Event::Writable) }
        }
    }

    /// `sk_state_change`.
    ///
    /// # Safety
    ///
    /// To be called by the kernel on a socket whose callback it is.
    unsafe extern "C" fn state_change(sk: *mut bindings::sock) {
        // SAFETY: By the requirements of this function.
        unsafe { Self::report(sk, Event::StateChanged) }
    }

    /// Tells the object that is parked in `sk`.
    ///
    /// A child that was not accepted yet does not report, though it runs its listener's callbacks.
    /// Nor does a socket after a detachment that overtook this call. Either way nobody waits for
    /// such a socket: the kernel's own callbacks would wake sleepers and pollers, and a socket
    /// without a file has none.
    ///
    /// # Safety
    ///
    /// To be called by the kernel on a socket whose callbacks are those of a `T`, or were when the
    /// call began.
    unsafe fn report(sk: *mut bindings::sock, event: Event) {
        // SAFETY: By the requirements of this function `sk` is valid.
        let owner: *mut T = unsafe { bindings::sk_enter_callback(sk) }.cast();
        if !owner.is_null() {
            // SAFETY: It is a `Parked<T>`'s pointer: callbacks and pointer are set in one step under
            // this lock, nobody else parks anything where something is parked, and between two
            // owners a socket has none (`set_callbacks()` waits for the calls of the one before;
            // a listener's never has another one). The reference stays as long as the pointer is
            // parked in the `Attached`'s socket, and the lock keeps it parked while the borrow
            // lives; in a child, which is asked only once `accept()` is at it, as long as that
            // borrows the listener's `Attached`.
            T::on_event(unsafe { ArcBorrow::from_raw(owner) }, event);
        }
        // SAFETY: The lock was taken above.
        unsafe { bindings::sk_leave_callback(sk) };
    }
}
