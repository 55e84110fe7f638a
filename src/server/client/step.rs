// SPDX-License-Identifier: GPL-2.0

//! The step: moves one exchange forward as far as its sockets allow, and never sleeps.

use kernel::prelude::*;
use kernel::sync::atomic::Relaxed;
use kernel::sync::Arc;

use super::bodies::first;
use super::bodies::send_kept;
use super::errand::Errand;
use super::Client;
use super::Hop;
use super::State;
use super::Turn;
use crate::exchange::Action;
use crate::exchange::Event;
use crate::exchange::Refusal;
use crate::lb::Verdict;
use crate::rt::clock;
use crate::rt::socket;
use crate::rt::socket::Attached;
use crate::rt::socket::Io as Moved;
use crate::server::backend::Backend;
use crate::server::Engine;
use crate::status::Count;
use crate::status::Format;
use crate::time::Instant;

/// Rounds of one step: each moves at most one buffer each way.
const BUDGET: u32 = 16;

/// What a step leaves to the work item, because it sleeps.
pub(super) enum Chore {
    /// Nothing: an event or the sweep goes on.
    None,
    /// The budget is used up: go on later.
    Again,
    /// Connect to this backend.
    Connect(Arc<Backend>),
    /// Write the status of the gateway for the client.
    Report(Format),
    /// Send somebody out with this.
    SendOut(KBox<Errand>),
    /// Close a backend connection, with RST if `abort`.
    Close { hop: Hop, abort: bool },
    /// Close the client's connection: it is over.
    CloseClient { abort: bool },
    /// Close the connection of a client that was at rest, with RST.
    Abort(Attached<Client>),
}

impl Chore {
    /// Whether there is something to be done.
    fn is_work(&self) -> bool {
        !matches!(self, Chore::None | Chore::Again)
    }
}

/// What one attempt to move octets came to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Moves {
    /// Octets or a message moved: look at everything again.
    Some,
    /// An event will say when to go on.
    None,
    /// No event will come: the sweep has to go on.
    Later,
}

impl Client {
    /// One step, in the work item, which has done what it had to do before.
    pub(super) fn step(self: &Arc<Self>) -> Chore {
        let mut connection = self.connection.lock();
        let Some(state) = self.awake(&mut connection) else {
            return self.end_rest(&mut connection);
        };
        let chore = match core::mem::replace(&mut state.turn, Turn::Anybody) {
            // It may be something that others wait for.
            Turn::Left(chore) => chore,
            _ if self.engine.is_stopping() => Chore::CloseClient { abort: true },
            _ => self.advance(state),
        };
        if chore.is_work() {
            state.turn = Turn::Work;
        }
        chore
    }

    /// One step, in the job or where the connection is accepted: whether the work item has to go on.
    pub(super) fn step_softly(self: &Arc<Self>) -> bool {
        let mut connection = self.connection.lock();
        let Some(state) = self.awake(&mut connection) else {
            return false;
        };
        if let Turn::Anybody = state.turn {
            match self.advance(state) {
                Chore::None => return false,
                chore if chore.is_work() => state.turn = Turn::Left(chore),
                _ => {}
            }
        }
        true
    }

    /// Moves the exchange forward. Softirq or process context, no socket locked.
    fn advance(self: &Arc<Self>, state: &mut State) -> Chore {
        let now = clock::now();
        if let Some(chore) = self.take_grant(state, now) {
            return chore;
        }
        if state.socket.is_none() && !state.is_errand {
            return Chore::None;
        }
        if let Some(chore) = self.look_again(state, now) {
            return chore;
        }
        if state.exchange.wants_tick(now) {
            state.handle(now, Event::Tick);
        }
        for _ in 0..BUDGET {
            if let Some(chore) = self.act(state, now) {
                return chore;
            }
            let moves = state.transfer(self, now);
            if !moves.contains(&Moves::Some) && !state.exchange.is_pending() {
                let later = state.shutdown.is_wanted() || moves.contains(&Moves::Later);
                let due = if later {
                    now
                } else {
                    state.exchange.deadline()
                };
                self.due.store(due.as_nanos(), Relaxed);
                // The client has what there is for it by now.
                return state.errand.take().map_or(Chore::None, Chore::SendOut);
            }
        }
        Chore::Again
    }

