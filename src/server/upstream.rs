// SPDX-License-Identifier: GPL-2.0

//! One connection to a backend, lent to one client at a time.
//!
//! # Locking
//!
//! `waiter` is a leaf lock: it is taken in the socket's callbacks (under the socket's lock), and
//! nothing but the queueing of a work item happens under it.

use kernel::prelude::*;
use kernel::sync::atomic::Atomic;
use kernel::sync::atomic::Relaxed;
use kernel::sync::Arc;
use kernel::sync::ArcBorrow;

use crate::rt::clock;
use crate::rt::errno::EADDRNOTAVAIL;
use crate::rt::errno::ENFILE;
use crate::rt::errno::ENOBUFS;
use crate::rt::errno::ESHUTDOWN;
use crate::rt::socket::Attached;
use crate::rt::socket::Event;
use crate::rt::socket::Events;
use crate::rt::socket::Socket;
use crate::rt::sync::new_spinlock_bh;
use crate::rt::sync::SpinLockBh;
use crate::server::backend::Backend;
use crate::server::client::Client;
use crate::server::memory;
use crate::server::memory::Charge;
use crate::server::Engine;
use crate::time::Instant;

/// A backend connection as it is passed about: dropping it closes it (process context).
pub(crate) type Link = Attached<Upstream>;

/// Whether a connection could not be begun for a reason that says nothing of the backend.
pub(crate) fn is_our_fault(error: Error) -> bool {
    error == ENOMEM
        || error == ENOBUFS
        || error == ENFILE
        || error == EADDRNOTAVAIL
        || error == EPERM
        || error == ESHUTDOWN
}

/// What a backend connection's events go to.
#[pin_data]
pub(crate) struct Upstream {
    backend: Arc<Backend>,
    /// When it began to connect.
    begun: Instant,
    /// Who is to be woken; nobody while the connection is idle.
    #[pin]
    waiter: SpinLockBh<Option<Arc<Client>>>,
    /// Something happened on it while it was idle: it must not be used again.
    stale: Atomic<bool>,
    /// When it became idle, in nanoseconds of the monotonic clock.
    idle_since: Atomic<u64>,
    /// For [`memory::SOCKET`].
    _charge: Charge,
}

impl Upstream {
    /// Begins to connect to a backend for a client. Process context.
    pub(crate) fn connect(
        engine: &Engine,
        backend: Arc<Backend>,
        client: Arc<Client>,
    ) -> Result<Link> {
        let charge = engine.account().admit(memory::SOCKET)?;
        let addr = backend.addr();
        let socket = Socket::outgoing(engine.net(), addr.is_ipv6())?;
        socket.keep_alive(engine.config().settings.tcp_keepalive)?;
        let upstream = Arc::pin_init(
            pin_init!(Self {
                backend,
                begun: clock::now(),
                waiter <- new_spinlock_bh!(Some(client)),
                stale: Atomic::new(false),
                idle_since: Atomic::new(0),
                _charge: charge,
            }),
            GFP_KERNEL,
        )?;
        let link = Attached::attach(socket, upstream);
        link.connect(addr)?;
        Ok(link)
    }

    pub(crate) fn backend(&self) -> &Arc<Backend> {
        &self.backend
    }

    pub(crate) fn begun(&self) -> Instant {
        self.begun
    }

    /// From now on this client is woken. The client looks at the socket afterwards.
    pub(crate) fn serve(&self, client: Arc<Client>) {
        *self.waiter.lock() = Some(client);
    }

    /// From now on nobody is woken.
    ///
    /// The caller holds another reference to the client, so none is dropped for good here.
    pub(crate) fn rest(&self, now: Instant) {
        self.idle_since.store(now.as_nanos(), Relaxed);
        *self.waiter.lock() = None;
    }

    pub(crate) fn is_stale(&self) -> bool {
        self.stale.load(Relaxed)
    }

    pub(crate) fn idle_since(&self) -> Instant {
        Instant::from_nanos(self.idle_since.load(Relaxed))
    }
}

impl Events for Upstream {
    fn on_event(this: ArcBorrow<'_, Self>, _: Event) {
        match &*this.waiter.lock() {
            Some(client) => client.wake(),
            None => this.stale.store(true, Relaxed),
        }
    }
}
