// SPDX-License-Identifier: GPL-2.0

//! What `src/server/client.rs` and `src/server/client/step.rs` do, with simulated sockets: the two
//! must not drift apart.

use super::client::{Plan, FALLBACK_HOST};
use super::keeper::Keeper;
use super::link::{Link, State};
use super::memory::Memory;
use super::world::World;
use crate::config::{Protocol, Settings};
use crate::exchange::{Action, Buffers, Ends, Event, Exchange, Io, Outcome, Phase, Refusal, Tap};
use crate::http::Version;
use crate::lb::Verdict;
use crate::time::UnixTime;

/// The way to the backend.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Hop {
    None,
    Connecting(usize),
    Up(usize),
}

impl Hop {
    pub(super) fn index(self) -> Option<usize> {
        match self {
            Hop::None => None,
            Hop::Connecting(index) | Hop::Up(index) => Some(index),
        }
    }
}

/// What a step leaves to the work item.
enum Chore {
    None,
    Again,
    Connect,
    Close(usize),
    CloseClient { abort: bool },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Moves {
    Some,
    None,
    Later,
}

/// What one attempt to move octets came to at a socket.
enum Moved {
    Done(usize),
    Wait,
    Retry,
    Eof,
    Lost,
}

const BUDGET: u32 = 16;

impl World {
    /// The work item. Returns whether anything moved.
    pub(super) fn run(&mut self) -> bool {
        let mut moved = false;
        loop {
            match self.step(&mut moved) {
                Chore::None => return moved,
                Chore::Again => {
                    self.woken = true;
                    return true;
                }
                Chore::Connect => self.connect(),
                Chore::Close(index) => self.links[index].closed = true,
                Chore::CloseClient { abort } => {
                    self.close(abort);
                    return true;
                }
            }
            moved = true;
        }
    }

    /// The sweep comes by: if nothing goes on, little is kept of the connection until something does.
    pub(super) fn rest(&mut self) {
        let is_alone = self.hop == Hop::None && self.shutdown == (false, false);
        let Some(rest) = self.exchange.rest(&self.buffers, &self.acked()) else {
            return;
        };
        if is_alone && !self.finishes {
            self.note(format_args!("rest"));
            self.seen.insert("rested".to_owned());
            self.exchange = Exchange::NEW;
            self.exchange.resume(rest);
            self.buffers.release();
        }
    }

    fn close(&mut self, abort: bool) {
        self.note(format_args!("close, abort {abort}"));
        assert_eq!(self.exchange.phase(), Phase::Closed);
        assert_eq!(self.hop, Hop::None);
        self.socket.closed = Some(abort);
        self.buffers.release();
    }

    fn connect(&mut self) {
        if self.mood.faults && self.choices.once_in(20) {
            let kinds = [Refusal::Unreachable, Refusal::NoMemory];
            let why = *self.choices.pick(&kinds);
            self.handle(Event::UpstreamRefused(why));
            return;
        }
        self.hop = Hop::Connecting(self.links.len());
        self.links.push(Link::new());
    }

    fn step(&mut self, moved: &mut bool) -> Chore {
        if self.exchange.wants_tick(self.now) {
            self.handle(Event::Tick);
        }
        for _ in 0..BUDGET {
            if let Some(chore) = self.act() {
                return chore;
            }
            let moves = [
                self.connected(),
                self.send_client(),
                self.send_upstream(),
                self.recv_upstream(),
                self.recv_client(),
            ];
            if !moves.contains(&Moves::Some) && !self.exchange.is_pending() {
                let later = self.shutdown.0 || self.shutdown.1 || moves.contains(&Moves::Later);
                self.due = if later {
                    self.now
                } else {
                    self.exchange.deadline()
                };
                return Chore::None;
            }
            *moved = true;
        }
        Chore::Again
    }