    /// Carries out what the exchange asks for, up to the first thing that sleeps.
    #[inline(never)] // Keeps its frame out of its caller's.
    fn act(self: &Arc<Self>, state: &mut State, now: Instant) -> Option<Chore> {
        if state.exchange.take_switched() {
            self.engine.stats().tunnel();
            state.refresh(&self.engine);
        }
        let mut is_finished = false;
        while let Some(action) = state.exchange.poll() {
            match action {
                Action::Release { reuse } => {
                    state.visit.leave();
                    let chore = state.release(&self.engine, reuse, now);
                    // Who gets the place finds the connection in the pool.
                    state.leave_place(&self.engine, now);
                    if chore.is_some() {
                        return chore;
                    }
                }
                Action::Finish(_) if state.is_errand => {
                    state.visit.reset();
                    is_finished = true;
                }
                Action::Finish(outcome) => {
                    self.engine.stats().finish(&outcome);
                    state.log(&self.engine, now, &outcome);
                    state.end_visit(&self.engine);
                    state.forget_tries();
                    state.refresh(&self.engine);
                    is_finished = true;
                    // The next request may have one, too.
                    if let Some(errand) = state.errand.take() {
                        state.handle(now, Event::Tick);
                        return Some(Chore::SendOut(errand));
                    }
                }
                Action::Reset(how) => self.engine.stats().reset(how),
                Action::Connect { fresh } => {
                    if let Some(backend) = self.route(state, fresh, now) {
                        return Some(Chore::Connect(backend));
                    }
                }
                Action::Report(format) => return Some(Chore::Report(format)),
                Action::ShutdownClient => state.shutdown.client = true,
                Action::ShutdownUpstream => state.shutdown.upstream = true,
                Action::CloseClient { abort } => return Some(Chore::CloseClient { abort }),
            }
        }
        if is_finished {
            // What follows has waited for that.
            state.handle(now, Event::Tick);
        }
        if state.shutdown.is_wanted() {
            state.finish_sending();
        }
        None
    }
}

impl State {
    /// Lets the exchange take in an event.
    pub(super) fn handle(&mut self, now: Instant, event: Event) {
        self.with(|exchange, io| exchange.handle(now, event, io));
    }

    /// The cache has done its part for the present request.
    fn end_visit(&mut self, engine: &Engine) {
        if let Some(count) = Count::of_cache(self.visit.word()) {
            engine.stats().count(count);
        }
        self.visit.reset();
    }

    /// Takes the present configuration, if it is not the one that the last request was served with.
    fn refresh(&mut self, engine: &Engine) {
        if self.config.era != engine.era() {
            self.config = engine.config();
        }
    }

    /// Gives the client the status of the gateway, or none if there was no memory for it.
    pub(super) fn answer(&mut self, now: Instant, format: Format, body: Option<&[u8]>) {
        self.with(|exchange, io| exchange.answer(now, format.content_type(), body, io));
    }

    /// Sends the FINs that are due, if the sockets can be had.
    fn finish_sending(&mut self) {
        if self.shutdown.client {
            let socket = self.socket.as_ref();
            self.shutdown.client = !socket.is_none_or(|socket| socket.shutdown_send());
        }
        if self.shutdown.upstream {
            self.shutdown.upstream = match &self.upstream {
                Hop::Up(link) => !link.shutdown_send(),
                _ => false,
            };
        }
    }

    /// Moves octets wherever they can be moved.
    fn transfer(&mut self, client: &Client, now: Instant) -> [Moves; 5] {
        [
            self.connected(client, now),
            self.send_client(client, now),
            // First: what was there before the request is no answer to it.
            self.recv_upstream(client, now),
            self.send_upstream(client, now),
            self.recv_client(client, now),
        ]
    }

