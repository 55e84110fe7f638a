// SPDX-License-Identifier: GPL-2.0

//! Runs the pure [`Cluster`]: whom requests go to, and who waits for a place.
//!
//! # Locking
//!
//! `state` is taken in a client's step, under the client's state lock, and in process context. No
//! other lock is taken under it. Who gets a place after a wait is told after it was let go of.

use kernel::alloc::KVec;
use kernel::prelude::*;
use kernel::sync::atomic::Atomic;
use kernel::sync::atomic::Relaxed;
use kernel::sync::Arc;

use crate::config;
use crate::config::Admin;
use crate::config::Settings;
use crate::lb;
use crate::lb::Ask;
use crate::lb::Balance;
use crate::lb::Choice;
use crate::lb::Claim;
use crate::lb::Cluster;
use crate::lb::Grant;
use crate::lb::Homes;
use crate::lb::Line;
use crate::lb::Member;
use crate::lb::Probed;
use crate::lb::Ring;
use crate::lb::Rules;
use crate::lb::Ticket;
use crate::lb::Tried;
use crate::lb::Verdict;
use crate::lb::View;
use crate::lb::Waiter;
use crate::rt::random;
use crate::rt::sync::new_spinlock_bh;
use crate::rt::sync::SpinLockBh;
use crate::server::backend::Backend;
use crate::server::engine::Srun;
use crate::slab::Key;
use crate::slab::Slot;
use crate::time::Duration;
use crate::time::Instant;

/// The most requests that wait for places.
const LINE: usize = 1024;

/// How late a change that only time brings may be noticed.
const PERIOD: Duration = Duration::from_millis(200);

/// Chooses backends.
#[pin_data]
pub(crate) struct Balancer {
    /// What stamps are made with, unless there is a setting for it.
    key: lb::SipKey,
    /// Who waits, so that nobody takes the lock for nothing.
    waiting: Atomic<usize>,
    #[pin]
    state: SpinLockBh<KBox<State>>,
}

struct State {
    cluster: KBox<Cluster>,
    line: Line<KVec<Slot<Waiter>>>,
    plan: Plan,
    /// When time has to be looked at again.
    next: Instant,
}

/// What is worked out when the backends are configured, so that choosing one costs little.
pub(crate) struct Plan {
    sruns: KVec<Srun>,
    ring: KVec<u32>,
    routes: KVec<(u64, u8)>,
    stamps: KVec<(u64, u8)>,
}

/// A place at a backend.
pub(crate) struct Place {
    pub(crate) backend: Arc<Backend>,
    pub(crate) ticket: Ticket,
    /// Whose number that was: see [`Tried`].
    pub(crate) era: u32,
}

/// What comes of asking for one.
pub(crate) enum Chosen {
    Place(Place),
    /// In the waiting line.
    Queued(Key),
    /// Nobody may be asked.
    Nobody,
}

/// What a request wants.
pub(crate) struct Wish {
    pub(crate) claim: Claim,
    /// The key for [`Balance::Hash`].
    pub(crate) key: u64,
    /// The backends that have failed it.
    pub(crate) tried: Tried,
    /// Which client it is, and the processor that looks after it.
    pub(crate) who: u64,
    pub(crate) cpu: u32,
    /// It may wait.
    pub(crate) waits: bool,
    /// A body follows.
    pub(crate) uploads: bool,
}

impl Balancer {
    /// No backends. Process context.
    pub(crate) fn new() -> Result<impl PinInit<Self>> {
        let key = lb::SipKey(random::number(), random::number());
        let state = State::new()?;
        Ok(pin_init!(Self {
            key,
            waiting: Atomic::new(0),
            state <- new_spinlock_bh!(state),
        }))
    }

    /// Works out what [`Self::configure`] needs. Process context.
    pub(crate) fn plan(&self, sruns: &[Srun], settings: &Settings) -> Result<Plan> {
        let mut plan = Plan {
            sruns: KVec::with_capacity(sruns.len(), GFP_KERNEL_ACCOUNT)?,
            ring: KVec::new(),
            routes: KVec::new(),
            stamps: KVec::new(),
        };
        let total = sruns.iter().fold(0, |sum: u32, srun| {
            sum.saturating_add(srun.config.weight.into())
        });
        let key = match settings.sticky_key.as_bytes() {
            [] => self.key,
            text => lb::SipKey::of_text(text),
        };
        for (slot, srun) in sruns.iter().enumerate() {
            plan.sruns.push(srun.clone(), GFP_KERNEL_ACCOUNT)?;
            plan.add(key, slot, srun, total)?;
        }
        Ok(plan)
    }

