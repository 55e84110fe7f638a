// SPDX-License-Identifier: GPL-2.0

//! Kernel TCP sockets that call back, and that are read and written without sleeping.
//!
//! C headers: [`include/linux/net.h`](srctree/include/linux/net.h),
//! [`include/net/sock.h`](srctree/include/net/sock.h),
//! [`include/net/tcp.h`](srctree/include/net/tcp.h)
//!
//! # Life of a socket
//!
//! [`Socket::bind`] or [`Socket::outgoing`] makes a [`Socket`], [`Attached::accept`] gives more.
//! [`Attached::listen`] or [`Attached::attach`] joins one to the [`Arc`](kernel::sync::Arc) of an
//! object that implements [`Events`]: from then on the object is told what happens. Dropping the
//! [`Attached`] ends that and closes the socket; no callback runs after it.
//!
//! # Locking
//!
//! * `sk_lock.slock` with bottom halves off ([`locked::Locked`]): every send and receive, and the
//!   kernel's receive path in softirq. A process may *own* the socket instead (`lock_sock()`, which
//!   sleeps): connecting, accepting and closing do. What arrives meanwhile goes to the backlog, and
//!   sends and receives are turned away with [`Io::Retry`]. With slock held and no owner the backlog
//!   is empty: `release_sock()` empties it and gives up ownership under one hold of slock.
//! * `sk_callback_lock` protects callbacks and what is parked in `sk_user_data`. Order: the socket's
//!   lock before `sk_callback_lock`, as in `sock_graft()` and `sock_orphan()`. From its making to its
//!   end something of ours is parked in each socket, also in a child before it is accepted: so
//!   nobody else (a BPF sockmap) takes `sk_user_data` and the callbacks, see `resin_nobody`.
//! * A callback runs with both held, the former either in softirq (slock) or in process context
//!   (owned, while the backlog is worked off). A listener's `sk_data_ready` is the exception: it runs
//!   for a new child with the *child's* lock and within an RCU read-side critical section.
//!
//! Never call a function of a socket from a callback of the same socket, nor hold two sockets' locks.

mod addr;
mod attached;
mod locked;
mod options;
mod passing;

use super::net::HeldNet;
use super::net::Net;
use crate::sys::bindings;
use addr::RawAddr;
use core::{
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
    sync::atomic::{
        Atomic,
        Relaxed, //
    }, //
};
use locked::Locked;

pub(crate) use attached::{
    Attached,
    Event,
    Events, //
};
pub(crate) use locked::Frags;
pub(crate) use options::Options;
pub(crate) use passing::Passed;

/// What a send or a receive came to, when it is no error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Io {
    /// So many octets were moved, more than none, and perhaps fewer than were asked for.
    Done(usize),
    /// Nothing can be moved now. An [`Event`] comes when that has changed.
    Wait,
    /// A process owns the socket, or there is no memory. No event comes: try again a little later.
    Retry,
    /// The peer sent FIN and all that was before it has been read. Only from a receive.
    Eof,
}

/// How far a connection is, as far as its two ends' streams are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// The handshake is not over (`SYN_SENT`, `SYN_RECV`).
    Connecting,
    /// The peer may still send (`ESTABLISHED`, and `FIN_WAIT1`, `FIN_WAIT2` after
    /// [`Attached::shutdown_send`]).
    Established,
    /// The peer sent FIN, we are not done (`CLOSE_WAIT`, and `CLOSING`, `LAST_ACK` after
    /// [`Attached::shutdown_send`]). There may be data to read, and answers may be sent.
    HalfClosed,
    /// Reset, timed out, over, or never connected. There may be data to read.
    Closed,
}

/// The original callbacks of a socket, or those that are to replace them.
type Callbacks = bindings::resin_helper_callbacks;