    fn act(&mut self) -> Option<Chore> {
        let mut is_finished = false;
        while let Some(action) = self.exchange.poll() {
            self.note(format_args!("{action:?}"));
            // There is one backend: whoever has failed there has nowhere to go.
            let nobody = self.tried && matches!(action, Action::Connect { .. });
            if let (Action::Connect { fresh: true }, false) = (action, nobody) {
                let last = self.links.iter().find(|link| link.was_left);
                let plan = self.client.plans.get(self.audit.finished.len());
                let idempotent = self.mood.wild || plan.is_some_and(Plan::is_idempotent);
                assert!(
                    last.is_some_and(|link| link.may_be_retried(idempotent)),
                    "a retry too many"
                );
                self.seen.insert("retried".to_owned());
            }
            self.audit.note(action);
            match action {
                Action::Release { reuse } => {
                    let verdict = self.exchange.verdict();
                    self.tried |= matches!(verdict, Verdict::Error | Verdict::Refused);
                    if let Some(chore) = self.release(reuse) {
                        return Some(chore);
                    }
                }
                Action::Finish(outcome) => {
                    self.tried = false;
                    self.remember(outcome);
                    is_finished = true;
                }
                Action::Connect { .. } if nobody => {
                    self.handle(Event::UpstreamRefused(Refusal::NoBackend));
                }
                Action::Connect { fresh } => {
                    if self.route(fresh) {
                        return Some(Chore::Connect);
                    }
                }
                Action::Reset(how) => {
                    self.seen.insert(format!("reset {how:?}"));
                }
                Action::Report(format) => panic!("nobody may see {format:?}"),
                Action::ShutdownClient => self.shutdown.0 = true,
                Action::ShutdownUpstream => self.shutdown.1 = true,
                Action::CloseClient { abort } => {
                    self.finishes = false;
                    return Some(Chore::CloseClient { abort });
                }
            }
        }
        if is_finished {
            self.handle(Event::Tick);
        }
        if std::mem::take(&mut self.finishes) {
            assert!(self.shutdown.0, "FIN was to follow");
        }
        if self.shutdown.0 && !self.busy() {
            self.shutdown.0 = false;
            self.socket.shut = true;
        }
        if self.shutdown.1 && !self.busy() {
            self.shutdown.1 = false;
            if let Hop::Up(index) = self.hop {
                self.links[index].shut = true;
            }
        }
        None
    }

    /// What the two ends have acknowledged: what they have read, or a little less.
    fn acked(&self) -> Acked {
        let link = self.hop.index().map(|index| &self.links[index]);
        Acked {
            client: self.socket.acked,
            client_lacks: self.socket.down.len() as u64,
            upstream: link.map_or(0, |link| link.acked),
            version: self.version,
        }
    }

    /// Whether a connection has to be made.
    fn route(&mut self, fresh: bool) -> bool {
        if self.mood.faults && self.choices.once_in(40) {
            self.handle(Event::UpstreamRefused(Refusal::NoBackend));
            return false;
        }
        let links = &self.links;
        let good = |index: &usize| links[*index].state == State::Up && !links[*index].readable();
        let found = self.pool.iter().rposition(good).filter(|_| !fresh);
        let Some(index) = found.map(|at| self.pool.remove(at)) else {
            return true;
        };
        self.hop = Hop::Up(index);
        self.seen.insert("reused".to_owned());
        self.handle(Event::UpstreamReady { reused: true });
        false
    }

    fn remember(&mut self, outcome: Outcome) {
        let status = outcome.status.map_or(0, |status| status.code());
        let page = if outcome.own_page { "page" } else { "answer" };
        let end = if outcome.aborted { " cut" } else { "" };
        self.seen.insert(format!("{page} {status}{end}"));
    }

    fn release(&mut self, reuse: bool) -> Option<Chore> {
        let hop = std::mem::replace(&mut self.hop, Hop::None);
        for link in &mut self.links {
            link.was_left = false;
        }
        let index = hop.index()?;
        let link = &mut self.links[index];
        link.was_left = true;
        if !reuse {
            return Some(Chore::Close(index));
        }
        assert!(matches!(hop, Hop::Up(_)));
        assert!(
            self.mood.wild || link.is_reusable(),
            "kept with something left on it"
        );
        link.rest();
        if link.state != State::Up || link.readable() {
            return Some(Chore::Close(index));
        }
        self.pool.push(index);
        None
    }

    fn handle(&mut self, event: Event) {
        let before = self.exchange.phase();
        let now = self.now;
        self.with(|exchange, io| exchange.handle(now, event, io));
        let after = self.exchange.phase();
        if event != Event::Tick || before != after {
            self.note(format_args!("{event:?}: {before:?} -> {after:?}"));
        }
    }