    /// Puts other backends and settings in force. Process context.
    pub(crate) fn configure(&self, now: Instant, plan: Plan, settings: &Settings) {
        let mut state = self.state.lock();
        state
            .cluster
            .set_rules(now, rules(settings), balance(settings));
        for slot in 0..lb::MAX_BACKENDS {
            let old = state.plan.sruns.get(slot).map(|srun| &srun.backend);
            let new = plan.sruns.get(slot);
            let same = old
                .zip(new)
                .is_some_and(|(old, new)| Arc::ptr_eq(old, &new.backend));
            let member = new.map(|srun| member(&srun.config));
            state.cluster.configure(now, slot, member, !same);
        }
        for (stamp, slot) in &plan.stamps {
            if let Some(srun) = plan.sruns.get(usize::from(*slot)) {
                srun.backend.set_stamp(*stamp);
            }
        }
        let old = core::mem::replace(&mut state.plan, plan);
        drop(state);
        drop(old);
    }

    /// Chooses a backend. Any context.
    pub(crate) fn choose(&self, now: Instant, wish: &Wish) -> Chosen {
        let mut state = self.state.lock();
        state.look_at_time(now);
        match state.choose(now, wish) {
            Choice::Go(ticket) => state.place(ticket).map_or(Chosen::Nobody, Chosen::Place),
            Choice::Wait(owner) if wish.waits => {
                let waiter = Waiter {
                    who: wish.who,
                    cpu: wish.cpu,
                    owner,
                    tried: wish.tried,
                    uploads: wish.uploads,
                };
                let key = state.line.join(waiter);
                self.waiting.store(state.line.len(), Relaxed);
                key.map_or(Chosen::Nobody, Chosen::Queued)
            }
            Choice::Wait(_) | Choice::Nobody => Chosen::Nobody,
        }
    }

    /// The place that a ticket is for, if the backend is still there. Any context.
    pub(crate) fn place(&self, ticket: Ticket) -> Option<Place> {
        self.state.lock().place(ticket)
    }

    /// Leaves the waiting line; false if somebody has given the client a place already. Any context.
    pub(crate) fn leave(&self, key: Key) -> bool {
        let mut state = self.state.lock();
        let left = state.line.leave(key);
        self.waiting.store(state.line.len(), Relaxed);
        left
    }

    /// The response head is here, so long after the request. Any context.
    pub(crate) fn answered(
        &self,
        now: Instant,
        ticket: &mut Ticket,
        after: Duration,
        verdict: Verdict,
    ) {
        let mut state = self.state.lock();
        state.cluster.answered(now, ticket, after, verdict);
    }

    /// The backend has all of the request. Any context.
    pub(crate) fn asked(&self, now: Instant, ticket: &mut Ticket) {
        self.state.lock().cluster.asked(now, ticket);
    }

    /// Gives a place back, and perhaps on to somebody who has waited, before anybody else can take
    /// it. [`Self::next_grant`] is to be called after it. Any context.
    pub(crate) fn finish(&self, now: Instant, ticket: Ticket, verdict: Verdict) -> Option<Grant> {
        let mut state = self.state.lock();
        state.cluster.finish(now, ticket, verdict);
        self.serve(&mut state, now)
    }

    /// A place for somebody who has waited: to be called, after every change, until there is none. Any
    /// context.
    pub(crate) fn next_grant(&self, now: Instant) -> Option<Grant> {
        if self.waiting.load(Relaxed) == 0 {
            return None;
        }
        self.serve(&mut self.state.lock(), now)
    }

    fn serve(&self, state: &mut State, now: Instant) -> Option<Grant> {
        let State { cluster, line, .. } = state;
        let grant = line.serve(now, cluster)?;
        self.waiting.store(line.len(), Relaxed);
        Some(grant)
    }

    /// A probe of a backend has come back. [`Self::next_grant`] is to be called after it. Any context.
    pub(crate) fn probed(&self, now: Instant, backend: &Arc<Backend>, probed: Probed) {
        let mut state = self.state.lock();
        let sruns = &state.plan.sruns;
        let slot = sruns
            .iter()
            .position(|srun| Arc::ptr_eq(&srun.backend, backend));
        if let Some(slot) = slot {
            state.cluster.probed(now, slot, probed);
        }
    }

