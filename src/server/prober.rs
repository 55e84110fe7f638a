// SPDX-License-Identifier: GPL-2.0

//! Asks each backend, every so often, how it is: the settings `health-interval`, `health-timeout`,
//! `health-path` and `health-status`.
//!
//! The sweep begins the probes and ends those that take too long; what their sockets report is looked
//! at in a work item.
//!
//! # Locking
//!
//! `rounds` is held while probes are begun, looked after and closed. Under it are taken, one at a
//! time: the sockets' locks, the balancer, the engine's leaf locks. The callbacks take no lock: they
//! queue the work item.

use core::net::Ipv4Addr;
use core::net::SocketAddr;
use kernel::alloc::KVec;
use kernel::new_mutex;
use kernel::prelude::*;
use kernel::sync::Arc;
use kernel::sync::ArcBorrow;
use kernel::sync::Mutex;
use kernel::workqueue::impl_has_work;
use kernel::workqueue::new_work;
use kernel::workqueue::Work;
use kernel::workqueue::WorkItem;

use crate::bytes::Writer;
use crate::config::Admin;
use crate::config::Settings;
use crate::exchange::limits;
use crate::lb::Probed;
use crate::probe;
use crate::probe::Reply;
use crate::rt::clock;
use crate::rt::random;
use crate::rt::socket::Attached;
use crate::rt::socket::Event;
use crate::rt::socket::Events;
use crate::rt::socket::Io;
use crate::rt::socket::Socket;
use crate::rt::socket::State;
use crate::server::backend::Backend;
use crate::server::engine::Config;
use crate::server::memory;
use crate::server::memory::Charge;
use crate::server::upstream::is_our_fault;
use crate::server::Engine;
use crate::time::Duration;
use crate::time::Instant;

/// The probes of one engine.
#[pin_data]
pub(crate) struct Prober {
    engine: Arc<Engine>,
    /// None when it has stopped: then nobody would close what is put there.
    #[pin]
    rounds: Mutex<Option<KVec<Round>>>,
    #[pin]
    work: Work<Prober>,
}

impl_has_work! {
    impl HasWork<Self> for Prober { self.work }
}

/// A backend that is asked time and again.
struct Round {
    backend: Arc<Backend>,
    next: Instant,
    probe: Option<Probe>,
    /// No connection could be begun.
    refused: bool,
}

/// One question, on a connection of its own. Dropped in process context, which closes it.
struct Probe {
    link: Attached<Prober>,
    end: Instant,
    is_connected: bool,
    /// Those of when it began.
    settings: Arc<Settings>,
    talk: KBox<Talk>,
}

/// What is said on it.
struct Talk {
    request: KVec<u8>,
    /// Octets of `request`: how many there are to send, and how many were sent.
    len: usize,
    sent: usize,
    answer: KVec<u8>,
    /// Octets of `answer`.
    received: usize,
    reply: Reply,
    /// For the socket and `answer`.
    _charge: Charge,
}

impl Prober {
    /// No probes. Process context.
    pub(crate) fn new(engine: Arc<Engine>) -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Self {
                engine,
                rounds <- new_mutex!(Some(KVec::new()), "resin probes"),
                work <- new_work!("resin probes"),
            }),
            GFP_KERNEL_ACCOUNT,
        )
    }

    /// Ends all probes, and begins no more. Process context.
    pub(crate) fn stop(&self) {
        let rounds = self.rounds.lock().take();
        drop(rounds);
    }

    /// Begins the probes that are due, and looks after all others. Returns whether there is a need to
    /// do so again before long. Process context.
    pub(crate) fn sweep(self: &Arc<Self>) -> bool {
        self.look(true)
    }

    /// Looks after the probes under way. Only the sweep begins others, for one that ends must not be
    /// what the next one waits for: short intervals would take all ports.
    fn look(self: &Arc<Self>, begins: bool) -> bool {
        let mut rounds = self.rounds.lock();
        let Some(rounds) = &mut *rounds else {
            return false;
        };
        // Under the lock: no look comes after one that has seen a newer configuration.
        let config = self.engine.config();
        let now = clock::now();
        let wanted = follow(rounds, &config, now);
        for round in rounds.iter_mut() {
            if begins {
                round.begin(self, &config.settings, now);
            }
            if let Some(probed) = round.look(now) {
                let balancer = self.engine.balancer();
                balancer.probed(now, &round.backend, probed);
                self.engine.hand_out(now);
            }
        }
        wanted
    }
}