/// An owned kernel TCP socket. Dropped, it is closed (`sock_release()`): process context.
///
/// It does not keep its namespace alive: it must be closed when
/// [`Namespace::stop`](super::net::Namespace::stop) returns. Only what is left of it after the close,
/// to send again what is unacknowledged, does; if the namespace is going, closing sends RST.
///
/// Closing sends what is queued, then FIN; but RST if something that was received has not been read,
/// which may keep the peer from reading our last octets (RFC 9112, section 9.6). The kernel lets a
/// closed socket live on until its peer has acknowledged everything.
///
/// # Invariants
///
/// * `sock` is a TCP socket of IPv4 or IPv6 that this value owns; `sk` is its `sock->sk`, which
///   stays the same until it is released.
/// * Its `sk_allocation`, `sk_use_task_frag` and `SOCK_URGINLINE` are as
///   `resin_helper_sk_prepare()` sets them.
/// * Something of this module is parked in its `sk_user_data`: what an [`Attached`] parked, or
///   `resin_nobody`.
/// * `originals` are the callbacks that the kernel gave it.
/// * The first `owed` octets of what it has received are dealt with.
pub(crate) struct Socket {
    sock: NonNull<bindings::socket>,
    sk: NonNull<bindings::sock>,
    originals: Callbacks,
    owed: Atomic<usize>,
}

// SAFETY: A kernel socket is not bound to a thread.
unsafe impl Send for Socket {}
// SAFETY: What can be done through a shared `Socket` is either done by the kernel's functions under
// the socket's lock, or reads values that are stable or read atomically.
unsafe impl Sync for Socket {}

impl Socket {
    /// A socket that is bound to `addr`, for [`Attached::listen`]. Process context.
    ///
    /// Its children inherit what is set here: no sleeping in allocations, no delay of small
    /// segments (`TCP_NODELAY`). Sets `SO_REUSEADDR`; `EADDRINUSE` therefore means that somebody
    /// listens there. `[::]` takes IPv4 too, whatever the sysctl `bindv6only` says. `EAFNOSUPPORT`
    /// means that the kernel was told to do without IPv6.
    pub(crate) fn bind(net: &Net, addr: SocketAddr) -> Result<Socket> {
        let held = net.hold()?;
        let socket = Self::new(&held, addr.is_ipv6())?;
        let mut raw = RawAddr::new(addr);
        // SAFETY: The socket is valid by its invariants, and nobody else knows it.
        unsafe { bindings::sock_set_reuseaddr(socket.sk()) };
        if addr.is_ipv6() {
            socket.take_ipv4()?;
        }
        // SAFETY: As above; the address is valid for its length.
        to_result(unsafe { bindings::kernel_bind(socket.sock(), raw.as_mut_ptr(), raw.len()) })?;
        Ok(socket)
    }

    /// A socket to connect with, of IPv6 or IPv4. Process context.
    ///
    /// It has the settings of [`Self::bind`]. Fails with `ESHUTDOWN` if the end of the namespace has
    /// begun.
    pub(crate) fn outgoing(net: &Net, ipv6: bool) -> Result<Socket> {
        let held = net.hold()?;
        let socket = Self::new(&held, ipv6)?;
        socket.bound_sends()?;
        socket.bound_receives(options::RECEIVE_BUFFER);
        Ok(socket)
    }

    /// The peer's address; an IPv4 peer of an IPv6 socket as IPv4. `None` before connecting.
    ///
    /// It can still be asked after the connection has gone. Any context.
    pub(crate) fn peer(&self) -> Option<SocketAddr> {
        self.name(true)
    }

    /// Our own address, likewise. `None` if there is none yet.
    pub(crate) fn local(&self) -> Option<SocketAddr> {
        self.name(false)
    }

    /// The CPU that last received a segment for this socket; 0 if none did. Any context.
    pub(crate) fn incoming_cpu(&self) -> u32 {
        // SAFETY: The socket is valid by the type invariants.
        let cpu = unsafe { bindings::sk_incoming_cpu(self.sk()) };
        cpu.try_into().unwrap_or(0)
    }

