// SPDX-License-Identifier: GPL-2.0

//! What TCP is told about how to treat a peer.
//!
//! `TCP_NODELAY` is not among it: all sockets here have it. Every send is as much as there is, and
//! one that others are about to follow says so (`MSG_MORE`), so there is nothing to wait for.
//!
//! C header: [`include/uapi/linux/tcp.h`](srctree/include/uapi/linux/tcp.h)

use super::Socket;
use crate::{
    sys::bindings,
    time::Duration, //
};
use kernel::{
    error::to_result,
    ffi::c_int,
    prelude::*, //
};

/// Options of a listening socket, which its children inherit. What is set later is for children
/// that come later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// A peer that has been silent for this long is probed, [`PROBES`] times within the same span;
    /// if it answers none the connection is over. In whole seconds, rounded up; zero: never.
    pub(crate) keepalive: Duration,
    /// The connection is over when what was sent has not been acknowledged for this long. In
    /// milliseconds, rounded up; zero: as the kernel sees fit.
    pub(crate) user_timeout: Duration,
    /// A connection is accepted when its first octets have come, or when about this time has passed
    /// without. In whole seconds, rounded up; zero: at once.
    pub(crate) defer_accept: Duration,
    /// Octets that have come and wait to be read; the window that the peer is offered is about as large.
    /// The kernel doubles it and counts its own structures too. It would let a few megabytes wait.
    pub(crate) receive_buffer: usize,
}

/// Unanswered probes after which a silent peer is taken for gone.
const PROBES: c_int = 4;

impl Socket {
    /// Sets options. Process context, without the socket's lock.
    pub(crate) fn configure(&self, options: &Options) -> Result {
        self.keep_alive(options.keepalive)?;
        self.bound_receives(options.receive_buffer);
        let user_timeout = rounded_up(options.user_timeout, Duration::from_millis(1));
        self.set_tcp(bindings::TCP_USER_TIMEOUT, user_timeout)?;
        self.set_tcp(bindings::TCP_DEFER_ACCEPT, seconds(options.defer_accept))
    }

    /// Sets [`Options::keepalive`], likewise.
    pub(crate) fn keep_alive(&self, silence: Duration) -> Result {
        let keepalive = seconds(silence);
        if keepalive > 0 {
            let interval = keepalive.saturating_add(PROBES - 1) / PROBES;
            self.set_tcp(bindings::TCP_KEEPIDLE, keepalive)?;
            self.set_tcp(bindings::TCP_KEEPINTVL, interval)?;
            self.set_tcp(bindings::TCP_KEEPCNT, PROBES)?;
        }
        let on = c_int::from(keepalive > 0);
        self.set(bindings::SOL_SOCKET, bindings::SO_KEEPALIVE, on)
    }

    /// Makes an IPv6 socket that is not bound yet take IPv4 too, by mapped addresses.
    pub(super) fn take_ipv4(&self) -> Result {
        self.set(bindings::SOL_IPV6, bindings::IPV6_V6ONLY, 0)
    }

    fn set_tcp(&self, name: u32, value: c_int) -> Result {
        self.set(bindings::SOL_TCP, name, value)
    }

    /// Bounds what waits to be sent and acknowledged, for a connection to a machine nearby: without
    /// it the kernel lets a few megabytes wait. Process context.
    pub(super) fn bound_sends(&self) -> Result {
        self.set(bindings::SOL_SOCKET, bindings::SO_SNDBUF, SEND_BUFFER)
    }

    /// Bounds what has come and waits to be read. The sysctl `rmem_max`, which is for programs, has
    /// no say in it. Process context, without the socket's lock.
    pub(super) fn bound_receives(&self, octets: usize) {
        let octets = c_int::try_from(octets).unwrap_or(c_int::MAX);
        // SAFETY: The socket is valid by its invariants; process context as the callers say.
        unsafe { bindings::sock_set_rcvbuf(self.sk(), octets) }
    }

    /// `setsockopt()`.
    fn set(&self, level: u32, name: u32, value: c_int) -> Result {
        // CAST: Levels and names are small numbers.
        // SAFETY: The socket is valid by its invariants; process context as the callers say.
        to_result(unsafe {
            bindings::sock_option(self.sock(), level as c_int, name as c_int, value)
        })
    }
}

/// Octets; the kernel doubles them and counts its own structures too.
const SEND_BUFFER: c_int = 128 << 10;
/// Of a connection that we have begun: as [`Options::receive_buffer`].
pub(super) const RECEIVE_BUFFER: usize = 192 << 10;

fn seconds(span: Duration) -> c_int {
    rounded_up(span, Duration::from_secs(1))
}

/// How many whole `units`, more than zero, hold `span`.
fn rounded_up(span: Duration, unit: Duration) -> c_int {
    let units = span.as_nanos().div_ceil(unit.as_nanos().max(1));
    c_int::try_from(units).unwrap_or(c_int::MAX)
}