/// Has a round for each backend that is in use, and for no other. Returns whether there is to be one.
fn follow(rounds: &mut KVec<Round>, config: &Config, now: Instant) -> bool {
    let interval = config.settings.health_interval;
    let mut wanted = config
        .sruns
        .iter()
        .filter(|srun| !interval.is_zero() && srun.config.admin != Admin::Down);
    let any = wanted.clone().next().is_some();
    let among = |backend: &Arc<Backend>| {
        let mut wanted = wanted.clone();
        wanted.any(|srun| Arc::ptr_eq(&srun.backend, backend))
    };
    rounds.retain(|round| among(&round.backend));
    let known = |rounds: &KVec<Round>, backend| {
        let mut rounds = rounds.iter();
        rounds.any(|round| Arc::ptr_eq(&round.backend, backend))
    };
    while let Some(srun) = wanted.find(|srun| !known(rounds, &srun.backend)) {
        if Round::add(rounds, &srun.backend, now).is_err() {
            // The sweep comes again.
            break;
        }
    }
    // It may have been longer until now.
    let latest = now + interval;
    rounds
        .iter_mut()
        .for_each(|round| round.next = round.next.min(latest));
    any
}

impl Round {
    /// Has one more backend asked, from now on.
    fn add(rounds: &mut KVec<Round>, backend: &Arc<Backend>, now: Instant) -> Result {
        let round = Round {
            backend: backend.clone(),
            next: now,
            probe: None,
            refused: false,
        };
        Ok(rounds.push(round, GFP_KERNEL_ACCOUNT)?)
    }

    /// Begins a probe if it is time.
    fn begin(&mut self, prober: &Arc<Prober>, settings: &Arc<Settings>, now: Instant) {
        if self.probe.is_some() || now < self.next {
            return;
        }
        self.next = now + apart(settings.health_interval);
        match Probe::begin(prober, &self.backend, settings, now) {
            Ok(probe) => self.probe = Some(probe),
            // Says nothing of the backend.
            Err(error) if is_our_fault(error) => {}
            Err(_) => self.refused = true,
        }
    }

    /// Does what can be done now, without waiting: what has come out, if it has.
    #[inline(never)] // Keeps its frame out of its caller's.
    fn look(&mut self, now: Instant) -> Option<Probed> {
        if core::mem::take(&mut self.refused) {
            return self.end(Probed::Bad);
        }
        let probe = self.probe.as_mut()?;
        let probed = probe.step(&self.backend, now)?;
        self.end(probed)
    }

    /// The probe is over.
    fn end(&mut self, probed: Probed) -> Option<Probed> {
        self.probe = None;
        self.backend.probes.add(1);
        if matches!(probed, Probed::Bad | Probed::Silent) {
            self.backend.probe_failures.add(1);
        }
        Some(probed)
    }
}

/// The time to the next probe: up to an eighth less, so that the gateways of one backend do not march
/// in step.
fn apart(interval: Duration) -> Duration {
    let most = (interval.as_nanos() / 8).max(1);
    let less = random::number().checked_rem(most).unwrap_or(0);
    interval.saturating_sub(Duration::from_nanos(less))
}

fn connect(prober: &Arc<Prober>, addr: SocketAddr) -> Result<Attached<Prober>> {
    let socket = Socket::outgoing(prober.engine.net(), addr.is_ipv6())?;
    let link = Attached::attach(socket, prober.clone());
    link.connect(addr)?;
    Ok(link)
}

impl Probe {
    /// Begins to connect. Process context.
    fn begin(
        prober: &Arc<Prober>,
        backend: &Backend,
        settings: &Arc<Settings>,
        now: Instant,
    ) -> Result<Self> {
        let talk = Talk::new(&prober.engine, backend, settings)?;
        Ok(Self {
            link: connect(prober, backend.addr())?,
            end: now + settings.health_timeout,
            is_connected: false,
            settings: settings.clone(),
            talk,
        })
    }

