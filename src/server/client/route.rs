// SPDX-License-Identifier: GPL-2.0

//! The way of a request to its backend.

use kernel::sync::Arc;

use super::step::Chore;
use super::Client;
use super::Hop;
use super::State;
use crate::config::Admin;
use crate::config::Balance;
use crate::exchange::Event;
use crate::exchange::Refusal;
use crate::lb::Session;
use crate::lb::SipKey;
use crate::lb::Ticket;
use crate::lb::Tried;
use crate::lb::Verdict;
use crate::server::backend::Backend;
use crate::server::balancer::Chosen;
use crate::server::balancer::Place;
use crate::server::balancer::Wish;
use crate::server::cache::Consulted;
use crate::server::cache::Desk;
use crate::server::cache::Waiter;
use crate::server::Engine;
use crate::slab::Key;
use crate::status::Count;
use crate::time::Instant;

/// How far the present request has come.
#[derive(Default)]
pub(super) struct Journey {
    /// Its place at a backend.
    place: Option<Place>,
    /// Its place in the waiting line.
    queued: Option<Key>,
    /// It wants a new connection.
    fresh: bool,
    /// The balancer is to hear when the backend has all of it, body and all.
    uploads: bool,
    /// The backends that have failed it.
    tried: Tried,
    /// The last of them, until another one has the request.
    failed: Option<Arc<Backend>>,
}

/// What paths, clients and sessions are hashed with: the same for all gateways, so that they agree.
const SPREAD: SipKey = SipKey(0x7265_7369_6e2d_6b65, 0x7973_2d61_6772_6565);

impl Client {
    /// Finds who answers: the cache, or a backend; one to connect to is returned.
    pub(super) fn route(
        self: &Arc<Self>,
        state: &mut State,
        fresh: bool,
        now: Instant,
    ) -> Option<Arc<Backend>> {
        let event = match state.consult(self) {
            Consulted::Origin => return self.choose(state, fresh, now),
            Consulted::Wait => return None,
            Consulted::Stored(ready) => {
                state.note_errand();
                Event::Stored(ready)
            }
            Consulted::Refused(why) => {
                // Without an answer to go on with, nobody asks behind the client's back.
                drop(state.visit.take_question());
                Event::UpstreamRefused(why)
            }
        };
        state.handle(now, event);
        None
    }

    /// Asks the cache once more if what the request has waited for is there, or will not come.
    pub(super) fn look_again(self: &Arc<Self>, state: &mut State, now: Instant) -> Option<Chore> {
        if !state.visit.is_over() {
            return None;
        }
        // The time for a connection begins anew.
        state.handle(now, Event::UpstreamChosen);
        if !state.exchange.is_routing() {
            return None;
        }
        self.route(state, false, now).map(Chore::Connect)
    }

    /// Chooses a backend, and takes an idle connection to it; one to connect to is returned.
    #[inline(never)] // Keeps its frame out of its caller's.
    fn choose(
        self: &Arc<Self>,
        state: &mut State,
        fresh: bool,
        now: Instant,
    ) -> Option<Arc<Backend>> {
        let wish = state.wish(self.number, self.cpu);
        match self.engine.balancer().choose(now, &wish) {
            Chosen::Place(place) => self.go(state, place, fresh, now),
            Chosen::Queued(key) => {
                state.journey.queued = Some(key);
                state.journey.fresh = fresh;
                state.handle(now, Event::UpstreamQueued);
                None
            }
            Chosen::Nobody => {
                state.handle(now, Event::UpstreamRefused(Refusal::NoBackend));
                None
            }
        }
    }

    /// Takes the place that somebody has given it, if so: the request goes there, or, if it does not
    /// wait any more, the place goes to the next one.
    #[inline(never)] // Keeps its frame out of its caller's.
    pub(super) fn take_grant(self: &Arc<Self>, state: &mut State, now: Instant) -> Option<Chore> {
        let ticket = Ticket::of_number(self.take_granted())?;
        let balancer = self.engine.balancer();
        let Some(key) = state.journey.queued.take() else {
            self.engine.give_back(now, ticket, Verdict::None);
            return None;
        };
        if balancer.leave(key) {
            // It was for the request before, and came too late for that: this one waits on.
            let again = self.route_anew(state, ticket, now);
            return again.map(Chore::Connect);
        }
        let fresh = state.journey.fresh;
        let Some(place) = balancer.place(ticket) else {
            // That backend is configured no more.
            state.handle(now, Event::UpstreamChosen);
            return self.choose(state, fresh, now).map(Chore::Connect);
        };
        state.handle(now, Event::UpstreamChosen);
        self.go(state, place, fresh, now).map(Chore::Connect)
    }

    /// Gives a place back that was meant for another request, and asks for one of its own.
    fn route_anew(
        self: &Arc<Self>,
        state: &mut State,
        ticket: Ticket,
        now: Instant,
    ) -> Option<Arc<Backend>> {
        self.engine.give_back(now, ticket, Verdict::None);
        let fresh = state.journey.fresh;
        // It is out of the line; if it has to wait again, it hears that.
        state.handle(now, Event::UpstreamChosen);
        self.choose(state, fresh, now)
    }

