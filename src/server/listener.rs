// SPDX-License-Identifier: GPL-2.0

//! The listening socket: accepts, and starts a client for every connection that there is room for.
//!
//! # Locking
//!
//! `socket` is held while accepting, while options are set, while another one is put in its place and
//! while it is taken away to be closed; nothing that takes it is called under it. `refused` is held
//! while connections that are refused are looked after, under which their sockets' locks and that of
//! the log are taken one at a time. Neither is taken under the other. The callbacks take no lock.

mod refused;

use core::net::IpAddr;
use core::net::Ipv4Addr;
use core::net::Ipv6Addr;
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

use crate::config::Settings;
use crate::rt::clock;
use crate::rt::errno::EAFNOSUPPORT;
use crate::rt::errno::ECONNABORTED;
use crate::rt::socket::Attached;
use crate::rt::socket::Event;
use crate::rt::socket::Events;
use crate::rt::socket::Options;
use crate::rt::socket::Socket;
use crate::server::census::Denied;
use crate::server::census::Seat;
use crate::server::client::Client;
use crate::server::Engine;
use crate::status::Count;
use refused::Arrival;
use refused::Refused;

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
    socket: Mutex<Option<Listening>>,
    /// None when it has stopped: then nobody would close what is put there.
    #[pin]
    refused: Mutex<Option<Refused>>,
    /// Accepting failed for lack of something: the sweep tries again.
    again: Atomic<bool>,
    #[pin]
    work: Work<Listener>,
}

/// The socket, and the options for it and for those that may take its place.
struct Listening {
    socket: Attached<Listener>,
    options: Options,
}

impl_has_work! {
    impl HasWork<Self> for Listener { self.work }
}

impl Listener {
    /// Listens on `port` of every address, IPv4 and IPv6. Process context.
    ///
    /// # Errors
    ///
    /// `EADDRINUSE` and what else bind(2) and listen(2) return.
    #[inline(never)] // Keeps its frame out of its caller's.
    pub(crate) fn start(engine: Arc<Engine>, port: u16) -> Result<Arc<Self>> {
        let options = options(&engine.config().settings);
        let refused = Refused::new()?;
        let listener = Arc::pin_init(
            pin_init!(Self {
                engine,
                port,
                socket <- new_mutex!(None, "resin listener"),
                refused <- new_mutex!(Some(refused), "resin refused"),
                again: Atomic::new(false),
                work <- new_work!("resin accept"),
            }),
            GFP_KERNEL,
        )?;
        let socket = listener.listen(&options)?;
        *listener.socket.lock() = Some(Listening { socket, options });
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
        let refused = self.refused.lock().take();
        if let Some(refused) = refused {
            refused.end(&self.engine.config().settings);
        }
    }

    /// Puts settings in force for connections that come from now on. Process context.
    pub(crate) fn configure(&self, settings: &Settings) -> Result {
        match &mut *self.socket.lock() {
            Some(listening) => {
                listening.options = options(settings);
                listening.socket.configure(&listening.options)
            }
            None => Ok(()),
        }
    }

    /// Tries again if accepting has failed, and looks after connections that were refused. Returns
    /// whether there is a need to do so again.
    pub(crate) fn sweep(self: &Arc<Self>) -> bool {
        let again = self.retry();
        let waiting = match &*self.refused.lock() {
            Some(refused) => !refused.is_empty(),
            None => false,
        };
        if waiting {
            self.wake();
        }
        again | waiting
    }

    /// Tries again if accepting has failed. Returns whether it had.
    fn retry(self: &Arc<Self>) -> bool {
        let again = self.again.xchg(false, Relaxed);
        if again {
            self.wake();
        }
        again
    }

    fn wake(self: &Arc<Self>) {
        self.engine.queue_here(self.as_arc_borrow());
    }

    /// Listens anew if somebody has destroyed the socket (`ss -K`): the port is to be served until
    /// its user says otherwise. A socket that was destroyed once is of no use any more.
    fn revive(self: &Arc<Self>) {
        let mut present = self.socket.lock();
        let Some(listening) = &mut *present else {
            return;
        };
        if listening.socket.listens() {
            return;
        }
        match self.listen(&listening.options) {
            Ok(new) => {
                let old = core::mem::replace(&mut listening.socket, new);
                drop(present);
                drop(old);
            }
            Err(_) => self.try_later(),
        }
    }

    /// A socket that listens on the port.
    #[inline(never)] // Keeps its frame out of its caller's.
    fn listen(self: &Arc<Self>, options: &Options) -> Result<Attached<Listener>> {
        let socket = bind(&self.engine, self.port)?;
        socket.configure(options)?;
        Attached::listen(socket, self.clone(), BACKLOG)
    }

