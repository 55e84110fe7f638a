// SPDX-License-Identifier: GPL-2.0

//! One client's connection: does what `src/server/client` does, with octets in hand for sockets.

use kernel::alloc::KVec;
use kernel::prelude::*;
use kernel::sync::Arc;
use kernel::trial::{self, Step};

use crate::bytes::Buffer;
use crate::config::Protocol;
use crate::exchange::{Action, Buffers, Ends, Event, Exchange, Io, Outcome, Refusal, Store};
use crate::http::Version;
use crate::rt::clock;
use crate::rt::pages::Runs;
use crate::server::cache::{Consulted, Desk, Look, Octets, Question, Visit, Waiter};
use crate::server::engine::Config;
use crate::server::Engine;
use crate::time::{Instant, UnixTime};

/// Rounds of one step.
const BUDGET: u32 = 16;

/// A connection to the origin.
#[derive(Default)]
pub(crate) struct Conn {
    /// What the origin got.
    pub(crate) requested: Vec<u8>,
    /// What it has sent and nobody has read.
    pub(crate) coming: Vec<u8>,
    /// It sends nothing more: FIN.
    pub(crate) ended: bool,
    /// It is gone: RST.
    pub(crate) lost: bool,
}

pub(crate) enum Hop {
    None,
    Origin(Conn),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Moves {
    Some,
    None,
    Later,
}

pub(crate) struct Client {
    number: u64,
    engine: Arc<Engine>,
    pub(crate) config: Arc<Config>,
    exchange: Exchange,
    buffers: Buffers<Memory>,
    pub(crate) upstream: Hop,
    visit: Visit,
    /// What it has sent, and nobody has read.
    pub(crate) inbox: Vec<u8>,
    pub(crate) ended: bool,
    pub(crate) lost: bool,
    /// What it got, and how much more it takes now.
    pub(crate) outbox: Vec<u8>,
    pub(crate) window: usize,
    /// The connection is closed, with RST if that is true.
    pub(crate) closed: Option<bool>,
    /// When it is to be woken at the latest.
    pub(crate) due: Instant,
    /// No backend can be reached; and that was said for this request.
    pub(crate) is_down: bool,
    refused: bool,
    /// How exchanges ended, and what the cache said of them.
    pub(crate) outcomes: Vec<(Outcome, &'static str)>,
    /// How often the origin was asked.
    pub(crate) connects: usize,
}

impl Client {
    pub(crate) fn new(number: u64, engine: Arc<Engine>, config: Arc<Config>) -> Self {
        let mut exchange = Exchange::NEW;
        exchange.begin(clock::boot_now(), &config.settings);
        Self {
            number,
            engine,
            config,
            exchange,
            buffers: Buffers::default(),
            upstream: Hop::None,
            visit: Visit::new(),
            inbox: Vec::new(),
            ended: false,
            lost: false,
            outbox: Vec::new(),
            window: usize::MAX,
            closed: None,
            due: Instant::MAX,
            is_down: false,
            refused: false,
            outcomes: Vec::new(),
            connects: 0,
        }
    }

    /// One without a connection, for a request that somebody else has made.
    pub(crate) fn errand(
        number: u64,
        engine: Arc<Engine>,
        config: Arc<Config>,
        (question, head): (Question, Vec<u8>),
    ) -> Self {
        let mut client = Self::new(number, engine, config);
        client.visit.ask(question);
        client.exchange.begin_alone();
        let request = &mut client.buffers.request;
        if request.store_mut().reserve(head.len()) {
            request.append(|out| out.put(&head)).unwrap();
            client.handle(clock::boot_now(), Event::ClientData);
        } else {
            client.close(true);
        }
        client
    }

    pub(crate) fn origin(&mut self) -> Option<&mut Conn> {
        match &mut self.upstream {
            Hop::Origin(conn) => Some(conn),
            _ => None,
        }
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.exchange.is_idle()
    }

    /// The client has gone, and what is under way goes on.
    pub(crate) fn is_without_client(&self) -> bool {
        self.closed.is_none() && self.exchange.is_without_client()
    }