    /// What the exchange does with what it sees of the world.
    fn with<T>(&mut self, act: impl FnOnce(&mut Exchange, &mut Io<'_, Memory>) -> T) -> T {
        let acked = self.acked();
        let mut io = io(&mut self.buffers, &self.mood.settings, &acked);
        io.tap = self.keeper.as_mut().map(|keeper| keeper as &mut dyn Tap);
        act(&mut self.exchange, &mut io)
    }

    /// A process owns the socket for a moment.
    fn busy(&mut self) -> bool {
        self.mood.faults && self.choices.once_in(50)
    }

    fn connected(&mut self) -> Moves {
        let Hop::Connecting(index) = self.hop else {
            return Moves::None;
        };
        let event = match self.links[index].state {
            State::Connecting => return Moves::None,
            State::Up => Event::UpstreamReady { reused: false },
            State::Gone => Event::UpstreamRefused(Refusal::Unreachable),
        };
        self.hop = Hop::Up(index);
        self.handle(event);
        Moves::Some
    }

    fn send_client(&mut self) -> Moves {
        let kept = match (self.exchange.missed(), &self.keeper) {
            (Some((position, _)), Some(keeper)) => keeper.at(position),
            _ => &[],
        };
        let missed = self.exchange.missed().map_or(0, |(_, octets)| octets);
        let is_short = kept.len() < missed;
        let parts = self.exchange.client_output(&self.buffers, kept);
        if parts.iter().all(|part| part.is_empty()) {
            if self.socket.reset && !self.exchange.reads_client() {
                self.handle(Event::ClientLost);
                return Moves::Some;
            }
            return Moves::None;
        }
        assert!(!self.socket.shut, "octets after FIN");
        let octets = parts.concat();
        if self.busy() {
            return Moves::Later;
        }
        if self.socket.reset {
            self.handle(Event::ClientLost);
            return Moves::Some;
        }
        let room = self.mood.window.saturating_sub(self.socket.down.len());
        let taken = room.min(octets.len());
        if taken == 0 {
            let now = self.now;
            if self.with(|exchange, io| exchange.client_waits(now, io)) {
                self.seen.insert("fell behind".to_owned());
                return Moves::Some;
            }
            return Moves::None;
        }
        self.finishes = self.exchange.finishes() && !is_short && taken == octets.len();
        if self.finishes {
            self.seen.insert("FIN went along".to_owned());
        }
        self.socket.down.extend(&octets[..taken]);
        self.note(format_args!("{taken} octets for the client"));
        let now = self.now;
        self.with(|exchange, io| exchange.client_took(now, taken, io));
        Moves::Some
    }

    fn send_upstream(&mut self) -> Moves {
        let Hop::Up(index) = self.hop else {
            return Moves::None;
        };
        let octets = self.exchange.upstream_output(&self.buffers).concat();
        if octets.is_empty() {
            return Moves::None;
        }
        if self.busy() {
            return Moves::Later;
        }
        let link = &mut self.links[index];
        assert!(!link.shut, "octets after FIN");
        if link.state == State::Gone {
            let finished = link.fin;
            self.handle(Event::UpstreamDeaf { finished });
            return Moves::Some;
        }
        let window = self.mood.upstream_window;
        let taken = window
            .saturating_sub(link.to_origin.len())
            .min(octets.len());
        if taken == 0 {
            return Moves::None;
        }
        link.to_origin.extend(&octets[..taken]);
        self.note(format_args!("{taken} octets for link {index}"));
        let now = self.now;
        self.with(|exchange, io| exchange.upstream_took(now, taken, io));
        Moves::Some
    }

    fn recv_upstream(&mut self) -> Moves {
        let Hop::Up(index) = self.hop else {
            return Moves::None;
        };
        if !self.exchange.reads_upstream(&self.buffers) || !self.links[index].readable() {
            return Moves::None;
        }
        if self.pass(index) {
            return Moves::Some;
        }
        let busy = self.busy();
        let most = *self.choices.pick(&[100_000, 1, 100]);
        let Some(room) = self.exchange.upstream_room(&mut self.buffers) else {
            return Moves::Later;
        };
        assert!(!room.is_empty(), "a receive of nothing");
        let link = &mut self.links[index];
        let moved = match link.state {
            _ if busy => Moved::Retry,
            _ if !link.arrived.is_empty() => Moved::Done(link.read(room, most)),
            _ if link.fin => Moved::Eof,
            State::Gone => Moved::Lost,
            _ => Moved::Wait,
        };
        let event = match moved {
            Moved::Done(octets) => {
                self.buffers.response.advance(octets);
                Event::UpstreamData
            }
            Moved::Wait => return Moves::None,
            Moved::Retry => return Moves::Later,
            Moved::Eof => Event::UpstreamEof,
            Moved::Lost => Event::UpstreamLost,
        };
        self.handle(event);
        self.version = self.exchange.take_spoken().or(self.version);
        Moves::Some
    }

    /// Octets go from socket to socket, if nobody keeps them.
    fn pass(&mut self, index: usize) -> bool {
        let Some(left) = self.exchange.passes(&self.buffers) else {
            return false;
        };
        let is_kept = self.keeper.as_ref().is_some_and(|keeper| keeper.keeps());
        if is_kept || self.socket.reset || !self.choices.pick(&[true, false]) {
            return false;
        }
        let most = *self.choices.pick(&[100_000, 1, 100]);
        let room = self.mood.window.saturating_sub(self.socket.down.len());
        let most = most.min(room).min(usize::try_from(left).unwrap_or(room));
        let mut octets = vec![0; most];
        let passed = self.links[index].read(&mut octets, most);
        if passed == 0 {
            return false;
        }
        assert!(!self.socket.shut, "octets after FIN");
        self.socket.down.extend(&octets[..passed]);
        self.seen.insert("passed on".to_owned());
        self.note(format_args!("{passed} octets passed on to the client"));
        let now = self.now;
        self.with(|exchange, io| exchange.passed(now, passed as u64, io));
        true
    }

    /// Likewise of the request's body.
    fn pass_up(&mut self) -> bool {
        let (Some(left), Hop::Up(index)) = (self.exchange.passes_up(&self.buffers), &self.hop)
        else {
            return false;
        };
        let link = &mut self.links[*index];
        if link.state != State::Up || link.shut || !self.choices.pick(&[true, false]) {
            return false;
        }
        let most = *self.choices.pick(&[100_000, 1, 100]);
        let room = self.mood.upstream_window;
        let room = room.saturating_sub(link.to_origin.len());
        let most = most.min(room).min(usize::try_from(left).unwrap_or(room));
        let most = most.min(self.socket.up.len());
        if most == 0 {
            return false;
        }
        link.to_origin.extend(self.socket.up.drain(..most));
        self.seen.insert("passed on to the backend".to_owned());
        self.note(format_args!("{most} octets passed on to the backend"));
        let now = self.now;
        self.with(|exchange, io| exchange.passed_up(now, most as u64, io));
        true
    }

    fn recv_client(&mut self) -> Moves {
        let socket = &self.socket;
        let readable = !socket.up.is_empty() || socket.fin || socket.reset;
        if !self.exchange.reads_client() || !readable {
            return Moves::None;
        }
        if self.pass_up() {
            return Moves::Some;
        }
        let busy = self.busy();
        let most = *self.choices.pick(&[100_000, 1, 100]);
        let Some(room) = self.exchange.client_room(&mut self.buffers) else {
            return Moves::Later;
        };
        if room.is_empty() {
            return Moves::None;
        }
        let socket = &mut self.socket;
        let octets = room.len().min(most).min(socket.up.len());
        for (to, from) in room.iter_mut().zip(socket.up.drain(..octets)) {
            *to = from;
        }
        let event = match octets {
            _ if busy && octets == 0 => return Moves::Later,
            0 if socket.reset => Event::ClientLost,
            0 => Event::ClientEof,
            _ => {
                self.buffers.request.advance(octets);
                Event::ClientData
            }
        };
        self.handle(event);
        Moves::Some
    }
}

/// What the two ends have acknowledged, and what is known of the backend.
struct Acked {
    client: u64,
    /// What the client's has not.
    client_lacks: u64,
    upstream: u64,
    /// What the backend speaks.
    version: Option<Version>,
}

/// What an exchange sees of the world.
fn io<'a>(
    buffers: &'a mut Buffers<Memory>,
    settings: &'a Settings,
    acked: &'a Acked,
) -> Io<'a, Memory> {
    Io {
        buffers,
        settings,
        client: ([192, 0, 2, 1], 4711).into(),
        name: b"",
        id: 0x1000,
        ends: acked,
        conditions: b"",
        tap: None,
    }
}

impl Ends for Acked {
    fn date(&self) -> UnixTime {
        UnixTime::from_secs(784_111_777)
    }

    fn fallback_host(&self) -> &[u8] {
        FALLBACK_HOST.as_bytes()
    }

    fn stamp(&self) -> Option<u64> {
        None
    }

    fn protocol(&self) -> Protocol {
        Protocol::Http
    }

    fn backend_version(&self) -> Option<Version> {
        self.version
    }

    fn client_acked(&self) -> u64 {
        self.client
    }

    fn client_unacked(&self) -> u64 {
        self.client_lacks
    }

    fn upstream_acked(&self) -> u64 {
        self.upstream
    }
}