    /// Makes a socket with the settings that all of ours have.
    fn new(net: &HeldNet, ipv6: bool) -> Result<Socket> {
        let family = if ipv6 {
            bindings::AF_INET6
        } else {
            bindings::AF_INET
        };
        let mut sock = ptr::null_mut();
        // SAFETY: `net` is held, so it is valid; `sock` is valid for writes.
        to_result(unsafe {
            bindings::sock_create_kern(
                net.as_ptr(),
                family as c_int,
                bindings::sock_type_SOCK_STREAM as c_int,
                bindings::IPPROTO_TCP as c_int,
                &mut sock,
            )
        })?;
        let sock = NonNull::new(sock).ok_or(EINVAL)?;
        // SAFETY: Just created, so it is valid, has a `sk`, and is ours alone; `originals` is valid
        // for writes.
        let (sk, originals) = unsafe {
            let sk = (*sock.as_ptr()).sk;
            let mut originals = Callbacks::default();
            bindings::sk_prepare(sk);
            bindings::sk_callbacks(sk, &mut originals);
            bindings::tcp_sock_set_nodelay(sk);
            (NonNull::new_unchecked(sk), originals)
        };
        // INVARIANT: The socket is a new one that is ours, with the settings just made, among them
        // what is parked, and the callbacks just read, which nobody can have changed before.
        Ok(Socket {
            sock,
            sk,
            originals,
            owed: Atomic::new(0),
        })
    }

    /// One end's address.
    fn name(&self, peer: bool) -> Option<SocketAddr> {
        let mut name = bindings::resin_helper_name::default();
        // SAFETY: The socket is valid by the type invariants, `name` for writes.
        unsafe { bindings::sk_name(self.sk(), peer, &mut name) }.then(|| addr::from_name(&name))
    }

    /// Takes the socket's spinlock, unless a process owns the socket.
    ///
    /// Any context but hard interrupts, without a socket's lock held.
    fn try_lock(&self) -> Option<Locked<'_>> {
        Locked::try_new(self)
    }

    /// So many octets that were received are dealt with. They are taken from the queue now or, if a process
    /// owns the socket, before anything else is done with it.
    fn consume(&self, octets: usize) {
        // INVARIANT: As the caller says; whoever has the lock pays.
        self.owed.store(octets, Relaxed);
        drop(self.try_lock());
    }

    /// Parks `user_data` (null: `resin_nobody`) in the socket and sets its callbacks, in one step.
    /// Process context.
    ///
    /// When this returns no callback of the socket runs that was set before, except a listener's.
    ///
    /// # Safety
    ///
    /// The callbacks can be called as long as they are set, with `user_data` parked.
    unsafe fn set_callbacks(&self, user_data: *mut kernel::ffi::c_void, to: &Callbacks) {
        // SAFETY: The socket is valid by the type invariants, and this is process context without a
        // socket's lock held. The callbacks of a connection run under the lock that is taken here,
        // so those that began earlier are over.
        unsafe { bindings::lock_sock_nested(self.sk(), 0) };
        // INVARIANT: They leave the queue: who closes the socket does not take them for something that
        // nobody has read.
        match self.owed.xchg(0, Relaxed) {
            0 => {}
            // SAFETY: The lock was just taken.
            octets => unsafe { bindings::tcp_read_done(self.sk(), octets) },
        }
        // SAFETY: As above; the rest is this function's requirement.
        unsafe { bindings::sk_set_callbacks(self.sk(), user_data, to) };
        // SAFETY: The lock was taken above.
        unsafe { bindings::release_sock(self.sk()) };
    }

    /// Puts the kernel's own callbacks in place, with nobody to report to. Process context.
    fn restore_callbacks(&self) {
        // SAFETY: By the type invariants these are the kernel's, which do not look at what is
        // parked.
        unsafe { self.set_callbacks(ptr::null_mut(), &self.originals) }
    }

    /// The kernel's name of it.
    fn sock(&self) -> *mut bindings::socket {
        self.sock.as_ptr()
    }

    /// The kernel's name of the protocol's half of it.
    fn sk(&self) -> *mut bindings::sock {
        self.sk.as_ptr()
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // SAFETY: By the type invariants the socket is ours, and this is its end. Process context,
        // as the type says.
        unsafe {
            bindings::sk_settle(self.sk());
            bindings::sock_release(self.sock());
        }
    }
}