    pub(crate) fn phase(&self) -> crate::exchange::Phase {
        self.exchange.phase()
    }

    /// As the work item runs; false if there is more to do at once.
    pub(crate) fn run(&mut self) {
        let _step = Step::new();
        for _ in 0..10_000 {
            if self.closed.is_some() || self.step() {
                return self.rest();
            }
        }
        panic!("it never comes to rest");
    }

    /// As the sweep does, but only after every other request.
    fn rest(&mut self) {
        let ends = Acked {
            client: self.outbox.len() as u64,
            upstream: 0,
        };
        let is_alone = matches!(self.upstream, Hop::None) && self.visit.is_idle();
        let is_turn = self.outcomes.len() % 2 == 1;
        if let (true, true, Some(rest)) =
            (is_alone, is_turn, self.exchange.rest(&self.buffers, &ends))
        {
            self.exchange = Exchange::NEW;
            self.exchange.resume(rest);
            self.visit = Visit::new();
            self.buffers = Buffers::default();
        }
    }

    fn step(&mut self) -> bool {
        let now = clock::boot_now();
        if self.visit.is_over() {
            self.handle(now, Event::UpstreamChosen);
            self.route(now);
        }
        if self.exchange.wants_tick(now) {
            self.handle(now, Event::Tick);
        }
        for _ in 0..BUDGET {
            if self.act(now) {
                return false;
            }
            let moves = self.transfer(now);
            if !moves.contains(&Moves::Some) && !self.exchange.is_pending() {
                let later = moves.contains(&Moves::Later);
                self.due = if later { now } else { self.exchange.deadline() };
                return true;
            }
        }
        false
    }

    /// True if the connection is over.
    fn act(&mut self, now: Instant) -> bool {
        self.exchange.take_switched();
        let mut is_finished = false;
        while let Some(action) = self.exchange.poll() {
            match action {
                Action::Release { .. } => {
                    self.visit.leave();
                    self.upstream = Hop::None;
                }
                Action::Finish(outcome) => {
                    self.outcomes.push((outcome, self.visit.word()));
                    self.visit = Visit::new();
                    self.refused = false;
                    is_finished = true;
                }
                Action::Connect { .. } => self.route(now),
                Action::CloseClient { abort } => {
                    self.close(abort);
                    return true;
                }
                Action::Report(_) => panic!("nobody asks for that"),
                Action::Reset(_) | Action::ShutdownClient | Action::ShutdownUpstream => {}
            }
        }
        if is_finished {
            self.handle(now, Event::Tick);
        }
        false
    }

    pub(crate) fn close(&mut self, abort: bool) {
        self.closed = Some(abort);
        self.upstream = Hop::None;
        self.visit = Visit::new();
        self.buffers.release();
        self.due = Instant::MAX;
    }

    fn route(&mut self, now: Instant) {
        let event = match self.consult() {
            Consulted::Origin => return self.choose(now),
            Consulted::Wait => return,
            Consulted::Stored(ready) => Event::Stored(ready),
            Consulted::Refused(why) => Event::UpstreamRefused(why),
        };
        self.handle(now, event);
    }

    fn choose(&mut self, now: Instant) {
        let event = match (self.is_down, self.refused) {
            (_, true) => Event::UpstreamRefused(Refusal::NoBackend),
            (true, false) => {
                self.refused = true;
                Event::UpstreamRefused(Refusal::Unreachable)
            }
            (false, false) => {
                self.connects += 1;
                self.upstream = Hop::Origin(Conn::default());
                Event::UpstreamReady { reused: false }
            }
        };
        self.handle(now, event);
    }

    fn consult(&mut self) -> Consulted {
        let Some(cache) = &self.config.store else {
            return Consulted::Origin;
        };
        let Some(asked) = self.exchange.asked(&self.buffers.request) else {
            return Consulted::Origin;
        };
        let desk = Desk {
            engine: &self.engine,
            config: &self.config,
            cache,
            client: [192, 0, 2, 1].into(),
            waiter: Waiter {
                cpu: 0,
                who: self.number,
            },
        };
        let consulted = self
            .visit
            .consult(&desk, asked, &mut self.buffers.to_client);
        if let Some(question) = self.visit.take_question() {
            let (head, octets) = asked;
            self.engine.note_errand(question, &octets[..head.len]);
        }
        consulted
    }