    /// Lets go of the backend connection; what can't be kept is returned to be closed.
    #[inline(never)] // Keeps its frame out of its caller's.
    fn release(&mut self, engine: &Engine, reuse: bool, now: Instant) -> Option<Chore> {
        match core::mem::replace(&mut self.upstream, Hop::None) {
            Hop::Up(link) if reuse => {
                let backend = link.owner().backend().clone();
                match backend.put(link, self.config.settings.idle_per_cpu, now) {
                    Ok(()) => {
                        backend.active.sub(1);
                        None
                    }
                    Err(link) => Some(Chore::Close {
                        hop: Hop::Up(link),
                        abort: false,
                    }),
                }
            }
            Hop::None => None,
            Hop::Connecting(link) if self.exchange.verdict() == Verdict::Refused => {
                // There was no connection in time.
                engine.stats().count(Count::ConnectFailures);
                link.owner().backend().failures.add(1);
                Some(Chore::Close {
                    hop: Hop::Connecting(link),
                    abort: true,
                })
            }
            hop => Some(Chore::Close {
                hop,
                abort: self.exchange.resets_upstream(),
            }),
        }
    }

    /// Looks whether the connection to the backend has come up, or has failed.
    #[inline(never)] // Keeps its frame out of its caller's.
    fn connected(&mut self, client: &Client, now: Instant) -> Moves {
        let Hop::Connecting(link) = &self.upstream else {
            return Moves::None;
        };
        let event = match link.state() {
            socket::State::Connecting => return Moves::None,
            // It speaks before it was asked: whatever it says is no answer.
            socket::State::Established | socket::State::HalfClosed if link.readable() => {
                client.engine.stats().count(Count::ConnectFailures);
                link.owner().backend().failures.add(1);
                Event::UpstreamRefused(Refusal::Unreachable)
            }
            socket::State::Established | socket::State::HalfClosed => {
                let owner = link.owner();
                owner.backend().connected(now.since(owner.begun()));
                Event::UpstreamReady { reused: false }
            }
            socket::State::Closed => {
                client.engine.stats().count(Count::ConnectFailures);
                link.owner().backend().failures.add(1);
                Event::UpstreamRefused(Refusal::Unreachable)
            }
        };
        if let Hop::Connecting(link) = core::mem::replace(&mut self.upstream, Hop::None) {
            self.upstream = Hop::Up(link);
        }
        self.handle(now, event);
        Moves::Some
    }

    #[inline(never)] // Keeps its frame out of its caller's.
    fn send_client(&mut self, client: &Client, now: Instant) -> Moves {
        if self.exchange.is_flushed(&self.buffers) {
            return self.miss_client(now);
        }
        let Some(socket) = &self.socket else {
            return Moves::None;
        };
        let parts = self.exchange.client_output(&self.buffers, b"");
        // An errand goes out before FIN does.
        let more = self.errand.is_none() && self.exchange.finishes();
        let sent = match self.exchange.missed() {
            Some((position, octets)) if octets > 0 => {
                send_kept(socket, parts, self.visit.kept(position), octets, more)
            }
            _ if parts.iter().all(|part| part.is_empty()) => return self.miss_client(now),
            _ => socket.send(parts, more),
        };
        match sent {
            Ok(Moved::Done(taken)) => {
                client.engine.stats().add(Count::ClientSent, taken as u64);
                self.client_took(now, taken);
                Moves::Some
            }
            Ok(Moved::Wait) if self.client_waits(now) => Moves::Some,
            Ok(Moved::Wait) => Moves::None,
            Ok(Moved::Retry | Moved::Eof) => Moves::Later,
            Err(_) => {
                self.handle(now, Event::ClientLost);
                Moves::Some
            }
        }
    }

    /// There is nothing for the client: if nobody reads from it now either, notices here that it is gone.
    fn miss_client(&mut self, now: Instant) -> Moves {
        let is_noticed = self.exchange.reads_client() || self.exchange.is_without_client();
        let socket = self.socket.as_ref();
        if is_noticed || !socket.is_some_and(Attached::failed) {
            return Moves::None;
        }
        self.handle(now, Event::ClientLost);
        Moves::Some
    }

    /// Whether the backend goes on though the client takes nothing now.
    fn client_waits(&mut self, now: Instant) -> bool {
        self.with(|exchange, io| exchange.client_waits(now, io))
    }