    /// Time has passed. Process context.
    pub(crate) fn tick(&self, now: Instant) {
        self.state.lock().look_at_time(now);
    }

    /// What people see of backend `slot`, and how many wait for it alone. Process context.
    pub(crate) fn view(&self, slot: usize) -> Option<(View, u16)> {
        let state = self.state.lock();
        Some((state.cluster.view(slot)?, state.line.waiting_at(slot)))
    }

    /// How many wait for a place.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Relaxed)
    }
}

impl State {
    fn new() -> Result<KBox<Self>> {
        let mut places = KVec::with_capacity(LINE, GFP_KERNEL_ACCOUNT)?;
        for _ in 0..LINE {
            places.push(Slot::new(), GFP_KERNEL_ACCOUNT)?;
        }
        let state = Self {
            cluster: new_cluster()?,
            line: Line::new(places),
            plan: Plan {
                sruns: KVec::new(),
                ring: KVec::new(),
                routes: KVec::new(),
                stamps: KVec::new(),
            },
            next: Instant::from_nanos(0),
        };
        Ok(KBox::new(state, GFP_KERNEL_ACCOUNT)?)
    }

    fn look_at_time(&mut self, now: Instant) {
        if now < self.next {
            return;
        }
        self.next = now + PERIOD;
        let Self { cluster, plan, .. } = self;
        cluster.tick(now, |slot| {
            let srun = plan.sruns.get(slot);
            srun.map_or(Instant::from_nanos(0), |srun| srun.backend.heard())
        });
    }

    fn choose(&mut self, now: Instant, wish: &Wish) -> Choice {
        let homes = Homes {
            routes: &self.plan.routes,
            stamps: &self.plan.stamps,
            count: self.plan.sruns.len(),
        };
        let ask = Ask {
            owner: homes.owner(&wish.claim),
            key: wish.key,
            tried: wish.tried,
            random: match self.cluster.draws_lots() {
                true => random::number(),
                false => 0,
            },
            uploads: wish.uploads,
        };
        self.cluster.choose(now, &ask, Ring(&self.plan.ring))
    }

    fn place(&self, ticket: Ticket) -> Option<Place> {
        if !self.cluster.knows(&ticket) {
            return None;
        }
        let srun = self.plan.sruns.get(usize::from(ticket.slot))?;
        Some(Place {
            backend: srun.backend.clone(),
            ticket,
            era: self.cluster.era(),
        })
    }
}

impl Plan {
    /// Adds a backend of which there are `total` weights.
    fn add(&mut self, key: lb::SipKey, slot: usize, srun: &Srun, total: u32) -> Result {
        let name = srun.backend.authority();
        for number in 0..Ring::points(srun.config.weight, total) {
            let point = Ring::point(slot, name, number);
            insert(&mut self.ring, point)?;
        }
        // CAST: Less than 64.
        let number = slot as u8;
        let route = srun.config.route.as_bytes();
        if !route.is_empty() {
            insert(&mut self.routes, (lb::route(route), number))?;
        }
        insert(&mut self.stamps, (lb::stamp(key, name), number))
    }
}

/// Adds an element where it belongs. (The sorts of `core` can panic.)
fn insert<T: PartialOrd>(sorted: &mut KVec<T>, element: T) -> Result {
    sorted.reserve(1, GFP_KERNEL_ACCOUNT)?;
    let at = sorted.partition_point(|other| *other < element);
    sorted
        .insert_within_capacity(at, element)
        .map_err(|_| EINVAL)
}

fn new_cluster() -> Result<KBox<Cluster>> {
    Ok(KBox::new(Cluster::NEW, GFP_KERNEL_ACCOUNT)?)
}

fn member(config: &config::Backend) -> Member {
    Member {
        weight: config.weight,
        max: config.max,
        backup: config.backup,
        open: config.admin == Admin::Up,
        serves: config.admin != Admin::Down,
    }
}

fn rules(settings: &Settings) -> Rules {
    Rules {
        recover: settings.recover_time,
        warmup: settings.warmup_time,
        errors: settings.error_limit,
        pause: settings.pause_time,
        probes: !settings.health_interval.is_zero() && !settings.health_path.is_empty(),
    }
}

fn balance(settings: &Settings) -> Balance {
    match settings.balance {
        config::Balance::RoundRobin => Balance::RoundRobin,
        config::Balance::LeastConnections => Balance::LeastConnections,
        config::Balance::Latency => Balance::Latency,
        config::Balance::Path | config::Balance::Client => Balance::Hash,
    }
}
