// SPDX-License-Identifier: GPL-2.0

//! One client connection: drives its [`Exchange`] with what its two sockets deliver.
//!
//! The step ([`step`]) moves the exchange forward and never sleeps. It is a job in softirq where a
//! packet came, or a part of this client's work item; the first one may be taken by who accepts. What
//! has to sleep (connecting, closing) it leaves to the work item as a [`Chore`]; there are no steps until
//! that is done.
//!
//! # Locking
//!
//! `connection` is held for a step. Under it are taken, one at a time: the lock of one of the two
//! sockets, the idle stack of a backend, an upstream's waiter, the balancer, those of the cache, the
//! engine's leaf locks. The sockets' callbacks, which run under a socket's lock, do not take it: they
//! add the job or queue the work item.
//!
//! # Errands
//!
//! Some clients have no socket: see [`errand`].
//!
//! # References
//!
//! A live connection is a cycle on purpose: the client owns its socket, whose callbacks own the
//! client; likewise its upstream's waiter. [`Client::close`] breaks both.

mod bodies;
mod ends;
mod errand;
mod record;
mod rest;
mod route;
mod step;

use core::net::SocketAddr;
use kernel::alloc::Flags;
use kernel::prelude::*;
use kernel::sync::atomic::Atomic;
use kernel::sync::atomic::Full;
use kernel::sync::atomic::Relaxed;
use kernel::sync::Arc;
use kernel::sync::ArcBorrow;
use kernel::workqueue::impl_has_work;
use kernel::workqueue::new_work;
use kernel::workqueue::Work;
use kernel::workqueue::WorkItem;

use crate::exchange::Buffers;
use crate::exchange::Event;
use crate::exchange::Exchange;
use crate::exchange::Refusal;
use crate::lb::Ticket;
use crate::rt::clock;
use crate::rt::memory::Spared;
use crate::rt::memory::Spares;
use crate::rt::socket;
use crate::rt::socket::Attached;
use crate::rt::socket::Events;
use crate::rt::socket::Socket;
use crate::rt::softirq;
use crate::rt::softirq::impl_has_job;
use crate::rt::softirq::Job;
use crate::rt::softirq::Softly;
use crate::rt::sync::new_spinlock_bh;
use crate::rt::sync::SpinLockBh;
use crate::server::backend::Backend;
use crate::server::cache::Visit;
use crate::server::census::Seat;
use crate::server::engine::Config;
use crate::server::memory;
use crate::server::memory::Charge;
use crate::server::memory::Memory;
use crate::server::upstream::is_our_fault;
use crate::server::upstream::Link;
use crate::server::upstream::Upstream;
use crate::server::Engine;
use crate::status::Count;
use crate::status::Format;
use crate::time::Instant;
use errand::Errand;
use record::Record;
use rest::Connection;
use route::Journey;
use step::Chore;

/// One client connection.
#[pin_data(PinnedDrop)]
pub(crate) struct Client {
    engine: Arc<Engine>,
    number: u64,
    cpu: u32,
    /// Counted as long as the client is there; an errand's is not.
    seat: Option<Seat>,
    /// When it must be woken at the latest, in nanoseconds of the monotonic clock.
    due: Atomic<u64>,
    /// The place at a backend that it has waited for: the number of a [`Ticket`], or 0.
    granted: Atomic<u64>,
    #[pin]
    connection: SpinLockBh<Connection>,
    #[pin]
    work: Work<Client>,
    #[pin]
    job: Job<Client>,
    /// For [`COST`]; what comes and goes has its own.
    _charge: Charge,
}

/// Octets that a connection takes at rest.
const COST: usize = size_of::<Client>().next_power_of_two() + memory::SOCKET;

const _: () = assert!(size_of::<State>() <= Spares::SIZE);

/// Chores that are done in one run before others get their turn.
const BUDGET: u32 = 16;

/// What a step works on. A connection has none while it rests.
struct State {
    /// None before [`Client::start`] is done and after [`Client::close`]: then a run does nothing,
    /// unless it is an errand.
    socket: Option<Attached<Client>>,
    /// It is an errand, and not over.
    is_errand: bool,
    /// An errand for somebody else to be sent out with.
    errand: Option<KBox<Errand>>,
    turn: Turn,
    exchange: Exchange,
    buffers: Buffers<Memory>,
    /// The configuration that the present request is served with.
    config: Arc<Config>,
    upstream: Hop,
    /// What the cache has to do with the present request.
    visit: Visit,
    /// How far the present request has come on its way to a backend.
    journey: Journey,
    /// Where the client is: its own address, or that of a proxy before it.
    peer: SocketAddr,
    /// The number of its first request.
    id: u64,
    shutdown: Shutdown,
    /// What the log will say of the present exchange.
    record: Record,
    /// For all this; the buffers have their own.
    _charge: Charge,
}