    /// Goes on: what has come out, if it has.
    fn step(&mut self, backend: &Backend, now: Instant) -> Option<Probed> {
        let late = if self.is_connected {
            Probed::Silent
        } else {
            Probed::Bad
        };
        let probed = self.advance(backend);
        probed.or_else(|| (now >= self.end).then_some(late))
    }

    fn advance(&mut self, backend: &Backend) -> Option<Probed> {
        if !self.is_connected {
            match self.link.state() {
                State::Connecting => return None,
                State::Closed => return Some(Probed::Bad),
                State::Established | State::HalfClosed => self.is_connected = true,
            }
            if self.talk.request.is_empty() {
                // That it accepts is all that was asked for.
                return Some(Probed::Accepts);
            }
            let local = self.link.local();
            self.talk.ask(backend, &self.settings, local)?;
        }
        match self.talk.send(&self.link) {
            Ok(true) => self.talk.recv(&self.link, &self.settings),
            Ok(false) => None,
            Err(_) => Some(Probed::Bad),
        }
    }
}

impl Talk {
    /// Room for the question and for the answer; none if there is no question.
    fn new(engine: &Engine, backend: &Backend, settings: &Settings) -> Result<KBox<Self>> {
        let (asked, answered) = match settings.health_path.as_bytes() {
            b"" => (0, 0),
            path => {
                let room = probe::room(path, backend.authority());
                (room, settings.head_size.max(room))
            }
        };
        let held = memory::SOCKET.saturating_add(answered);
        let talk = Self {
            request: KVec::from_elem(0, asked, GFP_KERNEL)?,
            len: 0,
            sent: 0,
            answer: KVec::from_elem(0, answered, GFP_KERNEL)?,
            received: 0,
            reply: Reply::new(backend.protocol()),
            _charge: engine.account().admit(held)?,
        };
        Ok(KBox::new(talk, GFP_KERNEL)?)
    }

    /// Writes the request, as from this address.
    fn ask(
        &mut self,
        backend: &Backend,
        settings: &Settings,
        client: Option<SocketAddr>,
    ) -> Option<()> {
        let nobody = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        let client = client.unwrap_or(nobody);
        let names = (settings.health_path.as_bytes(), backend.authority());
        let mut out = Writer::new(&mut self.request);
        let scratch = &mut self.answer;
        probe::write_request(backend.protocol(), names, client, scratch, &mut out).ok()?;
        self.len = out.len();
        Some(())
    }

    /// Sends on; true once all is sent.
    fn send(&mut self, link: &Attached<Prober>) -> Result<bool> {
        let rest = self.request.get(self.sent..self.len).unwrap_or(&[]);
        if rest.is_empty() {
            return Ok(true);
        }
        if let Io::Done(octets) = link.send([rest, b"", b""], false)? {
            self.sent = self.sent.saturating_add(octets);
        }
        Ok(self.sent >= self.len)
    }

    /// Reads what has come.
    fn recv(&mut self, link: &Attached<Prober>, settings: &Settings) -> Option<Probed> {
        loop {
            let room = self.answer.get_mut(self.received..).unwrap_or(&mut []);
            match link.recv(room) {
                Ok(Io::Done(octets)) => self.received = self.received.saturating_add(octets),
                Ok(Io::Wait | Io::Retry) => return None,
                // No more room is an error too.
                Ok(Io::Eof) | Err(_) => return Some(Probed::Bad),
            }
            let answer = self.answer.get(..self.received).unwrap_or(&[]);
            match self.reply.read(answer, &limits(settings)) {
                Ok(None) => {}
                Ok(Some(status)) if settings.health_status.contains(status.code()) => {
                    return Some(Probed::Good);
                }
                Ok(Some(_)) | Err(_) => return Some(Probed::Bad),
            }
        }
    }
}

impl Events for Prober {
    fn on_event(this: ArcBorrow<'_, Self>, _: Event) {
        this.engine.queue_here(this);
    }
}

impl WorkItem for Prober {
    type Pointer = Arc<Self>;

    fn run(this: Arc<Self>) {
        this.look(false);
    }
}