    fn with<R>(&mut self, act: impl FnOnce(&mut Exchange, &mut Io<'_, Memory>) -> R) -> R {
        let taken = match &self.upstream {
            Hop::Origin(conn) => conn.requested.len() as u64,
            Hop::None => 0,
        };
        let (tap, conditions) = self.visit.look_on();
        let ends = Acked {
            client: self.outbox.len() as u64,
            upstream: taken,
        };
        let mut io = Io {
            buffers: &mut self.buffers,
            settings: &self.config.settings,
            client: ([192, 0, 2, 1], 4711).into(),
            name: self.config.name(),
            id: 0,
            ends: &ends,
            conditions,
            tap,
        };
        act(&mut self.exchange, &mut io)
    }

    pub(crate) fn handle(&mut self, now: Instant, event: Event) {
        self.with(|exchange, io| exchange.handle(now, event, io));
    }

    fn transfer(&mut self, now: Instant) -> [Moves; 4] {
        [
            self.send_client(now),
            self.recv_upstream(now),
            self.send_upstream(now),
            self.recv_client(now),
        ]
    }

    fn send_client(&mut self, now: Instant) -> Moves {
        let mut parts = self.exchange.client_output(&self.buffers, b"").concat();
        let mut is_short = false;
        if let Some((position, wanted @ 1..)) = self.exchange.missed() {
            let kept = kept(self.visit.kept(position), wanted);
            is_short = kept.is_empty() && parts.is_empty();
            parts.extend(kept);
        }
        let is_noticed = self.exchange.reads_client() || self.exchange.is_without_client();
        if self.lost && !(parts.is_empty() && is_noticed) {
            self.handle(now, Event::ClientLost);
            return Moves::Some;
        }
        if is_short {
            return Moves::Later;
        }
        let taken = parts.len().min(self.window);
        if taken == 0 {
            let is_blocked = !parts.is_empty();
            let goes_on = is_blocked && self.with(|exchange, io| exchange.client_waits(now, io));
            return if goes_on { Moves::Some } else { Moves::None };
        }
        self.outbox.extend_from_slice(&parts[..taken]);
        self.window -= taken;
        if self.window > usize::MAX / 2 {
            self.window = usize::MAX;
        }
        self.with(|exchange, io| exchange.client_took(now, taken, io));
        Moves::Some
    }

    fn send_upstream(&mut self, now: Instant) -> Moves {
        let parts = self.exchange.upstream_output(&self.buffers).concat();
        if parts.is_empty() {
            return Moves::None;
        }
        match &mut self.upstream {
            Hop::Origin(conn) => conn.requested.extend_from_slice(&parts),
            Hop::None => return Moves::None,
        }
        self.with(|exchange, io| exchange.upstream_took(now, parts.len(), io));
        Moves::Some
    }

    fn recv_upstream(&mut self, now: Instant) -> Moves {
        if let Hop::None = self.upstream {
            return self.look_further(now);
        }
        if !self.exchange.reads_upstream(&self.buffers) {
            return Moves::None;
        }
        match &mut self.upstream {
            Hop::Origin(conn) if conn.coming.is_empty() && !conn.ended && !conn.lost => {
                return Moves::None;
            }
            _ => {}
        }
        if self.pass(now) {
            return Moves::Some;
        }
        let Some(room) = self.exchange.upstream_room(&mut self.buffers) else {
            return Moves::Later;
        };
        let event = match &mut self.upstream {
            Hop::Origin(conn) if conn.coming.is_empty() && conn.lost => Event::UpstreamLost,
            Hop::Origin(conn) if conn.coming.is_empty() => Event::UpstreamEof,
            Hop::Origin(conn) => {
                let count = room.len().min(conn.coming.len());
                room[..count].copy_from_slice(&conn.coming[..count]);
                conn.coming.drain(..count);
                self.buffers.response.advance(count);
                Event::UpstreamData
            }
            Hop::None => return Moves::None,
        };
        self.handle(now, event);
        Moves::Some
    }

    /// Octets that nobody stores go on as they are, if the client takes some.
    fn pass(&mut self, now: Instant) -> bool {
        let (Some(left), Hop::Origin(conn), false) = (
            self.exchange.passes(&self.buffers),
            &mut self.upstream,
            self.visit.keeps(),
        ) else {
            return false;
        };
        let most = usize::try_from(left).unwrap_or(usize::MAX);
        let count = conn.coming.len().min(most).min(self.window);
        if count == 0 || self.lost {
            return false;
        }
        self.outbox.extend(conn.coming.drain(..count));
        self.window -= count;
        if self.window > usize::MAX / 2 {
            self.window = usize::MAX;
        }
        self.with(|exchange, io| exchange.passed(now, count as u64, io));
        true
    }

    fn look_further(&mut self, now: Instant) -> Moves {
        let Some(known) = self.exchange.awaits_stored() else {
            return Moves::None;
        };
        let event = match self.visit.look_further(known) {
            Look::Here(here) => Event::StoredGrew(here),
            Look::Wait => return Moves::None,
            Look::Later => return Moves::Later,
            Look::Lost => Event::UpstreamLost,
        };
        self.handle(now, event);
        Moves::Some
    }

    fn recv_client(&mut self, now: Instant) -> Moves {
        let is_gone = self.ended || self.lost;
        if !self.exchange.reads_client() || (self.inbox.is_empty() && !is_gone) {
            return Moves::None;
        }
        let Some(room) = self.exchange.client_room(&mut self.buffers) else {
            return Moves::Later;
        };
        if room.is_empty() {
            return Moves::None;
        }
        let event = if self.lost {
            Event::ClientLost
        } else if self.inbox.is_empty() {
            Event::ClientEof
        } else {
            let count = room.len().min(self.inbox.len());
            room[..count].copy_from_slice(&self.inbox[..count]);
            self.inbox.drain(..count);
            self.buffers.request.advance(count);
            Event::ClientData
        };
        self.handle(now, event);
        Moves::Some
    }
}

/// Up to `wanted` octets, those that are sent at once.
fn kept(octets: Octets<'_>, wanted: usize) -> Vec<u8> {
    match octets {
        Octets::Text(text) => text[..text.len().min(wanted)].to_vec(),
        Octets::Body(body, at, end) => {
            let there = usize::try_from(end - at).unwrap_or(usize::MAX);
            let mut runs = Runs::none();
            body.refer(at, wanted.min(there), &mut runs);
            let octets: Vec<u8> = runs.iter().flatten().copied().collect();
            assert_eq!(octets.len(), runs.len());
            octets
        }
    }
}

/// Memory of a buffer.
#[derive(Default)]
pub(crate) struct Memory(KVec<u8>);

impl std::ops::Deref for Memory {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl std::ops::DerefMut for Memory {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

impl Store for Memory {
    fn reserve(&mut self, capacity: usize) -> bool {
        if capacity <= self.0.len() {
            return true;
        }
        let Ok(mut larger) = KVec::from_elem(b'?', capacity, GFP_NOWAIT) else {
            return false;
        };
        larger[..self.0.len()].copy_from_slice(&self.0);
        self.0 = larger;
        true
    }

    fn release(&mut self) {
        self.0 = KVec::new();
    }
}

/// What the two ends have acknowledged.
struct Acked {
    client: u64,
    upstream: u64,
}

impl Ends for Acked {
    fn date(&self) -> UnixTime {
        clock::unix_now()
    }

    fn fallback_host(&self) -> &[u8] {
        b"origin"
    }

    fn stamp(&self) -> Option<u64> {
        None
    }

    fn protocol(&self) -> Protocol {
        Protocol::Http
    }

    fn backend_version(&self) -> Option<Version> {
        Some(Version::Http11)
    }

    fn client_acked(&self) -> u64 {
        self.client
    }

    fn client_unacked(&self) -> u64 {
        0
    }

    fn upstream_acked(&self) -> u64 {
        self.upstream
    }
}