/// Who goes on. What sleeps is done without the lock, and a step in between would not know of it.
enum Turn {
    /// Whoever takes a step.
    Anybody,
    /// The work item, which has this to do first.
    Left(Chore),
    /// The work item, which is doing something.
    Work,
}

/// To whom FIN is to be sent; the socket could not take it yet.
#[derive(Default)]
struct Shutdown {
    client: bool,
    upstream: bool,
}

impl Shutdown {
    fn is_wanted(&self) -> bool {
        self.client || self.upstream
    }
}

/// The way to the backend.
enum Hop {
    None,
    Connecting(Link),
    Up(Link),
}

impl_has_work! {
    impl HasWork<Self> for Client { self.work }
}

impl State {
    /// The socket reports here from now on.
    fn begin(&mut self, socket: Attached<Client>) {
        self.socket = Some(socket);
        self.exchange.begin(clock::now(), &self.config.settings);
    }

    /// A connection without its socket, made in its place: it is too large for the stack. The number is that
    /// of its first request.
    #[inline(never)] // Keeps its frame out of its caller's.
    fn new(engine: &Engine, peer: SocketAddr, id: u64, flags: Flags) -> Result<Spared<Self>> {
        let (config, account) = (engine.config(), engine.account());
        let charge = account.charge(Spares::SIZE)?;
        Spared::init(
            init!(Self {
                socket: None,
                is_errand: false,
                errand: None,
                turn: Turn::Anybody,
                exchange: Exchange::NEW,
                buffers <- account.buffers(),
                config,
                upstream: Hop::None,
                visit: Visit::new(),
                journey: Journey::default(),
                peer,
                id,
                shutdown: Shutdown::default(),
                record: Record::default(),
                _charge: charge,
            }),
            flags,
        )
    }
}

impl Client {
    /// Takes over an accepted connection. Process context.
    #[inline(never)] // Keeps its frame out of its caller's.
    pub(crate) fn start(
        engine: &Arc<Engine>,
        socket: Socket,
        peer: SocketAddr,
        seat: Seat,
    ) -> Result {
        let cpu = socket.incoming_cpu();
        let number = engine.number();
        let client = Self::new(engine.clone(), number, cpu, peer, Some(seat))?;
        engine.stats().count(Count::Open);
        engine.enter(cpu, number, client.clone())?;
        engine.stats().count(Count::Accepted);
        let attached = Attached::attach(socket, client.clone());
        if let Some(state) = client.connection.lock().state() {
            state.begin(attached);
        }
        // Octets may have come before the callbacks were in place.
        if cpu != engine.here() || engine.is_stopping() || client.step_softly() {
            client.engine.queue_on(cpu, client.as_arc_borrow());
        }
        Ok(())
    }

    /// A client without its socket.
    #[inline(never)] // Keeps its frame out of its caller's.
    fn new(
        engine: Arc<Engine>,
        number: u64,
        cpu: u32,
        peer: SocketAddr,
        seat: Option<Seat>,
    ) -> Result<Arc<Self>> {
        let charge = engine.account().admit(COST)?;
        let state = State::new(&engine, peer, number, GFP_KERNEL)?;
        Arc::pin_init(
            pin_init!(Self {
                engine,
                number,
                cpu,
                seat,
                due: Atomic::new(0),
                granted: Atomic::new(0),
                connection <- new_spinlock_bh!(Connection::Awake(state)),
                work <- new_work!("resin client"),
                job <- Job::new(),
                _charge: charge,
            }),
            GFP_KERNEL,
        )
    }

    /// Lets the job or the work item look after the connection. Any context.
    pub(crate) fn wake(self: &Arc<Self>) {
        wake(self.as_arc_borrow());
    }

    /// Gives it the place that it has waited for; what it was given before and has not taken comes
    /// back. Any context.
    pub(crate) fn grant(self: &Arc<Self>, ticket: Ticket) -> Option<Ticket> {
        let old = self.granted.xchg(ticket.into_number(), Full);
        self.wake();
        Ticket::of_number(old)
    }

    /// The number of the place that it was given, 0 for none.
    fn take_granted(&self) -> u64 {
        if self.granted.load(Relaxed) == 0 {
            return 0;
        }
        self.granted.xchg(0, Full)
    }

    /// Wakes it if its time is up. Any context.
    pub(crate) fn wake_if_due(self: &Arc<Self>, now: Instant) {
        if now.as_nanos() >= self.due.load(Relaxed) {
            self.wake();
        }
    }

    /// Lets a connection on which nothing may happen for long have the present configuration. It would keep
    /// the old one, and all backends of that. Process context.
    pub(crate) fn renew(&self, config: &Arc<Config>) {
        let mut connection = self.connection.lock();
        let old = match connection.state() {
            Some(state) if state.exchange.is_at_rest() => {
                core::mem::replace(&mut state.config, config.clone())
            }
            _ => return,
        };
        drop(connection);
        drop(old);
    }

    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    pub(crate) fn cpu(&self) -> u32 {
        self.cpu
    }