    /// Goes to the backend at which there is a place.
    fn go(
        self: &Arc<Self>,
        state: &mut State,
        place: Place,
        fresh: bool,
        now: Instant,
    ) -> Option<Arc<Backend>> {
        let backend = place.backend.clone();
        state.record.routed(place.ticket.slot);
        state.journey.note_retry(&backend);
        state.journey.place = Some(place);
        state.journey.uploads = state.exchange.has_body();
        backend.active.add(1);
        backend.requests.add(1);
        let Some(link) = (if fresh { None } else { backend.take() }) else {
            return Some(backend);
        };
        link.owner().serve(self.clone());
        self.engine.stats().count(Count::Reuses);
        backend.reuses.add(1);
        state.upstream = Hop::Up(link);
        state.handle(now, Event::UpstreamReady { reused: true });
        None
    }
}

impl State {
    /// What the cache says to the present request.
    #[inline(never)] // Keeps its frame out of its caller's.
    fn consult(&mut self, client: &Client) -> Consulted {
        let Some(cache) = &self.config.store else {
            return Consulted::Origin;
        };
        let Some(asked) = self.exchange.asked(&self.buffers.request) else {
            return Consulted::Origin;
        };
        let desk = Desk {
            engine: &client.engine,
            config: &self.config,
            cache,
            client: self.peer.ip(),
            waiter: Waiter {
                cpu: client.cpu,
                who: client.number,
            },
        };
        self.visit
            .consult(&desk, asked, &mut self.buffers.to_client)
    }

    /// What the present request wants of the balancer.
    fn wish(&mut self, who: u64, cpu: u32) -> Wish {
        let settings = &self.config.settings;
        let alone = match &self.config.sruns[..] {
            [] => true,
            [only] => only.config.admin == Admin::Up,
            _ => false,
        };
        let session = if settings.sticky && !(alone && settings.sticky_cookie.is_empty()) {
            self.exchange.session(&self.buffers, settings)
        } else {
            Session::default()
        };
        let key = match (session.name, session.stamp, settings.balance) {
            (Some(name), _, _) => SPREAD.hash(name),
            (None, Some(stamp), _) => SPREAD.hash(&stamp.to_ne_bytes()),
            (None, None, Balance::Path) => SPREAD.hash(self.exchange.path(&self.buffers)),
            (None, None, Balance::Client) => hash_client(self.peer.ip()),
            _ => 0,
        };
        Wish {
            claim: session.claim(),
            key,
            tried: self.journey.tried,
            who,
            cpu,
            // Nobody waits for an errand: it does not take a place in the line from those who do.
            waits: !settings.queue_timeout.is_zero() && !self.is_errand,
            uploads: self.exchange.has_body(),
        }
    }

    /// The request leaves its place, in the line or at the backend, of which the exchange says this.
    pub(super) fn leave_place(&mut self, engine: &Engine, now: Instant) {
        if let Some(key) = self.journey.queued.take() {
            engine.balancer().leave(key);
        }
        self.note_answer(engine, now);
        let Some(place) = self.journey.place.take() else {
            return;
        };
        let verdict = self.exchange.verdict();
        if matches!(verdict, Verdict::Error | Verdict::Refused) {
            let slot = place.ticket.slot.into();
            self.journey.tried.add(slot, place.era);
            self.journey.failed = Some(place.backend);
        }
        engine.give_back(now, place.ticket, verdict);
    }

    /// Lets the balancer know how long the answer took, once it is there.
    pub(super) fn note_answer(&mut self, engine: &Engine, now: Instant) {
        let Some(place) = &mut self.journey.place else {
            return;
        };
        if let Some(version) = self.exchange.take_spoken() {
            place.backend.set_version(version);
        }
        if let Some(span) = self.exchange.take_answered_in() {
            place.backend.responding.add(span);
            let verdict = self.exchange.judge_backend();
            engine
                .balancer()
                .answered(now, &mut place.ticket, span, verdict);
        }
    }

    /// Lets the balancer know, once, that the backend has all of a request with a body.
    pub(super) fn note_asked(&mut self, engine: &Engine, now: Instant) {
        if !self.journey.uploads || !self.exchange.is_asked(&self.buffers) {
            return;
        }
        self.journey.uploads = false;
        if let Some(place) = &mut self.journey.place {
            engine.balancer().asked(now, &mut place.ticket);
        }
    }

    /// The exchange is over: the next one may try all backends.
    pub(super) fn forget_tries(&mut self) {
        self.journey.tried = Tried::NONE;
        self.journey.failed = None;
    }
}

impl Journey {
    /// Whether the request has no place anywhere, and waits for none.
    pub(super) fn is_over(&self) -> bool {
        self.place.is_none() && self.queued.is_none()
    }

    /// The request is given to this backend: if that is because another one has failed it, that is
    /// counted there.
    fn note_retry(&mut self, backend: &Arc<Backend>) {
        match self.failed.take() {
            Some(failed) if !Arc::ptr_eq(&failed, backend) => failed.retries.add(1),
            _ => {}
        }
    }
}

/// One address, one key; the two forms of an IPv4 address are one.
fn hash_client(ip: core::net::IpAddr) -> u64 {
    match ip.to_canonical() {
        core::net::IpAddr::V4(ip) => SPREAD.hash(&ip.octets()),
        core::net::IpAddr::V6(ip) => SPREAD.hash(&ip.octets()),
    }
}