    /// The sweep comes back to it.
    fn try_later(&self) {
        self.again.store(true, Relaxed);
        self.engine.sweep_soon();
    }

    /// Takes one connection in; false when none waits.
    fn accept(self: &Arc<Self>) -> bool {
        let accepted = match &*self.socket.lock() {
            Some(listening) => listening.socket.accept(),
            None => Ok(None),
        };
        match accepted {
            Ok(Some(socket)) => {
                self.admit(socket);
                true
            }
            Ok(None) => false,
            // The client has gone again (accept(2)).
            Err(error) if error == ECONNABORTED => true,
            Err(_) => {
                self.try_later();
                false
            }
        }
    }

    /// Makes a client of a connection, or refuses it.
    #[inline(never)] // Keeps its frame out of its caller's.
    fn admit(self: &Arc<Self>, socket: Socket) {
        let config = self.engine.config();
        self.admit_by(socket, &config.settings);
    }

    #[inline(never)] // Keeps its frame out of its caller's.
    fn admit_by(self: &Arc<Self>, socket: Socket, settings: &Settings) {
        // It has one, unless the connection is over already.
        let Some(peer) = socket.peer() else {
            return;
        };
        match self.seat(peer.ip(), settings) {
            Ok(seat) => self.begin(socket, peer, seat, settings),
            Err(why) => self.refuse(socket, why, peer.ip(), settings),
        }
    }

    #[inline(never)] // Keeps its frame out of its caller's.
    fn begin(&self, socket: Socket, peer: SocketAddr, seat: Seat, settings: &Settings) {
        // Its socket is gone, and nothing can be told there.
        if Client::start(&self.engine, socket, peer, seat).is_err() {
            self.lose(peer.ip(), settings);
        }
    }

    #[inline(never)] // Keeps its frame out of its caller's.
    fn seat(&self, peer: IpAddr, settings: &Settings) -> Result<Seat, Denied> {
        Seat::take(&self.engine, peer, settings)
    }

    /// There was no memory for a connection.
    #[inline(never)] // Keeps its frame out of its caller's.
    fn lose(&self, peer: IpAddr, settings: &Settings) {
        let arrival = self.count(Denied::NoMemory, peer);
        arrival.log(&self.engine, settings, Denied::NoMemory, None);
    }

    /// Counts a connection that is refused.
    fn count(&self, why: Denied, peer: IpAddr) -> Arrival {
        self.engine.stats().count(match why {
            Denied::Full => Count::RefusedLimit,
            Denied::Share => Count::RefusedClient,
            Denied::NoMemory => Count::RefusedMemory,
        });
        Arrival::new(&self.engine, peer)
    }

    #[inline(never)] // Keeps its frame out of its caller's.
    fn refuse(self: &Arc<Self>, socket: Socket, why: Denied, peer: IpAddr, settings: &Settings) {
        let arrival = self.count(why, peer);
        let socket = Attached::attach(socket, self.clone());
        match &mut *self.refused.lock() {
            Some(refused) => {
                refused.add(socket, why, arrival, settings);
                self.engine.sweep_soon();
            }
            // It has stopped meanwhile.
            None => arrival.log(&self.engine, settings, why, None),
        }
    }

    /// Looks after refused connections.
    fn look(self: &Arc<Self>) {
        let more = match &mut *self.refused.lock() {
            Some(refused) if !refused.is_empty() => {
                refused.look(clock::now(), &self.engine.config().settings)
            }
            _ => false,
        };
        if more {
            self.wake();
        }
    }
}

/// A socket that is bound to `port` of every address; of every IPv4 address if the kernel was told
/// to do without IPv6.
#[inline(never)] // Keeps its frame out of its caller's.
fn bind(engine: &Engine, port: u16) -> Result<Socket> {
    let any = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
    match Socket::bind(engine.net(), any) {
        Err(error) if error == EAFNOSUPPORT => Socket::bind(
            engine.net(),
            SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)),
        ),
        bound => bound,
    }
}

fn options(settings: &Settings) -> Options {
    Options {
        keepalive: settings.tcp_keepalive,
        user_timeout: settings.tcp_user_timeout,
        defer_accept: settings.defer_accept,
        receive_buffer: settings.receive_buffer,
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
        this.revive();
        let mut budget = BUDGET;
        while budget > 0 && this.accept() {
            budget = budget.saturating_sub(1);
        }
        this.look();
        if budget == 0 {
            this.wake();
        }
    }
}
