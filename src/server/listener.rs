// SPDX-License-Identifier: GPL-2.0

//! The listening socket: accepts, and starts a client for every connection.
//!
//! # Locking
//!
//! `socket` is held while accepting and while the socket is taken away to be closed; nothing that
//! takes it is called under it. The callback takes no lock.

use core::net::SocketAddr;
use kernel::new_mutex;
use kernel::prelude::*;
use kernel::sync::atomic::Atomic;
use kernel::sync::atomic::Relaxed;
use kernel::sync::Arc;
use kernel::sync::ArcBorrow;
use kernel::sync::Mutex;
use kernel::workqueue::impl_has_work;
use kernel::workqueue::new_work;
use kernel::workqueue::Work;
use kernel::workqueue::WorkItem;

use crate::rt::errno::ECONNABORTED;
use crate::rt::socket::Attached;
use crate::rt::socket::Event;
use crate::rt::socket::Events;
use crate::rt::socket::Socket;
use crate::server::client::Client;
use crate::server::Engine;
use crate::status::Count;

/// Connections that may wait to be accepted; the kernel's `somaxconn` does not bound it.
const BACKLOG: i32 = 4096;
/// Connections accepted in one go.
const BUDGET: u32 = 64;

/// One listening port.
#[pin_data]
pub(crate) struct Listener {
    engine: Arc<Engine>,
    port: u16,
    #[pin]
    socket: Mutex<Option<Attached<Listener>>>,
    /// Accepting failed for lack of something: the sweep tries again.
    again: Atomic<bool>,
    #[pin]
    work: Work<Listener>,
}

impl_has_work! {
    impl HasWork<Self> for Listener { self.work }
}

impl Listener {
    /// Listens on `port` of every IPv4 address. Process context.
    ///
    /// # Errors
    ///
    /// `EADDRINUSE` and what else bind(2) and listen(2) return.
    pub(crate) fn start(engine: Arc<Engine>, port: u16) -> Result<Arc<Self>> {
        let socket = Socket::bind(engine.net(), SocketAddr::from(([0, 0, 0, 0], port)))?;
        let listener = Arc::pin_init(
            pin_init!(Self {
                engine,
                port,
                socket <- new_mutex!(None, "resin listener"),
                again: Atomic::new(false),
                work <- new_work!("resin accept"),
            }),
            GFP_KERNEL,
        )?;
        let attached = Attached::listen(socket, listener.clone(), BACKLOG)?;
        *listener.socket.lock() = Some(attached);
        // What came before the socket was in its place.
        listener.wake();
        Ok(listener)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Stops listening. Connections that are not accepted yet are reset. Process context.
    pub(crate) fn stop(&self) {
        let socket = self.socket.lock().take();
        drop(socket);
    }

    /// Tries again if accepting has failed. Returns whether it had.
    pub(crate) fn retry(self: &Arc<Self>) -> bool {
        let again = self.again.xchg(false, Relaxed);
        if again {
            self.wake();
        }
        again
    }

    fn wake(self: &Arc<Self>) {
        self.engine.queue_here(self.as_arc_borrow());
    }

    /// Takes one connection in; false when none waits.
    fn accept(&self) -> bool {
        let accepted = match &*self.socket.lock() {
            Some(socket) => socket.accept(),
            None => Ok(None),
        };
        match accepted {
            Ok(Some(socket)) => {
                if let Err(error) = Client::start(&self.engine, socket) {
                    let full = error == EBUSY;
                    self.engine.stats().count(if full {
                        Count::RefusedLimit
                    } else {
                        Count::RefusedMemory
                    });
                }
                true
            }
            Ok(None) => false,
            // The client has gone again (accept(2)).
            Err(error) if error == ECONNABORTED => true,
            Err(_) => {
                self.again.store(true, Relaxed);
                self.engine.sweep_soon();
                false
            }
        }
    }
}

impl Events for Listener {
    fn on_event(this: ArcBorrow<'_, Self>, _: Event) {
        this.engine.queue_here(this);
    }
}

impl WorkItem for Listener {
    type Pointer = Arc<Self>;

    fn run(this: Arc<Self>) {
        for _ in 0..BUDGET {
            if !this.accept() {
                return;
            }
        }
        this.wake();
    }
}