    /// Ends the connection; with RST if `abort`. Only in the work item.
    #[inline(never)] // Keeps its frame out of its caller's.
    fn close(&self, abort: bool) {
        let mut connection = self.connection.lock();
        let Some(state) = connection.state() else {
            return;
        };
        let mut socket = state.socket.take();
        if socket.is_none() && !core::mem::take(&mut state.is_errand) {
            // What is still in `start` would be lost: nobody would close its socket.
            return;
        }
        let errand = state.errand.take();
        let upstream = core::mem::replace(&mut state.upstream, Hop::None);
        state.visit.reset();
        let state = core::mem::replace(&mut *connection, Connection::Over);
        drop(connection);
        drop(state);
        // Both sleep. The work item holds a reference to `self` until it has returned.
        end(&mut socket, abort);
        upstream.abandon(true);
        if let Some(errand) = errand {
            self.send_out(errand);
        }
        self.engine.leave(self.cpu, self.number);
    }

    /// Begins to connect to the backend that was chosen. Only in the work item.
    #[inline(never)] // Keeps its frame out of its caller's.
    fn connect(self: &Arc<Self>, backend: Arc<Backend>) {
        self.engine.stats().count(Count::Connects);
        backend.connects.add(1);
        let link = Upstream::connect(&self.engine, backend.clone(), self.clone());
        let mut connection = self.connection.lock();
        // Whoever has a chore is awake.
        let Some(state) = connection.state() else {
            return;
        };
        match link {
            Ok(link) => state.upstream = Hop::Connecting(link),
            Err(error) => {
                state.upstream = Hop::None;
                backend.active.sub(1);
                let why = if is_our_fault(error) {
                    Refusal::NoMemory
                } else {
                    self.engine.stats().count(Count::ConnectFailures);
                    backend.failures.add(1);
                    Refusal::Unreachable
                };
                state.handle(clock::now(), Event::UpstreamRefused(why));
            }
        }
    }
}

impl Client {
    /// Writes the status of the gateway for the client. Only in the work item.
    #[inline(never)] // Keeps its frame out of its caller's.
    fn report(&self, format: Format) {
        let body = self.engine.report(format).ok();
        if let Some(state) = self.connection.lock().state() {
            state.answer(clock::now(), format, body.as_deref());
        }
    }
}

#[pinned_drop]
impl PinnedDrop for Client {
    fn drop(self: Pin<&mut Self>) {
        match self.seat {
            Some(_) => self.engine.stats().less(Count::Open),
            None => self.engine.end_errand(),
        }
    }
}

impl Hop {
    /// Closes the connection, if there is one; with RST if `abort`. Process context.
    #[inline(never)] // Keeps its frame out of its caller's.
    fn abandon(self, abort: bool) {
        let (Hop::Connecting(link) | Hop::Up(link)) = self else {
            return;
        };
        if abort {
            link.abort();
        }
        link.owner().backend().active.sub(1);
    }
}

impl Events for Client {
    fn on_event(this: ArcBorrow<'_, Self>, _: socket::Event) {
        wake(this);
    }
}

/// Closes a client's connection, with RST if `abort`. Process context.
#[inline(never)] // Keeps its frame out of its caller's.
fn end(socket: &mut Option<Attached<Client>>, abort: bool) {
    if let Some(socket) = socket.as_ref().filter(|_| abort) {
        socket.abort();
    }
    *socket = None;
}

/// Where a process has something to say of a socket it may own it, so that nothing could be done with
/// it in softirq: then it is up to the work item.
fn wake(client: ArcBorrow<'_, Client>) {
    if softirq::is_serving() && client.engine.works_softly() {
        client.engine.run_softly(client);
    } else {
        client.engine.queue_on(client.cpu, client);
    }
}

impl_has_job!(Client, job);

impl Softly for Client {
    fn run_softly(this: Arc<Self>) {
        if !this.engine.is_stopping() && this.step_softly() {
            this.engine.queue_on(this.cpu, this.as_arc_borrow());
        }
    }
}

impl WorkItem for Client {
    type Pointer = Arc<Self>;

    fn run(this: Arc<Self>) {
        for _ in 0..BUDGET {
            match this.step() {
                Chore::None => return,
                Chore::Again => return this.wake(),
                Chore::Connect(backend) => this.connect(backend),
                Chore::Report(format) => this.report(format),
                Chore::SendOut(errand) => this.send_out(errand),
                Chore::Close { hop, abort } => hop.abandon(abort),
                Chore::CloseClient { abort } => return this.close(abort),
                Chore::Abort(socket) => {
                    end(&mut Some(socket), true);
                    return this.engine.leave(this.cpu, this.number);
                }
            }
        }
        this.wake();
    }
}