    fn client_took(&mut self, now: Instant, taken: usize) {
        self.with(|exchange, io| exchange.client_took(now, taken, io));
    }

    fn send_upstream(&mut self, client: &Client, now: Instant) -> Moves {
        let parts = self.exchange.upstream_output(&self.buffers);
        if parts.iter().all(|part| part.is_empty()) {
            return Moves::None;
        }
        let Hop::Up(link) = &self.upstream else {
            return Moves::None;
        };
        match link.send(parts, false) {
            Ok(Moved::Done(taken)) => {
                client.engine.stats().add(Count::BackendSent, taken as u64);
                link.owner().backend().sent.add(taken as u64);
                self.upstream_took(now, taken);
                self.note_asked(&client.engine, now);
                Moves::Some
            }
            Ok(Moved::Wait) => Moves::None,
            Ok(Moved::Retry | Moved::Eof) => Moves::Later,
            Err(error) => {
                // The error of a reset that came after the backend's FIN.
                let finished = error == EPIPE;
                self.handle(now, Event::UpstreamDeaf { finished });
                Moves::Some
            }
        }
    }

    fn upstream_took(&mut self, now: Instant, taken: usize) {
        self.with(|exchange, io| exchange.upstream_took(now, taken, io));
    }

    fn recv_upstream(&mut self, client: &Client, now: Instant) -> Moves {
        let link = match &self.upstream {
            Hop::Up(link) => link,
            Hop::None => return self.look_further(now),
            Hop::Connecting(_) => return Moves::None,
        };
        if !self.exchange.reads_upstream(&self.buffers) || !link.readable() {
            return Moves::None;
        }
        let Err(most) = self.pass(client, now) else {
            return Moves::Some;
        };
        let Hop::Up(link) = &self.upstream else {
            return Moves::None;
        };
        let Some(room) = self.exchange.upstream_room(&mut self.buffers) else {
            return Moves::Later;
        };
        let event = match link.recv(first(room, most)) {
            Ok(Moved::Done(octets)) => {
                client
                    .engine
                    .stats()
                    .add(Count::BackendReceived, octets as u64);
                link.owner().backend().hear(now, octets as u64);
                self.buffers.response.advance(octets);
                Event::UpstreamData
            }
            Ok(Moved::Wait) => return Moves::None,
            Ok(Moved::Retry) => return Moves::Later,
            Ok(Moved::Eof) => Event::UpstreamEof,
            Err(error) if error == EPIPE => Event::UpstreamEof,
            Err(_) => Event::UpstreamLost,
        };
        self.handle(now, event);
        self.note_answer(&client.engine, now);
        Moves::Some
    }

    #[inline(never)] // Keeps its frame out of its caller's.
    fn recv_client(&mut self, client: &Client, now: Instant) -> Moves {
        let Some(socket) = &self.socket else {
            return Moves::None;
        };
        if !self.exchange.reads_client() || !socket.readable() {
            return Moves::None;
        }
        let Err(most) = self.pass_up(client, now) else {
            return Moves::Some;
        };
        let Some(socket) = &self.socket else {
            return Moves::None;
        };
        let Some(room) = self.exchange.client_room(&mut self.buffers) else {
            return Moves::Later;
        };
        if room.is_empty() {
            return Moves::None;
        }
        let event = match socket.recv(first(room, most)) {
            Ok(Moved::Done(octets)) => {
                client
                    .engine
                    .stats()
                    .add(Count::ClientReceived, octets as u64);
                if self.exchange.is_idle() {
                    self.refresh(&client.engine);
                }
                self.buffers.request.advance(octets);
                Event::ClientData
            }
            Ok(Moved::Wait) => return Moves::None,
            Ok(Moved::Retry) => return Moves::Later,
            Ok(Moved::Eof) => Event::ClientEof,
            Err(_) => Event::ClientLost,
        };
        self.handle(now, event);
        if self.exchange.lacks_some_of_first() {
            if let Some(socket) = &self.socket {
                socket.acknowledge();
            }
        }
        Moves::Some
    }
}
